# SPDX-License-Identifier: GPL-2.0-or-later
"""`sealpipe` and `sealpipe-check` as an MTA calls them, without the MTA."""

import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import tap
from home import BOUND, Home

ALICE, BOB, NOBODY = "alice@example.org", "bob@example.org", "nobody@example.org"
PLAIN = b"""From: Carol <carol@example.net>
To: alice@example.org
Subject: The secret subject
Date: Mon, 1 Jan 2024 10:00:00 +0000
Message-ID: <1@example.net>

The secret body.
From here on it is not a separator line.
.
..
.and so on
"""

home = Home("filter")


def sealed_for(person, message, *recipients, **how):
    """Seals and opens again; what lies outside is the result."""
    result = home.seal(message, "--", *(recipients or [person.address]), **how)
    what = f"{message[:80]!r}..."
    tap.equal((result.status, result.errors), (0, b""), what)
    tap.equal(mail.opened(result.output, person), mail.inner_entity(message), what)
    return result.output


def deferred(message, *args, **how):
    tap.equal(home.seal(message, *args, **how).triple(), (75, b"", b""), f"{args}")


def last_log(**fields):
    line = home.log_text().splitlines()[-1]
    for name, value in fields.items():
        tap.contains(f"{line} ", f" {name}={value} ", "the log")
    return line


# -- Sealing ------------------------------------------------------------------------------------

@tap.test("a message is sealed for RSA and for EC, and opens byte-identical")
def _():
    home.configure()
    for person in (home.alice, home.bob):
        output = sealed_for(person, PLAIN)
        tap.true(b"secret body" not in output, "the body is outside")
        last_log(to=person.address, result="sealed", format="smime", origin="file")


@tap.test("what lies outside: every other field in its order, and base64")
def _():
    message = (b"Received: by mta.test\n\twith esmtp\nReturn-path: <carol@example.net>\nBcc: x@y\n"
               b"DKIM-Signature: v=1; a=b;\n c=d\nMIME-Version: 1.0\nSubject: s\n"
               b"Content-Type: text/html; charset=latin1\nX-Odd : z\nmime-version: 1.0\n"
               b"Content-transfer-encoding: 8bit\nResent-Bcc: q@y\nContent-Language: de\n"
               b"BCC: z@y\nTo: alice@example.org\n\n<p>\xe4\xf6\xfc</p>\n")
    outer = mail.Message(sealed_for(home.alice, message))
    names = [n for n, _ in outer.fields if not n.startswith(b"content-")]
    tap.equal(names, [b"received", b"mime-version", b"subject", b"x-odd", b"to"])
    for octets in (b"Received: by mta.test\n\twith esmtp\n", b"X-Odd : z\n", b"MIME-Version: 1.0\n"):
        tap.contains(outer.header, octets)
    kind = outer.all("Content-Type")
    tap.equal(len(kind), 1, "Content-Type fields")
    tap.contains(kind[0].lower(), b"application/pkcs7-mime")
    tap.contains(kind[0].lower().replace(b'"', b""), b"smime-type=enveloped-data")
    tap.equal(outer.all("Content-Transfer-Encoding"), [b"base64"])


@tap.test("LF in, LF out; CRLF in is the same entity")
def _():
    tap.true(b"\r" not in sealed_for(home.alice, PLAIN), "a CR in the output")
    sealed_for(home.alice, PLAIN.replace(b"\n", b"\r\n"))


