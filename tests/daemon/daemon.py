# SPDX-License-Identifier: GPL-2.0-or-later
"""sealpiped: who may do what, what becomes of a message whatever happens, and how it is reloaded and
stopped."""

import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import daemons
import home as homes
import mail
import tap

COUNT = 300 if "--sanitize" in sys.argv else 1500  # messages under load
home = homes.Home("daemon")
CAROL = "carol@example.org"
carol = home.authority.person(CAROL, "rsa")
keys = home.folder / "server-keys"
keys.mkdir(mode=0o700)
(keys / "carol.pem").write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
(keys / "carol.pem").chmod(0o600)
SIGNED = {"policy": {"encrypt": "preferred", "sign": "required"}, "module_sign": {},
          "module_smime": {"server_keys": keys}}
MESSAGE = (f"From: {CAROL}\nTo: {home.alice.address}\nSubject: x\nMIME-Version: 1.0\n"
           "Content-Type: text/plain\n\nthe words\n").encode()


def seal(message=MESSAGE, *args, user=None, **how):
    """(status, output)"""
    result = home.seal(message, "-f", CAROL, "--submission=yes", *args, "--", home.alice.address,
                       **({"user": user} if user else {}), **how)
    tap.equal(result.errors, b"")
    return result.status, result.output


def is_right(output, message=MESSAGE):
    """All of it, within a signature where there is one."""
    return mail.inner_entity(message) in mail.opened(output, home.alice)


def assert_sealed(what="", **how):
    status, output = seal(**how)
    tap.equal(status, 0, f"{what} {home.log_text()[-500:]}")
    tap.true(is_right(output), f"{what}: content")


# -- Whether there is one -----------------------------------------------------------------------

@tap.test("without a daemon, and in_process=false, every message is deferred; with one it is sealed")
def _():
    daemon = daemons.Daemon(home)
    tap.equal(seal(), (75, b""))
    tap.contains(home.log_text(), "start sealpiped")
    with daemon:
        assert_sealed()
        tap.equal(home.check("--", home.alice.address).status, 0)
        tap.equal(home.check("--", "nobody@example.org").status, 69)
    tap.true(not daemon.socket.exists(), "the socket is still there")
    tap.equal(seal(), (75, b""))


@tap.test("what a killed daemon has left behind is no daemon, and does not stop another")
def _():
    daemon = daemons.Daemon(home, core={"in_process": "true"}).start()
    try:
        daemon.process.kill()
        daemon.process.wait()
        tap.wait_for(lambda: not daemon.alive(), "all of it is gone")
        tap.true(daemon.socket.exists(), "the socket was left")
        assert_sealed("in process")
        with daemon:
            assert_sealed("by the next one")
    finally:
        daemon.stop()


@tap.test("a daemon for another configuration is not asked")
def _():
    other = home.folder / "other.d"
    other.mkdir(exist_ok=True)
    with daemons.Daemon(home, core={"in_process": "true"}, policy={"encrypt": "never"}):
        (other / "x.conf").write_text(next(home.conf.glob("*.conf")).read_text().replace(
            "encrypt=never", "encrypt=required"))
        status, output = seal()
        tap.equal((status, b"the words" in output), (0, True), "of the daemon")
        result = subprocess.run([home.bin / "sealpipe", "-c", other, "-f", CAROL, "--", home.alice.address],
                                input=MESSAGE, capture_output=True, timeout=homes.BOUND)
        tap.equal(result.returncode, 0)
        tap.true(is_right(result.stdout), "of the runner")


@tap.test("a second daemon says that there is one")
def _():
    with daemons.Daemon(home) as daemon:
        second = subprocess.run([homes.prefix() / "sbin" / "sealpiped", "-c", home.conf, "--foreground"],
                                capture_output=True, timeout=homes.BOUND)
        tap.equal(second.returncode, 1)
        tap.contains(second.stderr, b"another sealpiped runs already")
        assert_sealed()
        tap.equal(daemon.process.poll(), None)


# -- Who may ------------------------------------------------------------------------------------

def as_root(function):
    def run():
        if not daemons.ROOT:
            raise tap.Skip("only root can be somebody else")
        function()
    return run


