# SPDX-License-Identifier: Apache-2.0
"""Records of a store as series: runs of one configuration, world, machine and file system, night by night."""

import collections
import dataclasses
import datetime
import hashlib
import json
import re
from typing import Any

import numpy as np

from shardmark_tools.history.quiet_noise import Reals, Whole
from shardmark_tools.history.store import Record
from shardmark_tools.results.run_facts import facts_of, kind_of, text_of

FEWEST_NIGHTS = 20
MOST_NIGHTS = 240  # the newest are searched
ENDED = 30  # days without a run, after which a series is not judged any more
LEAST_PHASE, MOST_PHASE = 0.05, 0.97  # of the operation's time, to be a series of its own
RETURNED = "returned"  # of a save: until the caller goes on, where that is earlier
NOT_A_PHASE = ("wait",)  # what the other ranks lose by the slowest
DIGITS = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True)
class Row:
    """One series."""

    benchmark: str
    phase: str | None
    family: str


@dataclasses.dataclass
class Group:
    """Runs that are one series a benchmark."""

    key: str
    facts: dict[str, str]
    runs: list[Record]
    controls: list[Record]

    def nights(self) -> list[str]:
        return sorted({run["night"] for run in self.runs})

    def title(self) -> str:
        context = self.runs[-1]["context"]
        where = context["filesystem"]
        nodes = f"{context['nodes']} node{'s' if context['nodes'] != 1 else ''}"
        return (f"{context['suite']}, {context['ranks']} ranks on {nodes} of {self.facts['machine']}, "
                f"{where.get('type')} at {where.get('path')}")  # fmt: skip


def machine_of(record: Record) -> str:
    """What the label says; else the hosts without their numbers: a cluster hands out others of its nodes every night."""
    if "machine" in record["labels"]:
        return str(record["labels"]["machine"])
    return ",".join(sorted({DIGITS.sub("#", host) for host in record["context"]["hosts"]}))


def series_facts(record: Record) -> dict[str, str]:
    """All that must be equal within a series; versions are what may change."""
    context = {**record["context"], "config": record["config"], "node_of_rank": []}
    facts = {key: value for key, value in facts_of(context).items() if kind_of(key) != "version"}
    facts["machine"] = machine_of(record)
    facts["filesystem.path"] = text_of(context["filesystem"].get("path"))
    return facts


def grouped(records: dict[str, Record]) -> list[Group]:
    """The groups of a store, the newest first; dropped runs are left out, a run that is there twice counts once."""
    dropped = {record["run"] for record in records.values() if record["kind"] == "drop"}
    runs: dict[str, Record] = {}
    for record in records.values():
        if record["kind"] == "run" and record["run"] not in dropped:
            runs.setdefault(record["run"], record)
    found: dict[str, list[Record]] = {}
    facts_by_key: dict[str, dict[str, str]] = {}
    hashes: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for record in runs.values():
        facts = series_facts(record)
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
        facts_by_key[key] = facts
        found.setdefault(key, []).append(record)
        hashes[key, record["config"]].add(record["context"]["config_hash"])
    torn = {key for (key, _), values in hashes.items() if len(values) > 1}
    groups = []
    for key, members in found.items():
        parts: dict[str, list[Record]] = {}
        for record in members:
            part = f"{key}-{record['context']['config_hash'][:6]}" if key in torn else key
            parts.setdefault(part, []).append(record)
        for part, own in parts.items():
            own.sort(key=lambda record: (record["night"], record["at"], record["run"]))
            plain = [record for record in own if not record["control"]]
            controls = [record for record in own if record["control"]]
            if plain:
                groups.append(Group(part, facts_by_key[key], plain, controls))
    return sorted(groups, key=lambda group: (group.nights()[-1], len(group.runs)), reverse=True)


def run_medians(benchmark: dict[str, Any]) -> dict[str | None, float]:
    """{phase, or None for all of it: seconds} of one run."""
    if not benchmark["time_s"]:
        return {}
    found: dict[str | None, float] = {None: float(np.median(benchmark["time_s"]))}
    for phase, times in benchmark["phases_s"].items():
        if phase not in NOT_A_PHASE:
            found[phase] = float(np.median(times))
    if benchmark["returned_s"]:
        returned = float(np.median(benchmark["returned_s"]))
        if returned < 0.98 * (found[None] or 0.0):
            found[RETURNED] = returned
    return {key: value for key, value in found.items() if value > 0}


class NightValues:
    """What the runs of a group took: logarithms of each night's median, by series."""

    def __init__(self, runs: list[Record], nights: list[str] | None = None) -> None:
        self.nights = nights if nights is not None else sorted({run["night"] for run in runs})[-MOST_NIGHTS:]
        place = {night: index for index, night in enumerate(self.nights)}
        self.counts = np.zeros(len(self.nights), dtype=int)
        self.by_row: dict[Row, list[list[float]]] = {}
        for run in runs:
            if run["night"] not in place:
                continue
            at = place[run["night"]]
            self.counts[at] += 1
            for name, benchmark in run["benchmarks"].items():
                for phase, seconds in run_medians(benchmark).items():
                    row = Row(name, phase, benchmark["family"])
                    cells = self.by_row.setdefault(row, [[] for _ in self.nights])
                    cells[at].append(float(np.log(seconds)))

    def values(self, row: Row) -> Reals:
        """(nights), NaN where there is none."""
        cells = self.by_row.get(row)
        if cells is None:
            return np.full(len(self.nights), np.nan)
        return np.array([np.median(cell) if cell else np.nan for cell in cells])

    def wholes(self) -> list[Row]:
        return [row for row in self.by_row if row.phase is None]

    def phases_of(self, whole: Row) -> list[Row]:
        """Phases that take a part of the operation that is worth a series."""
        total, kept = self.values(whole), []
        for row in self.by_row:
            if row.benchmark != whole.benchmark or row.phase is None:
                continue
            share = np.exp(self.values(row) - total)
            if np.isfinite(share).any() and LEAST_PHASE <= np.nanmedian(share) <= MOST_PHASE:
                kept.append(row)
        return kept

    def weekdays(self) -> Whole:
        return np.array([datetime.date.fromisoformat(night).weekday() for night in self.nights])


def within_runs(values: NightValues, row: Row) -> float | None:
    """Spread between runs of one night, as a logarithm; None where nights have one run each."""
    cells = [cell for cell in values.by_row.get(row, []) if len(cell) > 1]
    freedom = sum(len(cell) - 1 for cell in cells)
    if freedom < 5:
        return None
    return float(np.sqrt(sum(float(np.var(cell, ddof=1)) * (len(cell) - 1) for cell in cells) / freedom))


def context_facts(record: Record) -> dict[str, str]:
    """Everything around a run that may tell why it became slower: versions, hosts, labels."""
    skipped = {"suite", "config", "config_hash", "started"}
    facts: dict[str, str] = {}
    for key, value in record["context"].items():
        if key in skipped:
            continue
        parts = value.items() if isinstance(value, dict) else [("", value)]
        facts.update({f"{key}.{name}" if name else key: text_of(entry) for name, entry in parts})
    facts.update({key: str(value) for key, value in record["labels"].items()})
    return facts


def still_running(groups: list[Group]) -> list[Group]:
    """Those that got a run within ENDED days of the store's newest night."""
    newest = datetime.date.fromisoformat(max(group.nights()[-1] for group in groups))
    return [group for group in groups if (newest - datetime.date.fromisoformat(group.nights()[-1])).days <= ENDED]
