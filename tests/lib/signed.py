# SPDX-License-Identifier: GPL-2.0-or-later
"""What openssl and gpg say of signatures; messages are taken apart by RFC 1847 alone."""

import base64
import re
import subprocess
import tempfile

import certs
import gnupg
import mail


def two_parts(octets, protocol):
    """What is signed, in CRLF, and the signature's part."""
    message = mail.Message(octets)
    kind = message.all("Content-Type")[0]
    if not kind.startswith(b"multipart/signed") or protocol not in kind:
        raise AssertionError(f"not {protocol}: {kind}")
    boundary = re.search(rb'boundary="([^"]+)"', kind)[1]
    body = mail.crlf(message.body)
    parts = re.split(rb"\r\n--" + re.escape(boundary) + rb"(?:--)?[ \t]*\r\n", b"\r\n" + body)
    if len(parts) != 4 or parts[0] or parts[3].strip():
        raise AssertionError("not two parts")
    for octet in parts[1]:
        if octet >= 0x80 or octet == 0:
            raise AssertionError("not 7bit")
    return parts[1], mail.Message(parts[2])


def _cms(der, anchors, *words):
    with tempfile.NamedTemporaryFile() as file:
        file.write(der)
        file.flush()
        return certs.openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", file.name,
                             "-CAfile", anchors, *words)


def by_smime(octets, anchors, *words):
    """What an S/MIME signature of either form covers, once openssl finds it valid."""
    if b"smime-type=signed-data" in mail.Message(octets).header:
        return _cms(base64.b64decode(mail.Message(octets).body), anchors, *words)
    signed, signature = two_parts(octets, b"application/pkcs7-signature")
    with tempfile.NamedTemporaryFile() as content:
        content.write(signed)
        content.flush()
        _cms(base64.b64decode(signature.body), anchors, "-content", content.name, *words)
    return signed


def opened(status):
    """Did gpg open it, and find nothing wrong? 2.4 fails all the same where one of several hidden
    recipients is a key that it has and that is not meant."""
    return b"[GNUPG:] DECRYPTION_OKAY\n" in status and \
        not re.search(rb"^\[GNUPG:\] (BADSIG|ERRSIG|BADMDC|DECRYPTION_FAILED)", status, re.M)


def gpg(ring, *words, **how):
    result = subprocess.run(["gpg", "--homedir", ring.path, "--batch", "--status-fd", "2", *words],
                            capture_output=True, timeout=60, env=gnupg.CLEAN, **how)
    if result.returncode != 0 and not opened(result.stderr):
        raise AssertionError(f"gpg: {result.stderr.decode(errors='replace')[-600:]}")
    return result


def signer(status):
    """The fingerprint of the primary key whose one signature gpg found good."""
    good = re.findall(rb"^\[GNUPG:\] GOODSIG ", status, re.M)
    valid = re.findall(rb"^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40})$", status, re.M)
    if len(good) != 1 or len(valid) != 1:
        raise AssertionError(f"not one good signature: {status.decode(errors='replace')[-600:]}")
    return valid[0].decode()


def by_pgp(octets, ring):
    """What a PGP/MIME signature covers, and who signed, once gpg finds it valid."""
    signed, signature = two_parts(octets, b"application/pgp-signature")
    with tempfile.NamedTemporaryFile() as content, tempfile.NamedTemporaryFile() as asc:
        for file, data in ((content, signed), (asc, signature.body)):
            file.write(data)
            file.flush()
        return signed, signer(gpg(ring, "--verify", asc.name, content.name).stderr)
