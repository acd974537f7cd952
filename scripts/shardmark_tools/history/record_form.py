# SPDX-License-Identifier: Apache-2.0
"""The form of a record, by kind: what is read of it is there and of its type. Its hash tells only that nothing was
changed since it was written, not by whom."""

import datetime
import pathlib
from typing import Any

from shardmark_tools.results.json_document import NotReadable
from shardmark_tools.results.result_folder import fit
from shardmark_tools.results.schema_form import Schema, make_check

TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
SECONDS: Schema = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1e9}}
SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
CONTEXT: Schema = {
    "type": "object",
    "required": ["commit", "config_hash", "filesystem", "hosts", "nodes", "ranks", "suite"],
    "properties": {
        "commit": TEXT,
        "config_hash": TEXT,
        "filesystem": {"type": "object", "additionalProperties": SCALAR},
        "hosts": {"type": "array", "items": TEXT, "minItems": 1},
        "nodes": {"type": "integer", "minimum": 1},
        "ranks": {"type": "integer", "minimum": 1},
        "suite": TEXT,
    },
}  # fmt: skip
BENCHMARK: Schema = {
    "type": "object",
    "required": ["family", "case", "time_s", "returned_s", "phases_s", "failed"],
    "properties": {
        "family": TEXT,
        "case": {"type": "object", "additionalProperties": SCALAR},
        "time_s": SECONDS,
        "returned_s": SECONDS,
        "phases_s": {"type": "object", "additionalProperties": {**SECONDS, "minItems": 1}},
        "failed": COUNT,
    },
}  # fmt: skip


def form(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


FORMS = {
    "run": form(run=TEXT, at=TEXT, night=TEXT, control={"type": "boolean"}, config={"type": "string"}, context=CONTEXT,
                labels={"type": "object", "additionalProperties": SCALAR},
                benchmarks={"type": "object", "additionalProperties": BENCHMARK}),
    "ack": form(group=TEXT, benchmark=TEXT, first=TEXT, last=TEXT, direction={"enum": [1, -1]}, change=TEXT,
                ratio={"type": "number"}, note=TEXT, by=TEXT, at=TEXT),
    "drop": form(run=TEXT, note=TEXT, by=TEXT, at=TEXT),
}  # fmt: skip
CHECKS = {kind: make_check(of) for kind, of in FORMS.items()}
DATES = {"run": ("night",), "ack": ("first", "last"), "drop": ()}


def check_form(path: pathlib.Path, kind: str, record: dict[str, Any]) -> None:
    """Errors: NotReadable, with file and key."""
    fit(path, record, CHECKS[kind])
    for key in DATES[kind]:
        try:
            if datetime.date.fromisoformat(record[key]).isoformat() == record[key]:
                continue
        except ValueError:
            pass
        raise NotReadable(f"{path}: {key}: expected a date like 2026-01-31, found {record[key]!r}")
