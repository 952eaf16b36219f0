# SPDX-License-Identifier: GPL-2.0-or-later
"""What sealpipe takes: peak resident memory, and wall time against the openssl command's.

bench.py [--json | --tap]: a table for people, JSON for programs, or the bound on memory as a test.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import tap
from home import Home

MIB = 1 << 20
MEMORY_SIZE, MEMORY_BOUND = 256 * MIB, 32 * MIB
# Size, runs of each program.
TIMES = (("4 KB", 4096, 31), ("4 MB", 4 * MIB, 11), ("256 MB", 256 * MIB, 3))
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


def sealpipe(home):
    return [str(home.bin / "sealpipe"), "-c", str(home.conf), "--", home.bob.address]


def openssl(home):
    return ["openssl", "cms", "-encrypt", "-stream", "-aes-256-cbc", str(home.bob.cert)]


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


def measure_memory(home):
    """Peak by process as sampled, and the kernel's own figure for the largest of them all. The
    latter includes what this script took at the fork, so it can only be too high."""
    child = start(sealpipe(home), message(home, MEMORY_SIZE))
    watcher = Watcher(child.pid)
    watcher.start()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    watcher.done.set()
    watcher.join()
    tap.equal(child.returncode, 0, "sealpipe")
    # The names of what ran before exec are this script's.
    peaks = {name: octets for name, octets in watcher.peaks.items() if name.startswith("sealpipe")}
    return {"message": MEMORY_SIZE, "bound": MEMORY_BOUND, "largest": usage.ru_maxrss * 1024,
            "processes": peaks, "pass": usage.ru_maxrss * 1024 < MEMORY_BOUND}


# -- Time ---------------------------------------------------------------------------------------

def wall(command, path):
    begin = time.perf_counter()
    status = start(command, path).wait()
    tap.equal(status, 0, command[0])
    return time.perf_counter() - begin


def measure_times(home):
    rows = []
    for label, size, runs in TIMES:
        path = message(home, size)
        commands = {"sealpipe": sealpipe(home), "openssl": openssl(home)}
        for command in commands.values():
            wall(command, path)
        # In turn, so that what else the machine does falls on both.
        samples = [{name: wall(command, path) for name, command in commands.items()} for _ in range(runs)]
        medians = {name: statistics.median(s[name] for s in samples) for name in commands}
        rows.append({"label": label, "size": size, "runs": runs, **medians,
                     "ratio": medians["sealpipe"] / medians["openssl"]})
    return rows


# -- Rendering ----------------------------------------------------------------------------------

def describe(memory):
    parts = [f"{name} {octets / MIB:.1f}" for name, octets in sorted(memory["processes"].items())]
    return (f"{memory['message'] // MIB} MiB message: largest process {memory['largest'] / MIB:.1f} MiB "
            f"({', '.join(parts)}), bound {memory['bound'] // MIB} MiB")


def print_table(memory, times):
    print(f"{'PASS' if memory['pass'] else 'FAIL'}  {describe(memory)}\n")
    print(f"{'message':>8}  {'runs':>4}  {'sealpipe':>12}  {'openssl cms':>12}  {'ratio':>6}")
    for row in times:
        print(f"{row['label']:>8}  {row['runs']:>4}  {row['sealpipe'] * 1000:>9.1f} ms"
              f"  {row['openssl'] * 1000:>9.1f} ms  {row['ratio']:>6.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON")
    how.add_argument("--tap", action="store_true", help="test the bound on memory only")
    options = parser.parse_args()
    home = Home("bench")

    if options.tap:
        @tap.test(f"{MEMORY_SIZE // MIB} MiB are sealed in less than {MEMORY_BOUND // MIB} MiB of memory")
        def _():
            memory = measure_memory(home)
            tap.note(describe(memory))
            tap.true(memory["pass"], "too much memory")
        tap.main()
    memory, times = measure_memory(home), measure_times(home)
    if options.json:
        print(json.dumps({"memory": memory, "times": times}, indent=2))
    else:
        print_table(memory, times)
    sys.exit(0 if memory["pass"] else 1)


main()
