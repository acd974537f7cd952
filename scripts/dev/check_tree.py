#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the shape of the source tree: folders, file names and lengths, licence lines, paths of
one machine, work left for later, sources without a test.

Usage: check_tree.py [--tests] [ROOT]. Prints FILE:LINE of every violation; exit code 1 if there is any.

  --tests  prints how many sources of each room have a test named after them, and which have none
"""

import pathlib
import re
import subprocess
import sys

TOP_FOLDERS = {"bench", "lib", "configs", "scripts", "results"}
MOST_LINES = 500
DATA_SUFFIXES = {".json", ".svg", ".png", ".h5", ".bin", ".npz", ".csv", ".html"}
CODE_SUFFIXES = {".cpp", ".hpp", ".py"}
VAGUE_NAMES = {"utils", "util", "helper", "helpers", "misc", "common"}
LICENCE = "SPDX-License-Identifier: Apache-2.0"
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|farm|root|home/\w+)/")
LATER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
CI_FOLDER = ".ci"
TEST_OF = re.compile(r"(.+?)(?:_mpi)?_test\.cpp$")
# Kits, numbered edge cases, and whole checkpoints.
TESTS_OF_MANY = ("lib/shardmark/testing/", "lib/shardmark/checkpoint/")
# What is tested over several files at once.
OVER_FILES = {
    "lib/shardmark/tensor/painting_oracle_test.cpp",
}
# A source that decides something has a test named after it: at least this share of them, so that it
# cannot fall unseen. Kits are tests themselves.
LEAST_TESTED_PERCENT = 60
FEWEST_SOURCES = 20
BRANCH = re.compile(r"\b(?:if|for|while|switch)\s*(?:constexpr\s*)?\(|\?[^?:\n]*:")
NO_CODE = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*\"""", re.DOTALL)
NO_SOURCE = re.compile(r"(?:_test|_compile_failure|_fuzz)\.cpp$|/testing/")


def source_files(root):
    """Relative paths of the files under version control; of a plain copy, all but output."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z"],
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0:
        names = sorted({name for name in listing.stdout.decode().split("\0") if name})
        return [pathlib.PurePath(name) for name in names if (root / name).is_file()]
    skipped = {"build", ".git", ".cache", "__pycache__"}
    paths = (path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file())
    return [
        path for path in paths
        if not skipped & set(path.parts) and path.parts[:2] != ("results", "runs")
    ]  # fmt: skip


def check_place(path):
    top = path.parts[0]
    if len(path.parts) > 1 and top not in TOP_FOLDERS and not top.startswith("."):
        yield f"{path}:1: top-level folder '{top}' is none of {', '.join(sorted(TOP_FOLDERS))}"
    if path.stem.removesuffix("_test") in VAGUE_NAMES:
        yield f"{path}:1: the name says nothing; name the one concept in the file"


def check_text(path, lines):
    if path.suffix not in DATA_SUFFIXES and len(lines) > MOST_LINES:
        yield f"{path}:{MOST_LINES + 1}: {len(lines)} lines; split at {MOST_LINES}"
    if path.suffix in CODE_SUFFIXES:
        first = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
        if not first or not first[0].endswith(LICENCE):
            yield f"{path}:1: the first line must be '{LICENCE}' as a comment"
    for number, line in enumerate(lines, 1):
        match = MACHINE_PATH.search(line)
        if match and path.parts[0] != CI_FOLDER:
            yield f"{path}:{number}: path of one machine: {match[0]}"
        if path.suffix in CODE_SUFFIXES and LATER.search(line):
            yield f"{path}:{number}: work left for later: {line.strip()[:80]}"


def check_tests(paths):
    """A test stands beside the file that it names."""
    names = {str(path) for path in paths}
    for name in sorted(names):
        match = TEST_OF.match(name)
        if match and not name.startswith(TESTS_OF_MANY) and name not in OVER_FILES:
            if not {f"{match[1]}.cpp", f"{match[1]}.hpp"} & names:
                yield f"{name}:1: tests no file: there is no {match[1].rsplit('/', 1)[-1]}.cpp or .hpp beside it"


def tested_by_room(root, paths):
    """By room: how many sources hold a branch, and those of them that no test is named after."""
    names = {str(path) for path in paths}
    rooms = {}
    for path in paths:
        name = str(path)
        if path.parts[0] not in ("lib", "bench") or path.suffix != ".cpp" or NO_SOURCE.search(name):
            continue
        if BRANCH.search(NO_CODE.sub('""', (root / path).read_text(encoding="utf-8"))):
            room = rooms.setdefault(str(path.parent), [0, []])
            room[0] += 1
            stem = name.removesuffix(".cpp")
            if not {f"{stem}_test.cpp", f"{stem}_mpi_test.cpp", f"{stem}_test.py"} & names:
                room[1].append(path.stem)
    return rooms


def check_share_of_tests(root, paths):
    """Of few sources the share says nothing."""
    rooms = tested_by_room(root, paths)
    sources = sum(count for count, _ in rooms.values())
    untested = sum(len(names) for _, names in rooms.values())
    tested = 100 * (sources - untested) / sources if sources else 100
    if sources >= FEWEST_SOURCES and tested < LEAST_TESTED_PERCENT:
        yield (
            f"lib:1: {tested:.1f} % of {sources} sources with a branch have a test named after them, "
            f"at least {LEAST_TESTED_PERCENT} % are wanted: see check_tree.py --tests"
        )


def print_tests(root):
    rooms = tested_by_room(root, source_files(root))
    for room, (count, untested) in sorted(rooms.items()):
        print(f"{room:40} {count - len(untested):3} of {count:3}  without: {' '.join(untested) or '-'}")
    sources = sum(count for count, _ in rooms.values())
    tested = sources - sum(len(names) for _, names in rooms.values())
    print(f"{'all':40} {tested:3} of {sources:3}, {100 * tested / sources:.1f} %")


def check_tree(root):
    """All violations as text."""
    paths = source_files(root)
    found = list(check_tests(paths)) + list(check_share_of_tests(root, paths))
    for path in paths:
        found += check_place(path)
        try:
            lines = (root / path).read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # data
        found += check_text(path, lines)
    return found


def main():
    default = pathlib.Path(__file__).resolve().parents[2]
    arguments = [argument for argument in sys.argv[1:] if argument != "--tests"]
    root = pathlib.Path(arguments[0]).resolve() if arguments else default
    if "--tests" in sys.argv[1:]:
        print_tests(root)
        return 0
    found = check_tree(root)
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
