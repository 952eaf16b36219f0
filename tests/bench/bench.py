# SPDX-License-Identifier: GPL-2.0-or-later
"""Speed and memory of sealpipe beside the commands that do the same: a table for people, or JSON.

bench.py [--quick] [--json] [--only=PART]...: all of it takes about ten minutes, the quick one less
than two. Parts: times, load, memory, keys, store, ldap, exim, postfix. Times are medians, of runs that took turns
with what they are compared with: what else the machine does falls on all of them.
"""

import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import directories
import memory
import works
from works import GIB, KIB, MIB

HERE = pathlib.Path(__file__).resolve().parent
CLIENTS = (1, 2, 8, 32)
STORE_ASKED = 2000
PARTS = ("times", "load", "memory", "keys", "store", "ldap", "exim", "postfix")


class Scale:
    """How much is done of each."""

    def __init__(self, quick):
        self.sizes = {4 * KIB: 11, MIB * 4: 3} if quick else {4 * KIB: 41, 64 * KIB: 21, 4 * MIB: 9,
                                                            64 * MIB: 5}
        self.load = {"S/MIME": 200 if quick else 1000, "OpenPGP": 40 if quick else 200}
        self.large = 64 * MIB if quick else GIB
        self.mails = 60 if quick else 500
        self.stored = 10000 if quick else 100000
        self.processes = 3 if quick else 11


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# -- Time ---------------------------------------------------------------------------------------

class Drive:
    def __init__(self, home):
        self.path = works.build_drive(home)

    def run(self, *words):
        result = subprocess.run([self.path, *map(str, words)], capture_output=True, text=True,
                                env={"PATH": "/usr/bin:/bin"})
        if result.returncode != 0:
            raise RuntimeError(result.stderr.strip())
        return [[int(number) for number in line.split()] for line in result.stdout.splitlines()]

    def turns(self, rounds, file, commands):
        """{name: (median of seconds, peak of memory)}; the first round warms up."""
        words = []
        for command in commands.values():
            words += [*command, ":::"]
        samples = collections.defaultdict(list)
        for number, nanoseconds, peak in self.run("turns", rounds + 1, file, *words[:-1]):
            samples[number].append((nanoseconds / 1e9, peak * KIB))
        return {name: (statistics.median(took for took, _ in samples[number][1:]),
                       max(peak for _, peak in samples[number]))
                for number, name in enumerate(commands)}

    def load(self, clients, count, file, command):
        """Messages a second."""
        (nanoseconds, _), = self.run("load", clients, count, file, *command)
        return count * 1e9 / nanoseconds


def measure_times(drive, home, work, client, scale):
    rows = []
    for size, rounds in scale.sizes.items():
        took = drive.turns(rounds, works.message(home, size), {
            "cat": ["cat"], "command": work.command, "alone": work.by_itself(), "daemon": client})
        rows.append({"work": work.name, "program": work.program, "size": size, "rounds": rounds,
                     **{name: seconds for name, (seconds, _) in took.items()}})
        say(f"{work.name}, {works.label(size)}: {rows[-1]['daemon'] / rows[-1]['command']:.2f} of {work.program}")
    return rows


