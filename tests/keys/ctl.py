# SPDX-License-Identifier: GPL-2.0-or-later
"""sealctl keys, through the program as it is installed.

The keys of fixtures/ are from 2020 to 2098: what is printed of them is in golden/ as it was, and
`ctl.py --write` writes it anew.
"""

import grp
import json
import os
import pathlib
import pty
import pwd
import random
import resource
import shutil
import sqlite3
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import certs
import tap
from home import Home, has_module

if not has_module("keys-store") or not has_module("smime"):
    tap.skip_all("built without the modules keys-store and smime")

FIXTURES, GOLDEN = HERE / "fixtures", HERE / "golden"
WRITE = "--write" in tap.arguments()
MESSAGE = b"From: Dan <dan@example.net>\nTo: carol@example.org\nSubject: s\n\nthe words\n"
MEMORY = 200 << 20  # octets
SANITIZED = "--sanitize" in sys.argv  # they reserve memory of their own
home = Home("keys")
inbox = home.folder / "inbox"
inbox.mkdir()
for name in FIXTURES.iterdir():
    shutil.copy(name, inbox)
ALICE, BOB, GATEWAY, CA = (inbox / f"{name}.pem" for name in ("alice", "bob", "gateway", "ca"))
CAROL, CAROL_NEW = inbox / "carol.asc", inbox / "carol-new.asc"
PGP = has_module("pgp")


def configure(**changes):
    groups = {"module smime": {"trust_anchors": CA}, "module keys-store": {},
              "module keys-file": {"enabled": "false", "paths": None}}
    if PGP:
        groups["module pgp"] = {}
    for group, keys in changes.items():
        groups[group] = {**groups.get(group, {}), **keys}
    home.configure(groups)


def begin(**changes):
    shutil.rmtree(home.state)
    home.state.mkdir(mode=0o700)
    configure(**changes)


def keys(*words, status=0, **how):
    result = home.run("sealctl", "keys", *words, **how)
    tap.true(status in (result.status, None), f"keys {words}: {result.output} {result.errors}")
    return result


def answer(*words, **how):
    return json.loads(keys(*words, "--json", **how).output)


def listed(*words):
    return [(row["address"], row["trust"]) for row in answer("list", *words)["keys"]]


def fingerprint(cert):
    return certs.Person("", cert, "").fingerprint()


def golden(name, text):
    text = text.replace(str(home.folder), "/HOME")
    path = GOLDEN / name
    if WRITE:
        path.write_text(text)
    tap.equal(text, path.read_text(), name)


# -- The command line ---------------------------------------------------------------------------

@tap.test("help names every command, and each has one of its own; what is none of them is exit 2")
def _():
    text = home.run("sealctl", "keys", "--help").output.decode()
    names = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    tap.equal(names, ["add", "list", "show", "remove", "export", "lookup", "pin", "unpin", "pending",
                      "approve", "reject", "check", "refresh", "remind", "publish"])
    for name in names:
        own = home.run("sealctl", "keys", name, "--help")
        tap.equal((own.status, own.errors), (0, b""))
        tap.contains(own.output.decode(), f"Usage: sealctl keys {name}")
        bad = keys(name, "--nonsense", status=2)
        tap.contains(bad.errors.decode(), f"usage: sealctl keys {name}")
    tap.contains(keys("nonsense", status=2).errors.decode(), "add, list, show")
    tap.contains(keys(status=2).errors.decode(), "add, list, show")


@tap.test("what the words of a command cannot be is exit 2, and nothing is opened")
def _():
    for words, said in ((("add",), "something is missing"),
                        (("add", "--trust", "high", ALICE), '"high"'),
                        (("add", "--address", "nobody", ALICE), '"nobody"'),
                        (("add", "--trust", "verified", "--address", "@example.org", ALICE),
                         "--trust manual"),
                        (("add", "--address", "*@example.org", ALICE), "all of it is @example.org"),
                        (("list", "--expiring", "soon"), '"soon"'),
                        (("list", "--expiring", "30"), "30d are 30 days"),
                        (("list", "--format", "openpgp"), "smime"),
                        (("publish",), "name the addresses"),
                        (("list", "--trust", "some"), '"some"'),
                        (("list", "xyz"), '"xyz"'),
                        (("show", "abc"), '"abc"'),
                        (("pin", "alice@example.org"), "something is missing"),
                        (("lookup", "a@example.org", "b@example.org"), "too many")):
        tap.contains(keys(*words, status=2).errors.decode(), said)
    tap.true(not any(home.state.iterdir()), "something was written")


# -- Adding and listing -------------------------------------------------------------------------

@tap.test("keys of both formats are added once, and listed as they were, in text and JSON")
def _():
    begin()
    files = [ALICE, BOB, CA] + ([CAROL] if PGP else [])
    told = answer("add", *files)
    tap.equal((told["files"], told["added"], told["known"], told["intermediates"], told["failed"]),
              (len(files), len(files), 0, 1, 0))
    tap.equal(answer("add", *files)["known"], len(files), "known")
    keys("add", "--trust", "verified", "--address", "gateway@example.net", GATEWAY)
    keys("add", "--address", "@example.com", "--address", "@.example.com", GATEWAY)
    if PGP:
        golden("list.txt", keys("list").output.decode())
        golden("list.json", keys("list", "--json").output.decode())


