# SPDX-License-Identifier: GPL-2.0-or-later
"""What is made fit for a signature in clear reads as it did before: random messages, judged by
Python's decoders and by GMime's."""

import email
import email.policy
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import tap

MEND = sys.argv[1]
COUNT = 3000


def mend(messages):
    """For each (made or None, GMime sees the same, why)."""
    done = subprocess.run([MEND], input=b"".join(b"%d\n%b" % (len(m), m) for m in messages),
                          stdout=subprocess.PIPE, check=True).stdout
    at, answers = 0, []
    for _ in messages:
        end = done.index(b"\n", at)
        size, same, why = done[at:end].split(b" ", 2)
        at, size = end + 1, int(size)
        made = done[at:at + size] if size >= 0 else None
        at += max(size, 0)
        answers.append((made, same == b"1", why.decode()))
    return answers


def lines_of(octets):
    return re.sub(rb"\r*\n", b"\n", octets)


def seen(message):
    """The decoded octets of each leaf part, by Python."""
    parts = email.message_from_bytes(message, policy=email.policy.compat32).walk()
    return [(part.get_content_type(), lines_of(part.get_payload(decode=True) or b""))
            for part in parts if not part.is_multipart()]


def is_fit(made):
    tap.true(not re.search(rb"[\x80-\xff\0\r]", made), f"an octet that a relay changes: {made!r}")
    tap.true(max(map(len, made.split(b"\n"))) <= 998, "a line over 998 octets")


def check(messages, same=lambda before: before):
    """@same gives what a message means to a reader who keeps to RFC 2045."""
    for message, (made, gmime, why) in zip(messages, mend(messages)):
        tap.equal(why, "-", f"why {message!r}")
        is_fit(made)
        tap.equal(seen(made), seen(same(message)), f"Python's {message!r}")
        if same(message) == message:
            tap.true(gmime, f"GMime sees something else: {message!r} is {made!r}")


HEAD = b"Content-Type: %b\nContent-Transfer-Encoding: %b\n\n"
PIECES = [b"a", b"word", b" ", b"\t", b"  ", b"\n", b"\n", b"\r\n", b"\xc3\xa9", b"\xff", b".", b"--b",
          b"From ", b"\nFrom ", b"x" * 75, b"x" * 77, b"y" * 997, b"z" * 1000, b"=", b"=3D", b"=41"]


def random_body(rng, pieces, most=30):
    return b"".join(rng.choice(pieces) for _ in range(rng.randrange(most)))


@tap.test(f"{COUNT} bodies in 8bit, 7bit and binary")
def _():
    rng = random.Random(1)
    messages = []
    for _ in range(COUNT):
        head = HEAD % (rng.choice([b"text/plain; charset=utf-8", b"application/x"]),
                       rng.choice([b"8bit", b"7bit", b"binary"]))
        messages.append(head + random_body(rng, PIECES))
    check(messages)
    for made, _, _ in mend(messages):
        head, body = made.split(b"\n\n", 1)
        if b": 7bit" not in head:
            tap.true(max(map(len, body.split(b"\n"))) <= 76, f"a line over 76 octets: {made!r}")


# Neither a sign that begins no code, which readers show differently, nor one before the pieces that
# could become its code.
QUOTED = [b"a ", b"word", b" ", b"\t", b"  ", b"\n", b"\xc3\xa9", b"\xff", b".", b"From ",
          b"\nFrom ", b"x" * 75, b"y" * 995, b"z" * 1000, b"=3D", b"=41", b"=C3=A9", b"=0D=0A",
          b"=\n", b"=\r\n", b"=09", b"=20\n", b"=\nFrom ", b"=00", b"=46=3d=c3"]
SOFT = [b"= \n", b"= \t\n", b"=\t\n", b"=\t\t \n", b"=   \nFrom "]


@tap.test(f"{COUNT} bodies in quoted-printable")
def _():
    rng = random.Random(2)
    head = HEAD % (b"text/plain; charset=utf-8", b"quoted-printable")
    check([head + random_body(rng, QUOTED) for _ in range(COUNT)])


@tap.test("blanks behind a soft line break are none of the content")
def _():
    rng = random.Random(3)
    head = HEAD % (b"text/plain", b"quoted-printable")
    for body in (b"one = \t\nx\n", b"one =\t\t\t\nx\n", b"one = ", b"one =" + b" \t" * 400 + b"\nx"):
        tap.equal(mend([head + body])[0][0],
                  head + re.sub(rb"=[ \t]+(\n|$)", rb"=\1", body), "mended")
    # Python and GMime do not keep to RFC 2045 6.7 (3) there.
    check([head + random_body(rng, QUOTED + SOFT * 3) for _ in range(COUNT)],
          lambda before: head + re.sub(rb"=[ \t\r]+\n", b"=\n", before[len(head):]))


@tap.test("a sign that begins no code is itself")
def _():
    rng = random.Random(4)
    head = HEAD % (b"text/plain; charset=utf-8", b"quoted-printable")
    signs = [b"= x", b"=z", b"=4z", b"=-", b"= \xc3\xa9", b"=\xc3\xa9", b"=4\xc3"]
    for message, (made, _, _) in zip(*(lambda m: (m, mend(m)))(
            [head + random_body(rng, QUOTED[:15] + signs) for _ in range(COUNT)])):
        is_fit(made)
        tap.equal(seen(made), seen(message), f"Python's {message!r}")


