# SPDX-License-Identifier: GPL-2.0-or-later
"""A system that can be thrown away: one thing is broken, `sealctl check` says what, and it is put right
again."""

import contextlib
import json
import pathlib
import re
import subprocess
import tempfile

import tap


def shell(script):
    result = subprocess.run(["sh", "-e", "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, timeout=120, cwd="/")
    tap.equal(result.returncode, 0, f"{script}: {result.stdout}{result.stderr}")
    return result.stdout


def check(*words, ahead=()):
    """(exit status, what is wrong). @ahead: words in front of the command. Whether the machine keeps
    time is no matter of the system that is tried."""
    result = subprocess.run([*ahead, "sealctl", "check", "--json", *words], capture_output=True, text=True,
                            timeout=300, cwd="/")
    try:
        rows = json.loads(result.stdout)["findings"]
    except ValueError:
        raise AssertionError(f"{result.returncode}: {result.stdout}{result.stderr}") from None
    # Whether the host's clock is kept right is not this system's to mend.
    return result.returncode, [row for row in rows if row["state"] in ("warning", "problem")
                               and not re.search("no time server|has taken [0-9]+ ms", row["text"])]


def findings():
    return check()[1]


@contextlib.contextmanager
def replaced(path, old, new):
    text = path.read_text()
    tap.contains(text, old, path)
    path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_text(text)


@contextlib.contextmanager
def written(path, text):
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()


@contextlib.contextmanager
def renamed(path, name):
    other = path.rename(path.with_name(name))
    try:
        yield
    finally:
        other.rename(path)


@contextlib.contextmanager
def gone(*paths):
    with contextlib.ExitStack() as stack:
        for path in paths:
            stack.enter_context(renamed(path, f".{path.name}.gone"))
        yield


@contextlib.contextmanager
def kept(*paths):
    """Whatever becomes of these files and folders, afterwards they are as they were."""
    with tempfile.TemporaryDirectory(prefix="sealpipe-kept-") as folder:
        copies = [(path, pathlib.Path(folder, str(number))) for number, path in enumerate(paths)]
        for path, copy in copies:
            if path.exists():
                shell(f"cp -a '{path}' '{copy}'")
        try:
            yield
        finally:
            for path, copy in copies:
                shell(f"rm -rf '{path}'; ! [ -e '{copy}' ] || cp -a '{copy}' '{path}'")