@tap.test("what was there and has changed is told from what was there as it is, in text and JSON")
def _():
    def told(*words):
        found = answer("add", *words)
        tap.equal(found["found"], found["added"] + found["changed"] + found["known"])
        return [row["kept"] for row in found["keys"]], found["changed"]

    for name, more in (("add.txt", ()), ("add.json", ("--json",))):
        begin()
        keys("add", "--trust", "verified", ALICE)
        keys("add", BOB)
        golden(name, keys("add", ALICE, BOB, GATEWAY, *more).output.decode())
    tap.equal(told(ALICE, BOB), (["known", "known"], 0))
    tap.equal(told("--address", "@example.com", GATEWAY), (["changed"], 1))
    tap.equal(told("--address", "@example.com", GATEWAY), (["known"], 0))
    tap.equal(told("--trust", "verified", GATEWAY), (["changed"], 1))
    tap.equal([row["kept"] for row in answer("add", "-n", ALICE, CA)["keys"]], ["", ""])


@tap.test("lists are narrowed by address, domain, trust, format, source and end")
def _():
    begin()
    keys("add", ALICE, CA)
    keys("add", "--trust", "verified", BOB)
    keys("add", "--address", "@example.com", GATEWAY)
    tap.equal(listed("alice@example.org"), [("alice@example.org", "manual")])
    tap.equal(listed("--trust", "verified"), [("bob@example.org", "verified")])
    tap.equal(listed("@example.com"), [("gateway@example.net, @example.com", "manual")])
    tap.equal(len(listed("--format", "smime")), 4)
    tap.equal((listed("--format", "pgp"), listed("--expiring", "30d")), ([], []))
    tap.equal(len(listed("--expiring", "5200w")), 4)
    tap.equal(len(listed("--source", "store")), 4)
    tap.contains(keys("list", "--source", "none", status=1).errors.decode(), '"none"')


@tap.test("DER, PKCS#7 in both forms, and a folder, whose README is only noted")
def _():
    begin()
    folder = inbox / "folder"
    (folder / "below").mkdir(parents=True)
    certs.openssl("x509", "-in", ALICE, "-outform", "DER", "-out", folder / "alice.cer")
    certs.openssl("crl2pkcs7", "-nocrl", "-certfile", BOB, "-certfile", CA, "-out", folder / "bob.p7b")
    certs.openssl("crl2pkcs7", "-nocrl", "-certfile", GATEWAY, "-outform", "DER",
                  "-out", folder / "gateway.p7c")
    (folder / "README").write_text("What is here.\n")
    (folder / ".hidden").write_text("-----BEGIN CERTIFICATE-----\nbroken\n")
    shutil.copy(ALICE, folder / "below")
    told = answer("add", folder)
    tap.equal((told["files"], told["added"], told["left"], told["failed"]), (4, 4, 2, 0))
    notes = {row["file"]: row["note"] for row in told["left_out"]}
    tap.equal(set(notes), {str(folder / "README"), str(folder / "below")})
    tap.contains(notes[str(folder / "below")], "not looked into")


@tap.test("what is no key fails, by name; the rest is kept, and the exit status is 1")
def _():
    begin()
    notes, broken = inbox / "notes", inbox / "broken.pem"
    notes.write_text("no key at all\n")
    broken.write_text(BOB.read_text() + ALICE.read_text()[:300])
    result = keys("add", notes, broken, inbox / "missing", GATEWAY, "--json", status=1)
    told = json.loads(result.output)
    tap.equal((told["files"], told["added"], told["failed"]), (4, 2, 3))
    rows = {row["file"]: row["problem"] for row in told["problems"]}
    tap.contains(rows[str(notes)], "nothing in it is a key")
    tap.contains(rows[str(inbox / "missing")], "No such file")
    tap.true(str(broken) in rows, rows)
    tap.contains(result.errors.decode(), f"{notes}: ")
    tap.contains(result.errors.decode(), "; and 2 more")


@tap.test("a key that is too large to be kept is named, and those beside it are kept")
def _():
    begin()
    config, large = inbox / "large.cnf", inbox / "large.pem"
    names = "\n".join(f"email.{n} = a{n}@example.org" for n in range(1, 4099))
    config.write_text(f"[req]\nprompt = no\ndistinguished_name = dn\nx509_extensions = e\n[dn]\nCN = Large\n"
                      f"[e]\nsubjectAltName = @names\n[names]\n{names}\n")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "30", "-keyout", "/dev/null", "-config", config, "-out", large],
                   check=True, capture_output=True)
    both = inbox / "both.pem"
    both.write_text(large.read_text() + BOB.read_text())
    told = answer("add", both, status=1)
    tap.equal((told["added"], told["failed"]), (1, 1))
    tap.contains(told["problems"][0]["problem"], "at most")
    tap.equal(listed(), [("bob@example.org", "manual")])


@tap.test("key stores that only Java reads are named, with what keytool does about them")
def _():
    begin()
    for head, kind in ((b"\xfe\xed\xfe\xed\0\0\0\2", "JKS"), (b"\xce\xce\xce\xce\0\0\0\2", "JCEKS"),
                       (b"\0\0\0\2\0\0\0\x14" + bytes(20) + b"\0\0\4\0\1", "BKS"),
                       (b"\0\0\0\1\0\0\0\x14" + bytes(20) + b"\0\0\4\0\x99", "UBER")):
        (inbox / "java").write_bytes(head + bytes(100))
        said = keys("add", inbox / "java", status=1).errors.decode()
        tap.contains(said, f"of the kind {kind}")
        tap.contains(said, "keytool -importkeystore")


