# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian mail host of the test's own, in a view of the files and with a network that nobody else
has: what a page says can be done there word by word, as root, in /etc, /usr and /var."""

import atexit
import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

import home as homes
import mounts
import tap

# Of the sink: an address of this host that Exim does not know to be its own.
OUTSIDE = "192.0.2.25"
INSIDE = "SEALPIPE_TEST_MAILHOST"


def enter():
    """Starts this program again, alone with its files and its network; returns there."""
    if os.environ.get(INSIDE):
        return
    if reason := mounts.why_not():
        tap.skip_all(reason)
    alone = ["unshare", "--mount", "--net", "--propagation", "private"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode != 0:
        tap.skip_all("this system gives no network of one's own")
    sys.stdout.flush()
    os.execvpe(alone[0], [*alone, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def run(*command, check=True, **how):
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, **how)
    if check and result.returncode != 0:
        raise AssertionError(f"{command}: {result.returncode}: {result.stdout}{result.stderr}")
    return result


def _mount(*args):
    result = run("mount", *args, check=False)
    if result.returncode != 0:
        tap.skip_all(f"mount {' '.join(map(str, args))}: {result.stderr.strip()}")


def bring_up_network():
    """127.0.0.1 and OUTSIDE."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name, address in ((b"lo", None), (b"lo:1", OUTSIDE)):
            if address:
                fcntl.ioctl(control, 0x8916, struct.pack("16sHH4s8x", name, socket.AF_INET, 0,
                                                         socket.inet_aton(address)))
            fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", name, 1))


class Names(threading.Thread):
    """DNS: each name below example, example.org and so on is OUTSIDE; there are no others."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            self.socket.sendto(self._answer(query), peer)

    @staticmethod
    def _answer(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].lower())
            at += 1 + query[at]
        question = query[12:at + 5]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        known = b"example" in labels[-2:]
        answers = known and kind == 1
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | (0 if known else 3), 1, answers, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(OUTSIDE)
        return head + question + (record if answers else b"")


# What a system with systemd has. There is none in here.
COMMANDS = {
    "systemctl": 'echo "$@" >>/run/systemctl\n',
    "journalctl": 'echo "$@" >>/run/journalctl\n',
}


class MailHost:
    """@folder: what the view is made of. Programs of the installed tree are in /usr/bin, and their
    configuration is in /etc/sealpipe."""

    def __init__(self, folder):
        self.prefix = homes.prefix().resolve()
        folder.mkdir()
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        atexit.register(run, "umount", "-l", folder, check=False)
        for top in ("etc", "usr", "var"):
            for name in (f"{top}-upper", f"{top}-work"):
                (folder / name).mkdir()
            _mount("-t", "overlay", "overlay", "-o", f"lowerdir=/{top},upperdir={folder}/{top}-upper,"
                   f"workdir={folder}/{top}-work", f"/{top}")
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        self._install()
        bring_up_network()
        pathlib.Path("/etc/resolv.conf").unlink(missing_ok=True)
        pathlib.Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        Names().start()

    def _install(self):
        for program in self.prefix.glob("*bin/seal*"):
            link = pathlib.Path("/usr", program.parent.name, program.name)
            link.unlink(missing_ok=True)
            link.symlink_to(program)
        shutil.rmtree("/usr/share/doc/sealpipe", ignore_errors=True)
        pathlib.Path("/usr/share/doc/sealpipe").symlink_to(self.prefix / "share/doc/sealpipe")
        etc = pathlib.Path("/etc/sealpipe")
        shutil.rmtree(etc, ignore_errors=True)
        (etc / "conf.d").mkdir(parents=True)
        own = self.prefix / "etc/sealpipe"
        if own.resolve() != etc:
            for shipped in (own / "conf.d").glob("*.conf"):
                shutil.copy(shipped, etc / "conf.d")
            _mount("--bind", etc, own)
        shutil.rmtree("/var/lib/sealpipe", ignore_errors=True)
        for name, lines in COMMANDS.items():
            path = pathlib.Path("/usr/bin", name)
            path.unlink(missing_ok=True)
            path.write_text("#!/bin/sh\n" + lines)
            path.chmod(0o755)


def shell(text):
    """As who reads a page types it."""
    return run("sh", "-e", "-c", text, cwd="/var/tmp").stdout
