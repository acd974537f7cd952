#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a version of results/schema.json promises: no key of schema_keys.txt goes, none becomes optional or required, and
what comes later is optional. Anything else takes a new schema_version, with `--write` for its list of keys."""

import copy
import json
import pathlib
import sys
import unittest
from collections.abc import Iterator
from typing import Any

RESULTS = pathlib.Path(__file__).resolve().parents[3] / "results"


def keys_of(form: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """(place of a key, "required" or "optional") of every object in the schema."""
    if isinstance(form, dict):
        properties = form.get("properties")
        if isinstance(properties, dict):
            for name in properties:
                yield f"{place}.{name}", "required" if name in form.get("required", ()) else "optional"
        for name, inner in form.items():
            step = "" if name in ("properties", "definitions", "oneOf", "items") else f".{name}"
            if name not in ("if", "then", "else"):
                yield from keys_of(inner, place + step)
    elif isinstance(form, list):
        for inner in form:
            yield from keys_of(inner, place)


def broken(schema: dict[str, Any], listed: str) -> list[str]:
    """What the schema does that its version forbids."""
    version = schema["properties"]["schema_version"]["const"]
    head, *lines = listed.splitlines()
    if head != f"schema_version {version}":
        return [f"schema_keys.txt is of '{head}', the schema of version {version}; write it anew"]
    kept = dict(line.rsplit(" ", 1) for line in lines)
    found = dict(keys_of(schema))
    return [f"{key}: was {how}, is {found.get(key, 'gone')}" for key, how in kept.items() if found.get(key) != how] + [
        f"{key}: new and required" for key, how in found.items() if key not in kept and how == "required"
    ]


class SchemaKeysTest(unittest.TestCase):
    def setUp(self) -> None:
        self.schema = json.loads((RESULTS / "schema.json").read_text(encoding="utf-8"))
        self.listed = (RESULTS / "schema_keys.txt").read_text(encoding="utf-8")

    def test_the_schema_keeps_what_its_version_promises(self) -> None:
        self.assertEqual(broken(self.schema, self.listed), [])

    def test_every_way_of_breaking_it_is_found(self) -> None:
        for change in ("gone", "optional", "new", "version"):
            schema = copy.deepcopy(self.schema)
            context = schema["definitions"]["context"]
            if change == "gone":
                del context["properties"]["cpu"]
            elif change == "optional":
                context["required"].remove("cpu")
            elif change == "new":
                context["properties"]["planted"] = {"type": "string"}
                self.assertEqual(broken(schema, self.listed), [], "a new key that is optional")
                context["required"].append("planted")
            else:
                schema["properties"]["schema_version"]["const"] += 1
            self.assertNotEqual(broken(schema, self.listed), [], change)


def main() -> None:
    if sys.argv[1:] == ["--write"]:
        schema = json.loads((RESULTS / "schema.json").read_text(encoding="utf-8"))
        lines = [f"schema_version {schema['properties']['schema_version']['const']}"]
        lines += [f"{key} {how}" for key, how in sorted(set(keys_of(schema)))]
        (RESULTS / "schema_keys.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    unittest.main()


if __name__ == "__main__":
    main()
