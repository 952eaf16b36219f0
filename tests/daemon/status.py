# SPDX-License-Identifier: GPL-2.0-or-later
"""sealctl status: what the daemon has done, to whom it is told, and in which form.

What is printed is in golden/, with times, numbers of processes and room on disks left out;
`status.py --write` writes it anew.
"""

import json
import os
import pathlib
import pty
import re
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import daemons
import home as homes
import openmetrics
import tap

GOLDEN = HERE / "golden"
WRITE = "--write" in tap.arguments()
home = homes.Home("status")
ALICE, NOBODY = home.alice.address, "nobody@example.org"
SENDER = "dan@example.net"
NEVER = {"rule_intern": {"match_recipient": "@intern.example", "encrypt": "never"}}


def message(to):
    return (f"From: {SENDER}\nTo: {to}\nSubject: x\nMIME-Version: 1.0\nContent-Type: text/plain\n\n"
            "the words\n").encode()


def send(to, status=0, ident="1abc-DEF"):
    result = home.seal(message(to), "-f", SENDER, "--id", ident, "--", to)
    tap.equal(result.status, status, home.log_text()[-500:])


def daemon(**changes):
    groups = {"policy": {"encrypt": "required"}, "rule intern": NEVER["rule_intern"], **changes}
    return daemons.Daemon(home, **groups)


def status(*words, code=0, **how):
    result = home.run("sealctl", "status", *words, **how)
    tap.true(code in (result.status, None), f"{words}: {result.status} {result.output} {result.errors}")
    return result.output.decode()


def told(**how):
    return json.loads(status("--json", **how))


def counts(answer, name="recipients", other="reason"):
    return {(row["result"], row[other]): row["count"] for row in answer[name]}


def modes(answer):
    return {row["mode"]: row["count"] for row in answer["requests"]}


def metrics(text):
    """{(sample's name, its labels): value}; what is no OpenMetrics is an error."""
    return openmetrics.samples(text)


def golden(name, text):
    """By sizes and times it would be another one each time."""
    text = text.replace(str(home.folder), "/HOME")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"process \d+", "process PID", text)
    text = re.sub(r"sealpiped \S+, process", "sealpiped VERSION, process", text)
    text = re.sub(r" +[\d.,]+\s\S+ free \(\d+ %\)", " ROOM free", text)
    text = re.sub(r"\d+ ms each", "N ms each", text)
    text = re.sub(r'("(?:pid|started|loaded|time|free|size|handled_ms|ends|days)" : )\d+', r"\1N", text)
    text = re.sub(r'("version" : )"[^"]*"', r'\1"VERSION"', text)
    text = re.sub(r'("configuration" : )"[0-9a-f]{64}"', r'\1"DIGEST"', text)
    # How long a message takes is not the same each time.
    text = re.sub(r'("up_to_ms" : \d+,\n\s+"count" : )\d+|("count" : )\d+(,\n\s+"up_to_ms")',
                  lambda m: (m[1] or m[2]) + "N" + (m[3] or ""), text)
    path = GOLDEN / name
    if WRITE:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    tap.equal(text, path.read_text(), name)


# -- What is counted ----------------------------------------------------------------------------

@tap.test("what was sent is what is counted, by result, reason and format")
def _():
    with daemon():
        before = told()
        tap.equal((counts(before), modes(before)), ({}, {"transport": 0, "pipe": 0, "check": 0}))
        for _ in range(3):
            send(ALICE)
        send("a@intern.example")
        send(NOBODY, status=75)
        tap.equal(home.check("-f", SENDER, "--", NOBODY).status, 69)
        after = told()
    tap.equal(counts(after), {("sealed", "key"): 3, ("plain", "never"): 1, ("refused", "no-key"): 1})
    tap.equal(counts(after, "formats", "format"), {("sealed", "smime"): 3})
    tap.equal(modes(after), {"transport": 5, "pipe": 0, "check": 1})
    own, = after["daemon"]
    tap.equal((own["handled"], own["generation"], own["missed"], own["workers"], own["alive"]),
              (6, 1, 0, 2, 2))
    tap.true(abs(own["started"] - time.time()) < homes.BOUND, own)
    failure, = after["failures"]
    tap.equal((failure["id"], failure["to"], failure["result"], failure["reason"]),
              ("1abc-DEF", NOBODY, "refused", "no-key"))
    tap.contains(failure["text"], "no smime key")


@tap.test("a worker that is killed takes nothing along, and another generation goes on with it")
def _():
    with daemon() as running:
        send(ALICE)
        send(NOBODY, status=75)
        victim = running.workers()[0]
        os.kill(victim, signal.SIGKILL)
        tap.wait_for(lambda: told()["daemon"][0]["missed"] == 1, "it is missed")
        tap.wait_for(lambda: told()["daemon"][0]["alive"] == 2, "another one has come")
        tap.equal(counts(told()), {("sealed", "key"): 1, ("refused", "no-key"): 1})
        running.renew()
        send(ALICE)
        answer = told()
        tap.equal(counts(answer), {("sealed", "key"): 2, ("refused", "no-key"): 1})
        tap.equal((answer["daemon"][0]["generation"], len(answer["failures"])), (2, 1))
    with daemon():
        tap.equal(counts(told()), {}, "a daemon that is started anew")


