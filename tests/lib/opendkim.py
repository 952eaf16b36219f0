# SPDX-License-Identifier: GPL-2.0-or-later
"""The milter of Debian's package opendkim, which signs: with the package's own configuration, and
what a page changes in it."""

import atexit
import pathlib
import shutil
import socket
import subprocess

import dkimcheck
import tap

CONFIG, KEYS = pathlib.Path("/etc/opendkim.conf"), pathlib.Path("/etc/dkimkeys")
PORT = 8891


class Filter:
    """In a view of the files in which the package lies over the system's. record: of its key, as the
    DNS has it."""

    def __init__(self, commands, domain):
        """@commands: by which it listens at its port."""
        KEYS.mkdir(mode=0o700, exist_ok=True)
        key = KEYS / f"{domain}.private"
        self.record = dkimcheck.make_key(key)
        key.chmod(0o600)
        for path in (KEYS, key):
            shutil.chown(path, "nobody")
        subprocess.run(["sh", "-ec", commands], check=True)
        # There is no such user here, nor the network that a resolver asks for.
        lines = [line for line in CONFIG.read_text().splitlines()
                 if not line.startswith(("UserID", "PidFile", "TrustAnchorFile"))]
        lines += ["UserID nobody", f"Domain {domain}", f"Selector {dkimcheck.SELECTOR}", f"KeyFile {key}"]
        CONFIG.write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(["/usr/sbin/opendkim", "-f", "-x", CONFIG],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        atexit.register(self.process.terminate)
        tap.wait_for(self._answers, "opendkim listens")

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"opendkim ended: {self.process.stderr.read().decode()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", PORT)) == 0
