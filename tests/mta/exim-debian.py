# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own Exim, as docs/mta/exim.md says, word by word: in its place, as root."""

import os
import pathlib
import pwd
import re
import shutil
import smtplib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import exim as exims
import tap

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")
if not os.path.exists(exims.EXIM):
    tap.skip_all(f"no {exims.EXIM}: exim4-daemon-heavy is not installed")

import dkimcheck
import mailhost

dkimcheck.prepare()
mailhost.enter()

import debian_exim
import gnupg
import mail
import outcomes
import smarthost
import snippets
from home import Home

PAGE = snippets.read("exim.md")
CONF_D = debian_exim.ETC / "conf.d"
SEALPIPE = pathlib.Path("/etc/sealpipe")

home = Home("exim-debian")
host = mailhost.MailHost(home.folder / "view")
home.conf = SEALPIPE / "conf.d"
server = debian_exim.DebianExim()
sink = server.sink


ALICE, BOB, NOBODY, SENDER = outcomes.ALICE, outcomes.BOB, outcomes.NOBODY, outcomes.SENDER
PIECES = {"main/00_sealpipe": "debian-main", "router/090_sealpipe": "debian-routers",
          "router/490_sealpipe": "debian-hub",
          "transport/50_sealpipe": "debian-transport"}
OURS = re.findall(r"^(\w+):$", PAGE["debian-routers"], re.M)
# Drivers that send mail somewhere else; ours is an accept with a pipe.
SENDING = ("dnslookup", "manualroute", "ipliteral", "queryprogram", "iplookup")
user = pwd.getpwnam("Debian-exim")
NAMES = []


def write_pieces():
    for path, piece in PIECES.items():
        (CONF_D / path).write_text(PAGE[piece])


def extra(text, section="main", name="05_test"):
    """Configuration of the administrator's own; for the main section mostly macros."""
    (CONF_D / section / name).write_text(text)
    NAMES.append(CONF_D / section / name)


def fresh(**settings):
    """As after the page's steps, with nothing of an earlier test."""
    for path in NAMES:
        path.unlink(missing_ok=True)
    NAMES.clear()
    (debian_exim.ETC / "hubbed_hosts").unlink(missing_ok=True)
    write_pieces()
    server.clear()
    server.wait_empty()
    shutil.rmtree(server.folder / "db", ignore_errors=True)  # which hosts are not to be tried yet
    sink.clear()
    sink.most = None
    o.configure()
    return settings


def begin(more=None, **settings):
    settings = fresh(**settings)
    for path, text in (more or {}).items():
        extra(text, *path.split("/"))
    server.restart(**settings)


def sent():
    """{recipient: transaction} of what has left, once nothing waits."""
    server.wait_empty()
    return o.by_recipient()


def sendmail(message, *args, as_user=None):
    command = ["/usr/sbin/sendmail", *args]
    if as_user:
        command = ["runuser", "-u", as_user, "--", *command]
    result = subprocess.run(command, input=message, capture_output=True, timeout=60)
    tap.equal((result.returncode, result.stderr), (0, b""), f"{command}")


def from_outside(message, sender, *recipients):
    """What the answers are to a stranger: to each RCPT, and to the message's end if any was taken."""
    answers = []
    with smtplib.SMTP("127.0.0.1", 25, timeout=60, source_address=(mailhost.OUTSIDE, 0)) as smtp:
        smtp.ehlo("stranger.example")
        smtp.mail(sender)
        for recipient in recipients:
            answers.append(smtp.rcpt(recipient))
        if any(code == 250 for code, _ in answers):
            answers.append(smtp.data(message))
    return answers


def mailbox(name):
    path = pathlib.Path("/var/mail", name)
    return path.read_bytes() if path.exists() else b""


@tap.test("no piece of configuration on the page goes untried")
def _():
    page = (snippets.SOURCE / "docs/mta/exim.md").read_text()
    tap.equal(len(re.findall(r"^```", page, re.M)), 2 * len(PAGE), "fences")
    tests = "".join((snippets.SOURCE / name).read_text() for name in (
        "tests/mta/exim-debian.py", "tests/mta/exim-pages.py", "tests/mta/daemon-exim.py",
        "debian/tests/exim"))
    tap.equal([name for name in PAGE if f'"{name}"' not in tests], [])


