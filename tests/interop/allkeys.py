# SPDX-License-Identifier: GPL-2.0-or-later
"""To which of a recipient's keys a message is encrypted: people have several devices, and a key for
each; in both formats, read by openssl and gpg."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import gnupg
import home as homes
import mail
import tap

ALICE, BOB, CAROL, NOBODY = (f"{name}@example.org" for name in ("alice", "bob", "carol", "nobody"))
MESSAGE = (b"From: carol@example.org\nTo: alice@example.org\nSubject: s\n\nThe secret body.\n")
TO_BOTH = MESSAGE.replace(b"To: ", b"To: bob@example.org, ")
INNER = mail.inner_entity(MESSAGE)
MOST = 8
home = homes.Home("allkeys")
# The other keys of Alice's, as S/MIME and as OpenPGP have them: on a laptop and on a phone.
phone = home.authority.person(ALICE, "ec", name="alice-phone")
devices = {name: gnupg.Ring(home.folder / name) for name in ("laptop", "phone", "bob", "carol")}
for name, ring in devices.items():
    ring.generate(ALICE if name in ("laptop", "phone") else f"{name}@example.org")
everybody = gnupg.Ring(home.folder / "everybody")
folder = home.folder / "keys"


def configure(form, certs=(), rings=(), **policy):
    """The folder of keys has these and nothing else."""
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
    folder.mkdir(exist_ok=True)
    for index, person in enumerate(certs):
        (folder / f"{index}.pem").write_bytes(person.cert.read_bytes())
    for name in rings:
        (folder / f"{name}.asc").write_bytes(devices[name].export(
            ALICE if name in ("laptop", "phone") else f"{name}@example.org"))
    home.configure({"policy": {"formats": form, **policy}, "module keys-file": {"paths": folder},
                    "module pgp": {}})
    home.clear_log()


def logged_keys():
    return re.search(r" key=(\S*) ", home.log_text().splitlines()[-1])[1].split(",")


def opens(ring, output):
    return devices[ring].gpg("--decrypt", stdin=gnupg.armor(output), ok=False)


@tap.test("S/MIME: every certificate of a recipient's reads it, or the newest alone")
def _():
    configure("smime", [home.alice, phone, home.bob])
    output = home.sealed(MESSAGE, ALICE)
    for device in (home.alice, phone):
        tap.equal(mail.opened(output, device), INNER, device.key.name)
    tap.equal(mail.recipient_count(output), 2, "recipients")
    tap.equal(sorted(logged_keys()), sorted([home.alice.fingerprint(), phone.fingerprint()]), "log")
    output = home.sealed(TO_BOTH, ALICE, BOB)
    for device in (home.alice, phone, home.bob):
        tap.equal(mail.opened(output, device), INNER, device.key.name)
    tap.equal(logged_keys(), [home.bob.fingerprint()], "log of the other one")

    configure("smime", [home.alice, phone, home.bob], keys_per_recipient="newest")
    output = home.sealed(MESSAGE, ALICE)
    tap.equal((mail.recipient_count(output), len(logged_keys())), (1, 1), "the newest alone")


@tap.test("OpenPGP: every key of a recipient's reads it, or the newest alone; hidden ones as well")
def _():
    configure("pgp", rings=["laptop", "phone", "bob"])
    output = home.sealed(MESSAGE, ALICE)
    for ring in ("laptop", "phone"):
        tap.equal(opens(ring, output), INNER, ring)
    tap.equal(len(set(gnupg.key_ids(everybody, gnupg.armor(output)))), 2, "recipients")
    tap.equal(sorted(logged_keys()),
              sorted(devices[ring].fingerprint(ALICE).lower() for ring in ("laptop", "phone")), "log")
    # Bob is in no header: all of them are hidden.
    output = home.sealed(MESSAGE, ALICE, BOB)
    tap.equal(gnupg.key_ids(everybody, gnupg.armor(output)), [b"0" * 16] * 3, "hidden")
    for ring in ("laptop", "phone", "bob"):
        tap.equal(opens(ring, output), INNER, ring)

    configure("pgp", rings=["laptop", "phone", "bob"], keys_per_recipient="newest")
    output = home.sealed(MESSAGE, ALICE, BOB)
    tap.equal(gnupg.key_ids(everybody, gnupg.armor(output)), [b"0" * 16] * 2, "the newest alone")


@tap.test("a rule says it for some")
def _():
    configure("smime", [home.alice, phone])
    home.write_conf("60-rule.conf", "[rule one]\nmatch_recipient=alice@*\nkeys_per_recipient=newest\n")
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, ALICE)), 1, "by the rule")


@tap.test("a key that will not do hides none that will, and is none of those encrypted to")
def _():
    homes.certs.KINDS["signs"] = homes.certs.KINDS["ec"][0], "nonRepudiation"
    signs = home.authority.person(ALICE, "signs", name="alice-signs")
    for order in ([signs, home.alice, phone], [phone, home.alice, signs]):
        configure("smime", order)
        output = home.sealed(MESSAGE, ALICE)
        tap.equal(mail.recipient_count(output), 2, "recipients")
        tap.equal(mail.opened(output, phone), INNER)
    # Nor is it enough for one who has no other.
    configure("smime", [signs])
    tap.equal(home.seal(MESSAGE, "--", ALICE).triple(), (75, b"", b""))
    tap.contains(home.log_text(), "is not for encryption")


@tap.test("the author's copy is for all of his keys, and one certificate in two files is one")
def _():
    carols = [home.authority.person(CAROL, "ec", name=f"carol-{n}") for n in range(2)]
    configure("smime", [home.alice, home.alice, *carols])
    output = home.sealed(MESSAGE, ALICE)
    tap.equal(mail.recipient_count(output), 3, "recipients")
    for reader in (home.alice, *carols):
        tap.equal(mail.opened(output, reader), INNER, reader.key.name)
    tap.equal(logged_keys(), [home.alice.fingerprint()], "log")
    configure("smime", [home.alice, *carols], encrypt_to_sender="false")
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, ALICE)), 1, "without the author")


@tap.test("with detail: the keys for the address with it, or else those without")
def _():
    configure("smime", [home.alice, phone])
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, "alice+lists@example.org")), 2, "those without")
    detailed = home.authority.person("alice+lists@example.org", "ec")
    configure("smime", [home.alice, phone, detailed])
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, "alice+lists@example.org")), 1, "that with it alone")


@tap.test("nine keys: the newest eight")
def _():
    many = [home.authority.person(NOBODY, "ec", name=f"many-{n}") for n in range(MOST + 1)]
    configure("smime", many)
    home.write_conf("60-debug.conf", "[core]\nlog_level=debug\n")
    output = home.sealed(MESSAGE.replace(b"alice@", b"nobody@"), NOBODY)
    tap.equal((mail.recipient_count(output), len(logged_keys())), (MOST, MOST), "recipients")
    tap.contains(home.log_text(), "older than 8 usable ones")


@tap.test("OpenPGP: two keys with one subkey are encrypted to once, and both read it")
def _():
    at = ["--faked-system-time", "20260101T000000!", "--pinentry-mode", "loopback", "--passphrase", ""]
    ring = devices["shared"] = gnupg.Ring(home.folder / "shared")
    for _ in range(2):
        ring.gpg(*at, "--quick-gen-key", f"Dave {_} <dave@example.org>", "ed25519", "cert", "never")
    listing = ring.gpg("--with-colons", "-k").decode()
    first, second = re.findall(r"^fpr:+([0-9A-F]{40}):", listing, re.M)
    ring.gpg(*at, "--quick-add-key", first, "cv25519", "encr", "never")
    grip = re.findall(r"^grp:+([0-9A-F]{40}):",
                      ring.gpg("--with-colons", "--with-keygrip", "-k", first).decode(), re.M)[-1]
    gnupg.run("gpg", "--homedir", ring.path, "--no-tty", *at, "--expert", "--command-fd", 0,
              "--edit-key", second, stdin=f"addkey\n13\n{grip}\nQ\n0\nsave\n".encode())
    subkeys = re.findall(r"^sub:.*\n(?:fpr:+([0-9A-F]{40}):)",
                         ring.gpg("--with-colons", "-k").decode(), re.M)
    tap.true(len(subkeys) == 2 and subkeys[0] == subkeys[1], f"subkeys: {subkeys}")
    configure("pgp")
    (folder / "dave.asc").write_bytes(ring.export("dave@example.org"))
    output = home.sealed(MESSAGE.replace(b"alice@", b"dave@"), "dave@example.org")
    tap.equal(opens("shared", output), INNER)
    tap.equal(len(gnupg.key_ids(everybody, gnupg.armor(output))), 1, "recipients")
    tap.equal(sorted(logged_keys()), sorted([first.lower(), second.lower()]), "log")


tap.main()
