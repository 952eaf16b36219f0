# SPDX-License-Identifier: GPL-2.0-or-later
"""An OpenSMTPD of the test's own, Debian's, in a view of the files that nobody else has, set up as
docs/mta/opensmtpd.md says."""

import atexit
import os
import pathlib
import shutil
import smtplib
import socket
import subprocess

import certs
import handin
import sink as sinks
import snippets
import tap
import unpacked

# Numbers that no Debian system gives away by itself.
USERS = {"opensmtpd": 64931, "opensmtpq": 64932, "sealpipe": 64903, "sealpipe-keys": 64904, "lou": 64920}
SENDMAIL = "/usr/sbin/sendmail"
PASSWORD = "a-password"


def _finish(layer):
    program = layer / "usr/sbin/smtpctl"
    os.chown(program, 0, USERS["opensmtpq"])
    program.chmod(0o2755)
    # Only /usr is laid over.
    shutil.rmtree(layer / "lib", ignore_errors=True)


class OpenSmtpd:
    """@folder: what stands in /etc, /run, /var/lib and /var/spool of its view, and its log."""

    def __init__(self, home, sink):
        self.layer = unpacked.layer("opensmtpd", ("opensmtpd", "msmtp"), _finish)
        self.home = home
        self.folder = home.folder / "mta"
        self.etc, self.spool = self.folder / "etc", self.folder / "spool/smtpd"
        self.port, self.submission = sinks.free_port(), sinks.free_port()
        self.log = self.folder / "smtpd.log"
        for name in ("etc", "run", "lib/opensmtpd/empty", "lib/sealpipe", "spool/smtpd",
                     "homes/lou"):
            (self.folder / name).mkdir(parents=True)
        self.homes = self.folder / "homes"
        self.spool.chmod(0o711)
        # What is said to syslog goes nowhere.
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.bind(str(self.folder / "log"))
        self.view = unpacked.view(self.layer, self.folder, "mta.example.net")
        self._make_users()
        self._configure(sink)

    def _make_users(self):
        places = {"opensmtpd": "/var/lib/opensmtpd/empty", "sealpipe": "/var/lib/sealpipe",
                  "lou": str(self.homes / "lou")}
        for name in ("passwd", "group"):
            text = pathlib.Path("/etc", name).read_text()
            kept = [old for old in text.splitlines() if old.partition(":")[0] not in USERS]
            for user, number in USERS.items():
                kept.append(f"{user}:x:{number}:" if name == "group" else
                            f"{user}:x:{number}:{number}::{places.get(user, '/nonexistent')}:/bin/sh")
            (self.etc / name).write_text("\n".join(kept) + "\n")
        for folder, user in ((self.homes / "lou", "lou"), (self.folder / "lib/sealpipe", "sealpipe")):
            os.chown(folder, USERS[user], USERS[user])

    def _configure(self, sink):
        page = snippets.read("opensmtpd.md")
        self.program = self.folder / "sealpipe-pipe"
        self.program.symlink_to(self.home.bin / "sealpipe-pipe")
        command = self.folder / "sealpipe-mda"
        command.write_text(snippets.changed(
            page["command"], ("/usr/bin/sealpipe-pipe", f"{self.program} -c {self.home.conf}")))
        command.chmod(0o755)
        account = self.folder / "lib/sealpipe/msmtprc"
        account.write_text(snippets.changed(
            page["msmtp"], ("host mail.example.net", "host 127.0.0.1"),
            ("port 465", f"port {sink.port}"), ("tls on", "tls off"), ("auth on", "auth off")))
        account.chmod(0o600)
        os.chown(account, USERS["sealpipe"], USERS["sealpipe"])
        conf = snippets.changed(page["local"], ("listen on localhost no-dsn\n", self._listeners())) + \
            page["conf"].replace("/usr/local/sbin/sealpipe-mda", str(command))
        self._give_password()
        for name, text in (("smtpd.conf", conf), ("mailname", "mta.example.net\n"),
                           ("hosts", "127.0.0.1 localhost mta.example.net\n"),
                           ("aliases", f'out: dora@example.org\ninbox: lou\n'
                                       f'piped: "|{SENDMAIL} -i dora@example.org"\n')):
            (self.etc / name).write_text(text)
            (self.etc / name).chmod(0o644)

    def _listeners(self):
        return (f"listen on 127.0.0.1 port {self.port} no-dsn\n"
                'pki here cert "/etc/mta.crt"\npki here key "/etc/mta.key"\n'
                "table logins file:/etc/logins\n"
                f"listen on 127.0.0.1 port {self.submission} tls-require pki here auth <logins> no-dsn\n")

    def _give_password(self):
        certs.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 365, "-subj",
                      "/CN=mta.example.net", "-keyout", self.etc / "mta.key", "-out",
                      self.etc / "mta.crt")
        (self.etc / "mta.key").chmod(0o600)
        made = self.run("smtpctl", "encrypt", PASSWORD)
        (self.etc / "logins").write_text(f"carol\t{made.stdout.strip()}\n")

    def run(self, *command, stdin=None, **how):
        return subprocess.run([*self.view, *map(str, command)], capture_output=True,
                              encoding="utf-8", errors="surrogateescape", input=stdin, timeout=120,
                              **how)

    def by_user(self, user, *command, **how):
        number = str(USERS[user])
        return self.run("setpriv", "--reuid", number, "--regid", number, "--clear-groups", *command,
                        **how)

    def start(self):
        with self.log.open("wb") as log:
            self.daemon = subprocess.Popen([*self.view, "/usr/sbin/smtpd", "-d"],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(self.stop)
        tap.wait_for(self._answers, "smtpd answers", 60)

    def _answers(self):
        if self.daemon.poll() is not None:
            raise AssertionError(f"smtpd ended: {self.log_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(timeout=30)

    def log_text(self):
        return self.log.read_text(errors="replace")

    def send(self, message, *recipients, sender="carol@example.net", login=None):
        """Hands a message in; its queue id. ssl.SSLError where smtpd's TLS does not work."""
        port = self.submission if login else self.port
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
            smtp.ehlo("client.example")
            if login:
                handin.log_in(smtp, login, PASSWORD)
            return handin.hand_in(smtp, message, sender, recipients,
                                  rb"2\.0\.0 (\S+) Message accepted")

    def queue(self):
        # A message's folder may go while it is looked into, which os.walk() bears.
        return [name for folder, _, names in os.walk(self.spool)
                for name in names if "temporary" not in pathlib.Path(folder).parts]

    def _wait_line(self, ident, result):
        def found():
            return [line for line in self.log_text().splitlines()
                    if f" evpid={ident}" in line and f" result={result} " in line]
        try:
            return tap.wait_for(found, result, 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_text()[-3000:]}") from None

    def refused(self, ident):
        return self._wait_line(ident, "PermFail")

    def deferred(self, ident):
        return self._wait_line(ident, "TempFail")

    def try_again(self, _):
        # A schedule that comes while the last try is being noted is lost.
        tap.wait_for(lambda: "pending" in self.run("smtpctl", "show", "queue").stdout, "it waits")
        result = self.run("smtpctl", "schedule", "all")
        tap.equal(result.returncode, 0, result.stderr)

    def wait_empty(self):
        try:
            tap.wait_for(lambda: not self.queue(), "the queue is empty", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.queue()}\n{self.log_text()[-3000:]}") from None

    def clear(self):
        listed = self.run("smtpctl", "show", "queue").stdout
        for line in listed.splitlines():
            self.run("smtpctl", "remove", line.partition("|")[0])