@tap.test("the page's steps, one after the other: what is sent leaves sealed")
def _():
    mailhost.shell(PAGE["folders"])
    for person in (home.alice, home.bob):
        shutil.copy(person.cert, SEALPIPE / "certs")
    shutil.copy(home.authority.cert, SEALPIPE / "ca.pem")
    (home.conf / "50-local.conf").write_text(PAGE["conf"])
    tap.contains(mailhost.shell(PAGE["look"]), "sealed: ")
    write_pieces()
    server.configure()
    output = mailhost.shell(PAGE["debian-apply"])
    tap.equal(output.splitlines()[-len(server.routers()):][:5],
              OURS)
    server.start()
    output = mailhost.shell(PAGE["try"])
    tap.contains(output, "router = sealpipe_out, transport = sealpipe_bsmtp")
    tap.equal(pathlib.Path("/run/systemctl").read_text(), "reload exim4\n")
    got = sent()
    tap.equal(list(got), [ALICE])
    tap.contains(mail.opened(got[ALICE].message(), home.alice), b"words")
    tap.equal(sorted({path.owner() for path in pathlib.Path("/var/lib/sealpipe").rglob("*")} - {"Debian-exim"}),
              [], "what belongs to others in state_dir")


@tap.test("by every type of configuration nothing leaves in clear, and our routers are asked first")
def _():
    for kind in ("internet", "smarthost", "satellite", "local"):
        settings = fresh(configtype=kind, readhost="example.org" if kind == "satellite" else "")
        extra("MAIN_ALLOW_DOMAIN_LITERALS = 1\n", name="00_test")
        (debian_exim.ETC / "hubbed_hosts").write_text(f"hub.example: {mailhost.OUTSIDE}\n")
        server.restart(**settings)
        routers = server.routers()
        ours = [i for i, (name, _) in enumerate(routers) if name in OURS]
        sending = [i for i, (_, driver) in enumerate(routers) if driver in SENDING]
        tap.true(len(ours) == 5 and len(sending) >= 2, f"{kind}: {routers}")
        tap.true(max(ours) < min(sending), f"{kind}: ours are not ahead: {routers}")
        if kind == "satellite":
            names = [name for name, _ in routers]
            tap.true(names.index("sealpipe_hub_out") < names.index("hub_user"), f"{names}")
        for recipient in (NOBODY, "nobody@hub.example", f"nobody@[{mailhost.OUTSIDE}]"):
            ident = server.send(outcomes.message(recipient), recipient, sender=BOB)
            tap.contains(server.refused(ident)[0], "sealpipe_check", f"{kind}: {recipient}")
        for person in (home.alice, hub):
            server.send(outcomes.message(person.address), person.address, sender=SENDER)
        server.wait_settled()
        for transaction in sink.complete():
            tap.true(outcomes.MARK not in transaction.raw, f"{kind}: {transaction.recipients} in clear")
        left = sorted({r for t in sink.complete() for r in t.recipients} - {BOB, SENDER})
        tap.equal(left, [hub.address] if kind == "local" else sorted([ALICE, hub.address]), kind)


def try_satellite(**settings):
    """Its hub takes local users' mail, under another host's name or under one of this host's own."""
    for names in ("mta.test", "mta.test:example.org"):
        server.restart(configtype="satellite", readhost="example.org", other_hostnames=names, **settings)
        for address in ("dave@mta.test", "dave@example.org"):
            sink.clear()
            server.send(outcomes.message(address), address, sender=SENDER)
            got = sent()
            tap.equal(list(got), ["dave@example.org"], f"{names}: {address}")
            tap.true(outcomes.MARK not in got["dave@example.org"].raw, f"{names}: {address} in clear")
        # Grace has no key.
        sink.clear()
        ident = server.send(outcomes.message(address), "grace@mta.test", sender="dave@mta.test")
        tap.contains(server.refused(ident)[0], "R=sealpipe_")
        tap.equal(list(sent()), ["dave@example.org"], f"{names}: the bounce")


@tap.test("a local user of a satellite: what goes to the hub is sealed")
def _():
    begin()
    try_satellite()


@tap.test("what is relayed in is left alone, whatever state sealpipe is in")
def _():
    begin(configtype="internet", relay_domains="inside.example")
    for text in ("", "[policy]\nencrypt=maybe\n"):
        sink.clear()
        home.write_conf("90-more.conf", text)
        original = outcomes.message("x@inside.example")
        tap.equal([code for code, _ in from_outside(original, NOBODY, "x@inside.example")], [250, 250])
        o.plain(sent()["x@inside.example"], original)


