# SPDX-License-Identifier: GPL-2.0-or-later
"""A fresh Debian of some release, in a chroot of which nothing stays (tests/lib/release)."""

import base64
import pathlib
import subprocess

import tap

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class Chroot:
    """Commands are run one after the other, as root, by a shell that waits for them in there."""

    def __init__(self, release):
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
        self.put("/run/script", script)
        self._write("sh -e /run/script </dev/null >/run/said 2>&1; echo $? $(wc -c </run/said); cat /run/said\n")
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

    def start(self, command):
        """In the background, until the chroot ends; what it says is in /run/said-NAME."""
        self._write(f"{command} </dev/null >/run/said-{command.split()[0].split('/')[-1]} 2>&1 &\n")

    def get(self, *words):
        """apt-get, with nothing recommended and nobody asked."""
        return self.run("DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 "
                        f"-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "
                        f"-o APT::Install-Recommends=false {' '.join(words)}")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
