# SPDX-License-Identifier: GPL-2.0-or-later
"""A sealpipe that signs and encrypts in both formats, and the people who read what it makes.

Carol writes and the server has her keys; Alice and Bob read. A *way* is a format and what is done
in it: `smime-encrypt`, `pgp-both` and so on. What comes out is opened by openssl or gpg.
"""

import gnupg
import mail
import signed
import tap
from home import Home

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"
FORMATS = ("smime", "pgp")
ENCRYPTING = [f"{f}-{what}" for f in FORMATS for what in ("encrypt", "both")]
SIGNING = [f"{f}-{what}" for f in FORMATS for what in ("sign", "both")]
WAYS = [f"{f}-{what}" for f in FORMATS for what in ("encrypt", "sign", "both")]


class Ways:
    """home; ring: what readers have; own: sealpipe's GnuPG home, with Carol's secret key alone."""

    def __init__(self, label):
        self.home = home = Home(label)
        self.carol = home.authority.person(CAROL, "rsa")
        self.ring = gnupg.Ring(home.folder / "ring")
        self.own = gnupg.Ring(home.folder / "gnupg")
        self.own.generate(CAROL)
        self.carol_key = self.own.fingerprint(CAROL)
        for address in (ALICE, BOB):
            self.ring.generate(address)
            (home.certs / f"{address}.asc").write_bytes(self.ring.export(address))
        self.ring.take(self.own.export(CAROL))
        self.server = home.folder / "server-keys"
        self.server.mkdir()
        self.give_server_key(self.carol)

    def give_server_key(self, person, name=None):
        path = self.server / f"{name or person.address}.pem"
        path.write_bytes(person.cert.read_bytes() + person.key.read_bytes())
        path.chmod(0o600)
        return path

    def configure(self, way, changes=None, **policy):
        """The configuration for a way, with @changes {group: {key: value}} and keys of [policy]."""
        form, what = way.split("-")
        groups = {
            "policy": {"formats": form, "encrypt": "never" if what == "sign" else "required",
                       "sign": "never" if what == "encrypt" else "required",
                       "encrypt_to_sender": "false", **policy},
            "module sign": {"submission_domains": "example.org;example.net"},
            "module smime": {"server_keys": self.server,
                             "trust_anchors": self.home.authority.cert},
            "module pgp": {"home": self.own.path},
        }
        for group, keys in (changes or {}).items():
            groups[group] = {**groups.get(group, {}), **keys}
        self.home.configure(groups)
        self.home.clear_log()

    def run(self, message, *recipients, submission="yes", login="", sender=CAROL, **how):
        return self.home.seal(message, "-f", sender, f"--submission={submission}", "--login", login, "--",
                              *(recipients or [ALICE]), **how)

    def leaves(self, message, *recipients, **how):
        """What comes out, which must be something."""
        result = self.run(message, *recipients, **how)
        tap.equal((result.status, result.errors), (0, b""), self.home.log_text()[-600:])
        return result.output

    def stays(self, message, why, *recipients, **how):
        """Nothing comes out, and the log says why."""
        self.home.clear_log()
        result = self.run(message, *recipients, **how)
        tap.equal(result.triple(), (75, b"", b""), f"{message[:60]!r}")
        tap.contains(self.home.log_text(), why, "log")

    def decrypted(self, way, output, address=ALICE):
        """(what was encrypted, gpg's status)."""
        if way.startswith("pgp"):
            result = signed.gpg(self.ring, "--decrypt", input=gnupg.armor(output))
            return result.stdout, result.stderr
        return mail.opened(output, {ALICE: self.home.alice, BOB: self.home.bob}[address]), b""

    def verified(self, way, output):
        """What is signed, and by Carol."""
        if way.startswith("pgp"):
            content, who = signed.by_pgp(output, self.ring)
            tap.equal(who, self.carol_key, "who signed")
            return content
        return signed.by_smime(output, self.home.authority.cert)

    def inner(self, way, output, address=ALICE):
        """The entity at the bottom, once everything around it was opened and found in order."""
        form, what = way.split("-")
        if what == "sign":
            return self.verified(way, output)
        content, status = self.decrypted(way, output, address)
        if form == "smime" and what == "both":
            return self.verified(way, content)
        if form == "pgp":
            tap.equal(b"GOODSIG" in status, what == "both", "signed")
            if what == "both":
                tap.equal(signed.signer(status), self.carol_key, "who signed")
        return content

    def through(self, way, message, *recipients, **how):
        """Configured and run already: (output, its innermost entity)."""
        output = self.leaves(message, *recipients, **how)
        return output, self.inner(way, output)
