# SPDX-License-Identifier: GPL-2.0-or-later
"""Trust anchors for mail: NSS's own word on which roots they are, and what is said of bundles that
are meant for something else."""

import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "lib"))
import home as homes
import tap

home = homes.Home("roots")
WEB = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


def library():
    listed = subprocess.run(["dpkg-query", "-L", "libnss3"], capture_output=True, text=True)
    return next(p for p in listed.stdout.split() if p.endswith("/libnssckbi.so"))


def said(anchors):
    """What `sealctl status` says of the module."""
    home.configure({"module smime": {"trust_anchors": anchors}})
    result = home.run("sealctl", "status", "--json")
    tap.equal(result.status, 0, result.errors)
    return next(c for c in json.loads(result.output)["checks"] if c["check"] == "smime")


def certutil(*args):
    return subprocess.run(["certutil", *args], check=True, capture_output=True, text=True).stdout


@tap.test("trust_anchors=mail: the roots that NSS's certutil calls trusted for mail")
def _():
    database = home.folder / "nss"
    database.mkdir()
    certutil("-N", "-d", f"sql:{database}", "--empty-password")
    (database / "libnssckbi.so").symlink_to(library())
    listed = certutil("-L", "-d", f"sql:{database}", "-h", "Builtin Object Token")
    flags = [line.rstrip().rsplit(None, 1)[-1].rstrip(",").split(",")
             for line in listed.splitlines() if line.startswith("Builtin Object Token:")]
    trusted = sum(len(f) > 1 and "C" in f[1] for f in flags)
    tap.true(50 < trusted < len(flags), (trusted, len(flags)))
    def counts(anchors):
        row = said(anchors)
        return row["anchors"], row.get("mail_roots")

    own = home.authority.cert
    copy = home.folder / "copy.pem"
    shutil.copy(own, copy)
    tap.equal(counts("mail"), (0, trusted))
    tap.equal(counts(f"mail;{own}"), (1, trusted))
    tap.equal(counts(f"{own};{copy}"), (1, None), "one that stands in two files is one")


@tap.test("a bundle of web servers' CAs draws a warning; an organisation's own CA does not")
def _():
    tap.contains(said(WEB)["warning"], "trust_anchors=mail")
    tap.equal(said(home.authority.cert).get("warning", ""), "")
    tap.equal(said("mail").get("warning", ""), "")


@tap.test("where the library is missing, nothing runs, and the package is named")
def _():
    home.configure({"module smime": {"trust_anchors": "mail", "mail_roots": home.authority.cert}})
    result = home.run("sealctl", "status")
    tap.equal(result.status, 1)
    tap.contains((result.output + result.errors).decode(), "no PKCS#11 library")


tap.main()
