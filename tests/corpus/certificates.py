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
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
import referee
import tap
import verdicts

CORPUS = pathlib.Path(os.environ.get("SEALPIPE_CERTIFICATES")
                      or HERE.parents[2] / "shared/corpus/smime")
COMPARED = ("manual", "early", "late", "verified", "addresses")


results = verdicts.Verdicts(HERE / "certificates.tsv", HERE / "certificates-deviations.tsv",
                            "make-certificates", "certificates", referee.version())
table = results.table

if not CORPUS.is_dir():
    tap.skip_all(f"no corpus: {CORPUS} is absent; 0 of {len(table)} certificates compared")


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


def verdicts_of(answer):
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


held = referee.look_through(CORPUS)
certificates = {}
for what in held.values():
    certificates.update(what.certificates)
unread = {sha256 for found in held.values() for sha256 in found.unread}


def compare_verdicts(folder):
    rows = [row for row in table.values() if row["sha256"] in certificates
            and {row["anchor"], *row["chain"].split(",")} - {"-"} <= set(certificates)]
    questions = [question(row, certificates, folder) for row in rows]
    answers = verdicts.ask(tap.arguments()[0], questions)
    for row, answer in zip(rows, answers):
        results.compare(row["sha256"], verdicts_of(answer))
    results.compared += len(rows)


def compare_reading():
    """Files that read() is for: what openssl finds in them, and nothing else."""
    files = {name: found for name, found in held.items() if found.plain}
    answers = verdicts.ask(tap.arguments()[0], [("read", CORPUS / name) for name in files])
    for found, answer in zip(files.values(), answers):
        got = set(answer) - {"", "error"}
        for sha256 in set(found.certificates) - got:
            results.note(sha256, "read", "missed", "found")
        for sha256 in got - set(found.certificates):
            results.note(sha256, "read", "found", "missed")
    results.compared += len(unread & set(table))


@tap.test("the table has the corpus's certificates, and no others")
def _():
    results.check_complete(set(certificates) | unread)


@tap.test("the module's verdicts are those expected, but for the deviations listed")
def _():
    with tempfile.TemporaryDirectory() as folder:
        compare_verdicts(pathlib.Path(folder))
    compare_reading()
    results.check_differences()


@tap.test("every deviation has a reason, and they are few")
def _():
    results.check_deviations()


tap.main()
