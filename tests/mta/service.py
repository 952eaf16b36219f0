# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose service it is: root becomes [core] user or the state folder's owner, in every program, and
leaves nothing of root's behind; the log that it makes for him; and what `sealctl suspend` does with
a configuration that does not load.

service.py MODULE: a stage that stops or fails; see hold/hold.c.
"""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import gnupg
import tap
from home import Home
from licences import Issuer

HOLD = tap.arguments()[0]
ROOT = os.getuid() == 0
# Somebody who is on every system, and owns nothing.
USER = pwd.getpwnam("daemon")
OTHER = pwd.getpwnam("nobody")
ALICE, NOBODY = "alice@example.org", "nobody@example.org"
PLAIN = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe body.\n"

home = Home("svc")
os.chmod(home.folder, 0o755)
# In a folder that only root can write, where root runs this.
things = home.folder / "things"
things.mkdir(mode=0o755)
log, state = things / "log", things / "state"
taken = home.folder / "taken"
taken.mkdir(mode=0o777)
os.chmod(taken, 0o777)
sendmail = home.folder / "sendmail"
sendmail.write_text(f'#!/bin/sh\nid -u >"{taken}/user"; id -G >"{taken}/groups"; cat >"{taken}/mail"\n')
sendmail.chmod(0o755)


def by(user):
    """Runs as that user, where root can say so."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if ROOT else {}


# Whose the service is: root gives everything to somebody else.
SERVICE = USER if ROOT else pwd.getpwuid(os.getuid())
RUNS = [by(SERVICE)] + ([{}] if ROOT else [])


def prepare(core=None, make_state=True, **groups):
    for path in (*things.iterdir(), *taken.iterdir()):
        gnupg.remove(path) if path.is_dir() else path.unlink()
    if make_state:
        state.mkdir(mode=0o700)
        os.chown(state, SERVICE.pw_uid, SERVICE.pw_gid)
    home.configure({"core": {"log_target": log, "state_dir": state, **(core or {})}, **groups})


def text_of_log():
    return log.read_text() if log.is_file() else f"no {log}"


def nothing_is_roots(*but):
    for path in things.rglob("*"):
        if path.lstat().st_uid != SERVICE.pw_uid and path.name not in but:
            raise AssertionError(f"{path} belongs to user {path.lstat().st_uid}")


def seals(**who):
    result = home.seal(PLAIN, "--", ALICE, **who)
    tap.equal((result.status, result.errors), (0, b""), text_of_log())
    tap.contains(result.output, b"application/pkcs7-mime")


def pipe(*recipients, env=None, **who):
    return home.run("sealpipe-pipe", "-f", "carol@example.net", "--id", "Q1", "--sendmail", sendmail,
                    "--", *recipients, stdin=PLAIN, env=env, **who)


def status(**who):
    """(exit status, the answer, what is said of it)."""
    result = home.run("sealctl", "--json", "status", **who)
    return result.status, json.loads(result.output), result.errors.decode()


def row(answer, name):
    return next(c for c in answer["checks"] if c["check"] == name)


def only_root():
    if not ROOT:
        raise tap.Skip("only root becomes somebody else")


# -- Root becomes somebody else -------------------------------------------------------------------

FOUND = {
    "the owner of the state folder": {},
    "[core] user": {"core": {"user": SERVICE.pw_name}},
    "[core] user, by number": {"core": {"user": str(SERVICE.pw_uid)}},
    "[core] user, and makes the state folder for him":
        {"core": {"user": SERVICE.pw_name}, "make_state": False},
}

