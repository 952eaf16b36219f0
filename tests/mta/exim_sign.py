# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Exim 4 whose transport signs: who is signed for, and whether the signature holds.

What is judged is what came over the wire, and came once more after a second hop through Exim
without the filter, with all that a relay does on the way; and with Exim's own DKIM signature.
"""

import base64
import email
import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import exim
import mail
import sink as sinks
import tap
from ways import CAROL, Ways

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")
if not os.path.exists(exim.EXIM):
    tap.skip_all(f"no {exim.EXIM}: exim4-daemon-heavy is not installed")

MAIN = r"""
tls_advertise_hosts =
auth_advertise_hosts = *
keep_environment =
add_environment = <; PATH=/usr/bin:/bin
never_users = root
acl_smtp_rcpt = ok
acl_not_smtp = ok
bounce_return_body = false

begin acl
ok:
  accept

begin routers
# The second hop: what came in here goes on as it is.
relay:
  driver = manualroute
  condition = ${if eq{$received_port}{RELAY}}
  route_list = * 127.0.0.1::SINK
  self = send
  transport = plain
"""

ROUTER = r"""
NAME:
  driver = manualroute
  domains = DOMAIN.test
  route_list = * 127.0.0.1::SINK
  self = send
  transport = NAME
"""

TRANSPORTS = r"""
begin transports
plain:
  driver = smtp
  allow_localhost
"""

# As docs/mta/exim.md has it; a test compares them.
SPOOL = "--exim-spool $spool_directory/$queue_name/input --id=$message_exim_id"

# Exim looks for long lines before the filter, which ends
# them, has run.
TRANSPORT = r"""
NAME:
  driver = smtp
  allow_localhost
  max_rcpt = 1
  size_addition = -1
  return_path_add
  message_linelength_limit = 1M
  transport_filter = BIN/sealpipe -c CONF SPOOL -- $pipe_addresses
  transport_filter_timeout = 2m
"""

DKIM = r"""  dkim_domain = example.org
  dkim_selector = test
  dkim_private_key = DIR/etc/dkim.key
"""

END = r"""
begin retry
* * F,2h,10m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{a password}}
  server_set_id = $auth2
