# SPDX-License-Identifier: Apache-2.0
"""case.json: what a sweep says of one of its cases, beside the case's result folder."""

import pathlib
from typing import Any

from shardmark_tools.results.json_document import read_json
from shardmark_tools.results.result_folder import fit
from shardmark_tools.results.schema_form import make_check

CASE_FILE = "case.json"
CaseRow = dict[str, Any]
FORM = make_check({
    "type": "object",
    "required": ["name", "status", "reason"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "status": {"enum": ["ok", "failed", "hung", "skipped"]},
        "reason": {"type": ["string", "null"]},
        "duration_s": {"type": "number", "minimum": 0, "maximum": 1e9},
        "parameters": {
            "type": "object",
            "required": ["nodes", "ranks_per_node", "ranks", "scaling", "scale"],
            "properties": {
                "nodes": {"type": "integer", "minimum": 1},
                "ranks_per_node": {"type": "integer", "minimum": 1},
                "ranks": {"type": "integer", "minimum": 1},
                "scaling": {"enum": ["strong", "weak"]},
                "scale": {"type": ["number", "null"]},
                "hosts": {"type": "string", "minLength": 1},
                "round": {"type": "integer", "minimum": 0},
            },
            "additionalProperties": {"type": "string"},
        },
    },
})  # fmt: skip


def read_case(path: pathlib.Path) -> CaseRow:
    """Errors: NotReadable, with file and key."""
    document = read_json(path)
    fit(path, document, FORM)
    row: CaseRow = document
    return row
