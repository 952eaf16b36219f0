# SPDX-License-Identifier: GPL-2.0-or-later
"""archive_to: its key is among those of all that is sealed, in both formats, and of each delivery;
without it nothing is sealed, and nothing leaves in clear for that."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import gnupg
import home as homes
import mail
import tap

ALICE, BOB, NOBODY, ARCHIVE = (f"{n}@example.org" for n in ("alice", "bob", "nobody", "archive"))
OTHER = "vault@example.net"
CAROL = "carol@example.org"
MESSAGE = b"From: carol@example.org\nTo: alice@example.org\nSubject: s\n\nThe secret body.\n"
TO_BOTH = MESSAGE.replace(b"To: ", b"To: bob@example.org, ")
INNER = mail.inner_entity(MESSAGE)
home = homes.Home("archive")
archive, other = home.authority.person(ARCHIVE, "rsa"), home.authority.person(OTHER, "ec")
people, vault = gnupg.Ring(home.folder / "people"), gnupg.Ring(home.folder / "vault")
for address in (ALICE, BOB):
    people.generate(address)
vault.generate(ARCHIVE)
folder = home.folder / "keys"
folder.mkdir()


def configure(form, certs=(home.alice, home.bob, archive, other), rings=((people, ALICE), (people, BOB), (vault, ARCHIVE)),
              rules="", **policy):
    for path in folder.iterdir():
        path.unlink()
    for index, person in enumerate(certs):
        (folder / f"{index}.pem").write_bytes(person.cert.read_bytes())
    for ring, address in rings:
        (folder / f"{address}.asc").write_bytes(ring.export(address))
    home.configure({"policy": {"formats": form, "archive_to": ARCHIVE, **policy},
                    "module keys-file": {"paths": folder}, "module pgp": {}})
    home.write_conf("60-rules.conf", rules)
    home.clear_log()


def waits(message, *recipients, why):
    """Nothing leaves, the check says so beforehand, and both say why."""
    home.clear_log()
    tap.equal(home.seal(message, "-f", CAROL, "--", *recipients).triple(), (75, b"", b""), why)
    tap.contains(home.log_text(), "result=deferred")
    tap.contains(home.log_text(), why)
    for recipient in recipients:
        check = home.check("-f", CAROL, "--", recipient)
        tap.equal(check.status, 75, f"check {recipient}: {check.output}")
        tap.contains(check.output.decode(), why[:100])
    status = home.run("sealctl", "status")
    tap.equal(status.status, 1, "status")
    tap.contains(status.output.decode(), why[:100])


@tap.test("S/MIME: the archive reads all that is sealed, and the log names its key")
def _():
    configure("smime")
    output = home.sealed(MESSAGE, ALICE)
    for reader in (home.alice, archive):
        tap.equal(mail.opened(output, reader), INNER, reader.address)
    tap.equal(mail.recipient_count(output), 2, "recipients")
    tap.contains(home.log_text(),
                 f"encrypted as well to archive_to={ARCHIVE}, key {archive.fingerprint()}")
    tap.contains(home.log_text(), f" key={home.alice.fingerprint()} ")
    output = home.sealed(TO_BOTH, ALICE, BOB)
    for reader in (home.alice, home.bob, archive):
        tap.equal(mail.opened(output, reader), INNER, reader.address)
    # Its own mail is encrypted to it once.
    tap.equal(mail.recipient_count(home.sealed(MESSAGE.replace(b"alice@", b"archive@"), ARCHIVE)), 1, "its own mail")
    check = home.check("-f", CAROL, "--", ALICE)
    tap.equal((check.status, check.output.decode()),
              (0, f"sealed: a usable key is there; encrypted as well to archive_to={ARCHIVE}"))
    status = home.run("sealctl", "status")
    tap.equal(status.status, 0, status.output.decode())
    tap.contains(status.output.decode(), f"check: archive_to\naddress: {ARCHIVE}\nformat: smime\nready: yes\n")


@tap.test("OpenPGP: likewise, and hidden where the recipients are")
def _():
    configure("pgp")
    block = gnupg.armor(home.sealed(MESSAGE, ALICE))
    for ring in (people, vault):
        tap.equal(ring.gpg("--decrypt", stdin=block, ok=False), INNER, ring.path.name)
    tap.equal(len(set(gnupg.key_ids(people, block))), 2, "recipients")
    tap.contains(home.log_text(), f"key {vault.fingerprint(ARCHIVE).lower()}")
    block = gnupg.armor(home.sealed(MESSAGE, ALICE, BOB))
    tap.equal(gnupg.key_ids(people, block), [b"0" * 16] * 3, "hidden")
    tap.equal(vault.gpg("--decrypt", stdin=block, ok=False), INNER, "the archive")


@tap.test("sealpipe-pipe: the archive is in each delivery, a Bcc's too")
def _():
    configure("smime", rules="[rule bob]\nmatch_recipient=bob@example.org\narchive_to=vault@example.net\n")
    box = home.folder / "sent"
    box.mkdir(exist_ok=True)
    sendmail = home.folder / "sendmail"
    sendmail.write_text(f"#!/bin/sh\nexec cat >$(mktemp {box}/XXXXXX)\n")
    sendmail.chmod(0o755)
    # Alice and Bob are named together and archived apart; the archive itself is a Bcc.
    result = home.run("sealpipe-pipe", "-f", CAROL, "--sendmail", sendmail, "--", ALICE, BOB, ARCHIVE,
                      stdin=TO_BOTH)
    tap.equal(result.status, 0, home.log_text()[-800:])
    sent = [path.read_bytes() for path in box.iterdir()]
    tap.equal(len(sent), 3, "deliveries")
    readers = {"alice": home.alice, "bob": home.bob, "archive": archive, "vault": other}
    tap.equal(sorted(sorted(n for n, reader in readers.items() if opens(output, reader)) for output in sent),
              [["alice", "archive"], ["archive"], ["bob", "vault"]], "who reads which")


def opens(output, reader):
    try:
        return mail.opened(output, reader) == INNER
    except AssertionError:
        return False


@tap.test("one output: every archive that one of the recipients' policies names")
def _():
    configure("smime", rules="[rule bob]\nmatch_recipient=bob@example.org\narchive_to=vault@example.net\n")
    output = home.sealed(TO_BOTH, ALICE, BOB)
    tap.equal([opens(output, r) for r in (home.alice, home.bob, archive, other)], [True] * 4)
    for address in (ARCHIVE, OTHER):
        tap.contains(home.log_text(), f"archive_to={address}")


@tap.test("a rule without an archive, and one with; what may be either is archived")
def _():
    configure("smime", rules="[rule private]\nmatch_recipient=alice@*\narchive_to=\n")
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, ALICE)), 1, "without")
    tap.equal(mail.recipient_count(home.sealed(MESSAGE.replace(b"alice@", b"bob@"), BOB)), 2, "as [policy] says")
    configure("smime", archive_to="", rules="[rule x]\nmatch_header=X-Keep: yes\narchive_to=archive@example.org\n")
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, ALICE)), 1, "by default none")
    tap.equal(mail.recipient_count(home.sealed(b"X-Keep: yes\n" + MESSAGE, ALICE)), 2, "by the rule")
    tap.equal(mail.recipient_count(home.sealed(b"X-Keep: yes\nX-Keep: no\n" + MESSAGE, ALICE)), 2, "either")
    configure("smime", rules="[rule x]\nmatch_header=X-Private: yes\narchive_to=\n")
    tap.equal(mail.recipient_count(home.sealed(b"X-Private: yes\n" + MESSAGE, ALICE)), 1, "by the rule")
    tap.equal(mail.recipient_count(home.sealed(b"X-Private: yes\nX-Private: no\n" + MESSAGE, ALICE)), 2, "either")


@tap.test("without a usable key of the archive nothing is sealed, and nothing in clear leaves for that")
def _():
    homes.certs.KINDS["signs"] = homes.certs.KINDS["ec"][0], "nonRepudiation"
    useless = home.authority.person(ARCHIVE, "signs", name="archive-signs")
    missing = f"archive_to={ARCHIVE} has no usable key"
    for policy in ({}, {"encrypt": "preferred"}, {"fallback": "allow"}, {"fallback": "report"}):
        configure("smime", [home.alice, home.bob], **policy)
        waits(MESSAGE, ALICE, why=missing)
        tap.contains(home.log_text(), f"no smime key for {ARCHIVE}")
        waits(TO_BOTH, ALICE, BOB, why=missing)
    configure("smime", [home.alice, home.bob, useless])
    waits(MESSAGE, ALICE, why=missing)
    tap.contains(home.log_text(), "is not for encryption")
    # Nor is a key in another format any use.
    configure("smime;pgp", [home.alice])
    waits(MESSAGE, ALICE, why=f"nothing is sealed in smime as long as {missing}")
    configure("smime;pgp", [archive], [(people, ALICE)])
    waits(MESSAGE, ALICE, why=f"nothing is sealed in pgp as long as {missing}")


@tap.test("what is not sealed does not need the archive's key")
def _():
    configure("smime", [home.alice], encrypt="preferred")
    message = MESSAGE.replace(b"alice@", b"nobody@")
    tap.equal(home.sealed(message, NOBODY), message, "in clear by policy")
    configure("smime", [home.alice])
    tap.equal(home.check("-f", CAROL, "--", NOBODY).status, 69, "no key is no key")


@tap.test("a key that suffices for a recipient is not enough: the archive's is verified")
def _():
    # By an anchor it is, wherever it is; nobody vouches for what is in a ring.
    for form, trust, status in (("pgp", "unverified", 75), ("pgp", "discovered", 75), ("pgp", "verified", 0),
                                ("pgp", "manual", 0), ("smime", "unverified", 0)):
        configure(form, min_trust="unverified")
        home.write_conf("60-rules.conf", f"[module keys-file]\ntrust={trust}\n")
        result = home.seal(MESSAGE, "-f", CAROL, "--", ALICE)
        tap.equal(result.status, status, f"{form}, {trust}: {home.log_text()[-500:]}")
    configure("smime", archive_to="", min_trust="unverified")
    home.write_conf("60-rules.conf", "[module keys-file]\ntrust=unverified\n")
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, ALICE)), 1, "without an archive")


@tap.test("the archive's key may name somebody else: given to it, or of its whole domain")
def _():
    if not homes.has_module("keys-store"):
        raise tap.Skip("there is no module keys-store")
    for address, given in ((ARCHIVE, ARCHIVE), ("vault@example.com", "@example.com")):
        configure("smime", certs=(home.alice,), rings=(), archive_to=address)
        home.write_conf("70-store.conf", "[module keys-store]\n")
        added = home.run("sealctl", "keys", "add", "--address", given, other.cert)
        tap.equal(added.status, 0, added.errors.decode())
        output = home.sealed(MESSAGE, ALICE)
        tap.equal([opens(output, r) for r in (home.alice, other)], [True] * 2, address)
        tap.equal(home.check("-f", CAROL, "--", ALICE).status, 0, "check")
        tap.equal(home.run("sealctl", "keys", "remove", other.fingerprint()).status, 0, "remove")


@tap.test("what came encrypted passes as it came, and the log says that the archive has no part in it")
def _():
    configure("smime", archive_to="")
    came = home.sealed(MESSAGE, ALICE)
    configure("smime")
    tap.equal(home.sealed(came, ALICE), came, "passed")
    tap.contains(home.log_text(), f"it came encrypted: archive_to={ARCHIVE} is not added")
    configure("smime", already_sealed="wrap")
    output = home.sealed(came, ALICE)
    tap.equal(mail.opened(output, archive), mail.inner_entity(came), "the archive reads the outside")
    configure("smime", already_sealed="refuse")
    tap.equal(home.seal(came, "-f", CAROL, "--", ALICE).status, 75, "refused")


@tap.test("docs/privacy.md: its configuration does what the page says")
def _():
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs/privacy.md").read_text()
    setting, rule = re.findall(r"^```ini\n(.*?)^```$", page, re.M | re.S)
    doctor = home.authority.person("doctor@clinic.example", "ec")
    configure("smime", [home.alice, archive, doctor], archive_to="")
    home.write_conf("60-archive.conf", setting)
    home.write_conf("60-rules.conf", rule)
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, ALICE)), 2, "the setting")
    tap.equal(mail.recipient_count(home.sealed(MESSAGE, doctor.address)), 1, "the rule")


@tap.test("what is no address is an error in the configuration")
def _():
    configure("smime", archive_to="nowhere")
    tap.equal(home.seal(MESSAGE, "--", ALICE).triple(), (75, b"", b""))
    status = home.run("sealctl", "status")
    tap.contains(status.errors.decode(), "[policy] archive_to: ")


tap.main()
