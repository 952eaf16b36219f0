# SPDX-License-Identifier: GPL-2.0-or-later
"""No log, at its highest level, has anything of a message's body or Subject, of the names of what is
attached, of a passphrase or of a private key: whatever becomes of the message. Nor has the ledger, which
has no mailbox either."""

import base64
import json
import os
import pathlib
import quopri
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import daemons
import ears
import gnupg
import home as homes
import tap

HAS_VIEW = ears.own_view()
ALICE, BOB, CAROL, DAVE = (f"{name}@example.org" for name in ("alice", "bob", "carol", "dave"))
# Where each stands in a message, and what a log would have of it.
SUBJECT, ENCODED, BODY, HIDDEN, NAME, NAME_2231, PREAMBLE, HEADER = (
    f"Zq{word}Marker7x" for word in ("Subject", "Encoded", "Body", "Base64Body", "File", "Extended", "Preamble",
                                     "XHeader"))
PASSPHRASE, WRONG, GPG_PASSPHRASE = "ZqPassphraseMarker7x", "ZqWrongWordMarker7x", "ZqGpgWordMarker7x"

home = homes.Home("markers")
journal = ears.Ear(ears.JOURNAL) if HAS_VIEW else None
syslog = ears.Ear(ears.SYSLOG) if HAS_VIEW else None
said = []  # (where, octets): all that any log, and any program on standard error, has said


# -- Messages -----------------------------------------------------------------------------------

def word(text):
    return "=?utf-8?B?" + base64.b64encode(text.encode()).decode() + "?="


def message(*fields, body=BODY, sender=CAROL, subject=True):
    lines = [f"From: {sender}", f"To: {ALICE}", f"X-Note: {HEADER}", *fields]
    if subject:
        lines.append(f"Subject: {SUBJECT} {word(ENCODED)}")
    return ("\n".join(lines) + f"\nMIME-Version: 1.0\n").encode() + (
        f'Content-Type: multipart/mixed; boundary="b"\n\n{PREAMBLE}\n--b\nContent-Type: text/plain\n\n{body}\n'
        f'--b\nContent-Type: application/pdf; name="{NAME}.pdf"\nContent-Transfer-Encoding: base64\n'
        f"Content-Disposition: attachment; filename*=utf-8''{NAME_2231}.pdf\n\n"
        f"{base64.b64encode(HIDDEN.encode()).decode()}\n--b--\n").encode()


def split_armor(octets):
    """Each line of what is between the lines of a PEM or an armour."""
    return [line for line in octets.split(b"\n") if re.fullmatch(rb"[A-Za-z0-9+/=]{24,}", line.strip())]


BROKEN = {
    "nul": message("X-Bad: a\x00b"),
    "no field": b"no field at all " + SUBJECT.encode() + b"\n" + message(),
    "endless": message(*[f"X-{n}: {SUBJECT}" for n in range(3000)]),
    "no author": message(sender=f"{CAROL}, mallory@example.org"),
    "nested": message(body="--b\nContent-Type: message/rfc822\n\n" * 300),
    "bad type": message("Content-Type: multipart/" + NAME),
    "sealed": (f"From: {CAROL}\nTo: {ALICE}\nSubject: {SUBJECT}\nMIME-Version: 1.0\nContent-Type: "
               f'application/pkcs7-mime; smime-type=enveloped-data; name="{NAME}.p7m"\n'
               f"Content-Transfer-Encoding: base64\n\n{base64.b64encode(BODY.encode() * 9).decode()}\n").encode(),
    "armour": (f"From: {CAROL}\nTo: {ALICE}\nSubject: {SUBJECT}\n\n-----BEGIN PGP MESSAGE-----\nComment: {BODY}\n\n"
               f"{BODY}\n=AAAA\n-----END PGP MESSAGE-----\n").encode(),
    "nothing": b"",
    "report": (f"From: {CAROL}\nTo: {ALICE}\nSubject: {SUBJECT}\nMIME-Version: 1.0\nContent-Type: "
               f'multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n\n{BODY}\n--b\nContent-Type: '
               f"message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; {ALICE}\n"
               f"Diagnostic-Code: smtp; 550 {BODY}\n--b\nContent-Type: message/rfc822\n\nSubject: {SUBJECT}\n\n"
               f"{BODY}\n--b--\n").encode(),
}

