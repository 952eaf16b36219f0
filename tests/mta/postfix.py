# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Postfix as docs/mta/postfix.md wires it, and a sink behind it."""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import outcomes
import postfix
import sink as sinks
import tap
from home import Home

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")

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
