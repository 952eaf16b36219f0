# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may write what is believed: each place that policy or trust comes from, made writable for
others, given away, or behind a link to what others can write. Nothing runs then, and the log names
the path and the setting that led there."""

import os
import pathlib
import pwd
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import tap
from home import Home

ALICE = "alice@example.org"
PLAIN = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe body.\n"
STRANGER = 12345

home = Home("owners")
text = home.folder / "report.txt"
phrase = home.folder / "phrase"
keys = home.folder / "server-keys"
lists = home.folder / "crls"
alice = home.certs / home.alice.cert.name


def prepare():
    """As it should be: everything is ours, and who likes can read all but the secrets."""
    for path in (keys, lists):
        path.mkdir(exist_ok=True)
    text.write_text("Call 555.\n")
    phrase.write_text("secret\n")
    shutil.copy(home.alice.cert, home.certs)
    pem = home.alice.cert.read_bytes() + home.alice.key.read_bytes()
    (keys / "alice.pem").write_bytes(pem)
    (lists / "README").write_text("Lists come here.\n")
    for path in (home.folder, *home.folder.rglob("*")):
        if not path.is_symlink() and home.folder / "authority" not in path.parents:
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
    for path in (phrase, keys / "alice.pem"):
        os.chmod(path, 0o600)
    os.chmod(home.state, 0o700)
    home.configure({
        "policy": {"encrypt": "required", "fallback": "report", "report_text": text},
        "module smime": {"trust_anchors": home.authority.cert, "server_keys": keys,
                         "passphrase_file": phrase, "crls": lists},
    })
    os.chmod(home.conf / "50-test.conf", 0o644)
    home.clear_log()


def refused(named, setting=None):
    result = home.seal(PLAIN, "--", ALICE)
    tap.equal(result.triple(), (75, b"", b""))
    tap.equal(home.check("--", ALICE).status, 75)
    status = home.run("sealctl", "status")
    tap.equal(status.status, 1)
    said = status.errors.decode()
    tap.contains(said, f"{named} ")
    if setting:
        tap.contains(said, f"/50-test.conf:")
        tap.contains(said, f"{setting}: ")
        tap.contains(home.log_text(), f"{named} ")


@tap.test("where everything is ours, mail is sealed; others may read what is no secret")
def _():
    prepare()
    tap.equal(home.seal(PLAIN, "--", ALICE).status, 0, home.log_text())


PLACES = {
    "conf.d": (home.conf, None),
    "a file of conf.d": (home.conf / "50-test.conf", None),
    "the folder above it all": (home.folder, None),
    "trust anchors": (home.authority.cert, "trust_anchors"),
    "the folder above the anchors": (home.authority.cert.parent, "trust_anchors"),
    "the folder of keys": (home.certs, "paths"),
    "a file in it": (alice, "paths"),
    "the folder of lists": (lists, "crls"),
    "a file in it, whatever it is": (lists / "README", "crls"),
    "the folder of server keys": (keys, "server_keys"),
    "a server key": (keys / "alice.pem", "server_keys"),
    "the passphrase": (phrase, "passphrase_file"),
    "the text of reports": (text, "report_text"),
}

for _what, (_path, _setting) in PLACES.items():
    @tap.test(f"others may write: {_what}")
    def _(path=_path, setting=_setting):
        prepare()
        os.chmod(path, path.stat().st_mode | 0o002)
        if path in (phrase, keys / "alice.pem"):
            tap.equal(home.seal(PLAIN, "--", ALICE).triple(), (75, b"", b""))
            tap.contains(home.log_text(), str(path))
        else:
            refused(path, setting)
        os.chmod(path, path.stat().st_mode & ~0o002)

    @tap.test(f"somebody else's: {_what}")
    def _(path=_path, setting=_setting):
        if os.getuid() != 0:
            return tap.note("only root can give files away")
        prepare()
        os.chown(path, STRANGER, 0)
        try:
            refused(path, setting)
        finally:
            os.chown(path, 0, 0)

    @tap.test(f"a group that is not the service's may write: {_what}")
    def _(path=_path, setting=_setting):
        if os.getuid() != 0:
            return tap.note("only root can give files away")
        prepare()
        os.chown(path, 0, STRANGER)
        os.chmod(path, path.stat().st_mode | 0o020)
        try:
            refused(path, setting)
        finally:
            os.chown(path, 0, 0)
            os.chmod(path, path.stat().st_mode & ~0o020)


@tap.test("a link is as good as what it leads to")
def _():
    prepare()
    away = home.folder / "away"
    away.mkdir()
    os.chmod(away, 0o755)
    target = away / "bob.pem"
    shutil.copy(home.bob.cert, target)
    os.chmod(target, 0o644)
    link = home.certs / "linked.pem"
    link.symlink_to("../away/bob.pem")
    tap.equal(home.seal(PLAIN, "--", ALICE).status, 0, home.log_text())
    os.chmod(target, 0o666)
    refused(target, "paths")
    os.chmod(target, 0o644)
    os.chmod(away, 0o777)
    refused(away, "paths")
    link.unlink()
    shutil.rmtree(away)


@tap.test("a licence that others may write is refused before it is read")
def _():
    prepare()
    licence = home.folder / "licence"
    licence.write_text("none\n")
    os.chmod(licence, 0o666)
    home.configure({"module license": {"file": licence}})
    result = home.run("sealctl", "status")
    tap.equal(result.status, 1)
    tap.contains(result.errors.decode(), f"[module license] file: {licence} can be written")
    licence.unlink()


@tap.test("a group of the service's own may write")
def _():
    prepare()
    for path in (home.certs, alice, home.conf):
        os.chmod(path, path.stat().st_mode | 0o020)
    tap.equal(home.seal(PLAIN, "--", ALICE).status, 0, home.log_text())


@tap.test("root becomes the user whose state folder it is, and believes what he believes")
def _():
    if os.getuid() != 0:
        return tap.note("only root looks after another user's")
    prepare()
    user = pwd.getpwnam("daemon")
    for path in (home.state, home.certs, alice, home.log):
        os.chown(path, user.pw_uid, user.pw_gid)
    os.chmod(alice, 0o664)
    # No secret of root's can be read now.
    home.configure({"module smime": {"server_keys": None, "passphrase_file": None}})
    tap.equal(home.check("--", ALICE).status, 0, home.log_text())
    other = {"user": 65534, "group": 65534, "extra_groups": []}
    os.chown(home.state, 65534, 65534)
    os.chmod(home.log, 0o666)
    result = home.seal(PLAIN, "--debug", "--", ALICE, **other)
    tap.equal((result.status, result.output), (75, b""))
    tap.contains(result.errors.decode(), f"{home.certs} ")
    for path in (home.state, home.certs, alice, home.log):
        os.chown(path, 0, 0)


tap.main()
