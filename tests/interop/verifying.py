# SPDX-License-Identifier: GPL-2.0-or-later
"""Which signatures that a message comes with satisfy sign=required: those of its author, over all of
it, made by openssl and gpg as strangers make them; and what becomes of the others."""

import base64
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import certs
import gnupg
import mail
import tap
from ways import ALICE, CAROL, Ways

DANA = "dana@example.net"
ways = Ways("verifying")
home = ways.home
dana = home.authority.person(DANA, "rsa")
ring = gnupg.Ring(home.folder / "dana")
ring.generate(DANA)
(home.certs / "dana.asc").write_bytes(ring.export(DANA))

TEXT = b"Content-Type: text/plain\r\n\r\nThe board has agreed.\r\n"
HEAD = (b"From: Dana <dana@example.net>\r\nTo: alice@example.org\r\nSubject: Agreed\r\n"
        b"MIME-Version: 1.0\r\n")
SMIME, PGP = b"application/pkcs7-signature", b"application/pgp-signature"


def cms(person, content, *words, detached=True):
    """SignedData in DER."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        return certs.openssl("cms", "-sign", "-binary", "-in", file.name, "-outform", "DER",
                             "-signer", person.cert, "-inkey", person.key,
                             *([] if detached else ["-nodetach"]), *(words or ["-md", "sha256"]))


def lines(der):
    return base64.encodebytes(der).replace(b"\n", b"\r\n")


def pair(kind, content, signature, micalg=b"sha-256", before=b"", after=b"", third=b"", head=HEAD):
    """multipart/signed (RFC 1847)."""
    coded = b"Content-Transfer-Encoding: base64\r\n" if kind == SMIME else b""
    return (head + b'Content-Type: multipart/signed; protocol="' + kind + b'"; micalg=' + micalg +
            b';\r\n boundary="sig"\r\n\r\n' + before + b"--sig\r\n" + content + b"\r\n--sig\r\n"
            b"Content-Type: " + kind + b"\r\n" + coded + b"\r\n" + signature + b"\r\n" + third +
            b"--sig--\r\n" + after)


def by_smime(person=dana, content=TEXT, *words, covers=None, **how):
    return pair(SMIME, content, lines(cms(person, covers or content, *words)), **how)


def opaque(content=TEXT, *words):
    return (HEAD + b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" +
            lines(cms(dana, content, *words, detached=False)))


def by_pgp(signer=ring, content=TEXT, *words, covers=None, **how):
    signature = signer.gpg("--armor", "--detach-sign", "--digest-algo", "SHA256", *words,
                           stdin=covers or content)
    how.setdefault("micalg", b"pgp-sha256")
    return pair(PGP, content, signature.replace(b"\n", b"\r\n"), **how)


def kept(message, what):
    """It leaves as it came, since it satisfies sign=required, whoever gave it to us."""
    for form in (message, message.replace(b"\r\n", b"\n")):
        home.clear_log()
        tap.equal(ways.leaves(form, sender=DANA, submission="no"), form, what)
        tap.contains(home.log_text(), " result=signed ", what)
        tap.contains(home.log_text(), "it came signed by its author", what)


def refused(message, why):
    """It can only be signed here, and nobody has proved to be Dana."""
    ways.stays(message, why, sender=DANA, submission="no")
    tap.contains(home.log_text(), " result=refused ", why)


def configured(form="smime", **policy):
    ways.configure(f"{form}-sign", {"keyring": {"sources": "file"}}, **policy)


@tap.test("the author's signature of the whole is kept")
def _():
    for form in ("smime", "pgp"):
        configured(form)
        kept(by_smime(), "detached")
        kept(opaque(), "opaque")
        kept(by_pgp(), "PGP/MIME")
        kept(by_smime(before=b"This is a cryptographically signed message in MIME format.\r\n\r\n"),
             "with the sentence that mail programs write")
        kept(by_pgp(before=b"This is an OpenPGP/MIME signed message (RFC 4880 and 3156)\r\n"), "same")
        kept(by_smime(micalg=b"md5"), "micalg is no part of a signature")
        kept(by_pgp(micalg=b"pgp-md5"), "micalg is no part of a signature")
    # Of an address without its detail; never the other way round.
    plus = HEAD.replace(b"dana@", b"dana+board@")
    kept(by_smime(head=plus), "detail")
    kept(by_pgp(head=plus), "detail")


@tap.test("a signature of somebody else does not count")
def _():
    configured()
    refused(by_smime(home.alice), "whose key is not for dana@example.net")
    stranger = certs.Authority(home.folder / "stranger", "Stranger")
    refused(by_smime(stranger.person(DANA)), "no valid chain to a trust anchor")
    unknown = gnupg.Ring(home.folder / "unknown")
    unknown.generate(DANA)
    refused(by_pgp(unknown), "no OpenPGP key of the author is known here")
    # Known, but as another's.
    other = gnupg.Ring(home.folder / "other")
    other.generate("erin@example.net")
    (home.certs / "erin.asc").write_bytes(other.export("erin@example.net"))
    refused(by_pgp(other), "no OpenPGP key of the author is known here")
    # Another author.
    both = HEAD.replace(b"<dana@example.net>", b"<dana@example.net>, carol@example.org")
    refused(by_smime(head=both), "From does not name one author")


@tap.test("a signature of something else does not count")
def _():
    configured()
    changed = TEXT.replace(b"agreed", b"refused")
    refused(by_smime(content=changed, covers=TEXT), "was changed, or it was made for something else")
    refused(by_pgp(content=changed, covers=TEXT), "was changed, or it was made for something else")
    for make in (by_smime, by_pgp):
        refused(make(before=b"Pay to the account below.\r\n"), "text stands before, between or after")
        refused(make(after=b"\r\nPay to the account below.\r\n"), "text stands before")
        third = b"--sig\r\nContent-Type: text/plain\r\n\r\nPay.\r\n"
        refused(make(third=third), "--submission")
        # Within something else.
        inner = make()[len(HEAD):]
        refused(HEAD + b'Content-Type: multipart/mixed; boundary="out"\r\n\r\n--out\r\n' + inner +
                b"\r\n--out\r\n\r\nPay.\r\n--out--\r\n", "--submission")
        twice = make(head=HEAD + b"Content-Type: text/plain\r\n")
        refused(twice, "--submission")
    refused(pair(SMIME, TEXT, lines(cms(dana, TEXT, detached=False))), "--submission")


@tap.test("a signature that can be forged, or of a key that is over, does not count")
def _():
    configured()
    refused(by_smime(dana, TEXT, "-md", "sha1"), "its hash can be forged")
    refused(by_smime(dana, TEXT, "-md", "md5"), "its hash can be forged")
    refused(opaque(TEXT, "-md", "sha1"), "its hash can be forged")
    refused(by_smime(dana, TEXT, "-md", "sha256", "-noattr"), "what kind of content it signs")
    refused(by_pgp(ring, TEXT, "--digest-algo", "SHA1"), "its hash can be forged")
    refused(opaque(TEXT * 80000), "it is larger than 4194304 octets")
    kept(by_smime(content=b"Content-Type: text/plain\r\n\r\n" + b"long\r\n" * 800000), "3 MiB detached")
    # min_trust holds for the author's keys as well.
    configured(min_trust="manual")
    refused(by_pgp(), "trusted as verified only")
    refused(by_smime(), "trusted as verified only")
    # Expired and revoked.
    over = home.authority.leaf("over", DANA, "digitalSignature", "20200101000000Z", "20210101000000Z",
                               key=dana.key)
    configured()
    refused(by_smime(over), "expired on ")
    gone = gnupg.Ring(home.folder / "gone")
    gone.generate("gone@example.net")
    message = by_pgp(gone, head=HEAD.replace(b"dana@", b"gone@"))
    (home.certs / "gone.asc").write_bytes(gone.export("gone@example.net"))
    configured()
    kept(message, "before")
    certificate = (gone.path / "openpgp-revocs.d").glob("*.rev")
    gone.take(next(certificate).read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
    (home.certs / "gone.asc").write_bytes(gone.export("gone@example.net"))
    refused(message, "revoked")


@tap.test("what does not count is signed here, around what came")
def _():
    for form in ("smime", "pgp"):
        ways.configure(f"{form}-sign")
        bogus = by_pgp(content=TEXT.replace(b"agreed", b"refused"), covers=TEXT,
                       head=HEAD.replace(b"Dana <dana@example.net>", CAROL.encode()))
        inner = ways.inner(f"{form}-sign", ways.leaves(bogus))
        tap.equal(inner, bogus[bogus.index(b"Content-Type: multipart/signed"):], "what is signed")
        tap.contains(home.log_text(), "the signature that it came with does not count: ", "log")
        # sign=preferred judges nothing.
        ways.configure(f"{form}-sign", sign="preferred")
        tap.equal(ways.leaves(bogus), bogus, "sign=preferred")


@tap.test("a signature that was kept is encrypted with what it signs")
def _():
    ways.configure("smime-both")
    message = by_smime()
    inner = mail.opened(ways.leaves(message, sender=DANA, submission="no"), home.alice)
    tap.equal(inner, message[message.index(b"Content-Type: multipart/signed"):], "inside")


@tap.test("the header outside is covered by no signature")
def _():
    configured()
    kept(by_smime(head=HEAD.replace(b"Agreed", b"The other thing")), "another Subject")


@tap.test("sealpipe-check leaves to the message what only the message can tell")
def _():
    configured()
    for message in (by_smime(), opaque(), by_pgp()):
        header = message.partition(b"\r\n\r\n")[0]
        result = home.check("-f", DANA, "-H", header, "--submission=no", "--", ALICE)
        tap.equal(result.status, 0, result.output)


tap.main()
