# SPDX-License-Identifier: GPL-2.0-or-later
"""A referee's verdicts in a table, a module's beside them, and the deviations that are allowed."""

import re
import subprocess

import tap

MAX_DEVIATIONS = 0.05


def rows_of(path):
    """Lines of a table, without comments, as dictionaries."""
    lines = [line for line in path.read_text().splitlines() if line[:1] != "#"]
    head = lines[0].split("\t")
    return [dict(zip(head, line.split("\t"), strict=True)) for line in lines[1:] if line]


def version_of(text):
    """As numbers; none for what is none."""
    return tuple(map(int, re.findall(r"\d+", text)))


def ask(judge, questions):
    """The answers of the program @judge, one line each, as words."""
    lines = "".join("\t".join(map(str, question)) + "\n" for question in questions)
    result = subprocess.run([judge], input=lines.encode(), stdout=subprocess.PIPE, timeout=500)
    tap.equal(result.returncode, 0, "exit status of the judge")
    answers = [line.split("\t") for line in result.stdout.decode().splitlines()]
    tap.equal(len(answers), len(questions), "answers")
    return answers


class Verdicts:
    """@table: rows by SHA-256; @deviations: rows by SHA-256 and column, those of @version; @maker
    writes the table."""

    def __init__(self, table, deviations, maker, what, version=()):
        self.table = {row["sha256"]: row for row in rows_of(table)}
        self.deviations = {(row["sha256"], row["what"]): row for row in rows_of(deviations)}
        self.deviations = {key: row for key, row in self.deviations.items()
                           if row.get("table", table.name) == table.name
                           and version_of(row.get("since", "-")) <= version}
        self.maker, self.what = maker, what
        self.differences = {}
        self.compared = 0

    def compare(self, sha256, verdicts):
        """@verdicts: {column: what the module says}"""
        for what, got in verdicts.items():
            if got != self.table[sha256][what]:
                self.note(sha256, what, got, self.table[sha256][what])

    def note(self, sha256, what, got, want):
        self.differences[sha256, what] = got, want

    def check_complete(self, have):
        wrong = [f"not in the table (run {self.maker}): {sha256}"
                 for sha256 in have - set(self.table)]
        wrong += [f"not in the corpus: {sha256}" for sha256 in set(self.table) - have]
        tap.true(not wrong, "\n".join(sorted(wrong)))

    def check_differences(self):
        wrong = []
        for key, (got, want) in self.differences.items():
            name = self.table.get(key[0], {}).get("file", "not in the table")
            if key not in self.deviations:
                wrong.append(f"not listed: {key[0]} {key[1]}: {got}, expected {want} ({name})")
            elif self.deviations[key]["got"] != got:
                wrong.append(f"listed as {self.deviations[key]['got']}: {key[0]} {key[1]}: {got} "
                             f"({name})")
        wrong += [f"listed, but as expected: {' '.join(key)}"
                  for key in self.deviations.keys() - self.differences.keys()]
        differing = {sha256 for sha256, _ in self.differences}
        tap.note(f"{self.compared} {self.what} compared of {len(self.table)} in the table, "
                 f"{len(differing)} deviate")
        tap.true(not wrong, "\n".join(sorted(wrong)))
        tap.equal(self.compared, len(self.table), f"{self.what} compared")

    def check_deviations(self):
        tap.true(all(row["reason"].strip() for row in self.deviations.values()),
                 "one without a reason")
        named = {sha256 for sha256, _ in self.deviations}
        tap.true(len(named) <= MAX_DEVIATIONS * len(self.table),
                 f"{len(named)} of {len(self.table)} {self.what} are listed")
