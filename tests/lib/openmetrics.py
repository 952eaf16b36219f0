# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads OpenMetrics text strictly, and has Prometheus' own parser read it too where that is there."""

import re

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as theirs
except ImportError:
    theirs = None

SUFFIXES = {"counter": ("_total",), "gauge": ("",), "info": ("_info",),
            "histogram": ("_bucket", "_sum", "_count")}
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? '
                    r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"')
ESCAPES = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


def demand(good, what):
    if not good:
        raise ValueError(what)


def check_histogram(name, found):
    bounds = [(float(dict(labels)["le"]), value) for (sample, labels), value in found.items()
              if sample == f"{name}_bucket"]
    demand(bounds == sorted(bounds) and bounds[-1][0] == float("inf"), f"{name}: buckets")
    demand([value for _, value in bounds] == sorted(value for _, value in bounds), f"{name}: grows")
    demand(bounds[-1][1] == found[f"{name}_count", ()], f"{name}: total")


def own_samples(text):
    """{(name, sorted labels): value}"""
    demand(text.endswith("\n# EOF\n") and text.count("# EOF") == 1, "the end")
    found, families, family, kind = {}, {}, None, None
    for line in text[:-len("# EOF\n")].splitlines():
        if head := re.fullmatch(r"# TYPE (\w+) (\w+)", line):
            family, kind = head.groups()
            demand(family not in families and kind in SUFFIXES, line)
            families[family] = kind
            continue
        if head := re.fullmatch(r"# (?:HELP|UNIT) (\w+) .+", line):
            demand(head[1] == family, line)
            continue
        sample = SAMPLE.fullmatch(line)
        demand(sample and family, line)
        name, labels, value = sample.groups()
        demand(name in {family + suffix for suffix in SUFFIXES[kind]}, line)
        pairs = tuple(sorted((key, re.sub(r"\\.", lambda m: ESCAPES[m[0]], text))
                             for key, text in LABEL.findall(labels or "")))
        demand(len({key for key, _ in pairs}) == len(pairs) and (name, pairs) not in found, line)
        demand(kind == "gauge" or float(value) >= 0, line)
        found[name, pairs] = float(value)
    for name, of_kind in families.items():
        if of_kind == "histogram":
            check_histogram(name, found)
    return found


def samples(text):
    found = own_samples(text)
    if theirs:
        again = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                 for family in theirs(text) for sample in family.samples}
        demand(again == found, f"{set(again.items()) ^ set(found.items())}")
    return found