for _name, _how in FOUND.items():
    @tap.test(f"root becomes {_name}, in every program, whoever runs first")
    def _(how=_how):
        only_root()
        # He could make neither where they are to be.
        for order in (RUNS[::-1],) if "make_state" in how else (RUNS, RUNS[::-1]):
            prepare(**how)
            for who in order:
                seals(**who)
                tap.equal(home.check("--", ALICE, **who).status, 0)
                # He could not make it there himself.
                tap.equal(status(**who)[0], 0 if {} in order[:order.index(who) + 1] else 1)
                tap.equal(row(status(**who)[1], "user")["detail"], SERVICE.pw_name)
                (state / "journal").exists() and shutil.rmtree(state / "journal")
                result = pipe(ALICE, **who)
                tap.equal((result.status, result.output), (0, b""), text_of_log())
                tap.equal((taken / "user").read_text(), f"{SERVICE.pw_uid}\n")
                if not who:
                    tap.equal(set((taken / "groups").read_text().split()),
                              {str(g) for g in os.getgrouplist(SERVICE.pw_name, SERVICE.pw_gid)})
                for path in taken.iterdir():
                    path.unlink()
            tap.true(log.exists(), "there is no log")
            tap.equal(sorted(p.name for p in state.iterdir()), ["journal", "ledger"])
            nothing_is_roots()


@tap.test("the runner is that user for good: all ids, his groups, no dumps, no way back")
def _():
    only_root()
    mark = taken / "found"
    prepare(pipeline={"outbound": "hold;smime"}, **{"module hold": {"what": "child", "mark": mark}})
    result = home.seal(PLAIN, "--", ALICE, env={"SEALPIPE_MODULES": str(home.modules_with(HOLD))})
    tap.equal(result.status, 0, text_of_log())
    found = dict(l.split(":\t", 1) for l in mark.read_text().splitlines() if ":\t" in l)
    tap.equal(found["Uid"].split(), [str(USER.pw_uid)] * 4)
    tap.equal(found["Gid"].split(), [str(USER.pw_gid)] * 4)
    tap.equal(set(found["Groups"].split()),
              {str(g) for g in os.getgrouplist(USER.pw_name, USER.pw_gid)})
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        tap.equal(int(found[name], 16), 0, name)
    tap.equal(found["NoNewPrivs"], "1")


@tap.test("having changed the user, the runner still ends with its client, and shows its memory to nobody")
def _():
    only_root()
    mark = state / "mark"
    prepare(pipeline={"outbound": "hold;smime"}, **{"module hold": {"mark": mark}})
    child = subprocess.Popen([home.bin / "sealpipe", "-c", home.conf, "--", ALICE],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env={"SEALPIPE_MODULES": str(home.modules_with(HOLD))})
    child.stdin.write(PLAIN)
    child.stdin.close()
    tap.wait_for(mark.exists, "the stage is reached")
    children = pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    tap.equal(len(children), 1, "runners")
    runner = pathlib.Path(f"/proc/{children[0]}")
    # Where it may be dumped, its files there would be its user's.
    tap.equal((runner / "mem").stat().st_uid, 0)
    tap.contains((runner / "status").read_text(), f"\nUid:\t{USER.pw_uid}\t")
    os.kill(child.pid, signal.SIGKILL)
    child.wait(timeout=60)
    child.stdout.close()
    tap.wait_for(lambda: not runner.exists() or "(zombie)" in (runner / "status").read_text(),
                 "the runner is gone")


@tap.test("a temporary folder of root's own does not go with it")
def _():
    only_root()
    prepare()
    private = home.folder / "private"
    private.mkdir(mode=0o700)
    result = home.run("sealctl", "status", env={"TMPDIR": str(private), "HOME": "/root",
                                                "XDG_RUNTIME_DIR": str(private)})
    tap.equal(result.status, 0, result.errors)
    private.rmdir()


@tap.test("what the administrator names on the command line is read as root, and written as root")
def _():
    only_root()
    issuer = Issuer(home)
    private = home.folder / "for-root"
    private.mkdir(mode=0o700)
    licence = private / "licence"
    shutil.copy(issuer.issue(), licence)
    os.chmod(licence, 0o600)
    public = next(home.folder.rglob("*.pub"))
    os.chmod(public, 0o644)
    prepare(**{"module license": {"public_key": public}})
    result = home.run("sealctl", "license", "install", licence)
    tap.equal(result.status, 0, (result.output, result.errors))
    tap.true((state / "license/licence").exists(), "it is not installed")
    nothing_is_roots()
    phrase = private / "phrase"
    phrase.write_text("a phrase\n")
    os.chmod(phrase, 0o600)
    result = home.run("sealctl", "license", "keygen", "--out", private / "new",
                      "--passphrase-file", phrase)
    tap.equal(result.status, 0, result.errors)
    tap.equal((private / "new.key").stat().st_uid, 0)


