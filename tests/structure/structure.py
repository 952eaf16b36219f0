# SPDX-License-Identifier: GPL-2.0-or-later
"""The walls of the source: who includes whom, who calls whom, and whether the tour, docs/source.md, names all of it.

structure.py BUILD: the folder with the object files, whose symbols tell who calls whom.
"""

import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests/lib"))
import tap

BUILD = pathlib.Path(tap.arguments()[0])
TREES = ("core", "modules", "filters")
FACES = ("core/sealpipe.h", "core/sealpipe-keeping.h", "core/sealpipe-files.h", "core/sealpipe-keys.h", "core/frontend.h",
         "core/frontend-keys.h", "core/frontend-tally.h")
# What each room of core may use beside itself and the faces.
ROOMS = {
    "core/base": (),
    "core/mail": ("core/base",),
    "core/plugin": ("core/base",),
    "core/sealed": ("core/base", "core/mail"),
    "core/pipeline": ("core/base", "core/mail", "core/plugin"),
}
MAX_LINES = 900
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
SYMBOL = re.compile(r"^([^:\n]+):[0-9a-f ]{16} ([A-Za-z]) (\S+)$", re.M)


def files():
    return sorted(path.relative_to(SOURCE) for tree in TREES
                  for path in (SOURCE / tree).rglob("*") if path.suffix in (".c", ".h"))


def includes(path):
    """Within the source; a bare name is one beside the file."""
    for name in INCLUDE.findall((SOURCE / path).read_text()):
        beside = path.parent / name
        yield str(beside if "/" not in name and (SOURCE / beside).exists() else name)


def circles(graph):
    """The groups of nodes that reach one another (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


@tap.test("a circle would be found")
def _():
    tap.equal(circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}), [["b", "c"]])


@tap.test("core: pipeline uses plugin, mail and base; sealed uses mail and base; plugin and mail base; base nothing of ours")
def _():
    seen = set()
    for path in files():
        if path.parts[0] != "core" or str(path) in FACES:
            continue
        room = str(path.parent)
        tap.true(room in ROOMS, f"{path} stands in no room")
        seen.add(room)
        for name in includes(path):
            allowed = name in FACES or str(pathlib.Path(name).parent) in (room, *ROOMS[room])
            tap.true(allowed, f"{path} includes {name}")
    tap.equal(seen, set(ROOMS), "rooms")


@tap.test("a module includes core/sealpipe.h and its own headers alone")
def _():
    for path in files():
        for name in includes(path) if path.parts[0] == "modules" else ():
            allowed = name == FACES[0] or pathlib.Path(name).parent == path.parent
            tap.true(allowed, f"{path} includes {name}")


@tap.test("a program includes the faces and filters alone")
def _():
    for path in files():
        for name in includes(path) if path.parts[0] == "filters" else ():
            tap.true(name in FACES or name.startswith("filters/"), f"{path} includes {name}")


@tap.test("no two files include each other")
def _():
    graph = {}
    for path in files():
        unit = graph.setdefault(str(path.with_suffix("")), set())
        unit |= {name.rpartition(".")[0] for name in includes(path)}
        unit.discard(str(path.with_suffix("")))
    for others in list(graph.values()):
        for other in others:
            graph.setdefault(other, set())
    tap.equal(circles(graph), [])


@tap.test("no two files of a library, module or program call each other")
def _():
    targets = {path.parent for path in BUILD.rglob("*.o")
               if path.relative_to(BUILD).parts[0] in TREES}
    tap.true(len(targets) >= 8, f"only {len(targets)} targets in {BUILD}")
    for target in targets:
        defined = {}
        wanted = {path.name: set() for path in target.glob("*.o")}
        # One process for all of them: each begins every line with the object's name.
        listing = subprocess.run(["nm", "-A", *wanted], cwd=target, capture_output=True, text=True,
                                 check=True)
        for name, kind, symbol in SYMBOL.findall(listing.stdout):
            if kind == "U":
                wanted[name].add(symbol)
            elif kind in "TDBRVWGSC":
                defined[symbol] = name
        tap.true(defined, f"nm has read nothing in {target}")
        graph = {name: {defined[s] for s in symbols if s in defined} - {name}
                 for name, symbols in wanted.items()}
        tap.equal(circles(graph), [], str(target.relative_to(BUILD)))


@tap.test(f"no file has more than {MAX_LINES} lines")
def _():
    tests = [path.relative_to(SOURCE) for path in (SOURCE / "tests").rglob("*")
             if path.suffix in (".c", ".h", ".py")]
    for path in (*files(), *tests):
        lines = (SOURCE / path).read_text().count("\n")
        tap.true(lines <= MAX_LINES, f"{path} has {lines}")


@tap.test("the tour, docs/source.md, names every folder and every file")
def _():
    tour = re.search(r"(?ms)^```\n(.*?)^```$", (SOURCE / "docs/source.md").read_text())
    tap.true(tour, "there is no tour")
    words = set(re.findall(r"[A-Za-z0-9][\w.-]*", tour[1]))
    for path in files():
        tap.true(path.parent.name in words, f"the folder {path.parent} is not named")
        tap.true(path.stem in words or path.name in words, f"{path} is not named")
    for folder in SOURCE.iterdir():
        built = folder.name == "build" or (folder / "build.ninja").exists()
        if folder.is_dir() and not folder.name.startswith(".") and not built:
            tap.true(folder.name in words, f"{folder.name}/ is not named")


@tap.test("a small module is at most 6 files and 150 lines")
def _():
    folder = SOURCE / "modules/example"
    names = [path for path in folder.iterdir() if path.is_file()]
    lines = sum(path.read_text().count("\n") for path in names)
    tap.true(len(names) <= 6 and lines <= 150, f"{len(names)} files, {lines} lines")


tap.main()
