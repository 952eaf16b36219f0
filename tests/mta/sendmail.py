# SPDX-License-Identifier: GPL-2.0-or-later
"""A real sendmail as docs/mta/sendmail.md wires it, and a sink behind it."""

import os
import pathlib
import re
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import mail
import mounts
import outcomes
import sendmail
import signed
import sink as sinks
import snippets
import tap
from home import Home

why = mounts.why_not()
if why:
    tap.skip_all(why)

home = Home("sendmail")
sink = sinks.Sink()
server = sendmail.Sendmail(home, sink)
USER = sendmail.USERS["sealpipe"]
o = outcomes.Outcomes(server, home, sink, (USER, USER))
server.start()
outcomes.register(o)

MAIL = outcomes.message(outcomes.DORA)
TEXT = MAIL.decode("utf-8", "surrogateescape").replace("\r\n", "\n")


def sealed_for(person, original=MAIL):
    """The one message that has left is sealed, and for that one."""
    server.wait_empty()
    got = o.by_recipient()
    tap.equal(list(got), [person.address])
    tap.equal(len(sink.complete()), 1, "messages that left")
    text = mail.opened(got[person.address].message(), person)
    tap.contains(text.replace(b"\r\n", b"\n"), mail.inner_entity(original).split(b"\r\n\r\n")[1]
                 .replace(b"\r\n", b"\n"), "what is read")
    tap.true(outcomes.MARK not in got[person.address].raw, "plain text in what is sealed")
    return got[person.address]


def forward(user, line):
    path = server.homes / user / ".forward"
    path.write_text(line + "\n")
    os.chown(path, sendmail.USERS[user], sendmail.USERS[user])


@tap.test("aliases, .forward, programs that forward, a mailertable, cron: each sealed, once")
def _():
    o.begin()
    for local in ("out", "piped", "lou"):
        sink.clear()
        forward("lou", outcomes.DORA)
        server.send(MAIL, f"{local}@example.net", sender=outcomes.BOB)
        sealed_for(o.dora)
    sink.clear()
    tabled = home.enrol("somebody@tabled.example.org", "rsa")
    server.send(MAIL, tabled.address)
    sealed_for(tabled)
    for user in ("lou", "root"):
        sink.clear()
        words = [sendmail.SENDMAIL, "-i", outcomes.DORA]
        handed = server.by_user(user, *words, stdin=TEXT) if user == "lou" else \
            server.run(*words, stdin=TEXT)
        tap.equal(handed.returncode, 0, handed.stderr)
        sealed_for(o.dora)
    o.no_trace()


@tap.test("what comes in is as it came, whatever state sealpipe is in")
def _():
    o.begin()
    inbox = server.boxes / "inbox"
    for changes in ({}, {"core": {"in_process": "false"}}):
        o.begin(**changes)
        inbox.unlink(missing_ok=True)
        server.send(outcomes.message("inbox@example.net"), "inbox@example.net",
                    sender="stranger@example.com")
        server.wait_empty()
        body = outcomes.BODY.replace(b"\r\n", b"\n").replace(b"\nFrom", b"\n>From")
        tap.contains(inbox.read_bytes(), body)
    tap.equal(sink.transactions(), [])
    inbox.unlink()


@tap.test("who has logged in is signed for, after a deferral too; nobody else is")
def _():
    policy = {"encrypt": "never", "sign": "preferred"}
    groups = {"module smime": {"trust_anchors": home.authority.cert, "server_keys": o.server_key},
              "module sign": {"submission_domains": "example.net"}}

    def is_signed():
        server.wait_empty()
        return b"multipart/signed" in o.by_recipient()[outcomes.DORA].message()

    o.begin(policy=policy, **groups)
    for port, login, signed in ((server.submission, "carol", True), (server.port, "carol", True),
                                (server.port, None, False)):
        sink.clear()
        server.send(MAIL, outcomes.DORA, port=port, login=login)
        tap.equal(is_signed(), signed, f"signed for {login} at {port}")
    sink.clear()
    server.by_user("carol", sendmail.SENDMAIL, "-i", "-pESMTPA:x", outcomes.DORA, stdin=TEXT)
    tap.equal(is_signed(), False, "signed for a local program")
    for login in ("carol", None):
        o.begin(core={"in_process": "false"})
        ident = server.send(MAIL, outcomes.DORA, port=server.port, login=login)
        server.deferred(ident)
        o.configure(policy=policy, **groups)
        server.try_again(ident)
        tap.equal(is_signed(), login is not None, f"signed for {login}, later")


@tap.test("69 is a bounce with our line; whatever else goes wrong is a deferral")
def _():
    o.begin()
    server.refused(server.send(outcomes.message(outcomes.NOBODY), outcomes.NOBODY,
                               sender="inbox@example.net"))
    server.wait_empty()
    tap.contains((server.boxes / "inbox").read_bytes(), b"5.7.1 refused: nobody@example.org: ")
    o.deferred_without_program()
    sealed_for(o.dora)