@tap.test("user= is nobody: an error that says what to do, to both; suspending works")
def _():
    for who in RUNS:
        prepare({"user": "nosuchuser"})
        tap.equal(home.seal(PLAIN, "--", ALICE, **who).triple(), (75, b"", b""))
        code, _answer, said = status(**who)
        tap.equal(code, 1)
        tap.contains(said, 'there is no user \\"nosuchuser\\"; name the one' if '\\"' in said
                     else 'there is no user "nosuchuser"; name the one')
        tap.equal(home.run("sealctl", "suspend", **who).status, 0)
        tap.equal(home.seal(PLAIN, "--", ALICE, **who).triple(), (0, PLAIN, b""))
        nothing_is_roots()


@tap.test("user= is another one than runs it: mail is handled, log and status name both")
def _():
    only_root()
    prepare({"user": OTHER.pw_name}, make_state=False)
    for who in (by(USER),):
        log.touch()
        os.chmod(log, 0o666)
        seals(**who)
        tap.contains(text_of_log(), f"this runs as user {USER.pw_name}, while [core] user is "
                                    f"{OTHER.pw_name}")
        code, answer, _said = status(**who)
        tap.equal((code, row(answer, "user")["ready"]), (1, False))
        tap.contains(row(answer, "user")["problem"], f"this runs as user {USER.pw_name}")


@tap.test("a uid that cannot be become: nothing is done, and the reason says what to do")
def _():
    only_root()
    prepare()
    # Root of a user namespace that has no other user.
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"],
                      capture_output=True).returncode != 0:
        raise tap.Skip("no user namespaces here")
    prepare({"user": USER.pw_name})
    result = subprocess.run(
        ["unshare", "--user", "--map-root-user", home.bin / "sealpipe", "-c", home.conf, "--debug",
         "--", ALICE], input=PLAIN, capture_output=True, timeout=60)
    tap.equal((result.returncode, result.stdout), (75, b""))
    tap.contains(result.stderr.decode(), f"cannot become user {USER.pw_name}")


@tap.test("a way back to root, by capabilities that outlast the change of the user: nothing is done")
def _():
    only_root()
    prepare({"user": USER.pw_name})
    keeping = ["setpriv", "--securebits", "+no_setuid_fixup"]
    if subprocess.run([*keeping, "true"], capture_output=True).returncode != 0:
        raise tap.Skip("capabilities cannot be kept here")
    result = subprocess.run([*keeping, home.bin / "sealpipe", "-c", home.conf, "--debug", "--", ALICE],
                            input=PLAIN, capture_output=True, timeout=60)
    tap.equal((result.returncode, result.stdout), (75, b""))
    tap.contains(result.stderr.decode(), "there would be a way back to root")


@tap.test("a state folder that anybody could have put there tells nothing")
def _():
    only_root()
    place = home.folder / "open"
    place.mkdir()
    os.chmod(place, 0o1777)
    theirs = place / "state"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, USER.pw_uid, USER.pw_gid)
    (theirs / "suspended").touch()
    os.chown(theirs / "suspended", USER.pw_uid, USER.pw_gid)
    prepare({"state_dir": theirs})
    tap.equal(home.seal(PLAIN, "--", ALICE).triple(), (75, b"", b""))
    result = home.run("sealctl", "status")
    tap.equal(result.status, 1)
    tap.contains(result.errors.decode(), "name him in user")


