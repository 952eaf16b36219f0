# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Postfix, set up as Debian does and then as docs/mta/postfix.md says, with two instances or
with a content filter; people with mailboxes on it, and a sink for what leaves."""

import os
import pathlib
import pwd
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import dkimcheck
import postfix

dkimcheck.prepare()
postfix.enter()
import daemons
import exim as exims
import gnupg
import mail
import opendkim
import outcomes
import signed
import sink as sinks
import smarthost
import snippets
import tap
from home import Home
from outcomes import ALICE, BOB, DORA, FRANK, MARK, NOBODY, SENDER, message

WAY = tap.arguments()[0]
TWO = WAY == "instances"
OUT = ("-c", "/etc/postfix-out") if TWO else ()
home = Home("postfix")
os.chmod(home.folder, 0o755)
sink = sinks.Sink()
server = postfix.Postfix(home, sink)
LUCY, MARKUS, NINA = (f"{name}@{postfix.DOMAIN}" for name in postfix.PEOPLE)
TEAM, SALES = f"team@{postfix.DOMAIN}", f"sales@{postfix.DOMAIN}"
STRANGER = "stranger@example.com"
# As shipped.
BOUNCES = {"rule bounces": {"match_sender": "<>", "match_part": "message/delivery-status",
                            "reduce_bounces": "true"}}
LOCAL = {"rule here": {"match_recipient": f"*@{postfix.DOMAIN}", "encrypt": "never"}}

pathlib.Path("/etc/aliases").write_text(f"postmaster: root\nteam: {ALICE}, {BOB}\n")
pathlib.Path("/etc/postfix/virtual").write_text(f"{SALES} {ALICE}\n")
server.set(virtual_alias_maps="hash:/etc/postfix/virtual")
postfix.checked("newaliases")
postfix.checked("postmap", "/etc/postfix/virtual")
server.forward("mark", ALICE)
server.forward("nina", f'"|/usr/sbin/sendmail -i -f {NINA} -- {BOB}"')
with open("/etc/hosts", "a") as hosts:
    hosts.write(f"127.0.0.1 {smarthost.NAME}\n")
server.start()

server.follow("user", "submission")
if TWO:
    server.follow("create", "copy", "out")
    server.start_second()
    server.follow("back", "seal")
else:
    server.follow("filter", "filter-size")
    server.port = postfix.SUBMISSION
server.keep()
owner = pwd.getpwnam("sealpipe")
o = outcomes.Outcomes(server, home, sink, (owner.pw_uid, owner.pw_gid))
outcomes.register(o)


def begin(**changes):
    """Under encrypt=required; what a content filter sees of mail for here is let out."""
    sink.refuses, sink.utf8 = (), True
    server.restore()
    o.begin(**(changes if TWO else {**LOCAL, **changes}))
    server.log.write_text("")


def set_out(*settings):
    """Of the instance that sends out."""
    postfix.checked("postconf", *OUT, "-e", *settings)
    server.reload()


def sealed_once(recipients, original):
    """Each has one, sealed for him, and what he reads is not sealed again."""
    got = o.by_recipient()
    tap.equal(sorted(got), sorted(recipients))
    for recipient in recipients:
        o.opens(got[recipient], {ALICE: home.alice, BOB: home.bob, DORA: o.dora}[recipient], original)


def only_box(name):
    boxes = server.mailbox(name)
    tap.equal(len(boxes), 1, f"mail for {name}: {boxes}")
    return boxes[0]


@tap.test("what a stranger sends to a local user comes in as it is, also with a broken configuration")
def _():
    for broken in (False, True):
        begin(core={"enabled": "maybe"} if broken else {})
        server.send(message(LUCY), LUCY, sender=STRANGER, port=25)
        server.wait_empty()
        tap.equal(o.by_recipient(), {})
        tap.contains(only_box("lucy"), MARK)
        tap.true("relay=seal" not in server.log_text(), "it passed the filter")


@tap.test("what aliases and forwarding send out: each once, sealed where the way promises it")
def _():
    for to, recipients in ((TEAM, (ALICE, BOB)), (MARKUS, (ALICE,)), (NINA, (BOB,)), (SALES, (ALICE,))):
        for submitted in (False, True):
            begin()
            original = message(to)
            login = {"login": "lucy", "sender": LUCY} if submitted else {"sender": STRANGER, "port": 25}
            server.send(original, to, **login)
            server.wait_empty()
            if TWO or submitted and to == SALES:
                sealed_once(recipients, original)
            else:
                got = o.by_recipient()
                tap.equal(sorted(got), sorted(recipients))
                tap.true(all(MARK in one.raw for one in got.values()), "in clear, as the page says")


@tap.test("what local programs hand in by sendmail")
def _():
    for words in (("-i", ALICE), ("-t", "-i"), ("-i", "-f", LUCY, "--", ALICE, TEAM)):
        begin()
        original = message(ALICE)
        answer = server.send_locally(original.replace(b"\r\n", b"\n"), *words)
        tap.equal((answer.returncode, answer.stderr), (0, b""))
        server.wait_empty()
        people = (ALICE, ALICE, BOB) if TEAM in words else (ALICE,)
        for address in people:
            found = [one for one in sink.complete() if address in one.recipients]
            tap.equal(len(found), people.count(address), f"for {address}, {words}")
            tap.equal([MARK in one.raw for one in found], [not TWO] * len(found), "in clear")


@tap.test("bounces to people here and outside, of what sealpipe and of what the next host refuses")
def _():
    for ours in (True, False):
        for sender in (LUCY, STRANGER, BOB):
            begin(**BOUNCES)
            to = NOBODY if ours else ALICE
            sink.refuses = (ALICE,)
            server.send(message(to), to, sender=sender)
            server.wait_empty()
            got = o.by_recipient()
            tap.equal(sorted(got), [] if sender == LUCY else [sender], f"{sender} {ours}")
            if sender == LUCY:
                tap.contains(only_box("lucy"), to.encode())
            else:
                tap.equal(got[sender].sender, "")
            everything = b"".join([one.raw for one in got.values()] + server.mailbox("lucy"))
            tap.true(MARK not in everything, "the bounce quotes the body")
            # The second instance's bounces leave by itself.
            tap.equal(b"enveloped" in everything.partition(b"headers")[0], TWO and ours and sender == BOB)
            if TWO and ours and sender == STRANGER:
                tap.true(b"the subject" not in everything, "the bounce is not reduced")


@tap.test("a recipient of a domain that is no longer here, and one here who is not: no loop")
def _():
    if not TWO:
        raise tap.Skip("there is one instance")
    begin()
    sink.refuses = (ALICE,)
    server.send(message(ALICE), ALICE, sender=f"nobody-here@{postfix.DOMAIN}")
    server.wait_empty()
    tap.contains(server.log_text(), "550 5.1.1 <nobody-here@mta.test>")
    with server.connect(10125) as smtp:
        smtp.mail("")
        tap.equal(smtp.rcpt(BOB)[0], 554, "the way back takes nothing for others")


@tap.test("always_bcc: one copy, and no bounce")
def _():
    original = message(ALICE)
    for moved in (False, True) if TWO else (False,):
        begin()
        server.set(always_bcc=LUCY)
        server.reload()
        if moved:
            server.follow("archive")
        server.send(original, ALICE)
        server.wait_empty()
        sealed_once([ALICE], original)
        tap.equal(MARK in only_box("lucy"), TWO and not moved, "in clear")


@tap.test("a message that sealing makes larger than the limit: sent, and with a limit behind it 5.3.4")
def _():
    limit = 200000
    original = message(ALICE) + b"0123456789" * 7 + b"\r\n"
    original += (b"0123456789" * 7 + b"\r\n") * ((limit - len(original) - 1000) // 72)
    begin()
    server.set(message_size_limit=limit)
    if TWO:
        server.reload()
    else:
        server.follow("filter-size")
    server.send(original, ALICE)
    server.wait_empty()
    tap.true(len(o.by_recipient()[ALICE].raw) > limit * 1.3, "it did not grow")
    o.opens(o.by_recipient()[ALICE], home.alice, original)

    for ours in (False, True):
        begin(core={"size_limit": str(limit)} if ours else {})
        if not ours:
            set_out(f"message_size_limit = {limit}")
        line = server.refused(server.send(original, ALICE, sender=LUCY))[0]
        tap.contains(line, "dsn=5.3.4")
        server.wait_empty()
        tap.equal(o.by_recipient(), {})
        tap.contains(only_box("lucy"), b"5.3.4")
        tap.contains(home.log_text(), "the message is too large" if ours else
                     "octets, and /usr/sbin/sendmail ended with status 75", "log")


@tap.test("addresses and header fields in UTF-8")
def _():
    for to in ("jürgen@bücher.example", "alice@bücher.example"):
        begin(policy={"fallback": "allow"})
        server.send(message(ALICE), to, options=("BODY=8BITMIME", "SMTPUTF8"))
        server.wait_empty()
        tap.equal(list(o.by_recipient()), [to])
    extra = "X-Kind: größer\r\n".encode()
    for never, offered, reached in ((False, True, ALICE), (False, False, SENDER), (True, False, ALICE)):
        begin()
        sink.utf8 = offered
        if never:
            set_out("smtputf8_autodetect_classes = verify")
        server.send(message(ALICE, extra=extra), ALICE)
        server.wait_empty()
        tap.equal(list(o.by_recipient()), [reached], f"{never} {offered}")


@tap.test("delivery reports cannot be asked for where they would be false")
def _():
    with server.connect() as smtp:
        tap.true(not smtp.has_extn("dsn"), "DSN is offered")
        smtp.mail(SENDER)
        tap.contains((501, 555), smtp.rcpt(ALICE, ["NOTIFY=SUCCESS"])[0])


@tap.test("who may send without sealpipe")
def _():
    if not TWO:
        raise tap.Skip("there is one instance")
    begin()
    for user in ("lucy", "root", "postfix"):
        answer = server.send_locally(message(ALICE), "-C", "/etc/postfix-out", "-i", ALICE, user=user)
        tap.equal(answer.returncode, 75)
        tap.contains(answer.stderr, b"is not allowed to submit mail")
    tap.equal((server.queue(), sink.transactions()), ([], []))


@tap.test("tables that name the clients for what leaves do not lead past sealpipe")
def _():
    if not TWO:
        raise tap.Skip("there is one instance")
    for name, table in (("transport_maps", f"inline:{{{{example.org=smtp:[127.0.0.1]:{sink.port}}}}}"),
                        ("transport_maps", f"inline:{{{{example.org=relay:[127.0.0.1]:{sink.port}}}}}"),
                        ("sender_dependent_default_transport_maps",
                         f"inline:{{{{{SENDER}=smtp:[127.0.0.1]:{sink.port}}}}}")):
        begin()
        server.set(**{name: table})
        server.reload()
        ident = server.send(message(ALICE), ALICE)
        tap.contains(server.deferred(ident)[0], "mail transport unavailable")
        tap.equal(sink.transactions(), [])
        server.restore()
        server.try_again(ident)
        server.wait_empty()
        sealed_once([ALICE], message(ALICE))


@tap.test("mail that is relayed in stays as it is")
def _():
    if not TWO:
        raise tap.Skip("the filter does not see it")
    begin()
    server.set(relay_domains="inside.test",
               transport_maps=f"inline:{{{{inside.test=inward:[127.0.0.1]:{sink.port}}}}}")
    server.follow("relayed")
    original = message("someone@inside.test")
    server.send(original, "someone@inside.test", sender=STRANGER)
    server.wait_empty()
    o.plain(o.by_recipient()["someone@inside.test"], original)


def signed_valid(address):
    """Whether each DKIM signature of what he gets holds."""
    return dkimcheck.signatures(o.by_recipient()[address].message(), dkim.record)


@tap.test("OpenDKIM signs what leaves, and its signatures hold")
def _():
    original = message(ALICE, NOBODY)
    # Signed before as well: that holds for what is not sealed, and is gone from what is.
    for before in (False, True):
        begin(**{"rule open": {"match_recipient": NOBODY, "encrypt": "never"}})
        if TWO:
            server.follow("dkim")
        else:
            server.set(non_smtpd_milters="inet:127.0.0.1:8891")
        if before:
            postfix.checked("postconf", "-P", "submission/inet/smtpd_milters=inet:127.0.0.1:8891")
        server.reload()
        server.send(original, ALICE, NOBODY, login="carol")
        server.wait_empty()
        o.opens(o.by_recipient()[ALICE], home.alice, original)
        tap.equal(signed_valid(ALICE), [True])
        tap.equal(signed_valid(NOBODY), [True] * (2 if before else 1))
    # By the first alone: nothing is left that would not hold.
    begin()
    postfix.checked("postconf", "-P", "submission/inet/smtpd_milters=inet:127.0.0.1:8891")
    server.reload()
    server.send(original, ALICE, login="carol")
    server.wait_empty()
    tap.equal(signed_valid(ALICE), [])


@tap.test("a smarthost that asks for TLS, by STARTTLS or at once, and a login")
def _():
    if not smart:
        raise tap.Skip(f"the smarthost is an Exim, and there is no {exims.EXIM}")
    passwords = pathlib.Path("/etc/postfix/sasl_passwd")
    for port, at_once in ((smart.port, "no"), (smart.tls_port, "yes")):
        begin(**BOUNCES)
        # As its provider says.
        passwords.write_text(f"[{smarthost.NAME}]:{port} {smarthost.LOGIN}:{smarthost.PASSWORD}\n")
        passwords.chmod(0o600)
        postfix.checked("postmap", passwords)
        server.set(relayhost=f"[{smarthost.NAME}]:{port}", smtp_host_lookup="native",
                   smtp_tls_wrappermode=at_once, smtp_tls_security_level="secure",
                   smtp_tls_CAfile=smart.cert, smtp_sasl_auth_enable="yes",
                   smtp_sasl_security_options="noanonymous",
                   smtp_sasl_password_maps=f"hash:{passwords}")
        if TWO:
            server.follow("copy")
        server.reload()
        original = message(ALICE, BOB)
        server.send(original, ALICE, BOB, DORA, sender=LUCY)
        server.wait_empty()
        smart.wait_empty()
        got = o.by_recipient()
        sealed_once([ALICE, BOB], original)
        for transaction in got.values():
            tap.equal(smarthost.came(transaction), [["esmtpsa", smarthost.LOGIN]])
        # It does not take Dora's: the bounce comes back, which needs neither.
        tap.contains(only_box("lucy"), DORA.encode())


@tap.test("who has logged in is signed for as himself, by Postfix's word on who it was")
def _():
    senders = home.folder / "senders"
    senders.write_text(f"carol: {outcomes.SENDER}\nbob: {outcomes.BOB}\n")
    senders.chmod(0o644)
    for login, to, is_signed, why in (("carol", DORA, True, ""), ("carol", SALES, True, ""),
                                   ("bob", DORA, False, "login bob may not sign as"),
                                   (None, DORA, False, "--submission")):
        if not login and not TWO:
            continue
        server.restore()
        o.begin(policy={"encrypt": "never", "sign": "preferred"},
                **{"module smime": {"trust_anchors": home.authority.cert, "server_keys": o.server_key},
                   "module sign": {"senders": senders}})
        server.send(message(to), to, login=login)
        server.wait_empty()
        (got,) = o.by_recipient().values()
        tap.equal(b"multipart/signed" in got.message(), is_signed, f"signed for {login}")
        tap.contains(home.log_text(), why, "log")


@tap.test("69 and 75 lead to a bounce and a deferral, with the line and its status code")
def _():
    begin()
    ident = server.send(message(NOBODY), NOBODY)
    line = server.refused(ident)[0]
    for part in ("dsn=5.7.1", "refused: nobody@example.org: "):
        tap.contains(line, part)
    server.wait_empty()
    begin(core={"in_process": "false"})
    ident = server.send(message(ALICE), ALICE)
    line = server.deferred(ident)[0]
    for part in ("dsn=4.3.0", "the message cannot be handled now"):
        tap.contains(line, part)
    server.clear()


@tap.test("a journal that cannot be written: deferred, nothing is handed over")
def _():
    begin()
    journal = home.folder / "state" / "journal"
    journal.mkdir(exist_ok=True)
    os.chown(journal, 0, 0)
    ident = server.send(message(ALICE), ALICE)
    tap.contains(server.deferred(ident)[0], "the journal cannot be used now")
    tap.equal(sink.complete(), [])
    os.chown(journal, owner.pw_uid, owner.pw_gid)
    server.try_again(ident)
    server.wait_empty()
    tap.equal(list(o.by_recipient()), [ALICE])


# Of postfix.service and postfix@.service there: what may be written, and which capabilities are left.
UNIT = """for top in /etc /usr; do mount -o remount,bind,ro $top; done
exec setpriv --bounding-set=-all,+net_bind_service,+sys_chroot,+setgid,+setuid,+dac_override,\\
+dac_read_search,+chown "$@"
"""


@tap.test("within the limits of Debian 13's units: OpenPGP signs and encrypts, S/MIME encrypts")
def _():
    if not TWO:
        raise tap.Skip("it is the same with one instance")
    shutil.rmtree("/var/lib/sealpipe/gnupg", ignore_errors=True)
    ring = gnupg.Ring("/var/lib/sealpipe/gnupg")
    ring.generate(SENDER)
    ring.stop()
    for path in (ring.path, *ring.path.rglob("*")):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    server.restore()
    o.begin(policy={"sign": "preferred"},
            **{"module pgp": {"home": ring.path}, "module sign": {"trust_from": "true"}})
    postfix.checked("postfix", "stop")
    postfix.checked("unshare", "--mount", "sh", "-ec", UNIT, "sh", "postfix", "start")
    original = message(ALICE, FRANK)
    server.send(original, ALICE, FRANK)
    server.wait_empty()
    got = o.by_recipient()
    o.opens(got[ALICE], home.alice, original)
    tap.contains(o.ring.gpg("--decrypt", stdin=gnupg.armor(got[FRANK].message()), ok=False), MARK)
    tap.contains(home.log_text(), f"signer={ring.fingerprint(SENDER).lower()}", "log")
    # Where the agent cannot make its socket, the reason says so.
    ring.stop()
    elsewhere = pathlib.Path("/etc/sealpipe-gnupg")
    postfix.checked("cp", "-a", ring.path, elsewhere)
    o.begin(policy={"sign": "required"},
            **{"module pgp": {"home": elsewhere}, "module sign": {"trust_from": "true"}})
    ident = server.send(message(FRANK), FRANK)
    tap.contains(server.deferred(ident)[0], f"{elsewhere} cannot be written here (Read-only file system)")
    server.clear()


@tap.test("with the daemon, as the page has it: keys of root's sign, and what waits for it leaves later")
def _():
    server.restore()
    keys = pathlib.Path("/etc/sealpipe/server-keys")
    keys.mkdir(parents=True)
    shutil.copy(o.server_key, keys)
    server.follow("daemon-user")
    for path, mode in ((keys, 0o700), (keys / o.server_key.name, 0o600)):
        tap.equal((path.stat().st_uid, path.stat().st_mode & 0o777), (0, mode), path)
    senders = home.folder / "senders"
    settings = snippets.groups(server.pieces["daemon-conf"])

    senders.write_text(f"carol: {SENDER}\n")
    senders.chmod(0o644)

    def configure(**daemon):
        o.configure(core=dict(settings["core"]), daemon={**settings["daemon"], **daemon},
                    policy={"encrypt": "required", "sign": "required"},
                    **{"rule bounces": {"match_sender": "<>", "sign": "never"},
                       "module smime": {"trust_anchors": home.authority.cert, "server_keys": keys},
                       "module sign": {"senders": senders}})
        server.log.write_text("")

    def signed_for(address):
        got = o.by_recipient()
        tap.equal(list(got), [address], home.log_text()[-600:])
        tap.true(MARK not in got[address].raw, "in clear")
        inner = mail.opened(got[address].message(), home.alice)
        tap.contains(signed.by_smime(inner, home.authority.cert), MARK)
        sink.clear()

    o.begin()
    configure()
    running = daemons.Shared(home)
    ident = server.send(message(ALICE), ALICE, login="carol")
    tap.contains(server.deferred(ident)[0], "dsn=4.3.0")
    tap.contains(home.log_text(), "in_process=false leaves the work to the daemon")
    tap.equal(sink.transactions(), [])
    running.start()
    try:
        server.try_again(ident)
        server.wait_empty()
        signed_for(ALICE)
        o.no_trace()
        # A refusal is one, and its reason comes back.
        line = server.refused(server.send(message(NOBODY), NOBODY, login="carol"))[0]
        tap.contains(line, "dsn=5.7.1")
        server.wait_empty()
        sink.clear()
        # Reloaded all the time, nothing waits.
        server.log.write_text("")
        for number in range(20):
            running.hup()
            server.send(message(ALICE, extra=b"X-Number: %d\r\n" % number), ALICE, login="carol")
        server.wait_empty()
        numbers = [int(mail.Message(one.message()).all("X-Number")[0]) for one in sink.complete()]
        tap.equal(sorted(numbers), list(range(20)))
        tap.true(all(MARK not in one.raw for one in sink.complete()), "in clear")
        tap.true("status=deferred" not in server.log_text(), "one was deferred")
        # Whose word does not count has nothing signed; who is no peer has nothing done.
        sink.clear()
        configure(submission_peers="root")
        running.renew()
        line = server.refused(server.send(message(ALICE), ALICE, login="carol"))[0]
        tap.contains(line, "[daemon] submission_peers")
        server.wait_empty()
        tap.true(ALICE not in o.by_recipient(), "it left unsigned")
        sink.clear()
        configure(peers="root")
        running.renew()
        ident = server.send(message(ALICE), ALICE, login="carol")
        server.deferred(ident)
        tap.contains(home.log_text(), "user sealpipe may not hand in messages")
        tap.equal(sink.transactions(), [])
        configure()
        running.renew()
        server.try_again(ident)
        server.wait_empty()
        signed_for(ALICE)
    finally:
        running.stop()


@tap.test("OpenPGP with the daemon: the home that is moved as Exim's page says signs, and is read by nobody else")
def _():
    home_of_keys = pathlib.Path("/var/lib/sealpipe-keys/gnupg")
    shutil.rmtree("/var/lib/sealpipe/gnupg", ignore_errors=True)
    ring = gnupg.Ring("/var/lib/sealpipe/gnupg")
    ring.generate(SENDER)
    o.ring.take(ring.export(SENDER))
    ring.stop()
    postfix.checked("sh", "-ec", snippets.read("exim.md")["daemon-pgp"])
    settings = snippets.groups(server.pieces["daemon-conf"])
    o.begin(policy={"sign": "required", "encrypt": "required", "formats": "pgp"},
            core=dict(settings["core"]), daemon=dict(settings["daemon"]),
            **{"module pgp": {"home": home_of_keys}, "module sign": {"senders": home.folder / "senders"}})
    running = daemons.Shared(home).start()
    try:
        server.send(message(FRANK), FRANK, login="carol")
        server.wait_empty()
    finally:
        running.stop()
    got = o.by_recipient()
    tap.equal(list(got), [FRANK], home.log_text()[-600:])
    sealed = gnupg.armor(got[FRANK].message())
    tap.contains(o.ring.gpg("--decrypt", stdin=sealed), MARK)
    tap.contains(signed.gpg(o.ring, "--decrypt", input=sealed).stderr, b"[GNUPG:] GOODSIG ")
    tap.true(postfix._run("setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups",
                          "ls", home_of_keys).returncode != 0, "sealpipe reads it")


@tap.test("taken out again, also what waits leaves")
def _():
    begin(core={"in_process": "false"})
    original = message(ALICE)
    server.deferred(server.send(original, ALICE))
    server.follow("undo" if TWO else "filter-undo")
    server.wait_empty()
    o.plain(o.by_recipient()[ALICE], original)
    server.keep()
    begin()
    server.send(original, ALICE)
    server.wait_empty()
    o.plain(o.by_recipient()[ALICE], original)


dkim = opendkim.Filter(server.pieces["opendkim"], "example.net")
smart = None
if os.path.exists(exims.EXIM):
    smart = smarthost.SmartHost(home.folder / "smart", "127.0.0.1", sink.port)
    smart.start()
tap.main()
