# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenPGP through sealpiped: gpg runs once for a message, what is remembered of a key is no older than
the key, and the secret keys are out of the workers' reach: gpg-agent, as another user, signs for them
and does no more."""

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import gnupg
import home as homes
import mail
import tap

if not homes.has_module("pgp"):
    tap.skip_all("built without OpenPGP")

ALICE, CAROL, DAVE = "alice@example.org", "carol@example.org", "dave@example.org"
MESSAGE = (f"From: {CAROL}\nTo: {ALICE}\nSubject: x\nMIME-Version: 1.0\n"
           "Content-Type: text/plain\n\nthe words\n").encode()

home = homes.Home("daemon-pgp")
people = gnupg.Ring(home.folder / "people")
people.generate(ALICE)
people.generate(DAVE)
ring = gnupg.Ring(home.folder / "gnupg")
ring.generate(CAROL)

# Whose the home is: where root starts the daemon, it is nothing to its workers.
OWNER = daemons.KEYS_USER

# gpg, each of whose runs is a line, where its workers may write.
RUNS = home.state / "runs"
RUNS.touch()
RUNS.chmod(0o666)
wrapper = home.folder / "bin"
wrapper.mkdir()
(wrapper / "gpg").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{RUNS}\nexec /usr/bin/gpg "$@"\n')
(wrapper / "gpg").chmod(0o755)
PATH = {"PATH": f"{wrapper}:/usr/bin:/bin"}


SETTINGS = {"policy": {"formats": "pgp", "encrypt": "required", "sign": "required"}, "module_sign": {},
            "daemon": {"workers": 1, "submission_peers": "root;self"}}


class Daemon(daemons.Daemon):
    def start(self, **how):
        return super().start(env=PATH, **how)


def give_home(user):
    """What is in the ring, and nothing else of it, is that user's."""
    ring.stop()
    if daemons.ROOT:
        for path in (ring.path, *ring.path.rglob("*")):
            shutil.chown(path, user)


def by_owner(*words, **how):
    """gpg in the ring, as whoever it belongs to."""
    gnupg.run("setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups", "gpg", "--homedir", ring.path,
              "--batch", "--yes", "--no-autostart", *words, **how) if daemons.ROOT else ring.gpg(*words, **how)


def daemon(**changes):
    changes = {**SETTINGS, "module_pgp": {"home": ring.path}, **changes}
    give_home(OWNER)
    runs()
    return Daemon(home, **changes)


def seal(*to):
    result = home.seal(MESSAGE, "-f", CAROL, "--submission=yes", "--", *(to or (ALICE,)))
    tap.equal(result.errors, b"")
    return result.status, result.output


def opened(output):
    return people.gpg("--decrypt", stdin=gnupg.armor(output))


def assert_sealed():
    status, output = seal()
    tap.equal(status, 0, home.log_text()[-600:])
    tap.equal(opened(output), mail.inner_entity(MESSAGE), "content")


def assert_sealed_to_carol():
    tap.equal(seal(CAROL)[0], 0, home.log_text()[-600:])


def runs():
    lines = RUNS.read_text().splitlines()
    os.truncate(RUNS, 0)
    return lines


def one_run_each(count=10):
    """gpg's runs for so many messages, where there were no more than these."""
    runs()
    for _ in range(count):
        assert_sealed()
    lines = runs()
    return lines if len(lines) == count else None


def take_alice():
    ring.take(people.export(ALICE))
    people.take(ring.export(CAROL))


@tap.test("a worker runs gpg once for a message, whoever signs and whoever it is for")
def _():
    take_alice()
    with daemon():
        # As long as a change could have the time of the one before, nothing is relied upon for long.
        lines = tap.wait_for(one_run_each, "all is remembered")
        tap.true(all("--encrypt" in line and "--sign" in line for line in lines), lines)


@tap.test("gpg is asked for its version by the generation, and not by its workers")
def _():
    with daemon(daemon={**SETTINGS["daemon"], "workers": 2, "recycle": 1}):
        tap.equal(runs(), ["--version"], "before the first message")
        for _ in range(3):
            assert_sealed()
        tap.equal([line for line in runs() if "--version" in line], [], "of workers")