# -- Tables -------------------------------------------------------------------------------------

@tap.test("a table gives keys to addresses; each bad line is named, and the others count")
def _():
    begin()
    table = inbox / "table"
    table.write_text("# who\tfile\n\n"
                     "postmaster@example.com\talice.pem\n"
                     f"bob@example.org\t{BOB}\r\n"
                     "nobody\tbob.pem\n"
                     "no tab here\n"
                     "eve@example.com\tmissing.pem\n"
                     "@example.net\tgateway.pem\n")
    told = answer("add", table, status=1)
    tap.equal((told["files"], told["added"], told["failed"]), (6, 3, 3))
    problems = {row["file"]: row["problem"] for row in told["problems"]}
    tap.equal(set(problems), {f"{table}:{line}" for line in (5, 6, 7)})
    tap.contains(problems[f"{table}:5"], '"nobody"')
    tap.contains(problems[f"{table}:6"], "tabulator")
    tap.contains(problems[f"{table}:7"], str(inbox / "missing.pem"))
    tap.equal(sorted(listed()), [("alice@example.org, postmaster@example.com", "manual"),
                                 ("bob@example.org", "manual"),
                                 ("gateway@example.net, @example.net", "manual")])


@tap.test("a table with blanks is told from a file without keys; a glob in one stands for no domain")
def _():
    begin()
    table = inbox / "table"
    table.write_text("# who and file\nalice@example.com alice.pem\n")
    tap.contains(answer("add", table, status=1)["problems"][0]["problem"], "goes a tabulator")
    table.write_text("*@example.com\talice.pem\n")
    tap.contains(answer("add", table, status=1)["problems"][0]["problem"], "all of it is @example.com")
    tap.equal(keys("list", "--source", "store").output, b"keys: 0\n")


@tap.test("below trust manual a key is for whom it names: another address fails")
def _():
    begin()
    table = inbox / "table"
    table.write_text("alice@example.org\talice.pem\nmallory@example.org\tbob.pem\n")
    told = answer("add", "--trust", "verified", table, status=1)
    tap.equal((told["added"], told["failed"]), (1, 1))
    tap.contains(told["problems"][0]["problem"], "mallory@example.org")
    tap.equal(listed(), [("alice@example.org", "verified")])


@tap.test("an address is given to people's keys, not to the authorities beside them")
def _():
    begin()
    both = inbox / "both.pem"
    both.write_text(ALICE.read_text() + CA.read_text())
    keys("add", "--address", "sales@example.com", both)
    tap.equal(sorted(listed()), [("(authority)", "manual"), ("alice@example.org, sales@example.com", "manual")])


@tap.test("a bar shows how far a table is, on a terminal alone")
def _():
    begin()
    table = inbox / "table"
    table.write_text("".join(f"user{n}@example.com\talice.pem\n" for n in range(50)))
    ours, theirs = pty.openpty()
    command = [home.bin / "sealctl", "-c", home.conf, "keys", "add", table]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, env={}, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 65536)
    os.close(ours)
    tap.equal(result.returncode, 0)
    tap.contains(shown, b"/50")
    tap.equal(keys("add", table).errors, b"")
    tap.equal(len(listed()), 1)


# -- One key ------------------------------------------------------------------------------------

@tap.test("show, export and remove take the beginning of a fingerprint, or an address")
def _():
    begin()
    keys("add", ALICE, BOB)
    shown, = answer("show", "alice@example.org")["keys"]
    tap.equal((shown["fingerprint"], shown["usable"], shown["place"]),
              (fingerprint(ALICE), True, str(ALICE)))
    tap.contains(keys("show", fingerprint(ALICE)[:12]).output, b"\naddress: alice@example.org"[1:])
    with_colons = ":".join(fingerprint(ALICE)[i:i + 2] for i in range(0, 64, 2)).upper()
    out = inbox / "out.pem"
    keys("export", with_colons, "--out", out)
    tap.equal(fingerprint(out), fingerprint(ALICE))
    tap.contains(certs.openssl("x509", "-noout", "-subject",
                               input=keys("export", "bob@example.org").output), b"Bob")
    keys("remove", fingerprint(ALICE)[:12])
    tap.equal(listed(), [("bob@example.org", "manual")])
    for words in (("show", "alice@example.org"), ("export", "ffff"), ("remove", "ffff")):
        tap.contains(keys(*words, status=1).errors.decode(), "there is no key")


@tap.test("what is more than one key is not removed, but by --all")
def _():
    begin()
    one = home.authority.person("both@example.com", name="both-1").cert
    two = home.authority.person("both@example.com", name="both-2").cert
    keys("add", one, two)
    said = keys("remove", "both@example.com", status=1).errors.decode()
    tap.contains(said, fingerprint(one))
    tap.contains(said, fingerprint(two))
    tap.equal(len(listed()), 2)
    told = answer("remove", "--all", "both@example.com")
    tap.equal((told["removed"], told["forgotten"], len(told["keys"])), (2, 0, 2))
    tap.equal(listed(), [])


