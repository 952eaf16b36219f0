# SPDX-License-Identifier: GPL-2.0-or-later
"""A real OpenSMTPD as docs/mta/opensmtpd.md wires it, and a sink behind it."""

import os
import pathlib
import shutil
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import mail
import mounts
import opensmtpd
import outcomes
import sink as sinks
import snippets
import tap
from home import Home

why = mounts.why_not()
if why:
    tap.skip_all(why)

home = Home("opensmtpd")
sink = sinks.Sink()
server = opensmtpd.OpenSmtpd(home, sink)
USER = opensmtpd.USERS["sealpipe"]
o = outcomes.Outcomes(server, home, sink, (USER, USER))
# It refuses quoted local parts.
o.odd = ("*{id}^x@example.org", "$`id`|x@example.org")
o.returns_body = True
server.start()
outcomes.register(o)

MAIL = outcomes.message(outcomes.DORA)
TEXT = MAIL.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def sealed_for(person):
    """The one message that has left is sealed, and for that one."""
    server.wait_empty()
    got = o.by_recipient()
    tap.equal(list(got), [person.address])
    tap.equal(len(sink.complete()), 1, "messages that left")
    tap.contains(mail.opened(got[person.address].message(), person), outcomes.MARK)
    tap.true(outcomes.MARK not in got[person.address].raw, "plain text in what is sealed")
    return got[person.address].message()


@tap.test("aliases, .forward, programs that forward, cron: each sealed, once")
def _():
    o.begin()
    forward = server.homes / "lou/.forward"
    forward.write_text(f"{outcomes.DORA}\n")
    os.chown(forward, opensmtpd.USERS["lou"], opensmtpd.USERS["lou"])
    for local in ("out", "piped", "lou"):
        sink.clear()
        server.send(MAIL, f"{local}@example.net", sender=outcomes.BOB)
        message = sealed_for(o.dora)
        if local == "out":
            tap.equal(mail.Message(message).all("Delivered-To"), [])
    forward.unlink()
    for user in ("lou", None):
        sink.clear()
        words = (opensmtpd.SENDMAIL, "-i", outcomes.DORA)
        handed = server.by_user(user, *words, stdin=TEXT) if user else server.run(*words, stdin=TEXT)
        tap.equal(handed.returncode, 0, handed.stderr)
        tap.wait_for(sink.complete, "it arrives")
        sealed_for(o.dora)
    o.no_trace()


@tap.test("what comes in is as it came, whatever state sealpipe is in")
def _():
    inbox = server.homes / "lou/Maildir"
    for changes in ({}, {"core": {"in_process": "false"}}):
        o.begin(**changes)
        server.send(outcomes.message("inbox@example.net"), "inbox@example.net",
                    sender="stranger@example.com")
        server.wait_empty()
        (path,) = (inbox / "new").iterdir()
        tap.contains(path.read_bytes(), outcomes.BODY.replace(b"\r\n", b"\n"))
        path.unlink()
    tap.equal(sink.transactions(), [])


@tap.test("nothing is signed for local programs and strangers")
def _():
    o.begin(policy={"encrypt": "never", "sign": "preferred"},
            **{"module smime": {"trust_anchors": home.authority.cert, "server_keys": o.server_key},
               "module sign": {"submission_domains": "example.net"}})
    server.by_user("lou", opensmtpd.SENDMAIL, "-i", outcomes.DORA, stdin=TEXT)
    tap.wait_for(sink.complete, "it arrives")
    server.send(MAIL, outcomes.ALICE)
    server.wait_empty()
    for transaction in o.by_recipient().values():
        tap.true(b"multipart/signed" not in transaction.message(), "it is signed")


@tap.test("who has logged in is signed for, where TLS works")
def _():
    o.begin(policy={"encrypt": "never", "sign": "preferred"},
            **{"module smime": {"trust_anchors": home.authority.cert, "server_keys": o.server_key},
               "module sign": {"submission_domains": "example.net"}})
    try:
        server.send(MAIL, outcomes.DORA, login="carol")
    except ssl.SSLError as error:
        raise tap.Skip(f"smtpd's TLS does not work here: {error}") from None
    server.wait_empty()
    tap.contains(o.by_recipient()[outcomes.DORA].message(), b"multipart/signed")


@tap.test("69 is a bounce with our line; whatever else goes wrong is a deferral")
def _():
    o.begin()
    server.refused(server.send(outcomes.message(outcomes.NOBODY), outcomes.NOBODY,
                               sender="inbox@example.net"))
    server.wait_empty()
    (path,) = (server.homes / "lou/Maildir/new").iterdir()
    text = path.read_bytes().replace(b"\n", b"").replace(b" ", b"")
    tap.contains(text, b"5.7.1refused:nobody@example.org:")
    o.deferred_without_program()
    sealed_for(o.dora)


@tap.test("with the daemon, as the page has it: what waits until it is there leaves sealed")
def _():
    keys, run_dir = home.folder / "server-keys", home.folder / "run"
    keys.mkdir(mode=0o700)
    shutil.copy(o.server_key, keys)  # mode 0600, and root's now
    settings = snippets.groups(snippets.read("opensmtpd.md")["daemon-conf"])
    o.begin(core={**settings["core"], "run_dir": run_dir}, daemon=settings["daemon"],
            **{"module smime": {"trust_anchors": home.authority.cert, "server_keys": keys}})
    ident = server.send(MAIL, outcomes.DORA)
    server.deferred(ident)
    tap.contains(home.log_text(), "in_process=false leaves the work to the daemon")
    running = daemons.Shared(home, run_dir).start(by=server.view)
    try:
        server.try_again(ident)
        sealed_for(o.dora)
    finally:
        running.stop()


@tap.test("hostile addresses come through as they are, in their places")
def _():
    o.begin(policy={"encrypt": "never"})
    for address in ("-oQ/tmp@example.org", "--@example.org", "$`id`@example.org",
                    "|id@example.org", "/etc/passwd@example.org", "${id}&id@example.org"):
        for sender, recipient in ((outcomes.SENDER, address), (address, outcomes.DORA)):
            sink.clear()
            server.send(MAIL, recipient, sender=sender)
            server.wait_empty()
            tap.equal([(t.sender, t.recipients) for t in sink.complete()], [(sender, [recipient])])


@tap.test("a local user cannot read the smart host's password")
def _():
    tried = server.by_user("lou", "msmtp", "-C", "/var/lib/sealpipe/msmtprc", outcomes.DORA,
                           stdin=TEXT)
    tap.true(tried.returncode != 0, "he can use it")
    tap.true(server.by_user("lou", "cat", "/var/lib/sealpipe/msmtprc").returncode != 0, "it is read")


tap.main()
