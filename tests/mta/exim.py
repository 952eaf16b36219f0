# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Exim 4 with sealpipe in its transport, and a sink behind it.

exim.py MODULE: a stage that stops, fails or makes noise as it is told; see hold/hold.c.
"""

import base64
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import sink as sinks
import tap

EXIM = "/usr/sbin/exim4"

if os.getuid() != 0:
    tap.skip_all("a mail server of its own needs root")
if not os.path.exists(EXIM):
    tap.skip_all(f"no {EXIM}: exim4-daemon-heavy is not installed")

import exim as exims
from home import Home

MODULE = tap.arguments()[0]
ALICE, BOB, NOBODY = "alice@example.org", "bob@example.org", "nobody@example.org"

class Exim(exims.Exim):
    """Its programs are links in @folder/bin, so that a test can put something else there."""

    def __init__(self, home, sink):
        self.programs = home.folder / "exim" / "bin"
        self.programs.mkdir(parents=True)
        self.link_programs(home)
        super().__init__(home.folder / "exim", lambda server: exims.places(server.folder, server.port) +
                         exims.FILTERING.format(programs=self.programs, conf=home.conf, sink=sink.port))

    def link_programs(self, home):
        for name in ("sealpipe", "sealpipe-check"):
            link = self.programs / name
            link.unlink(missing_ok=True)
            link.symlink_to(home.bin / name)

    def put_before(self, home, script):
        """A Python script in the filter's place, which goes on as the filter by calling become()."""
        path = self.programs / "sealpipe"
        path.unlink(missing_ok=True)
        path.write_text(f"""#!/usr/bin/python3 -IS
import os, sys
def become(**environment):
    os.execve({str(home.bin / 'sealpipe')!r}, sys.argv, {{**os.environ, **environment}})
{script}""")
        path.chmod(0o755)


home = Home("exim")
exims.readable(home)
sink = sinks.Sink()
exim = Exim(home, sink)
exim.start()

HEAD = b"From: Carol <carol@example.net>\r\nTo: alice@example.org\r\nSubject: test\r\n"
BODY = (b"\r\nHello \xe4\xf6\xfc \xf0\x9f\x94\x92\r\n.\r\n..\r\n.leading dot\r\n"
        b"From here on this is no separator\r\n\r\n>From neither\r\ntrailing blanks  \t\r\n")
PARTS = (HEAD + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"-=b\"\r\n\r\n"
         b"A preamble.\r\n---=b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
         b"Content-Transfer-Encoding: 8bit\r\n\r\n\xe4\xf6\xfc\r\n---=b\r\n"
         b"Content-Type: application/octet-stream; name=x.bin\r\n"
         b"Content-Transfer-Encoding: base64\r\n\r\n" +
         base64.encodebytes(bytes(range(256)) * 400).replace(b"\n", b"\r\n") +
         b"---=b--\r\nAn epilogue.\r\n")


def arrives(message, person, **how):
    """Sends it; what came to the sink, once it is all there and found in order."""
    sink.clear()
    ident = exim.send(message, person.address, **how)
    exim.wait_line(ident, "Completed")
    tap.equal(len(sink.transactions()), 1, "transactions; " + "\n".join(exim.lines(ident)))
    transaction = sink.complete()[0]
    tap.equal(transaction.recipients, [person.address])
    sealed = transaction.message()
    tap.equal(mail.opened(sealed, person), mail.inner_entity(message), "the inner entity")
    return transaction


def stays(message, *recipients, mark="== "):
    """Sends it; it is deferred, in the queue, and not one octet came to the sink."""
    sink.clear()
    ident = exim.send(message, *recipients)
    exim.wait_line(ident, mark, len(recipients))
    tap.true(exim.queued(ident), "the message is not in the queue")
    tap.true(not sink.complete(), "the sink has a message")
    tap.equal(b"".join(t.raw for t in sink.transactions()), b"", "what the sink has")
    return ident


def cannot_open(sealed, person):
    try:
        mail.opened(sealed, person)
    except AssertionError:
        return
    raise AssertionError(f"{person.address} can open it")


UNCHECKED = b"X-No-Check: yes\r\n"


