# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Exim with sealpiped behind it, as docs/mta/exim.md has both, word by word: keys that only root
can read, in_process=false, and Exim's own user.

daemon-exim.py WAY: reinject, in Debian's own Exim, or transport, in a configuration of one's own.
"""

import os
import pathlib
import pwd
import shutil
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import exim as exims
import tap

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")
if not os.path.exists(exims.EXIM):
    tap.skip_all(f"no {exims.EXIM}: exim4-daemon-heavy is not installed")

import mailhost

mailhost.enter()

import daemons
import debian_exim
import gnupg
import mail
import outcomes
import signed
import sink as sinks
import snippets
from home import Home
from outcomes import ALICE, BOB, FRANK, NOBODY, message

WAY = tap.arguments()[0]
PAGE = snippets.read("exim.md")
CAROL = "carol@example.org"
AUTH = """
plain_test:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_set_id = $auth2
  server_condition = ${if eq{$auth3}{word}}
  server_advertise_condition = yes
"""

home = Home(f"daemon-exim-{WAY}")
host = mailhost.MailHost(home.folder / "view")
SEALPIPE = pathlib.Path("/etc/sealpipe")
home.conf, home.log = SEALPIPE / "conf.d", pathlib.Path("/var/lib/sealpipe/log")


# -- The server ---------------------------------------------------------------------------------

def debian():
    server = debian_exim.DebianExim()
    conf_d = debian_exim.ETC / "conf.d"
    for path, piece in {"main/00_sealpipe": "debian-main", "router/090_sealpipe": "debian-routers",
                        "router/490_sealpipe": "debian-hub",
                        "transport/50_sealpipe": "debian-transport"}.items():
        (conf_d / path).write_text(PAGE[piece])
    (conf_d / "auth/10_test").write_text(AUTH)
    server.configure(configtype="internet")
    mailhost.run("update-exim4.conf")
    return server, server.sink


def own():
    sink = sinks.Sink()

    def write(server):
        return (exims.places(server.folder, server.port) + PAGE["main"] +
                "acl_smtp_rcpt = ok\ndomainlist local_domains = mta.test\n"
                "domainlist relay_to_domains =\ntls_advertise_hosts =\nkeep_environment =\n"
                "auth_advertise_hosts = *\nbegin acl\nok:\n  accept\nbegin routers\n" + PAGE["check"] +
                f"out:\n  driver = manualroute\n  route_list = * 127.0.0.1::{sink.port}\n  self = send\n"
                "  transport = smtp_out\nbegin transports\nsmtp_out:\n  driver = smtp\n"
                "  allow_localhost\n" + PAGE["transport"] +
                "begin retry\n* * F,2h,10m\nbegin authenticators\n" + AUTH)
    return exims.Exim(home.folder / "mta", write), sink


# -- Sealpipe, as the page has it ---------------------------------------------------------------

def by_page():
    """What was there before, and then the section's steps."""
    mailhost.shell(PAGE["folders"])
    for person in (home.alice, home.bob):
        shutil.copy(person.cert, SEALPIPE / "certs")
    shutil.copy(home.authority.cert, SEALPIPE / "ca.pem")
    for path in home.conf.iterdir():
        path.unlink()
    (home.conf / "50-local.conf").write_text(PAGE["conf"])
    keys = SEALPIPE / "server-keys"
    keys.mkdir(mode=0o750)
    carol = home.authority.person(CAROL, "rsa")
    (keys / "carol.pem").write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
    for path, mode in ((keys, 0o750), (keys / "carol.pem", 0o640)):
        path.chmod(mode)
        shutil.chown(path, "root", "Debian-exim")
    (SEALPIPE / "senders").write_text(f"carol: {CAROL}\n")
    mailhost.shell(PAGE["daemon-users"])
    (home.conf / "95-daemon.conf").write_text(PAGE["daemon-conf"])
    mailhost.shell(PAGE["daemon-owners"])
    mailhost.shell(PAGE["daemon-start"])


class Outcomes(outcomes.Outcomes):
    """Each configuration is that of the section, with changes, and the daemon has read it."""

    def configure(self, **changes):
        groups = snippets.groups(PAGE["conf"], PAGE["daemon-conf"])
        groups["core"].update(log_target=home.log, spool_memory="0", spool_dir=home.folder / "tmp")
        groups["module smime"].update(server_keys=SEALPIPE / "server-keys")
        groups["module sign"] = {"senders": SEALPIPE / "senders"}
        groups["module keys-file"].update(paths=f"{SEALPIPE}/certs;{home.certs}")
        groups["module pgp"] = {}
        for group, values in changes.items():
            groups[group] = {**groups.get(group, {}), **values}
        text = "".join(f"[{group}]\n" + "".join(f"{k}={v}\n" for k, v in values.items())
                       for group, values in groups.items())
        for path in home.conf.iterdir():
            path.unlink()
        (home.conf / "50-all.conf").write_text(text)
        if daemon.process:
            daemon.renew()
        if home.log.exists():
            home.clear_log()


