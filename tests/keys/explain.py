# SPDX-License-Identifier: GPL-2.0-or-later
"""sealctl explain and sealctl test, through the programs as they are installed.

What is printed is in golden/, by the keys of fixtures/; `explain.py --write` writes it anew. Of
ciphertext the size is left out: it is another one each time.
"""

import hashlib
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import tap
from gnupg import Ring
from home import BOUND, Home, has_module

if not has_module("keys-store") or not has_module("smime") or not has_module("sign"):
    tap.skip_all("built without the modules keys-store, smime and sign")

FIXTURES, GOLDEN = HERE / "fixtures", HERE / "golden"
WRITE = "--write" in tap.arguments()
home = Home("explain")
inbox = home.folder / "inbox"
shutil.copytree(FIXTURES, inbox)
CAROL, CAROL_NEW, CA = inbox / "carol.asc", inbox / "carol-new.asc", inbox / "ca.pem"
PGP = has_module("pgp")
MARKERS = ("Zinnober", "Ultramarin", "Karmesin", "Umbra")
MESSAGE = (b"From: Dan <dan@example.net>\nTo: alice@example.org, bob@example.org\n"
           b"Cc: nobody@intern.example\nSubject: Zinnober\nX-Kind: Umbra\nMIME-Version: 1.0\n"
           b"Content-Type: multipart/mixed; boundary=b\n\n"
           b"--b\nContent-Type: text/plain\n\nUltramarin\n"
           b"--b\nContent-Type: application/pdf; name=Karmesin.pdf\n"
           b"Content-Transfer-Encoding: base64\n\naGFsbG8=\n--b--\n")
RULES = {
    "rule internal": {"match_recipient": "*@intern.example", "encrypt": "never"},
    "rule tagged": {"match_tag": "[clear]", "encrypt": "never"},
    "rule partner": {"match_recipient": "@example.org", "match_header": "X-Partner: *"},
    "rule big": {"match_size": ">10M", "encrypt": "never"},
    "rule here": {"match_recipient": "@example.org", "sign": "preferred"},
    "rule rest": {"match_part": "*.pdf", "encrypt": "preferred"},
}


def configure(**changes):
    groups = {"module smime": {"trust_anchors": CA}, "module keys-store": {}, "module sign": {},
              "module keys-file": {"paths": inbox / "bob.pem"}, **RULES}
    for group, keys in changes.items():
        groups[group] = {**groups.get(group, {}), **keys}
    home.configure(groups)


def begin(*files, **changes):
    shutil.rmtree(home.state)
    home.state.mkdir(mode=0o700)
    configure(**changes)
    if files:
        added = home.run("sealctl", "keys", "add", "--trust", "verified", *files)
        tap.equal(added.status, 0, added.errors.decode())


def message(octets=MESSAGE):
    path = home.folder / "message.eml"
    path.write_bytes(octets)
    return path


def explain(*words, status=0, **how):
    result = home.run("sealctl", "explain", *words, **how)
    tap.true(status in (result.status, None), f"explain {words}: {result.output} {result.errors}")
    return result


def answer(*words, **how):
    return json.loads(explain("--json", *words, **how).output)


def rows(told, name, **wanted):
    return [row for row in told[name] if all(row.get(k) == v for k, v in wanted.items())]


def golden(name, text):
    """Sizes of what was encrypted or signed, and the id, are left out."""
    text = text.replace(str(home.folder), "/HOME")
    text = re.sub(r'("id" : )"sp[0-9a-f]{16}"', r'\1"ID"', text)
    text = re.sub(r"(delivery \d+: sealed.*|pkcs7[^\n]*|octet-stream[^\n]*), \d+ octets", r"\1, N octets", text)
    text = re.sub(r'("octets" : )\d+', r"\1N", text)
    path = GOLDEN / name
    if WRITE:
        path.write_text(text)
    tap.equal(text, path.read_text(), name)


def state():
    """Whatever is kept, octet by octet, and when it was written last. (SQLite makes and removes files
    beside its own.)"""
    return {str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            if path.is_file() else () for path in sorted(home.state.rglob("*"))}


# -- What it says ---------------------------------------------------------------------------------

@tap.test("the whole way of a message, as text and as JSON, without body, Subject or file names")
def _():
    begin(inbox / "alice.pem")
    for words, name in (((), "explain.txt"), (("--json",), "explain.json")):
        told = explain(message(), *words).output.decode()
        golden(name, told)
        for marker in MARKERS:
            tap.true(marker not in told, f"{marker} is told in {name}")


