# SPDX-License-Identifier: GPL-2.0-or-later
"""Every file of a corpus is imported, and what comes of it compared with what the referees find.

The corpus is the folder that SEALPIPE_IMPORTS names, else ../shared/corpus beside the tree.
imports.tsv, which make-imports writes, says what openssl, gpg, sq and keytool find. Where the
modules differ, imports-deviations.tsv must say so and why, and what stands there must be so; it may
name one file in twenty.

    imports.py JUDGE
"""

import hashlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import referee
import tap
import verdicts

CORPUS = pathlib.Path(os.environ.get("SEALPIPE_IMPORTS") or HERE.parents[2] / "shared/corpus")
FOLDERS = ("keystores", "ldap", "openpgp", "smime")
KNOWS_PBMAC1 = (3, 4)
# Of the hostile ones: files of each form, and variants of each.
FILES_OF_A_FORM = 6
MAX_LENGTH = 40000

results = verdicts.Verdicts(HERE / "imports.tsv", HERE / "imports-deviations.tsv", "make-imports",
                            "files", referee.version())
table = results.table

if not CORPUS.is_dir():
    tap.skip_all(f"no corpus: {CORPUS} is absent; 0 of {len(table)} files compared")

paths = {hashlib.sha256(path.read_bytes()).hexdigest(): path
         for folder in FOLDERS for path in sorted((CORPUS / folder).rglob("*")) if path.is_file()}


class Judge:
    """Asks the program, whose files are in a folder of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.secrets = {"-": "-"}

    def secret(self, passphrase):
        if passphrase not in self.secrets:
            path = self.folder / f"passphrase-{len(self.secrets)}"
            path.touch(mode=0o600)
            path.write_text(passphrase + "\n")
            self.secrets[passphrase] = path
        return self.secrets[passphrase]

    def ask(self, what, questions):
        """@questions: (path, passphrase)"""
        work = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        lines = "".join(f"{what}\t{path}\t{self.secret(word)}\n" for path, word in questions)
        result = subprocess.run([tap.arguments()[0], work], input=lines.encode(), timeout=500,
                                stdout=subprocess.PIPE)
        tap.equal(result.returncode, 0, "exit status of the judge")
        answers = [line.split("\t") for line in result.stdout.decode().splitlines()]
        tap.equal(len(answers), len(questions), "answers")
        return answers


def hash_of(words):
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest() if words else "-"


def outcome(row, answer):
    """{column: what came of it}"""
    private, left, failed, says, *fingerprints = answer
    named = row["says"] == "-" or row["says"] in says
    return {"private": private, "left": left, "failed": failed,
            "keys": str(len(set(fingerprints))), "found": hash_of(set(fingerprints)),
            "says": row["says"] if named else says or "nothing"}


def expected(row):
    """What a row says with this OpenSSL; and no module reads Java's stores: sealctl names them."""
    if "no-java" in row["rules"]:
        return row | {"failed": "0", "says": "-"}
    if "pbmac1" not in row["form"] or referee.version() >= KNOWS_PBMAC1:
        return row
    return row | {"keys": "0", "private": "0", "failed": "1", "found": "-", "says": "PBMAC1"}


@tap.test("the table has the corpus's files, and no others")
def _():
    results.check_complete(set(paths))


@tap.test("what is imported is what is expected, but for the deviations listed")
def _():
    for sha256 in table:
        table[sha256] = expected(table[sha256])
    known = sorted(set(paths) & set(table))
    with tempfile.TemporaryDirectory() as folder:
        answers = Judge(folder).ask("import", [(paths[sha256], table[sha256]["passphrase"])
                                               for sha256 in known])
    for sha256, answer in zip(known, answers):
        results.compare(sha256, outcome(table[sha256], answer))
    results.compared = len(known)
    results.check_differences()


@tap.test("every deviation has a reason, and they are few")
def _():
    results.check_deviations()


