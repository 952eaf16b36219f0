# SPDX-License-Identifier: GPL-2.0-or-later
"""What of gpg's stands outside of sealpipe's reach: folders that need a name, when their maker is
killed, the options that gpg reads for the whole system, and a home that is not whole."""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import gnupg
import home as homes
import runner
import tap
from ways import ALICE, CAROL, Ways

ways = Ways("folders")
home = ways.home
PREFIX = "sealpipe-tmp-"
PLAIN = b"From: carol@example.org\nTo: alice@example.org\nSubject: s\n\nthe secret words\n"


def configure(**core):
    # Without a home: then gpg's is one of our own, and keys stand in files.
    ways.configure("pgp-encrypt", {"core": core} if core else None)
    path = home.conf / "50-test.conf"
    path.write_text(path.read_text().replace(f"home={ways.own.path}\n", ""))


def left(folder=None):
    return sorted(path.name for path in (folder or home.state).glob(PREFIX + "*"))


@tap.test("folders of processes that are gone are removed, and nothing else")
def _():
    configure()
    outside = home.folder / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    dead, alive, foreign = (home.state / f"{PREFIX}{name}" for name in ("dead00", "alive0", "foreig"))
    for path in (dead, alive, foreign):
        path.mkdir(mode=0o700)
        (path / "key.pgp").write_text("a key")
    (dead / "private-keys-v1.d").mkdir()
    (dead / "private-keys-v1.d" / "x.key").write_text("x")
    (dead / "link").symlink_to(outside)
    (home.state / f"{PREFIX}link00").symlink_to(outside)
    (home.state / "sealpipe-other").mkdir()
    kept = [alive.name, f"{PREFIX}link00"]
    if os.geteuid() == 0:
        os.chown(foreign, 65534, 65534)
        kept.append(foreign.name)
    lock = os.open(alive, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    ways.leaves(PLAIN)
    tap.equal(left(), sorted(kept), "what is left")
    tap.equal((outside / "file").read_text(), "kept", "behind a link")
    tap.true((home.state / "sealpipe-other").exists(), "another's name")
    os.close(lock)
    ways.leaves(PLAIN)
    tap.true(alive.name not in left(), "once its maker is gone")
    shutil.rmtree(foreign, ignore_errors=True)
    (home.state / f"{PREFIX}link00").unlink()


@tap.test("a runner that is killed leaves a folder in state_dir, and the next one removes it")
def _():
    configure()
    client = subprocess.Popen([home.bin / "sealpipe", "-c", home.conf, "-f", CAROL, "--", ALICE],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={})
    output = []
    reader = threading.Thread(target=lambda: output.append(client.stdout.read()))
    reader.start()
    client.stdin.write(PLAIN + b"words\n" * 5_000_000)
    client.stdin.close()
    tap.wait_for(lambda: any((home.state / name / "1.pgp").exists() for name in left()), "a folder")
    for runner in gnupg.children(client.pid):
        os.killpg(runner, signal.SIGKILL)
    tap.equal(client.wait(homes.BOUND), 75, "status")
    reader.join()
    tap.equal(len(left()), 1, "what is left of it")
    ways.leaves(PLAIN)
    tap.equal(left(), [], "what is left then")


@tap.test("run_dir comes first, the temporary folder last")
def _():
    run, temporary = home.folder / "run", home.folder / "temporary"
    temporary.mkdir()

    def swept(folder):
        stale = folder / f"{PREFIX}stale0"
        stale.mkdir(mode=0o700)
        result = runner.run("transport", "-c", home.conf, "-f", CAROL, "--", ALICE, message=PLAIN,
                            env={**gnupg.CLEAN, "TMPDIR": str(temporary)})
        tap.equal(result.status, 0, home.log_text()[-300:])
        gone = not stale.exists()
        shutil.rmtree(stale, ignore_errors=True)
        tap.equal(left(folder), [], str(folder))
        return gone

    configure(run_dir=run)
    run.mkdir(mode=0o700)
    tap.true(swept(run), "run_dir")
    tap.true(swept(home.state), "state_dir")
    tap.true(not swept(temporary), "the temporary folder is not looked at")
    # What others can write is nobody's own.
    run.chmod(0o777)
    home.state.rename(home.folder / "elsewhere")
    try:
        tap.true(swept(temporary), "the temporary folder")
    finally:
        (home.folder / "elsewhere").rename(home.state)


def with_options(text, *command, **how):
    """Runs @command where /etc/gnupg/gpg.conf has @text; None where that cannot be done."""
    etc = home.folder / "etc"
    if not etc.exists():
        shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True,
                        ignore=lambda folder, names: [n for n in names if "ssl" in n or "shadow" in n])
    (etc / "gnupg").mkdir(exist_ok=True)
    (etc / "gnupg" / "gpg.conf").write_text(text)
    script = f'mount --bind {etc} /etc && exec "$@"'
    return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *map(str, command)],
                          capture_output=True, timeout=homes.BOUND, **how)


