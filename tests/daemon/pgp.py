# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenPGP through sealpiped: gpg runs once for a message, and what is remembered of a key is no older
than the key."""

import os
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import gnupg
import home as homes
import mail
import tap

if not homes.has_module("pgp"):
    tap.skip_all("built without OpenPGP")

ALICE, CAROL = "alice@example.org", "carol@example.org"
MESSAGE = (f"From: {CAROL}\nTo: {ALICE}\nSubject: x\nMIME-Version: 1.0\n"
           "Content-Type: text/plain\n\nthe words\n").encode()

home = homes.Home("daemon-pgp")
people = gnupg.Ring(home.folder / "people")
people.generate(ALICE)
ring = gnupg.Ring(home.folder / "gnupg")
ring.generate(CAROL)

# gpg, each of whose runs is a line.
RUNS = home.folder / "runs"
RUNS.touch()
RUNS.chmod(0o666)
wrapper = home.folder / "bin"
wrapper.mkdir()
(wrapper / "gpg").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{RUNS}\nexec /usr/bin/gpg "$@"\n')
(wrapper / "gpg").chmod(0o755)
PATH = {"PATH": f"{wrapper}:/usr/bin:/bin"}


class Daemon(daemons.Daemon):
    def start(self, **how):
        return super().start(env=PATH, **how)


def give_home(user):
    """What is in the ring, and nothing else of it, is that user's."""
    ring.stop()
    if daemons.ROOT:
        for path in (ring.path, *ring.path.rglob("*")):
            shutil.chown(path, user)


def by_owner(*words, **how):
    """gpg in the ring, as whoever it belongs to."""
    ring.gpg(*words, **how)
    give_home(daemons.USER)


def daemon(**changes):
    changes = {"policy": {"formats": "pgp", "encrypt": "required", "sign": "required"}, "module_sign": {},
               "module_pgp": {"home": ring.path}, "daemon": {"workers": 1}, **changes}
    give_home(daemons.USER)
    runs()
    return Daemon(home, **changes)


def seal(*to):
    result = home.seal(MESSAGE, "-f", CAROL, "--submission=yes", "--", *(to or (ALICE,)))
    tap.equal(result.errors, b"")
    return result.status, result.output


def opened(output):
    return people.gpg("--decrypt", stdin=gnupg.armor(output))


def assert_sealed():
    status, output = seal()
    tap.equal(status, 0, home.log_text()[-600:])
    tap.equal(opened(output), mail.inner_entity(MESSAGE), "content")


def runs():
    lines = RUNS.read_text().splitlines()
    os.truncate(RUNS, 0)
    return lines


def one_run_seals():
    runs()
    assert_sealed()
    return len(runs()) == 1


def take_alice():
    ring.take(people.export(ALICE))
    people.take(ring.export(CAROL))


@tap.test("a worker runs gpg once for a message, whoever signs and whoever it is for")
def _():
    take_alice()
    with daemon():
        # As long as a change could have the time of the one before, it is not relied upon.
        tap.wait_for(one_run_seals, "all is remembered")
        for _ in range(5):
            assert_sealed()
        lines = runs()
        tap.equal(len(lines), 5, lines)
        tap.true(all("--encrypt" in line and "--sign" in line for line in lines), lines)


@tap.test("gpg is asked for its version by the generation, and not by its workers")
def _():
    with daemon(daemon={"workers": 2, "recycle": 1}):
        tap.equal(runs(), ["--version"], "before the first message")
        for _ in range(3):
            assert_sealed()
        tap.equal([line for line in runs() if "--version" in line], [], "of workers")


@tap.test("a key that is revoked in the ring is used by no message that comes a second later")
def _():
    with daemon():
        assert_sealed()
        assert_sealed()
        fingerprint = people.fingerprint(ALICE)
        revocation = (people.path / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
        by_owner("--import", stdin=re.sub(r"^:(?=-----BEGIN)", "", revocation, flags=re.M).encode())
        home.clear_log()
        tap.equal(seal(), (75, b""))
        tap.contains(home.log_text(), "was revoked")


tap.main()
