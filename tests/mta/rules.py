# SPDX-License-Identifier: GPL-2.0-or-later
"""What every front end must do, and which tests prove it.

rules.py MODULE: a stage that stops, see hold/hold.c. The table is kept honest by the first test here, which looks each of its tests up. What no other
file proves stands below it.
"""

import pathlib
import re
import select
import subprocess
import sys
import threading

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "lib"))
import mail
import tap
from home import BOUND, SANITIZERS, Home

RULES = {
    "1. Read stdin to its end, even on error": [
        ("mta/rules.py", "the input is read to its end, whatever is wrong"),
        ("client/client.py", "2 MB of input are taken when the runner reads none of it"),
        ("client/client.py", "transport: without stdout the input is read all the same"),
    ],
    "2. Build the whole result first; write only on success; never exit 0 with a part of it": [
        ("mta/rules.py", "nothing comes out before the input has ended"),
        ("mta/filter.py", "output that cannot be written is 75"),
        ("mta/filter.py", "zero bytes of input are no message"),
        ("abi/quit.py", "{_place}: every way of ending the process defers the message"),
        ("fault/fault.py", "the runner's {_call} fails"),
        ("mta/exim.py", "a {_who} that is killed {_when}: deferred, and sent whole at the next try"),
    ],
    "3. Never write to fd 2, nor let a child do so": [
        ("client/client.py", "the runner's stderr goes nowhere, unless --debug"),
        ("mta/exim.py", "noise on standard error and output, a module's and its child's, is in no mail"),
    ],
    "4. A deadline of its own; children in a group, killed with it; signals and umask reset": [
        ("client/client.py", "a runner past its limit is killed with its children"),
        ("client/client.py", "whoever is left in the group is killed when the runner ends"),
        ("client/client.py", "the client's death is the runner's"),
        ("client/client.py", "the runner leads a process group, with umask 077"),
        ("client/client.py", "signals that the parent ignored or blocked are reset"),
        ("mta/rules.py", "the deadline ends a run that does not come to an end"),
        ("mta/rules.py", "a child of the runner gains no rights, leaves no core file, and holds nothing of ours"),
    ],
    "5. Assume no HOME and a minimal PATH": [
        ("client/client.py", "the environment is PATH and what is kept"),
        ("mta/rules.py", "an empty environment, an unreadable HOME and a foreign cwd change nothing"),
    ],
    "6. LF in, LF out": [
        ("mta/filter.py", "LF in, LF out; CRLF in is the same entity"),
        ("mta/exim.py", "a message arrives sealed, with its final dot, and opens byte-identical"),
    ],
    "7. Strip Bcc and Return-path; one recipient per run": [
        ("mta/filter.py", "what lies outside: every other field in its order, and base64"),
        ("mta/filter.py", "fallback=allow, encrypt=preferred and encrypt=never: clear without Bcc and Return-path"),
        ("mta/filter.py", "several recipients with a Bcc among them: nothing leaves, max_rcpt is named"),
        ("mta/exim.py", "a Bcc in the header does not go out"),
        ("mta/exim.py", "three recipients: each a sealed copy of his own"),
    ],
    "8. Take addresses as hostile": [
        ("mta/filter.py", "hostile recipients behind -- are addresses, and nothing else"),
        ("mta/filter.py", "the sender: -f, else Return-path, else From"),
        ("mta/hostile.py", "sealpipe-check: a hostile address without a key is refused, as an address"),
        ("mta/hostile.py", "sealpipe-check: what is no address is refused, with one short printable line"),
        ("mta/exim.py", "hostile recipients, through the check and without it"),
        ("mta/exim.py", "the null sender"),
    ],
    "9. Be idempotent: it is run again on every retry and every host": [
        ("mta/rules.py", "a run leaves nothing behind, and the next gives the same"),
        ("mta/filter.py", "what is sealed already passes as it is; what only looks so is sealed"),
        ("mta/exim.py", "certificates that cannot be read: deferred, and sent once they can"),
    ],
    "10. Never fall back to plaintext because of an error": [
        ("mta/rules.py", "an error is no missing key: 75 where policy lets mail without a key out"),
        ("fault/fault.py", "the runner's {_call} fails"),
        ("mta/exim.py", "a broken configuration: deferred"),
        ("mta/exim.py", "a stage that fails, and a filter that fails at once, with megabytes unread: deferred"),
    ],
}

MODULE = tap.arguments()[0]
SANITIZED = "--sanitize" in sys.argv
ALICE, NOBODY = "alice@example.org", "nobody@example.org"
MESSAGE = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe secret body.\n"
home = Home("rules")