@tap.test("who can write a file of the configuration cannot choose whom root becomes")
def _():
    only_root()
    prepare()
    extra = home.write_conf("60-theirs.conf", f"[core]\nuser=root\nlog_target={home.folder}/evil\n")
    os.chown(extra, USER.pw_uid, USER.pw_gid)
    result = home.seal(PLAIN, "--", ALICE)
    tap.equal(result.status, 0, text_of_log())
    tap.true(not (home.folder / "evil").exists(), "root has written for him")
    code, answer, _said = status()
    tap.equal((code, row(answer, "user")["ready"]), (1, False))
    tap.contains(row(answer, "user")["problem"], "[core] user is root")
    os.chown(extra, OTHER.pw_uid, OTHER.pw_gid)
    tap.equal(home.seal(PLAIN, "--", ALICE).status, 75)


# -- The log --------------------------------------------------------------------------------------

def spoil_folder():
    shutil.rmtree(log.parent / "logs", ignore_errors=True)
    return log.parent / "logs/log"


def spoil_link():
    target = things / "target"
    target.touch()
    os.chown(target, SERVICE.pw_uid, SERVICE.pw_gid)
    log.symlink_to(target)
    return log


def spoil_fifo():
    os.mkfifo(log)
    os.chmod(log, 0o666)
    return log


def spoil_owner():
    log.touch(mode=0o600)
    return log


def spoil_kind():
    log.mkdir()
    return log


SPOILED = {
    "its folder is missing": (spoil_folder, "No such file"),
    "it is a link": (spoil_link, "it is a link"),
    "it is a pipe that nobody reads": (spoil_fifo, ""),
    "it is a folder": (spoil_kind, "Is a directory"),
}
if ROOT:
    SPOILED["it is root's"] = (spoil_owner, "Permission denied")

for _name, (_spoil, _why) in SPOILED.items():
    @tap.test(f"the log cannot be written, {_name}: mail is handled, and status says so")
    def _(spoil=_spoil, why=_why):
        for who in RUNS:
            prepare()
            target = spoil()
            home.configure({"core": {"log_target": target, "state_dir": state}})
            seals(**who)
            tap.equal(home.seal(PLAIN, "--", NOBODY, **who).status, 75)
            result = home.seal(PLAIN, "--debug", "--", ALICE, **who)
            tap.contains(result.errors.decode(), "log_target: cannot open")
            code, answer, _said = status(**who)
            tap.equal((code, row(answer, "log")["ready"]), (1, False))
            tap.contains(row(answer, "log")["problem"], f"{target}: {why}")
            if target.is_symlink():
                tap.equal((things / "target").read_text(), "", "the link was followed")


@tap.test("a log on a disk that is full: mail is handled")
def _():
    prepare({"log_target": "/dev/full"})
    for who in RUNS:
        seals(**who)


@tap.test("a log in a folder of the user's own is made by him")
def _():
    logs = things / "logs"
    for who in RUNS[::-1]:
        prepare({"log_target": logs / "log"})
        logs.mkdir()
        os.chown(logs, SERVICE.pw_uid, SERVICE.pw_gid)
        seals(**who)
        tap.equal((logs / "log").stat().st_uid, SERVICE.pw_uid)


# -- Suspending in an emergency -------------------------------------------------------------------

def lose_keys():
    home.configure({"core": {"log_target": log, "state_dir": state},
                    "module keys-file": {"paths": home.folder / "gone"}})


def lose_module():
    home.write_conf("60-broken.conf", "[module nosuch]\n")


def break_module():
    home.configure({"core": {"log_target": log, "state_dir": state},
                    "module hold": {"what": "fault"}})