@tap.test("a configuration that does not work is told, until one does")
def _():
    with daemon() as running:
        home.write_conf("60-broken.conf", "[core]\nno_such=1\n")
        running.hup()
        tap.wait_for(lambda: told(code=None).get("daemon", [{}])[0].get("refused"), "it is refused")
        text = status(code=1)
        tap.contains(text, "a later configuration does not work")
        tap.contains(text, "no_such")
        tap.equal(metrics(status("--metrics"))["sealpipe_config_refused", ()], 1)
        (home.conf / "60-broken.conf").unlink()
        running.renew()
        tap.equal(told()["daemon"][0]["refused"], 0)


@tap.test("who may connect is told numbers, and addresses only root and the service's user")
def _():
    if not daemons.ROOT:
        raise tap.Skip("only root has a stranger ask")
    with daemon(daemon={"socket_mode": "0666"}) as running:
        send(NOBODY, status=75)
        for user, knows in ((None, True), (daemons.USER, True), (daemons.STRANGER, False)):
            answer = ask(running.run_dir / "status.sock", user)
            tap.true(b"no-key" in answer, f"{user}: the reason's word")
            tap.equal(NOBODY.encode() in answer, knows, f"{user}")
    with daemon() as running:
        mode = (running.run_dir / "status.sock").stat()
        tap.equal((mode.st_mode & 0o777, mode.st_uid), (0o660, 0))


def ask(path, user=None):
    """What is told to him."""
    code = ("import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
            "s.connect(sys.argv[1])\nsys.stdout.buffer.write(s.recv(1 << 20))")
    result = subprocess.run(["/usr/bin/python3", "-c", code, path], capture_output=True, check=False,
                            timeout=homes.BOUND, **({"user": user} if user else {}))
    tap.equal(result.returncode, 0, result.stderr)
    return result.stdout


@tap.test("who connects and reads nothing, or writes, keeps the daemon from nothing")
def _():
    with daemon() as running:
        path = str(running.run_dir / "status.sock")
        idle = []
        for _ in range(40):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            client.connect(path)
            idle.append(client)
        for client in idle[:20]:
            try:
                client.send(b"x" * 1000)
            except BrokenPipeError:
                pass
        send(ALICE)
        tap.equal(counts(told()), {("sealed", "key"): 1})
        running.renew()
        for client in idle:
            client.close()


# -- Without a daemon ---------------------------------------------------------------------------

@tap.test("without a daemon it says that none answers, that nothing is counted, and the rest")
def _():
    running = daemon(core={"in_process": "true"})
    answer = told(code=None)
    tap.equal(answer["daemon"], [])
    tap.contains(answer["daemon_problem"], "no daemon answers here")
    tap.true({row["place"] for row in answer["disk"]} >= {"state_dir", "spool_dir"}, answer["disk"])
    text = status(code=None)
    tap.contains(text, "nothing is counted")
    found = metrics(status("--metrics"))
    tap.equal(found["sealpipe_up", ()], 0)
    tap.true(not any(name == "sealpipe_recipients_total" for name, _ in found), "no counters")
    del running


@tap.test("where the configuration is not believed, whether the daemon is up is not said")
def _():
    daemon()
    home.conf.chmod(0o777)
    result = home.run("sealctl", "status", "--metrics")
    home.conf.chmod(0o755)
    tap.contains(result.errors.decode(), f"{home.conf} can be written by others")
    found = metrics(result.output.decode())
    tap.equal(found["sealpipe_ready", ()], 0)
    tap.true(not {name for name, _ in found} & {"sealpipe_up", "sealpipe_suspended"}, found)


@tap.test("with the daemon stopped and keys that are root's it says what to do")
def _():
    if not daemons.ROOT:
        raise tap.Skip("only root has files of root's")
    keys = home.folder / "server-keys"
    keys.mkdir(mode=0o700, exist_ok=True)
    carol = home.authority.person("carol@example.org", "rsa")
    (keys / "carol.pem").write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
    (keys / "carol.pem").chmod(0o600)
    running = daemon(module_smime={"server_keys": keys}, module_sign={})
    for words in ((), ("--json",)):
        result = home.run("sealctl", "status", *words)
        tap.equal(result.status, 1)
        tap.true(b"Permission denied" not in result.output + result.errors,
                 (result.output, result.errors))
        tap.contains(result.output, b"start sealpiped")
    with running:
        tap.equal(home.run("sealctl", "status").status, 0)


# -- Metrics ------------------------------------------------------------------------------------

