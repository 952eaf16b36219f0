# SPDX-License-Identifier: GPL-2.0-or-later
"""The blocks that a page of the documentation shows, for the tests that run them."""

import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# A comment names the piece that stands below it in a fence.
PIECE = re.compile(r"^<!-- ([\w-]+): ([\w/.-]+) -->\n```\w*\n(.*?)^```$", re.M | re.S)


BLOCK = re.compile(r"^(?:<!-- ([^\n]+) -->\n)?```(\w*)\n(.*?)^```$", re.M | re.S)
# Marks of blocks that are no pieces with a name: see blocks().
MARKS = ("run", "file", "output", "not run")


class Block:
    """@mark: run (typed as it stands), file (its place is @about), output (of the block before, with
    ... for anything), not run (@about says why), or whose test runs it, under the name @about."""

    def __init__(self, found, text):
        self.line = text.count("\n", 0, found.start()) + 1
        self.mark, _, self.about = (found[1] or "").partition(": ")
        self.language, self.text = found[2], found[3]


def blocks(path):
    """All fenced blocks of a page, in their order."""
    text = (SOURCE / path).read_text()
    return [Block(found, text) for found in BLOCK.finditer(text)]


def read(page, folder="docs/mta"):
    """{name: text} of @page."""
    text = (SOURCE / folder / page).read_text()
    pieces = {name: piece for _, name, piece in PIECE.findall(text)}
    others = len(re.findall(rf"^<!-- (?:{'|'.join(MARKS)})\b", text, re.M))
    named = [name for mark, name, _ in PIECE.findall(text) if mark not in MARKS]
    if len(set(named)) != len(named) or len(named) + others != text.count("<!-- "):
        raise AssertionError(f"{page}: a name without a piece, or one that stands twice")
    return {name: pieces[name] for name in named}


def changed(text, *pairs):
    """@text with each first in place of each second; what is to be replaced must be there."""
    for old, new in pairs:
        if old not in text:
            raise AssertionError(f"no {old!r} in the page's piece: {text}")
        text = text.replace(old, str(new))
    return text


def groups(*texts):
    """{group: {key: value}} of pieces of conf.d, a later one before an earlier one."""
    found = {}
    for line in "\n".join(texts).splitlines():
        if head := re.fullmatch(r"\[(.+)\]", line):
            group = found.setdefault(head[1], {})
        elif line:
            key, _, value = line.partition("=")
            group[key] = value
    return found