@tap.test("peers: who is not named is told so in the log, and his message waits")
@as_root
def _():
    with daemons.Daemon(home, daemon={"socket_mode": "0666"}):
        assert_sealed("a peer", user=daemons.PEER)
        home.clear_log()
        tap.equal(seal(user=daemons.STRANGER), (75, b""))
        tap.contains(home.log_text(), f"user {daemons.STRANGER} may not hand in messages: [daemon] peers")


def asked_by(user, daemon):
    """What @user gets who sends a request of his own making: the records, and how many files."""
    program = f"""if True:
        import array, os, socket
        files = [os.memfd_create("x"), os.memfd_create("x")]
        os.write(files[0], b"-f\\0{CAROL}\\0--\\0{home.alice.address}\\0")
        os.write(files[1], {MESSAGE!r})
        at, conf = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET), os.stat({str(home.conf)!r})
        at.connect({str(daemon.socket)!r})
        try:
            at.sendmsg([f"sealpipe 1 transport {{conf.st_dev}} {{conf.st_ino}} wm\\n".encode()],
                       [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))])
            while (got := at.recvmsg(9000, 4096))[0]:
                print(got[0].decode().split()[0], len(got[1]))
        except (ConnectionResetError, BrokenPipeError):
            pass
        """
    return subprocess.run(["/usr/bin/python3", "-c", program], user=user, capture_output=True, text=True,
                          timeout=homes.BOUND, check=True).stdout.splitlines()


@tap.test("a stranger gets no file, not even the log's")
@as_root
def _():
    with daemons.Daemon(home, daemon={"socket_mode": "0666"}) as daemon:
        tap.equal([line for line in asked_by(daemons.STRANGER, daemon) if line != "E 0"], [])
        tap.equal(asked_by("root", daemon)[-1], "E 0")
        tap.contains(asked_by("root", daemon), "F 1")
        tap.contains(asked_by("root", daemon), "L 1")


@tap.test("who says nothing keeps no generation from its end")
def _():
    with daemons.Daemon(home) as daemon, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        first = daemon.generations()
        home.clear_log()
        silent.connect(str(daemon.socket))
        assert_sealed("who came later, so that he has been looked at")
        daemon.hup()
        tap.wait_for(lambda: first[0] not in daemon.generations(), "the one before has ended")
        tap.contains(home.log_text(), "has said nothing for")


@tap.test("a worker that has no descriptor left gives its place to another")
def _():
    daemon = daemons.Daemon(home, daemon={"workers": 1})
    try:
        daemon.start(by=["prlimit", "--nofile=32:32"])
        first, silent = daemon.workers(), []
        for _ in range(32):
            silent.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            silent[-1].connect(str(daemon.socket))
        tap.wait_for(lambda: daemon.workers() not in (first, []), "another one")
        for client in silent:
            client.close()
        assert_sealed()
    finally:
        daemon.stop()


@tap.test("socket_mode: who cannot open the socket is a 75, and not the runner's")
@as_root
def _():
    with daemons.Daemon(home, core={"in_process": "true"}, daemon={"socket_mode": "0600"}):
        tap.equal(seal(user=daemons.PEER), (75, b""))
        assert_sealed("root")


