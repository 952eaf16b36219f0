# SPDX-License-Identifier: GPL-2.0-or-later
"""`sealctl check`: a sound installation is all ok; each fault is named once, by the topic that can
mend it, with what to do, and makes it exit with 1. `sealctl status` is not ready then either.

What it prints of both is in golden/; `check.py --write` writes it anew. How mail servers are wired
depends on the host, and has tests of its own.
"""

import contextlib
import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import certs
import gnupg
import tap
from home import Home, has_module, module_folder

GOLDEN = HERE / "golden"
WRITE = "--write" in tap.arguments()
ROOT = os.geteuid() == 0
USER = "daemon"  # of every Debian
TOPICS = ("configuration", "modules", "versions", "files", "anchors", "keys", "signing")
MARKS = {"ok": 0, "warning": 0, "problem": 1, "unchecked": 0}

home = Home("check")
home.folder.chmod(0o755)
home.authority.folder.chmod(0o755)
private = home.folder / "private"
private.mkdir(mode=0o700)
CAROL = home.authority.person("carol@example.org", "rsa")


def own(*paths):
    for path in paths:
        if ROOT:
            shutil.chown(path, USER, 0)


def pem(name, *files, mode=0o600):
    path = private / name
    path.write_bytes(b"".join(pathlib.Path(file).read_bytes() for file in files))
    path.chmod(mode)
    own(path)
    return path


def sound(**changes):
    """An installation with keys to encrypt to and to sign with."""
    home.configure({"core": {"user": USER if ROOT else None},
                    "policy": {"encrypt": "required", "sign": "preferred"},
                    "pipeline": {"outbound": "sign;smime"},
                    "module smime": {"trust_anchors": home.authority.cert, "server_keys": private},
                    "module sign": {"submission_domains": "example.org"}, **changes})
    own(home.state, home.log, private, *private.iterdir())


def run(*words):
    return home.run("sealctl", *words, env={"PATH": "/usr/bin:/bin"})


def check():
    """[(topic, state, text, remedy)] of what is not ok; and the status that should be."""
    result = run("check", "--json")
    answer = json.loads(result.output)
    tap.equal(result.errors, b"")
    rows = [tuple(row[key] for key in ("topic", "state", "text", "remedy")) for row in answer["findings"]]
    tap.equal(result.status, max(MARKS[row[1]] for row in rows), f"exit status: {rows}")
    for state, key in (("problem", "problems"), ("warning", "warnings"), ("unchecked", "unchecked")):
        tap.equal(answer[key], sum(row[1] == state for row in rows), key)
    return [row for row in rows if row[0] in TOPICS]


def is_sound():
    rows = check()
    tap.equal(list(dict.fromkeys(row[0] for row in rows if row[1] == "ok")), list(TOPICS), f"all that is ok: {rows}")
    tap.equal([row for row in rows if row[1] != "ok"], [], "what is not")


def fault(topic, *words, state="problem", remedy="", what=""):
    """One finding, with these words, and what to do; nothing else is wrong."""
    rows = check()
    found = [row for row in rows if row[1] in ("warning", "problem")]
    tap.equal([row[:2] for row in found], [(topic, state)], f"{what}: {found}")
    for word in words:
        tap.contains(found[0][2], str(word), what)
    tap.true(found[0][3] and not found[0][3].endswith("."), f"{what}: a remedy: {found[0]}")
    tap.contains(found[0][3], str(remedy), what)
    return rows


