# SPDX-License-Identifier: Apache-2.0
"""When are two runs one number? Where configuration (but for paths), model, world, kind of node, file system and
versions are equal; hosts and dates may differ. A run's facts are all that must be equal, by name."""

import collections
import json
from collections.abc import Iterable, Sequence
from typing import Any

from shardmark_tools.results import toml_document, vocabulary
from shardmark_tools.results.json_document import NotReadable
from shardmark_tools.results.plain_text import one_line
from shardmark_tools.results.result_folder import Run

Facts = dict[str, str]
KINDS = ("configuration", "world", "machine", "file system", "version")
# Where something lies is not what it is; how many ranks to start is told by the world; who watches changes nothing.
NOT_COMPARED = {"storage.directory", "model.safetensors", "run.ranks", "run.deadline", "run.late", "filesystem.path"}
WHOLE = {"storage.hints", "storage.assume", "mpi_io.hints"}  # tables of a user's own keys: none of them is a version's
LEFT_OUT_WHERE_NOT_SET = ("model.", "parallel.", "sweep", "config")  # every version writes all other keys that it knows
MOST_VALUE = 40
MOST_DIFFERENCES = 4


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def flattened(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"model.name": ...}; a sweep's keys have dots of their own."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value and prefix + key not in WHOLE:
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def configuration_of(context: dict[str, Any]) -> Facts:
    """The configuration key by key; where it is no TOML, its text."""
    try:
        flat = flattened(toml_document.parse(context["config"]))
    except ValueError:
        return {"config": context["config"]}
    return {key: text_of(value) for key, value in flat.items()}


def facts_of(context: dict[str, Any]) -> Facts:
    facts = configuration_of(context)
    for key in vocabulary.context_keys("world", "machine", "file system", "version"):
        if key not in context:
            continue
        value = context[key]
        flat = flattened({key: value}) if isinstance(value, dict) else {key: value}
        facts.update({name: text_of(entry) for name, entry in flat.items()})
    return {key: value for key, value in facts.items() if key not in NOT_COMPARED}


def facts_of_runs(runs: Sequence[Run]) -> list[Facts]:
    """Of each run. A hash that is another although the text is the same tells of what the text does not."""
    hashes = collections.defaultdict(set)
    for run in runs:
        hashes[run.context["config"]].add(run.context["config_hash"])
    found = []
    for run in runs:
        facts = facts_of(run.context)
        if len(hashes[run.context["config"]]) > 1:
            facts["config_hash"] = run.context["config_hash"]
        found.append(facts)
    return found


def is_context(key: str) -> bool:
    """Of the context, and not a key of the configuration."""
    return key.split(".")[0] in vocabulary.schema()["definitions"]["context"]["properties"]


def kind_of(key: str) -> str:
    """Of a fact's name: which of KINDS."""
    properties = vocabulary.schema()["definitions"]["context"]["properties"]
    of = properties.get(key.split(".")[0])
    return str(of["tells"]) if of else "configuration"


def is_left_out(key: str, all_facts: Sequence[Facts]) -> bool:
    """A version of the program that knows the key ran without it."""
    if is_context(key) and "." not in key:
        return False
    commits = [{facts.get("commit") for facts in all_facts if (key in facts) == has} for has in (True, False)]
    return bool(commits[1]) and (key.startswith(LEFT_OUT_WHERE_NOT_SET) or bool(commits[0] & commits[1]))


def keys_of_some_versions(all_facts: Sequence[Facts]) -> Facts:
    """Configuration keys, with their value, that not every version of the program knows."""
    return {key: value for facts in all_facts for key, value in facts.items()
            if not is_context(key) and any(key not in others for others in all_facts)
            and not is_left_out(key, all_facts)}  # fmt: skip


def differing(all_facts: Iterable[Facts]) -> dict[str, list[str]]:
    """{name: distinct values in order of appearance} of what is not the same in all; by kind. What only one version of
    the program knows tells of no difference to another version."""
    values: dict[str, dict[str, None]] = {}
    all_facts = list(all_facts)
    for key in dict.fromkeys(key for facts in all_facts for key in facts):
        values[key] = dict.fromkeys(facts[key] for facts in all_facts if key in facts)
        if is_left_out(key, all_facts):
            values[key]["not set"] = None
    keys = sorted((key for key in values if len(values[key]) > 1), key=lambda key: KINDS.index(kind_of(key)))
    return {key: list(values[key]) for key in keys}


def shown(value: str) -> str:
    value = one_line(value)
    return value if len(value) <= MOST_VALUE else f"{value[: MOST_VALUE - 3]}..."


def differences_text(differences: dict[str, list[str]], most: int = MOST_DIFFERENCES) -> str:
    """model.optimizer: none and adamw; ..."""
    parts = [f"{one_line(key)}: {' and '.join(shown(v) for v in values[:3])}{' and others' if len(values) > 3 else ''}"
             for key, values in list(differences.items())[:most]]  # fmt: skip
    more = len(differences) - most
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def distinguishing(all_facts: Sequence[Facts], keys: Iterable[str]) -> list[str]:
    """The fewest of `keys`, in their order, that tell apart what all of them tell apart."""
    keys = list(keys)
    whole = len({tuple(facts.get(key) for key in keys) for facts in all_facts})
    chosen: list[str] = []
    parts = 1
    for key in keys:
        now = len({tuple(facts.get(k) for k in (*chosen, key)) for facts in all_facts})
        if now > parts:
            chosen.append(key)
            parts = now
        if parts == whole:
            break
    return chosen


class MixedRuns(NotReadable):
    """Runs that are to be one number and are not: the message names what differs."""


def check_one_kind(runs: Sequence[Run], directory: object) -> None:
    """Errors: MixedRuns."""
    differences = differing(facts_of_runs(runs))
    if differences:
        raise MixedRuns(f"{directory}: its {len(runs)} runs are not of one kind; give folders of one kind each\n"
                        f"  {differences_text(differences)}")  # fmt: skip
