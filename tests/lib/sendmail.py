# SPDX-License-Identifier: GPL-2.0-or-later
"""A sendmail of the test's own, Debian's, in a view of the files that nobody else has, set up as
docs/mta/sendmail.md says."""

import atexit
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess
import threading

import handin
import sink as sinks
import snippets
import tap
import unpacked

PACKAGES = ("sendmail-bin", "sendmail-base", "sendmail-cf", "m4", "libsasl2-modules", "sasl2-bin")
# Numbers that no Debian system gives away by itself.
USERS = {"smmta": 64911, "smmsp": 64912, "sealpipe": 64903, "sealpipe-keys": 64904, "lou": 64920, "carol": 64921}
QUEUES = ("mqueue", "mqueue-client", "mqueue-sealed")
PASSWORD = "a-password"
SENDMAIL = "/usr/sbin/sendmail"

# Without DNS, and not on the ports of the host's own server.
FIRST = """
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch-nodns')dnl
define(`ALIAS_FILE', `/etc/mail/aliases')dnl
define(`confAUTH_MECHANISMS', `PLAIN')dnl
define(`confTO_QUEUERETURN', `5d')dnl
define(`SMART_HOST', `relay:mail.example.net')dnl
TRUST_AUTH_MECH(`PLAIN')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`mailertable', `hash /etc/mail/mailertable')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


def _finish(layer):
    program = layer / "usr/libexec/sendmail/sendmail"
    os.chown(program, 0, USERS["smmsp"])
    program.chmod(0o2755)
    # What Debian's alternatives do.
    for name in ("sendmail", "newaliases", "mailq"):
        link = layer / "usr/sbin" / name
        link.unlink(missing_ok=True)
        link.symlink_to("../libexec/sendmail/sendmail")


class Sendmail:
    """@folder: what stands in /etc, /run, /var/lib and /var/spool of its view, and its log."""

    def __init__(self, home, sink):
        self.layer = unpacked.layer("sendmail", PACKAGES, _finish)
        self.home = home
        self.folder = home.folder / "mta"
        self.etc = self.folder / "etc"
        self.port, self.submission = sinks.free_port(), sinks.free_port()
        self.log = b""
        self._log_to(self.folder / "log")
        self._make_folders()
        self._make_users()
        self.view = unpacked.view(self.layer, self.folder, "mta.example.net")
        self._configure(sink)

    # ---------------------------------------------------------------------------------------
    # Setting up

    def _log_to(self, path):
        """What goes to syslog in the view."""
        path.parent.mkdir(parents=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(path))
        path.chmod(0o666)

        def listen():
            while True:
                self.log += listener.recv(65536).rstrip(b"\0\n") + b"\n"
        threading.Thread(target=listen, daemon=True).start()

    def _make_folders(self):
        for name in ("etc/mail", "etc/sasl", "lib/sendmail/host_status", "run/sendmail/mta",
                     "run/sendmail/msp", *(f"spool/{name}" for name in QUEUES)):
            (self.folder / name).mkdir(parents=True)
        for name, user, mode in (("spool/mqueue", None, 0o700),
                                 ("spool/mqueue-client", "smmsp", 0o2770),
                                 ("spool/mqueue-sealed", "sealpipe", 0o700),
                                 ("run/sendmail/mta", "smmta", 0o755)):
            number = USERS.get(user, 0)
            os.chown(self.folder / name, number, number)
            (self.folder / name).chmod(mode)
        # sealpipe's folder is in home's, where its state is as well.
        (self.folder / "lib/sealpipe").mkdir()
        os.chown(self.folder / "lib/sealpipe", USERS["sealpipe"], USERS["sealpipe"])
        # By Debian's user mail, which is sendmail's for files.
        self.boxes = self.folder / "boxes"
        self.boxes.mkdir()
        shutil.chown(self.boxes, "mail")
        self.homes = self.folder / "homes"
        for user in ("lou", "carol"):
            (self.homes / user).mkdir(parents=True)
            os.chown(self.homes / user, USERS[user], USERS[user])

    def _make_users(self):
        for name, line in (("passwd", "{0}:x:{1}:{1}::{2}/{0}:/bin/sh"), ("group", "{0}:x:{1}:")):
            text = pathlib.Path("/etc", name).read_text()
            kept = [old for old in text.splitlines() if old.partition(":")[0] not in USERS]
            kept += [line.format(*user, self.homes) for user in USERS.items()]
            (self.etc / name).write_text("\n".join(kept) + "\n")
        (self.etc / "hosts").write_text("127.0.0.1 localhost\n127.0.0.1 mta.example.net mta\n")

    def _configure(self, sink):
        mail = self.etc / "mail"
        page = snippets.read("sendmail.md")
        for source in (self.layer / "etc/mail").iterdir():
            if source.is_file():
                (mail / source.name).write_bytes(source.read_bytes())
        (mail / "m4").mkdir()
        for name, text in (("m4/dialup.m4", ""), ("m4/provider.m4", ""), ("access", ""),
                           ("relay-domains", ""), ("trusted-users", ""),
                           ("local-host-names", "example.net\n"), ("aliases", self._aliases())):
            (mail / name).write_text(text)
        first = self._debian("sendmail.mc").partition("MAILER_DEFINITIONS")[0]
        first = snippets.changed(first, ("Port=smtp,", f"Port={self.port},"),
                                 ("Port=submission, M=Ea", f"Port={self.submission}, M=Ea"))
        first = re.sub(r"^FEATURE\(.greet_pause.*$", "", first, flags=re.M)
        self.program = self.folder / "sealpipe-pipe"
        self.program.symlink_to(self.home.bin / "sealpipe-pipe")
        (mail / "seal").write_text(snippets.changed(
            page["command"], ("/usr/bin/sealpipe-pipe", f"{self.program} -c {self.home.conf}")))
        (mail / "seal").chmod(0o755)
        submit = f"define(`RELAY_MAILER_ARGS', `TCP $h {self.port}')dnl\n{self._debian('submit.mc')}"
        sealed = (f"define(`RELAY_MAILER_ARGS', `TCP $h {self.port}')dnl\n"
                  f"define(`ESMTP_MAILER_ARGS', `TCP $h {sink.port}')dnl\n"
                  "define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch-nodns')dnl\n" +
                  snippets.changed(page["sealed"], ("dnl define(`SMART_HOST', `esmtp:mail.example.net",
                                                    "define(`SMART_HOST', `esmtp:[127.0.0.1]")))
        # A mailer that were left would come to the sink as well.
        leak = f"define(`ESMTP_MAILER_ARGS', `TCP $h {sink.port}')dnl\n"
        for name, text in (("sendmail", first + leak + FIRST + page["mailers"]), ("submit", submit),
                           ("sealed", sealed)):
            (mail / f"{name}.mc").write_text(text)
            made = self.run("/usr/bin/m4", f"/etc/mail/{name}.mc")
            if made.returncode != 0 or "ERROR" in made.stderr:
                raise AssertionError(f"{name}.mc: {made.stderr}")
            (mail / f"{name}.cf").write_text(made.stdout)
        os.chown(mail / "sealed.cf", 0, USERS["sealpipe"])
        (mail / "sealed.cf").chmod(0o640)
        self.good("/usr/libexec/sendmail/makemap", "hash", mail / "access", stdin="")
        self.good("/usr/libexec/sendmail/makemap", "hash", mail / "mailertable",
                  stdin="tabled.example.org\tesmtp:[127.0.0.1]\n")
        self._give_password(mail)
        self.good(SENDMAIL, "-bi", f"-oA{mail}/aliases")

    def _debian(self, name):
        return (self.layer / "usr/share/sendmail/cf/debian" / name).read_text()

    def _aliases(self):
        boxes = "".join(f"{name}: {self.boxes}/{name}\n" for name in ("postmaster", "inbox", "bob"))
        return f'{boxes}out: dora@example.org\npiped: "|{SENDMAIL} -i dora@example.org"\n'

    def _give_password(self, mail):
        (self.etc / "sasl/Sendmail.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN\n"
            "sasldb_path: /etc/mail/sasldb2\n")
        (mail / "sasl").mkdir()
        (mail / "sasl/Sendmail.conf").write_bytes((self.etc / "sasl/Sendmail.conf").read_bytes())
        self.good("saslpasswd2", "-p", "-c", "-f", mail / "sasldb2", "-u", "mta.example.net",
                  "carol", stdin=PASSWORD)
        (mail / "sasldb2").chmod(0o600)

    # ---------------------------------------------------------------------------------------
    # Running

    def run(self, *command, stdin=None, **how):
        return subprocess.run([*self.view, *map(str, command)], capture_output=True,
                              encoding="utf-8", errors="surrogateescape",
                              input=stdin, timeout=120, **how)

    def good(self, *command, **how):
        result = self.run(*command, **how)
        if result.returncode != 0:
            raise AssertionError(f"{command}: {result.returncode}: {result.stdout}{result.stderr}")
        return result

    def by_user(self, user, *command, **how):
        """As that user; where it ends, so does what it started."""
        number = str(USERS[user])
        return self.run("setpriv", "--reuid", number, "--regid", number, "--clear-groups", *command,
                        **how)

    def start(self):
        self.daemon = subprocess.Popen([*self.view, SENDMAIL, "-bD", "-q1h"],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
        atexit.register(self.stop)
        tap.wait_for(lambda: all(map(self._answers, (self.port, self.submission))),
                     "sendmail answers", 60)

    def _answers(self, port):
        if self.daemon.poll() is not None:
            raise AssertionError(f"sendmail ended: {self.daemon.stderr.read()} {self.log_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        if self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(timeout=30)

    def log_text(self):
        return self.log.decode(errors="replace")

    def send(self, message, *recipients, sender="carol@example.net", port=None, login=None,
             options=()):
        """Hands a message in; its queue id."""
        with smtplib.SMTP("127.0.0.1", port or self.port, timeout=60) as smtp:
            smtp.ehlo("client.example")
            if login:
                smtp.login(login, PASSWORD)
            return handin.hand_in(smtp, message, sender, recipients,
                                  rb"2\.0\.0 (\S+) Message accepted", each=options)

    def queue(self, *names):
        """The names of the messages that it has, and of those that are being read or delivered."""
        return [path.name for name in names or QUEUES
                for path in (self.folder / "spool" / name).iterdir()]

    def wait_line(self, *parts):
        def found():
            return [line for line in self.log_text().splitlines() if all(p in line for p in parts)]
        try:
            return tap.wait_for(found, f"a line with {parts}", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log_text()[-3000:]}") from None

    def refused(self, ident):
        # The queue id begins the same where sendmail has split the message.
        return self.wait_line(ident[:-6], "dsn=5.", "stat=Service unavailable")

    def deferred(self, ident):
        return self.wait_line(ident[:-6], "dsn=4.", "stat=Deferred")

    def try_again(self, _):
        self.good(SENDMAIL, "-q")

    def wait_empty(self):
        try:
            tap.wait_for(lambda: not self.queue(), "the queues are empty", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.queue()}\n{self.log_text()[-3000:]}") from None

    def clear(self):
        for name in QUEUES:
            for path in (self.folder / "spool" / name).iterdir():
                path.unlink(missing_ok=True)