@tap.test("each of the ten rules has its tests, and they are there")
def _():
    tap.equal([rule.split(".")[0] for rule in RULES], [str(n) for n in range(1, 11)], "rules")
    for rule, proofs in RULES.items():
        tap.true(proofs, f"{rule}: no test")
        for file, name in proofs:
            names = re.findall(r'^ *@tap\.test\(f?"(.*)"\)$', (TESTS / file).read_text(), re.M)
            tap.true(name in names, f"{rule}: {file} has no test {name!r}")


class Feed(threading.Thread):
    """Writes as an MTA does: a pipe that is closed before all is taken is a failure."""

    def __init__(self, pipe, octets):
        super().__init__()
        self.pipe, self.octets, self.taken = pipe, octets, False
        self.start()

    def run(self):
        try:
            with self.pipe:
                self.pipe.write(self.octets)
            self.taken = True
        except BrokenPipeError:
            pass


def start(*args, env=None):
    return subprocess.Popen([home.bin / "sealpipe", *args], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**SANITIZERS, **(env or {})})


def run(octets, *args, env=None):
    """(status, output, errors); all of the input was taken."""
    child = start(*args, env=env)
    feed, child.stdin = Feed(child.stdin, octets), None
    output, errors = child.communicate(timeout=BOUND)
    feed.join()
    tap.true(feed.taken, f"{args}: the input was not read to its end")
    return child.returncode, output, errors


@tap.test("the input is read to its end, whatever is wrong")
def _():
    big = MESSAGE + b"x" * (2 << 20)
    conf = ["-c", home.conf]
    for args in ([*conf, "--", "no address"], [*conf, "--"], [*conf, "--unknown", "--", ALICE],
                 ["-c", "/nonexistent", "--", ALICE], ["--", ALICE], [*conf, "--", NOBODY], ["-f"],
                 [*conf, "-d", "inwards", "--", ALICE]):
        tap.equal(run(big, *args), (75, b"", b""), f"{args}")
    too_large = MESSAGE.replace(b"Subject: s", b"Subject: " + b"s" * (3 << 20))
    tap.equal(run(too_large, *conf, "--", ALICE), (75, b"", b""), "a message that is refused")
    home.configure({"core": {"spool_dir": "/proc/self", "spool_memory": "1K"}})
    tap.equal(run(big, *conf, "--", ALICE), (75, b"", b""), "no room for the message")
    home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
    tap.equal(run(big, *conf, "--", ALICE), (75, b"", b""), "a broken configuration")
    home.configure()


@tap.test("nothing comes out before the input has ended")
def _():
    for policy in ("required", "never"):
        home.configure({"policy": {"encrypt": policy}})
        child = start("-c", home.conf, "--", ALICE)
        # Were it to write early, it would fill its pipe and take no more.
        feed = threading.Thread(target=lambda: child.stdin.write(MESSAGE + b"x" * (4 << 20)))
        feed.start()
        feed.join(timeout=BOUND)
        tap.true(not feed.is_alive(), "it takes no more")
        tap.equal(select.select([child.stdout], [], [], 0)[0], [], f"early output, {policy}")
        output, errors = child.communicate(timeout=BOUND)
        tap.equal((child.returncode, errors), (0, b""))
        tap.true(len(output) > 4 << 20, "the result is short")
    home.configure()


@tap.test("the deadline ends a run that does not come to an end")
def _():
    mark = home.folder / "mark"
    modules = home.modules_with(MODULE)
    home.configure({"core": {"deadline": "1s"}, "pipeline": {"outbound": "hold;smime"},
                    "module hold": {"what": "hold", "mark": mark}})
    try:
        big = MESSAGE + b"x" * (2 << 20)
        got = run(big, "-c", home.conf, "--", ALICE, env={"SEALPIPE_MODULES": str(modules)})
        tap.equal(got, (75, b"", b""))
        tap.true(mark.exists(), "it came to no stop")
    finally:
        home.configure()


@tap.test("the deadline is of time without progress: what moves on is no fault, unless it goes on and on")
def _():
    mark = home.folder / "mark"
    modules = home.modules_with(MODULE)
    big = MESSAGE + b"0123456\n" * (1 << 20)
    try:
        for what, octets, status, why in (
                ("slow", big, 0, "result=sealed"),
                ("hold", big, 75, "no progress within 2000 ms"),
                ("spin", MESSAGE, 75, "the runner was killed: no progress within")):
            home.configure({"core": {"deadline": "2s"}, "pipeline": {"outbound": "hold;smime"},
                            "module hold": {"what": what, "mark": mark}})
            home.clear_log()
            status_now, output, errors = run(octets, "-c", home.conf, "--id", "ID1", "-f", "s@x", "--", ALICE,
                                             env={"SEALPIPE_MODULES": str(modules)})
            tap.equal((status_now, errors, output == b""), (status, b"", status != 0), what)
            tap.contains(home.log_text(), why, what)
            tap.contains(home.log_text(), f"id=ID1 from=s@x to={ALICE} result=", what)
    finally:
        home.configure()


