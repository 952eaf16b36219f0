# SPDX-License-Identifier: GPL-2.0-or-later
"""sealpiped while what is behind it changes: keys, CRLs, trust anchors and private keys count as they
are now, in every worker, with no reload asked for."""

import os
import pathlib
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import daemons
import gnupg
import home as homes
import mail
import tap

home = homes.Home("changes")
root = home.authority
CAROL, DAVE, ERIN = "carol@example.org", "dave@example.org", "erin@example.org"
dave = root.person(DAVE, "ec")
expired = root.leaf("expired", DAVE, "keyAgreement", "20200101000000Z", "20210101000000Z", kind="ec")
carol = root.person(CAROL, "rsa")
crls, anchors, server_keys = (home.folder / name for name in ("crls", "anchors", "server-keys"))
for folder in (crls, anchors):
    folder.mkdir()
server_keys.mkdir(mode=0o700)
shutil.copy(root.cert, anchors)
ALL = {"module_smime": {"trust_anchors": anchors, "crls": crls, "server_keys": server_keys}}
MESSAGE = (f"From: {CAROL}\nTo: {home.alice.address}\nSubject: x\nMIME-Version: 1.0\n"
           "Content-Type: text/plain\n\nthe words\n").encode()
HAS, HAS_NOT, WAITS = 0, 69, 75


def place(path, octets, mode=0o644):
    """As a whole."""
    new = path.with_name(".new")
    new.write_bytes(octets)
    new.chmod(mode)
    new.rename(path)


def crl(*revoked):
    """One that revokes certificates of the root."""
    config, made = root.private / "crl.cnf", root.private / "crl.pem"
    config.write_text(certs.DATED.format(folder=root.private, usage="keyAgreement", names=""))
    (root.private / "index").write_text("")
    how = ["-config", config, "-cert", root.cert, "-keyfile", root.key]
    for cert in revoked:
        certs.openssl("ca", "-batch", "-revoke", cert, *how)
    certs.openssl("ca", "-gencrl", "-crldays", 30, "-out", made, *how)
    return made.read_bytes()


def answer(address):
    return home.check("--", address).status


def sleeps(pid):
    """Or has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "TZX"
    except OSError:
        return True


def signal_to(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def put_to_sleep(pid):
    """Before that, it might be told of a client and not take him."""
    signal_to(pid, signal.SIGSTOP)
    tap.wait_for(lambda: sleeps(pid), "it sleeps")


def in_each(daemon, condition, what):
    """Of the workers; the others sleep meanwhile. Those may be another generation's by then."""
    begun, rest = time.monotonic(), [0]
    workers = daemon.workers()
    for worker in workers:
        others = [pid for pid in workers if pid != worker]
        for pid in others:
            put_to_sleep(pid)
        try:
            tap.wait_for(condition, f"{what}, in worker {worker}: {home.log_text()[-400:]}")
        finally:
            for pid in others:
                signal_to(pid, signal.SIGCONT)
        rest.append(time.monotonic() - begun)
    tap.note(f"{what}: {rest[1]:.1f} s, {rest[-1]:.1f} s")


def becomes(daemon, address, wanted, what):
    in_each(daemon, lambda: answer(address) == wanted, what)


def changes(name, *folders):
    """A test, after which the folders hold what they did before."""
    def register(function):
        @tap.test(name)
        def _():
            before = {folder: set(folder.iterdir()) for folder in folders}
            try:
                function()
            finally:
                for folder in folders:
                    for path in set(folder.iterdir()) - before[folder]:
                        path.unlink()
    return register


def signs():
    result = home.seal(MESSAGE, "-f", CAROL, "--submission=yes", "--", home.alice.address)
    return result.status == 0 and b"multipart/signed" in mail.opened(result.output, home.alice)


# -- Keys ---------------------------------------------------------------------------------------

