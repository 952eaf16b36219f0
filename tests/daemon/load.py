# SPDX-License-Identifier: GPL-2.0-or-later
"""sealpiped under load: every message comes out right whatever happens meanwhile, and no process
of it grows. SEALPIPE_LOAD is the number of messages for each test; 4,000 and fewer by default."""

import contextlib
import itertools
import os
import pathlib
import random
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import home as homes
import swarm
import tap

home = homes.Home("load")
CAROL = "carol@example.org"
carol = home.authority.person(CAROL, "ec")
keys = home.folder / "server-keys"
keys.mkdir(mode=0o700)
(keys / "carol.pem").write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
(keys / "carol.pem").chmod(0o600)
SIGNED = {"policy": {"encrypt": "preferred", "sign": "required"}, "module_sign": {},
          "module_smime": {"server_keys": keys}}
CLIENTS = 32
SANITIZED = "--sanitize" in sys.argv  # they are slow, and have memory of their own
LONG_LIVED = {"recycle": 100000}  # processes that are measured live as long as the test


def messages(count):
    return int(os.environ.get("SEALPIPE_LOAD", max(count // 10, 300) if SANITIZED else count))


# -- What processes have -------------------------------------------------------------------------

class Usage:
    """Of one process: descriptors, and KiB of memory."""

    def __init__(self, pid):
        self.files = len(os.listdir(f"/proc/{pid}/fd"))
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        self.rss = int(status.split("VmRSS:")[1].split()[0])
        self.pss = int(rollup.split("Pss:")[1].split()[0])
        self.private = sum(int(rollup.split(f"Private_{what}:")[1].split()[0])
                           for what in ("Clean", "Dirty"))

    def __str__(self):
        return f"{self.files} files, {self.rss} KiB (shared by parts {self.pss}, alone {self.private})"


def usage(daemon):
    """{(role, pid): Usage}"""
    roles = {"supervisor": [daemon.process.pid], "generation": daemon.generations(),
             "keeper": daemon.keepers(), "server": daemon.servers(), "worker": daemon.workers()}
    return {(role, pid): Usage(pid) for role, pids in roles.items() for pid in pids}


def is_settled(daemon, before):
    """The last answer is given before its files are closed."""
    after = usage(daemon)
    return sorted(after) == sorted(before) and all(
        after[who].files == before[who].files for who in before) and after


def assert_flat(daemon, before, growth):
    try:
        after = tap.wait_for(lambda: is_settled(daemon, before), "the same processes and files", 10)
    except AssertionError:
        for who, now in usage(daemon).items():
            tap.note(f"{who}: {before.get(who)}, then {now}")
        raise
    for who, was in before.items():
        now = after[who]
        tap.note(f"{who[0]}: {was}, then {now}")
        tap.true(SANITIZED or now.private - was.private <= growth and now.rss - was.rss <= growth,
                 f"{who} grew: {was}, then {now}")


# -- Tests ---------------------------------------------------------------------------------------

def assert_load(daemon, count, growth):
    """Warm-up, then @count messages; what leaked 256 octets a message would be seen."""
    swarm.Swarm(home, CLIENTS, 200 if SANITIZED else 1000).end()
    before = usage(daemon) if daemons.ROOT else None
    begun = time.monotonic()
    load = swarm.Swarm(home, CLIENTS, count)
    while load.running():
        threading.Event().wait(0.1)
    took = time.monotonic() - begun
    tap.equal(load.end(), (count, 0), home.log_text()[-800:])
    tap.note(f"{count / took:.0f} messages a second")
    if before:
        assert_flat(daemon, before, growth)
    else:
        tap.note("only root can look at processes that show themselves to nobody")


@tap.test("thousands of messages from 32 clients: all right, and no process grows")
def _():
    with daemons.Daemon(home, daemon=LONG_LIVED) as daemon:
        assert_load(daemon, messages(4000), 1024)


@tap.test("signed through the keeper: all right, and no process grows")
def _():
    with daemons.Daemon(home, daemon=LONG_LIVED, **SIGNED) as daemon:
        assert_load(daemon, messages(1000), 1024)


def wake_ups(pids):
    return sum(int(pathlib.Path(f"/proc/{pid}/status").read_text()
                   .split("\nvoluntary_ctxt_switches:")[1].split()[0]) for pid in pids)


@tap.test("of sixteen idle workers a message wakes one")
def _():
    with daemons.Daemon(home, daemon={"workers": 16, **LONG_LIVED}) as daemon:
        workers = tap.wait_for(lambda: len(daemon.workers()) == 16 and daemon.workers(), "all are there")
        swarm.Swarm(home, 4, 100).end()
        before, count = wake_ups(workers), 200
        swarm.Swarm(home, 1, count).end()
        woken = wake_ups(workers) - before
        tap.note(f"{woken / count:.1f} for each message")
        tap.true(count <= woken < 4 * count, f"{woken} for {count} messages")


def while_sending(count, pause, disturb, times):
    """(sent, sealed): @count messages, and as many again, until @disturb, which says how often it has
    disturbed by now, has come to @times. A fast machine sends @count in a moment."""
    sent = sealed = happened = 0
    while happened < times:
        load = swarm.Swarm(home, CLIENTS, count)
        while load.running():
            threading.Event().wait(pause)
            if load.running():
                happened = disturb()
        sent, sealed = sent + count, sealed + load.end()[0]
    tap.note(f"{happened} times")
    return sent, sealed


def assert_recovers(daemon):
    tap.wait_for(lambda: len(daemon.generations()) == 1, lambda: f"one generation is left: {daemon.describe()}")
    tap.wait_for(lambda: len(daemon.workers()) == 2, lambda: f"all its workers are there: {daemon.describe()}")
    tap.equal(swarm.Swarm(home, 4, 50).end(), (50, 0), home.log_text()[-800:])


@tap.test("a SIGHUP every second: all right, and the supervisor does not grow")
def _():
    with daemons.Daemon(home, daemon=LONG_LIVED, **SIGNED) as daemon:
        first = daemon.generations()
        before = daemons.ROOT and Usage(daemon.process.pid)
        told = itertools.count(1)

        def disturb():
            daemon.hup()
            return next(told)
        sent, sealed = while_sending(messages(2000), 1, disturb, 3)
        tap.equal(sealed, sent, home.log_text()[-800:])
        assert_recovers(daemon)
        tap.true(daemon.generations() != first, "the generation is another one")
        if before:
            after = Usage(daemon.process.pid)
            tap.note(f"supervisor: {before}, then {after}")
            tap.equal(after.files, before.files, "descriptors")
            tap.true(after.private - before.private <= 512, f"{before}, then {after}")


def kill_one(pids):
    """One of @pids, if there is any."""
    if pids:
        try:
            os.kill(random.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return 0
    return len(pids) > 0


def without_tracer():
    """At its end LeakSanitizer forks one that looks like a keeper, and waits for ever if it is killed."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"ASAN_OPTIONS": f"{options}:detect_leaks=0"} if SANITIZED else {}


def assert_killing(what, pause):
    killed = 0
    with contextlib.closing(daemons.Daemon(home, **SIGNED)) as daemon:
        daemon.start(env=without_tracer())

        def disturb():
            nonlocal killed
            # One that is killed again and again while it starts does no work at all.
            if daemon.workers():
                killed += kill_one(getattr(daemon, what)())
            return killed
        sent, sealed = while_sending(messages(1000), pause, disturb, 4)
        tap.true(sealed > sent / 2, f"{sealed} of {sent} sealed")
        assert_recovers(daemon)


@tap.test("kill -9 of workers at random: whole and right, or a 75")
def _():
    assert_killing("workers", 0.1)


@tap.test("kill -9 of what signs for a worker at random: whole and right, or a 75")
def _():
    assert_killing("servers", 0.1)


@tap.test("kill -9 of the keeper at random: whole and right, or a 75")
def _():
    assert_killing("keepers", 0.3)


@tap.test("kill -9 of generations at random: whole and right, or a 75")
def _():
    assert_killing("generations", 0.3)


tap.main()
