# SPDX-License-Identifier: GPL-2.0-or-later
"""An Exim of the test's own, with a configuration that the test brings. Where the system lets us, it
stands in the place of the system's, in a view of the files that nobody else has; else its path is
added to the trusted ones, and taken out again at the end, and it has no users but root."""

import atexit
import fcntl
import os
import pathlib
import pwd
import shutil
import smtplib
import socket
import subprocess

import handin
import sink as sinks
import tap

EXIM = "/usr/sbin/exim4"
TRUSTED = pathlib.Path("/etc/exim4/trusted_configs")


def places(folder, port):
    """What keeps it out of the system's way, for the main section."""
    return f"""
exim_path = {EXIM}
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
pid_file_path = {folder}/spool/exim.pid
primary_hostname = mta.test
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
queue_run_in_order
"""


# Asks the check, unless the message says that it skips it, and filters all: for @programs, the folder
# with sealpipe's programs in it.
FILTERING = """
tls_advertise_hosts =
keep_environment =
add_environment = <; PATH=/usr/bin:/bin
never_users = root
acl_smtp_rcpt = ok
bounce_return_body = false

begin acl
ok:
  accept

begin routers
nokey:
  driver = redirect
  condition = ${{if eq{{$h_X-No-Check:}}{{}}}}
  allow_fail
  allow_defer
  data = ${{run{{{programs}/sealpipe-check -c {conf} -f "" -- ${{quote_local_part:$local_part}}@$domain}}{{}}{{${{if eq{{$runrc}}{{69}}{{:fail:}}{{:defer:}}}} sealpipe says: $value}}}}

out:
  driver = manualroute
  route_list = * 127.0.0.1::{sink}
  self = send
  transport = sealed

begin transports
sealed:
  driver = smtp
  allow_localhost
  max_rcpt = 1
  size_addition = -1
  return_path_add
  transport_filter = {programs}/sealpipe -c {conf} --id $message_exim_id -- $pipe_addresses
  transport_filter_timeout = 2m

begin retry
* * F,2h,10m
"""


def readable(home):
    """For Debian-exim, and for nobody to write."""
    os.chmod(home.folder, 0o755)
    for path in (home.log, home.state):
        shutil.chown(path, "Debian-exim", "Debian-exim")


def _change_trusted(change):
    """Others change it too, and Exims read it meanwhile."""
    lock = os.open(TRUSTED.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        text = change(TRUSTED.read_text() if TRUSTED.exists() else "")
        fresh = TRUSTED.with_suffix(".fresh")
        fresh.write_text(text)
        fresh.replace(TRUSTED)
        if not text:
            TRUSTED.unlink()
    finally:
        os.close(lock)


def _trust(line):
    atexit.register(_change_trusted, lambda text: text.replace(line, ""))
    _change_trusted(lambda text: text + line)


class Exim:
    """@folder: spool, log and etc, with exim4.conf from @write(server)."""

    def __init__(self, folder, write):
        self.folder = folder
        self.user = pwd.getpwnam("Debian-exim")
        self.port = sinks.free_port()
        self.log = folder / "log" / "mainlog"
        for name in ("spool", "log", "etc"):
            (folder / name).mkdir(parents=True)
        for name in ("spool", "log"):
            os.chown(folder / name, self.user.pw_uid, self.user.pw_gid)
        self.config = folder / "etc" / "exim4.conf"
        self.config.write_text(write(self))
        self.config.chmod(0o644)
        self.command = self._command()
        self.daemon = None

    def _command(self):
        private = ["unshare", "--mount", "sh", "-c",
                   'mount --bind "$0" /etc/exim4 && exec "$@"', str(self.config.parent)]
        self.private = subprocess.run([*private, "true"], capture_output=True).returncode == 0
        if self.private:
            return [*private, EXIM]
        _trust(f"{self.config}\n")
        return [EXIM, "-C", str(self.config)]

    def run(self, *args):
        return subprocess.run([*self.command, *args], capture_output=True, text=True, timeout=120)

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
        utf8 = [] if "".join([sender, *recipients]).isascii() else ["SMTPUTF8"]
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as smtp:
            smtp.ehlo()
            return handin.hand_in(smtp, message, sender, recipients, rb"id=(\S+)",
                                  ["BODY=8BITMIME", *utf8])

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
            raise AssertionError(f"{error}\n{self.log_text()[-3000:]}") from None

    def refused(self, ident, count=1):
        return self.wait_line(ident, " ** ", count)

    def deferred(self, ident, count=1):
        return self.wait_line(ident, " == ", count)

    def queued(self, ident):
        return ident in self.run("-bpr").stdout

    def try_again(self, ident):
        self.run("-M", ident)

    def remove(self, ident):
        self.run("-Mrm", ident)

    def queue(self):
        return list((self.folder / "spool" / "input").rglob("*-H"))

    def wait_empty(self):
        try:
            tap.wait_for(lambda: not self.queue(), "the queue is empty", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_text()[-3000:]}") from None

    def clear(self):
        """A message that is being delivered cannot be removed yet."""
        def cleared():
            for path in self.queue():
                self.run("-Mrm", path.name.removesuffix("-H"))
            return not self.queue()
        tap.wait_for(cleared, "the queue can be emptied")
