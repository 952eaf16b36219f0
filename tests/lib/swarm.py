# SPDX-License-Identifier: GPL-2.0-or-later
"""Many clients at once, and a referee who opens every result."""

import os
import random
import threading

import home as homes
import mail
import opener
import tap

MARK = b"words of number"


class Swarm:
    """@clients at once, each with one message after the other, until @count have been sent. Odd
    numbers go to Alice, even ones to Bob, and each third one to both."""

    def __init__(self, home, clients, count, sender="carol@example.org", program="sealpipe"):
        self.home, self.sender, self.count = home, sender, count
        self.program = os.fsencode(home.bin / program)
        self.left, self.lock = count, threading.Lock()
        self.seed = random.randrange(1 << 30)
        self.outcomes = {}  # number: (status, output)
        self.broken = []
        self.threads = [threading.Thread(target=self.send_all) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def recipients(self, number):
        if number % 3 == 0:
            return [self.home.alice, self.home.bob]
        return [self.home.alice if number % 2 else self.home.bob]

    def message(self, number):
        lines = random.Random(self.seed + number).randrange(1, 300)
        to = ", ".join(person.address for person in self.recipients(number))
        return (f"From: {self.sender}\nTo: {to}\nSubject: number {number}\nMIME-Version: 1.0\n"
                "Content-Type: text/plain\n\n").encode() + MARK + b" %d\n" % number * lines

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left + 1

    def send_all(self):
        try:
            while (number := self.take()) > 0:
                self.outcomes[number] = self.send(number)
        except Exception as error:
            self.broken.append(repr(error))

    def send(self, number):
        """Files at both ends, and no pipes: thirty-two clients cost this process little."""
        argv = [self.program, b"-c", os.fsencode(self.home.conf), b"-f", self.sender.encode(),
                b"--submission=yes", b"--"]
        argv += [person.address.encode() for person in self.recipients(number)]
        given, got, said = (os.memfd_create(name) for name in ("given", "got", "said"))
        try:
            os.write(given, self.message(number))
            os.lseek(given, 0, os.SEEK_SET)
            pid = os.posix_spawn(self.program, argv, homes.SANITIZERS, file_actions=[
                (os.POSIX_SPAWN_DUP2, file, place) for place, file in enumerate((given, got, said))])
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if os.fstat(said).st_size:
                self.broken.append(os.pread(said, 500, 0))
            return status, os.pread(got, os.fstat(got).st_size, 0)
        finally:
            for file in (given, got, said):
                os.close(file)

    def running(self):
        return any(thread.is_alive() for thread in self.threads)

    def done(self):
        return len(self.outcomes)

    def fault(self, number, openers):
        """What is wrong with an outcome, or None. It is whole and right, or a 75 with nothing."""
        status, output = self.outcomes[number]
        if status != 0:
            return None if (status, output) == (75, b"") else f"{number}: status {status}, {output[:200]}"
        message, people = self.message(number), self.recipients(number)
        sealed, given = mail.Message(output), mail.Message(message)
        if MARK in output or b"Subject: number %d\n" % number not in output:
            return f"{number}: {output[:600]}"
        if any(sealed.all(name) != given.all(name) for name in ("From", "To", "Subject")):
            return f"{number}: another header: {output[:600]}"
        try:
            read = [openers[person.address].open(output) for person in people]
        except ValueError as error:
            return f"{number}: {error}: {output[:600]}"
        for count, inner in read:
            if count != len(people) or inner.count(mail.inner_entity(message)) != 1:
                return f"{number}: for {count}, and not what was sent: {inner[:300]}"
        return None

    def end(self):
        """How many were sealed, and how many deferred; every one of them was right."""
        for thread in self.threads:
            thread.join()
        tap.equal(self.broken, [])
        tap.equal(sorted(self.outcomes), list(range(1, self.count + 1)), "every one has an outcome")
        openers = {person.address: opener.Opener(person) for person in (self.home.alice, self.home.bob)}
        faults = [fault for number in self.outcomes if (fault := self.fault(number, openers))]
        tap.equal(faults[:5], [], f"{len(faults)} faults")
        sealed = sum(status == 0 for status, _ in self.outcomes.values())
        number = next((n for n, (status, _) in self.outcomes.items() if status == 0), None)
        if number:
            tap.contains(mail.opened(self.outcomes[number][1], self.recipients(number)[0]),
                         MARK + b" %d\r\n" % number, "as the openssl command reads it")
        tap.note(f"{sealed} sealed, {self.count - sealed} deferred")
        return sealed, self.count - sealed
