# SPDX-License-Identifier: GPL-2.0-or-later
"""What the pages for readers name, against the source and the installed programs: every block says which
test runs it, or why none does; programs, commands, options, settings and their values exist; links lead
somewhere."""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import snippets
import tables
import tap
from home import prefix

SOURCE = snippets.SOURCE
PREFIX = prefix()
# Those for who runs it: each block in them is run, or says why it is not.
READERS = [SOURCE / "README.md", SOURCE / "docs/rollout.md", *sorted(SOURCE.glob("docs/guide/*.md")),
           *sorted(SOURCE.glob("docs/recipes/*.md"))]
ALL = [*READERS, *(SOURCE / name for name in ("CONTRIBUTING.md", "SECURITY.md", "NEWS.md")),
       *sorted(SOURCE.glob("docs/*.md")), *sorted(SOURCE.glob("docs/mta/*.md"))]
# Whose pieces have a name: the tests of tests/mta.
NAMED = ("exim", "exim-debian", "postfix", "sendmail", "opensmtpd")
PROGRAMS = sorted(path for folder in ("bin", "sbin") for path in PREFIX.glob(f"{folder}/*"))
OPTION = re.compile(r"(?<![\w-])(--?[A-Za-z][\w-]*)")
GROUPS = tables.groups()
CHOICES = tables.choices()


def name_of(page):
    return str(page.relative_to(SOURCE))


def help_of(*words):
    result = subprocess.run([str(PREFIX / "bin" / words[0]) if words[0] != "sealpiped" else
                             str(PREFIX / "sbin" / words[0]), *words[1:], "--help"],
                            capture_output=True, text=True, timeout=60)
    return result.stdout if result.returncode == 0 else ""


HELP = {path.name: help_of(path.name) for path in PROGRAMS}
COMMANDS = {match[0]: match[1] for match in re.findall(r"^  ([a-z]+)( COMMAND)?", HELP["sealctl"], re.M)}
SUBS = {}


def subcommands(command):
    """{name: its help} of `sealctl keys` and its like."""
    if command not in SUBS:
        names = re.findall(r"^  ([a-z]+)", help_of("sealctl", command), re.M)
        SUBS[command] = {name: help_of("sealctl", command, name) for name in names}
    return SUBS[command]


def simple_commands(text):
    """The commands of ours in lines of sh: lists of words, without what stands in quotes."""
    joined = re.sub(r"\\\n\s*", " ", text)
    joined = re.sub(r"'[^']*'|\"[^\"]*\"", "QUOTED", joined)
    for part in re.split(r"[|;&\n()]+", joined):
        words = re.sub(r"#.*", "", part).split()
        for at, word in enumerate(words):
            name = word.rpartition("/")[2]
            if name in HELP and (at == 0 or words[at - 1] in ("--", "if", "!", "exec") or word.startswith("/usr")):
                yield [name, *words[at + 1:]]
                break


def check_command(words, where):
    """@words: a program of ours and what stands behind it."""
    program, rest = words[0], words[1:]
    if program == "sealctl":
        check_sealctl(rest, where)
        return
    for option in options_of(rest):
        tap.true(option in OPTION.findall(HELP[program]), f"{where}: {program} has no {option}")


def options_of(words):
    before = words[:words.index("--")] if "--" in words else words
    return [option for word in before if word.startswith("-") and word != "-"
            for option in OPTION.findall(word.partition("=")[0])]


def check_sealctl(rest, where):
    names = [word for word in rest if re.fullmatch(r"[a-z]+", word)]
    options = set(options_of(rest))
    text = HELP["sealctl"]
    if names:
        tap.true(names[0] in COMMANDS, f"{where}: sealctl has no command {names[0]}")
        text += help_of("sealctl", names[0])
        if COMMANDS[names[0]] and len(names) > 1 and names[0] == "keys":
            subs = subcommands(names[0])
            tap.true(names[1] in subs, f"{where}: sealctl {names[0]} has no {names[1]}")
            text += subs[names[1]]
    if names[:1] != ["license"]:  # Its options stand in sealctl(8): see tests/man.
        for option in options:
            tap.true(option in OPTION.findall(text), f"{where}: sealctl {' '.join(names[:2])} has no {option}")


def check_settings(text, where):
    """Groups and settings as a file of conf.d has them."""
    keys = group = None
    for line in text.splitlines():
        if head := re.fullmatch(r"\s*\[(.+)\]", line):
            group = "rule" if head[1].startswith("rule ") else head[1]
            tap.true(group in GROUPS, f"{where}: there is no group [{head[1]}]")
            keys = GROUPS[group]
        elif re.match(r"\s*[a-z_]+=", line):
            key, _, value = line.strip().partition("=")
            tap.true(keys is not None and key in keys, f"{where}: [{group}] has no {key}")
            if key in CHOICES and group != "module license":
                tap.true(value in CHOICES[key], f"{where}: {key} is not {value}")
        elif line.strip() and not line.startswith("#"):
            raise AssertionError(f"{where}: neither group, setting nor comment: {line}")