"""

FORMS = {
    "smime": ("smime-sign", {}),
    "opaque": ("smime-sign", {"module sign": {"signature": "opaque"}}),
    "pgp": ("pgp-sign", {}),
}
ways = Ways("exs")
home = ways.home
sink = sinks.Sink()


SENDERS = home.folder / "senders"
SENDERS.write_text(f"carol: {CAROL}\nbob: bob@example.org\nwww-data: {CAROL}\n"
                   f"Debian-exim: {CAROL}\nroot: {CAROL}\n")
SENDERS.chmod(0o644)


def configure(name, way, changes):
    home.conf = home.folder / f"conf-{name}"
    home.conf.mkdir()
    changes = {**changes, "module sign": {"senders": SENDERS, "submission_domains": "",
                                          **changes.get("module sign", {})}}
    ways.configure(way, changes, sign="preferred" if name.endswith("wish") else "required")
    return home.conf


relay = sinks.free_port()


def configuration(server):
    """For each form NAME of a signature: NAME.test is signed, NAME-dkim.test is DKIM-signed as
    well, and for NAME-wish.test the policy is sign=preferred."""
    key = server.folder / "etc" / "dkim.key"
    certs.openssl("genrsa", "-out", key, 2048)
    shutil.chown(key, "Debian-exim", "Debian-exim")
    routers, transports = MAIN, TRANSPORTS
    for form, (way, changes) in FORMS.items():
        for name in (form, f"{form}-dkim", f"{form}-wish"):
            conf = configure(name, way, changes)
            # Exim's own names have no hyphen.
            label = name.replace("-", "_")
            routers += ROUTER.replace("NAME", label).replace("DOMAIN", name)
            transports += TRANSPORT.replace("NAME", label).replace("CONF", str(conf)) \
                .replace("SPOOL", SPOOL)
            transports += DKIM if name.endswith("dkim") else ""
    text = routers + transports + END
    for word, value in (("DIR", server.folder), ("BIN", home.bin), ("RELAY", relay),
                        ("SINK", sink.port)):
        text = re.sub(rf"\b{word}\b", str(value), text)
    return exim.places(server.folder, f"{server.port} : {relay}") + text


def send(message, recipient, login="carol", port=None, chunk=False):
    """Hands a message in; its id."""
    with smtplib.SMTP("127.0.0.1", port or server.port, timeout=60) as smtp:
        smtp.ehlo()
        if login:
            smtp.login(login, "a password")
        smtp.mail(CAROL, ["BODY=8BITMIME"])
        tap.equal(smtp.rcpt(recipient)[0], 250, "RCPT")
        if chunk:
            smtp.send(b"BDAT %d LAST\r\n" % len(message) + message)
            code, text = smtp.getreply()
        else:
            code, text = smtp.data(message)
    found = re.search(rb"id=(\S+)", text)
    tap.true(code == 250 and found, f"DATA: {code} {text}")
    return found[1].decode()


server = exim.Exim(home.folder / "exim", configuration)
# What the filter reads is Debian-exim's, and nobody else reads the keys.
os.chmod(home.folder, 0o755)
for path in (home.log, home.state, ways.server, *ways.server.iterdir(), ways.own.path,
             *ways.own.path.rglob("*")):
    shutil.chown(path, "Debian-exim", "Debian-exim")
server.start()


def arrives(message, recipient, **how):
    """What came to the sink, dots unstuffed and in CRLF as it was."""
    sink.clear()
    ident = send(message, recipient, **how)
    server.wait_line(ident, "Completed")
    tap.equal(len(sink.complete()), 1, "messages")
    tap.equal(sink.complete()[0].recipients, [recipient], "recipients")
    return sink.complete()[0].message()


HEAD = (b"From: Carol <carol@example.org>\r\nTo: alice@example.org\r\n"
        b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n"
        b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n")
MIME = b"MIME-Version: 1.0\r\n"
UTF8 = (b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        b"Gr\xc3\xbc\xc3\x9fe \xf0\x9f\x94\x92\r\n")
BODIES = {
    "plain": b"\r\nplain words\r\n",
    "8bit": MIME + UTF8,
    "trailing blanks": b"\r\nblanks  \r\ntab\t\r\n \r\n\r\n\r\n",
    "From_ lines": b"\r\nFrom here\r\n>From there\r\n\r\nFrom \r\n",
    "dots": b"\r\n.\r\n..\r\n.x\r\n\r\n.\r\n",
    "long lines": b"\r\n" + b"x" * 3000 + b"\r\n" + b"word " * 300 + b"\r\n",
    "an attachment": MIME + b"Content-Type: multipart/mixed;\r\n\tboundary=\"-=b\"\r\n\r\n"
    b"preamble \r\n---=b\r\n" + UTF8 + b"---=b\r\nContent-Type: application/octet-stream; name=x.bin\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" +
    base64.encodebytes(bytes(range(256)) * 400).replace(b"\n", b"\r\n") +
    b"---=b\r\nContent-Type: text/html\r\n\r\n<p>From \r\n.\r\n---=b--\r\nepilogue\r\n",
    "nothing": b"\r\n",
}
# Only a chunk can carry these through SMTP.
CHUNKS = {"a bare CR": b"\r\none\rtwo\r\n", "a bare LF": b"\r\none\ntwo\r\n.\nthree\r\n"}


def leaves(entity):
    """The decoded parts; what line ends a text has is Exim's affair."""
    return [re.sub(rb"\r\n?|\n", b"\n", part.get_payload(decode=True) or b"").rstrip(b"\n")
            for part in email.message_from_bytes(entity).walk() if not part.is_multipart()]


def holds(form, octets, message):
    """The signature is valid, Carol's, and covers what was sent."""
    entity = ways.verified(FORMS[form][0], octets)
    tap.equal(leaves(entity), leaves(mail.inner_entity(message)), "what is signed")
    return entity


def each_body(function):
    for what, body in {**BODIES, **CHUNKS}.items():
        try:
            function(HEAD + body, what in CHUNKS)
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from None


def relayed(octets):
    """Without the line that Exim adds, which is a header's."""
    again = arrives(octets, "x@example.com", login=None, port=relay)
    tap.true(again.count(b"Received: ") > octets.count(b"Received: "), "it went through no relay")
    return again


# -- Who is signed for ----------------------------------------------------------------------------

@tap.test("what tells who has logged in is the documented one")
def _():
    page = pathlib.Path(__file__).resolve().parent.parent.parent / "docs/mta/exim.md"
    tap.contains(re.sub(r"\\\n +", "", page.read_text()), SPOOL, "exim.md")


