# SPDX-License-Identifier: GPL-2.0-or-later
"""Every call that can fail fails once: the message leaves whole and sealed, or not at all.

fault.py LIBRARY CLIENT RUNNER LINKED [--sanitize]: what is preloaded, a `sealpipe` that looks for
its runner at RUNNER, one as it is installed that can be preloaded into, and whether sanitizers are there, which then must have nothing to report.

The policy is encrypt=preferred: what a fault hides must not pass for "no key", or it would be seen
here in clear. No test is about fsync, since nothing calls it: what sealpipe spools is read back by
the same process, and the queue is the mail server's.
"""

import os
import pathlib
import resource
import shlex
import signal
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import certs
import home as homes
import runner
import tap

LIBRARY, CLIENT, RUNNER, LINKED = tap.arguments()[:4]
SANITIZED = "--sanitize" in sys.argv
# For each kind of call; beyond that every n-th is made to fail.
MOST_RUNS = 20 if SANITIZED else 60
LINES = 6000  # more than a pipe holds
MESSAGE = (b"From: carol@example.org\nTo: alice@example.org\nSubject: s\n"
           b"Content-Type: text/plain\n\n" + b"the secret words\n" * LINES)
INNER = (b"Content-Type: text/plain\r\n\r\n" + b"the secret words\r\n" * LINES)
ALICE = "alice@example.org"
# GLib ends the process where there is no memory; the client makes a 75 of that.
ABORTED = {128 + signal.SIGABRT, 128 + signal.SIGTRAP}

home = homes.Home("fault")
home.configure({"core": {"log_target": home.log, "spool_memory": "1K"},
                "policy": {"encrypt": "preferred"}})
reports = home.folder / "reports"
reports.mkdir()
count_file, done_file, status_file = (home.folder / n for n in ("count", "done", "status"))


def sanitizer_options():
    """One allocation for each object, so that they see all of them."""
    common = f"log_path={reports}/report"
    # The order of libraries is as it must be: ours hands on to theirs.
    return {"ASAN_OPTIONS": f"{common}:detect_leaks=1:verify_asan_link_order=0",
            "UBSAN_OPTIONS": common, "G_SLICE": "always-malloc"} if SANITIZED else {}


def fault_env(call, at):
    return {"LD_PRELOAD": LIBRARY, "FAIL_CALL": call, "FAIL_AT": str(at),
            "FAIL_REPORT": str(count_file), "FAIL_DONE": str(done_file), **sanitizer_options()}


class InRunner:
    """The fault is in the runner, which a client has started."""

    def __init__(self, program="transport"):
        self.program = program

    def command(self, call, at):
        words = [f"{k}={v}" for k, v in fault_env(call, at).items()] + [str(runner.PATH)]
        script = pathlib.Path(RUNNER)
        new = script.with_suffix(".new")
        new.write_text(f"#!/bin/sh\nulimit -c 0\nenv {shlex.join(words)} \"$@\"\n"
                       f"status=$?\necho $status >{shlex.quote(str(status_file))}\nexit $status\n")
        new.chmod(0o755)
        new.rename(script)
        return [CLIENT], sanitizer_options()

    def check_end(self, status, call, what):
        """The client makes 75 of all; the runner must have known what it did. Where memory fails
        within GLib's once-only initialisation, GLib waits for itself, and the client's clock ends it."""
        if call == "malloc" and not status_file.exists():
            tap.equal(status, 75, f"{what}: status of what the clock has ended")
            return
        end = int(status_file.read_text())
        allowed = {status} | (ABORTED if call == "malloc" else set())
        tap.true(end in allowed, f"{what}: the runner ended with {end}")


class InClient:
    """The fault is in the client; the runner gets an environment without it."""

    def command(self, call, at):
        return [LINKED], fault_env(call, at)

    def check_end(self, status, call, what):
        pass


def feed(pipe, result):
    """An MTA must not find its pipe closed."""
    try:
        with pipe:
            pipe.write(MESSAGE)
        result.append(True)
    except BrokenPipeError:
        pass


def no_report(what):
    """What sanitizers have to say is in files of their own."""
    for path in reports.iterdir():
        text = path.read_text(errors="replace")
        path.unlink()
        raise AssertionError(f"{what}: {text[:3000]}")


