# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Exim 4 of a test's own, with sealpipe in its transport. Needs root."""

import atexit
import os
import pathlib
import pwd
import re
import shutil
import smtplib
import socket
import subprocess

import sink as sinks
import tap

EXIM = "/usr/sbin/exim4"
TRUSTED = pathlib.Path("/etc/exim4/trusted_configs")

CONFIG = r"""
exim_path = /usr/sbin/exim4
spool_directory = DIR/spool
log_file_path = DIR/log/%slog
pid_file_path = DIR/spool/exim.pid
primary_hostname = mta.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT
tls_advertise_hosts =
keep_environment =
add_environment = <; PATH=/usr/bin:/bin
never_users = root
acl_smtp_rcpt = ok
bounce_return_body = false
queue_run_in_order

begin acl
ok:
  accept

begin routers
# A message that says so skips the check, so that the filter meets what the check would have met.
nokey:
  driver = redirect
  condition = ${if eq{$h_X-No-Check:}{}}
  allow_fail
  allow_defer
  data = ${run{DIR/bin/sealpipe-check -c CONF -f "" -- ${quote_local_part:$local_part}@$domain}{}{${if eq{$runrc}{69}{:fail:}{:defer:}} sealpipe says: $value}}

out:
  driver = manualroute
  route_list = * 127.0.0.1::SINK
  self = send
  transport = sealed

begin transports
sealed:
  driver = smtp
  allow_localhost
  max_rcpt = 1
  size_addition = -1
  return_path_add
  transport_filter = DIR/bin/sealpipe -c CONF --id $message_exim_id -- $pipe_addresses
  transport_filter_timeout = 2m

begin retry
* * F,2h,10m
"""


class Exim:
    """@folder: spool, log, bin with links to the programs, and the configuration."""

    def __init__(self, home, sink):
        self.folder = home.folder / "exim"
        self.user = pwd.getpwnam("Debian-exim")
        self.port = sinks.free_port()
        self.log = self.folder / "log" / "mainlog"
        for name in ("spool", "log", "bin", "etc"):
            (self.folder / name).mkdir(parents=True)
        for name in ("spool", "log"):
            os.chown(self.folder / name, self.user.pw_uid, self.user.pw_gid)
        self.link_programs(home)
        text = CONFIG
        for word, value in (("DIR", self.folder), ("CONF", home.conf), ("PORT", self.port),
                            ("SINK", sink.port)):
            text = re.sub(rf"\b{word}\b", str(value), text)
        self.config = self.folder / "etc" / "exim4.conf"
        self.config.write_text(text)
        self.config.chmod(0o644)
        self.command = self._command()
        self.daemon = None

    def link_programs(self, home):
        for name in ("sealpipe", "sealpipe-check"):
            link = self.folder / "bin" / name
            link.unlink(missing_ok=True)
            link.symlink_to(home.bin / name)

    def _command(self):
        """Exim as root with our configuration. Where the system lets us, it stands in the place of
        the system's, in a view of the files that nobody else has; else its path is added to the
        trusted ones, and taken out again at the end."""
        private = ["unshare", "--mount", "sh", "-c",
                   'mount --bind "$0" /etc/exim4 && exec "$@"', str(self.config.parent)]
        if subprocess.run([*private, "true"], capture_output=True).returncode == 0:
            return [*private, EXIM]
        self._trust()
        return [EXIM, "-C", str(self.config)]

    def _trust(self):
        before = TRUSTED.read_bytes() if TRUSTED.exists() else None

        def restore():
            if before is None:
                TRUSTED.unlink(missing_ok=True)
            else:
                TRUSTED.write_bytes(before)

        atexit.register(restore)
        TRUSTED.write_bytes((before or b"") + f"{self.config}\n".encode())

    def start(self):
        self.daemon = subprocess.Popen([*self.command, "-bdf"], stdin=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
        atexit.register(self.stop)
        tap.wait_for(self._answers, f"Exim answers: {self.log_text()}")

    def _answers(self):
        if self.daemon.poll() is not None:
            raise AssertionError(f"Exim ended: {self.daemon.stderr.read().decode()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(timeout=30)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, message, *recipients, sender="carol@example.net"):
        """Hands a message in; its id."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as smtp:
            smtp.ehlo()
            smtp.mail(sender, ["BODY=8BITMIME"])
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                tap.equal(code, 250, f"RCPT {recipient}: {text}")
            code, text = smtp.data(message)
        found = re.search(rb"id=(\S+)", text)
        tap.true(code == 250 and found, f"DATA: {code} {text}")
        return found[1].decode()

    def lines(self, ident):
        return [line for line in self.log_text().splitlines() if f" {ident} " in line]

    def wait_line(self, ident, mark, count=1):
        """Waits for @count lines of this message with the mark."""
        def found():
            lines = [line for line in self.lines(ident) if mark in line]
            return lines if len(lines) >= count else None
        try:
            return tap.wait_for(found, f"{mark!r} in the log", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.lines(ident))) from None

    def queued(self, ident):
        result = subprocess.run([*self.command, "-bpr"], capture_output=True, text=True, timeout=60)
        return ident in result.stdout

    def run_queue(self, ident):
        subprocess.run([*self.command, "-M", ident], capture_output=True, timeout=120)

    def remove(self, ident):
        subprocess.run([*self.command, "-Mrm", ident], capture_output=True, timeout=60)


def readable(home):
    """For Debian-exim, and for nobody to write."""
    os.chmod(home.folder, 0o755)
    shutil.chown(home.log, "Debian-exim", "Debian-exim")
