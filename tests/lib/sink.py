# SPDX-License-Identifier: GPL-2.0-or-later
"""An SMTP server that accepts everything and keeps the octets as they came over the wire."""

import socket
import socketserver
import threading


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Transaction:
    """raw: what followed DATA, without the final dot; complete: whether that came; utf8: whether
    SMTPUTF8 was asked for."""

    def __init__(self, sender, recipients, utf8):
        self.sender, self.recipients, self.utf8 = sender, recipients, utf8
        # Grows line by line, which octets that cannot change would do in square time.
        self.octets, self.complete = bytearray(), False

    @property
    def raw(self):
        return bytes(self.octets)

    def message(self):
        """The message as the next program would see it: dots unstuffed, line ends CRLF."""
        lines = self.raw.split(b"\r\n")
        return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


class _Session(socketserver.StreamRequestHandler):
    timeout = 120

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def data(self, transaction):
        self.say("354 go on")
        self.server.sink.add(transaction)
        while True:
            line = self.rfile.readline()
            if not line:
                return False
            if line == b".\r\n":
                self.end(transaction)
                return True
            transaction.octets += line
            self.server.sink.pause(transaction)

    def end(self, transaction):
        most = self.server.sink.most
        if most is not None and len(transaction.octets) > most:
            self.say("552 5.3.4 the sink takes no message so large")
            return
        transaction.complete = True
        self.say("250 taken")

    def handle(self):
        sender, recipients, utf8 = None, [], False
        self.say("220 sink ESMTP")
        while True:
            line = self.rfile.readline()
            word = line.strip().upper()
            if not line or word == b"QUIT":
                break
            if word.startswith(b"EHLO"):
                more = "250-SMTPUTF8\r\n" if self.server.sink.utf8 else ""
                self.say(f"250-sink\r\n{more}250 8BITMIME")
            elif word.startswith(b"MAIL FROM:"):
                sender, recipients = _path(line), []
                utf8 = b" SMTPUTF8" in line.upper()
                self.say("250 ok")
            elif word.startswith(b"RCPT TO:") and _path(line) in self.server.sink.refuses:
                self.say("550 5.1.1 nobody of that name")
            elif word.startswith(b"RCPT TO:"):
                recipients.append(_path(line))
                self.server.sink.asked.append(recipients[-1])
                self.say("250 ok")
            elif word == b"DATA":
                if not self.data(Transaction(sender, recipients, utf8)):
                    break
            else:
                self.say("250 ok")


def _path(line):
    return line.decode(errors="surrogateescape").partition("<")[2].rpartition(">")[0]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class Sink:
    """most: the size above which it refuses a message; None: any is taken. asked: all recipients that
    were named, with a message or not. utf8: SMTPUTF8 is offered. refuses: recipients that it does not
    take."""

    def __init__(self, address=("127.0.0.1", 0)):
        self.most, self.asked, self.utf8, self.refuses = None, [], True, ()
        self._lock = threading.Lock()
        self._transactions = []
        self._hold_at, self._held, self._go = None, threading.Event(), threading.Event()
        self._server = _Server(address, _Session)
        # So that a sink that reads no more is felt before megabytes are under way.
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._server.sink = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold(self, octets):
        """From now on a message is read so far, and no further until release()."""
        self._held.clear()
        self._go.clear()
        self._hold_at = octets

    def held(self):
        return self._held.is_set()

    def release(self):
        self._hold_at = None
        self._go.set()

    def pause(self, transaction):
        if self._hold_at is not None and len(transaction.octets) >= self._hold_at:
            self._held.set()
            self._go.wait(120)

    def add(self, transaction):
        with self._lock:
            self._transactions.append(transaction)

    def clear(self):
        with self._lock:
            self._transactions.clear()

    def transactions(self):
        with self._lock:
            return list(self._transactions)

    def complete(self):
        return [t for t in self.transactions() if t.complete]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
