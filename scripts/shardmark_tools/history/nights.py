# SPDX-License-Identifier: Apache-2.0
"""Records of a store as series: runs of one configuration, world, machine and file system, night by night."""

import dataclasses
import datetime
import re
from typing import Any

import numpy as np

from shardmark_tools.history.quiet_noise import Reals, Whole
from shardmark_tools.history.store import Record
from shardmark_tools.results.plain_text import one_line
from shardmark_tools.results.run_facts import LEFT_OUT_WHERE_NOT_SET, facts_of, kind_of, text_of

FEWEST_NIGHTS = 20
MOST_NIGHTS = 240  # the newest are searched
ENDED = 30  # days without a run, after which a series is not judged any more
LEAST_PHASE, MOST_PHASE = 0.05, 0.97  # of the operation's time, to be a series of its own
RETURNS_EARLY, FEWEST_EARLY = 0.98, 3  # of the operation's time; nights with less, to be a series of its own
RETURNED = "returned"  # of a save: until the caller goes on, where that is earlier
NOT_A_PHASE = ("wait",)  # what the other ranks lose by the slowest
WHICH_FILE_SYSTEM = ("type", "path", "server")  # the rest is how it is mounted: context
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
    members: frozenset[str]  # ids of all its runs, those that are left out too

    def nights(self) -> list[str]:
        return sorted({run["night"] for run in self.runs})

    def title(self) -> str:
        context = self.runs[-1]["context"]
        where = context["filesystem"]
        nodes = f"{context['nodes']} node{'s' if context['nodes'] != 1 else ''}"
        return one_line(f"{context['suite']}, {context['ranks']} ranks on {nodes} of {self.facts['machine']}, "
                        f"{where.get('type')} at {where.get('path')}")  # fmt: skip


def machine_of(record: Record) -> str:
    """What the label says; else the hosts without their numbers: a cluster hands out others of its nodes every night."""
    if "machine" in record["labels"]:
        return str(record["labels"]["machine"])
    return ",".join(sorted({DIGITS.sub("#", host) for host in record["context"]["hosts"]}))


def series_facts(record: Record) -> dict[str, str]:
    """All that must be equal within a series. Versions may change, and how a file system is mounted."""
    context = {**record["context"], "config": record["config"], "node_of_rank": []}
    facts = {key: value for key, value in facts_of(context).items()
             if kind_of(key) != "version" and not key.startswith(("filesystem.", "node_of_rank"))}  # fmt: skip
    facts["machine"] = machine_of(record)
    for key in WHICH_FILE_SYSTEM:
        if record["context"]["filesystem"].get(key) is not None:
            facts[f"filesystem.{key}"] = text_of(record["context"]["filesystem"][key])
    return facts


class Series:
    """Runs that are one series a benchmark, and what is known to be equal in all of them."""

    def __init__(self, first: Record) -> None:
        self.members: list[Record] = []
        self.facts: dict[str, str] = {}
        self.hashes: dict[str, str] = {}  # of configurations: a hash tells of what its text does not
        self.keys: dict[str, set[str]] = {}  # of facts, by commit
        self.add(first, series_facts(first))

    def add(self, record: Record, facts: dict[str, str]) -> None:
        self.members.append(record)
        self.facts = {**facts, **self.facts}
        self.hashes.setdefault(record["config"], record["context"]["config_hash"])
        self.keys.setdefault(record["context"]["commit"], set(facts))

    def takes(self, record: Record, facts: dict[str, str]) -> bool:
        """What only one version of the program knows, or records, tells of no difference to another version."""
        if any(self.facts[key] != value for key, value in facts.items() if key in self.facts):
            return False
        if self.hashes.get(record["config"], record["context"]["config_hash"]) != record["context"]["config_hash"]:
            return False
        keys = self.keys.get(record["context"]["commit"])
        if keys is not None:
            return keys == set(facts)
        return not any(key.startswith(LEFT_OUT_WHERE_NOT_SET) for key in set(facts) ^ set(self.facts))

    def group(self, dropped: set[str]) -> "Group | None":
        """Named by its first run, whatever else changes; None where none is left."""
        self.members.sort(key=lambda record: (record["night"], record["at"], record["run"]))
        left = [record for record in self.members if record["run"] not in dropped]
        plain = [record for record in left if not record["control"]]
        controls = [record for record in left if record["control"]]
        runs = frozenset(record["run"] for record in self.members)
        return Group(self.members[0]["run"], self.facts, plain, controls, runs) if plain else None


