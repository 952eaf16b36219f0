# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies of one OpenPGP key are one key, wherever they lie: every revocation counts and the newest
genuine self-signature, and what is forged counts nowhere."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import gnupg
import keyblocks
import tap
from home import Home

ALICE, MALLORY, OLD = "alice@example.org", "mallory@example.org", "old@example.org"
LOOPBACK = ["--pinentry-mode", "loopback", "--passphrase", ""]
SIGNATURE, USER_ID = 2, 13

home = Home("pgpcopies")
keys, gnupg_home = home.folder / "keys", home.folder / "gnupg"


def ring(name):
    return gnupg.Ring(home.folder / name)


def dearmored(text):
    return gnupg.run("gpg", "--dearmor", stdin=text)


class Person:
    """Alice's key at every time of its life, in octets."""

    def __init__(self):
        theirs = ring("theirs")
        at = ["--faked-system-time", "20240101T000000"]
        theirs.gpg(*at, *LOOPBACK, "--quick-gen-key", ALICE, "future-default", "default", "never")
        self.fingerprint = theirs.fingerprint(ALICE)
        self.old = theirs.export(ALICE, armor=False)
        text = (theirs.path / "openpgp-revocs.d" / f"{self.fingerprint}.rev").read_text()
        self.laid_by = text.encode()
        self.revocation = text.replace(":-----BEGIN", "-----BEGIN").encode()
        self.expired = self.later("expired", "--faked-system-time", "20240601T000000",
                                  "--quick-set-expire", self.fingerprint, "2025-01-01")
        self.revoked = self.later("revoked", "--import", stdin=self.revocation)
        self.with_old_id = self.later("ids", "--quick-add-uid", self.fingerprint, OLD)
        self.without_old_id = self.later("no-ids", "--quick-revoke-uid", self.fingerprint, OLD,
                                         start=self.with_old_id)
        self.no_subkey = self.later("subkey", "--command-fd", "0", "--edit-key", self.fingerprint,
                                    stdin=b"key 1\nrevkey\ny\n0\n\ny\nsave\n")
        self.new_subkey = self.later("new", "--quick-add-key", self.fingerprint, "cv25519", "encr",
                                     "never", start=self.no_subkey)

    def later(self, name, *words, stdin=b"", start=None):
        """The key after one more command of its owner, in a home of its own: gpg merges there."""
        other = ring(name)
        secret = (home.folder / "theirs").exists() and gnupg.run(
            "gpg", "--homedir", home.folder / "theirs", "--batch", *LOOPBACK,
            "--export-secret-keys", self.fingerprint)
        other.gpg(*LOOPBACK, "--import", stdin=secret)
        if start:
            other.take(start)
        other.gpg(*LOOPBACK, *words, stdin=stdin)
        octets = other.export(self.fingerprint, armor=False)
        other.stop()
        return octets


alice = Person()
mallory = ring("mallory")
mallory.generate(MALLORY)
hers = mallory.export(MALLORY, armor=False)


def damaged(octets):
    """Its last octet is another one: no signature that ends there is genuine."""
    return octets[:-1] + bytes([octets[-1] ^ 1])


def with_forged(later):
    """The old key with the signatures that only the @later one has, damaged."""
    known = {whole for _, _, whole in keyblocks.packets(alice.old)}
    new = {}
    over = None
    for tag, _, whole in keyblocks.packets(later):
        if tag != SIGNATURE:
            over = whole
        elif whole not in known:
            new.setdefault(over, []).append(damaged(whole))
    octets = b""
    for tag, _, whole in keyblocks.packets(alice.old):
        octets += whole
        octets += b"".join(new.pop(whole, []))
    return octets


def with_user_id(address, signature):
    return alice.old + bytes([0xc0 | USER_ID, len(address)]) + address.encode() + signature


def own_signature():
    return next(whole for tag, _, whole in keyblocks.packets(alice.old) if tag == SIGNATURE)


def lay(files, in_home=()):
    for path in (keys, gnupg_home):
        if path.exists():
            gnupg.stop(path)
            gnupg.remove(path)
    keys.mkdir()
    gnupg_home.mkdir(mode=0o700)
    gnupg.run("gpg", "--homedir", gnupg_home, "--batch", "--list-keys")  # which makes its ring
    for octets in in_home:
        gnupg.run("gpg", "--homedir", gnupg_home, "--batch", "--import", stdin=octets)
    for number, octets in enumerate(files):
        (keys / f"{number}.pgp").write_bytes(octets)


