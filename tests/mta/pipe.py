# SPDX-License-Identifier: GPL-2.0-or-later
"""sealpipe-pipe as a mail server runs it, with a sendmail that writes down what it is given.

pipe.py MODULE
"""

import email
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import tap
from home import Home

# What runs in the background has some of them ignored.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)

# A stage that stops where it stands; see hold/hold.c.
HOLD = tap.arguments()[0]
home = Home("pipe")
STATE = home.folder / "state"
STATE.mkdir(mode=0o700, exist_ok=True)
TAKEN = home.folder / "taken"
ALICE, BOB, NOBODY = "alice@example.org", "bob@example.org", "nobody@example.org"
SENDER = "carol@example.net"
MARK = "xyzzy-plain-marker"

# sendmail FOLDER -G -i -f SENDER -- RECIPIENT...: what stands in FOLDER/plan says how it behaves,
# for each recipient.
FAKE = """#!/usr/bin/python3 -IS
import json, os, signal, sys
folder, args = sys.argv[1], sys.argv[2:]
plan = json.load(open(folder + "/plan"))
orders = [plan[r] for r in args[args.index("--") + 1:] if r in plan]
body = sys.stdin.buffer.read() if "unread" not in orders else b""
def record():
    name = f"{folder}/{len(os.listdir(folder)):04}"
    status = dict(l.split(":\\t", 1) for l in open("/proc/self/status").read().splitlines()
                  if ":\\t" in l)
    facts = {"args": args, "body": body.decode("latin-1"),
             "env": open("/proc/self/environ").read().split("\\0")[:-1],
             "fds": sorted(os.listdir("/proc/self/fd"))[:-1],
             "group": os.getpgrp() == os.getpid(),
             # Without PIPE and XFSZ, which Python ignores by itself.
             "signals": [int(status["SigIgn"], 16) & ~0x1001000, int(status["SigBlk"], 16)]}
    with open(name, "w") as file:
        json.dump(facts, file)
for order in orders:
    if str(order).startswith("end "):
        os.kill(os.getppid(), int(order[4:]))
    if order == "kill before":
        os.kill(os.getppid(), signal.SIGKILL); os._exit(1)
    if order == "kill after":
        record(); os.kill(os.getppid(), signal.SIGKILL); os._exit(0)
    if str(order).startswith("fill "):
        with open(order[5:] + "/fill", "wb", 0) as file:
            try:
                while True: file.write(b"x" * 4096)
            except OSError: pass
    if order == "noise":
        for _ in range(200): os.write(1, b"x" * 65536)
    if order == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order == "too big":  # word by word as Postfix's does
        os.write(2, b"postdrop: warning: uid=103: File too large\\nsendmail: warning: "
                    b"mail_stream_cleanup: close error\\nsendmail: fatal: carol@example.net(103): "
                    b"message file too big\\n")
        os._exit(75)
    if str(order).startswith("say "):
        os.write(2, order[4:].encode() + b"\\n")
        os._exit(75)
    if str(order).startswith("repeat"):  # as they are without their quotation marks, or small
        text = ("sendmail: fatal: queue file write error, " + " ".join(args) + "\\n").replace('"', "")
        os.write(2, (text.lower() if order == "repeat small" else text).encode())
        os._exit(75)
    if isinstance(order, int):
        print("the disk is full", flush=True); os._exit(order)
record()
"""

fake = home.folder / "sendmail"
fake.write_text(FAKE)
fake.chmod(0o755)


def message(to, extra="", body=MARK):
    return (f"From: Carol <{SENDER}>\nTo: {to}\nSubject: test\n{extra}\n{body}\n").encode()


def configure(**changes):
    core = {"state_dir": STATE, **changes.pop("core", {})}
    home.configure({"core": core, **changes})


def plan(orders=None):
    (TAKEN / "plan").write_text(json.dumps(orders or {}))


def begin(orders=None, **changes):
    """Nothing taken, nothing in the journal, the log empty."""
    TAKEN.mkdir(exist_ok=True)
    for path in TAKEN.iterdir():
        path.unlink()
    for path in STATE.glob("journal/*"):
        path.unlink()
    plan(orders)
    home.clear_log()
    configure(**changes)


