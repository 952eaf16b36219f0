# SPDX-License-Identifier: GPL-2.0-or-later
"""GnuPG homes of the tests' own, and what other programs say of OpenPGP messages."""

import atexit
import pathlib
import re
import shutil
import socket
import subprocess

import mail
import tap

CLEAN = {"PATH": "/usr/bin:/bin"}


def run(*words, env=None, stdin=b"", ok=True):
    result = subprocess.run([str(w) for w in words], input=stdin, capture_output=True,
                            env={**CLEAN, **(env or {})}, timeout=60)
    if ok and result.returncode != 0:
        raise AssertionError(f"{words}: {result.returncode}: {result.stderr.decode()[-800:]}")
    return result.stdout


def remove(folder):
    """With all that is in it. An agent that was told to end takes its sockets away meanwhile."""
    def is_removed():
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    tap.wait_for(is_removed, f"{folder} is gone")


def is_heard(path):
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(str(path))
        except OSError:
            return False
    return True


def end_agents(home):
    if home.exists():
        run("gpgconf", "--homedir", home, "--kill", "all", ok=False)


def stop(home):
    """They are told to end, and take their sockets away on the way out: whoever walks through the home
    at the same time stumbles."""
    end_agents(home)
    tap.wait_for(lambda: not any(is_heard(path) for path in home.glob("S.*")), f"nothing listens in {home}")


def sq_decrypt(key, file):
    """By sq, whose option had another name before 1.0."""
    named = b"--recipient-file" in run("sq", "decrypt", "--help")
    return run("sq", "decrypt", "--recipient-file" if named else "--recipient-key", key, file)


class Ring:
    """A GnuPG home. Its agent is stopped at the end."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.mkdir(mode=0o700)
        atexit.register(end_agents, self.path)

    def stop(self):
        stop(self.path)

    def has_agent(self):
        return subprocess.run(["gpg-agent", "--homedir", self.path, "--quiet"], env=CLEAN,
                              capture_output=True, timeout=60).returncode == 0

    def gpg(self, *words, **how):
        return run("gpg", "--homedir", self.path, "--batch", "--yes", *words, **how)

    def generate(self, user_id, algorithm="future-default", passphrase=""):
        self.gpg("--pinentry-mode", "loopback", "--passphrase", passphrase, "--quick-gen-key",
                 user_id, algorithm, "default", "never")

    def generate_rsa(self, user_id):
        self.gpg("--pinentry-mode", "loopback", "--generate-key", stdin=(
            "%no-protection\nKey-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\n"
            f"Subkey-Length: 2048\nName-Email: {user_id}\nExpire-Date: 0\n%commit\n").encode())

    def generate_nist(self, user_id):
        self.gpg("--pinentry-mode", "loopback", "--generate-key", stdin=(
            "%no-protection\nKey-Type: ECDSA\nKey-Curve: nistp256\nSubkey-Type: ECDH\n"
            f"Subkey-Curve: nistp256\nName-Email: {user_id}\nExpire-Date: 0\n%commit\n").encode())

    def generate_dsa(self, user_id):
        self.gpg("--pinentry-mode", "loopback", "--generate-key", stdin=(
            "%no-protection\nKey-Type: DSA\nKey-Length: 2048\nSubkey-Type: ELG-E\n"
            f"Subkey-Length: 2048\nName-Email: {user_id}\nExpire-Date: 0\n%commit\n").encode())

    def export(self, user_id, armor=True):
        return self.gpg(*(["--armor"] if armor else []), "--export", user_id)

    def export_secret(self, user_id):
        return self.gpg("--armor", "--pinentry-mode", "loopback", "--passphrase", "",
                        "--export-secret-keys", user_id)

    def fingerprint(self, user_id):
        """Of the primary key."""
        listing = self.gpg("--with-colons", "--list-keys", user_id).decode()
        return re.search(r"^fpr:+([0-9A-F]{40}):", listing, re.M)[1]

    def take(self, data):
        self.gpg("--import", stdin=data)


def armor(sealed):
    """The ciphertext, taken out of PGP/MIME by its rules alone (RFC 3156 4)."""
    message = mail.Message(sealed)
    kind = message.all("Content-Type")[0]
    boundary = re.search(rb'boundary="([^"]+)"', kind)[1]
    if not kind.startswith(b"multipart/encrypted;") or b"application/pgp-encrypted" not in kind:
        raise AssertionError(f"not PGP/MIME: {kind}")
    parts = re.split(rb"\r?\n--" + re.escape(boundary) + rb"(?:--)?[ \t]*\r?\n",
                     b"\n" + message.body)
    if len(parts) != 4 or parts[0].strip() or parts[3].strip():
        raise AssertionError(f"something beside the two parts: {parts[0]!r} {parts[3:]!r}")
    control, payload = mail.Message(parts[1]), mail.Message(parts[2])
    if control.all("Content-Type") != [b"application/pgp-encrypted"] or \
            control.body.strip() != b"Version: 1":
        raise AssertionError(f"not the control part: {parts[1]!r}")
    if payload.all("Content-Type") != [b'application/octet-stream; name="encrypted.asc"'] or \
            payload.all("Content-Disposition") != [b'inline; filename="encrypted.asc"']:
        raise AssertionError(f"not the payload: {payload.header!r}")
    return payload.body


def key_ids(ring, block):
    """Those whom a message names, hidden ones as zeros."""
    packets = ring.gpg("--list-packets", stdin=block, ok=False)
    return re.findall(rb":pubkey enc packet: .* keyid ([0-9A-F]{16})", packets)


def processes(name, group=None):
    """The ids of the running processes of that name, in that process group."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            comm = (entry / "comm").read_text().strip()
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if comm == name and stat[0] != "Z" and (group is None or int(stat[2]) == group):
            found.append(int(entry.name))
    return found


def children(pid):
    try:
        return [int(c) for c in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def octets_read(pid):
    try:
        return int(re.search(r"rchar: (\d+)", pathlib.Path(f"/proc/{pid}/io").read_text())[1])
    except (OSError, TypeError):
        return -1


def is_gone(pid):
    """Ended, whether or not somebody has asked for its status."""
    try:
        return (pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]) == "Z"
    except OSError:
        return True