@tap.test("each rule is told: the one that holds, those that do not and why, those behind")
def _():
    begin(inbox / "alice.pem")
    told = answer(message(), "alice@example.org")
    tap.equal([(row["subject"], row["code"], row["text"]) for row in rows(told, "decisions", step="rule")],
              [("internal", "no", "match_recipient=*@intern.example: the recipient is alice@example.org"),
               ("tagged", "no", "match_tag=[clear]: it does not stand in the Subject"),
               ("partner", "no", "match_header=X-Partner: *: no header field of the message is so"),
               ("big", "no", f"match_size=>10M: it has {len(MESSAGE)} octets"),
               ("here", "yes", "match_recipient=@example.org"),
               ("rest", "not-asked", "a rule before it holds")])
    tap.equal(told["recipients"][0]["rule"], "here")
    configure()
    home.write_conf("40-first.conf", "[rule a]\nmatch_sender=boss@*\n[rule b]\nmatch_from=@example.com\n"
                    "[rule c]\nmatch_part=*.exe\n[rule d]\nmatch_header=X-Kind: [U]mbra*;X-Kind: Umb*\n")
    told = answer(message(MESSAGE.replace(b"X-Kind: Umbra", b"X-Kind: Umbra\nX-Kind: Other")), "alice@example.org")
    tap.equal([(row["code"], row["text"]) for row in rows(told, "decisions", step="rule")][:4],
              [("no", "match_sender=boss@*: the sender is dan@example.net"),
               ("no", "match_from=@example.com: the author is dan@example.net"),
               ("no", "match_part=*.exe: no part of the message is so"),
               ("some", "match_header=X-Kind: [U]mbra*;X-Kind: Umb*: in one reading of the message and not in "
                "another, so that the strictest of all that may hold counts")])


@tap.test("each source and key is told: why it won, lost, or was not asked")
def _():
    begin(inbox / "alice.pem", inbox / "bob.pem")
    told = answer(message(), "bob@example.org", "nobody@example.org", status=1)
    own = rows(told, "decisions", recipient="bob@example.org")
    tap.equal([(row["source"], row["code"]) for row in own if row["step"] == "source" and row["format"] == "smime"],
              [("store", "keys"), ("file", "not-asked"), ("harvested", "not-asked")])
    tap.equal([(row["origin"], row["trust"], row["until"], row["used"]) for row in own if row["step"] == "key"],
              [("store", "verified", "2098-12-31", True)])
    other = rows(told, "decisions", recipient="nobody@example.org")
    tap.equal([row["code"] for row in other if row["step"] == "source" and row["format"] == "smime"], ["none"] * 3)
    tap.equal(rows(told, "decisions", recipient="nobody@example.org", step="key"), [])
    tap.equal([(row["result"], row["delivery"], row["status"]) for row in told["recipients"]],
              [("sealed", 1, ""), ("refused", 0, "5.7.1")])
    begin(inbox / "alice.pem", **{"core": {"state_dir": home.state}, "policy": {"min_trust": "manual"}})
    told = answer(message(), "alice@example.org", status=1)
    tap.contains(rows(told, "decisions", step="source", source="file")[0]["text"], "min_trust is manual")
    tap.equal(told["recipients"][0]["result"], "refused")


@tap.test("what is signed, by whom, and what stands in the way of it")
def _():
    private = home.folder / "private"
    private.mkdir(mode=0o700, exist_ok=True)
    pem = private / "alice.pem"
    pem.write_bytes(pathlib.Path(home.alice.cert).read_bytes() + pathlib.Path(home.alice.key).read_bytes())
    pem.chmod(0o600)
    begin(**{"module smime": {"trust_anchors": home.authority.cert, "server_keys": private},
             "module keys-file": {"paths": home.certs}})
    own = message(MESSAGE.replace(b"Dan <dan@example.net>", b"alice@example.org"))
    told = answer("--submission", "yes", "-f", "alice@example.org", own, "bob@example.org")
    tap.equal((told["deliveries"][0]["signer"], told["deliveries"][0]["signature"]),
              (home.alice.fingerprint(), "detached"))
    tap.equal([row["used"] for row in rows(told, "decisions", step="key", purpose="sign")], [True])
    inner = [row["type"].split(";")[0] for row in rows(told, "parts", encrypted=True)]
    tap.equal(inner, ["multipart/signed", "multipart/mixed", "text/plain", "application/pdf",
                      "application/pkcs7-signature"])
    told = answer(own, "bob@example.org")
    tap.equal(told["deliveries"][0]["signer"], "")
    tap.contains(told["deliveries"][0]["note"], "--submission=yes")
    told = answer("--login", "mallory", own, "bob@example.org")
    tap.contains(told["deliveries"][0]["note"], "senders= is not set")
    configure(**{"rule here": {"sign": "required"}, "module smime": {"trust_anchors": home.authority.cert},
                 "module keys-file": {"paths": home.certs}})
    told = answer("--submission", "yes", "-f", "alice@example.org", own, "bob@example.org", status=1)
    tap.equal((told["recipients"][0]["result"], told["deliveries"]), ("refused", []))


