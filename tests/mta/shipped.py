# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration as shipped: what installing puts where, again and again, and whether what the
files show can be taken in as it stands.

shipped.py BUILD: the build folder, from which it is installed.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lib"))
import mail
import tap
from home import BOUND, Home, prefix

BUILD = pathlib.Path(tap.arguments()[0])
ALICE = "alice@example.org"
MESSAGE = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe secret body.\n"
SHIPPED = prefix() / "share/sealpipe/conf.d"
INITIAL = ["10-core.conf", "20-policy.conf", "30-rules.conf"]
home = Home("shipped")


# ---------------------------------------------------------------------------------------------
# Installing again

def run(*command, **env):
    result = subprocess.run(command, capture_output=True, text=True, timeout=10 * BOUND,
                            env={**os.environ, **env})
    tap.equal(result.returncode, 0, f"{command}: {result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result.stdout


def install(root):
    return run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root)


def state_of(folder):
    """What each file is, links as links."""
    return {path.name: os.readlink(path) if path.is_symlink() else path.read_bytes()
            for path in folder.iterdir()}


def build_option(name):
    options = json.loads(run("meson", "introspect", "--buildoptions", BUILD))
    return next(option["value"] for option in options if option["name"] == name)


def built_folder(name):
    return pathlib.Path(build_option("prefix")) / build_option(name)


@tap.test("installed again, and taken away again: the administrator's files stay as they are")
def _():
    root = home.folder / "root"
    conf, shipped = (pathlib.Path(f"{root}{built_folder(name)}") / "sealpipe/conf.d"
                     for name in ("sysconfdir", "datadir"))
    log = BUILD / "meson-logs/install-log.txt"
    kept = log.read_bytes() if log.exists() else None
    old = os.umask(0o077)
    try:
        install(root)
        tap.equal(sorted(state_of(conf)), INITIAL, "at first")
        for path in conf.iterdir():
            tap.equal(path.stat().st_mode & 0o7777, 0o644, f"mode of {path}")
        tap.equal(conf.stat().st_mode & 0o7777, 0o755, f"mode of {conf}")
        tap.equal(sorted(state_of(shipped)), sorted(p.name for p in SHIPPED.iterdir()), "as shipped")

        (conf / "20-policy.conf").write_text("[policy]\nencrypt=preferred\n")
        (conf / "20-policy.conf").chmod(0o640)
        (conf / "30-rules.conf").unlink()
        (conf / "30-rules.conf").symlink_to("/dev/null")
        (conf / "50-smime.conf").write_text("[module smime]\n")
        (conf / "50-smime.conf.bak").write_text("mine\n")
        (conf / "10-core.conf").unlink()
        (shipped / "20-policy.conf").write_text("of an older version\n")
        mine = state_of(conf)
        install(root)
        now = state_of(conf)
        tap.equal(now.pop("10-core.conf"), (SHIPPED / "10-core.conf").read_bytes(), "what is not there")
        tap.equal(now, mine, "installed again")
        tap.equal((conf / "20-policy.conf").stat().st_mode & 0o7777, 0o640, "its mode")
        tap.equal((shipped / "20-policy.conf").read_bytes(),
                  (SHIPPED / "20-policy.conf").read_bytes(), "as shipped")

        mine = state_of(conf)
        run("ninja", "-C", BUILD, "uninstall", DESTDIR=str(root))
        tap.equal(state_of(conf), mine, "taken away")
        tap.true(not shipped.exists() or not state_of(shipped), "what is ours is still there")
    finally:
        os.umask(old)
        if kept is not None:
            log.write_bytes(kept)


# ---------------------------------------------------------------------------------------------
# As shipped, and with the defaults taken in

def shown(text):
    """The settings that a file shows as comments: (group, key, value)."""
    group, found = None, []
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(.+)\]", line):
            group = match[1]
        elif match := re.fullmatch(r"#([a-z_]+)=(.*)", line):
            found.append((group, *match.groups()))
    return found


def taken_in(text):
    return re.sub(r"(?m)^#([a-z_]+=)", r"\1", text)


def examples(text):
    """With the rules that stand in comments as examples."""
    return re.sub(r"(?m)^#(\[|[a-z_]+=)", r"\1", text)


def changed(path, change):
    """What the rules show are no defaults."""
    text = path.read_text()
    return text if path.name == "30-rules.conf" else change(text)


def starts(what, **groups):
    """With the test's own file behind the ones that are there."""
    text = "".join(f"[{group}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
                   for group, keys in home.groups(**groups).items())
    home.write_conf("90-test.conf", text)
    status = home.run("sealctl", "status")
    tap.equal((status.status, status.errors), (0, b""), f"{what}: status: {status.output}")
    sealed = home.seal(MESSAGE, "--", ALICE)
    tap.equal((sealed.status, sealed.errors), (0, b""), f"{what}: {home.log_text()}")
    tap.equal(mail.opened(sealed.output, home.alice), mail.inner_entity(MESSAGE), what)


