# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that speak TAP: @test on each function, then main()."""

import sys
import time
import traceback

_tests = []
_todo = set()
_todo_may_hold = False


class Skip(Exception):
    """Raised by a test that cannot run here, with the reason."""


def test(name):
    def register(function):
        _tests.append((name, function))
        return function
    return register


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {_short(got)}, expected {_short(want)}")


def true(value, what):
    if not value:
        raise AssertionError(what)


def contains(text, part, what="text"):
    if part not in text:
        raise AssertionError(f"{what}: no {_short(part)} in {_short(text)}")


def _short(value):
    text = repr(value)
    return text if len(text) <= 1500 else f"{text[:1500]}... ({len(value)} long)"


def wait_for(condition, what, seconds=30):
    """Asks until the condition is true. The bound is generous: it is met by faults only. @what may be
    a function that says more of them then."""
    begun = time.monotonic()
    while True:
        result = condition()
        if result:
            return result
        waited = time.monotonic() - begun
        if waited > seconds:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        # Asking takes the time of a processor, which what is waited for may need.
        time.sleep(min(0.01 + waited / 10, 0.1))


def note(text):
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def todo(names, may_hold=False):
    """Tests that are expected to fail; one that holds is a failure, unless they may."""
    global _todo_may_hold
    _todo.update(names)
    _todo_may_hold = may_hold


def _run(number, name, function):
    try:
        function()
    except Skip as reason:
        print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        return True
    except Exception as error:
        print(f"not ok {number} - {name}" + (" # TODO" if name in _todo else ""), flush=True)
        note(str(error) if isinstance(error, AssertionError) else traceback.format_exc())
        return name in _todo
    if name in _todo and not _todo_may_hold:
        print(f"not ok {number} - {name}: it holds now: take it from the list", flush=True)
        return False
    print(f"ok {number} - {name}", flush=True)
    return True


def main():
    """Runs all tests in the order of their definition; arguments name parts of those wanted."""
    wanted = [t for t in _tests if not _filters() or any(f in t[0] for f in _filters())]
    print(f"1..{len(wanted)}", flush=True)
    results = [_run(n, *t) for n, t in enumerate(wanted, 1)]
    sys.exit(0 if all(results) else 1)


def _filters():
    return [a[len("--only="):] for a in sys.argv[1:] if a.startswith("--only=")]


def arguments():
    """The command line without what main() takes."""
    return [a for a in sys.argv[1:] if not a.startswith("--only=")]


def skip_all(reason):
    print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(0)