EMERGENCIES = {
    "a line that is none": lambda: home.write_conf("60-broken.conf", "[policy]\nencrypt\n"),
    "a group that does not end": lambda: home.write_conf("60-broken.conf", "[core\ndeadline=5s\n"),
    "an unknown setting": lambda: home.write_conf("60-broken.conf", "[core]\nno_such=1\n"),
    "an unknown group": lambda: home.write_conf("60-broken.conf", "[no such]\na=b\n"),
    "a value out of range": lambda: home.write_conf("60-broken.conf", "[core]\ndeadline=9d\n"),
    "no UTF-8, and zeros": lambda: home.write_conf("60-broken.conf", b"\xff\xfe=\0\0\n\0x=1\n"),
    "a folder with the name of a file": lambda: (home.conf / "60-broken.conf").mkdir(),
    "the log in no place": lambda: home.write_conf("60-broken.conf", "[core]\nlog_target=paper\n"),
    "no place for large messages":
        lambda: home.write_conf("60-broken.conf", "[core]\nspool_dir=/nonexistent\n"),
    "no daemon": lambda: home.write_conf("60-broken.conf", "[core]\nin_process=false\n"),
    "the keys are gone": lose_keys,
    "a module is missing": lose_module,
    "a module does not start": break_module,
}

MODULES = {"SEALPIPE_MODULES": str(home.modules_with(HOLD))}


def mail_passes(**who):
    tap.equal(home.seal(PLAIN, "--", NOBODY, env=MODULES, **who).triple(), (0, PLAIN, b""))
    result = home.check("--", NOBODY, env=MODULES, **who)
    tap.equal((result.status, result.output),
              (0, b"sealpipe is disabled. Emails will not be encrypted."))
    result = pipe(ALICE, NOBODY, env=MODULES, **who)
    tap.equal((result.status, result.output), (0, b""))
    tap.equal((taken / "mail").read_bytes(), PLAIN)
    shutil.rmtree(state / "journal")
    for path in taken.iterdir():
        path.unlink()


def mail_stays(**who):
    tap.equal(home.seal(PLAIN, "--", NOBODY, env=MODULES, **who).triple(), (75, b"", b""))
    tap.equal(home.check("--", NOBODY, env=MODULES, **who).status, 75)
    tap.equal(pipe(NOBODY, env=MODULES, **who).status, 75)
    tap.true(not (taken / "mail").exists(), "something was handed over")


def no_broken_file():
    path = home.conf / "60-broken.conf"
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        path.rmdir()


for _name, _break in EMERGENCIES.items():
    @tap.test(f"{_name}: suspend and resume work, whoever does it, and mail passes or stays")
    def _(break_it=_break):
        for who in RUNS:
            for other in RUNS:
                no_broken_file()
                prepare()
                break_it()
                try:
                    mail_stays(**who)
                    result = home.run("sealctl", "suspend", env=MODULES, **who)
                    tap.equal(result.status, 0, result.errors)
                    mail_passes(**other)
                    result = home.run("sealctl", "--json", "status", env=MODULES, **other)
                    tap.equal(result.status, 1)
                    tap.equal(json.loads(result.output)["suspended"], True)
                    result = home.run("sealctl", "resume", env=MODULES, **other)
                    tap.equal(result.status, 0, result.errors)
                    mail_stays(**who)
                    nothing_is_roots()
                finally:
                    no_broken_file()


@tap.test("enabled=false passes mail too where the rest does not load, but not where it cannot be read")
def _():
    for who in RUNS:
        prepare({"enabled": "false"})
        lose_module()
        mail_passes(**who)
        home.write_conf("60-broken.conf", "[core\n")
        mail_stays(**who)
        no_broken_file()


UNCLEAR = {
    "a line without =": "[core]\nstate_dir /elsewhere\n",
    "a group that does not end": "[core\nstate_dir=/elsewhere\n",
    "another group": "[cor]\nstate_dir=/elsewhere\n",
    "twice": "[core]\nstate_dir=/elsewhere\nstate_dir=/elsewhere\n",
    "no path": "[core]\nstate_dir=elsewhere\n",
    "a bad escape": "[core]\nstate_dir=/else\\where\n",
    "capital letters": "[core]\nState_dir=/elsewhere\n",
    "capital letters, and no =": "[core]\nSTATE_DIR /elsewhere\n",
    "capital letters, in another group": "[Core]\nState_Dir = /elsewhere\n",
}