def empty():
    for path in home.conf.iterdir():
        path.unlink()


@tap.test("the files of conf.d are installed as they are, and start: each alone, and together")
def _():
    missing = {p.name for p in (ROOT / "conf.d").glob("*.conf")} - {p.name for p in SHIPPED.iterdir()}
    left_out = {f"50-{name.replace('_', '-')}.conf" for name in ("pgp", "keys_store")
                if build_option(name) == "disabled"}
    tap.true(missing <= left_out, f"{missing}")
    for change in (lambda text: text, taken_in):
        empty()
        for path in sorted(SHIPPED.iterdir()):
            tap.equal(path.read_bytes(), (ROOT / "conf.d" / path.name).read_bytes(), path.name)
            home.write_conf(path.name, changed(path, change))
            starts(path.name)
            (home.conf / path.name).unlink()
        for path in SHIPPED.iterdir():
            home.write_conf(path.name, changed(path, change))
        starts("together")
    empty()


@tap.test("what the files show as defaults are the defaults")
def _():
    modules = {f"module {path.stem[3:]}": {} for path in SHIPPED.glob("[45]*.conf")}
    if (SHIPPED / "60-keys-ldap.conf").exists():
        modules["module keys-ldap"] = {"servers": "ldapi://%2Fnowhere", "base": "dc=example"}
    home.configure(modules)
    rows = json.loads(home.run("sealctl", "config", "--json").output)["settings"]
    said = {(row["group"], row["key"]): row["value"] for row in rows if row["from"] == "default"}
    said.update({("core", "log_target"): "auto", ("core", "state_dir"): "/var/lib/sealpipe",
                 ("policy", "encrypt"): "required"})
    compared = 0
    for path in SHIPPED.iterdir():
        for group, key, value in shown(path.read_text()):
            if path.name == "30-rules.conf":
                continue
            # Of a key source these are what the source itself says.
            if key in ("trust", "on_error"):
                continue
            tap.equal(value, said.get((group, key)), f"{path.name}: [{group}] {key}")
            compared += 1
    tap.true(compared > 20, f"compared {compared}")


@tap.test("the examples of rules can be taken in, all together")
def _():
    empty()
    text = (SHIPPED / "30-rules.conf").read_text()
    tap.true(examples(text).count("\n[rule ") >= 6, "rules")
    home.write_conf("30-rules.conf", examples(text).replace("example.org", "elsewhere.example"))
    starts("with the examples")
    empty()


def null_sender(report):
    kind = b"message/delivery-status" if report else b"text/plain"
    return (b"From: <MAILER-DAEMON@mta.test>\nTo: nobody@example.org\nSubject: s\nMIME-Version: 1.0\n"
            b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
            b"--b\n\nThe secret body.\n--b\nContent-Type: " + kind + b"\n\n"
            b"Reporting-MTA: dns; mta.test\n\nFinal-Recipient: rfc822; bob@example.org\n"
            b"Action: failed\nStatus: 5.1.1\n\n--b--\n")


@tap.test("by the shipped rule a delivery report leaves reduced, also where all has to be signed")
def _():
    home.configure({"policy": {"sign": "required"}, "module sign": {}})
    home.write_conf("30-rules.conf", (SHIPPED / "30-rules.conf").read_text())
    got = home.seal(null_sender(True), "-f", "", "--", "nobody@example.org")
    tap.equal(got.status, 0, home.log_text())
    tap.contains(got.output, b"Status: 5.1.1")
    tap.true(b"secret" not in got.output, "what it says itself")
    other = home.seal(null_sender(False), "-f", "", "--", "nobody@example.org")
    tap.equal(other.triple(), (75, b"", b""), "other mail of the null sender")
    empty()


@tap.test("a default list as shipped names what is not enabled; any other must name what is")
def _():
    lists = {("pipeline", "outbound"): "license;sign;smime;pgp", ("policy", "formats"): "smime;pgp",
             ("keyring", "sources"): "store;file;gnupg;ldap;hkp;wkd;dane;harvested"}
    for (group, key), shipped in lists.items():
        empty()
        starts(f"{key}={shipped}", **{group: {key: shipped}})
        starts(f"{key} with blanks", **{group: {key: shipped.replace(";", " ; ") + ";"}})
        for wrong in (shipped + ";smine", shipped.replace("smime", "smine").replace("file", "flie"),
                      shipped.rpartition(";")[2], ";".join(reversed(shipped.split(";")))):
            home.configure({group: {key: wrong}})
            got = home.seal(MESSAGE, "--", ALICE)
            tap.equal(got.triple(), (75, b"", b""), f"{key}={wrong}")
            status = home.run("sealctl", "status")
            tap.equal(status.status, 1, f"{key}={wrong}")
            tap.contains(status.errors.decode(), f"[{group}] {key}: no enabled module offers ")
    empty()
    starts("in a rule", **{"rule all": {"match_recipient": "*", "formats": "smime;pgp"}})
    home.configure()


tap.main()