def is_not_signed(message, why, handed_in, forms=FORMS):
    """@handed_in(message, recipient) sends it; it leaves without a signature where one is only wished
    for, and stays where it is required."""
    for form in forms:
        sink.clear()
        handed_in(message, f"x@{form}-wish.test")
        octets = tap.wait_for(sink.complete, "it arrives")[0].message()
        tap.equal(mail.Message(octets).all("Content-Type"), [], f"{form}: Content-Type")
        tap.contains(octets, b"plain words", f"{form}: not signed")
        tap.contains(home.log_text().splitlines()[-1], why, "log")
        server.wait_empty()
        sink.clear()
        handed_in(message, f"x@{form}.test")
        ident = tap.wait_for(server.queue, "it waits")[0].name.removesuffix("-H")
        server.deferred(ident)
        tap.equal(sink.complete(), [], f"{form}: required and not possible")
        server.run("-Mrm", ident)


def by_login(login):
    return lambda message, recipient: send(message, recipient, login=login)


@tap.test("who has logged in is signed for, as himself; nobody else")
def _():
    message = HEAD + BODIES["plain"]
    for form in FORMS:
        holds(form, arrives(message, f"x@{form}.test"), message)
        holds(form, arrives(message, f"x@{form}-wish.test"), message)
    is_not_signed(message, "--submission", by_login(None))
    is_not_signed(message, "login bob may not sign as carol@example.org", by_login("bob"))
    is_not_signed(message, "senders= does not have this login", by_login("Carol"), ["smime"])


@tap.test("two authors, and a login that would be another's")
def _():
    two = HEAD.replace(b"From: Carol", b"From: bob@example.org, Carol") + BODIES["plain"]
    is_not_signed(two, "one author", by_login("bob"), ["smime"])
    for login in ("bob\n-auth_id carol", "carol\n-x", "carol\n-local"):
        is_not_signed(HEAD + BODIES["plain"], "may not sign", by_login(login), ["smime"])


def hand_in(user, sender, *options):
    """By that user of this machine."""
    if not server.private:
        raise tap.Skip("only root may name Exim a configuration, and it cannot stand in its place here")
    as_user = ["runuser", "-u", user, "--"] if user != "root" else []
    def run(message, recipient):
        subprocess.run([*server.command[:-len(OWN)], *as_user, *OWN, *options, "-odf", "-f", sender,
                        recipient], input=message.replace(b"\r\n", b"\n"), timeout=120, check=True,
                       cwd="/")
    return run


OWN = server.command[server.command.index(exim.EXIM):]


@tap.test("what the server's own programs send is signed, where senders= has their user")
def _():
    message = (HEAD + BODIES["plain"]).replace(b"\r\n", b"\n")
    for user in ("root", "www-data"):
        for form in FORMS:
            sink.clear()
            hand_in(user, CAROL)(message, f"x@{form}.test")
            tap.wait_for(sink.complete, "it arrives")
            holds(form, sink.complete()[0].message(), message)
    is_not_signed(message, "login games may not sign as", hand_in("games", CAROL), ["smime"])


@tap.test("what Exim's own user hands in is nobody's, whatever senders= has")
def _():
    # So does a pipe to sendmail that a forwarded message takes.
    is_not_signed(HEAD + BODIES["plain"], "own user", hand_in("Debian-exim", CAROL), ["smime"])
    is_not_signed(HEAD + BODIES["plain"], "proves nobody", hand_in("root", CAROL, "-oMr", "sealed"),
                  ["smime"])


# -- Whether it holds -----------------------------------------------------------------------------

for _form in FORMS:
    @tap.test(f"signatures hold over two hops: {_form}")
    def _(form=_form):
        def check(message, chunk):
            octets = arrives(message, f"x@{form}.test", chunk=chunk)
            first = holds(form, octets, message)
            tap.equal(holds(form, relayed(octets), message), first, "after the second hop")
        each_body(check)


for _form in FORMS:
    @tap.test(f"signatures hold, and DKIM's beside them: {_form}")
    def _(form=_form):
        def check(message, chunk):
            octets = arrives(message, f"x@{form}-dkim.test", chunk=chunk)
            for once in (octets, relayed(octets)):
                holds(form, once, message)
                stamps = mail.Message(once).all("DKIM-Signature")
                tap.equal(len(stamps), 1, "DKIM-Signature")
                found = re.search(rb"bh=([A-Za-z0-9+/=\s]+);", stamps[0])
                tap.equal(re.sub(rb"\s", b"", found[1]), mail.dkim_body_hash(once),
                          "DKIM's hash of the body")
        each_body(check)


@tap.test("a tampered message does not verify")
def _():
    message = HEAD + BODIES["plain"]
    for form in ("smime", "pgp"):
        octets = arrives(message, f"x@{form}.test")
        try:
            ways.verified(FORMS[form][0], octets.replace(b"plain words", b"other words"))
        except AssertionError:
            continue
        raise AssertionError(f"{form}: it verifies")


tap.main()