@tap.test("a socket of somebody else's is a 75")
@as_root
def _():
    daemon = daemons.Daemon(home, core={"in_process": "true"})
    daemon.run_dir.mkdir(exist_ok=True)
    fake = subprocess.Popen(
        ["/usr/bin/python3", "-c",
         "import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
         f"s.bind({str(daemon.socket)!r}); s.listen(); print('there', flush=True)\n"
         "while True: c, _ = s.accept(); c.recv(9000); c.send(b'E 0')"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=lambda: (os.chmod(daemon.run_dir, 0o777),
                                                    os.setuid(pwd.getpwnam(daemons.STRANGER).pw_uid)))
    try:
        fake.stdout.readline()
        tap.equal(seal(), (75, b""))
    finally:
        fake.kill()
        fake.wait()
        fake.stdout.close()
        daemon.socket.unlink()
        daemon.run_dir.chmod(0o755)


@tap.test("submission_peers: only whose word counts has mail signed, and for whom it counts")
@as_root
def _():
    for peers, user, status in ((f"root;{daemons.PEER}", daemons.PEER, 0), ("root", daemons.PEER, 75),
                                (f"{daemons.PEER}={CAROL}", daemons.PEER, 0),
                                (f"{daemons.PEER}=@example.org", daemons.PEER, 0),
                                (f"{daemons.PEER}=@example.com;root", daemons.PEER, 75),
                                (f"{daemons.PEER}=dave@example.org", daemons.PEER, 75)):
        with daemons.Daemon(home, daemon={"socket_mode": "0666", "submission_peers": peers}, **SIGNED):
            home.clear_log()
            got, output = seal(user=user)
            tap.equal(got, status, f"{peers}: {home.log_text()[-400:]}")
            if status:
                tap.contains(home.log_text(), "[daemon] submission_peers")


# -- Keys apart ---------------------------------------------------------------------------------

@tap.test("keys that only root can read sign, and neither worker nor client can read them")
@as_root
def _():
    with daemons.Daemon(home, **SIGNED) as daemon:
        assert_sealed(user=None)
        status = home.run("sealctl", "status")
        tap.equal((status.status, status.errors), (0, b""), status.output)
        config = home.run("sealctl", "config")
        tap.equal((config.status, config.errors), (0, b""), config.output[-300:])
        shutil.copy(carol.cert, home.certs)
        test = home.run("sealctl", "test", "--json", "--from", CAROL, CAROL)
        (home.certs / carol.cert.name).unlink()
        told = json.loads(test.output)
        tap.equal((test.status, [row["same"] for row in told["opened"]], bool(told["deliveries"][0]["signer"])),
                  (0, [True], True), f"as sealctl test has it: {told['opened']} {test.errors}")
        users = {"keeper": daemons.KEYS_USER, "server": daemons.KEYS_USER, "worker": daemons.USER}
        for what, pids in (("keeper", daemon.keepers()), ("server", daemon.servers()),
                           ("worker", daemon.workers())):
            tap.true(pids, what)
            for pid in pids:
                tap.equal(pathlib.Path(f"/proc/{pid}/status").read_text().split("Uid:\t")[1].split()[:3],
                          [str(pwd.getpwnam(users[what]).pw_uid)] * 3, what)


# -- Reload and stop ----------------------------------------------------------------------------

@tap.test("SIGHUP: a new generation takes over; one that fails says why, and the old one stays")
def _():
    with daemons.Daemon(home) as daemon:
        first = daemon.generations()
        daemon.hup()
        tap.wait_for(lambda: daemon.generations() != first and len(daemon.generations()) == 1,
                     "another generation")
        assert_sealed()
        second = daemon.generations()
        home.write_conf("90-broken.conf", "[policy]\nencrypt=maybe\n")
        home.clear_log()
        daemon.hup()
        tap.wait_for(lambda: "stays as it was" in home.log_text(), "it says so")
        said = [line for line in home.log_text().splitlines() if "stays as it was" in line]
        tap.contains(said[0], "90-broken.conf:2:")
        tap.contains(said[0], f"sealpipe[{second[0]}]")  # by whom the log is open
        tap.equal(daemon.generations(), second)
        assert_sealed("by the old one")
        (home.conf / "90-broken.conf").unlink()


@tap.test("a state_dir that is another's, and a peer who is nobody, are told to who starts it")
@as_root
def _():
    daemon = daemons.Daemon(home, daemon={"peers": "root;self;no-such-user"})
    home.clear_log()
    shutil.chown(home.state, daemons.STRANGER)
    home.state.chmod(0o700)
    try:
        with open(home.folder / "said", "wb+") as said:
            daemon.start(stderr=said)
            daemon.stop()
        text = (home.folder / "said").read_text()
    finally:
        daemon.stop()
        shutil.chown(home.state, daemons.USER)
    tap.contains(text, "sealpiped: all mail waits until this is mended: ")
    tap.contains(text, f"this runs as user {daemons.USER}, who has to own state_dir")
    tap.contains(home.log_text(), '[daemon] peers: there is no user \\"no-such-user\\"')


@tap.test("sealctl status names a daemon that does not run, where mail waits for it")
def _():
    daemon = daemons.Daemon(home)
    home.clear_log()
    result = home.run("sealctl", "status")
    tap.equal(result.status, 1)
    tap.contains(result.output, b"start sealpiped")
    with daemon:
        result = home.run("sealctl", "status")
        tap.equal(result.status, 0, result.output)
        assert_sealed()
        tap.true("the client has gone" not in home.log_text(), "and no worker hears of it")
        os.kill(daemon.process.pid, signal.SIGKILL)
        daemon.process.wait()
        tap.wait_for(lambda: not daemon.alive(), "all have ended")
        tap.true(daemon.socket.exists(), "its socket is left")
        tap.contains(home.run("sealctl", "status").output, b"start sealpiped")
    home.configure({"core": {"in_process": "true"}})
    tap.true(b"sealpiped" not in home.run("sealctl", "status").output, "nobody asks for it")


@tap.test("many SIGHUPs during a start count as one")
def _():
    with daemons.Daemon(home) as daemon:
        for _ in range(50):
            daemon.hup()
        tap.wait_for(lambda: len(daemon.generations()) == 1, "one is left")
        assert_sealed()


@tap.test("a daemon that cannot begin says why, and ends")
def _():
    daemon = daemons.Daemon(home, policy={"encrypt": "maybe"})
    result = subprocess.run([homes.prefix() / "sbin" / "sealpiped", "-c", home.conf, "--foreground"],
                            capture_output=True, timeout=homes.BOUND)
    tap.equal(result.returncode, 1)
    tap.true(not daemon.socket.exists(), "the socket is there")
    tap.contains(home.log_text(), "50-test.conf:")


# -- Whatever happens ---------------------------------------------------------------------------

class Load:
    """@clients at once, each with one message after the other, until @count have been sent."""

    def __init__(self, clients, count):
        self.left, self.results, self.lock = count, {0: 0, 75: 0}, threading.Lock()
        self.wrong = []
        self.threads = [threading.Thread(target=self.send) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left + 1

    def send(self):
        while (number := self.take()) > 0:
            message = MESSAGE.replace(b"the words", b"words of %d\n" % number * random.randrange(1, 400))
            result = home.seal(message, "-f", CAROL, "--submission=yes", "--", home.alice.address)
            ok = result.status == 75 and not result.output or (
                result.status == 0 and self.is_whole(number, result.output, message))
            with self.lock:
                self.results[result.status] = self.results.get(result.status, 0) + 1
                if not ok:
                    self.wrong.append((result.status, result.output[:300]))

    def is_whole(self, number, output, message):
        """Opening takes longer than sealing: every tenth."""
        return b"\n\n" in output and output.endswith(b"\n") and (number % 10 or is_right(output, message))

    def running(self):
        return any(thread.is_alive() for thread in self.threads)

    def end(self):
        for thread in self.threads:
            thread.join()
        tap.equal(self.wrong, [])
        tap.note(f"{self.results}")
        return self.results


@tap.test("32 clients, and a SIGHUP ten times a second: all is sealed")
def _():
    with daemons.Daemon(home) as daemon:
        load = Load(32, COUNT)
        while load.running():
            daemon.hup()
            threading.Event().wait(0.1)
        tap.equal(load.end()[75], 0, home.log_text()[-500:])


@tap.test("kill -9 of workers, keepers and generations at random: whole and right, or a 75")
def _():
    with daemons.Daemon(home, **SIGNED) as daemon:
        load = Load(8, COUNT)
        while load.running():
            victims = random.choice((daemon.workers, daemon.servers, daemon.keepers, daemon.generations))()
            if victims:
                try:
                    os.kill(random.choice(victims), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            threading.Event().wait(0.1)
        results = load.end()
        tap.true(results[0] > results[75], f"{results}")
        tap.wait_for(lambda: seal()[0] == 0, "it works again")


@tap.test("a worker that hangs ends with its generation")
def _():
    with daemons.Daemon(home) as daemon:
        workers, (generation,) = daemon.workers(), daemon.generations()
        os.kill(workers[0], signal.SIGSTOP)
        os.kill(generation, signal.SIGKILL)
        tap.wait_for(lambda: not {pid for pid, *_ in daemons.processes()}.intersection(workers),
                     "its workers have ended")
        tap.wait_for(lambda: seal()[0] == 0, "another one works")


tap.main()
