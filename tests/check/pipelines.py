# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of what is configured and has no effect."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import checks
import home as homes
import tap

home = homes.Home("check-pipelines")


def fault(*parts, remedy=""):
    return checks.fault(home, "pipelines", "warning", *parts, remedy=remedy,
                        among=("configuration",))


def fine(*parts):
    return checks.fine(home, "pipelines", *parts, among=("configuration",))


@tap.test("what has an effect: encrypting, signing, or both")
def _():
    fine("encrypted as the policy says, and never signed")
    home.configure({"module sign": {}, "policy": {"sign": "preferred"}})
    fine("encrypted and signed")
    home.configure({"module sign": {}, "policy": {"encrypt": "never", "sign": "preferred"}})
    fine("signed as the policy says, and never encrypted")


@tap.test("a policy that does nothing, and a rule that does")
def _():
    home.configure({"policy": {"encrypt": "never"}})
    fault("encrypt=never and sign=never", "passes as it comes", remedy="preferred or required")
    home.configure({"policy": {"encrypt": "never"},
                    "rule a": {"match_recipient": "@example.org", "encrypt": "required"}})
    fine("encrypted")


@tap.test("a stage in no pipeline")
def _():
    home.configure({"module sign": {}, "pipeline": {"outbound": "smime"}})
    fault("[module sign] is enabled", "does not stand in [pipeline] outbound",
          remedy="[pipeline] outbound")


@tap.test("a format that the pipeline leaves out, and one that no policy names")
def _():
    if not homes.has_module("pgp"):
        raise tap.Skip("built without the pgp module")
    home.configure({"module pgp": {}, "policy": {"formats": "smime;pgp"},
                    "pipeline": {"outbound": "smime"}})
    fault('"pgp"', "leaves it out", remedy="add it to [pipeline] outbound")
    home.configure({"module pgp": {}, "policy": {"formats": "smime"}})
    fault('"pgp"', "no policy's formats name it", remedy="add it to [policy] formats")
    home.configure({"module pgp": {}, "policy": {"formats": "smime"},
                    "rule a": {"match_recipient": "@example.org", "formats": "pgp"}})
    fine("encrypted")


@tap.test("a key source that is not asked")
def _():
    home.configure({"module keys-store": {}, "keyring": {"sources": "file"}})
    fault("[module keys-store] is enabled", '"store"', "not asked", remedy="[keyring] sources")
    home.configure({"module keys-store": {}, "keyring": {"sources": "file;store"}})
    fine("encrypted")


@tap.test("rules that never match, since one ahead of them matches as much")
def _():
    for first, second in (
            ({"match_recipient": "@example.org"}, {"match_recipient": "alice@example.org"}),
            ({"match_recipient": "@EXAMPLE.org;@b.example"},
             {"match_recipient": "@b.example;x@example.org", "match_sender": "@c.example"}),
            ({"match_recipient": "@.example.org"}, {"match_recipient": "@sub.example.org"}),
            ({"match_recipient": "*"}, {"match_sender": "@c.example"}),
            ({"match_size": ">10M"}, {"match_size": ">10M", "match_recipient": "@example.org"})):
        home.configure({"rule first": {**first, "encrypt": "preferred"},
                        "rule second": {**second, "encrypt": "required"}})
        fault("[rule second] has no effect", "[rule first] stands ahead", remedy="put it ahead")


@tap.test("rules that may match all the same")
def _():
    for first, second in (
            ({"match_recipient": "alice@example.org"}, {"match_recipient": "@example.org"}),
            ({"match_recipient": "@.example.org"}, {"match_recipient": "@example.org"}),
            ({"match_recipient": "@example.org", "match_sender": "@c.example"},
             {"match_recipient": "@example.org"}),
            ({"match_recipient": "@example.org"}, {"match_sender": "@example.org"}),
            ({"match_recipient": "@example.org"}, {"match_recipient": "*@*.example.org"}),
            ({"match_sender": "*"}, {"match_sender": "<>"}),
            ({"match_recipient": "@ample.org"}, {"match_recipient": "@example.org"})):
        home.configure({"rule first": {**first, "encrypt": "preferred"},
                        "rule second": {**second, "encrypt": "required"}})
        fine("encrypted")


tap.main()