@tap.test(f"{COUNT} bodies in base64")
def _():
    rng = random.Random(5)
    head = HEAD % (b"image/png", b"base64")
    pieces = [b"QUJD", b"REVG\n", b" ", b"\n", b"\t\n", b"QUJD" * 30, b"QUJD" * 300]
    check([head + random_body(rng, pieces) for _ in range(COUNT)])


# Words that mean something at the start of a line only.
STARTS = [b"--b1", b"--b1--", b"--b1 ", b"--b1--\t", b"--b1x", b"-", b"--", b"From ", b"."]


@tap.test("what stands within a line does not become a delimiter")
def _():
    rng = random.Random(7)
    messages = []
    for encoding in (b"8bit", b"7bit", b"quoted-printable"):
        for column in (*range(60, 81), *range(985, 1005)):
            for word in STARTS:
                fill = b"a" * column if rng.randrange(2) else (b"ab " * column)[:column - 1] + b"z"
                body = (rng.choice([b"h\xc3\xa9\n", b"h\xe9 ", b""]) + fill + word + b"\n" +
                        fill + b"\xc3\xa9" + word + rng.choice([b"", b"x" * 20, b"\nSECOND"]))
                messages.append(b"Content-Type: multipart/mixed; boundary=b1\n\n--b1\n" +
                                HEAD % (b"text/plain; charset=utf-8", encoding) + body +
                                b"\n--b1\n\nthird\n--b1--\n")
    check(messages)


@tap.test(f"{COUNT // 3} digests and what is in them")
def _():
    rng = random.Random(8)
    kinds = [b"", b"", b"Content-Type: text/plain; charset=utf-8\n", b"Content-Type: message/rfc822\n"]
    messages = []
    for _ in range(COUNT // 3):
        parts = b"".join(
            b"--d\n" + rng.choice(kinds) + b"\nFrom: b@example.org\nSubject: s\n\n" +
            random_body(rng, [b"a", b"word ", b" ", b"\n", b"\nFrom ", b"x" * 90 + b"--d", b"\xc3\xa9"]) + b"\n"
            for _ in range(rng.randrange(1, 4)))
        messages.append(b"Content-Type: multipart/digest; boundary=d\n\n" + parts + b"--d--\n")
    check(messages)


WORDS = ["a", "Gr\u00fc\u00dfe", "\u4e2d" * 30, "=?utf-8?q?=C3=A9?=", "x" * 70, "\u00e9", "_", "?=", "a,b", "\U0001f512"]
ATOMS = ["Carol", "J\u00f6rg", "\u00c4\u00e4", "van"]
QUOTED_NAMES = ['"M\u00fcller, \\"K\\""', '"plain, x"', '"\u4e2d @ x"', '"J\u00f6rg" \u00c4']
FILES = ["plain.txt", "Gr\u00fc\u00dfe.pdf", "a b \u00e4.txt", "\u4e2d" * 40, "100% \u00f6;x='*y.txt", 'q\\"\u00e9']


def text(rng, words=WORDS, most=8):
    return "".join(rng.choice(words) + rng.choice([" ", " ", "  "])
                   for _ in range(rng.randrange(1, most))).strip()


def name_of(rng):
    return rng.choice([rng.choice(QUOTED_NAMES), " ".join(rng.sample(ATOMS, rng.randrange(1, 4)))])


def addresses(rng):
    return ", ".join(f"{name_of(rng)} <a{n}@example.org>"
                     for n in range(rng.randrange(1, 4)))


def parsed(octets):
    """Headers as Python shows them, of UTF-8 and of what it was encoded as."""
    whole = email.message_from_string(octets.decode(), policy=email.policy.SMTPUTF8)
    return [(part.get_content_type(), part.get_filename(), str(part["Content-Description"]))
            for part in whole.walk()]


@tap.test("fields in raw UTF-8, of parts and of attached messages")
def _():
    rng = random.Random(6)
    messages = []
    for _ in range(COUNT // 3):
        part = (f'Content-Type: text/plain; charset=utf-8; name="{rng.choice(FILES)}"\n'
                f'Content-Disposition: attachment; filename="{rng.choice(FILES)}"; size=3\n'
                f"Content-Description: {text(rng)}\n\nx\n")
        inner = (f"From: {addresses(rng)}\nTo: {addresses(rng)}\nSubject: {text(rng)}\n"
                 f"Content-Type: text/plain; charset=utf-8\n\n{text(rng)}\n")
        messages.append((f"Content-Type: multipart/mixed; boundary=b\n\n{text(rng)}\n--b\n{part}\n--b\n"
                         f"Content-Type: message/rfc822\n\n{inner}\n--b--\n{text(rng)}\n--b\n").encode())
    for message, (made, gmime, why) in zip(messages, mend(messages)):
        tap.equal(why, "-", f"why {message!r}")
        is_fit(made)
        tap.equal(seen(made), seen(message), f"Python's {message!r}")
        tap.true(gmime, f"GMime sees something else:\n{message.decode()}\n{made.decode()}")
        tap.equal([f[:2] for f in parsed(made)], [f[:2] for f in parsed(message)], f"Python's {message!r}")


tap.main()
