# SPDX-License-Identifier: GPL-2.0-or-later
"""attack.py [--as=USER] MODULE WITHOUT: what a worker can do that was taken over, where root starts
the daemon, and where one user does: nothing that it may not do for its work."""

import ctypes
import errno
import os
import pathlib
import pwd
import shutil
import signal
import struct
import subprocess
import sys

# The system's own interpreter: another one may lie where only root reads.
AS = [a[len("--as="):] for a in sys.argv if a.startswith("--as=")]
if AS and os.geteuid() == 0:
    who = pwd.getpwnam(AS[0])
    os.setgroups([])
    os.setgid(who.pw_gid)
    os.setuid(who.pw_uid)
    os.environ["HOME"] = "/nonexistent"
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import daemons
import gnupg
import home as homes
import mail
import tap

MODULE, WITHOUT = [pathlib.Path(a).absolute() for a in tap.arguments() if not a.startswith("-")]
SANITIZED = "--sanitize" in sys.argv
ROOT = daemons.ROOT
home = homes.Home("attack")
CAROL, TARGET = "carol@example.org", "attack@example.org"
carol = home.authority.person(CAROL, "rsa")
opener = home.authority.leaf("opener", CAROL, "keyEncipherment", "20200101000000Z", "20490101000000Z")
home.enrol(TARGET, "rsa")
keys, tried, spool, free = (home.folder / n for n in ("server-keys", "tried", "spool", "free"))
for folder, mode in ((keys, 0o700), (tried, 0o755), (spool, 0o777), (free, 0o777)):
    folder.mkdir()
    folder.chmod(mode)
for name, person in (("carol.pem", carol), ("opener.pem", opener)):
    (keys / name).write_bytes(person.cert.read_bytes() + person.key.read_bytes())
passphrase = keys / "passphrase"
passphrase.write_text("\n")
for path in keys.iterdir():
    path.chmod(0o600)
(free / "everybody").touch()
(free / "everybody").chmod(0o666)
MODULES = home.modules_with(MODULE)
REPORT, PLAN = home.state / "report", tried / "plan"
CHANGES = {
    "core": {"spool_dir": spool},
    "pipeline": {"outbound": "attack;sign;smime"},
    "policy": {"encrypt": "required", "sign": "required"},
    "module_sign": {}, "module_smime": {"server_keys": keys, "passphrase_file": passphrase},
    "module_attack": {"plan": PLAN, "report": REPORT},
}
ME = "self" if not ROOT else "root"
MESSAGE = (f"From: {CAROL}\nTo: {home.alice.address}\nSubject: x\nMIME-Version: 1.0\n"
           "Content-Type: text/plain\n\nthe words\n").encode()


def landlock():
    """Its version; 0 where there is none."""
    return max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1))


class Attacked(daemons.Daemon):
    def __init__(self, **changes):
        merged = {name: {**CHANGES.get(name, {}), **changes.get(name, {})}
                  for name in {**CHANGES, **changes}}
        merged["daemon"] = {"workers": 3, "submission_peers": ME, **merged.get("daemon", {})}
        super().__init__(home, **merged)

    def __enter__(self):
        return self.start(env={"SEALPIPE_MODULES": str(MODULES)})


def seal(*recipients):
    result = home.seal(MESSAGE, "-f", CAROL, "--submission=yes", "--", *recipients)
    tap.equal(result.errors, b"")
    return result


def assert_works():
    tap.wait_for(lambda: seal(home.alice.address).status == 0, f"it seals {home.log_text()[-500:]}")
    tap.true(mail.inner_entity(MESSAGE) in mail.opened(seal(home.alice.address).output, home.alice),
             "content")


def attack(lines):
    """What became of each line: [(got, line, what)]. Some lines try several things."""
    PLAN.write_text("\n".join(lines))
    PLAN.chmod(0o644)
    if REPORT.exists():
        REPORT.unlink()
    status = seal(TARGET).status
    tap.true(REPORT.exists(), home.log_text()[-600:])
    text = REPORT.read_text().splitlines()
    tap.equal(text[-1:], ["end"], "the report")
    results = []
    for line in text[:-1]:
        word, _, rest = line.partition(" ")
        what, _, why = rest.partition(": ")
        results.append((word == "got", what, why))
    tap.true(len(results) >= len(lines), f"{len(results)} of {len(lines)}")
    return status, results


def assert_nothing(lines):
    _, results = attack(lines)
    tap.equal([r for r in results if r[0]], [], "what it got")
    return results


# -- Files --------------------------------------------------------------------------------------