# -- Secrets ------------------------------------------------------------------------------------

carol = home.authority.person(CAROL, "rsa")
keys = home.folder / "server-keys"
word_file, wrong_file = home.folder / "word", home.folder / "wrong"
damaged = home.folder / "damaged-keys"


def make_secrets():
    locked = certs.openssl("pkcs8", "-topk8", "-in", carol.key, "-passout", f"pass:{PASSPHRASE}")
    plain = certs.openssl("pkcs8", "-topk8", "-nocrypt", "-in", carol.key)
    for folder in (keys, damaged):
        folder.mkdir(mode=0o700)
    write_secret(keys / "carol.pem", carol.cert.read_bytes() + locked)
    half = plain[:len(plain) // 2] + b"*\n" + plain[len(plain) // 2:]
    write_secret(damaged / "carol.pem", carol.cert.read_bytes() + half)
    write_secret(word_file, PASSPHRASE.encode() + b"\n")
    write_secret(wrong_file, WRONG.encode() + b"\n")
    return split_armor(locked) + split_armor(plain) + split_armor(carol.key.read_bytes())


def write_secret(path, octets):
    path.write_bytes(octets)
    path.chmod(0o600)


def make_ring():
    ring = gnupg.Ring(home.folder / "gnupg")
    ring.generate(CAROL, passphrase=GPG_PASSPHRASE)
    ring.generate(ALICE)
    write_secret(home.folder / "gpg-word", GPG_PASSPHRASE.encode() + b"\n")
    ring.stop()
    return ring, split_armor(ring.gpg("--armor", "--pinentry-mode", "loopback", "--passphrase", GPG_PASSPHRASE,
                                      "--export-secret-keys", CAROL))


SECRETS = make_secrets()
if homes.has_module("pgp"):
    RING, more = make_ring()
    SECRETS += more[1:-1]  # the rest is the public half, or as short

# -- Looking ------------------------------------------------------------------------------------


def forms(text):
    """As it stands, and as it would stand in what the message has it in."""
    octets = text.encode()
    found = {octets, quopri.encodestring(octets, quotetabs=True).strip(), octets.hex().encode(),
             octets.hex().upper().encode()}
    for shift in range(3):  # whatever stands in front of it
        coded = base64.b64encode(b"x" * shift + octets)
        found.add(coded[4 if shift else 0:-4])
    return found


MARKS = {form for text in (SUBJECT, ENCODED, BODY, HIDDEN, NAME, NAME_2231, PREAMBLE, HEADER, PASSPHRASE, WRONG,
                           GPG_PASSPHRASE) for form in forms(text)} | {line.strip() for line in SECRETS}


def leaks(octets):
    flat = octets.lower()
    return sorted(mark for mark in MARKS if mark.lower() in flat)


def mailboxes(octets):
    """The local parts in it of those who write and get mail here."""
    return re.findall(rb"(?:alice|carol|nobody|mallory|not%20an)", octets.lower())


def gather():
    """What has been said since, into `said`."""
    for path in (home.state / "ledger").glob("2*"):
        written = path.read_bytes()
        tap.equal(mailboxes(written), [], written[:900])
        said.append(("ledger", written))
        path.unlink()
    if HAS_VIEW:
        for name, ear in (("journal", journal), ("syslog", syslog)):
            said.extend((name, octets) for octets in ear.take())
    said.append(("file", home.log.read_bytes()))
    home.clear_log()


def assert_silent(*wanted):
    """Nothing of a message or a secret, and the log was there: each of @wanted is in it."""
    for part in wanted:  # who listens is a thread, and may come to it later
        tap.wait_for(lambda part=part: heard(part), f"said: {part}; last: {said[-3:]}")
    found = {(where, mark) for where, octets in said for mark in leaks(octets)}
    lines = [line for _, octets in said for line in octets.split(b"\n") if leaks(line)]
    said.clear()
    tap.equal(found, set(), f"said: {[line[:900] for line in lines[:5]]}")


# -- Doing --------------------------------------------------------------------------------------

OPEN = {"rule tag": {"match_tag": "[plain]", "encrypt": "never"},
        "rule subject": {"match_header": f"Subject: *{SUBJECT}never*", "encrypt": "never"},
        "rule part": {"match_part": f"*{NAME}x.pdf", "encrypt": "never"}}
SIGN = {"module sign": {}, "policy": {"encrypt": "preferred", "sign": "required"}}
SMIME = {"trust_anchors": home.authority.cert, "server_keys": keys, "passphrase_file": word_file}


def configure(target, **changes):
    core = {"log_level": "debug", "log_target": home.log if target == "file" else target}
    return {**OPEN, **changes, "core": {**core, **changes.get("core", {})}}


def keep(result):
    said.append(("stderr", result.errors))
    return result.status


def seal(octets, to=ALICE, *args, program="sealpipe"):
    debug = ["--debug"] if program == "sealpipe" else []
    return keep(home.run(program, *debug, "-f", CAROL, "--submission=yes", *args, "--", to, stdin=octets))


def every_message():
    """All that may become of one. Returns the exit statuses."""
    return [seal(message()), seal(message(), "nobody@example.org"), seal(message(), "not an address"),
            *(seal(octets) for octets in BROKEN.values()), seal(message(), ALICE, "-d", "inbound"),
            seal(message(subject=False).replace(b"\nX-Note", f"\nSubject: [plain] {SUBJECT}\nX-Note".encode(), 1))]


def check_answers():
    headers = home.folder / "headers"
    headers.write_bytes(message().partition(b"\n\n")[0])
    for to in (ALICE, "nobody@example.org"):
        keep(home.run("sealpipe-check", "-f", CAROL, "-H", str(headers), "--", to))


def hand_over(to, status):
    sendmail = home.folder / "sendmail"
    sendmail.write_text(f"#!/bin/sh\necho the disk is full\ncat\nexit {status}\n")  # as Exim, which copies the message
    sendmail.chmod(0o755)
    seal(message(), to, "--sendmail", str(sendmail), program="sealpipe-pipe")


def targets():
    return ["file", *(["journal", "syslog"] if HAS_VIEW else [])]


@tap.test("what is looked for is found, however it would stand there")
def _():
    for text in (SUBJECT, HIDDEN, PASSPHRASE):
        octets = text.encode()
        for shown in (octets, octets.upper(), octets.hex().encode(), base64.b64encode(octets),
                      base64.b64encode(b"a" + octets + b"b"), base64.b64encode(b"ab" + octets + b"cde")):
            tap.true(leaks(b'reason="' + shown + b'"'), shown)
    tap.true(leaks(message()) and leaks(BROKEN["report"]) and leaks((damaged / "carol.pem").read_bytes()), "messages")
    tap.true(len(SECRETS) > 30, len(SECRETS))
    tap.equal(leaks(f"id=x to={ALICE} result=sealed".encode()), [])
    tap.equal(mailboxes(f"1 07:05 check 1 {ALICE} refused".encode()), [b"alice"])


@tap.test("messages that are sealed, in clear, refused, malformed or deferred")
def _():
    for target in targets():
        home.configure(configure(target))
        statuses = every_message()
        tap.equal((statuses[0], statuses[-1]), (0, 0), home.log_text()[-500:])
        tap.true(75 in statuses, statuses)
        check_answers()
        hand_over(ALICE, 0)
        hand_over(ALICE, 75)
        hand_over("nobody@example.org", 0)
        assert_silent(b"step=", b"result=sealed", b"result=plain", b"result=refused", b"by=pipe", b"rule=tag",
                      b" 1 example.org sealed smime - key example.org .", b" plain - tag never ",
                      b"ended with status 75: the disk is full")


@tap.test("messages that are signed, and keys that cannot be opened, are damaged or are gone")
def _():
    home.configure(configure("file", **SIGN, **{"module smime": SMIME}))
    tap.equal(seal(message()), 0, home.log_text()[-500:])
    seal(message(), "nobody@example.org")
    assert_silent(b"result=sealed", b"signer=" + carol.fingerprint().lower().encode())
    for change in ({"passphrase_file": wrong_file}, {"passphrase_file": None}, {"server_keys": damaged},
                   {"server_keys": home.folder / "gone"}, {"passphrase_file": home.folder / "gone"}):
        home.configure(configure("file", **SIGN, **{"module smime": {**SMIME, **change}}))
        tap.equal(seal(message()), 75, change)
        assert_silent(b"result=deferred")


@tap.test("OpenPGP: signed, a wrong passphrase, a home that is none")
def _():
    if not homes.has_module("pgp"):
        raise tap.Skip("built without OpenPGP")
    policy = {**SIGN, "policy": {**SIGN["policy"], "formats": "pgp"}}
    right = {"home": RING.path, "passphrase_file": home.folder / "gpg-word"}
    home.configure(configure("file", **policy, **{"module pgp": right}))
    tap.equal(seal(message()), 0, home.log_text()[-500:])
    for octets in BROKEN.values():
        seal(octets)
    assert_silent(b"format=pgp")
    RING.stop()
    for change in ({"passphrase_file": wrong_file}, {"home": home.folder / "gone"}):
        home.configure(configure("file", **policy, **{"module pgp": {**right, **change}}))
        tap.equal(seal(message()), 75, change)
        RING.stop()
        assert_silent(b"result=deferred")


@tap.test("a configuration that does not load, a module that is missing, mail that passes suspended")
def _():
    for change in ({"core": {"log_level": "loud"}}, {"module nonesuch": {}}, {"policy": {"fallback": "no"}},
                   {"module keys-file": {"paths": "/nonexistent"}}):
        home.configure(configure("file", **change))
        tap.equal(seal(message()), 75, change)
        assert_silent(b"result=deferred")
    home.configure(configure("file", core={"enabled": "false"}))
    tap.equal(seal(message()), 0)
    assert_silent(b"Emails will not be encrypted.")


@tap.test("the daemon and its keeper, through all of that")
def _():
    for target in ("journal", "file") if HAS_VIEW else ("file",):
        settings = configure(target, **SIGN, **{"module smime": SMIME})
        with daemons.Daemon(home, **settings) as daemon:
            every_message()
            check_answers()
            hand_over(ALICE, 0)
            assert_silent(b"step=", b"result=sealed", b"notice=")
            os.rename(word_file, home.folder / "away")
            shutil.copy2(wrong_file, word_file)
            daemon.hup()
            tap.wait_for(lambda: heard(b"configuration stays as it was"), "it does not start with a wrong word")
            os.rename(home.folder / "away", word_file)
        assert_silent(b"configuration stays as it was")


def heard(part):
    gather()
    return any(part in octets for _, octets in said)


@tap.test("sealctl, and what it answers")
def _():
    bundle = home.folder / "bundle.p12"
    certs.openssl("pkcs12", "-export", "-in", carol.cert, "-inkey", carol.key, "-out", bundle,
                  "-passout", f"pass:{PASSPHRASE}")
    mail = home.folder / "message"
    mail.write_bytes(message())
    home.configure(configure("file", **SIGN, **{"module smime": SMIME, "module keys-store": {}}))
    listed = home.run("sealctl", "--help").output
    commands = [["status"], ["config"], ["modules"], ["keys", "lookup", ALICE], ["keys", "check"],
                ["keys", "add", "--passphrase-file", str(word_file), str(bundle)],
                ["keys", "add", "--passphrase-file", str(wrong_file), str(bundle)],
                ["keys", "add", str(damaged / "carol.pem")], ["keys", "add", str(mail)],
                ["license", "keygen", "--out", str(home.folder / "issuer"), "--passphrase-file", str(word_file)],
                *([word, *args] for word, args in (("check", []), ("report", []), ("explain", ["-f", CAROL, str(mail), ALICE]),
                                                   ("test", [ALICE])) if f"\n  {word} ".encode() in listed)]
    for words in commands:
        for json_too in ([], ["--json"]):
            result = home.run("sealctl", *words, *json_too)
            said.append((f"sealctl {words[0]}", result.output))
            keep(result)
    assert_silent(b"checks", b"passphrase_file")


tap.main()
