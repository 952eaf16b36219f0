# SPDX-License-Identifier: GPL-2.0-or-later
"""The openssl command as a judge of certificates: which ones a folder holds."""

import base64
import binascii
import concurrent.futures
import email
import hashlib
import os
import re
import subprocess
import tempfile

# Of the archives' authors; empty comes first.
PASSWORDS = ("", "nss", "bob")
PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
CERTIFICATE = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
BUNDLE = (b"PKCS7", b"CMS")


def openssl(*args, data=b""):
    """(exit status, what it wrote, what it complained of)."""
    # What the machine's configuration says must not change what is found.
    result = subprocess.run(["openssl", *map(str, args)], input=data, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=60,
                            env={**os.environ, "OPENSSL_CONF": os.devnull, "LC_ALL": "C"})
    return result.returncode, result.stdout, result.stderr.decode(errors="replace")


def version():
    """Of openssl, as numbers."""
    return tuple(map(int, openssl("version")[1].split()[1].split(b".")[:2]))


def _certificate(data, form):
    status, der, _ = openssl("x509", "-inform", form, "-outform", "DER", data=data)
    return der if status == 0 else None


def _blocks(data):
    return [_certificate(block.group(0), "PEM") for block in PEM.finditer(data)
            if block.group(1) in CERTIFICATE]


def _inside(data, form):
    """Certificates of a PKCS#7 or CMS structure; None where it is none."""
    with tempfile.NamedTemporaryFile() as out:
        status, _, _ = openssl("cms", "-cmsout", "-noout", "-inform", form,
                               "-certsout", out.name, data=data)
        return _blocks(out.read()) if status == 0 else None


def _archive(data):
    for password in PASSWORDS:
        status, pem, _ = openssl("pkcs12", "-legacy", "-nokeys", "-passin", f"pass:{password}",
                                 data=data)
        if status == 0:
            return _blocks(pem)
    return []


def _mail(data):
    found = []
    for part in email.message_from_bytes(data).walk():
        if "pkcs7" in part.get_content_type() and not part.is_multipart():
            payload = part.get_payload(decode=True) or b""
            found += _inside(payload, "DER") or []
    return found


class Found:
    """What a file holds: @certificates, DER by SHA-256; @unread, SHA-256 of the octets that
    should be one and that openssl cannot read; @plain, whether they lie open in it."""

    def __init__(self):
        self.certificates, self.unread, self.plain = {}, set(), True

    def add(self, ders):
        self.certificates.update({hashlib.sha256(der).hexdigest(): der for der in ders if der})
        return bool(ders)


def _look_for_pem(found, data):
    for block in PEM.finditer(data):
        if block.group(1) in BUNDLE:
            found.add(_inside(block.group(0), "PEM") or [])
        elif block.group(1) == b"PKCS12":
            found.plain = False
            found.add(_archive(_octets(block.group(2))))
        elif block.group(1) in CERTIFICATE:
            der = _certificate(block.group(0), "PEM")
            found.add([der])
            if not der:
                found.unread.add(hashlib.sha256(_octets(block.group(2))).hexdigest())


def _octets(text):
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return text


def look(path):
    """What openssl finds in one file."""
    data, found = path.read_bytes(), Found()
    if PEM.search(data):
        _look_for_pem(found, data)
    elif data[:1] == b"0":
        one = _certificate(data, "DER")
        bundle = None if one else _inside(data, "DER")
        if not found.add([one] if one else bundle or []):
            found.plain = False
            found.add(_archive(data))
    else:
        found.plain = False
        found.add(_mail(data))
    return found


def look_through(folder):
    """{file, as named in the folder: what it holds} of those that hold something."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        results = dict(zip((str(path.relative_to(folder)) for path in paths),
                           pool.map(look, paths)))
    return {name: found for name, found in results.items() if found.certificates or found.unread}
