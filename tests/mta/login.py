# SPDX-License-Identifier: GPL-2.0-or-later
"""Who submitted a message, as the programs are told it: by options, and by Exim's file, written here."""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import eximspool
import tap
from eximspool import ID
from home import Home, has_module, prefix

if not has_module("sign"):
    tap.skip_all("built without the sign module")

CAROL = "carol@example.net"
HEADER = b"From: Carol <carol@example.net>\nTo: alice@example.org\nBcc: dora@example.org\nSubject: secret\n"
MESSAGE = HEADER + b"\nthe words\n"
# Nobody has a key to sign with: who may sign is told that, and nothing else.
PROVEN = "no smime key here with which carol@example.net could sign"
NOBODY = "--submission=yes"

home = Home("login")
spool = home.folder / "spool"
spool.mkdir()
senders = home.folder / "senders"
senders.write_text(f"carol: {CAROL}\nbob: bob@example.net\n--help: {CAROL}\n")


def configure(policy=None, sign=None, **more):
    home.configure({"policy": {"encrypt": "never", "sign": "required", **(policy or {})},
                    "module sign": {"senders": senders} if sign is None else sign, **more})
    home.clear_log()


def write_spool(login="carol", header=HEADER, place="", **how):
    eximspool.write(spool / place, header, login=login, **how)


def says(why, *options, message=MESSAGE):
    home.clear_log()
    result = home.seal(message, *options, "--", "alice@example.org")
    tap.equal(result.triple(), (75, b"", b""), f"{options}")
    tap.contains(home.log_text(), why, f"{options}")


def checks(status, *options):
    result = home.check(*options, "--", "alice@example.org")
    tap.equal((result.status, result.errors), (status, b""), f"{options}: {result.output}")
    return result.output.decode()


@tap.test("a login by --login, in both forms; a login is a submission, unless it is said to be none")
def _():
    configure()
    says(PROVEN, "--login", "carol")
    says(PROVEN, "--login=carol")
    says(PROVEN, "--login", "--help")
    says(PROVEN, "-f", "x@example.com", "--login=carol", "--submission=yes")
    says("login bob may not sign as carol@example.net", "--login", "bob")
    says(NOBODY, "--login", "carol", "--submission=no")
    says("submission without a login may not sign as", "--login=", "--submission=yes", "-f", CAROL)
    says(NOBODY, "--login", "")
    says(NOBODY)


@tap.test("submission without a login: nobody, unless submission_domains has the author")
def _():
    # With neither setting, the sender whom the mail server names is his own login.
    for sign, sender, why in (({"senders": senders}, CAROL, "submission without a login"),
                              ({}, CAROL, PROVEN), ({}, "x@example.net", "the sender is another"),
                              ({"submission_domains": "example.net"}, "x@example.com", PROVEN),
                              ({"submission_domains": "example.org"}, CAROL, "submission_domains=")):
        configure(sign=sign)
        says(why, "-f", sender, "--submission=yes")
        says(NOBODY, "-f", sender, "--submission=no")
    configure(sign={})
    # A line of the message is nobody's word, and an MTA that names logins has none here.
    says("may not sign as", "--submission=yes", message=b"Return-path: <carol@example.net>\n" + MESSAGE)
    says("may not sign as", "--submission=yes", "-f", CAROL, "--login=")


@tap.test("Exim's file says who logged in, and has the whole header")
def _():
    configure()
    for place in ("", "K"):
        for path in spool.rglob("*-H"):
            path.unlink()
        write_spool(place=place)
        says(PROVEN, "--exim-spool", spool, f"--id={ID}")
        tap.contains(checks(69, f"--exim-spool={spool}", "--id", ID), PROVEN)
    for path in spool.rglob("*-H"):
        path.unlink()
    write_spool("bob")
    says("login bob may not sign as", "--exim-spool", spool, f"--id={ID}", "--submission=yes")
    tap.contains(checks(69, f"--exim-spool={spool}", "--id", ID), "login bob may not sign as")
    write_spool("carol", protocol="esmtps")
    says("not of a session", "--exim-spool", spool, f"--id={ID}", "--submission=yes")
    # Of the second field and the last octet of a long header, too.
    configure(**{"rule far": {"match_header": "X-Last: here", "sign": "never"}})
    far = HEADER + b"".join(b"X-Filler: " + b"x" * 990 + b"\n" for _ in range(80))
    for last, status in ((b"here", 0), (b"there", 69)):
        write_spool(header=far + b"X-Last: " + last + b"\n")
        checks(status, "--exim-spool", spool, "--id", ID)


