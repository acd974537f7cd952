# SPDX-License-Identifier: Apache-2.0
"""Reads thresholds.toml and a user's file of the same form."""

import dataclasses
import pathlib
from typing import Any

from shardmark_tools.refusal import Refused
from shardmark_tools.regular_file import open_regular
from shardmark_tools.results import toml_document
from shardmark_tools.results.result_folder import Sample

SMALLEST = 1e-12  # of any share: no number of runs would do
DEFAULTS = pathlib.Path(__file__).with_name("thresholds.toml")


class BadThresholds(Refused):
    """The message names file, key, value and what was expected."""


@dataclasses.dataclass
class FamilyLimits:
    min_effect: float
    same_within: float
    run_to_run: float


@dataclasses.dataclass
class Thresholds:
    alpha: float
    power: float
    confidence: float
    min_repetitions: int
    families: dict[str, FamilyLimits]

    def of(self, family: str) -> FamilyLimits:
        return self.families[family]


def family_of(sample: Sample) -> str:
    """The family, but "null" for saves and loads that store nothing: their noise is another."""
    discards = sample["case"].get("backend") == "null"
    return "null" if discards and sample["family"] in ("save", "load") else str(sample["family"])


def read_file(path: pathlib.Path | str) -> dict[str, Any]:
    try:
        with open_regular(path) as file:
            return toml_document.parse(file.read().decode("utf-8"))
    except OSError as error:
        raise BadThresholds(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise BadThresholds(f"{path}: not TOML: {error}") from error


def check_number(path: pathlib.Path | str, key: str, value: Any) -> None:
    whole = key.endswith("min_repetitions")
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if good and whole:
        good = isinstance(value, int) and value >= 2
    elif good:
        good = SMALLEST <= value < 1 or (value == 0 and key.endswith("run_to_run"))
    if not good:
        wanted = "a whole number from 2" if whole else f"a share from {SMALLEST:g}, below 1"
        raise BadThresholds(f"{path}: {key} = {value!r}: expected {wanted}")


def merge(base: dict[str, Any], path: pathlib.Path | str, document: dict[str, Any]) -> None:
    """`document` over `base`; unknown keys are errors."""
    for section, content in document.items():
        if section not in base or not isinstance(content, dict):
            raise BadThresholds(f"{path}: '{section}': expected [all] or [family.NAME]")
        tables = {"": content} if section == "all" else content
        for name, table in tables.items():
            target = base[section] if section == "all" else base[section].get(name)
            prefix = "all" if section == "all" else f"family.{name}"
            if target is None or not isinstance(table, dict):
                raise BadThresholds(f"{path}: family '{name}': expected one of {', '.join(base['family'])}")
            for key, value in table.items():
                if key not in target:
                    raise BadThresholds(f"{path}: {prefix}.{key}: expected {', '.join(target)}")
                check_number(path, f"{prefix}.{key}", value)
                target[key] = value


def read_thresholds(path: pathlib.Path | str | None = None) -> Thresholds:
    values = read_file(DEFAULTS)
    if path is not None:
        merge(values, path, read_file(path))
    families = {name: FamilyLimits(**table) for name, table in values["family"].items()}
    return Thresholds(**values["all"], families=families)