def stays_and_goes(spoil, mend, person=None):
    """Spoils something: a message stays, by the check and by the filter; mended, both go out."""
    person = person or home.alice
    spoil()
    try:
        idents = [stays(HEAD + extra + BODY, person.address) for extra in (b"", UNCHECKED)]
    finally:
        mend()
    sink.clear()
    for ident in idents:
        exim.try_again(ident)
        exim.wait_line(ident, "Completed")
    tap.equal(len(sink.complete()), 2, "messages after the repair")
    for transaction in sink.complete():
        tap.equal(mail.opened(transaction.message(), person), mail.inner_entity(HEAD + BODY))


# -- Going out ----------------------------------------------------------------------------------

@tap.test("a message arrives sealed, with its final dot, and opens byte-identical")
def _():
    for person in (home.alice, home.bob):
        transaction = arrives(HEAD + BODY, person)
        sealed = transaction.message()
        tap.true(b"\r\r" not in transaction.raw and b"Hello" not in sealed, "the wire's octets")
        outer = mail.Message(sealed)
        for name, count in (("mime-version", 1), ("return-path", 0), ("subject", 1), ("received", 1)):
            tap.equal(len(outer.all(name)), count, name)
        tap.equal(transaction.sender, "carol@example.net")


@tap.test("a multipart with 8bit and an attachment")
def _():
    raw = arrives(PARTS, home.alice).raw
    for part in (b"preamble", b"epilogue", b"-=b"):
        tap.true(part not in raw, f"{part} outside")


@tap.test("3 MB")
def _():
    arrives(HEAD + b"\r\n" + b"0123456789abcdef" * 4 + b"\r\n" * 10 + b"x" * 70 + b"\r\n" +
            b"line of text\r\n" * 220000, home.bob)


@tap.test("a message without headers or body")
def _():
    arrives(b"\r\n", home.alice)
    arrives(b"\r\nonly a body\r\n", home.alice)


@tap.test("three recipients: each a sealed copy of his own")
def _():
    people = [home.alice, home.bob, home.enrol("dave@example.org")]
    sink.clear()
    ident = exim.send(HEAD.replace(b"To: ", b"To: bob@example.org, ") + BODY,
                      *[person.address for person in people])
    exim.wait_line(ident, "Completed")
    tap.equal([len(t.recipients) for t in sink.complete()], [1, 1, 1], "recipients of each")
    by_name = {t.recipients[0]: t.message() for t in sink.complete()}
    tap.equal(sorted(by_name), sorted(person.address for person in people))
    for person in people:
        tap.equal(mail.opened(by_name[person.address], person), mail.inner_entity(HEAD + BODY))
        for other in people:
            if other != person:
                cannot_open(by_name[person.address], other)


@tap.test("a Bcc in the header does not go out")
def _():
    transaction = arrives(HEAD + b"Bcc: dave@example.com\r\n" + BODY, home.alice)
    tap.true(b"dave@" not in transaction.raw, "the Bcc is outside")


@tap.test("the null sender")
def _():
    tap.equal(arrives(HEAD + BODY, home.alice, sender="").sender, "")


@tap.test("sealctl test --send hands Exim a message in clear, which arrives sealed")
def _():
    sink.clear()
    sendmail = home.folder / "sendmail"
    sendmail.write_text(f"#!/bin/sh\nexec {shlex.join(exim.command)} \"$@\"\n")
    sendmail.chmod(0o755)
    told = json.loads(home.run("sealctl", "test", "--json", "--send", "--sendmail", sendmail,
                               "--from", "carol@example.net", ALICE).output)
    tap.equal(told["sent"], True, told)
    tap.wait_for(sink.complete, f"it arrives: {exim.log_text()[-2000:]}", 60)
    [transaction] = sink.complete()
    tap.equal((transaction.sender, transaction.recipients), ("carol@example.net", [ALICE]))
    tap.contains(mail.opened(transaction.message(), home.alice).decode(), "This is a test message")
    tap.contains(exim.log_text(), told["message_id"].strip("<>"), "by its Message-ID")


@tap.test("hostile recipients, through the check and without it")
def _():
    for address in ("-oops@example.org", "-c@example.org", '"a b"@example.org',
                    "\"sp ace'q;$(id)\"@example.org", "`id`@example.org", "ü.ñ@example.org"):
        person = home.enrol(address)
        for extra in (b"", UNCHECKED):
            arrives(HEAD + extra + BODY, person)


# -- Refused ------------------------------------------------------------------------------------

