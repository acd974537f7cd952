# SPDX-License-Identifier: Apache-2.0
"""What a report shows: benchmarks of runs of one kind, and numbers that know the samples they come from."""

import dataclasses
import json
import pathlib
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shardmark_tools.results import run_facts
from shardmark_tools.results.json_document import NotReadable
from shardmark_tools.results.planner_points import PLANNER_SCALING, read_points
from shardmark_tools.results.result_folder import Run, Sample, read_runs, run_folders
from shardmark_tools.results.run_facts import Facts
from shardmark_tools.results.sweep_case import CASE_FILE, read_case

NOT_IN_A_NAME = re.compile(r"[\s,{}]+")
SIZE_PARTS = ("nodes", "ranks", "world", "from", "on")
# A line goes over these; of a weak sweep over the model's size too.
SIZE_FACTS = ("nodes", "ranks", "ranks_per_node", "node_of_rank")
OVER: dict[str, Callable[[Sequence[float]], float]] = {"median": statistics.median, "min": min, "max": max}


@dataclasses.dataclass(frozen=True)
class Number:
    """A value and its source: "median time_s of NAME", "a / b", ... for tracing it by a test."""

    value: float
    source: str


Spread = tuple[Number, Number, Number]  # median, minimum, maximum


def quotient(a: Number, b: Number) -> Number:
    return Number(a.value / max(b.value, 1e-12), f"{a.source} / {b.source}")


class Bench:
    """One benchmark in one place: all its good samples, of all runs of one kind that have the same name."""

    def __init__(self, name: str, samples: list[Sample], facts: Facts, scaling: str = "strong",
                 runs: Sequence[Run] = ()):  # fmt: skip
        self.plain_name, self.samples, self.facts, self.scaling = name, samples, facts, scaling
        first = samples[0]
        self.family, self.model, self.strategy = first["family"], first["model"], first["strategy"]
        self.case, self.virtual = first["case"], bool(first["virtual"])
        self.nodes, self.ranks, self.world_size = first["nodes"], first["ranks"], first["world_size"]
        self.node_of_rank: list[int] = runs[0].context["node_of_rank"] if runs else [0] * self.ranks
        hosts = {tuple(run.context["hosts"]) for run in runs}
        self.hosts: list[str] = list(hosts.pop()) if len(hosts) == 1 else [f"node {i}" for i in range(self.nodes)]
        # What only benches of one size can be asked for: over sizes it differs by nature.
        self.same_size = {"num_bytes": str(first["num_bytes"]),
                          **{key: run_facts.text_of(runs[0].context[key]) for key in ("ranks_per_node", "node_of_rank")
                             if runs}}  # fmt: skip
        self.varied: Facts = {}  # of the facts, what its name does not tell
        self.condition: Facts = {}  # what it was measured on and with: only within one can a choice be the better

    @property
    def name(self) -> str:
        told = ",".join(f"{key}={NOT_IN_A_NAME.sub('_', value)}" for key, value in self.varied.items())
        return f"{self.plain_name}{{{told}}}" if told else self.plain_name

    @property
    def variant(self) -> str:
        """What is neither family, model, strategy nor size."""
        parts = [p for p in self.plain_name.split("/")[3:] if p.split(":")[0] not in SIZE_PARTS]
        return "/".join(parts)

    @property
    def title(self) -> str:
        more = [f"{key} {run_facts.shown(value)}" for key, value in self.varied.items()]
        return " ".join(part for part in (self.strategy, self.variant, *more) if part)

    @property
    def size(self) -> tuple[int, int]:
        return self.nodes, self.ranks

    def over(self, how: str, key: str) -> Number | None:
        """Number over the repetitions: how = median, min, max; key = returned_s, num_bytes, ..."""
        values = [s[key] for s in self.samples if s.get(key) is not None]
        return Number(float(OVER[how](values)), f"{how} {key} of {self.name}") if values else None

    def time(self, how: str = "median") -> Number:
        return Number(float(OVER[how]([s["time_s"] for s in self.samples])), f"{how} time_s of {self.name}")

    def spread(self) -> Spread:
        return self.time(), self.time("min"), self.time("max")

    def phases(self) -> list[str]:
        """Those that all of its samples have."""
        first, *others = [s.get("phases_s", {}) for s in self.samples]
        return [phase for phase in first if all(phase in other for other in others)]

    def phase(self, phase: str, part: str = "mean") -> Number:
        """Median over repetitions of a phase's mean or max over the ranks."""
        values = [s["phases_s"][phase][part] for s in self.samples]
        return Number(float(statistics.median(values)), f"median {part} {phase} of {self.name}")

    def phase_spread(self, phase: str) -> Spread:
        values = [s["phases_s"][phase]["max"] for s in self.samples]
        middle, low, high = (Number(float(OVER[how](values)), f"{how} max {phase} of {self.name}")
                             for how in ("median", "min", "max"))  # fmt: skip
        return middle, low, high

    def rank_phase(self, rank: int, phase: str) -> Number:
        values = [s["per_rank"]["phases_s"][phase][rank] for s in self.samples]
        return Number(float(statistics.median(values)), f"median rank {rank} {phase} of {self.name}")


