# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of the daemon and of the process that keeps the private keys."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import checks
import daemons
import home as homes
import tap

home = homes.Home("check-daemon")
TOPICS = ("daemon", "keeper")


def fine(*parts):
    return checks.fine(home, "daemon", *parts, among=TOPICS)


def fault(topic, state, *parts, remedy=""):
    return checks.fault(home, topic, state, *parts, remedy=remedy, among=TOPICS)


def as_root(function):
    def run():
        if not daemons.ROOT:
            raise tap.Skip("only root sees it all")
        function()
    return run


class Stopped:
    def __init__(self, *pids):
        self.pids = pids

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)
            tap.wait_for(lambda: " T " in pathlib.Path(f"/proc/{pid}/stat").read_text(), "it stands")

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


@tap.test("a daemon that runs, and how many work for it")
def _():
    with daemons.Daemon(home) as daemon:
        found = fine(f"process {daemon.process.pid} answers", "with 2 workers")
        keeper = found.of("keeper")[0]["text"]
        tap.contains(keeper, f"process {daemon.keepers()[0]} keeps the private keys")
        tap.contains(keeper, daemons.KEYS_USER if daemons.ROOT else "the same user")


@tap.test("none: what waits for it, and what does not")
def _():
    daemon = daemons.Daemon(home)
    fault("daemon", "problem", "does not run", daemon.socket, "all mail wait",
          remedy="systemctl start sealpiped")
    daemons.Daemon(home, core={"in_process": "true"})
    fine("none runs", "in_process=true")


@tap.test("a socket that was left behind")
def _():
    daemon = daemons.Daemon(home)
    daemon.run_dir.mkdir(exist_ok=True)
    daemon.socket.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(daemon.socket))
    fault("daemon", "problem", "does not run", "left behind", remedy="systemctl start")
    daemon.socket.unlink()


@tap.test("a configuration that does not load is told once, and not as the daemon's")
def _():
    with daemons.Daemon(home):
        home.write_conf("90-bad.conf", "[policy]\nencrypt=maybe\n")
        found = checks.look(home, "configuration", *TOPICS)
        tap.equal([row["topic"] for row in found.bad()], ["configuration"], found.rows)
        (home.conf / "90-bad.conf").unlink()


@tap.test("a configuration that has changed since, until it is read again")
def _():
    def another():
        fault("daemon", "warning", f"the configuration in {home.conf} is not the one",
              remedy="systemctl reload sealpiped")

    def written(text):
        home.write_conf("90-more.conf", text)

    more, aside = home.conf / "90-more.conf", home.folder / "aside"
    with daemons.Daemon(home) as daemon:
        written("[policy]\nsign=never\n")
        another()
        daemon.renew()
        fine("answers")
        more.rename(aside)
        another()
        aside.rename(more)
        written("# by hand\n[policy]\nsign = never\n")
        fine("answers")
        written("[policy]\nsign=preferred\n")
        another()
        more.unlink()
        daemon.renew()
        fine("answers")


@tap.test("which configuration it works with is not known where it cannot be asked")
def _():
    with daemons.Daemon(home) as daemon:
        (daemon.run_dir / "status.sock").unlink()
        rows = checks.look(home, "daemon").rows
        tap.equal([row["state"] for row in rows], ["unchecked", "ok"], rows)
        for part in ("as it is now", "status.sock", "no daemon answers here"):
            tap.contains(rows[0]["text"], part, rows)


@tap.test("what fetches lists of revocations is no worker")
def _():
    with daemons.Daemon(home, module_smime={"crl": "soft", "trust_anchors": home.authority.cert}) as daemon:
        tap.wait_for(lambda: len(daemon.workers()) == 3, "it is there, with a group of its own, as workers have")
        fine("with 2 workers")