def pipe(octets, *recipients, ident="Q1", sender=SENDER, more=(), **how):
    """(status, output); not one octet on standard error."""
    ident = ["--id", ident] if ident else []
    result = home.run("sealpipe-pipe", "-f", sender, *ident, "--sendmail", f"{fake} {TAKEN}", *more,
                      "--", *recipients, stdin=octets, **how)
    tap.equal(result.errors, b"", "standard error")
    return result.status, result.output.decode()


class Taken:
    """One hand-over as the sendmail saw it."""

    def __init__(self, path):
        facts = json.loads(path.read_text())
        self.args, self.facts = facts["args"], facts
        self.body = facts["body"].encode("latin-1")
        self.recipients = self.args[self.args.index("--") + 1:]


def taken():
    return [Taken(path) for path in sorted(TAKEN.glob("0*"))]


def taken_for(recipient):
    """What was handed over for one recipient: exactly one thing."""
    found = [t for t in taken() if recipient in t.recipients]
    tap.equal(len(found), 1, f"hand-overs for {recipient}")
    return found[0]


def count(recipient):
    return sum(t.recipients.count(recipient) for t in taken())


def opens(octets, person, original):
    tap.equal(mail.opened(octets, person), mail.inner_entity(original), f"what {person.address} reads")
    tap.true(MARK.encode() not in octets, "plain text in what is sealed")


def cannot_open(octets, person):
    try:
        mail.opened(octets, person)
    except AssertionError:
        return
    raise AssertionError(f"{person.address} can open it")


def first_word(output):
    """One line, printable, with its enhanced status code first."""
    tap.true(output.endswith("\n") and output.count("\n") == 1 and output[:-1].isprintable(),
             f"not one line: {output!r}")
    return output.split()[0]


# -- How sendmail is called ---------------------------------------------------------------------

