# SPDX-License-Identifier: Apache-2.0
"""What may help against what. Nothing here gives up a proof: checksums, fsync and verification stay as they are."""

import dataclasses
from typing import Any

from shardmark_tools.tune.symptoms import Symptom


@dataclasses.dataclass(frozen=True)
class Remedy:
    name: str
    settings: dict[str, Any]  # key: value of --set
    causes: frozenset[str]
    families: tuple[str, ...]  # that it is to make faster

    def options(self) -> list[str]:
        return [f"{key}={toml_value(value)}" for key, value in self.settings.items()]


def toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def remedy(name: str, causes: str, families: str, **settings: Any) -> Remedy:
    keys = {key.replace("__", "."): value for key, value in settings.items()}
    return Remedy(name, keys, frozenset(causes.split()), tuple(families.split()))


REMEDIES = (
    remedy("automatic", "tiny-pieces misaligned metadata collective-broken create", "save load",
           storage__layout="auto", storage__io="auto"),
    remedy("direct", "tiny-pieces misaligned collective-broken type-conversion flush small-reads", "save load",
           storage__io="direct", storage__o_direct=True),
    remedy("direct, through the page cache", "flush tiny-pieces", "save load", storage__io="direct", storage__o_direct=False),
    remedy("pieces met on a node", "tiny-pieces misaligned", "save", storage__io="direct", storage__exchange="node"),
    remedy("every rank for itself", "exchange", "save", storage__exchange="off"),
    remedy("reads met on a node", "small-reads replica-reads", "load", storage__io="direct", load__exchange="node"),
    remedy("every rank reads for itself", "exchange", "load", load__exchange="off"),
    remedy("independent", "collective-broken", "save load", storage__io="independent"),
    remedy("collective", "tiny-pieces", "save load", storage__io="collective"),
    remedy("a file a rank", "tiny-pieces misaligned", "save", storage__layout="per-rank"),
    remedy("a file a node", "commit misaligned", "save", storage__layout="per-node"),
    remedy("chunked", "tiny-pieces", "save load", storage__layout="shared-chunked"),
    remedy("packed", "tiny-pieces metadata create load-metadata", "save load", storage__layout="packed"),
    remedy("one file", "metadata create commit load-metadata", "save load", storage__layout="shared"),
    remedy("aligned to 4 KiB", "misaligned", "save", storage__alignment="4KiB", storage__allow_padding=True),
    remedy("aligned to 1 MiB", "misaligned", "save", storage__alignment="1MiB", storage__allow_padding=True),
    remedy("large metadata blocks", "metadata create commit load-metadata", "save load", storage__meta_block_size="8MiB"),
    remedy("as many threads as help", "one-thread", "save load", storage__threads=0),
    remedy("four threads", "flush one-thread", "save load", storage__threads=4),
    remedy("a pool for all bytes", "small-staging", "save", storage__staging_bytes=0),
    remedy("planner layout", "planning", "save plan", planner__kind="layout"),
    remedy("planner tree", "planning", "save plan", planner__kind="tree"),
    remedy("kept plans", "planning create", "save", planner__cache=True),
    remedy("balanced owners", "uneven", "save", planner__dedup="balanced"),
    remedy("split replicas", "uneven", "save", planner__dedup="split"),
    remedy("replicas by broadcast", "replica-reads", "load", load__replicas="broadcast"),
    remedy("reads across larger gaps", "small-reads", "load", storage__io="direct", load__sieve_gap="1MiB"),
)  # fmt: skip


def at(config: dict[str, Any], key: str) -> Any:
    section, _, name = key.partition(".")
    return config.get(section, {}).get(name)


def already(remedy: Remedy, config: dict[str, Any]) -> bool:
    """Whether the configuration says all of it anyway."""
    return all(at(config, key) == value for key, value in remedy.settings.items())


def chosen(symptoms: list[Symptom], config: dict[str, Any], families: set[str], everything: bool) -> list[tuple[Remedy, list[Symptom]]]:
    """(remedy, what it is for): of what ails, or `everything` that could be tried with these families."""
    found = []
    for entry in REMEDIES:
        against = [s for s in symptoms if s.cause in entry.causes and s.family in entry.families]
        if (against or everything) and families & set(entry.families) and not already(entry, config):
            found.append((entry, against))
    return found


def together(remedies: list[Remedy]) -> Remedy:
    """All of them, the first word about a key being the last."""
    settings: dict[str, Any] = {}
    for entry in remedies:
        if not set(entry.settings) & set(settings):
            settings |= entry.settings
    families = dict.fromkeys(family for entry in remedies for family in entry.families)
    return Remedy(" + ".join(entry.name for entry in remedies), settings, frozenset(), tuple(families))
