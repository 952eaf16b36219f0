# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenPGP through the installed sealpipe: what it makes is opened by gpg, sq and rnp; and whatever
happens to gpg, its home or its keys, nothing leaves that is not sealed."""

import base64
import concurrent.futures
import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

import gnupg
import home as homes
import mail
import runner
import tap

MESSAGES = int(next(a for a in sys.argv if a.startswith("--messages=")).partition("=")[2])
MESSAGE = (b"From: carol@example.org\nTo: alice@example.org\nSubject: s\nMIME-Version: 1.0\n"
           b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
           b"the secret words: Gr\xfc\xdfe \n-- \nFrom me\n")

home = homes.Home("pgp")
people = gnupg.Ring(home.folder / "people")
keys = home.folder / "keys"
keys.mkdir()
ALICE, BOB, DAVE = "alice@example.org", "bob@example.org", "dave@example.org"
people.generate("Alice <alice@example.org>")
people.generate_rsa(BOB)
people.generate_nist(DAVE)
for address in (ALICE, BOB, DAVE):
    (keys / f"{address}.asc").write_bytes(people.export(address, armor=address != BOB))


def configure(**more):
    changes = {"core": {"log_target": home.log}, "policy": {"formats": "pgp"},
               "module keys-file": {"paths": keys}, "module pgp": {}}
    for group, values in more.items():
        group = group.replace("_", " ")
        changes[group] = {**changes.get(group, {}), **values}
    home.configure(changes)
    home.clear_log()


def seal(message, *recipients, **how):
    result = home.seal(message, "-f", "carol@example.org", "--", *recipients, **how)
    if result.status != 0:
        raise AssertionError(f"status {result.status}: {home.log_text()[-800:]}")
    return result.output


def assert_deferred(result, why=None):
    tap.equal((result.status, result.output, result.errors), (75, b"", b""), "the result")
    if why:
        tap.contains(home.log_text(), why, "log")


def by_gpg(block, _address):
    return people.gpg("--decrypt", stdin=block, ok=False)


def by_sq(block, address):
    key, file = home.folder / "secret.asc", home.folder / "sealed.asc"
    key.write_bytes(people.export_secret(address))
    file.write_bytes(block)
    return gnupg.sq_decrypt(key, file)


def by_rnp(block, address):
    ring, key, file = home.folder / "rnp", home.folder / "secret.asc", home.folder / "sealed.asc"
    shutil.rmtree(ring, ignore_errors=True)
    ring.mkdir(mode=0o700)
    key.write_bytes(people.export_secret(address))
    file.write_bytes(block)
    gnupg.run("rnpkeys", "--homedir", ring, "--import-keys", key)
    out = home.folder / "opened"
    gnupg.run("rnp", "--homedir", ring, "--password", "", "--overwrite", "--decrypt", file, "--output", out)
    return out.read_bytes()


@tap.test("gpg, sq and rnp open it, byte for byte")
def _():
    configure()
    for address in (ALICE, BOB, DAVE):
        for message in (MESSAGE, MESSAGE.replace(b"\n", b"\r\n"), b"Subject: s\n\nno fields\n"):
            sealed = seal(message, address)
            tap.true(b"secret words" not in sealed, "nothing in clear")
            tap.equal(b"\r\n" in sealed, b"\r\n" in message, "line ends of the message's kind")
            for reader in (by_gpg, by_sq, by_rnp):
                tap.equal(reader(gnupg.armor(sealed), address), mail.inner_entity(message),
                          f"{address} {reader.__name__}")


@tap.test("several recipients, each named; one who is in no header hides all")
def _():
    configure()
    to_all = MESSAGE.replace(b"To: ", b"To: bob@example.org, dave@example.org, ")
    block = gnupg.armor(seal(to_all, ALICE, BOB, DAVE))
    ids = gnupg.key_ids(people, block)
    tap.equal(len(set(ids)), 3, "key ids")
    tap.true(b"0" * 16 not in ids, "none is hidden")
    for address in (ALICE, BOB, DAVE):
        tap.equal(by_sq(block, address), mail.inner_entity(to_all), address)

    block = gnupg.armor(seal(MESSAGE, ALICE, BOB))
    tap.equal(gnupg.key_ids(people, block), [b"0" * 16] * 2, "key ids")
    tap.equal(by_gpg(block, ALICE), mail.inner_entity(MESSAGE), "content")


@tap.test("twenty recipients")
def _():
    ring = gnupg.Ring(home.folder / "many")
    names = [f"person{i}@example.org" for i in range(20)]
    for name in names:
        ring.generate(name)
    configure(module_pgp={"home": ring.path})
    sealed = seal(MESSAGE.replace(b"To: alice@example.org", b"To: " + ", ".join(names).encode()),
                  *names)
    ids = gnupg.key_ids(ring, gnupg.armor(sealed))
    tap.equal(len(set(ids)), 20, "key ids")
    ring.stop()


@tap.test("keys that will not do are named, with the reason")
def _():
    ring = gnupg.Ring(home.folder / "bad")
    folder = home.folder / "bad-keys"
    folder.mkdir()
    ring.gpg("--faked-system-time", "20200101T000000", "--pinentry-mode", "loopback", "--passphrase",
             "", "--quick-gen-key", "expired@example.org", "future-default", "default", "1y")
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--quick-gen-key",
             "signs@example.org", "ed25519", "sign,cert", "never")
    for name in ("expired", "signs"):
        (folder / f"{name}.asc").write_bytes(ring.export(f"{name}@example.org"))
    (folder / "cut.asc").write_bytes(ring.export("signs@example.org")[:300])
    configure(**{"module_keys-file": {"paths": folder}})
    reasons = (("expired@example.org", "expired on 2020-12-31"),
               ("signs@example.org", "no subkey for encryption"),
               ("nobody@example.org", "no pgp key for nobody@example.org"))
    # Any of them may have the key that is cut.
    for status in (75, 69):
        for address, why in reasons:
            result = home.check("--", address)
            tap.equal(result.status, status, address)
            tap.contains(result.output.decode(), why, "reason")
            assert_deferred(home.seal(MESSAGE, "--", address), why)
        tap.contains(home.log_text(), "cut.asc: the OpenPGP key cannot be read", "log")
        (folder / "cut.asc").unlink(missing_ok=True)
    ring.stop()


@tap.test("the home's own keys, by nobody, without HOME and with a bare PATH")
def _():
    folder = pathlib.Path("/tmp") / home.folder.name.replace("sealpipe-", "sp-")
    folder.mkdir(mode=0o755)
    try:
        ring = gnupg.Ring(folder / "home")
        ring.take(people.export(ALICE))
        configure(module_pgp={"home": ring.path}, core={"log_target": folder / "log", "state_dir": folder / "state"},
                  **{"module_keys-file": {"paths": None}})
        (folder / "log").touch()
        if os.geteuid() != 0:
            raise tap.Skip("needs root to become somebody else")
        os.chmod(home.folder, 0o755)
        for path in [folder, folder / "log", *ring.path.parent.rglob("*")]:
            os.chown(path, 65534, 65534, follow_symlinks=False)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                   home.bin / "sealpipe", "-c", home.conf, "--", ALICE]
        result = subprocess.run(command, input=MESSAGE, capture_output=True,
                                env={"PATH": "/usr/bin:/bin"}, timeout=homes.BOUND)
        tap.equal((result.returncode, result.stderr), (0, b""), (folder / "log").read_text())
        tap.equal(by_gpg(gnupg.armor(result.stdout), ALICE), mail.inner_entity(MESSAGE), "content")
        tap.contains((folder / "log").read_text(), "origin=gnupg", "log")
        # The same home belongs to somebody else.
        result = home.seal(MESSAGE, "--", ALICE)
        tap.equal((result.status, result.output), (75, b""), "by another user")
        tap.contains((folder / "log").read_text(), f"[module pgp] home: {folder} ", "log")
        os.chown(ring.path, 0, 0)
        result = subprocess.run(command, input=MESSAGE, capture_output=True, timeout=homes.BOUND)
        tap.equal((result.returncode, result.stdout), (75, b""), "where the home cannot be read")
        ring.stop()
    finally:
        gnupg.remove(folder)


# -- gpg, and what can happen to it -------------------------------------------------------------

def large(size):
    text = base64.encodebytes(os.urandom(size * 3 // 4))
    return MESSAGE + text


class Running:
    """A sealpipe at work on @message; its gpg is looked for among the runner's process group."""

    def __init__(self, message):
        self.input = home.folder / "large.eml"
        self.input.write_bytes(message)
        self.output = home.folder / "large.out"
        with open(self.input, "rb") as stdin, open(self.output, "wb") as stdout:
            self.client = subprocess.Popen([home.bin / "sealpipe", "-c", home.conf, "--", ALICE],
                                           stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env={})

    def gpg(self):
        """Its gpg that encrypts, once there is one; 0 where the whole has ended before."""
        def look():
            if self.client.poll() is not None:
                return -1
            for runner in gnupg.children(self.client.pid):
                for pid in gnupg.processes("gpg", group=runner):
                    if b"--encrypt" in gnupg.command_line(pid):
                        return pid
            return None
        return max(0, tap.wait_for(look, "gpg is started"))

    def end(self):
        errors = self.client.communicate(timeout=homes.BOUND)[1]
        return homes.Result(self.client.returncode, self.output.read_bytes(), errors)


