# SPDX-License-Identifier: GPL-2.0-or-later
"""A Postfix of the test's own. Debian's package conflicts with Exim's; therefore it is unpacked into
build/postfix, and laid over /usr and /etc in a view of the files that nobody else has."""

import atexit
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess

import sink as sinks
import snippets
import tap

ROOT = snippets.SOURCE / "build" / "postfix"
LAYER = ROOT / "layer"
# Numbers that no Debian system gives away by itself.
USERS = {"postfix": 64901, "postdrop": 64902, "sealpipe": 64903}

MAIN = """
compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/log/maillog
maillog_file_prefixes = /
myhostname = mta.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:SINK
disable_dns_lookups = yes
alias_maps =
local_recipient_maps =
local_transport = error:no local mail
biff = no
queue_run_delay = 300s
"""

MASTER = """
pickup    unix  n  -  n  1     1  pickup
cleanup   unix  n  -  n  -     0  cleanup
qmgr      unix  n  -  n  300   1  qmgr
rewrite   unix  -  -  n  -     -  trivial-rewrite
bounce    unix  -  -  n  -     0  bounce
defer     unix  -  -  n  -     0  bounce
trace     unix  -  -  n  -     0  bounce
verify    unix  -  -  n  -     1  verify
flush     unix  n  -  n  1000? 0  flush
proxymap  unix  -  -  n  -     -  proxymap
smtp      unix  -  -  n  -     -  smtp
showq     unix  n  -  n  -     -  showq
error     unix  -  -  n  -     -  error
retry     unix  -  -  n  -     -  error
anvil     unix  -  -  n  -     1  anvil
postlog   unix-dgram n - n  -  1  postlogd
"""


def _run(*command, **how):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, **how)


def _wanted():
    """Postfix, and what of its dependencies this system does not have."""
    result = _run("apt-get", "--simulate", "--no-install-recommends", "install", "postfix")
    found = re.findall(r"^Inst (\S+)", result.stdout, re.M)
    return found if "postfix" in found or result.returncode == 0 else []


def _download(folder):
    names = _wanted() or ["postfix"]
    result = _run("apt-get", "-o", "APT::Sandbox::User=root", "download", *names, cwd=folder)
    if result.returncode != 0:
        raise AssertionError(f"cannot download {' '.join(names)}: {result.stderr}")


def unpack():
    """Once; a second run finds it."""
    if (LAYER / "usr/sbin/postconf").exists():
        return
    shutil.rmtree(ROOT, ignore_errors=True)
    packages = ROOT / "packages"
    packages.mkdir(parents=True)
    try:
        _download(packages)
    except AssertionError:
        _run("apt-get", "update", "-qq")
        _download(packages)
    fresh = ROOT / "fresh"
    for package in packages.glob("*.deb"):
        result = _run("dpkg-deb", "-x", package, fresh)
        if result.returncode != 0:
            raise AssertionError(f"cannot unpack {package}: {result.stderr}")
    for name in ("postdrop", "postqueue"):
        program = fresh / "usr/sbin" / name
        os.chown(program, 0, USERS["postdrop"])
        program.chmod(0o2755)
    fresh.rename(LAYER)


