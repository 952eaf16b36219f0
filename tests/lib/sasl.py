# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may log in, as Dovecot's authentication service tells Postfix: everybody, with any password."""

import base64
import os
import socketserver
import threading

GREETING = ("VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n"
            "COOKIE\t0123456789abcdef0123456789abcdef\nDONE\n")


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(GREETING.encode())
        for line in self.rfile:
            words = line.decode().rstrip("\n").split("\t")
            if words[0] == "AUTH":
                answer = next(word[5:] for word in words if word.startswith("resp="))
                login = base64.b64decode(answer).split(b"\0")[1].decode()
                self.wfile.write(f"OK\t{words[1]}\tuser={login}\n".encode())


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(path):
    """At a socket that everybody may use."""
    server = _Server(str(path), _Session)
    os.chmod(path, 0o666)
    threading.Thread(target=server.serve_forever, daemon=True).start()
