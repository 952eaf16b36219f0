# SPDX-License-Identifier: GPL-2.0-or-later
"""A sealpipe of the test's own: configuration, certificates and log in a temporary folder, the
programs from the installed tree that SEALPIPE_PREFIX names."""

import atexit
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import certs
import tap

BOUND = 60  # seconds; met by faults only
# Programs are started with nothing else in their environment, unless a test gives it.
_options = os.environ.get("ASAN_OPTIONS", "")
SANITIZERS = {"ASAN_OPTIONS": _options} if "detect_leaks=0" in _options else {}


def prefix():
    path = os.environ.get("SEALPIPE_PREFIX")
    if not path:
        tap.skip_all("SEALPIPE_PREFIX names no installed tree; run tests/run")
    return pathlib.Path(path)


def module_folder():
    """Where the installed modules are; None where there are none."""
    return next(prefix().rglob("sealpipe/modules"), None)


def has_module(name):
    return bool(module_folder()) and (module_folder() / f"{name}.so").exists()


def temporary_folder(label):
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"sealpipe-{label}-"))
    if "--keep" in sys.argv:
        print(f"# kept: {folder}")
    else:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Result:
    def __init__(self, status, output, errors):
        self.status, self.output, self.errors = status, output, errors

    def triple(self):
        return self.status, self.output, self.errors


class Home:
    """@folder/conf.d, certs, state, authority, log. Alice has RSA, Bob has EC, nobody else anything."""

    def __init__(self, label="test"):
        self.folder = temporary_folder(label)
        self.conf, self.certs = self.folder / "conf.d", self.folder / "certs"
        self.log, self.state = self.folder / "log", self.folder / "state"
        for path in (self.conf, self.certs):
            path.mkdir()
        self.state.mkdir(mode=0o700)
        self.log.touch()
        self.authority = certs.Authority(self.folder / "authority")
        self.alice = self.enrol("alice@example.org", "rsa")
        self.bob = self.enrol("bob@example.org", "ec")
        self.bin = prefix() / "bin"
        self.configure()

    def enrol(self, address, kind="ec"):
        person = self.authority.person(address, kind)
        shutil.copy(person.cert, self.certs)
        return person

    def groups(self, **changes):
        """The configuration as {group: {key: value}}; a change of None takes the key away."""
        groups = {
            "core": {"log_target": self.log, "state_dir": self.state},
            "policy": {"encrypt": "required"},
            "module smime": {"trust_anchors": self.authority.cert},
            "module keys-file": {"paths": self.certs},
        }
        for group, keys in changes.items():
            merged = {**groups.get(group, {}), **keys}
            groups[group] = {k: v for k, v in merged.items() if v is not None}
        return groups

    def configure(self, changes=None):
        """Puts one file in place of all: the usual configuration with @changes."""
        for path in self.conf.iterdir():
            path.unlink()
        text = ""
        for group, keys in self.groups(**(changes or {})).items():
            text += f"[{group}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items()) + "\n"
        return self.write_conf("50-test.conf", text)

    def write_conf(self, name, text):
        path = self.conf / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def modules_with(self, module):
        """A folder of the installed modules and one of the test's own."""
        folder = self.folder / "modules"
        if not folder.exists():
            shutil.copytree(module_folder(), folder)
            os.chmod(folder, 0o755)
        shutil.copy(module, folder)
        return folder

    def run(self, program, *args, stdin=b"", env=None, timeout=BOUND, **how):
        result = subprocess.run([self.bin / program, "-c", self.conf, *args], input=stdin,
                                capture_output=True, timeout=timeout,
                                env={**SANITIZERS, **(env or {})}, **how)
        return Result(result.returncode, result.stdout, result.stderr)

    def seal(self, message, *args, **how):
        return self.run("sealpipe", *args, stdin=message, **how)

    def sealed(self, message, *recipients, sender="carol@example.org"):
        """What seal() makes of it, without a complaint."""
        result = self.seal(message, "-f", sender, "--", *recipients)
        tap.equal((result.status, result.errors), (0, b""), self.log_text()[-600:])
        return result.output

    def check(self, *args, **how):
        return self.run("sealpipe-check", *args, **how)

    def log_text(self):
        return self.log.read_text(errors="replace")

    def clear_log(self):
        os.truncate(self.log, 0)
