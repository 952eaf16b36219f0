# SPDX-License-Identifier: GPL-2.0-or-later
"""Every OpenPGP key of a corpus is judged, and the verdicts compared with the referees'.

The corpus is the folder that SEALPIPE_KEYS names, else ../shared/corpus/openpgp beside the tree.
keys.tsv and key-files.tsv, which make-keys writes, say what gpg, sq and rnp find, and what is
expected of the pgp module. Where the module differs, keys-deviations.tsv must say so and why, and
what stands there must be so; it may name one key in twenty, and one file.

    keys.py JUDGE
"""

import hashlib
import os
import pathlib
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import keyblocks
import tap
import verdicts

CORPUS = pathlib.Path(os.environ.get("SEALPIPE_KEYS")
                      or HERE.parents[2] / "shared/corpus/openpgp")

DEVIATIONS = HERE / "keys-deviations.tsv"
keys = verdicts.Verdicts(HERE / "keys.tsv", DEVIATIONS, "make-keys", "keys")
files = verdicts.Verdicts(HERE / "key-files.tsv", DEVIATIONS, "make-keys", "files")

if not CORPUS.is_dir():
    tap.skip_all(f"no corpus: {CORPUS} is absent; 0 of {len(keys.table)} keys and 0 of "
                 f"{len(files.table)} files compared")


def hash_of(words):
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest() if words else "-"


def key_verdicts(answer):
    """{column: what the module says}"""
    if answer == ["unread"]:
        return dict.fromkeys(("at-time", "early", "late"), "unread") | {"addresses": "-"}
    at_time, early, late, encrypts, *addresses = answer
    # A verdict that cannot be acted upon is none.
    if encrypts == "no":
        at_time = "usable, but encrypt() fails"
    return {"at-time": at_time, "early": early, "late": late, "addresses": hash_of(set(addresses))}


held = keyblocks.look_through(CORPUS)
octets_of = {key.sha256: key.octets for found in held.values() for key in found.keys}
paths = {hashlib.sha256((CORPUS / name).read_bytes()).hexdigest(): CORPUS / name for name in held}


@tap.test("the tables have the corpus's keys and files, and no others")
def _():
    keys.check_complete(set(octets_of))
    files.check_complete(set(paths))


@tap.test("what is read from files is what is expected, but for the deviations listed")
def _():
    known = sorted(set(paths) & set(files.table))
    answers = verdicts.ask(tap.arguments()[0], [("read", paths[sha256]) for sha256 in known])
    for sha256, answer in zip(known, answers):
        files.compare(sha256, {"read": hash_of(set(answer) - {"", "error"})})
    files.compared = len(known)
    files.check_differences()


@tap.test("the module's verdicts are those expected, but for the deviations listed")
def _():
    known = [row for sha256, row in keys.table.items() if sha256 in octets_of]
    with tempfile.TemporaryDirectory() as folder:
        questions = []
        for row in known:
            path = pathlib.Path(folder) / row["sha256"]
            path.write_bytes(octets_of[row["sha256"]])
            questions.append(("judge", path, row["at"], row["before"], row["after"]))
        answers = verdicts.ask(tap.arguments()[0], questions)
    for row, answer in zip(known, answers):
        got = key_verdicts(answer)
        # Whose address it is nobody can say where gpg cannot read it; it is not used in any case.
        if row["gpg"] == "cannot read" and got["at-time"] != "usable":
            del got["addresses"]
        keys.compare(row["sha256"], got)
    keys.compared = len(known)
    keys.check_differences()


@tap.test("every deviation has a reason, and they are few")
def _():
    keys.check_deviations()
    files.check_deviations()
    everything = verdicts.rows_of(DEVIATIONS)
    tap.equal(len(everything), len(keys.deviations) + len(files.deviations), "lines that count")


tap.main()
