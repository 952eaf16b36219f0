# SPDX-License-Identifier: GPL-2.0-or-later
"""The log in the journal: each value of a line is a field; and a file that is rotated."""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import ears
import home as homes
import tap

HAS_VIEW = ears.own_view()
home = homes.Home("journal")
MESSAGE = b"From: carol@example.org\nTo: alice@example.org\nSubject: x\n\nthe words\n"
VALUE = re.compile(r'(?:^| )(\w+)=("(?:[^"\\]|\\.)*"|\S*)')
NAMES = {"from": "SENDER", "to": "RECIPIENT"}
IDS = {"result": "2c6d4aab6f4b4e0f9bbd0c3d5e0f7a11", "step": "7f0b6a5e1f8c4d38a2f46f7e9d1c3b52",
       "warning": "b3a1d7c84e5f4b6a9c0d2e8f71a65493", "notice": "b3a1d7c84e5f4b6a9c0d2e8f71a65493"}
journal = ears.Ear(ears.JOURNAL) if HAS_VIEW else None
syslog = ears.Ear(ears.SYSLOG) if HAS_VIEW else None


def needs_view(function):
    def run():
        if not HAS_VIEW:
            raise tap.Skip("who hears the log is the system's: only root has a view of its own")
        function()
    return run


def check_entry(entry):
    """Its fields, which say what its message says and no more."""
    found = ears.fields(entry)
    line = found.pop("MESSAGE")
    values = dict(VALUE.findall(line))
    tap.equal((found.pop("SYSLOG_IDENTIFIER"), found.pop("SYSLOG_FACILITY")), ("sealpipe", "2"), line)
    kind = next(name for name in IDS if name in values)
    tap.equal(found.pop("MESSAGE_ID"), IDS[kind], line)
    priority = found.pop("PRIORITY")
    tap.equal(found, {"SEALPIPE_" + NAMES.get(name, name.upper()): value.removeprefix('"').removesuffix('"')
                      for name, value in values.items() if value not in ("", '""')}, line)
    return {**values, "priority": priority, "level": priority}


def entries(*parts):
    return [check_entry(entry) for entry in journal.take(*parts)]


def of_recipient(found):
    return {entry["to"]: entry for entry in found if "result" in entry}


def run(program, to, *args, message=MESSAGE):
    return home.run(program, *args, "-f", "carol@example.org", "--", to, stdin=message).status


@tap.test("every value of a line is a field, with a message id and the priority that is right")
@needs_view
def _():
    home.configure({"core": {"log_target": "journal", "log_level": "debug"},
                    "rule open": {"match_recipient": "*@open.example", "encrypt": "never"}})
    for to, result, priority in (("alice@example.org", "sealed", "6"), ("nobody@example.org", "refused", "4"),
                                 ("x@open.example", "plain", "6")):
        run("sealpipe", to, "--id", "1abcDE-000001-2F")
        found = entries(b"result=" + result.encode())
        entry = of_recipient(found)[to]
        tap.equal((entry["id"], entry["result"], entry["priority"], entry["by"]),
                  ("1abcDE-000001-2F", result, priority, "transport"), entry)
        tap.true([e for e in found if "step" in e and e["priority"] == "7"], "decisions are debug")
    home.configure({"core": {"log_target": "journal"}, "module keys-file": {"paths": "/nonexistent"}})
    tap.equal(run("sealpipe", "alice@example.org"), 75)
    tap.equal(of_recipient(entries(b"result=deferred"))["alice@example.org"]["priority"], "3")


@tap.test("no address or sentence writes a line or a field of its own")
@needs_view
def _():
    home.configure({"core": {"log_target": "journal"}})
    run("sealpipe", "alice@example.org", "--id", 'x" result=forged\nSEALPIPE_RESULT=forged\x1b[2J\u2028')
    entry, = entries(b"forged")
    tap.contains(entry["id"], "\\u000a")
    tap.equal(entry["result"], "sealed")


