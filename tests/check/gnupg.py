# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of gpg, of its home, and of the agent and the locks in that."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import checks
import gnupg
import home as homes
import tap

if not homes.has_module("pgp"):
    tap.skip_all("built without the pgp module")

home = homes.Home("check-gnupg")
# Of public keys alone: another topic tries the secret ones, and gpg starts an agent for that.
ring, maker = gnupg.Ring(home.folder / "gnupg"), gnupg.Ring(home.folder / "maker")
maker.generate("pia@example.org")
maker.generate("paul@example.org")
ring.take(maker.export("pia@example.org"))
ring.stop()
ENV = {"PATH": "/usr/bin:/bin"}
TOPICS = ("gnupg", "sources", "modules", "configuration")
SOCKET = pathlib.Path(subprocess.run(["gpgconf", "--homedir", ring.path, "--list-dirs", "agent-socket"],
                                     capture_output=True, text=True, check=True).stdout.strip())


def configure(**pgp):
    home.configure({"module pgp": {"home": ring.path, **pgp}})


def fine(*parts):
    found = checks.look(home, *TOPICS, env=ENV)
    tap.equal(found.bad(), [], "all is well")
    tap.equal(len(found.of("gnupg")), 1, found.rows)
    for part in parts:
        tap.contains(found.of("gnupg")[0]["text"], str(part))


def fault(state, *parts, remedy=""):
    return checks.fault(home, "gnupg", state, *parts, remedy=remedy, among=TOPICS, env=ENV)


@contextlib.contextmanager
def owned(user, *paths):
    """As long as it lasts; root's again then."""
    everything = [found for path in paths for found in (path, *path.rglob("*"))]
    for path in everything:
        shutil.chown(path, user, user)
    yield
    for path in everything:
        shutil.chown(path, "root", "root")


def start_agent():
    gnupg.run("gpg-connect-agent", "--homedir", ring.path, "/bye")
    tap.wait_for(SOCKET.exists, "the agent is there")


def agent_of(ring_path):
    """Its process."""
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == b"gpg-agent" and os.fsencode(ring_path) in words:
            return int(entry.name)
    raise AssertionError("no agent")


@tap.test("gpg that runs, with a home and without, with an agent and without; none is started")
def _():
    configure(home=None)
    fine("gpg (GnuPG) 2.")
    configure()
    start_agent()
    fine("gpg (GnuPG) 2.", f"with the home {ring.path}")
    ring.stop()
    tap.wait_for(lambda: not SOCKET.exists(), "the agent has gone")
    fine("gpg (GnuPG) 2.")
    tap.true(not SOCKET.exists(), "no agent was started")


@tap.test("no gpg, and one that does not work")
def _():
    configure(home=None)
    bare = home.folder / "bare"
    bare.mkdir()
    result = checks.look(home, "gnupg", env={"PATH": str(bare)})
    tap.equal([(row["topic"], row["state"]) for row in result.bad()], [("gnupg", "problem")], result.rows)
    tap.contains(result.bad()[0]["remedy"], "install GnuPG")


@tap.test("GPGME's version counts where OpenPGP is enabled, though another library brings it along")
def _():
    for enabled in (True, False):
        home.configure({"module pgp": {"home": ring.path}} if enabled else {})
        rows = checks.look(home, "versions", env=ENV).rows
        tap.equal("GPGME" in rows[0]["text"], enabled, rows)
    configure()


@tap.test("where the configuration does not load, it is not taken for fine")
def _():
    configure(no_such="1")
    tap.equal([row["state"] for row in checks.look(home, "gnupg", env=ENV).rows], ["unchecked"])
    configure()


