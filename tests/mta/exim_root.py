# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Exim 4, which asks the check as root while it routes, as its own user while a message comes
in, and filters as its own user; with a GnuPG home of that user, and a log that is not there yet."""

import os
import pathlib
import pwd
import shutil
import smtplib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import exim
import gnupg
import mail
import sink as sinks
import tap
from home import Home

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")
if not os.path.exists(exim.EXIM):
    tap.skip_all(f"no {exim.EXIM}: exim4-daemon-heavy is not installed")

USER = pwd.getpwnam("Debian-exim")
AS_EXIM = {"user": USER.pw_uid, "group": USER.pw_gid, "extra_groups": []}
ALICE, PETER, NOBODY = "alice@example.org", "peter@example.org", "nobody@example.org"

CONFIGURATION = r"""
tls_advertise_hosts =
keep_environment =
add_environment = <; PATH=/usr/bin:/bin
never_users = root
acl_smtp_rcpt = rcpt
bounce_return_body = false

begin acl
rcpt:
  require verify = recipient
  accept

begin routers
check:
  driver = redirect
  allow_fail
  allow_defer
  no_verify_sender
  data = ${run{BIN/sealpipe-check -c CONF -f $sender_address \
          --exim-spool $spool_directory/input --id=$message_exim_id \
          -- ${quote_local_part:$local_part}@$domain}\
          {}{${if eq{$runrc}{69}{:fail:}{:defer:}} $value}}

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
  transport_filter = BIN/sealpipe -c CONF --exim-spool $spool_directory/input \
      --id=$message_exim_id -- $pipe_addresses
  transport_filter_timeout = 2m

