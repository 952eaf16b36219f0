# SPDX-License-Identifier: GPL-2.0-or-later
"""The key source `ldap`, over an OpenLDAP server of its own and a replica of it.

ldap.py PUT: the program put.
"""

import base64
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import daemons
import gnupg
import mail
import slapd
import sink
import tap
from home import Home, has_module, module_folder

slapd.ensure()
if not has_module("keys-ldap") or not has_module("smime"):
    tap.skip_all("a module is not there: keys-ldap or smime")

PUT = tap.arguments()[0]
CORPUS = pathlib.Path(__file__).resolve().parents[3] / "shared/corpus/ldap"
ALICE, NOBODY = "alice@example.org", "nobody@example.org"
PLAIN = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe body.\n"
CROWD = 40  # more than one look-up takes

home = Home("ldap")
home.folder.chmod(0o755)
authority = certs.Authority(home.folder / "tls", "Server CA")
tls = (authority.cert, *slapd.server_certificate(authority, "server", "DNS:localhost", "IP:127.0.0.1"))
other_tls = (authority.cert, *slapd.server_certificate(authority, "other", "DNS:elsewhere.example.org"))


def der(person):
    return certs.openssl("x509", "-in", person.cert, "-outform", "DER")


def pkcs7(*certificates):
    words = [word for path in certificates for word in ("-certfile", path)]
    return certs.openssl("crl2pkcs7", "-nocrl", *words, "-outform", "DER")


def enrol(address, kind="ec"):
    return home.authority.person(address, kind)


main = slapd.Slapd(home.folder / "ldap1", tls=tls).start()
main.add(slapd.tree() +
         slapd.person("Alice", ALICE, userCertificate__binary=der(home.alice)) +
         slapd.person("Bob", home.bob.address,
                      userSMIMECertificate=pkcs7(home.bob.cert, home.authority.cert)) +
         "".join(slapd.person(f"crowd {n}", f"crowd{n}@example.org",
                              userCertificate__binary=der(home.alice)) for n in range(CROWD)))


def settings(**changes):
    return {"servers": main.uri, "base": slapd.PEOPLE, "starttls": "never", **changes}


def groups(ldap=None, **changes):
    return {"module keys-file": {"paths": None}, "module keys-ldap": settings(**(ldap or {})), **changes}


def configure(ldap=None, **changes):
    home.configure(groups(ldap, **changes))
    home.clear_log()


def seals(person):
    return mail.opened(home.sealed(PLAIN, person.address), person) == mail.inner_entity(PLAIN)


def has_none(address):
    result = home.check("--", address)
    tap.equal(result.status, 69, (address, result.output, home.log_text()[-800:]))


def waits(address, *parts):
    """It cannot be found out, and the log says why."""
    home.clear_log()
    tap.equal(home.seal(PLAIN, "--", address).triple(), (75, b"", b""), address)
    for part in parts:
        tap.contains(home.log_text(), part, "log")


def refused(*parts):
    """The configuration is."""
    home.clear_log()
    tap.equal(home.seal(PLAIN, "--", ALICE).triple(), (75, b"", b""))
    for part in parts:
        tap.contains(home.log_text(), part, "log")


def secret(name, text, mode=0o600):
    path = home.folder / "secrets" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    # Whoever the service is: the daemon's test gives it to another.
    for made in (path, path.parent):
        os.chown(made, home.state.stat().st_uid, -1)
    return path


# ---------------------------------------------------------------------------------------------
# What is found

@tap.test("a certificate by itself, and one in PKCS#7 with its chain")
def _():
    configure()
    tap.true(seals(home.alice), "Alice")
    tap.true(seals(home.bob), "Bob")
    has_none(NOBODY)
    tap.contains(home.log_text(), " origin=ldap trust=verified ")


@tap.test("what is in another form, in another attribute, and under another option")
def _():
    pem = home.alice.cert.read_bytes()
    forms = {"base64": base64.b64encode(der(home.alice)), "lines": base64.encodebytes(der(home.alice)),
             "pem": pem, "der": der(home.alice), "pkcs7": pkcs7(home.alice.cert)}
    configure({"smime_attributes": "description;testKey", "filter": "(&(cn=%d)(sn=%d))"})
    refused("filter", "the address must be in it, as %a")
    for name, octets in forms.items():
        main.add(slapd.person(f"form {name}", testKey=octets))
        configure({"smime_attributes": "description;testKey", "filter": f"(|(cn=form {name})(mail=x%a))"})
        tap.true(seals(home.alice), name)