def submit(recipient, login="carol", author=CAROL, sender=BOB, extra=b""):
    """By somebody who has logged in; the message."""
    original = message(recipient, extra=extra).replace(b"carol@example.net", author.encode())
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as smtp:
        smtp.ehlo()
        if login:
            smtp.login(login, "word")
        smtp.sendmail(sender, [recipient], original)
    return original


def arrives_signed(recipient=ALICE):
    server.wait_empty()
    got = o.by_recipient()
    tap.equal(list(got), [recipient], home.log_text()[-600:])
    tap.true(outcomes.MARK not in got[recipient].raw, "in clear")
    inner = mail.opened(got[recipient].message(), home.alice)
    tap.contains(signed.by_smime(inner, home.authority.cert), outcomes.MARK)


def waits(words, **how):
    """It stays in the queue, for the reason that our log has, and nothing of it leaves."""
    submit(ALICE, **how)
    tap.wait_for(lambda: words in home.log_text(), f"{words}: {home.log_text()[-600:]}", 60)
    tap.wait_for(lambda: " == " in server.log_text(), "Exim says that it is deferred", 60)
    tap.true(server.queue(), "nothing is in the queue")
    tap.equal(sink.complete(), [])
    sink.clear()  # in the transport a transaction is begun before the filter


def leaves():
    """What waits goes at the next run of the queue."""
    def empty():
        server.run("-qff")
        return not server.queue()
    tap.wait_for(empty, f"the queue is empty: {server.log_text()[-1500:]}", 60)


# -- Tests --------------------------------------------------------------------------------------

@tap.test("by the page's steps: Exim's user reaches the daemon, and reads no key; nor does the worker")
def _():
    said = mailhost.shell(PAGE["daemon-look"])
    tap.contains(said, "sealed: ")
    tap.contains(said, "as it should be")
    for user in ("Debian-exim", "sealpipe", "sealpipe-keys"):
        result = mailhost.run("runuser", "-u", user, "--", "cat", SEALPIPE / "server-keys/carol.pem", check=False)
        tap.equal((result.returncode, result.stdout), (1, ""), user)
    tap.equal(pathlib.Path("/run/systemctl").read_text().split("\n")[:2],
              ["daemon-reload", "enable --now sealpiped"])
    tap.true((mailhost.homes.prefix() / "lib/systemd/system/sealpiped.service").is_file(), "the unit")
    owners = {pid: pwd.getpwuid(pathlib.Path(f"/proc/{pid}").stat().st_uid).pw_name
              for pid in (*daemon.workers(), *daemon.keepers(), *daemon.servers())}
    tap.equal({owners[pid] for pid in daemon.workers()}, {"sealpipe"})
    status = [pathlib.Path(f"/proc/{pid}/status").read_text().split("Uid:\t")[1].split()[:3]
              for pid in (*daemon.keepers(), *daemon.servers())]
    keys_user = str(pwd.getpwnam("sealpipe-keys").pw_uid)
    tap.equal(status, [[keys_user] * 3] * len(status))


@tap.test("signed and encrypted by S/MIME, for who has logged in")
def _():
    o.begin(policy={"sign": "required", "encrypt": "required"})
    submit(ALICE)
    arrives_signed()
    o.no_trace()


@tap.test("encrypted by OpenPGP")
def _():
    o.begin()
    _, got = o.delivered(message(FRANK), FRANK)
    tap.contains(o.ring.gpg("--decrypt", stdin=gnupg.armor(got[FRANK].message())), outcomes.MARK)
    o.no_trace()


@tap.test("signed and encrypted by OpenPGP, with a home of the keys' user")
def _():
    ring = gnupg.Ring("/var/lib/sealpipe/gnupg")
    ring.generate(CAROL)
    o.ring.take(ring.export(CAROL))
    ring.stop()
    mailhost.shell(PAGE["daemon-pgp"])
    o.begin(policy={"sign": "required", "encrypt": "required", "formats": "pgp"},
            **{"module pgp": {"home": "/var/lib/sealpipe-keys/gnupg"}})
    submit(FRANK)
    server.wait_empty()
    got = o.by_recipient()
    tap.equal(list(got), [FRANK], home.log_text()[-600:])
    sealed = gnupg.armor(got[FRANK].message())
    tap.contains(o.ring.gpg("--decrypt", stdin=sealed), outcomes.MARK)
    tap.contains(signed.gpg(o.ring, "--decrypt", input=sealed).stderr, b"[GNUPG:] GOODSIG ")