for _name, _text in UNCLEAR.items():
    @tap.test(f"where it cannot be told what state_dir is, no flag counts: {_name}")
    def _(text=_text):
        prepare()
        tap.equal(home.run("sealctl", "suspend", **by(SERVICE)).status, 0)
        home.write_conf("60-broken.conf", text)
        try:
            for who in RUNS:
                mail_stays(**who)
                result = home.run("sealctl", "suspend", **who)
                tap.equal(result.status, 1)
                tap.contains(result.errors.decode(), "60-broken.conf:")
        finally:
            no_broken_file()


@tap.test("a link that leads nowhere might have led to anything: no flag counts")
def _():
    prepare()
    tap.equal(home.run("sealctl", "suspend", **by(SERVICE)).status, 0)
    for target in ("/nonexistent/conf", "60-broken.conf"):
        (home.conf / "60-broken.conf").symlink_to(target)
        try:
            for who in RUNS:
                mail_stays(**who)
                result = home.run("sealctl", "suspend", **who)
                tap.equal(result.status, 1)
                tap.contains(result.errors.decode(), "60-broken.conf")
        finally:
            no_broken_file()


@tap.test("a path elsewhere that has state_dir in it does not matter")
def _():
    prepare()
    report = home.folder / "state_dir"
    report.write_text("x\n")
    home.write_conf("60-broken.conf", f"[policy]\nreport_text={report}\n# state_dir\n")
    for who in RUNS:
        seals(**who)
    no_broken_file()


@tap.test("a configuration that others can write is not believed, suspended or not")
def _():
    prepare()
    tap.equal(home.run("sealctl", "suspend", **by(SERVICE)).status, 0)
    for path in (home.conf, home.conf / "50-test.conf"):
        mode = path.stat().st_mode
        os.chmod(path, mode | 0o002)
        try:
            for who in RUNS:
                mail_stays(**who)
                result = home.run("sealctl", "suspend", **who)
                tap.equal(result.status, 1)
                tap.contains(result.errors.decode(), f"{path} can be written by others")
        finally:
            os.chmod(path, mode)
    mail_passes(**by(SERVICE))


@tap.test("a file of the configuration that the service cannot read might say anything: mail stays")
def _():
    only_root()
    prepare()
    tap.equal(home.run("sealctl", "suspend").status, 0)
    secret = home.write_conf("60-broken.conf", "[policy]\nencrypt=required\n")
    os.chmod(secret, 0o600)
    for who in RUNS:
        mail_stays(**who)
    tap.contains(home.run("sealctl", "suspend").errors.decode(), f"{secret}: Permission denied")
    no_broken_file()


@tap.test("root suspends where there is no state folder, and nobody knows whose it would be")
def _():
    only_root()
    prepare(make_state=False)
    tap.equal(home.run("sealctl", "suspend").status, 0)
    for who in RUNS:
        tap.equal(home.seal(PLAIN, "--", NOBODY, **who).triple(), (0, PLAIN, b""))
    tap.equal(home.run("sealctl", "resume").status, 0)
    tap.equal(home.seal(PLAIN, "--", NOBODY).status, 75)


@tap.test("a flag that is somebody else's does not count; one that cannot be seen defers")
def _():
    only_root()
    prepare()
    flag = state / "suspended"
    flag.touch()
    os.chown(flag, OTHER.pw_uid, OTHER.pw_gid)
    for who in RUNS[::-1]:
        seals(**who)
        tap.contains(text_of_log(), "does not suspend")
    flag.unlink()
    flag.symlink_to("/etc/passwd")
    for who in RUNS:
        seals(**who)
    flag.unlink()
    flag.touch()
    for who in RUNS:
        tap.equal(home.seal(PLAIN, "--", NOBODY, **who).triple(), (0, PLAIN, b""))
    os.chown(state, 0, 0)
    tap.equal(home.seal(PLAIN, "--", NOBODY, **by(SERVICE)).status, 75)


tap.main()
