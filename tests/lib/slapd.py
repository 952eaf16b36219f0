# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenLDAP servers of the test's own, on 127.0.0.1, and what OpenLDAP's own commands say of them."""

import atexit
import base64
import os
import shutil
import subprocess

import certs
import sink
import tap

SLAPD = "/usr/sbin/slapd"
SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=people,{SUFFIX}"
ROOT, PASSWORD = f"cn=admin,{SUFFIX}", "secret"

CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/misc.schema
include {schema}
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
pidfile {folder}/pid
sizelimit {sizelimit}
{tls}
access to attrs=userPassword by anonymous auth by * none
access to * {access}

database mdb
maxsize 67108864
suffix "{suffix}"
rootdn "{root}"
rootpw {password}
directory {folder}/db
index objectClass,entryCSN,entryUUID eq
index mail eq
{replication}
"""

# By GnuPG's schema, which Debian has no file of, and what of Active Directory's is needed here.
SCHEMA = """
attributetype ( 1.3.6.1.4.1.3401.8.2.8 NAME 'pgpBaseKeySpaceDN' EQUALITY caseIgnoreMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.3401.8.2.11 NAME 'pgpKey' EQUALITY caseIgnoreMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.3401.8.2.12 NAME 'pgpCertID' EQUALITY caseIgnoreMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.3401.8.2.13 NAME 'pgpDisabled' EQUALITY caseIgnoreMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.3401.8.2.16 NAME 'pgpUserID' EQUALITY caseIgnoreMatch
 SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.11591.2.4.1.3 NAME 'gpgMailbox' EQUALITY caseIgnoreMatch
 SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.2.210 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch
 SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'testKey' EQUALITY octetStringMatch
 SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.3401.8.2.23 NAME 'pgpServerInfo' SUP top STRUCTURAL
 MUST ( cn $ pgpBaseKeySpaceDN ) )
objectclass ( 1.3.6.1.4.1.3401.8.2.24 NAME 'pgpKeyInfo' SUP top STRUCTURAL
 MUST ( pgpCertID $ pgpKey ) MAY ( pgpDisabled $ pgpUserID $ gpgMailbox ) )
objectclass ( 1.3.6.1.4.1.99999.1 NAME 'testPerson' SUP top AUXILIARY
 MAY ( proxyAddresses $ pgpKey $ testKey ) )
"""


def ensure():
    if not os.access(SLAPD, os.X_OK) or not shutil.which("ldapsearch"):
        tap.skip_all("slapd and ldap-utils are not installed")


def ldif(dn, **attributes):
    """An entry; octets are written in base64, lists are several values."""
    text = f"dn: {dn}\n"
    for name, values in attributes.items():
        name = name.replace("__", ";")
        for value in values if isinstance(values, list) else [values]:
            octets = value if isinstance(value, bytes) else value.encode()
            text += f"{name}:: {base64.b64encode(octets).decode()}\n"
    return text + "\n"


def person(name, address=None, **attributes):
    more = {"mail": address} if address else {}
    return ldif(f"cn={name},{PEOPLE}", objectClass=["inetOrgPerson", "testPerson"], cn=name, sn=name,
                **more, **attributes)


def server_certificate(authority, name, *names):
    """For a server of these names ("DNS:...", "IP:..."); (certificate, key)."""
    cert, key = authority.folder / f"{name}.pem", authority.private / f"{name}.key"
    config = authority.private / f"{name}.cnf"
    config.write_text("[req]\ndistinguished_name=n\n[n]\n[leaf]\nbasicConstraints=critical,CA:false\n"
                      "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
                      f"subjectAltName={','.join(names)}\n")
    certs.openssl("req", "-x509", *certs.KINDS["ec"][0], "-nodes", "-days", 30, "-subj", "/CN=server",
                  "-keyout", key, "-out", cert, "-config", config, "-extensions", "leaf",
                  "-CA", authority.cert, "-CAkey", authority.key)
    return cert, key


class Slapd:
    """@tls: (CA's file, certificate, key). @provider: it is a replica of that one."""

    def __init__(self, folder, tls=None, provider=None, access="by * read", sizelimit=500):
        self.folder = folder
        (folder / "db").mkdir(parents=True)
        self.port, self.tls_port = sink.free_port(), sink.free_port()
        self.tls = tls
        (folder / "own.schema").write_text(SCHEMA)
        keys = ("TLSCACertificateFile", "TLSCertificateFile", "TLSCertificateKeyFile")
        (folder / "slapd.conf").write_text(CONFIG.format(
            folder=folder, schema=folder / "own.schema", suffix=SUFFIX, root=ROOT, password=PASSWORD,
            access=access, sizelimit=sizelimit,
            tls="".join(f"{key} {path}\n" for key, path in zip(keys, tls or ())),
            replication=self._replication(provider)))
        self.process = None

    @staticmethod
    def _replication(provider):
        if not provider:
            return "overlay syncprov"
        return (f'syncrepl rid=001 provider={provider.uri} type=refreshAndPersist retry="1 +" '
                f'searchbase="{SUFFIX}" bindmethod=simple binddn="{ROOT}" credentials={PASSWORD}\n'
                f"updateref {provider.uri}")

    @property
    def uri(self):
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def ldaps(self):
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def ldapi(self):
        return "ldapi://" + str(self.folder / "socket").replace("/", "%2F")

    def start(self):
        urls = f"{self.uri} {self.ldapi}" + (f" {self.ldaps}" if self.tls else "")
        self.process = subprocess.Popen(
            [SLAPD, "-h", urls, "-f", self.folder / "slapd.conf", "-d", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        atexit.register(self.kill)
        tap.wait_for(self._answers, "slapd answers")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"slapd ended: {self.process.stderr.read().decode()}")
        return self.command("ldapsearch", "-s", "base", "-b", "", ok=False).returncode == 0

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=30)

    def command(self, name, *words, stdin="", ok=True):
        """One of OpenLDAP's own, as the administrator."""
        result = subprocess.run([name, "-x", "-H", self.uri, "-D", ROOT, "-w", PASSWORD, *words],
                                input=stdin, capture_output=True, text=True, timeout=30,
                                env={"PATH": "/usr/bin:/bin", "LDAPNOINIT": "1"})
        if ok and result.returncode != 0:
            raise AssertionError(f"{name}: {result.stderr}")
        return result

    def add(self, text):
        self.command("ldapadd", stdin=text)

    def modify(self, text):
        self.command("ldapmodify", stdin=text)

    def values(self, dn, attribute):
        """The octets of each."""
        lines = self.command("ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-s", "base", "-b", dn,
                             attribute).stdout.splitlines()
        found = []
        for line in lines:
            name, _, value = line.partition(":")
            if name.partition(";")[0].lower() == attribute.partition(";")[0].lower():
                found.append(base64.b64decode(value[1:]) if value.startswith(":")
                             else value[1:].encode())
        return found


def tree():
    return (ldif(SUFFIX, objectClass=["dcObject", "organization"], dc="example", o="Example") +
            ldif(PEOPLE, objectClass="organizationalUnit", ou="people"))
