# SPDX-License-Identifier: GPL-2.0-or-later
"""sealctl keys list and check over directories: OpenLDAP servers with and without limits, and one of
the test's own that has no end."""

import contextlib
import json
import pathlib
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import gnupg
import slapd
import tap
from home import Home, has_module

slapd.ensure()
if not has_module("keys-ldap") or not has_module("smime"):
    tap.skip_all("a module is not there: keys-ldap or smime")

ALICE, NOBODY = "alice@example.org", "nobody@example.org"
home = Home("ldap-list")
home.folder.chmod(0o755)
main = slapd.Slapd(home.folder / "main").start()
main.add(slapd.tree())


def der(person):
    return certs.openssl("x509", "-in", person.cert, "-outform", "DER")


def pkcs7(*certificates):
    words = [word for path in certificates for word in ("-certfile", path)]
    return certs.openssl("crl2pkcs7", "-nocrl", *words, "-outform", "DER")


def configure(ldap=None, **changes):
    settings = {"servers": main.uri, "base": slapd.PEOPLE, "starttls": "never", **(ldap or {})}
    home.configure({"module keys-file": {"paths": None}, "module keys-ldap": settings, **changes})


MANY = 320  # more than three pages


def list_keys(*words, status=0):
    """(rows, what stands on standard error)."""
    result = home.run("sealctl", "keys", "list", "--json", *words)
    tap.equal(result.status, status, (words, result.errors))
    return json.loads(result.output)["keys"], result.errors.decode()


def many(name, **how):
    server = slapd.Slapd(home.folder / name, **how).start()
    alice = der(home.alice)
    server.add(slapd.tree() +
               "".join(slapd.person(f"n {n}", ALICE, userCertificate__binary=alice)
                       for n in range(MANY)) +
               slapd.person("Bob", home.bob.address, userCertificate__binary=der(home.bob),
                            userSMIMECertificate=pkcs7(home.bob.cert, home.authority.cert)))
    return server


@tap.test("sealctl keys list and check: every page of a directory, by format and address")
def _():
    server = many("list1", sizelimit="unlimited")
    configure({"servers": server.uri})
    rows, _ = list_keys()
    tap.equal(len(rows), MANY + 1, "each entry, and a key twice in one of them once")
    tap.equal({row["origin"] for row in rows}, {"ldap"})
    tap.equal([row["address"] for row in rows if row["address"] != ALICE], [home.bob.address])
    tap.equal(len(list_keys("--source", "ldap", home.bob.address)[0]), 1)
    for words in ((NOBODY,), ("--trust", "manual"), ("@example.org",), ("--expiring", "1s")):
        tap.equal(list_keys(*words)[0], [], words)
    checked = home.run("sealctl", "keys", "check", "--json")
    tap.equal((checked.status, json.loads(checked.output)["checked"]), (0, MANY + 1), checked)
    configure({"servers": server.uri, "domains": "example.net"})
    tap.equal(list_keys()[0], [], "of other domains nobody is asked")
    # By its fingerprint a key is looked for there where the source is named.
    configure({"servers": server.uri})
    result = home.run("sealctl", "keys", "show", home.bob.fingerprint())
    tap.equal(result.status, 1, result.output)
    tap.contains(result.errors.decode(), "not looked through: ldap")
    shown = home.run("sealctl", "keys", "show", "--source", "ldap", home.bob.fingerprint())
    tap.contains(shown.output.decode(), "usable: yes")
    tap.contains(home.run("sealctl", "keys", "show", home.bob.address).output.decode(), "origin: ldap")


@tap.test("a directory that gives no more, or no pages: that these are not all is said")
def _():
    for name, sizelimit, count in (("limit", 250, 250), ("pages", "size.soft=250 size.prtotal=disabled", 250),
                                   ("total", "size.soft=unlimited size.prtotal=130", 130)):
        server = many(f"list-{name}", sizelimit=sizelimit)
        configure({"servers": server.uri})
        rows, errors = list_keys(status=1)
        tap.contains(errors, f"key source ldap: {server.uri}: it gives whoever binds {count} entries", name)
        tap.equal(len(rows), count, name)
        server.kill()


