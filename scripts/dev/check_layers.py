#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Enforces the include table: which layer and room of lib/shardmark, and which room of bench, may include
what; that no two units (a header with its source) include each other, however long the way round; and that
HDF5 is called where its calls are checked and nowhere else.

Usage: check_layers.py [ROOT]. Prints FILE:LINE of every violation; exit code 1 if there is any.
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import python_rooms

# Layer: (layers it may include, outside headers it may include besides fmt).
TABLE = {
    "core": ("", "xxhash"),
    "profile": ("core", ""),
    "protocol": ("core", ""),
    "mpi": ("core", "mpi"),
    "tensor": ("core protocol", ""),
    "plan": ("core protocol", ""),
    "storage": ("core profile protocol plan mpi", "mpi liburing"),
    "checkpoint": ("core profile protocol plan mpi storage", ""),
    "workload": ("core protocol tensor", "nlohmann"),
}
TABLE["testing"] = (" ".join(TABLE), "gtest nlohmann libdl libfuse")
ALL_LAYERS = set(TABLE)
BENCH_LAYERS = ALL_LAYERS - {"testing"}
BENCH_OUTSIDE = {"fmt", "mpi", "nlohmann", "benchmark", "cli11", "tomlplusplus"}
# Folders with a header of their own beyond what their layer has.
FOLDER_OUTSIDE = {"lib/shardmark/storage/hdf5/library": {"hdf5"}, "bench/ceiling": {"hdf5"}, "bench/interposed": {"libdl"}}
# Who calls HDF5. A ceiling shares no code with what it judges.
HDF5_CALLERS = ("lib/shardmark/storage/hdf5/library/", "bench/ceiling/bare_hdf5_transfer.")
HDF5_CALL = re.compile(r"\bH5(?:[A-Z]{1,3}[a-z]\w*|open|close|dont_atexit|get_libversion)\s*\(")
HDF5_HANDLES = re.compile(r"H5(File|Group|Dataset|Space|Type|Properties|Attribute|Handle)\b")


def families_of(cmake):
    """The benchmark families that the build lists: a room each, which none of the others may include."""
    match = re.search(r"set\(SHARDMARK_FAMILIES ([^)]*)\)", cmake.read_text(encoding="utf-8"))
    if not match:
        raise SystemExit(f"{cmake}: no set(SHARDMARK_FAMILIES ...)")
    return match[1].split()


FAMILIES = families_of(pathlib.Path(__file__).resolve().parents[2] / "bench" / "CMakeLists.txt")

# Rooms from the ground up: each may include those of the lines below it, and none of its own line. "." is the
# files that lie in the folder itself.
FLOORS = {
    "lib/shardmark/plan": ("tables", "owners", "merge", "load", "save"),
    "lib/shardmark/storage": (
        "format posix", "directory", "probe", "raw", "exchange", "contract", "direct null", "hdf5/library", "hdf5/files",
        "hdf5/transfer mpiio", ".",
    ),
    "bench": (
        "interposed", "config", "machine", "text", "harness/watch", "harness/measure", "harness/report", "harness/run",
        f"micro {' '.join(FAMILIES)}", "suite", "cli/commands", "cli/grammar", "cli/texts", "cli",
    ),
}  # fmt: skip
# Name of an outside library by the header's first part.
OUTSIDE = {
    "fmt": r"fmt/",
    "xxhash": r"xxh",
    "libdl": r"dlfcn\.h$",
    "libfuse": r"fuse3/",
    "mpi": r"mpi(o)?\.h$",
    "hdf5": r"(hdf5(_hl)?|H5\w*)\.h$",
    "nlohmann": r"nlohmann/",
    "gtest": r"g(test|mock)/",
    "benchmark": r"benchmark/",
    "cli11": r"CLI/",
    "tomlplusplus": r"toml\+\+/",
    "liburing": r"liburing",
}
SYSTEM = re.compile(
    r"(sys|linux|asm|arpa|netinet)/\w+\.h$"
    r"|(dirent|dlfcn|emmintrin|errno|fcntl|fnmatch|limits|malloc|poll|pthread|pwd|regex|sched|signal|spawn|stdio|stdlib|string|time)\.h$"
    r"|unistd\.h$"
)
GENERATED = {"shardmark_commit.hpp"}
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
TEST_STEM = re.compile(r"_(test|fuzz|compile_failure)$|_test_")
ADD_LAYER = re.compile(r"shardmark_add_layer\(\s*(\w+)([^)]*)\)")
KEYWORDS = {"HEADERS", "SOURCES", "LINK", "PRIVATE_LINK"}