@tap.test("odd octets survive")
def _():
    head = b"From: c@example.net\nTo: alice@example.org\n"
    for message in (
            head + b"\n",
            head,
            head[:-1],
            head[:-1].replace(b"\n", b"\r\n"),
            head + b"\nno last newline",
            head + b"\n\0\0\xff\xfe\x80 bare \r CR \r\r\n" + b"x" * 5000 + b"\n" * 50,
            head + b"This line is neither field nor continuation\nbody\n",
            b"\nOnly a body.\n",
            b"Only a body, no empty line.\n",
            b"From carol@example.net Mon Jan  1 10:00:00 2024\n" + head + b"\nfrom an mbox\n",
            head + b"Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n--b--\nepilogue\n",
            head + b"Content-Type: multipart/mixed\n\nno boundary\n",
            head + b"Content-Length: 5\n\nbody\n",
            head + b"Content-Type: text/plain\nContent-Type: text/html\n\ntwo\n",
            head + b"Subject: \xe4\xf6\xfc \xf0\x9f\x94\x92\n\n8bit header\n",
            head + b"X: " + b"y" * 70000 + b"\n\nlong field\n"):
        sealed_for(home.alice, message)


@tap.test("a message larger than the memory of the spool is sealed")
def _():
    home.configure({"core": {"spool_memory": "0"}})
    sealed_for(home.bob, PLAIN + os.urandom(3 << 20))
    home.configure()


@tap.test("addresses match without regard to case, and with the subaddress stripped")
def _():
    for address in ("Alice@Example.ORG", "alice+lists@example.org"):
        sealed_for(home.alice, PLAIN, address)
        last_log(result="sealed")


@tap.test("several recipients in one output: each can open it")
def _():
    output = sealed_for(home.alice, PLAIN.replace(b"To: ", b"To: bob@example.org, "), ALICE, BOB)
    tap.equal(mail.opened(output, home.bob), mail.inner_entity(PLAIN))


@tap.test("several recipients, one of whom has no key: nothing leaves")
def _():
    message = PLAIN.replace(b"To: ", b"To: nobody@example.org, ")
    deferred(message, "--", ALICE, NOBODY)
    deferred(message, "--", NOBODY, ALICE)


@tap.test("several recipients with a Bcc among them: nothing leaves, max_rcpt is named")
def _():
    home.clear_log()
    deferred(PLAIN, "--", ALICE, BOB)
    tap.contains(home.log_text(), "max_rcpt")


@tap.test("the author is sealed for as well, where a key is known")
def _():
    message = PLAIN.replace(b"carol@example.net", b"Bob@example.org")
    output = sealed_for(home.alice, message)
    tap.equal(mail.opened(output, home.bob), mail.inner_entity(message))
    home.configure({"policy": {"encrypt_to_sender": "false"}})
    try:
        mail.opened(sealed_for(home.alice, message), home.bob)
    except AssertionError as error:
        tap.contains(str(error), "openssl cms")
    else:
        raise AssertionError("Bob could open it")
    finally:
        home.configure()


@tap.test("what is sealed already passes as it is; what only looks so is sealed")
def _():
    once = sealed_for(home.alice, PLAIN)
    tap.equal(home.seal(once, "--", ALICE).triple(), (0, once, b""), "the second run")
    baits = (
        b"To: a@example.org\n\n-----BEGIN PKCS7-----\nMIIB\n-----END PKCS7-----\n",
        b"To: a@example.org\n\n-----BEGIN PGP MESSAGE-----\n\nhQEM\n-----END PGP MESSAGE-----\n",
        b"To: a@example.org\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nclear\n",
        b"To: a@example.org\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n"
        b"Content-Transfer-Encoding: base64\n\nVGhpcyBpcyBjbGVhcg==\n",
        once + b"\nclear text behind the ciphertext\n",
    )
    for bait in baits:
        sealed_for(home.alice, bait)


# -- Policy -------------------------------------------------------------------------------------

CLEAR_IN = b"Return-path: <c@example.net>\nTo: nobody@example.org\nBCC: x@y,\n z@y\nSubject: s\n\nBcc: stays\n"
CLEAR_OUT = b"To: nobody@example.org\nSubject: s\n\nBcc: stays\n"


