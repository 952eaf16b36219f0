# SPDX-License-Identifier: GPL-2.0-or-later
"""Licences as whoever issues them makes them: with sealctl, and no configuration."""

import subprocess

import home as homes
import tap


class Issuer:
    """@folder/issuer.key, issuer.pub."""

    def __init__(self, home):
        self.sealctl = home.bin / "sealctl"
        self.folder = home.folder / "issuer"
        self.folder.mkdir(mode=0o755)
        self.passphrase = self.folder / "passphrase"
        self.passphrase.write_text("correct horse\n")
        self.passphrase.chmod(0o600)
        self.key, self.public = self.folder / "issuer.key", self.folder / "issuer.pub"
        self.run("keygen", "--out", self.folder / "issuer", "--passphrase-file", self.passphrase)
        self.count = 0

    def run(self, *args, status=0):
        result = subprocess.run([self.sealctl, "license", *args], capture_output=True, text=True,
                                timeout=120, env=homes.SANITIZERS)
        tap.equal(result.returncode, status, f"{args}: {result.stderr}")
        return result

    def issue(self, kind="commercial", until="2100-01-01", **more):
        """A licence's file; @more: installation=, trial=, covers=, max_senders=, issued=."""
        self.count += 1
        path = self.folder / f"licence-{self.count}"
        options = [word for name, value in more.items()
                   for word in ("--" + name.replace("_", "-"), str(value))]
        self.run("issue", "--key", self.key, "--passphrase-file", self.passphrase, "--kind", kind,
                 "--licensee", "Example Ltd", "--valid-until", until, *options, "--out", path)
        return path