def room_rows():
    """Every room with the rooms of its own house that it may include."""
    rows = {}
    for house, floors in FLOORS.items():
        below = set()
        for floor in floors:
            rooms = {house if name == "." else f"{house}/{name}" for name in floor.split()}
            for room in rooms:
                rows[room] = below
            below = below | rooms
    return rows


ROOMS = room_rows()


def room_of(path):
    """The room in which the file at `path` lies; None outside the houses that have rooms."""
    folder = str(pathlib.PurePosixPath(path).parent)
    return folder if folder in ROOMS else None


def house_of(path):
    return next((house for house in FLOORS if str(path).startswith(f"{house}/")), None)


def file_of(quoted):
    """Where an include in quotes lies below the root."""
    return f"lib/{quoted}" if quoted.startswith("shardmark/") else quoted


def outside_library(header):
    """Name of the library `header` belongs to; None for the standard library and the system."""
    for name, pattern in OUTSIDE.items():
        if re.match(pattern, header):
            return name
    if SYSTEM.match(header) or re.fullmatch(r"\w+", header):
        return None
    return f"unknown library of <{header}>"


class Place:
    """What one file may include."""

    def __init__(self, relative):
        parts = relative.parts
        self.in_bench = parts[0] == "bench"
        self.is_test = bool(TEST_STEM.search(relative.stem))
        self.house = house_of(relative)
        self.room = room_of(relative)
        if self.house and not self.room and not self.is_test and relative.suffix != ".txt":
            raise KeyError(f"folder '{relative.parent}'")
        if self.in_bench:
            self.name = "bench"
            self.layers, self.outside = set(BENCH_LAYERS), set(BENCH_OUTSIDE)
        else:
            self.name = f"layer '{parts[2]}'"
            if parts[2] not in TABLE:
                raise KeyError(f"layer '{parts[2]}'")
            layers, outside = TABLE[parts[2]]
            self.layers = {parts[2], *layers.split()}
            self.outside = {"fmt", *outside.split()}
        for folder, extra in FOLDER_OUTSIDE.items():
            if relative.is_relative_to(folder):
                self.outside |= extra
        if self.is_test:
            self.name += " (test)"
            self.layers = set(ALL_LAYERS)
            self.outside = set(OUTSIDE)

    def refuse_room(self, quoted):
        """Why an include within the file's own house is wrong, or None."""
        target = file_of(quoted)
        if self.is_test or self.house is None or house_of(target) != self.house:
            return None
        room = room_of(target)
        if room == self.room or room in ROOMS[self.room]:
            return None
        allowed = ", ".join(sorted(ROOMS[self.room])) or "none"
        return f'room {self.room} may not include "{quoted}"; rooms it may use: {allowed}'

    def refuse(self, quoted, angled):
        """Why this include is wrong, or None."""
        if quoted is None:
            if angled.startswith(("shardmark/", "bench/")):
                return f'<{angled}> is ours: write it in "quotes"'
            library = outside_library(angled)
            if library is None or library in self.outside:
                return None
            allowed = ", ".join(sorted(self.outside))
            return f"{self.name} may not include <{angled}> ({library}); it may use: {allowed}"
        if quoted in GENERATED:
            return None
        if quoted.startswith("bench/"):
            if not self.in_bench:
                return f'{self.name} may not include "{quoted}": lib knows no bench'
            return self.refuse_room(quoted)
        match = re.match(r"shardmark/(\w+)/", quoted)
        if not match:
            return f'"{quoted}" is not written from the root ("shardmark/..." or "bench/...")'
        if match[1] in self.layers:
            return self.refuse_room(quoted)
        allowed = ", ".join(sorted(self.layers)) or "nothing"
        return f'{self.name} may not include "{quoted}"; it may use: {allowed}'


