# SPDX-License-Identifier: GPL-2.0-or-later
"""sealpiped where something else fails: its supervisor, the disk, clients, a reload, the clock; and how
systemd speaks with it."""

import contextlib
import ctypes
import mmap
import os
import pathlib
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import home as homes
import mail
import mounts
import runner
import swarm
import tap

home = homes.Home("faults")
SEALPIPED = homes.prefix() / "sbin" / "sealpiped"
WORDS = b"From: x@example.org\nTo: %s\nSubject: x\nContent-Type: text/plain\n\n" % home.alice.address.encode()


def message(size=100):
    return WORDS + b"some of the words\n" * (size // 18 + 1)


def seal(text=None):
    result = home.seal(text or message(), "-f", "x@example.org", "--", home.alice.address)
    tap.equal(result.errors, b"")
    return result.status, result.output


def assert_sealed(text=None, what=""):
    text = text or message()
    status, output = seal(text)
    tap.equal(status, 0, f"{what} {home.log_text()[-600:]}")
    tap.equal(mail.opened(output, home.alice), mail.inner_entity(text), what)


@contextlib.contextmanager
def started(daemon, **env):
    try:
        yield daemon.start(env=env)
    finally:
        daemon.stop()


def connect(daemon):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.setblocking(False)
    client.connect(str(daemon.socket))
    return client


def ask(daemon):
    """A client that takes no answer."""
    conf, files = os.stat(home.conf), [runner.memory(b"--\0" + home.alice.address.encode() + b"\0"),
                                       runner.memory(message())]
    client = tap.wait_for(lambda: try_connect(daemon), "there is room in the queue")
    socket.send_fds(client, [f"sealpipe 1 transport {conf.st_dev} {conf.st_ino} wm\n".encode()], files)
    for file in files:
        os.close(file)
    return client


# -- The supervisor ------------------------------------------------------------------------------

def kill_supervisor(in_process):
    daemon = daemons.Daemon(home, core={"in_process": in_process}).start()
    try:
        old = daemon.alive()
        load = swarm.Swarm(home, 8, 600)
        tap.wait_for(lambda: load.done() > 100, "the load has begun")
        daemon.process.kill()
        daemon.process.wait()
        tap.wait_for(lambda: not set(old) & set(daemon.alive()), "what it had begun has ended")
        tap.true((daemon.run_dir / "sealpiped.pid").exists() and daemon.socket.exists(), "both are left")
        daemon.start()
        sealed, deferred = load.end()
        assert_sealed(what="by the next one")
        tap.equal(int((daemon.run_dir / "sealpiped.pid").read_text()), daemon.process.pid)
        return sealed, deferred
    finally:
        daemon.stop()


@tap.test("kill -9 of the supervisor: what waits is served, then comes the runner, then the next daemon")
def _():
    sealed, deferred = kill_supervisor("true")
    tap.true(deferred < sealed, f"{sealed} sealed, {deferred} deferred")


@tap.test("kill -9 of the supervisor, and in_process=false: served, or a 75")
def _():
    kill_supervisor("false")


# -- Disks ---------------------------------------------------------------------------------------

def own_mounts():
    """From here on nobody else sees what is mounted."""
    why = mounts.why_not()
    if why:
        raise tap.Skip(why)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) or libc.mount(b"none", b"/", None, 0x44000, None):
        raise tap.Skip(os.strerror(ctypes.get_errno()))


