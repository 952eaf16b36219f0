# SPDX-License-Identifier: GPL-2.0-or-later
"""A module whose init does not come back: the client ends it, and the message waits.

hang.py SEALPIPE CHECK MODULES SANITIZE: the programs, built with a short limit; where the bad modules
are; and whether this is a build with sanitizers.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import tap

SEALPIPE, CHECK, MODULES, SANITIZE = tap.arguments()[:4]
BOUND = 60  # seconds; met by faults only
REASON = b"the runner was killed: no progress within 2000 ms"
MESSAGE = b"From: me@example.org\nTo: a@example.org\n\n" + b"secret words\n" * 30000


class Folder:
    """A configuration that enables the module `bad`, wrong in the way of @fault."""

    def __init__(self, fault):
        self._top = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._top.name)
        self.conf, self.log = self.path / "conf.d", self.path / "log"
        self.conf.mkdir()
        (self.path / "modules").mkdir()
        shutil.copy(pathlib.Path(MODULES) / f"bad-{fault}.so", self.path / "modules/bad.so")
        (self.path / "modules/bad.so").chmod(0o755)
        (self.conf / "x.conf").write_text(f"[core]\nlog_target={self.log}\n[module bad]\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._top.cleanup()

    def run(self, program, *options, **how):
        """(status, stdout, stderr). run() returns when stdin was read and stdout is closed by all."""
        result = subprocess.run([program, "-c", self.conf, *options, "--", "a@example.org"],
                                capture_output=True, timeout=BOUND,
                                env={"SEALPIPE_MODULES": str(self.path / "modules")}, **how)
        return result.returncode, result.stdout, result.stderr


def runners(folder):
    """Processes whose command line names the folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder.conf).encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def limits(folder):
    """Those of the runner, which is the one of the two that leads a group of its own."""
    text = ""
    for pid in runners(folder):
        try:
            if os.getpgid(int(pid)) == int(pid):
                text += pathlib.Path(f"/proc/{pid}/limits").read_text()
        except OSError:
            pass
    return text


@tap.test("an init that hangs: 75, nothing written, stdin read, the reason logged, nobody left")
def _():
    with Folder("init-hangs") as folder:
        status, output, errors = folder.run(SEALPIPE, "--debug", input=MESSAGE)
        tap.equal((status, output), (75, b""))
        tap.contains(errors, REASON, "the log")
        tap.equal(runners(folder), [], "processes that are left")
        tap.equal(folder.run(SEALPIPE, input=MESSAGE), (75, b"", b""), "without --debug")


@tap.test("an init that hangs: the check cannot tell")
def _():
    with Folder("init-hangs") as folder:
        status, output, errors = folder.run(CHECK, "--debug")
        tap.equal((status, output), (75, b"sealpipe-check: cannot tell now"))
        tap.contains(errors, REASON, "the log")
        tap.equal(runners(folder), [], "processes that are left")


def no_core_file():
    with Folder("init-hangs") as folder:
        command = [SEALPIPE, "-c", folder.conf, "--", "a@example.org"]
        env = {"SEALPIPE_MODULES": str(folder.path / "modules")}
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              env=env) as client:
            tap.wait_for(lambda: re.search(r"^Max core file size +0 +0 ", limits(folder), re.M),
                         "the runner's limit on core files is 0")
            client.wait(timeout=BOUND)


# With sanitizers core files stay on, to find faults.
if SANITIZE != "true":
    tap.test("what the runner has in memory reaches no core file")(no_core_file)


@tap.test("an init that fails is no hang, and one that succeeds goes on")
def _():
    with Folder("init-fails") as folder:
        status, output, errors = folder.run(SEALPIPE, "--debug", input=MESSAGE)
        tap.equal((status, output), (75, b""))
        tap.true(REASON not in errors, "it was taken for a hang")
        tap.contains(folder.log.read_text(), "no way to start", "the log")
    with Folder("none") as folder:
        status, output, _ = folder.run(CHECK)
        tap.equal(status, 69)
        tap.contains(output, b"refused: ", "the answer")


tap.main()
