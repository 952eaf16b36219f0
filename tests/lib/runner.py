# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of the runner without a client before it: a request on descriptor 3, and what it answers.
See filters/client/exchange.h."""

import os
import socket
import subprocess

import home as homes

PATH = homes.prefix() / "libexec" / "sealpipe" / "sealpipe-run"


class Answer:
    """@status is the process's own; @said the one that it named, or None; @result octets or None."""

    def __init__(self, status, records):
        self.status, self.records = status, records
        self.said, self.text, self.result = None, None, None
        for record, files in records:
            if record.startswith(b"E "):
                self.said = int(record[2:])
            elif record.startswith(b"T "):
                self.text = record[2:]
            elif record == b"F":
                self.result = os.pread(files[0], os.fstat(files[0]).st_size, 0)
            elif record.startswith(b"F "):
                start, size = map(int, record[2:].split())
                self.result = (self.result or b"") + os.pread(files[0], size, start)
            for file in files:
                os.close(file)


def memory(octets):
    file = os.memfd_create("test")
    os.write(file, octets)
    return file


def request(client, mode, words, message):
    """Sends it over the socket @client."""
    files = [memory(b"".join(os.fsencode(word) + b"\0" for word in words))]
    if message is not None:
        files.append(memory(message))
    letters = "wm"[:len(files)]
    socket.send_fds(client, [f"sealpipe 1 {mode} 0 0 {letters}\n".encode()], files)
    for file in files:
        os.close(file)


def run(mode, *words, message=None, path=PATH, env=None, **how):
    client, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with client:
        request(client, mode, words, message)
        before = how.pop("preexec_fn", None)

        def place():
            os.dup2(worker.fileno(), 3)
            if before:
                before()

        with worker:
            child = subprocess.Popen([path, mode], env=env, stdin=subprocess.DEVNULL, close_fds=False,
                                     preexec_fn=place, stdout=subprocess.DEVNULL, **how)
        records = []
        client.settimeout(homes.BOUND)
        while True:
            try:
                record, files, _, _ = socket.recv_fds(client, 8192, 8)
            except ConnectionResetError:  # it has ended before it read the request
                record = b""
            if not record:
                break
            records.append((record, files))
        return Answer(child.wait(timeout=homes.BOUND), records)