def measure_load(drive, home, work, client, scale):
    """All of them before and after, so that the machine's day is seen."""
    count, file = scale.load[work.form], works.message(home, 4 * KIB)
    processors = os.cpu_count()

    def loop():
        return drive.load(1, max(count // 4, 20), file, work.command)
    loops = [loop()]
    rates = {clients: drive.load(clients, count, file, client) for clients in CLIENTS}
    at_once = drive.load(processors, max(count // 2, 20), file, work.command)
    loops.append(loop())
    return {"work": work.name, "program": work.program, "count": count, "loop": statistics.mean(loops),
            "loops": loops, "at_once": at_once, "processors": processors,
            "clients": {str(clients): rate for clients, rate in rates.items()},
            "workers": len(work.daemon.workers())}


# -- Memory -------------------------------------------------------------------------------------

def daemon_peaks(daemon):
    """{what: the most of them} as the kernel has it by now, without what they have started."""
    kinds = {"supervisor": [daemon.process.pid], "generation": daemon.generations(),
             "keeper": daemon.keepers(), "server": daemon.servers(), "worker": daemon.workers()}
    return {kind: max((seen[1] for pid in pids if (seen := memory.high_water(pid))), default=0)
            for kind, pids in kinds.items()}


def measure_memory(drive, home, work, client, size):
    """A message of @size through the daemon; what workers start is sampled meanwhile."""
    watcher = memory.Watcher(work.daemon.process.pid)
    watcher.start()
    try:
        took, client_peak = one_turn(drive, works.message(home, size), client)
    finally:
        watcher.done.set()
        watcher.join()
    others = {name: octets for name, octets in watcher.peaks.items() if name.startswith("gpg")}
    return {"work": work.name, "size": size, "seconds": took,
            "peaks": {"client": client_peak, **daemon_peaks(work.daemon), **others}}


def one_turn(drive, file, command):
    (_, nanoseconds, peak), = drive.run("turns", 1, file, *command)
    return nanoseconds / 1e9, peak * KIB


def measure_keys(drive, home):
    """One message to one of many people, through a daemon."""
    path = memory.many_certificates(home)["in one file of PEM"]
    work = works.Work(home, "S/MIME", "encrypt", {"module_keys-file": {"paths": path, "trust": "manual"}},
                      f"among {memory.MANY}")
    work.recipient = f"u{memory.NUMBER:05d}@example.org"
    client = work.start()
    try:
        took, client_peak = one_turn(drive, works.message(home, 4 * KIB), client)
        return {"work": work.name, "size": 4 * KIB, "seconds": took,
                "peaks": {"client": client_peak, **daemon_peaks(work.daemon)}}
    finally:
        work.stop()


def measure_store(home, program, count):
    """Look-ups in a store of @count keys, made by importing 1,000 after the other."""
    state = home.folder / f"state-{count}"
    state.mkdir(mode=0o700)
    home.configure({"core": {"state_dir": state}, "module keys-store": {},
                    "module keys-file": {"enabled": "false"}})
    env = {**os.environ, "SEALPIPE_MODULES": str(works.homes.module_folder())}
    begun = time.monotonic()
    subprocess.run([program, home.conf, "fill", str(count)], env=env, check=True)
    filled = time.monotonic() - begun
    out = subprocess.run([program, home.conf, "ask", str(count), str(STORE_ASKED)], env=env, check=True,
                         capture_output=True, text=True).stdout
    median, used, slow, resident = map(int, out.split())
    return {"keys": count, "filled": filled, "median": median / 1e9, "processor": used / 1e9,
            "processor_99": slow / 1e9, "resident": resident, "file": (state / "keys-store/keys.db").stat().st_size}


# -- Mail servers -------------------------------------------------------------------------------

def measure_server(name, drive, scale):
    """In a process of its own, which may need a view of the files of its own."""
    result = subprocess.run([sys.executable, "-B", HERE / "mtas.py", name, drive.path, str(scale.mails)],
                            stdout=subprocess.PIPE, text=True)
    if result.returncode != 0 or not result.stdout.startswith("{"):
        return {"server": name, "why": result.stdout.strip() or f"status {result.returncode}"}
    return {"server": name, **json.loads(result.stdout)}


# -- What is aimed at ---------------------------------------------------------------------------

def ratio_of(results, work, size, how="daemon"):
    for row in results["times"]:
        if row["work"] == work and row["size"] == size:
            return row[how] / row["command"]
    return None


def aims(results):
    """(what, aim, measured, whether it is met); what was not measured is left out."""
    rows = []

    def at_most(what, aim, measured):
        if measured is not None:
            rows.append((what, f"at most {aim}", f"{measured:.2f}", measured <= aim))

    def at_least(what, aim, measured):
        if measured is not None:
            rows.append((what, f"at least {aim}", f"{measured:.2f}", measured >= aim))
    at_most("S/MIME encrypt 4 KB, client and daemon, of the command's time", 0.25,
            ratio_of(results, "S/MIME encrypt", 4 * KIB))
    at_most("S/MIME sign 4 KB, client and daemon, of the command's time", 0.35,
            ratio_of(results, "S/MIME sign", 4 * KIB))
    for load in results["load"]:
        if load["work"] == "S/MIME encrypt":
            at_least("S/MIME encrypt, 8 clients, of the rate of a loop of the command", 5,
                     load["clients"]["8"] / load["loop"])
    for does, aim in (("encrypt", 1.3), ("sign", 1.5), ("both", 1.2)):
        at_most(f"OpenPGP {does} 4 KB, client and daemon, of the command's time", aim,
                ratio_of(results, f"OpenPGP {does}", 4 * KIB))
    for does in ("encrypt", "sign"):
        for how in ("daemon", "alone"):
            slower = ratio_of(results, f"S/MIME {does}", 64 * MIB, how)
            at_least(f"S/MIME {does} 64 MB, {how}, of the command's throughput", 1.1, slower and 1 / slower)
    for row in results["memory"]:
        name, most = max(row["peaks"].items(), key=lambda item: item[1])
        what = f"peak of memory in MiB, {row['work']}, {works.label(row['size'])} ({name})"
        at_most(what, 32, most / MIB)
    if results["store"]:
        few, many = results["store"]
        at_most(f"look-up in a store of {many['keys']} keys, 99 of 100, ms of the processor", 1,
                many["processor_99"] * 1000)
        at_most(f"memory with {many['keys']} keys in the store, MiB more than with {few['keys']}", 1,
                (many["resident"] - few["resident"]) / MIB)
    for server in results["servers"]:
        if "rates" in server:
            at_least(f"{server['server']}: messages a second with sealpipe and its daemon, of those with cat",
                     0.9, server["rates"]["sealpipe"] / server["rates"]["cat"])
    return rows


# -- Rendering ----------------------------------------------------------------------------------

def print_times(rows):
    print(f"\nMedian time of one message, and its ratio to the command's\n"
          f"{'':>16}{'size':>7} {'runs':>4}  {'cat':>8}  {'the command':>17}  {'by itself':>16}  {'with the daemon':>16}")
    for row in rows:
        def cell(how):
            return f"{row[how] * 1000:>9.2f} {row[how] / row['command']:>6.2f}"
        rate = f"  {row['size'] / row['daemon'] / 1e6:.0f} of {row['size'] / row['command'] / 1e6:.0f} MB/s" \
            if row["size"] >= MIB else ""
        print(f"{row['work']:>16}{works.label(row['size']):>7} {row['rounds']:>4}  {row['cat'] * 1000:>5.2f} ms"
              f"  {row['program']:>7} {row['command'] * 1000:>9.2f}  {cell('alone')}  {cell('daemon')}{rate}")


def print_load(rows):
    print("\nMessages of 4 KB a second\n"
          f"{'':>16}  {'command: loop':>13}  {'all at once':>11}  "
          + "  ".join(f"{n:>3} client{'s' if n > 1 else ' '}" for n in CLIENTS) + "  8 clients/loop")
    for row in rows:
        print(f"{row['work']:>16}  {row['loop']:>13.0f}  {row['at_once']:>11.0f}  "
              + "  ".join(f"{row['clients'][str(n)]:>11.0f}" for n in CLIENTS)
              + f"  {row['clients']['8'] / row['loop']:>14.1f}")


def print_memory(rows):
    print("\nPeak of resident memory, MiB")
    for row in rows:
        peaks = ", ".join(f"{name} {octets / MIB:.1f}" for name, octets in row["peaks"].items() if octets)
        print(f"  {row['work']}, {works.label(row['size'])}, {row['seconds']:.2f} s: {peaks}")


def print_store(rows):
    print("\nThe key store: one of its certificates, looked up and read")
    for row in rows:
        print(f"  {row['keys']} keys, {row['file'] / MIB:.1f} MiB, filled in {row['filled']:.1f} s: "
              f"{row['median'] * 1000:.2f} ms by the clock; of the processor {row['processor'] * 1000:.2f}, "
              f"99 of 100 within {row['processor_99'] * 1000:.2f}; resident {row['resident'] / MIB:.1f} MiB")


def print_ldap(rows):
    print(f"\nLook-ups among {directories.PEOPLE} people in a directory on this host, ms: the first of a process, with the\n"
          f"connection; those after it; and again, when what was said is remembered\n"
          f"{'':>34}  {'first':>8}  {'after it':>8}  {'99 of 100':>9}  {'remembered':>10}")
    for row in rows:
        if "why" in row:
            print(f"  not measured: {row['why']}")
            continue
        print(f"{row['how']:>34}  {row['first'] * 1000:>8.2f}  {row['asked'] * 1000:>8.2f}  "
              f"{row['asked_99'] * 1000:>9.2f}  {row['remembered'] * 1000:>10.3f}")


def print_servers(rows):
    print("\nMail servers, messages a second")
    for row in rows:
        if "why" in row:
            print(f"  {row['server']}: not measured: {row['why']}")
            continue
        rates = ", ".join(f"{how} {rate:.0f}" for how, rate in row["rates"].items())
        print(f"  {row['server']}, {row['count']} messages: {rates}")


def print_all(results):
    print(f"{results['processors']} processors, load {results['before']} before and {results['after']} "
          f"after; {results['versions']}")
    for part, show in (("times", print_times), ("load", print_load), ("memory", print_memory),
                       ("store", print_store), ("ldap", print_ldap), ("servers", print_servers)):
        if results[part]:
            show(results[part])
    print("\nAims")
    for what, aim, measured, met in aims(results):
        print(f"  {'met   ' if met else 'MISSED'}  {what}: {measured} ({aim})")


def versions():
    first = [subprocess.run(words, capture_output=True, text=True).stdout.splitlines()[0]
             for words in (["openssl", "version"], ["gpg", "--version"])]
    return ", ".join(first)


def measure(home, parts, scale):
    drive = Drive(home)
    results = {"processors": os.cpu_count(), "before": f"{os.getloadavg()[0]:.1f}", "versions": versions(),
               "times": [], "load": [], "memory": [], "store": [], "ldap": [], "servers": []}
    for work in works.all_works(home) if parts & {"times", "load", "memory"} else ():
        client = work.start(workers=2)
        try:
            if "times" in parts:
                results["times"] += measure_times(drive, home, work, client, scale)
            if "load" in parts:
                say(f"{work.name}: many clients")
                results["load"].append(measure_load(drive, home, work, client, scale))
            if "memory" in parts and work.does == "both":
                say(f"{work.name}: {works.label(scale.large)}")
                results["memory"].append(measure_memory(drive, home, work, client, scale.large))
        finally:
            work.stop()
    if "keys" in parts:
        say(f"one of {memory.MANY} certificates")
        results["memory"].append(measure_keys(drive, home))
    if "store" in parts:
        program = works.build_program(home, "store")
        for count in (100, scale.stored):
            say(f"a store of {count} keys")
            results["store"].append(measure_store(home, program, count))
    if "ldap" in parts:
        say("look-ups in a directory")
        results["ldap"] = directories.measure(home, scale.processes)
    for server in ("exim", "postfix"):
        if server in parts:
            say(server)
            results["servers"].append(measure_server(server, drive, scale))
    results["after"] = f"{os.getloadavg()[0]:.1f}"
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="less of each")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, and others named so")
    options = parser.parse_args()
    # The libraries look into the command line themselves.
    sys.argv[1:] = []
    home = works.make_home("bench")
    results = measure(home, set(options.only or PARTS), Scale(options.quick))
    results["aims"] = aims(results)
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        print_all(results)


main()