@tap.test("a control character in the header: refused by name, and 69 from the check")
def _():
    head = b"From: c@example.net\nTo: alice@example.org\nSubject: a"
    crlf = head.replace(b"\n", b"\r\n")
    for what, message in ((b"CR", head + b"\rBcc: x\n\nbody\n"), (b"CR", head + b"\r\rsecret\n\nbody\n"),
                          (b"CR", head + b"\n\r\r\nbody\n"), (b"CR", head.replace(b"\n", b"\r") + b"\rbody\r"),
                          (b"CR", crlf[:-1] + b"\r"), (b"CR", head + b"\r"), (b"0x0B", head + b"\v\n\nbody\n"),
                          (b"0x7F", head + b"\n\tb\x7f\n\nbody\n"), (b"NUL", head + b"\0\n\nbody\n")):
        for policy in ({}, {"fallback": "report"}, {"encrypt": "never"}):
            home.clear_log()
            home.configure({"policy": policy})
            deferred(message, "--", ALICE)
            last_log(to=ALICE, result="refused")
            tap.contains(home.log_text(), "malformed message: the header has ", "the log")
        # An argument holds no NUL, and line ends are put behind it.
        if what != b"NUL" and not message.endswith(b"\r"):
            result = home.check("-H", message.partition(b"\n\n")[0], "--", ALICE)
            tap.equal((result.status, result.errors), (69, b""))
            tap.true(b"malformed" in result.output and what in result.output, repr(result.output))
    home.configure()


@tap.test("no key: 75, and 69 from the check with one line of reason")
def _():
    home.clear_log()
    deferred(PLAIN, "--", NOBODY)
    last_log(to=NOBODY, result="refused")
    result = home.check("--", NOBODY)
    tap.equal((result.status, result.errors), (69, b""))
    tap.true(result.output and not re.search(rb"[\x00-\x1f]", result.output), repr(result.output))
    # What says that it is encrypted already is the filter's to judge, where that would let it pass.
    for name, status in (("multipart/encrypted; boundary=b", 0), ("application/pkcs7-mime", 0),
                         ("multipart/signed; boundary=b", 69), ("multipart/mixed; boundary=b", 69)):
        tap.equal(home.check("-H", f"Content-Type: {name}", "--", NOBODY).status, status, name)
    home.configure({"policy": {"already_sealed": "wrap"}})
    tap.equal(home.check("-H", "Content-Type: multipart/encrypted", "--", NOBODY).status, 69)
    home.configure()
    for address in (ALICE, BOB, "ALICE@example.org"):
        tap.equal(home.check("--", address).status, 0, address)
        tap.equal(home.check("-f", "", "--", address).status, 0, address)


@tap.test("fallback=allow, encrypt=preferred and encrypt=never: clear without Bcc and Return-path")
def _():
    for policy in ({"fallback": "allow"}, {"encrypt": "preferred"}, {"encrypt": "never"}):
        home.configure({"policy": policy})
        result = home.seal(CLEAR_IN, "--", NOBODY)
        tap.equal(result.triple(), (0, CLEAR_OUT, b""), f"{policy}")
        last_log(result="plain")
        tap.equal(home.check("--", NOBODY).status, 0, f"{policy}")
    home.configure({"policy": {"encrypt": "never"}})
    tap.equal(home.seal(CLEAR_IN, "--", ALICE).triple(), (0, CLEAR_OUT, b""))
    for policy in ({"fallback": "allow"}, {"encrypt": "preferred"}):
        home.configure({"policy": policy})
        sealed_for(home.alice, CLEAR_IN)
    home.configure()


@tap.test("already_sealed: wrap seals again, refuse refuses")
def _():
    once = sealed_for(home.alice, PLAIN)
    home.configure({"policy": {"already_sealed": "wrap"}})
    sealed_for(home.alice, once)
    home.configure({"policy": {"already_sealed": "refuse"}})
    deferred(once, "--", ALICE)
    home.configure()