@tap.test("a key that serves others, too, is taken out by its fingerprint alone")
def _():
    begin()
    keys("add", "--address", "ops@example.org", ALICE)
    keys("add", "--address", "@example.com", "--address", "bob@example.net", GATEWAY)
    for word, other in (("ops@example.org", "alice@example.org"), ("alice@example.org", "ops@example.org"),
                        ("bob@example.net", "gateway@example.net"), ("@example.com", "gateway@example.net")):
        tap.contains(keys("remove", "--all", word, status=1).errors.decode(), f"also serves {other}")
    tap.equal(len(listed()), 2)
    keys("remove", fingerprint(ALICE))
    tap.equal(len(listed()), 1)


def store(sql):
    """What the store's file says."""
    database = sqlite3.connect(home.state / "keys-store" / "keys.db")
    with database:
        rows = database.execute(sql).fetchall()
    database.close()
    return rows


@tap.test("that a key was given to somebody is taken back; the key stays, and what is said of it is exact")
def _():
    begin()
    alice, gateway = fingerprint(ALICE), fingerprint(GATEWAY)
    keys("add", "--address", "ops@example.org", "--address", "alice@example.org", ALICE)
    keys("add", "--address", "@example.com", "--address", "@.example.com", "--address", "bob@example.com",
         GATEWAY)
    texts, values = "", []
    for words, status in (
            (("--address", "ops@example.org", alice[:8]), 0),
            (("--address", "ops@example.org", alice[:8]), 1),
            (("--address", "alice@example.org", alice[:8]), 0),
            (("--address", "alice@example.org", alice[:8]), 1),
            (("--address", "eve@example.com", gateway[:8]), 1),
            (("--address", "bob@example.com", "gateway@example.net"), 0),
            (("--address", "@.EXAMPLE.com", "--address", "@example.com", "--address", "@example.com",
              "@example.com"), 0)):
        result = keys("remove", *words, status=status)
        texts += f"$ sealctl keys remove {' '.join(words)}\n"
        texts += result.output.decode() + result.errors.decode() + "\n"
    golden("unbind.txt", texts)
    tap.equal(listed(), [("alice@example.org", "manual"), ("gateway@example.net", "manual")])
    keys("add", "--address", "ops@example.org", ALICE)
    values.append(answer("remove", "--address", "ops@example.org", alice))
    golden("unbind.json", json.dumps(values, indent=2) + "\n")


@tap.test("what cannot be taken back, or leaves nobody whose key it is, changes nothing")
def _():
    begin()
    config, nobody = inbox / "nobody.cnf", inbox / "nobody.pem"
    config.write_text("[req]\ndistinguished_name=d\nx509_extensions=e\n[d]\n"
                      "[e]\nbasicConstraints=CA:FALSE\nkeyUsage=keyAgreement\n")
    certs.openssl("req", "-x509", *certs.KINDS["ec"][0], "-nodes", "-subj", "/CN=Nobody", "-config", config,
                  "-keyout", os.devnull, "-out", nobody)
    keys("add", "--address", "one@example.com", "--address", "@two.example", ALICE)
    keys("add", "--address", "one@example.com", "--address", "@two.example", nobody)
    before = store("SELECT * FROM names ORDER BY key, kind, name")
    own = fingerprint(nobody)
    for words, said in ((("one@example.com", "--address", "@two.example", own), "would be for nobody then"),
                        (("one@example.com", "one@example.com"), "is more than one key"),
                        (("one@example.com", "--all", "--address", "@two.example", "one@example.com"),
                         "would be for nobody then"),
                        (("one@example.com", "--address", "three@example.com", own),
                         "was not given to three@example.com; it is for @two.example, one@example.com"),
                        (("eve@two.example", own), f"reject eve@two.example {own}"),
                        (("one@example.com", "eve@example.com"), "there is no key"),
                        (("one@example.com", "--source", "harvested", own), "there is no key"),
                        (("one@example.com", "--source", "nowhere", own), '"nowhere"')):
        tap.contains(keys("remove", "--address", *words, status=1).errors.decode(), said, words)
    for wrong in ("nobody", "*@example.com", ""):
        tap.contains(keys("remove", "--address", wrong, own, status=2).errors.decode(), f'"{wrong}"')
    tap.equal(store("SELECT * FROM names ORDER BY key, kind, name"), before)
    told = answer("remove", "--all", "--address", "one@example.com", "one@example.com")
    tap.equal((told["unbound"], len(told["keys"])), (2, 2))
    tap.equal(listed("one@example.com"), [])
    tap.equal(len(listed("@two.example")), 2)


@tap.test("what is taken back serves no more, whatever was written down; what is rejected stays so")
def _():
    begin()
    ops, own = "ops@example.com", fingerprint(ALICE)

    def serves(address):
        return answer("lookup", address, status=None)["found"]

    def give(*more):
        keys("add", "--address", ops, "--address", "@example.com", "--address", "@.example.com", *more, ALICE)

    give()
    for address in (ops, "x@sub.example.com", "y@example.com", "alice@example.org"):
        keys("pin", address, own)
    keys("reject", "z@example.com", own)
    # As where it was found by itself, or waits.
    store("UPDATE standings SET standing = 1 WHERE address LIKE 'x@%'")
    store("UPDATE standings SET standing = 2 WHERE address LIKE 'y@%'")
    told = answer("remove", "--address", ops, own)
    tap.equal((told["unbound"], told["forgotten"]), (1, 0), "it has the domain still")
    tap.true(serves(ops), ops)
    told = answer("remove", "--address", "@example.com", own)
    tap.equal((told["unbound"], told["forgotten"]), (1, 2))
    told = answer("remove", "--address", "@.example.com", own)
    tap.equal((told["unbound"], told["forgotten"]), (1, 1))
    tap.equal(store("SELECT address, standing FROM standings ORDER BY address"),
              [("alice@example.org", 4), ("z@example.com", 3)])
    tap.equal(store("SELECT count(*) FROM found"), [(0,)])
    tap.equal([serves(a) for a in (ops, "x@sub.example.com", "y@example.com", "alice@example.org")],
              [False, False, False, True])
    # What an earlier call did not come to is made up for.
    give()
    keys("pin", ops, own)
    store("DELETE FROM names WHERE kind = 'bound'")
    tap.true(serves(ops), "its pin has it serve")
    told = answer("remove", "--address", ops, own)
    tap.equal((told["unbound"], told["forgotten"]), (0, 1))
    tap.true(not serves(ops), ops)


