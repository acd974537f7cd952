#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Enforces the include table: which layer of lib/shardmark and which part of bench may include what.

Usage: check_layers.py [ROOT]. Prints FILE:LINE of every violation; exit code 1 if there is any.
"""

import pathlib
import re
import sys

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
TABLE["testing"] = (" ".join(TABLE), "gtest nlohmann libdl")
ALL_LAYERS = set(TABLE)
BENCH_LAYERS = ALL_LAYERS - {"testing"}
BENCH_OUTSIDE = {"fmt", "mpi", "nlohmann", "benchmark", "cli11", "tomlplusplus"}
# Folders with a header of their own beyond what their layer has.
FOLDER_OUTSIDE = {"lib/shardmark/storage/hdf5": {"hdf5"}, "bench/ceiling": {"hdf5"}}

# Name of an outside library by the header's first part.
OUTSIDE = {
    "fmt": r"fmt/",
    "xxhash": r"xxh",
    "libdl": r"dlfcn\.h$",
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
    r"|(dirent|dlfcn|errno|fcntl|fnmatch|limits|malloc|poll|pwd|regex|sched|signal|spawn|stdio|stdlib|string|time|unistd)\.h$"
)
GENERATED = {"shardmark_commit.hpp"}
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
TEST_STEM = re.compile(r"_(test|fuzz|compile_failure)$|_test_")
ADD_LAYER = re.compile(r"shardmark_add_layer\(\s*(\w+)([^)]*)\)")
KEYWORDS = {"HEADERS", "SOURCES", "LINK", "PRIVATE_LINK"}


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
        if self.in_bench:
            self.name = "bench"
            self.layers, self.outside = set(BENCH_LAYERS), set(BENCH_OUTSIDE)
        else:
            self.name = f"layer '{parts[2]}'"
            if parts[2] not in TABLE:
                raise KeyError(parts[2])
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
            return None if self.in_bench else f'{self.name} may not include "{quoted}": lib knows no bench'
        match = re.match(r"shardmark/(\w+)/", quoted)
        if not match:
            return f'"{quoted}" is not written from the root ("shardmark/..." or "bench/...")'
        if match[1] in self.layers:
            return None
        allowed = ", ".join(sorted(self.layers)) or "nothing"
        return f'{self.name} may not include "{quoted}"; it may use: {allowed}'


def check_file(root, path):
    """Yields one message a violation."""
    relative = path.relative_to(root)
    try:
        place = Place(relative)
    except KeyError as error:
        yield f"{relative}:1: layer {error} is not in the include table"
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        reason = match and place.refuse(match[1], match[2])
        if reason:
            yield f"{relative}:{number}: {reason}"


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


def check_tree(root):
    """All violations below lib/shardmark and bench, as text."""
    found = []
    for folder in ("lib/shardmark", "bench"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".h", ".c"):
                if folder == "lib/shardmark" and len(path.relative_to(root / folder).parts) < 2:
                    found.append(f"{path.relative_to(root)}:1: a file of no layer")
                else:
                    found += check_file(root, path)
            elif path.name == "CMakeLists.txt":
                found += check_cmake(root, path)
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