class Disk:
    """Of 1 MiB, on @folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "small", folder], check=True)
        shutil.chown(folder, daemons.USER)

    def fill(self):
        with open(self.folder / "filler", "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass

    def empty(self):
        (self.folder / "filler").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=64m", self.folder], check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=True)


SIZES = {"the message": 3 << 20, "its result": 900 << 10}


def assert_full(disk, what):
    for which, size in SIZES.items():
        tap.equal(seal(message(size)), (75, b""), f"{what}: {which}")
    disk.empty()
    for which, size in SIZES.items():
        assert_sealed(message(size), f"{what}: {which}, and there is room")


@tap.test("a full spool_dir: 75 and no octet, by the daemon and without it, until there is room")
def _():
    own_mounts()
    spool = home.folder / "spool"
    with Disk(spool) as disk, daemons.Daemon(home, core={"spool_dir": spool}):
        assert_full(disk, "the daemon")
    with Disk(spool) as disk:
        home.configure({"core": {"spool_dir": spool, "state_dir": home.state, "log_target": home.log}})
        assert_full(disk, "the runner")


@tap.test("a full state_dir: 75 and no octet, or a message that is right, until there is room")
def _():
    own_mounts()
    state = home.folder / "small-state"
    with Disk(state) as disk:
        disk.fill()
        with daemons.Daemon(home, core={"state_dir": state, "log_target": state / "log"}):
            for size in (100, *SIZES.values()):
                status, output = seal(message(size))
                tap.true((status, output) == (75, b"") or status == 0 and mail.opened(
                    output, home.alice) == mail.inner_entity(message(size)), f"{size}: {status}")
            disk.empty()
            for size in (100, *SIZES.values()):
                assert_sealed(message(size), "there is room")


# -- Clients -------------------------------------------------------------------------------------

@tap.test("clients who say nothing, more of them than workers and queue, keep nobody from being served")
def _():
    with daemons.Daemon(home, daemon={"queue": 16}) as daemon:
        silent, turned_away = [], 0
        try:
            for _ in range(40):
                silent.append(tap.wait_for(lambda: try_connect(daemon), "there is room in the queue"))
            assert_sealed(what="while they are silent")
            tap.equal(swarm.Swarm(home, 8, 100).end(), (100, 0), home.log_text()[-500:])
            tap.wait_for(lambda: all(is_over(client) for client in silent), "they are turned away")
            tap.contains(home.log_text(), "has said nothing for 5 s")
            assert_sealed(what="afterwards")
        finally:
            for client in silent:
                client.close()


def try_connect(daemon):
    try:
        return connect(daemon)
    except BlockingIOError:
        return None


def is_over(client):
    try:
        return client.recv(100) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@tap.test("who takes no answer leaves room for those of others")
def _():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
    daemon, clients = daemons.Daemon(home, daemon={"recycle": 100000}), []
    try:
        daemon.start(preexec_fn=few)
        clients = [ask(daemon) for _ in range(300)]
        assert_sealed(what="while they take nothing")
    finally:
        for client in clients:
            client.close()
        daemon.stop()


@tap.test("clients who speak nonsense, or go in the middle, cost nobody anything")
def _():
    with daemons.Daemon(home, daemon={"recycle": 100000}) as daemon:
        workers = sorted(daemon.workers())
        for words in (b"", b"x", b"sealpipe 1", b"sealpipe 1 transport 0 0 w\n", b"sealpipe 2 a b c d\n",
                      b"\0" * 4000, b"sealpipe 1 transport 0 0 wmhbwmhb\n"):
            with connect(daemon) as client:
                client.send(words)
                tap.wait_for(lambda: is_over(client), f"it is turned away: {words[:30]}")
            connect(daemon).close()
        gone = [subprocess.Popen([home.bin / "sealpipe", "-c", home.conf, "-f", "x@example.org", "--",
                                  home.alice.address], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
                for _ in range(20)]
        for number, client in enumerate(gone):
            client.stdin.write(message(100000))
            client.stdin.close()
            threading.Event().wait(number / 2000)
            client.kill()
            client.wait()
        assert_sealed()
        tap.equal(sorted(daemon.workers()), workers, "the workers")
        tap.contains(home.log_text(), "the request is malformed")


@tap.test("clients that are slow to read or to write hold no worker")
def _():
    big = message(5 << 20)
    with daemons.Daemon(home):
        def start(text):
            client = subprocess.Popen([home.bin / "sealpipe", "-c", home.conf, "-f", "x@example.org", "--",
                                       home.alice.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            client.stdin.write(text)
            return client
        writers = [start(message()[:50]) for _ in range(6)]
        readers = [start(big) for _ in range(6)]
        for client in [*writers, *readers]:
            client.stdin.flush()
        for client in readers:
            client.stdin.close()
        tap.equal(swarm.Swarm(home, 4, 50).end(), (50, 0))
        for client in writers:
            tap.equal(client.poll(), None)
            client.stdin.write(message()[50:])
            client.stdin.close()
        for clients, text in ((writers, message()), (readers, big)):
            for client in clients:
                output = client.stdout.read()
                client.stdout.close()
                tap.equal(client.wait(), 0)
                tap.true(mail.opened(output, home.alice) == mail.inner_entity(text), "all of it")


# -- Reload --------------------------------------------------------------------------------------

@tap.test("a module that is broken at a reload: the old generation stays, and the log says why")
def _():
    modules = home.folder / "modules"
    shutil.copytree(homes.module_folder(), modules)
    modules.chmod(0o755)
    daemon = daemons.Daemon(home)
    with started(daemon, SEALPIPE_MODULES=str(modules)):
        first = daemon.generations()
        good, broken = modules / "smime.so", home.folder / "broken"
        good.rename(home.folder / "good")
        broken.write_bytes(b"\x7fELF and nothing else\n")
        shutil.copy(broken, good)
        home.clear_log()
        daemon.hup()
        tap.wait_for(lambda: "stays as it was" in home.log_text(), "it says so")
        tap.contains(home.log_text(), "smime")
        tap.equal(daemon.generations(), first)
        assert_sealed(what="by the old one")
        (home.folder / "good").rename(good)
        daemon.hup()
        tap.wait_for(lambda: daemon.generations() not in ([], first) and len(daemon.generations()) == 1,
                     "another generation")
        assert_sealed(what="by the new one")


@tap.test("the keeper is killed while the configuration is broken: a new one comes as soon as it is not")
def _():
    with daemons.Daemon(home) as daemon:
        first = daemon.generations()
        broken = home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
        os.kill(daemon.keepers()[0], signal.SIGKILL)
        tap.wait_for(lambda: "stays as it was" in home.log_text(), "it says so")
        assert_sealed(what="by those who are there")
        broken.unlink()
        tap.wait_for(lambda: daemon.generations() not in ([], first) and len(daemon.generations()) == 1,
                     "another generation")
        assert_sealed(what="by the new one")


# -- The clock -----------------------------------------------------------------------------------

SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long none, *offset = &none;
__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("TEST_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *at = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0 && at != MAP_FAILED) offset = at;
    close(fd);
}
int clock_gettime(clockid_t which, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, which, now);
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE) now->tv_sec += *offset;
    return rc;
}
time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret) *ret = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *ret, void *zone)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    ret->tv_sec = now.tv_sec;
    ret->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
DAY = 86400


@tap.test("the clock is set on, and back: nothing hangs, and what it makes invalid waits")
def _():
    source, shim, file = (home.folder / name for name in ("clock.c", "clock.so", "clock"))
    source.write_text(SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source], check=True)
    file.write_bytes(bytes(8))
    file.chmod(0o644)
    with open(file, "r+b") as opened:
        clock = mmap.mmap(opened.fileno(), 8)

    def move(days):
        clock[:8] = struct.pack("l", int(days * DAY))

    move(20)
    daemon = daemons.Daemon(home)
    options = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
    with started(daemon, LD_PRELOAD=str(shim), TEST_CLOCK=str(file), ASAN_OPTIONS=options):
        assert_sealed(what="in 20 days")
        for days in (40, 10, 30, 0.1):
            move(days)
            assert_sealed(what=f"in {days} days")
        workers = sorted(daemon.workers())
        move(400)
        tap.equal(seal(), (75, b""), "the certificates are over")
        move(5)
        assert_sealed(what="they are not")
        load = swarm.Swarm(home, 8, 400)
        for days in (1, 50, 2, 100, 3):
            move(days)
            threading.Event().wait(0.05)
        tap.equal(load.end(), (400, 0), home.log_text()[-600:])
        tap.equal(sorted(daemon.workers()), workers, "none was taken for dead")
        daemon.hup()
        tap.wait_for(lambda: not set(workers) & set(daemon.workers()) and daemon.workers(), "a reload")
        assert_sealed(what="after a reload")


# -- Systemd -------------------------------------------------------------------------------------

LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


@tap.test("a socket of systemd's: it is used, and stays when the daemon ends; NOTIFY_SOCKET hears all")
def _():
    daemon = daemons.Daemon(home)
    daemon.run_dir.mkdir(exist_ok=True)
    daemon.socket.unlink(missing_ok=True)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(home.folder / "notify"))
    heard.settimeout(homes.BOUND)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening, heard:
        listening.bind(str(daemon.socket))
        listening.listen(64)
        for _ in range(2):
            daemon.process = subprocess.Popen(
                ["/usr/bin/python3", "-c", LAUNCHER, str(listening.fileno()), SEALPIPED, "-c", home.conf,
                 "--foreground"], pass_fds=[listening.fileno()],
                env={**os.environ, "NOTIFY_SOCKET": str(home.folder / "notify")})
            assert_sealed(what="by who is just being started")
            tap.equal(heard.recv(1000), b"READY=1")
            daemon.hup()
            reloading = heard.recv(1000)
            tap.true(reloading.startswith(b"RELOADING=1\nMONOTONIC_USEC="), reloading)
            tap.true(0 < int(reloading.rpartition(b"=")[2]), reloading)
            tap.equal(heard.recv(1000), b"READY=1")
            broken = home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
            daemon.hup()
            tap.true(heard.recv(1000).startswith(b"RELOADING=1\n"), "RELOADING")
            tap.equal(heard.recv(1000), b"READY=1", "of the old one")
            broken.unlink()
            daemon.process.send_signal(signal.SIGTERM)
            tap.equal(heard.recv(1000), b"STOPPING=1")
            tap.equal(daemon.process.wait(timeout=homes.BOUND), 0)
            tap.true(daemon.socket.exists(), "the socket is systemd's")


@tap.test("a socket of systemd's that is of another kind is refused")
def _():
    daemon = daemons.Daemon(home)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(home.folder / "stream"))
        listening.listen(64)
        result = subprocess.run(
            ["/usr/bin/python3", "-c", LAUNCHER, str(listening.fileno()), SEALPIPED, "-c", home.conf,
             "--foreground"], pass_fds=[listening.fileno()], capture_output=True, timeout=homes.BOUND)
        tap.equal(result.returncode, 1)
        tap.contains(result.stderr, b"ListenSequentialPacket=")


tap.main()
