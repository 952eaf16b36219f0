# SPDX-License-Identifier: GPL-2.0-or-later
"""A milter that adds a field to every message that it sees, as one that signs does."""

import socketserver
import struct
import threading

# Nothing but the end of the message is asked for (the SMFIP_NO* of libmilter); adding fields is.
UNWANTED, ADDS = 0x37f, 0x1


class _Session(socketserver.StreamRequestHandler):
    def answer(self, command, octets=b""):
        self.wfile.write(struct.pack("!I", 1 + len(octets)) + command + octets)

    def handle(self):
        while size := self.rfile.read(4):
            packet = self.rfile.read(struct.unpack("!I", size)[0])
            command = packet[:1]
            if command == b"Q":
                break
            if command == b"O":
                self.answer(b"O", struct.pack("!III", 6, ADDS, UNWANTED))
            elif command == b"E":
                self.answer(b"h", b"\0".join(self.server.field) + b"\0")
                self.answer(b"c")
            elif command not in b"DA":
                self.answer(b"c")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve(port, name, value):
    server = _Server(("127.0.0.1", port), _Session)
    server.field = name.encode(), value.encode()
    threading.Thread(target=server.serve_forever, daemon=True).start()