@dataclasses.dataclass
class Data:
    runs: list[Run]
    benches: list[Bench]
    failed: list[tuple[str, str]]  # (name, reason)
    differences: dict[str, list[str]]  # between the runs, beyond their worlds

    def family(self, *names: str, virtual: bool = False) -> list[Bench]:
        return [b for b in self.benches if b.family in names and b.virtual == virtual]


def by_condition(benches: Iterable[Bench]) -> list[tuple[str, list[Bench]]]:
    """[(what is special about it, benches)...]: only what stores the same model on the same machine by the same
    versions can be compared. One group has no words."""
    groups: dict[tuple[tuple[str, str], ...], list[Bench]] = {}
    for bench in benches:
        groups.setdefault(tuple(sorted(bench.condition.items())), []).append(bench)
    if len(groups) <= 1:
        return [("", group) for group in groups.values()]
    conditions = [group[0].condition for group in groups.values()]
    keys = run_facts.distinguishing(conditions, run_facts.differing(conditions))
    return [(", ".join(f"{key} {run_facts.shown(group[0].condition.get(key, 'not set'))}" for key in keys), group)
            for group in groups.values()]  # fmt: skip


def scaling_of(run: Run) -> str:
    """"weak" for a case of a sweep whose model grew with the ranks."""
    path = run.directory / CASE_FILE
    if not path.exists():
        return "strong"
    return str(read_case(path).get("parameters", {}).get("scaling", "strong"))


def facts_of_sample(facts: Facts, sample: Sample, scaling: str) -> Facts:
    """The run's, without what tells its size, and what tells this case from others of the run."""
    sizes = (*SIZE_FACTS, "model.scale") if scaling == "weak" else SIZE_FACTS
    case = {key: run_facts.text_of(value) for key, value in sample["case"].items()}
    return {**case, **{key: value for key, value in facts.items() if key not in sizes and key not in case}}


def is_condition(key: str) -> bool:
    kind = run_facts.kind_of(key)
    return key.startswith("model.") or key in ("config", "config_hash") or kind in ("machine", "file system", "version")


def name_differences(benches: list[Bench]) -> None:
    """Fills `varied` and `condition`: benches that would look the same say how they differ."""
    everywhere = run_facts.differing([b.facts for b in benches])
    for bench in benches:
        bench.condition = {"model": str(bench.model), "scaling": bench.scaling}
        bench.condition.update({key: bench.facts.get(key, "not set") for key in everywhere if is_condition(key)})
    alike: dict[tuple[Any, ...], list[Bench]] = {}
    for bench in benches:
        saved = [p for p in bench.plain_name.split("/")[3:] if p.split(":")[0] in ("from", "on")]
        key = (bench.family, bench.virtual, bench.strategy, bench.variant, bench.model, bench.scaling, *saved)
        alike.setdefault(key, []).append(bench)
    for group in alike.values():
        tell_apart(group, [b.facts for b in group])
    twins: dict[tuple[Any, ...], list[Bench]] = {}
    for bench in benches:
        twins.setdefault((bench.name, bench.scaling, bench.size, bench.world_size), []).append(bench)
    for group in twins.values():
        tell_apart(group, [b.same_size for b in group])


