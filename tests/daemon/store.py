# SPDX-License-Identifier: GPL-2.0-or-later
"""sealpiped with keys in a store: what is put there while it runs is used by its workers, locked in as
they are."""

import os
import pathlib
import shutil
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import daemons
import gnupg
import home as homes
import mail
import tap

if not homes.has_module("keys-store"):
    tap.skip_all("there is no module keys-store")
home = homes.Home("store")
DAVE, ERIN, FRANK = "dave@example.org", "erin@example.org", "frank@example.org"
dave = home.authority.person(DAVE, "ec")
ALL = {"module_keys-store": {}, "daemon": {"workers": 1}}
MESSAGE = f"From: carol@example.org\nTo: {DAVE}\nSubject: x\n\nthe words\n".encode()
HAS, HAS_NOT, WAITS = 0, 69, 75
FOLDER, DATABASE = home.state / "keys-store", home.state / "keys-store/keys.db"


def ctl(*words):
    result = home.run("sealctl", *words)
    tap.equal((result.status, result.errors), (0, b""), f"{words}: {result.output}")


def answer(address=DAVE):
    return home.check("--", address).status


def becomes(wanted, what, address=DAVE):
    begun = time.monotonic()
    tap.wait_for(lambda: answer(address) == wanted, f"{what}: {home.log_text()[-400:]}")
    tap.note(f"{what}: {time.monotonic() - begun:.1f} s")


def ask(sql):
    """As whoever runs the daemon would."""
    database = sqlite3.connect(f"file:{DATABASE}?mode=rw", uri=True, timeout=30)
    try:
        return database.execute(sql).fetchone()[0]
    finally:
        database.close()


@tap.test("a key that is added and removed while the daemon runs; the store is made by the first")
def _():
    with daemons.Daemon(home, **ALL) as daemon:
        generations = daemon.generations()
        tap.equal(answer(), HAS_NOT, "at first")
        tap.true(not FOLDER.exists(), "who only asks makes nothing")
        ctl("keys", "add", dave.cert)
        becomes(HAS, "added")
        sealed = home.sealed(MESSAGE, DAVE)
        tap.equal(mail.opened(sealed, dave), mail.inner_entity(MESSAGE), "sealed")
        tap.equal(daemon.generations(), generations, "generations")
        ctl("keys", "remove", DAVE)
        becomes(HAS_NOT, "removed")


@tap.test("an issuing CA that is added later counts, as the intermediate of a key in the store")
def _():
    below = certs.Authority(home.folder / "below", "Below", home.authority)
    with daemons.Daemon(home, **ALL):
        ctl("keys", "add", "--trust", "verified", below.person(FRANK).cert)
        becomes(HAS_NOT, "without its issuer", FRANK)
        ctl("keys", "add", "--trust", "verified", below.cert)
        becomes(HAS, "with it", FRANK)


@tap.test("a worker writes down that a key was used, in files of the service's user alone")
def _():
    with daemons.Daemon(home, **ALL):
        ctl("keys", "add", dave.cert)
        tap.equal(ask("SELECT max(last_used) FROM keys"), 0, "before")
        becomes(HAS, "added")
        home.sealed(MESSAGE, DAVE)
        tap.wait_for(lambda: ask("SELECT max(last_used) FROM keys") > 0, home.log_text()[-400:])
        for path in FOLDER.iterdir():
            tap.equal((path.stat().st_uid, path.stat().st_mode & 0o777), (home.state.stat().st_uid, 0o600),
                      path.name)
        tap.equal(FOLDER.stat().st_mode & 0o777, 0o700, "the folder")


@tap.test("an older copy of an OpenPGP key that is added again takes no revocation away")
def _():
    if not homes.has_module("pgp"):
        raise tap.Skip("there is no module pgp")
    ring = gnupg.Ring(home.folder / "gnupg")
    try:
        ring.generate(ERIN)
        clean = home.folder / "clean.asc"
        clean.write_bytes(ring.export(ERIN))
        text = next((ring.path / "openpgp-revocs.d").iterdir()).read_text()
        ring.take(text.replace("\n:-----BEGIN", "\n-----BEGIN").encode())
        revoked = home.folder / "revoked.asc"
        revoked.write_bytes(ring.export(ERIN))
    finally:
        ring.stop()
    home.configure({"module keys-store": {}, "module pgp": {}})
    ctl("keys", "add", clean)
    tap.equal(answer(ERIN), HAS, f"added: {home.log_text()[-400:]}")
    ctl("keys", "add", revoked)
    tap.equal(answer(ERIN), HAS_NOT, "revoked")
    octets = ask("SELECT length(octets) FROM keys WHERE format = 'pgp'")
    for path in (clean, revoked):
        ctl("keys", "add", path)
        tap.equal(answer(ERIN), HAS_NOT, f"{path.name} again")
    tap.equal(ask("SELECT length(octets) FROM keys WHERE format = 'pgp'"), octets, "what is kept")


@tap.test("a copy that is put back, and no database any more, count while the daemon runs")
def _():
    with daemons.Daemon(home, **ALL):
        becomes(HAS, "at first")
        ask("PRAGMA wal_checkpoint(TRUNCATE)")
        copy = home.folder / "copy.db"
        shutil.copy2(DATABASE, copy)
        shutil.chown(copy, DATABASE.stat().st_uid)
        ctl("keys", "remove", DAVE)
        becomes(HAS_NOT, "removed")
        for suffix in ("-wal", "-shm"):
            DATABASE.with_name(DATABASE.name + suffix).unlink(missing_ok=True)
        copy.rename(DATABASE)
        becomes(HAS, "the copy")
        for path in FOLDER.iterdir():
            path.unlink()
        becomes(HAS_NOT, "no database")
        ctl("keys", "add", dave.cert)
        becomes(HAS, "another one")


@tap.test("a store that cannot be opened is waited for, and the log says what to do")
def _():
    with daemons.Daemon(home, **ALL):
        becomes(HAS, "at first")
        for path, mode, text in ((DATABASE, 0o620, "others can write to it"),
                                 (FOLDER, 0o770, "others can write to it")):
            was = path.stat().st_mode & 0o7777
            home.clear_log()
            path.chmod(mode)
            becomes(WAITS, f"{path.name} with mode {mode:o}")
            tap.contains(home.log_text(), f"{text}; the user that sealpipe runs as must own it")
            path.chmod(was)
            becomes(HAS, "mended")
        data = DATABASE.read_bytes()
        home.clear_log()
        os.truncate(DATABASE, 100)
        with DATABASE.open("r+b") as file:
            file.write(b"nonsense" * 1000)
        becomes(WAITS, "nonsense")
        tap.contains(home.log_text(), "move it away")
        DATABASE.with_name("keys.db-wal").unlink(missing_ok=True)
        DATABASE.with_name("keys.db-shm").unlink(missing_ok=True)
        fresh = DATABASE.with_name("fresh")
        fresh.write_bytes(data)
        shutil.chown(fresh, DATABASE.stat().st_uid)
        fresh.chmod(0o600)
        fresh.rename(DATABASE)
        becomes(HAS, "mended")


tap.main()
