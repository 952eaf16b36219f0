# SPDX-License-Identifier: GPL-2.0-or-later
"""Every certificate of a corpus is judged, and the verdicts compared with a referee's.

The corpus is the folder that SEALPIPE_CERTIFICATES names, else ../shared/corpus/smime beside the
tree. certificates.tsv, which make-certificates writes, says what openssl finds and what is expected
of the smime module. Where the module differs, certificates-deviations.tsv must say so and why, and
what stands there must be so; it may name one certificate in twenty.

    certificates.py JUDGE
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import referee
import tap

CORPUS = pathlib.Path(os.environ.get("SEALPIPE_CERTIFICATES")
                      or HERE.parents[2] / "shared/corpus/smime")
MAX_DEVIATIONS = 0.05
COMPARED = ("manual", "early", "late", "verified", "addresses")


def rows_of(name):
    """Lines of a table, without comments, as dictionaries."""
    lines = [line for line in (HERE / name).read_text().splitlines() if line[:1] != "#"]
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"), strict=True)) for line in lines[1:] if line]


table = {row["sha256"]: row for row in rows_of("certificates.tsv")}
deviations = {(row["sha256"], row["what"]): row for row in rows_of("certificates-deviations.tsv")}

if not CORPUS.is_dir():
    tap.skip_all(f"no corpus: {CORPUS} is absent; 0 of {len(table)} certificates compared")


def ask(questions):
    """The module's answers, one line each."""
    lines = "".join("\t".join(map(str, question)) + "\n" for question in questions)
    result = subprocess.run([tap.arguments()[0]], input=lines.encode(), stdout=subprocess.PIPE,
                            timeout=500)
    tap.equal(result.returncode, 0, "exit status of the judge")
    answers = [line.split("\t") for line in result.stdout.decode().splitlines()]
    tap.equal(len(answers), len(questions), "answers")
    return answers


def write_pem(folder, name, ders):
    path = folder / f"{name}.pem"
    pems = [referee.openssl("x509", "-inform", "DER", data=der)[1] for der in ders]
    path.write_bytes(b"".join(pems))
    return path


def question(row, certificates, folder):
    """What to ask about one row, its certificates written out."""
    cert = folder / f"{row['sha256']}.der"
    cert.write_bytes(certificates[row["sha256"]])
    anchor = others = "-"
    if row["anchor"] != "-":
        anchor = write_pem(folder, f"{row['sha256']}.anchor", [certificates[row["anchor"]]])
    if row["chain"] != "-":
        chain = [certificates[sha256] for sha256 in row["chain"].split(",")]
        others = write_pem(folder, f"{row['sha256']}.chain", chain)
    return "judge", cert, anchor, others, row["at"], row["before"], row["after"]


def verdicts(answer):
    """{column: what the module says}"""
    if answer == ["unread"]:
        return dict.fromkeys(COMPARED, "unread")
    manual, early, late, verified, encrypts, *addresses = answer
    # A verdict that cannot be acted upon is none.
    if manual == "usable" and encrypts != "yes":
        manual = "usable, but encrypt() fails"
    text = "\n".join(sorted(set(addresses)))
    return {"manual": manual, "early": early, "late": late, "verified": verified,
            "addresses": hashlib.sha256(text.encode()).hexdigest() if addresses else "-"}


class Results:
    """What the tests below look at."""

    def __init__(self):
        self.held = referee.look_through(CORPUS)
        self.certificates = {}
        for found in self.held.values():
            self.certificates.update(found.certificates)
        self.unread = {sha256 for found in self.held.values() for sha256 in found.unread}
        self.differences = {}
        self.compared = 0

    def note(self, sha256, what, got, want):
        self.differences[sha256, what] = got, want

    def compare_verdicts(self, folder):
        rows = [row for row in table.values() if row["sha256"] in self.certificates
                and {row["anchor"], *row["chain"].split(",")} - {"-"} <= set(self.certificates)]
        answers = ask([question(row, self.certificates, folder) for row in rows])
        for row, answer in zip(rows, answers):
            for what, got in verdicts(answer).items():
                if got != row[what]:
                    self.note(row["sha256"], what, got, row[what])
        self.compared += len(rows)

    def compare_reading(self):
        """Files that read() is for: what openssl finds in them, and nothing else."""
        files = {name: found for name, found in self.held.items() if found.plain}
        answers = ask([("read", CORPUS / name) for name in files])
        for found, answer in zip(files.values(), answers):
            got = set(answer) - {"", "error"}
            for sha256 in set(found.certificates) - got:
                self.note(sha256, "read", "missed", "found")
            for sha256 in got - set(found.certificates):
                self.note(sha256, "read", "found", "missed")
        self.compared += len(self.unread & set(table))


results = Results()


@tap.test("the table has the corpus's certificates, and no others")
def _():
    have = set(results.certificates) | results.unread
    wrong = [f"not in the table (run make-certificates): {sha256}" for sha256 in have - set(table)]
    wrong += [f"not in the corpus: {sha256}" for sha256 in set(table) - have]
    tap.true(not wrong, "\n".join(sorted(wrong)))


@tap.test("the module's verdicts are those expected, but for the deviations listed")
def _():
    with tempfile.TemporaryDirectory() as folder:
        results.compare_verdicts(pathlib.Path(folder))
    results.compare_reading()
    wrong = []
    for key, (got, want) in results.differences.items():
        name = table.get(key[0], {}).get("file", "not in the table")
        if key not in deviations:
            wrong.append(f"not listed: {key[0]} {key[1]}: {got}, expected {want} ({name})")
        elif deviations[key]["got"] != got:
            wrong.append(f"listed as {deviations[key]['got']}: {key[0]} {key[1]}: {got} ({name})")
    wrong += [f"listed, but as expected: {' '.join(key)}"
              for key in deviations.keys() - results.differences.keys()]
    differing = {sha256 for sha256, _ in results.differences}
    tap.note(f"{results.compared} certificates compared of {len(table)} in the table, "
             f"{len(differing)} deviate")
    tap.true(not wrong, "\n".join(sorted(wrong)))
    tap.equal(results.compared, len(table), "certificates compared")


@tap.test("every deviation has a reason, and they are few")
def _():
    tap.true(all(row["reason"].strip() for row in deviations.values()), "one without a reason")
    certificates = {sha256 for sha256, _ in deviations}
    tap.true(len(certificates) <= MAX_DEVIATIONS * len(table),
             f"{len(certificates)} of {len(table)} certificates are listed")


tap.main()
