# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages and addresses made to hurt, through the installed programs.

Each ends in bounded time and memory, and clearly: sealed and the same when opened, in clear as it
came where policy says so, or 75 without a byte of output and with the bound's name in the log.
`--sanitize` says that the programs are built with sanitizers, whose memory is their own.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import tap
from home import Home
from meter import Meter

MIB = 1 << 20
SANITIZED = "--sanitize" in sys.argv
# Processor time, not the clock's: a busy machine must not matter.
MOST_CPU = 10 if not SANITIZED else 40
MOST_MEMORY = 64 * MIB if not SANITIZED else 1024 * MIB
ALICE, NOBODY = "alice@example.org", "nobody@example.org"

home = Home("hostile")
most = {"cpu": 0, "peak": 0}


meter = Meter(home.folder)


def measured(program, *args, stdin=b""):
    """(status, output, errors), within bounds."""
    *ending, cpu, peak = meter.run([home.bin / program, "-c", home.conf, *args], stdin)
    tap.true(cpu < MOST_CPU, f"{cpu:.1f} s of processor time")
    tap.true(peak < MOST_MEMORY, f"{peak / MIB:.0f} MiB of memory")
    most["cpu"], most["peak"] = max(most["cpu"], cpu), max(most["peak"], peak)
    return tuple(ending)


# -- The messages -------------------------------------------------------------------------------

HEAD = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n"


def nested(levels):
    """A multipart in a multipart in a multipart..."""
    parts = [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels)]
    ends = [b"\n--b%d--\n" % n for n in reversed(range(levels))]
    return HEAD + b"".join(parts) + b"\nthe kernel\n" + b"".join(ends)


def nested_messages(levels):
    return HEAD + b"Content-Type: message/rfc822\n\n" * levels + b"\nthe kernel\n"


def side_by_side(count):
    return (HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" +
            b"--b\nContent-Type: text/plain\n\nx\n" * count + b"--b--\n")


def unended(count):
    """Every line looks like the beginning of a delimiter."""
    boundary = b"b" * 60
    return (HEAD + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\n\n" +
            (b"--" + boundary[:-1] + b"\n") * count)


def fields(count, name=b"X-%d"):
    return HEAD + b"".join((name % n if b"%" in name else name) + b": v\n" for n in range(count)) + b"\nbody\n"


def parameters(count, text=b";\n p%d=v"):
    more = b"".join(text % n if b"%" in text else text for n in range(count))
    return HEAD + b"Content-Type: text/plain" + more + b"\n\nbody\n"


def long_line(size, name=b"X-Long"):
    return HEAD + name + b": " + b"y" * size + b"\n\nbody\n"


def addressees(count):
    to = b",\n ".join(b"user%d@example.org" % n for n in range(count))
    return b"From: carol@example.net\nTo: alice@example.org,\n " + to + b"\nSubject: s\n\nbody\n"


def groups(depth):
    return b"From: c@example.net\nTo: " + b"g:" * depth + b"a@example.org" + b";" * depth + b"\n\nbody\n"


def to(octets):
    return b"From: c@example.net\nTo: " + octets + b"\n\nbody\n"


