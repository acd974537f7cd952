# SPDX-License-Identifier: Apache-2.0
"""Which room of scripts/shardmark_tools may import what, and that no two modules import each other, however long the
way round. scripts/dev/check_layers.py calls this."""

import ast
import pathlib
import sys
from collections.abc import Iterator

PACKAGE = "shardmark_tools"
HOUSE = f"scripts/{PACKAGE}"
# Room, or module at the root: (rooms and modules of ours, packages from elsewhere) that it may import.
TABLE = {
    "refusal": ("", ""),
    "interpreter": ("", ""),
    "regular_file": ("refusal", ""),
    "results": ("refusal", "numpy jsonschema"),
    "launch": ("refusal", ""),
    "stop_signals": ("", ""),
    "entry": ("refusal results stop_signals", ""),
    "checkpoint": ("refusal launch", "numpy h5py xxhash"),
    "torture": ("refusal launch results", "h5py"),
    "job": ("refusal regular_file", ""),
    "referee": ("refusal results", ""),
    "convert": ("refusal regular_file stop_signals job checkpoint", "numpy h5py xxhash"),
    "gate": ("refusal regular_file results launch", "numpy scipy"),
    "bisect": ("refusal results launch gate", "numpy"),
    "tune": ("refusal results launch gate bisect", "numpy"),
    "peers": ("refusal", "torch safetensors"),
    "history": ("refusal regular_file results gate report", "numpy scipy"),
    "sweep": ("refusal results launch", ""),
    "report": ("refusal results", "numpy scipy"),
    "foretell": ("refusal results", "numpy scipy"),
    "fleet": ("refusal results report", "numpy"),
    "planning": ("refusal results launch report", ""),
    "strategies": ("refusal results", ""),
}
# Files that only tests use: what plays a command needs more.
EXTRA = {f"{HOUSE}/gate/gate_fixture.py": "entry"}
# What scripts themselves, developers' tools and tests may use besides.
PACKAGES = {"numpy", "scipy", "h5py", "jsonschema", "xxhash"}
# Programs by themselves, which import their neighbours and the packages that they are about.
PROGRAMS = ("scripts/dev/", "scripts/record.py", f"{HOUSE}/job/golden/")


def is_test(relative: pathlib.PurePath) -> bool:
    return relative.stem.endswith("_test")


def imports_of(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything that is imported, in functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "." * node.level + (node.module or "")
            else:
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def part_of(relative: pathlib.PurePath) -> str:
    """Room, or module at the root, of a file below HOUSE."""
    return relative.parts[2].removesuffix(".py")


def refuse(relative: pathlib.PurePath, name: str) -> str | None:
    """Why a file may not import `name`, or None."""
    if name.startswith("."):
        return f"'{name}' is not written from the root ({PACKAGE}...)"
    top, _, rest = name.partition(".")
    in_house = relative.is_relative_to(HOUSE)
    program = str(relative).startswith(PROGRAMS)
    free = program or not in_house or is_test(relative)
    part = part_of(relative) if in_house else relative.name
    ours, packages = TABLE.get(part, ("", ""))
    if top == PACKAGE:
        target = rest.split(".")[0]
        if target not in TABLE:
            return f"'{name}': {target or 'nothing'} is not in the table of rooms"
        allowed = {part, *ours.split(), *EXTRA.get(str(relative), "").split()}
        if free or target in allowed:
            return None
        return f"{part} may not import {name}; it may use: {', '.join(sorted(allowed - {part})) or 'nothing'}"
    used = PACKAGES if free else set(packages.split())
    if program or top in used or top in sys.stdlib_module_names:
        return None
    return f"{part} may not import {top}; of other packages it may use: {', '.join(sorted(used)) or 'none'}"


def python_files(root: pathlib.Path) -> list[pathlib.Path]:
    """Everything below scripts/ that is Python: by its ending, or by its first line."""
    found = []
    for path in sorted((root / "scripts").rglob("*")):
        if not path.is_file() or "__pycache__" in path.parts:
            continue
        if path.suffix == ".py" or (not path.suffix and path.read_bytes()[:22] == b"#!/usr/bin/env python3"):
            found.append(path)
    return found


def check_imports(root: pathlib.Path) -> Iterator[str]:
    """One message a violation."""
    for path in python_files(root):
        relative = path.relative_to(root)
        if relative.is_relative_to(HOUSE) and part_of(relative) not in (*TABLE, "__init__") and not is_test(relative):
            yield f"{relative}:1: {part_of(relative)} is not in the table of rooms"
            continue
        for line, name in imports_of(path):
            reason = refuse(relative, name)
            if reason:
                yield f"{relative}:{line}: {reason}"


def module_arrows(root: pathlib.Path) -> dict[str, set[str]]:
    """{module: modules that it imports}, tests left out; named by path without its ending."""
    arrows: dict[str, set[str]] = {}
    for path in python_files(root):
        relative = path.relative_to(root)
        if not relative.is_relative_to(HOUSE) or is_test(relative):
            continue
        unit = str(relative.with_suffix(""))
        for _, name in imports_of(path):
            if name.split(".")[0] != PACKAGE:
                continue
            whole = pathlib.PurePath("scripts", *name.split("."))
            target = next((p for p in (whole, whole.parent) if (root / p).with_suffix(".py").is_file()), None)
            if target is not None and str(target) != unit:
                arrows.setdefault(unit, set()).add(str(target))
    return arrows
