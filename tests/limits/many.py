# SPDX-License-Identifier: GPL-2.0-or-later
"""sealpiped with 8,000 certificates, in a folder and in one file: no process of it, nor the program
that does without it, ever has more than 32 MiB, and what workers share stays shared."""

import base64
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import daemons
import tap
from home import Home
from meter import Meter

KIB = 1 << 10
MOST = 32 * KIB  # KiB, as /proc has it
COUNT, PEOPLE = 8000, 300
CAROL, ALICE = "carol@example.org", "alice@example.org"
MESSAGE = f"From: {CAROL}\nTo: {ALICE}\nSubject: s\n\n".encode() + b"text\n" * 800

home = Home("many")
DER = base64.b64decode(b"".join(home.alice.cert.read_bytes().split(b"-----")[2].split()))


def stranger(number):
    """A certificate in form; nobody has signed it."""
    der = DER.replace(b"alice@example.org", b"u%04d@example.org" % number)
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def folder():
    path = home.folder / "folder"
    path.mkdir()
    (path / "alice.pem").write_bytes(home.alice.cert.read_bytes())
    for i in range(COUNT):
        (path / f"u{i}.pem").write_bytes(stranger(i))
    return path


def file():
    path = home.folder / "all.pem"
    path.write_bytes(home.alice.cert.read_bytes() + b"".join(stranger(i) for i in range(COUNT)))
    return path


def kib(pid, file, name):
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {name} in {file}")


def members(daemon):
    return {"supervisor": [daemon.process.pid], "generation": daemon.generations(), "keeper": daemon.keepers(),
            "server": daemon.servers(), "worker": daemon.workers()}


def check(paths):
    home.configure({"module keys-file": {"paths": paths}})
    meter = Meter(home.folder)
    status, _, errors, _, peak = meter.run(
        [home.bin / "sealpipe", "-c", home.conf, "-f", CAROL, "--", ALICE], MESSAGE)
    tap.equal((status, errors), (0, b""), home.log_text()[-400:])
    tap.note(f"without it {peak / KIB / KIB:.0f} MiB")
    tap.true(peak < MOST * KIB, f"{peak} octets without the daemon")
    changes = {"policy": {"encrypt": "preferred"}, "module_keys-file": {"paths": paths}}
    with daemons.Daemon(home, **changes) as daemon:
        for i in range(PEOPLE):
            result = home.seal(MESSAGE, "-f", CAROL, "--", ALICE if i % 100 == 0 else f"u{i:04d}@example.org")
            tap.equal(result.status, 0, home.log_text()[-400:])
        for who, pids in members(daemon).items():
            tap.true(pids, f"there is no {who}")
            for pid in pids:
                most, own = kib(pid, "status", "VmHWM"), kib(pid, "smaps_rollup", "Private_Dirty")
                tap.note(f"{who}: at most {most / KIB:.1f} MiB, of its own {own / KIB:.1f} MiB")
                tap.true(most < MOST, f"{who} had {most} KiB")
                # Of 8,000 certificates, parsed, a worker would have 40 MiB.
                tap.true(who != "worker" or own < MOST // 4, f"a worker has {own} KiB of its own")


@tap.test("8,000 certificates in a folder")
def _():
    check(folder())


@tap.test("8,000 certificates in one file")
def _():
    check(file())


if "--sanitize" in sys.argv:
    tap.skip_all("sanitizers have their own memory")
tap.main()