FIELDS, OCTETS, MALFORMED = "more than 10000 fields", "more than 1048576 octets", "malformed message"
ADDRESSES = "more than 20000 addresses"
# What is no fault of the message.
BEFORE = ("the input is empty", "more than 10000 recipients")
# (what, the message, the bound that it passes or None)
MESSAGES = [
    ("20,000 parts within parts", nested(20000), None),
    ("20,000 messages within messages", nested_messages(20000), None),
    ("20,000 parts side by side", side_by_side(20000), None),
    ("20,000 lines that are nearly a delimiter", unended(20000), None),
    ("9,000 header fields", fields(9000), None),
    ("20,000 header fields", fields(20000), FIELDS),
    ("20,000 Content-Type fields", fields(20000, b"Content-Type"), FIELDS),
    ("9,000 Content-X fields", fields(9000, b"Content-X"), None),
    ("20,000 continuation lines", HEAD + b"X: y\n" + b" z\n" * 20000 + b"\nbody\n", None),
    ("5,000 Content-Type parameters", parameters(5000), None),
    ("10,000 Content-Type parameters of one name", parameters(10000, b";a=b"), None),
    ("8,000 sections of one parameter", parameters(4000, b";a*%d=b"), None),
    ("20,000 Content-Type parameters", parameters(20000), "Content-Type has more than 65536"),
    ("a header line of 1,000,000 octets", long_line(1000000), None),
    ("a header line of 10 MB", long_line(10000000), OCTETS),
    ("a Content-Type of 10 MB", long_line(10000000, b"Content-Type"), OCTETS),
    ("a header of 10 MB without an end", HEAD + b"X: y\n z" + b"\n " * 5000000, OCTETS),
    ("5,000 recipients in To", addressees(5000), None),
    ("15,000 recipients in To", addressees(15000), None),
    ("25,000 recipients in To", addressees(25000), ADDRESSES),
    ("100,000 short ones", to(b"a@b," * 100000), ADDRESSES),
    ("300,000 words for addresses", to(b"a, " * 300000), None),
    ("300,000 empty groups", to(b"a:;" * 300000), None),
    ("300,000 quoted words", to(b'"" ' * 300000), None),
    ("40,000 encoded words", to(b"=?utf-8?q?=C3=BC?= " * 40000), None),
    ("300,000 groups within groups in To", groups(300000), None),
    ("20,000 addresses with a Unicode domain", to("a@ü.example,".encode() * 19000), None),
    ("groups within groups in From", HEAD.replace(b"From: ", b"From: " + b"g:" * 60000), "From has more than 65536"),
    ("4,000 encoded words in From", HEAD.replace(b"From: ", b"From: " + b"=?utf-8?q?a?= " * 4000), None),
    ("60,000 octets of comments in From", HEAD.replace(b"From: ", b"From: " + b"(" * 60000), None),
    ("1,500 addresses in From", HEAD.replace(b"From: ", b"From: " + b"a@b, " * 1500), "more than 1000 addresses"),
    ("a To of 500,000 brackets", HEAD.replace(b"To: ", b"To: " + b"<" * 500000), None),
    ("a To of 500,000 comments", HEAD.replace(b"To: ", b"To: " + b"(" * 500000), None),
    ("NUL bytes in the header and the body", HEAD + b"X: a\0b\n\0: c\n\n" + b"\0" * 100000, MALFORMED),
    ("NUL bytes in the body", HEAD + b"\n" + b"\0" * 100000, None),
    ("nothing but NUL bytes", b"\0" * 100000, MALFORMED),
    ("a vertical tab in the header", HEAD + b"X: a\vb\n\nbody\n", MALFORMED),
    ("DEL in the header", HEAD + b"X: a\x7fb\n\nbody\n", MALFORMED),
    ("a million control characters", HEAD + b"X: " + b"\x01" * 1000000 + b"\n\nbody\n", MALFORMED),
    ("500,000 lines of blanks in the header", HEAD + b"X: y" + b"\n " * 500000 + b"\n\nbody\n", None),
    ("lines of blanks amid a header without end", HEAD + b" \n y\n" * 100000, MALFORMED),
    ("a line of blanks for the empty one", HEAD + b" \nThe body begins here.\n", None),
    ("no header", b"\nOnly a body.\n", None),
    ("no header and no empty line", b"Only a body, no field\n", None),
    ("no body", HEAD, None),
    ("no body, no end of line", HEAD[:-1], None),
    ("nothing but an empty line", b"\n", None),
    ("one octet", b"x", None),
    ("bare CR for line ends", HEAD.replace(b"\n", b"\r") + b"\rbody\r", MALFORMED),
    ("bare CR in the header and the body", HEAD + b"X: a\rBcc: b\n\na\rb\r\r\nc\r", MALFORMED),
    ("bare CR in the body", HEAD + b"\na\rb\r\r\nc\r", None),
    ("CR CR LF for line ends", HEAD.replace(b"\n", b"\r\r\n") + b"\r\r\nbody\r\r\n", MALFORMED),
    ("a body of 10 MB without a line end", HEAD + b"\n" + b"z" * 10000000, None),
    ("a body of 5,000,000 empty lines", HEAD + b"\n" + b"\n" * 5000000, None),
    ("5,000,000 bare CR", HEAD + b"\n" + b"\r" * 5000000, None),
]


def refused(message, bound, *args):
    home.clear_log()
    tap.equal(measured("sealpipe", *args, stdin=message), (75, b"", b""))
    tap.contains(home.log_text(), bound, "the log")
    tap.contains(home.log_text(), " result=refused " if bound not in BEFORE else " result=deferred ", "the log")


def same(got, want, what):
    """As tap.equal, without ten megabytes of difference."""
    if got != want:
        at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        raise AssertionError(f"{what}: {len(got)} octets, expected {len(want)}; at {at} "
                             f"{got[at:at + 60]!r}, expected {want[at:at + 60]!r}")


def sealed(message):
    status, output, errors = measured("sealpipe", "--", ALICE, stdin=message)
    tap.equal((status, errors), (0, b""))
    same(mail.opened(output, home.alice), mail.inner_entity(message), "the inner entity")


def clear(message, address):
    status, output, errors = measured("sealpipe", "--", address, stdin=message)
    tap.equal((status, errors), (0, b""))
    same(output, message, "what leaves in clear")


for _what, _message, _bound in MESSAGES:
    @tap.test(f"encrypt=required: {_what}")
    def _(message=_message, bound=_bound):
        home.configure()
        refused(message, bound, "--", ALICE) if bound else sealed(message)