@tap.test("a child of the runner gains no rights, leaves no core file, and holds nothing of ours")
def _():
    mark = home.folder / "child"
    modules = home.modules_with(MODULE)
    home.configure({"core": {"spool_memory": "1K"}, "pipeline": {"outbound": "hold;smime"},
                    "module hold": {"what": "child", "mark": mark}})
    try:
        big = MESSAGE + b"more of the body\n" * 10000
        status, _, errors = run(big, "-c", home.conf, "--", ALICE,
                                env={"SEALPIPE_MODULES": str(modules)})
        tap.equal((status, errors), (0, b""))
    finally:
        home.configure()
    text = mark.read_text()
    tap.true(re.search(r"(?m)^NoNewPrivs:\t1$", text), "NoNewPrivs")
    tap.true(re.search(r"(?m)^Umask:\t0077$", text), "umask")
    if not SANITIZED:
        tap.true(re.search(r"(?m)^Max core file size +0 +0 ", text), "core files")
    # Standard input, the mark, /dev/null, and the folder that ls reads.
    held = sorted(re.findall(r" (\d+) -> (.*)", text))
    tap.equal([number for number, _ in held], ["0", "1", "2", "3"], f"descriptors {held}")
    tap.equal((held[1][1], held[2][1]), (str(mark), "/dev/null"), "standard output and error")


@tap.test("an empty environment, an unreadable HOME and a foreign cwd change nothing")
def _():
    for env in ({}, {"HOME": "/nonexistent", "PATH": ""}, {"HOME": "/proc/1/root", "TMPDIR": "/nonexistent"}):
        result = subprocess.run([home.bin / "sealpipe", "-c", home.conf, "--", ALICE], input=MESSAGE,
                                capture_output=True, timeout=BOUND, env=env, cwd="/")
        tap.equal((result.returncode, result.stderr), (0, b""), f"{env}")
        tap.equal(mail.opened(result.stdout, home.alice), mail.inner_entity(MESSAGE))


def files():
    """All but the log: what, how long, when changed."""
    found = {}
    for path in sorted(home.folder.rglob("*")):
        if path != home.log:
            status = path.stat()
            found[path] = status.st_size, status.st_mtime_ns, status.st_ino
    return found


@tap.test("a run leaves nothing behind, and the next gives the same")
def _():
    spool = home.folder / "spool"
    spool.mkdir()
    home.configure({"core": {"spool_dir": spool, "spool_memory": "1K", "ledger_days": "0"}})
    big = MESSAGE + b"more of the body\n" * 10000
    before = files()
    for _ in range(3):
        status, output, errors = run(big, "-c", home.conf, "--", ALICE)
        tap.equal((status, errors), (0, b""))
        opened = mail.opened(output, home.alice)
        tap.true(opened == mail.inner_entity(big), "it opens to something else")
        tap.equal(run(big, "-c", home.conf, "--", NOBODY), (75, b"", b""))
        tap.equal(files(), before, "files")
    home.configure()


@tap.test("an error is no missing key: 75 where policy lets mail without a key out")
def _():
    broken = home.folder / "loop"
    broken.symlink_to(broken)
    for policy in ({"encrypt": "preferred"}, {"encrypt": "required", "fallback": "allow"}):
        home.configure({"policy": policy})
        tap.equal(run(MESSAGE, "-c", home.conf, "--", NOBODY), (0, MESSAGE, b""), "without a key")
        for what, changes in {
                "certificates that cannot be read": {"module keys-file": {"paths": broken}},
                "no room": {"core": {"spool_dir": "/proc/self", "spool_memory": "0"}},
                "unreadable anchors": {"module smime": {"trust_anchors": broken}},
                "unreadable CRLs": {"module smime": {"trust_anchors": home.authority.cert, "crls": broken}},
                "no daemon": {"core": {"in_process": "false"}},
                "an unknown module": {"module pigeon": {}}}.items():
            home.configure({"policy": policy, **changes})
            for address in (ALICE, NOBODY):
                tap.equal(run(MESSAGE, "-c", home.conf, "--", address), (75, b"", b""), what)
    home.configure()


tap.main()
