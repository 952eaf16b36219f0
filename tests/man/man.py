# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed manual pages, against the programs and the tables that they describe.

man.py MODULES: the modules that this build has, with commas between them.
"""

import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/lib"))
import tables as tables_of
import tap
from home import prefix

PREFIX = prefix()
MAN = PREFIX / "share/man"
MODULES = [name for name in tap.arguments()[0].split(", ") if name]
PROGRAMS = sorted(path for folder in ("bin", "sbin") for path in PREFIX.glob(f"{folder}/*"))
OF_MODULES = [name for name in MODULES if name != "example"]
OTHERS = [("sealpipe.conf", "5"), ("sealpipe-modules", "7"), *((f"sealpipe-{name}", "7") for name in OF_MODULES)]
OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
ENV = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENV)


def pages():
    return sorted(path for path in MAN.rglob("*") if path.is_file())


def plain(roff):
    """What a line of roff says, without its requests and fonts."""
    words = re.sub(r"\\f[A-Z]|^\.[A-Z]+ ", "", roff)
    return words.replace("\\-", "-").replace('"', "").strip()


def section(path, title, level="SH"):
    """The lines of a section, to the next one of its level or above."""
    lines, inside = [], False
    for line in path.read_text().splitlines():
        if line.startswith(".SH ") or (level == "SS" and line.startswith(".SS ")):
            inside = line == f".{level} {title}"
        elif inside:
            lines.append(line)
    return lines


def tags(lines):
    """The heads of its paragraphs: what follows .TP."""
    return [plain(line) for before, line in zip(lines, lines[1:]) if before == ".TP"]


def options(text):
    """Those of a --help: the first column of its list. The rest is prose."""
    return {option for line in text.splitlines() if re.match(r"\s+--?\w", line)
            for option in OPTION.findall(re.split(r" {2,}", line.strip())[0])}


def page_of(program):
    found = list(MAN.glob(f"man[18]/{program.name}.[18]"))
    tap.equal(len(found), 1, f"pages of {program.name}")
    return found[0]


@tap.test("every program has a page, and man finds each page")
def _():
    tap.true(len(PROGRAMS) >= 2, f"programs: {PROGRAMS}")
    wanted = [(p.name, page_of(p).suffix[1:]) for p in PROGRAMS] + OTHERS
    for name, number in wanted:
        found = run("man", "-M", str(MAN), "-w", number, name)
        tap.equal((found.stdout.strip(), found.stderr), (f"{MAN}/man{number}/{name}.{number}", ""),
                  f"man {number} {name}")
    tap.equal(len(pages()), len(wanted), "number of pages")


@tap.test("man finds the pages by itself where the programs are in the path")
def _():
    found = subprocess.run(["man", "-w", "8", "sealpipe"], capture_output=True, text=True,
                           timeout=60, env={**ENV, "PATH": f"{PREFIX}/bin:/usr/bin:/bin"})
    tap.equal(found.stdout.strip(), f"{MAN}/man8/sealpipe.8", "man -w 8 sealpipe")


@tap.test("the pages are formatted without a warning")
def _():
    for page in pages():
        for command in (["groff", "-man", "-ww", "-z", "-Tutf8"], ["man", "--warnings=w", "-l"]):
            result = run(*command, str(page))
            tap.equal((result.returncode, result.stderr), (0, ""), f"{command[0]}: {page.name}")


@tap.test("each page has the parts that a page has, and no place is left unfilled")
def _():
    for page in pages():
        text = page.read_text()
        name = page.name.rpartition(".")[0]
        tap.true(re.search(rf'^\.SH NAME\n{re.escape(name)} \\- [^\n]+\n\.SH SYNOPSIS', text, re.M),
                 f"{page.name}: no NAME and SYNOPSIS")
        tap.contains(text, "\n.SH SEE ALSO\n", page.name)
        tap.true(not re.search(r"@[A-Z]+@", text), f"{page.name}: a place is left unfilled")
        for other, number in re.findall(r"\b(sealpipe[\w.\\-]*|seal\w+) \((\d)\)", text):
            tap.true((MAN / f"man{number}" / f"{other}.{number}".replace("\\", "")).is_file(),
                     f"{page.name}: there is no {other}({number})")


@tap.test("every option of --help stands in the page, and the other way round")
def _():
    for program in PROGRAMS:
        page = page_of(program)
        text = run(str(program), "--help").stdout
        said = options(text)
        tap.true({"-c", "--help", "--version"} <= said, f"{program.name} --help: {said}")
        documented = {o for tag in tags(section(page, "OPTIONS")) for o in OPTION.findall(tag)}
        tap.equal(documented, said, f"options of {page.name}")
        shown = {o for line in section(page, "SYNOPSIS") for o in OPTION.findall(plain(line))}
        tap.equal(shown, said - {"--help", "--version"}, f"synopsis of {page.name}")


@tap.test("every command of sealctl --help stands in its page, with the options of its module")
def _():
    sealctl = str(PREFIX / "bin/sealctl")
    listed = run(sealctl, "--help").stdout.partition("Commands:\n")[2].partition("\n\n")[0]
    commands = re.findall(r"^  ([a-z]+)(?: COMMAND)? ", listed, re.M)
    heads = tags(section(MAN / "man8/sealctl.8", "COMMANDS"))
    tap.true({"status", "suspend", "resume", "modules", "config"} <= set(commands), f"{commands}")
    for command in set(commands) - {name.split()[0] for name in MODULES} - {"help", "keys"}:
        said = options(run(sealctl, command, "--help").stdout)
        documented = [set(OPTION.findall(head)) for head in heads if head.split()[0] == command]
        tap.equal(documented, [said], f"{command} in the page")
    for name in MODULES:
        said = {}
        for path in (SOURCE / "modules" / name).glob("*.c"):
            joined = re.sub(r'"\s*"', "", path.read_text())
            for line in re.findall(r'COMMAND\(\w+,\s*"([^"]+)"', joined):
                said[" ".join(line.split()[:2])] = set(OPTION.findall(line))
        documented = {" ".join(head.split()[:2]): set(OPTION.findall(head)) for head in heads
                      if head.split()[0] == name}
        tap.equal(documented, said, f"commands of {name}")


@tap.test("every command of sealctl keys stands in the page, with its options")
def _():
    sealctl = str(PREFIX / "bin/sealctl")
    listed = run(sealctl, "keys", "--help").stdout
    said = {}
    for name in re.findall(r"^  ([a-z]+)", listed, re.M):
        text = run(sealctl, "keys", name, "--help").stdout
        said[f"keys {name}"] = options(text)
    heads = tags(section(MAN / "man8/sealctl.8", "COMMANDS"))
    documented = {" ".join(head.split()[:2]): set(OPTION.findall(head)) for head in heads
                  if head.split()[0] == "keys"}
    tap.true(len(said) > 10, f"{said}")
    tap.equal(documented, said, "commands of keys")


@tap.test("every setting stands in sealpipe.conf(5), and no other")
def _():
    page = MAN / "man5/sealpipe.conf.5"
    tables = {**tables_of.core(), **{f"module {name}": tables_of.module(name) for name in MODULES}}
    tap.true(len(tables["core"]) >= 10 and len(tables["policy"]) >= 10, f"tables: {tables}")
    # What the store takes, core gives to every source.
    tap.true(all(keys for group, keys in tables.items() if group != "module keys-store"), f"tables: {tables}")
    headings = re.findall(r"^\.SS \[([^]]+)\]", page.read_text(), re.M)
    groups = {heading.removesuffix(" NAME"): heading for heading in headings}
    tap.equal(sorted(groups), sorted(tables), "groups")
    for group, keys in tables.items():
        lines = section(page, f"[{groups[group]}]", "SS")
        documented = [tag.partition(" = ")[0] for tag in tags(lines)]
        tap.equal(sorted(documented), sorted(keys), f"settings of [{group}]")
        # What each is for, in words, and of which kind.
        for line, after in zip(lines, lines[2:]):
            if line == ".TP":
                tap.true(re.match(r"\S.* \(", after), f"[{group}]: no help: {after}")


@tap.test("every module has a page, with its settings, and no others")
def _():
    for name in OF_MODULES:
        page = MAN / f"man7/sealpipe-{name}.7"
        documented = [tag.partition(" = ")[0] for tag in tags(section(page, "SETTINGS"))]
        tap.equal(documented, tables_of.module(name), f"settings of {page.name}")
        # What its text names in bold as a setting is one, of its own or of core.
        known = {key for keys in tables_of.groups().values() for key in keys}
        for key in re.findall(r"\\fB(?:\[[a-z -]+\] )?([a-z]+_[a-z_]+)(?:=\w+)?\\fR", page.read_text()):
            tap.true(key in known, f"{page.name}: there is no setting {key}")


@tap.test("what every module takes stands in sealpipe.conf(5)")
def _():
    keys = set(tables_of.every_module())
    tap.true({"enabled", "trust", "on_error"} <= keys, f"keys: {keys}")
    described = " ".join(section(MAN / "man5/sealpipe.conf.5", "DESCRIPTION"))
    for key in keys:
        tap.true(re.search(rf"\.B {key}\b", described), f"{key} is not described")


@tap.test("what the page on modules names is in the header")
def _():
    headers = PREFIX / "include/sealpipe/core"
    header = (headers / "sealpipe.h").read_text() + (headers / "sealpipe-keeping.h").read_text() + (headers / "sealpipe-files.h").read_text() + (headers / "sealpipe-keys.h").read_text()
    page = (MAN / "man7/sealpipe-modules.7").read_text()
    names = set(re.findall(r"\b(?:seal_\w+|Seal[A-Z]\w+|SEAL_\w+)", page))
    tap.true(len(names) > 10, f"names: {names}")
    for name in names:
        tap.true(re.search(rf"\b{name}\b", header), f"{name} is not declared")
    # Every extension point, and every step of a module's life.
    body = re.search(r"SealModuleHead head;.*?\} SealModuleDescriptor;", header, re.S)[0]
    for table in re.findall(r"const (Seal\w+) \*const \*", body):
        tap.contains(page, f"({table})", "sealpipe-modules.7")
    for step in re.findall(r"\(\*(\w+)\)\(", body):
        tap.true(re.search(rf"\b{step}\b", page), f"{step} is not described")


tap.main()
