# SPDX-License-Identifier: Apache-2.0
"""Figures of a strategy, of another engine under a strategy, and of a job, each a row."""

import collections
import dataclasses
import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shardmark_tools.refusal import Refused
from shardmark_tools.results import run_facts, toml_document
from shardmark_tools.results.result_folder import Run, Sample

# What a sweep's key is called in `case`.
CASE_NAMES = {"storage.backend": "backend", "storage.layout": "file_layout", "storage.io": "io",
              "storage.checksum": "checksum", "planner.kind": "planner", "planner.dedup": "dedup",
              "load.checksum": "load_checksum"}  # fmt: skip
STRATEGY = "parallel.strategy"
# In what the run of a job differs from that of the strategies by intent.
OF_A_JOB = ("model.", "parallel.", "sweep.", "reshard.", "peers.", "run.benchmarks", "run.world", "run.play", "played")
# An engine whose own time of a run is further from ours than this has no verdict.
OWN_OVER_OURS = (0.9, 1.1)
# Keys that make a case of an engine another one; the rest of a sweep is ours alone.
KNOWN_TO_ENGINES = ("model.", "planner.", "storage.directory", "peers.")
RESHARD_KEYS = ("reshard_worst_s", "reshard_worst_ratio", "reshard_worst_to", "reshard_amplification")
Row = dict[str, Any]
Samples = list[Sample]


class NothingToCompare(Refused):
    pass


@dataclasses.dataclass(frozen=True)
class Variant:
    """What a sweep varies beside the strategy: ((key, value)...)."""

    values: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        return ", ".join(f"{key} {run_facts.shown(value)}" for key, value in self.values)

    def condition(self) -> str:
        """The part of it that no strategy can be chosen by: another model."""
        return ", ".join(f"{key} {run_facts.shown(value)}" for key, value in self.values if key.startswith("model."))

    def holds(self, sample: Sample) -> bool:
        """Whether a sample is of it; a family that a key does not concern does not tell."""
        for key, value in self.values:
            case = sample["case"]
            told = sample["model"] if key == "model.name" else case.get(key, case.get(CASE_NAMES.get(key, key)))
            if told is not None and run_facts.text_of(told) != value:
                return False
        return True


def sweep_of(config: str) -> dict[str, list[Any]]:
    try:
        table = run_facts.flattened(toml_document.parse(config).get("sweep", {}))
    except (ValueError, AttributeError) as error:
        raise NothingToCompare(f"the configuration of the run is no TOML: {error}") from error
    return {key: values for key, values in table.items() if isinstance(values, list)}


def strategies_of(config: str) -> list[str]:
    names = [name for name in sweep_of(config).get(STRATEGY, []) if isinstance(name, str)]
    if len(set(names)) < 2:
        raise NothingToCompare("the suite's [sweep] has no two values of parallel.strategy: nothing to compare")
    return names


def variants_of(config: str) -> list[Variant]:
    others = {key: values for key, values in sweep_of(config).items() if key != STRATEGY and len(values) > 1}
    lists = [[(key, run_facts.text_of(value)) for value in values] for key, values in others.items()]
    return [Variant(chosen) for chosen in itertools.product(*lists)]