@tap.test("one recipient: sealed, and handed over with the right arguments")
def _():
    begin()
    original = message(ALICE)
    tap.equal(pipe(original, ALICE), (0, ""))
    got = taken_for(ALICE)
    tap.equal(got.args, ["-G", "-i", "-f", SENDER, "--", ALICE])
    opens(got.body, home.alice, original)
    tap.equal(got.facts["env"], ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
    tap.equal((got.facts["fds"], got.facts["group"], got.facts["signals"]),
              (["0", "1", "2"], True, [0, 0]))
    tap.contains(home.log_text(), f"to={ALICE} result=sealed")


@tap.test("the null sender, in both spellings")
def _():
    for sender in ("", "<>"):
        begin()
        tap.equal(pipe(message(ALICE), ALICE, sender=sender), (0, ""))
        tap.equal(taken_for(ALICE).args[:4], ["-G", "-i", "-f", "<>"])


@tap.test("hostile addresses come through whole, as arguments and nothing else")
def _():
    hostile = ["-oops@example.org", '"a b"@example.org', "$HOME@example.org", "|id@example.org",
               "`id`@example.org", "--debug@example.org", "ü@example.org", "A@EXAMPLE.org"]
    begin(policy={"encrypt": "never"})
    tap.equal(pipe(message(", ".join(hostile)), *hostile), (0, ""))
    tap.equal(sorted(r for t in taken() for r in t.recipients), sorted(hostile))
    begin(policy={"encrypt": "never"})
    tap.equal(pipe(message(ALICE), ALICE, sender="-oi@example.org"), (0, ""))
    tap.equal(taken_for(ALICE).args[2:4], ["-f", "-oi@example.org"])


@tap.test("an address that does not parse is refused by name, the others are not affected")
def _():
    begin()
    original = message(ALICE)
    status, output = pipe(original, "not an address", ALICE, "x\ny@example.org")
    tap.equal((status, first_word(output)), (69, "5.7.1"))
    for part in ("not an address", "x?y@example.org", "other recipients have got the message"):
        tap.contains(output, part)
    opens(taken_for(ALICE).body, home.alice, original)
    begin()
    status, output = pipe(original, "not an address")
    tap.equal((status, first_word(output), len(taken())), (69, "5.7.1", 0))
    tap.true("have got" not in output, output)


@tap.test("addresses that differ in case alone: both are in the envelope; one given twice is once")
def _():
    begin()
    tap.equal(pipe(message(ALICE), ALICE, "Alice@example.org", ALICE), (0, ""))
    tap.equal(taken_for(ALICE).recipients, [ALICE, "Alice@example.org"])


@tap.test("line ends: what comes with CRLF is handed over with LF")
def _():
    original = message(ALICE, body="x" * 65470 + "\n" + "line\n" * 30000)
    begin()
    tap.equal(pipe(original.replace(b"\n", b"\r\n"), ALICE), (0, ""))
    got = taken_for(ALICE).body
    tap.true(b"\r" not in got, "a CR is left")
    opens(got, home.alice, original)
    for pad in range(3):
        begin(policy={"encrypt": "never"})
        text = b"x" * pad + b"\n" + b"0123456\n" * 40000 + b"end\n\n"
        plain = message(ALICE).partition(b"\n\n")[0] + b"\n\n" + text
        tap.equal(pipe(plain.replace(b"\n", b"\r\n") + b"\r", ALICE), (0, ""))
        tap.equal(taken_for(ALICE).body, plain + b"\r", "a lone CR stays")
    begin(policy={"encrypt": "never"})
    mixed = message(ALICE, body="a\r\nb\rc")
    tap.equal(pipe(mixed, ALICE), (0, ""))
    tap.equal(taken_for(ALICE).body, mixed, "LF first: as it came")


@tap.test("16 MB, and a sendmail that talks much and reads nothing")
def _():
    begin()
    original = message(ALICE, body="0123456789abcde\n" * 1000000)
    tap.equal(pipe(original, ALICE), (0, ""))
    opens(taken_for(ALICE).body, home.alice, original)
    begin({ALICE: "noise"})
    tap.equal(pipe(message(ALICE), ALICE), (0, ""))
    begin({ALICE: "unread"})
    tap.equal(pipe(message(ALICE), ALICE), (0, ""))


# -- Who gets what ------------------------------------------------------------------------------

MIXED = [ALICE, BOB, NOBODY, "dora@example.org"]  # Dora is a Bcc with a key
dora = home.enrol("dora@example.org", "rsa")
home.enrol("eve@example.org")


def mixed():
    return message(f"{ALICE}, {NOBODY}, {BOB}", "Bcc: dora@example.org\n")


def mixed_sealed(original):
    """The sealed ones: Alice and Bob share theirs, Dora has her own, and nobody knows of her."""
    shared, own = taken_for(ALICE), taken_for(dora.address)
    tap.equal(sorted(shared.recipients), [ALICE, BOB])
    tap.equal(own.recipients, [dora.address])
    opens(shared.body, home.alice, original)
    opens(shared.body, home.bob, original)
    opens(own.body, dora, original)
    cannot_open(shared.body, dora)
    for person in (home.alice, home.bob):
        cannot_open(own.body, person)
    for got in taken():
        tap.true(b"dora@" not in got.body.lower(), "the Bcc is named")


@tap.test("mixed, refuse: the keyless one is named, the others have got theirs")
def _():
    begin()
    original = mixed()
    status, output = pipe(original, *MIXED)
    tap.equal((status, first_word(output)), (69, "5.7.1"))
    tap.contains(output, f"other recipients have got the message: {NOBODY}: ")
    tap.true(ALICE not in output and "dora" not in output, output)
    mixed_sealed(original)
    tap.equal((len(taken()), count(NOBODY)), (2, 0))


@tap.test("mixed, report: the keyless one gets a report without the message")
def _():
    begin(policy={"fallback": "report"})
    original = mixed()
    tap.equal(pipe(original, *MIXED), (0, ""))
    mixed_sealed(original)
    report = taken_for(NOBODY)
    tap.equal(report.recipients, [NOBODY])
    tap.true(MARK.encode() not in report.body and b"Subject: test\n" not in report.body,
             "the report has something of the message")
    tap.contains(report.body, b"multipart/alternative")
    text = email.message_from_bytes(report.body).get_payload(0).get_payload(decode=True).decode()
    tap.contains(text, f"The cause:\r\n{NOBODY}: no smime key for {NOBODY}; encrypt=required by "
                       "[policy]\r\n\r\n")
    tap.true(ALICE not in text, "the other recipient stands in it")


@tap.test("mixed, allow: the keyless one gets it in clear, the others sealed")
def _():
    begin(policy={"fallback": "allow"})
    original = mixed()
    tap.equal(pipe(original, *MIXED), (0, ""))
    mixed_sealed(original)
    plain = taken_for(NOBODY)
    tap.equal(plain.recipients, [NOBODY])
    tap.equal(plain.body, original.replace(b"Bcc: dora@example.org\n", b""))


@tap.test("mixed by rules: a header, a tag that is taken out, a recipient")
def _():
    rules = {"rule exempt": {"match_recipient": NOBODY, "encrypt": "never"},
             "rule tag": {"match_tag": "[seal]", "match_recipient": BOB, "encrypt": "required"},
             "rule app": {"match_header": "X-App: shop*", "encrypt": "never"}}
    begin(**rules)
    original = message(f"{ALICE}, {BOB}, {NOBODY}", "X-App: shop 1\n").replace(
        b"Subject: test", b"Subject: [seal] test")
    tap.equal(pipe(original, ALICE, BOB, NOBODY), (0, ""))
    tap.equal(taken_for(ALICE).body, original)
    tap.equal(taken_for(NOBODY).body, original)
    sealed = taken_for(BOB)
    opens(sealed.body, home.bob, original)
    tap.equal(mail.Message(sealed.body).all("Subject"), [b"test"])


@tap.test("all refused: 69, and nothing is handed over")
def _():
    begin()
    status, output = pipe(message(NOBODY), NOBODY)
    tap.equal((status, first_word(output)), (69, "5.7.1"))
    tap.contains(output, f"refused: {NOBODY}: ")
    tap.equal(taken(), [])


@tap.test("what would be too large for the mail server: 5.3.4 with both numbers, and others get theirs")
def _():
    limit = 100000
    begin(core={"size_limit": limit}, policy={"fallback": "allow"})
    original = message(f"{ALICE}, {NOBODY}", body="0123456\n" * 10000)
    status, output = pipe(original, ALICE, NOBODY)
    tap.equal((status, first_word(output)), (69, "5.3.4"))
    for part in (f"{ALICE}: the message is too large: it would leave with at least 12",
                 f"the mail server takes {limit} "):
        tap.contains(output, part)
    tap.equal([t.recipients for t in taken()], [[NOBODY]])
    tap.contains(home.log_text(), f"to={ALICE} result=refused")
    # Beside one who is refused for another reason.
    begin(core={"size_limit": limit})
    status, output = pipe(original, ALICE, NOBODY)
    tap.equal((status, first_word(output), taken()), (69, "5.7.1", []))
    begin(core={"size_limit": 2 * limit})
    tap.equal(pipe(original, ALICE), (0, ""))


@tap.test("what is wrong with the message itself is refused for all: 69, with the reason, and a line for each")
def _():
    for extra, why in (("X: a\rBcc: b", "malformed message"), ("X: y\n" * 10001, "more than 10000 fields")):
        begin(policy={"encrypt": "never"})
        status, output = pipe(message(ALICE, extra=extra), *MIXED)
        tap.equal((status, first_word(output), taken()), (69, "5.7.1", []))
        tap.contains(output, why)
        tap.equal(home.log_text().count(" result=refused "), len(MIXED))


@tap.test("suspended: byte for byte, to all at once")
def _():
    begin(core={"enabled": "false"})
    original = mixed() + b"\r\n\0odd\r"
    tap.equal(pipe(original, *MIXED), (0, ""))
    tap.equal((len(taken()), taken()[0].recipients, taken()[0].body), (1, MIXED, original))
    tap.contains(home.log_text(), "sealpipe is disabled. Emails will not be encrypted.")


# -- Faults -------------------------------------------------------------------------------------

@tap.test("a sendmail that fails in any way: 75, and the retry hands over what was left")
def _():
    for order in (69, 127, "die"):
        begin({dora.address: order})
        original = message(f"{ALICE}, {BOB}")
        status, output = pipe(original, ALICE, dora.address)
        tap.equal((status, first_word(output)), (75, "4.3.0"), f"for {order}")
        tap.equal((count(ALICE), count(dora.address)), (1, 0), f"for {order}")
        plan()
        tap.equal(pipe(original, ALICE, dora.address), (0, ""), f"retry for {order}")
        tap.equal((count(ALICE), count(dora.address)), (1, 1), f"retry for {order}")
        opens(taken_for(dora.address).body, dora, original)


def last_lines():
    """{recipient: (result, reason) of the last line that names it}."""
    lines = re.findall(r" to=(\S+) result=(\S+) .*by=pipe .*reason=(.*)", home.log_text())
    return {to: (result, reason.strip('"')) for to, result, reason in lines}


@tap.test("the last line of the log on each recipient says what became of the hand-over")
def _():
    eve = "eve@example.org"
    original = message(f"{ALICE}, {NOBODY}")
    begin({dora.address: 75}, core={"log_level": "info"})
    tap.equal(pipe(original, ALICE, dora.address, NOBODY)[0], 75)
    said = last_lines()
    tap.equal(said[ALICE], ("handed-over", f"to {fake}"))
    tap.equal(said[dora.address],
              ("deferred", f"the hand-over failed: {fake} ended with status 75: the disk is full"))
    tap.equal(said[NOBODY][0], "refused")
    tap.contains(home.log_text(), f"to={dora.address} result=sealed")
    plan()
    tap.equal(pipe(original, ALICE, dora.address, NOBODY)[0], 69)
    tap.equal(last_lines()[ALICE], ("handed-over", "by an earlier try, and not again"))
    tap.equal(last_lines()[dora.address], ("handed-over", f"to {fake}"))
    # Without a journal the others are not tried.
    begin({dora.address: 75, eve: 75})
    pipe(message("undisclosed@example.org"), dora.address, eve, ident=None)
    tap.equal(sorted(reason for _, reason in last_lines().values()),
              ["not handed over: another hand-over failed",
               f"the hand-over failed: {fake} ended with status 75: the disk is full"])
    # A sendmail that is none; an end by the mail server.
    begin()
    home.run("sealpipe-pipe", "-f", SENDER, "--sendmail", "sendmail", "--", ALICE, stdin=original)
    tap.contains(last_lines()[ALICE][1], "not handed over: --sendmail takes an absolute path")
    begin({ALICE: f"end {int(signal.SIGTERM)}", dora.address: f"end {int(signal.SIGTERM)}"})
    pipe(message("undisclosed@example.org"), ALICE, dora.address)
    tap.equal(sorted(result for result, _ in last_lines().values()), ["deferred", "handed-over"])
    tap.contains(str(last_lines()), "not handed over: interrupted by a signal")


@tap.test("a sendmail that will never take it for its size: 5.3.4, and the others get theirs")
def _():
    original = message(f"{ALICE}, {BOB}")
    for ident in ("Q1", None):
        begin({dora.address: "too big"})
        status, output = pipe(original, dora.address, ALICE, ident=ident)
        tap.equal((status, first_word(output)), (69, "5.3.4"))
        tap.contains(output, "while all other recipients have got the message")
        tap.contains(output, f"{dora.address}: as it is to leave it is larger than")
        tap.equal((count(ALICE), count(dora.address)), (1, 0))
    begin({ALICE: "too big"})
    # The last one is handed over first.
    tap.equal(pipe(original, dora.address, ALICE)[0], 69)
    tap.equal((count(ALICE), count(dora.address)), (0, 1), "whoever comes after")
    result, reason = last_lines()[ALICE]
    tap.equal(result, "refused", "the log")
    tap.true(re.search(r"; it has \d+ octets, and .* ended with status 75: .*message file too big",
                       reason), reason)
    # As OpenSMTPD, Exim and sendmail put it.
    for words in ("sendmail: command failed: 552 5.3.4 message too big",
                  "552 5.3.4 Message size exceeds fixed maximum message size",
                  "552 5.3.4 message size (100) exceeds maximum fixed size", "exim: message too big"):
        begin({dora.address: f"say {words}"})
        tap.equal(pipe(message(dora.address), dora.address)[0], 69, words)
    begin({dora.address: "too big", ALICE: 75})
    tap.equal(pipe(original, dora.address, ALICE)[0], 75, "beside one that may be tried again")


@tap.test("too big beside one who has got it before: he is not said to have been refused")
def _():
    original = message(f"{ALICE}, {dora.address}")
    apart = {"rule apart": {"match_recipient": dora.address, "encrypt": "never"}}
    begin({dora.address: 75}, **apart)
    tap.equal(pipe(original, ALICE, dora.address)[0], 75)
    configure()
    plan({dora.address: "too big"})
    status, output = pipe(original, ALICE, dora.address)
    tap.equal((status, first_word(output)), (69, "5.3.4"))
    tap.contains(output, dora.address)
    tap.true(f"{ALICE}: " not in output, output)
    tap.equal((count(ALICE), count(dora.address)), (1, 0))


@tap.test("what only repeats an address says nothing of the size")
def _():
    # Exactly as OpenSMTPD, sendmail and Exim put it, and in other ways that read the same.
    for words in ("message too big", "Message  too.big", "exceeds maximum fixed size",
                  "exceeds fixed maximum message size", "user(103): message file too big"):
        for sender, to in ((f'"{words}"@example.net', dora.address), (SENDER, f'"{words}"@example.org')):
            begin({to: "repeat"}, policy={"encrypt": "never"})
            status, output = pipe(message(to), to, sender=sender)
            tap.equal((status, first_word(output)), (75, "4.3.0"), f"{sender} {to}")
            tap.contains(home.log_text(), "queue file write error")
    # One that writes them small.
    sender = '"Message Too Big"@example.net'
    begin({dora.address: "repeat small"}, policy={"encrypt": "never"})
    tap.equal(pipe(message(dora.address), dora.address, sender=sender)[0], 75, sender)
    begin({dora.address: "too big"})
    tap.equal(pipe(message(dora.address), dora.address, sender='"another"@example.net')[0], 69)


@tap.test("a failure at each hand-over in turn: each recipient gets it exactly once in the end")
def _():
    people = [ALICE, dora.address, "eve@example.org"]
    original = message("undisclosed@example.org")
    for failing in people:
        begin({failing: 75})
        tap.equal(pipe(original, *people)[0], 75, failing)
        tap.equal([count(p) for p in people], [p != failing for p in people], failing)
        plan()
        tap.equal(pipe(original, *people), (0, ""), failing)
        tap.equal([count(p) for p in people], [1, 1, 1], failing)
        tap.equal(pipe(original, *people), (0, ""), "a third try has nothing to do")
        tap.equal([count(p) for p in people], [1, 1, 1], failing)


@tap.test("kill -9 before each hand-over: the retry skips what was handed over, and loses none")
def _():
    people = [ALICE, dora.address, "eve@example.org"]
    original = message("undisclosed@example.org")
    for failing in people:
        begin({failing: "kill before"})
        tap.equal(pipe(original, *people), (-9, ""), failing)
        before = [count(p) for p in people]
        tap.equal(before[people.index(failing)], 0, failing)
        plan()
        tap.equal(pipe(original, *people), (0, ""), failing)
        tap.equal([count(p) for p in people], [1, 1, 1], f"{failing}: {before} before")


@tap.test("kill -9 in the window of one hand-over: that one may come twice, no other")
def _():
    people = [ALICE, dora.address, "eve@example.org"]
    original = message("undisclosed@example.org")
    begin({dora.address: "kill after"})
    tap.equal(pipe(original, *people), (-9, ""))
    plan()
    tap.equal(pipe(original, *people), (0, ""))
    tap.equal([count(p) for p in people], [1, 2, 1])


@tap.test("TERM, INT and HUP: the hand-over is finished, the others are left for the retry")
def _():
    people = [ALICE, dora.address, "eve@example.org"]
    original = message("undisclosed@example.org")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # The last is handed over first.
        begin({"eve@example.org": f"end {int(number)}"})
        status, output = pipe(original, *people)
        tap.equal((status, first_word(output)), (75, "4.3.0"), number.name)
        tap.equal([count(p) for p in people], [0, 0, 1], number.name)
        plan()
        tap.equal(pipe(original, *people), (0, ""), number.name)
        tap.equal([count(p) for p in people], [1, 1, 1], number.name)
        begin({ALICE: f"end {int(number)}"})
        tap.equal(pipe(original, *people), (0, ""), f"{number.name} in the last one")
    begin({p: "end 15" for p in people})
    ignoring = lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tap.equal(pipe(original, *people, preexec_fn=ignoring), (0, ""), "ignored")


@tap.test("the journal knows ids, recipients and messages apart")
def _():
    begin()
    original = message(ALICE)
    tap.equal(pipe(original, ALICE), (0, ""))
    tap.equal(pipe(b"From carol@example.net Mon Jan  1 00:00:00 2026\n" + original, ALICE), (0, ""))
    tap.equal(count(ALICE), 1, "the same again, but for the separator line")
    for octets, recipient, ident in ((original, ALICE, "Q2"), (original, BOB, "Q1"),
                                     (message(ALICE, body="other"), ALICE, "Q1")):
        before = len(taken())
        tap.equal(pipe(octets, recipient, ident=ident), (0, ""))
        tap.equal(len(taken()), before + 1, f"{recipient} {ident}")
    tap.true(MARK not in "".join(p.read_text() for p in STATE.glob("journal/*")), "the journal")
    for path in [STATE / "journal", *STATE.glob("journal/*")]:
        tap.equal(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, f"mode of {path}")


@tap.test("without --id there is no journal: each run hands over")
def _():
    begin()
    for n in (1, 2):
        tap.equal(pipe(message(ALICE), ALICE, ident=None), (0, ""))
        tap.equal(count(ALICE), n)
    tap.equal(list(STATE.glob("journal/*")), [])


@tap.test("no journal to be had: 75, and nothing is handed over")
def _():
    begin(core={"state_dir": "/nonexistent/state"})
    status, output = pipe(message(ALICE), ALICE)
    tap.equal((status, first_word(output), taken()), (75, "4.3.0", []))
    tap.equal(pipe(message(ALICE), ALICE, ident=None), (0, ""), "needed with --id alone")
    begin()
    os.chmod(STATE / "journal", 0o777)
    status, output = pipe(message(ALICE), ALICE)
    os.chmod(STATE / "journal", 0o700)
    tap.equal((status, first_word(output), taken()), (75, "4.3.0", []))


@tap.test("every other fault: 75, a line, input read to its end, nothing handed over")
def _():
    big = message(ALICE, body="x" * 70 + "\n" + "y\n" * 200000)

    def deferred(what, octets=big, recipients=(ALICE,), **how):
        status, output = pipe(octets, *recipients, **how)
        tap.equal((status, first_word(output), taken()), (75, "4.3.0", []), what)

    begin()
    deferred("no message", b"")
    deferred("no recipient", recipients=())
    deferred("an unknown option", more=["--frobnicate"])
    deferred("inbound", more=["-d", "inbound"])
    deferred("sendmail without a path", more=["--sendmail", "sendmail"])
    deferred("no sendmail", more=["--sendmail", " "])
    deferred("a sendmail that is not there", more=["--sendmail", "/nonexistent/sendmail"])
    result = home.run("sealpipe-pipe", "--", ALICE, stdin=big)
    tap.equal((result.status, result.output[:6], taken()), (75, b"4.3.0 ", []), "no -f")
    begin(policy={"encrypt": "perhaps"})
    deferred("a broken configuration")
    begin(core={"in_process": "false"})
    deferred("no daemon")
    begin(core={"spool_dir": "/nonexistent"})
    deferred("nowhere to spool")


# -- Full disks and kills -----------------------------------------------------------------------

class Small:
    """A folder of 1 MiB in a view of the files of its own, and runs of sealpipe-pipe in it."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.child = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c",
             'mount -t tmpfs -o size=1m,mode=0700 tmpfs "$0" && echo ready && exec cat', folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.child.stdout.readline() != b"ready\n":
            raise tap.Skip("no file system of its own can be mounted here")
        self.enter = ["nsenter", f"--mount=/proc/{self.child.pid}/ns/mnt", "--"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(timeout=30)
        self.child.stdout.close()

    def run(self, *command, stdin=b""):
        result = subprocess.run([*self.enter, *command], input=stdin, capture_output=True,
                                timeout=60, env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"})
        return result.returncode, result.stdout.decode()

    def pipe(self, octets, *recipients):
        return self.run(home.bin / "sealpipe-pipe", "-c", home.conf, "-f", SENDER, "--id", "Q1",
                        "--sendmail", f"{fake} {TAKEN}", "--", *recipients, stdin=octets)


def needs_root():
    if os.getuid() != 0:
        raise tap.Skip("to mount needs root")


@tap.test("the spool's disk is full: 75, nothing is handed over")
def _():
    needs_root()
    small = home.folder / "small"
    begin(core={"spool_dir": small, "spool_memory": 0})
    with Small(small) as disk:
        status, output = disk.pipe(message(ALICE, body="x" * 60 + "\n" + "y\n" * 2000000), ALICE)
        tap.equal((status, first_word(output), taken()), (75, "4.3.0", []))
        # Room for what came, none for what is to go.
        status, output = disk.pipe(message(ALICE, body="0123456\n" * 75000), ALICE)
        tap.equal((status, first_word(output), taken()), (75, "4.3.0", []))
        tap.equal(disk.pipe(message(ALICE), ALICE), (0, ""))


@tap.test("the journal's disk is full: 75 before the first hand-over, and nothing after it")
def _():
    needs_root()
    small = home.folder / "small"
    people = [ALICE, dora.address, "eve@example.org"]
    original = message("undisclosed@example.org")
    begin({dora.address: f"fill {small}"}, core={"state_dir": small})
    with Small(small) as disk:
        tap.equal(disk.pipe(original, *people), (0, ""))
        tap.equal(disk.run("df", "--output=avail", small)[1].split()[-1], "0", "room")
        tap.equal(disk.pipe(original, *people), (0, ""), "again")
        tap.equal([count(p) for p in people], [1, 1, 1], "hand-overs")
        # The last page has room for some records still, but not for these.
        plan()
        configure(core={"state_dir": small}, policy={"encrypt": "never"})
        many = [f"r{n}@example.org" for n in range(80)]
        original = message(", ".join(many))
        status, output = disk.pipe(original, *many)
        tap.equal((status, first_word(output), count(many[0])), (75, "4.3.0", 0))
        disk.run("rm", small / "fill")
        tap.equal(disk.pipe(original, *many), (0, ""))
        tap.equal([count(r) for r in many], [1] * 80)


def runners():
    """Those of this test: their arguments name its folder."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == b"sealpipe-run" and os.fsencode(home.conf) in words:
            found.append(int(entry.name))
    return found


@tap.test("kill -9 of client or runner, with all of it sealed: nothing is handed over or left")
def _():
    mark, spool = home.folder / "mark", home.folder / "killed"
    spool.mkdir()
    for victim in ("client", "runner"):
        begin(core={"spool_dir": spool, "spool_memory": 0}, pipeline={"outbound": "smime;hold"},
              **{"module hold": {"mark": mark}})
        child = subprocess.Popen(
            [home.bin / "sealpipe-pipe", "-c", home.conf, "-f", SENDER, "--id", "Q1", "--sendmail",
             f"{fake} {TAKEN}", "--", ALICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"SEALPIPE_MODULES": str(home.modules_with(HOLD))})
        child.stdin.write(message(ALICE))
        child.stdin.close()
        tap.wait_for(mark.exists, "the runner has sealed")
        for pid in [child.pid] if victim == "client" else runners():
            os.kill(pid, signal.SIGKILL)
        tap.equal(child.wait(timeout=60), -9 if victim == "client" else 75, victim)
        child.stdout.close()
        tap.wait_for(lambda: not runners(), "the runner is gone")
        tap.equal((taken(), list(spool.iterdir())), ([], []), victim)
        mark.unlink()
        configure()
        tap.equal(pipe(message(ALICE), ALICE), (0, ""), victim)
        tap.equal(count(ALICE), 1, victim)


@tap.test("nothing is left in the spool folder, and no plain text there or in state")
def _():
    spool = home.folder / "spool"
    spool.mkdir()
    begin({ALICE: 75}, core={"spool_dir": spool, "spool_memory": 0})
    tap.equal(pipe(message(ALICE), ALICE)[0], 75)
    tap.equal(list(spool.iterdir()), [])
    begin({ALICE: "kill before"}, core={"spool_dir": spool, "spool_memory": 0})
    tap.equal(pipe(message(ALICE), ALICE)[0], -9)
    tap.equal(list(spool.iterdir()), [])
    tap.true(MARK not in home.log_text(), "the log")


tap.main()
