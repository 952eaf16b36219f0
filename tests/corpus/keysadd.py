# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file of a corpus goes through `sealctl keys add`, as installed, into one store.

The corpus and imports.tsv are those of imports.py, which asks the modules alone; so are the
deviations. Here it is what people see: a row for each key, what is left and what fails, a named
refusal of Java's stores, "nothing" where nothing is, and what the store has at the end.
"""

import collections
import hashlib
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import referee
import tap
import verdicts
from home import Home, has_module

CORPUS = pathlib.Path(os.environ.get("SEALPIPE_IMPORTS") or HERE.parents[2] / "shared/corpus")
FOLDERS = ("keystores", "ldap", "openpgp", "smime")
MAX_ROWS = 300  # files of one call: all rows are told
KNOWS_PBMAC1 = (3, 4)

table = {row["sha256"]: row for row in verdicts.rows_of(HERE / "imports.tsv")}
deviant = {row["sha256"] for row in verdicts.rows_of(HERE / "imports-deviations.tsv")}

if not CORPUS.is_dir():
    tap.skip_all(f"no corpus: {CORPUS} is absent; 0 of {len(table)} files added")
if not all(has_module(name) for name in ("keys-store", "smime", "pgp")):
    tap.skip_all("built without the modules keys-store, smime and pgp")

home = Home("keysadd")
gnupg = home.folder / "gnupg"
gnupg.mkdir(mode=0o700)
subprocess.run(["gpg", "--homedir", gnupg, "--batch", "--list-keys"], check=True, capture_output=True)
home.configure({"module pgp": {"home": gnupg}, "module keys-store": {},
                "module keys-file": {"enabled": "false", "paths": None}})
paths = [path for folder in FOLDERS for path in sorted((CORPUS / folder).rglob("*"))
         if path.is_file()]
sha256s = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def row_of(path):
    row = table[sha256s[str(path)]]
    if "pbmac1" in row["form"] and referee.version() < KNOWS_PBMAC1:
        return row | {"keys": "0", "private": "0", "failed": "1", "found": "-", "says": "PBMAC1"}
    return row


def add(files, passphrase):
    """{path: (fingerprints, how much is left, what fails)}"""
    words = []
    if passphrase != "-":
        secret = home.folder / "passphrase"
        secret.touch(mode=0o600)
        secret.write_text(passphrase + "\n")
        words = ["--passphrase-file", secret]
    result = home.run("sealctl", "keys", "add", "--json", *words, *files, timeout=120)
    tap.true(result.status in (0, 1), f"status {result.status}: {result.errors[-500:]}")
    answer = json.loads(result.output)
    found = collections.defaultdict(lambda: (set(), [], []))
    for row in answer["keys"]:
        found[row["file"]][0].add(row["fingerprint"])
    for row in answer["left_out"]:
        found[row["file"]][1].append(row["note"])
    for row in answer["problems"]:
        found[row["file"]][2].append(row["problem"])
    tap.equal(answer["files"], len(files), "files")
    for count, rows in (("found", "keys"), ("left", "left_out"), ("failed", "problems")):
        tap.equal(answer[count], len(answer[rows]), f"{count} and rows")
    tap.equal(result.status, 1 if answer["problems"] else 0, "status")
    return {str(path): found[str(path)] for path in files}


def hash_of(words):
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest() if words else "-"


def wrong_with(path, got):
    """What differs from the table."""
    row, (fingerprints, left, problems) = row_of(path), got
    all_left = int(row["private"]) + int(row["left"])
    failed = int(row["failed"])
    nothing = int(row["keys"]) + all_left + failed == 0
    if hash_of(fingerprints) != row["found"]:
        return f"{len(fingerprints)} keys, expected {row['keys']}"
    if len(left) != all_left:
        return f"left {left}, expected {all_left}"
    if len(problems) != failed + nothing:
        return f"problems {problems}, expected {failed + nothing}"
    if nothing and "nothing in it is a key" not in problems[0]:
        return f"{problems}, expected that there is nothing in it"
    if row["says"] != "-" and row["says"] not in problems[0]:
        return f"{problems}, expected {row['says']}"
    return None


results = {}


@tap.test("every file comes to what openssl, gpg, sq and keytool find in it")
def _():
    by_passphrase = collections.defaultdict(list)
    for path in paths:
        by_passphrase[row_of(path)["passphrase"]].append(path)
    for passphrase, files in by_passphrase.items():
        for i in range(0, len(files), MAX_ROWS):
            results.update(add(files[i:i + MAX_ROWS], passphrase))
    wrong = {path: why for path in paths if (why := wrong_with(path, results[str(path)]))}
    known = {path for path in wrong if sha256s[str(path)] in deviant}
    tap.note(f"{len(paths)} files, {len(wrong)} deviate ({100 * len(wrong) / len(paths):.1f} %)")
    tap.true(set(wrong) <= known, "\n".join(f"{path}: {why}" for path, why in wrong.items()
                                           if path not in known))
    tap.true(len(wrong) <= verdicts.MAX_DEVIATIONS * len(paths), f"{len(wrong)} deviate")


@tap.test("the store has each key once, and none of the private ones")
def _():
    result = home.run("sealctl", "keys", "list", "--json", timeout=120)
    tap.equal(result.status, 0, "status")
    listed = [(row["format"], row["fingerprint"]) for row in json.loads(result.output)["keys"]]
    added = set().union(*(fingerprints for fingerprints, _, _ in results.values()))
    tap.equal(len(listed), len(set(listed)), "a key is listed once")
    tap.equal({fingerprint for _, fingerprint in listed}, added, "fingerprints")
    for path in home.state.rglob("*"):
        if path.is_file():
            octets = path.read_bytes()
            tap.true(b"PRIVATE KEY" not in octets, f"{path.name} has a private key")


@tap.test("a revocation in the file of its key counts")
def _():
    folder = CORPUS / "openpgp/bre-samples/certificates"
    both = home.folder / "both.asc"
    both.write_bytes((folder / "alice.pgp").read_bytes() + b"\n" +
                     (folder / "alice-revocation.pgp").read_bytes())
    whole = "eb85bb5fa33a75e15e944e63f231550c4f47e38e"
    result = home.run("sealctl", "keys", "remove", whole)
    tap.equal(result.status, 0, f"remove: {result.errors}")
    tap.equal(home.run("sealctl", "keys", "add", both).status, 0, "add")
    result = home.run("sealctl", "keys", "show", "--json", whole)
    for key in json.loads(result.output)["keys"]:
        tap.equal(key["usable"], False, "usable")
        tap.contains(key["verdict"], "was revoked")


tap.main()
