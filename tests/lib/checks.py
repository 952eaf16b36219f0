# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sealctl check` says, topic by topic, and how a test asks for one fault."""

import json

import tap


class Findings:
    """Of one run. Rows have topic, state, text and remedy."""

    def __init__(self, result):
        try:
            self.answer = json.loads(result.output)
        except ValueError:
            raise AssertionError(f"no JSON: {result.triple()}")
        self.rows, self.status = self.answer["findings"], result.status

    def of(self, topic):
        return [row for row in self.rows if row["topic"] == topic]

    def bad(self):
        return [row for row in self.rows if row["state"] in ("warning", "problem")]


def look(home, *topics, **how):
    """Findings of these topics alone."""
    found = Findings(home.run("sealctl", "--json", "check", **how))
    found.rows = [row for row in found.rows if row["topic"] in topics]
    for row in found.rows:
        tap.equal(bool(row["remedy"]), row["state"] in ("warning", "problem"), f"a remedy: {row}")
        tap.true(not row["remedy"].endswith("."), f"no full stop: {row}")
    return found


def fine(home, topic, *parts, among=(), **how):
    """One finding that is ok, of @topic and of those @among too."""
    found = look(home, topic, *among, **how)
    tap.equal(found.bad(), [], f"nothing but {topic} ok")
    tap.equal(len(found.of(topic)), 1, f"{topic}: {found.rows}")
    for part in parts:
        tap.contains(found.of(topic)[0]["text"], str(part), topic)
    return found


def fault(home, topic, state, *parts, remedy="", among=(), **how):
    """One finding that is not ok, of @topic, with these parts; nothing else is wrong of @topic and
    those @among."""
    found = look(home, topic, *among, **how)
    tap.equal([(row["topic"], row["state"]) for row in found.bad()], [(topic, state)],
              f"{parts}: {found.rows}")
    row = found.bad()[0]
    for part in parts:
        tap.contains(row["text"], str(part), f"{topic}: {row}")
    tap.contains(row["remedy"], remedy, f"{topic}: {row}")
    if state == "problem":
        tap.equal(found.status, 1, f"the exit status: {row}")
    return row