@tap.test("every block of README, guide, rollout and recipes is run, or says why not")
def _():
    count = 0
    for page in READERS:
        for block in snippets.blocks(page):
            where = f"{name_of(page)}:{block.line}"
            tap.true(block.mark in (*snippets.MARKS, *NAMED), f"{where}: no test runs this, and it does not say why")
            tap.true(block.about or block.mark in ("run", "output"), f"{where}: {block.mark}: of what?")
            count += block.mark == "run"
        fences = len(re.findall(r"^```", page.read_text(), re.M))
        tap.equal(fences, 2 * len(snippets.blocks(page)), f"{name_of(page)}: fences")
    tap.true(count > 30, f"only {count} blocks are run")


@tap.test("programs, commands and options in blocks exist")
def _():
    count = 0
    for page in ALL:
        for block in snippets.blocks(page):
            if block.language in ("sh", "") and page.name != "NEWS.md":
                for words in simple_commands(block.text):
                    check_command(words, f"{name_of(page)}:{block.line}")
                    count += 1
    tap.true(count > 70, f"only {count} commands were found")


@tap.test("groups and settings in blocks exist, with their values")
def _():
    count = 0
    for page in ALL:
        for block in snippets.blocks(page):
            # systemd's units are of that form, too.
            if block.language == "ini" and "[Service]" not in block.text and page.name != "modules.md":
                check_settings(block.text, f"{name_of(page)}:{block.line}")
                count += 1
    tap.true(count > 30, f"only {count} blocks were found")


@tap.test("what stands in the text, as `sealctl ...` or `key=value`, exists as well")
def _():
    every = {key for keys in GROUPS.values() for key in keys}
    count = 0
    for page in READERS:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
        for span in re.findall(r"`([^`]+)`", prose):
            where = f"{name_of(page)}: `{span}`"
            words = re.sub(r"[|]", " ", span).split()
            if words and words[0] in HELP:
                check_command(words, where)
                count += 1
            elif found := re.fullmatch(r"(?:\[([a-z -]+)\] )?([a-z_]+)(?:=([\w;@./{}=-]*))?", span):
                group, key, value = found.groups()
                if group:
                    tap.true(group in GROUPS and key in GROUPS[group], where)
                elif value is not None and key not in ("origin", "by", "result", "to", "from"):
                    tap.true(key in every, where)
                if value and key in CHOICES:
                    tap.true(value in CHOICES[key], where)
                count += 1
    tap.true(count > 80, f"only {count} names were found")


def anchors(text):
    """GitHub's names of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@tap.test("links lead to pages and headings that there are")
def _():
    count = 0
    for page in ALL:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)):
            if "://" in target:
                continue
            file, _, heading = target.partition("#")
            there = (page.parent / file).resolve() if file else page
            tap.true(there.exists(), f"{name_of(page)}: no {target}")
            if heading:
                tap.true(heading in anchors(there.read_text()), f"{name_of(page)}: no heading {target}")
            count += 1
    tap.true(count > 60, f"only {count} links were found")


@tap.test("paths of installed programs are right, and manual pages that are named exist")
def _():
    for page in ALL:
        text = page.read_text()
        for folder, name in re.findall(r"/usr/(s?bin)/(seal[\w-]+)", text):
            tap.true((PREFIX / folder / name).exists(), f"{name_of(page)}: no /usr/{folder}/{name}")
        for name in re.findall(r"`man (?:\d )?(seal[\w.-]+)", text):
            tap.true(list((PREFIX / "share/man").rglob(f"{name}.[1-8]")), f"{name_of(page)}: no man page {name}")


@tap.test("README is two screens, and names each page of the guide and each recipe")
def _():
    text = (SOURCE / "README.md").read_text()
    tap.true(text.count("\n") <= 110, f"README has {text.count(chr(10))} lines")
    for page in READERS[1:]:
        tap.contains(text, f"]({name_of(page)})", "README")


@tap.test("the exit statuses in the pages are those of the manual pages")
def _():
    text = (SOURCE / "docs/guide/troubleshooting.md").read_text().partition("## Exit statuses")[2]
    for program, first, others in re.findall(r"^\| `(seal[\w-]+)` \| ([^|]*) \| ([^|]*) \|$", text, re.M):
        said = {"0", *re.findall(r"(?:^|; )(\d+): ", others)}
        roff = next((PREFIX / "share/man").rglob(f"{program}.8")).read_text()
        section = roff.partition(".SH EXIT STATUS")[2].partition("\n.SH ")[0]
        documented = set(re.findall(r"^\.(?:B|BR) (\d+)(?![.\d])", section, re.M))
        tap.equal(said, documented, f"{program}: {first}")
        tap.true(all(re.search(rf"\b{status}\b", HELP[program]) for status in said) or program == "sealpiped",
                 f"{program} --help does not have {said}")


tap.main()
