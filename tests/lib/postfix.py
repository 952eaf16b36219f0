# SPDX-License-Identifier: GPL-2.0-or-later
"""A Postfix of the test's own, as Debian's package sets it up. The package conflicts with Exim's;
therefore it is unpacked into build/postfix, and laid over this system in a view of the files, with a
network, that nobody else has. In it the pages' commands run as they stand there."""

import atexit
import fcntl
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import sys

import handin
import home as homes
import mounts
import sasl
import snippets
import tap

ROOT = snippets.SOURCE / "build" / "postfix"
LAYER = ROOT / "layer"
ENTERED = "SEALPIPE_TEST_POSTFIX_VIEW"
# What a page has beside Postfix: a milter, and how a client logs in.
PACKAGES = ("postfix", "opendkim", "libsasl2-modules")
# Numbers that no Debian system gives away by itself.
USERS = {"postfix": 64901, "postdrop": 64902, "lucy": 64911, "mark": 64912, "nina": 64913}
PEOPLE = ("lucy", "mark", "nina")
DOMAIN = "mta.test"
SUBMISSION = 587


def _run(*command, **how):
    how = {"capture_output": True, "text": True, "timeout": 300, **how}
    return subprocess.run([*map(str, command)], **how)


def checked(*command, **how):
    """What it writes; its complaint is the error's text."""
    result = _run(*command, **how)
    if result.returncode != 0:
        raise AssertionError(f"{command}: {result.stdout}{result.stderr}")
    return result.stdout


def _wanted():
    """The packages, and what of their dependencies this system does not have."""
    result = _run("apt-get", "--simulate", "--no-install-recommends", "install", *PACKAGES)
    found = re.findall(r"^Inst (\S+)", result.stdout, re.M)
    return found if "postfix" in found or result.returncode == 0 else []


def _download(folder):
    names = _wanted() or PACKAGES
    result = _run("apt-get", "-o", "APT::Sandbox::User=root", "download", *names, cwd=folder)
    if result.returncode != 0:
        raise AssertionError(f"cannot download {' '.join(names)}: {result.stderr}")


def unpack():
    """Once; a second run finds it."""
    if all((LAYER / "usr/sbin" / name).exists() for name in ("postconf", "opendkim")):
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
        checked("dpkg-deb", "-x", package, fresh)
    for name in ("postdrop", "postqueue", "postlog"):
        program = fresh / "usr/sbin" / name
        os.chown(program, 0, USERS["postdrop"])
        program.chmod(0o2755)
    fresh.rename(LAYER)


def _lay_over(top, scratch):
    """@top as it is, Postfix's package over it, and above them what the test writes."""
    upper, work = scratch / f"upper{top}", scratch / f"work{top}"
    upper.mkdir(parents=True)
    work.mkdir(parents=True)
    shutil.copystat(top, upper)
    package = f"{LAYER}{top}:" if (LAYER / top[1:]).is_dir() else ""
    checked("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={package}{top},upperdir={upper},workdir={work}", top)


def _raise_loopback():
    set_flags, is_up = 0x8914, 1  # SIOCSIFFLAGS, IFF_UP
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", is_up))


def enter():
    """To be called first of all: the test begins again in a view of its own."""
    homes.prefix()
    if ENTERED not in os.environ:
        if reason := mounts.why_not():
            tap.skip_all(f"Postfix is laid over the system: {reason}")
        unpack()
        os.environ[ENTERED] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", sys.executable, *sys.argv])
    _raise_loopback()
    scratch = ROOT / "scratch"
    scratch.mkdir(exist_ok=True)
    # Not on a disk: another overlay, as containers have below us, can be no upper layer.
    checked("mount", "-t", "tmpfs", "tmpfs", scratch)
    for top in ("/etc", "/home", "/usr", "/var"):
        _lay_over(top, scratch)
    # Debian's scripts would ask systemd to start it; and the daemon's socket is nobody else's.
    checked("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")


def _make_users():
    for name, line in (("passwd", "{0}:x:{1}:{1}::/home/{0}:/bin/sh"), ("group", "{0}:x:{1}:")):
        path = pathlib.Path("/etc", name)
        kept = [old for old in path.read_text().splitlines()
                if old.partition(":")[0] not in (*USERS, "sealpipe")]
        kept += [line.format(*user) for user in USERS.items()]
        path.write_text("\n".join(kept) + "\n")
    for name in PEOPLE:
        folder = pathlib.Path("/home", name)
        folder.mkdir()
        os.chown(folder, USERS[name], USERS[name])


def version():
    return checked("postconf", "-h", "mail_version").strip()


