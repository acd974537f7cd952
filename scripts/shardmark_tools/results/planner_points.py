# SPDX-License-Identifier: Apache-2.0
"""planner-scaling.json: planning times of virtual worlds, as scripts/planner-scaling writes them."""

import pathlib
from typing import Any

from shardmark_tools.results.json_document import read_json
from shardmark_tools.results.result_folder import fit
from shardmark_tools.results.schema_form import make_check

PLANNER_SCALING = "planner-scaling.json"
FORM = make_check({
    "type": "object",
    "required": ["config", "points"],
    "properties": {
        "config": {"type": "string", "minLength": 1},
        "settings": {"type": "array", "items": {"type": "string"}},
        "points": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["planner", "world", "repetition", "measured_s"],
                "properties": {
                    "planner": {"type": "string", "pattern": "^[^/\\s]+$"},
                    "world": {"type": "integer", "minimum": 1, "maximum": 1e9},
                    "repetition": {"type": "integer", "minimum": 0},
                    "measured_s": {"type": "number", "minimum": 0, "maximum": 1e9},
                },
            },
        },
    },
})  # fmt: skip


def read_points(path: pathlib.Path) -> tuple[str, list[dict[str, Any]]]:
    """(configuration with its settings, points). Errors: NotReadable, with file and key."""
    document = read_json(path)
    fit(path, document, FORM)
    return " ".join([document["config"], *document.get("settings", [])]), document["points"]
