# SPDX-License-Identifier: GPL-2.0-or-later
"""Key files that hold no key, are damaged or cannot be read: what becomes of those who have a key
elsewhere, and of those who have none."""

import os
import pathlib
import shutil
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import gnupg
import mail
import tap
from home import Home, has_module

ALICE, NOBODY = "alice@example.org", "nobody@example.org"
PLAIN = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe body.\n"

home = Home("keyfiles")
keys = home.folder / "keys"
pem = home.bob.cert.read_bytes()
der = certs.openssl("x509", "-in", home.bob.cert, "-outform", "DER")


def prepare(encrypt, paths=keys, **policy):
    home.configure({"policy": {"encrypt": encrypt, **policy},
                    "module keys-file": {"paths": paths}})
    home.clear_log()


def folder_with(make):
    """Alice's certificate, and what @make puts in front of it."""
    shutil.rmtree(keys, ignore_errors=True)
    keys.mkdir()
    shutil.copy(home.alice.cert, keys / "alice.pem")
    make(keys / "0-bob.pem")


def bound_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def large(path):
    path.touch()
    os.truncate(path, 200 * 1024 * 1024)


DAMAGED = {
    "cut": lambda p: p.write_bytes(pem[:len(pem) // 2]),
    "cut, in DER": lambda p: p.write_bytes(der[:len(der) // 2]),
    "cut by an octet": lambda p: p.write_bytes(der[:-1]),
    "without its first line": lambda p: p.write_bytes(pem.partition(b"\n")[2]),
    "empty": lambda p: p.touch(),
    "quoted": lambda p: p.write_bytes(b"> " + pem.replace(b"\n", b"\n> ")),
    "cut, in UTF-16": lambda p: p.write_bytes(pem.decode().encode("utf-16")[:801]),
    "the second in it cut": lambda p: p.write_bytes(home.alice.cert.read_bytes() + pem[:300]),
    "a link to nothing": lambda p: p.symlink_to("/nonexistent/bob.pem"),
    "a link to itself": lambda p: p.symlink_to(p.name),
    "a FIFO": lambda p: os.mkfifo(p),
    "a socket": bound_socket,
    "200 MB": large,
}

for _what, _make in DAMAGED.items():
    @tap.test(f"a file that is damaged: {_what}")
    def _(make=_make):
        folder_with(make)
        name = str(keys / "0-bob.pem")
        prepare("required")
        result = home.seal(PLAIN, "--", ALICE)
        tap.equal(mail.opened(result.output, home.alice), mail.inner_entity(PLAIN))
        tap.contains(home.log_text(), f'warning="module keys-file: {name}: ', "at every start")
        # Whoever has none may have that one.
        home.clear_log()
        tap.equal(home.seal(PLAIN, "--", NOBODY).triple(), (75, b"", b""))
        reason = home.log_text().partition("reason=")[2]
        tap.contains(reason, name, "the reason")
        checked = home.check("--", NOBODY)
        tap.equal(checked.status, 75, checked.output)
        status = home.run("sealctl", "status", "--json")
        tap.equal(status.status, 1, status.output)
        tap.contains(status.output.decode(), f"cannot be read: {name}: ", "status")
        for fallback in ("report", "allow"):
            prepare("required", fallback=fallback)
            tap.equal(home.seal(PLAIN, "--", NOBODY).triple(), (75, b"", b""), fallback)
        # Nothing stops the mail of those who need none.
        prepare("preferred")
        tap.equal(home.seal(PLAIN, "--", NOBODY).triple(), (0, PLAIN, b""))
        tap.contains(home.log_text().partition("reason=")[2], name, "the reason")
        prepare("never")
        tap.equal(home.seal(PLAIN, "--", ALICE).triple(), (0, PLAIN, b""))


FINE = {
    "in UTF-16": pem.decode().encode("utf-16"),
    "in UTF-8 with a mark": b"\xef\xbb\xbf" + pem,
    "indented, with other line ends": b"  " + pem.replace(b"\n", b"\r\n  "),
    "in base64 without its lines": b"".join(pem.splitlines(True)[1:-1]),
    "in DER": der,
}

for _what, _octets in FINE.items():
    @tap.test(f"a file that is read all the same: {_what}")
    def _(octets=_octets):
        folder_with(lambda p: p.write_bytes(octets))
        prepare("required")
        tap.equal(mail.opened(home.seal(PLAIN, "--", home.bob.address).output, home.bob),
                  mail.inner_entity(PLAIN))
        tap.equal(home.check("--", NOBODY).status, 69)
        tap.equal(home.run("sealctl", "status").status, 0)
        tap.equal([line for line in home.log_text().splitlines()
                   if "warning" in line and " result=refused " not in line], [])


@tap.test("a file that holds no key, and looks like none, is named and keeps nobody waiting")
def _():
    for text in (b"These are the others' keys.\n", b"\x00\x01\x02" * 40, home.alice.key.read_bytes(),
                 b"0 keys are in this file.\n", b"MIND: this folder is read by a program\n"):
        folder_with(lambda p, text=text: p.write_bytes(text))
        (keys / "below").mkdir()
        prepare("required")
        tap.equal(home.check("--", NOBODY).status, 69, text)
        tap.contains(home.log_text(), f"module keys-file: {keys}/0-bob.pem: no key", "log")
        tap.true("below" not in home.log_text(), "a folder in the folder")


@tap.test("a folder without a file: nobody waits for it, and it is asked whether it is mounted")
def _():
    shutil.rmtree(keys, ignore_errors=True)
    keys.mkdir()
    prepare("required")
    answer = home.check("--", ALICE)
    tap.equal((answer.status, answer.output.decode()),
              (69, f"refused: no smime key for {ALICE}; something that key source file reads is "
                   "empty; encrypt=required by [policy]"))
    tap.contains(home.log_text(), f"{keys} has no keys in it: is it mounted?", "at every start")
    tap.contains(home.log_text().partition("reason=")[2],
                 f"{keys} has no keys in it: is it mounted?", "the reason")
    status = home.run("sealctl", "status")
    tap.equal(status.status, 0, status.output)
    tap.contains(status.output.decode(), f"{keys} has no keys in it: is it mounted?", "status")


@tap.test("on_error=skip: nobody waits, the reply names no file, and the log does")
def _():
    folder_with(lambda p: p.touch())
    prepare("required")
    home.write_conf("60-skip.conf", "[module keys-file]\non_error=skip\n")
    try:
        answer = home.check("--", NOBODY)
    finally:
        (home.conf / "60-skip.conf").unlink()
    tap.equal((answer.status, answer.output.decode()),
              (69, f"refused: no smime key for {NOBODY}; encrypt=required by [policy]"))
    tap.contains(home.log_text().partition("reason=")[2], f"{keys}/0-bob.pem", "the reason")


@tap.test("a file that is named by itself is to be read: nobody's mail leaves for the want of it")
def _():
    folder_with(lambda p: p.touch())
    prepare("preferred", f"{keys}/0-bob.pem;{keys}/alice.pem")
    tap.equal(home.seal(PLAIN, "--", NOBODY).triple(), (75, b"", b""))
    tap.contains(home.log_text(), f"reason=\"key source file could not find out: {keys}/0-bob.pem")
    tap.equal(home.seal(PLAIN, "--", ALICE).status, 0)


@tap.test("a certificate does not concern who is asked for in another format")
def _():
    folder_with(lambda p: p.write_bytes(pem[:300]))
    home.configure({"policy": {"encrypt": "required", "formats": "pgp"}, "module pgp": {},
                    "module keys-file": {"paths": keys}})
    tap.equal(home.check("--", NOBODY).status, 69)


@tap.test("the reason names what cannot be read beside a key of another format that is unfit")
def _():
    if not has_module("pgp"):
        raise tap.Skip("there is no module pgp")
    ring = gnupg.Ring(home.folder / "ring")
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key", NOBODY, "ed25519",
             "sign", "never")
    folder_with(lambda p: p.write_bytes(pem[:300]))
    (keys / "signs.asc").write_bytes(ring.export(NOBODY))
    home.configure({"policy": {"encrypt": "preferred", "formats": "smime;pgp"}, "module pgp": {},
                    "module keys-file": {"paths": keys}})
    home.clear_log()
    tap.equal(home.seal(PLAIN, "--", NOBODY).triple(), (0, PLAIN, b""))
    tap.contains(home.log_text().partition("reason=")[2], f"{keys}/0-bob.pem", "the reason")
    shown = home.run("sealctl", "keys", "lookup", NOBODY)
    tap.contains(shown.output.decode(), f"{keys}/0-bob.pem", "lookup")
    tap.contains(shown.output.decode(), "mail that must be encrypted waits", "lookup")


@tap.test("what only others may read is damage, not an end of all")
def _():
    if os.getuid() != 0:
        return tap.note("needs root to become somebody else")
    folder_with(lambda p: p.write_bytes(pem))
    os.chmod(home.folder, 0o755)
    os.chmod(keys, 0o755)
    os.chmod(keys / "0-bob.pem", 0)
    os.chmod(keys / "alice.pem", 0o644)
    prepare("required")
    os.chmod(home.log, 0o666)
    os.chmod(home.authority.folder, 0o755)
    os.chown(home.state, 65534, 65534)
    other = {"user": 65534, "group": 65534, "extra_groups": []}
    result = home.seal(PLAIN, "--", ALICE, **other)
    tap.equal(mail.opened(result.output, home.alice), mail.inner_entity(PLAIN), home.log_text())
    tap.equal(home.seal(PLAIN, "--", home.bob.address, **other).triple(), (75, b"", b""))
    tap.contains(home.log_text(), f"{keys}/0-bob.pem: Permission denied")
    os.chown(home.state, 0, 0)


tap.main()