@tap.test("a key that is revoked in the ring is used by no message that comes a second later")
def _():
    ring.take(people.export(DAVE))
    fingerprint = people.fingerprint(DAVE)
    revocation = (people.path / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
    with daemon():
        tap.equal([seal(DAVE)[0] for _ in range(3)], [0] * 3)
        by_owner("--import", stdin=re.sub(r"^:(?=-----BEGIN)", "", revocation, flags=re.M).encode())
        home.clear_log()
        tap.wait_for(lambda: seal(DAVE) == (75, b""), "it is not used", seconds=1.5)
        tap.contains(home.log_text(), "was revoked")
        tap.equal(seal(DAVE), (75, b""))


# -- Out of reach -------------------------------------------------------------------------------

def as_root(function):
    def run():
        if not daemons.ROOT:
            raise tap.Skip("only root has users to keep apart")
        function()
    return run


def folder(sealpiped):
    """What the workers have of the home."""
    return next((sealpiped.run_dir / "keys").glob("sealpipe-tmp-*/pgp"))


def agents(sealpiped):
    """Those of the daemon, which have a home below its folder."""
    return [pid for pid in gnupg.processes("gpg-agent")
            if os.fsencode(sealpiped.run_dir) in b" ".join(gnupg.command_line(pid))]


def agent(sealpiped):
    found = agents(sealpiped)
    return found[0] if len(found) == 1 else None


def as_worker(*words, **how):
    return subprocess.run([str(word) for word in words], capture_output=True, timeout=homes.BOUND, stdin=subprocess.DEVNULL,
                          user=daemons.USER, group=pwd.getpwnam(daemons.USER).pw_gid, extra_groups=[],
                          env=gnupg.CLEAN, **how)


def join_home(sealpiped):
    """A home as a worker's is, with the socket that he has."""
    mine = home.folder / "worker"
    shutil.rmtree(mine, ignore_errors=True)
    shutil.copytree(folder(sealpiped), mine, ignore=shutil.ignore_patterns("S.*", "agent"))
    (mine / "S.gpg-agent").write_text(f"%Assuan%\nsocket={folder(sealpiped)}/S.gpg-agent\n")
    for path in (mine, *mine.rglob("*")):
        shutil.chown(path, daemons.USER)
    mine.chmod(0o700)
    return mine


@tap.test("gpg-agent runs as the keys' user, and workers can neither read keys nor reach its own socket")
@as_root
def _():
    with daemon() as sealpiped:
        tap.equal(os.stat(f"/proc/{agent(sealpiped)}").st_uid, pwd.getpwnam(daemons.KEYS_USER).pw_uid)
        key = next((ring.path / "private-keys-v1.d").glob("*.key"))
        for path in (key, key.parent, ring.path / "pubring.kbx", folder(sealpiped) / "agent",
                     folder(sealpiped) / "agent" / "private-keys-v1.d" / key.name):
            result = as_worker("cat", path)
            tap.contains(result.stderr, b"Permission denied", path)
            tap.equal(result.stdout, b"")
        tap.equal((folder(sealpiped) / "private-keys-v1.d" / key.name).read_bytes(), b"", "what says that it is there")
        main = folder(sealpiped) / "agent" / "S.gpg-agent"
        tap.true(main.is_socket(), "there is one")
        tap.true(as_worker("gpg-connect-agent", "-S", main, "getinfo version", "/bye").returncode != 0, "it can be reached")


@tap.test("through the socket that workers have nothing but signatures is to be had")
@as_root
def _():
    with daemon() as sealpiped:
        mine = join_home(sealpiped)
        gpg = ["gpg", "--homedir", mine, "--batch", "--no-autostart"]
        signed = as_worker(*gpg, "--armor", "--local-user", CAROL, "--output", "-", "--detach-sign", RUNS)
        tap.equal(signed.returncode, 0, signed.stderr)
        for loopback in ([], ["--pinentry-mode", "loopback", "--passphrase", ""]):
            stolen = as_worker(*gpg, *loopback, "--export-secret-keys", CAROL)
            tap.equal(stolen.stdout, b"", "a secret key")
            tap.contains(stolen.stderr, b"Forbidden")
        grip = next((ring.path / "private-keys-v1.d").glob("*.key")).stem
        for command in (f"EXPORT_KEY {grip}", f"EXPORT_KEY --openpgp {grip}", f"DELETE_KEY --force {grip}",
                        f"PASSWD {grip}", "GENKEY", "IMPORT_KEY", "KEYWRAP_KEY --export",
                        "SCD SERIALNO", "KILLAGENT", "RELOADAGENT", "OPTION pinentry-mode=loopback",
                        f"KEYTOCARD --force {grip} 0 OPENPGP.1 20260101T000000", "PRESET_PASSPHRASE x -1"):
            answer = as_worker("gpg-connect-agent", "--no-autostart", "--homedir", mine, command, "/bye")
            tap.true(b"ERR " in answer.stdout, f"{command}: {answer.stdout}")
        answer = as_worker("gpg-connect-agent", "--no-autostart", "--homedir", mine, "KEYINFO --list", "/bye")
        tap.true(b"KEYINFO" not in answer.stdout, answer.stdout)
        assert_sealed()


@tap.test("nobody else gets through to that socket")
@as_root
def _():
    with daemon() as sealpiped:
        tap.true(as_worker("test", "-S", folder(sealpiped) / "S.gpg-agent").returncode == 0, "a worker does")
        socket = folder(sealpiped) / "S.gpg-agent"
        other = subprocess.run(["test", "-e", socket], user=daemons.STRANGER, extra_groups=[],
                               group=pwd.getpwnam(daemons.STRANGER).pw_gid, env=gnupg.CLEAN)
        tap.equal(other.returncode, 1)


@tap.test("the rights that its unit leaves to root are enough, and the home may be read-only")
@as_root
def _():
    rights = ",".join(["-all"] + ["+" + name for name in ("setuid", "setgid", "dac_read_search", "chown", "fowner", "kill")])
    by = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
          'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', ring.path,
          "setpriv", f"--bounding-set={rights}", "--no-new-privs"]
    sealpiped = daemon()
    try:
        sealpiped.start(by=by)
        status = pathlib.Path(f"/proc/{sealpiped.process.pid}/status").read_text()
        tap.equal(int(re.search(r"CapEff:\s(\w+)", status)[1], 16), 0b11101101, "rights")
        assert_sealed()
    finally:
        sealpiped.stop()


