# SPDX-License-Identifier: GPL-2.0-or-later
"""Real Exims as docs/mta/exim.md wires them, each with a sink behind it.

exim-pages.py WAY: transport or reinject, each in a configuration of one's own. Debian's is in
exim-debian.py.
"""

import os
import pathlib
import pwd
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import exim as exims
import mounts
import outcomes
import sink as sinks
import snippets
import tap

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")
if not os.path.exists(exims.EXIM):
    tap.skip_all(f"no {exims.EXIM}: exim4-daemon-heavy is not installed")

from home import Home

WAY = tap.arguments()[0]
PAGE = snippets.read("exim.md")
ACL = """
acl_smtp_rcpt = ok
domainlist local_domains = mta.test
domainlist relay_to_domains = inside.test
tls_advertise_hosts =
keep_environment =
add_environment = <; PATH=/usr/bin:/bin
never_users = root
"""
RELAY = """
relayed:
  driver = manualroute
  domains = +relay_to_domains
  route_list = * 127.0.0.1::{sink}
  self = send
  transport = relayed_smtp
"""
OUT = """
out:
  driver = manualroute
  route_list = * 127.0.0.1::{sink}
  self = send
  transport = smtp_out
"""
SMTP = """
smtp_out:
  driver = smtp
  allow_localhost
"""

home = Home(f"exim-{WAY}")
sink = sinks.Sink()
AGED = home.folder / "aged"


def programs(text):
    """The pieces with our programs and configuration."""
    return re.sub(r"/usr/bin/(sealpipe[a-z-]*) ", rf"{home.bin}/\1 -c {home.conf} ", text)


def aged(text):
    """With a file that makes five days of four seconds."""
    return programs(snippets.changed(text, ("{432000}", f"{{${{if exists{{{AGED}}}{{4}}{{432000}}}}}}")))


def single(server, main, routers, transports):
    return (exims.places(server.folder, server.port) + ACL + main +
            "begin acl\nok:\n  accept\nbegin routers\n" + routers + OUT.format(sink=sink.port) +
            "begin transports\n" + transports + "begin retry\n* * F,2h,10m\n")


def transport(server):
    routers = RELAY.format(sink=sink.port) + aged(PAGE["check"])
    return single(server, PAGE["main"], routers, SMTP + programs(PAGE["transport"]) + PAGE["relayed"] +
                  "  allow_localhost\n")


def reinject(server):
    """With a split spool, too."""
    main = PAGE["debian-main"] + "message_size_limit = MESSAGE_SIZE_LIMIT\nsplit_spool_directory = true\n"
    return single(server, main, aged(PAGE["debian-routers"]), SMTP + programs(PAGE["debian-transport"]))


server = exims.Exim(home.folder / "mta", {"transport": transport, "reinject": reinject}[WAY])
if WAY == "reinject" and not server.private:
    tap.skip_all("what comes back goes to the system's own Exim, in whose place this one cannot stand: "
                 f"{mounts.why_not()}")
user = pwd.getpwnam("Debian-exim")
o = outcomes.Outcomes(server, home, sink, (user.pw_uid, user.pw_gid))
server.start()
outcomes.register(o)


@tap.test("what has grown old is returned, and nothing defers for ever")
def _():
    o.begin()
    broken = home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
    ident = server.send(outcomes.message(outcomes.ALICE), outcomes.ALICE, sender=outcomes.BOB)
    server.deferred(ident)
    AGED.touch()

    def returned():
        server.try_again(ident)
        return [line for line in server.log_text().splitlines()
                if f" {ident} ** " in line and "it could not be sent within five days" in line]

    try:
        tap.wait_for(returned, "the message is returned", 60)
    finally:
        AGED.unlink()
        broken.unlink()

    def delivered():
        # The bounce may come into the queue, or be deferred, at any moment.
        for name in server.queue():
            server.try_again(name.name.removesuffix("-H"))
        return not server.queue()

    tap.wait_for(delivered, "the bounce is delivered", 60)
    got = o.by_recipient()
    tap.equal(list(got), [outcomes.BOB])
    text = o.bounce_text(got[outcomes.BOB])
    tap.true(outcomes.MARK not in text, "the bounce quotes the body")