@changes("a certificate that is added, replaced, removed", home.certs)
def _():
    path = home.certs / "dave.pem"
    with daemons.Daemon(home) as daemon:
        generations = daemon.generations()
        becomes(daemon, DAVE, HAS_NOT, "nobody")
        place(path, dave.cert.read_bytes())
        becomes(daemon, DAVE, HAS, "added")
        place(path, expired.cert.read_bytes())
        becomes(daemon, DAVE, HAS_NOT, "an expired one in its place")
        path.write_bytes(dave.cert.read_bytes())
        becomes(daemon, DAVE, HAS, "a good one in its place, written over it")
        place(path, root.person(ERIN, "ec").cert.read_bytes())
        becomes(daemon, DAVE, HAS_NOT, "another's in its place")
        becomes(daemon, ERIN, HAS, "the other one's")
        path.unlink()
        becomes(daemon, ERIN, HAS_NOT, "removed")
        becomes(daemon, home.alice.address, HAS, "who was not touched")
        tap.equal(daemon.generations(), generations)


@changes("one that is being written waits, and counts when it is whole", home.certs)
def _():
    path, octets = home.certs / "dave.pem", dave.cert.read_bytes()
    with daemons.Daemon(home) as daemon:
        with path.open("wb") as file:
            file.write(octets[:400])
            file.flush()
            becomes(daemon, DAVE, WAITS, "half of it")
            becomes(daemon, home.alice.address, HAS, "who was not touched")
            file.write(octets[400:])
            file.flush()
            becomes(daemon, DAVE, HAS, "all of it")


@tap.test("a folder that is gone, not mounted, and back")
def _():
    away = home.folder / "away"
    with daemons.Daemon(home) as daemon:
        becomes(daemon, home.alice.address, HAS, "there")
        home.certs.rename(away)
        becomes(daemon, home.alice.address, WAITS, "gone")
        # Another folder may be out of the workers' reach: another generation is made.
        home.certs.mkdir()
        tap.wait_for(lambda: answer(home.alice.address) == HAS_NOT, "not mounted")
        home.certs.rmdir()
        away.rename(home.certs)
        tap.wait_for(lambda: answer(home.alice.address) == HAS, "back")


@changes("hundreds at once: they count, and a new generation is made for them", home.certs)
def _():
    octets = dave.cert.read_bytes()
    with daemons.Daemon(home) as daemon:
        before = daemon.generations()
        for i in range(600):
            (home.certs / f"many-{i}.pem").write_bytes(octets)
        becomes(daemon, DAVE, HAS, "hundreds")
        tap.wait_for(lambda: daemon.generations() != before and len(daemon.generations()) == 1,
                     "another generation")
        tap.equal(answer(DAVE), HAS)
        for i in range(600):
            (home.certs / f"many-{i}.pem").unlink()
        becomes(daemon, DAVE, HAS_NOT, "none of them")


def own_home():
    """Of the user who keeps private keys, who can be somebody else."""
    ring = gnupg.Ring(home.folder / "own")
    ring.gpg("--list-keys")
    give(ring)
    return ring


def give(ring):
    for path in (ring.path, *ring.path.rglob("*")) if daemons.ROOT else ():
        if not path.is_socket():
            shutil.chown(path, daemons.KEYS_USER)


@changes("an OpenPGP key, and a revoked one in its place", home.certs)
def _():
    if not homes.has_module("pgp"):
        raise tap.Skip("there is no module pgp")
    theirs, own, path = gnupg.Ring(home.folder / "theirs"), own_home(), home.certs / "dave.asc"
    theirs.generate(DAVE)
    key = theirs.export(DAVE)
    certificate = next((theirs.path / "openpgp-revocs.d").glob("*.rev")).read_bytes()
    theirs.gpg("--import", stdin=certificate.replace(b":-----BEGIN", b"-----BEGIN"))
    revoked = theirs.export(DAVE)
    with daemons.Daemon(home, module_pgp={"home": own.path}) as daemon:
        becomes(daemon, DAVE, HAS_NOT, "nobody")
        place(path, key)
        becomes(daemon, DAVE, HAS, "added")
        place(path, revoked)
        becomes(daemon, DAVE, HAS_NOT, "revoked")
        path.unlink()
        own.gpg("--import", stdin=key)
        give(own)
        becomes(daemon, DAVE, HAS, "in the home")
        place(path, revoked)
        becomes(daemon, DAVE, HAS_NOT, "revoked by a copy in a file")
        path.unlink()
        becomes(daemon, DAVE, HAS, "without that copy")
        own.gpg("--delete-keys", own.fingerprint(DAVE))
        give(own)
        becomes(daemon, DAVE, HAS_NOT, "removed from the home")