@tap.test("enabled=false: byte for byte, and the log says so")
def _():
    home.configure({"core": {"enabled": "false"}})
    home.clear_log()
    odd = b"From x y\n" + CLEAR_IN + b"\0\xff\r\r\n no end"
    for message in (odd, b"\n", b"x"):
        tap.equal(home.seal(message, "--", NOBODY).triple(), (0, message, b""))
    tap.contains(home.log_text(), "sealpipe is disabled. Emails will not be encrypted.")
    tap.equal(home.check("--", NOBODY).status, 0)
    deferred(b"", "--", NOBODY)
    home.configure()


@tap.test("in_process=false without a daemon is 75")
def _():
    home.configure({"core": {"in_process": "false"}})
    deferred(PLAIN, "--", ALICE)
    tap.equal(home.check("--", ALICE).status, 75)
    home.configure()


# -- The call -----------------------------------------------------------------------------------

@tap.test("zero bytes of input are no message")
def _():
    deferred(b"", "--", ALICE)


@tap.test("the sender: -f, else Return-path, else From")
def _():
    path = b"Return-path: <bounce@example.net>\n"
    for args, message, sender in (
            (["-f", ""], PLAIN, "<>"), (["-f", "<>"], path + PLAIN, "<>"),
            (["-f", "x@example.com"], path + PLAIN, "x@example.com"),
            ([], path + PLAIN, "bounce@example.net"),
            ([], b"Return-path: <>\n" + PLAIN, "<>"),
            ([], PLAIN, "carol@example.net")):
        result = home.seal(message, *args, "--", ALICE)
        tap.equal((result.status, result.errors), (0, b""), f"{args}")
        tap.true(b"eturn-path" not in result.output, "Return-path goes out")
        last_log(**{"from": sender})


@tap.test("--id is in the log, hostile or not")
def _():
    tap.equal(home.seal(PLAIN, "--id", "1abcDE-000123-XY", "--", ALICE).status, 0)
    last_log(id="1abcDE-000123-XY")
    lines = len(home.log_text().splitlines())
    tap.equal(home.seal(PLAIN, "--id", 'x" to=y\nresult=sealed', "--", ALICE).status, 0)
    tap.equal(len(home.log_text().splitlines()), lines + 1, "lines of log")


@tap.test("hostile recipients behind -- are addresses, and nothing else")
def _():
    for address in ("-oops@example.org", "--help@example.org", '"a b"@example.org',
                    '"$(id)"@example.org', "../../etc/passwd@example.org", "-c@example.org"):
        result = home.check("--", address)
        tap.equal(result.status, 69, address)
        deferred(PLAIN, "--", address)
    oops = home.enrol("-oops@example.org")
    sealed_for(oops, PLAIN)
    tap.equal(home.check("--", oops.address).status, 0)


@tap.test("what is no address, no option or no recipient is 75, and the input is read")
def _():
    big = PLAIN + b"x" * (2 << 20)
    for args in (["--"], ["--", ""], ["--", "no-at-sign"], ["--", "a@b@c"], ["--", "a@"],
                 ["--", "@b"], ["--", ALICE, "bad\nline@example.org"], ["--unknown", "--", ALICE],
                 ["-d", "sideways", "--", ALICE], ["--submission=maybe", "--", ALICE], ["-f"],
                 ["-c", "/nonexistent", "--", ALICE], ["--", "--help"], ["--", "--version"]):
        deferred(big, *args)
    for args in ([], ["--", ALICE, BOB], ["--unknown", "--", ALICE]):
        result = home.check(*args)
        tap.equal((result.status, result.errors), (75, b""), f"check {args}")


@tap.test("what is no address is refused by the check, and in the log: it will not be one tomorrow")
def _():
    for address in ("no-at-sign", "a@b@c", "bob@\u2603.example"):
        home.clear_log()
        result = home.check("-f", "carol@example.net", "--", address)
        tap.equal((result.status, result.errors), (69, b""), address)
        tap.contains(result.output, b"refused: not a mail address: ")
        tap.contains(home.log_text(), "result=refused")


