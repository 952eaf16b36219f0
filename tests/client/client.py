# SPDX-License-Identifier: GPL-2.0-or-later
"""The client, with a runner that this file writes.

client.py TRANSPORT CHECK PIPE RUNNER: the programs, and where they look for the runner.
"""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import tap

TRANSPORT, CHECK, PIPE, RUNNER = tap.arguments()[:4]
BOUND = 30  # seconds; met by faults only
# What runs in the background has some of them ignored, and the client leaves those ignored.
for _number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)
PRELUDE = """#!/usr/bin/python3 -IS
import array, json, os, signal, socket, sys
def fds():
    found = {}
    for name in os.listdir('/proc/self/fd'):
        try: found[name] = os.readlink('/proc/self/fd/' + name)
        except OSError: pass
    return found
CAME = fds()
client = socket.socket(fileno=3)
request, controls, _, _ = client.recvmsg(8192, socket.CMSG_SPACE(16))
came = array.array("i")
for _, _, data in controls: came.frombytes(data)
head, _, problem = request.partition(b"\\n")
MODE, *place, letters = head.decode().split()[2:]
files = dict(zip(letters, came))
sys.argv = [sys.argv[0], MODE] + [word.decode(errors="surrogateescape") for word in
                                  os.pread(files["w"], 1 << 24, 0).split(b"\\0")[:-1]]
if "m" in files:
    os.lseek(files["m"], 0, 0)
    os.dup2(files["m"], 0)
os.dup2(os.memfd_create("result"), 1)
def say(record): client.send(record.encode() if isinstance(record, str) else record)
def out(text): os.write(1, text.encode())
def give(*files): socket.send_fds(client, [b"F"], [file.fileno() for file in files])
def end(status):
    sys.stdout.flush()
    if MODE == "transport":
        socket.send_fds(client, [b"F"], [1])
    elif os.lseek(1, 0, 1):
        say(b"T " + os.pread(1, 1 << 20, 0))
    say(f"E {status}")
    os._exit(status)
def forever():
    while True: signal.pause()
"""


def runner(text):
    """One that ends well where @text comes to its end."""
    pathlib.Path(RUNNER).unlink(missing_ok=True)
    pathlib.Path(RUNNER).write_text(f"{PRELUDE}{text}\nend(0)\n")
    os.chmod(RUNNER, 0o755)


def call(program, *args, stdin=b"", **how):
    """(status, stdout, stderr); a signal is a negative status."""
    result = subprocess.run([program, *args], input=stdin, capture_output=True, timeout=BOUND, **how)
    return result.returncode, result.stdout, result.stderr


def transport(*args, **how):
    return call(TRANSPORT, *args, **how)


def check(*args, **how):
    return call(CHECK, *args, **how)


def alive(pid):
    """Zombies count as dead: who reaps them is not ours to say."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def all_dead(pids, what):
    tap.wait_for(lambda: not any(map(alive, pids)), what)


class PidFile:
    """Where the runner and its child write who they are."""

    CODE = """
def family(path):
    child = os.fork()
    if child == 0:
        forever()
    with open(path + ".new", "w") as file:
        file.write(f"{os.getpid()} {child}")
    os.rename(path + ".new", path)