@tap.test("what a directory has and nobody would find is named; one that does not answer hides no other source")
def _():
    own = home.folder / "own-keys"
    own.mkdir()
    (own / "alice.pem").write_bytes(home.alice.cert.read_bytes())
    stray = slapd.Slapd(home.folder / "list-stray").start()
    stray.add(slapd.tree() + slapd.person("Stray", "stray@example.org", userCertificate__binary=der(home.alice)) +
              slapd.person("Torn", "torn@example.org", userSMIMECertificate=b"0\x82\x01\x00 cut") +
              slapd.person("Bob", home.bob.address, userCertificate__binary=der(home.bob)))
    groups_of = {"module keys-file": {"paths": own}}
    configure({"servers": stray.uri}, **groups_of)
    rows, errors = list_keys(status=1)
    tap.equal(sorted((row["origin"], row["address"]) for row in rows),
              [("file", ALICE), ("ldap", home.bob.address)])
    tap.contains(errors, "1 values cannot be read, the first one userSMIMECertificate of "
                         f"{stray.uri}/cn=Torn,{slapd.PEOPLE}: ")
    tap.contains(errors, f"1 keys name no address of their entry, and are found for nobody, the first one "
                         f"{stray.uri}/cn=Stray,{slapd.PEOPLE}")
    stray.kill()
    rows, errors = list_keys(status=1)
    tap.equal([row["origin"] for row in rows], ["file"])
    tap.contains(errors, f"key source ldap: {stray.uri}: no connection")
    configure({"base": f"ou=peeple,{slapd.SUFFIX}"}, **groups_of)
    tap.contains(list_keys(status=1)[1], f"there is no ou=peeple,{slapd.SUFFIX}")


@tap.test("OpenPGP keys of a directory are listed, but for those that are switched off")
def _():
    if not has_module("pgp"):
        raise tap.Skip("there is no module pgp")
    ring = gnupg.Ring(home.folder / "ring4")
    ring.generate("Ria <ria@example.org>")
    dn = f"ou=listed,{slapd.SUFFIX}"
    main.add(slapd.ldif(dn, objectClass="organizationalUnit", ou="listed") +
             "".join(slapd.ldif(f"pgpCertID={name},{dn}", objectClass="pgpKeyInfo", pgpCertID=name,
                                pgpUserID="Ria <ria@example.org>", pgpDisabled=off, pgpKey=ring.export("ria"))
                     for name, off in (("0123", "0"), ("4567", "1"))))
    configure({"pgp_base": dn}, **{"module pgp": {}, "policy": {"formats": "pgp"}})
    rows, _ = list_keys("--format", "pgp")
    tap.equal([(row["address"], row["fingerprint"]) for row in rows],
              [("ria@example.org", ring.fingerprint("ria").lower())])


def tlv(tag, *parts):
    content = b"".join(parts)
    length = bytes([len(content)]) if len(content) < 128 else b"\x82" + len(content).to_bytes(2, "big")
    return bytes([tag]) + length + content


@contextlib.contextmanager
def endless(entry):
    """A server with a further page behind each, with an entry in it or none."""
    def serve(client):
        stream = client.makefile("rwb")
        while head := stream.read(2):
            size = head[1] if head[1] < 128 else int.from_bytes(stream.read(head[1] - 128), "big")
            request = stream.read(size)
            number = tlv(2, request[2:2 + request[1]])
            cookie = tlv(0x30, tlv(2, b"\0"), tlv(4, b"more"))
            control = tlv(0xa0, tlv(0x30, tlv(4, b"1.2.840.113556.1.4.319"), tlv(4, cookie)))
            done = tlv(0x65, tlv(10, b"\0"), tlv(4), tlv(4))
            if entry:
                stream.write(tlv(0x30, number, tlv(0x64, tlv(4, b"cn=x"), tlv(0x30))) * 100)
            stream.write(tlv(0x30, number, done, control))
            with contextlib.suppress(BrokenPipeError):
                stream.flush()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=lambda: serve(listening.accept()[0]), daemon=True).start()
        yield f"ldap://127.0.0.1:{listening.getsockname()[1]}"


@tap.test("a directory without an end ends")
def _():
    for entry, said in ((False, "page after page"), (True, "more than 100000 entries")):
        with endless(entry) as uri:
            configure({"servers": uri, "timeout": "2m"})
            rows, errors = list_keys("--format", "smime", status=1)
            tap.equal(rows, [])
            tap.contains(errors, said)


tap.main()
