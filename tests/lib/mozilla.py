# SPDX-License-Identifier: GPL-2.0-or-later
"""What Mozilla's cryptography says of mail: NSS, the system's or Thunderbird's, and Thunderbird's
RNP. Debian's thunderbird is unpacked into build/thunderbird, and not installed."""

import os
import pathlib
import re
import subprocess

import certs
import gnupg
import unpacked

PASSWORD = "a-password"


def _keep_cryptography(layer):
    """Of 300 MB some ten."""
    for path in layer.rglob("*"):
        if path.is_file() and (not path.name.startswith("lib") or path.name == "libxul.so"):
            path.unlink()


def thunderbird():
    """The folder of Thunderbird's libraries."""
    layer = unpacked.layer("thunderbird", ("thunderbird",), _keep_cryptography, needs=False)
    return layer / "usr/lib/thunderbird"


class Nss:
    """@libraries: the folder with libnss3.so and the rest, None for the system's."""

    def __init__(self, folder, anchors, libraries=None):
        self.folder, self.database = folder, f"sql:{folder}"
        self.environment = {**os.environ, "LC_ALL": "C"}
        if libraries:
            self.environment["LD_LIBRARY_PATH"] = str(libraries)
        folder.mkdir()
        self._good("certutil", "-N", "-d", self.database, "--empty-password")
        self._good("certutil", "-A", "-d", self.database, "-n", "the anchor", "-t", "C,C,C", "-i",
                   anchors)
        self.version = self._version(libraries)

    def _version(self, libraries):
        """(3, 87): what the library says of itself."""
        path = libraries / "libnss3.so" if libraries else self._system_library()
        found = re.search(rb"Version: NSS (\d+)\.(\d+)", path.read_bytes())
        return int(found[1]), int(found[2])

    @staticmethod
    def _system_library():
        listed = subprocess.run(["dpkg-query", "-L", "libnss3"], capture_output=True, text=True)
        return next(p for p in map(pathlib.Path, listed.stdout.split())
                    if p.name == "libnss3.so")

    def _run(self, *command):
        return subprocess.run([*map(str, command)], capture_output=True, timeout=60,
                              env=self.environment)

    def _good(self, *command):
        result = self._run(*command)
        if result.returncode != 0:
            raise AssertionError(f"{command}: {result.stderr.decode(errors='replace')}")

    def take(self, person):
        """The person's key; what is for him can be opened from now on."""
        archive = self.folder / "key.p12"
        certs.openssl("pkcs12", "-export", "-in", person.cert, "-inkey", person.key, "-out", archive,
                      "-name", person.address, "-passout", f"pass:{PASSWORD}")
        self._good("pk12util", "-i", archive, "-d", self.database, "-W", PASSWORD)
        archive.unlink()

    def read(self, der, content=None):
        """(what is in the CMS object, what is said of each layer). @content: what a detached
        signature covers. An error where it cannot be read."""
        source, out = self.folder / "in.der", self.folder / "out"
        source.write_bytes(der)
        words = ["cmsutil", "-D", "-d", self.database, "-i", source]
        if content is not None:
            covered = self.folder / "content"
            covered.write_bytes(content)
            words += ["-c", covered]
        plain = self._run(*words, "-o", out)
        if plain.returncode != 0:
            raise AssertionError(f"NSS: {plain.stderr.decode(errors='replace')}")
        # Without the content its status says nothing.
        told = self._run(*words, "-n", "-h", "9").stdout.decode(errors="replace")
        return (content if content is not None else out.read_bytes()), told

    def opened(self, der):
        content, told = self.read(der)
        if "type=envelopedData" not in told:
            raise AssertionError(f"not encrypted: {told}")
        return content

    def verified(self, der, content=None):
        """What a signature covers, once it is found good."""
        covered, told = self.read(der, content)
        if told.count(".status=") != 1 or "signer0.status=GoodSignature" not in told:
            raise AssertionError(f"not one good signature: {told}")
        return covered


class Rnp:
    """Thunderbird's RNP, through the program rnp."""

    def __init__(self, folder, libraries):
        self.home, self.folder = folder / "home", folder
        self.home.mkdir(parents=True)
        (folder / "libraries").mkdir()
        (folder / "libraries/librnp.so.0").symlink_to(libraries / "librnp.so")
        self.environment = {"LD_LIBRARY_PATH": f"{folder}/libraries:{libraries}"}
        maps = gnupg.run("sh", "-c", "rnp --version >/dev/null; ldd $(command -v rnp)",
                         env=self.environment).decode()
        if f"{folder}/libraries/librnp.so.0" not in maps:
            raise AssertionError(f"rnp does not take Thunderbird's library: {maps}")

    def _run(self, program, *words, ok=True):
        return gnupg.run(program, "--homedir", self.home, *words, env=self.environment, ok=ok)

    def take(self, key):
        file = self.folder / "key.asc"
        file.write_bytes(key)
        self._run("rnpkeys", "--import-keys", file)

    def opened(self, block):
        """(what is in a message, what is said of it)."""
        source, out = self.folder / "in.asc", self.folder / "out"
        source.write_bytes(block)
        result = subprocess.run(
            ["rnp", "--homedir", str(self.home), "--password", "", "--overwrite", "--decrypt",
             str(source), "--output", str(out)], capture_output=True, timeout=60,
            env={**gnupg.CLEAN, **self.environment})
        told = (result.stdout + result.stderr).decode(errors="replace")
        if result.returncode != 0:
            raise AssertionError(f"rnp: {told}")
        return out.read_bytes(), told

    def verified(self, content, signature):
        """What is said of a detached signature that it finds good."""
        source, beside = self.folder / "signed", self.folder / "signed.asc"
        source.write_bytes(content)
        beside.write_bytes(signature)
        result = subprocess.run(["rnp", "--homedir", str(self.home), "--verify", str(beside)],
                                capture_output=True, timeout=60,
                                env={**gnupg.CLEAN, **self.environment})
        told = (result.stdout + result.stderr).decode(errors="replace")
        if result.returncode != 0:
            raise AssertionError(f"rnp: {told}")
        return told
