# SPDX-License-Identifier: GPL-2.0-or-later
"""What leaves the installed sealpipe, read by Mozilla's cryptography: by the system's NSS, and where
SEALPIPE_THUNDERBIRD is set by the NSS and the RNP that Debian's thunderbird has."""

import base64
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import gnupg
import mail
import mozilla
import signed
import tap
from ways import ALICE, BOB, CAROL, Ways

ways = Ways("mozilla")
home = ways.home
PLAIN = (b"From: carol@example.org\nTo: alice@example.org\nSubject: s\nMIME-Version: 1.0\n"
         b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
         b"the secret words: Gr\xc3\xbc\xc3\x9fe \n.\nFrom here on\n")
INNER = mail.crlf(mail.inner_entity(PLAIN))
# The first that was seen to open what is encrypted by OAEP, or to keys on elliptic curves.
KNOWS_MORE = (3, 110)

libraries = mozilla.thunderbird() if os.environ.get("SEALPIPE_THUNDERBIRD") else None
curve = home.enrol("p384@example.org", "ec384")
READERS = {"NSS": mozilla.Nss(home.folder / "nss", home.authority.cert)}
if libraries:
    READERS["Thunderbird's NSS"] = mozilla.Nss(home.folder / "tb", home.authority.cert, libraries)
for nss in READERS.values():
    for person in (home.alice, home.bob, curve):
        nss.take(person)


def sealed(way, address, changes=None, **policy):
    ways.configure(way, changes, **policy)
    return ways.leaves(PLAIN, address)


def der(message):
    return base64.b64decode(mail.Message(message).body)


def detached(message):
    """(what is signed, the signature)"""
    content, signature = signed.two_parts(message, b"application/pkcs7-signature")
    return content, base64.b64decode(signature.body)


def signs_with(kind):
    """Carol's key is of that kind from now on."""
    ways.give_server_key(ways.home.authority.person(CAROL, kind))


def readers(*least):
    for name, nss in READERS.items():
        if nss.version >= least:
            yield name, nss
        else:
            tap.note(f"{name} {nss.version} is too old for this")


def same_words(octets):
    """Signed in clear it is another encoding of the same."""
    tap.contains(octets, b"the secret words: Gr", "what is signed")


@tap.test("encrypted to RSA, by PKCS#1 and by OAEP")
def _():
    for settings, least in (({}, ()), ({"rsa": "oaep"}, KNOWS_MORE),
                            ({"rsa": "pkcs1", "cipher": "aes-128-cbc"}, ())):
        output = sealed("smime-encrypt", ALICE, {"module smime": settings})
        for name, nss in readers(*least):
            tap.equal(nss.opened(der(output)), INNER, f"{name} {settings}")


@tap.test("encrypted to keys on P-256 and P-384")
def _():
    for person in (home.bob, curve):
        output = sealed("smime-encrypt", person.address)
        for name, nss in readers(*KNOWS_MORE):
            tap.equal(nss.opened(der(output)), INNER, name)


@tap.test("signed by RSA, by PSS with the same key, and by keys on P-256 and P-384")
def _():
    for kind, settings in (("rsa", {}), ("rsa", {"rsa_signature": "pss"}), ("ec", {}),
                           ("ec384", {})):
        signs_with(kind)
        for form in ("detached", "opaque"):
            output = sealed("smime-sign", ALICE, {"module smime": settings,
                                                  "module sign": {"signature": form}})
            content, signature = detached(output) if form == "detached" else (None, der(output))
            for name, nss in readers():
                covered = nss.verified(signature, content)
                tap.equal(b"multipart/signed" in output, form == "detached")
                same_words(covered)
                if content:
                    try:
                        nss.verified(signature, content.replace(b"secret", b"secreT"))
                    except AssertionError:
                        continue
                    raise AssertionError(f"{name} {kind}: another content passes")


@tap.test("signed and encrypted")
def _():
    signs_with("rsa")
    output = sealed("smime-both", ALICE)
    for name, nss in readers():
        inner = nss.opened(der(output))
        content, signature = detached(inner)
        same_words(nss.verified(signature, content))


@tap.test("what Thunderbird does not read draws a warning")
def _():
    def is_read(judge, *what):
        try:
            judge(*what)
        except AssertionError:
            return False
        return True

    output = sealed("smime-encrypt", ALICE, {"module smime": {"cipher": "aes-256-gcm"}})
    tap.contains(home.log_text(), "Thunderbird")
    tap.contains(home.run("sealctl", "status").output, b"Thunderbird")
    found = {f"{name}: AES-GCM": is_read(nss.opened, der(output)) for name, nss in readers()}
    signs_with("rsa-pss")
    output = sealed("smime-sign", ALICE)
    tap.contains(home.log_text(), "is for RSA-PSS alone")
    tap.contains(home.run("sealctl", "status").output, b"is for RSA-PSS alone")
    content, signature = detached(output)
    found |= {f"{name}: a key of RSA-PSS": is_read(nss.verified, signature, content)
              for name, nss in readers()}
    signs_with("rsa")
    for what, read in found.items():
        if read:
            tap.note(f"{what} is read now: the warning can go (modules/smime/readers.c)")


def openpgp():
    rnp = mozilla.Rnp(home.folder / "rnp", libraries)
    people = gnupg.Ring(home.folder / "people")
    kinds = {"rsa": people.generate_rsa, "dsa": people.generate_dsa, "nist": people.generate_nist,
             "cv25519": people.generate}
    for kind, generate in kinds.items():
        address = f"{kind}@example.org"
        generate(address)
        (home.certs / f"{address}.asc").write_bytes(people.export(address))
        rnp.take(people.export_secret(address))
    for kind in kinds:
        address = f"{kind}@example.org"
        content, _ = rnp.opened(gnupg.armor(sealed("pgp-encrypt", address)))
        tap.equal(mail.crlf(content), INNER, kind)
        ways.ring.take(people.export_secret(address))
        by_him = PLAIN.replace(CAROL.encode(), address.encode())
        changes = {"module pgp": {"home": people.path}}
        for way in ("pgp-sign", "pgp-both"):
            ways.configure(way, changes)
            output = ways.leaves(by_him, address, sender=address)
            if way == "pgp-sign":
                content, part = signed.two_parts(output, b"application/pgp-signature")
                tap.contains(rnp.verified(content, part.body), "Good signature")
            else:
                content, told = rnp.opened(gnupg.armor(output))
                tap.contains(told, "Good signature")
            same_words(content)


if libraries:
    tap.test("OpenPGP to the four kinds of key, signed by each: Thunderbird's RNP")(openpgp)

tap.main()
