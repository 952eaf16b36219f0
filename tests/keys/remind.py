# SPDX-License-Identifier: GPL-2.0-or-later
"""sealctl keys remind, through the program as it is installed, with certificates and keys that end, and a
sendmail of the test's own that keeps what it is given.

What is printed and written is in golden/; `remind.py --write` writes it anew. Dates, fingerprints, the
host's name and ids are left out.
"""

import datetime
import email
import email.policy
import fcntl
import json
import os
import pathlib
import pwd
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import tap
from gnupg import Ring
from home import Home, has_module

if not has_module("smime") or not has_module("keys-file"):
    tap.skip_all("built without the modules smime and keys-file")

GOLDEN = HERE / "golden"
WRITE = "--write" in tap.arguments()
home = Home("remind")
sent, broken = home.folder / "sent", home.folder / "broken"
sendmail = home.folder / "sendmail"
sendmail.write_text(f"""#!/bin/sh
[ ! -e {broken} ] || {{ echo "the queue is full" >&2; exit 75; }}
mkdir -p {sent}
file=$(mktemp {sent}/XXXXXX)
{{ printf '%s\\n' "$@"; echo =====; cat; }} >"$file"
""")
sendmail.chmod(0o755)
private = home.folder / "private"
clock = next((word for word in sys.argv if word.endswith("/days.so")), None)
EXPIRY = {"mail_to": "admin@example.org", "mail_from": "sealpipe@example.org"}
REMINDERS = home.state / "reminders"


class Mail:
    def __init__(self, octets):
        words, _, text = octets.partition(b"=====\n")
        self.words = words.decode().splitlines()
        self.text = text.decode()
        self.message = email.message_from_bytes(text, policy=email.policy.default)
        self.body = self.message.get_content()
        self.to = self.words[self.words.index("--") + 1:]


def begin(expiry=None, **groups):
    """No key, nothing said so far, and [expiry] with @expiry."""
    for folder in (home.certs, private):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    for file in home.state.glob("reminders*"):
        file.unlink()
    broken.unlink(missing_ok=True)
    shutil.rmtree(sent, ignore_errors=True)
    home.configure({"expiry": {**EXPIRY, **(expiry or {})}, **groups})


def enrol(address, days, name=None):
    # A minute more, so that there are as many whole days for the test's while.
    person = dated(address, days, name)
    shutil.copy(person.cert, home.certs)
    return person


def dated(address, days, name=None, subject="/CN=Test Person", usage="digitalSignature,keyAgreement"):
    now = datetime.datetime.now(datetime.timezone.utc)
    end = now + datetime.timedelta(days=days, minutes=5)
    start = now - datetime.timedelta(days=400)
    return home.authority.leaf(name or f"{address}-{days}", address, usage, f"{start:%Y%m%d%H%M%SZ}",
                               f"{end:%Y%m%d%H%M%SZ}", subject=subject, kind="ec")


def signer(address, days, **how):
    """A key of the server's own."""
    person = dated(address, days, **how)
    file = private / f"{address}-{days}.pem"
    file.write_bytes(person.key.read_bytes() + person.cert.read_bytes())
    file.chmod(0o600)
    return person


def run(*words, status=0, days=0):
    """What it says, and the mails that were handed over."""
    shutil.rmtree(sent, ignore_errors=True)
    env = {"LD_PRELOAD": clock, "SEALPIPE_TEST_DAYS": str(days)} if days else {}
    result = home.run("sealctl", "--json", "keys", "remind", "--sendmail", sendmail, *words, env=env)
    tap.equal(result.status, status, result.errors + result.output)
    return json.loads(result.output), mails(), result.errors.decode()


def mails():
    return sorted((Mail(file.read_bytes()) for file in sent.glob("*")), key=lambda mail: mail.to)


def needs_clock():
    if "--sanitize" in sys.argv or not clock:
        raise tap.Skip("sanitizers come before everything else that is loaded")