@tap.test("keys of the source file are listed, and one is not removed: what is written down of it stays")
def _():
    folder = home.folder / "filekeys"
    folder.mkdir(exist_ok=True)
    begin(policy={"min_trust": "discovered"},
          **{"module keys-file": {"enabled": "true", "paths": folder, "trust": "discovered"}})
    several = home.authority.leaf("several", "one@example.com", "keyAgreement", "20200101000000Z",
                                  "20980101000000Z", "/CN=Old", kind="ec")
    for name in (ALICE, several.cert, *([CAROL] if PGP else [])):
        shutil.copy(name, folder)
    rows = answer("list", "--source", "file")["keys"]
    tap.equal({row["address"] for row in rows},
              {"alice@example.org", "one@example.com"} | ({"carol@example.org"} if PGP else set()))
    tap.equal(len(listed("alice@example.org", "--format", "smime")), 1)
    tap.equal(answer("check", "--expiring", "5200w", status=1)["checked"], len(rows))
    tap.contains(keys("export", fingerprint(ALICE)[:12]).output, b"BEGIN CERTIFICATE")
    home.sealed(MESSAGE, "alice@example.org")
    tap.equal(answer("list", "alice@example.org")["keys"][0]["standing"], "serving")
    keys("add", ALICE)
    said = keys("remove", fingerprint(ALICE)[:12], status=1).errors.decode()
    tap.contains(said, f"stands as well in key source file ({folder / 'alice.pem'})")
    result = keys("remove", fingerprint(ALICE)[:12], "--json", status=1)
    tap.contains(result.errors.decode(), f"comes from key source file ({folder / 'alice.pem'})")
    told = json.loads(result.output)
    tap.equal((told["removed"], told["forgotten"], told["keys"]), (0, 0, []))
    tap.equal(answer("list", "alice@example.org")["keys"][0]["standing"], "serving")
    (folder / "alice.pem").unlink()
    told = answer("remove", fingerprint(ALICE)[:12])
    tap.equal((told["removed"], told["forgotten"]), (0, 1))


@tap.test("where a key came from is written down whole, wherever the caller stands")
def _():
    begin()
    keys("add", ALICE.name, cwd=inbox)
    tap.equal(answer("show", "alice@example.org")["keys"][0]["place"], str(ALICE))
    keys("add", CA)
    tap.contains(keys("show", fingerprint(CA)).output, b"an authority: for chains alone")


@tap.test("an OpenPGP key is exported as gpg takes it")
def _():
    if not PGP or not shutil.which("gpg"):
        raise tap.Skip("no OpenPGP here")
    begin()
    keys("add", CAROL)
    ring = home.folder / "ring"
    ring.mkdir(mode=0o700, exist_ok=True)
    result = subprocess.run(["gpg", "--homedir", ring, "--batch", "--no-autostart", "--import"],
                            input=keys("export", "carol@example.org").output, capture_output=True)
    tap.contains(result.stderr, b"imported: 1")


@tap.test("a pin is written down, shown, moved and ended")
def _():
    begin()
    keys("add", ALICE)
    keys("add", "--address", "alice@example.org", BOB)
    keys("pin", "alice@example.org", fingerprint(ALICE)[:8])

    def pinned():
        return [row["fingerprint"] for row in answer("list")["keys"] if row["standing"] == "pinned"]

    tap.equal(pinned(), [fingerprint(ALICE)])
    keys("pin", "alice@example.org", fingerprint(BOB)[:8])
    tap.equal(pinned(), [fingerprint(BOB)])
    keys("unpin", "alice@example.org")
    tap.equal(pinned(), [])
    for words in (("unpin", "alice@example.org"), ("pin", "eve@example.org", fingerprint(BOB)[:8]),
                  ("pin", "alice@example.org", "ffff"), ("approve", "alice@example.org"),
                  ("reject", "alice@example.org", "ffff")):
        keys(*words, status=1)
    tap.equal(answer("pending")["keys"], [])


# -- Which key wins -----------------------------------------------------------------------------

