# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of a real Postfix's wiring: nothing of one as docs/mta/postfix.md has it,
and of each fault that fault alone."""

import json
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import postfix

postfix.enter()
import sink as sinks
import tap
from home import Home

home = Home("wiring-postfix")
os.chmod(home.folder, 0o755)
server = postfix.Postfix(home, sinks.Sink())
OURS = f"{home.bin}/sealpipe-pipe -c {home.conf}"
for name, piece in server.pieces.items():
    server.pieces[name] = piece.replace("/usr/bin/sealpipe-pipe", OURS)
for exim in ("exim4", "exim"):
    pathlib.Path("/usr/sbin", exim).unlink(missing_ok=True)
server.start()
server.follow("user", "submission")
server.keep()
shutil.chown(home.state, "sealpipe", "sealpipe")
shutil.chown(home.log, "sealpipe", "sealpipe")


def findings():
    """[(topic, state, text, remedy)] of the wiring."""
    result = postfix._run(home.bin / "sealctl", "-c", home.conf, "check", "--json")
    rows = json.loads(result.stdout)["findings"]
    return [(row["topic"], row["state"], row["text"], row["remedy"]) for row in rows
            if row["topic"] in ("wiring", "exim", "postfix")]


def right(way):
    found = findings()
    tap.equal([row[:2] for row in found], [("postfix", "ok")], f"{way}: {found}")


def fault(state, *words, what=""):
    """One finding, with a remedy, and these words in it."""
    found = findings()
    tap.equal([row[:2] for row in found], [("postfix", state)], f"{what}: {found}")
    for word in words:
        tap.contains(found[0][2], word, what)
    tap.true(found[0][3] and not found[0][3].endswith("."), f"{what}: a remedy: {found[0]}")


def put_back():
    for path, octets in server.kept.items():
        path.write_bytes(octets)


def each_names_itself(faults):
    for state, words, command in faults:
        if command.startswith("s,"):
            command = f"postconf -M \"seal/unix=$(postconf -M seal/unix | sed '{command}')\""
        postfix.checked("sh", "-ec", command)
        tap.true(any(path.read_bytes() != octets for path, octets in server.kept.items()),
                 f"{command} changes nothing")
        try:
            fault(state, *words, what=command)
        finally:
            put_back()


# What both ways have: looked at by the same code, in one of them.
PIPE = [
    ("problem", ["flags=q"], "s,flags=q ,,"),
    ("problem", ["change the message"], "s,flags=q ,flags=DOq ,"),
    ("problem", ["null_sender="], "s,null_sender= ,,"),
    ("problem", ["chroot"], "s,^seal  *unix *- *n *n,seal unix - n y,"),
    ("problem", ["unprivileged"], "s,^seal  *unix *- *n *n,seal unix - - n,"),
    ("problem", ["the sender"], "s,-f ..sender.,,"),
    ("problem", ["--id", "twice"], "s,--id ..queue_id.,,"),
    ("problem", ["no -- ahead"], "s,-- ..recip,${recip,"),
    ("problem", ["names no"], "s,-- ..recipient.,--,"),
    ("problem", ["cannot be run"], "s,sealpipe-pipe -c,sealpipe-gone/sealpipe-pipe -c,"),
    ("warning", ["/etc/elsewhere"], "s,sealpipe-pipe -c [^ ]*,sealpipe-pipe -c /etc/elsewhere,"),
    ("warning", ["seal_destination_recipient_limit is 50"], "postconf -X seal_destination_recipient_limit"),
    ("problem", ["seal_time_limit is 60s"], "postconf -e seal_time_limit=60s"),
    ("problem", ["bounce_size_limit", "50000"], "postconf -X bounce_size_limit"),
    ("warning", ["soft_bounce"], "postconf -e soft_bounce=yes"),
]


# With a content filter: services beside submission/inet.
def listens(name, *settings):
    lines = [f"postconf -M '{name}/inet={name} inet n - y - - smtpd'"]
    return "; ".join(lines + [f"postconf -P '{name}/inet/{setting}'" for setting in settings])


LOGINS = "smtpd_sasl_auth_enable=yes"
LISTENERS = [
    ("problem", ["submissions/inet", "log in", "in clear"], listens("submissions", LOGINS)),
    ("problem", ["smtps/inet", "log in"], listens("smtps", LOGINS, "content_filter=")),
    ("warning", ["465/inet", "hands it to content_filter other:dummy", "cannot be seen"],
     listens("465", LOGINS, "content_filter=other:dummy")),
    ("problem", ["465/inet", "log in"], listens("465") + f"; postconf -e {LOGINS}"),
    ("warning", ["192.0.2.1:2525/inet", "in clear"], listens("192.0.2.1:2525", "content_filter=")),
    ("warning", ["127.0.0.1:2525/inet", "in clear"], listens("127.0.0.1:2525")),
]
RIGHT_LISTENERS = [
    listens("submissions", LOGINS, "content_filter=seal:dummy", "message_size_limit=10240000",
            "smtpd_discard_ehlo_keywords=dsn"),
    listens("127.0.0.1:10026", "content_filter="),
    listens("[::1]:10026", "content_filter="),
    listens("192.0.2.1:smtp") + "; " + listens("192.0.2.2:25"),
    listens("submissions", LOGINS) + "; postconf -e master_service_disable=submissions/inet",
]


@tap.test("a Postfix that has nothing of Sealpipe")
def _():
    found = findings()
    tap.equal([row[:2] for row in found], [("wiring", "warning")], f"{found}")
    tap.contains(found[0][3], "mta/postfix.md")


@tap.test("a content filter as the page has it is right, and each fault names itself")
def _():
    first = dict(server.kept)
    server.follow("filter", "filter-size")
    server.keep()
    right("filter")
    each_names_itself(PIPE + [
        ("problem", ["user of its own"], "s,user=sealpipe,user=postfix,"),
        ("problem", ["the service's user is"], "s,user=sealpipe,user=mail,"),
        ("problem", ["does not know"], "s,user=sealpipe,user=no-such-user,"),
        ("problem", ["content_filter in main.cf", "again"], "postconf -e content_filter=seal:dummy"),
        ("problem", ["smtp/inet", "strangers"], "postconf -P smtp/inet/content_filter=seal:dummy"),
        ("problem", ["pickup/unix", "round"], "postconf -P pickup/unix/content_filter=seal:dummy"),
        ("problem", ["no setting names"], "postconf -PX submission/inet/content_filter"),
        ("warning", ["announces DSN"], "postconf -PX submission/inet/smtpd_discard_ehlo_keywords"),
        ("warning", ["submission/inet takes messages of"], "postconf -PX submission/inet/message_size_limit"),
        ("warning", ["DKIM"], "postconf -P submission/inet/smtpd_milters=inet:127.0.0.1:8891"),
    ] + LISTENERS)
    for command in RIGHT_LISTENERS:
        postfix.checked("sh", "-ec", command)
        right(command)
        put_back()
    server.kept = first
    server.restore()


@tap.test("two instances as the page has them are right, and each fault names itself")
def _():
    server.follow("create", "copy", "out")
    server.start_second()
    server.follow("back", "seal", "relayed")
    server.keep()
    right("instances")
    out = "postconf -c /etc/postfix-out"
    each_names_itself([PIPE[0], PIPE[-1],
        ("problem", ["goes round for ever"], "s,{--sendmail=[^}]*},,"),
        ("problem", ["sender_dependent_default_transport_maps"],
         "postconf -e sender_dependent_default_transport_maps=hash:/etc/aliases"),
        ("problem", ["service smtp", "clear"], "postconf -M 'smtp/unix=smtp unix - - y - - smtp'"),
        ("warning", ["service other", "clear"], "postconf -M 'other/unix=other unix - - y - - smtp'"),
        ("problem", ["relay_domains", "waits"],
         "postconf -X relay_transport; postconf -MX inward/unix; postconf -e relay_domains=inside.test"),
        ("warning", ["dsn"], "postconf -X smtpd_discard_ehlo_keywords"),
        ("warning", ["DKIM"], "postconf -e non_smtpd_milters=inet:127.0.0.1:8891"),
        ("problem", ["is no instance"], "postconf -X multi_instance_directories"),
        ("problem", ["not enabled"], f"{out} -e multi_instance_enable=no"),
        ("problem", ["listens"], f"{out} -X master_service_disable"),
        ("problem", ["everybody"], f"{out} -X authorized_submit_users"),
        ("problem", ["without user sealpipe"], f"{out} -e authorized_submit_users=root"),
        ("problem", ["message_size_limit of /etc/postfix-out is 10240000"],
         f"{out} -e message_size_limit=10240000"),
        ("problem", ["bounce_size_limit of /etc/postfix-out"], f"{out} -X bounce_size_limit"),
        ("problem", ["again and again"],
         f"{out} -M 'seal/unix=seal unix - n n - - pipe user=mail argv=/bin/true'; "
         f"{out} -e default_transport=seal:"),
    ])


@tap.test("settings beside it: the daemon's peers, logins, a size, and an instance that has ended")
def _():
    extra = home.conf / "60-extra.conf"
    for state, words, text in (
            ("problem", ["user sealpipe runs service seal", "peers does not name"],
             "[core]\nin_process=false\n[daemon]\npeers=root\n"),
            ("warning", ["submission_peers"], "[core]\nin_process=false\n[module sign]\n"),
            (None, [], "[core]\nin_process=false\n[daemon]\nsubmission_peers=self\n[module sign]\n"),
            (None, [], "[core]\nin_process=false\n")):
        extra.write_text(text)
        fault(state, *words, what=text) if state else right(text)
    extra.write_text("[module sign]\n")
    each_names_itself([("warning", ["who has logged in"], "s,--login=..sasl_username.,,")])
    extra.write_text("[core]\nsize_limit=60M\n")
    each_names_itself([("warning", ["size_limit"],
                        "postconf -c /etc/postfix-out -e message_size_limit=50000000")])
    extra.unlink()
    postfix.checked("postfix", "-c", "/etc/postfix-out", "stop")
    server.spools.pop()
    fault("problem", "/etc/postfix-out does not run", what="stop")


tap.main()
