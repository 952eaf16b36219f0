# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a sender, or the number of keys, can make large: four times as much takes no more than
about four times as long, up to a bound, and the bound is a refusal with a reason.

Processor time is compared, with a slack that what is linear never needs and what is quadratic does
not get by with. Memory is bounded as it is for any message. With sanitizers one size of each is run,
and the end alone is looked at: their time and memory are their own.

cases/todo.txt names those that do not hold yet, with limits/ in front.
"""

import base64
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import tap
from home import Home
from meter import Meter

MIB = 1 << 20
SANITIZED = "--sanitize" in sys.argv
# A quadratic step is 16 times as long; what a process takes in any case is left out of account.
STEP, FACTOR, SLACK = 4, 7, 0.25
MOST_CPU = 30  # seconds; half of the deadline
MOST_MEMORY = 32 * MIB
ALICE = "alice@example.org"
FROM = b"From: carol@example.net\n"
HEAD = FROM + b"To: alice@example.org\nSubject: s\n"

home = Home("linear")
meter = Meter(home.folder)
DER = base64.b64decode(b"".join(home.alice.cert.read_bytes().split(b"-----")[2].split()))


class Load:
    """What is run: a message and the rest."""

    def __init__(self, message, *args, changes=None, to=(ALICE,)):
        self.message, self.args, self.changes, self.to = message, args, changes or {}, to


# -- Fields and addresses -----------------------------------------------------------------------

def body(header, text=b"body\n"):
    return header + b"\n" + text


def to(text):
    """For two, since it is read to see who is a Bcc."""
    return Load(body(FROM + b"Subject: s\nCc: alice@example.org, bob@example.org\nTo: " + text + b"\n"),
                to=(ALICE, "bob@example.org"))


carol = home.authority.person("carol@example.net", "rsa")
(home.folder / "server").mkdir()
(home.folder / "server/carol.pem").write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
(home.folder / "server/carol.pem").chmod(0o600)
SIGNING = {"module sign": {"trust_from": "true"}, "module smime": {"server_keys": home.folder / "server"},
           "policy": {"encrypt": "never", "sign": "preferred"}}


def author(text):
    """With signing, which reads it."""
    return Load(body(b"From: " + text + b"\nTo: alice@example.org\nSubject: s\n"), changes=SIGNING)


# What stands in an address field, n times.
ADDRESSES = {
    "members": lambda n: b",\n ".join(b"u%d@example.org" % i for i in range(n)),
    "bare words with commas": lambda n: b"a," * n + b"alice@example.org",
    "bare words": lambda n: b"a " * n + b"<alice@example.org>",
    "quoted words": lambda n: b'"a" ' * n + b"<alice@example.org>",
    "one quoted word": lambda n: b'"' + b"\\a" * n + b'" <alice@example.org>',
    "empty groups": lambda n: b"a:;" * n,
    "empty groups with commas": lambda n: b"a:;," * n + b"alice@example.org",
    "groups within groups": lambda n: b"g:" * n + b"alice@example.org" + b";" * n,
    "comments": lambda n: b"(c)" * n + b"alice@example.org",
    "comments within comments": lambda n: b"(" * n + b")" * n + b"alice@example.org",
    "comments that do not end": lambda n: b"alice@example.org " + b"(" * n,
    "opening brackets": lambda n: b"<" * n + b"alice@example.org",
    "brackets": lambda n: b"<>" * n + b"<alice@example.org>",
    "a route": lambda n: b"<" + b"@a," * n + b"@a:alice@example.org>",
    "dots": lambda n: b"a." * n + b"a@example.org",
    "at signs": lambda n: b"a@" * n + b"example.org",
    "semicolons": lambda n: b";" * n + b"alice@example.org",
    "commas": lambda n: b"," * n + b"alice@example.org",
    "backslashes": lambda n: b"\\" * n + b"alice@example.org",
    "encoded words": lambda n: b"=?utf-8?q?a?= " * n + b"<alice@example.org>",
    "folded lines": lambda n: b"a\n " * n + b"<alice@example.org>",
    "octets beyond ASCII": lambda n: b"\xc3\xa4" * n + b" <alice@example.org>",
}

# -- Parts and parameters -----------------------------------------------------------------------

def content(fields, text=b"body\n"):
    return Load(body(HEAD + b"MIME-Version: 1.0\n" + fields, text))


def parted(parts):
    return content(b"Content-Type: multipart/mixed; boundary=b\n", parts + b"--b--\n")


def nested(n):
    parts = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(n))
    return Load(HEAD + parts + b"\nthe kernel\n")


def ruled_by_parts(load):
    load.changes = {"rule exe": {"match_part": "*.exe", "sign": "never"}}
    return load


def in_a_file(parameters):
    return ruled_by_parts(parted(b"--b\nContent-Disposition: attachment" + b"".join(parameters) + b"\n\nx\n"))


def wrapped(n):
    """A message of n lines in base64, in base64, and so on."""
    octets = b"x\n" * n
    for _ in range(10):
        octets = base64.encodebytes(
            b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" + octets)
    return octets


def signed(load):
    """Which looks at all parts, whether they can be carried."""
    load.changes = SIGNING
    return load


MESSAGES = {
    "fields": lambda n: Load(body(HEAD + b"".join(b"X-%d: v\n" % i for i in range(n)))),
    "fields of one name": lambda n: Load(body(HEAD + b"X: v\n" * n)),
    "Content fields": lambda n: Load(body(HEAD + b"".join(b"Content-X%d: v\n" % i for i in range(n)))),
    "From fields": lambda n: Load(body(b"From: a@example.net\n" * n + HEAD)),
    "To fields": lambda n: Load(body(b"To: alice@example.org\n" * n + HEAD)),
    "one field's octets": lambda n: Load(body(HEAD + b"X: " + b"y" * n * 20 + b"\n")),
    "continuation lines": lambda n: Load(body(HEAD + b"X: y\n" + b" z\n" * n)),
    "Subject's octets": lambda n: Load(body(FROM + b"Subject: " + b"y" * n * 20 + b"\n")),
    "parameters": lambda n: content(b"Content-Type: text/plain" + b"".join(b";\n p%d=v" % i for i in range(n))),
    "parameters of one name": lambda n: content(b"Content-Type: text/plain" + b";a=b" * n),
    "sections of a parameter": lambda n: content(
        b"Content-Type: text/plain" + b"".join(b";\n a*%d=b" % i for i in range(n))),
    "encoded sections": lambda n: content(
        b"Content-Type: text/plain" + b"".join(b";\n a*%d*=%%41" % i for i in range(n))),
    "comments in Content-Type": lambda n: content(b"Content-Type: " + b"(c)" * n + b"text/plain\n"),
    "comments within comments in Content-Type": lambda n: content(
        b"Content-Type: " + b"(" * n + b")" * n + b"text/plain\n"),
    "quoted pairs in a parameter": lambda n: content(b'Content-Type: text/plain; a="' + b"\\a" * n + b'"\n'),
    "parts": lambda n: parted(b"--b\nContent-Type: text/plain\n\nx\n" * n),
    "parts with names": lambda n: signed(parted(
        b"".join(b"--b\nContent-Disposition: attachment; filename=a%d\n\nx\n" % i for i in range(n)))),
    "parts within parts": nested,
    "parts with names, for a rule": lambda n: ruled_by_parts(parted(
        b"".join(b"--b\nContent-Disposition: attachment; filename=a%d\n\nx\n" % i for i in range(n)))),
    "parts within parts, for a rule": lambda n: ruled_by_parts(nested(n)),
    "one part's name in sections, for a rule": lambda n: ruled_by_parts(parted(
        b"--b\nContent-Disposition: attachment" + b"".join(b";\n filename*%d=a" % i for i in range(n)) + b"\n\nx\n")),
    "names of one part, for a rule": lambda n: in_a_file(b";\n filename=a%d" % i for i in range(n)),
    "names in comments, for a rule": lambda n: in_a_file(b" (name=" for i in range(n)),
    "names before comments, for a rule": lambda n: in_a_file(b"name(" for i in range(n)),
    "parts with names before comments, for a rule": lambda n: ruled_by_parts(parted(
        b"".join(b"--b\nContent-Disposition: a" + b"; name(" * 2000 + b"\n\nx\n" for i in range(n // 64)))),
    "names in quotes, for a rule": lambda n: in_a_file(b"; name=\"a" for i in range(n)),
    "names in encoded words, for a rule": lambda n: in_a_file(b"; name==?utf-8?q?a%d?=" % i for i in range(n)),
    "a long name, for a rule": lambda n: in_a_file([b"; filename=" + b"a" * n]),
    "boundaries of one part, for a rule": lambda n: ruled_by_parts(parted(
        b"--b\nContent-Type: multipart/mixed" + b"; boundary(" * n + b"\n\nx\n")),
    "parts with many names, for a rule": lambda n: ruled_by_parts(parted(b"".join(
        b"--b\nContent-Disposition: a; " + b"name=\"" * 60 + b"%d\n\nx\n" % i for i in range(n // 16)))),
    "lines that may be delimiters, for a rule": lambda n: ruled_by_parts(content(b"", b"--\nContent-Type: a\n" * n)),
    "carriage returns, for a rule": lambda n: ruled_by_parts(parted(b"--b\n\n" + b"\r" * n * 20)),
    "folds of a part's field, for a rule": lambda n: in_a_file(b"\n a" for i in range(n)),
    "base64 within base64, for a rule": lambda n: ruled_by_parts(content(
        b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n", wrapped(n))),
    "quoted-printable, for a rule": lambda n: ruled_by_parts(content(
        b"Content-Type: multipart/mixed\nContent-Transfer-Encoding: quoted-printable\n",
        b"--b\nContent-Type: multipart/mixed\nContent-Transfer-Encoding: quoted-printable\n\n" * n)),
    "uuencoded names, for a rule": lambda n: ruled_by_parts(content(
        b"", b"".join(b"begin 644 a%d\n" % i for i in range(n)))),
    "parts within parts, signed": lambda n: signed(nested(n)),
    "messages within messages": lambda n: signed(
        Load(HEAD + b"Content-Type: message/rfc822\n\n" * n + b"\nthe kernel\n")),
    "lines that are nearly a delimiter": lambda n: content(
        b"Content-Type: multipart/mixed; boundary=" + b"b" * 60 + b"\n", (b"--" + b"b" * 59 + b"\n") * n),
    "fields of one part": lambda n: signed(parted(
        b"--b\n" + b"".join(b"X-%d: v\n" % i for i in range(n)) + b"\nx\n")),
    "a body's lines": lambda n: Load(body(HEAD, b"x\n" * n * 20)),
    "a body's empty lines": lambda n: Load(body(HEAD, b"\n" * n * 20)),
}

# What stands in raw UTF-8 in a field, n times: signing writes it anew.
A = b"\xc3\xa4"


def attached(fields):
    return signed(Load(HEAD + b"Content-Type: message/rfc822\n\n" + fields + b"\n\ntext\n"))


def in_parts(fields, n):
    return signed(parted(b"".join(b"--b\n" + fields + b"\n\nx\n" for _ in range(n))))


NON_ASCII = {
    "Subject's words": lambda n: attached(b"Subject: " + (A + b" ") * n + b"a"),
    "Subject's words, folded": lambda n: attached(b"Subject:" + (b" " + A + b" a\n") * n + b" a"),
    "Subject's octets": lambda n: attached(b"Subject: " + A * n * 4),
    "Subject's blanks": lambda n: attached(b"Subject: " + A + b" " * n * 4 + A),
    "Subject's encoded words": lambda n: attached(b"Subject: " + (b"=?utf-8?q?a?= " + A + b" ") * n),
    "Subjects": lambda n: attached((b"Subject: " + A + b"\n") * n),
    "names": lambda n: attached(b"To: " + b",\n ".join([A + b" <a@example.org>"] * n)),
    "words of a name": lambda n: attached(b"To: " + (A + b" ") * n + b"<a@example.org>"),
    "words of a name behind a comment": lambda n: attached(b"To: (c) " + (A + b" ") * n + b"<a@example.org>"),
    "words of a name before a comment": lambda n: attached(b"To: " + (A + b" ") * n + b"<a@example.org> (c)"),
    "quoted names": lambda n: attached(b"To: " + b",\n ".join([b'"' + A + b'" <a@example.org>'] * n)),
    "pairs of a quoted name": lambda n: attached(b'To: "' + b"\\" + A + b"\\a" * n + b'" <a@example.org>'),
    "parameters": lambda n: content_of_part(b"".join(b";\n p%d=" % i + A for i in range(n))),
    "quoted parameters": lambda n: content_of_part(b"".join(b';\n p%d="' % i + A + b'"' for i in range(n))),
    "plain parameters behind one": lambda n: content_of_part(b"; p=" + A + b"; a=b" * n),
    "a parameter's value": lambda n: content_of_part(b'; p="' + A * n * 4 + b'"'),
    "a parameter's name and value": lambda n: content_of_part(b"; " + b"p" * n * 4 + b'="' + A * n * 4 + b'"'),
    "a part's description": lambda n: in_parts(b"Content-Description: " + (A + b" ") * n + b"a", 1),
    "parts' descriptions": lambda n: in_parts(b"Content-Description: " + A, n),
    "parts' names": lambda n: in_parts(b"Content-Disposition: attachment; filename=" + A, n),
    "transfer encodings": lambda n: signed(parted(
        b"--b\n" + b"X-A: a\n" * (n // 16) + b"Content-Transfer-Encoding: 8bit\n" * (n // 16) + b"\n" + A + b"\n")),
}


def content_of_part(parameters):
    return in_parts(b"Content-Disposition: attachment" + parameters, 1)


# -- Rules, tags, recipients --------------------------------------------------------------------

def tagged(subject, **changes):
    rules = {"rule tag": {"match_tag": "[secret]", "encrypt": "required"},
             "rule word": {"match_header": "Subject: *secret*", "encrypt": "required"}}
    return Load(body(FROM + b"To: alice@example.org\nSubject: " + subject + b"\n"),
                changes={**rules, **changes})


def ruled(rules, fields, recipients=1):
    """Every rule looks at every field, for every recipient, and none matches."""
    header = HEAD + b"".join(b"X-A: =?utf-8?q?value_%d?=\n" % i for i in range(fields))
    people = [f"u{i}@example.org" for i in range(recipients)]
    return Load(body(header), to=people, changes={
        "policy": {"encrypt": "never"},
        **{f"rule r{i}": {"match_header": f"X-A: *no {i}*", "sign": "never"} for i in range(rules)}})


def ruled_by_field(value):
    return Load(body(HEAD + b"X-A: " + value + b"\n"), changes={"rule r": {"match_header": "X-A: *no*"}})


RULES = {
    "opened tags": lambda n: tagged(b"[s" * n),
    "nested tags": lambda n: tagged(b"[secret" * n + b"]" * n),
    "tags": lambda n: tagged(b"[secret]" * n),
    "encoded words": lambda n: tagged(b"=?utf-8?q?a?=\n " * n),
    "base64 words": lambda n: tagged(b"=?utf-8?b?YWE=?=\n " * n),
    "words that are nearly encoded": lambda n: tagged(b"=?utf-8?q?a " * n),
    "comments in a field": lambda n: ruled_by_field(b"(c)" * n),
    "comments within comments in a field": lambda n: ruled_by_field(b"(" * n),
    "quotes in a field": lambda n: ruled_by_field(b'"' * n),
    "folds in a field": lambda n: ruled_by_field(b"a\n " * n),
    "lines behind a header that breaks off": lambda n: Load(
        HEAD + b"no field\nSubject: a\n" * n, changes={"rule tag": {"match_tag": "[secret]", "encrypt": "required"}}),
    "encoded tags": lambda n: tagged(b"=?utf-8?q?[s?=\n " * n),
    "stars against a long field": lambda n: tagged(
        b"a" * n, **{"rule star": {"match_header": "Subject: " + "*a" * 20 + "*b", "sign": "never"}}),
    "rules": lambda n: ruled(n // 8, 200),
    "rules and fields": lambda n: ruled(20, n),
    "rules, fields and recipients": lambda n: ruled(20, 200, n // 8),
    "recipients": lambda n: Load(body(HEAD), to=[f"u{i}@example.org" for i in range(n)],
                                 changes={"policy": {"encrypt": "never"}}),
    "recipients without a key": lambda n: Load(body(HEAD), to=[f"u{i}@example.org" for i in range(n)],
                                               changes={"policy": {"encrypt": "preferred"}}),
    "recipients of one address in many spellings": lambda n: Load(
        body(HEAD), to=[f"alice{i % 7}@EXAMPLE.org" if i % 2 else "alice@example.ORG"
                        for i in range(n)], changes={"policy": {"encrypt": "never"}}),
}

# -- Keys ---------------------------------------------------------------------------------------

def stranger(number):
    """A certificate in form; nobody has signed it."""
    der = DER.replace(b"alice@example.org", b"u%04d@example.org" % number)
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def folder_of(n):
    path = home.folder / f"certs-{n}"
    if not path.exists():
        path.mkdir()
        (path / "alice.pem").write_bytes(home.alice.cert.read_bytes())
        for i in range(n):
            (path / f"u{i}.pem").write_bytes(stranger(i))
    return path


def file_of(n):
    path = home.folder / f"certs-{n}.pem"
    path.write_bytes(home.alice.cert.read_bytes() + b"".join(stranger(i) for i in range(n)))
    return path


KEYS = {
    "certificates in a folder": lambda n: Load(body(HEAD), changes={"module keys-file": {"paths": folder_of(n)}}),
    "certificates in a file": lambda n: Load(body(HEAD), changes={"module keys-file": {"paths": file_of(n)}}),
}

# -- What is encrypted already ------------------------------------------------------------------

def tlv(tag, value):
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + value


ENVELOPED = bytes.fromhex("06092a864886f70d010703")
DATA = bytes.fromhex("06092a864886f70d010701")
AES = tlv(0x30, bytes.fromhex("060960864801650304012a") + tlv(4, bytes(16)))
NAME = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403") + tlv(0x0c, b"Somebody"))))
RSA = tlv(0x30, bytes.fromhex("06092a864886f70d0101010500"))


def recipient(number):
    return tlv(0x30, tlv(2, b"\0") + tlv(0x30, NAME + tlv(2, number.to_bytes(4, "big"))) + RSA + tlv(4, bytes(16)))


def cms(recipients, encrypted):
    inner = tlv(0x30, tlv(2, b"\0") + tlv(0x31, recipients) + tlv(0x30, DATA + AES + encrypted))
    return tlv(0x30, ENVELOPED + tlv(0xa0, inner))


def smime(der):
    return content(b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n"
                   b"Content-Transfer-Encoding: base64\n", base64.encodebytes(der))


def indefinite(depth, tag=b"\x30"):
    return (tag + b"\x80") * depth + b"\0\0" * depth


def pgpmime(packets):
    text = b"-----BEGIN PGP MESSAGE-----\n\n" + base64.encodebytes(packets) + b"-----END PGP MESSAGE-----\n"
    return armoured(text)


def armoured(text):
    load = content(b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b\n',
                   b"--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n"
                   b"--b\nContent-Type: application/octet-stream\n\n" + text + b"\n--b--\n")
    ring = home.folder / "gnupg"
    ring.mkdir(mode=0o700, exist_ok=True)
    load.changes = {"module pgp": {"home": ring}}
    return load


PKESK = b"\xc1\x0d\x03" + bytes(8) + b"\x01" + b"\0\0\0"
SEIPD = b"\xd2\x20\x01" + bytes(31)

SEALED = {
    "recipients of a CMS": lambda n: smime(cms(b"".join(recipient(i) for i in range(n)), tlv(0x80, bytes(64)))),
    "pieces of a CMS": lambda n: smime(cms(recipient(1), b"\xa0\x80" + tlv(4, bytes(16)) * n + b"\0\0")),
    "BER within BER": lambda n: smime(indefinite(n)),
    "BER within BER, as a recipient": lambda n: smime(cms(indefinite(n), tlv(0x80, bytes(64)))),
    "strings within strings": lambda n: smime(cms(recipient(1), b"\xa0\x80" + indefinite(n, b"\x24") + b"\0\0")),
    "PKESK packets": lambda n: pgpmime(PKESK * n + SEIPD),
    "marker packets": lambda n: pgpmime(b"\xca\x03PGP" * n + PKESK + SEIPD),
    "partial lengths": lambda n: pgpmime(PKESK + b"\xd2" + (b"\xe0\x01") * n + b"\x01\x01"),
    "armour headers": lambda n: armoured(b"-----BEGIN PGP MESSAGE-----\n" + b"Comment: c\n" * n +
                                         b"\n" + base64.encodebytes(PKESK + SEIPD) +
                                         b"-----END PGP MESSAGE-----\n"),
    "armours": lambda n: armoured((b"-----BEGIN PGP MESSAGE-----\n\n" + base64.encodebytes(PKESK + SEIPD) +
                                   b"-----END PGP MESSAGE-----\n") * n),
}

# -- The judgement ------------------------------------------------------------------------------

def run(load):
    """(status, processor time, peak memory); it has come to an end of its own, for a reason."""
    home.configure(load.changes)
    home.clear_log()
    command = [home.bin / "sealpipe", "-c", home.conf, "-f", "carol@example.net", *load.args, "--", *load.to]
    status, output, errors, cpu, peak = meter.run(command, load.message)
    log = home.log_text()
    tap.equal(errors, b"", "standard error")
    tap.true(str(home.conf) not in log, f"the configuration: {log[-300:]!r}")
    tap.true(status in (0, 75), f"status {status}")
    tap.equal(status == 0, output != b"", "whether there is output")
    if status == 75:
        tap.true(re.search(r"result=(refused|deferred) .*reason=\"[^\"]|error: ", log),
                 f"75 without a reason after {cpu:.1f} s: {log[-300:]!r}")
    return status, cpu, peak


def check(make, sizes):
    told, before = [], None
    for size in sizes:
        status, cpu, peak = run(make(size))
        told.append(f"{size}: {status}, {cpu:.2f} s, {peak / MIB:.0f} MiB")
        if SANITIZED:
            continue
        tap.true(cpu < MOST_CPU, "; ".join(told))
        tap.true(peak < MOST_MEMORY, "memory: " + "; ".join(told))
        tap.true(before is None or cpu < FACTOR * before + SLACK, "not linear: " + "; ".join(told))
        before = cpu
    tap.note("; ".join(told))


def sizes_from(first, last):
    sizes = [first]
    while sizes[-1] * STEP <= last:
        sizes.append(sizes[-1] * STEP)
    return sizes[1:2] if SANITIZED else sizes


def add(kind, makers, first, last):
    for what, make in makers.items():
        @tap.test(f"{kind}: {what}")
        def _(make=make):
            check(make, sizes_from(first, last))


add("To", {what: lambda n, make=make: to(make(n)) for what, make in ADDRESSES.items()}, 1000, 64000)
add("From", {what: lambda n, make=make: author(make(n)) for what, make in ADDRESSES.items()}, 1000, 64000)
add("message", MESSAGES, 1000, 64000)
add("in raw UTF-8", NON_ASCII, 1000, 64000)
add("rules", RULES, 200, 3200)
add("subject", {what: RULES[what] for what in list(RULES)[:8]}, 4000, 64000)
add("keys", KEYS, 500, 8000)
add("sealed", SEALED, 1000, 64000)

tap.todo({line[len("limits/"):] for line in
          (pathlib.Path(__file__).resolve().parent.parent / "cases/todo.txt").read_text().splitlines()
          if line.startswith("limits/")}, SANITIZED)
tap.main()