@tap.test("the size of the message, in Exim's files: what would surely be too large is refused")
def _():
    limit = {"size_limit": 100000}
    write_spool()
    body = (spool / f"{ID}-D")
    for octets, policy, status, why in (
            (70000, "required", 0, "sealed"),
            (74000, "required", 69, "it would leave with at least 101"),
            (74000, "never", 0, "plain"),
            (100000, "never", 69, "the mail server takes 100000 ")):
        body.write_bytes(f"{ID}-D\n".encode() + b"x" * octets)
        home.configure({"core": limit, "policy": {"encrypt": policy}})
        tap.contains(checks(status, "--exim-spool", spool, "--id", ID), why)
    # Without the file it is not known; and the filter lets it go to whoever says no, or takes it.
    body.unlink()
    tap.contains(checks(0, "--exim-spool", spool, "--id", ID), "plain")
    home.clear_log()
    result = home.seal(MESSAGE + b"x" * 100000, "-f", CAROL, "--", "alice@example.org")
    tap.equal(result.status, 0)
    tap.contains(home.log_text(), "more than [core] size_limit")


@tap.test("Exim's other file has the body, and what only that tells is decided")
def _():
    configure(**{"rule large": {"match_size": ">10K", "sign": "never"}})
    for place in ("", "K"):
        for path in spool.rglob("*-?"):
            path.unlink()
        write_spool(place=place)
        data = spool / place / f"{ID}-D"
        for body, status in ((b"x\n", 69), (b"x\n" * 10000, 0), (b"", 69)):
            data.write_bytes(f"{ID}-D\n".encode() + body)
            checks(status, "--exim-spool", spool, "--id", ID)
        # One that is not as Exim writes it is not believed; the header alone may be of either.
        data.write_bytes(b"x\n")
        checks(0, "--exim-spool", spool, "--id", ID)
        data.unlink()
        checks(0, "--exim-spool", spool, "--id", ID)
    (spool / "K" / f"{ID}-H").unlink()
    write_spool()


@tap.test("a file that is not as Exim writes it, or not there, tells nothing: 75")
def _():
    configure()
    for extra in ("--auth_id bob\n", "-unknown 1\n", "x\n", "-local\n"):
        write_spool(extra=extra)
        says("Exim's spool file", "--exim-spool", spool, f"--id={ID}")
        checks(75, "--exim-spool", spool, "--id", ID)
    (spool / f"{ID}-H").unlink()
    for ident in (ID, "../spool/" + ID, "x", ID + "\n"):
        says("", "--exim-spool", spool, f"--id={ident}")
        checks(75, "--exim-spool", spool, f"--id={ident}")
    says("", "--exim-spool", spool)
    checks(75, "--exim-spool", spool)
    write_spool()
    checks(75, "--exim-spool", os.path.relpath(spool), "--id", ID)
    checks(75, "--exim-spool", spool, "--id", ID, "--login", "carol")
    checks(75, "--exim-spool", spool, "--id", ID, "-H", "From: carol@example.net")
    says("", "--exim-spool", spool, f"--id={ID}", "--login=carol")


@tap.test("a message that is still being received: its header and login are not known")
def _():
    configure()
    checks(0, "--exim-spool", spool, "--id=")
    (spool / f"{ID}-H").unlink()
    (spool / f"{ID}-D").write_bytes(b"")
    checks(0, "--exim-spool", spool, "--id", ID)
    says("yet", "--exim-spool", spool, f"--id={ID}")
    (spool / f"{ID}-D").unlink()


@tap.test("-H: a header of 64 KiB may be cut, and counts as not known")
def _():
    configure(**{"rule far": {"match_header": "X-Last: here", "sign": "never"}})
    head = HEADER.rstrip(b"\n")
    for size, status in ((65535, 69), (65536, 0)):
        filler = b"\nX-Filler: " + b"x" * 1000
        count = (size - len(head)) // len(filler) - 1
        text = head + filler * count
        text += b"\nX-Rest: " + b"x" * (size - len(text) - len(b"\nX-Rest: "))
        tap.equal(len(text), size)
        checks(status, "-H", text)


@tap.test("the check is not told who submits: it counts as somebody who may; told, it is believed")
def _():
    configure()
    tap.contains(checks(69, "-H", HEADER), PROVEN)
    tap.contains(checks(69, "-H", HEADER, "--login", "bob"), "login bob may not sign as")
    tap.contains(checks(69, "-H", HEADER, "--submission=no"), NOBODY)
    checks(0)


@tap.test("sealctl status says what submission without a login may sign as")
def _():
    for sign, without, logins in (({}, "as the sender whom", 0),
                                  ({"senders": senders}, "nothing", 3),
                                  ({"submission_domains": "example.org"}, "submission_domains", 0),
                                  ({"trust_from": "true"}, "every author", 0)):
        configure(sign=sign)
        found = json.loads(home.run("sealctl", "status", "--json").output)["checks"]
        shown = next(check for check in found if check["check"] == "sign")
        tap.contains(shown["submission_without_login_signs"], without)
        tap.equal(shown["logins"], logins)


tap.main()