@contextlib.contextmanager
def put_aside(path):
    """Whatever is done to it, it is as it was behind."""
    kept = home.folder / "kept"
    st = path.stat()
    (shutil.copytree if path.is_dir() else shutil.copy2)(path, kept)
    try:
        yield path
    finally:
        gnupg.remove(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        shutil.move(kept, path)
        os.chown(path, st.st_uid, st.st_gid)
        path.chmod(st.st_mode & 0o7777)


@contextlib.contextmanager
def changed(path, mode=None, user=None):
    st = path.stat()
    if user is not None:
        shutil.chown(path, user, user if user == USER else 0)
    if mode is not None:
        path.chmod(mode)
    try:
        yield
    finally:
        os.chown(path, st.st_uid, st.st_gid)
        path.chmod(st.st_mode & 0o7777)


def only_root():
    if not ROOT:
        raise tap.Skip("only root becomes somebody else")


def dated(days_from, days_until):
    """Half a day later: how many days are left does not depend on the second that is asked in."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return [(now + datetime.timedelta(days=days, hours=12)).strftime("%Y%m%d%H%M%SZ")
            for days in (days_from, days_until)]


def golden(name, text):
    text = text.replace(str(home.folder), "/HOME").replace(str(module_folder()), "/MODULES")
    text = re.sub(r"\d{4}-\d\d-\d\d", "DAY", text)
    text = re.sub(r"GLib [^\"\n]*", "VERSIONS", text)
    path = GOLDEN / name
    if WRITE:
        path.write_text(text)
    tap.equal(text, path.read_text(), name)


def print_all(name):
    """Without what depends on the host."""
    lines = run("check").output.decode().partition("\n\n")[0].splitlines()
    ours, last = [], False
    for line in lines:
        last = line.split()[1] in TOPICS if not line.startswith(" ") else last
        ours += [line] * last
    golden(f"{name}.txt", "\n".join(ours) + "\n")
    answer = json.loads(run("check", "--json").output)
    rows = [row for row in answer["findings"] if row["topic"] in TOPICS]
    golden(f"{name}.json", json.dumps({**answer, "problems": "N", "warnings": "N", "unchecked": "N",
                                       "findings": rows}, indent=2) + "\n")


pem("carol.pem", CAROL.cert, CAROL.key)

# -- Sound ----------------------------------------------------------------------------------------


@tap.test("a sound installation is all ok, and printed as it always was")
def _():
    sound()
    is_sound()
    if ROOT:
        print_all("check")


@tap.test("a broken one is printed with what to do, and with what could not be looked at")
def _():
    only_root()
    sound()
    home.write_conf("60-more.conf", "[module gone]\n")
    with changed(home.certs, 0o700, "root"), changed(home.state, user="root"):
        print_all("check-broken")


# -- Configuration and modules --------------------------------------------------------------------


@tap.test("a configuration that does not load is one problem, and the rest is unchecked, not ok")
def _():
    sound()
    home.write_conf("60-more.conf", "[core]\nno_such=1\n")
    rows = fault("configuration", "no_such", "60-more.conf:2")
    tap.equal([row[0] for row in rows if row[1] == "unchecked"],
              ["modules", "versions", "anchors", "keys", "signing"])
    tap.contains(run("check").output.decode(), "not looked at")


@tap.test("a module that is enabled and not installed is named once, with its package and its file")
def _():
    sound()
    path = home.write_conf("60-more.conf", "[module gone]\n")
    fault("modules", path, "gone.so", remedy="sealpipe-gone")
    home.write_conf("60-more.conf", "[module gone]\nenabled=false\n")
    is_sound()


@tap.test("no module at all: a problem, and status is not ready")
def _():
    home.configure()
    (home.conf / "50-test.conf").write_text(
        f"[core]\nlog_target={home.log}\nstate_dir={home.state}\nuser={USER if ROOT else ''}\n"
        "[policy]\nencrypt=never\n")
    fault("modules", "no module is enabled", remedy="sealctl modules")
    result = run("status", "--json")
    tap.equal((result.status, [row["check"] for row in json.loads(result.output)["checks"] if not row["ready"]]),
              (1, ["modules"]))


# -- Files ----------------------------------------------------------------------------------------


@tap.test("files that the service's user cannot read are named once, by path, owner and mode")
def _():
    only_root()
    sound()
    some = home.certs / home.alice.cert.name
    for path, mode, remedy in ((home.certs, 0o700, "chmod a+rx"), (some, 0o600, "chmod a+r"),
                               (home.authority.cert, 0o600, "chmod a+r"),
                               (home.conf / "50-test.conf", 0o600, "chmod a+r"),
                               (home.conf, 0o700, "chmod a+rx"),
                               (private / "carol.pem", 0o600, f"chown {USER}")):
        with changed(path, mode, "root"):
            fault("files", path, "(root:root, mode", f"user {USER} cannot read it", remedy=remedy, what=path)
    is_sound()


@tap.test("what a name says is no command, and a link is not to be opened to all")
def _():
    only_root()
    sound()
    named, link = home.certs / "a; id #.pem", home.certs / "link.pem"
    secret = home.folder / "secret"
    shutil.copy(home.alice.cert, named)
    shutil.copy(home.alice.cert, secret)
    secret.chmod(0o600)
    with changed(named, 0o600, "root"):
        fault("files", named, remedy=f"chmod a+r '{named}'")
    named.unlink()
    link.symlink_to(secret)
    found = [row for row in check() if row[0] == "files" and row[1] == "problem"]
    tap.equal([str(link) in row[2] for row in found], [True], found)
    tap.contains(found[0][3], "see where this link leads")
    link.unlink()
    secret.unlink()
    is_sound()


@tap.test("a folder on the way that is closed is named, and not what is in it")
def _():
    only_root()
    closed = home.folder / "closed"
    if not closed.exists():
        closed.mkdir()
        shutil.copytree(home.certs, closed / "certs")
        shutil.copy(home.authority.cert, closed / "ca.pem")
    sound(**{"module keys-file": {"paths": closed / "certs"},
             "module smime": {"trust_anchors": closed / "ca.pem", "server_keys": private}})
    is_sound()
    with changed(closed, 0o700, "root"):
        fault("files", f"{closed} (", f"user {USER} cannot enter", remedy=f"chmod o+x {closed}")


@tap.test("what others can change or read is named, with the right that is to be taken away")
def _():
    only_root()
    sound()
    for path, mode, words in ((home.conf / "50-test.conf", 0o666, "can be written by others"),
                              (home.authority.cert, 0o666, "can be written by others"),
                              (home.certs, 0o777, "can be written by others"),
                              (private / "carol.pem", 0o644, "everybody on this host")):
        with changed(path, mode):
            fault("files", path, words, remedy=path, what=path)
    sound()
    with changed(home.authority.cert, user="nobody"):
        fault("files", home.authority.cert, "belongs", remedy="chown root")
    blank = home.folder / "an anchor; id.pem"
    shutil.copy(home.authority.cert, blank)
    sound(**{"module smime": {"trust_anchors": f"{home.folder}/an anchor\\; id.pem", "server_keys": private}})
    is_sound()
    with changed(blank, 0o666):
        fault("files", blank, "can be written by others", remedy=f"chmod go-w '{blank}'")
    blank.unlink()


@tap.test("folders and a log that the service cannot write are named")
def _():
    only_root()
    spool = home.folder / "the spool"
    spool.mkdir(exist_ok=True)
    own(spool)
    sound(core={"user": USER, "spool_dir": spool})
    is_sound()
    for path, user in ((home.state, "root"), (spool, "root"), (home.log, "root")):
        with changed(path, user=user):
            fault("files", path, f"user {USER} cannot write there", remedy=f"chown -h {USER} {shlex.quote(str(path))} && runuser",
                  what=path)
    ledger = home.state / "ledger"
    ledger.mkdir(mode=0o750, exist_ok=True)
    own(ledger)
    with changed(ledger, 0o750, "root"):
        fault("files", ledger, f"user {USER} cannot write there", remedy=f"chown -h {USER} {ledger}", what=ledger)
    lost = home.state / "lost+found"
    lost.mkdir(mode=0o700)
    is_sound()
    lost.rmdir()
    shadow = home.folder / "shadow"
    shadow.write_text("secret")
    shadow.chmod(0o600)
    home.log.rename(home.folder / "log-aside")
    home.log.symlink_to(shadow)
    os.chown(home.log, home.state.stat().st_uid, 0, follow_symlinks=False)
    found = [row for row in check() if row[0] == "files" and row[1] == "problem"]
    tap.equal(["see where this link leads" in row[3] and "chown -h" not in row[3] for row in found], [True], found)
    home.log.unlink()
    (home.folder / "log-aside").rename(home.log)
    with changed(home.state, 0o777):
        fault("files", home.state, "others can write to it", remedy=f"chmod 0700 {home.state}")
    sound(core={"user": USER, "spool_dir": home.folder / "nowhere"})
    rows = [row for row in check() if row[1] == "problem"]
    tap.true(len(rows) == 1 and str(home.folder / "nowhere") in rows[0][2], rows)


@tap.test("status is not ready where the service cannot read the certificates' folder, or an anchor")
def _():
    only_root()
    sound()
    tap.equal(run("status").status, 0, run("status").output)
    for path, mode in ((home.certs, 0o700), (home.authority.cert, 0o600)):
        with changed(path, mode, "root"):
            result = run("status", "--json")
            tap.equal(result.status, 1, f"{path}: {result.output}")
            tap.contains((result.output + result.errors).decode(), str(path), path)


# -- Anchors --------------------------------------------------------------------------------------


def anchored(path):
    own_file = home.folder / "anchor.pem"
    shutil.copy(path, own_file)
    own_file.chmod(0o644)
    sound(**{"module smime": {"trust_anchors": f"{home.authority.cert};{own_file}", "server_keys": private}})
    return own_file


def make_root(name, days, *extensions):
    folder = home.folder / "roots"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.pem"
    config = folder / "openssl.cnf"
    config.write_text("[req]\ndistinguished_name=n\n[n]\n[ca]\n" + "\n".join(extensions) + "\n")
    start, end = dated(-400, days)
    key = folder / f"{name}.key"
    certs.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    certs.openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", folder / "r.csr",
                  "-config", config)
    db = folder / "db"
    db.write_text("")
    (folder / "serial").write_text("01\n")
    config.write_text("[ca]\ndefault_ca=d\n[d]\n" + f"database={db}\nserial={folder}/serial\nnew_certs_dir={folder}\n"
                      "default_md=sha256\npolicy=p\nemail_in_dn=no\n[p]\ncommonName=supplied\n[x]\n"
                      + "\n".join(extensions) + "\n")
    certs.openssl("ca", "-batch", "-notext", "-selfsign", "-config", config, "-extensions", "x", "-in",
                  folder / "r.csr", "-keyfile", key, "-out", path, "-startdate", start, "-enddate", end)
    return path


CA = ("basicConstraints=critical,CA:true", "keyUsage=critical,keyCertSign,cRLSign")


@tap.test("an anchor that vouches for nobody is named: expired, none of a CA's, not for mail")
def _():
    for state, word, path in (("problem", "expired on", make_root("old", -5, *CA)),
                              ("warning", "expires on", make_root("soon", 10, *CA)),
                              ("warning", "not for mail", make_root("web", 300, *CA, "extendedKeyUsage=serverAuth")),
                              ("problem", "not that of a CA", home.alice.cert)):
        fault("anchors", anchored(path), word, state=state, what=word)
    anchored(make_root("good", 300, *CA))
    is_sound()


@tap.test("an anchor that is missing or cannot be read is named by the topic anchors")
def _():
    path = anchored(home.authority.cert)
    path.write_text("nothing\n")
    fault("anchors", path, "no certificate in it")
    path.unlink()
    fault("anchors", path)
    sound(**{"module smime": {"trust_anchors": None, "server_keys": private}})
    found = [row for row in check() if row[0] == "anchors"]
    tap.equal([row[1] for row in found], ["warning"], found)


# -- Keys -----------------------------------------------------------------------------------------


@tap.test("keys are counted; an empty folder, none that serves, a broken file are named")
def _():
    sound()
    tap.contains(next(row for row in check() if row[0] == "keys")[2],
                 "file: 2 keys, of which 2 can be encrypted to; 0 expired")
    old = home.authority.leaf("old", "old@example.org", "keyEncipherment", *dated(-20, -2))
    with put_aside(home.certs):
        shutil.copy(old.cert, home.certs)
        tap.contains(next(row for row in check() if row[0] == "keys")[2],
                     "file: 3 keys, of which 2 can be encrypted to; 1 expired")
        for path in home.certs.iterdir():
            if path.name != "old.pem":
                path.unlink()
        fault("keys", "none can be encrypted to now", "expired: CN=Leaf", state="warning", remedy="sealctl keys check")
        sound(policy={"encrypt": "never"})
        tap.equal([row[1] for row in check() if row[0] == "keys"], ["ok"], "nothing is encrypted")
        sound(policy={"encrypt": "never"}, **{"rule a": {"match_recipient": "@b.example", "encrypt": "required"}})
        fault("keys", "none can be encrypted to now", state="warning")
        sound()
        (home.certs / "old.pem").unlink()
        rows = [row for row in check() if row[0] == "keys"]
        tap.equal([row[1] for row in rows], ["warning", "problem"], rows)
        tap.contains(rows[0][2], str(home.certs))
        tap.contains(rows[1][2], "no key source has any key")
    with put_aside(home.certs):
        broken = home.certs / "broken.pem"
        broken.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        broken.chmod(0o644)
        fault("keys", broken)
    is_sound()


@tap.test("a store of keys that is broken is named")
def _():
    if not has_module("keys-store"):
        raise tap.Skip("the module keys-store is not installed")
    sound(**{"module keys-store": {}})
    is_sound()
    # It is made with the first key in it.
    tap.equal(home.run("sealctl", "keys", "add", home.alice.cert, env={"PATH": "/usr/bin"}).status, 0)
    path = next(home.state.rglob("keys.db"))
    with put_aside(path):
        path.write_bytes(b"x" * 8192)
        own(path)
        fault("keys", path)
    is_sound()


# -- Signing --------------------------------------------------------------------------------------


@tap.test("a key to sign with that has expired, or is about to, is named, unless it was replaced")
def _():
    old, soon = (home.authority.leaf(name, "carol@example.org", "digitalSignature", *dated(-20, days))
                 for name, days in (("carol-old", -2), ("carol-soon", 10)))
    with put_aside(private):
        (private / "carol.pem").unlink()
        pem("a.pem", old.cert, old.key)
        sound()
        fault("signing", "expired on", private / "a.pem")
        pem("b.pem", soon.cert, soon.key)
        fault("signing", "carol@example.org", "in 10 days", state="warning")
        pem("c.pem", CAROL.cert, CAROL.key)
        is_sound()


@tap.test("a wrong passphrase, and a certificate that is not the key's, are named by signing")
def _():
    locked = home.folder / "locked.pem"
    certs.openssl("pkcs8", "-topk8", "-in", CAROL.key, "-out", locked, "-passout", "pass:right")
    phrase = home.folder / "phrase"
    phrase.write_text("wrong\n")
    phrase.chmod(0o600)
    own(phrase)
    with put_aside(private):
        path = pem("carol.pem", CAROL.cert, locked)
        sound(**{"module smime": {"trust_anchors": home.authority.cert, "server_keys": private,
                                  "passphrase_file": phrase}})
        fault("signing", path, "does not open it")
        phrase.write_text("right\n")
        is_sound()
        path = pem("carol.pem", home.alice.cert, CAROL.key)
        fault("signing", path, "without its certificate")


@tap.test("a sender whose mail must be signed, and who has no key, is named; and none at all")
def _():
    sound(**{"rule boss": {"match_sender": "carol@example.org;boss@example.org", "sign": "required"}})
    fault("signing", "boss@example.org", "rule boss", "no key that signs")
    with put_aside(private):
        (private / "carol.pem").unlink()
        sound()
        fault("signing", private, "no private key", state="warning")
        sound(policy={"encrypt": "required", "sign": "required"},
              **{"module smime": {"trust_anchors": home.authority.cert}})
        fault("signing", "sign=required", "no key to sign with")
        sound(policy={"encrypt": "required", "sign": "never"},
              **{"module smime": {"trust_anchors": home.authority.cert},
                 "rule all": {"match_sender": "@example.org", "sign": "required"}})
        fault("signing", "[rule all]", "no key to sign with")
    sound(policy={"encrypt": "required", "sign": "never"},
          **{"module smime": {"trust_anchors": home.authority.cert}})
    tap.contains(next(row for row in check() if row[0] == "signing")[2], "none is asked for")


def pgp_home():
    path = home.folder / "gnupg"
    gnupg.remove(path) if path.exists() else None
    return gnupg.Ring(path)


def pgp_sound(ring):
    if ROOT:
        ring.stop()
        for path in (ring.path, *ring.path.rglob("*")):
            shutil.chown(path, USER, USER)
    home.configure({"core": {"user": USER if ROOT else None},
                    "policy": {"encrypt": "required", "sign": "preferred"},
                    "pipeline": {"outbound": "sign;pgp"}, "module smime": {"enabled": "false", "trust_anchors": None},
                    "module keys-file": {"enabled": "false", "paths": None},
                    "keyring": {"sources": "gnupg"},
                    "module pgp": {"home": ring.path},
                    "module sign": {"submission_domains": "example.org"}})


@tap.test("an OpenPGP key to sign with that has expired is named; a sound one signs")
def _():
    if not has_module("pgp"):
        raise tap.Skip("the module pgp is not installed")
    ring = pgp_home()
    ring.gpg("--pinentry-mode", "loopback", "--passphrase", "", "--faked-system-time", "20200101T000000",
             "--quick-gen-key", "Dora <dora@example.org>", "future-default", "default", "10d")
    print_finger = ring.fingerprint("dora@example.org").lower()
    pgp_sound(ring)
    found = [row for row in check() if row[0] == "signing"]
    tap.equal([row[1] for row in found], ["problem"], found)
    tap.contains(found[0][2].lower(), print_finger)
    tap.contains(found[0][2], "expired on 2020-01-11")
    ring = pgp_home()
    ring.generate("Dora <dora@example.org>")
    pgp_sound(ring)
    found = [row for row in check() if row[0] in ("signing", "keys")]
    tap.equal([row[1] for row in found], ["ok", "ok"], found)
    tap.contains(found[1][2], "1 key can sign")
    ring.stop()


@tap.test("an OpenPGP key whose passphrase is not the one that is set cannot sign, and is named")
def _():
    if not has_module("pgp"):
        raise tap.Skip("the module pgp is not installed")
    ring = pgp_home()
    ring.generate("Dora <dora@example.org>", passphrase="right")
    pgp_sound(ring)
    fault("signing", "cannot sign with the key of", "Dora")
    ring.stop()


tap.main()
