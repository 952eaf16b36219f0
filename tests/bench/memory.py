# SPDX-License-Identifier: GPL-2.0-or-later
"""The bound on peak resident memory, as a test; and how it is watched, for bench.py.
"""

import base64
import os
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import works
from works import MIB

import certs
import tap

MEMORY_SIZE, MEMORY_BOUND = 256 * MIB, 32 * MIB


def start(command, path):
    with open(path, "rb") as file:
        return subprocess.Popen(command, stdin=file, stdout=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin"})


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


def measure_memory(home, work):
    """Peak by process as sampled, and the kernel's own figure for the largest of them all. The
    latter includes what this script took at the fork, so it can only be too high."""
    child = start(work.by_itself(), works.message(home, MEMORY_SIZE))
    watcher = Watcher(child.pid)
    watcher.start()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    watcher.done.set()
    watcher.join()
    tap.equal(child.returncode, 0, work.alone.log_text()[-600:])
    # The names of what ran before exec are this script's.
    peaks = {name: octets for name, octets in watcher.peaks.items() if name.startswith(("sealpipe", "gpg"))}
    return {"work": work.name, "message": MEMORY_SIZE, "bound": MEMORY_BOUND, "largest": usage.ru_maxrss * 1024,
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
                  works.message(home, 4096))
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    tap.equal(child.returncode, 0, home.log_text())
    return usage.ru_maxrss * 1024


def describe(memory):
    parts = [f"{name} {octets / MIB:.1f}" for name, octets in sorted(memory["processes"].items())]
    return (f"{memory['work']}, {memory['message'] // MIB} MiB message: largest process "
            f"{memory['largest'] / MIB:.1f} MiB ({', '.join(parts)}), bound {memory['bound'] // MIB} MiB")


def main():
    home = works.make_home("memory")
    for work in works.all_works(home):
        @tap.test(f"{work.name}: {MEMORY_SIZE // MIB} MiB in less than {MEMORY_BOUND // MIB} MiB of memory")
        def _(work=work):
            memory = measure_memory(home, work)
            tap.note(describe(memory))
            tap.true(memory["pass"], "too much memory")
    for what, path in many_certificates(home).items():
        @tap.test(f"{MANY} certificates, {what}: one message in less than {MEMORY_BOUND // MIB} MiB")
        def _(path=path):
            peak = seal_among_many(home, path)
            tap.note(f"{peak / MIB:.1f} MiB")
            tap.true(peak < MEMORY_BOUND, "too much memory")
    tap.main()


if __name__ == "__main__":
    main()