class Postfix:
    """Of the first instance: @main is what its administrator has set already."""

    def __init__(self, home, sink, **main):
        self.home = home
        self.folder = pathlib.Path("/var/spool")
        self.log = pathlib.Path("/var/log/mail.log")
        self.port, self.pieces = 25, snippets.read("postfix.md")
        self.spools = [pathlib.Path("/var/spool/postfix")]
        _make_users()
        self._install(relayhost=f"[127.0.0.1]:{sink.port}", **main)
        program = pathlib.Path("/usr/bin/sealpipe-pipe")
        program.unlink(missing_ok=True)
        program.write_text(f'#!/bin/sh\nexec {home.bin}/sealpipe-pipe -c {home.conf} "$@"\n')
        program.chmod(0o755)

    def _install(self, **main):
        """What the package's scripts do on a new system."""
        etc, share = pathlib.Path("/etc/postfix"), pathlib.Path("/usr/share/postfix")
        shutil.copy(share / "main.cf.debian", etc / "main.cf")
        shutil.copy(share / "master.cf.dist", etc / "master.cf")
        shutil.copy(share / "dynamicmaps.cf", etc)
        for name in ("main.cf", "master.cf"):
            if not (LAYER / f"etc/postfix/{name}.proto").exists():  # Debian 12's come by script
                shutil.copy(share / f"{name}.dist", etc / f"{name}.proto")
        pathlib.Path("/etc/mailname").write_text(DOMAIN + "\n")
        pathlib.Path("/etc/aliases").write_text("postmaster: root\n")
        os.chown("/var/lib/postfix", USERS["postfix"], USERS["postfix"])
        mails = pathlib.Path("/var/mail")
        mails.mkdir(exist_ok=True)
        mails.chmod(0o1777)
        key, cert = self.home.folder / "tls.key", self.home.folder / "tls.pem"
        checked("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj",
                f"/CN={DOMAIN}", "-keyout", key, "-out", cert)
        self.set(myhostname=f"host.{DOMAIN}", alias_maps="hash:/etc/aliases",
                 alias_database="hash:/etc/aliases", myorigin="/etc/mailname",
                 mydestination=f"$myhostname, {DOMAIN}, localhost",
                 mynetworks="127.0.0.0/8 [::1]/128", mailbox_size_limit=0, recipient_delimiter="+",
                 inet_interfaces="all", inet_protocols="ipv4",
                 smtpd_relay_restrictions="permit_mynetworks permit_sasl_authenticated "
                                          "defer_unauth_destination",
                 smtpd_tls_cert_file=cert, smtpd_tls_key_file=key, smtpd_tls_security_level="may",
                 smtp_tls_security_level="may", smtpd_sasl_type="dovecot",
                 smtpd_sasl_path="private/auth", maillog_file=self.log, **main)
        checked("newaliases")

    def set(self, **settings):
        checked("postconf", "-e", *(f"{name} = {value}" for name, value in settings.items()))

    def forward(self, name, target):
        path = pathlib.Path("/home", name, ".forward")
        path.write_text(target + "\n")
        os.chown(path, USERS[name], USERS[name])

    def reload(self):
        checked("postfix", "reload")

    def _settings(self):
        return [pathlib.Path("/etc", spool.name, name)
                for spool in self.spools for name in ("main.cf", "master.cf")]

    def keep(self):
        """How it is set up now is what restore() goes back to."""
        self.kept = {path: path.read_bytes() for path in self._settings()}

    def restore(self):
        changed = [path for path, octets in self.kept.items() if path.read_bytes() != octets]
        for path in changed:
            path.write_bytes(self.kept[path])
        if changed:
            self.reload()

    def follow(self, *names):
        """Runs pieces of the page as an administrator would."""
        for name in names:
            checked("sh", "-ec", self.pieces[name], cwd="/")

    def _prepare_chroot(self, name):
        # As Debian 12's init script and units do; Postfix 3.10 does it by itself.
        if version().startswith("3.7."):
            checked("sh", "/usr/lib/postfix/configure-instance.sh", name)

    def start(self):
        self._prepare_chroot("-")
        checked("postfix", "start")
        atexit.register(self.stop)
        sasl.serve("/var/spool/postfix/private/auth")

    def start_second(self):
        self.spools.append(pathlib.Path("/var/spool/postfix-out"))
        self._prepare_chroot("postfix-out")
        checked("postfix", "-c", "/etc/postfix-out", "start")

    def stop(self):
        """Not by Postfix's command, which refuses where a test has left a setting that is wrong."""
        for spool in self.spools:
            lines = (spool / "pid/master.pid").read_text().split()
            os.kill(int(lines[0]), signal.SIGTERM)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def connect(self, port=None, login=None):
        """A session that has said EHLO; with @login an encrypted one that has logged in."""
        smtp = smtplib.SMTP("127.0.0.1", port or self.port, timeout=60)
        smtp.ehlo()
        if login or port == SUBMISSION or not port and self.port == SUBMISSION:
            handin.log_in(smtp, login or "carol", "any")
        return smtp

    def send(self, message, *recipients, sender="carol@example.net", port=None, login=None,
             options=("BODY=8BITMIME",)):
        """Hands a message in; its queue id. @login: by the submission service."""
        with self.connect(SUBMISSION if login else port, login) as smtp:
            smtp.command_encoding = "utf-8"
            return handin.hand_in(smtp, message, sender, recipients, rb"queued as (\S+)", options)

    def send_locally(self, message, *words, user="lucy"):
        """As a program of @user's does: what sendmail answers."""
        return subprocess.run(["runuser", "-u", user, "--", "/usr/sbin/sendmail", *words],
                              input=message, capture_output=True, timeout=60, cwd="/")

    def queue(self):
        """The names of the messages that it has."""
        folders = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")
        # The first one last as well: the second gives it bounces back.
        return [path.name for spool in (*self.spools, self.spools[0]) for name in folders
                for path in (spool / name).rglob("*") if path.is_file()]

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
        checked("postqueue", "-i", ident)

    def wait_empty(self):
        try:
            tap.wait_for(lambda: not self.queue(), "the queue is empty", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.queue()}\n{self.log_text()[-3000:]}") from None

    def clear(self):
        for spool in self.spools:
            checked("postsuper", "-c", f"/etc/{spool.name}", "-d", "ALL")
        for name in PEOPLE:
            pathlib.Path("/var/mail", name).unlink(missing_ok=True)

    def mailbox(self, name):
        """The messages that a local user has."""
        path = pathlib.Path("/var/mail", name)
        text = path.read_bytes() if path.exists() else b""
        return [part for part in re.split(rb"^From .*\n", text, flags=re.M) if part]
