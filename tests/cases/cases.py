# SPDX-License-Identifier: GPL-2.0-or-later
"""Every case of ../shared/cases beside the tree, or of the folder that SEALPIPE_CASES names, by its
own `run`; a result for each.

cases.py [--sanitize]: with sanitizers memory is not measured, time is given sixfold, and what they
report is a failure whatever the case wants.

todo.txt names the cases that do not hold yet, one a line. They are run as well: one that holds has
to leave the list. (With sanitizers it need not: it may be its memory that does not hold.)
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import home
import tap

HERE = pathlib.Path(__file__).resolve().parent
CASES = pathlib.Path(os.environ.get("SEALPIPE_CASES") or HERE.parents[2] / "shared/cases")
SANITIZED = "--sanitize" in sys.argv
AT_ONCE = 2
BOUND = 900  # seconds; met by faults only
SLOWER, LONGEST = 6, 100


def known():
    lines = (HERE / "todo.txt").read_text().splitlines()
    return {line for line in lines if line and "/" not in line and not line.startswith("#")}


def adapt(case, reports):
    """A copy's: no memory, more time, and a file for what sanitizers say."""
    options = f"log_path={reports}/{case.name}"
    sanitizers = f"env ASAN_OPTIONS={options}:detect_leaks=1 UBSAN_OPTIONS={options} "
    wants = []
    for line in (case / "want").read_text().splitlines():
        word, _, value = line.partition(" ")
        if word == "seconds":
            line = f"seconds {min(int(float(value) * SLOWER), LONGEST)}"
        if word != "memory-mib":
            wants.append(line)
    (case / "want").write_text("\n".join(wants) + "\n")
    lines = (case / "cmd").read_text().splitlines()
    (case / "cmd").write_text("".join(f"{sanitizers}{line}\n" for line in lines))


class Runner:
    def __init__(self):
        self.prefix, self.cases, self.reports = home.prefix(), CASES, None
        if SANITIZED:
            folder = home.temporary_folder("cases")
            self.cases, self.reports = folder / "cases", folder / "reports"
            shutil.copytree(CASES, self.cases, symlinks=True)
            self.reports.mkdir()
            for want in self.cases.glob("*/want"):
                adapt(want.parent, self.reports)

    def report(self, name):
        found = sorted(self.reports.glob(f"{name}.*")) if self.reports else []
        return found[0].read_text(errors="replace")[:3000] if found else ""

    def run(self, name):
        """("ok", "not ok" or "skip", what is to be said of it)"""
        try:
            result = subprocess.run([CASES / "run", "--prefix", self.prefix, "--cases", self.cases, name],
                                    capture_output=True, text=True, errors="replace", timeout=BOUND)
        except subprocess.TimeoutExpired:
            return "not ok", f"not within {BOUND} s"
        line = (result.stdout.splitlines() or [""])[0]
        report = self.report(name)
        if report:
            return "not ok", f"{line}\n{report}"
        if result.returncode == 0 and line in (f"ok {name}", f"skip {name}"):
            return line.split()[0], ""
        return "not ok", line or result.stderr[-1000:]


def print_result(number, name, result, text, todo):
    """True where it is as it is expected to be."""
    if result == "skip":
        print(f"ok {number} - {name} # SKIP its setup cannot be made here", flush=True)
    elif result == "ok" and name in todo and not SANITIZED:
        print(f"not ok {number} - {name}: it holds now: take it from todo.txt", flush=True)
    else:
        todo_mark = " # TODO" if name in todo and result == "not ok" else ""
        print(f"{result} {number} - {name}{todo_mark}", flush=True)
    tap.note(text)
    return result == "skip" or (result == "ok") == (name not in todo) or (SANITIZED and name in todo)


def main():
    if not (CASES / "run").is_file():
        tap.skip_all(f"there are no cases in {CASES}")
    runner, todo = Runner(), known()
    names = sorted(want.parent.name for want in CASES.glob("*/want"))
    print(f"1..{len(names) + 1}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        good = [print_result(number, name, *ran, todo)
                for number, (name, ran) in enumerate(zip(names, pool.map(runner.run, names)), 1)]
    unknown = sorted(todo - set(names))
    print(f"{'not ' if unknown else ''}ok {len(names) + 1} - todo.txt names cases alone", flush=True)
    tap.note(" ".join(unknown))
    sys.exit(0 if all(good) and not unknown else 1)


main()
