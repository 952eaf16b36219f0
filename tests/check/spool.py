# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of room for messages and for what is written down: on file systems of
the test's own, in a view of the files that nobody else has."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mounts
import tap

WHY_NOT = mounts.why_not()
if WHY_NOT:
    tap.skip_all(WHY_NOT)
if "SEALPIPE_VIEW" not in os.environ:
    os.environ["SEALPIPE_VIEW"] = "own"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B",
                          *sys.argv])

import checks
import daemons
import home as homes

home = homes.Home("check-spool")
if os.geteuid() == 0:
    shutil.chown(home.log, daemons.USER)
home.folder.chmod(0o755)
MIB = 1 << 20


def run(*words):
    subprocess.run(words, check=True, capture_output=True)


class Mounted:
    """A small file system at @folder, for the service's user."""

    def __init__(self, folder, *options, user=daemons.USER):
        self.folder, self.user, self.options = folder, user, ["mode=0700", f"uid={user}", *options]

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", ",".join(self.options), "tmpfs", str(self.folder))
        return self

    def __exit__(self, *_):
        run("umount", str(self.folder))

    def fill(self, leave=0):
        """Up to @leave octets."""
        room = os.statvfs(self.folder)
        with open(self.folder / "filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave)

    def empty(self):
        (self.folder / "filler").unlink()


SPOOL, STATE, LOGS = home.folder / "spool", home.folder / "state", home.folder / "logs"


def configure(**core):
    settings = {"spool_dir": SPOOL, "user": daemons.USER, "size_limit": "2M", **core}
    home.configure({"core": settings, "daemon": {"workers": 2}})


def fault(state, *parts, remedy=""):
    return checks.fault(home, "spool", state, *parts, remedy=remedy, among=("files",))


@tap.test("room for all workers; for one only; for none")
def _():
    with Mounted(SPOOL, "size=8M") as spool, Mounted(STATE, "size=128M"):
        configure()
        checks.fine(home, "spool", "8.0 MiB free in", SPOOL, STATE)
        spool.fill(leave=3 * MIB)
        fault("warning", "spool_dir", "3.0 MiB are free", "up to 4.0 MiB", remedy="make room there")
        spool.empty()
        spool.fill(leave=0)
        fault("problem", "spool_dir", "could not be written", "0 MiB are free",
              remedy="make room there")
        spool.empty()
        checks.fine(home, "spool", SPOOL)


@tap.test("state_dir that is full, or nearly so")
def _():
    with Mounted(SPOOL, "size=8M"), Mounted(STATE, "size=128M") as state:
        configure()
        state.fill(leave=8 * MIB)
        fault("warning", "state_dir", "8.0 MiB are free", remedy="make room there")
        state.empty()
        state.fill()
        fault("problem", "state_dir", "could not be written", remedy="make room there")


@tap.test("no inode left")
def _():
    with Mounted(SPOOL, "size=8M,nr_inodes=10") as spool, Mounted(STATE, "size=128M"):
        configure()
        fault("warning", "spool_dir", "files can still be made", "inode", remedy="make room there")
        for number in range(9):
            (spool.folder / str(number)).touch()
        fault("problem", "spool_dir", "no inode left", remedy="make room there")


@tap.test("what is mounted read-only")
def _():
    for folder, setting in ((SPOOL, "spool_dir"), (STATE, "state_dir")):
        with Mounted(SPOOL, "size=8M"), Mounted(STATE, "size=128M"):
            configure()
            run("mount", "-o", "remount,ro", str(folder))
            fault("problem", setting, "read-only", remedy="mount it for writing")


@tap.test("the log's folder that is full")
def _():
    with Mounted(SPOOL, "size=8M"), Mounted(STATE, "size=128M"), Mounted(LOGS, "size=1M") as logs:
        log = LOGS / "sealpipe.log"
        log.touch()
        shutil.chown(log, daemons.USER)
        configure(log_target=log)
        fault("warning", "the log's folder", "free", remedy="rotating")
        logs.fill()
        fault("problem", "the log's folder", remedy="rotating")


@tap.test("one file system that is full is told once")
def _():
    with Mounted(home.folder / "all", "size=4M", user="root") as whole:
        os.chmod(whole.folder, 0o755)
        for path in (SPOOL, STATE):
            path.mkdir(exist_ok=True)
        for name in ("spool", "state"):
            folder = whole.folder / name
            folder.mkdir(mode=0o700)
            shutil.chown(folder, daemons.USER)
        configure(spool_dir=whole.folder / "spool", state_dir=whole.folder / "state")
        whole.fill()
        fault("problem", "spool_dir", "could not be written", remedy="make room there")


@tap.test("a quota is not tried where there is none; the user who writes is the service's")
def _():
    with Mounted(SPOOL, "size=8M"), Mounted(STATE, "size=128M"):
        configure()
        checks.fine(home, "spool", SPOOL)
        tap.equal(list(SPOOL.iterdir()), [], "nothing is left behind")
        tap.equal([path.name for path in STATE.glob(".sealctl*")], [], "nothing is left behind")


tap.main()
