# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says of addresses with keys of several people, and of keys that several
people have."""

import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import checks
import home as homes
import tap

home = homes.Home("check-addresses")
DATES = ("20200101000000Z", "20980101000000Z")


def leaf(name, address, **how):
    person = home.authority.leaf(name, address, "keyAgreement", *DATES, f"/CN={name}", **how)
    shutil.copy(person.cert, home.certs)
    return home.certs / person.cert.name


def fault(*parts, **how):
    return checks.fault(home, "addresses", "warning", *parts, **how)


@tap.test("each address has one person's keys, each key one person")
def _():
    checks.fine(home, "addresses", "of 2 keys, none is several people's")


@tap.test("two people's keys for one address")
def _():
    other = leaf("Another", "alice@example.org", kind="ec")
    fault("alice@example.org", "keys of several people", "Test Person", "Another",
          remedy="sealctl keys check lists them all")
    other.unlink()


@tap.test("one key for several addresses; and one for two people")
def _():
    both = leaf("Both", "one@example.com,email:two@example.com", kind="ec")
    fault("one@example.com, two@example.com", "several addresses", remedy="sealctl keys check")
    both.unlink()
    twin = leaf("Twin", "twin@example.org", key=home.bob.key)
    row = fault("the key of", "too", remedy="sealctl keys check")
    tap.true({"twin", "bob"} & set(row["text"].replace("@", " ").split()), row)
    twin.unlink()


@tap.test("five are named, the others counted")
def _():
    files = [leaf(f"Both{number}", f"one{number}@example.com,email:two{number}@example.com",
                  kind="ec") for number in range(7)]
    rows = checks.look(home, "addresses").bad()
    tap.equal(len(rows), 6, rows)
    tap.equal((rows[-1]["text"], rows[-1]["remedy"]),
              ("and 2 more like these", "sealctl keys check lists them all"))
    for path in files:
        path.unlink()


tap.main()
