# SPDX-License-Identifier: Apache-2.0
"""The words of results, as results/schema.json has them: families, phases, ceilings, keys of the context."""

import functools
import json
import pathlib
from typing import Any

SCHEMA = pathlib.Path(__file__).resolve().parents[3] / "results" / "schema.json"


@functools.cache
def schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return document


def _listed(definition: str) -> tuple[str, ...]:
    return tuple(schema()["definitions"][definition]["enum"])


SCHEMA_VERSION: int = schema()["properties"]["schema_version"]["const"]
FAMILIES = _listed("family")
SAVE_PHASES = _listed("save_phase")
LOAD_PHASES = _listed("load_phase")
PHASES = tuple(dict.fromkeys([*SAVE_PHASES[:-1], *LOAD_PHASES]))  # all of them, wait last
SHARED_PHASES = _listed("phase_of_all_ranks")
CEILINGS = _listed("ceiling")
PLANNING_PHASES = SAVE_PHASES[: SAVE_PHASES.index("create")]
PHASES_OF = {"save": SAVE_PHASES, "load": LOAD_PHASES, "reshard": LOAD_PHASES}
LATER_PHASES = ("exchange",)  # that samples of earlier builds do not have
MOVES_FILES = ("save", "load", "reshard", "ceiling", "peers")  # families that have rates


@functools.cache
def context_keys(*tells: str) -> tuple[str, ...]:
    """Keys of the context that tell of `tells` (version, machine, ...); of all, if none is named."""
    properties = schema()["definitions"]["context"]["properties"]
    return tuple(key for key, of in properties.items() if not tells or of["tells"] in tells)