# -- As mail itself -------------------------------------------------------------------------------

CASES = (
    ((), MESSAGE, ("alice@example.org",)),
    ((), MESSAGE, ("nobody@example.org",)),
    ((), MESSAGE, ("x@intern.example",)),
    ((), MESSAGE, ("alice@example.org", "bob@example.org")),
    ((), MESSAGE, ("alice@example.org", "nobody@example.org")),
    ((), MESSAGE.replace(b"Zinnober", b"[clear] Zinnober"), ("alice@example.org",)),
    ((), MESSAGE.replace(b"X-Kind", b"X-\x00Kind"), ("alice@example.org",)),
    (("-f", ""), MESSAGE, ("alice@example.org",)),
)


@tap.test("result, rule and reason are those that the log has of the message itself")
def _():
    for options, octets, recipients in CASES:
        begin(inbox / "alice.pem", inbox / "bob.pem")
        told = answer("--one-output", *options, message(octets), *recipients, status=None)
        home.clear_log()
        home.seal(octets, *options, "--", *recipients)
        lines = [line for line in home.log_text().splitlines() if " to=" in line]
        tap.equal(len(lines), len(recipients), home.log_text())
        for line, row in zip(lines, told["recipients"]):
            for key in ("result", "rule"):
                had = re.search(rf' {key}=("[^"]*"|\S*)', line)
                tap.equal(had[1].strip('"'), row[key], f"{key} of {recipients}: {line}")
            reason = re.search(r' reason="?(.*?)"?$', line)[1].replace('\\"', '"')
            both = "; ".join(filter(None, (row["reason"], row["detail"])))
            tap.equal(reason, both, f"{recipients}")


@tap.test("what came encrypted, malformed, or is to be reported is told as that")
def _():
    begin(inbox / "alice.pem", **{"policy": {"fallback": "report"}, "rule here": {"encrypt": "required"}})
    sealed = home.seal(MESSAGE, "-f", "dan@example.net", "--", "alice@example.org").output
    told = answer(message(sealed), "alice@example.org")
    tap.equal((told["came"], told["deliveries"][0]["what"]), ("encrypted", "as it came"))
    tap.equal([row["used"] for row in rows(told, "decisions", step="key", purpose="already")], [True])
    told = answer(message(MESSAGE.replace(b"X-Kind", b"X-\x00Kind")), "alice@example.org", status=1)
    tap.equal((told["came"], told["recipients"][0]["code"]), ("malformed", "malformed"))
    told = answer(message(), "nobody@example.org")
    tap.equal((told["recipients"][0]["result"], told["deliveries"][0]["what"]), ("reported", "report"))


@tap.test("nothing is written down: no pin, nothing pending, no cache, no use of a key")
def _():
    if not PGP:
        tap.equal(PGP, False)
        return
    folder = home.folder / "found"
    folder.mkdir()
    shutil.copy(CAROL, folder)
    begin(**{"module keys-file": {"paths": folder, "trust": "discovered"}, "module pgp": {},
             "policy": {"min_trust": "discovered"}})
    home.run("sealctl", "keys", "list")  # makes the database

    def is_left_alone(result, text):
        home.clear_log()
        before = state()
        told = answer(message(), "carol@example.org", status=None)
        tap.equal(told["recipients"][0]["result"], result)
        tap.contains(json.dumps(told), text)
        tap.equal((state(), home.log_text()), (before, ""))
        tap.equal(home.run("sealctl", "keys", "pending").output, b"keys: 0\n")
        home.seal(MESSAGE, "-f", "dan@example.net", "--", "carol@example.org")
        tap.true(state() != before, "a message itself writes nothing down either: this test sees nothing")

    is_left_alone("sealed", "key source file has 1 pgp key")
    (folder / CAROL.name).unlink()
    shutil.copy(CAROL_NEW, folder)
    is_left_alone("sealed", "waits for leave")
    tap.contains(home.run("sealctl", "keys", "pending").output.decode(), "carol@example.org")


