# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is the author of a message is nobody else for another reader: forms of From in great number,
judged by Python's readers, old and new, by one that decodes encoded words first, and by GMime."""

import base64
import email
import email.header
import email.policy
import email.utils
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import tap

WHO = sys.argv[1]
COUNT = 40000

# What clients and programs write, all of it by me@example.org.
DAILY = [
    b"me@example.org", b"<me@example.org>", b"Me <me@example.org>", b"J. Smith <me@example.org>",
    b'"Smith, John" <me@example.org>', b"me@example.org (Me)", b"(Me) me@example.org",
    b"Jira (Cloud) <me@example.org>", b"Me <me@example.org> (work)",
    b"Me via Service <me@example.org>", b"Shop [DE] <me@example.org>",
    b"[Shop] News <me@example.org>", b'"Ops @ Example" <me@example.org>',
    b'"Ops @ Example Inc." <me@example.org>', b"=?utf-8?q?B=C3=BCro_=40_Example?= <me@example.org>",
    b'"Jane (@jane)" <me@example.org>', b"me@example.org (Ops @ Example)",
    b'"me@example.org" <me@example.org>', b"\"'me@example.org'\" <me@example.org>",
    b"me@example.org <me@example.org>", b"=?utf-8?q?me=40example=2Eorg?= <me@example.org>",
    b"=?UTF-8?B?bWVAZXhhbXBsZS5vcmc=?= <me@example.org>",
    b'"=?utf-8?q?M=C3=BCller=2C_J?=" <me@example.org>',
    b"=?unknown-8bit?q?M=FCller?= <me@example.org>", b"M\xc3\xbcller <me@example.org>",
    b"M\xfcller <me@example.org>", b'"M\xfcller, J" <me@example.org>', b"< me@example.org >",
    b"me@example.org (Cron Daemon)", b'"me"@example.org',
]
# With what others are named, here and there.
PIECES = [
    b"you", b"you@evil.example", b"<you@evil.example>", b"me", b"me@example.org", b"example.org",
    b"evil.example", b"@", b" ", b" ", b"\t", b".", b"..", b",", b":", b";", b"<", b">", b"(", b")",
    b"[", b"]", b'"', b'"', b"\\", b"'", b"=?utf-8?q?", b"=?utf-8?q?", b"?=", b"?=", b"=?", b"?q?",
    b"=40", b"=2E", b"=28", b"=29", b"=2C", b"=3C", b"=3E", b"=22", b"=5C", b"=3D=3Futf-8=3Fq=3F",
    b"=?utf-8?q?you=40evil=2Eexample?=", b"=?utf-8?q?you_=40_evil=2Eexample?=",
    b"=?utf-8?b?" + base64.b64encode(b"you@evil.example") + b"?=", b"=?utf-8?q?you=2C?=",
    b'"you @ evil.example"', b'"Ops @ Example"', b'"a b"', b"M\xfcller", b"M\xc3\xbcller",
    b"\xef\xbc\xa0", b"Me", b"+", b"-", b"=",
]
OWN = [b"<me@example.org>", b"<me@example.org>", b"me@example.org", b'<"a b"@example.org>',
       b'"a b"@example.org', b"< me@example.org >", b"me@example.org <me@example.org>"]


def asked(values):
    """For each (author or None, whom GMime sees)."""
    done = subprocess.run([WHO], input=b"".join(b"%d\n%b" % (len(v), v) for v in values),
                          stdout=subprocess.PIPE, check=True).stdout
    lines = [line.decode(errors="replace").split("\t") for line in done.split(b"\n")[:-1]]
    tap.equal(len(lines), len(values), "answers")
    return [(None if who == "-" else who, seen) for who, *seen in lines]


def mailbox(address):
    """As seal_address_key() has it; None for what is no address, or one without a domain that
    could be anybody's outside."""
    local, at, domain = address.strip().rpartition("@")
    if not at or "." not in domain.strip("."):
        return None
    if local.startswith('"') and local.endswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return f"{local}@{domain}".lower()


def old_reader(message, text):
    return [email.utils.parseaddr(text)[1], *(a for _, a in email.utils.getaddresses([text]))]


def decoding_reader(message, text):
    first = str(email.header.make_header(email.header.decode_header(message["From"])))
    return old_reader(message, first)


def thorough_reader(message, text):
    """One that decodes the name that it got, and looks for an address in it."""
    name, address = email.utils.parseaddr(text)
    decoded = str(email.header.make_header(email.header.decode_header(name)))
    return [address, *re.findall(r"[^\s<>()\",;:'\[\]]+@[^\s<>()\",;:'\[\]]+", decoded)]


def new_reader(message, text):
    fresh = email.message_from_bytes(message.as_bytes(), policy=email.policy.default)
    return [a.addr_spec for a in fresh["From"].addresses]


READERS = [old_reader, decoding_reader, thorough_reader, new_reader]


def seen_by(reader, value):
    message = email.message_from_bytes(b"From: " + value + b"\n\nbody\n")
    try:
        return reader(message, value.decode(errors="surrogateescape"))
    except (ValueError, LookupError, IndexError, AttributeError, TypeError,
            email.errors.MessageError):
        return []  # Python stumbles over some of it, and names nobody then


def judge(value, author, gmime):
    if not author.isascii() or "xn--" in author:
        return  # nobody writes these as another does
    for name, seen in [("GMime", gmime), *((r.__name__, seen_by(r, value)) for r in READERS)]:
        others = {m for m in map(mailbox, seen) if m} - {author}
        tap.true(not others, f"{value!r} is {author}'s, but {name} sees {others}")


@tap.test("what clients write daily has an author, whom all readers see")
def daily():
    for value, (author, gmime) in zip(DAILY, asked(DAILY)):
        tap.equal(author, "me@example.org", f"the author of {value!r}")
        judge(value, author, gmime)


def made(chance):
    before = b"".join(chance.choices(PIECES, k=chance.randint(0, 7)))
    if chance.random() < 0.4:
        before = b'"' + before.replace(b'"', b'\\"') + b'" '
    behind = b"".join(chance.choices(PIECES, k=chance.randint(0, 2)))
    if chance.random() < 0.3:
        behind = b" (" + behind + b")"
    return before + chance.choice(OWN) + behind


@tap.test("where anybody sees another mailbox, there is no author")
def random_forms():
    chance = random.Random(11)
    values = [made(chance) for _ in range(COUNT)]
    with_author = [(v, a, g) for v, (a, g) in zip(values, asked(values)) if a]
    for value, author, gmime in with_author:
        judge(value, author, gmime)
    tap.true(COUNT // 20 < len(with_author) < COUNT, f"{len(with_author)} have an author")
    print(f"# {len(with_author)} of {COUNT} have an author")


tap.main()