@tap.test("lookup says which key wins, and why each other lost, in text and JSON")
def _():
    if not PGP:
        raise tap.Skip("no OpenPGP here")
    begin(policy={"min_trust": "verified"})
    keys("add", "--trust", "verified", ALICE)
    keys("add", "--trust", "unverified", "--source", "harvested", CAROL)
    keys("add", "--address", "@example.net", GATEWAY)
    texts, values = "", []
    for address, status in (("alice@example.org", 0), ("carol@example.org", 1),
                            ("anybody@example.net", 0), ("nobody@example.org", 1)):
        result = keys("lookup", address, status=status)
        texts += f"$ sealctl keys lookup {address}\n{result.output.decode()}{result.errors.decode()}\n"
        values.append(answer("lookup", address, status=status))
    golden("lookup.txt", texts)
    golden("lookup.json", json.dumps(values, indent=2) + "\n")
    # A source that no format may ask is named once.
    configure(policy={"min_trust": "manual"})
    rows = answer("lookup", "nobody@example.org", status=1)["sources"]
    tap.equal(sorted(row["reason"].split()[2] for row in rows), ["gnupg", "harvested"])


@tap.test("a key that would take another one's place is pending, until it is approved or rejected")
def _():
    if not PGP:
        raise tap.Skip("no OpenPGP here")
    begin(policy={"min_trust": "harvested"})

    def used():
        home.sealed(MESSAGE, "carol@example.org")
        rows = answer("lookup", "carol@example.org")["keys"]
        return [row["fingerprint"] for row in rows if row["used"]]

    keys("add", "--source", "harvested", "--trust", "harvested", CAROL)
    old = answer("list", "carol@example.org")["keys"][0]["fingerprint"]
    tap.equal(used(), [old])
    keys("add", "--source", "harvested", "--trust", "harvested", CAROL_NEW)
    tap.equal(used(), [old])
    row, = answer("pending")["keys"]
    new = row["fingerprint"]
    tap.equal((row["address"], row["origin"], new != old), ("carol@example.org", "harvested", True))
    tap.true("pending" in {row["problem"] for row in answer("check", status=1)["problems"]}, "check")
    approved = answer("approve", "carol@example.org", new[:10])["keys"]
    tap.equal([(row["fingerprint"], row["standing"]) for row in approved],
              [(new, "serving"), (old, "rejected")])
    tap.equal(used(), [new])
    # What it replaced is still in its source, and is not a new key.
    tap.equal(answer("pending")["keys"], [])
    tap.true("pending" not in {row["problem"] for row in answer("check", status=None)["problems"]},
             "check")
    keys("pin", "carol@example.org", old[:10])
    tap.equal(used(), [old])
    keys("unpin", "carol@example.org")
    tap.equal(used(), [new], "beside what served, what was pinned waits")
    keys("approve", "carol@example.org", old[:10])
    tap.equal(used(), [old])
    keys("remove", new)
    keys("add", "--source", "harvested", "--trust", "harvested", CAROL_NEW)
    tap.equal(used(), [old])
    keys("reject", "carol@example.org")
    tap.equal((used(), answer("pending")["keys"]), ([old], []))


@tap.test("a key that serves is rejected by its fingerprint, and approved again")
def _():
    if not PGP:
        raise tap.Skip("no OpenPGP here")
    begin(policy={"min_trust": "harvested"})

    def standing():
        home.seal(MESSAGE, "-f", "dan@example.net", "--", "carol@example.org")
        rows = json.loads(keys("lookup", "carol@example.org", "--json", status=None).output)["keys"]
        return {row["fingerprint"]: row["used"] or row["code"] for row in rows}

    keys("add", "--source", "harvested", "--trust", "harvested", CAROL)
    old, = standing()
    keys("add", "--source", "harvested", "--trust", "harvested", CAROL_NEW)
    new, = set(standing()) - {old}
    tap.equal(standing(), {old: True, new: "pending"})
    keys("reject", "carol@example.org", old[:10])
    # The other one has waited since it would have taken a place, and goes on waiting.
    tap.equal(standing(), {old: "rejected", new: "pending"})
    keys("approve", "carol@example.org", old[:10])
    tap.equal(standing(), {old: True, new: "pending"})
    keys("reject", "carol@example.org")
    keys("approve", "carol@example.org", status=1)
    keys("approve", "carol@example.org", new[:10])
    tap.equal(standing(), {old: "rejected", new: True})
    # What the operator himself has added is rejected, and comes back without a note of it.
    keys("add", "--trust", "verified", ALICE)
    row, = answer("reject", "alice@example.org", fingerprint(ALICE)[:10])["keys"]
    tap.equal(row["standing"], "rejected")
    keys("lookup", "alice@example.org", status=1)
    keys("approve", "alice@example.org", fingerprint(ALICE)[:10])
    keys("lookup", "alice@example.org")
    # Somebody else's.
    keys("reject", "bob@example.org", fingerprint(ALICE)[:10], status=1)


# -- Private keys -------------------------------------------------------------------------------

def pkcs12(person, password):
    path = home.folder / "person.p12"
    certs.openssl("pkcs12", "-export", "-inkey", person.key, "-in", person.cert, "-name", "person",
                  "-passout", f"pass:{password}", "-out", path)
    return path


@tap.test("a private key is left out, with a note; a wrong passphrase is named")
def _():
    begin()
    secret = home.folder / "passphrase"
    secret.write_text("right\nsecond line\n")
    secret.chmod(0o600)
    path = pkcs12(home.alice, "right")
    told = answer("add", "--passphrase-file", secret, path)
    tap.equal((told["added"], told["left"], told["failed"]), (1, 1, 0))
    tap.contains(told["left_out"][0]["note"], "a private key, left out")
    secret.write_text("wrong\n")
    tap.contains(keys("add", "--passphrase-file", secret, path, status=1).errors.decode(), str(path))
    keys("add", path, status=1, start_new_session=True)
    kept = b"".join(path.read_bytes() for path in home.state.rglob("*") if path.is_file())
    der = certs.openssl("pkey", "-in", home.alice.key, "-outform", "DER")
    tap.true(der[-64:] not in kept, "the private key is in the store")