def run(target, call, at):
    """(status, output, how many calls there were or None, whether one was made to fail)"""
    for path in (count_file, done_file, status_file):
        path.unlink(missing_ok=True)
    command, env = target.command(call, at)
    child = subprocess.Popen([*command, "-c", home.conf, "-f", "", "--", ALICE], env=env,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    taken = []
    writer = threading.Thread(target=feed, args=(child.stdin, taken))
    writer.start()
    child.stdin = None
    output, errors = child.communicate(timeout=homes.BOUND)
    writer.join()
    what = f"{call} {at} failing"
    tap.true(taken, f"{what}: the input was not read to its end")
    tap.equal(errors, b"", f"{what}: standard error")
    no_report(what)
    if child.returncode or not isinstance(target, InClient):
        target.check_end(child.returncode, call, what)
    count = int(count_file.read_text()) if count_file.exists() else None
    return child.returncode, output, count, done_file.exists()


def opens(output):
    sealed = home.folder / "sealed.eml"
    sealed.write_bytes(output)
    return certs.openssl("cms", "-decrypt", "-in", sealed, "-recip", home.alice.cert, "-inkey",
                         home.alice.key)


def check(target, call, late=False):
    """Which of the calls stop the message by failing. @late: it may fail while the result is being
    written. The status tells the MTA to drop what it has got by then, and none of it is in clear."""
    status, output, count, _ = run(target, call, 0)
    tap.equal(status, 0, "status without a fault")
    tap.equal(opens(output), INNER, "content without a fault")
    tap.true(count, f"{call} is called at all")

    stopped, survived = [], 0
    for at in range(1, count + 1, max(1, -(-count // MOST_RUNS))):
        status, output, _, done = run(target, call, at)
        what = f"{call} {at} failing"
        if status == 0:
            # How often a pipe is read or waited for is not the same each time.
            survived += done
            tap.true(b"secret" not in output, f"{what}: it is in clear")
            tap.equal(opens(output), INNER, f"{what}: content")
            continue
        stopped.append(at)
        tap.equal(status, 75, f"{what}: status")
        if late:
            tap.true(b"secret" not in output, f"{what}: something in clear")
        else:
            tap.equal(output, b"", f"{what}: output")
    tap.note(f"{call}: {count} calls, {len(stopped)} faults stopped the message, {survived} did no harm")
    return stopped


# -- In the runner ------------------------------------------------------------------------------

# With the last that it sends the runner says that it is done: the result has gone out by then.
for _call, _late in (("open", False), ("read", False), ("pread", True), ("write", False),
                     ("sendmsg", True), ("stat", False), ("opendir", False), ("readdir", False), ("malloc", True)):
    @tap.test(f"the runner's {_call} fails")
    def _(call=_call, late=_late):
        tap.true(check(InRunner(), call, late), f"some {call} matters")


# -- While keys to sign with are looked for ------------------------------------------------------

def sign_with_fault(call, at):
    for path in (count_file, done_file, status_file):
        path.unlink(missing_ok=True)
    command, env = InRunner().command(call, at)
    result = subprocess.run(
        [*command, "-c", home.conf, "-f", "carol@example.org", "--submission=yes", "--", ALICE],
        env=env, input=MESSAGE, capture_output=True, timeout=homes.BOUND)
    no_report(f"{call} {at} failing")
    return result.returncode, result.stdout


for _call in ("open", "read", "stat", "opendir", "readdir"):
    @tap.test(f"{_call} fails while keys to sign with are looked for: nothing leaves unsigned")
    def _(call=_call):
        carol = home.authority.person("carol@example.org", "ec")
        folder = home.folder / "server-keys"
        folder.mkdir(exist_ok=True)
        for number in range(3):
            path = folder / f"{number}.pem"
            path.write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
            path.chmod(0o600)
        home.configure({
            "core": {"log_target": home.log}, "policy": {"encrypt": "never", "sign": "preferred"},
            "module sign": {"trust_from": "true"}, "module smime": {"server_keys": folder}})
        status, output = sign_with_fault(call, 0)
        tap.true(status == 0 and b"multipart/signed" in output, "without a fault")
        count = int(count_file.read_text())
        for at in range(1, count + 1, max(1, -(-count // MOST_RUNS))):
            status, output = sign_with_fault(call, at)
            tap.true(status == 75 or (status == 0 and b"multipart/signed" in output),
                     f"{call} {at} failing: {status}, {output[:200]!r}")
        home.configure({"core": {"log_target": home.log, "spool_memory": "1K"},
                        "policy": {"encrypt": "preferred"}})


# -- In the client ------------------------------------------------------------------------------

# The last three may fail when the result has gone out. How many reads of the watch there are depends
# on how the runner's lines fall together. The first is always of where its log goes, which it says
# before it does anything else; each of them stops the message.
for _call, _late in (("open", False), ("fcntl", False), ("access", False), ("signalfd", False),
                     ("socketpair", False), ("fork", False), ("sigprocmask", False), ("dup", False),
                     ("malloc", False), ("poll", True), ("waitid", True), ("recvmsg", True)):
    @tap.test(f"the client's {_call} fails")
    def _(call=_call, late=_late):
        stopped = check(InClient(), call, late)
        tap.true(stopped, f"some {call} matters")
        if call == "recvmsg":
            tap.equal(stopped[0], 1, "the first read that stops the message")


# -- In the check -------------------------------------------------------------------------------

def check_status(call, at):
    """The runner's own, without a client; 69 would make the MTA bounce."""
    for path in (count_file, done_file):
        path.unlink(missing_ok=True)
    result = runner.run("check", "-c", home.conf, "--", ALICE, env=fault_env(call, at),
                        preexec_fn=no_core)
    no_report(f"{call} {at} failing")
    return result.status


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


for _call in ("open", "read", "stat", "opendir", "readdir", "malloc"):
    @tap.test(f"the check's {_call} fails: it cannot tell, and does not say that there is no key")
    def _(call=_call):
        home.configure()
        tap.equal(check_status(call, 0), 0, "status without a fault")
        count = int(count_file.read_text())
        tap.true(count, f"{call} is called at all")
        allowed = [0, 75] + [128 - number for number in ABORTED if call == "malloc"]
        for at in range(1, count + 1, max(1, -(-count // MOST_RUNS))):
            status = check_status(call, at)
            tap.true(status in allowed, f"{call} {at} failing: status {status}")


tap.main()