@tap.test("no key: bounced by the router's check, the reason in Exim's log, nothing in clear")
def _():
    sink.clear()
    ident = exim.send(HEAD + BODY, NOBODY, sender=BOB)
    exim.wait_line(ident, "Completed")
    line = exim.wait_line(ident, "** ")[0]
    tap.contains(line, "sealpipe says: ")
    tap.true(len(line.partition("sealpipe says: ")[2]) > 10, f"no reason: {line}")
    bounce = tap.wait_for(lambda: sink.complete(), "the bounce arrives", 60)
    tap.equal([t.recipients for t in bounce], [[BOB]])
    text = mail.opened(bounce[0].message(), home.bob)
    tap.contains(text, NOBODY.encode())
    tap.true(b"Hello" not in text, "the bounce quotes the message")
    tap.equal(len(sink.transactions()), 1, "transactions")


@tap.test("no key, and nobody asked the check: deferred")
def _():
    exim.remove(stays(HEAD + UNCHECKED + BODY, NOBODY))


@tap.test("one of two recipients without a key: the other gets his mail")
def _():
    sink.clear()
    ident = exim.send(HEAD + BODY, NOBODY, ALICE, sender="")
    exim.wait_line(ident, "** ")
    exim.wait_line(ident, "=> ")
    tap.equal([t.recipients for t in sink.complete()], [[ALICE]])


# -- Faults -------------------------------------------------------------------------------------

@tap.test("certificates that cannot be read: deferred, and sent once they can")
def _():
    stays_and_goes(lambda: os.chmod(home.certs, 0o700), lambda: os.chmod(home.certs, 0o755))


@tap.test("one certificate that cannot be read: deferred, since it may be the one")
def _():
    file = home.certs / home.alice.cert.name
    stays_and_goes(lambda: os.chmod(file, 0o600), lambda: os.chmod(file, 0o644))


@tap.test("a broken configuration: deferred")
def _():
    stays_and_goes(lambda: home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n"),
                   lambda: (home.conf / "90-broken.conf").unlink())


@tap.test("a missing check program and a missing filter: deferred")
def _():
    stays_and_goes(lambda: [(exim.folder / "bin" / name).unlink()
                            for name in ("sealpipe", "sealpipe-check")],
                   lambda: exim.link_programs(home))


def processes(program):
    """Who runs it for this test: its arguments name our folder."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == program.encode() and os.fsencode(home.conf) in words:
            found.append(int(entry.name))
    return found


LARGE = HEAD + UNCHECKED + BODY + b"Hello, here is a line of text.\r\n" * 260000
# Lets a part of the message through, and the rest when MARK.go is opened.
SLOW_READER = """
reader, writer = os.pipe()
if os.fork() == 0:
    for fd in (reader, 1, 2):
        os.close(fd)
    left = 1 << 20
    while left > 0:
        data = os.read(0, min(left, 65536))
        os.write(writer, data)
        left -= len(data)
    open("MARK", "w").close()
    open("MARK.go").close()
    while data := os.read(0, 65536):
        try:
            os.write(writer, data)
        except BrokenPipeError:
            pass
    os._exit(0)
os.dup2(reader, 0)
os.close(reader)
os.close(writer)
become()
"""


class Point:
    """A point of the work at which the filter is held: between begin() and go_on()."""

    message = HEAD + UNCHECKED + BODY
    # Who is there: the client alone reads, and writes.
    programs = (("sealpipe", "client"), ("sealpipe-run", "runner"))

    def begin(self):
        self.mark = exim.folder / "spool" / "mark"

    def reached(self):
        return self.mark.exists()

    def go_on(self):
        """Whoever still waits is let go, so that nothing but the kill has stopped it."""

    def end(self):
        self.mark.unlink(missing_ok=True)
        exim.link_programs(home)
        home.configure()

    def seen(self, transactions):
        tap.equal(b"".join(t.raw for t in transactions), b"", "what the sink has")


class WhileReading(Point):
    message = LARGE
    programs = (("sealpipe", "client"),)

    def begin(self):
        super().begin()
        self.gate = self.mark.with_suffix(".go")
        os.mkfifo(self.gate)
        os.chmod(self.gate, 0o666)
        exim.put_before(home, SLOW_READER.replace("MARK", str(self.mark)))

    def go_on(self):
        os.close(os.open(self.gate, os.O_WRONLY))

    def end(self):
        self.gate.unlink()
        super().end()


class Stage(Point):
    """The test's own stage, which is put where @pipeline has it."""

    def __init__(self, what, pipeline):
        self.what, self.pipeline = what, pipeline

    def begin(self):
        super().begin()
        exim.put_before(home, f"become(SEALPIPE_MODULES={str(home.modules_with(MODULE))!r})")
        home.configure({"pipeline": {"outbound": self.pipeline},
                        "module hold": {"what": self.what, "mark": self.mark}})