@tap.test("with --server it is put where mail is signed with it, for the service's user alone")
def _():
    server = home.folder / "server"
    server.mkdir(mode=0o700)
    secret = home.folder / "passphrase"
    secret.write_text("right\n")
    secret.chmod(0o600)
    begin(**{"module smime": {"server_keys": server, "passphrase_file": secret}})
    told = answer("add", "--server", home.alice.cert, status=1)
    tap.contains(told["problems"][0]["problem"], "no private key")
    told = answer("add", "--server", "--passphrase-file", secret, pkcs12(home.alice, "right"))
    tap.equal((told["private_keys"], told["failed"], told["left"]), (1, 0, 0))
    where = pathlib.Path(told["installed"][0]["where"])
    tap.equal((where.parent, where.stat().st_mode & 0o077), (server, 0))
    tap.equal(listed("alice@example.org"), [("alice@example.org", "manual")])
    again = answer("add", "--server", "--passphrase-file", secret, home.folder / "person.p12")
    tap.equal(pathlib.Path(again["installed"][0]["where"]), where, "is there already")
    tap.equal(list(server.iterdir()), [where])
    begin(**{"module smime": {"server_keys": server}})
    where.unlink()
    add = "add", "--server", "--passphrase-file", secret, pkcs12(home.alice, "right")
    tap.contains(answer(*add, status=1)["problems"][0]["problem"], "passphrase_file is not set")
    begin()
    tap.contains(answer(*add, status=1)["problems"][0]["problem"], "there is no folder among these")


@tap.test("where root puts the keys that are signed with, what it is told to do keeps mail going")
def _():
    if os.geteuid() != 0:
        raise tap.Skip("needs root")
    nobody = pwd.getpwnam("nobody")
    group = grp.getgrgid(nobody.pw_gid).gr_name
    home.folder.chmod(0o755)
    folder = home.folder / "of-root"
    folder.mkdir(mode=0o750)
    os.chown(folder, 0, nobody.pw_gid)
    pem = home.folder / "carol.pem"
    carol = home.authority.person("carol@example.org")
    pem.write_bytes(carol.key.read_bytes() + carol.cert.read_bytes())
    pem.chmod(0o600)
    setup = {"core": {"user": "nobody"}, "module smime": {"server_keys": folder}}
    begin(**setup)
    for path in (home.state, home.log):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    told = answer("add", "--server", pem, status=1)["problems"][0]["problem"]
    advice = f"install -o root -g {group} -m 0640 FILE {folder}/"
    tap.contains(told, advice)
    subprocess.run(advice.replace("FILE", str(pem)).split(), check=True)
    status = home.run("sealctl", "status")
    tap.equal(status.status, 0, f"{status.output} {status.errors}")
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    (folder / pem.name).unlink()
    told = answer("add", "--server", pem, status=1)["problems"][0]["problem"]
    tap.contains(told, f"install -o root -m 0600 FILE {folder}/ where sealpiped")
    tap.contains(told, f"-g {group} -m 0640")
    os.chown(home.log, 0, 0)


@tap.test("status says that there is no state_dir, without which nothing can be added")
def _():
    begin()
    home.state.rmdir()
    status = home.run("sealctl", "status")
    home.state.mkdir(mode=0o700)
    tap.contains(status.output.decode(), f"there is no state_dir {home.state}")


@tap.test("with --server a file that fails is not installed; -n says what would be, and installs none")
def _():
    server = home.folder / "server-2"
    server.mkdir(mode=0o700)
    secret = home.folder / "passphrase"
    secret.write_text("right\n")
    begin(**{"module smime": {"server_keys": server, "passphrase_file": secret}})
    path = pkcs12(home.alice, "right")
    told = answer("add", "--server", path, status=1, start_new_session=True)
    tap.equal((told["private_keys"], told["failed"], list(server.iterdir())), (0, 1, []))
    told = answer("add", "--server", "-n", "--passphrase-file", secret, path)
    tap.equal((told["private_keys"], told["failed"], list(server.iterdir())), (0, 0, []))
    tap.contains(told["left_out"][0]["note"], "without -n it is put where the service finds it")


