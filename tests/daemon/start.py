# SPDX-License-Identifier: GPL-2.0-or-later
"""What sealpiped says where it cannot begin: what was expected, what was found, and what to do."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import home as homes
import tap

home = homes.Home("start")
PROGRAM = homes.prefix() / "sbin" / "sealpiped"


def start(*words, conf=None):
    return subprocess.run([PROGRAM, "-c", conf or home.conf, *words], capture_output=True, text=True,
                          timeout=homes.BOUND, stdin=subprocess.DEVNULL)


def fails(what, *parts, **changes):
    """With those settings, at once and in the background: on stderr, whatever the log is."""
    daemon = daemons.Daemon(home, **changes)
    for words in (["--foreground"], []):
        result = start(*words)
        tap.equal((result.returncode, result.stdout), (1, ""), f"{what} {words}")
        tap.true(result.stderr.startswith("sealpiped: "), f"{what}: {result.stderr}")
        for part in parts:
            tap.contains(result.stderr, str(part), what)
    tap.true(not daemon.socket.exists(), f"{what}: the socket is there")


def as_root(function):
    def run():
        if not daemons.ROOT:
            raise tap.Skip("only root can be somebody else")
        function()
    return run


@tap.test("the command line, and a folder that is not there")
def _():
    for words, said in ((["--bogus"], "--bogus: sealpiped has no such option"),
                        (["word"], "word: sealpiped takes no such argument"),
                        (["-c"], "-c: sealpiped wants the name of a folder")):
        result = start(*words)
        tap.equal((result.returncode, result.stdout), (2, ""))
        tap.contains(result.stderr, said)
    result = start("--foreground", conf=home.folder / "none")
    tap.equal(result.returncode, 1)
    tap.contains(result.stderr, f"configuration folder: {home.folder}/none")


@tap.test("settings that are wrong: file and line")
def _():
    fails("workers", "50-test.conf:", '[daemon] workers: "0"', daemon={"workers": "0"})
    fails("policy", "50-test.conf:", "[policy] encrypt", policy={"encrypt": "maybe"})


@tap.test("users: one that is not there, and how to make it; root; and one in both places")
@as_root
def _():
    fails("keys_user", 'there is no user "sealpipe-none"', "useradd --system", " sealpipe-none\n",
          daemon={"keys_user": "sealpipe-none"})
    fails("keys_user root", "[daemon] keys_user is root", daemon={"keys_user": "root"})
    fails("the same", "[core] user and [daemon] keys_user are the same",
          daemon={"keys_user": daemons.USER})
    fails("user", '[core] user: there is no user "sealpipe-none"', core={"user": "sealpipe-none"})
    state = home.folder / "roots"
    state.mkdir(exist_ok=True)
    fails("root", "root does not work on mail", core={"user": "", "state_dir": state})


@tap.test("run_dir: of another, and where it cannot be made")
def _():
    fails("no parent", home.folder / "no/run", "No such file or directory",
          core={"run_dir": home.folder / "no/run"})
    long = home.folder / ("x" * 110)
    fails("long", "the path is too long for a socket", core={"run_dir": long})
    own = home.folder / "own"
    own.mkdir(exist_ok=True)
    if daemons.ROOT:
        shutil.chown(own, daemons.USER)
        fails("of another", f"{own}: [core] run_dir belongs to user", "it must be root's",
              core={"run_dir": own})
        shutil.chown(own, "root")
    own.chmod(0o777)
    fails("open", "mode 0777", "nobody else may write there", core={"run_dir": own})


@tap.test("in the background it leaves the terminal, and the command ends when it is ready")
def _():
    daemon = daemons.Daemon(home)
    # Whoever reads its output has the end of it while the daemon runs.
    result = subprocess.run([PROGRAM, "-c", home.conf], capture_output=True, text=True,
                            timeout=homes.BOUND)
    tap.equal((result.returncode, result.stdout, result.stderr), (0, "", ""), home.log_text())
    pid_file = daemon.run_dir / "sealpiped.pid"
    pid = int(pid_file.read_text())
    try:
        tap.equal(pid_file.stat().st_mode & 0o777, 0o644, "mode of the PID file")
        second = start()
        tap.equal(second.returncode, 1)
        tap.contains(second.stderr, f"another sealpiped runs already, as process {pid}")
        message = b"From: carol@example.org\n\nwords\n"
        tap.equal(home.seal(message, "--", home.alice.address).status, 0)
    finally:
        os.kill(pid, signal.SIGTERM)
        tap.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "it has ended")


@tap.test("a state_dir of another: it starts, and says that mail waits for that")
@as_root
def _():
    with daemons.Daemon(home) as daemon:
        shutil.chown(home.state, daemons.STRANGER)
        home.clear_log()
        daemon.hup()
        tap.wait_for(lambda: "all mail waits until this is mended: " in home.log_text(), "it says so")
        tap.contains(home.log_text(), str(home.state))
        shutil.chown(home.state, daemons.USER)


tap.main()
