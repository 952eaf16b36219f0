# SPDX-License-Identifier: GPL-2.0-or-later
"""A fresh Debian of some release, in a chroot of which nothing stays (tests/lib/release)."""

import base64
import pathlib
import subprocess

import tap

SOURCE = pathlib.Path(__file__).resolve().parents[2]


# The first process of a system of its own: what unshare starts is that one's only child.
PID = "/srv/systemd.pid"
BOOT = f"""unshare --pid --fork --kill-child --mount --uts --ipc --net --cgroup sh -c '
mount -t proc proc /proc
mount -t tmpfs -o mode=755 run /run
mkdir /run/lock
mount -t cgroup2 cgroup2 /sys/fs/cgroup
hostname mta.test
container=other exec /lib/systemd/systemd --system --log-target=null --show-status=false
' </dev/null >/dev/null 2>&1 &
until [ -s {PID}.new ] && mv {PID}.new {PID}; do
  sleep 0.1; cat /proc/$!/task/$!/children >{PID}.new
done
"""


class Chroot:
    """Commands are run one after the other, as root, by a shell that waits for them in there."""

    def __init__(self, release):
        self.prefix = ""
        self.process = subprocess.Popen(
            ["sh", SOURCE / "tests/lib/release", "--fresh", release, "sh"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=SOURCE)
        self._write("echo ready\n")
        line = b""
        while line != b"ready\n":
            line = self.process.stdout.readline()
            if not line:
                self.why_not()

    def why_not(self):
        if self.process.wait() == 77:
            tap.skip_all("there can be no such Debian here")
        raise AssertionError("the chroot has ended")

    def _write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def put(self, path, octets, mode="644"):
        text = base64.encodebytes(octets if isinstance(octets, bytes) else octets.encode()).decode()
        self._write(f"mkdir -p \"$(dirname '{path}')\" && base64 -d >'{path}' <<'END' && "
                    f"chmod {mode} '{path}'\n{text}END\n")

    def try_to(self, script):
        """(status, what it said)."""
        self.put("/srv/script", script)
        self._write(f"{self.prefix} sh -e /srv/script </dev/null >/srv/said 2>&1; "
                    "echo $? $(wc -c </srv/said); cat /srv/said\n")
        line = self.process.stdout.readline()
        if not line:
            self.why_not()
        status, length = map(int, line.split())
        return status, self.process.stdout.read(length).decode(errors="replace")

    def run(self, script):
        status, said = self.try_to(script)
        if status != 0:
            raise AssertionError(f"{script}: {status}: {said[-4000:]}")
        return said

    def boot(self):
        """From now on commands are run where systemd is the first process, and there is no network."""
        self.get("install", "systemd-sysv", "dbus")
        self._write(BOOT)
        tap.wait_for(lambda: self.try_to(f"test -e {PID}")[0] == 0, "a process for systemd", 60)
        self.prefix = (f"nsenter --target $(cat {PID}) --mount --uts --ipc --net --pid --cgroup -- "
                       "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root ")
        tap.wait_for(lambda: self.try_to("systemctl is-system-running")[1].strip() in
                     ("running", "degraded"), "the system is up", 120)

    def get(self, *words):
        """apt-get, with nothing recommended and nobody asked."""
        if self.prefix and words[0] == "install":
            kept, self.prefix = self.prefix, ""
            try:
                self._apt("--download-only", *words)
            finally:
                self.prefix = kept
        return self._apt(*words)

    def _apt(self, *words):
        return self.run("DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 "
                        f"-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "
                        f"-o APT::Install-Recommends=false {' '.join(words)}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
