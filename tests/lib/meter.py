# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs programs and tells what they and their children took.

The work is done by a process of its own (this file as a program), since a child's peak of memory
begins with that of whoever starts it, and tests have large messages in theirs.
"""

import atexit
import json
import os
import pathlib
import subprocess
import sys


class Meter:
    """@folder: where the standard files of the programs are put."""

    def __init__(self, folder):
        self.files = [pathlib.Path(folder) / name for name in ("stdin", "stdout", "stderr")]
        self.helper = subprocess.Popen([sys.executable, "-ISB", __file__], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, env={})
        atexit.register(self.helper.communicate)

    def run(self, command, stdin=b""):
        """(status, output, errors, seconds of processor time, peak of resident octets)"""
        self.files[0].write_bytes(stdin)
        words = [os.fsdecode(word) for word in [*self.files, *command]]
        self.helper.stdin.write(json.dumps(words).encode() + b"\n")
        self.helper.stdin.flush()
        status, cpu, peak = json.loads(self.helper.stdout.readline())
        return status, self.files[1].read_bytes(), self.files[2].read_bytes(), cpu, peak


def _run(files, command):
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, fd, name, new if fd else os.O_RDONLY, 0o600)
               for fd, name in enumerate(files)]
    pid = os.posix_spawn(command[0], command, {}, file_actions=actions)
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        words = json.loads(line)
        print(json.dumps(_run(words[:3], words[3:])), flush=True)