def includes_of(path):
    """(line number, in quotes or None, in angles or None) of every include."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1], match[2]


def check_file(root, path):
    """Yields one message a violation."""
    relative = path.relative_to(root)
    try:
        place = Place(relative)
    except KeyError as error:
        yield f"{relative}:1: {error.args[0]} is not in the include table"
        return
    for number, quoted, angled in includes_of(path):
        reason = place.refuse(quoted, angled)
        if reason:
            yield f"{relative}:{number}: {reason}"


def check_hdf5_calls(root, path):
    """Yields one message a call of HDF5 outside the files that check and count them."""
    relative = path.relative_to(root)
    if str(relative).startswith(HDF5_CALLERS) or TEST_STEM.search(relative.stem):
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for match in HDF5_CALL.finditer(line.split("//")[0]):
            if not HDF5_HANDLES.match(match[0]):
                name = match[0].rstrip("( ")
                yield f"{relative}:{number}: {name}: HDF5 is called in {' and '.join(HDF5_CALLERS)} only"


def check_cmake(root, path):
    """A layer's USES in its CMakeLists.txt must lie within its row of the table."""
    text = path.read_text(encoding="utf-8")
    for match in ADD_LAYER.finditer(text):
        layer, keyword = match[1], None
        where = f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
        if layer not in TABLE:
            yield f"{where}: layer '{layer}' is not in the include table"
            continue
        for word in match[2].split():
            if word == "USES" or word in KEYWORDS:
                keyword = word
            elif keyword == "USES" and word not in TABLE[layer][0].split():
                yield f"{where}: layer '{layer}' USES {word}, which the include table does not allow"


def find_circles(arrows):
    """Lists of units that reach themselves, each once (Tarjan's components of more than one)."""
    index, low, stack, circles = {}, {}, [], []

    def visit(unit):
        index[unit] = low[unit] = len(index)
        stack.append(unit)
        for target in sorted(arrows.get(unit, ())):
            if target not in index:
                visit(target)
                low[unit] = min(low[unit], low[target])
            elif target in stack:
                low[unit] = min(low[unit], index[target])
        if low[unit] == index[unit]:
            at = stack.index(unit)
            if len(stack) - at > 1:
                circles.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for unit in sorted(arrows):
        if unit not in index:
            visit(unit)
    return circles


def check_circles(root, sources):
    """Yields one message a circle of units."""
    arrows = {}
    for path in sources:
        relative = path.relative_to(root)
        if TEST_STEM.search(relative.stem):
            continue
        unit = str(relative.with_suffix(""))
        targets = (file_of(quoted) for _, quoted, _ in includes_of(path) if quoted and "/" in quoted)
        arrows.setdefault(unit, set()).update(
            target for target in (str(pathlib.PurePosixPath(name).with_suffix("")) for name in targets)
            if target != unit
        )  # fmt: skip
    for circle in find_circles(arrows):
        yield f"{circle[0]}.hpp:1: these include each other: {', '.join(circle)}"


def check_tree(root):
    """All violations below lib/shardmark, bench and scripts, as text."""
    found, sources = [], []
    for folder in ("lib/shardmark", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".h", ".c"):
                if folder == "lib/shardmark" and len(path.relative_to(root / folder).parts) < 2:
                    found.append(f"{path.relative_to(root)}:1: a file of no layer")
                else:
                    found += check_file(root, path)
                    found += check_hdf5_calls(root, path)
                    sources.append(path)
            elif path.name == "CMakeLists.txt":
                found += check_cmake(root, path)
    found += check_circles(root, sources)
    found += python_rooms.check_imports(root)
    for circle in find_circles(python_rooms.module_arrows(root)):
        found.append(f"{circle[0]}.py:1: these import each other: {', '.join(circle)}")
    return found


def main():
    default = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default
    if not (root / "lib/shardmark").is_dir():
        print(f"error: {root}: no folder lib/shardmark", file=sys.stderr)
        return 2
    found = check_tree(root)
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