@tap.test("an agent that hangs")
def _():
    configure()
    start_agent()
    agent = agent_of(ring.path)
    os.kill(agent, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        fault("problem", "gpg-agent does not answer within 5 s", SOCKET,
              remedy=f"kill -KILL {agent}")
        tap.true(time.monotonic() - begun < 60, "within a deadline")
    finally:
        os.kill(agent, signal.SIGCONT)
    fine("gpg")
    ring.stop()
    tap.wait_for(lambda: not SOCKET.exists(), "the agent has gone")


@tap.test("an agent that hangs, and keys to sign with: the first is tried, and the rest is looked at")
def _():
    home.configure({"module pgp": {"home": maker.path}})
    gnupg.run("gpg-connect-agent", "--homedir", maker.path, "/bye")
    agent = agent_of(maker.path)
    os.kill(agent, signal.SIGSTOP)
    try:
        found = checks.look(home, "signing", "gnupg", "pipelines", env=ENV)
    finally:
        os.kill(agent, signal.SIGCONT)
    tap.equal(sorted((row["topic"], row["state"]) for row in found.rows),
              [("gnupg", "problem"), ("pipelines", "ok"), ("signing", "problem"), ("signing", "unchecked")], found.rows)
    tap.contains(str(found.of("signing")), "no answer within 20 s")
    tap.contains(found.of("gnupg")[0]["remedy"], f"kill -KILL {agent}")
    maker.stop()
    configure()


@tap.test("a socket that was left behind")
def _():
    configure()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(SOCKET))
    fault("warning", SOCKET, "left behind", remedy=f"rm {SOCKET}")
    SOCKET.unlink()


@tap.test("locks: of another host, of who is no gpg; not what gpg takes away by itself")
def _():
    configure()
    lock, node = ring.path / "trustdb.gpg.lock", os.uname().nodename
    gone = subprocess.Popen(["true"])
    gone.wait()
    for pid, host, words in ((4711, "elsewhere", "the host elsewhere"), (os.getpid(), node, "no gpg"),
                             (gone.pid, node, None)):
        lock.write_text(f"{pid:10}\n{host}\n")
        shutil.chown(lock, os.stat(ring.path).st_uid)
        fine("gpg")
        os.utime(lock, (time.time() - 100, time.time() - 100))
        if words:
            fault("warning", lock, words, remedy=f"rm {lock}")
        else:
            fine("gpg")
    lock.unlink()


@tap.test("a lock of a process that is another user's")
def _():
    if os.getuid() != 0:
        raise tap.Skip("only root can give the home away")
    home.configure({"core": {"user": "daemon"}, "module pgp": {"home": ring.path}})
    lock = ring.path / "trustdb.gpg.lock"
    lock.write_text(f"{1:10}\n{os.uname().nodename}\n")
    os.utime(lock, (time.time() - 100, time.time() - 100))
    home.folder.chmod(0o755)
    with owned("daemon", ring.path, home.state, home.log):
        fault("warning", lock, "process 1, which is no gpg", remedy=f"rm {lock}")
    lock.unlink()


@tap.test("a home without a ring, and one whose keys are keyboxd's")
def _():
    configure()
    keys = ring.path / "pubring.kbx"
    keys.rename(ring.path / "away")
    fault("problem", "no key ring", remedy="mail waits")
    (ring.path / "public-keys.d").mkdir()
    fault("problem", "keyboxd", "does not read", remedy="mail waits")
    (ring.path / "public-keys.d").rmdir()
    (ring.path / "away").rename(keys)
    fine("gpg")


def told_once(part, *topics):
    found = checks.look(home, "files", *TOPICS, env=ENV)
    tap.equal(len(found.bad()), 1, found.rows)
    tap.true(found.bad()[0]["topic"] in topics, found.rows)
    tap.contains(found.bad()[0]["text"] + found.bad()[0]["remedy"], part)


@tap.test("a home for all, one with options: another topic's fault, and told once")
def _():
    configure()
    ring.path.chmod(0o755)
    told_once(str(ring.path), "files", "configuration")
    ring.path.chmod(0o700)
    (ring.path / "common.conf").write_text("use-keyboxd\n")
    told_once("common.conf", "files", "configuration")
    (ring.path / "common.conf").unlink()


tap.main()
