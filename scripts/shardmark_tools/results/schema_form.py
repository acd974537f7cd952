# SPDX-License-Identifier: Apache-2.0
"""Does a document have the form of a JSON Schema? The part of draft 7 that our schemas use, made into
functions once: a result has up to millions of numbers.

A reader takes keys that it does not know (a newer program may write more); what it knows must be right.
"""

import re
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], None]
Schema = dict[str, Any]
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "integer": (int,), "number": (int, float),
    "boolean": (bool,), "null": (type(None),),
}  # fmt: skip
ABOUT = {"$schema", "title", "description", "definitions", "tells"}
MOST_SHOWN = 60


class Misfit(Exception):
    """What is wrong; `place` becomes where, from the innermost key outwards."""

    def __init__(self, expected: str, found: Any):
        super().__init__(expected)
        self.expected, self.found = expected, found
        self.place: list[str | int] = []

    def where(self) -> str:
        parts = [f"[{p}]" if isinstance(p, int) else f".{p}" for p in reversed(self.place)]
        return "".join(parts).removeprefix(".")

    def __str__(self) -> str:
        found = repr(self.found)
        found = found if len(found) <= MOST_SHOWN else f"{found[:MOST_SHOWN]}..."
        return f"expected {self.expected}, found {found}"


def _type_check(names: list[str]) -> Check:
    kinds = tuple(kind for name in names for kind in KINDS[name])
    expected = " or ".join(names)
    takes_bool = "boolean" in names

    def check(value: Any) -> None:
        if not isinstance(value, kinds) or (isinstance(value, bool) and not takes_bool):
            raise Misfit(expected, value)

    return check


def _limit_check(schema: Schema) -> Check:
    low, high = schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))
    above = schema.get("exclusiveMinimum", float("-inf"))
    named = (("minimum", "at least"), ("maximum", "at most"), ("exclusiveMinimum", "more than"))
    words = [f"{word} {schema[key]:g}" for key, word in named if key in schema]

    def check(value: Any) -> None:
        if isinstance(value, (int, float)) and not (low <= value <= high and value > above):
            raise Misfit(" and ".join(words), value)

    return check


def _text_check(schema: Schema) -> Check:
    fewest, pattern = schema.get("minLength", 0), re.compile(schema.get("pattern", ""))

    def check(value: Any) -> None:
        if isinstance(value, str) and (len(value) < fewest or not pattern.search(value)):
            raise Misfit(f"text like {pattern.pattern}" if pattern.pattern else "text that is not empty", value)

    return check


def _choice_check(values: list[Any]) -> Check:
    expected = f"one of {', '.join(str(v) for v in values)}" if len(values) > 1 else str(values[0])

    def check(value: Any) -> None:
        if not any(value == v and isinstance(value, bool) == isinstance(v, bool) for v in values):
            raise Misfit(expected, value)

    return check


class _Maker:
    def __init__(self, root: Schema):
        self.root = root
        self.made: dict[str, Check] = {}

    def make(self, schema: Schema | bool) -> Check:
        if isinstance(schema, bool):
            return lambda value: None
        if "$ref" in schema:
            return self.named(schema["$ref"])
        checks, left = [], set(schema) - ABOUT
        for keys, maker in (
            ({"type"}, lambda s: _type_check([s["type"]] if isinstance(s["type"], str) else s["type"])),
            ({"enum"}, lambda s: _choice_check(s["enum"])),
            ({"const"}, lambda s: _choice_check([s["const"]])),
            ({"minimum", "maximum", "exclusiveMinimum"}, _limit_check),
            ({"minLength", "pattern"}, _text_check),
            ({"items", "minItems"}, self.array_check),
            ({"properties", "required", "additionalProperties", "propertyNames"}, self.object_check),
            ({"anyOf"}, lambda s: self.any_check(s["anyOf"])),
            ({"oneOf"}, lambda s: self.any_check(s["oneOf"])),
            ({"if", "then", "else"}, self.condition_check),
        ):
            if keys & left:
                checks.append(maker(schema))
                left -= keys
        if left:
            raise ValueError(f"a schema with {', '.join(sorted(left))}, which this reader does not know")
        if len(checks) == 1:
            return checks[0]

        def check(value: Any) -> None:
            for one in checks:
                one(value)

        return check

    def named(self, reference: str) -> Check:
        if reference not in self.made:
            place: Any = self.root
            for part in reference.removeprefix("#/").split("/"):
                place = place[part]
            self.made[reference] = self.make(place)
        return self.made[reference]

    def array_check(self, schema: Schema) -> Check:
        item, fewest = self.make(schema.get("items", True)), schema.get("minItems", 0)

        def check(value: Any) -> None:
            if not isinstance(value, list):
                return
            if len(value) < fewest:
                raise Misfit(f"at least {fewest} in the list", value)
            position = 0
            try:
                for position, entry in enumerate(value):
                    item(entry)
            except Misfit as misfit:
                misfit.place.append(position)
                raise

        return check

    def object_check(self, schema: Schema) -> Check:
        known = {key: self.make(of) for key, of in schema.get("properties", {}).items()}
        other = self.make(schema.get("additionalProperties", True))
        name = self.make(schema.get("propertyNames", True))
        required = schema.get("required", [])

        def check(value: Any) -> None:
            if not isinstance(value, dict):
                return
            for key in required:
                if key not in value:
                    raise Misfit(f"a key '{key}'", "no such key")
            key = ""
            try:
                for key, entry in value.items():
                    name(key)
                    known.get(key, other)(entry)
            except Misfit as misfit:
                misfit.place.append(key)
                raise

        return check

    def any_check(self, choices: list[Schema]) -> Check:
        checks = [self.make(choice) for choice in choices]

        def check(value: Any) -> None:
            last: Misfit | None = None
            for one in checks:
                try:
                    return one(value)
                except Misfit as misfit:
                    # The one that came deepest is the one that was meant.
                    last = misfit if last is None or len(misfit.place) >= len(last.place) else last
            assert last is not None
            raise last

        return check

    def condition_check(self, schema: Schema) -> Check:
        condition = self.make(schema["if"])
        then, otherwise = self.make(schema.get("then", True)), self.make(schema.get("else", True))

        def check(value: Any) -> None:
            try:
                condition(value)
            except Misfit:
                return otherwise(value)
            return then(value)

        return check


def make_check(schema: Schema) -> Check:
    """A function that raises Misfit for the first thing that is wrong."""
    return _Maker(schema).make(schema)
