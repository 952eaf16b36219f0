# SPDX-License-Identifier: GPL-2.0-or-later
"""--help and --version of every program, and what bash completes."""

import os
import pathlib
import pty
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import home as homes
import tap

PREFIX = homes.prefix()
PROGRAMS = sorted(path for pattern in ("bin/*", "sbin/*", "libexec/sealpipe/sealpipe-*")
                  for path in PREFIX.glob(pattern))
SCRIPT = PREFIX / "share/bash-completion/completions/sealctl"
TRUSTS = ["unverified", "harvested", "discovered", "verified", "manual"]


def call(*words, **how):
    return subprocess.run([*map(str, words)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          timeout=homes.BOUND, env={}, **how)


@tap.test("every program says what it is for, and which version it is")
def _():
    names = {path.name for path in PROGRAMS}
    tap.true({"sealpipe", "sealpipe-check", "sealpipe-pipe", "sealpipe-run", "sealctl", "sealpiped"} <= names, names)
    versions = set()
    for path in PROGRAMS:
        told = call(path, "--help", stdout=subprocess.PIPE)
        tap.equal((told.returncode, told.stderr), (0, b""), path.name)
        tap.true(told.stdout.startswith(f"Usage: {path.name} ".encode()), told.stdout)
        for word in (b"--help", b"--version"):
            tap.contains(told.stdout, word, path.name)
        for line in told.stdout.decode().splitlines():
            tap.true(len(line) <= 100, f"{path.name}: {line}")
        version = call(path, "--version", stdout=subprocess.PIPE)
        tap.equal((version.returncode, version.stderr), (0, b""), path.name)
        match = re.fullmatch(rb"(\S+) (\d+\.\d+\.\d+\S*)\n", version.stdout)
        tap.true(match and match[1] == path.name.encode(), version.stdout)
        versions.add(match[2])
    tap.equal(len(versions), 1, "versions")


@tap.test("whose reader has gone, or whose disk is full, says so and does not answer 0")
def _():
    for path in PROGRAMS:
        for words in (["--help"], ["--version"], *([["keys", "--help"], ["modules"]] if path.name == "sealctl" else [])):
            ours, theirs = os.pipe()
            os.close(ours)
            gone = call(path, *words, stdout=theirs)
            os.close(theirs)
            with open("/dev/full", "wb") as full:
                no_room = call(path, *words, stdout=full)
            for result in (gone, no_room):
                tap.true(result.returncode in (1, 75), f"{path.name} {words}: {result.returncode}")
                tap.contains(result.stderr, b"cannot be written to", f"{path.name} {words}")


@tap.test("an option that there is not is refused")
def _():
    for path in PROGRAMS:
        result = call(path, "--nonsense", stdout=subprocess.PIPE)
        tap.true(result.returncode in (2, 75), f"{path.name}: {result.returncode}")
    tap.contains(call(PREFIX / "bin/sealctl", "--nonsense").stderr, b'there is no option "--nonsense"; see --help')


# -- Completion ---------------------------------------------------------------------------------

def bash(script, *words, **how):
    result = subprocess.run(["bash", "--norc", "--noprofile", "-c", script, "bash", *map(str, words)],
                            capture_output=True, text=True, timeout=homes.BOUND, env={"PATH": "/usr/bin:/bin"}, **how)
    tap.equal((result.returncode, result.stderr), (0, ""), words)
    return result.stdout.split("\n")[:-1]


def completed(*words, cwd="/"):
    """What bash is offered in the place of the last of @words."""
    return bash('. "$1"; sealctl=$2; shift 2; COMP_WORDS=(sealctl "$@"); COMP_CWORD=$#; _sealctl "$sealctl"; '
                '[ ${#COMPREPLY[@]} = 0 ] || printf "%s\\n" "${COMPREPLY[@]}"',
                SCRIPT, PREFIX / "bin/sealctl", *words, cwd=cwd)


def names(*words):
    """The first column of a help's list."""
    text = call(PREFIX / "bin/sealctl", *words, "--help", stdout=subprocess.PIPE).stdout.decode()
    return [line.split()[0] for line in text.partition("\n\nOptions:")[0].splitlines() if re.match(r"  [a-z]", line)]


def options(*words):
    text = call(PREFIX / "bin/sealctl", *words, "--help", stdout=subprocess.PIPE).stdout.decode()
    lines = [re.split(r" {2,}", line.strip())[0] for line in text.splitlines() if re.match(r" +-", line)]
    return [option for line in lines for option in re.findall(r"(?<!\w)--?\w[\w-]*", line)]


@tap.test("commands and options are completed as --help has them")
def _():
    tap.true(len(names()) >= 8 and len(names("keys")) >= 14, names())
    tap.equal(completed(""), names())
    tap.equal(completed("--json", "-c", "/x", "ke"), ["keys"])
    tap.equal(completed("keys", ""), names("keys"))
    tap.equal(completed("help", "sus"), ["suspend"])
    for command in (*([name] for name in names() if name not in ("help", "license")),
                    *(["keys", name] for name in names("keys"))):
        wanted = options(*command) + [option for option in options() if option not in options(*command)]
        tap.equal(sorted(completed(*command, "-")), sorted(wanted), command)
    tap.equal(completed("keys", "add", "--trust", ""), TRUSTS)
    tap.equal(completed("keys", "add", "--trust", "=", "ver"), ["verified"])
    tap.equal(completed("keys", "add", "--trust", "="), TRUSTS)
    tap.equal(completed("keys", "pin", ""), [])
    tap.equal(completed("nonsense", ""), [])


@tap.test("files and folders are completed where they belong")
def _():
    folder = homes.temporary_folder("completion")
    (folder / "a folder").mkdir()
    (folder / "a file").touch()
    for words in (["keys", "add"], ["keys", "add", "x.pem"], ["keys", "add", "--passphrase-file"],
                  ["keys", "export", "--out"], ["explain"]):
        if words[0] in names():
            tap.equal(sorted(completed(*words, "a", cwd=folder)), ["a file", "a folder"], words)
    tap.equal(completed("-c", "", cwd=folder), ["a folder"])
    tap.equal(completed("keys", "lookup", "a", cwd=folder), [])


@tap.test("the commands of a module, with their options")
def _():
    if not homes.has_module("license"):
        raise tap.Skip("built without licences")
    tap.equal(completed("license", "k"), ["keygen"])
    tap.true({"--key", "--kind", "--valid-until"} <= set(completed("license", "issue", "--")), "options")
    tap.equal(completed("license", "issue", "--kind", "com"), ["commercial", "community"])
    tap.equal(completed("license", "install", "tm", cwd="/"), ["tmp"])


@tap.test("a bash that somebody types into completes")
def _():
    ours, theirs = pty.openpty()
    child = subprocess.Popen(["bash", "--norc", "--noprofile", "-i"], stdin=theirs, stdout=theirs, stderr=theirs,
                             start_new_session=True, env={"PATH": f"{PREFIX}/bin:/usr/bin:/bin", "TERM": "dumb"})
    os.close(theirs)
    os.write(ours, f". {SCRIPT}\nsealctl keys unp\t--help; exit\n".encode())
    shown = b""
    try:
        while octets := os.read(ours, 4096):
            shown += octets
    except OSError:  # what Linux gives for the end
        pass
    os.close(ours)
    tap.equal(child.wait(timeout=homes.BOUND), 0)
    tap.contains(shown, b"Usage: sealctl keys unpin ADDRESS", "what the terminal shows")


tap.main()
