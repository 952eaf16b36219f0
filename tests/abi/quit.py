# SPDX-License-Identifier: GPL-2.0-or-later
"""A module, or a library below it, that ends the process: no exit status of its making is an answer.

quit.py SEALPIPE CHECK PIPE SEALCTL MODULES: the programs, and where quit.so and its kin are.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import tap

SEALPIPE, CHECK, PIPE, SEALCTL, MODULES = tap.arguments()[:5]
BOUND = 60  # seconds; met by faults only
TO = "a@example.org"
MESSAGE = b"From: me@example.org\nTo: a@example.org\n\n" + b"the words\n" * 3000
WAYS = ("exit-0", "exit-69", "_exit-0", "_exit-69", "abort")
PLACES = ("init", "attach", "plan", "apply", "detach", "fini", "late")
CANNOT_TELL = b"sealpipe-check: cannot tell now"


class Folder:
    """A configuration with the module quit in its pipeline, and a sendmail that writes down its input."""

    def __init__(self, module="quit", encrypt="never", **settings):
        self._top = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self._top.name)
        self.conf, self.sent = self.path / "conf.d", self.path / "sent"
        for path in (self.conf, self.path / "modules"):
            path.mkdir()
        (self.path / "state").mkdir(mode=0o700)
        shutil.copy(pathlib.Path(MODULES) / f"{module}.so", self.path / "modules/quit.so")
        (self.path / "modules/quit.so").chmod(0o755)
        (self.conf / "x.conf").write_text(
            f"[core]\nlog_target={self.path}/log\nstate_dir={self.path}/state\n"
            f"[pipeline]\noutbound=quit\n[policy]\nencrypt={encrypt}\n[module quit]\n"
            + "".join(f"{k}={v}\n" for k, v in settings.items()))
        self.sendmail = self.path / "sendmail"
        self.sendmail.write_text(f"#!/bin/sh\ncat >>{self.sent}\n")
        self.sendmail.chmod(0o755)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._top.cleanup()

    def run(self, program, *args, message=b""):
        """(status, stdout)"""
        result = subprocess.run([program, "-c", self.conf, *args], input=message, timeout=BOUND,
                                capture_output=True, env={"SEALPIPE_MODULES": str(self.path / "modules")})
        return result.returncode, result.stdout

    def transport(self):
        return self.run(SEALPIPE, "-f", "", "--", TO, message=MESSAGE)

    def check(self):
        return self.run(CHECK, "--", TO)

    def pipe(self):
        """(status, what sendmail got)"""
        status, _ = self.run(PIPE, "-f", "", "--sendmail", str(self.sendmail), "--", TO, message=MESSAGE)
        return status, self.sent.read_bytes() if self.sent.exists() else b""

    def status(self):
        return self.run(SEALCTL, "status")[0]


@tap.test("a module that ends nothing: what is to be told apart from what follows")
def _():
    with Folder() as folder:
        tap.equal(folder.transport(), (0, MESSAGE))
        tap.equal(folder.check()[0], 0)
        tap.equal(folder.pipe(), (0, MESSAGE))
        tap.equal(folder.status(), 0)
    with Folder(refuse="true") as folder:
        tap.equal(folder.transport(), (75, b""))
        tap.equal(folder.check()[0], 69)


for _place in PLACES:
    @tap.test(f"{_place}: every way of ending the process defers the message")
    def _(place=_place):
        for how in WAYS:
            with Folder(at=place, how=how) as folder:
                # Behind main() a status of 0 agrees with what the runner has said.
                if place == "late" and how.endswith("-0"):
                    tap.equal(folder.transport(), (0, MESSAGE), how)
                    continue
                tap.equal(folder.transport(), (75, b""), how)
                tap.equal(folder.pipe(), (75, b""), how)


for _place in PLACES:
    @tap.test(f"{_place}: to the check every way of ending the process is no answer")
    def _(place=_place):
        if place == "apply":
            raise tap.Skip("the check does not get there")
        for how in WAYS:
            with Folder(at=place, how=how, refuse="true") as folder:
                # Behind main() a status of 69 agrees with what the runner has said.
                if place == "late" and how.endswith("-69"):
                    tap.equal(folder.check()[0], 69, how)
                    continue
                tap.equal(folder.check(), (75, CANNOT_TELL), how)


@tap.test("a refused message is not taken for a sent one by an exit(0) behind everything")
def _():
    for how in WAYS:
        with Folder(at="late", how=how, refuse="true") as folder:
            tap.equal(folder.transport(), (75, b""), how)
            # The runner of sealpipe-pipe says 0 of a file that names the refused.
            tap.equal(folder.pipe(), (69 if how.endswith("-0") else 75, b""), how)


@tap.test("a constructor that ends the process")
def _():
    for how in WAYS:
        with Folder(f"quit-{how}") as folder:
            tap.equal(folder.transport(), (75, b""), how)
            tap.equal(folder.check(), (75, CANNOT_TELL), how)
            tap.equal(folder.pipe(), (75, b""), how)
            tap.equal(folder.status(), 1, how)
            tap.equal(folder.run(SEALCTL, "modules")[0], 1, how)


@tap.test("sealctl: a module that ends it is a problem")
def _():
    for place in ("init", "fini", "late"):
        for how in ("exit-0", "_exit-0", "abort"):
            with Folder(at=place, how=how) as folder:
                expected = 0 if place == "late" and how != "abort" else 1
                tap.equal(folder.status(), expected, f"{place} {how}")


tap.main()
