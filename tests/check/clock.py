# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of the system's clock. It is sealctl's file whose time is changed."""

import ctypes
import os
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import checks
import home as homes
import tap

home = homes.Home("check-clock")
home.bin = home.folder / "bin"
home.bin.mkdir()
shutil.copy(homes.prefix() / "bin/sealctl", home.bin)
DAY = 86400
STA_UNSYNC = 0x40


def is_synchronised():
    """As the kernel has it, or systemd-timesyncd."""
    state = ctypes.create_string_buffer(512)
    ctypes.CDLL(None).adjtimex(state)
    status = int.from_bytes(state.raw[40:44], "little")
    return not status & STA_UNSYNC or os.path.exists("/run/systemd/timesync/synchronized")


def made(when):
    os.utime(home.bin / "sealctl", (when, when))


@tap.test("a clock that can be right")
def _():
    made(time.time() - 30 * DAY)
    if is_synchronised():
        checks.fine(home, "clock", time.strftime("%Y-%m-%d", time.gmtime()))
    else:
        checks.fault(home, "clock", "warning", "no time server", remedy="timedatectl set-ntp true")


@tap.test("one that shows a day before sealctl was made")
def _():
    made(time.time() + 10 * DAY)
    checks.fault(home, "clock", "problem", time.strftime("%Y-%m-%d", time.gmtime()),
                 time.strftime("%Y-%m-%d", time.gmtime(time.time() + 10 * DAY)),
                 "before this sealctl was made", remedy="timedatectl")


@tap.test("less than a day is no matter")
def _():
    made(time.time() + DAY // 2)
    tap.true(not [row for row in checks.look(home, "clock").rows if row["state"] == "problem"],
             "no problem")


tap.main()