def golden(name, text):
    text = text.replace(str(home.folder), "/HOME")
    text = re.sub(r"\b[0-9a-f]{64}\b", "FINGERPRINT", text)
    text = re.sub(r"\b[0-9a-f]{40}\b", "FINGERPRINT", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\d\b", "DAY", text)
    text = re.sub(r"^Date: .* \+0000$", "Date: DATE", text, flags=re.M)
    text = re.sub(r"^Message-ID: <[0-9a-f-]{36}@example.org>$", "Message-ID: <ID@example.org>", text, flags=re.M)
    text = re.sub(r"Sealpipe( on [\w.-]+)?:", "Sealpipe:", text)
    path = GOLDEN / name
    if WRITE:
        path.write_text(text)
    tap.equal(text, path.read_text(), name)


@tap.test("nobody to be told: it says so, does nothing, and all is well")
def _():
    begin({"mail_to": ""})
    enrol("dan@example.net", 2)
    answer, told, errors = run()
    tap.contains(answer["notice"], "[expiry] mail_to")
    tap.equal((told, errors), ([], ""))
    tap.true(not REMINDERS.exists(), "something is remembered")
    answer, told, errors = run("--dry-run")
    tap.equal(([row["address"] for row in answer["keys"]], answer["mails"]), (["dan@example.net"], []))


@tap.test("a dry run says what would be said, sends nothing and remembers nothing")
def _():
    begin({"owners": "true"}, **{"module smime": {"server_keys": private}})
    enrol("dan@example.net", 2)
    enrol("erin@example.net", 13)
    enrol("erin@example.net", 300)
    enrol("later@example.net", 40)
    enrol("fred@example.net", -3)
    enrol("long.ago@example.net", -90)
    signer("carol@example.org", 20)
    before = sorted(home.state.iterdir())
    for words, name in (((), "remind.txt"), (("--json",), "remind.json")):
        result = home.run("sealctl", *words, "keys", "remind", "--dry-run")
        tap.equal((result.status, result.errors), (0, b""))
        golden(name, result.output.decode())
    tap.equal((mails(), sorted(home.state.iterdir())), ([], before))


@tap.test("one mail to the administrator, with all of it; and one to each owner")
def _():
    answer, told, _ = run()
    tap.equal([mail.to for mail in told], [["admin@example.org"], ["dan@example.net"], ["fred@example.net"]])
    for mail, name in zip(told, ("admin", "owner", "owner-ended")):
        tap.equal(mail.words[:4], ["-i", "-f", "sealpipe@example.org", "--"])
        tap.equal(mail.message["Auto-Submitted"], "auto-generated")
        tap.true(mail.text.isascii(), "octets beyond ASCII")
        golden(f"remind-{name}.eml", mail.text)
    tap.equal({row["result"] for row in answer["mails"]}, {"sent"})


@tap.test("twice a day it is said once")
def _():
    answer, told, _ = run()
    tap.equal((told, answer["mails"], [row["due"] for row in answer["keys"]]), ([], [], [False] * 5))


@tap.test("each step once, whatever was missed; nothing where nothing is new")
def _():
    needs_clock()
    begin()
    enrol("dan@example.net", 31)
    steps = {0: None, 2: 30, 3: None, 16: None, 20: 14, 27: None, 29: 3, 30: None, 45: 0, 46: None}
    seen = {}
    for day in steps:
        answer, told, _ = run(days=day)
        seen[day] = answer["keys"][0]["step"] if told else None
    tap.equal(seen, steps)


@tap.test("that it has ended is said once, however late")
def _():
    needs_clock()
    begin()
    enrol("dan@example.net", 20)
    run()
    _, told, _ = run(days=90)
    tap.contains(told[0].body, "dan@example.net: expired on ")
    tap.equal(run(days=91)[1], [])


@tap.test("one mail a day: what is due later that day waits for the next")
def _():
    needs_clock()
    begin()
    enrol("dan@example.net", 2)
    tap.equal(len(run()[1]), 1)
    enrol("erin@example.net", 2)
    answer, told, _ = run()
    tap.equal((told, [row["due"] for row in answer["keys"]]), ([], [False, False]))
    _, told, _ = run(days=1)
    tap.contains(told[0].body, "erin@example.net: ")
    tap.true("dan@example.net" not in told[0].body, told[0].body)


@tap.test("what could not be handed over is tried again at the next run")
def _():
    begin({"owners": "true"})
    enrol("dan@example.net", 2)
    broken.touch()
    answer, told, errors = run(status=1)
    tap.equal((told, {row["result"] for row in answer["mails"]}), ([], {"failed"}))
    tap.contains(errors, "the queue is full")
    tap.contains(errors, "tried again at the next run")
    broken.unlink()
    tap.equal(len(run()[1]), 2)
    tap.equal(run()[1], [])


@tap.test("a key that another one replaces: the administrator sees by which, its owner hears nothing")
def _():
    begin({"owners": "true"})
    old = enrol("dan@example.net", 2)
    new = enrol("dan@example.net", 300)
    answer, told, _ = run()
    tap.equal([mail.to for mail in told], [["admin@example.org"]])
    tap.contains(told[0].body, f"replaced by: {new.fingerprint()}")
    tap.equal([(row["fingerprint"], row["replaced_by"]) for row in answer["keys"]],
              [(old.fingerprint(), new.fingerprint())])


@tap.test("one that cannot be used replaces nothing")
def _():
    begin({"owners": "true"})
    enrol("dan@example.net", 2)
    person = dated("dan@example.net", 300, usage="keyCertSign")
    shutil.copy(person.cert, home.certs)
    answer, told, _ = run()
    tap.equal([mail.to for mail in told], [["admin@example.org"], ["dan@example.net"]])
    tap.equal(answer["keys"][0]["replaced_by"], "")


@tap.test("an owner of two keys that end gets one mail, of the one that lasts longer")
def _():
    begin({"owners": "true"})
    last = enrol("dan@example.net", 2)
    first = enrol("dan@example.net", 1)
    answer, told, _ = run()
    tap.equal([mail.to for mail in told], [["admin@example.org"], ["dan@example.net"]])
    tap.contains(told[1].body, last.fingerprint())
    tap.true(first.fingerprint() not in told[1].body, told[1].body)
    tap.true("OpenPGP" not in told[1].body, told[1].body)
    tap.equal([row["replaced_by"] for row in answer["keys"]], [last.fingerprint(), ""])


@tap.test("owners are told by setting alone, in the operator's words where there are some")
def _():
    words = home.folder / "words.txt"
    words.write_text("Schickt das neue Zertifikat an schlüssel@example.org.\n", encoding="utf-8")
    begin({"owners": "true", "owners_text": words})
    enrol("dan@example.net", 2)
    _, told, _ = run()
    tap.equal([mail.to for mail in told], [["admin@example.org"], ["dan@example.net"]])
    tap.contains(told[1].body, "Schickt das neue Zertifikat an schlüssel@example.org.\n")
    tap.true("Get a new certificate" not in told[1].body, told[1].body)
    tap.equal(told[1].message["Content-Transfer-Encoding"], "base64")
    begin()
    enrol("dan@example.net", 2)
    tap.equal([mail.to for mail in run()[1]], [["admin@example.org"]])


@tap.test("no mail goes to whom a key names that nobody vouches for")
def _():
    begin({"owners": "true"}, **{"module smime": {"trust_anchors": None}, "module keys-file": {"trust": "unverified"}})
    enrol("dan@example.net", 2)
    tap.equal([mail.to for mail in run()[1]], [["admin@example.org"]])


@tap.test("a damaged memory: it says so, says all that is due, once")
def _():
    begin()
    enrol("dan@example.net", 2)
    run()
    text = REMINDERS.read_text()
    REMINDERS.write_text(text.replace(" 3\n", " 0\n"))
    answer, told, _ = run()
    tap.contains(answer["memory"], "is damaged")
    tap.equal(len(told), 1)
    tap.contains(told[0].body, "What was said before is not known")
    answer, told, _ = run()
    tap.equal((told, "memory" in answer), ([], False))


@tap.test("where nothing can be remembered nothing is said")
def _():
    begin()
    enrol("dan@example.net", 2)
    REMINDERS.mkdir()
    try:
        answer, told, errors = run(status=1)
        tap.equal(told, [])
        tap.contains(errors, str(REMINDERS))
    finally:
        REMINDERS.rmdir()


@tap.test("in another user's state folder nothing is made, and nothing said")
def _():
    if os.geteuid() != 0:
        raise tap.Skip("it takes root")
    begin(core={"user": "root"})
    enrol("dan@example.net", 2)
    os.chown(home.state, pwd.getpwnam("nobody").pw_uid, -1)
    try:
        _, told, errors = run(status=1)
        tap.equal((told, list(home.state.glob("reminders*"))), ([], []))
        tap.contains(errors, "as the user whose [core] state_dir is")
    finally:
        os.chown(home.state, 0, -1)


@tap.test("a second run at the same time does nothing")
def _():
    begin()
    enrol("dan@example.net", 2)
    with open(f"{REMINDERS}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _, told, errors = run(status=1)
    tap.equal(told, [])
    tap.contains(errors, "another `sealctl keys remind` is at work")
    tap.equal(len(run()[1]), 1)


@tap.test("what cannot be looked at is named, and all else is said")
def _():
    if not has_module("pgp"):
        raise tap.Skip("built without the module pgp")
    empty = home.folder / "empty"
    empty.mkdir(mode=0o700, exist_ok=True)
    begin(**{"module pgp": {"home": empty}})
    enrol("dan@example.net", 2)
    answer, told, errors = run(status=1)
    tap.contains(told[0].body, "Not all could be looked at: pgp: home ")
    tap.contains(told[0].body, "dan@example.net: expires on ")
    tap.contains(errors, "not all could be looked at")
    tap.contains(answer["not_looked_at"], "has no key ring")
    tap.equal(run(status=1)[1], [], "said anew")


@tap.test("a subject that wants to be a header, or a link, is a line of text")
def _():
    begin({"owners": "true"}, **{"module smime": {"server_keys": private}})
    subject = "/CN=Pay at https:\\/\\/evil.example\\/now\r\nBcc: all@example.org"
    signer("carol@example.org", 2, subject=subject)
    shutil.copy(dated("dan@example.net", 2, subject=subject).cert, home.certs)
    _, told, _ = run()
    tap.equal([mail.to for mail in told], [["admin@example.org"], ["dan@example.net"]])
    for mail in told:
        tap.equal(mail.message["Bcc"], None)
        for name, value in mail.message.items():
            tap.true("evil" not in value, f"{name}: {value}")
        tap.true(not re.search(r"https?://|evil\.example", mail.body), mail.body)
        tap.contains(mail.body, "evil[.]example")


@tap.test("settings that cannot be are refused at once, with file and line")
def _():
    for key, value, why in (("days", "30;0", "no number from 1 to 365"), ("days", "", "one to 10 numbers"),
                            ("mail_to", "nobody", "mail_to"), ("mail_from", "<>", "mail_from")):
        begin({key: value})
        _, told, errors = run(status=1)
        tap.equal(told, [])
        tap.true(re.search(rf"50-test.conf:\d+: \[expiry\].*{re.escape(why)}", errors), errors)
    begin({"mail_to": "jörg@example.org"})
    tap.contains(run(status=1)[2], "letters beyond ASCII")


@tap.test("days that were chosen otherwise")
def _():
    begin({"days": "60; 7; 60"})
    enrol("dan@example.net", 50)
    tap.equal([row["step"] for row in run()[0]["keys"]], [60])


HOSTILE = "Mallory https://evil.example/x (Bcc: all@example.org)"


@tap.test("OpenPGP: a key to sign with is seen where no source lists it, until its signing part ends")
def _():
    if not has_module("pgp"):
        raise tap.Skip("built without the module pgp")
    ring = Ring(home.folder / "g")
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key",
             f"{HOSTILE} <carol@example.org>", "ed25519", "cert,sign", "100d")
    own = ring.fingerprint("carol@example.org").lower()
    begin(**{"module pgp": {"home": ring.path}, "keyring": {"sources": "file"}})
    answer, told, errors = run()
    tap.equal((answer["keys"], told), ([], []))
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-set-expire", own, "10d")
    answer, told, errors = run()
    tap.equal([(row["what"], row["format"], row["fingerprint"], row["step"]) for row in answer["keys"]],
              [("signer", "pgp", own, 14)])
    tap.contains(told[0].body, "OpenPGP key; mail is signed with it")
    tap.true("https://" not in told[0].body, told[0].body)
    # A subkey that signs, and ends before the primary key does, which then only certifies.
    other = Ring(home.folder / "h")
    other.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key", "Dora <dora@example.org>",
              "ed25519", "cert", "100d")
    dora = other.fingerprint("dora@example.org").lower()
    other.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key", dora, "ed25519", "sign", "2d")
    begin(**{"module pgp": {"home": other.path}})
    answer, _, _ = run()
    tap.equal([(row["what"], row["fingerprint"], row["step"]) for row in answer["keys"]], [("signer", dora, 3)])