@tap.test("with --server no link of a folder or a table is followed, nor a stranger's file read")
def _():
    server = home.folder / "server-3"
    server.mkdir(mode=0o700)
    begin(**{"module smime": {"server_keys": server}})
    drop, own = home.folder / "drop", home.folder / "own"
    drop.mkdir()
    own.mkdir()
    pair = own / "pair.pem"
    pair.write_bytes(home.alice.key.read_bytes() + home.alice.cert.read_bytes())
    pair.chmod(0o600)
    (drop / "link.pem").symlink_to(pair)
    (drop / "behind").symlink_to(own)
    table = drop / "table.tsv"
    table.write_text("alice@example.org\tbehind/pair.pem\nalice@example.org\tlink.pem\n")
    for words, count in (((table,), 2), ((drop / "link.pem", "-n"), 0)):
        told = answer("add", "--server", *words, status=1 if count else 0)
        tap.equal((told["private_keys"], told["failed"]), (0, count), words)
    tap.contains(answer("add", "--server", table, status=1)["problems"][0]["problem"], "a link")
    table.unlink()
    tap.contains(answer("add", "--server", drop, status=1)["problems"][0]["problem"], "a link")
    (drop / "link.pem").unlink()
    os.link(pair, drop / "hard.pem")
    tap.contains(answer("add", "--server", drop, status=1)["problems"][0]["problem"], "hard links")
    (drop / "hard.pem").unlink()
    if os.getuid() == 0:
        shutil.copy(pair, drop / "theirs.pem")
        os.chown(drop / "theirs.pem", pwd.getpwnam("nobody").pw_uid, -1)
        problem = answer("add", "--server", drop, status=1)["problems"][0]["problem"]
        tap.contains(problem, "another user")
        (drop / "theirs.pem").unlink()
    tap.equal(list(server.iterdir()), [])
    shutil.copy(pair, drop / "ours.pem")
    tap.equal(answer("add", "--server", drop)["private_keys"], 1)


# -- Looking after them -------------------------------------------------------------------------

@tap.test("check finds what is expired, about to be, weak, of several people or of several users")
def _():
    begin()
    keys("add", ALICE)
    tap.equal(answer("check")["problems"], [])
    leaf = home.authority.leaf
    old = leaf("old", "old@example.org", "keyAgreement", "20200101000000Z", "20210101000000Z",
               "/CN=Old", kind="ec")
    other = home.authority.person("alice@example.org", name="other")
    twin = leaf("twin", "twin@example.org", "keyAgreement", "20200101000000Z", "20980101000000Z",
                "/CN=Twin", key=home.bob.key)
    keys("add", old.cert, other.cert, home.bob.cert, twin.cert)
    keys("add", "--address", "a@example.com", "--address", "b@example.com", GATEWAY)
    found = {(row["problem"], row["address"]) for row in answer("check", status=1)["problems"]}
    tap.true({("expired", "old@example.org"), ("ambiguous", "alice@example.org"),
              ("shared", "twin@example.org"),
              ("shared", "gateway@example.net, a@example.com, b@example.com")} <= found, found)
    soon = {row["problem"] for row in answer("check", "--expiring", "500d", status=1)["problems"]}
    tap.true("expiring" in soon, soon)


@tap.test("a key is shared alike, whether it names a second address or was given to it")
def _():
    both = home.authority.leaf("both", "one@example.com,email:two@example.com", "keyAgreement",
                               "20200101000000Z", "20980101000000Z", "/CN=Both", kind="ec")
    for words in ((both.cert,), ("--address", "ops@example.com", ALICE)):
        begin()
        keys("add", *words)
        rows = answer("check", status=1)["problems"]
        tap.equal([row["problem"] for row in rows], ["shared"])


# -- Whose the files are ------------------------------------------------------------------------

@tap.test("root adds files that only root reads, and the store is the service's user's")
def _():
    if os.geteuid() != 0:
        raise tap.Skip("needs root")
    nobody = pwd.getpwnam("nobody")
    home.folder.chmod(0o755)
    shutil.rmtree(home.state)
    home.state.mkdir(mode=0o700)
    for path in (home.state, home.log):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    configure(core={"user": "nobody"})
    folder = home.folder / "roots"
    folder.mkdir(mode=0o700)
    shutil.copy(ALICE, folder / "alice.pem")
    (folder / "table").write_text("bob@example.org\tbob.pem\n")
    shutil.copy(BOB, folder / "bob.pem")
    for path in folder.iterdir():
        path.chmod(0o600)
    told = answer("add", folder / "alice.pem", folder / "table")
    tap.equal((told["added"], told["failed"]), (2, 0))
    owners = {path.stat().st_uid for path in home.state.rglob("*")}
    tap.equal(owners, {nobody.pw_uid}, "owners")
    os.chown(home.log, 0, 0)


# -- Hostile files ------------------------------------------------------------------------------

def bounded():
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


@tap.test("hostile files are refused by name, in bounded memory")
def _():
    begin()
    big, many, garbage = (inbox / name for name in ("big", "many.pem", "garbage"))
    with open(big, "wb") as out:
        out.truncate((16 << 20) + 1)
    garbage.write_bytes(random.Random(13).randbytes(1 << 20) * 16)
    many.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" * 100000)
    told = answer("add", big, many, garbage, inbox, ALICE, status=1, preexec_fn=bounded)
    rows = {row["file"]: row["problem"] for row in told["problems"]}
    tap.contains(rows[str(big)], "at most 16777216")
    tap.true({str(big), str(many), str(garbage)} <= set(rows), list(rows))
    of_many = [row for row in told["problems"] if row["file"] == str(many)]
    tap.true(len(of_many) <= 200, f"{len(of_many)} rows")
    tap.true(("alice@example.org", "manual") in listed(), "what was good beside them")
    for path in (big, many, garbage):
        path.unlink()


@tap.test("what is no file is refused, and nobody waits for it")
def _():
    begin()
    fifo = inbox / "fifo"
    os.mkfifo(fifo)
    for path, said in ((fifo, "not a regular file"), ("/dev/zero", "not a regular file")):
        tap.contains(keys("add", path, status=1).errors.decode(), said)
    fifo.unlink()


tap.main()