@tap.test("options of gpg's for the whole system: none adds a reader, and each is named")
def _():
    if os.geteuid() != 0 or with_options("", "true").returncode != 0:
        tap.note("not run: it needs a mount namespace")
        return
    configure()
    eve = gnupg.Ring(home.folder / "eve")
    eve.generate("eve@example.org")
    (home.folder / "eve.pgp").write_bytes(eve.export("eve@example.org", armor=False))
    fingerprint = ways.ring.fingerprint(ALICE)
    seal = (home.bin / "sealpipe", "-c", home.conf, "-f", CAROL, "--", ALICE)
    status = (home.bin / "sealctl", "-c", home.conf, "status")
    for option in ("encrypt-to " + eve.fingerprint("eve@example.org"),
                   "hidden-encrypt-to " + eve.fingerprint("eve@example.org")):
        result = with_options(option + "\n", *seal, input=PLAIN)
        tap.equal(result.returncode, 0, home.log_text()[-300:])
        tap.equal(len(gnupg.key_ids(ways.ring, gnupg.armor(result.stdout))), 1, option)
    for option in (f"recipient-file {home.folder / 'eve.pgp'}", "throw-keyids", "comment words",
                   "no-armor"):
        home.clear_log()
        result = with_options("# ours\nkeyserver hkps://example.org\n" + option + "\n", *seal,
                              input=PLAIN)
        name = option.partition(" ")[0]
        if result.returncode == 0:
            # gpg of this release does not take it from a file, or GPGME's switches win.
            tap.equal(len(gnupg.key_ids(ways.ring, gnupg.armor(result.stdout))), 1, option)
            tap.true(fingerprint and b"words" not in result.stdout, option)
        else:
            tap.equal((result.returncode, result.stdout), (75, b""), option)
            tap.contains(home.log_text(), f"{name} (/etc/gnupg/gpg.conf, line 3)", option)
        answer = with_options("# ours\nkeyserver hkps://example.org\n" + option + "\n", *status)
        tap.contains(answer.stdout.decode(), f"{name} (/etc/gnupg/gpg.conf, line 3)", "status")
    answer = with_options("keyserver hkps://example.org\n", *status)
    tap.true("gpg.conf" not in answer.stdout.decode(), "what is harmless is not named")


NOBODY = "nobody@example.org"
trouble = home.folder / "trouble"
sound = gnupg.Ring(home.folder / "sound")
sound.generate(CAROL)
sound.take(ways.ring.export(ALICE))
sound.stop()


def fresh_home():
    """A copy of a home with Carol's secret key and Alice's public one."""
    shutil.rmtree(trouble, ignore_errors=True)
    shutil.copytree(sound.path, trouble, ignore=lambda _, names: [n for n in names if n.startswith("S.")])
    trouble.chmod(0o700)
    return trouble / "pubring.kbx"


def use_home(way, **policy):
    ways.configure(way, {"module keys-file": {"paths": None}, "module pgp": {"home": trouble}}, **policy)


def is_unknown(what, why):
    """What cannot be found out keeps the mail, whoever it is for and whatever is only preferred."""
    for way, encrypt in (("pgp-encrypt", "required"), ("pgp-encrypt", "preferred"), ("pgp-sign", "never")):
        use_home(way, encrypt=encrypt)
        for address in (ALICE, NOBODY):
            tap.equal(ways.run(PLAIN, address).triple(), (75, b"", b""), f"{what}, {encrypt}, {address}")
            tap.contains(home.log_text().partition("reason=")[2], why, f"{what}, {way}")
            tap.true("result=refused" not in home.log_text(), what)
            home.clear_log()
    use_home("pgp-encrypt")
    for address in (ALICE, NOBODY):
        tap.equal(home.check("--", address).status, 75, f"{what}, {address}")
    status = home.run("sealctl", "status")
    tap.equal(status.status, 1, status.output)
    tap.contains(status.output.decode(), why, f"{what}, status")