@tap.test("the configuration and the modules of the environment are used")
def _():
    def run(env):
        return subprocess.run([home.bin / "sealpipe", "--", ALICE], input=PLAIN,
                              capture_output=True, timeout=BOUND, env=env)
    good = run({"SEALPIPE_CONF": str(home.conf)})
    tap.equal((good.returncode, good.stderr), (0, b""))
    for env in ({}, {"SEALPIPE_CONF": "/nonexistent"},
                {"SEALPIPE_CONF": str(home.conf), "SEALPIPE_MODULES": str(home.certs)}):
        bad = run(env)
        tap.equal((bad.returncode, bad.stdout, bad.stderr), (75, b"", b""), f"{env}")


@tap.test("output that cannot be written is 75")
def _():
    with open("/dev/full", "wb") as full:
        result = subprocess.run([home.bin / "sealpipe", "-c", home.conf, "--", ALICE], input=PLAIN,
                                stdout=full, stderr=subprocess.PIPE, timeout=BOUND)
    tap.equal((result.returncode, result.stderr), (75, b""))


@tap.test("a body that arrives octet by octet is sealed")
def _():
    child = subprocess.Popen([home.bin / "sealpipe", "-c", home.conf, "--", ALICE],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    for octet in PLAIN:
        child.stdin.write(bytes([octet]))
    output = child.communicate(timeout=BOUND)[0]
    tap.equal(child.returncode, 0)
    tap.equal(mail.opened(output, home.alice), mail.inner_entity(PLAIN))


@tap.test("neither subject nor body is in the log, at no level")
def _():
    home.configure({"core": {"log_level": "debug"}})
    home.clear_log()
    sealed_for(home.alice, PLAIN)
    deferred(PLAIN, "--", NOBODY)
    text = home.log_text()
    tap.true("secret" not in text, "the log tells a secret")
    tap.contains(text, "step=")
    home.configure()


@tap.test("one line of log for each recipient, with all its fields")
def _():
    home.clear_log()
    message = PLAIN.replace(b"To: ", b"To: bob@example.org, ")
    tap.equal(home.seal(message, "--", ALICE, BOB).status, 0)
    lines = home.log_text().splitlines()
    tap.equal(len(lines), 2, "lines")
    for line, address in zip(lines, (ALICE, BOB)):
        names = re.findall(r" ([a-z]+)=", line)
        tap.equal(names, "id from to result format key origin trust rule stages signer by bytes "
                  "ms reason".split())
        tap.contains(line, f" to={address} ")
        tap.contains(line, " by=transport ")


@tap.test("the check: what is refused or deferred is in the log, with its rule; what is handled, at debug")
def _():
    rule = {"rule vip": {"match_recipient": NOBODY, "encrypt": "required", "fallback": "refuse"},
            "policy": {"encrypt": "never"}}
    home.configure(rule)
    home.clear_log()
    tap.equal(home.check("-f", "carol@example.net", "--id", "ID1", "--", NOBODY).status, 69)
    tap.contains(last_log(id="ID1", to=NOBODY, result="refused", rule="vip", by="check", bytes="0",
                          **{"from": "carol@example.net"}), "reason=\"no smime key")
    home.clear_log()
    tap.equal(home.check("--", ALICE).status, 0)
    tap.equal(home.log_text(), "")
    home.configure({"core": {"log_level": "debug"}, **rule})
    tap.equal(home.check("--", ALICE).status, 0)
    last_log(to=ALICE, result="plain", by="check")
    # An error names more than belongs into a reply.
    home.configure({"core": {"in_process": "false"}})
    home.clear_log()
    result = home.check("-f", "", "--id", "ID2", "--", ALICE)
    tap.equal((result.status, result.output), (75, b"cannot tell now; the log says why"))
    tap.contains(last_log(id="ID2", to=ALICE, result="deferred", by="check", **{"from": "<>"}),
                 "in_process")
    home.configure()


def log_check():
    """Where the log goes, as the status says."""
    checks = json.loads(home.run("sealctl", "status", "--json").output)["checks"]
    return next(check["detail"] for check in checks if check["check"] == "log")


@tap.test("log_target=auto: where neither journal nor syslog listens, a file in state_dir; the status names it")
def _():
    if pathlib.Path("/run/systemd/journal/socket").exists() or pathlib.Path("/dev/log").exists():
        tap.note("the journal or syslog is here")
        return
    home.configure({"core": {"log_target": "auto"}})
    path = home.state / "sealpipe.log"
    tap.equal(log_check(), str(path))
    deferred(PLAIN, "--", NOBODY)
    tap.contains(path.read_text(), f"to={NOBODY} result=refused")
    tap.equal(path.stat().st_mode & 0o777, 0o600)
    home.configure({"core": {"log_target": "syslog"}})
    tap.contains(log_check(), "nobody hears it")
    home.configure({"core": {"log_target": home.log}})
    tap.equal(log_check(), str(home.log))
    home.configure()


# -- Configuration that does not hold -----------------------------------------------------------

USUAL = "[core]\nlog_target={log}\n[module smime]\ntrust_anchors={ca}\n[module keys-file]\npaths={certs}\n"
# (what, text behind USUAL's six lines, the line that is named)
BROKEN = [
    ("unknown group", "[colour]\n", 7),
    ("unknown key in core", "[policy]\ncolor=red\n", 8),
    ("unknown key in a module", "[policy]\n[module smime2]\n", 8),
    ("misspelt module setting", "[pipeline]\noutbound=smime\n[policy]\nencrypts=never\n", 10),
    ("duplicate group", "[policy]\n[pipeline]\n[policy]\n", 9),
    ("duplicate group of a module", "[module smime]\n", 7),
    ("duplicate key", "[policy]\nencrypt=never\nencrypt=never\n", 9),
    ("value out of range", "[policy]\nencrypt=perhaps\n", 8),
    ("number out of range", "[keyring]\ncache=31d\n", 8),
    ("not a number", "[keyring]\ncache=soon\n", 8),
    ("negative number", "[keyring]\ncache=-1s\n", 8),
    ("unknown unit", "[keyring]\ncache=5y\n", 8),
    ("overflow", "[keyring]\ncache=99999999999999999999\n", 8),
    ("not a boolean", "[policy]\nencrypt_to_sender=yes\n", 8),
    ("empty choice", "[policy]\nencrypt=\n", 8),
    ("inline comment", "[policy]\nencrypt=never # for now\n", 8),
    ("unknown format", "[policy]\nformats=smime;rot13\n", 8),
    ("unknown source", "[keyring]\nsources=file;fax\n", 8),
    ("unknown stage", "[pipeline]\noutbound=smime;shred\n", 8),
    ("unknown trust", "[policy]\nmin_trust=blind\n", 8),
    ("not yet: header_protection", "[policy]\nheader_protection=clear\n", 8),
    ("not yet: sign=required", "[policy]\nsign=required\n", 8),
    ("a rule that says nothing to match", "[rule vip]\nencrypt=never\n", 7),
    ("no number of workers", "[daemon]\nworkers=few\n", 8),
    ("missing module", "[module absent]\n", 7),
    ("module with a path for a name", "[module ../../smime]\n", 7),
    ("neither group nor key", "[policy]\nencrypt\n", 8),
    ("key without name", "[policy]\n=never\n", 8),
    ("open bracket", "[policy\n", 7),
    ("bracket and more", "[policy] encrypt=never\n", 7),
    ("unknown escape", "[policy]\nencrypt=\\q\n", 8),
    ("octets that are no UTF-8", b"[policy]\nreport_subject=\xff\n", 8),
]


def filled(text):
    return text.format(log=home.log, ca=home.authority.cert, certs=home.certs)


def usual():
    return filled(USUAL)


def refused(what, line, name="50-test.conf"):
    """75 and silence; with --debug, and where the log is known, the reason with file and line."""
    home.clear_log()
    deferred(PLAIN + b"x" * 300000, "--", ALICE)
    result = home.check("--", ALICE)
    tap.equal((result.status, result.errors), (75, b""), what)
    place = f"{home.conf / name}:{line}: " if line else f"{name}"
    said = home.seal(PLAIN, "--debug", "--", ALICE)
    tap.equal((said.status, said.output), (75, b""), what)
    tap.contains(said.errors.decode(errors="replace"), place, what)


@tap.test("the table's usual part is in order")
def _():
    home.configure()
    home.write_conf("50-test.conf", usual())
    sealed_for(home.alice, PLAIN)


for _what, _text, _line in BROKEN:
    @tap.test(f"refused, with file and line: {_what}")
    def _(what=_what, text=_text, line=_line):
        text = text if isinstance(text, bytes) else text.encode()
        home.write_conf("50-test.conf", usual().encode() + text)
        refused(what, line)


BROKEN_USUAL = [
    ("value before the first group", "[core]", "encrypt=never\n[core]", 1),
    ("relative path", "={certs}", "=certs", 6),
    ("missing path", "={certs}", "=/nonexistent", 6),
    ("missing anchors", "={ca}", "=/nonexistent", 4),
    ("log to stderr", "={log}", "=stderr", 2),
    ("log to a word", "={log}", "=paper", 2),
]

for _what, _old, _new, _line in BROKEN_USUAL:
    @tap.test(f"refused, with file and line: {_what}")
    def _(what=_what, old=_old, new=_new, line=_line):
        home.write_conf("50-test.conf", filled(USUAL.replace(old, new)))
        refused(what, line)


@tap.test("refused: the error in the second of two files is named there")
def _():
    home.configure()
    home.write_conf("60-more.conf", "# fine\n\n[policy]\nencrypt=sometimes\n")
    refused("second file", 4, "60-more.conf")
    home.write_conf("60-more.conf", "[policy]\nencrypt=never\n")
    result = home.seal(PLAIN, "--", NOBODY)
    tap.equal((result.status, result.output), (0, PLAIN), "the last file wins")
    home.configure()


@tap.test("refused: a file that others may write, and one that is no file")
def _():
    home.configure()
    path = home.write_conf("60-more.conf", "[policy]\n")
    os.chmod(path, 0o666)
    refused("writable by others", None, "60-more.conf")
    path.unlink()
    path.mkdir()
    refused("a folder", None, "60-more.conf")
    path.rmdir()
    os.mkfifo(path)
    refused("a FIFO", None, "60-more.conf")
    home.configure()


@tap.test("refused: a configuration folder that is missing or unreadable")
def _():
    gone = home.folder / "elsewhere"
    os.rename(home.conf, gone)
    refused("missing", None, str(home.conf))
    os.rename(gone, home.conf)
    if os.getuid() == 0:
        # Root may read all; whoever else runs it may not.
        drop = {"user": 65534, "group": 65534, "extra_groups": []}
        os.chmod(home.folder, 0o711)
        os.chmod(home.conf, 0o700)
        tap.equal(home.seal(PLAIN, "--", ALICE, **drop).triple(), (75, b"", b""))
        said = home.seal(PLAIN, "--debug", "--", ALICE, **drop)
        tap.contains(said.errors.decode(), str(home.conf))
        os.chmod(home.conf, 0o755)


@tap.test("an error that is found once the log is known is in the log's file")
def _():
    home.write_conf("50-test.conf", usual() + "[policy]\nencrypt=perhaps\n")
    home.clear_log()
    deferred(PLAIN, "--", ALICE)
    tap.contains(home.log_text(), f"{home.conf / '50-test.conf'}:8: ")
    home.configure()


tap.main()