@tap.test("with the daemon, as the page has it: keys of root's sign, and mail waits until it is there")
def _():
    keys, run_dir = home.folder / "server-keys", home.folder / "run"
    keys.mkdir(mode=0o700)
    shutil.copy(o.server_key, keys)  # mode 0600, and root's now
    settings = snippets.groups(snippets.read("sendmail.md")["daemon-conf"])
    o.begin(core={**settings["core"], "run_dir": run_dir}, daemon=settings["daemon"],
            policy={"encrypt": "required", "sign": "required"},
            **{"module smime": {"trust_anchors": home.authority.cert, "server_keys": keys},
               "module sign": {"submission_domains": "example.net"}})
    ident = server.send(MAIL, outcomes.DORA, port=server.submission, login="carol")
    server.deferred(ident)
    tap.contains(home.log_text(), "in_process=false leaves the work to the daemon")
    running = daemons.Shared(home, run_dir).start(by=server.view)
    try:
        server.try_again(ident)
        server.wait_empty()
        inner = mail.opened(o.by_recipient()[outcomes.DORA].message(), o.dora)
        tap.contains(signed.by_smime(inner, home.authority.cert), outcomes.MARK)
    finally:
        running.stop()


@tap.test("hostile addresses come through as they are, in their places")
def _():
    o.begin(policy={"encrypt": "never"})
    for address in ("-oQ/tmp@example.org", "--@example.org", '"$(id)`id`"@example.org',
                    "|id@example.org", '"/etc/passwd x"@example.org', '"a\\\"b"@example.org',
                    "x'y&id@example.org", "$u@example.org", "${id}@example.org"):
        for sender, recipient in ((outcomes.SENDER, address), (address, outcomes.DORA)):
            sink.clear()
            server.send(MAIL, recipient, sender=sender)
            server.wait_empty()
            tap.equal([(t.sender, t.recipients) for t in sink.complete()], [(sender, [recipient])])


@tap.test("a local user cannot hand anything to the second queue, nor change it")
def _():
    o.begin()
    own = server.folder / "own"
    own.mkdir(exist_ok=True)
    os.chown(own, sendmail.USERS["lou"], sendmail.USERS["lou"])
    for words in ((), (f"-oQ{own}",), ("-Ac",), ("-odi",)):
        tried = server.by_user("lou", sendmail.SENDMAIL, "-C", "/etc/mail/sealed.cf", *words, "-i",
                               outcomes.DORA, stdin=TEXT)
        tap.true(tried.returncode != 0, f"{words}: {tried.stdout} {tried.stderr}")
    for words in (("ls", "/var/spool/mqueue-sealed"), ("cat", "/etc/mail/sealed.cf"),
                  ("touch", "/var/spool/mqueue-sealed/qf1")):
        tap.true(server.by_user("lou", *words).returncode != 0, f"{words}")
    server.by_user("lou", sendmail.SENDMAIL, "-i", f"-OQueueDirectory={own}", "-odi", outcomes.DORA,
                   stdin=TEXT)
    server.wait_empty()
    for transaction in sink.transactions():
        tap.true(outcomes.MARK not in transaction.raw, "in clear")


@tap.test("the second queue sends on later, and gives this host's own mail to the first")
def _():
    o.begin()
    second = ("-C", "/etc/mail/sealed.cf", "-i", "-f", outcomes.SENDER)
    server.by_user("sealpipe", sendmail.SENDMAIL, *second, "-odq", outcomes.DORA, stdin=TEXT)
    tap.true(server.queue("mqueue-sealed"), "nothing is queued")
    command = re.search(r"^ExecStart=(.*)$", snippets.read("sendmail.md")["service"], re.M)[1]
    tap.equal(server.by_user("sealpipe", *command.split()).returncode, 0)
    server.wait_empty()
    tap.equal(list(o.by_recipient()), [outcomes.DORA])
    os.kill(int((server.folder / "lib/sealpipe/sendmail.pid").read_text().split()[0]),
            signal.SIGTERM)
    server.by_user("sealpipe", sendmail.SENDMAIL, *second, "inbox@example.net", stdin=TEXT)
    tap.wait_for(lambda: (server.boxes / "inbox").exists(), "the first has delivered it")
    tap.equal(list(o.by_recipient()), [outcomes.DORA])


@tap.test("a report of success says no more than that it was relayed")
def _():
    o.begin()
    server.send(MAIL, outcomes.DORA, sender="inbox@example.net", options=["NOTIFY=SUCCESS"])
    server.wait_empty()
    tap.contains((server.boxes / "inbox").read_bytes(), b"Action: relayed")
    sealed_for(o.dora)


tap.main()