@tap.test("what a passphrase opens says without one that it takes one")
def _():
    sealed = [row for row in table.values() if row["passphrase"] != "-" and row["sha256"] in paths
              and row["failed"] == "0"]
    tap.true(len(sealed) > 10, f"{len(sealed)} files")
    with tempfile.TemporaryDirectory() as folder:
        answers = Judge(folder).ask("import", [(paths[row["sha256"]], "-") for row in sealed])
    wrong = [f"{row['file']}: {answer}" for row, answer in zip(sealed, answers)
             if answer[2] != "1" or "passphrase" not in answer[3] or len(answer) > 4]
    tap.true(not wrong, "\n".join(wrong))


# ------------------------------------------------------------------------------------------
# Hostile ones

def variants(data, seed):
    """Broken off, and with octets turned over: in the beginning, where lengths are, above all."""
    chance = random.Random(seed)
    for share in (0.02, 0.3, 0.97):
        yield data[:int(len(data) * share)]
    for reach in (16, 16, 64, 64, 512, len(data), len(data)):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 3))):
            changed[chance.randrange(min(reach, len(data)))] ^= 1 << chance.randrange(8)
        yield bytes(changed)
    for octet in (0x7f, 0xff):
        changed = bytearray(data)
        at = chance.randrange(min(64, len(data)))
        changed[at:at + 4] = bytes([octet] * len(changed[at:at + 4]))
        yield bytes(changed)


def some_of_each_form():
    forms = {}
    for sha256, row in sorted(table.items()):
        if sha256 in paths and 0 < paths[sha256].stat().st_size < MAX_LENGTH:
            forms.setdefault(row["form"], []).append(row)
    return [row for rows in forms.values() for row in rows[:FILES_OF_A_FORM]]


@tap.test("files that were changed take no more than 2 s and 256 MiB, and end nothing")
def _():
    with tempfile.TemporaryDirectory() as folder:
        questions, names = [], []
        for row in some_of_each_form():
            data = paths[row["sha256"]].read_bytes()
            for number, changed in enumerate(variants(data, row["sha256"])):
                path = pathlib.Path(folder) / f"{row['sha256']}.{number}"
                path.write_bytes(changed)
                questions.append((path, row["passphrase"]))
                names.append(f"{row['file']} ({row['form']}), variant {number}")
        answers = Judge(folder).ask("hostile", questions)
    tap.note(f"{len(answers)} variants of {len(some_of_each_form())} files")
    wrong = [f"{name}: {answer}" for name, answer in zip(names, answers) if answer != ["done"]]
    tap.true(not wrong, "\n".join(wrong))
    tap.true(len(some_of_each_form()) >= 60, "fewer than 60 files")


# What sealctl reads of one file at most; with sanitizers, to whom each search is the whole rest, less.
LARGE = 1 << 19 if "sanitized" in tap.arguments() else 16 << 20
SHAPES = {
    "SEQUENCEs without an end in one another": b"\x30\x80",
    "certificates without anything in them":
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "blocks that only begin": b"-----BEGIN ",
    "key blocks that break off":
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQEN\n-----END PGP PUBLIC KEY BLOCK-----\n",
    "messages that only begin": b"\n-----BEGIN PGP MESSAGE",
    "packets that are too short": b"\x99\x00\x06\x04\x00\x00\x00\x00\x01",
    "the smallest keys": b"\xc6\x0a\x04\x00\x00\x00\x01\x01\x00\x01\x01\x00",
    "letters of base64": b"MIIB",
}


@tap.test("nor do the largest files of the smallest things")
def _():
    with tempfile.TemporaryDirectory() as folder:
        questions = []
        for number, shape in enumerate(SHAPES.values()):
            path = pathlib.Path(folder) / str(number)
            path.write_bytes(shape * (LARGE // len(shape)))
            questions.append((path, "-"))
        answers = Judge(folder).ask("hostile", questions)
    wrong = [f"{name}: {answer}" for name, answer in zip(SHAPES, answers) if answer != ["done"]]
    tap.true(not wrong, "\n".join(wrong))


tap.main()
