# SPDX-License-Identifier: GPL-2.0-or-later
"""Introducers, through the installed sealpipe: a key from a source that is not trusted serves once a
key that the operator has named has certified it; certified by gpg and by sq, and of keys of both."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import gnupg
import home as homes
import tap

ALICE, BOB, CA = "alice@example.org", "bob@example.org", "ca@example.org"
home = homes.Home("introducers")
people = gnupg.Ring(home.folder / "people")
keys = home.folder / "keys"
keys.mkdir()
for address in (ALICE, CA):
    people.generate(f"<{address}>")


def message(to):
    return (f"From: carol@example.org\nTo: {to}\nSubject: s\nMIME-Version: 1.0\n"
            "Content-Type: text/plain\n\nthe secret words\n").encode()


def configure(introducer, key):
    file = home.folder / "introducers.asc"
    file.write_bytes(key)
    home.configure({"core": {"log_target": home.log},
                    "policy": {"formats": "pgp", "encrypt": "required", "min_trust": "verified"},
                    "module keys-file": {"paths": keys, "trust": "harvested"},
                    "module pgp": {"introducers": introducer, "introducer_keys": file}})
    home.clear_log()


def seals(to):
    result = home.seal(message(to), "-f", "carol@example.org", "--", to)
    tap.true(b"secret words" not in result.output, "nothing in clear")
    if result.status != 0:
        tap.contains(home.log_text(), "harvested", "why not")
    home.clear_log()
    return result.status == 0 and b"BEGIN PGP MESSAGE" in result.output


def sq_certify(ca, cert, user_id):
    """By sq, whose commands had other names before 1.0."""
    old = b"certify" in gnupg.run("sq", "--help")
    words = (["certify", ca, cert, user_id] if old else
             ["pki", "vouch", "add", "--certifier-file", ca, "--cert-file", cert, "--userid", user_id,
              "--output", "-"])
    return gnupg.run("sq", *words)


def sq_generate(file, address):
    known = gnupg.run("sq", "key", "generate", "--help")
    words = ["--export", file] if b"--export" in known else [
        "--output", file, "--without-password", "--own-key", "--rev-cert", f"{file}.rev"]
    gnupg.run("sq", "key", "generate", "--userid", f"<{address}>", *words)


@tap.test("gpg certifies a key of gpg")
def _():
    configure(people.fingerprint(CA), people.export(CA))
    (keys / "alice.asc").write_bytes(people.export(ALICE))
    tap.true(not seals(ALICE), "not without a certification")
    people.gpg("--default-key", CA, "--quick-sign-key", people.fingerprint(ALICE))
    (keys / "alice.asc").write_bytes(people.export(ALICE))
    tap.true(seals(ALICE), f"with one: {home.log_text()[-600:]}")
    people.gpg("--quick-revoke-sig", people.fingerprint(ALICE), people.fingerprint(CA))
    (keys / "alice.asc").write_bytes(people.export(ALICE))
    tap.true(not seals(ALICE), "nor once it is revoked")


@tap.test("sq certifies a key of sq, and gpg one of sq")
def _():
    strangers = gnupg.Ring(home.folder / "strangers")
    ca, bob = home.folder / "ca-sq.pgp", home.folder / "bob-sq.pgp"
    sq_generate(ca, "ca-sq@example.org")
    sq_generate(bob, BOB)
    for file in (ca, bob):
        strangers.take(file.read_bytes())
    plain, file = home.folder / "bob-cert.pgp", keys / "bob.asc"
    plain.write_bytes(strangers.export(BOB))
    file.write_bytes(plain.read_bytes())
    configure(strangers.fingerprint("ca-sq@example.org"), strangers.export("ca-sq@example.org"))
    tap.true(not seals(BOB), "not without a certification")
    file.write_bytes(sq_certify(ca, plain, f"<{BOB}>"))
    tap.true(seals(BOB), f"with one by sq: {home.log_text()[-600:]}")

    configure(people.fingerprint(CA), people.export(CA))
    tap.true(not seals(BOB), "not by one who is no introducer any more")
    people.take(plain.read_bytes())
    people.gpg("--default-key", CA, "--quick-sign-key", people.fingerprint(BOB))
    file.write_bytes(people.export(BOB))
    tap.true(seals(BOB), f"with one by gpg: {home.log_text()[-600:]}")


tap.main()
