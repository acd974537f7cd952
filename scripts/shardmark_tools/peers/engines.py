# SPDX-License-Identifier: Apache-2.0
"""Which engines there are, and which of them are found here."""

import importlib
import pathlib
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from shardmark_tools.peers.protocol import Engine
from shardmark_tools.refusal import Refused

FINDS = "import importlib.util, sys; sys.exit(any(importlib.util.find_spec(m) is None for m in sys.argv[1:]))"


def all_engines() -> list[Engine]:
    """Of every module of this room, by name."""
    found: list[Engine] = []
    for module in pkgutil.iter_modules([str(pathlib.Path(__file__).parent)]):
        if not module.name.endswith("_test"):
            found += getattr(importlib.import_module(f"shardmark_tools.peers.{module.name}"), "ENGINES", ())
    return sorted(found, key=lambda engine: engine.name)


def engine_named(name: str) -> Engine:
    for engine in all_engines():
        if engine.name == name:
            return engine
    raise Refused(f"'{name}': expected one of {', '.join(engine.name for engine in all_engines())}")


def has_modules(python: str, modules: tuple[str, ...]) -> bool:
    try:
        done = subprocess.run([python, "-c", FINDS, *modules], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def key_of(engine: Engine) -> str:
    return engine.key or engine.name


def find_program(engine: Engine, named: str | None) -> tuple[str, str | None]:
    """The program, and why there is none."""
    wanted = named or engine.program
    key = f"peers.{key_of(engine)}"
    if not engine.modules:
        found = shutil.which(wanted)
        if found:
            return found, None
        return "", f"{key} = \"{named}\" is no program" if named else f"{wanted} is not on PATH; {key} may name it"
    modules = " and ".join(engine.modules)
    if named:
        if shutil.which(named) is None:
            return "", f"{key} = \"{named}\" is no program"
        return (named, None) if has_modules(named, engine.modules) else ("", f"{key} = \"{named}\" is no Python with {modules}")
    for python in dict.fromkeys(filter(None, (shutil.which("python3"), "/usr/bin/python3"))):
        if has_modules(python, engine.modules):
            return python, None
    return "", f"no python3 here has {modules}; {key} may name one"


def listing(named: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each engine as `shardmark run` reads it. `named`: programs by engine. A key without an engine is refused."""
    engines = all_engines()
    keys = sorted({key_of(engine) for engine in engines})
    for name in named:
        if name not in keys:
            raise Refused(f"peers.{name}: no engine has this key, expected one of {', '.join(keys)}")
    rows = []
    for engine in engines:
        program, missing = find_program(engine, named.get(key_of(engine)))
        rows.append({
            "name": engine.name, "about": engine.about, "program": program, "missing": missing,
            "python": program if engine.modules and program else sys.executable, "o_direct": engine.o_direct,
            "operations": engine.operations,
        })  # fmt: skip
    return rows