@tap.test("a licence's places are not taken, and no trial begins")
def _():
    if not has_module("license"):
        return
    begin(inbox / "alice.pem", **{"module license": {}, "pipeline": {"outbound": "license;smime"}})
    answer(message(), "alice@example.org", status=None)
    tap.true(not (home.state / "license").exists(), "a state of the licence was made")


# -- The message, and how it is called -----------------------------------------------------------

@tap.test("the message may come on standard input; without recipients it names them itself")
def _():
    begin(inbox / "alice.pem")
    told = json.loads(explain("--json", "-", stdin=MESSAGE).output)
    tap.equal([row["recipient"] for row in told["recipients"]],
              ["alice@example.org", "bob@example.org", "nobody@intern.example"])
    bcc = MESSAGE.replace(b"Cc:", b"Bcc: carol@example.org\nCc:")
    told = answer(message(bcc), status=None)
    tap.equal(rows(told, "recipients", recipient="carol@example.org")[0]["named"], False)
    many = b"To: " + b", ".join(b"u%d@example.org" % i for i in range(101))
    tap.contains(explain(message(many + b"\n\nx\n"), status=1).errors.decode(), "name 101 recipients")
    tap.contains(explain(message(b"Subject: x\n\nx\n"), status=1).errors.decode(), "name 0 recipients")


@tap.test("what is wrong says so: the file, an address, an option, a configuration; exit 1 and 2")
def _():
    begin()
    for words, status, said in ((("/nonexistent",), 1, "a file with a message was expected"),
                                ((home.folder,), 1, "it is a folder"),
                                ((message(), "nobody"), 1, '"nobody"'),
                                (("/dev/null", "a@example.org"), 1, "the input is empty"),
                                ((), 2, "usage: sealctl explain"),
                                (("--submission", "perhaps", message()), 2, '"perhaps"'),
                                (("--nonsense", message()), 2, "usage: sealctl explain")):
        result = explain(*words, status=status)
        tap.contains(result.errors.decode(), said)
    home.write_conf("99-bad.conf", "[policy]\nencrypt=perhaps\n")
    tap.contains(explain(message(), "a@example.org", status=1).errors.decode(), "99-bad.conf:2")


@tap.test("while sealpipe is suspended it says so first, and goes on")
def _():
    begin(inbox / "alice.pem")
    home.run("sealctl", "suspend")
    told = answer(message(), "alice@example.org")
    tap.equal((told["handled"], told["recipients"][0]["result"]), (False, "sealed"))
    tap.contains(explain(message(), "alice@example.org").output.decode(), "sealpipe is disabled")


@tap.test("on a terminal it is a tree with colours, unless NO_COLOR is set")
def _():
    begin(inbox / "alice.pem")

    def on_terminal(**env):
        ours, theirs = pty.openpty()
        child = subprocess.Popen([home.bin / "sealctl", "-c", home.conf, "explain", message(), "alice@example.org"],
                                 stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=env)
        os.close(theirs)
        output = b""
        try:
            while chunk := os.read(ours, 65536):
                output += chunk
        except OSError:  # what Linux gives for the end
            pass
        os.close(ours)
        tap.equal(child.wait(timeout=BOUND), 0)
        return output.decode()

    told = on_terminal(LANG="C.UTF-8", TERM="xterm")
    tap.contains(told, "\x1b[32malice@example.org: sealed")
    tap.contains(told, "├─ rules")
    told = on_terminal(NO_COLOR="1")
    tap.true("\x1b" not in told, "it has colours")
    tap.contains(told, "|- rules")


@tap.test("root reads a file that is root's alone, and is the service's user by then")
def _():
    if os.geteuid() != 0:
        return
    begin()
    home.folder.chmod(0o755)
    shutil.chown(home.state, "daemon")
    configure(**{"core": {"user": "daemon"}})
    path = message()
    path.chmod(0o600)
    try:
        told = answer(path, "bob@example.org")
        tap.equal(told["recipients"][0]["result"], "sealed")
        tap.equal({entry.owner() for entry in home.state.rglob("*")} - {"daemon"}, set())
        said = home.run("sealctl", "explain", path, "bob@example.org", user="daemon").errors.decode()
        tap.contains(said, "Permission denied")
    finally:
        shutil.chown(home.state, "root")
        path.unlink()


# -- sealctl test -----------------------------------------------------------------------------------

def run_test(*words, status=0, **how):
    result = home.run("sealctl", "test", *words, **how)
    tap.true(status in (result.status, None), f"test {words}: {result.output} {result.errors}")
    return result


def reopened(*words):
    told = json.loads(run_test("--json", *words).output)
    return [(row["format"], row["opened"], row["same"]) for row in told["opened"]], told


