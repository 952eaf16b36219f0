# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of mail, whichever mail server it goes through: tests for a real one.

A server has send, refused, deferred, try_again, wait_empty, clear, folder.
"""

import os
import pathlib

import gnupg
import mail
import signed
import tap

ALICE, BOB, NOBODY, DORA, ERIN, FRANK = (
    f"{name}@example.org" for name in ("alice", "bob", "nobody", "dora", "erin", "frank"))
SENDER = "carol@example.net"
MARK = b"xyzzy-plain-marker"
BODY = b"\r\n" + MARK + b" \xc3\xa4\xf6\r\n.\r\n..leading dots\r\nFrom here on\r\n\r\n"


def message(*to, extra=b"", subject=b"the subject"):
    return (b"From: Carol <carol@example.net>\r\nTo: " + ", ".join(to).encode() + b"\r\nSubject: " +
            subject + b"\r\nMessage-ID: <1@example.net>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n" +
            extra + BODY)


def folders_with_mark(server, home):
    """Where the marker stands, among all files that the server and we write."""
    found = []
    for top in (server.folder, home.folder / "state", home.folder / "tmp", home.log):
        paths = [top] if top.is_file() else top.rglob("*")
        found += [path for path in paths if path.is_file() and MARK in path.read_bytes()]
    return found


class Outcomes:
    def __init__(self, server, home, sink, owner):
        """@owner: the user and group that run sealpipe."""
        self.server, self.home, self.sink = server, home, sink
        self.odd = ('"a b"@example.org', "*{id}^x@example.org")
        # A server may return the whole message; that what leaves of it is sealed holds anyway.
        self.returns_body = False
        self.dora = home.enrol(DORA, "rsa")
        home.enrol(ERIN)
        # Frank has an OpenPGP key; the server has a key of Carol's to sign with.
        self.ring = gnupg.Ring(home.folder / "ring")
        self.ring.generate(FRANK)
        (home.certs / "frank.asc").write_bytes(self.ring.export(FRANK))
        carol = home.authority.person(SENDER, "rsa")
        self.server_key = home.folder / "carol.pem"
        self.server_key.write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
        self.server_key.chmod(0o600)
        os.chown(self.server_key, *owner)
        for name, mode in (("state", 0o700), ("tmp", 0o700)):
            (home.folder / name).mkdir(exist_ok=True)
            (home.folder / name).chmod(mode)
            os.chown(home.folder / name, *owner)
        os.chmod(home.folder, 0o755)
        os.chown(home.log, *owner)
        self.configure()

    def configure(self, **changes):
        core = {"state_dir": self.home.folder / "state", "spool_dir": self.home.folder / "tmp",
                "spool_memory": "0", **changes.pop("core", {})}
        self.home.configure({"core": core, "module pgp": {}, **changes})
        self.home.clear_log()

    def begin(self, **changes):
        self.server.clear()
        self.server.wait_empty()
        self.sink.clear()
        self.configure(**changes)

    def delivered(self, octets, *recipients, **how):
        """Sends it; {recipient: what the sink has for him}, once nothing is left in the queue."""
        ident = self.server.send(octets, *recipients, **how)
        self.server.wait_empty()
        return ident, self.by_recipient()

    def by_recipient(self):
        got = {}
        for transaction in self.sink.complete():
            for recipient in transaction.recipients:
                tap.true(recipient not in got, f"two messages for {recipient}")
                got[recipient] = transaction
        tap.equal(len(self.sink.transactions()), len(self.sink.complete()), "broken transactions")
        return got

    def opens(self, transaction, person, original):
        tap.equal(mail.opened(transaction.message(), person), mail.inner_entity(original),
                  f"what {person.address} reads")
        tap.true(MARK not in transaction.raw, "plain text in what is sealed")

    def plain(self, transaction, original):
        tap.true(transaction.message().endswith(BODY), "the body is not as it came")
        tap.equal(mail.Message(transaction.message()).all("Subject"), [b"the subject"])

    def bounce_text(self, transaction):
        """Some servers send their bounces through sealpipe, some do not."""
        if b"enveloped" in transaction.raw:
            return mail.opened(transaction.message(), self.home.bob)
        return transaction.raw

    def deferred_without_program(self):
        """Where sealpipe-pipe is not there or not itself, the message waits, until it is."""
        program = self.server.program.readlink()
        original = message(DORA)
        for text in (None, "#!/bin/sh\nexit 1\n", "#!/bin/sh\nkill -9 $$\n", "#!/no/such\n"):
            self.begin()
            self.server.program.unlink()
            if text:
                self.server.program.write_text(text)
                self.server.program.chmod(0o755)
            try:
                ident = self.server.send(original, DORA)
                self.server.deferred(ident)
            finally:
                self.server.program.unlink(missing_ok=True)
                self.server.program.symlink_to(program)
        self.server.try_again(ident)

    def no_trace(self):
        tap.equal(folders_with_mark(self.server, self.home), [], "plain text on the disk")


def register(o, reads_anew=True):
    """The tests; a server's own page adds more. @reads_anew: the configuration, for each message."""
    server = o.server

    @tap.test("sealed: opens byte-identical, and its envelope is as it was")
    def _():
        o.begin()
        for sender in (SENDER, ""):
            o.sink.clear()
            original = message(ALICE)
            _, got = o.delivered(original, ALICE, sender=sender)
            tap.equal((list(got), got[ALICE].sender), ([ALICE], sender))
            o.opens(got[ALICE], o.home.alice, original)
            outer = mail.Message(got[ALICE].message())
            tap.equal([len(outer.all(n)) for n in ("Subject", "MIME-Version", "Return-path")],
                      [1, 1, 0])
        o.no_trace()

    @tap.test("exempt by a rule: in clear, and nobody else is")
    def _():
        o.begin(**{"rule open": {"match_recipient": NOBODY, "encrypt": "never"}})
        original = message(ALICE, NOBODY)
        _, got = o.delivered(original, ALICE, NOBODY)
        tap.equal(sorted(got), [ALICE, NOBODY])
        o.plain(got[NOBODY], original)
        o.opens(got[ALICE], o.home.alice, original)
        o.no_trace()

    @tap.test("exempt by a rule on a header field: with the field in clear, without it refused")
    def _():
        o.begin(**{"rule shop": {"match_header": 'X-Shop: *"reset" $home*', "encrypt": "never"}})
        original = message(NOBODY, extra=b'X-Shop: a "reset" $home\r\n and more\r\n')
        _, got = o.delivered(original, NOBODY)
        o.plain(got[NOBODY], original)
        o.sink.clear()
        ident = server.send(message(NOBODY, extra=b"X-Shop: other\r\n"), NOBODY, sender=BOB)
        server.refused(ident)
        server.wait_empty()
        tap.equal(list(o.by_recipient()), [BOB])

    @tap.test("a rule on the envelope sender")
    def _():
        o.begin(**{"rule sender": {"match_sender": SENDER, "encrypt": "never"}})
        original = message(NOBODY)
        _, got = o.delivered(original, NOBODY)
        o.plain(got[NOBODY], original)
        o.sink.clear()
        server.refused(server.send(original, NOBODY, sender=BOB))
        server.wait_empty()

    @tap.test("a tag in the Subject: taken out, and its rule holds")
    def _():
        o.begin(policy={"encrypt": "never"},
                **{"rule tag": {"match_tag": "[seal]", "encrypt": "required"}})
        original = message(ALICE, subject=b"[seal] the subject")
        _, got = o.delivered(original, ALICE)
        o.opens(got[ALICE], o.home.alice, original)
        tap.equal(mail.Message(got[ALICE].message()).all("Subject"), [b"the subject"])
        o.sink.clear()
        original = message(ALICE)
        _, got = o.delivered(original, ALICE)
        o.plain(got[ALICE], original)

    @tap.test("fallback=refuse: a bounce with the reason, without the message's body")
    def _():
        o.begin()
        ident = server.send(message(NOBODY), NOBODY, sender=BOB)
        line = server.refused(ident)[0]
        tap.contains(line, NOBODY)
        server.wait_empty()
        got = o.by_recipient()
        tap.equal((list(got), got[BOB].sender), ([BOB], ""))
        text = o.bounce_text(got[BOB])
        tap.contains(text, NOBODY.encode())
        tap.true(MARK not in got[BOB].raw, "the bounce quotes the body in clear")
        tap.true(o.returns_body or MARK not in text, "the bounce quotes the body")
        o.no_trace()

    @tap.test("fallback=report: a report in its place, with nothing of the message")
    def _():
        o.begin(policy={"fallback": "report"})
        _, got = o.delivered(message(NOBODY), NOBODY)
        tap.equal((list(got), got[NOBODY].sender), ([NOBODY], SENDER))
        raw = got[NOBODY].raw
        tap.true(MARK not in raw and b"the subject" not in raw, "the report quotes the message")
        tap.contains(raw, b"multipart/alternative")
        o.no_trace()

    @tap.test("fallback=allow: in clear")
    def _():
        o.begin(policy={"fallback": "allow"})
        original = message(NOBODY)
        _, got = o.delivered(original, NOBODY)
        o.plain(got[NOBODY], original)
        o.no_trace()

    @tap.test("suspended: as it came, and the log says so")
    def _():
        o.begin(core={"enabled": "false"})
        original = message(ALICE, NOBODY)
        _, got = o.delivered(original, ALICE, NOBODY)
        tap.equal(sorted(got), [ALICE, NOBODY])
        for address in got:
            o.plain(got[address], original)
        tap.contains(o.home.log_text(), "sealpipe is disabled. Emails will not be encrypted.")

    @tap.test("mixed: To, Cc, keyless and Bcc each get theirs, and nobody learns of the Bcc")
    def _():
        o.begin()
        original = message(ALICE, FRANK, NOBODY,
                           extra=b"Cc: bob@example.org\r\nBcc: dora@example.org\r\n")
        ident = server.send(original, ALICE, BOB, NOBODY, DORA, FRANK, sender=ERIN)
        server.refused(ident)
        server.wait_empty()
        got = o.by_recipient()
        tap.equal(sorted(got), [ALICE, BOB, DORA, ERIN, FRANK])
        tap.true(MARK not in got.pop(ERIN).raw, "the bounce quotes the body")
        franks = got.pop(FRANK)
        tap.true(MARK not in franks.raw and b"dora" not in franks.raw, "what Frank gets")
        tap.equal(by_frank(franks), mail.inner_entity(original), "what Frank reads")
        for person in (o.home.alice, o.home.bob, o.dora):
            o.opens(got[person.address], person, original)
        for address, other in ((ALICE, o.dora), (BOB, o.dora), (DORA, o.home.alice)):
            try:
                mail.opened(got[address].message(), other)
            except AssertionError:
                continue
            raise AssertionError(f"{other.address} can open what is {address}'s")
        for transaction in got.values():
            if transaction.recipients != [DORA]:
                tap.true(b"dora" not in transaction.raw, "the Bcc is named")
        o.no_trace()

    def by_frank(transaction):
        return o.ring.gpg("--decrypt", stdin=gnupg.armor(transaction.message()))

    @tap.test("sign-only: in clear, and the signature holds")
    def _():
        o.begin(**{"policy": {"encrypt": "never", "sign": "required"},
                   "module sign": {"trust_from": "true"},
                   "module smime": {"server_keys": o.server_key}})
        _, got = o.delivered(message(NOBODY), NOBODY)
        content = signed.by_smime(got[NOBODY].message(), o.home.authority.cert)
        tap.contains(content, MARK, "what is signed")

    def is_broken():
        o.begin()
        broken = o.home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
        original = message(ALICE)
        ident = server.send(original, ALICE)
        server.deferred(ident)
        tap.equal(o.sink.complete(), [])
        broken.unlink()
        server.try_again(ident)
        server.wait_empty()
        o.opens(o.by_recipient()[ALICE], o.home.alice, original)
        o.no_trace()

    if reads_anew:
        tap.test("deferred while the configuration is broken, and sent once it is mended")(is_broken)

    @tap.test("an odd recipient comes through whole")
    def _():
        people = [o.home.enrol(address) for address in o.odd]
        o.begin()
        for person in people:
            address = person.address
            o.sink.clear()
            original = message(ALICE)
            _, got = o.delivered(original, address)
            tap.equal(list(got), [address])
            o.opens(got[address], person, original)