@tap.test("an agent that is killed is followed by another one; no message is lost or in clear meanwhile")
@as_root
def _():
    with daemon() as sealpiped:
        generations, first = sealpiped.generations(), agent(sealpiped)
        assert_sealed()
        os.kill(first, signal.SIGKILL)

        def is_sealed():
            status, output = seal()
            tap.true(status in (0, 75) and (status == 0) == bool(output), f"{status} {output!r}")
            return status == 0 and opened(output) == mail.inner_entity(MESSAGE)

        tap.wait_for(lambda: is_sealed() and agent(sealpiped) not in (None, first), "it signs again")
        tap.equal(sealpiped.generations(), generations)
        tap.contains(home.log_text(), "gpg-agent has ended")


@tap.test("whoever tends to the agent is followed by a new generation, with an agent of its own")
@as_root
def _():
    with daemon() as sealpiped:
        first = agent(sealpiped)
        os.kill(parent_of(first), signal.SIGKILL)
        tap.wait_for(lambda: agent(sealpiped) not in (None, first), "another one, and the first one is gone")
        tap.wait_for(lambda: seal()[0] == 0, "it signs")
        tap.equal(len(list((sealpiped.run_dir / "keys").iterdir())), 1, "folders")
        run_dir = sealpiped.run_dir
    tap.wait_for(lambda: not agents(sealpiped), "its end is that of the agent")
    tap.equal(list((run_dir / "keys").iterdir()), [], "folders")


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@tap.test("a key that comes into the ring is there for the next message a second later, without a signal")
@as_root
def _():
    people.generate("bob@example.org")
    with daemon():
        tap.equal(seal("bob@example.org"), (75, b""))
        by_owner("--import", stdin=people.export("bob@example.org"))
        tap.wait_for(lambda: seal("bob@example.org")[0] == 0, "it is sealed to", seconds=1.5)


@tap.test("a home that is not the keys' user's, and a passphrase in a file, are told at the start")
@as_root
def _():
    secret = home.folder / "passphrase"
    secret.write_text("x\n")
    secret.chmod(0o600)
    with daemon() as sealpiped:
        sealpiped.configure(**SETTINGS, module_pgp={"home": ring.path, "passphrase_file": secret})
        sealpiped.hup()
        tap.wait_for(lambda: "the keys in home have no passphrase" in home.log_text(), "the log says so")
        sealpiped.configure(**SETTINGS, module_pgp={"home": people.path})
        sealpiped.hup()
        tap.wait_for(lambda: "belongs to user 0, and this runs as user" in home.log_text(), "the log says so")
        assert_sealed_to_carol()


@tap.test("a secret key with a passphrase signs nothing, and nothing waits for one")
@as_root
def _():
    ring.generate("locked@example.org", passphrase="x")
    with daemon():
        result = home.seal(MESSAGE.replace(CAROL.encode(), b"locked@example.org"), "-f", "locked@example.org",
                           "--submission=yes", "--", CAROL, timeout=30)
        tap.equal((result.status, result.output), (75, b""))


@tap.test("sealctl test signs with the daemon's agent, as root, and opens again what it has sealed")
@as_root
def _():
    with daemon():
        result = home.run("sealctl", "test", "--json", "--from", CAROL, CAROL)
        told = json.loads(result.output)
        tap.equal((result.status, result.errors), (0, b""), told)
        tap.equal([row["signature"] for row in told["deliveries"]], ["combined"])
        tap.equal([row["same"] for row in told["opened"]], [True], told["opened"])


@tap.test("without the daemon, who runs sealpipe is told that the home is the daemon's")
@as_root
def _():
    with daemon() as sealpiped:
        sealpiped.configure(**SETTINGS, module_pgp={"home": ring.path}, core={"in_process": "true"})
    home.clear_log()
    tap.equal(seal(CAROL), (75, b""))
    tap.contains(home.log_text(), "is that of [daemon] keys_user")
    tap.contains(home.run("sealctl", "status").output, b"is that of [daemon] keys_user")
    listed = home.run("sealctl", "keys", "list")
    tap.equal(listed.status, 0, listed.errors)
    tap.contains(listed.output, b"not_listed: gnupg")


tap.main()