@tap.test("gpg killed at every tenth of a message of 10 MB")
def _():
    configure(core={"deadline": "20s"})
    message = large(10_000_000)
    killed = 0
    for tenth in range(10):
        run = Running(message)
        pid = run.gpg()
        if pid:
            tap.wait_for(lambda: gnupg.octets_read(pid) >= tenth * 1_000_000 or gnupg.is_gone(pid) or
                         run.client.poll() is not None, "gpg reads")
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        result = run.end()
        if result.status == 0:
            tap.equal(by_gpg(gnupg.armor(result.output), ALICE), mail.inner_entity(message), "content")
        else:
            assert_deferred(result)
            tap.true(pid == 0 or gnupg.is_gone(pid), "no gpg is left")
        tap.note(f"at {tenth}0 %: {result.status}")
        tap.true(tenth > 6 or result.status == 75, f"killed at {tenth}0 % it is deferred")
    tap.true(killed >= 7, f"gpg was there to be killed {killed} times")
    tap.contains(home.log_text(), "gpg", "log")


@tap.test("gpg stopped: the deadline ends it")
def _():
    configure(core={"deadline": "3s"})
    run = Running(large(10_000_000))
    pid = run.gpg()
    os.kill(pid, signal.SIGSTOP)
    assert_deferred(run.end())
    tap.wait_for(lambda: gnupg.is_gone(pid) or "gpg" not in str(gnupg.command_line(pid)),
                 "the stopped gpg is gone")