def tell_apart(group: list[Bench], facts: list[Facts]) -> None:
    for key in run_facts.distinguishing(facts, run_facts.differing(facts)):
        for bench, of in zip(group, facts):
            bench.varied[key] = of.get(key, "not set")


def each_once(paths: Iterable[pathlib.Path]) -> list[pathlib.Path]:
    """Folders may be given twice, or one inside another."""
    found: dict[pathlib.Path, pathlib.Path] = {}
    for path in paths:
        found.setdefault(path.resolve(), path)
    return list(found.values())


def cases_without_samples(directories: Iterable[pathlib.Path]) -> list[tuple[str, str]]:
    """(name, reason) of a sweep's cases that hung, failed or were skipped."""
    found = []
    for path in each_once(path for directory in directories for path in sorted(directory.rglob(CASE_FILE))):
        case = read_case(path)
        if case["status"] != "ok":
            found.append((case["name"], f"{case['status']}: {case['reason']}"))
    return found


def virtual_benches(path: pathlib.Path) -> list[Bench]:
    """Planning of virtual worlds, by planner and world, as scripts/planner-scaling wrote it."""
    config, points = read_points(path)
    config = re.sub(r"[\s/]+", "_", config)
    groups: dict[str, list[Sample]] = {}
    for point in points:
        name = f"plan/{config}/{point['planner']}/world:{point['world']}"
        groups.setdefault(name, []).append(
            {"name": name, "family": "plan", "model": config, "strategy": point["planner"], "case": {},
             "virtual": True, "nodes": 1, "ranks": 1, "world_size": point["world"], "num_bytes": None,
             "time_s": point["measured_s"], "repetition": point["repetition"]}
        )  # fmt: skip
    return [Bench(name, samples, {}) for name, samples in groups.items()]


def read_folders(directories: Iterable[pathlib.Path]) -> tuple[list[Run], list[Bench]]:
    """(runs, benches of virtual worlds)"""
    runs: list[Run] = []
    scalings: list[pathlib.Path] = []
    for directory in directories:
        found = sorted(directory.rglob(PLANNER_SCALING))
        scalings += found
        if not found or run_folders(directory):
            runs += read_runs(directory)
    virtual = [bench for path in each_once(scalings) for bench in virtual_benches(path)]
    return list({run.directory.resolve(): run for run in runs}.values()), virtual


def read_data(directories: Sequence[pathlib.Path | str]) -> Data:
    """Samples of all runs below the folders; the same name in runs of one kind is one benchmark."""
    folders = [pathlib.Path(directory) for directory in directories]
    runs, virtual = read_folders(folders)
    all_facts = [run_facts.facts_of(run.context) for run in runs]
    groups: dict[tuple[Any, ...], tuple[list[Run], list[Sample], Facts]] = {}
    failed: dict[str, str] = {}
    for run, run_fact in zip(runs, all_facts):
        scaling = scaling_of(run)
        for sample in run.samples:
            if sample["time_s"] is None:
                reason = sample["skipped"] or (sample["error"] or {}).get("message", "failed")
                failed.setdefault(sample["name"], reason)
                continue
            facts = facts_of_sample(run_fact, sample, scaling)
            key = (sample["name"], scaling, sample["model"], sample["strategy"], sample["num_bytes"],
                   json.dumps([facts, [run_fact[f] for f in SIZE_FACTS], sample["world_size"], sample["virtual"]],
                              sort_keys=True))  # fmt: skip
            of, samples, _ = groups.setdefault(key, ([], [], facts))
            of.append(run)
            samples.append(sample)
    benches = [Bench(key[0], samples, facts, key[1], of) for key, (of, samples, facts) in groups.items()]
    name_differences(benches)
    benches += virtual
    benches.sort(key=lambda b: (b.family, b.strategy or "", b.variant, b.nodes, b.ranks, b.world_size, b.name))
    if not benches:
        raise NotReadable(f"{', '.join(str(d) for d in folders)}: no benchmark has a time")
    differences = run_facts.differing({k: v for k, v in f.items() if k not in SIZE_FACTS} for f in all_facts)
    return Data(runs, benches, cases_without_samples(folders) + sorted(failed.items()), differences)