begin retry
* * F,2h,10m
"""

home = Home("exr")
sink = sinks.Sink()
ring = gnupg.Ring(home.folder / "ring")
ring.generate(PETER)
# Whose they are is the point: in a folder that only root can write.
things = home.folder / "things"
things.mkdir(mode=0o755)
log, state, own = things / "log", things / "state", things / "gnupg"


def configuration(server):
    text = CONFIGURATION
    for word, value in (("BIN", home.bin), ("CONF", home.conf), ("SINK", sink.port)):
        text = text.replace(word, str(value))
    return exim.places(server.folder, server.port) + text


server = exim.Exim(home.folder / "exim", configuration)


def give(path, user="Debian-exim"):
    for each in (path, *path.rglob("*")):
        shutil.chown(each, user, user)


def clear_things():
    gnupg.stop(own)
    for path in things.iterdir():
        gnupg.remove(path) if path.is_dir() else path.unlink()


def prepare(core=None, make_state=True):
    """As the pages have it: the home is Exim's user's, and the state folder, if there is one."""
    clear_things()
    own.mkdir(mode=0o700)
    gnupg.run("gpg", "--homedir", own, "--batch", "--import", stdin=ring.export(PETER))
    gnupg.stop(own)
    give(own)
    if make_state:
        state.mkdir(mode=0o700)
        give(state)
    home.configure({"core": {"log_target": log, "state_dir": state, **(core or {})},
                    "module pgp": {"home": own}})
    os.chmod(home.folder, 0o755)


def nothing_is_roots():
    for path in things.rglob("*"):
        if path.lstat().st_uid != USER.pw_uid:
            raise AssertionError(f"{path} belongs to user {path.lstat().st_uid}")


def text_of_log():
    return log.read_text() if log.is_file() else f"no {log}"


def message(recipient):
    return (f"From: carol@example.net\r\nTo: {recipient}\r\nSubject: s\r\n\r\n"
            "The body.\r\n").encode()


def arrives(recipient):
    sink.clear()
    try:
        ident = server.send(message(recipient), recipient)
        server.wait_line(ident, "Completed")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{text_of_log()[-2000:]}") from None
    tap.equal([t.recipients for t in sink.complete()], [[recipient]], "recipients")
    return sink.complete()[0].message()


def both_arrive():
    sealed = arrives(ALICE)
    tap.equal(mail.opened(sealed, home.alice), mail.inner_entity(message(ALICE)))
    sealed = arrives(PETER)
    opened = ring.gpg("--decrypt", stdin=gnupg.armor(sealed))
    tap.contains(opened, b"The body.")
    tap.contains(text_of_log(), f"to={PETER} result=sealed")


def at_rcpt(recipient):
    with smtplib.SMTP("127.0.0.1", server.port, timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail("carol@example.net")
        return smtp.rcpt(recipient)


prepare()
server.start()

WAYS = {
    "the state folder's owner": {},
    "[core] user, with a state folder that is not there yet":
        {"core": {"user": "Debian-exim"}, "make_state": False},
    "the home's owner, without a state folder": {"make_state": False},
}

for _name, _how in WAYS.items():
    @tap.test(f"root becomes {_name}: S/MIME and OpenPGP are delivered, nothing is root's")
    def _(how=_how):
        prepare(**how)
        # Root is the first to run, and makes the log.
        result = home.check("--", ALICE)
        tap.equal((result.status, result.errors), (0, b""), text_of_log())
        both_arrive()
        tap.true(log.exists(), "there is no log")
        nothing_is_roots()


@tap.test("the state folder is root's, made by hand, and the home is not: the home's owner")
def _():
    prepare(make_state=False)
    state.mkdir(mode=0o755)
    both_arrive()
    tap.equal([p.name for p in things.rglob("*") if p.stat().st_uid == 0], ["state"])


@tap.test("asked while the recipients are named: who has a key is accepted, who has none is not")
def _():
    prepare()
    for address in (ALICE, PETER):
        tap.equal(at_rcpt(address)[0], 250, address)
    code, text = at_rcpt(NOBODY)
    tap.equal(code, 550, text)
    tap.contains(text.decode(), f"no smime key for {NOBODY}")
    nothing_is_roots()


@tap.test("a key that root can read and the filter cannot: the check defers too")
def _():
    prepare()
    cert = home.certs / home.alice.cert.name
    os.chmod(cert, 0o600)
    try:
        tap.equal(home.check("--", ALICE).status, 75)
        code, _text = at_rcpt(ALICE)
        tap.equal(code, 451)
        tap.contains(text_of_log(), str(cert))
    finally:
        os.chmod(cert, 0o644)
    both_arrive()


@tap.test("a file of the configuration that root can read and the filter cannot: likewise")
def _():
    prepare()
    secret = home.write_conf("60-secret.conf", "[policy]\nencrypt=required\n")
    os.chmod(secret, 0o600)
    tap.equal(home.check("--", ALICE).status, 75)
    tap.equal(home.seal(message(ALICE), "--", ALICE, **AS_EXIM).status, 75)
    tap.contains(home.run("sealctl", "status").errors.decode(), f"{secret}: Permission denied")
    os.chmod(secret, 0o644)


@tap.test("sealctl as root and as Exim's user, in any order; a suspended message passes as it came")
def _():
    prepare()
    for first, second in (({}, AS_EXIM), (AS_EXIM, {}), ({}, {}), (AS_EXIM, AS_EXIM)):
        result = home.run("sealctl", "status", **first)
        tap.equal(result.status, 0, (result.output, result.errors))
        tap.contains(result.output.decode(), "Debian-exim")
        tap.equal(home.run("sealctl", "suspend", **first).status, 0)
        for who in (first, second):
            result = home.run("sealctl", "status", **who)
            tap.equal(result.status, 1)
            tap.contains(result.output.decode(), "suspended: yes")
        tap.contains(arrives(NOBODY), b"The body.")
        tap.equal(home.run("sealctl", "resume", **second).status, 0)
        both_arrive()
        nothing_is_roots()


BREAKS = {
    "a syntax error": lambda: home.write_conf("60-broken.conf", "[policy\nencrypt\n"),
    "an unknown setting": lambda: home.write_conf("60-broken.conf", "[core]\nno_such=1\n"),
    "the GnuPG home is gone": lambda: gnupg.remove(own),
}

for _name, _break in BREAKS.items():
    @tap.test(f"{_name}: mail stays; suspended it passes, and resumed it is sealed")
    def _(break_it=_break):
        prepare()
        sink.clear()
        break_it()
        result = home.check("--", ALICE)
        tap.equal(result.status, 75)
        tap.equal(home.run("sealctl", "suspend").status, 0)
        tap.contains(arrives(NOBODY), b"The body.")
        tap.equal(at_rcpt(NOBODY)[0], 250, text_of_log()[-600:])
        result = home.run("sealctl", "status")
        tap.equal(result.status, 1)
        tap.contains(result.output.decode(), "suspended: yes")
        tap.true(result.errors, "the fault is not named")
        tap.equal(home.run("sealctl", "resume", **AS_EXIM).status, 0)
        tap.equal(home.check("--", ALICE).status, 75)
        if own.exists():
            (home.conf / "60-broken.conf").unlink()
            both_arrive()
        nothing_is_roots()


tap.main()
