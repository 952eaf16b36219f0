# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings that there are, as the source's tables have them."""

import re

from snippets import SOURCE

# In a table of settings: {"key", SEAL_SETTING_... or {.key = "key".
KEY = re.compile(r'\{(?:\.key = )?"([a-z_]+)",\s*(?:SEAL_SETTING_|\.type)')
# A setting that is one of some words, and these.
CHOICE = re.compile(r'"([a-z_]+)",\s*(?:\.type = )?SEAL_SETTING_CHOICE,\s*(?:\.preset = )?"[^"]*",\s*'
                    r'(?:\.range = )?"([^"]+)"')


def core():
    """{group: keys} of core's tables."""
    text = (SOURCE / "core/plugin/tables.c").read_text()
    tables = re.findall(r"SEAL_TABLE_([A-Z]+)\[\] = \{\n(.*?)\n\};", text, re.S)
    return {name.lower(): KEY.findall(body) for name, body in tables}


def module(name):
    """The keys of a module's own tables."""
    return KEY.findall("\n".join(_bodies(name)))


def _bodies(name):
    text = "".join(path.read_text() for path in sorted((SOURCE / "modules" / name).glob("*.c")))
    return re.findall(r"SealSetting \w+\[\] = \{\n(.*?)\n\};", text, re.S)


def every_module():
    """The keys that each module takes beside its own."""
    return KEY.findall((SOURCE / "core/plugin/module.c").read_text())


def modules():
    return sorted(path.name for path in (SOURCE / "modules").iterdir() if path.is_dir())


def groups():
    """{group: keys} as a file of conf.d may have them, rules' with those of [policy]."""
    found = core()
    found["rule"] += found["policy"]
    for name in modules():
        found[f"module {name}"] = module(name) + every_module()
    return found


def choices():
    """{key: words} of settings of that type, wherever they are."""
    found = {}
    texts = [(SOURCE / "core/plugin/tables.c").read_text(),
             *("\n".join(_bodies(name)) for name in modules())]
    for key, words in CHOICE.findall("\n".join(texts)):
        found.setdefault(key, set()).update(words.split("|"))
    return found