@tap.test("OpenPGP: a key of others that was extended in another copy does not end")
def _():
    if not has_module("pgp"):
        raise tap.Skip("built without the module pgp")
    ring = Ring(home.folder / "i")
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key", "Dan <dan@example.net>",
             "future-default", "default", "10d")
    begin({"owners": "true"}, **{"module pgp": {}})
    (home.certs / "dan.asc").write_bytes(ring.export("dan@example.net"))
    answer, told, _ = run("--dry-run")
    tap.equal([(row["what"], row["address"]) for row in answer["keys"]], [("recipient", "dan@example.net")])
    tap.equal([row["to"] for row in answer["mails"]], ["admin@example.org", "dan@example.net"])
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-set-expire",
             ring.fingerprint("dan@example.net"), "300d")
    (home.certs / "dan-new.asc").write_bytes(ring.export("dan@example.net"))
    answer, told, _ = run("--dry-run")
    tap.equal((answer["keys"], answer["mails"]), ([], []))


@tap.test("root hands mails over as root, whom the mail server trusts, whoever's the service is")
def _():
    if os.geteuid() != 0:
        raise tap.Skip("another user needs root")
    begin()
    enrol("dan@example.net", 2)
    script = sendmail.read_text()
    # Whom the service's user cannot even run.
    sendmail.write_text(script.replace("echo =====;", "echo =====; id -u;"))
    sendmail.chmod(0o700)
    home.folder.chmod(0o755)
    home.certs.chmod(0o755)
    nobody = pwd.getpwnam("nobody")
    for file in (home.log, home.state):
        os.chown(file, nobody.pw_uid, nobody.pw_gid)
    try:
        run()
        (file,) = sent.iterdir()
        tap.contains(file.read_text(), "=====\n0\nFrom: ")
        tap.equal(REMINDERS.stat().st_uid, nobody.pw_uid)
    finally:
        for file in (home.log, home.state, *home.state.iterdir()):
            os.chown(file, 0, 0)
        sendmail.write_text(script)
        sendmail.chmod(0o755)


@tap.test("the command line")
def _():
    begin()
    for words, why in ((["x"], "usage: sealctl keys remind"), (["--sendmail", "x"], "an absolute path")):
        result = home.run("sealctl", "keys", "remind", *words)
        tap.equal(result.status, 2)
        tap.contains(result.errors.decode(), why)
    result = home.run("sealctl", "keys", "remind", "--dry-run", "--sendmail", "/nowhere")
    tap.equal((result.status, result.errors), (0, b""))


tap.main()
