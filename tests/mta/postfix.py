# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Postfix as docs/mta/postfix.md wires it, and a sink behind it."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mounts
import outcomes
import postfix
import sink as sinks
import tap
from home import Home

if reason := mounts.why_not():
    tap.skip_all(f"Postfix is laid over the system: {reason}")

home = Home("postfix")
sink = sinks.Sink()
server = postfix.Postfix(home, sink)
USER = postfix.USERS["sealpipe"]
o = outcomes.Outcomes(server, home, sink, (USER, USER))
server.start()
outcomes.register(o)


@tap.test("who comes by the submission service is filtered as well")
def _():
    o.begin()
    original = outcomes.message(outcomes.ALICE)
    _, got = o.delivered(original, outcomes.ALICE, port=server.submission)
    o.opens(got[outcomes.ALICE], home.alice, original)


@tap.test("who has logged in is signed for as himself, by Postfix's word on who it was")
def _():
    senders = home.folder / "senders"
    senders.write_text(f"carol: {outcomes.SENDER}\nbob: {outcomes.BOB}\n")
    senders.chmod(0o644)
    for login, signed, why in (("carol", True, ""), ("bob", False, "login bob may not sign as"),
                               (None, False, "--submission")):
        o.begin(policy={"encrypt": "never", "sign": "preferred"},
                **{"module smime": {"trust_anchors": home.authority.cert, "server_keys": o.server_key},
                   "module sign": {"senders": senders}})
        ident = server.send(outcomes.message(outcomes.DORA), outcomes.DORA, port=server.submission,
                            login=login)
        server.wait_empty()
        got = o.by_recipient()[outcomes.DORA].message()
        tap.equal(b"multipart/signed" in got, signed, f"signed for {login}")
        tap.contains(home.log_text(), why, "log")


@tap.test("69 and 75 lead to a bounce and a deferral, with the line and its status code")
def _():
    o.begin()
    ident = server.send(outcomes.message(outcomes.NOBODY), outcomes.NOBODY)
    line = server.refused(ident)[0]
    for part in ("dsn=5.7.1", "refused: nobody@example.org: "):
        tap.contains(line, part)
    server.wait_empty()
    o.begin(core={"in_process": "false"})
    ident = server.send(outcomes.message(outcomes.ALICE), outcomes.ALICE)
    line = server.deferred(ident)[0]
    for part in ("dsn=4.3.0", "the message cannot be handled now"):
        tap.contains(line, part)
    server.clear()


@tap.test("a journal that cannot be written: deferred, nothing is handed over")
def _():
    o.begin()
    state = home.folder / "state"
    os.chown(state, 0, 0)
    ident = server.send(outcomes.message(outcomes.ALICE), outcomes.ALICE)
    tap.contains(server.deferred(ident)[0], "the journal cannot be used now")
    tap.equal(sink.complete(), [])
    os.chown(state, USER, USER)
    server.try_again(ident)
    server.wait_empty()
    tap.equal(list(o.by_recipient()), [outcomes.ALICE])


tap.main()
