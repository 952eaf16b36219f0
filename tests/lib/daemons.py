# SPDX-License-Identifier: GPL-2.0-or-later
"""A sealpiped of the test's own, over a Home."""

import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import time

import home as homes
import tap

# Users that every Debian has. Root becomes them; anybody else stays who he is.
USER, KEYS_USER, PEER, STRANGER = "daemon", "bin", "mail", "nobody"
ROOT = os.geteuid() == 0


def ticks():
    """Since the system has started, as /proc counts when a process has."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def begun(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except OSError:
        return -1


def processes(word=b"sealpiped"):
    """(pid, parent, uid, command line) of each."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            uid = entry.stat().st_uid
        except OSError:
            continue
        if stat[0] not in "ZX" and os.path.basename(words[0]) == word:
            found.append((int(entry.name), int(stat[1]), uid, words))
    return found


class Daemon:
    """In a `with`; it is stopped at the end. Settings are changed by configure(), as a Home's are."""

    def __init__(self, home, **changes):
        self.home, self.run_dir = home, home.folder / "run"
        home.folder.chmod(0o755)
        if ROOT:
            for path in (home.state, *home.state.rglob("*"), home.log):
                if not path.is_symlink():
                    shutil.chown(path, USER)
        self.configure(**changes)
        self.process = None

    def configure(self, **changes):
        core = {"run_dir": self.run_dir, "in_process": "false", "log_target": self.home.log,
                "state_dir": self.home.state}
        daemon = {"workers": 2, "peers": "root;self;" + PEER, "submission_peers": "root"}
        if ROOT:
            core["user"], daemon["keys_user"] = USER, KEYS_USER
        groups = {name.replace("_", " ", 1) if name.startswith("module_") else name: keys
                  for name, keys in changes.items()}
        groups["core"] = {**core, **groups.get("core", {})}
        groups["daemon"] = {**daemon, **groups.get("daemon", {})}
        self.home.configure(groups)

    @property
    def socket(self):
        return self.run_dir / "sealpiped.sock"

    def start(self, **how):
        self.process = subprocess.Popen(
            [*how.pop("by", []), homes.prefix() / "sbin" / "sealpiped", "-c", self.home.conf, "--foreground"],
            env={**os.environ, **how.pop("env", {})}, **how)
        tap.wait_for(lambda: self.socket.exists() and self.workers() or self.process.poll() is not None,
                     "the daemon is there")
        tap.equal(self.process.poll(), None, self.home.log_text()[-600:])
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=homes.BOUND)
        self.process = None

    close = stop

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def alive(self):
        """All processes of it, whosever children they are by now."""
        return [pid for pid, _, _, words in processes() if os.fsencode(self.home.conf) in words]

    def renew(self):
        """Until a generation that has read the configuration anew is alone."""
        # One that is being started already, since a key has changed, may have read it before.
        now = ticks()
        tap.wait_for(lambda: ticks() > now, "it can be told from those before")
        now = ticks()
        self.hup()
        tap.wait_for(lambda: self.is_alone_since(now) and self.workers(),
                     f"another generation: {self.home.log_text()[-600:]}")

    def is_alone_since(self, when):
        found = self.generations()
        return len(found) == 1 and begun(found[0]) >= when

    def hup(self):
        self.process.send_signal(signal.SIGHUP)

    def generations(self):
        return [pid for pid, parent, _, _ in processes() if parent == self.process.pid]

    def describe(self):
        """Its processes, with what they wait for, and the end of its log: for a test that fails."""
        lines = []
        for pid, parent, uid, _ in processes():
            if pid in self.alive():
                folder = pathlib.Path(f"/proc/{pid}")
                try:
                    wait, state = (folder / "wchan").read_text(), (folder / "stat").read_text().rsplit(")", 1)[1]
                except OSError:
                    continue
                age = (ticks() - begun(pid)) / os.sysconf("SC_CLK_TCK")
                lines.append(f"{pid} of {parent}, user {uid}, {age:.1f} s, {state.split()[0]} in {wait}")
        return "\n".join([*lines, self.home.log_text()[-3000:]])

    def below(self, pid):
        return [child for child, parent, _, _ in processes() if parent == pid]

    def of_generations(self, keeper):
        """Workers have a process group of their own, the keeper has not."""
        found = []
        for generation in self.generations():
            for pid in self.below(generation):
                try:
                    if (os.getpgid(pid) == pid) != keeper:
                        found.append(pid)
                except ProcessLookupError:
                    pass
        return found

    def keepers(self):
        return self.of_generations(True)

    def workers(self):
        return self.of_generations(False)

    def servers(self):
        """Of the keepers, one for each worker."""
        return [pid for keeper in self.keepers() for pid in self.below(keeper)]


class Shared(Daemon):
    """Over the configuration of a system of the test's own, which the test writes."""

    def __init__(self, home, run_dir="/run/sealpipe"):
        self.home, self.run_dir, self.process = home, pathlib.Path(run_dir), None
        atexit.register(self.stop)