def median_interval(values: Iterable[float]) -> tuple[float, float]:
    """A distribution-free interval of the median at 95 %; all of them where there are too few."""
    ordered = sorted(values)
    size = len(ordered)
    below = 0.0
    left_out = 0
    for count in range(size // 2):
        below += math.comb(size, count) / 2**size
        if below > 0.025:
            break
        left_out = count + 1
    left_out = max(0, left_out - 1) if left_out else 0
    return ordered[left_out], ordered[size - 1 - left_out]


def spread(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    low, high = median_interval(values)
    return {"median": statistics.median(values), "low": low, "high": high,
            "min": min(values), "max": max(values), "samples": len(values)}  # fmt: skip


def of_family(run: Run, family: str, variant: Variant) -> dict[str, Samples]:
    """Samples that count, by strategy."""
    found: dict[str, Samples] = collections.defaultdict(list)
    for sample in run.good():
        if sample["family"] == family and variant.holds(sample):
            found[str(sample["strategy"])].append(sample)
    return found


def metric(samples: Samples, name: str) -> float | None:
    values = [s["metrics"][name] for s in samples if s["metrics"].get(name) is not None]
    return statistics.median(values) if values else None


def seconds(samples: Samples, key: str = "time_s") -> dict[str, Any] | None:
    return spread([s[key] for s in samples if s[key] is not None])


def hooks_of(samples: Samples) -> dict[str, Any] | None:
    """All three hooks together, round by round."""
    rounds: dict[int, list[float]] = collections.defaultdict(list)
    for sample in samples:
        rounds[sample["repetition"]].append(sample["time_s"])
    most = max((len(times) for times in rounds.values()), default=0)
    return spread([sum(times) for times in rounds.values() if len(times) == most])


def same_layout(samples: Samples) -> Samples:
    """Of the same bytes: the pair whose checkpoint was saved as it is loaded."""
    return [s for s in samples if s["case"].get("saved_strategy") == s["strategy"]]


def ratios(pair: Samples, base: Samples) -> list[float]:
    """Round by round."""
    times = {s["repetition"]: s["time_s"] for s in base}
    return [s["time_s"] / times[s["repetition"]] for s in pair if times.get(s["repetition"])]


def worst_reshard(saved: str, matrix: dict[str, Samples]) -> Row:
    """The load strategy under which checkpoints of `saved` take longest, of those that are others."""
    worst: Row | None = None
    for loaded, samples in matrix.items():
        pair = [s for s in samples if s["case"].get("saved_strategy") == saved and loaded != saved]
        times = seconds(pair)
        if times is None:
            continue
        if worst is None or times["median"] > worst["reshard_worst_s"]["median"]:
            worst = {
                "reshard_worst_s": times,
                "reshard_worst_ratio": spread(ratios(pair, same_layout(samples))),
                "reshard_worst_to": loaded,
                "reshard_amplification": metric(pair, "amplification"),
            }
    return worst or dict.fromkeys(RESHARD_KEYS)


def empty_row(strategy: str, variant: Variant) -> Row:
    figures = ("num_bytes", "imbalance", "items", "metadata_bytes", "hooks_s", "plan_s", "returned_s", "durable_s",
               "cold_load_s", "cold_load_bytes", *RESHARD_KEYS)  # fmt: skip
    return {"strategy": strategy, "engine": "", "disagrees": False, "part": False, "unlike": "",
            **dict.fromkeys(figures), "variant": variant.text(), "condition": variant.condition()}  # fmt: skip


def row_of(strategy: str, variant: Variant, families: Mapping[str, Mapping[str, Samples]], matrix: dict[str, Samples]) -> Row:
    of = {family: samples[strategy] for family, samples in families.items()}
    planned = [s for s in of["plan"] if "items" in s["metrics"]]
    return {
        **empty_row(strategy, variant),
        "num_bytes": of["save"][0]["num_bytes"] if of["save"] else None,
        "imbalance": metric(of["save"], "imbalance"),
        "items": metric(planned, "items"),
        "metadata_bytes": metric(of["save"], "metadata_bytes"),
        "hooks_s": hooks_of(of["hooks"]),
        "plan_s": seconds(planned),
        "returned_s": seconds(of["save"], "returned_s"),
        "durable_s": seconds(of["save"], "durable_s"),
        "cold_load_s": seconds(of["load"]),
        "cold_load_bytes": of["load"][0]["num_bytes"] if of["load"] else None,
        **worst_reshard(strategy, matrix),
    }


def own_over_ours(samples: Samples) -> float | None:
    both = [s["own_s"] / s["time_s"] for s in samples if s.get("own_s") is not None and s["time_s"]]
    return statistics.median(both) if both else None


def engine_row(engine: str, strategy: str, variant: Variant, samples: Samples) -> Row:
    """What another engine does with the bytes of a strategy."""
    of = {operation: [s for s in samples if s["case"].get("engine") == engine and s["case"].get("operation") == operation]
          for operation in ("save", "load")}  # fmt: skip
    own = [own_over_ours(found) for found in of.values()]
    low, high = OWN_OVER_OURS
    return {
        **empty_row(strategy, variant),
        "engine": engine,
        "disagrees": any(ratio is not None and not low <= ratio <= high for ratio in own),
        "num_bytes": of["save"][0]["num_bytes"] if of["save"] else None,
        "imbalance": metric(of["save"], "imbalance"),
        "returned_s": seconds(of["save"], "returned_s"),
        "durable_s": seconds(of["save"], "durable_s"),
        "cold_load_s": seconds(of["load"]),
    }


def known_to_engines(variant: Variant) -> Variant:
    return Variant(tuple((key, value) for key, value in variant.values if key.startswith(KNOWN_TO_ENGINES)))


def engine_rows(run: Run, names: Sequence[str], variants: Sequence[Variant]) -> list[Row]:
    rows = []
    for variant in dict.fromkeys(known_to_engines(variant) for variant in variants):
        by_strategy = of_family(run, "peers", variant)
        engines = sorted({s["case"]["engine"] for samples in by_strategy.values() for s in samples})
        rows += [engine_row(engine, name, variant, by_strategy[name])
                 for engine in engines for name in names if by_strategy[name]]  # fmt: skip
    return rows


def job_row(job: str, run: Run, variant: Variant, first: Run) -> Row:
    """A job replayed, which has its own sharding, in a run of its own."""
    families = {family: [s for s in run.good() if s["family"] == family] for family in ("hooks", "plan", "save", "load")}
    strategy = families["save"][0]["strategy"] if families["save"] else "job"
    by_strategy = {family: collections.defaultdict(list, {strategy: found}) for family, found in families.items()}
    row = row_of(strategy, variant, by_strategy, {})
    differences = run_facts.differing([run_facts.facts_of(of.context) for of in (first, run)])
    unlike = {key: values for key, values in differences.items() if not key.startswith(OF_A_JOB)}
    return {**row, "strategy": f"job {job}", "condition": "", "part": bool(run.context.get("played")),
            "unlike": run_facts.differences_text(unlike) if unlike else ""}  # fmt: skip


def without_numbers(run: Run) -> list[str]:
    """Engines that were asked for and have none, each with its reason."""
    reasons: dict[str, str] = {}
    for sample in run.samples:
        if sample["family"] == "peers":
            failed = sample["error"]["message"] if sample["error"] is not None else sample["skipped"]
            if failed is not None:
                what = f"{sample['case']['engine']} under {sample['strategy']}, {sample['case']['operation']}"
                reasons.setdefault(what, str(failed))
    return [f"{what}: no number, {reason}" for what, reason in reasons.items()]
