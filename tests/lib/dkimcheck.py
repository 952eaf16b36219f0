# SPDX-License-Identifier: GPL-2.0-or-later
"""What somebody else's DKIM verifier (python3-dkim, unpacked and not installed) says of signatures."""

import subprocess
import sys

import mail
import unpacked

SELECTOR = "s"


def prepare():
    """To be called while there is still a network."""
    layer = unpacked.layer("dkimpy", ["python3-dkim"], needs=False)
    sys.path.append(str(layer / "usr/lib/python3/dist-packages"))


def make_key(path):
    """At @path; what the DNS has of it."""
    subprocess.run(["openssl", "genrsa", "-out", path, "2048"], capture_output=True, check=True)
    public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout"], capture_output=True, check=True)
    return b"v=DKIM1; k=rsa; p=" + b"".join(public.stdout.splitlines()[1:-1])


def signatures(message, record):
    """Whether each holds, by the key that the DNS has in @record."""
    import dkim
    found = mail.Message(message).all("DKIM-Signature")
    return [dkim.DKIM(message).verify(number, dnsfunc=lambda name, timeout=5: record)
            for number in range(len(found))]