@tap.test("the metrics are OpenMetrics, and say what status says")
def _():
    with daemon():
        send(ALICE)
        send(NOBODY, status=75)
        answer, text = told(), status("--metrics")
    found = metrics(text)
    for row in answer["recipients"]:
        labels = (("reason", row["reason"]), ("result", row["result"]))
        tap.equal(found["sealpipe_recipients_total", labels], row["count"], labels)
    tap.equal(found["sealpipe_formats_total", (("format", "smime"), ("result", "sealed"))], 1)
    tap.equal(found["sealpipe_requests_total", (("mode", "transport"),)], 2)
    tap.equal([found[f"sealpipe_{name}", ()] for name in ("up", "ready", "suspended", "workers_alive")],
              [1, 1, 0, 2])
    tap.equal(found["sealpipe_handling_seconds_count", ()], 2)
    tap.true(found["sealpipe_handling_seconds_sum", ()] > 0, "it takes its time")
    tap.true(text.endswith("# EOF\n") and NOBODY not in text, "and no address stands in them")


@tap.test("the parser of this test is strict")
def _():
    good = "# TYPE a counter\n# HELP a b\na_total{x=\"y\"} 1\n# EOF\n"
    openmetrics.samples(good)
    for bad in (good[:-6], good.replace("a_total", "a"), good.replace('"y"', '"y\\z"'), good + "\n",
                good.replace("# TYPE a counter\n", ""), good.replace(" 1\n", " one\n"),
                good.replace("# EOF", "# TYPE a counter\n# EOF"), good.replace(" 1\n", " -1\n"),
                good.replace("# EOF", 'a_total{x="y"} 2\n# EOF')):
        try:
            openmetrics.own_samples(bad)
        except ValueError:
            continue
        tap.true(False, f"was taken: {bad!r}")


@tap.test("a file of metrics is replaced as a whole, for others to read, and nothing is left beside it")
def _():
    folder = home.folder / "textfile"
    folder.mkdir()
    path = folder / "sealpipe.prom"
    with daemon():
        path.write_text("old\n")
        before = path.stat().st_ino
        tap.equal(status("--metrics-file", path), "")
        metrics(path.read_text())
        tap.true(path.stat().st_ino != before, "it is another file")
        tap.equal((path.stat().st_mode & 0o7777, path.stat().st_uid), (0o644, os.geteuid()))
        tap.equal([p.name for p in folder.iterdir()], ["sealpipe.prom"])
        result = home.run("sealctl", "status", "--metrics-file", folder / "none" / "x.prom")
        tap.equal(result.status, 1)
        tap.contains(result.errors, b"No such file")


@tap.test("what does not go together is an error of the command line")
def _():
    for words in (("--metrics", "--json"), ("--metrics", "--watch"), ("5",), ("--watch", "0"),
                  ("--watch", "x"), ("--watch", "1", "2"), ("--no-such",)):
        result = home.run("sealctl", "status", *words)
        tap.equal((result.status, result.output if "--json" not in words else b""), (2, b""), words)
        tap.contains(result.errors, b"usage: sealctl status", words)


# -- Again and again ----------------------------------------------------------------------------

@tap.test("--watch says it again, in blocks or on a cleared terminal, until it is interrupted")
def _():
    words = [homes.prefix() / "bin" / "sealctl", "-c", home.conf, "status", "--watch", "1"]
    with daemon():
        watching = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
        seen = b""
        while seen.count(b"works with the configuration") < 2:
            seen += os.read(watching.stdout.fileno(), 65536)
        os.killpg(watching.pid, signal.SIGINT)
        tap.equal(watching.wait(timeout=homes.BOUND), -signal.SIGINT)
        tap.true(b"\033" not in seen, "no terminal")
        tap.equal(len(re.findall(rb"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", seen, re.M)), 2)

        ours, theirs = pty.openpty()
        watching = subprocess.Popen(words, stdout=theirs, start_new_session=True,
                                    env={**os.environ, "TERM": "xterm"})
        seen = b""
        while seen.count(b"works with the configuration") < 2:
            seen += os.read(ours, 65536)
        os.killpg(watching.pid, signal.SIGINT)
        tap.equal(watching.wait(timeout=homes.BOUND), -signal.SIGINT)
        os.close(theirs)
        os.close(ours)
        tap.true(seen.count(b"\033[2J") >= 2, "it is cleared")


# -- As it is printed ---------------------------------------------------------------------------

@tap.test("status as it is printed, with a daemon")
def _():
    with daemon():
        send(ALICE)
        send("a@intern.example")
        send(NOBODY, status=75)
        golden("status.txt", status())
        golden("status.json", status("--json"))


@tap.test("status as it is printed, without a daemon")
def _():
    running = daemon(core={"in_process": "true"})
    golden("status-none.txt", status(code=None))
    golden("status-none.json", status("--json", code=None))
    del running


tap.main()
