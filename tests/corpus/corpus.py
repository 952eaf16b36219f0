# SPDX-License-Identifier: GPL-2.0-or-later
"""Every message of a corpus is sealed and opened again.

The corpus is the folder that SEALPIPE_CORPUS names, else ../shared/corpus/mime beside the tree.
INDEX.tsv in the folder above it says which files are messages; without it, all are. A message that
sealpipe refuses must stand in refused.txt, with its reason, and what stands there must be refused.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import mail
import messages
import tap
from home import Home

LIMIT = 10  # seconds for each message
MAX_REFUSED = 10
# What sealpipe itself writes outside, whatever the body says.
OWN_LINES = {b"MIME-Version: 1.0", b"Content-Transfer-Encoding: base64"}
BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]{1,76}={0,2}\r?\n?")

if not messages.CORPUS.is_dir():
    tap.skip_all(f"no corpus: {messages.CORPUS} is absent; 0 messages tried")


def listed_refusals():
    """{name: reason} from refused.txt: a name, a tab, the reason."""
    lines = (HERE / "refused.txt").read_text().splitlines()
    return dict(line.split("\t", 1) for line in lines if line and not line.startswith("#"))


class Refused(Exception):
    pass


def words_of_log(ident):
    lines = [line for line in home.log_text().splitlines() if f" id={ident} " in line]
    return " ".join(line.partition(" reason=")[2] for line in lines) or "nothing in the log"


def seal(octets, ident):
    try:
        result = home.seal(octets, "--id", ident, "--", home.alice.address, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"not done within {LIMIT} s") from None
    tap.equal(result.errors, b"", "stderr")
    if result.status == 75:
        tap.equal(result.output, b"", "output of a refusal")
        raise Refused(words_of_log(ident))
    tap.equal(result.status, 0, "status")
    return result.output


def check_outside(octets, sealed):
    """Nothing but header fields and base64; no line of the body; what must not be is not."""
    before, outer = mail.Message(octets), mail.Message(sealed)
    for line in outer.body.splitlines(keepends=True):
        tap.true(BASE64_LINE.fullmatch(line), f"not base64 outside: {line!r}")
    tap.true(sealed.startswith(outer.header + b"\n") or sealed.startswith(outer.header + b"\r\n"),
             "something stands between header and body")
    tap.equal(len(outer.all("MIME-Version")), 1, "MIME-Version fields")
    tap.equal(len(outer.all("Content-Type")), 1, "Content-Type fields")
    for name in ("Bcc", "Resent-Bcc", "Return-path", "DKIM-Signature", "ARC-Seal",
                 "ARC-Message-Signature", "ARC-Authentication-Results"):
        tap.equal(outer.all(name), [], name)
    if b"\r" not in octets:
        tap.true(b"\r" not in sealed, "a CR where the input has none")
    check_fields(before, outer)
    check_lines(before, sealed)


def kept(message):
    """The fields that stay outside, without the lines of blanks in them."""
    gone = (b"bcc", b"resent-bcc", b"return-path", b"dkim-signature", b"mime-version", b"arc-seal",
            b"arc-message-signature", b"arc-authentication-results")
    return [re.sub(rb"\n[ \t]+\r?(?=\n|\Z)", b"", octets).rstrip(b"\r\n") for name, octets in message.fields
            if name not in gone and not name.startswith(b"content-")]


def check_fields(before, outer):
    tap.equal(kept(outer), kept(before), "the fields that stay outside")


def check_lines(before, sealed):
    known = OWN_LINES | {line.strip() for line in before.header.splitlines()}
    outside = {line.strip() for line in sealed.splitlines()}
    for line in {line.strip() for line in before.body.splitlines()} & outside - known:
        tap.true(len(re.sub(rb"\s", b"", line)) < 8, f"a line of the body is outside: {line!r}")


def try_one(number, name, path):
    """(name, what became of it, the reason)."""
    octets = path.read_bytes()
    try:
        sealed = seal(octets, f"corpus-{number}")
        check_outside(octets, sealed)
        got = mail.opened(sealed, home.alice)
        want = mail.inner_entity(octets)
        if got != want:
            at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
            raise AssertionError(f"the entity differs at octet {at}: "
                                 f"{got[max(0, at - 40):at + 40]!r}, expected {want[max(0, at - 40):at + 40]!r}")
    except Refused as reason:
        return name, "refused", str(reason)
    except (AssertionError, ValueError) as error:
        return name, "failed", str(error)
    return name, "sealed", ""


home = Home("corpus")
# What is sealed already is sealed again here, so that no message passes untried.
home.configure({"policy": {"already_sealed": "wrap"}})
everything = messages.find()
results = []


@tap.test("every message of the corpus opens byte-identical, or is refused")
def _():
    tap.true(everything, f"no message in {messages.CORPUS}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        jobs = [pool.submit(try_one, n, *item) for n, item in enumerate(everything.items())]
        results.extend(job.result() for job in jobs)
    counts = collections.Counter(what for _, what, _ in results)
    tap.note(", ".join(f"{counts[w]} {w}" for w in ("sealed", "refused", "failed"))
             + f" of {len(everything)} messages")
    failed = [f"{name}: {reason}" for name, what, reason in results if what == "failed"]
    tap.true(not failed, "\n".join(failed))


@tap.test("what is refused is listed, and what is listed is refused")
def _():
    refused = {name: reason for name, what, reason in results if what == "refused"}
    listed = listed_refusals()
    wrong = [f"refused, not listed: {name}: {refused[name]}" for name in refused.keys() - listed]
    wrong += [f"listed, not refused: {name}" for name in listed.keys() - refused]
    wrong += [f"listed for {listed[name]!r}, refused for {refused[name]!r}: {name}"
              for name in listed.keys() & refused if listed[name] not in refused[name]]
    tap.true(not wrong, "\n".join(sorted(wrong)))
    tap.true(len(refused) <= MAX_REFUSED, f"{len(refused)} refusals")


tap.main()
