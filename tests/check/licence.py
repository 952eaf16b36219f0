# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of a licence, a trial, and of a clock that was set back. The argument is
the module that stands in for GLib's clock."""

import datetime
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import checks
import home as homes
import licences
import tap

if not homes.has_module("license"):
    tap.skip_all("built without the license module")

AHEAD = tap.arguments()[0]
home = homes.Home("check-licence")
issuer = licences.Issuer(home)
EFFECTS = {"refuse": "is refused", "report": "a problem report leaves", "allow": "leaves in clear"}


def day(more):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(more)).strftime("%Y-%m-%d")


def begin(license=None, on_lapse="refuse"):
    """With nothing remembered; @license: a file."""
    shutil.rmtree(home.state)
    home.state.mkdir(mode=0o700)
    home.configure({"module license": {"public_key": issuer.public, "on_lapse": on_lapse}})
    if license:
        tap.equal(home.run("sealctl", "license", "install", license).status, 0)


def ahead(days):
    """The environment in which it is @days later, and a minute more, so that they have passed."""
    if "--sanitize" in sys.argv:
        raise tap.Skip("sanitizers come before everything else that is loaded")
    return {"LD_PRELOAD": AHEAD, "AHEAD": str(days * 86400 + 60)}


def fault(topic, state, *parts, remedy="", **how):
    return checks.fault(home, topic, state, *parts, remedy=remedy,
                        among=("licence", "modules") + (("clock",) if topic == "clock" else ()), **how)


@tap.test("a licence that is valid, and until when; one that does not end; none that is asked for")
def _():
    begin(issuer.issue(until="2090-01-01"))
    checks.fine(home, "licence", "valid until 2090-01-01", among=("modules",))
    home.configure()
    tap.equal(checks.look(home, "licence").rows, [], "nobody asks for one")


@tap.test("a licence that ends within 30 days, and what holds then")
def _():
    for on_lapse, effect in EFFECTS.items():
        begin(issuer.issue(until=day(20)), on_lapse)
        fault("licence", "warning", f"valid until {day(20)}", effect, remedy="license install FILE")


@tap.test("a trial that has begun, and its last days")
def _():
    begin()
    checks.fine(home, "licence", "the trial is valid", "days more", among=("modules",))
    fault("licence", "warning", "the trial is valid", "9 days more", remedy="license install",
          env=ahead(20))


@tap.test("one that has lapsed: a trial, a licence, one of another installation")
def _():
    begin()
    home.run("sealctl", "license", "show")
    fault("licence", "problem", "the trial ended on", "is refused", remedy="license install FILE",
          env=ahead(40))
    for on_lapse, effect in EFFECTS.items():
        begin(on_lapse=on_lapse)
        (home.state / "license").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(issuer.issue(installation="0" * 32), home.state / "license/licence")
        fault("licence", "problem", "for another installation", effect, remedy="license install FILE")


@tap.test("a clock that was set back is the clock's fault")
def _():
    begin()
    tap.equal(home.run("sealctl", "license", "show", env=ahead(10)).status, 0, "it is remembered")
    fault("clock", "problem", "the clock was set back", day(10), remedy="set the clock")


tap.main()