@tap.test("a value that is damaged is named with its entry, and others count")
def _():
    broken = enrol("broken@example.org")
    main.add(slapd.person("Broken", broken.address, testKey=[der(broken)[:-1], b"not a key", der(broken)]) +
             slapd.person("Lost", "lost@example.org", testKey=b"0\x82\x01\x00 cut"))
    configure({"smime_attributes": "testKey"})
    tap.true(seals(broken), "the third one")
    waits("lost@example.org", f"testKey of {main.uri}/cn=Lost,{slapd.PEOPLE} cannot be read")
    # She has a key there: not to be able to read it is not that she has none.
    preferred = {"encrypt": "preferred"}
    configure({"smime_attributes": "testKey"}, policy=preferred)
    tap.true(seals(broken), "the third one, where it is preferred")
    waits("lost@example.org", f"testKey of {main.uri}/cn=Lost,{slapd.PEOPLE} cannot be read")
    shown = home.run("sealctl", "keys", "lookup", "lost@example.org")
    tap.contains(shown.output.decode() + shown.errors.decode(), "cannot be read")
    configure({"smime_attributes": "testKey", "on_error": "skip"}, policy=preferred)
    tap.equal(home.seal(PLAIN, "--", "lost@example.org").triple(), (0, PLAIN, b""))
    tap.contains(home.log_text(), "cannot be read")
    if has_module("pgp"):
        ring = gnupg.Ring(home.folder / "both")
        ring.generate("Both <both@example.org>")
        main.add(slapd.person("Both", "both@example.org", testKey=b"0\x82\x01\x00 cut",
                              pgpKey=ring.export("both@example.org")))
        configure({"smime_attributes": "testKey", "pgp_base": slapd.PEOPLE},
                  **{"module pgp": {}, "policy": {**preferred, "formats": "pgp"}})
        result = home.seal(PLAIN, "--", "both@example.org")
        tap.contains(ring.gpg("--decrypt", stdin=gnupg.armor(result.output)), b"The body.")


@tap.test("an entry whose certificate names somebody else gives no key")
def _():
    configure()
    has_none("crowd1@example.org")


@tap.test("nothing in an address finds more than itself")
def _():
    configure()
    # More than one look-up takes would be found otherwise.
    for address in ("*@example.org", "crowd*@example.org", '"*)(mail=*"@example.org', '"a(b"@example.org',
                    '"a\\\\b"@example.org', '"\\2a"@example.org', "a|b@example.org", "&@example.org",
                    "ü*@example.org", "*ü@straße.example.org", "!@example.org", "a=b@example.org"):
        has_none(address)
    star = enrol("*@example.org")
    main.add(slapd.person("Star", "*@example.org", userCertificate__binary=der(star)))
    configure()
    tap.true(seals(star), "the one that is called so")
    # The test sees what it looks for.
    configure({"filter": "(|(mail=*)(mail=%a))"})
    waits(ALICE, "more than 32 entries")


@tap.test("a base that is not there, or is elsewhere, is no reason to send in clear")
def _():
    preferred = {"policy": {"encrypt": "preferred"}}
    configure({"base": f"ou=peeple,{slapd.SUFFIX}"}, **preferred)
    waits(ALICE, f"{main.uri}: there is no ou=peeple,{slapd.SUFFIX}")
    branch, away = f"ou=branch,{slapd.SUFFIX}", "ldap://127.0.0.1:9"

    def refer(name, to):
        dn = f"ou={name},{branch}"
        main.add(slapd.ldif(dn, objectClass=["referral", "extensibleObject"], ou=name, ref=f"{away}/{to}"))
        return dn

    main.add(slapd.ldif(branch, objectClass="organizationalUnit", ou="branch") +
             slapd.person("Rita", "rita@example.org").replace(slapd.PEOPLE, branch))
    refer("dns", f"DC=DomainDnsZones,{slapd.SUFFIX}")
    configure({"base": branch}, **preferred)
    tap.equal(home.seal(PLAIN, "--", "rita@example.org").triple(), (0, PLAIN, b""), "nobody is there")
    other = refer("other", f"ou=other,{slapd.SUFFIX}")
    for base in (branch, other):
        configure({"base": base}, **preferred)
        waits("rita@example.org", f"{main.uri}: it is {away}/ou=other,{slapd.SUFFIX}", f"has {base}")


@tap.test("an answer that is too large is for its question alone")
def _():
    main.add(slapd.person("Huge", "huge@example.org", testKey=b"0\x84\x00\xff\xff\xf0" + bytes(6000000)))
    for uri, more in ((main.uri, {}), (main.ldaps, {"ca": authority.cert})):
        with daemons.Daemon(home, **groups({"servers": uri, "smime_attributes": "userCertificate;testKey;userSMIMECertificate",
                                            "retry": "1h", **more}, daemon={"workers": 1})):
            tap.true(seals(home.alice), "before")
            waits("huge@example.org", f"{uri}: an answer of more than 4 MiB for (mail=huge@example.org)")
            tap.true(seals(home.bob), "after")


