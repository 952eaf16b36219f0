# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts what has run, subtest by subtest.

summary.py LABEL=LOG ...: names each failed and each skipped test with its reason, and ends with the
line `N passed, N failed, N skipped`. A log is the testlog.json of `meson test`, or TAP where its name
ends in .tap. Exits 1 if any failed, or none passed.
"""

import json
import re
import sys

RESULT = re.compile(r"(not )?ok\b ?(\d*)[ -]*(.*?)(?:\s+#\s*(SKIP|TODO)\b\S*\s*(.*))?$", re.I)
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*SKIP\S*\s*(.*))?", re.I)


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def skip(self, name, reason):
        self.skipped.append(f"{name}: {reason or 'no reason given'}")

    def line(self):
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def comments_after(lines, at):
    """The comments behind a failure say why."""
    found = []
    for line in lines[at + 1:]:
        if not line.startswith("#") or len(found) == 20:
            break
        found.append("    " + line[1:].strip())
    return found


def count_tap(count, name, lines, result):
    """Subtests, and what the plan promised but did not come."""
    planned, seen, failed_before = None, 0, len(count.failed)
    for at, line in enumerate(lines):
        plan, test = PLAN.match(line), RESULT.match(line)
        if plan:
            planned = int(plan[1])
            if planned == 0:
                count.skip(name, plan[2])
        elif test:
            seen += 1
            full = f"{name}: {test[3]}"
            if (test[4] or "").upper() == "SKIP":
                count.skip(full, test[5])
            elif test[1] and (test[4] or "").upper() != "TODO":
                count.failed.append("\n".join([full, *comments_after(lines, at)]))
            else:
                count.passed += 1
        elif line.startswith("Bail out!"):
            count.failed.append(f"{name}: {line}")
    if planned is None and seen == 0:
        count.failed.append(f"{name}: said nothing ({result})")
    elif planned is not None and seen != planned:
        count.failed.append(f"{name}: {seen} of {planned} tests ran ({result})")
    elif result not in ("OK", "SKIP") and len(count.failed) == failed_before:
        count.failed.append(f"{name}: {result}")


def count_test(count, label, test):
    name = f"{label}{test['name'].rpartition(' / ')[2]}"
    lines = (test.get("stdout") or "").splitlines()
    result = test["result"]
    if any(RESULT.match(line) or PLAN.match(line) for line in lines):
        count_tap(count, name, lines, result)
    elif result in ("OK", "EXPECTEDFAIL"):
        count.passed += 1
    elif result == "SKIP":
        count.skip(name, lines[-1] if lines else "")
    else:
        text = (test.get("stdout") or "") + (test.get("stderr") or "")
        count.failed.append("\n    ".join([f"{name}: {result}", *text.splitlines()[-10:]]))


def count_log(count, label, path):
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    if path.endswith(".tap"):
        count_tap(count, label, lines, "OK")
        return
    for line in filter(str.strip, lines):
        count_test(count, f"{label}: " if label else "", json.loads(line))


def main():
    count = Count()
    for argument in sys.argv[1:]:
        label, _, path = argument.rpartition("=")
        try:
            count_log(count, label, path)
        except OSError as error:
            count.failed.append(f"{label or 'tests'}: nothing has run: {error}")
    for word, names in (("skipped", count.skipped), ("FAILED", count.failed)):
        for name in names:
            print(f"{word}: {name}")
    print(count.line())
    sys.exit(1 if count.failed or not count.passed else 0)


main()