@tap.test("nothing is left behind in the temporary folder")
def _():
    configure()
    temporary = home.folder / "temporary"
    temporary.mkdir()
    for message, status in ((MESSAGE, 0), (b"", 75)):
        result = runner.run("transport", "-c", home.conf, "-f", "", "--", ALICE, message=message,
                            env={**gnupg.CLEAN, "TMPDIR": str(temporary)})
        tap.equal(result.status, status, "status")
        tap.equal(list(temporary.iterdir()), [], "what is left")
    tap.true(not any(str(temporary).encode() in word for pid in gnupg.processes("gpg-agent")
                     for word in gnupg.command_line(pid)), "no agent is left")


@tap.test("a home that is full")
def _():
    mount = home.folder / "full"
    mount.mkdir()
    configure(module_pgp={"home": mount})
    people_key = home.folder / "alice.pgp"
    people_key.write_bytes(people.export(ALICE, armor=False))
    script = (f"mount -t tmpfs -o size=1M,mode=0700 none {mount} && "
              f"gpg --homedir {mount} --batch -q --import {people_key} 2>/dev/null && "
              f"rm -f {mount}/random_seed {mount}/trustdb.gpg && "
              f"dd if=/dev/zero of={mount}/fill bs=4k 2>/dev/null; "
              f"{home.bin}/sealpipe -c {home.conf} -- {ALICE}; status=$?; "
              f"gpgconf --homedir {mount} --kill all; exit $status")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
        raise tap.Skip("no mount namespace can be made here")
    result = subprocess.run(["unshare", "-m", "sh", "-c", script], input=MESSAGE,
                            capture_output=True, env={"PATH": "/usr/sbin:/usr/bin:/bin"},
                            timeout=homes.BOUND)
    tap.note(f"status {result.returncode}")
    if result.returncode == 0:
        tap.equal(by_gpg(gnupg.armor(result.stdout), ALICE), mail.inner_entity(MESSAGE), "content")
    else:
        tap.equal((result.returncode, result.stdout), (75, b""), "the result")


@tap.test("a home with options of somebody else's, or open to others")
def _():
    ring = gnupg.Ring(home.folder / "ours")
    ring.take(people.export(ALICE))
    configure(module_pgp={"home": ring.path})
    seal(MESSAGE, ALICE)
    (ring.path / "gpg.conf").write_text(f"encrypt-to {BOB}\n")
    assert_deferred(home.seal(MESSAGE, "--", ALICE), "gpg.conf")
    (ring.path / "gpg.conf").unlink()
    ring.path.chmod(0o750)
    assert_deferred(home.seal(MESSAGE, "--", ALICE), "0700")
    ring.path.chmod(0o700)
    ring.path.rename(home.folder / "elsewhere")
    assert_deferred(home.seal(MESSAGE, "--", ALICE))
    (home.folder / "elsewhere").rename(ring.path)


@tap.test(f"eight at once on one home, {MESSAGES} messages")
def _():
    ring = gnupg.Ring(home.folder / "shared")
    ring.take(people.export(ALICE))
    configure(module_pgp={"home": ring.path}, **{"module_keys-file": {"paths": None}})

    def one(number):
        return number, home.seal(MESSAGE + b"%d\n" % number, "--", ALICE)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(one, range(MESSAGES)))
    for number, result in results:
        tap.equal(result.status, 0, f"message {number}: {home.log_text()[-500:]}")
        if number % 20 == 0:
            tap.equal(by_gpg(gnupg.armor(result.output), ALICE),
                      mail.inner_entity(MESSAGE + b"%d\n" % number), f"message {number}")
    tap.equal(home.log_text().count("result=sealed"), MESSAGES, "log lines")


sys.argv = [a for a in sys.argv if not a.startswith("--messages=")]
tap.main()