@tap.test("a test message for an address: what would become of it, as text and as JSON")
def _():
    begin(inbox / "alice.pem")
    for words, name in (((), "test.txt"), (("--json",), "test.json")):
        golden(name, run_test("--from", "dan@example.net", "alice@example.org", *words).output.decode())
    before = state()
    told = json.loads(run_test("--json", "nobody@example.org", status=1).output)
    tap.equal((told["recipients"][0]["result"], told["opened"], state()), ("refused", [], before))


@tap.test("what would leave is opened again, where a private key is here: RSA, EC, CBC, GCM, OAEP")
def _():
    private = home.folder / "own"
    private.mkdir(mode=0o700)
    for person in (home.alice, home.bob):
        pem = private / pathlib.Path(person.cert).name
        pem.write_bytes(pathlib.Path(person.cert).read_bytes() + pathlib.Path(person.key).read_bytes())
        pem.chmod(0o600)
    certs = {"module keys-file": {"paths": home.certs}}
    for rsa, cipher in (("pkcs1", "aes-256-cbc"), ("oaep", "aes-256-gcm"), ("auto", "auto")):
        begin(**{"module smime": {"trust_anchors": home.authority.cert, "server_keys": private,
                                  "rsa": rsa, "cipher": cipher},
                 "rule here": {"sign": "required"}, **certs})
        for address in ("alice@example.org", "bob@example.org"):
            opened, told = reopened("--from", address, address)
            tap.equal(opened, [("smime", True, True)], f"{address} {rsa} {cipher}: {told['opened']}")
            tap.true(told["deliveries"][0]["signer"], "it is not signed")
    configure(**{"module smime": {"trust_anchors": home.authority.cert}, **certs})
    opened, told = reopened("bob@example.org")
    tap.equal(opened, [("smime", False, False)])
    tap.contains(told["opened"][0]["text"], "no private key for it is in server_keys")


@tap.test("OpenPGP is opened again with what is in home")
def _():
    if not PGP:
        return
    ring = Ring(home.folder / "ring")
    try:
        ring.generate("Erin <erin@example.org>")
        (home.certs / "erin.asc").write_bytes(ring.export("erin@example.org"))
        own = {"module keys-file": {"paths": home.certs}, "policy": {"formats": "pgp"}}
        begin(**{"module pgp": {"home": ring.path}, **own})
        opened, told = reopened("--from", "erin@example.org", "erin@example.org")
        tap.equal(opened, [("pgp", True, True)], told["opened"])
        tap.equal(told["deliveries"][0]["signature"], "combined")
        configure(**{"module pgp": {}, **own})
        opened, told = reopened("erin@example.org")
        tap.equal(opened, [("pgp", False, False)])
        tap.contains(told["opened"][0]["text"], "home= is not set")
    finally:
        ring.stop()


@tap.test("--send hands it to sendmail, in clear, with a clean environment and no shell")
def _():
    begin()
    program = home.folder / "sendmail"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{home.folder}/argv\nenv >{home.folder}/env\n"
                       f"cat >{home.folder}/sent\n")
    program.chmod(0o755)
    told = json.loads(run_test("--json", "--send", "--sendmail", program, "--from", "dan@example.net",
                               "$HOME`id`@example.org", env={"SECRET": "x"}).output)
    tap.equal((told["sent"], told["recipient"]), (True, "$HOME`id`@example.org"))
    tap.equal((home.folder / "argv").read_text().splitlines(),
              ["-i", "-f", "dan@example.net", "--", "$HOME`id`@example.org"])
    tap.true("SECRET" not in (home.folder / "env").read_text(), "the environment is not clean")
    sent = (home.folder / "sent").read_text()
    tap.contains(sent, f"Message-ID: {told['message_id']}\n")
    tap.contains(sent, "\n\nThis is a test message")
    program.write_text("#!/bin/sh\necho no room\nexit 75\n")
    said = run_test("--send", "--sendmail", program, "a@example.org", status=1).errors.decode()
    tap.contains(said, "ended with status 75: no room")


@tap.test("what the words of test cannot be is exit 2")
def _():
    for words, said in ((("--sendmail", "/bin/true", "a@example.org"), "needs --send"),
                        (("--send", "--sendmail", "sendmail", "a@example.org"), "absolute path"),
                        (("--send", "--login", "x", "a@example.org"), "--login"),
                        (("nobody",), '"nobody"'),
                        (("--from", "x", "a@example.org"), "--from says who"),
                        ((), "missing")):
        tap.contains(run_test(*words, status=2).errors.decode(), said)


tap.main()