"""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "pids"
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def read(self):
        tap.wait_for(self.path.exists, "the runner has begun")
        return [int(word) for word in self.path.read_text().split()]


def at_terminal(program, *args, stdin=b""):
    """(status, stdout, what stands on a terminal that is standard error, and input too where
    @stdin is None)."""
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen([program, *args], stdin=theirs if stdin is None else subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=theirs)
        output = child.communicate(stdin, timeout=BOUND)[0]
        os.set_blocking(ours, False)
        try:
            return child.returncode, output, os.read(ours, 10000).decode().replace("\r\n", "\n")
        except BlockingIOError:
            return child.returncode, output, ""
    finally:
        os.close(ours)
        os.close(theirs)


# -- At a terminal ------------------------------------------------------------------------------

@tap.test("at a terminal a wrong command line is told, and where the reason of a 75 is")
def _():
    runner("end(75)")
    told = {
        ("--foo", "--", "a@b"): "there is no option --foo; see --help",
        ("--submissions=yes", "a@b"): "there is no option --submissions=yes; see --help",
        ("--", ): "no recipient was given; see --help",
        ("a@b", "-f"): "-f needs a value; see --help",
        ("-x\x1b[2J", "a@b"): "there is no option -x?[2J; see --help",
        ("-f", "--foo", "--", "a@b"): "nothing was done; the log says why, and --debug says it here",
        ("--sender=x", "-c", "/x", "--id=1", "-dinbound", "--", "--foo"):
            "nothing was done; the log says why, and --debug says it here",
    }
    for args, text in told.items():
        tap.equal(at_terminal(TRANSPORT, *args, stdin=b"x" * 300000), (75, b"", f"sealpipe: {text}\n"), f"{args}")
        tap.equal(transport(*args, stdin=b"x" * 300000), (75, b"", b""), f"{args}, in a mail server")
    # Nobody waits for anybody.
    tap.equal(at_terminal(TRANSPORT, stdin=None), (75, b"", "sealpipe: no recipient was given; see --help\n"))
    runner("out('no'); end(69)")
    tap.equal(at_terminal(CHECK, "--", "a@b"), (69, b"no", ""), "an answer")
    tap.equal(at_terminal(CHECK, "-H", "--x", "--foo", "a@b"),
              (69, b"no", "sealpipe-check: there is no option --foo; see --help\n"), "an answer, and a mistake")
    runner("")
    tap.equal(at_terminal(TRANSPORT, "--", "a@b"), (0, b"", ""), "well")


# -- Statuses -----------------------------------------------------------------------------------

@tap.test("transport: 0 stays 0, with the output as it is")
def _():
    runner("sys.stdout.buffer.write(sys.stdin.buffer.read().upper())")
    tap.equal(transport("--", "a@b", stdin=b"abc\0\r\n\xff"), (0, b"ABC\0\r\n\xff", b""))


@tap.test("transport: every other status is 75, and stdin is read")
def _():
    for status in (1, 2, 64, 69, 70, 75, 76, 126, 127, 128, 137, 255):
        runner(f"end({status})")
        tap.equal(transport("--", "a@b", stdin=b"x" * 300000), (75, b"", b""), f"for {status}")


@tap.test("transport: a runner ended by a signal is 75")
def _():
    for number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGPIPE, signal.SIGHUP):
        runner(f"signal.signal({int(number)}, signal.SIG_DFL) if {int(number)} != 9 else 0\n"
               f"os.kill(os.getpid(), {int(number)})\nforever()")
        tap.equal(transport("--", "a@b"), (75, b"", b""), number.name)


@tap.test("check: 0, 69 and 75 stay, with the reason")
def _():
    for status in (0, 69, 75):
        runner(f"out('why {status}'); end({status})")
        tap.equal(check("--", "a@b"), (status, f"why {status}".encode(), b""))


@tap.test("check: 0 and 69 stay without a reason; 75 gets one")
def _():
    for status, text in ((0, b""), (69, b""), (75, b"sealpipe-check: cannot tell now")):
        runner(f"end({status})")
        tap.equal(check("--", "a@b"), (status, text, b""))


@tap.test("check: every other ending is 75, with a line of the client's")
def _():
    for end in ("end(1)", "end(127)", "end(68)", "os.kill(os.getpid(), 9)"):
        runner(f"out('rubbish'); {end}")
        tap.equal(check("--", "a@b"), (75, b"sealpipe-check: cannot tell now", b""), end)


@tap.test("check: no newline and no control character goes out")
def _():
    runner(r"out('a\nb\tc\x1bd\x7f\r\n\n'); end(69)")
    tap.equal(check("--", "a@b"), (69, b"a b c d ", b""))


@tap.test("check: more output than 4 KiB is a fault, 4 KiB is not")
def _():
    runner("out('x' * 4096); end(69)")
    tap.equal(check("--", "a@b"), (69, b"x" * 4096, b""))
    for text in ("out('x' * 4097); end(69)", "say('T ' + 'x' * 4097); forever()"):
        runner(text)
        tap.equal(check("--", "a@b"), (75, b"sealpipe-check: cannot tell now", b""), text)


UNSAID = b"before its work was done: a module or a library has called exit()"


@tap.test("a status that the runner has not named before is 75: exit() can be called by anybody")
def _():
    for status in (0, 69, 75, 3):
        runner(f"out('rubbish'); os._exit({status})")
        tap.equal(check("--", "a@b"), (75, b"sealpipe-check: cannot tell now", b""), f"{status}")
        runner(f"sys.stdin.read(); sys.exit({status})")
        result = transport("--debug", "--", "a@b", stdin=b"x" * 300000)
        tap.equal(result[:2], (75, b""), f"{status}")
        tap.contains(result[2], f"the runner ended with status {status} ".encode() + UNSAID, "the log")


@tap.test("a status other than the one that was named is 75")
def _():
    for said, status in ((75, 0), (69, 0), (0, 75), (0, 69), (75, 69)):
        runner(f"say('E {said}'); os._exit({status})")
        tap.equal(check("--", "a@b"), (75, b"sealpipe-check: cannot tell now", b""), f"{said} {status}")
        tap.contains(transport("--debug", "--", "a@b")[2],
                     f"ended with status {status}, where it was going to end with {said}".encode(),
                     "the log")


@tap.test("a child of the runner that holds the watch does not keep the end from being seen")
def _():
    runner("if os.fork() == 0: forever()\nfor _ in range(1000): say('A 60000')\nend(0)")
    tap.equal(transport("--", "a@b"), (0, b"", b""))


@tap.test("a runner that is missing or cannot be executed is 75")
def _():
    def missing():
        pathlib.Path(RUNNER).unlink()

    def no_interpreter():
        pathlib.Path(RUNNER).write_text("#!/nowhere/interpreter\n")

    def not_a_program():
        pathlib.Path(RUNNER).write_bytes(b"\x7fELF")

    def not_executable():
        os.chmod(RUNNER, 0o644)

    for spoil in (missing, no_interpreter, not_a_program, not_executable):
        runner("")
        spoil()
        tap.equal(transport("--", "a@b", stdin=b"x" * 300000), (75, b"", b""), spoil.__name__)
        tap.equal(check("--", "a@b"), (75, b"sealpipe-check: cannot tell now", b""), spoil.__name__)


# -- Input and output ---------------------------------------------------------------------------

def feed(program, size):
    """Writes to the program until it is all taken. EPIPE is what Exim must not see."""
    child = subprocess.Popen([program, "--", "a@b"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    block = b"x" * 65536
    for _ in range(size // len(block)):
        child.stdin.write(block)
    child.stdin.flush()
    output, errors = child.communicate(timeout=BOUND)
    return child.returncode, output, errors


@tap.test("2 MB of input are taken when the runner reads none of it")
def _():
    for text in ("end(1)", "os.close(0); end(75)", "os.kill(os.getpid(), 9)"):
        runner(text)
        tap.equal(feed(TRANSPORT, 2 << 20), (75, b"", b""), text)
    pathlib.Path(RUNNER).unlink()
    tap.equal(feed(TRANSPORT, 2 << 20), (75, b"", b""), "missing")


@tap.test("the runner's stderr goes nowhere, unless --debug")
def _():
    runner("os.write(2, b'noise')")
    for call_it in (transport, check):
        tap.equal(call_it("--", "a@b"), (0, b"", b""))
        tap.equal(call_it("--", "--debug"), (0, b"", b""))
        tap.equal(call_it("-f", "--debug", "--", "a@b"), (0, b"", b""))
        tap.equal(call_it("--debug", "--", "a@b"), (0, b"", b"noise"))


@tap.test("--debug tells of faults")
def _():
    runner("end(3)")
    tap.contains(transport("--debug", "--", "a@b")[2], b"the runner ended with status 3")
    pathlib.Path(RUNNER).unlink()
    tap.contains(transport("--debug", "--", "a@b")[2], b"cannot run " + RUNNER.encode())


@tap.test("a result that nobody reads is 75")
def _():
    runner("out('x' * 1000000)")
    for program in (TRANSPORT, CHECK):
        reader, writer = os.pipe()
        os.close(reader)
        child = subprocess.Popen([program, "--", "a@b"], stdin=subprocess.DEVNULL, stdout=writer,
                                 stderr=subprocess.PIPE)
        os.close(writer)
        tap.equal((child.communicate(timeout=BOUND)[1], child.returncode), (b"", 75))


@tap.test("closed descriptors become /dev/null; without stdout it is 75")
def _():
    runner("json.dump([CAME[n] for n in '012'], open(sys.argv[3], 'w'))")
    with tempfile.TemporaryDirectory() as folder:
        for closed in ((0,), (2,), (0, 2)):
            name = pathlib.Path(folder) / "links"
            result = subprocess.run([TRANSPORT, "--", str(name)], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, timeout=BOUND,
                                    preexec_fn=lambda: [os.close(n) for n in closed])
            tap.equal(result.returncode, 0, f"{closed}")
            links = json.loads(name.read_text())
            tap.equal(links, ["/dev/null"] * 3, f"{closed}")
    for program in (TRANSPORT, CHECK):
        for closed in ((1,), (0, 1), (0, 1, 2)):
            child = subprocess.Popen([program, "--", "a@b"], stdin=subprocess.DEVNULL,
                                     preexec_fn=lambda: [os.close(n) for n in closed])
            tap.equal(child.wait(timeout=BOUND), 75, f"{program} {closed}")


@tap.test("transport: without stdout the input is read all the same")
def _():
    child = subprocess.Popen([TRANSPORT, "--", "a@b"], stdin=subprocess.PIPE,
                             preexec_fn=lambda: os.close(1))
    child.stdin.write(b"x" * 500000)
    child.stdin.close()
    tap.equal(child.wait(timeout=BOUND), 75)


# -- What the runner gets -----------------------------------------------------------------------

PROBE = r"""
status = dict(line.split(':\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\t' in line)
umask = os.umask(0)
out(json.dumps({
    'argv': sys.argv[1:], 'umask': umask, 'fds': CAME,
    'environ': open('/proc/self/environ').read().split('\0')[:-1],
    'group': os.getpgrp() == os.getpid(), 'ignored': int(status['SigIgn'], 16),
    'blocked': int(status['SigBlk'], 16)}))
"""


def probe(program, *args, **how):
    runner(PROBE)
    status, output, errors = call(program, *args, **how)
    tap.equal((status, errors), (0, b""))
    return json.loads(output)


@tap.test("arguments come through, behind the mode")
def _():
    words = ["-c", "/x y", "-f", "", "--unknown", "--", "-oops@x", "--help", "--version", "a b@x", "ü@x"]
    for program, mode in ((TRANSPORT, "transport"), (CHECK, "check")):
        tap.equal(probe(program, *words)["argv"], [mode, *words])
        tap.equal(probe(program)["argv"], [mode])


@tap.test("the environment is PATH and what is kept")
def _():
    kept = {"SEALPIPE_CONF": "/c", "SEALPIPE_MODULES": "/m", "CREDENTIALS_DIRECTORY": "/d", "TZ": "UTC"}
    noise = {"HOME": "/h", "G_DEBUG": "fatal-warnings", "G_SLICE": "debug-blocks", "LANG": "C",
             "LD_LIBRARY_PATH": "/x", "TZDIR": "/t", "SEALPIPE_CONFX": "x", "PATH": "/evil",
             "OPENSSL_CONF": "/x", "TMPDIR": "/x", "MALLOC_CHECK_": "3"}
    sanitizers = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")
    for program in (TRANSPORT, CHECK):
        for given in (kept, {}):
            got = probe(program, env={**noise, **given})["environ"]
            got = [entry for entry in got if not entry.startswith(sanitizers)]
            want = ["PATH=/usr/bin:/bin"] + [f"{k}={v}" for k, v in given.items()]
            tap.equal(sorted(got), sorted(want))


@tap.test("no descriptor above the exchange comes through")
def _():
    extra = os.open("/dev/zero", os.O_RDONLY)
    many = [extra] + [os.dup(extra) for _ in range(20)]
    try:
        for program in (TRANSPORT, CHECK):
            got = probe(program, pass_fds=many)["fds"]
            tap.equal(sorted(got), ["0", "1", "2", "3"], "descriptors")
            tap.true(got["3"].startswith("socket:"), got["3"])
            tap.equal([got[n] for n in "012"], ["/dev/null"] * 3, "standard ones")
    finally:
        for fd in many:
            os.close(fd)


@tap.test("the runner leads a process group, with umask 077")
def _():
    for program in (TRANSPORT, CHECK):
        got = probe(program, preexec_fn=lambda: os.umask(0))
        tap.equal((got["group"], got["umask"]), (True, 0o077))


@tap.test("signals that the parent ignored or blocked are reset")
def _():
    numbers = (signal.SIGHUP, signal.SIGUSR1, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)

    def ignore():
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGALRM])

    for program in (TRANSPORT, CHECK):
        got = probe(program, preexec_fn=ignore)
        for number in numbers:
            tap.equal(got["ignored"] >> (number - 1) & 1, 0, number.name)
        tap.equal(got["blocked"], 0, "blocked")


# -- The watch ----------------------------------------------------------------------------------

@tap.test("a runner past its limit is killed with its children")
def _():
    for program in (TRANSPORT, CHECK):
        with PidFile() as pids:
            runner(PidFile.CODE + f"family({str(pids.path)!r}); say('A 300'); forever()")
            status, output, errors = call(program, "--", "a@b", stdin=b"x" * 300000)
            tap.equal((status, errors), (75, b""))
            tap.equal(output, b"" if program == TRANSPORT else b"sealpipe-check: cannot tell now")
            all_dead(pids.read(), "runner and child are gone")


@tap.test("a limit stays in force when the runner closes the pipe")
def _():
    runner("say('A 300'); os.close(3); forever()")
    tap.equal(transport("--", "a@b"), (75, b"", b""))


@tap.test("arming again keeps the runner alive")
def _():
    # The runner lives on for longer than the first limit, which is far above what a busy machine
    # takes from one line to the next.
    for lines in ("say('A 1000'); say('A 20000')", "[say(f'A {limit}') for limit in (1000, 2000, 20000)]"):
        runner(f"import time\n{lines}; time.sleep(1.2); out('late')")
        tap.equal(transport("--", "a@b"), (0, b"late", b""), lines)


@tap.test("a malformed record ends the runner")
def _():
    for records in (["X"], ["L"], ["L "], ["L 2"], ["L 2 "], ["L 4 syslog"], ["L x syslog"], ["L 2  syslog"],
                    ["L 2 syslogs"], ["L 2 sys"], ["L 2 journal2"], ["L 2 file"], ["L 2 /etc/passwd"],
                    ["L 22 syslog"], ["L 2 syslog", "L 2 file"], ["A 5000", "L 2 syslog"], ["E 0", "L 2 syslog"],
                    ["A"], ["A "], ["A -1"], ["A 1x"], ["A  1"], ["A +1"], ["D"], ["D "], ["A 99999999"],
                    ["A 123456789"], ["A 18446744073709551617"], ["A 5000\0"], ["A 5000\n"], ["A 5000\nA 5000"],
                    ["A 5000", "X"], ["x" * 100], ["E"], ["E "], ["E -1"], ["E 256"], ["E 0\n"], ["E 0", "E 0"],
                    ["E 0", "A 5000"], ["N", "E 0"], ["A 5000", "N"], ["N 1"], ["F"], ["F x"], ["T"], ["Tx"],
                    ["T a", "T b"], ["T " + "x" * 4097], ["T " + "x" * 70000]):
        runner(f"for record in {records!r}: say(record)\nforever()")
        tap.equal(transport("--", "a@b"), (75, b"", b""), repr(records)[:100])
    runner("say('A 5'); os.close(3); forever()")
    tap.equal(transport("--", "a@b"), (75, b"", b""), "a limit, and an end of the records")
    runner("say('N'); os._exit(0)")
    tap.equal(transport("--", "a@b"), (75, b"", b""), "a runner that says: not mine")


@tap.test("a descriptor beside its record, or two of them, or none that can be read, ends the runner")
def _():
    for text in ("pass_on(b'L 2 syslog', 2)", "pass_on(b'L 2 journal', 2)", "pass_on(b'A 5000', 2)",
                 "pass_on(b'E 0', 2)", "pass_on(b'T x', 1)", "pass_on(b'L 2 file', 2, 2)",
                 "pass_on(b'L 2 file', *[2] * 50)", "pass_on(b'F', 1, 1)", "pass_on(b'F', 1); pass_on(b'F', 1)",
                 "pass_on(b'F', 2)", "pass_on(b'F', 3)", "pass_on(b'F', os.open('/', os.O_RDONLY))"):
        runner(f"{PASS_ON}{text}; say('E 0'); forever()")
        tap.equal(transport("--", "a@b"), (75, b"", b""), text)


@tap.test("a result in pieces: in their order, and nothing that is not there")
def _():
    begin = f"{PASS_ON}os.write(1, b'0123456789'); "
    for pieces, result in ((["2 3"], b"234"), (["2 3", "0 1", "9 1", "0 10"], b"23409" + b"0123456789"),
                           (["0 1"] * 16, b"0" * 16)):
        records = "; ".join(f"pass_on(b'F {piece}', 1)" for piece in pieces)
        runner(f"{begin}{records}; say('E 0'); os._exit(0)")
        tap.equal(transport("--", "a@b"), (0, result, b""), records)
    for pieces in (["0 0"], ["9 2"], ["11 1"], ["18446744073709551615 2"], ["1"], [" 1"], ["1 "], ["-1 2"],
                   ["1 2 3"], ["1  2"], ["0 1", "9 2"], ["0 1"] * 17):
        records = "; ".join(f"pass_on(b'F {piece}', 1)" for piece in pieces)
        runner(f"{begin}{records}; say('E 0'); forever()")
        tap.equal(transport("--", "a@b"), (75, b"", b""), records)
    for records in ("pass_on(b'F 0 1', 1); pass_on(b'F', 1)", "pass_on(b'F', 1); pass_on(b'F 0 1', 1)",
                    "say('F 0 1')", "pass_on(b'F 0 1', 2)", "pass_on(b'F 0 1', 1, 1)"):
        runner(f"{begin}{records}; say('E 0'); forever()")
        tap.equal(transport("--", "a@b"), (75, b"", b""), records)


@tap.test("what is said of the log last before the work holds")
def _():
    for before in ("L 2 syslog", "L 2 journal"):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "log"
            path.touch()
            runner(f"{PASS_ON}say({before!r}); log_to({str(path)!r}); end(3)")
            tap.equal(call(TRANSPORT, "--id", "Q1", "-f", "s@x", "--", "a@b")[0], 75)
            tap.contains(path.read_text(), "the runner ended with status 3")


@tap.test("a filter without a result is 75")
def _():
    runner("say('E 0'); os._exit(0)")
    result = transport("--debug", "--", "a@b", stdin=b"x")
    tap.equal(result[:2], (75, b""))
    tap.contains(result[2], b"there is no result")


@tap.test("whoever is left in the group is killed when the runner ends")
def _():
    for status in (0, 75):
        with PidFile() as pids:
            runner(PidFile.CODE + f"family({str(pids.path)!r}); end({status})")
            tap.equal(transport("--", "a@b"), (status, b"", b""))
            all_dead(pids.read(), "the runner's child is gone")


@tap.test("the client's death is the runner's")
def _():
    for number, family in ((signal.SIGKILL, 1), (signal.SIGTERM, 2), (signal.SIGINT, 2), (signal.SIGHUP, 2)):
        with PidFile() as pids:
            runner(PidFile.CODE + f"family({str(pids.path)!r}); forever()")
            child = subprocess.Popen([TRANSPORT, "--", "a@b"], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE)
            found = pids.read()
            child.send_signal(number)
            tap.equal(child.wait(timeout=BOUND), -number, number.name)
            # A SIGKILL reaches nobody but the client; the kernel tells the runner.
            all_dead(found[:family], f"after {number.name}")
            for pid in filter(alive, found):
                os.kill(pid, signal.SIGKILL)
            child.stdout.close()


@tap.test("an ignored HUP and TERM do not end the client")
def _():
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    with PidFile() as pids:
        go = pathlib.Path(pids.folder.name) / "go"
        os.mkfifo(go)
        runner(PidFile.CODE + f"family({str(pids.path)!r}); open({str(go)!r}).read(); out(sys.stdin.read())")
        child = subprocess.Popen([TRANSPORT, "--", "a@b"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, preexec_fn=ignore)
        child.stdin.write(b"done")
        child.stdin.close()
        pids.read()
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGTERM)
        go.write_text("")
        tap.equal((child.stdout.read(), child.wait(timeout=BOUND)), (b"done", 0))
        child.stdout.close()


# -- The log ------------------------------------------------------------------------------------

PASS_ON = """
def pass_on(record, *fds):
    socket.send_fds(client, [record], fds)
def log_to(path, level=2):
    with open(path, "a") as file:
        pass_on(f"L {level} file".encode(), file.fileno())
"""


def logged(text, *args, program=TRANSPORT, level=2):
    """(status, the lines in the runner's log without their time and process)."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "log"
        path.touch()
        runner(f"{PASS_ON}log_to({str(path)!r}, {level})\n{text}")
        status = call(program, *(args or ("--id", "Q1", "-f", "s@x", "--", "a@b")))[0]
        lines = path.read_text().splitlines()
    for line in lines:
        tap.true(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ sealpipe\[\d+\]: error: id=", line), line)
    return status, [line.split("error: ", 1)[1] for line in lines]


def deferred_line(reason, by="transport", to="a@b", ident="Q1", sender="s@x"):
    return f'id={ident} from={sender} to={to} result=deferred by={by} reason="{reason}"'


@tap.test("what ends the runner is in its log, in the form of its lines")
def _():
    for program, by in ((TRANSPORT, "transport"), (CHECK, "check"), (PIPE, "pipe")):
        for text, why in (
                ("end(3)", "the runner ended with status 3, which is no answer"),
                ("os._exit(0)", "the runner ended with status 0 before its work was done: a module or a "
                                "library has called exit()"),
                ("os.kill(os.getpid(), 9)", "the runner was ended by signal 9"),
                ("say('A 200'); forever()", "the runner was killed: no progress within 200 ms"),
                ("say('X'); forever()", "the runner sent a malformed record")):
            tap.equal(logged(text, program=program), (75, [deferred_line(why, by)]), f"{by}: {text}")
        tap.equal(logged("end(75)", program=program), (75, []), "what the runner has answered it has logged")


@tap.test("id, sender and recipients of the log are those of the command line, and cannot write lines")
def _():
    why = "the runner ended with status 3, which is no answer"
    for args, ident, sender, to in (
            (("--id=Q 2", "-f", "", "--", "a@b", "-f", "c@d"), '"Q 2"', "<>", ["a@b", "-f", "c@d"]),
            (("-fs@x", "a@b", "--login", "--id", "--id", "Q1"), "Q1", "s@x", ["a@b"]),
            (("--sender=<>", "--", "a\nb\"\\\xfc@x"), '""', "<>", ['"a\\x0ab\\"\\\\\\xc3\\xbc@x"']),
            (("--", "x" * 700), '""', '""', ['"' + "x" * 599 + '"']),
            (("--id",), '""', '""', ['""'])):
        tap.equal(logged("end(3)", *args),
                  (75, [deferred_line(why, to=one, ident=ident, sender=sender) for one in to]), f"{args}")


@tap.test("the log's level and target are the runner's; a file that nobody reads holds nobody up")
def _():
    tap.equal(len(logged("end(3)", level=0)[1]), 1, "errors are written at every level")
    for text in ("say('L 0 syslog')", "say('L 3 journal')", "os.mkfifo(sys.argv[3]); "
                 "f = os.open(sys.argv[3], os.O_RDWR | os.O_NONBLOCK); os.write(f, b'x' * 65536); "
                 "os.set_blocking(f, True); pass_on(b'L 2 file', f)"):
        with tempfile.TemporaryDirectory() as folder:
            runner(f"{PASS_ON}{text}\nend(3)")
            result = call(CHECK, "--debug", f"{folder}/fifo")
            tap.equal(result[:2], (75, b"sealpipe-check: cannot tell now"), text)
            tap.contains(result[2], b" result=deferred by=check reason=\"the runner ended", text)


@tap.test("a signal that ends the client is in the log")
def _():
    with tempfile.TemporaryDirectory() as folder, PidFile() as pids:
        path = pathlib.Path(folder) / "log"
        runner(f"{PASS_ON}{PidFile.CODE}log_to({str(path)!r})\nfamily({str(pids.path)!r}); forever()")
        child = subprocess.Popen([TRANSPORT, "--id", "Q1", "-f", "s@x", "--", "a@b"],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        pids.read()
        child.send_signal(signal.SIGTERM)
        tap.equal(child.wait(BOUND), -signal.SIGTERM)
        tap.contains(path.read_text(), deferred_line("the client was ended by signal 15"))


# -- A file in place of output ------------------------------------------------------------------

CONTAINER = r"""
import tempfile, time
def made(deliveries, recipients, state, sendmail):
    # deliveries: [(octets, [(number, key)])]; recipients: [(address, result, reason)], with the
    # code in front of it where it is another than is usual
    words = [state, "Q1", "s@x", sendmail, len(recipients)]
    for address, result, *code, reason in recipients:
        words += [address, result, *(code or ["5.7.1" if result == "refused" else ""]), reason]
    words.append(len(deliveries))
    for octets, places in deliveries:
        words += [len(octets), len(places)]
        for place in places: words += place
    index = b"".join(str(word).encode() + b"\0" for word in words + ["end"])
    body = b"".join(octets for octets, _ in deliveries)
    return body + index + b"%016x %016x sealpipe-pipe-2\n" % (len(body), len(index))
def file_of(octets):
    file = tempfile.TemporaryFile()
    file.write(octets)
    file.flush()
    return file
sys.stdin.buffer.read()
"""
HANDLED_LATER = b"4.3.0 the message cannot be handled now; the log says why\n"


class Post:
    """A folder with a sendmail that writes down its recipients and its input."""

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.log, self.sendmail = self.folder / "log", self.folder / "sendmail"
        self.write("")
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()

    def write(self, text):
        self.sendmail.write_text(f"#!/bin/sh\n{text}\n[ \"$1\" = -G ] || exit 1\nshift 5\n"
                                 f"echo \"$* $(cat)\" >>{self.log}\n")
        self.sendmail.chmod(0o755)

    def run(self, text):
        runner(f"{CONTAINER}\nSTATE, SENDMAIL = {str(self.folder)!r}, {str(self.sendmail)!r}\n"
               f"KEYS = [letter * 64 for letter in 'abcdef']\n{text}")
        status, output, errors = call(PIPE, "--", "a@b", stdin=b"x" * 300000)
        tap.equal(errors, b"")
        return status, output

    def taken(self):
        return sorted(self.log.read_text().splitlines()) if self.log.exists() else []


SENT = '[("a@x", "sent", ""), ("b@x", "sent", ""), ("c@x", "{}", "why")]'
TWO = '[(b"first", [(0, {0})]), (b"second", [(1, {1})])]'
JOURNALLED, UNJOURNALLED = TWO.format("KEYS[0]", "KEYS[1]"), TWO.format('""', '""')


def giving(deliveries, result):
    return f"give(file_of(made({deliveries}, {SENT.format(result)}, STATE, SENDMAIL)))"


@tap.test("pipe: what is sent is handed over, and then a deferred one defers; the retry skips")
def _():
    with Post() as post:
        for n in (1, 2):
            tap.equal(post.run(giving(JOURNALLED, "deferred")), (75, b"4.3.0 deferred: c@x: why\n"))
            tap.equal(post.taken(), ["a@x first", "b@x second"], f"run {n}")
        tap.equal(post.run(giving(JOURNALLED, "refused")),
                  (69, b"5.7.1 refused, while all other recipients have got the message: "
                       b"c@x: why\n"))
        tap.equal(post.taken(), ["a@x first", "b@x second"])


@tap.test("pipe: the code of what is refused is the one that all have in common")
def _():
    with Post() as post:
        for codes, said in ((("5.3.4", "5.3.4"), "5.3.4"), (("5.3.4", "5.7.1"), "5.7.1")):
            refused = [(f"{code}-{n}@x", "refused", code, "why") for n, code in enumerate(codes)]
            tap.equal(post.run(f"give(file_of(made([], {refused}, STATE, SENDMAIL)))")[1].split()[0],
                      said.encode())
        wrong = [("c@x", "refused", "4.3.0", "why")]
        tap.equal(post.run(f"give(file_of(made([], {wrong}, STATE, SENDMAIL)))"),
                  (75, b"4.3.0 the message cannot be handled now\n"))


@tap.test("pipe: without a journal a deferred one defers all")
def _():
    with Post() as post:
        tap.equal(post.run(giving(UNJOURNALLED, "deferred")), (75, b"4.3.0 deferred: c@x: why\n"))
        tap.equal(post.taken(), [])
        tap.equal(post.run(giving(UNJOURNALLED, "refused"))[0], 69)
        tap.equal(post.taken(), ["a@x first", "b@x second"])


@tap.test("pipe: a file that is cut, no file, two files, a late failure: nothing is handed over")
def _():
    good = f"made({JOURNALLED}, {SENT.format('refused')}, STATE, SENDMAIL)"
    with Post() as post:
        for what, text, line in (
                ("cut", f"give(file_of({good}[:-1]))", b"4.3.0 the message cannot be handled now\n"),
                ("longer", f"give(file_of({good} + b'x'))", b"4.3.0 the message cannot be handled now\n"),
                ("empty", "give(file_of(b''))", b"4.3.0 the message cannot be handled now\n"),
                ("none", "pass", HANDLED_LATER),
                ("a file in words", "say('F')", HANDLED_LATER),
                ("two at once", f"f = file_of({good}); give(f, f)", HANDLED_LATER),
                ("many at once", f"f = file_of({good}); give(*[f] * 50)", HANDLED_LATER),
                ("two in turn", f"f = file_of({good}); give(f); give(f); forever()", HANDLED_LATER),
                ("given, then 75", f"give(file_of({good})); end(75)", HANDLED_LATER),
                ("given, then 69", f"give(file_of({good})); end(69)", HANDLED_LATER),
                ("given, then an end that is none", f"give(file_of({good})); os._exit(0)",
                 HANDLED_LATER),
                ("given, then killed", f"give(file_of({good})); os.kill(os.getpid(), 9)",
                 HANDLED_LATER),
                ("given, then too late", f"give(file_of({good})); say('A 200'); forever()",
                 HANDLED_LATER)):
            tap.equal(post.run(text), (75, line), what)
            tap.equal(post.taken(), [], what)
        tap.equal(post.run(f"give(file_of({good}))")[0], 69)
        tap.equal(post.taken(), ["a@x first", "b@x second"])


@tap.test("pipe: a sendmail that does not end is killed, and the others get theirs")
def _():
    with Post() as post:
        post.write('case "$*" in *b@x*) exec sleep 1000;; esac')
        status, output = post.run(giving(JOURNALLED, "refused"))
        tap.equal((status, output[:6], post.taken()), (75, b"4.3.0 ", ["a@x first"]))
        post.write("")
        tap.equal(post.run(giving(JOURNALLED, "refused"))[0], 69)
        tap.equal(post.taken(), ["a@x first", "b@x second"])


def start_pipes(post, text, count):
    """All of one script: one that is written anew is missed by whoever starts meanwhile."""
    runner(f"{CONTAINER}\nSTATE, SENDMAIL = {str(post.folder)!r}, {str(post.sendmail)!r}\n"
           f"KEYS = [letter * 64 for letter in 'abcdef']\n{text}")
    return [subprocess.Popen([PIPE, "--", "a@b"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            for _ in range(count)]


@tap.test("pipe: of runs with one id at once each waits for the others, and nothing comes twice")
def _():
    with Post() as post:
        # The first hand-over holds until all runs have had time to look into the journal.
        gate = post.folder / "gate"
        os.mkfifo(gate)
        post.write(f'[ -p {gate} ] && {{ echo >{post.folder}/there; read x <{gate}; }}')
        runs = start_pipes(post, giving(JOURNALLED, "refused"), 4)
        tap.wait_for((post.folder / "there").exists, "a hand-over has begun")
        with open(gate, "w"):
            gate.unlink()
        ends = [(run.communicate(timeout=BOUND)[0][:5], run.returncode) for run in runs]
        tap.equal(ends, [(b"5.7.1", 69)] * 4)
        tap.equal(post.taken(), ["a@x first", "b@x second"])


@tap.test("pipe: a runner that is missing is 75 with a line, and stdin is read")
def _():
    runner("")
    pathlib.Path(RUNNER).unlink()
    tap.equal(feed(PIPE, 2 << 20), (75, HANDLED_LATER, b""))


# -- Its own options ----------------------------------------------------------------------------

@tap.test("--help and --version before -- need no runner")
def _():
    runner("")
    pathlib.Path(RUNNER).unlink()
    for program, name in ((TRANSPORT, b"sealpipe"), (CHECK, b"sealpipe-check"),
                          (PIPE, b"sealpipe-pipe")):
        status, output, errors = call(program, "-f", "x", "--help")
        tap.equal((status, errors), (0, b""))
        tap.true(output.startswith(b"Usage: " + name + b" "), "usage")
        status, output, errors = call(program, "--version")
        tap.equal((status, errors, output.split()[0], output.count(b"\n")), (0, b"", name, 1))
        for args in (("--", "--help"), ("-f", "--help", "--", "x"), ("-c", "--version")):
            tap.equal(call(program, *args)[0], 75, f"{args}")



@tap.test("what they say to people and cannot write is 75 and a line")
def _():
    for program in (TRANSPORT, CHECK, PIPE):
        for word in ("--help", "--version"):
            for to, why in ((">/dev/full", b"No space left"), (">&-", b"Bad file descriptor")):
                status, _, errors = call("sh", "-c", f'exec "$0" {word} {to}', program)
                tap.equal((status, errors.count(b"\n")), (75, 1), errors)
                tap.contains(errors, b": standard output cannot be written to: " + why)


tap.main()
