# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a test can have a view of the files that nobody else has."""

import os
import subprocess
import tempfile

HINT = "(in a chroot, / has to be a mount point: mount --bind DIR DIR, before chroot DIR)"


def why_not():
    """None where folders can be laid over others in it, else why they cannot."""
    if os.getuid() != 0:
        return "to mount needs root"
    result = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    if result.returncode != 0:
        return f"no view of the files of its own: {result.stderr.strip()} {HINT}"
    with tempfile.TemporaryDirectory() as folder:
        command = ["unshare", "--mount", "mount", "-t", "overlay", "overlay",
                   "-o", f"lowerdir={folder}:/usr", "/usr"]
        result = subprocess.run(command, capture_output=True, text=True)
    return f"no folder can be laid over /usr: {result.stderr.strip()}" if result.returncode else None