@tap.test("the reason of a refusal is in Exim's log and in the bounce")
def _():
    o.begin()
    ident = server.send(outcomes.message(outcomes.NOBODY), outcomes.NOBODY, sender=outcomes.BOB)
    tap.contains(server.refused(ident)[0], "refused: ")
    server.wait_empty()
    text = o.bounce_text(o.by_recipient()[outcomes.BOB])
    tap.contains(text, b"refused: ")


@tap.test("a header that is larger than an argument may be does not keep a message")
def _():
    o.begin()
    original = outcomes.message(outcomes.ALICE, extra=b"X-Large: " + b"word " * 180 + b"\r\n" +
                                (b"X-More: " + b"word " * 150 + b"\r\n") * 250)
    _, got = o.delivered(original, outcomes.ALICE)
    o.opens(got[outcomes.ALICE], home.alice, original)


@tap.test("no word of a message stands in an argument, and a rule on a field is decided all the same")
def _():
    for piece in PAGE.values():
        tap.equal(re.findall(r"\$\{?(?:[rb]?h(?:eader)?_|message_(?:headers|body))", piece), [])
    far = b"".join(b"X-Filler: " + b"x" * 900 + b"\r\n" for _ in range(90))
    rule = {"rule far": {"match_header": "X-Last: secret", "encrypt": "required"}}
    for word, refused in ((b"secret", True), (b"open", False)):
        o.begin(policy={"encrypt": "never"}, **rule)
        original = outcomes.message(outcomes.NOBODY, extra=far + b"X-Last: " + word + b"\r\n")
        ident = server.send(original, outcomes.NOBODY, sender=outcomes.BOB)
        if refused:
            tap.contains(server.refused(ident)[0], "refused: ")
        server.wait_empty()
        tap.equal(outcomes.NOBODY in o.by_recipient(), not refused, "what left")


@tap.test("a recipient that begins with a dash")
def _():
    o.begin()
    person = home.enrol("-oops@example.org")
    original = outcomes.message(outcomes.ALICE)
    _, got = o.delivered(original, person.address)
    o.opens(got[person.address], person, original)


@tap.test("what is relayed in is left alone")
def _():
    o.begin(policy={"encrypt": "maybe"})
    original = outcomes.message("x@inside.test")
    _, got = o.delivered(original, "x@inside.test")
    o.plain(got["x@inside.test"], original)


if WAY == "transport":
    @tap.test("addresses in Unicode are kept, and SMTPUTF8 with them")
    def _():
        o.begin()
        person = home.enrol("bob@xn--bcher-kva.example")
        original = outcomes.message("bob@b\u00fccher.example")
        _, got = o.delivered(original, "bob@b\u00fccher.example", sender="j\u00fcrgen@example.net")
        transaction = got["bob@b\u00fccher.example"]
        tap.equal((transaction.sender, transaction.utf8), ("j\u00fcrgen@example.net", True))
        o.opens(transaction, person, original)


@tap.test("what the next server finds too large bounces at once, with its reason")
def _():
    o.begin()
    sink.most = 6000
    ident = server.send(outcomes.message(outcomes.ALICE) + b"0123456789abcdef" * 300, outcomes.ALICE, sender=outcomes.BOB)
    try:
        server.wait_empty()
    finally:
        sink.most = None
    tap.contains("\n".join(server.log_text().splitlines()), "552 5.3.4")
    tap.true(not server.queued(ident), "it waits")
    tap.equal([t.recipients for t in sink.complete()], [[outcomes.BOB]])


@tap.test("nothing went to Exim's panic log")
def _():
    panic = server.folder / "log" / "paniclog"
    tap.equal(panic.read_text() if panic.exists() else "", "")


tap.main()