def grouped(records: dict[str, Record]) -> list[Group]:
    """The groups of a store, the newest first; dropped runs are left out, a run that is there twice counts once."""
    dropped = {record["run"] for record in records.values() if record["kind"] == "drop"}
    runs: dict[str, Record] = {}
    for record in records.values():
        if record["kind"] == "run":
            runs.setdefault(record["run"], record)
    found: list[Series] = []
    for record in sorted(runs.values(), key=lambda record: (record["night"], record["at"], record["run"])):
        facts = series_facts(record)
        series = next((series for series in found if series.takes(record, facts)), None)
        if series is None:
            found.append(Series(record))
        else:
            series.add(record, facts)
    groups = [group for group in (series.group(dropped) for series in found) if group is not None]
    return sorted(groups, key=lambda group: (group.nights()[-1], len(group.runs)), reverse=True)


def why_none(records: dict[str, Record]) -> str | None:
    """Why a store with runs has no series; None where it has no run."""
    count = len({record["run"] for record in records.values() if record["kind"] == "run"})
    if not count:
        return None
    drops = [f"  {name}: run {record['run']}: {one_line(record['note'])}"
             for name, record in records.items() if record["kind"] == "drop"]  # fmt: skip
    if not drops:
        return f"its runs are controls, {count} of them, and there is none beside them; add runs without --control"
    return "\n".join([f"its runs, {count}, are left out by drop or are controls; a file that is removed takes its run back:", *drops])


def run_medians(benchmark: dict[str, Any]) -> dict[str | None, float]:
    """{phase, or None for all of it: seconds} of one run."""
    if not benchmark["time_s"]:
        return {}
    found: dict[str | None, float] = {None: float(np.median(benchmark["time_s"]))}
    for phase, times in benchmark["phases_s"].items():
        if phase not in NOT_A_PHASE:
            found[phase] = float(np.median(times))
    if benchmark["returned_s"]:
        found[RETURNED] = float(np.median(benchmark["returned_s"]))
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
            if row.phase == RETURNED:
                # Also where saves that went on in the background came to hold up their caller.
                is_kept = np.count_nonzero(share < RETURNS_EARLY) >= FEWEST_EARLY
            else:
                is_kept = np.isfinite(share).any() and LEAST_PHASE <= np.nanmedian(share) <= MOST_PHASE
            if is_kept:
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
    skipped = {"suite", "config", "config_hash", "started", "scheduler_job", "cpus_of_rank"}
    facts: dict[str, str] = {}
    for key, value in record["context"].items():
        if key in skipped:
            continue
        parts = value.items() if isinstance(value, dict) else [("", value)]
        facts.update({f"{key}.{name}" if name else key: text_of(entry) for name, entry in parts})
    facts.update({key: str(value) for key, value in record["labels"].items()})
    return facts


def still_running(groups: list[Group]) -> list[Group]:
    """Those that got a run within ENDED days of the store's newest night. One from the future makes no other series old."""
    tomorrow = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)).date().isoformat()
    newest = datetime.date.fromisoformat(max((night for group in groups for night in group.nights() if night <= tomorrow),
                                             default=tomorrow))  # fmt: skip
    return [group for group in groups if (newest - datetime.date.fromisoformat(group.nights()[-1])).days <= ENDED]