@tap.test("a program that was replaced since")
@as_root
def _():
    folder = home.folder / "sbin"
    folder.mkdir()
    shutil.copy(homes.prefix() / "sbin/sealpiped", folder)
    daemon = daemons.Daemon(home)
    daemon.process = subprocess.Popen([folder / "sealpiped", "-c", home.conf, "--foreground"])
    try:
        tap.wait_for(lambda: daemon.socket.exists() and daemon.workers(), "it is there")
        fine("answers")
        shutil.copy(homes.prefix() / "sbin/sealpiped", folder / "new")
        os.rename(folder / "new", folder / "sealpiped")
        fault("daemon", "warning", "another version", remedy="systemctl restart sealpiped")
    finally:
        daemon.stop()


@tap.test("workers that hang, one that is stopped, and the keeper")
def _():
    with daemons.Daemon(home) as daemon:
        for pid, topic, role in ((daemon.workers()[0], "daemon", "a worker"),
                                 (daemon.keepers()[0], "keeper", "the keeper"),
                                 (daemon.generations()[0], "daemon", "what starts the workers"),
                                 (daemon.process.pid, "daemon", "the daemon itself")):
            with Stopped(pid):
                fault(topic, "problem", "stopped by a signal", f"process {pid}, {role}",
                      remedy=f"kill -CONT {pid}")
        fine("answers")


@tap.test("a keeper that has ended, and none can follow it")
def _():
    with daemons.Daemon(home) as daemon:
        broken = home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
        os.kill(daemon.keepers()[0], signal.SIGKILL)
        tap.wait_for(lambda: "stays as it was" in home.log_text(), "it says so")
        tap.wait_for(lambda: len(daemon.generations()) == 1, "one generation is left")
        fault("keeper", "problem", "the process that keeps the private keys for it does not",
              remedy="systemctl restart sealpiped")
        broken.unlink()
        tap.wait_for(daemon.keepers, "another one")
        daemon.renew()  # it may have begun while the other was there
        fine("answers")


@tap.test("one that listens and says nothing, and one whose queue is full")
def _():
    daemon = daemons.Daemon(home)
    daemon.run_dir.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(str(daemon.socket))
        silent.listen(0)
        fault("daemon", "problem", "no worker", "answers within 5 s", remedy="[daemon] workers")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
            # The one before is in the queue still.
            other.setblocking(False)
            try:
                other.connect(str(daemon.socket))
            except BlockingIOError:
                pass
            fault("daemon", "problem", "takes nobody", remedy="[daemon] workers")
    daemon.socket.unlink()


@tap.test("whoever answers and is not the daemon is not taken for it")
def _():
    daemon = daemons.Daemon(home)
    daemon.run_dir.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.bind(str(daemon.socket))
        stranger.listen(1)

        def answer():
            with stranger.accept()[0] as caller:
                caller.recv(4096)
                caller.send(b"x")

        threading.Thread(target=answer, daemon=True).start()
        rows = checks.look(home, "daemon").rows
        tap.equal([row["state"] for row in rows], ["unchecked"], rows)
        tap.contains(rows[0]["text"], f"something listens at {daemon.socket}")
    daemon.socket.unlink()


@tap.test("a daemon of another configuration at the same socket")
def _():
    with daemons.Daemon(home) as daemon:
        other = home.folder / "other.d"
        shutil.copytree(home.conf, other)
        mine, home.conf = home.conf, other
        try:
            fault("daemon", "problem", f"works with the configuration of {mine}", "all mail waits",
                  remedy="run_dir")
        finally:
            home.conf = mine
            shutil.rmtree(other)
        fine(f"process {daemon.process.pid} answers")


@tap.test("a keys' user who is not there, or is somebody else already")
@as_root
def _():
    daemons.Daemon(home, daemon={"keys_user": "sealpipe-none"})
    fault("keeper", "problem", 'no user "sealpipe-none"', remedy="useradd --system")
    for name in ("root", daemons.USER):
        daemons.Daemon(home, daemon={"keys_user": name})
        fault("keeper", "problem", f"keys_user is {name}", remedy="sealpipe-keys")


tap.main()
