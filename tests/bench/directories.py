# SPDX-License-Identifier: GPL-2.0-or-later
"""Look-ups in LDAP directories: an OpenLDAP server of the bench's own, and ways to reach it."""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import threading

import works
import certs
import sink
import slapd

PEOPLE = 300
TIMEOUT = "1s"  # of a server, where one is silent


@contextlib.contextmanager
def silent_server():
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []

        def take():
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])
        threading.Thread(target=take, daemon=True).start()
        yield f"ldap://127.0.0.1:{server.getsockname()[1]}"
        for connection in taken:
            connection.close()


def fill(server, authority):
    """Certificates of one key and one signature, which does not hold: only the addresses differ."""
    one = authority.person("u000000@example.org", "rsa")
    der = certs.openssl("x509", "-in", one.cert, "-outform", "DER")
    server.add(slapd.tree() + "".join(
        slapd.person(f"u{n}", f"u{n:06}@example.org", userCertificate__binary=der.replace(b"u000000", b"u%06d" % n))
        for n in range(PEOPLE)))


def ask(home, program, rounds, **settings):
    """Medians over @rounds processes, in seconds."""
    home.configure({"module keys-file": {"enabled": "false"}, "keyring": {"sources": "ldap"},
                    "policy": {"formats": "smime"},
                    "module keys-ldap": {"base": slapd.PEOPLE, "trust": "manual", **settings}})
    env = {**os.environ, "SEALPIPE_MODULES": str(works.homes.module_folder())}
    samples = []
    for _ in range(rounds):
        out = subprocess.run([program, home.conf, str(PEOPLE)], env=env, check=True, capture_output=True,
                             text=True).stdout
        samples.append([int(number) / 1e9 for number in out.split()])
    return dict(zip(("first", "asked", "asked_99", "remembered"), map(statistics.median, zip(*samples))))


def measure(home, rounds):
    """Rows of {"how", "first", "asked", "asked_99", "remembered"}; or of "why" alone."""
    if not os.access(slapd.SLAPD, os.X_OK) or not shutil.which("ldapadd"):
        return [{"why": "slapd and ldap-utils are not installed"}]
    if not works.homes.has_module("keys-ldap"):
        return [{"why": "there is no module keys-ldap"}]
    program = works.build_program(home, "lookup")
    authority = certs.Authority(home.folder / "tls", "Server CA")
    tls = (authority.cert, *slapd.server_certificate(authority, "server", "DNS:localhost", "IP:127.0.0.1"))
    server = slapd.Slapd(home.folder / "slapd", tls=tls).start()
    try:
        fill(server, home.authority)
        plain, checked = {"starttls": "never"}, {"ca": authority.cert}
        with silent_server() as silent:
            gone = f"ldap://127.0.0.1:{sink.free_port()}"
            ways = {"in clear": {"servers": server.uri, **plain},
                    "StartTLS": {"servers": server.uri, **checked},
                    "ldaps": {"servers": server.ldaps, **checked},
                    "the first of two refuses": {"servers": f"{gone};{server.uri}", **checked},
                    f"it is silent, timeout={TIMEOUT}": {"servers": f"{silent};{server.uri}",
                                                         "timeout": TIMEOUT, **checked}}
            return [{"how": how, **ask(home, program, rounds, **settings)} for how, settings in ways.items()]
    finally:
        server.kill()