# With a key in the one case and without in the other: neither is sealed. The slow build tries some.
for _policy, _address, _some in (("never", ALICE, MESSAGES[1::5] if SANITIZED else MESSAGES),
                                 ("preferred", NOBODY, MESSAGES[::5] if SANITIZED else MESSAGES)):
    for _what, _message, _bound in _some:
        @tap.test(f"encrypt={_policy}: {_what}")
        def _(policy=_policy, address=_address, message=_message, bound=_bound):
            home.configure({"policy": {"encrypt": policy}})
            refused(message, bound, "--", address) if bound else clear(message, address)


@tap.test("no input is no message, whatever the policy")
def _():
    for policy in ("required", "preferred", "never"):
        home.configure({"policy": {"encrypt": policy}})
        refused(b"", "the input is empty", "--", ALICE)
    home.configure()


@tap.test("encrypt=preferred with a key seals the same messages, and refuses the same")
def _():
    home.configure({"policy": {"encrypt": "preferred"}})
    for _, message, bound in MESSAGES[::6]:
        refused(message, bound, "--", ALICE) if bound else sealed(message)
    home.configure()


@tap.test("10,000 recipients on the command line are one too many with the next")
def _():
    many = [f"user{n}@example.org" for n in range(10001)]
    home.configure({"policy": {"encrypt": "never"}})
    refused(HEAD + b"\nbody\n", "more than 10000 recipients", "--", *many)
    home.configure()


# -- sealpipe-check -----------------------------------------------------------------------------

# What is an address, of someone without a key; and what is none.
STRANGERS = ["-oops@example.org", "--help@example.org", "\"sp ace'q;$(id)\"@example.org",
             '"a\\"b"@example.org', '"a@b"@example.org', "`id`@example.org", "a%b@example.org",
             "a!b@example.org", "../../etc/passwd@example.org", "*@example.org", "?@example.org",
             "ü@example.org", "a@münchen.example", "a" * 256 + "@example.org",
             "a@" + ".".join(["b" * 60] * 4)]
NONE = ["", "@", "a", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a@b\n", "a\n@b", "a@b\r\nRCPT TO:<x@y>",
        "\x1b[2J@example.org", "a\x7f@example.org", b"\xff\xfe@example.org", b"a@\xc3.example",
        "<a@b>", "a@b,c@d", "g:a@b;", "a@.b", "a@b..c", "a@-b", '"a@b', "a" * 257 + "@example.org",
        "a@" + "b" * 64, "a@" + ".".join(["b" * 60] * 5), "a" * 100000 + "@example.org",
        "a@" + "b." * 60000, "." * 100000, "@" * 100000, '"' * 100000, "\\" * 100000,
        '"' + "\\" * 100000 + '"@example.org', "(" * 100000 + "@example.org", "ü" * 60000 + "@x"]


def checked(address):
    home.clear_log()
    status, output, errors = measured("sealpipe-check", "--", address)
    tap.equal(errors, b"", f"{address[:60]!r}")
    tap.true(re.fullmatch(rb"[ -~]{1,500}", output), f"the reason for {address[:60]!r}: {output!r}")
    for line in home.log_text().splitlines():
        tap.true(len(line) < 4000, f"a line of log of {len(line)} characters")
        tap.true(line.isprintable(), f"the log has {line!r}")
    return status


@tap.test("sealpipe-check: a hostile address without a key is refused, as an address")
def _():
    for address in STRANGERS[::2] if SANITIZED else STRANGERS:
        tap.equal(checked(address), 69, address)


@tap.test("sealpipe-check: what is no address is refused, with one short printable line")
def _():
    for address in NONE[::2] if SANITIZED else NONE:
        tap.equal(checked(address), 69, f"{address[:60]!r}")


@tap.test("sealpipe-check: with encrypt=never, what is no address is refused all the same")
def _():
    home.configure({"policy": {"encrypt": "never"}})
    for address in NONE[::3]:
        tap.equal(checked(address), 69, f"{address[:60]!r}")
    for address in STRANGERS[::3]:
        tap.equal(checked(address), 0, address)
    home.configure()


@tap.test("sealpipe-check: hostile senders decide nothing")
def _():
    for sender in ("", "<>", "no address", "-oops@x", "a" * 100000, b"\xff", "a@b\nc@d"):
        status, output, errors = measured("sealpipe-check", "-f", sender, "--", ALICE)
        tap.true(status in (0, 75) and not errors, f"{sender[:60]!r}: {status} {errors!r}")
        tap.true(re.fullmatch(rb"[ -~]{1,500}", output), f"the reason for {sender[:60]!r}: {output!r}")


@tap.test("what the worst of them took")
def _():
    tap.true(most["cpu"] > 0 and most["peak"] > MIB, f"nothing was measured: {most}")
    tap.note(f"{most['cpu']:.2f} s of processor time, {most['peak'] / MIB:.0f} MiB")


tap.main()
