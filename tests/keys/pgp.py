# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenPGP keys through sealctl keys, as it is installed: files of all kinds, revocations that come
before or after their key, private keys, and keys that gpg lacks something for."""

import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import gnupg
import keyblocks
import tap
from home import Home, has_module

if not has_module("keys-store") or not has_module("pgp"):
    tap.skip_all("built without the modules keys-store and pgp")

ALICE, BOB = "alice@example.org", "bob@example.org"
COPIES = 30
home = Home("keys-pgp")
people = gnupg.Ring(home.folder / "people")
for address in (ALICE, BOB):
    people.generate(f"<{address}>")
files = home.folder / "files"
files.mkdir()
ALICE_FILE, REVOCATION = files / "alice.asc", files / "revocation.asc"
ALICE_FILE.write_bytes(people.export(ALICE))
(files / "bob.asc").write_bytes(people.export(BOB))
stored = people.path / "openpgp-revocs.d" / f"{people.fingerprint(ALICE).upper()}.rev"
REVOCATION.write_bytes(stored.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))

# RFC 9580 A.3; a user id, and the signature once more, that says to be over it.
SIGNATURE = bytes.fromhex(
    "06131b0a00000042058263877fe3030b090705150a0e080c021600029b03021e09222106cb186c4f0609a697e4d52dfa"
    "6c722b0c1f1e27c18a56708f6525ec27bad9acc90527090207020000000028") + bytes(100)
V6 = (bytes.fromhex("c62a0663877fe31b00000020f94da7bb48d60a61e567706a6587d0331999bb9d891a08242ead84543df8"
                    "95a3") + b"\xcd\x10dora@example.net" + b"\xc2" + bytes([len(SIGNATURE)]) + SIGNATURE)


def begin(**changes):
    shutil.rmtree(home.state)
    home.state.mkdir(mode=0o700)
    groups = {"core": {"log_target": home.log}, "policy": {"formats": "pgp", "encrypt": "preferred"},
              "module pgp": {}, "module keys-store": {},
              "module keys-file": {"enabled": "false", "paths": None}}
    for group, values in changes.items():
        group = group.replace("_", " ")
        groups[group] = {**groups.get(group, {}), **values}
    home.configure(groups)
    home.clear_log()


def keys(*words, status=0):
    result = home.run("sealctl", "keys", *words)
    tap.equal(result.status, status, f"keys {words}: {result.output} {result.errors}")
    return result.output.decode()


def seals(to):
    message = f"From: carol@example.org\nTo: {to}\nSubject: s\n\nthe words\n".encode()
    result = home.seal(message, "-f", "carol@example.org", "--", to)
    return b"BEGIN PGP MESSAGE" in result.output, result.status


def listed(*words, status=0):
    rows = json.loads(keys("list", "--json", *words, status=status))["keys"]
    return [(row["address"], row["fingerprint"]) for row in rows]


@tap.test("a revocation counts whether it comes before its key, after it, or with a newer copy")
def _():
    for order in ((ALICE_FILE, REVOCATION), (REVOCATION, ALICE_FILE)):
        begin()
        for file in order:
            tap.true(file is order[0] or seals(ALICE) == (file is REVOCATION, 0), "before")
            keys("add", file)
        tap.equal(seals(ALICE), (False, 0), f"with {order[1].name} last")
        tap.equal(listed(), [(ALICE, people.fingerprint(ALICE).lower())], "whose it is")
        newer = files / "newer.asc"
        people.gpg("--quick-add-uid", people.fingerprint(ALICE), f"<{order[0].name}@example.net>")
        newer.write_bytes(people.export(ALICE))
        keys("add", newer)
        tap.equal(seals(ALICE), (False, 0), "with a newer copy")


def listing(ring, whose):
    """User ids and subkeys, until when, and what they are for."""
    rows = [line.split(":") for line in ring.gpg("--with-colons", "--list-keys", whose).decode().splitlines()]
    return sorted((row[0], row[4], row[6], row[9], row[11].upper()) for row in rows
                  if row[0] in ("pub", "sub", "uid"))


def packets(data):
    """As gpg lists them."""
    return people.gpg("--list-packets", stdin=data).decode().count("\n:")


@tap.test("many differing copies of one key are kept as one, as large as all of them together")
def _():
    begin()
    whose = "erin@example.org"
    people.generate(f"<{whose}>")
    erin = people.fingerprint(whose)
    copies, names = [], [whose]
    for i in range(COPIES):
        if i % 6 == 1:
            people.gpg("--quick-set-expire", erin, f"{i + 1}y")
        elif i % 6 == 3:
            people.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key", erin,
                       "cv25519", "encr")
        else:
            names.append(f"erin-{i}@example.net")
            people.gpg("--quick-add-uid", erin, f"<{names[-1]}>")
        # Each lacks what most of the others have.
        copies.append(files / f"erin-{i}.asc")
        copies[-1].write_bytes(people.gpg("--armor", "--export-filter",
                                          f"keep-uid=uid =~ {whose} || uid =~ {names[-1]}",
                                          "--export", erin))
    for i in range(COPIES):
        file = copies[i * 7 % COPIES]
        told = json.loads(keys("add", file, "--json"))
        tap.equal(told["failed"], 0, file)
        tap.equal(told["keys"][0]["kept"] == "added", i == 0, file)
    tap.equal([fingerprint for _, fingerprint in listed()], [erin.lower()], "one row")
    tap.equal(len(listing(people, whose)), 1 + len(names) + 1 + 5, "what there is to keep")
    union, other = (gnupg.Ring(home.folder / name) for name in ("union", "other"))
    kept = keys("export", erin.lower()).encode()
    for file in copies:
        union.take(file.read_bytes())
    other.take(kept)
    tap.equal(packets(kept), packets(union.export(whose)), "as large as what gpg makes of them")
    tap.equal(listing(other, whose), listing(people, whose), "it says what the owner's own does")
    again = json.loads(keys("add", *copies, "--json"))
    tap.equal((again["known"], again["changed"], again["added"]), (COPIES, 0, 0), "each once more")
    tap.equal(keys("export", erin.lower()).encode(), kept, "the row is as it was")
    # Nothing that an older copy lacks is lost by it.
    revoked = files / "erin-revoked.asc"
    revoked.write_bytes((people.path / "openpgp-revocs.d" / f"{erin}.rev").read_bytes()
                        .replace(b":-----BEGIN", b"-----BEGIN"))
    tap.equal(json.loads(keys("add", revoked, "--json"))["changed"], 1, "a revocation")
    keys("add", *copies)
    tap.equal(seals(whose), (False, 0), "it stays")


def packet(tag, body):
    """One with a long head (RFC 4880 4.2.2)."""
    return bytes([0xc0 | tag, 255]) + len(body).to_bytes(4, "big") + body


@tap.test("a revocation counts behind whatever else stands in its key")
def _():
    key = keyblocks.packets(people.export(ALICE, armor=False))
    revocation = people.gpg("--dearmor", stdin=REVOCATION.read_bytes())
    odd = {"a user id that is no UTF-8": packet(13, b"J\xfcrgen <j@example.net>"), "an empty user id": packet(13, b""),
           "a photograph": packet(17, b"\x06\x02\x10\x00\x01\x01" + bytes(12)), "a comment": packet(61, b"words")}
    for name, other in odd.items():
        whole = b"".join(octets for _, _, octets in key)
        for layout in (whole + other + revocation, key[0][2] + other + revocation):
            begin()
            keys("add", ALICE_FILE)
            tap.equal(seals(ALICE), (True, 0), "before")
            (files / "odd.pgp").write_bytes(layout)
            keys("add", files / "odd.pgp")
            tap.equal(seals(ALICE), (False, 0), name)


@tap.test("what gpg cannot read in a copy of a key shuts nobody out")
def _():
    key = keyblocks.packets(people.export(BOB, armor=False))
    signature = next(body for tag, body, _ in key if tag == 2)
    # A note of 10,500 octets, which the signature does not cover, so that gpg 2.2 gives all of the key up.
    at = 6 + int.from_bytes(signature[4:6], "big")
    area = int.from_bytes(signature[at:at + 2], "big")
    note = b"\xff" + (10501).to_bytes(4, "big") + b"\x14" + bytes(10500)
    long = (signature[:at] + (area + len(note)).to_bytes(2, "big") + signature[at + 2:at + 2 + area] + note +
            signature[at + 2 + area:])
    subkey = bytearray(next(body for tag, body, _ in key if tag == 14)[:5]) + b"\x01"
    large = bytes(subkey) + (20000).to_bytes(2, "big") + b"\x80" + bytes(2499) + b"\x00\x11\x01\x00\x01"
    for name, hostile in (("a signature that breaks off", packet(2, signature[:-20])),
                          ("a signature with a long note", packet(2, long)),
                          ("a number of 20,000 bits", packet(14, large))):
        begin()
        (files / "hostile.pgp").write_bytes(b"".join(octets for _, _, octets in key[:2]) + hostile +
                                            b"".join(octets for _, _, octets in key[2:]))
        keys("add", files / "bob.asc")
        keys("add", files / "hostile.pgp")
        tap.equal(seals(BOB), (True, 0), name)


@tap.test("one file of many kinds: what is good is added, and the rest is named")
def _():
    begin()
    mixed = files / "mixed"
    damaged = people.export(BOB)[:200] + b"!!!!" + people.export(BOB)[204:]
    mixed.write_bytes(b"keys:\n" + damaged + people.export_secret(ALICE) + people.export(BOB))
    result = home.run("sealctl", "keys", "add", mixed)
    tap.equal(result.status, 1, result.output)
    said = (result.output + result.errors).decode()
    tap.contains(said, "block 1")
    tap.contains(said, "private key")
    tap.true(seals(BOB)[0], "the good one serves")


@tap.test("private keys go into home")
def _():
    folder = home.folder / "gnupg"
    ring = gnupg.Ring(folder)
    begin(module_pgp={"home": folder})
    secret = files / "secret.asc"
    secret.write_bytes(people.export_secret(BOB))
    tap.contains(keys("add", "--server", secret), "private-keys-v1.d")
    tap.wait_for(lambda: not ring.has_agent(), "the agent that was started for it has ended")
    gnupg.run("gpg-connect-agent", "--homedir", folder, "/bye")
    keys("add", "--server", secret)
    tap.true(ring.has_agent(), "one that was there before goes on")
    tap.contains(ring.gpg("--list-secret-keys").decode(), BOB)
    begin()
    tap.contains(home.run("sealctl", "keys", "add", "--server", secret).errors.decode(), "home")


@tap.test("a key of version 6 is no key that serves, and none that is passed over")
def _():
    begin()
    file = files / "v6.pgp"
    file.write_bytes(V6)
    keys("add", file)
    tap.equal(seals("dora@example.net"), (False, 0), "on_unsupported=fallback")
    tap.contains(home.log_text(), "version 6", "the log names it")
    begin(policy={"formats": "pgp", "encrypt": "preferred", "on_unsupported": "refuse"})
    keys("add", file)
    sealed, status = seals("dora@example.net")
    tap.true(not sealed and status != 0, "on_unsupported=refuse")
    tap.equal(seals("nobody@example.net"), (False, 0), "others are not concerned")



@tap.test("the keys of home are listed and checked with the others; a ring that cannot be read hides none")
def _():
    folder = home.folder / "listed"
    ring = gnupg.Ring(folder)
    ring.gpg("--list-keys")
    begin(module_pgp={"home": folder})
    tap.equal(listed(), [], "a home without keys")
    carol, dave = "carol@example.org", "dave@example.org"
    for address in (dave, carol):
        ring.generate(f"<{address}>")
    ring.take(people.export(ALICE))
    ring.take(REVOCATION.read_bytes())
    bob = files / "bob.asc"
    bob.write_bytes(people.export(BOB))
    keys("add", bob)
    rows = json.loads(keys("list", "--json"))
    tap.true("not_listed" not in rows, rows)
    tap.equal({(row["origin"], row["fingerprint"]) for row in rows["keys"]},
              {("store", people.fingerprint(BOB).lower()), ("gnupg", people.fingerprint(ALICE).lower()),
               *(("gnupg", ring.fingerprint(address).lower()) for address in (carol, dave))})
    tap.equal(listed("--source", "gnupg", carol), [(carol, ring.fingerprint(carol).lower())])
    tap.equal(listed("--format", "smime"), [])
    tap.equal(listed("--source", "gnupg", "@example.org"), [], "none is given to a domain")
    # What is in home is judged as for a message, and taken out there.
    checked = json.loads(keys("check", "--json", status=1))
    tap.equal(checked["checked"], 4)
    tap.equal([row["fingerprint"] for row in checked["problems"] if row["problem"] == "revoked"],
              [people.fingerprint(ALICE).lower()], checked["problems"])
    tap.contains(keys("show", ring.fingerprint(dave)), "usable: yes")
    result = home.run("sealctl", "keys", "remove", ring.fingerprint(dave))
    tap.equal(result.status, 1, result.output)
    tap.contains(result.errors.decode(), "comes from key source gnupg")
    # Most of it is gone.
    (keybox := folder / "pubring.kbx").write_bytes(keybox.read_bytes()[:900])
    for words in (("list",), ("check",)):
        result = home.run("sealctl", "keys", *words, "--json")
        tap.equal((result.status, result.errors.count(b"key source gnupg: ")), (1, 1), (words, result.errors))
    tap.equal([row[0] for row in listed(status=1)], [BOB], "what another source has")
    tap.contains(keys("show", BOB), "origin: store")
    keys("pin", BOB, people.fingerprint(BOB))
    result = home.run("sealctl", "keys", "show", carol)
    tap.contains(result.errors.decode(), "no key \"carol@example.org\" was found, but key source gnupg: ")


tap.main()
