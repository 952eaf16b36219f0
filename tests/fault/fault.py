# SPDX-License-Identifier: GPL-2.0-or-later
"""Every call that can fail fails once: the message leaves whole and sealed, or not at all."""

import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import certs
import home as homes
import tap

MOST_RUNS = 150  # for each kind of call; beyond that every n-th is made to fail
MESSAGE = (b"From: carol@example.org\nTo: alice@example.org\nSubject: s\n"
           b"Content-Type: text/plain\n\n" + b"the secret words\n" * 3000)
INNER = (b"Content-Type: text/plain\r\n\r\n" + b"the secret words\r\n" * 3000)

home = homes.Home("fault")
home.configure({"core": {"log_target": home.log, "spool_memory": "1K"}})
runner = homes.prefix() / "libexec" / "sealpipe" / "sealpipe-run"
library = sys.argv.pop(1)


def run(call, at):
    """(status, output, how many calls there were)"""
    reader, writer = os.pipe()
    env = {"LD_PRELOAD": library, "FAIL_CALL": call, "FAIL_AT": str(at), "FAIL_FD": str(writer)}
    result = subprocess.run([runner, "transport", "-c", home.conf, "-f", "", "--",
                             "alice@example.org"],
                            input=MESSAGE, capture_output=True, env=env, pass_fds=[writer],
                            timeout=homes.BOUND)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        count = pipe.read().strip()
    return result.returncode, result.stdout, int(count) if count else None


def opens(output):
    sealed = home.folder / "sealed.eml"
    sealed.write_bytes(output)
    return certs.openssl("cms", "-decrypt", "-in", sealed, "-recip", home.alice.cert, "-inkey",
                         home.alice.key)


def check(call, allowed, late=False):
    """@late: it may fail while the result is being written. The status tells the MTA to drop what
    it has got by then, and none of it is in clear."""
    status, output, count = run(call, 0)
    tap.equal(status, 0, "status without a fault")
    tap.equal(opens(output), INNER, "content without a fault")
    tap.true(count > 0, f"{call} is called at all")

    stopped = survived = 0
    for at in range(1, count + 1, max(1, count // MOST_RUNS)):
        status, output, _ = run(call, at)
        if status == 0:
            survived += 1
            tap.equal(opens(output), INNER, f"content with {call} {at} failing")
            continue
        stopped += 1
        tap.true(status in allowed, f"{call} {at} failing ends in {status}")
        if late:
            tap.true(b"secret" not in output, f"nothing in clear with {call} {at} failing")
        else:
            tap.equal(output, b"", f"output with {call} {at} failing")
    tap.note(f"{call}: {count} calls, {stopped} faults stopped the message, {survived} did no harm")
    return stopped


@tap.test("open fails")
def _():
    tap.true(check("open", [75]) > 0, "some open matters")


@tap.test("read fails")
def _():
    tap.true(check("read", [75]) > 0, "some read matters")


@tap.test("reading back the spool fails")
def _():
    tap.true(check("pread", [75], late=True) > 0, "some pread matters")


@tap.test("write fails")
def _():
    tap.true(check("write", [75]) > 0, "some write matters")


# GLib ends the process where there is no memory; the client makes a 75 of that.
@tap.test("memory cannot be had")
def _():
    ends = [75, -signal.SIGABRT, -signal.SIGTRAP]
    tap.true(check("malloc", ends, late=True) > 0, "some memory matters")


tap.main()
