# SPDX-License-Identifier: GPL-2.0-or-later
"""The key source `ldap`, over a slapd of its own and a replica of it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import mail
import slapd
import tap
from home import Home, has_module, temporary_folder

slapd.ensure()
if not has_module("keys-ldap"):
    tap.skip_all("there is no module keys-ldap")

ALICE, NOBODY = "alice@example.org", "nobody@example.org"
PLAIN = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe body.\n"

home = Home("ldap")
authority = certs.Authority(home.folder / "tls", "Server CA")
tls = (authority.cert, *slapd.server_certificate(authority, "server", "DNS:localhost", "IP:127.0.0.1"))


def der(person):
    return certs.openssl("x509", "-in", person.cert, "-outform", "DER")


def pkcs7(*certificates):
    words = [word for path in certificates for word in ("-certfile", path)]
    return certs.openssl("crl2pkcs7", "-nocrl", *words, "-outform", "DER")


main = slapd.Slapd(home.folder / "ldap1", tls=tls).start()
main.add(slapd.tree() +
         slapd.person("Alice", ALICE, userCertificate__binary=der(home.alice)) +
         slapd.person("Bob", home.bob.address,
                      userSMIMECertificate=pkcs7(home.bob.cert, home.authority.cert)))


def configure(**changes):
    settings = {"servers": main.uri, "base": slapd.PEOPLE, "starttls": "never",
                **{key: value for key, value in changes.pop("ldap", {}).items()}}
    home.configure({"module keys-file": {"paths": None}, "module keys-ldap": settings, **changes})
    home.clear_log()


def seals(person):
    return mail.opened(home.sealed(PLAIN, person.address), person) == mail.inner_entity(PLAIN)


@tap.test("a certificate by itself, and one in PKCS#7 with its chain")
def _():
    configure()
    tap.true(seals(home.alice), "Alice")
    tap.true(seals(home.bob), "Bob")
    result = home.check("--", NOBODY)
    tap.equal(result.status, 69, result.output)


tap.main()
