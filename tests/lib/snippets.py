# SPDX-License-Identifier: GPL-2.0-or-later
"""The pieces of configuration that a page of docs/mta shows, for the test that runs them."""

import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parents[2]
# A comment names the piece that stands below it in a fence.
PIECE = re.compile(r"^<!-- (\w+): ([\w/.-]+) -->\n```\w*\n(.*?)^```$", re.M | re.S)


def read(page):
    """{name: text} of docs/mta/@page."""
    text = (SOURCE / "docs/mta" / page).read_text()
    pieces = {name: piece for _, name, piece in PIECE.findall(text)}
    if len(pieces) != text.count("<!-- "):
        raise AssertionError(f"{page}: a name without a piece, or one that stands twice")
    return pieces


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
