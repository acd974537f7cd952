#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the shape of the source tree: folders, file names and lengths, licence lines, paths of
one machine, work left for later.

Usage: check_tree.py [ROOT]. Prints FILE:LINE of every violation; exit code 1 if there is any.
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
    "lib/shardmark/storage/format/names_and_records_test.cpp",
    "lib/shardmark/storage/posix/posix_test.cpp",
    "lib/shardmark/storage/raw/raw_io_test.cpp",
    "lib/shardmark/tensor/painting_oracle_test.cpp",
    "lib/shardmark/tensor/sharded_types_test.cpp",
    "lib/shardmark/workload/distribution_test.cpp",
    "lib/shardmark/workload/safetensors_test.cpp",
}


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


def check_tree(root):
    """All violations as text."""
    paths = source_files(root)
    found = list(check_tests(paths))
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
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else default
    found = check_tree(root)
    for message in found:
        print(message, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
