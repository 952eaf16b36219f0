# SPDX-License-Identifier: GPL-2.0-or-later
"""Licences, trials and sealctl, through the programs as they are installed."""

import itertools
import json
import os
import pathlib
import pty
import pwd
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import tap
from home import Home, has_module, module_folder, prefix
from licences import Issuer

if not has_module("license"):
    tap.skip_all("built without the license module")

MESSAGE = b"From: Carol <carol@example.net>\nTo: alice@example.org\nSubject: s\n\nthe words\n"
SENDER = "carol@example.net"
WORDS = ("refuse", "report", "allow")
home = Home("license")
home.folder.chmod(0o755)
issuer = Issuer(home)


def configure(license=None, **changes):
    home.configure({"module license": {"public_key": issuer.public, **(license or {})}, **changes})


def begin_anew(**how):
    if home.state.is_file():
        home.state.unlink()
    shutil.rmtree(home.state, ignore_errors=True)
    home.state.mkdir(mode=0o700)
    home.clear_log()
    configure(**how)


def seal(message=MESSAGE, to="alice@example.org", sender=SENDER):
    return home.seal(message, "-f", sender, "--", to)


def check(to="alice@example.org"):
    return home.check("-f", SENDER, "--", to)


def ctl(*args, status=0, **how):
    result = home.run("sealctl", *args, **how)
    tap.equal(result.status, status, f"sealctl {args}: {result.output} {result.errors}")
    return result


def answer(*args, **how):
    return json.loads(ctl(*args, "--json", **how).output)


def sealed():
    result = seal()
    tap.equal(result.status, 0, home.log_text())
    tap.equal(mail.opened(result.output, home.alice), mail.inner_entity(MESSAGE), "opened")


def lapsed(reason):
    """Nothing goes out, the check says so, and the log says why."""
    home.clear_log()
    tap.equal(seal().triple(), (75, b"", b""), "what left")
    tap.contains(home.log_text(), reason, "the log")
    result = check()
    tap.equal(result.status, 69, f"the check: {result.output}")
    tap.contains(result.output.decode(), "licence lapsed")


def defers(reason):
    home.clear_log()
    tap.equal(seal().triple(), (75, b"", b""), "what left")
    tap.contains(home.log_text(), reason, "the log")
    tap.equal(check().status, 75, "the check")