class Postfix:
    """@folder: queue, data, log, and the layer with its configuration."""

    def __init__(self, home, sink):
        unpack()
        self.home = home
        self.folder = home.folder / "mta"
        self.port, self.submission = sinks.free_port(), sinks.free_port()
        self.log = self.folder / "log" / "maillog"
        self.etc = self.folder / "etc"
        self.daemon = None
        for name in ("data", "log", "etc/postfix"):
            (self.folder / name).mkdir(parents=True)
        os.chown(self.folder / "data", USERS["postfix"], 0)
        self._make_queue()
        self._make_users()
        self._configure(sink)
        layers = f"lowerdir={self.etc}:{LAYER}/etc:/etc", f"lowerdir={LAYER}/usr:/usr"
        self.view = ["unshare", "--mount", "sh", "-c",
                     'mount -t overlay overlay -o "$0" /etc && '
                     'mount -t overlay overlay -o "$1" /usr && shift && exec "$@"', *layers]
        result = _run(*self.view, "/usr/sbin/postconf", "mail_version")
        if result.returncode != 0:
            raise AssertionError(f"Postfix cannot be laid over this system: {result.stderr}")

    def _make_queue(self):
        queue = self.folder / "queue"
        queue.mkdir()
        for name in ("active bounce corrupt defer deferred flush hold incoming private saved "
                     "trace").split():
            (queue / name).mkdir(mode=0o700)
            os.chown(queue / name, USERS["postfix"], 0)
        (queue / "pid").mkdir(mode=0o755)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (queue / name).mkdir()
            os.chown(queue / name, USERS["postfix"], USERS["postdrop"])
            (queue / name).chmod(mode)

    def _make_users(self):
        for name, line in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin"),
                           ("group", "{0}:x:{1}:")):
            text = pathlib.Path("/etc", name).read_text()
            kept = [old for old in text.splitlines() if old.partition(":")[0] not in USERS]
            kept += [line.format(*user) for user in USERS.items()]
            (self.etc / name).write_text("\n".join(kept) + "\n")

    def _configure(self, sink):
        page = snippets.read("postfix.md")
        command = f"{self.home.bin}/sealpipe-pipe -c {self.home.conf}"
        master = MASTER + "".join((
            snippets.changed(page["smtpd"], ("smtp      inet", f"127.0.0.1:{self.port} inet"),
                             ("       y  ", "       n  ")),
            # Nobody logs in here: who connects is believed, and says who he is by XCLIENT.
            snippets.changed(page["submission"],
                             ("submission inet", f"127.0.0.1:{self.submission} inet"),
                             ("       y  ", "       n  "),
                             ("permit_sasl_authenticated", "permit_mynetworks"),
                             ("security_level=encrypt", "security_level=none"),
                             ("auth_enable=yes",
                              "auth_enable=no\n  -o smtpd_authorized_xclient_hosts=127.0.0.1")),
            snippets.changed(page["pipe"], ("/usr/bin/sealpipe-pipe", command))))
        main = MAIN.replace("DIR", str(self.folder)).replace("SINK", str(sink.port)) + page["main"]
        (self.etc / "postfix/main.cf").write_text(main)
        (self.etc / "postfix/master.cf").write_text(master)

    def run(self, *command):
        return _run(*self.view, *command)

    def start(self):
        self.daemon = subprocess.Popen([*self.view, "/usr/lib/postfix/sbin/master", "-d"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
        atexit.register(self.stop)
        tap.wait_for(lambda: all(map(self._answers, (self.port, self.submission))),
                     "Postfix answers", 60)

    def _answers(self, port):
        if self.daemon.poll() is not None:
            raise AssertionError(f"Postfix ended: {self.daemon.stderr.read()} {self.log_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(timeout=30)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, message, *recipients, sender="carol@example.net", port=None, login=None):
        """Hands a message in; its queue id. @login: as if that one had logged in."""
        with smtplib.SMTP("127.0.0.1", port or self.port, timeout=60) as smtp:
            smtp.ehlo()
            if login:
                code, text = smtp.docmd("XCLIENT", f"LOGIN={login}")
                tap.equal(code, 220, f"XCLIENT: {text}")
                smtp.ehlo()
            smtp.mail(sender, ["BODY=8BITMIME"])
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                tap.equal(code, 250, f"RCPT {recipient}: {text}")
            code, text = smtp.data(message)
        found = re.search(rb"queued as (\S+)", text)
        tap.true(code == 250 and found, f"DATA: {code} {text}")
        return found[1].decode()

    def queue(self):
        """The names of the messages that it has."""
        folders = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")
        return [path.name for name in folders for path in (self.folder / "queue" / name).rglob("*")
                if path.is_file()]

    def wait_status(self, ident, word, count=1):
        """The lines that say of @count recipients what became of them."""
        def found():
            lines = [line for line in self.log_text().splitlines()
                     if f" {ident}: to=" in line and f" status={word} " in line]
            return lines if len(lines) >= count else None
        try:
            return tap.wait_for(found, f"status={word}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_text()[-3000:]}") from None

    def refused(self, ident, count=1):
        return self.wait_status(ident, "bounced", count)

    def deferred(self, ident, count=1):
        return self.wait_status(ident, "deferred", count)

    def try_again(self, ident):
        self.run("/usr/sbin/postqueue", "-i", ident)

    def wait_empty(self):
        try:
            tap.wait_for(lambda: not self.queue(), "the queue is empty", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.queue()}\n{self.log_text()[-3000:]}") from None

    def clear(self):
        self.run("/usr/sbin/postsuper", "-d", "ALL")