@tap.test("keys, passphrases, and whatever it does not need, are not read")
def _():
    with Attacked():
        # The others are no business of the daemon's: they lie beside what it reads.
        secrets = [*keys.iterdir(), *([carol.key, opener.key, home.authority.key] if ROOT else [])]
        assert_nothing([f"read {p}" for p in [*secrets, free / "everybody", "/etc/shadow",
                                              "/etc/hostname", "/dev/mem", "/dev/kmsg", "/var/log/wtmp"]] +
                       [f"list {p}" for p in (keys, free, "/", "/etc", "/root", "/home", "/var", "/tmp")])
        _, results = attack([f"read {p}" for p in (next(home.certs.iterdir()), PLAN, "/dev/null")])
        tap.equal([r[0] for r in results], [True] * 3, "what it does need")
        assert_works()


@tap.test("nothing is written but state, spool and what the moment needs; nothing of its own is run")
def _():
    tools = home.folder / "tools"
    tools.mkdir(exist_ok=True)
    for folder in (tools, home.state, spool):
        shutil.copy("/usr/bin/id", folder / "id")
        (folder / "id").chmod(0o755)
    if ROOT:
        (tools / "id").chmod(0o4755)
    with Attacked():
        assert_nothing([f"write {p}" for p in (free / "everybody", home.conf / "50-test.conf", home.log,
                                               PLAN, MODULES / "smime.so", keys / "carol.pem",
                                               "/etc/passwd", "/proc/sys/kernel/core_pattern")] +
                       [f"create {p / 'sealpipe-attack-made'}" for p in (free, home.conf, MODULES, keys, tried, home.certs,
                                                         pathlib.Path("/tmp"), pathlib.Path("/var/tmp"))] +
                       [f"run {p / 'id'}" for p in (tools, home.state, spool)])
        assert_works()


# -- Processes and the kernel -------------------------------------------------------------------

def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


