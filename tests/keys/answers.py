# SPDX-License-Identifier: GPL-2.0-or-later
"""What sealctl answers: that an answer which nobody got is said, and that no key is told of twice."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import tap
from home import Home, has_module

if not has_module("keys-store") or not has_module("smime"):
    tap.skip_all("built without the modules keys-store and smime")

home = Home("answers")
home.configure({"module keys-store": {}, "module keys-file": {"enabled": "false", "paths": None}})
ALICE, BOB = home.alice.cert, home.bob.cert


def keys(*words, status=0):
    result = home.run("sealctl", "keys", *words)
    tap.equal(result.status, status, f"keys {words}: {result.output} {result.errors}")
    return result


def answer(*words, **how):
    return json.loads(keys(*words, "--json", **how).output)


@tap.test("an answer that cannot be written is exit 1 and a line, of whatever command")
def _():
    sealctl = home.bin / "sealctl"
    commands = [["--help"], ["--version"], ["help"], ["keys", "--help"], ["keys", "list", "--help"]]
    commands += [["-c", str(home.conf), *words] for words in (
        ["status"], ["suspend"], ["resume"], ["modules"], ["config"], ["keys", "list"], ["keys", "check"],
        ["keys", "list", "--json"], ["keys", "add", str(ALICE)], ["keys", "export", "alice@example.org"],
        ["keys", "lookup", "alice@example.org"], ["keys", "pending"], ["keys", "show", "alice@example.org"],
        ["keys", "refresh"])]
    for words in commands:
        with open("/dev/full", "wb") as full:
            result = subprocess.run([sealctl, *words], stdout=full, stderr=subprocess.PIPE, env={})
        closed = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", sealctl, *words],
                                stderr=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"})
        for run, why in ((result, b"No space left"), (closed, b"Bad file descriptor")):
            lines = [line for line in run.stderr.splitlines()
                     if b"sealctl: standard output cannot be written to: " in line]
            tap.equal((run.returncode, len(lines)), (1, 1), (words, run.stderr))
            tap.contains(lines[0], why)
    for word in ("--help", "--version"):
        with open("/dev/full", "wb") as full:
            result = subprocess.run([home.bin.parent / "sbin/sealpiped", word], stdout=full,
                                    stderr=subprocess.PIPE, env={})
        tap.equal((result.returncode, result.stderr.count(b"\n")), (1, 1), result.stderr)
        tap.contains(result.stderr, b"sealpiped: standard output cannot be written to: No space left")


@tap.test("lookup has a pinned key once, fit or not, and what loses to it")
def _():
    keys("add", ALICE)
    keys("add", "--address", "alice@example.org", BOB)
    for person, other in ((home.alice, home.bob), (home.bob, home.alice)):
        keys("pin", "alice@example.org", person.fingerprint())
        for address in ("alice@example.org", "alice+x@example.org"):
            rows = answer("lookup", address)["keys"]
            tap.equal([(row["fingerprint"], row["code"]) for row in rows if row["format"] == "smime"],
                      [(person.fingerprint(), "usable"), (other.fingerprint(), "pinned")], address)
    # Pinned, and not fit any more.
    old = home.authority.leaf("pinned", "pinned@example.org", "keyEncipherment",
                              "20200101000000Z", "20210101000000Z")
    keys("add", old.cert)
    keys("pin", "pinned@example.org", old.fingerprint())
    rows = answer("lookup", "pinned@example.org", status=1)["keys"]
    tap.equal([(row["fingerprint"], row["code"]) for row in rows if row["format"] == "smime"],
              [(old.fingerprint(), "expired")])


tap.main()
