# SPDX-License-Identifier: GPL-2.0-or-later
"""What people are told: sealctl's commands and tables, warnings, and the answers of sealpipe-check;
and what leaves while sealpipe is suspended."""

import fcntl
import os
import pathlib
import pty
import struct
import subprocess
import sys
import termios

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import mail
import tap
from home import BOUND, Home

ALICE, NOBODY = "alice@example.org", "nobody@example.org"
MESSAGE = b"From: carol@example.net\nTo: alice@example.org\nSubject: s\n\nThe secret body.\n"
home = Home("ctl")


def ctl(*words):
    result = home.run("sealctl", *words)
    return result.status, result.output.decode(), result.errors.decode()


def at_terminal(columns, *words):
    """What sealctl writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen([home.bin / "sealctl", "-c", home.conf, *words], stdout=theirs,
                             stderr=subprocess.DEVNULL, env={})
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 10000):
            output += piece
    except OSError:  # what Linux gives for the end
        pass
    os.close(ours)
    tap.equal(child.wait(timeout=BOUND), 0, f"{words}")
    return output.decode().replace("\r\n", "\n")


# ---------------------------------------------------------------------------------------------
# sealctl

@tap.test("help: the commands; what is none yet, or one of a module's, says so")
def _():
    status, output, errors = ctl("help")
    tap.equal((status, output, errors), (0, ctl("--help")[1], ""))
    for word in ("ca",):
        status, output, errors = ctl(word, ALICE)
        tap.equal((status, output), (2, ""), word)
        tap.contains(errors, f'there is no command "{word}" in this version yet; ')
    tap.contains(ctl("chek")[2], 'no enabled module offers the command "chek"; see --help')
    for words in (["license"], ["license", "shew"]):
        status, _, errors = ctl(*words)
        tap.equal(status, 2, f"{words}")
        tap.contains(errors, "\n  sealctl license show\n  sealctl license install FILE\n")
    tap.contains(ctl("license", "show")[2], "[module license] in the configuration does it")
    tap.equal(ctl(), (2, "", "sealctl: no command was given; sealctl --help lists them\n"))


@tap.test("every command that help lists has a help of its own, wherever --help stands")
def _():
    listed = ctl("--help")[1].partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    names = [line.split()[0] for line in listed]
    tap.true({"status", "suspend", "resume", "modules", "config", "keys", "license"} <= set(names), names)
    for name in names:
        text = ctl(name, "--help")
        if name == "help":  # is itself
            continue
        tap.equal((text[0], text[2]), (0, ""), name)
        tap.true(text[1].startswith(f"Usage:\n  sealctl {name} " if name == "license"
                                    else f"Usage: sealctl {name}"), text)
        tap.equal([ctl("--help", name), ctl("help", name)], [text, text], name)
    tap.contains(ctl("keys", "--help")[1], "\n  lookup ")
    tap.contains(ctl("license", "issue", "--help")[1], "--valid-until")
    tap.equal(ctl("help", "keys", "add"), ctl("keys", "add", "--help"))
    for line in (line for words in ((), ("keys",), ("keys", "add"), ("keys", "publish"))
                 for line in ctl(*words, "--help")[1].splitlines()):
        tap.true(len(line) <= 80, line)
    tap.equal(ctl("help", "nonsense"), (2, "", 'sealctl: there is no command "nonsense", and no module of '
                                               "that name; see --help\n"))


@tap.test("tables are as wide as the terminal, and lose nothing")
def _():
    plain = " ".join(ctl("modules")[1].split())
    for columns in (80, 60, 132):
        lines = at_terminal(columns, "modules").splitlines()
        tap.true(max(map(len, lines)) <= columns, f"{columns}: {max(map(len, lines))}")
        tap.equal(lines[0].split(), ["MODULE", "VERSION", "SUMMARY", "OFFERS", "USABLE"])
    # Each column by itself reads as what a program gets.
    lines = at_terminal(80, "modules").splitlines()
    start, end = lines[0].index("SUMMARY"), lines[0].index("OFFERS")
    summaries = " ".join(" ".join(line[start:end].split()) for line in lines[1:]).split()
    for word in summaries:
        tap.contains(plain, word)
    tap.contains(" ".join(summaries), "Keys and certificates from files and folders")
    lines = at_terminal(80, "config").splitlines()
    tap.true(max(map(len, lines)) <= 80, "config")


@tap.test("a module whose stage stands in no pipeline is a warning, once in the log and in status")
def _():
    home.configure({"module sign": {}, "pipeline": {"outbound": "smime"}})
    home.clear_log()
    warning = '[module sign] is enabled, but its stage "sign" does not stand in [pipeline] outbound'
    tap.equal(home.seal(MESSAGE, "--", ALICE).status, 0, home.log_text())
    tap.equal(home.log_text().replace('\\"', '"').count(warning), 1, home.log_text())
    status, output, _ = ctl("status")
    tap.equal(status, 0, "only a warning")
    tap.contains(output, f"warning: {warning}")
    for outbound in ("sign;smime", None):
        home.configure({"module sign": {}, "pipeline": {"outbound": outbound}})
        home.clear_log()
        tap.true(warning not in ctl("status")[1] + home.log_text().replace("\\", ""), f"{outbound}")
    # What has no stage stands in none.
    home.configure({"pipeline": {"outbound": "smime"}})
    tap.true("but its stage" not in ctl("status")[1] + home.log_text(), "keys-file")


@tap.test("a log that the other programs refuse is not ready")
def _():
    home.configure({"core": {"log_target": "stderr"}})
    status = home.run("sealctl", "status")
    tap.equal(status.status, 1, status.output)
    tap.contains(status.output.decode(), "all mail waits")
    home.configure()


@tap.test("the mode of a secret file: what it is, and what it has to be")
def _():
    secret = home.folder / "passphrase"
    secret.write_text("x\n")
    home.configure({"module smime": {"trust_anchors": home.authority.cert, "passphrase_file": secret}})
    for mode, status in ((0o644, 1), (0o602, 1), (0o640, 0), (0o600, 0)):
        secret.chmod(mode)
        got, _, errors = ctl("status")
        tap.equal(got, status, f"{mode:o}: {errors}")
        if status:
            tap.contains(errors, f"{secret} has mode {mode:04o}, so that others can read or write it; "
                                 "it has to be 0600, or 0640 with the group")


# ---------------------------------------------------------------------------------------------
# sealpipe-check

@tap.test("sealpipe-check names the rules that only the message can decide")
def _():
    home.configure()
    rules = ("[rule calendar]\nmatch_part=text/calendar\nencrypt=never\n"
             "[rule bob]\nmatch_recipient=bob@*\nmatch_header=X-A: 1\n"
             "[rule app]\nmatch_header=X-Mailer: App*\nencrypt=never\n")
    home.write_conf("60-rules.conf", rules)

    def answer(*args):
        result = home.check(*args)
        return result.status, result.output.decode()

    tap.equal(answer("--", ALICE),
              (0, "plain: encrypt=never; not decided without the message: rule calendar, app"))
    tap.equal(answer("-H", "From: a@example.net\nX-Mailer: Other", "--", ALICE),
              (0, "plain: encrypt=never; not decided without the body: rule calendar"))
    # One that matches is the last that counts.
    home.write_conf("50-first.conf", "[rule first]\nmatch_recipient=alice@*\n")
    home.write_conf("60-rules.conf", "")
    tap.equal(answer("--", ALICE), (0, "sealed: a usable key is there"))
    home.write_conf("60-rules.conf", rules)
    home.write_conf("50-first.conf", "")
    # Where whatever the message says changes nothing, there is nothing to name.
    home.write_conf("60-rules.conf", "[rule strict]\nmatch_part=text/calendar\nfallback=report\n"
                                     "encrypt=required\n")
    tap.contains(answer("--", NOBODY)[1], "reported: no smime key")
    home.write_conf("60-rules.conf", "[rule strict]\nmatch_part=text/calendar\nencrypt=required\n")
    status, reason = answer("--", NOBODY)
    tap.equal((status, "not decided" in reason), (69, False), reason)
    many = "".join(f"[rule r{n}]\nmatch_header=X-{n}: 1\n" for n in range(9))
    home.write_conf("60-rules.conf", many)
    tap.contains(answer("--", ALICE)[1], "rule r0, r1, r2, r3, r4 and 4 more")
    for name in ("50-first.conf", "60-rules.conf"):
        (home.conf / name).unlink()


# ---------------------------------------------------------------------------------------------
# Suspended

@tap.test("suspended: as it came; the Return-path line that names us the sender is the mail server's")
def _():
    home.configure()
    tap.equal(ctl("suspend")[0], 0)
    try:
        line = b"Return-path: <carol@example.net>\n"
        for message in (MESSAGE, MESSAGE.replace(b"\n", b"\r\n"), b"Subject: s\n", b"\n", b"x\0\xff\r\r\n"):
            for first in (line, line.replace(b"\n", b"\r\n"), b"RETURN-PATH:\n <carol@example.net>\n", b"Return-path:\n"):
                tap.equal(home.seal(first + message, "--", ALICE).triple(), (0, message, b""), f"{first + message}")
                # What is given needs no line, and one that came is none of ours.
                got = home.seal(first + message, "-f", "carol@example.net", "--", ALICE)
                tap.equal(got.triple(), (0, first + message, b""), f"-f: {first + message}")
            tap.equal(home.seal(message, "--", ALICE).triple(), (0, message, b""), f"{message}")
        # Nothing else goes: what is no line, not the first, or all there is.
        for message in (b"X: y\n" + line + MESSAGE, line, line.strip(), b"Return-path: " + b"x" * 9000 + b"\n" + MESSAGE,
                        b"Return-pathos: y\n" + MESSAGE, line + line + MESSAGE):
            expected = message[len(line):] if message.startswith(line + line) else message
            tap.equal(home.seal(message, "--", ALICE).triple(), (0, expected, b""), f"{message[:60]}")
    finally:
        tap.equal(ctl("resume")[0], 0)
    sealed = home.seal(line + MESSAGE, "--", ALICE)
    tap.equal((sealed.status, mail.opened(sealed.output, home.alice)), (0, mail.inner_entity(MESSAGE)))


tap.main()