@tap.test("strangers' mail comes in while senders are verified, whatever state sealpipe is in")
def _():
    begin({"main/05_test": "CHECK_RCPT_VERIFY_SENDER = 1\nCHECK_DATA_VERIFY_HEADER_SENDER = 1\n"},
          configtype="internet")
    (debian_exim.ETC / "local_sender_callout").write_text("*@callout.example\n")
    NAMES.append(debian_exim.ETC / "local_sender_callout")
    for text in ("", "[policy]\nencrypt=maybe\n"):
        home.write_conf("90-more.conf", text)
        for sender in (NOBODY, "someone@callout.example", ""):
            before = mailbox("dave").count(outcomes.MARK)
            tap.equal([code for code, _ in from_outside(outcomes.message("dave@mta.test"), sender, "dave@mta.test")],
                      [250, 250], f"{sender}, {text}")
            server.wait_empty()
            tap.equal(mailbox("dave").count(outcomes.MARK), before + 1, f"{sender}, {text}")
    # The verification is no empty word.
    answer = from_outside(outcomes.message("dave@mta.test"), "x@nowhere.invalid", "dave@mta.test")
    tap.equal(answer[0][0] // 100, 5, f"{answer}")


@tap.test("verify = recipient: an alias that leads to somebody without a key is refused at RCPT")
def _():
    begin(configtype="internet")
    answers = from_outside(outcomes.message("out@mta.test"), NOBODY, "out@mta.test", "sealed@mta.test")
    tap.equal([code for code, _ in answers], [550, 250, 250], f"{answers}")
    tap.contains(answers[0][1], b"refused: ")
    got = sent()
    tap.equal(list(got), [ALICE])
    o.opens(got[ALICE], home.alice, outcomes.message("out@mta.test"))
    home.write_conf("90-more.conf", "[policy]\nencrypt=maybe\n")
    tap.equal(from_outside(b"", NOBODY, "sealed@mta.test")[0][0], 451)
    home.write_conf("90-more.conf", "")
    for word, status in (("-bv", 0), ("-bt", 0)):
        tap.equal(server.run(word, ALICE).returncode, status, f"exim4 {word}")
        output = server.run(word, NOBODY)
        tap.equal(output.returncode, 2, f"exim4 {word}: {output.stdout}")
        tap.contains(output.stdout, "refused: ")
    tap.equal(server.run("-bvs", NOBODY).returncode, 0, "exim4 -bvs")
    # Whoever asks, Exim does so as itself.
    shutil.chown(home.conf, "root", "Debian-exim")
    home.conf.chmod(0o750)
    output = mailhost.run("runuser", "-u", "dave", "--", *server.command, "-bt", ALICE, check=False)
    home.conf.chmod(0o755)
    tap.contains(output.stdout, "router = sealpipe_out")


@tap.test("a callout asks the server of the recipient's domain, and none is made for whom we refuse")
def _():
    begin({"main/00_test": "MAIN_ACL_CHECK_RCPT = callout\n",
           "acl/50_test": "callout:\n  require verify = recipient/callout=5s,no_cache\n  accept\n"},
          configtype="internet")
    for recipient, answer in ((ALICE, [250, 250]), (NOBODY, [550])):
        sink.asked.clear()
        answers = from_outside(outcomes.message(recipient), BOB, recipient)
        tap.equal([code for code, _ in answers], answer, f"{answers}")
        tap.equal(sink.asked[:1], [ALICE] if recipient == ALICE else [])
        server.wait_empty()


@tap.test("by an alias, .forward, |sendmail, a login, cron: all that leaves is sealed or refused")
def _():
    begin(configtype="smarthost")
    original = outcomes.message("any@mta.test")
    # By an alias and by .forward.
    for local in ("sealed", "erin"):
        sink.clear()
        server.send(original, f"{local}@mta.test", sender=BOB)
        got = sent()
        tap.equal(list(got), [ALICE], local)
        o.opens(got[ALICE], home.alice, original)
    for local in ("out", "frank"):
        sink.clear()
        server.refused(server.send(original, f"{local}@mta.test", sender=BOB))
        tap.equal(list(sent()), [BOB], local)
    # |sendmail in .forward: a new message.
    sink.clear()
    server.send(original, "grace@mta.test", sender=BOB)
    server.wait_empty()
    got = sent()
    tap.equal(list(got), [ALICE])
    tap.contains(mail.opened(got[ALICE].message(), home.alice), outcomes.MARK)
    # cron, PHP
    for as_user in (None, "dave"):
        for recipient, arrives in ((ALICE, True), (NOBODY, False)):
            sink.clear()
            sendmail(outcomes.message(recipient), "-i", recipient, as_user=as_user)
            got = sent()
            tap.equal(list(got), [recipient] if arrives else [], f"{as_user}, {recipient}")
            for transaction in got.values():
                tap.true(outcomes.MARK not in transaction.raw, "in clear")


def signing(**sign):
    """Carol can sign, and reports need not be."""
    o.configure(**{"policy": {"encrypt": "required", "sign": "required"},
                   "rule bounces": {"match_sender": "<>", "sign": "never"}, "module sign": sign,
                   "module smime": {"server_keys": carol_key}})


def submit(login=None):
    """From Carol to Alice; BOB hears what becomes of it."""
    sink.clear()
    with smtplib.SMTP("127.0.0.1", 25, timeout=60) as smtp:
        smtp.ehlo()
        if login:
            smtp.login(login, "word")
        smtp.sendmail(BOB, [ALICE], outcomes.message(ALICE).replace(b"@example.net", b"@example.org"))
    got = sent()
    if ALICE in got:
        tap.contains(mail.opened(got[ALICE].message(), home.alice), b"multipart/signed")
    return list(got)


@tap.test("who has logged in is signed for as himself, and as nobody else")
def _():
    begin({"auth/10_test": AUTH})
    signing(senders=senders)
    tap.equal((submit("carol"), submit("bob"), submit()), ([ALICE], [BOB], [BOB]))


@tap.test("the GnuPG home that the guide makes: the routers, which are root, and the filter find the same")
def _():
    begin()
    steps = snippets.read("openpgp.md", "docs/guide")["home"]
    pathlib.Path("/var/tmp/alice.asc").write_bytes(o.ring.export(outcomes.FRANK))
    state = pathlib.Path("/var/lib/sealpipe")
    (home.certs / "frank.asc").rename(home.folder / "frank.asc")
    try:
        mailhost.shell(steps)
        o.ring.gpg("--import", stdin=mailhost.run(
            "runuser", "-u", "Debian-exim", "--", "gpg", "--homedir", state / "gnupg", "--armor",
            "--export", "carol@example.org").stdout.encode())
        o.configure(core={"user": "Debian-exim", "state_dir": state},
                    policy={"encrypt": "required", "sign": "required", "formats": "pgp"},
                    **{"module sign": {"trust_from": "true"},
                       "module pgp": {"home": state / "gnupg"}})
        original = outcomes.message(outcomes.FRANK).replace(b"@example.net", b"@example.org")
        _, got = o.delivered(original, outcomes.FRANK, sender=BOB)
        tap.contains(o.ring.gpg("--decrypt", stdin=gnupg.armor(got[outcomes.FRANK].message())),
                     outcomes.MARK)
        server.refused(server.send(outcomes.message(outcomes.FRANK), outcomes.FRANK, sender=""))
        tap.equal({path.owner() for path in state.rglob("*")}, {"Debian-exim"}, "owners")
    finally:
        gnupg.end_agents(state / "gnupg")
        (home.folder / "frank.asc").rename(home.certs / "frank.asc")


@tap.test("the recipe for local mailboxes: who has a key finds his mail sealed, who has none as it came")
def _():
    begin({"router/095_sealpipe_mailbox": snippets.read("local-mailboxes.md", "docs/recipes")["mailbox"]},
          configtype="internet")
    o.configure(policy={"encrypt": "never"}, **{"rule mailboxes": {
        "match_recipient": "@mta.test", "encrypt": "preferred", "encrypt_to_sender": "false"}})
    for sealed in (False, True):
        dave = home.enrol("dave@mta.test") if sealed else None
        before = mailbox("dave")
        from_outside(outcomes.message("dave@mta.test"), NOBODY, "dave@mta.test")
        server.wait_empty()
        got = mailbox("dave").removeprefix(before)
        tap.equal((got.count(b"\nMessage-ID:"), outcomes.MARK in got, b"enveloped-data" in got),
                  (1, not sealed, sealed), f"{got}")
    (home.certs / pathlib.Path(dave.cert).name).unlink()


@tap.test("the recipe's router in Debian's template, which takes it in once, behind the other")
def _():
    recipe = snippets.read("local-mailboxes.md", "docs/recipes")
    settings = fresh(configtype="internet", use_split_config="false")
    extra(recipe["mailbox"], "router", "095_sealpipe_mailbox")
    template = debian_exim.ETC / "exim4.conf.template"
    before = template.read_text()
    try:
        mailhost.shell(PAGE["debian-template"])
        mailhost.shell(recipe["mailbox-template"])
        server.restart(**settings)
        names = [name for name, _ in server.routers()]
        tap.equal((names.count("sealpipe_mailbox"), names.index("sealpipe_mailbox")), (1, len(OURS)), names)
    finally:
        template.write_text(before)
        server.clear()


@tap.test("hosts that may send without a login are signed for, where both programs are told so")
def _():
    begin()
    more = "--id=$message_exim_id " + PAGE["submission"].strip() + " "
    for path in ("router/090_sealpipe", "transport/50_sealpipe"):
        text = (CONF_D / path).read_text()
        (CONF_D / path).write_text(snippets.changed(text, ("--id=$message_exim_id ", more)))
    server.restart()
    signing(submission_domains="example.org")
    tap.equal(submit(), [ALICE])
    signing(submission_domains="example.net")
    tap.equal(submit(), [BOB])


@tap.test("domains in Unicode go as A-labels; a name in Unicode is refused at once")
def _():
    begin({"main/00_test": "MAIN_SMTPUTF8_ADVERTISE_HOSTS = *\n"}, other_hostnames="mta.test")
    home.enrol("bob@xn--bcher-kva.example")
    original = outcomes.message("bob@b\u00fccher.example")
    for sender, recipient, arrives in (
            (SENDER, "bob@b\u00fccher.example", "bob@xn--bcher-kva.example"),
            ("carol@b\u00fccher.example", ALICE, ALICE)):
        sink.clear()
        server.send(original, recipient, sender=sender)
        got = sent()
        tap.equal(list(got), [arrives])
        tap.equal(got[arrives].sender, sender.replace("b\u00fccher", "xn--bcher-kva"))
        tap.true(outcomes.MARK not in got[arrives].raw, "in clear")
    for sender, recipient in ((BOB, "j\u00fcrgen@example.org"), ("j\u00fcrgen@mta.test", ALICE)):
        sink.clear()
        line = server.refused(server.send(original, recipient, sender=sender))[0]
        tap.contains(line, "other than ASCII before its @")
        server.wait_settled()
        tap.equal(list(o.by_recipient()), [BOB] if sender == BOB else [])
    # A domain that is none, as IDNA has it.
    sink.clear()
    sendmail(original.replace(b"\r\n", b"\n"), "-i", "-f", BOB, "bob@\u2603.example")
    server.wait_settled()
    tap.equal(list(o.by_recipient()), [BOB])
    tap.contains(server.log_text(), "refused: not a mail address: ")


@tap.test("a message near the limit is sealed; what the next server finds too large bounces at once")
def _():
    begin()
    (CONF_D / "main/00_sealpipe").write_text(snippets.changed(PAGE["debian-main"], ("250M", "1500K"), ("50M", "300K")))
    server.restart()
    large = outcomes.message(ALICE) + b"0123456789" * 7 + (b"0123456789abcdef" * 4 + b"\r\n") * 4300
    _, got = o.delivered(large, ALICE, sender=BOB)
    o.opens(got[ALICE], home.alice, large)
    tap.true(len(got[ALICE].raw) > 300 * 1024, "sealed it is larger than the limit")
    sink.clear()
    sink.most = 300 * 1024
    server.send(large, ALICE, sender=BOB)
    server.wait_empty()
    got = {transaction.recipients[0]: transaction for transaction in sink.complete()}
    tap.equal(list(got), [BOB])
    tap.contains(o.bounce_text(got[BOB]), b"552")
    # Said beforehand, it is refused before it is sealed.
    sink.clear()
    sink.most = None
    o.configure(core={"size_limit": "300K"})
    ident = server.send(large, ALICE, sender=BOB)
    tap.contains(server.refused(ident)[0], "R=sealpipe_check: refused: the message is too large")
    tap.equal(list(sent()), [BOB])


@tap.test("a filter that breaks off half-way leaves nothing behind, and the message waits")
def _():
    half = pathlib.Path("/usr/bin/half")
    for how in ("exit 1", "kill -9 $$"):
        half.write_text(f"#!/bin/sh\nhead -c 300\ncat >/dev/null\n{how}\n")
        half.chmod(0o755)
        begin()
        path = CONF_D / "transport/50_sealpipe"
        path.write_text(snippets.changed(path.read_text(), ("/usr/bin/sealpipe ", "/usr/bin/half ")))
        server.restart()
        ident = server.send(outcomes.message(ALICE), ALICE, sender=BOB)
        server.deferred(ident)
        tap.equal((len(server.queue()), sink.transactions()), (1, []), how)


@tap.test("suspended by sealctl: what passes has no Return-path line of Exim's")
def _():
    begin()
    mailhost.run("sealctl", "suspend")
    try:
        original = outcomes.message(NOBODY)
        _, got = o.delivered(original, NOBODY)
        o.plain(got[NOBODY], original)
        tap.equal(mail.Message(got[NOBODY].message()).all("Return-path"), [])
    finally:
        mailhost.run("sealctl", "resume")


def smart_settings(port, **settings):
    """Debian's satellite or host behind SMART, as a provider's page has it."""
    client = debian_exim.ETC / "passwd.client"
    client.write_text(f"{smarthost.NAME}:{smarthost.LOGIN}:{smarthost.PASSWORD}\n")
    client.chmod(0o640)
    shutil.chown(client, "root", "Debian-exim")
    return {"smarthost": f"{smarthost.NAME}::{port}", **settings}


def dkim_settings():
    """Domain, selector and private key."""
    global dkim_record
    key = debian_exim.ETC / "dkim.key"
    dkim_record = dkimcheck.make_key(key)
    shutil.chown(key, "Debian-exim")
    return "example.net", dkimcheck.SELECTOR, key


def came_authenticated(transaction, sender):
    (protocol, login, *sender_said), = smarthost.came(transaction)
    tap.equal((protocol, login, sender_said), ("esmtpsa", smarthost.LOGIN, sender))


@tap.test("a smarthost that asks for STARTTLS and a login, by Debian's own transport")
def _():
    trust = f"REMOTE_SMTP_SMARTHOST_TLS_VERIFY_CERTIFICATES = {smart.cert}\n"
    for kind, port, more in (("smarthost", smart.port, ""), ("satellite", smart.port, ""),
                             ("smarthost", smart.tls_port, "REMOTE_SMTP_SMARTHOST_PROTOCOL = smtps\n")):
        begin({"main/00_test": PAGE["debian-smarthost"] + trust + more},
              **smart_settings(port, configtype=kind, readhost="example.org" if kind == "satellite" else ""))
        to = [ALICE, BOB, "dave@mta.test" if kind == "satellite" else hub.address]
        original = outcomes.message(*to)
        server.send(original, *to, sender=SENDER)
        sendmail(original.replace(b"\r\n", b"\n"), "-i", outcomes.ERIN, as_user="dave")
        server.wait_empty()
        smart.wait_empty()
        got = o.by_recipient()
        tap.equal(sorted(got), sorted([*to[:2], to[2].replace("mta.test", "example.org"), outcomes.ERIN]))
        for transaction in got.values():
            came_authenticated(transaction, [])
            tap.true(outcomes.MARK not in transaction.raw, "in clear")
        o.opens(got[ALICE], home.alice, original)
    # Without TLS, or by somebody else's certificate, it waits.
    for offered, trusted in ((False, trust), (True, trust.replace(str(smart.cert), str(home.authority.cert)))):
        begin({"main/00_test": PAGE["debian-smarthost"] + trusted}, **smart_settings(smart.port))
        smart.offer_tls(offered)
        before = len(server.log_text())
        server.send(outcomes.message(ALICE), ALICE, sender=SENDER)
        tap.wait_for(lambda: re.search(r" == alice@example\.org R=smarthost .*TLS", server.log_text()[before:]),
                     f"it waits: {server.log_text()[before:]}", 60)
        tap.wait_for(lambda: len(server.queue()) == 1, "the message that is sealed is left")
        tap.equal(sink.transactions(), [])
        smart.offer_tls(True)


@tap.test("Debian's DKIM signs what is sealed")
def _():
    options = [f"{name} = {value}\n" for name, value in zip(
        ("DKIM_DOMAIN", "DKIM_SELECTOR", "DKIM_PRIVATE_KEY"), dkim_settings())]
    begin({"main/00_test": "".join(options)}, configtype="internet")
    # What was signed before it was sealed has no signature of that time.
    original = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s; h=from; bh=; b=\r\n" + \
        outcomes.message(ALICE)
    _, got = o.delivered(original, ALICE)
    o.opens(got[ALICE], home.alice, original)
    tap.equal(dkimcheck.signatures(got[ALICE].message(), dkim_record), [True])


@tap.test("a refused message of the null sender is frozen, or discarded at once where Exim is told so")
def _():
    begin()
    ident = server.send(outcomes.message(NOBODY), NOBODY, sender="")
    server.wait_line(ident, "Frozen")
    tap.true(server.queued(ident), "it waits")
    begin({"main/00_test": "MAIN_IGNORE_BOUNCE_ERRORS_AFTER = 0s\n"})
    ident = server.send(outcomes.message(NOBODY), NOBODY, sender="")
    server.wait_empty()
    tap.contains("\n".join(server.lines(ident)), "refused: ")
    tap.equal(sink.transactions(), [])


@tap.test("a line over 998 octets: refused on arrival, or sealed where the limit is lifted")
def _():
    begin()
    long = outcomes.message(ALICE) + b"y" * 3000 + b"\r\n"
    sendmail(long.replace(b"\r\n", b"\n"), "-i", "-f", BOB, ALICE)
    got = sent()
    tap.equal(list(got), [ALICE])
    o.opens(got[ALICE], home.alice, long)
    sink.clear()
    with smtplib.SMTP("127.0.0.1", 25, timeout=60) as smtp:
        try:
            smtp.sendmail(BOB, [ALICE], long)
            raise AssertionError("it was taken")
        except smtplib.SMTPDataError as error:
            tap.contains(error.smtp_error, b"line length")
    begin({"main/00_test": "IGNORE_SMTP_LINE_LENGTH_LIMIT = 1\n"})
    _, got = o.delivered(long, ALICE, sender=BOB)
    o.opens(got[ALICE], home.alice, long)


@tap.test("named queues and a split spool: the message's file is found")
def _():
    for split in ("", "split_spool_directory = true\n"):
        begin({"main/00_test": f"MAIN_ACL_CHECK_MAIL = named\n{split}",
               "acl/50_test": "named:\n  warn\n    queue = slow\n  accept\n"})
        o.configure(**{"rule shop": {"match_header": "X-Shop: yes", "encrypt": "never"}})
        original = outcomes.message(NOBODY, extra=b"X-Shop: yes\r\n")
        ident = server.send(original, NOBODY, sender=BOB)
        got = sent()
        tap.equal(list(got), [NOBODY])
        o.plain(got[NOBODY], original)
        tap.true(any("Q=slow" in line for line in server.lines(ident)), "it was in the queue")


@tap.test("the template with the four files, from Debian's single configuration")
def _():
    settings = fresh(use_split_config="false")
    template = debian_exim.ETC / "exim4.conf.template"
    before = template.read_text()
    try:
        mailhost.shell(PAGE["debian-template"])
        server.restart(**settings)
        tap.equal([name for name, _ in server.routers()][:5], OURS)
        original = outcomes.message(ALICE)
        _, got = o.delivered(original, ALICE)
        o.opens(got[ALICE], home.alice, original)
        server.refused(server.send(outcomes.message(NOBODY), NOBODY, sender=BOB))
        server.wait_empty()
        try_satellite(use_split_config="false")
    finally:
        template.write_text(before)
        server.clear()


# What counts here of the configuration that comes with Exim.
OWN = """
local_interfaces = 127.0.0.1
log_file_path = /var/log/exim4/%slog
spool_directory = /var/spool/exim4
primary_hostname = mta.test
domainlist local_domains = @
domainlist relay_to_domains = inside.example
hostlist relay_from_hosts = localhost
acl_smtp_rcpt = rcpt
acl_smtp_data = data
tls_advertise_hosts =
MAIN
begin acl
rcpt:
  accept hosts = :
  require verify = sender
  accept hosts = +relay_from_hosts
  require message = relay not permitted
          domains = +local_domains : +relay_to_domains
  require verify = recipient
  accept
data:
  require verify = header_sender
  accept

begin routers
relayed:
  driver = dnslookup
  domains = +relay_to_domains
  transport = relayed_smtp
CHECK
dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more
system_aliases:
  driver = redirect
  data = ${lookup{$local_part}lsearch{/etc/aliases}}
userforward:
  driver = redirect
  check_local_user
  file = $home/.forward
  no_verify
localuser:
  driver = accept
  check_local_user
  transport = local_delivery

begin transports
remote_smtp:
  driver = smtp
TRANSPORT
RELAYED
local_delivery:
  driver = appendfile
  file = /var/mail/$local_part_data
  group = mail

begin retry
* * F,2h,15m
"""


OUT = """dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
"""


@tap.test("in the transport of one's own configuration, to a smarthost that asks for STARTTLS and a login")
def _():
    fresh()
    own = debian_exim.ETC / "exim4.conf"
    NAMES.append(own)
    # Several messages go over one connection.
    route = OUT.replace("driver = dnslookup", f"driver = manualroute\n  route_list = * {smarthost.NAME}::{smart.port}")
    out = ("  hosts_require_auth = *\n  hosts_require_tls = *\n  tls_verify_hosts = *\n"
           f"  tls_verify_certificates = {smart.cert}\n")
    out += "".join(f"  {name} = {value}\n" for name, value in zip(
        ("dkim_domain", "dkim_selector", "dkim_private_key"), dkim_settings()))
    login = f"^{smarthost.LOGIN}^{smarthost.PASSWORD}"
    own.write_text(snippets.changed(
        OWN, ("MAIN\n", PAGE["main"]), ("CHECK\n", PAGE["check"]), ("RELAYED\n", PAGE["relayed"]),
        ("TRANSPORT\n", PAGE["transport"] + out), (OUT, route)) +
        f"\nbegin authenticators\nplain:\n  driver = plaintext\n  public_name = PLAIN\n  client_send = {login}\n")
    server.stop()
    server.start()
    to = [ALICE, BOB, outcomes.ERIN]
    original = outcomes.message(*to)
    server.send(original, *to, sender=SENDER)
    server.wait_empty()
    smart.wait_empty()
    got = o.by_recipient()
    tap.equal(sorted(got), sorted(to))
    for transaction in got.values():
        came_authenticated(transaction, [])
        tap.true(outcomes.MARK not in transaction.raw, "in clear")
        tap.equal(dkimcheck.signatures(transaction.message(), dkim_record), [True], "DKIM")
    o.opens(got[ALICE], home.alice, original)


@tap.test("in the transport of one's own configuration: what leaves is sealed, what comes in comes in")
def _():
    fresh()
    own = debian_exim.ETC / "exim4.conf"
    NAMES.append(own)
    own.write_text(snippets.changed(OWN, ("MAIN\n", PAGE["main"]), ("CHECK\n", PAGE["check"]),
                                    ("TRANSPORT\n", PAGE["transport"]),
                                    ("RELAYED\n", PAGE["relayed"])))
    server.stop()
    server.start()
    for text in ("", "[policy]\nencrypt=maybe\n"):
        home.write_conf("90-more.conf", text)
        for sender in (NOBODY, ""):
            before = mailbox("dave").count(outcomes.MARK)
            answer = from_outside(outcomes.message("dave@mta.test"), sender, "dave@mta.test")
            tap.equal([code for code, _ in answer], [250, 250], f"{sender}, {text}: {answer}")
            server.wait_empty()
            tap.equal(mailbox("dave").count(outcomes.MARK), before + 1, f"{sender}, {text}")
        sink.clear()
        from_outside(outcomes.message("x@inside.example"), NOBODY, "x@inside.example")
        o.plain(sent()["x@inside.example"], outcomes.message("x@inside.example"))
    home.write_conf("90-more.conf", "")
    for recipient, wanted in ((ALICE, ALICE), ("erin@mta.test", ALICE), (NOBODY, BOB),
                              ("out@mta.test", BOB)):
        sink.clear()
        server.send(outcomes.message(recipient), recipient, sender=BOB)
        got = sent()
        tap.equal(list(got), [wanted], recipient)
        tap.true(outcomes.MARK not in got[wanted].raw, "in clear")


AUTH = """
plain_test:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_set_id = $auth2
  server_condition = ${if eq{$auth3}{word}}
  server_advertise_condition = yes
"""


def people():
    """Local users: dave has a mailbox, the others forward."""
    for name, forward in (("dave", None), ("erin", ALICE), ("frank", NOBODY),
                          ("grace", f'"|/usr/sbin/sendmail -i {ALICE}"')):
        folder = pathlib.Path("/var/people", name)
        mailhost.run("useradd", "--home-dir", folder, "--create-home", name)
        folder.chmod(0o700)
        if forward:
            (folder / ".forward").write_text(forward + "\n")
            shutil.chown(folder / ".forward", name)
    pathlib.Path("/etc/aliases").write_text(f"sealed: {ALICE}\nout: {NOBODY}\n")


pathlib.Path("/var/people").mkdir()
people()
hub = home.enrol("alice@hub.example")
home.enrol("dave@example.org")
senders = SEALPIPE / "senders"
o = outcomes.Outcomes(server, home, sink, (user.pw_uid, user.pw_gid))
senders.write_text(PAGE["senders"] + "bob: bob@example.org\n")
carol, carol_key = home.authority.person("carol@example.org", "rsa"), home.folder / "carol.org.pem"
carol_key.write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
carol_key.chmod(0o600)
shutil.chown(carol_key, "Debian-exim")
for path in home.conf.iterdir():
    path.unlink()
smart = smarthost.SmartHost(home.folder / "smart", mailhost.OUTSIDE, sink.port, 587)
smart.start()
server.configure()
outcomes.register(o)
tap.main()