@tap.test("what would take long to read is not read")
def _():
    large = enrol("large@example.org")
    certificate = der(large)
    padded = pkcs7(*[large.cert] * (300000 // len(certificate)))
    tap.true(len(padded) > 262144, len(padded))
    fits = [pkcs7(*[large.cert] * (200000 // len(certificate) - less)) for less in range(12)]
    main.add(slapd.person("Large", large.address, userCertificate__binary=certificate, testKey=padded) +
             slapd.person("Flood", "flood@example.org", testKey=fits))
    configure({"smime_attributes": "testKey;userCertificate"})
    tap.true(seals(large), "by what is small enough")
    configure({"smime_attributes": "testKey"})
    waits(large.address, f"it has {len(padded)} octets, more than max_value=262144")
    configure({"smime_attributes": "testKey", "max_value": "1M"})
    tap.true(seals(large), "as it is configured")
    waits("flood@example.org", "key source ldap has more than 1000 keys for flood@example.org")
    configure({"smime_attributes": "testKey", "max_value": "200K"})
    waits("flood@example.org", "all values have more than 2 times max_value=204800 octets")


@tap.test("what is remembered is what it said as it is configured now")
def _():
    if not has_module("keys-store"):
        raise tap.Skip("there is no module keys-store")
    wrong, right = enrol("moved@example.org"), home.authority.person("moved@example.org", "ec", "moved-new")
    other = slapd.Slapd(home.folder / "moved").start()
    main.add(slapd.person("Moved", wrong.address, userCertificate__binary=der(wrong)))
    other.add(slapd.tree() + slapd.person("Moved", wrong.address, userCertificate__binary=der(right)))
    store = {"module keys-store": {}}
    configure(**store)
    tap.true(seals(wrong), "asked")
    configure({"servers": other.uri}, **store)
    tap.true(seals(right), "another server")
    shown = home.run("sealctl", "keys", "lookup", right.address).output.decode()
    tap.contains(shown, "; remembered of key source ldap since 2")
    other.kill()
    # How it is asked changes nothing of what it said.
    configure({"servers": other.uri, "timeout": "1s", "retry": "1s", "on_error": "defer"}, **store)
    tap.true(seals(right), "remembered")
    configure({"servers": other.uri, "domains": "elsewhere.example"}, **store)
    has_none(right.address)


@tap.test("only the domains that are named are asked for")
def _():
    gone = f"ldap://127.0.0.1:{sink.free_port()}"
    configure({"servers": gone, "domains": "example.com;*.straße.example"})
    has_none(NOBODY)
    waits("somebody@example.com", gone, "refused")
    configure({"servers": gone, "domains": "straße.example;*.Example.COM"})
    waits("somebody@xn--strae-oqa.example", gone)
    waits("somebody@a.example.com", gone)
    has_none("somebody@example.com")


@tap.test("Active Directory: further addresses are in proxyAddresses")
def _():
    proxied = enrol("proxied@example.org")
    main.add(slapd.person("Proxied", "first@example.org", userCertificate__binary=der(proxied),
                          proxyAddresses=["SMTP:first@example.org", "smtp:Proxied@example.org"]))
    configure()
    has_none(proxied.address)
    configure({"schema": "ad"})
    tap.true(seals(proxied), "by proxyAddresses")
    tap.true(seals(home.alice), "by mail")


@tap.test("OpenPGP: by GnuPG's schema, where the server says it is, and in people's entries")
def _():
    if not has_module("pgp"):
        raise tap.Skip("there is no module pgp")
    ring = gnupg.Ring(home.folder / "ring")
    names = ("dora", "emil", "frida", "gone")
    for name in names:
        ring.generate(f"{name.title()} <{name}@example.org>")
    keys = {name: ring.export(f"{name}@example.org") for name in names}
    space = f"ou=keys,{slapd.SUFFIX}"
    entry = {"objectClass": "pgpKeyInfo", "pgpCertID": "0123456789ABCDEF"}
    main.add(
        slapd.ldif(space, objectClass="organizationalUnit", ou="keys") +
        slapd.ldif(f"cn=PGPServerInfo,{slapd.SUFFIX}", objectClass="pgpServerInfo", cn="PGPServerInfo",
                   pgpBaseKeySpaceDN=space) +
        slapd.ldif(f"pgpCertID=1,{space}", **{**entry, "pgpCertID": "1"}, pgpKey=keys["dora"],
                   pgpUserID="Dora <dora@example.org>") +
        slapd.ldif(f"pgpCertID=2,{space}", **{**entry, "pgpCertID": "2"}, pgpKey=keys["emil"],
                   gpgMailbox="emil@example.org") +
        slapd.ldif(f"pgpCertID=3,{space}", **{**entry, "pgpCertID": "3"}, pgpKey=keys["gone"],
                   gpgMailbox="gone@example.org", pgpDisabled="1") +
        slapd.person("Frida", "frida@example.org", pgpKey=keys["frida"]))
    pgp = {"module pgp": {}, "policy": {"formats": "pgp"}}
    configure(**pgp)
    for name in ("dora", "emil"):
        result = home.seal(PLAIN, "--", f"{name}@example.org")
        tap.equal(result.status, 0, home.log_text()[-600:])
        tap.contains(ring.gpg("--decrypt", stdin=gnupg.armor(result.output)), b"The body.")
    has_none("gone@example.org")
    has_none("*@example.org")
    configure({"pgp_base": slapd.PEOPLE}, **pgp)
    tap.equal(home.seal(PLAIN, "--", "frida@example.org").status, 0, "in her own entry")
    has_none("dora@example.org")


@tap.test("the samples of others' tests load, and nobody in them has a key")
def _():
    samples = sorted(CORPUS.rglob("*.ldif"))
    if not samples:
        raise tap.Skip("no corpus")
    for path in samples:
        entries = [block for block in path.read_text().split("\n\n") if "dn: cn=" in block and "sn:" in block]
        tap.true(entries, path)
        for number, entry in enumerate(entries):
            # It has a suffix of its own, and leaves a name to the server.
            lines = [line for line in entry.splitlines() if not line.startswith("dn:")]
            cn = [line.partition(": ")[2] for line in lines if line.startswith("cn:")][0]
            main.add(slapd.ldif(f"cn=sample{number},{slapd.PEOPLE}", objectClass="inetOrgPerson",
                                sn="sample", cn=[cn, f"sample{number}"], mail=f"sample{number}@example.org"))
            configure({"filter": "(&(mail=%a)(cn=*))"})
            has_none(f"sample{number}@example.org")


# ---------------------------------------------------------------------------------------------
# How servers are spoken to

@tap.test("StartTLS and LDAPS, with the CA that is named, and this host's name in the certificate")
def _():
    for uri in (main.uri, main.ldaps, main.ldapi):
        configure({"servers": uri, "starttls": "required", "ca": authority.cert})
        tap.true(seals(home.alice), uri)


@tap.test("a server that nobody vouches for, that is another one, or that has no TLS is not believed")
def _():
    for uri in (main.uri, main.ldaps):
        configure({"servers": uri, "starttls": "required"})
        waits(ALICE, uri, "TLS")
        configure({"servers": uri, "starttls": "required", "ca": home.authority.cert})
        waits(ALICE, uri, "TLS")
    other = slapd.Slapd(home.folder / "other", tls=other_tls).start()
    bare = slapd.Slapd(home.folder / "bare").start()
    configure({"servers": bare.uri, "starttls": "required"})
    waits(ALICE, bare.uri, "the server offers no StartTLS: use ldaps://")
    for uri in (other.uri, other.ldaps, bare.uri):
        configure({"servers": uri, "starttls": "required", "ca": authority.cert})
        waits(ALICE, uri, "TLS")
        # What is the administrator's own, and may say otherwise, has no say here.
        rc = home.folder / "ldaprc"
        rc.write_text(f"TLS_REQCERT never\nTLS_CACERT {authority.cert}\nURI {main.uri}\n")
        env = {"LDAPTLS_REQCERT": "never", "LDAPCONF": str(rc), "LDAPRC": str(rc), "LDAPURI": main.uri,
               "HOME": str(home.folder)}
        (home.folder / ".ldaprc").write_text(rc.read_text())
        tap.equal(home.seal(PLAIN, "--", ALICE, env=env, cwd=home.folder).status, 75, uri)
    other.kill()
    bare.kill()


@tap.test("who asks: a bind with a password, which never crosses a network in clear")
def _():
    private = slapd.Slapd(home.folder / "private", tls=tls, access="by users read by * none").start()
    reader = f"cn=Reader,{slapd.PEOPLE}"
    private.add(slapd.tree() + slapd.person("Reader", userPassword="let me in") +
                slapd.person("Alice", ALICE, userCertificate__binary=der(home.alice)))
    password = secret("ldap", "let me in\n")
    bound = {"servers": private.uri, "bind_dn": reader, "bind_password_file": password}
    configure(bound)
    tap.true(seals(home.alice), "bound")
    configure({"servers": private.uri}, policy={"encrypt": "preferred"})
    waits(ALICE, f"there is no {slapd.PEOPLE}, or whoever binds may not see it")
    status = home.run("sealctl", "status")
    tap.equal(status.status, 1, status.output)
    tap.contains(status.output.decode(), f"there is no {slapd.PEOPLE}, or whoever binds may not see it")
    secret("ldap", "wrong\n")
    configure(bound)
    waits(ALICE, f"bind as {reader}", "Invalid credentials")
    secret("ldap", "\n")
    refused("bind_password_file", "empty")
    secret("ldap", "let me in\n", 0o644)
    refused("ldap", "others can read")
    configure({**bound, "bind_password_file": None})
    refused("bind_dn", "it takes bind_password_file= as well")
    secret("ldap", "let me in\n")
    configure({**bound, "servers": "ldap://192.0.2.1"})
    refused("starttls", "ldap://192.0.2.1 in clear")
    private.kill()


@tap.test("settings that cannot be meant are refused")
def _():
    for changes, part in (({"servers": "http://127.0.0.1"}, "http://127.0.0.1: "),
                          ({"servers": None}, "servers"),
                          ({"servers": "ldap://127.0.0.1/dc=example"}, "nothing may stand behind host and port"),
                          ({"servers": "ldap://"}, "names no host"),
                          ({"base": None}, "base"),
                          ({"filter": "mail=%a"}, "one expression in parentheses"),
                          ({"filter": "(mail=%a)(x=y)"}, "one expression in parentheses"),
                          ({"filter": "(mail=%a"}, "one expression in parentheses"),
                          ({"filter": "(mail=%x)"}, "behind % stands"),
                          ({"filter": "(mail=*)"}, "the address must be in it")):
        configure(changes)
        refused(part)


@contextlib.contextmanager
def hung(answer=b""):
    """A server that takes connections, and says @answer an octet at a time, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=(listening.accept()[0],), daemon=True).start()

        def drip(client):
            with client, contextlib.suppress(OSError):
                for octet in answer:
                    client.send(bytes([octet]))
                    over.wait(0.2)
                over.wait()

        threading.Thread(target=serve, daemon=True).start()
        yield f"ldap://127.0.0.1:{listening.getsockname()[1]}"
        over.set()


@tap.test("a server that says nothing, or too much, is waited for no longer than it may take")
def _():
    entry = b"\x30\x84\x00\x00\x10\x00\x02\x01\x01\x64" + b"x" * 100
    for answer, why in ((b"", "no answer within 1 s"), (entry, "no answer within 1 s"),
                        (b"\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x64", main.uri[:8])):
        with hung(answer) as uri:
            configure({"servers": uri, "timeout": "1s"})
            waits(ALICE, uri, why)
            configure({"servers": f"{uri};{main.uri}", "timeout": "1s"})
            tap.true(seals(home.alice), "by the next one")
    with hung() as uri:
        for tls_uri in (uri, uri.replace("ldap:", "ldaps:")):
            configure({"servers": tls_uri, "timeout": "1s", "starttls": "required", "ca": authority.cert})
            waits(ALICE, tls_uri, "no answer within 1 s")
    # The beginning of a ServerHello, with more to come.
    with hung(b"\x16\x03\x03\x00\x7a" + bytes(100)) as uri:
        uri = uri.replace("ldap:", "ldaps:")
        configure({"servers": f"{uri};{main.ldaps}", "timeout": "1s", "ca": authority.cert})
        tap.true(seals(home.alice), "by the next one")


@tap.test("a directory that is down stops nobody whose key another source has before it")
def _():
    gone = f"ldap://127.0.0.1:{sink.free_port()}"
    carl = enrol("carl@example.org")
    folder = home.folder / "files"
    folder.mkdir()
    (folder / "carl.pem").write_bytes(carl.cert.read_bytes())
    configure({"servers": gone}, **{"module keys-file": {"paths": folder}})
    tap.true(seals(carl), "of the file")
    waits(ALICE, f"key source ldap could not find out: {gone}: no connection: ", "refused")
    configure({"servers": gone, "on_error": "skip"})
    has_none(ALICE)


# ---------------------------------------------------------------------------------------------
# In the daemon

@tap.test("the first server is killed in the middle of a run, and mail goes on")
def _():
    first = slapd.Slapd(home.folder / "first", tls=tls).start()
    first.add(slapd.tree())
    replica = slapd.Slapd(home.folder / "replica", tls=tls, provider=first).start()
    people = [enrol(f"run{n}@example.org") for n in range(12)]
    first.add("".join(slapd.person(f"run {n}", person.address, userCertificate__binary=der(person))
                      for n, person in enumerate(people)))
    tap.wait_for(lambda: replica.command("ldapsearch", "-s", "base", "-b", f"cn=run 11,{slapd.PEOPLE}",
                                         ok=False).returncode == 0, "replicated")
    servers = {"servers": f"{first.ldaps};{replica.ldaps}", "ca": authority.cert, "starttls": "required",
               "timeout": "2s"}
    changes = groups(servers)
    with daemons.Daemon(home, **changes):
        for person in people[:4]:
            tap.true(seals(person), person.address)
        first.kill()
        for person in people[4:8]:
            tap.true(seals(person), person.address)
        first.start()
        replica.kill()
        # Within the time for which the first is passed over mail may wait, and no longer.
        tap.wait_for(lambda: home.seal(PLAIN, "--", people[8].address).status == 0, "it is asked again")
        for person in people[9:]:
            tap.true(seals(person), person.address)
    first.kill()


@tap.test("a connection that has died meanwhile is made anew")
def _():
    with daemons.Daemon(home, **groups({"retry": "1h"}, daemon={"workers": 1})):
        tap.true(seals(home.alice), "before")
        main.kill()
        main.start()
        tap.true(seals(home.bob), "after")
        # A real failure has it passed over.
        main.kill()
        waits(NOBODY, main.uri)
        main.start()
        waits(NOBODY, main.uri)
        tap.true(seals(home.alice), "what is remembered")


@tap.test("the workers' network: as the module needs it, and none with network=false")
def _():
    with daemons.Daemon(home, **groups({"starttls": "required", "ca": authority.cert})):
        tap.true(seals(home.alice), "auto")
    home.clear_log()
    with daemons.Daemon(home, **groups(daemon={"network": "false"})):
        tap.contains(home.log_text(), "module keys-ldap needs the network, which [daemon] network=false "
                     "keeps from it")
        waits(ALICE, main.uri, "no connection")
    os.chmod(home.folder / "ldap1", 0o755)
    os.chmod(home.folder / "ldap1" / "socket", 0o777)
    with daemons.Daemon(home, **groups({"servers": main.ldapi}, daemon={"network": "false"})):
        tap.true(seals(home.alice), "over a socket")


# ---------------------------------------------------------------------------------------------
# Publishing

def put(*files, format="smime"):
    result = subprocess.run([PUT, home.conf, "ldap", format, *files], capture_output=True, text=True,
                            timeout=60, env={"SEALPIPE_MODULES": str(module_folder())})
    return result.stdout.strip()


@tap.test("publishing: into each attribute, in its form, beside what is there; what it was is replaced")
def _():
    writer = {"publish_dn": slapd.ROOT, "publish_password_file": secret("writer", slapd.PASSWORD)}
    pia, dn = enrol("pia@example.org"), f"cn=Pia,{slapd.PEOPLE}"
    configure(writer)
    tap.contains(put(pia.cert), f"there is no entry for {pia.address} below {slapd.PEOPLE}")
    main.add(slapd.person("Pia", pia.address))
    tap.contains(put(pia.cert, enrol("nowhere@example.org").cert), "no entry for nowhere@example.org")
    tap.equal(main.values(dn, "userCertificate"), [], "nothing is written before all are found")
    tap.equal(put(pia.cert), "added 1")
    tap.equal(main.values(dn, "userCertificate"), [der(pia)])
    (bundle,) = main.values(dn, "userSMIMECertificate")
    (home.folder / "p7").write_bytes(bundle)
    pem = certs.openssl("pkcs7", "-inform", "DER", "-in", home.folder / "p7", "-print_certs")
    tap.equal(certs.openssl("x509", "-outform", "DER", input=pem), der(pia), "by openssl")
    tap.true(seals(pia), "as it is read")
    tap.equal(put(pia.cert), "added 0")
    # Another key of hers, and one with its chain in the place of the bare one.
    second = home.authority.person("pia@example.org", name="pia-2")
    tap.equal(put(second.cert), "added 1")
    tap.equal(sorted(main.values(dn, "userCertificate")), sorted([der(pia), der(second)]))
    chain = pkcs7(second.cert, home.authority.cert)
    main.modify(f"dn: {dn}\nchangetype: modify\nreplace: userSMIMECertificate\n"
                f"userSMIMECertificate:: {base64.b64encode(chain).decode()}\n\n")
    tap.equal(put(second.cert), "added 1")
    tap.equal(len(main.values(dn, "userSMIMECertificate")), 1, "the same key in another form")
    # Who may not write, and who is not told.
    configure({**writer, "publish_dn": f"cn=Alice,{slapd.PEOPLE}"})
    tap.contains(put(pia.cert), "bind as")
    configure()
    tap.contains(put(pia.cert), "publish_dn")


@tap.test("sealctl keys publish: the key with which mail of an address is signed here")
def _():
    quinn, folder = enrol("quinn@example.org"), home.folder / "server-keys"
    folder.mkdir(mode=0o700)
    pem = folder / "quinn.pem"
    pem.touch(0o600)
    pem.write_bytes(quinn.key.read_bytes() + quinn.cert.read_bytes())
    for path in (folder, pem):
        os.chown(path, home.state.stat().st_uid, -1)
    main.add(slapd.person("Quinn", quinn.address))
    configure({"publish_dn": slapd.ROOT, "publish_password_file": secret("writer", slapd.PASSWORD)},
              **{"module smime": {"server_keys": folder}})
    for words, status in ((["--to", "ldap", quinn.address], 0), (["--ldap", quinn.address], 0),
                          (["--to", "ldap", NOBODY], 1), (["--to", "file", quinn.address], 1)):
        result = home.run("sealctl", "keys", "publish", *words)
        tap.equal(result.status, status, (words, result.output, result.errors))
        tap.equal(main.values(f"cn=Quinn,{slapd.PEOPLE}", "userCertificate"), [der(quinn)])


@tap.test("publishing an OpenPGP key, and its later form in its place")
def _():
    if not has_module("pgp"):
        raise tap.Skip("there is no module pgp")
    ring = gnupg.Ring(home.folder / "ring2")
    ring.generate("Paul <paul@example.org>")
    dn = f"cn=Paul,{slapd.PEOPLE}"
    main.add(slapd.person("Paul", "paul@example.org"))
    configure({"publish_dn": slapd.ROOT, "publish_password_file": secret("writer", slapd.PASSWORD),
               "pgp_base": slapd.PEOPLE}, **{"module pgp": {}, "policy": {"formats": "pgp"}})
    (home.folder / "paul").write_bytes(ring.export("paul"))
    answer = put(home.folder / "paul", format="pgp")
    if "no enabled format writes" in answer:
        raise tap.Skip(answer)
    tap.equal(answer, "added 1")
    taker = gnupg.Ring(home.folder / "taker")
    taker.take(main.values(dn, "pgpKey")[0])
    tap.equal(taker.fingerprint("paul@example.org"), ring.fingerprint("paul"), "by gpg")
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-uid", "paul",
             "Paul <paul2@example.org>")
    (home.folder / "paul").write_bytes(ring.export("paul"))
    main.modify(f"dn: {dn}\nchangetype: modify\nadd: mail\nmail: paul2@example.org\n\n")
    tap.equal(put(home.folder / "paul", format="pgp"), "added 1")
    tap.equal(len(main.values(dn, "pgpKey")), 1)
    taker.take(main.values(dn, "pgpKey")[0])
    tap.contains(taker.gpg("--with-colons", "--list-keys").decode(), "paul2@example.org")
    result = home.seal(PLAIN, "--", "paul2@example.org")
    tap.equal(result.status, 0, home.log_text()[-600:])


# ---------------------------------------------------------------------------------------------
# The organisation's own

def publish(*words, status=0):
    """What `sealctl keys publish` answers, and complains of."""
    result = home.run("sealctl", "--json", "keys", "publish", *words)
    tap.equal(result.status, status, (words, result.output, result.errors))
    return json.loads(result.output) if result.output else {}, result.errors.decode()


def published(person, cn):
    return der(person) in main.values(f"cn={cn},{slapd.PEOPLE}", "userCertificate")


def directory():
    """All octets of all values."""
    values = []
    for line in main.command("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-b", slapd.SUFFIX).stdout.splitlines():
        _, _, value = line.partition(":")
        values.append(base64.b64decode(value[1:]) if value.startswith(":") else value[1:].encode())
    return values


def scalar(person):
    """The private number of a key on a curve."""
    text = certs.openssl("pkey", "-in", person.key, "-noout", "-text").decode()
    return bytes.fromhex("".join(text.partition("priv:")[2].partition("pub:")[0].split()).replace(":", ""))[-32:]


def own(**ldap):
    """The configuration of an organisation that keeps its keys itself."""
    (home.folder / "own").mkdir(exist_ok=True)
    return {"module keys-ldap": settings(**{
                "publish_dn": slapd.ROOT, "publish_password_file": secret("writer", slapd.PASSWORD),
                "domains": "example.org;*.example.org", **ldap}),
            "module keys-store": {}, "module keys-file": {"paths": home.folder / "own", "trust": "verified"}}


@tap.test("publishing the organisation's own: what local sources have, is fit and is verified")
def _():
    if not has_module("keys-store"):
        raise tap.Skip("there is no module keys-store")
    folder = home.folder / "own"
    folder.mkdir(exist_ok=True)
    uma, vera, will, xena, yves, zoe, away = (
        enrol(f"{name}@{domain}") for name, domain in
        [("uma", "example.org"), ("vera", "a.example.org"), ("will", "example.org"), ("xena", "example.org"),
         ("yves", "example.org"), ("zoe", "example.org"), ("away", "example.com")])
    stranger = certs.Authority(home.folder / "stranger").person("yorick@example.org")
    old = home.authority.leaf("old", "otto@example.org", "keyAgreement", "20200101000000Z", "20210101000000Z",
                              kind="ec")
    # Vera's key lies beside her certificate; the others' are added, and one of them to what was harvested.
    (folder / "vera.pem").write_bytes(vera.key.read_bytes() + vera.cert.read_bytes())
    names = {"Uma": uma.address, "Vera": vera.address, "Xena": xena.address, "Yves": yves.address,
             "Zoe": zoe.address, "Otto": "otto@example.org", "Yorick": stranger.address, "Away": away.address}
    main.add("".join(slapd.person(name, address) for name, address in names.items()))
    home.configure(own())
    for words in ((uma.cert, uma.key, will.cert, xena.cert, away.cert, old.cert),
                  ("--trust", "harvested", "--source", "harvested", yves.cert),
                  ("--trust", "harvested", zoe.cert), ("--trust", "unverified", stranger.cert)):
        result = home.run("sealctl", "keys", "add", *words)
        tap.true(result.status == 0 or uma.key in words, (words, result.errors))
    result = home.run("sealctl", "keys", "reject", xena.address, xena.fingerprint())
    tap.equal(result.status, 0, result.errors)

    before = directory()
    answer, errors = publish("--ldap", "--dry-run", status=1)
    tap.equal({row["address"]: row["result"] for row in answer["keys"]},
              {uma.address: "would be written", vera.address: "would be written"})
    tap.equal([row["address"] for row in answer["problems"]], [will.address])
    tap.contains(errors, f"there is no entry for {will.address}")
    tap.equal(directory(), before, "a rehearsal writes nothing")

    answer, errors = publish("--ldap", status=1)
    tap.equal({row["address"]: row["result"] for row in answer["keys"]},
              {uma.address: "written", vera.address: "written"})
    tap.equal({row["address"]: row["text"] for row in answer["problems"]}.keys(), {will.address})
    left = {row["address"]: row["text"] for row in answer["left_out"]}
    tap.equal(sorted(left), sorted([xena.address, zoe.address, "otto@example.org", stranger.address]), left)
    for address, why in ((xena.address, "rejected"), (zoe.address, "harvested"), ("otto@example.org", "expired"),
                         (stranger.address, "unverified")):
        tap.contains(left[address], why)
    tap.equal([answer[name] for name in ("addresses", "found", "added", "known", "left", "failed")],
              [7, 3, 2, 0, 4, 1])
    tap.equal([(name, published(person, name)) for name, person in
               (("Uma", uma), ("Vera", vera), ("Xena", xena), ("Yves", yves), ("Zoe", zoe), ("Away", away))],
              [("Uma", True), ("Vera", True), ("Xena", False), ("Yves", False), ("Zoe", False), ("Away", False)])
    tap.equal(main.command("ldapsearch", "-b", slapd.SUFFIX, f"(mail={will.address})", "dn").stdout.count("dn:"), 0,
              "no entry is made up")
    # What is private stays here, whatever lies beside it.
    values = directory()
    for person in (uma, vera):
        certificate, number = der(person), scalar(person)
        tap.true(any(certificate in value for value in values), "the test sees what is there")
        tap.true(len(number) == 32 and not any(number in value for value in values), "a private number")
    tap.true(not any(b"PRIVATE KEY" in value for value in values), "a private key")

    main.add(slapd.person("Will", will.address))
    answer, _ = publish("--to", "ldap")
    tap.equal([answer[name] for name in ("found", "added", "known", "failed")], [3, 1, 2, 0])
    tap.true(published(will, "Will"), "once there is an entry")


@tap.test("publishing the organisation's own: a key goes into the entry of nobody else whom it names")
def _():
    if not has_module("keys-store"):
        raise tap.Skip("there is no module keys-store")
    pair = home.authority.person("pair@example.org\nemail.2 = boss@example.org", name="pair")
    main.add(slapd.person("Two", "pair@example.org") + slapd.person("Boss", "boss@example.org"))
    home.configure(own())
    result = home.run("sealctl", "keys", "add", pair.cert)
    tap.equal(result.status, 0, result.errors)
    result = home.run("sealctl", "keys", "reject", "boss@example.org", pair.fingerprint())
    tap.equal(result.status, 0, result.errors)
    answer, _ = publish("--ldap")
    tap.equal((published(pair, "Two"), published(pair, "Boss")), (True, False), answer)


@tap.test("publishing the organisation's own: OpenPGP keys, without their secret parts")
def _():
    if not has_module("pgp") or not has_module("keys-store"):
        raise tap.Skip("a module is not there: pgp or keys-store")
    ring = gnupg.Ring(home.folder / "ring3")
    ring.generate("Ruth <ruth@example.org>")
    main.add(slapd.person("Ruth", "ruth@example.org"))
    (home.folder / "own" / "ruth.asc").write_bytes(ring.export_secret("ruth") + ring.export("ruth"))
    (home.folder / "ruth.asc").write_bytes(ring.export("ruth"))
    home.configure({**own(pgp_base=slapd.PEOPLE), "module pgp": {}})
    result = home.run("sealctl", "keys", "add", home.folder / "ruth.asc")
    tap.equal(result.status, 0, result.errors)
    answer, _ = publish("--ldap")
    tap.contains([(row["address"], row["format"]) for row in answer["keys"]], ("ruth@example.org", "pgp"))
    (value,) = main.values(f"cn=Ruth,{slapd.PEOPLE}", "pgpKey")
    packets = ring.gpg("--list-packets", stdin=value).decode()
    tap.contains(packets, ":public key packet:")
    tap.true("secret" not in packets, packets)


@tap.test("publishing the organisation's own: nobody's key who names himself after it, nor one that is not used")
def _():
    if not has_module("pgp") or not has_module("keys-store"):
        raise tap.Skip("a module is not there: pgp or keys-store")
    partner, other = gnupg.Ring(home.folder / "ring4"), gnupg.Ring(home.folder / "ring5")
    partner.generate("Pat <pat@example.net>")
    partner.gpg("--quick-add-uid", partner.fingerprint("pat"), "Chief <chief@example.org>")
    for name in ("chief", "uschi"):
        main.add(slapd.person(name.title(), f"{name}@example.org"))
    for ring, where in ((partner, home.folder / "uschi.asc"), (other, home.folder / "own" / "uschi.asc")):
        ring.generate("Uschi <uschi@example.org>")
        where.write_bytes(ring.export("uschi"))
    used = partner.fingerprint("uschi")
    partner.stop()
    for path in (partner.path, *partner.path.rglob("*")):
        os.chown(path, home.state.stat().st_uid, -1)
    home.configure({**own(pgp_base=slapd.PEOPLE), "module pgp": {"home": partner.path}})
    result = home.run("sealctl", "keys", "add", home.folder / "uschi.asc")
    tap.equal(result.status, 0, result.errors)
    answer, _ = publish("--ldap")
    tap.true("chief@example.org" not in str(answer["keys"]), answer)
    tap.equal(main.values(f"cn=Chief,{slapd.PEOPLE}", "pgpKey"), [])
    (value,) = main.values(f"cn=Uschi,{slapd.PEOPLE}", "pgpKey")
    tap.contains(other.gpg("--show-keys", "--with-colons", stdin=value).decode(), used)
    tap.contains([row["address"] for row in answer["left_out"]], "uschi@example.org")
    (home.folder / "own" / "uschi.asc").unlink()


@tap.test("publishing the organisation's own: what is missing is said, and a dead directory is not asked for all")
def _():
    if not has_module("keys-store"):
        raise tap.Skip("there is no module keys-store")
    home.configure(own(domains=None))
    _, errors = publish("--ldap", status=2)
    for part in ("name the addresses", "domains="):
        tap.contains(errors, part)
    home.configure(own(domains="example.net"))
    _, errors = publish("--ldap", status=1)
    tap.contains(errors, "no local key source has a key for example.net")
    gone = f"ldap://127.0.0.1:{sink.free_port()}"
    home.configure(own(servers=gone))
    answer, errors = publish("--ldap", status=1)
    tap.equal((len(answer["problems"]), answer["not_tried"] > 0), (3, True), answer)
    tap.contains(errors, "were not tried")


tap.main()