class WhileWriting(Point):
    """The next mail server reads no more, so that nobody takes what the filter writes."""

    message = LARGE
    programs = (("sealpipe", "client"),)

    def begin(self):
        super().begin()
        sink.hold(100000)

    def reached(self):
        return sink.held()

    def go_on(self):
        sink.release()

    def seen(self, transactions):
        tap.equal([t.complete for t in transactions], [False], "complete messages")
        tap.true(b"Hello" not in transactions[0].raw, "the sink has it in clear")
        tap.true(len(transactions[0].raw) < len(LARGE), "all of it was written")


POINTS = {
    "before it reads": Stage("start", "hold;smime"),
    "while it reads a large message": WhileReading(),
    "before it seals": Stage("hold", "hold;smime"),
    "when it has sealed": Stage("hold", "smime;hold"),
    "while it writes the result": WhileWriting(),
}


def killed(program, point):
    sink.clear()
    point.begin()
    try:
        ident = exim.send(point.message, ALICE)
        tap.wait_for(lambda: processes(program) and point.reached(), f"{program} is there")
        pids = processes(program)
        tap.equal(len(pids), 1, f"processes of {program}")
        os.kill(pids[0], signal.SIGKILL)
        tap.wait_for(lambda: not processes("sealpipe-run"), "the runner is gone")
        point.go_on()
        exim.wait_line(ident, "== ")
        tap.wait_for(lambda: not processes("sealpipe"), "the client is gone")
        tap.true(exim.queued(ident), "the message is not in the queue")
        point.seen(sink.transactions())
    finally:
        point.end()
    sink.clear()
    exim.try_again(ident)
    exim.wait_line(ident, "Completed")
    tap.equal(len(sink.transactions()), 1, "transactions after the next try")
    same = mail.opened(sink.complete()[0].message(), home.alice) == mail.inner_entity(point.message)
    tap.true(same, "what arrives at the next try is not what was sent")


for _when, _point in POINTS.items():
    for _program, _who in _point.programs:
        @tap.test(f"a {_who} that is killed {_when}: deferred, and sent whole at the next try")
        def _(program=_program, point=_point):
            killed(program, point)


def with_stage(what, pipeline, function):
    stage = Stage(what, pipeline)
    stage.begin()
    try:
        return function()
    finally:
        stage.end()


@tap.test("a stage that fails, and a filter that fails at once, with megabytes unread: deferred")
def _():
    idents = [with_stage("fail", "smime;hold", lambda: stays(LARGE, ALICE))]
    home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
    try:
        idents.append(stays(LARGE, ALICE))
    finally:
        home.configure()
    for ident in idents:
        tap.contains(exim.wait_line(ident, "== ")[0], "filter process failed (75)", "the log")
        sink.clear()
        exim.try_again(ident)
        exim.wait_line(ident, "Completed")
        tap.true(mail.opened(sink.complete()[0].message(), home.alice) == mail.inner_entity(LARGE),
                 "what arrives is not what was sent")


@tap.test("noise on standard error and output, a module's and its child's, is in no mail")
def _():
    for pipeline in ("hold;smime", "smime;hold"):
        raw = with_stage("noise", pipeline, lambda: arrives(HEAD + UNCHECKED + BODY, home.alice)).raw
        tap.true(b"noise" not in raw, "the noise is in the mail")


@tap.test("a missing check program alone: deferred by the router")
def _():
    check = exim.folder / "bin" / "sealpipe-check"
    check.unlink()
    try:
        ident = stays(HEAD + BODY, ALICE)
        tap.contains(exim.wait_line(ident, "== ")[0], "R=nokey defer", "the log")
    finally:
        exim.link_programs(home)
    sink.clear()
    exim.try_again(ident)
    exim.wait_line(ident, "Completed")
    tap.equal(mail.opened(sink.complete()[0].message(), home.alice), mail.inner_entity(HEAD + BODY))


@tap.test("nothing went to Exim's panic log")
def _():
    panic = exim.folder / "log" / "paniclog"
    tap.equal(panic.read_text() if panic.exists() else "", "")


tap.main()