def spoil(path, at=60):
    """One bit of one octet."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


# -- The trial ----------------------------------------------------------------------------------

@tap.test("without a licence a trial of 30 days begins with the first message, and ends no sooner")
def _():
    begin_anew()
    sealed()
    shown = answer("license", "show")
    tap.equal((shown["status"], shown["kind"], shown["extensions"]), ("valid", "trial", 0))
    tap.contains(shown["reason"], "more")
    for name in ("state", "installation", "lock"):
        file = home.state / "license" / name
        tap.equal(file.stat().st_mode & 0o777, 0o600, name)
    before = (home.state / "license" / "state").read_bytes()
    sealed()
    tap.equal((home.state / "license" / "state").read_bytes(), before, "the state")


@tap.test("50 processes at the first use: one trial, and every message is sealed")
def _():
    begin_anew()
    command = [home.bin / "sealpipe", "-c", home.conf, "-f", SENDER, "--", "alice@example.org"]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={})
                for _ in range(50)]
    for child in children:
        child.stdin.write(MESSAGE)
        child.stdin.close()
    for child in children:
        output = child.stdout.read()
        tap.equal(child.wait(timeout=120), 0, home.log_text())
        tap.true(b"the words" not in output and b"pkcs7-mime" in output, "not sealed")
    tap.equal(answer("license", "show")["status"], "valid")
    left = {path.name for path in (home.state / "license").iterdir()}
    tap.equal(left, {"state", "installation", "lock"}, "files")
    ids = {line for line in home.log_text().splitlines() if "result=sealed" in line}
    tap.equal(len(ids), 50, "sealed messages")


@tap.test("state deleted, edited, of another installation: lapsed, and the log says which")
def _():
    for spoiler, reason in (
            (lambda folder: (folder / "state").unlink(), "was deleted"),
            (lambda folder: spoil(folder / "state"), "was edited"),
            (lambda folder: (folder / "installation").write_text("0" * 32 + "\n"),
             "another installation")):
        begin_anew()
        sealed()
        spoiler(home.state / "license")
        lapsed(reason)
        tap.equal(answer("license", "show", status=1)["status"], "lapsed")
        tap.contains(ctl("status", status=1).output.decode(), reason)


@tap.test("five extensions are taken, each for this installation and once; a sixth is refused")
def _():
    begin_anew()
    asked = answer("license", "request")
    ident = asked["installation"]
    tap.equal((len(ident), asked["next_trial"]), (32, 1))
    foreign = issuer.issue("evaluation", installation="0" * 32, trial=1)
    tap.contains(ctl("license", "install", foreign, status=1).errors.decode(), "another installation")
    files = [issuer.issue("evaluation", installation=ident, trial=n) for n in range(1, 7)]
    ctl("license", "install", files[1], status=1)
    for number, file in enumerate(files[:5], 1):
        ctl("license", "install", file)
        sealed()
        shown = answer("license", "show")
        tap.equal(shown["extensions"], number)
    # All of it may have been within a second.
    tap.true(re.search(r"\b(179|180) days more", shown["reason"]), shown["reason"])
    tap.contains(ctl("license", "install", files[5], status=1).errors.decode(), "5 times at most")
    tap.contains(ctl("license", "install", files[0], status=1).errors.decode(), "used already")
    # What was refused changed nothing.
    sealed()
    # Put there by hand it is no better.
    shutil.copy(files[0], home.state / "license" / "licence")
    lapsed("used already")


# -- Licences -----------------------------------------------------------------------------------

@tap.test("every kind of licence is issued, verified, installed and lets mail be sealed")
def _():
    for kind in ("commercial", "community", "open-source", "startup"):
        begin_anew()
        file = issuer.issue(kind)
        tap.contains(issuer.run("verify", "--public-key", issuer.public, file).stdout, kind)
        shown = answer("license", "install", file)
        tap.equal((shown["kind"], shown["status"]), (kind, "valid"))
        sealed()
    begin_anew()
    ctl("license", "install", issuer.issue("open-source", "never"))
    tap.contains(answer("license", "show")["reason"], "does not end")


@tap.test("a licence that is there but invalid is a lapse, also while a trial would run")
def _():
    good = issuer.issue()
    data = good.read_bytes()
    other = home.folder / "other"
    begin_anew(license={"file": other})
    sealed()
    for bad in (data[:-1], data + data, data[:40], b"", data + b"x" * 70000,
                data.replace(b"Example", b"Exbmple")):
        other.write_bytes(bad)
        lapsed("is not valid")
        issuer.run("verify", "--public-key", issuer.public, other, status=1)
    for file in (issuer.issue(issued="2090-01-01"), issuer.issue(issued="2000-01-01",
                                                                until="2001-01-01"),
                 issuer.issue(installation="0" * 32)):
        shutil.copy(file, other)
        lapsed("licence lapsed")
    other.write_bytes(data)
    sealed()
    other.unlink()
    sealed()


@tap.test("another issuer's licence, and none to verify it with")
def _():
    begin_anew()
    ctl("license", "install", issuer.issue())
    key = issuer.folder / "second.pub"
    issuer.run("keygen", "--out", issuer.folder / "second", "--passphrase-file", issuer.passphrase)
    configure(license={"public_key": key})
    lapsed("another issuer's")
    configure(license={"public_key": None})
    lapsed("no public key")


@tap.test("senders: those who are covered, and as many as the licence is for")
def _():
    begin_anew()
    ctl("license", "install", issuer.issue(covers="@example.net", max_senders=2))

    def status(address, *options):
        message = MESSAGE.replace(b"carol@example.net", address.encode())
        return home.seal(message, "-f", address, *(options or ["--submission=yes"]), "--",
                         home.alice.address).status

    def senders():
        return answer("license", "show")["senders"]

    # A From of somebody who has not shown who he is takes nobody's place.
    for options in (["--submission=no"], ["--submission=yes", "--login", "mallory"], ["--id", "x"]):
        tap.equal([status(f"{name}@example.net", *options) for name in "xyz"], [0, 0, 0])
        tap.equal(senders(), 0)
    tap.equal([status(f"{name}@example.net") for name in ("a", "b", "A", "c", "b")],
              [0, 0, 0, 75, 0])
    tap.equal(status("a@example.org"), 75)
    tap.contains(home.log_text(), "does not cover a@example.org")
    tap.equal(senders(), 2)
    # What a sender may not is no lapse: nothing leaves in clear, and others are not affected.
    for word in WORDS:
        configure(license={"on_lapse": word}, policy={"encrypt": "preferred"})
        tap.equal([status(a) for a in ("c@example.net", "a@example.org", "b@example.net")], [75, 75, 0])
        tap.contains(home.log_text().splitlines()[-2], "result=refused")
        result = home.check("-f", "a@example.org", "-H", "From: a@example.org", "--", home.alice.address)
        tap.equal((result.status, b"does not cover" in result.output), (69, True), "the check")
    kept = (home.state / "license" / "state").read_text()
    tap.true("@" not in kept, "an address stands in the state")


@tap.test("a licence proper outlives a state that was lost; no trial follows it")
def _():
    begin_anew()
    sealed()
    ctl("license", "install", issuer.issue())
    (home.state / "license" / "state").unlink()
    sealed()
    tap.contains(home.log_text(), "begun anew")
    (home.state / "license" / "licence").unlink()
    lapsed("trial ended")


@tap.test("the log is warned once a day in the last 14 days, and status says it")
def _():
    begin_anew()
    soon = subprocess.run(["date", "-u", "-d", "+10 days", "+%F"], capture_output=True, text=True)
    ctl("license", "install", issuer.issue(until=soon.stdout.strip()))
    home.clear_log()
    state = home.state / "license" / "state"
    warned = [line for line in state.read_text().splitlines() if line.startswith("warned=")]
    tap.true(warned and warned != ["warned=0"], f"{warned}")
    sealed()
    tap.true("warning=" not in home.log_text(), "warned twice")
    tap.contains(ctl("status").output.decode(), "10 days more")


# -- Lapsed: what follows -----------------------------------------------------------------------

@tap.test("lapsed: on_lapse alone says what follows, whatever the policy says; plain by allow only")
def _():
    bad = home.folder / "bad"
    bad.write_text("nonsense\n")
    for encrypt, fallback, word in itertools.product(("required", "preferred"), WORDS, WORDS):
        configure(license={"file": bad, "on_lapse": word},
                  policy={"encrypt": encrypt, "fallback": fallback})
        result, what = seal(), f"encrypt={encrypt} fallback={fallback} on_lapse={word}"
        tap.equal(result.status, 75 if word == "refuse" else 0, what)
        tap.equal(b"the words" in result.output, word == "allow", what)
        tap.equal(b"could not be encrypted" in result.output, word == "report", what)
        tap.equal(check().status, 69 if word == "refuse" else 0, what)
    configure(license={"file": bad}, policy={"encrypt": "never"})
    tap.equal(seal().triple(), (0, MESSAGE, b""), "mail that nobody wants sealed")


# -- State that cannot be used ------------------------------------------------------------------

@tap.test("a state folder that is missing or others can write to: deferred, with what to do")
def _():
    begin_anew()
    home.state.rmdir()
    defers("install -d -m 0700")
    home.state.write_text("")
    defers("Not a directory")
    home.state.unlink()
    home.state.mkdir()
    home.state.chmod(0o777)
    defers("others can write")
    home.state.chmod(0o700)
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody").pw_uid
        os.chown(home.state, nobody, -1)
        configure(core={"user": "root"})
        defers("another user")
        # Root becomes the folder's owner, and leaves nothing of root's there.
        configure()
        tap.equal(check().status, 0, "the check, as root")
        tap.equal(seal().status, 0, "as root")
        tap.equal({p.stat().st_uid for p in home.state.rglob("*")}, {nobody}, "who owns the state")
        begin_anew()
    sealed()
    (home.state / "license" / "state").unlink()
    (home.state / "license" / "state").mkdir()
    defers("not a regular file")


def as_nobody(program, *args, stdin=b""):
    return subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                           home.bin / program, "-c", home.conf, *args], input=stdin,
                          capture_output=True, env={}, timeout=60)


def nobody_seals(status, reason=""):
    home.clear_log()
    result = as_nobody("sealpipe", "-f", SENDER, "--", "alice@example.org", stdin=MESSAGE)
    tap.equal(result.returncode, status, home.log_text())
    tap.contains(home.log_text(), reason)
    tap.equal(bool(result.stdout), status == 0, "output")


@tap.test("another user: no state that cannot be written passes unnoticed")
def _():
    if os.getuid() != 0:
        raise tap.Skip("needs root, to become somebody else")
    begin_anew()
    home.log.chmod(0o666)
    shutil.chown(home.log, "nobody", "nogroup")
    shutil.chown(home.state, "nobody", "nogroup")
    try:
        home.state.chmod(0o500)
        nobody_seals(75, "must be able to write")
        home.state.chmod(0o700)
        nobody_seals(0)
        folder = home.state / "license"
        tap.equal(folder.owner(), "nobody", "who owns the state")
        # Readable, and nothing is to be written: it passes. With a licence to begin, it waits.
        folder.chmod(0o500)
        nobody_seals(0)
        home.folder.joinpath("late").write_bytes(issuer.issue(max_senders=5).read_bytes())
        configure(license={"file": home.folder / "late"})
        nobody_seals(75, "denied")
        folder.chmod(0o000)
        nobody_seals(75, "denied")
        folder.chmod(0o700)
        nobody_seals(0)
        (folder / "state").chmod(0o000)
        nobody_seals(75, "denied")
        (folder / "state").chmod(0o600)
        (home.folder / "late").chmod(0o000)
        nobody_seals(75, "denied")
        # Root's sealctl works as the state's owner, and reads the file as root.
        begin_anew()
        shutil.chown(home.state, "nobody", "nogroup")
        secret = issuer.issue()
        secret.chmod(0o600)
        ctl("license", "install", secret)
        tap.equal({path.owner() for path in home.state.rglob("*")}, {"nobody"}, "owners")
        nobody_seals(0)
        ctl("suspend")
        tap.equal((home.state / "suspended").owner(), "nobody", "the flag's owner")
        result = as_nobody("sealpipe", "-f", SENDER, "--", "alice@example.org", stdin=MESSAGE)
        tap.equal((result.returncode, result.stdout), (0, MESSAGE), "suspended")
        tap.contains(check("nokey@example.org").output.decode(), "is disabled", "the check, as root")
        ctl("resume")
        nobody_seals(0)
    finally:
        shutil.chown(home.log, "root", "root")


# -- Suspending ---------------------------------------------------------------------------------

@tap.test("suspended: outbound mail passes byte for byte, the log and the check say so; resumed, not")
def _():
    begin_anew()
    odd = b"Bcc: x@example.org\r\n" + MESSAGE + b"\0\xff no end"
    ctl("suspend")
    tap.equal(seal(odd).triple(), (0, odd, b""), "what left")
    tap.contains(home.log_text(), "sealpipe is disabled. Emails will not be encrypted.")
    tap.equal(check("nobody@example.org").triple(),
              (0, b"sealpipe is disabled. Emails will not be encrypted.", b""))
    tap.equal(seal(b"").status, 75, "no message")
    shown = answer("status", status=1)
    tap.equal((shown["enabled"], shown["suspended"]), (True, True))
    ctl("suspend")
    ctl("resume")
    ctl("resume")
    sealed()
    tap.equal(answer("status")["suspended"], False)


@tap.test("suspended: inbound mail is none of it")
def _():
    begin_anew()
    ctl("suspend")
    result = home.seal(MESSAGE, "-d", "inbound", "--", "alice@example.org")
    tap.equal(result.triple(), (75, b"", b""), "inbound")
    ctl("resume")


@tap.test("a flag that others put there, or a link, does not suspend; one that cannot be seen defers")
def _():
    if os.getuid() != 0:
        raise tap.Skip("needs root, to give files away")
    begin_anew()
    flag = home.state / "suspended"
    flag.touch()
    os.chown(flag, pwd.getpwnam("nobody").pw_uid, -1)
    sealed()
    tap.contains(home.log_text(), "does not suspend")
    flag.unlink()
    flag.symlink_to("/etc/hostname")
    sealed()
    flag.unlink()
    flag.touch()
    home.state.chmod(0o777)
    home.configure()
    sealed()
    home.state.chmod(0o700)
    tap.equal(seal().output, MESSAGE, "root's flag")
    flag.unlink()
    # Root sees everything; somebody else cannot see into root's folder.
    home.log.chmod(0o666)
    shutil.chown(home.log, "nobody")
    result = as_nobody("sealpipe", "-f", SENDER, "--", "alice@example.org", stdin=MESSAGE)
    tap.equal((result.returncode, result.stdout), (75, b""), "a flag that cannot be seen")
    tap.contains(home.log_text(), "cannot tell whether sealpipe is suspended")
    tap.equal(as_nobody("sealpipe-check", "--", "alice@example.org").returncode, 75, "the check")
    shutil.chown(home.log, "root")


# -- sealctl ------------------------------------------------------------------------------------

@tap.test("options stand before or after the command; usage errors are 2, problems 1")
def _():
    begin_anew()
    for words in ((), ("nonsense",), ("license",), ("license", "nonsense"), ("status", "more"),
                  ("license", "install"), ("license", "show", "x"), ("license", "keygen"),
                  ("license", "issue"), ("license", "verify", "x"), ("-c",),
                  ("license", "keygen", "--out", "x", "--nonsense")):
        result = subprocess.run([home.bin / "sealctl", *words], capture_output=True, env={
            "SEALPIPE_CONF": str(home.conf)}, timeout=60)
        tap.equal((result.returncode, result.stdout), (2, b""), f"{words}: {result.stderr}")
        tap.true(result.stderr, f"{words}: no word on why")
    for words in (("--json", "status"), ("status", "--json")):
        result = subprocess.run([home.bin / "sealctl", *words, "-c", home.conf],
                                capture_output=True, env={}, timeout=60)
        tap.equal(json.loads(result.stdout)["suspended"], False, str(words))
    home.write_conf("90-broken.conf", "[core]\nnonsense=1\n")
    result = ctl("status", "--json", status=1)
    tap.contains(json.loads(result.output)["error"], "90-broken.conf:2")
    (home.conf / "90-broken.conf").unlink()


@tap.test("config: what is in force and where it was written")
def _():
    begin_anew()
    home.write_conf("60-more.conf", "[policy]\nfallback=report\n\n[rule r]\nmatch_tag=[x]\n")
    rows = {(row["group"], row["key"]): row for row in answer("config")["settings"]}
    tap.equal(rows["policy", "fallback"]["value"], "report")
    tap.equal(rows["policy", "fallback"]["from"], f"{home.conf}/60-more.conf:2")
    tap.equal(rows["policy", "sign"], {"group": "policy", "key": "sign", "value": "never",
                                       "from": "default"})
    tap.equal(rows["rule r", "match_tag"]["value"], "[x]")
    tap.equal(rows["module license", "on_lapse"]["value"], "refuse")
    tap.equal(rows["core", "state_dir"]["value"], str(home.state))


@tap.test("modules: what is installed, and one that cannot be used")
def _():
    rows = {row["module"]: row for row in answer("modules")["modules"]}
    tap.true(rows["license"]["usable"] and "command license show" in rows["license"]["offers"],
             f"{rows}")
    copies = home.folder / "modules"
    copies.mkdir(mode=0o755)
    (copies / "broken.so").write_bytes(b"\x7fELF nonsense")
    result = subprocess.run([home.bin / "sealctl", "modules", "--json"], capture_output=True,
                            env={"SEALPIPE_MODULES": str(copies)}, timeout=60)
    tap.equal(result.returncode, 1)
    tap.equal(json.loads(result.stdout)["modules"][0]["usable"], False)


def on_terminal(*words, typed=b""):
    """What sealctl says to a terminal of 80 columns that is its own."""
    try:
        pid, fd = pty.fork()
    except OSError as error:
        raise tap.Skip(f"no terminal can be made here ({error}); is /dev/pts mounted?") from None
    if pid == 0:
        os.execve(home.bin / "sealctl", ["sealctl", *map(str, words)], {"TERM": "dumb"})
    text = b""
    while True:
        try:
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        text += data
        if data.rstrip().endswith(b":") and typed:
            line, _, typed = typed.partition(b"\n")
            os.write(fd, line + b"\n")
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode()


@tap.test("on a terminal rows are a table; elsewhere lines of key and value")
def _():
    begin_anew()
    status, text = on_terminal("-c", home.conf, "config")
    tap.equal(status, 0, text)
    tap.true(text.startswith("GROUP "), text[:200])
    tap.contains(ctl("config").output.decode(), "group: core\nkey: enabled\nvalue: true\n")


@tap.test("a passphrase is asked for on the terminal, twice, and not shown")
def _():
    base = issuer.folder / "asked"
    status, text = on_terminal("license", "keygen", "--out", base, typed=b"one two\none two\n")
    tap.equal(status, 0, text)
    tap.true("one two" not in text, f"shown: {text}")
    right = issuer.folder / "right"
    right.write_text("one two\n")
    right.chmod(0o600)
    words = ["issue", "--key", f"{base}.key", "--kind", "startup", "--licensee", "L",
             "--valid-until", "2090-01-01", "--out", issuer.folder / "asked.licence"]
    issuer.run(*words, "--passphrase-file", right)
    tap.contains(issuer.run(*words, "--passphrase-file", issuer.passphrase, status=1).stderr,
                 "passphrase is not its own")
    status, text = on_terminal("license", "keygen", "--out", issuer.folder / "differ",
                               typed=b"one\ntwo\n")
    tap.equal((status, (issuer.folder / "differ.key").exists()), (1, False), text)


@tap.test("keys: an existing one is not written over, others cannot read it, no empty passphrase")
def _():
    tap.equal(issuer.key.stat().st_mode & 0o777, 0o600, "mode of the secret key")
    before = issuer.key.read_bytes()
    issuer.run("keygen", "--out", issuer.folder / "issuer", "--passphrase-file",
               issuer.passphrase, status=1)
    tap.equal(issuer.key.read_bytes(), before, "the key")
    empty = issuer.folder / "empty"
    empty.write_text("\n")
    empty.chmod(0o600)
    issuer.run("keygen", "--out", issuer.folder / "none", "--passphrase-file", empty, status=1)
    tap.true(not (issuer.folder / "none.key").exists(), "a key without a passphrase")


@tap.test("issue refuses what no licence may say")
def _():
    base = ["issue", "--key", issuer.key, "--passphrase-file", issuer.passphrase, "--licensee", "L",
            "--out", issuer.folder / "unfit"]
    for words in (["--kind", "eternal", "--valid-until", "2090-01-01"],
                  ["--kind", "evaluation", "--valid-until", "2090-01-01"],
                  ["--kind", "commercial", "--valid-until", "2090-01-01", "--trial", "1"],
                  ["--kind", "commercial", "--valid-until", "2090-01-01", "--covers", "*"],
                  ["--kind", "commercial", "--valid-until", "2001-01-01"]):
        issuer.run(*base, *words, status=1)
    issuer.run(*base, "--kind", "commercial", "--valid-until", "1.1.2090", status=2)
    tap.true(not (issuer.folder / "unfit").exists(), "a file was written")


@tap.test("nothing in the environment reaches the module's clock")
def _():
    symbols = subprocess.run(["nm", "-D", "--undefined-only", module_folder() / "license.so"], capture_output=True,
                             text=True, timeout=60).stdout
    tap.contains(symbols, "g_get_real_time")
    tap.true("getenv" not in symbols, symbols)


tap.main()