@tap.test("what the client says itself has the same fields")
@needs_view
def _():
    home.configure({"core": {"log_target": "journal", "deadline": "5s"}})
    sendmail = home.folder / "sendmail"
    sendmail.write_text("#!/bin/sh\ncat >/dev/null\n")
    sendmail.chmod(0o755)
    tap.equal(run("sealpipe-pipe", "alice@example.org", "--id", "q=1", "--sendmail", str(sendmail)), 0)
    found = [entry for entry in entries(b"by=pipe") if "result" in entry]
    tap.true(found and all(entry["id"] == '"q=1"' for entry in found), found)


@tap.test("the daemon's workers, who are locked in, write there too, and a reload is said")
@needs_view
def _():
    with daemons.Daemon(home, core={"log_target": "journal", "log_level": "debug"}) as daemon:
        notice, = [e for e in entries(b"notice=") if "notice" in e]
        tap.contains(notice["notice"], "handles mail with the configuration of " + str(home.conf))
        tap.equal((notice["by"], notice["priority"]), ("daemon", "6"))
        tap.equal(run("sealpipe", "alice@example.org", "--id", "by-the-daemon"), 0)
        found = entries(b"id=by-the-daemon", b"result=sealed")
        tap.equal(of_recipient(found)["alice@example.org"]["result"], "sealed")
        daemon.renew()
        entries(b"notice=")


@tap.test("where nobody hears the journal any more, syslog has the line")
@needs_view
def _():
    home.configure({"core": {"log_target": "journal"}})
    os.rename(ears.JOURNAL, ears.JOURNAL + ".away")
    try:
        tap.equal(run("sealpipe", "alice@example.org", "--id", "not-lost"), 0)
        line, = syslog.take(b"id=not-lost")
        tap.true(re.match(rb"<22>.*sealpipe\[\d+\]: id=not-lost ", line), line)
    finally:
        os.rename(ears.JOURNAL + ".away", ears.JOURNAL)


@tap.test("a log's file that was rotated is left for the new one, by the daemon too")
def _():
    rotated = home.folder / "log.1"
    if daemons.ROOT:  # the folder is root's: who rotates makes the file for the user
        home.folder.chmod(0o755)
    with daemons.Daemon(home):
        tap.equal(run("sealpipe", "alice@example.org", "--id", "first"), 0)
        os.rename(home.log, rotated)
        tap.equal(run("sealpipe", "alice@example.org", "--id", "between"), 0)
        home.log.touch()
        if daemons.ROOT:
            os.chown(home.log, *owner_of(rotated))
        tap.wait_for(lambda: "notice=" in home.log_text(), "another generation has it open")
        tap.equal(run("sealpipe", "alice@example.org", "--id", "third"), 0)
        tap.contains(home.log_text(), "id=third ")
        for word in ("id=first ", "id=between "):
            tap.contains(rotated.read_text(), word)


def owner_of(path):
    info = path.stat()
    return info.st_uid, info.st_gid


@tap.test("the snippet for logrotate is one that logrotate reads")
def _():
    snippet = pathlib.Path(__file__).resolve().parents[2] / "docs/examples/daemon/logrotate.conf"
    text = snippet.read_text()
    tap.contains(text, "delaycompress")
    if not pathlib.Path("/usr/sbin/logrotate").exists():
        raise tap.Skip("no logrotate here")
    folder = homes.temporary_folder("logrotate")
    path = folder / "sealpipe.conf"
    path.write_text(text.replace("/var/log/sealpipe/", f"{folder}/").replace("su sealpipe adm\n", "")
                    .replace("create 0640 sealpipe adm", "create 0640"))
    path.chmod(0o644)
    (folder / "sealpipe.log").write_text("a line\n")
    result = subprocess.run(["/usr/sbin/logrotate", "-f", "-s", folder / "state", path],
                            capture_output=True, text=True, timeout=homes.BOUND)
    tap.equal((result.returncode, result.stderr), (0, ""), result)
    tap.equal(((folder / "sealpipe.log").read_text(), (folder / "sealpipe.log.1").read_text()),
              ("", "a line\n"))


tap.main()
