# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Exim 4, and a licence that has lapsed: nothing goes out in clear unless on_lapse=allow."""

import email
import itertools
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import sink as sinks
import tap

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")
if not os.path.exists("/usr/sbin/exim4"):
    tap.skip_all("no /usr/sbin/exim4: exim4-daemon-heavy is not installed")

from home import Home, has_module, prefix

if not has_module("license"):
    tap.skip_all("built without the license module")

import exim as exims
from licences import Issuer

WORDS = ("refuse", "report", "allow")
UNCHECKED = b"X-No-Check: yes\r\n"
HEAD = b"From: Carol <carol@example.net>\r\nTo: alice@example.org\r\nSubject: test\r\n"
BODY = b"\r\nthe words\r\n"

home = Home("exim-license")
exims.readable(home)
issuer = Issuer(home)
sink = sinks.Sink()
exim = exims.Exim(home.folder / "exim", lambda server: exims.places(server.folder, server.port) +
                  exims.FILTERING.format(programs=home.bin, conf=home.conf, sink=sink.port))
exim.start()


def configure(license=None, **policy):
    home.configure({"module license": {"public_key": issuer.public, **(license or {})},
                    "policy": policy})


def send(extra=b"", sender=""):
    """Hands a message in; its id. From the null sender, so that what is refused makes no bounce."""
    sink.clear()
    return exim.send(HEAD + extra + BODY, home.alice.address, sender=sender)


def arrived(ident):
    exim.wait_line(ident, "Completed")
    transactions = sink.complete()
    tap.equal(len(transactions), 1, "transactions")
    return transactions[0].message()


def nothing_left():
    tap.equal(b"".join(t.raw for t in sink.transactions()), b"", "what the sink has")


@tap.test("a trial begins with the first message, as Exim's user")
def _():
    configure()
    ident = send()
    try:
        exim.wait_line(ident, "Completed")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{home.log_text()}") from None
    tap.equal(mail.opened(sink.complete()[0].message(), home.alice), mail.inner_entity(HEAD + BODY))
    tap.equal((home.state / "license" / "state").owner(), "Debian-exim", "who owns the state")


@tap.test("lapsed, with each policy and each on_lapse: in clear by allow only")
def _():
    bad = home.folder / "bad"
    shutil.copy(issuer.issue(issued="2000-01-01", until="2001-01-01"), bad)
    bad.chmod(0o644)
    for encrypt, fallback, word in itertools.product(("required", "preferred"), WORDS, WORDS):
        configure({"file": bad, "on_lapse": word}, encrypt=encrypt, fallback=fallback)
        what = f"encrypt={encrypt} fallback={fallback} on_lapse={word}"
        if word == "refuse":
            # By the check, for good; by the filter alone, it waits.
            exim.wait_line(send(), "** ")
            nothing_left()
            ident = send(UNCHECKED)
            exim.wait_line(ident, "== ")
            tap.true(exim.queued(ident), f"{what}: the message is lost")
            nothing_left()
            exim.remove(ident)
            continue
        message = arrived(send(sender="carol@example.net"))
        tap.equal(b"the words" in message, word == "allow", what)
        tap.equal(b"could not be encrypted" in message, word == "report", what)
        if word == "report":
            text = email.message_from_bytes(message).get_payload(0).get_payload(decode=True)
            tap.contains(text, b"please give this reference")
            tap.true(b"licen" not in text and b"The cause" not in text, f"{what}: {text}")


@tap.test("a state folder that Exim's user cannot write to: deferred, and sent once it can")
def _():
    configure()
    shutil.rmtree(home.state / "license")
    home.state.chmod(0o500)
    try:
        idents = [send(extra) for extra in (b"", UNCHECKED)]
        for ident in idents:
            exim.wait_line(ident, "== ")
            tap.true(exim.queued(ident), "the message is lost")
        nothing_left()
        tap.contains(home.log_text(), "must be able to write")
    finally:
        home.state.chmod(0o700)
    sink.clear()
    for ident in idents:
        exim.try_again(ident)
        exim.wait_line(ident, "Completed")
    tap.equal(len(sink.complete()), 2, "messages after the repair")
    for transaction in sink.complete():
        mail.opened(transaction.message(), home.alice)


@tap.test("suspended: it goes out as it is; resumed, sealed")
def _():
    configure()
    home.run("sealctl", "suspend")
    tap.contains(arrived(send()), b"the words")
    tap.equal(home.run("sealctl", "resume").status, 0)
    mail.opened(arrived(send()), home.alice)


tap.main()
