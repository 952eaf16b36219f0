# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of mail is written down, whoever did the work, and `sealctl report` sums it. What it prints of
files that are as they are is in golden/: --write makes that anew."""

import concurrent.futures
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import home as homes
import tap

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
WRITE = "--write" in tap.arguments()
ALICE, NOBODY, STRICT, OPEN = "alice@example.org", "nobody@example.org", "x@strict.example", "y@open.example"
RULES = {"policy": {"encrypt": "preferred"},
         "rule only": {"match_recipient": "@strict.example", "encrypt": "required"},
         "rule open to all": {"match_recipient": "@open.example", "encrypt": "never"}}
LINE = re.compile(r"1 \d\d:\d\d (.*) \.")
MARCH = ("--since", "2026-03-01", "--until", "2026-03-31")

home = homes.Home("ledger")
home.folder.chmod(0o755)
ledger = home.state / "ledger"


def report(*words, status=0, **how):
    result = home.run("sealctl", "report", *words, **how)
    tap.equal(result.status, status, f"{words}: {result.output[-600:]} {result.errors}")
    return result


def answer(*words, **how):
    return json.loads(report(*words, "--json", **how).output)


def golden(name, text):
    path = GOLDEN / name
    if WRITE:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text)
    tap.equal(text, path.read_text(), name)


def begin(days=None):
    """With the files of @days alone: {name: text}."""
    shutil.rmtree(ledger, ignore_errors=True)
    if days is not None:
        ledger.mkdir()
        for name, text in days.items():
            (ledger / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def written():
    """All lines, without their times, in order; each has been read, and is one."""
    found = []
    for path in sorted(ledger.glob("2*")):
        for line in path.read_text().splitlines():
            if line:
                tap.true(LINE.fullmatch(line), line)
                found.append(LINE.fullmatch(line)[1])
    return found


def message(to):
    return f"From: carol@example.com\nTo: {to}\nSubject: x\n\nHello\n".encode()


def seal(to, *words, program="sealpipe", sender="carol@example.com"):
    return home.run(program, "-f", sender, *words, "--", to, stdin=message(to))


# -- Files that are as they are -----------------------------------------------------------------

def lines(*texts):
    return "\n" + "".join(f"1 07:05 {text} .\n" for text in texts)


DAYS = {
    "2026-02-27": lines("transport 9 example.org sealed smime - key example.com"),
    "2026-03-02": lines("transport 40 example.org sealed smime - key example.com",
                        "transport 7 example.org sealed pgp - key example.com",
                        "transport 3 example.org sealed - - already-sealed example.com")
    + lines("pipe 2 example.org signed smime - no-key example.com",
            "pipe 4 example.org plain - - no-key example.com",
            "pipe 1 example.org plain - password-resets never example.com",
            "pipe 5 partner.example refused - partners no-key -"),
    "2026-03-03": lines("check 6 partner.example refused - partners no-key example.com",
                        "transport 2 partner.example deferred - - unavailable shop.example",
                        "transport 1 partner.example deferred - - error shop.example")
    + lines("transport 2 clinic.example reported - - no-key shop.example",
            "check 1 - refused - - address example.com")
    + lines("transport 3 clinic.example plain - - disabled shop.example",
            "transport 8 clinic.example sealed pgp Gr%C3%BC%C3%9Fe key shop.example"),
    "2026-03-06": lines("transport 1 example.org sealed smime - key example.com"),
    "2026-04-01": lines("transport 1 example.org sealed smime - key example.com"),
}


@tap.test("for each domain what became of mail, and why: text and JSON")
def _():
    begin(DAYS)
    golden("report.txt", report(*MARCH).output.decode())
    golden("report.json", report(*MARCH, "--json").output.decode())
    found = answer(*MARCH)
    tap.equal((found["first"], found["last"], found["days"]), ("2026-03-02", "2026-03-06", 3))
    tap.equal(found["gaps"], [{"from": "2026-03-04", "to": "2026-03-05", "days": 2}])
    for row in [found, *found["domains"]]:
        ends = ("sealed", "signed", "clear", "reported", "refused", "turned_away", "deferred")
        tap.equal(row["recipients"], sum(row[end] for end in ends), row)
        tap.equal(row["sealed"], sum(row[f"sealed_{name}"] for name in ("smime", "pgp")) + row["came_sealed"], row)
    for key in ("recipients", "sealed", "clear", "refused", "deferred"):
        tap.equal(found[key], sum(row[key] for row in found["domains"]), key)


@tap.test("one domain, one sender's domain, and days on either side")
def _():
    begin(DAYS)
    for words, recipients, days in ((("--domain", "@Partner.Example"), 14, 3), (("--sender", "shop.example"), 16, 3),
                                    (("--domain", "example.org", "--sender", "shop.example"), 0, 3)):
        found = answer(*MARCH, *words)
        tap.equal((found["recipients"], found["days"]), (recipients, days), words)
    tap.equal(answer("--since", "2026-03-02", "--until", "2026-03-02")["recipients"], 62)
    tap.equal(answer("--since", "2026-03-03", "--until", "2026-03-05")["days"], 1)
    tap.equal(answer("--since", "2020-01-01")["days"], 5)
    tap.equal(answer("--since", "36500d")["days"], 5)
    tap.equal(answer("--since", "2020-01-01", "--until", "2020-12-31")["recipients"], 0)


@tap.test("damaged lines, days that cannot be read and lines that are missing: counted, said, and exit 1")
def _():
    begin({"2026-03-02": lines("transport 2 example.org sealed smime - key example.com") +
           "1 07:05 transport 3 exam\n\0\n" + lines("transport 1 example.org invented smime - key example.com"),
           "missing": b"\0" * 12})
    (ledger / "2026-03-03").mkdir()
    os.utime(ledger / "missing", (1772531999, 1772531999))  # 2026-03-03
    golden("damaged.txt", report(*MARCH, status=1).output.decode())
    found = answer(*MARCH, status=1)
    tap.equal((found["recipients"], found["damaged"], found["unread"], found["missing"]), (2, 3, 1, 12))
    # What was missing before is not of this time.
    tap.equal(answer("--since", "2026-03-04")["missing"], 0)


@tap.test("whatever is in a file: numbers that are told, or exit 1, never a crash")
def _():
    for text in (b"", b"\n", b"\0" * 70000, b"x" * 200000, os.urandom(300000), b"1 " * 100000,
                 lines("transport 999999999 a sealed b c d e").encode() * 50):
        begin({"2026-03-02": text})
        result = home.run("sealctl", "report", *MARCH, "--json")
        tap.true(result.status in (0, 1), result.status)
        tap.true(json.loads(result.output)["days"] == 1, result.output[:300])
    begin({"2026-03-02": lines("transport 1 %1B[31m refused %1B%0A %1B[31m %1B[31m %1B[31m",
                               "transport 1 example.org sealed %1B%0A - key example.com")})
    result = report(*MARCH, status=1)
    tap.contains(result.output, b"damaged: 2")
    tap.true(b"\x1b" not in result.output, result.output)


@tap.test("many domains: memory is bounded, and what has no place of its own is said")
def _():
    count = 24000
    begin({"2026-03-02": "".join(lines(f"transport 1 d{n}.example refused - - no-key -") for n in range(count))})
    found = answer(*MARCH)
    rows = {row["domain"]: row for row in found["domains"]}
    tap.equal((len(rows), found["recipients"], rows["(others)"]["refused"]), (20001, count, count - 20000))
    tap.contains(" ".join(row["note"] for row in found["notes"]), "(others)")
    tap.note(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MiB")


# -- What cannot be told ------------------------------------------------------------------------

@tap.test("no ledger, none that is kept, none that this user may read: what to do stands with it")
def _():
    begin()
    tap.contains(report(status=1).errors, b"it begins with the next message")
    home.configure({"core": {"ledger_days": 0}})
    tap.contains(report(status=1).errors, b"[core] ledger_days=0: what becomes of mail is not written down; set it")
    begin(DAYS)
    tap.contains(report(*MARCH).output, b"nothing is written down any more")
    home.configure()
    if not daemons.ROOT:
        return
    tap.contains(report(status=1, user=daemons.STRANGER).errors, b"run this as root, or as the user whose")


@tap.test("a command line that is wrong is exit 2")
def _():
    for words, said in ((("--since", "soon"), '"soon"'), (("--since", "30"), '"30"'), (("--until", "30d"), '"30d"'),
                        (("--since", "2026-02-30"), '"2026-02-30"'), (("--domain", "a b"), '"a b"'),
                        (("--sender", ""), '""'), (("alice",), "too many words"),
                        (("--since", "2026-03-02", "--until", "2026-03-01"), "--until is before --since")):
        tap.contains(report(*words, status=2).errors.decode(), said)


# -- Who writes it ------------------------------------------------------------------------------

SEALED = "1 example.org sealed smime - key"
WANTED = [
    f"transport {SEALED} example.com",
    "transport 1 example.org sealed - - already-sealed example.com",
    "transport 1 example.org plain - - no-key -",
    "transport 1 strict.example refused - only no-key example.com",
    "transport 1 open.example plain - open%20to%20all never example.com",
    "check 1 strict.example refused - only no-key example.com",
    "check 1 - refused - - address example.com",
    "pipe 1 open.example plain - open%20to%20all never example.com",
    "pipe 2 example.org plain - - no-key example.com",
    f"pipe {SEALED} example.com",
    "transport 1 example.org deferred - - error example.com",
]


def everything():
    sealed = seal(ALICE)
    tap.equal(sealed.status, 0, home.log_text()[-600:])
    home.seal(sealed.output, "-f", "carol@example.com", "--", ALICE)
    seal(NOBODY, sender="")
    seal(STRICT)
    seal(OPEN)
    for to in (STRICT, "no address", ALICE):  # of a yes there is nothing: the message comes
        seal(to, program="sealpipe-check")
    home.run("sealpipe-pipe", "-f", "carol@example.com", "--sendmail", "/bin/true", "--", OPEN, NOBODY, "z@example.org",
             ALICE, stdin=message(f"{OPEN}, {NOBODY}, z@example.org, {ALICE}"))
    tap.equal(seal(ALICE, "-d", "inbound").status, 75)


@tap.test("each program's work, in its own process")
def _():
    begin()
    home.configure(RULES)
    everything()
    tap.equal(sorted(written()), sorted(WANTED))
    tap.equal([path.name for path in ledger.iterdir() if not path.name.startswith("2")], ["missing"])
    for path in ledger.iterdir():
        tap.equal(path.stat().st_mode & 0o137, 0, path.name)
    found = answer("--since", "1d")
    tap.equal([found[key] for key in ("sealed", "clear", "refused", "turned_away", "deferred")], [3, 5, 1, 2, 1])


@tap.test("suspended: in clear, and the reason is that")
def _():
    begin()
    home.configure({**RULES, "core": {"enabled": "false"}})
    seal(ALICE)
    tap.equal(written(), ["transport 1 example.org plain - - disabled example.com"])
    row, = answer("--since", "1d")["reasons"]
    tap.equal((row["rule"], row["reason"]), ("", "disabled"))


@tap.test("none is kept where the setting says so; and no folder is made for it")
def _():
    begin()
    home.configure({**RULES, "core": {"ledger_days": 0}})
    tap.equal(seal(ALICE).status, 0)
    tap.true(not ledger.exists(), "it is there")
    home.configure({**RULES, "core": {"state_dir": home.folder / "gone"}})
    tap.equal(seal(ALICE).status, 0)
    tap.true(not (home.folder / "gone").exists(), "state_dir was made")
    tap.true("is not written down" not in home.log_text(), home.log_text()[-600:])


@tap.test("old days go with the first line of a day; a clock that jumps ahead takes nothing along")
def _():
    old = {f"2026-01-{day:02d}": DAYS["2026-03-06"] for day in range(1, 29)}
    begin(old)
    home.configure({**RULES, "core": {"ledger_days": 30}})
    seal(ALICE)
    tap.equal(len(list(ledger.glob("2026-01-*"))), 28, "there are not enough younger ones")
    shutil.rmtree(ledger)
    begin({"2019-12-31": "", "2019-01-01": "", **{f"2099-01-{day:02d}": "" for day in range(1, 8)}})
    seal(ALICE)
    tap.equal(len(list(ledger.glob("2019*"))), 0, "old days")
    tap.equal(len(list(ledger.glob("2099*"))), 7, "days to come")


@tap.test("what cannot be written holds up no mail, and is said")
def _():
    begin()
    home.configure(RULES)
    home.clear_log()
    ledger.mkdir()
    ledger.chmod(0o777)
    tap.equal(seal(ALICE).status, 0)
    tap.contains(home.log_text(), "is not written down for sealctl report")
    tap.contains(home.log_text(), "chown -R")
    tap.equal(list(ledger.iterdir()), [])


# -- The daemon ---------------------------------------------------------------------------------

@tap.test("the daemon's workers, locked in as they are")
def _():
    begin()
    with daemons.Daemon(home, **{name: keys for name, keys in RULES.items()}):
        everything()
        tap.equal(sorted(written()), sorted(WANTED))
        home.clear_log()
        for path in ledger.iterdir():
            path.unlink()
        ledger.chmod(0o777)
        for _ in range(6):
            tap.equal(seal(ALICE).status, 0)
        tap.equal(written(), [], "where others could write")
        tap.true(1 <= home.log_text().count("is not written down") <= 2, "once for each of two workers")
        ledger.chmod(0o750)
        seal(ALICE)
        tap.equal(len(written()), 1, "mended")


@tap.test("who finds no daemon, and is another user, has nothing to write and says nothing of it")
def _():
    if not daemons.ROOT:
        raise tap.Skip("needs root")
    begin()
    daemon = daemons.Daemon(home, **RULES)
    home.clear_log()
    home.log.chmod(0o666)
    tap.equal(home.run("sealpipe", "-f", "carol@example.com", "--", ALICE, stdin=message(ALICE),
                       user=daemons.PEER).status, 75)
    tap.true("is not written down" not in home.log_text(), home.log_text())
    daemon.stop()


@tap.test("workers that are killed cost no line of a message that was answered")
def _():
    begin()
    done = []
    with daemons.Daemon(home, **RULES) as daemon, concurrent.futures.ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(lambda: seal(ALICE).status) for _ in range(120)]
        while not all(one.done() for one in tries):
            for pid in daemon.workers()[:1]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            before = len(written())
            tap.wait_for(lambda: len(written()) > before + 3 or all(one.done() for one in tries), "work goes on")
        done = [one.result() for one in tries]
    found = written()
    tap.true(set(done) <= {0, 75} and done.count(0) > 60, done)
    tap.true(done.count(0) <= len(found) <= len(done), f"{len(found)} lines, {done.count(0)} of {len(done)}")


tap.main()