@tap.test("a key ring that is not whole, or not there, is not a ring without keys")
def _():
    whole = (sound.path / "pubring.kbx").read_bytes()
    entry = 32 + int.from_bytes(whole[32:36], "big")
    for what, octets, why in (("cut by 100", whole[:-100], "pubring.kbx: it is damaged after "),
                              ("cut by 1", whole[:-1], "pubring.kbx: it is damaged after "),
                              ("cut in the first key", whole[:entry - 50], "it is damaged after 0 keys"),
                              # Of the first key; where its packets are stands 8 octets in.
                              ("pointing elsewhere", whole[:40] + b"\xff" * 4 + whole[44:],
                               "an entry of the keybox points outside itself"),
                              ("pointing elsewhere, and cut", whole[:40] + b"\xff" * 4 + whole[44:-9],
                               "an entry of the keybox points outside itself"),
                              ("cut in a length", whole[:entry + 3], "it is damaged after 1 keys"),
                              ("not a keybox", b"\x9b\x05" + os.urandom(998), "does not begin as a keybox"),
                              ("empty", b"", "pubring.kbx has 0 octets")):
        ring = fresh_home()
        ring.write_bytes(octets)
        is_unknown(what, why)
        tap.equal(ring.read_bytes(), octets, "nobody mends it")
    fresh_home().unlink()
    is_unknown("gone", "has no key ring, neither pubring.kbx nor pubring.gpg")
    tap.true(not (trouble / "pubring.kbx").exists(), "nobody makes another")
    # Only where there is no keybox does the old ring count.
    (trouble / "pubring.kbx").symlink_to("pubring.kbx")
    (trouble / "pubring.gpg").write_bytes(ways.ring.export(ALICE, armor=False))
    is_unknown("a link to itself", "the key ring in home cannot be read: ")
    for name in ("pubring.kbx", "pubring.gpg"):
        (trouble / name).unlink()
    (trouble / "public-keys.d").mkdir()
    is_unknown("keyboxd", "its keys are keyboxd's")
    gnupg.remove(trouble)
    trouble.mkdir(mode=0o700)
    is_unknown("an empty folder", "is it mounted?")
    tap.equal(list(trouble.iterdir()), [], "what is in it")


@tap.test("a mail for keys in files makes no ring in a home whose own is gone")
def _():
    fresh_home().unlink()
    ways.configure("pgp-encrypt", {"module pgp": {"home": trouble}, "keyring": {"sources": "file"}})
    ways.leaves(PLAIN)
    tap.true(not (trouble / "pubring.kbx").exists(), "no ring is made")


@tap.test("a sound ring without the key says that there is none: new, old, and with others' keys")
def _():
    fresh_home()
    use_home("pgp-encrypt")
    tap.equal([home.check("--", address).status for address in (ALICE, NOBODY)], [0, 69])
    tap.equal(home.run("sealctl", "status").status, 0)
    old = fresh_home()
    old.unlink()
    (trouble / "pubring.gpg").write_bytes(ways.ring.export(ALICE, armor=False))
    tap.equal([home.check("--", address).status for address in (ALICE, NOBODY)], [0, 69])
    for octets in (ways.ring.export(ALICE, armor=False)[:-10], b"words\n", b""):
        (trouble / "pubring.gpg").write_bytes(octets)
        tap.equal([home.check("--", address).status for address in (ALICE, NOBODY)], [75, 75], octets[:9])
    (trouble / "pubring.gpg").unlink()
    gnupg.run("gpg", "--homedir", trouble, "--batch", "--list-keys")
    tap.equal(old.stat().st_size, 32, "a ring without keys")
    tap.equal([home.check("--", address).status for address in (ALICE, NOBODY)], [69, 69])


@tap.test("no secret key at all: who must be signed for waits, and who need not is not kept")
def _():
    for what, change in (("gone", shutil.rmtree),
                         ("empty", lambda path: [file.unlink() for file in path.iterdir()])):
        fresh_home()
        change(trouble / "private-keys-v1.d")
        use_home("pgp-sign")
        tap.equal(ways.run(PLAIN).triple(), (75, b"", b""), what)
        tap.contains(home.log_text(), f"cannot sign: {trouble}/private-keys-v1.d", what)
        tap.true("result=refused" not in home.log_text(), home.log_text()[-400:])
        use_home("pgp-sign", sign="preferred")
        tap.equal(ways.leaves(PLAIN), PLAIN, what)
        use_home("pgp-encrypt")
        ways.leaves(PLAIN)
    # Where others have theirs, that one has none is an answer.
    fresh_home()
    use_home("pgp-sign")
    tap.equal(ways.run(PLAIN.replace(b"carol@", b"alice@"), sender=ALICE).status, 75)
    tap.contains(home.log_text(), "result=refused")
    tap.contains(home.log_text(), "has no secret key in home")


tap.main()
