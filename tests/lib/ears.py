# SPDX-License-Identifier: GPL-2.0-or-later
"""Who hears the log: in place of the journal and of syslog, in a view of the files of the test's own."""

import atexit
import os
import pathlib
import socket
import sys
import threading

import mounts
import tap

JOURNAL, SYSLOG = "/run/systemd/journal/socket", "/dev/log"
# /run and /dev are the test's. What it starts finds both sockets.
VIEW = """set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/journal /run/dev
mount -t tmpfs -o mode=755 tmpfs /run/dev
for node in null zero full random urandom tty ptmx; do
  : >/run/dev/$node
  mount --bind /dev/$node /run/dev/$node
done
mkdir -m 1777 /run/dev/shm
ln -s /proc/self/fd /run/dev/fd
mount --move /run/dev /dev
exec "$@"
"""


def own_view():
    """Starts the test over, in a view of its own. FALSE where it cannot have one."""
    if os.environ.get("SEAL_TEST_VIEW"):
        return True
    if mounts.why_not():
        return False
    os.environ["SEAL_TEST_VIEW"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "sh", "-c", VIEW, "sh", sys.executable, *sys.argv])


class Ear:
    """Keeps each datagram that comes to @path."""

    def __init__(self, path):
        self.heard, self.socket = [], socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        atexit.register(pathlib.Path(path).unlink, missing_ok=True)

    def listen(self):
        while True:
            octets, files, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
            for fd in files:  # an entry that is too long for a datagram
                octets += os.pread(fd, 1 << 24, 0)
                os.close(fd)
            self.heard.append(octets)

    def take(self, *parts):
        """What was heard, once each of @parts was."""
        tap.wait_for(lambda: all(any(part in octets for octets in self.heard) for part in parts),
                     f"heard: {parts}; there was {self.heard[-3:]}")
        taken, self.heard = self.heard, []
        return taken


def fields(entry):
    """{name: value} of a journal's entry."""
    found, rest = {}, entry
    while rest:
        line, _, rest = rest.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:  # its length, and then it
            size = int.from_bytes(rest[:8], "little")
            value, rest = rest[8:8 + size], rest[8 + size + 1:]
        tap.true(name not in found, f"{name} twice")
        found[name.decode()] = value.decode()
    return found