def prepare(sources="file;gnupg", formats="pgp", **groups):
    home.configure({"policy": {"encrypt": "required", "formats": formats},
                    "pipeline": {"outbound": "smime;pgp"}, "keyring": {"sources": sources},
                    "module pgp": {"home": gnupg_home}, "module keys-file": {"paths": keys},
                    **groups})


def expect(address, says, what):
    """@says: None where the key serves, else what the refusal says."""
    checked = home.check("--", address)
    if says is None:
        tap.equal(checked.status, 0, f"{what}: {checked.output}")
    else:
        tap.equal(checked.status, 69, f"{what}: {checked.output}")
        tap.contains(checked.output.decode(), says, what)


COPIES = {
    "a revocation": (alice.revoked, ALICE, "was revoked"),
    "a shorter life": (alice.expired, ALICE, "expired on 2025-01-01"),
    "a revoked subkey": (alice.no_subkey, ALICE, "no live subkey"),
    "a revoked subkey and a new one": (alice.new_subkey, ALICE, None),
    "a revoked user id": (alice.without_old_id, OLD, "is not one of old@example.org"),
    "another user id that was revoked": (alice.without_old_id, ALICE, None),
    "a bare revocation": (alice.revocation, ALICE, "was revoked"),
    "a bare revocation, in octets": (dearmored(alice.revocation), ALICE, "was revoked"),
    "a bare revocation that was laid by": (alice.laid_by, ALICE, None),
    "a forged revocation": (damaged(dearmored(alice.revocation)), ALICE, None),
    "a forged revocation in a copy": (with_forged(alice.revoked), ALICE, None),
    "a forged shorter life": (with_forged(alice.expired), ALICE, None),
    "a forged revocation of its subkey": (with_forged(alice.no_subkey), ALICE, None),
    "somebody else's key": (hers, ALICE, None),
}

for _what, _rest in COPIES.items():
    @tap.test(f"beside the old copy: {_what}")
    def _(what=_what, rest=_rest):
        later, address, says = rest
        old = alice.with_old_id if address == OLD else alice.old
        places = {"the later file": ([old, later], []), "the earlier file": ([later, old], [])}
        if what in ("a revocation", "a shorter life", "a revoked user id", "a revoked subkey"):
            places["in home"] = ([old], [later])
            places["old in home"] = ([later], [old])
            if address == ALICE:
                places["one file"] = ([old + later], [])
        for place, (files, in_home) in places.items():
            lay(files, in_home)
            for sources in ("file;gnupg", "gnupg;file"):
                prepare(sources)
                expect(address, says, f"{place}, {sources}")


@tap.test("three copies, each of which knows something else")
def _():
    lay([alice.old, alice.no_subkey, alice.with_old_id])
    prepare()
    expect(OLD, "no live subkey", "the old id, by the subkey's revocation")
    lay([alice.with_old_id, alice.new_subkey, alice.revocation])
    expect(OLD, "was revoked", "the old id, by the key's revocation")


@tap.test("a source that is trusted too little still revokes")
def _():
    lay([alice.revoked], [alice.old])
    prepare("gnupg;file", policy={"encrypt": "required", "formats": "pgp", "min_trust": "verified"},
            **{"module keys-file": {"paths": keys, "trust": "unverified"}})
    expect(ALICE, "was revoked", "by an unverified file")


USER_IDS = {
    "signed by nobody": b"",
    "with a signature over another one": own_signature(),
    "with a damaged signature": damaged(own_signature()),
    "signed by its own name's owner": next(
        whole for tag, _, whole in keyblocks.packets(hers) if tag == SIGNATURE),
}

for _what, _signature in USER_IDS.items():
    @tap.test(f"a user id that somebody put there, {_what}")
    def _(signature=_signature):
        forged = with_user_id(MALLORY, signature)
        for files in ([forged], [alice.old, forged], [forged, alice.old]):
            lay(files)
            prepare("file")
            tap.equal(home.check("--", MALLORY).status, 69, "the stranger")
            expect(ALICE, None, "its owner")


@tap.test("every format's reason is said")
def _():
    lay([alice.expired])
    prepare(formats="smime;pgp")
    expect(ALICE, "expired on 2025-01-01", "behind the missing certificate")


@tap.test("a key with thousands of user ids or signatures is refused, and soon")
def _():
    ids = b"".join(bytes([0xc0 | USER_ID, 20]) + b"%09d@example.or" % n + own_signature()
                   for n in range(3000))
    signatures = own_signature() * 3000
    for flood in (alice.old + ids, alice.old + signatures):
        for files in ([flood], [alice.old, flood], [flood, alice.old]):
            lay(files)
            prepare("file")
            expect(ALICE, "is flooded", "flooded")


tap.main()