# -- What others are judged by ------------------------------------------------------------------

@changes("a CRL that appears, is replaced, and is taken away", crls)
def _():
    alice = home.alice.address
    with daemons.Daemon(home, **ALL) as daemon:
        becomes(daemon, alice, HAS, "not revoked")
        place(crls / "root.crl", crl(home.alice.cert))
        tap.wait_for(lambda: answer(alice) == HAS_NOT, f"revoked: {home.log_text()[-400:]}")
        becomes(daemon, alice, HAS_NOT, "revoked")
        becomes(daemon, home.bob.address, HAS, "not revoked")
        place(crls / "root.crl", crl(home.bob.cert))
        tap.wait_for(lambda: (answer(alice), answer(home.bob.address)) == (HAS, HAS_NOT), "the other one")
        (crls / "root.crl").unlink()
        tap.wait_for(lambda: answer(home.bob.address) == HAS, "no list")


@changes("a trust anchor that is removed, and put back", anchors)
def _():
    alice, anchor = home.alice.address, anchors / root.cert.name
    other = certs.Authority(home.folder / "other", "Other Root")
    shutil.copy(other.cert, anchors / "other.pem")
    with daemons.Daemon(home, **ALL) as daemon:
        becomes(daemon, alice, HAS, "there")
        anchor.unlink()
        tap.wait_for(lambda: answer(alice) == HAS_NOT, "removed")
        becomes(daemon, alice, HAS_NOT, "removed")
        shutil.copy(root.cert, anchor)
        tap.wait_for(lambda: answer(alice) == HAS, "back")


@changes("a list that is being written: the old generation stays, and the whole one counts", crls)
def _():
    octets, alice = crl(home.alice.cert), home.alice.address
    with daemons.Daemon(home, **ALL) as daemon:
        first = daemon.generations()
        home.clear_log()
        with (crls / "root.crl").open("wb") as file:
            file.write(octets[:200])
            file.flush()
            tap.wait_for(lambda: "stays as it was" in home.log_text(), "it was tried")
            tap.equal(daemon.generations(), first)
            becomes(daemon, alice, HAS, "as before")
            file.write(octets[200:])
            file.flush()
            tap.wait_for(lambda: answer(alice) == HAS_NOT, f"whole: {home.log_text()[-400:]}")


@changes("a private key that is added, where only root may look, and removed", server_keys)
def _():
    path = server_keys / "carol.pem"
    with daemons.Daemon(home, policy={"sign": "preferred"}, module_sign={}, **ALL) as daemon:
        tap.true(not signs(), "without a key")
        place(path, carol.cert.read_bytes() + carol.key.read_bytes(), 0o600)
        tap.wait_for(signs, f"it signs: {home.log_text()[-400:]}")
        in_each(daemon, signs, "added")
        path.unlink()
        tap.wait_for(lambda: not signs(), "it does not")


@changes("a folder that is written all the time does not make a generation each time", crls)
def _():
    alice = home.alice.address
    with daemons.Daemon(home, **ALL) as daemon:
        seen, wrong = set(daemon.generations()), []
        end = time.monotonic() + 5
        while time.monotonic() < end:
            place(crls / "root.crl", crl())
            seen.update(daemon.generations())
            if answer(alice) != HAS:
                wrong.append(home.log_text()[-400:])
        tap.equal(wrong, [])
        tap.note(f"{len(seen)} generations in 5 s")
        # At 1, 2 and 4 seconds, beside the first, and one as soon as that begins.
        tap.true(2 <= len(seen) <= 5, f"{len(seen)} generations")
        place(crls / "root.crl", crl(home.alice.cert))
        tap.wait_for(lambda: answer(alice) == HAS_NOT, "the last one counts")


tap.main()