@tap.test("3 MB, and 50 messages while it is reloaded over and over: all are sealed, none waits")
def _():
    o.begin()
    original = message(ALICE) + b"0123456789abcdef" * 4 + b"\r\n" + b"line of text\r\n" * 220000
    _, got = o.delivered(original, ALICE)
    o.opens(got[ALICE], home.alice, original)
    sink.clear()
    lines = len(server.log_text().splitlines())
    first = daemon.generations()
    for number in range(50):
        daemon.hup()
        server.send(message(ALICE, extra=b"X-Number: %d\r\n" % number), ALICE)
    server.wait_empty()
    numbers = []
    for transaction in sink.complete():
        tap.true(outcomes.MARK not in transaction.raw, "in clear")
        tap.contains(mail.opened(transaction.message(), home.alice), outcomes.MARK)
        numbers += mail.Message(transaction.message()).all("X-Number")
    tap.equal(sorted(map(int, numbers)), list(range(50)))
    tap.equal([line for line in server.log_text().splitlines()[lines:] if " == " in line], [])
    tap.wait_for(lambda: len(daemon.generations()) == 1, "one generation is left")
    tap.true(daemon.generations() != first, "it was reloaded")


@tap.test("stopped: what comes waits in Exim's queue, and leaves when it is there again")
def _():
    o.begin(policy={"sign": "required", "encrypt": "required"})
    daemon.stop()
    try:
        waits("in_process=false leaves the work to the daemon")
    finally:
        daemon.start()
    leaves()
    arrives_signed()


@tap.test("what does not load at a reload changes nothing, and the log says so")
def _():
    o.begin(policy={"sign": "required", "encrypt": "required"})
    home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
    daemon.hup()
    tap.wait_for(lambda: "stays as it was" in home.log_text(), "it says so")
    submit(ALICE)
    arrives_signed()


@tap.test("submission_peers: Exim is believed on who has logged in, where they name it, for whom they name")
def _():
    for peers, goes in (("root", False), ("root;Debian-exim=dora@example.org", False),
                        ("root;Debian-exim=@example.org", True),
                        (f"root={CAROL};Debian-exim={CAROL}", True)):
        o.begin(policy={"sign": "required", "encrypt": "required"}, daemon={"submission_peers": peers})
        if goes:
            submit(ALICE)
        else:
            waits("[daemon] submission_peers")
            o.configure(policy={"sign": "required", "encrypt": "required"})
            leaves()
        arrives_signed()


@tap.test("the daemon's word is not enough: who has not logged in, or as another, is not signed for")
def _():
    for login, author in ((None, CAROL), ("carol", "dora@example.org"), ("bob", CAROL)):
        o.begin(policy={"sign": "required", "encrypt": "required"},
                **{"rule bounces": {"match_sender": "<>", "sign": "never"}})
        submit(ALICE, login=login, author=author)
        server.wait_empty()
        tap.equal(list(o.by_recipient()), [BOB], f"{login} as {author}")


@tap.test("peers: where Exim is not named its mail waits, and our log names it")
def _():
    o.begin(daemon={"peers": "root;self"})
    waits("user Debian-exim may not hand in messages: [daemon] peers", login=None)
    o.configure()
    leaves()
    tap.equal(list(o.by_recipient()), [ALICE])


@tap.test("nothing went to Exim's panic log")
def _():
    panic = server.log.parent / "paniclog"
    lines = panic.read_text().splitlines() if panic.exists() else []
    # A pipe whose filter defers is written there as well.
    tap.equal([line for line in lines if "filter process failed (75)" not in line], [])


home.folder.chmod(0o755)
server, sink = {"reinject": debian, "transport": own}[WAY]()
by_page()
home.log.touch()
shutil.chown(home.log, "sealpipe")
daemon = daemons.Shared(home)
daemon.start()
server.start()
service = pwd.getpwnam("sealpipe")
o = Outcomes(server, home, sink, (service.pw_uid, service.pw_gid))
shutil.chown(o.server_key, "root", "root")
(home.folder / "tmp").chmod(0o1777)  # Exim's user puts large messages there
outcomes.register(o, reads_anew=False)
tap.main()
