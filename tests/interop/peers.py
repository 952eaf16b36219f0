# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong in programs like this one, and the tests which prove that it does not here.

The table names the faults that were found in other filters and gateways, and what their users
learned; its first test looks each of its proofs up. What no other file proves stands below it, in
both formats, encrypted, signed and both, through the installed sealpipe; openssl and gpg judge.
"""

import email
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "lib"))
import certs
import gnupg
import mail
import signed
import tap
from ways import ALICE, BOB, CAROL, ENCRYPTING, FORMATS, SIGNING, WAYS, Ways

HERE = "interop/peers.py"
PROOFS = {
    # Faults
    "plaintext beside the ciphertext": [
        (HERE, "no octet of preamble, body or epilogue stands outside"),
        ("unit/test-gate-modules.c", "/gate/faults"),
    ],
    "fake encryption": [
        (HERE, "without a usable key nothing is labelled as encrypted"),
        ("unit/test-gate-modules.c", "/gate/clear-as-sealed"),
    ],
    "bait": [
        (HERE, "bait: what only looks encrypted is encrypted"),
        (HERE, "bait: what only looks signed is signed"),
        ("unit/test-pgp-detect.c", "/pgp/bait"),
        ("unit/test-smime-detect.c", "/smime/detect/bait"),
        ("unit/test-smime-detect.c", "/smime/detect/clear-signed-bait"),
    ],
    "charset damage": [
        (HERE, "octets of every charset come through"),
        ("corpus/protect.py", "every way: what is encrypted opens byte-identical, what is signed is"
                              " valid and unchanged"),
    ],
    ">From; the same Message-ID; no boundary": [
        (HERE, "From_ lines, Message-ID and boundary"),
    ],
    "shell, path and LDAP in the recipient": [
        (HERE, "hostile recipients are addresses, with a key and without"),
        ("mta/exim.py", "hostile recipients, through the check and without it"),
    ],
    "another secret key signs": [
        (HERE, "only the author's key signs, whatever else the server has"),
        ("unit/test-pgp-make.c", "/pgp/signing-key"),
        ("unit/test-signing.c", "/signing/rows"),
    ],
    "case of addresses": [
        (HERE, "addresses match without regard to case, with the subaddress stripped"),
    ],
    "MIME-Version": [
        (HERE, "exactly one MIME-Version"),
    ],
    "second recipient; Bcc": [
        (HERE, "every recipient can open it; a Bcc is seen by nobody"),
        ("interop/pgp.py", "several recipients, each named; one who is in no header hides all"),
        ("mta/filter.py",
         "several recipients with a Bcc among them: nothing leaves, max_rcpt is named"),
    ],
    # Lessons
    "2": [
        (HERE, "an expired key hides no valid one, nor a subkey"),
        ("unit/test-pgp-keys.c", "/pgp/subkeys"),
        ("interop/pgp.py", "keys that will not do are named, with the reason"),
    ],
    "3": [(HERE, "the outer encoding is ours; Content fields are inside, all others outside")],
    "4": [(HERE, "the outer encoding is ours; Content fields are inside, all others outside")],
    "5": [
        (HERE, "already_sealed: pass, wrap and refuse, whatever it is sealed with"),
        (HERE, "already_signed: keep and wrap; what is signed is always encrypted"),
        ("unit/test-pgp-detect.c", "/pgp/exchange"),
    ],
    "9": [(HERE, "every recipient can open it; a Bcc is seen by nobody")],
    "11": [
        (HERE, "a private home, never a prompt"),
        ("interop/pgp.py", "the home's own keys, by nobody, without HOME and with a bare PATH"),
        ("interop/pgp.py", "gpg stopped: the deadline ends it"),
        ("unit/test-pgp-make.c", "/pgp/agent-killed"),
        ("unit/test-pgp-make.c", "/pgp/passphrase"),
    ],
    "13": [
        (HERE, "what is signed in clear is 7bit, in CRLF, without blanks at line ends"),
        (HERE, "an opaque signature covers the octets as they came"),
        ("mta/exim_sign.py", "signatures hold over two hops: {_form}"),
        ("mta/exim_sign.py", "signatures hold, and DKIM's beside them: {_form}"),
    ],
    "14": [(HERE, "no epilogue, and no folding by tabs or bare LF")],
    "15": [
        (HERE, "AES-CBC unless all announce GCM, which has an smime-type of its own"),
        ("unit/test-smime-encrypt.c", "/smime/encrypt/choice"),
    ],
    "16": [
        (HERE, "separate certificates for signing and encryption"),
        (HERE, "an address in the SAN alone; a subject's does not count beside it"),
        (HERE, "addresses match without regard to case, with the subaddress stripped"),
        (HERE, "the key is the author's, who is not the envelope's sender"),
    ],
    "17": [
        (HERE, "the key is the author's, who is not the envelope's sender"),
        (HERE, "only the author's key signs, whatever else the server has"),
        ("mta/exim_sign.py", "who has logged in is signed for, as himself; nobody else"),
    ],
}
LESSONS = ("2", "3", "4", "5", "9", "11", "13", "14", "15", "16", "17")

ways = Ways("peers")
home = ways.home
HEAD = b"From: Carol <carol@example.org>\nTo: alice@example.org\nSubject: s\nMessage-ID: <1@x>\n"
SECRET = b"the secret words"
PLAIN = HEAD + b"\n" + SECRET + b"\n"
MULTI = (HEAD + b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\nthe preamble\n--b\n"
         b"Content-Type: text/plain\n\n" + SECRET + b"\n--b--\nthe epilogue\n")


def names_of(file):
    text = (TESTS / file).read_text()
    if file.endswith(".c"):
        return re.findall(r'g_test_add_func\("([^"]+)"', text)
    return re.findall(r'^ *@tap\.test\(f?"(.*)"\)$', text, re.M)


@tap.test("each fault and each lesson has its tests, and they are there")
def _():
    tap.equal(tuple(row for row in PROOFS if row.isdigit()), LESSONS, "lessons")
    tap.equal(len(PROOFS) - len(LESSONS), 10, "faults")
    for row, proofs in PROOFS.items():
        tap.true(proofs, f"{row}: no test")
        for file, name in proofs:
            tap.true(name in names_of(file), f"{row}: {file} has no test {name!r}")


def payload(entity):
    return email.message_from_bytes(entity).get_payload(decode=True)


# -- What stands where ----------------------------------------------------------------------------

@tap.test("no octet of preamble, body or epilogue stands outside")
def _():
    for way in ENCRYPTING:
        ways.configure(way)
        output, inner = ways.through(way, MULTI)
        for part in (b"preamble", b"epilogue", b"secret", b"--b", b"boundary=b"):
            tap.true(part not in output, f"{way}: {part} outside")
        tap.equal(inner, mail.inner_entity(MULTI), way)
    for form in FORMATS:
        # Beside a signature nothing stands that it does not cover.
        ways.configure(f"{form}-sign")
        tap.equal(ways.through(f"{form}-sign", MULTI)[1], mail.inner_entity(MULTI), form)


def no_text_beside(output):
    """By RFC 2046 alone: nothing before the first boundary, nothing behind the last."""
    message = mail.Message(output)
    kind = message.all("Content-Type")[0]
    if not kind.startswith(b"multipart/"):
        return
    boundary = re.search(rb'boundary="([^"]+)"', kind)[1]
    tap.true(message.body.startswith(b"--" + boundary), "a preamble")
    last = message.body.rpartition(b"--" + boundary + b"--")[2]
    tap.true(last in (b"\n", b"\r\n"), f"behind the last boundary: {last!r}")


@tap.test("no epilogue, and no folding by tabs or bare LF")
def _():
    for way in WAYS:
        ways.configure(way)
        for message in (MULTI, PLAIN, mail.crlf(PLAIN), mail.crlf(MULTI)):
            output = ways.leaves(message)
            no_text_beside(output)
            if b"\r\n" in message:
                tap.true(not re.search(rb"(?<!\r)\n|\r(?!\n)", output), f"{way}: a bare CR or LF")
            else:
                tap.true(b"\r" not in output, f"{way}: a CR")
            tap.true(b"\n\t" not in mail.Message(output).header, f"{way}: folded by a tab")
            lengths = [len(line) for line in output.splitlines()]
            tap.true(max(lengths) <= 998, f"{way}: a line of {max(lengths)}")


@tap.test("the outer encoding is ours; Content fields are inside, all others outside")
def _():
    content = (b"Content-Type: text/html;\n charset=\"iso-8859-1\"\n",
               b"content-transfer-encoding: quoted-printable\n", b"Content-Language: de\n",
               b"Content-ID: <2@x>\n", b"Content-Disposition: inline;\n filename=x.html\n",
               b"Content-Description: words\n", b"Content-Location: x\n")
    others = (b"Received: by x;\n\tMon, 1 Jan 2024 10:00:00 +0000\n", b"X-Content-Type: other\n",
              b"References: <a@b>\n\t<c@d>\n", b"Contented: yes\n")
    message = HEAD + content[0] + others[0] + content[1] + others[1] + b"".join(content[2:]) + \
        b"".join(others[2:]) + b"\n<p>" + SECRET + b"=E4</p>\n"
    for way in WAYS:
        ways.configure(way)
        output, inner = ways.through(way, message)
        outer = mail.Message(output)
        tap.equal(inner, mail.inner_entity(message), way)
        names = [name for name, _ in outer.fields if name.startswith(b"content-")]
        tap.equal(len(names), len(set(names)), f"{way}: fields twice")
        tap.true(set(names) <= {b"content-type", b"content-transfer-encoding",
                                b"content-disposition", b"content-description"}, f"{way}: {names}")
        kind, encoding = outer.all("Content-Type")[0], outer.all("Content-Transfer-Encoding")
        if kind.startswith(b"multipart/"):
            # RFC 2045 6.4: no encoding but 7bit, 8bit or binary.
            tap.true(encoding in ([], [b"7bit"]), f"{way}: {encoding}")
        else:
            tap.equal(encoding, [b"base64"], way)
        rest = [field for name, field in outer.fields
                if not name.startswith(b"content-") and name != b"mime-version"]
        tap.equal(rest, [*HEAD.splitlines(True), *others], way)


@tap.test("exactly one MIME-Version")
def _():
    field = b"MIME-Version: 1.0\n"
    for way in WAYS:
        ways.configure(way)
        for fields in (b"", field, field + b"mime-version: 1.0\n", b"Mime-Version : 1.0\n"):
            output = ways.leaves(fields + PLAIN)
            versions = mail.Message(output).all("MIME-Version")
            tap.equal(versions, [b"1.0"], f"{way}: {fields}")


@tap.test("From_ lines, Message-ID and boundary")
def _():
    body = b"\nFrom here\n>From there\n>>From\n\nFrom \nfrom me\n.\n..\n"
    seen = set()
    for way in WAYS:
        ways.configure(way)
        for envelope in (b"", b"From carol@example.org Mon Jan  1 10:00:00 2024\n"):
            message = envelope + HEAD + body
            output, inner = ways.through(way, message)
            outer = mail.Message(output)
            tap.equal(payload(inner), mail.crlf(body[1:]), way)
            tap.equal(outer.all("Message-ID"), [b"<1@x>"], way)
            tap.true(not output.startswith(b"From "), f"{way}: a From_ line")
            tap.true(not re.search(rb"^From ", outer.body, re.M), f"{way}: From in clear")
            kind = outer.all("Content-Type")[0]
            if kind.startswith(b"multipart/"):
                boundary = re.search(rb'boundary="([^"]+)"', kind)[1]
                tap.true(len(boundary) >= 20 and boundary not in seen, f"{way}: {boundary}")
                seen.add(boundary)
    tap.equal(len(seen), 8, "boundaries")


@tap.test("octets of every charset come through")
def _():
    texts = {b"iso-8859-1": bytes(range(0xA0, 0x100)), b"utf-8": "Grüße 🔒 ń\n".encode(),
             b"utf-8 ": b"\xff\xfe\xc3(\n", b"iso-2022-jp": b"\x1b$B4A;z\x1b(B\n",
             b"unknown-8bit": b"\x80\x81\n", b"koi8-r": "Привет\n".encode("koi8-r")}
    for way in WAYS:
        ways.configure(way)
        for charset, text in texts.items():
            message = HEAD + b"Content-Type: text/plain; charset=\"" + charset.strip() + \
                b"\"\nContent-Transfer-Encoding: 8bit\n\n" + text
            _, inner = ways.through(way, message)
            tap.equal(payload(inner), mail.crlf(text), f"{way}: {charset}")
            if way in ("smime-encrypt", "pgp-encrypt", "pgp-both"):
                tap.equal(inner, mail.inner_entity(message), way)
        if way in ENCRYPTING:
            # 8bit in a field that stays outside is passed on, neither decoded nor dropped.
            output = ways.leaves(b"Subject: \xe4\xf6 \xc3\xa4\n" + PLAIN)
            tap.contains(output, b"Subject: \xe4\xf6 \xc3\xa4\n", way)


# -- Bait -----------------------------------------------------------------------------------------

def multipart(kind, *parts):
    return HEAD + b"MIME-Version: 1.0\nContent-Type: multipart/" + kind + b"; boundary=b\n\n" + \
        b"".join(b"--b\n" + part + b"\n" for part in parts) + b"--b--\n"


def entity_of(way):
    """(a message, its entity as it would stand in another)."""
    ways.configure(way)
    output = ways.leaves(PLAIN)
    message = mail.Message(output)
    fields = b"".join(f for n, f in message.fields if n.startswith(b"content-"))
    return output, fields + b"\n" + message.body


def sealed_parts():
    return [entity_of(f"{form}-encrypt") for form in FORMATS]


def signed_part():
    return entity_of("smime-sign")[1]


@tap.test("bait: what only looks encrypted is encrypted")
def _():
    (smime, smime_part), (pgp, pgp_part) = sealed_parts()
    armor = gnupg.armor(pgp)
    text = b"Content-Type: text/plain\n\n" + SECRET + b"\n"
    version = b"Content-Type: application/pgp-encrypted\n\nVersion: 1\n"
    baits = {
        "armour in plain text": HEAD + b"\n-----BEGIN PGP MESSAGE-----\n\n" + SECRET +
        b"\n-----END PGP MESSAGE-----\n",
        "an inline message with words around it": HEAD + b"\n" + SECRET + b"\n" + armor + SECRET,
        "an inline message alone": HEAD + b"\n" + armor,
        "text/plain named smime.p7m": HEAD + b"Content-Type: text/plain; name=smime.p7m\n"
        b"Content-Disposition: attachment; filename=smime.p7m\n\n" + SECRET,
        "base64 text as pkcs7-mime": HEAD + b"Content-Type: application/pkcs7-mime; "
        b"smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n"
        b"dGhlIHNlY3JldCB3b3Jkcw==\n",
        "multipart/encrypted around text": multipart(
            b"encrypted; protocol=\"application/pgp-encrypted\"", version,
            b"Content-Type: application/octet-stream\n\n" + SECRET),
        "and armour around it": multipart(
            b"encrypted; protocol=\"application/pgp-encrypted\"", version,
            b"Content-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\n"
            b"dGhlIHNlY3JldCB3b3Jkcw==\n-----END PGP MESSAGE-----\n"),
        "text before the armour": pgp.replace(b"-----BEGIN", SECRET + b"\n-----BEGIN"),
        "text behind the armour": pgp.replace(b"-----END PGP MESSAGE-----\n",
                                              b"-----END PGP MESSAGE-----\n" + SECRET + b"\n"),
        "a third part": re.sub(rb"\n(--[^\n]+)--\n$",
                               rb"\n\1\nContent-Type: text/plain\n\n" + SECRET + rb"\n\1--\n", pgp),
        "text behind the CMS": smime + SECRET + b"\n",
        "partly encrypted, S/MIME": multipart(b"mixed", text, smime_part),
        "partly encrypted, OpenPGP": multipart(b"mixed", pgp_part, text),
        "encrypted below a multipart alone": multipart(b"mixed", smime_part),
        "an alternative in clear": multipart(b"alternative", pgp_part, text),
        "a sealed message attached": multipart(
            b"mixed", text, b"Content-Type: message/rfc822\n\n" + pgp),
        "a sealed message as message/rfc822": HEAD + b"Content-Type: message/rfc822\n\n" + smime,
        "Content-Type twice": pgp.replace(
            b"Content-Type:", b"Content-Type: text/plain\nContent-Type:", 1),
        "no Content-Type": b"From: carol@example.org\n\n" + SECRET,
        "an empty Content-Type": HEAD + b"Content-Type:\n\n" + SECRET,
    }
    tap.true(baits["a third part"] != pgp, "the bait is none")
    for way in ("smime-encrypt", "pgp-both"):
        ways.configure(way)
        for what, bait in baits.items():
            try:
                output = ways.leaves(bait)
                tap.true(output != bait and SECRET not in output, "it leaves as it is")
                content, _ = ways.decrypted(way, output)
                tap.equal(content, mail.inner_entity(bait), "what is inside")
            except AssertionError as error:
                raise AssertionError(f"{way}: {what}: {error}") from None


@tap.test("text around the parts of what is encrypted is left out, and the log says so")
def _():
    pgp = sealed_parts()[1][0]
    message = mail.Message(pgp)
    for way in ENCRYPTING:
        ways.configure(way)
        for what, octets in {
            "preamble": message.header + b"\n" + SECRET + b"\n" + message.body,
            "epilogue": pgp + SECRET + b"\n",
        }.items():
            ways.home.clear_log()
            tap.equal(ways.leaves(octets), pgp, f"{way}: {what}")
            tap.contains(ways.home.log_text(), "left out", f"{way}: {what}")


@tap.test("bait: what only looks signed is signed")
def _():
    text = b"Content-Type: text/plain\n\n" + SECRET
    baits = {
        "inline": HEAD + b"\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + SECRET +
        b"\n-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n",
        "multipart/signed around nothing": multipart(
            b"signed; micalg=pgp-sha256; protocol=\"application/pgp-signature\"", text,
            b"Content-Type: application/pgp-signature\n\nnone\n"),
        "an empty PKCS#7": multipart(
            b"signed; micalg=sha-256; protocol=\"application/pkcs7-signature\"", text,
            b"Content-Type: application/pkcs7-signature\n"
            b"Content-Transfer-Encoding: base64\n\nMAA=\n"),
        "partly signed": multipart(b"mixed", signed_part(), text),
        "text named smime.p7s": HEAD + b"Content-Type: text/plain; name=smime.p7s\n\n" + SECRET +
        b"\n",
    }
    for way in SIGNING:
        ways.configure(way)
        for what, bait in baits.items():
            try:
                inner = ways.through(way, bait)[1]
                tap.contains(inner, SECRET)
            except AssertionError as error:
                raise AssertionError(f"{way}: {what}: {error}") from None


@tap.test("already_sealed: pass, wrap and refuse, whatever it is sealed with")
def _():
    for sealed, _ in sealed_parts():
        for way in ENCRYPTING:
            for octets in (sealed, sealed.replace(b"\n", b"\r\n")):
                ways.configure(way, already_sealed="pass")
                tap.equal(ways.leaves(octets), octets, f"{way}: passed on")
                ways.configure(way, already_sealed="wrap")
                output, inner = ways.through(way, octets)
                tap.equal(inner, mail.inner_entity(octets), f"{way}: wrapped")
                ways.configure(way, already_sealed="refuse")
                ways.stays(octets, "already_sealed=refuse")
        # Not encrypted again, and in no way without encryption.
        ways.configure("smime-sign", already_sealed="pass", sign="preferred")
        tap.equal(ways.leaves(sealed), sealed, "where nothing is encrypted")


@tap.test("already_signed: keep and wrap; what is signed is always encrypted")
def _():
    for first in ("smime-sign", "pgp-sign"):
        ways.configure(first)
        octets = ways.leaves(PLAIN)
        for form in FORMATS:
            ways.configure(f"{form}-sign", already_signed="keep")
            tap.equal(ways.leaves(octets), octets, f"{form}: kept")
            ways.configure(f"{form}-both", already_signed="keep")
            output = ways.leaves(octets)
            tap.true(SECRET not in output, f"{form}: in clear")
            content, status = ways.decrypted(f"{form}-both", output)
            tap.true(b"GOODSIG" not in status, f"{form}: signed once more")
            ways.verified(first, content)
            for what in ("sign", "both"):
                way = f"{form}-{what}"
                ways.configure(way, already_signed="wrap")
                inner = ways.through(way, octets)[1]
                tap.contains(ways.verified(first, inner), SECRET, f"{way} around {first}")


# -- Keys -----------------------------------------------------------------------------------------

def leaf(name, address, usage, start, end, **how):
    """A certificate with its own dates, usage and names."""
    return home.authority.leaf(name, address, usage, start, end, **how)


OLD, PAST, FUTURE = "20190101000000Z", "20200101000000Z", "20450101000000Z"
ENCRYPTS, SIGNS = "keyEncipherment", "digitalSignature"


def give(*people):
    """A folder with these certificates, for keys-file."""
    folder = home.folder / "given"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for n, item in enumerate(people):
        data = item.cert.read_bytes() if isinstance(item, certs.Person) else item
        (folder / f"{n}.pem").write_bytes(data)
    return {"module keys-file": {"paths": folder}}


def faked(ring, when, *words):
    ring.gpg("--faked-system-time", when, "--pinentry-mode", "loopback", "--passphrase", "", *words)


def pgp_keys():
    """(an expired key and an older one that is valid; one with a dead subkey and a living one)."""
    ring = gnupg.Ring(home.folder / "dated")
    people = {}
    for name, year, until in (("valid", 2019, "never"), ("expired", 2020, "1y")):
        one = gnupg.Ring(home.folder / f"dated-{name}")
        faked(one, f"{year}0101T000000", "--quick-gen-key", "dora@example.org", "future-default",
              "default", until)
        people[name] = one.export("dora@example.org")
        ring.take(one.export_secret("dora@example.org"))
    sub = gnupg.Ring(home.folder / "dated-sub")
    faked(sub, "20190101T000000", "--quick-gen-key", "emil@example.org", "ed25519", "sign,cert",
          "never")
    fingerprint = sub.fingerprint("emil@example.org")
    faked(sub, "20190102T000000", "--quick-add-key", fingerprint, "cv25519", "encr", "never")
    faked(sub, "20200101T000000", "--quick-add-key", fingerprint, "cv25519", "encr", "1y")
    people["subkeys"] = sub.export("emil@example.org")
    ring.take(sub.export_secret("emil@example.org"))
    return ring, people


@tap.test("an expired key hides no valid one, nor a subkey")
def _():
    dora = "dora@example.org"
    valid = leaf("dora-valid", dora, ENCRYPTS, OLD, FUTURE)
    expired = leaf("dora-expired", dora, ENCRYPTS, PAST, "20210101000000Z")
    message = PLAIN.replace(b"alice", b"dora")
    for order in ((valid, expired), (expired, valid)):
        ways.configure("smime-encrypt", give(*order))
        tap.equal(mail.opened(ways.leaves(message, dora), valid), mail.inner_entity(message))
    ways.configure("smime-encrypt", give(expired))
    ways.stays(message, "2021-01-01", dora)

    ring, keys = pgp_keys()
    for order in (("valid", "expired"), ("expired", "valid")):
        ways.configure("pgp-encrypt", give(*[keys[name] for name in order]))
        block = gnupg.armor(ways.leaves(message, dora))
        tap.equal(signed.gpg(ring, "--decrypt", input=block).stdout, mail.inner_entity(message))
    ways.configure("pgp-encrypt", give(keys["expired"]))
    ways.stays(message, "2020-12-31", dora)
    ways.configure("pgp-encrypt", give(keys["subkeys"]))
    message = PLAIN.replace(b"alice", b"emil")
    block = gnupg.armor(ways.leaves(message, "emil@example.org"))
    tap.equal(signed.gpg(ring, "--decrypt", input=block).stdout, mail.inner_entity(message))


@tap.test("without a usable key nothing is labelled as encrypted")
def _():
    dora = "dora@example.org"
    message = PLAIN.replace(b"alice", b"dora")
    ring = gnupg.Ring(home.folder / "late")
    faked(ring, "20200101T000000", "--quick-gen-key", dora, "future-default", "default", "1y")
    expired = {"smime": leaf("dora-late", dora, ENCRYPTS, PAST, "20210101000000Z"),
               "pgp": ring.export(dora)}
    for way in ENCRYPTING:
        changes = give(expired[way.split("-")[0]])
        ways.configure(way, changes)
        ways.stays(message, "expired", dora)
        ways.configure(way, changes, fallback="allow", sign="never")
        tap.equal(ways.leaves(message, dora), message, f"{way}, allowed in clear")
        tap.contains(home.log_text(), " result=plain ", "log")
        # The null sender, and a submission that is none, change nothing.
        ways.configure(way, changes)
        ways.stays(message, " result=refused ", dora, sender="", submission="no")


@tap.test("hostile recipients are addresses, with a key and without")
def _():
    mark = home.folder / "mark"
    parts = ("-oops", "--help", f"`touch${{IFS}}{mark}`", "$HOME", f"a|touch${{IFS}}{mark}", "x&y",
             "a*", "?", "{a}", "../../etc/passwd", "x/../y", "a'b", "uid=a", "#", "!x", '"a b"',
             '"*)(mail=*"', '";id;"', f'"$(touch {mark})"')
    ring = gnupg.Ring(home.folder / "hostile")
    for form in FORMATS:
        for number, part in enumerate(parts):
            address = f"{part}@example.org"
            message = b"From: carol@example.org\nSubject: s\n\n" + SECRET + b"\n"
            ways.configure(f"{form}-encrypt")
            ways.stays(message, "", address)
            tap.equal(home.check("--", address).status, 69, address)
            if form == "smime":
                person = home.authority.person(address, name=f"hostile-{number}")
                ways.configure("smime-encrypt", give(person))
                tap.equal(mail.opened(ways.leaves(message, address), person),
                          mail.inner_entity(message), address)
            elif '"' not in part:
                ring.generate(f"Person <{address}>")
                key = ring.export(f"=Person <{address}>")
                ways.configure("pgp-encrypt", give(key))
                block = gnupg.armor(ways.leaves(message, address))
                tap.equal(signed.gpg(ring, "--decrypt", input=block).stdout,
                          mail.inner_entity(message), address)
    tap.true(not mark.exists(), "a shell has run")


@tap.test("addresses match without regard to case, with the subaddress stripped")
def _():
    mixed = gnupg.Ring(home.folder / "mixed")
    mixed.generate("Fred <Fred@Example.ORG>")
    fred = home.authority.person("Fred@Example.ORG", "rsa")
    changes = give(fred, mixed.export("Fred@Example.ORG"))
    for address in ("fred@example.org", "FRED@EXAMPLE.ORG", "Fred+lists@example.org"):
        ways.configure("smime-encrypt", changes)
        inner = mail.inner_entity(PLAIN)
        tap.equal(mail.opened(ways.leaves(PLAIN, address), fred), inner, address)
        ways.configure("pgp-encrypt", changes)
        block = gnupg.armor(ways.leaves(PLAIN, address))
        tap.equal(signed.gpg(mixed, "--decrypt", input=block).stdout, inner, address)
    for way in WAYS:
        ways.configure(way)
        for author in (b"CAROL@Example.Org", b"\"Carol, C.\" <Carol@EXAMPLE.org>"):
            message = PLAIN.replace(b"Carol <carol@example.org>", author)
            tap.contains(ways.through(way, message, "Alice@EXAMPLE.org")[1], SECRET, way)


@tap.test("every recipient can open it; a Bcc is seen by nobody")
def _():
    both = PLAIN.replace(b"To: ", b"To: Bob@example.org, ")
    for way in ENCRYPTING:
        ways.configure(way)
        output = ways.leaves(both, ALICE, BOB)
        for address in (ALICE, BOB):
            tap.contains(ways.inner(way, output, address), SECRET, f"{way}: {address}")
        hidden = PLAIN.replace(b"Subject", b"Bcc: bob@example.org\nSubject")
        # A lone one is sealed as everybody.
        output = ways.leaves(hidden, BOB)
        tap.true(b"bob@" not in output, f"{way}: Bcc outside")
        tap.contains(ways.inner(way, output, BOB), SECRET, way)
        if way.startswith("smime"):
            ways.stays(hidden, "max_rcpt", ALICE, BOB)
            continue
        output = ways.leaves(hidden, ALICE, BOB)
        tap.equal(gnupg.key_ids(ways.ring, gnupg.armor(output)), [b"0" * 16] * 2, f"{way}: key ids")
        tap.contains(ways.inner(way, output), SECRET, way)


@tap.test("AES-CBC unless all announce GCM, which has an smime-type of its own")
def _():
    for cipher, kind, name in ((None, b"enveloped-data", b"aes-256-cbc"),
                               ("aes-256-gcm", b"authEnveloped-data", b"aes-256-gcm")):
        ways.configure("smime-encrypt", {"module smime": {"cipher": cipher} if cipher else {}})
        output = ways.leaves(PLAIN)
        found = re.search(rb"smime-type=\"?([A-Za-z-]+)", mail.Message(output).header)
        tap.equal(found[1].lower(), kind.lower(), "smime-type")
        printed = certs.openssl("cms", "-cmsout", "-print", "-inform", "DER",
                                input=mail.ciphertext(output))
        tap.contains(printed.lower(), name, "cipher")
        tap.equal(ways.inner("smime-encrypt", output), mail.inner_entity(PLAIN))
        # One flipped bit is seen, and the status says so.
        if cipher:
            der = bytearray(mail.ciphertext(output))
            der[len(der) // 2 + 200] ^= 1
            broken = home.folder / "broken.der"
            broken.write_bytes(der)
            try:
                certs.openssl("cms", "-decrypt", "-inform", "DER", "-in", broken, "-recip",
                              home.alice.cert, "-inkey", home.alice.key)
            except AssertionError:
                continue
            raise AssertionError("openssl opens what was changed")


@tap.test("separate certificates for signing and encryption")
def _():
    dora = "dora@example.org"
    message = PLAIN.replace(b"To: alice", b"To: dora")
    encrypts = leaf("dora-encrypts", dora, ENCRYPTS, OLD, FUTURE)
    signs = leaf("dora-signs", dora, SIGNS, PAST, FUTURE)
    ways.configure("smime-encrypt", give(encrypts, signs))
    tap.equal(mail.opened(ways.leaves(message, dora), encrypts), mail.inner_entity(message))
    ways.configure("smime-encrypt", give(signs))
    ways.stays(message, "keyUsage", dora)

    # A writer with both: the newer of her keys cannot sign.
    message = PLAIN.replace(b"carol@", b"dora@")
    files = [ways.give_server_key(person, f"dora-{n}") for n, person in enumerate((signs, encrypts))]
    try:
        ways.configure("smime-sign")
        output = ways.leaves(message)
        used = home.folder / "used.pem"
        tap.contains(signed.by_smime(output, home.authority.cert, "-signer", used), SECRET)
        tap.equal(certs.openssl("x509", "-in", used, "-outform", "DER"),
                  certs.openssl("x509", "-in", signs.cert, "-outform", "DER"), "who signed")
        files.pop(0).unlink()
        ways.configure("smime-sign")
        ways.stays(message, "keyUsage")
    finally:
        for file in files:
            file.unlink()


@tap.test("an address in the SAN alone; a subject's does not count beside it")
def _():
    dora, other = "dora@example.org", "other@example.org"
    person = leaf("dora-san", dora, f"{ENCRYPTS},{SIGNS}", OLD, FUTURE,
                  subject=f"/CN=Dora/emailAddress={other}")
    subject = leaf("dora-subject", dora, f"{ENCRYPTS},{SIGNS}", OLD, FUTURE, san=False,
                   subject=f"/CN=Dora/emailAddress={dora}")
    message = PLAIN.replace(b"To: alice", b"To: dora")
    for one in (person, subject):
        ways.configure("smime-encrypt", give(one))
        tap.equal(mail.opened(ways.leaves(message, dora), one), mail.inner_entity(message))
        ways.stays(message, "no smime key for other@example.org", other)
    file = ways.give_server_key(person)
    try:
        ways.configure("smime-sign")
        tap.contains(signed.by_smime(ways.leaves(PLAIN.replace(b"carol@", b"dora@")),
                                     home.authority.cert), SECRET)
        ways.stays(PLAIN.replace(b"carol@", b"other@"), "no smime key")
    finally:
        file.unlink()


# -- Signing --------------------------------------------------------------------------------------

@tap.test("only the author's key signs, whatever else the server has")
def _():
    mallory = "mallory@example.org"
    ways.own.generate(mallory)
    ways.ring.take(ways.own.export(mallory))
    file = ways.give_server_key(home.authority.person(mallory, "rsa"))
    stranger = PLAIN.replace(b"carol@", b"nobody@")
    try:
        for way in SIGNING:
            ways.configure(way)
            # Whom it is by is looked at there.
            if way.startswith("pgp"):
                ways.through(way, PLAIN)
            else:
                output = ways.leaves(PLAIN)
                if way.endswith("both"):
                    output = ways.decrypted(way, output)[0]
                used = home.folder / "used.pem"
                signed.by_smime(output, home.authority.cert, "-signer", used)
                tap.contains(certs.openssl("x509", "-in", used, "-noout", "-email"), CAROL.encode())
            ways.stays(stranger, "nobody@example.org")
            for author in (b"carol@example.org, mallory@example.org", b"",
                           b"carol@example.org\nFrom: m@x"):
                ways.stays(PLAIN.replace(b"Carol <carol@example.org>", author), "author")
        # A key of somebody else's that is set by its fingerprint.
        fingerprint = ways.own.fingerprint(mallory)
        for way in ("pgp-sign", "pgp-both"):
            ways.configure(way, {"module pgp": {"signing_key": fingerprint}})
            ways.stays(PLAIN, "cannot be signed")
    finally:
        file.unlink()


@tap.test("the key is the author's, who is not the envelope's sender")
def _():
    for way in SIGNING:
        ways.configure(way)
        tap.contains(ways.inner(way, ways.leaves(PLAIN, sender="bounces@example.net")), SECRET, way)
        # Carol's envelope signs nobody else's mail, nor does a Sender or Reply-To field.
        for field in (b"", b"Sender: carol@example.org\n", b"Reply-To: carol@example.org\n"):
            ways.stays(field + PLAIN.replace(b"carol@", b"mallet@"), "mallet@example.org")
        # Nor does a display name that looks like an address, nor a comment.
        for author in (b"\"carol@example.org\" <mallet@example.org>",
                       b"\"Carol <carol@example.org>\" <mallet@example.org>",
                       b"mallet@example.org (carol@example.org)",
                       b"=?utf-8?Q?carol=40example=2Eorg?= <mallet@example.org>"):
            ways.stays(PLAIN.replace(b"Carol <carol@example.org>", author),
                       "From does not name one author")
        # Anybody can write From; only who has logged in is believed.
        ways.stays(PLAIN, "--submission", submission="no")
        ways.configure(way, sign="preferred")
        output = ways.leaves(PLAIN, submission="no")
        if way.endswith("sign"):
            tap.equal(output, PLAIN, way)
        else:
            tap.equal(ways.decrypted(way, output)[0], mail.inner_entity(PLAIN), way)
        tap.contains(home.log_text(), "not signed: ", "log")


UTF8 = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
HARD = (b"Gr\xc3\xbc\xc3\x9fe\n\ntrailing blanks  \t\nFrom me\n.\n..\n-- \n=20 = \n" + b"x" * 1200 +
        b"\nend")


@tap.test("what is signed in clear is 7bit, in CRLF, without blanks at line ends")
def _():
    attached = multipart(b"mixed", UTF8 + HARD, b"Content-Type: application/octet-stream\n"
                         b"Content-Transfer-Encoding: binary\n\n\x00\x01\xff\r\n")
    for way in ("smime-sign", "pgp-sign", "smime-both"):
        for message in (HEAD + UTF8 + HARD, attached, mail.crlf(HEAD + UTF8 + HARD)):
            ways.configure(way)
            output, inner = ways.through(way, message)
            wire = mail.crlf(output if way.endswith("sign") else inner)
            tap.true(not re.search(rb"[\x80-\xff\0]", wire), f"{way}: 8bit")
            blanks = re.search(rb"[ \t]\r\n", mail.Message(wire).body)
            tap.true(not blanks, f"{way}: blanks at line ends")
            tap.true(not re.search(rb"^From ", wire, re.M), f"{way}: a From_ line")
            tap.true(not re.search(rb"(?<!\r)\n|\r(?!\n)", inner), f"{way}: not in CRLF")
            tap.true(max(map(len, wire.splitlines())) <= 998, f"{way}: a long line")
            parsed = email.message_from_bytes(inner)
            leaf_part = parsed.get_payload()[0] if parsed.is_multipart() else parsed
            tap.equal(leaf_part.get_payload(decode=True).replace(b"\r\n", b"\n"), HARD, way)


@tap.test("an opaque signature covers the octets as they came")
def _():
    message = HEAD + UTF8 + HARD
    for way in ("smime-sign", "smime-both"):
        ways.configure(way, {"module sign": {"signature": "opaque"}})
        output, inner = ways.through(way, message)
        tap.equal(inner, mail.inner_entity(message), way)
        if way == "smime-sign":
            tap.contains(mail.Message(output).all("Content-Type")[0], b"smime-type=signed-data")
            tap.true(not re.search(rb"[\x80-\xff]", output), "7bit")


@tap.test("a private home, never a prompt")
def _():
    locked = gnupg.Ring(home.folder / "locked")
    locked.generate(CAROL, passphrase="open sesame")
    ways.ring.take(locked.export(CAROL))
    word = home.folder / "passphrase"
    # What a desktop would ask through is there, and is not asked.
    asked = home.folder / "asked"
    script = home.folder / "pinentry"
    script.write_text(f"#!/bin/sh\n: >{asked}\nexit 1\n")
    script.chmod(0o755)
    foreign = {"DISPLAY": ":0", "GPG_TTY": "/dev/tty", "GNUPGHOME": str(ways.ring.path),
               "GPG_AGENT_INFO": f"{asked}:1:1", "PINENTRY_USER_DATA": str(script),
               "PATH": f"{home.folder}:/usr/bin:/bin", "HOME": str(home.folder)}
    for way in ("pgp-sign", "pgp-both"):
        for text, opens in (("wrong\n", False), ("\n", False), ("open sesame\nsecond line\n", True)):
            word.write_text(text)
            word.chmod(0o600)
            locked.stop()
            ways.configure(way, {"module pgp": {"home": locked.path, "passphrase_file": word}})
            if not opens:
                ways.stays(PLAIN, "", env=foreign)
                continue
            output = ways.leaves(PLAIN, env=foreign)
            if way == "pgp-sign":
                who = signed.by_pgp(output, ways.ring)[1]
            else:
                block = gnupg.armor(output)
                who = signed.signer(signed.gpg(ways.ring, "--decrypt", input=block).stderr)
            tap.equal(who, locked.fingerprint(CAROL), "who signed")
        locked.stop()
        ways.configure(way, {"module pgp": {"home": locked.path}})
        ways.stays(PLAIN, "passphrase", env=foreign)
    tap.true(not asked.exists(), "somebody was asked")
    for name in ("gpg.conf", "gpg-agent.conf"):
        tap.true(not (locked.path / name).exists(), f"{name} in the home")


tap.main()
