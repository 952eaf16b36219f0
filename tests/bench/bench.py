# SPDX-License-Identifier: GPL-2.0-or-later
"""What sealpipe takes: peak resident memory, and wall time against what the openssl and gpg commands
take for the same.

bench.py [--json | --tap]: a table for people, JSON for programs, or the bound on memory as a test.
"""

import argparse
import base64
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import certs
import gnupg
import tap
from home import Home

MIB = 1 << 20
MEMORY_SIZE, MEMORY_BOUND = 256 * MIB, 32 * MIB
# Size, runs of each program.
SMALL, MIDDLE, LARGE = ("4 KB", 4096, 31), ("4 MB", 4 * MIB, 11), ("256 MB", 256 * MIB, 3)
CAROL = "carol@example.net"
HEADER = b"From: carol@example.net\nTo: bob@example.org\nSubject: bench\n\n"
LINE = b"The quick brown fox jumps over the lazy dog; the lazy dog sleeps on.\n"


def message(home, size):
    """A file of @size octets, most of them lines of text."""
    path = home.folder / f"message-{size}"
    block = LINE * (MIB // len(LINE))
    with open(path, "wb") as file:
        file.write(HEADER)
        while file.tell() + len(block) < size:
            file.write(block)
        file.write(LINE * ((size - file.tell()) // len(LINE)))
    return path


class Job:
    """One thing to do: the configuration by which sealpipe does it, and the command that does it as
    well."""

    def __init__(self, home, name, command, sizes, policy, **groups):
        self.name, self.command, self.sizes = name, [str(word) for word in command], sizes
        conf = home.folder / f"conf-{name.replace(' ', '-')}"
        conf.mkdir()
        groups = home.groups(policy=policy, **groups)
        (conf / "50-bench.conf").write_text("".join(
            f"[{group}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items())
            for group, keys in groups.items()))
        self.sealpipe = [str(home.bin / "sealpipe"), "-c", str(conf), "-f", CAROL, "--submission=yes",
                         "--", home.bob.address]


def jobs(home):
    carol = home.authority.person(CAROL, "rsa")
    server = home.folder / "server-keys"
    server.mkdir()
    (server / "carol.pem").write_bytes(carol.cert.read_bytes() + carol.key.read_bytes())
    (server / "carol.pem").chmod(0o600)
    ring = gnupg.Ring(home.folder / "gnupg")
    for address in (CAROL, home.bob.address):
        ring.generate(address)
    smime = {"module smime": {"server_keys": server}, "module sign": {}}
    pgp = {"module pgp": {"home": ring.path}, "module sign": {}}
    gpg = ["gpg", "--homedir", ring.path, "--batch", "--no-tty", "--trust-model", "always", "--armor"]
    signing = {"encrypt": "never", "sign": "required"}
    return [
        Job(home, "smime encrypt",
            ["openssl", "cms", "-encrypt", "-stream", "-aes-256-cbc", home.bob.cert],
            (SMALL, MIDDLE, LARGE), {}),
        Job(home, "smime sign",
            ["openssl", "cms", "-sign", "-stream", "-signer", carol.cert, "-inkey", carol.key],
            (SMALL, MIDDLE), {**signing, "formats": "smime"}, **smime),
        Job(home, "pgp encrypt", [*gpg, "--encrypt", "--recipient", home.bob.address],
            (SMALL, MIDDLE), {"formats": "pgp"}, **pgp),
        Job(home, "pgp sign", [*gpg, "--local-user", CAROL, "--detach-sign"],
            (SMALL, MIDDLE), {**signing, "formats": "pgp"}, **pgp),
        Job(home, "pgp both",
            [*gpg, "--local-user", CAROL, "--sign", "--encrypt", "--recipient", home.bob.address],
            (SMALL, MIDDLE), {"sign": "required", "formats": "pgp"}, **pgp),
    ]


def start(command, path):
    with open(path, "rb") as file:
        return subprocess.Popen(command, stdin=file, stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"})


# -- Memory -------------------------------------------------------------------------------------

def high_water(pid):
    """(name, octets) of a process as the kernel has it by now."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    if "VmHWM" not in fields:
        return None
    return fields["Name"], int(fields["VmHWM"].split()[0]) * 1024


def family(pid):
    """@pid and all that come from it."""
    found = [pid]
    for parent in found:
        try:
            found += map(int, pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        except OSError:
            pass
    return found


class Watcher(threading.Thread):
    """Notes the high-water mark of each process until told to stop."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peaks, self.done = pid, {}, threading.Event()

    def run(self):
        while not self.done.wait(0.005):
            for pid in family(self.pid):
                seen = high_water(pid)
                if seen:
                    name, octets = seen
                    self.peaks[name] = max(octets, self.peaks.get(name, 0))


def measure_memory(home, job):
    """Peak by process as sampled, and the kernel's own figure for the largest of them all. The
    latter includes what this script took at the fork, so it can only be too high."""
    child = start(job.sealpipe, message(home, MEMORY_SIZE))
    watcher = Watcher(child.pid)
    watcher.start()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    watcher.done.set()
    watcher.join()
    tap.equal(child.returncode, 0, "sealpipe")
    # The names of what ran before exec are this script's.
    peaks = {name: octets for name, octets in watcher.peaks.items() if name.startswith(("sealpipe", "gpg"))}
    return {"job": job.name, "message": MEMORY_SIZE, "bound": MEMORY_BOUND, "largest": usage.ru_maxrss * 1024,
            "processes": peaks, "pass": usage.ru_maxrss * 1024 < MEMORY_BOUND}


# -- Many keys ----------------------------------------------------------------------------------

MANY = 8000
NUMBER = 4321  # whose mail is sealed


def many_certificates(home):
    """Of @MANY people, as a folder, as one file of PEM, and as PKCS#7. All have one key and one
    signature, which does not hold: only names and addresses differ."""
    one = home.authority.person("u00000@example.org", "rsa")
    der = certs.openssl("x509", "-in", one.cert, "-outform", "DER")
    folder, bundle = home.folder / "many", home.folder / "many.pem"
    folder.mkdir()
    with open(bundle, "wb") as file:
        for number in range(MANY):
            text = base64.encodebytes(der.replace(b"u00000", b"u%05d" % number))
            pem = b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"
            (folder / f"{number}.pem").write_bytes(pem)
            file.write(pem)
    pkcs7 = home.folder / "many.p7b"
    certs.openssl("crl2pkcs7", "-nocrl", "-certfile", bundle, "-outform", "DER", "-out", pkcs7)
    return {"files in a folder": folder, "in one file of PEM": bundle, "in PKCS#7": pkcs7}


def seal_among_many(home, path):
    """The peak of memory where one message is sealed."""
    address = f"u{NUMBER:05d}@example.org"
    home.configure({"module keys-file": {"paths": path, "trust": "manual"}})
    child = start([str(home.bin / "sealpipe"), "-c", str(home.conf), "--", address],
                  message(home, 4096))
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    tap.equal(child.returncode, 0, home.log_text())
    return usage.ru_maxrss * 1024


# -- Time ---------------------------------------------------------------------------------------

def wall(command, path):
    begin = time.perf_counter()
    status = start(command, path).wait()
    tap.equal(status, 0, command[0])
    return time.perf_counter() - begin


def measure_times(home, job):
    rows = []
    for label, size, runs in job.sizes:
        path = message(home, size)
        commands = {"sealpipe": job.sealpipe, "command": job.command}
        for command in commands.values():
            wall(command, path)
        # In turn, so that what else the machine does falls on both.
        samples = [{name: wall(command, path) for name, command in commands.items()} for _ in range(runs)]
        medians = {name: statistics.median(s[name] for s in samples) for name in commands}
        rows.append({"job": job.name, "label": label, "size": size, "runs": runs, **medians,
                     "program": job.command[0], "ratio": medians["sealpipe"] / medians["command"]})
    return rows


# -- Rendering ----------------------------------------------------------------------------------

def describe(memory):
    parts = [f"{name} {octets / MIB:.1f}" for name, octets in sorted(memory["processes"].items())]
    return (f"{memory['job']}, {memory['message'] // MIB} MiB message: largest process {memory['largest'] / MIB:.1f} MiB "
            f"({', '.join(parts)}), bound {memory['bound'] // MIB} MiB")


def print_table(memories, times):
    for memory in memories:
        print(f"{'PASS' if memory['pass'] else 'FAIL'}  {describe(memory)}")
    print(f"\n{'':>14}{'message':>8}  {'runs':>4}  {'sealpipe':>12}  {'the command':>20}  {'ratio':>6}")
    for row in times:
        print(f"{row['job']:>14}{row['label']:>8}  {row['runs']:>4}  {row['sealpipe'] * 1000:>9.1f} ms"
              f"  {row['program']:>8} {row['command'] * 1000:>8.1f} ms  {row['ratio']:>6.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON")
    how.add_argument("--tap", action="store_true", help="test the bound on memory only")
    options = parser.parse_args()
    home = Home("bench")
    everything = jobs(home)

    if options.tap:
        for job in everything:
            @tap.test(f"{job.name}: {MEMORY_SIZE // MIB} MiB in less than {MEMORY_BOUND // MIB} MiB of memory")
            def _(job=job):
                memory = measure_memory(home, job)
                tap.note(describe(memory))
                tap.true(memory["pass"], "too much memory")
        many = many_certificates(home)
        for what, path in many.items():
            @tap.test(f"{MANY} certificates, {what}: one message in less than {MEMORY_BOUND // MIB} MiB")
            def _(path=path):
                peak = seal_among_many(home, path)
                tap.note(f"{peak / MIB:.1f} MiB")
                tap.true(peak < MEMORY_BOUND, "too much memory")
        tap.main()
    memories = [measure_memory(home, job) for job in everything]
    times = [row for job in everything for row in measure_times(home, job)]
    if options.json:
        print(json.dumps({"memory": memories, "times": times}, indent=2))
    else:
        print_table(memories, times)
    sys.exit(0 if all(memory["pass"] for memory in memories) else 1)


main()
