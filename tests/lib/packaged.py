# SPDX-License-Identifier: GPL-2.0-or-later
"""Sealpipe as packages have installed it, on a machine that a test may break: wired by the pieces of
docs/mta, word by word."""

import os
import pathlib
import subprocess
import sys
import tempfile

import certs
import mailhost
import sink as sinks
import tap

SYSTEMD = os.path.isdir("/run/systemd/system")
ETC = pathlib.Path("/etc/sealpipe")
ALICE, NOBODY = "alice@example.org", "nobody@example.org"
INSIDE = "SEALPIPE_TEST_PACKAGED"
# What systemctl would do, where nothing but this starts servers.
WITHOUT_SYSTEMD = """
systemctl() {
  case "$*" in
  "reload sealpiped" | "enable --now sealpiped")
    if [ -e /run/sealpipe/sealpiped.sock ]; then pkill -HUP -o -x sealpiped; else sealpiped; fi ;;
  daemon-reload | "reload exim4") ;;
  *) echo "systemctl $*: not known here" >&2; return 1 ;;
  esac
}
journalctl() { :; }
"""


def enter():
    """Starts this program again, as root, alone with its network; returns there. Where systemd starts
    the mail server, as Debian 13's `postfix start` has it do, the network is the system's."""
    if SYSTEMD or os.environ.get(INSIDE):
        mailhost.bring_up_network()
        return
    sys.stdout.flush()
    os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


def shell(text):
    """As who reads a page types it."""
    script = text if SYSTEMD else WITHOUT_SYSTEMD + text
    result = subprocess.run(["sh", "-e", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=300, cwd="/var/tmp")
    if result.returncode != 0:
        raise AssertionError(f"{text}: {result.returncode}: {result.stdout}")
    return result.stdout


class Sealed:
    """Alice's certificate is installed, and what leaves comes to the sink."""

    def __init__(self, port=25):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sealpipe-packaged-"))
        self.authority = certs.Authority(self.folder)
        self.alice = self.authority.person(ALICE, "rsa")
        self.sink = sinks.Sink((mailhost.OUTSIDE, port))

    def install_certificates(self):
        (ETC / "ca.pem").write_bytes(self.authority.cert.read_bytes())
        (ETC / "certs/alice.pem").write_bytes(self.alice.cert.read_bytes())

    def send(self, recipient, *words):
        message = f"From: root@mta.test\nTo: {recipient}\nSubject: trying it\n\nthe words of the message\n"
        subprocess.run(["/usr/sbin/sendmail", *words, "-f", "root@mta.test", recipient],
                       input=message.encode(), check=True, timeout=60)

    def opened(self, transaction):
        return certs.openssl("cms", "-decrypt", "-recip", self.alice.cert, "-inkey", self.alice.key,
                             input=transaction.message())

    def check(self, log):
        """One message to Alice leaves sealed, and she can open it; to nobody else one leaves at all."""
        self.send(NOBODY)
        self.send(ALICE)
        tap.wait_for(lambda: self.sink.complete(), f"it has left: {log()}", 60)
        (transaction,) = self.sink.complete()
        tap.equal(transaction.recipients, [ALICE])
        tap.true(b"words of the message" not in transaction.raw, "it left in clear")
        tap.contains(self.opened(transaction), b"the words of the message")
