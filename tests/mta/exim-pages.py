# SPDX-License-Identifier: GPL-2.0-or-later
"""Real Exims as docs/mta/exim.md wires them, each with a sink behind it.

exim-pages.py WAY: transport, reinject or split.
"""

import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import exim as exims
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
tls_advertise_hosts =
keep_environment =
add_environment = <; PATH=/usr/bin:/bin
never_users = root
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


def check():
    """With a file that makes five days of four seconds."""
    return snippets.changed(PAGE["check"],
                            ("{432000}", f"{{${{if exists{{{AGED}}}{{4}}{{432000}}}}}}"))


def checked():
    """The routers of re-injection, as the page puts them together."""
    text = snippets.changed(check(), (
        "sealpipe_check:\n  driver = redirect\n",
        f"sealpipe_check:\n  driver = redirect\n{PAGE['reinject-condition']}"))
    return programs(text + PAGE["reinject-router"])


def single(server, routers, transports):
    return (exims.places(server.folder, server.port) + ACL + PAGE["main"] +
            "begin acl\nok:\n  accept\nbegin routers\n" + routers + OUT.format(sink=sink.port) +
            "begin transports\n" + transports + "begin retry\n* * F,2h,10m\n")


def transport(server):
    return single(server, programs(check()), SMTP + programs(PAGE["transport"]))


def reinject(server):
    """With a split spool, too."""
    return "split_spool_directory = true\n" + single(server, checked(), SMTP + programs(PAGE["reinject-transport"]))


SPLIT = """dc_eximconfig_configtype='smarthost'
dc_other_hostnames='mta.test'
dc_local_interfaces='127.0.0.1'
dc_readhost=''
dc_relay_domains='*'
dc_minimaldns='false'
dc_relay_nets=''
dc_smarthost='127.0.0.1::{sink}'
CFILEMODE='644'
dc_use_split_config='true'
dc_hide_mailname=''
dc_mailname_in_oh='true'
dc_localdelivery='mail_spool'
"""


def split(server):
    """Debian's own files and the page's three, through Debian's own program."""
    etc = server.folder / "etc"
    shutil.copytree("/etc/exim4", etc, dirs_exist_ok=True)
    (etc / "update-exim4.conf.conf").write_text(SPLIT.format(sink=sink.port))
    # Exim is not the system's here, and the smarthost is on this machine.
    ours = [line.replace("spool_directory", "SPOOLDIR") for line in exims.places(server.folder, server.port).splitlines()
            if not line.startswith(("exim_path", "local_interfaces"))]
    (etc / "conf.d/main/00_test").write_text("\n".join(ours) + "\n")
    (etc / "conf.d/router/199_test").write_text(OUT.format(sink=sink.port))
    (etc / "conf.d/transport/99_test").write_text(SMTP)
    (etc / "conf.d/main/50_sealpipe").write_text(PAGE["main"])
    (etc / "conf.d/router/150_sealpipe").write_text(checked())
    (etc / "conf.d/transport/50_sealpipe").write_text(programs(PAGE["reinject-transport"]))
    output = server.folder / "generated"
    result = subprocess.run(["update-exim4.conf", "--confdir", etc, "--output", output],
                            capture_output=True, text=True, timeout=60)
    tap.equal(result.returncode, 0, f"update-exim4.conf: {result.stderr}")
    return output.read_text()


server = exims.Exim(home.folder / "mta", {"transport": transport, "reinject": reinject,
                                          "split": split}[WAY])
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
    for name in server.queue():
        server.try_again(name.name.removesuffix("-H"))
    server.wait_empty()
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


@tap.test("nothing went to Exim's panic log")
def _():
    panic = server.folder / "log" / "paniclog"
    tap.equal(panic.read_text() if panic.exists() else "", "")


tap.main()
