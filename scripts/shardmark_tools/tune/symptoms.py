# SPDX-License-Identifier: Apache-2.0
"""What ails a suite: what its saves say themselves (`why` of a sample), and what times and counts say of loads,
planning, commits and background saves."""

import collections
import dataclasses
from typing import Any

import numpy as np

from shardmark_tools.results.result_folder import Run, Sample

PLANNING = ("hooks", "local_plan", "gather", "global_plan", "scatter")
MUCH = 0.15  # of an operation's time, from which a phase is worth a word
SMALL_REQUEST = 1 << 20
MANY_TIMES = 1.3  # what is delivered over what is stored: ranks read the same bytes
UNEVEN = 1.1  # largest over mean bytes of a rank


@dataclasses.dataclass(frozen=True)
class Symptom:
    cause: str
    family: str
    text: str


def phase_share(samples: list[Sample], phases: tuple[str, ...]) -> float:
    """Median over repetitions of what these phases take, by their slowest ranks."""
    shares = [sum(sample["phases_s"].get(phase, {"max": 0.0})["max"] for phase in phases) / sample["time_s"]
              for sample in samples]  # fmt: skip
    return float(np.median(shares))


def metric(samples: list[Sample], key: str) -> float:
    found = [sample["metrics"].get(key) for sample in samples]
    return float(np.median([value for value in found if value is not None] or [0.0]))


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def of_saves(samples: list[Sample], config: dict[str, Any]) -> list[Symptom]:
    storage = config.get("storage", {})
    found = [Symptom(entry["cause"], "save", entry["text"]) for entry in samples[0].get("why") or []]
    for cause, phases, what in (("planning", PLANNING, "hooks and planning"), ("commit", ("commit",), "the commit"),
                                ("create", ("create",), "creating files and datasets"), ("flush", ("flush",), "flushing"),
                                ("exchange", ("exchange",), "the exchange between ranks")):  # fmt: skip
        share = phase_share(samples, phases)
        if share >= MUCH:
            found.append(Symptom(cause, "save", f"{what} took {percent(share)} of a save"))
    if metric(samples, "imbalance") >= UNEVEN:
        found.append(Symptom("uneven", "save", f"one rank writes {metric(samples, 'imbalance'):.2f} times the mean"))
    if storage.get("threads") == 1:
        found.append(Symptom("one-thread", "save", "each rank writes by one thread (storage.threads)"))
    if storage.get("async") and storage.get("staging_bytes"):
        found.append(Symptom("small-staging", "save", "what does not fit into storage.staging_bytes is written before a save returns"))
    return found


def of_loads(samples: list[Sample], stored: float | None) -> list[Symptom]:
    found = []
    requests = [sample["read_requests"] for sample in samples if sample["read_requests"]]
    moved = [sample["bytes_read"] for sample in samples if sample["read_requests"]]
    if requests and float(np.median(moved)) / float(np.median(requests)) < SMALL_REQUEST:
        size = float(np.median(moved)) / float(np.median(requests))
        found.append(Symptom("small-reads", "load", f"{requests[0]} requests of {size / 1024:.0f} KiB on average"))
    share = phase_share(samples, ("open", "metadata", "load_plan"))
    if share >= MUCH:
        found.append(Symptom("load-metadata", "load", f"opening, metadata and the load plan took {percent(share)} of a load"))
    share = phase_share(samples, ("exchange",))
    if share >= MUCH:
        found.append(Symptom("exchange", "load", f"the exchange between ranks took {percent(share)} of a load"))
    read = float(np.median(moved)) if moved else 0.0
    if stored and read >= MANY_TIMES * stored:
        found.append(Symptom("replica-reads", "load", f"ranks read {read / stored:.2f} times the bytes that are stored"))
    return found


def of_plans(samples: list[Sample]) -> list[Symptom]:
    planner = samples[0]["case"].get("planner")
    if planner in ("coordinator", "tree"):
        return [Symptom("planning", "plan", f"planner {planner} gathers every rank's part")]
    return []


def symptoms_of(runs: list[Run], config: dict[str, Any]) -> list[Symptom]:
    """Of all benchmarks of these runs, each cause of a family once."""
    by_name: dict[str, list[Sample]] = collections.defaultdict(list)
    for run in runs:
        for sample in run.good():
            by_name[sample["name"]].append(sample)
    saved = [sample["num_bytes"] for samples in by_name.values() for sample in samples if sample["family"] == "save"]
    found: dict[tuple[str, str], Symptom] = {}
    for samples in by_name.values():
        family = samples[0]["family"]
        made = of_saves(samples, config) if family == "save" else []
        made += of_loads(samples, float(np.median(saved)) if saved else None) if family == "load" else []
        made += of_plans(samples) if family == "plan" else []
        for symptom in made:
            found.setdefault((symptom.cause, symptom.family), symptom)
    return list(found.values())
