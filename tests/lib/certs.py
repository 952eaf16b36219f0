# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for tests, made with the openssl command."""

import pathlib
import re
import subprocess

CONFIG = """
[req]
distinguished_name = name
string_mask = utf8only
[name]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature,{usage}
extendedKeyUsage = emailProtection
subjectAltName = @names
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[names]
{name}
"""

DATED = """
[req]
distinguished_name = name
[name]
[ca]
default_ca = this
[this]
database = {folder}/index
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
email_in_dn = yes
unique_subject = no
[any]
commonName = supplied
emailAddress = optional
[leaf]
basicConstraints = critical,CA:false
keyUsage = critical,{usage}
extendedKeyUsage = emailProtection
{names}"""

UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9"
KINDS = {
    "rsa": (["-newkey", "rsa:2048"], "keyEncipherment"),
    "ec": (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "keyAgreement"),
    "ec384": (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "keyAgreement"),
    "rsa-pss": (["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"], "nonRepudiation"),
}


def openssl(*args, **how):
    """What the command writes; its complaint is the error's text."""
    result = subprocess.run(["openssl", *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=60, **how)
    if result.returncode != 0:
        raise AssertionError(f"openssl {args[0]}: {result.stderr.decode(errors='replace')}")
    return result.stdout


class Person:
    def __init__(self, address, cert, key):
        self.address, self.cert, self.key = address, pathlib.Path(cert), pathlib.Path(key)

    def fingerprint(self):
        """As the log has it."""
        text = openssl("x509", "-in", self.cert, "-noout", "-fingerprint", "-sha256").decode()
        return text.partition("=")[2].strip().replace(":", "").lower()


class Authority:
    """A root, or one below @parent, and who has a certificate of it. Keys stand in @folder/private."""

    def __init__(self, folder, name="Test Root", parent=None):
        self.folder = pathlib.Path(folder)
        self.private = self.folder / "private"
        self.private.mkdir(parents=True, exist_ok=True)
        self.cert = self.folder / "ca.pem"
        self.key = self.private / "ca.key"
        self._config("nobody@example.org", "keyAgreement")
        openssl("req", "-x509", *KINDS["ec"][0], "-nodes", "-days", 365, "-subj", f"/CN={name}",
                "-keyout", self.key, "-out", self.cert, "-config", self.config,
                "-extensions", "root",
                *(["-CA", parent.cert, "-CAkey", parent.key] if parent else []))

    def _config(self, address, usage):
        self.config = self.private / "openssl.cnf"
        escaped = re.sub(r"""(["'`#$\\])""", r"\\\1", address)
        # RFC 9598: an rfc822Name is ASCII.
        name = "email.1 = " if address.isascii() else f"otherName.1 = {UTF8_MAILBOX};FORMAT:UTF8,UTF8:"
        self.config.write_text(CONFIG.format(name=name + escaped, usage=usage), encoding="utf-8")

    def person(self, address, kind="ec", name=None, days=365):
        """A leaf for @address, its key without a password."""
        name = name or address.replace("/", "_").strip('"')
        cert, key = self.folder / f"{name}.pem", self.private / f"{name}.key"
        options, usage = KINDS[kind]
        self._config(address, usage)
        openssl("req", "-x509", *options, "-nodes", "-days", days, "-subj", "/CN=Test Person",
                "-keyout", key, "-out", cert, "-config", self.config, "-extensions", "leaf",
                "-CA", self.cert, "-CAkey", self.key)
        return Person(address, cert, key)

    def leaf(self, name, address, usage, start, end, subject="/CN=Leaf", san=True, kind="rsa",
             key=None):
        """With its own dates, usage and names; @key: one that is there."""
        folder = self.private
        cert, request, config = (folder / f"{name}.{suffix}" for suffix in ("pem", "csr", "cnf"))
        names = f"subjectAltName = email:{address}\n" if san else ""
        config.write_text(DATED.format(folder=folder, usage=usage, names=names))
        (folder / "index").touch()
        fresh = [] if key else [*KINDS[kind][0], "-nodes", "-keyout", folder / f"{name}.key"]
        openssl("req", "-new", *(fresh or ["-key", key]), "-subj", subject, "-out", request,
                "-config", config)
        openssl("ca", "-batch", "-notext", "-config", config, "-extensions", "leaf", "-in", request,
                "-out", cert, "-cert", self.cert, "-keyfile", self.key,
                "-startdate", start, "-enddate", end)
        return Person(address, cert, key or folder / f"{name}.key")
