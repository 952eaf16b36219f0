# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of key sources: a directory that is well, and each way in which one is not."""

import pathlib
import signal
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import checks
import home as homes
import sink
import slapd
import tap

if not homes.has_module("keys-ldap"):
    tap.skip_all("built without the keys-ldap module")
slapd.ensure()

home = homes.Home("check-sources")
READER = f"cn=Reader,{slapd.PEOPLE}"
PAIR = slapd.server_certificate(home.authority, "server", "IP:127.0.0.1")
directory = slapd.Slapd(home.folder / "slapd", tls=(home.authority.cert, *PAIR)).start()
directory.add(slapd.tree() + slapd.person("Reader", userPassword="let me in"))
dead = f"ldap://127.0.0.1:{sink.free_port()}"


def secret(text):
    path = home.folder / "password"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def configure(**ldap):
    settings = {"servers": directory.uri, "base": slapd.PEOPLE, "ca": home.authority.cert,
                "timeout": "2s", **ldap}
    home.configure({"module keys-ldap": settings})


def fault(state, *parts, remedy=""):
    return checks.fault(home, "sources", state, *parts, remedy=remedy, among=("modules", "configuration"))


def fine(*parts):
    found = checks.look(home, "sources", "modules", "configuration")
    tap.equal(found.bad(), [], "all is well")
    texts = "\n".join(row["text"] for row in found.of("sources"))
    for part in parts:
        tap.contains(texts, part, "sources")
    return texts


@tap.test("each source that answers, and how soon: with StartTLS, TLS, a bind, and none")
def _():
    home.configure()
    texts = fine("file: answers in ")
    tap.true("ldap" not in texts, texts)
    for ldap in ({}, {"servers": directory.ldaps}, {"servers": directory.ldapi},
                 {"bind_dn": READER, "bind_password_file": secret("let me in")}):
        configure(**ldap)
        fine("file: answers in ", "ldap: answers in ", f"{ldap.get('servers', directory.uri)} answers in ")


@tap.test("a directory that is not there, or that says nothing")
def _():
    configure(servers=dead)
    fault("problem", dead, "Connection refused", remedy="see that the server runs")
    directory.process.send_signal(signal.SIGSTOP)
    try:
        configure()
        fault("problem", directory.uri, "no answer within 2 s")
    finally:
        directory.process.send_signal(signal.SIGCONT)


@tap.test("one of two that is not there: mail goes on")
def _():
    configure(servers=f"{dead};{directory.uri}")
    fault("warning", dead, "Connection refused", remedy="see that the server runs")


@tap.test("a password that is wrong, and who may not read")
def _():
    configure(bind_dn=READER, bind_password_file=secret("wrong"))
    fault("problem", "bind as " + READER, "Invalid credentials", remedy="bind_password_file=")
    configure(bind_dn=f"cn=Nobody,{slapd.PEOPLE}", bind_password_file=secret("let me in"))
    fault("problem", "bind as cn=Nobody", remedy="bind_dn= is right")


@tap.test("a base that is not there")
def _():
    configure(base=f"ou=nowhere,{slapd.SUFFIX}")
    fault("problem", f"no ou=nowhere,{slapd.SUFFIX}", remedy="base= is right")


@tap.test("a certificate that is not trusted, or is another host's")
def _():
    other = homes.Home("check-other")
    configure(ca=other.authority.cert)
    fault("problem", "TLS", "certificate", remedy="ca= has the CA")
    configure(servers=directory.ldaps.replace("127.0.0.1", "localhost"))
    fault("problem", "TLS", "names this host", remedy="names the host of servers=")


@tap.test("a directory that takes its time")
def _():
    relay = sink.free_port()
    with Slow(relay, directory.port):
        configure(servers=f"ldap://127.0.0.1:{relay}", starttls="never", timeout="30s")
        fault("warning", f"ldap://127.0.0.1:{relay} has taken", "ms", remedy="find out what keeps it")


class Slow:
    """Hands on what comes to @port, a second later than it came."""

    def __init__(self, port, to):
        self.port, self.to = port, to

    def __enter__(self):
        self.listening = socket.create_server(("127.0.0.1", self.port))
        self.ended = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.listening.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self.hand_on, args=(client, server, 1.1), daemon=True).start()
            threading.Thread(target=self.hand_on, args=(server, client, 0), daemon=True).start()

    def hand_on(self, one, other, late):
        while True:
            try:
                octets = one.recv(65536)
                self.ended.wait(late)
                if not octets:
                    other.close()
                    return
                other.sendall(octets)
            except OSError:
                return


tap.main()