@tap.test("every process that has to do with mail or keys is locked in, and none can be looked into")
def _():
    with Attacked() as daemon:
        assert_works()
        for what in ("generations", "keepers", "servers", "workers"):
            pids = tap.wait_for(getattr(daemon, what), what)
            for pid in pids:
                fields = status_of(pid)
                tap.equal((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"), what)
                tap.equal(int(fields["Seccomp_filters"]), 2 if what == "servers" else 1, what)
                tap.equal(fields["CapEff"], "0" * 16, what)
                # Only what cannot be dumped has files of root's.
                if not SANITIZED:
                    tap.equal(os.stat(f"/proc/{pid}/environ").st_uid, 0, f"{what}: dumpable")
        if not SANITIZED:
            tap.equal(os.stat(f"/proc/{daemon.process.pid}/environ").st_uid, 0, "supervisor: dumpable")


@tap.test("no other process is looked into, traced, written to or signalled")
def _():
    with Attacked() as daemon:
        assert_works()
        others = {"supervisor": [daemon.process.pid], "generation": daemon.generations(),
                  "keeper": daemon.keepers(), "server": daemon.servers(), "init": [1]}
        lines = [f"{verb} {pid}" for pids in others.values() for pid in pids
                 for verb in ("trace", "memory", "proc")]
        if not SANITIZED:
            assert_nothing(lines)
        # Under one user, signals are the kernel's to stop since its Landlock 6.
        signalled = [pid for what, pids in others.items() for pid in pids
                     if landlock() >= 6 or ROOT and what != "generation"]
        if signalled:
            assert_nothing([f"signal {pid}" for pid in signalled])
        else:
            tap.note(f"Landlock {landlock()}: signals to its own user's processes are not stopped")
        # One of these is the attacker himself, to whom his own files in /proc are open.
        if not SANITIZED:
            assert_nothing([f"{verb} {pid}" for pid in daemon.workers() for verb in ("trace", "memory")])
        assert_works()


@tap.test("no way back to root, no other view of the system, no network")
def _():
    with Attacked():
        results = assert_nothing([f"call {name}" for name in (
            "root", "privileges", "unshare", "mount", "chroot", "network", "keys", "bpf", "userfaultfd",
            "io_uring")])
        tap.equal([r for r in results if "not implemented" in r[2]], [], "all were tried")
        assert_works()
    with Attacked(daemon={"network": "true"}):
        tap.equal([r[0] for r in attack(["call network", "call bpf"])[1]], [True, False], "network")
        assert_works()


# -- The keeper ---------------------------------------------------------------------------------

def octets(data):
    return struct.pack("<I", len(data)) + data


def signing(key=0, scheme=1, algorithm=1, digest=b"\1" * 32, name=b"smime", letter=b"S"):
    return letter + octets(name) + struct.pack("<III", key, scheme, algorithm) + octets(digest)


def unwrapping(key=0, scheme=1, encrypted=b"\1" * 256, point=b"", info=b"", wrap=0, length=16):
    return (b"U" + octets(b"smime") + struct.pack("<III", key, scheme, 1) + octets(encrypted) +
            octets(point) + octets(info) + struct.pack("<II", wrap, length))


def ask(*records):
    return ["ask " + record.hex() for record in records]


@tap.test("the keeper signs digests with keys that are for it, and does nothing else")
def _():
    raw = b"\0\1" + b"\xff" * 253 + b"\0"
    off_curve = b"\4" + b"\1" * 64
    refused = [
        signing(scheme=0), signing(scheme=3), signing(scheme=4), signing(scheme=2**32 - 1),   # ECDSA, raw
        signing(digest=raw), signing(digest=raw, algorithm=0), signing(algorithm=0),
        *(signing(algorithm=a, digest=b"\1" * n) for a in (0, 1, 2, 3, 4) for n in (0, 16, 20, 28, 31, 33)),
        signing(key=2), signing(key=2**31), signing(key=2**32 - 1), signing(name=b"pgp"), signing(name=b""),
        signing(letter=b"s"), signing() + b"\0", signing()[:-1], b"S", b"\0" * 100, b"K", b"L",
        *(unwrapping(key, scheme, length=n) for key in (0, 1) for scheme in (0, 1, 2, 3, 9)
          for n in (0, 1, 16, 32, 256)),
        unwrapping(scheme=3, point=off_curve, info=b"\x30\0", wrap=16, encrypted=b"\1" * 24),
    ]
    with Attacked():
        results = assert_nothing(ask(*refused))
        tap.equal([r for r in results if "ended" in r[2]], [], "it lives")
        # One of the two keys is for signing, the other one for content keys alone.
        for scheme in (1, 2):
            _, results = attack(ask(signing(0, scheme), signing(1, scheme)))
            tap.equal(sorted(r[0] for r in results), [False, True], f"{results}")
            tap.contains(" ".join(r[2] for r in results), "what its certificate is not for")
            tap.contains(" ".join(r[2] for r in results), "256 octets")
        assert_works()


@tap.test("thousands of records at random get nothing, and one that is too large ends its server alone")
def _():
    with Attacked() as daemon:
        keepers = daemon.keepers()
        results = assert_nothing(["noise 3000"])
        tap.contains(results[0][2], "0 answers of 3000")
        assert_works()
        for size in (8193, 100000):
            status, results = attack([f"flood {size}", *ask(signing())])
            tap.equal(status, 75, "without a keeper nothing is sealed")
            tap.equal(results[0][0], False)
            assert_works()
        tap.equal(daemon.keepers(), keepers, "the keeper itself")


@tap.test("a server that the kernel ends for a system call is heard of, and its worker is replaced")
def _():
    with Attacked() as daemon:
        assert_works()
        servers = tap.wait_for(daemon.servers, "servers")
        home.clear_log()
        os.kill(servers[0], signal.SIGSYS)
        tap.wait_for(lambda: "a system call that is not for it" in home.log_text(), "the log")
        assert_works()


# -- Work ---------------------------------------------------------------------------------------

ring = gnupg.Ring(home.folder / "gnupg")
ring.generate(CAROL)
ring.generate(home.alice.address)
(home.folder / "alice.asc").write_bytes(ring.export(home.alice.address))
OPENPGP = {"pipeline": {"outbound": "attack;sign;pgp"}, "module_pgp": {"home": ring.path},
           "policy": {"encrypt": "required", "sign": "required", "formats": "pgp"},
           "module_keys-file": {"paths": home.folder / "alice.asc"}}


def give_ring(user):
    ring.stop()
    for path in [ring.path, *ring.path.rglob("*")] if ROOT else ():
        if path.exists():
            shutil.chown(path, user)


@tap.test("gpg encrypts and signs under it")
def _():
    give_ring(daemons.KEYS_USER)
    with Attacked(**OPENPGP):
        result = seal(home.alice.address)
        tap.equal(result.status, 0, home.log_text()[-800:])
    give_ring("root")
    tap.contains(ring.gpg("--decrypt", stdin=gnupg.armor(result.output)), b"the words")
    tap.equal("keys in a GnuPG home are not kept apart" in home.log_text(), not ROOT, "it is said")


@tap.test("gpg-agent signs, and its keys stay where they are")
def _():
    if not ROOT:
        raise tap.Skip("under one user they are not apart, and the log says so")
    give_ring(daemons.KEYS_USER)
    with Attacked(**OPENPGP) as daemon:
        tap.wait_for(lambda: seal(home.alice.address).status == 0, "it signs")
        below = [*daemon.run_dir.rglob("*"), *ring.path.rglob("*")]
        # Whoever may have mail sealed may ask for the daemon's counters, too: nothing is read there.
        open_to_all = (daemon.socket, daemon.run_dir / "status.sock")
        sockets = [p for p in below if p.is_socket() and p not in open_to_all]
        extra = [p for p in sockets if p.parent.name == "pgp"]
        tap.equal((len(extra), len(sockets) > 2), (1, True), f"{sockets}")
        secrets = [p for p in below if p.parent.name == "private-keys-v1.d" and p.stat().st_size]
        tap.true(secrets, f"{below}")
        grip = secrets[0].stem
        lines = ([f"read {p}" for p in secrets] + [f"write {p}" for p in secrets] +
                 [f"list {p}" for p in {*(p.parent for p in secrets), ring.path}] +
                 [f"connect {p}" for p in sockets if p not in extra] +
                 [f"agent {extra[0]} {command}" for command in (
                     "KEYWRAP_KEY --export", f"EXPORT_KEY {grip}", f"EXPORT_KEY --openpgp {grip}",
                     f"DELETE_KEY --force {grip}", f"PASSWD {grip}", "GENKEY", "KEYWRAP_KEY --import",
                     "IMPORT_KEY", f"PRESET_PASSPHRASE {grip} -1 00", "GETEVENTCOUNTER", "KILLAGENT",
                     "RELOADAGENT", "SCD SERIALNO", "OPTION pinentry-mode=loopback")])
        assert_nothing(lines)
        _, results = attack([f"agent {extra[0]} HAVEKEY {grip}"])
        tap.equal(results[0][0], True, f"what it may ask is answered: {results}")
        tap.equal(seal(home.alice.address).status, 0, "it signs still")


# -- Where it cannot be had ---------------------------------------------------------------------

def start_without(what, why, **changes):
    """A daemon on such a kernel; its log where it does not start."""
    daemon = Attacked(**changes)
    command = [WITHOUT, what, str(why), homes.prefix() / "sbin" / "sealpiped", "-c", home.conf, "--foreground"]
    home.clear_log()
    daemon.process = subprocess.Popen(command, env={**os.environ, "SEALPIPE_MODULES": str(MODULES)},
                                      stderr=subprocess.DEVNULL)
    tap.wait_for(lambda: daemon.process.poll() is not None or daemon.socket.exists() and daemon.workers(),
                 "it starts, or not")
    return daemon


def starts(what, why, sandbox):
    daemon = start_without(what, why, daemon={"sandbox": sandbox})
    try:
        if daemon.process.poll() is None:
            assert_works()
            return True
        return False
    finally:
        daemon.stop()
        # The last of them may still have something to say in the log.
        tap.wait_for(lambda: not daemon.alive(), "all have ended")


@tap.test("a kernel that does not lock in: the daemon does not start, unless that is configured")
def _():
    for what, why, required in (("landlock", errno.ENOSYS, ROOT), ("landlock", errno.EOPNOTSUPP, ROOT),
                                ("landlock", errno.EPERM, False), ("seccomp", errno.EPERM, False),
                                ("seccomp", errno.ENOSYS, False)):
        name = {"landlock": "Landlock", "seccomp": "seccomp"}[what]
        tap.equal(starts(what, why, "required"), required, f"{what} {why}")
        tap.contains(home.log_text(), name)
        if not required:
            tap.contains(home.log_text(), "[daemon] sandbox is required")
        tap.true(starts(what, why, "available"), f"{what} {why}: available")
        tap.contains(home.log_text(), name)
        tap.true(starts(what, why, "off"), f"{what} {why}: off")
        if ROOT:
            tap.true(name not in home.log_text(), f"off: nothing is said: {home.log_text()}")


@tap.test("under one user, keys that lie where workers read are refused")
def _():
    if ROOT:
        raise tap.Skip("root keeps them apart")
    changes = {"module_keys-file": {"paths": home.folder}}
    daemon = Attacked(**changes)
    result = subprocess.run([homes.prefix() / "sbin" / "sealpiped", "-c", home.conf, "--foreground"],
                            env={**os.environ, "SEALPIPE_MODULES": str(MODULES)}, capture_output=True,
                            timeout=homes.BOUND)
    tap.equal(result.returncode, 1)
    tap.contains(home.log_text(), f"lies in {home.folder}, which the daemon's workers reach")
    tap.true(not daemon.socket.exists(), "the socket is there")


@tap.test("files that replace others are read, and what links lead to where readable names it")
def _():
    other = home.folder / "other"
    other.mkdir(exist_ok=True)
    dave = home.authority.person("dave@example.org", "ec")
    shutil.copy(dave.cert, other / "dave.pem")
    link = home.certs / "dave.pem"
    link.symlink_to(other / "dave.pem")
    try:
        with Attacked(daemon={"readable": other}):
            tap.equal(seal(dave.address).status, 0, home.log_text()[-500:])
            fresh = home.authority.cert.with_name("fresh")
            shutil.copy(home.authority.cert, fresh)
            fresh.rename(home.authority.cert)
            _, results = attack([f"read {home.authority.cert}", f"read {link}"])
            tap.equal([r[0] for r in results], [True, True])
    finally:
        link.unlink()


tap.main()
