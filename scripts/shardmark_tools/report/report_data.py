# SPDX-License-Identifier: Apache-2.0
"""What a report shows: numbers that know the samples they come from."""

import dataclasses
import json
import pathlib
import re
import statistics

from shardmark_tools.results.result_folder import NotReadable, read_runs, run_folders

PLANNER_SCALING = "planner-scaling.json"
SIZE_PARTS = ("nodes", "ranks", "world", "from", "on")
SHARED_PHASES = "hooks local_plan stage write flush load_plan read verify".split()


@dataclasses.dataclass(frozen=True)
class Number:
    """A value and its source: "median time_s of NAME", "a / b", ... for tracing it by a test."""

    value: float
    source: str


@dataclasses.dataclass
class Bench:
    """One benchmark in one place: all its good samples, of all runs that have the same name."""

    name: str
    samples: list
    hosts: list
    scaling: str = "strong"
    varied: dict = dataclasses.field(default_factory=dict)  # of `case`, what its name does not tell

    def __post_init__(self):
        first = self.samples[0]
        self.family, self.model, self.strategy = first["family"], first["model"], first["strategy"]
        self.case, self.virtual = first["case"], first["virtual"]
        self.nodes, self.ranks, self.world_size = first["nodes"], first["ranks"], first["world_size"]
        if self.varied:
            self.name += "{" + ",".join(f"{key}={value}" for key, value in self.varied.items()) + "}"

    @property
    def variant(self):
        """What is neither family, model, strategy nor size."""
        parts = [p for p in self.name.split("{")[0].split("/")[3:] if p.split(":")[0] not in SIZE_PARTS]
        return "/".join(parts)

    @property
    def title(self):
        more = [f"{key} {value}" for key, value in self.varied.items()]
        return " ".join(part for part in (self.strategy, self.variant, *more) if part)

    def over(self, how, key):
        """Number over the repetitions: how = median, min, max; key = time_s, returned_s, num_bytes."""
        values = [s[key] for s in self.samples if s.get(key) is not None]
        if not values:
            return None
        function = {"median": statistics.median, "min": min, "max": max}[how]
        return Number(float(function(values)), f"{how} {key} of {self.name}")

    def spread(self, key="time_s"):
        return tuple(self.over(how, key) for how in ("median", "min", "max"))

    def phases(self):
        return list(self.samples[0]["phases_s"])

    def phase(self, phase, part="mean"):
        """Median over repetitions of a phase's mean or max over the ranks."""
        values = [s["phases_s"][phase][part] for s in self.samples if phase in s["phases_s"]]
        return Number(float(statistics.median(values)), f"median {part} {phase} of {self.name}")

    def phase_spread(self, phase):
        values = [s["phases_s"][phase]["max"] for s in self.samples]
        return tuple(Number(float(f(values)), f"{how} max {phase} of {self.name}")
                     for how, f in (("median", statistics.median), ("min", min), ("max", max)))  # fmt: skip

    def rank_phase(self, rank, phase):
        values = [s["per_rank"]["phases_s"][phase][rank] for s in self.samples]
        return Number(float(statistics.median(values)), f"median rank {rank} {phase} of {self.name}")

    def node_of_rank(self):
        return self.samples[0]["node_of_rank"]


@dataclasses.dataclass
class Data:
    runs: list
    benches: list
    failed: list  # (name, reason)
    directories: list

    def family(self, *names, virtual=False):
        return [b for b in self.benches if b.family in names and b.virtual == virtual]


def size_of(sample):
    return sample["nodes"], sample["ranks"], sample["world_size"], sample["virtual"]


def scaling_of(run):
    """"weak" for a case of a sweep whose model grew with the ranks."""
    try:
        case = json.loads((run.directory / "case.json").read_text(encoding="utf-8"))
        return case["parameters"]["scaling"]
    except (OSError, ValueError, KeyError):
        return "strong"


def varied_keys(groups):
    """{name: keys of `case` whose values differ under that name}: a name does not tell what only differs
    between runs, as the planner of two cases of a sweep."""
    cases = {}
    for _, samples in groups.values():
        cases.setdefault(samples[0]["name"], []).append(samples[0]["case"])
    return {
        name: sorted(key for key in set().union(*found) if len({str(case.get(key)) for case in found}) > 1)
        for name, found in cases.items()
    }


def cases_without_samples(directories):
    """(name, reason) of a sweep's cases that hung, failed or were skipped."""
    found = []
    for directory in directories:
        for path in sorted(pathlib.Path(directory).rglob("case.json")):
            case = json.loads(path.read_text(encoding="utf-8"))
            if case["status"] != "ok":
                found.append((case["name"], f"{case['status']}: {case['reason']}"))
    return found


def virtual_benches(path):
    """Planning of virtual worlds, by planner and world, as scripts/planner-scaling wrote it."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        config = "_".join(re.sub(r"[\s/]+", "_", word) for word in (document["config"], *document.get("settings", [])))
        groups = {}
        for point in document["points"]:
            name = f"plan/{config}/{point['planner']}/world:{point['world']}"
            groups.setdefault(name, []).append(
                {"name": name, "family": "plan", "model": config, "strategy": point["planner"], "case": {},
                 "virtual": True, "nodes": 1, "ranks": 1, "world_size": point["world"], "num_bytes": None,
                 "time_s": point["measured_s"], "repetition": point["repetition"]}
            )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise NotReadable(f"{path}: not what scripts/planner-scaling writes: {error}") from error
    return [Bench(name, samples, []) for name, samples in groups.items()]


def read_folders(directories):
    """(runs, benches of virtual worlds)"""
    runs, virtual = [], []
    for directory in directories:
        found = sorted(pathlib.Path(directory).rglob(PLANNER_SCALING))
        virtual += [bench for path in found for bench in virtual_benches(path)]
        if not found or run_folders(directory):
            runs += read_runs(directory)
    return runs, virtual


def read_data(directories):
    """Samples of all runs below the folders; the same name in the same case is one benchmark."""
    runs, virtual = read_folders(directories)
    groups, failed = {}, {}
    for run in runs:
        for sample in run.samples:
            if sample["time_s"] is None:
                reason = sample["skipped"] or (sample["error"] or {}).get("message", "failed")
                failed.setdefault(sample["name"], reason)
                continue
            sample["node_of_rank"] = run.context["node_of_rank"]
            case = json.dumps(sample["case"], sort_keys=True)
            key = (sample["name"], scaling_of(run), case, *size_of(sample))
            groups.setdefault(key, (run.context["hosts"], []))[1].append(sample)
    keys = varied_keys(groups)
    benches = [
        Bench(key[0], samples, hosts, key[1], {k: samples[0]["case"].get(k) for k in keys[key[0]]})
        for key, (hosts, samples) in groups.items()
    ]
    benches += virtual
    benches.sort(key=lambda b: (b.family, b.strategy or "", b.variant, b.nodes, b.ranks, b.world_size))
    lost = cases_without_samples(directories) + sorted(failed.items())
    return Data(runs, benches, lost, [str(d) for d in directories])


def straggling_ranks(bench, factor=1.2):
    """[(rank, share above the others' median)] whose own work stands out in most repetitions."""
    if bench.ranks < 3:
        return []
    hits = {}
    for sample in bench.samples:
        busy = own_work(sample)
        middle = statistics.median(busy)
        for rank, seconds in enumerate(busy):
            if middle > 0 and seconds > factor * middle:
                hits.setdefault(rank, []).append(seconds / middle - 1)
    enough = len(bench.samples) / 2
    found = [(rank, statistics.median(shares)) for rank, shares in hits.items() if len(shares) > enough]
    return sorted(found, key=lambda entry: -entry[1])


def own_work(sample):
    """By rank: seconds in phases that all ranks take part in; what rank 0 does for all, and waiting, say
    nothing about a rank."""
    phases = sample["per_rank"]["phases_s"]
    chosen = [phases[phase] for phase in SHARED_PHASES if phase in phases]
    return [sum(seconds[rank] for seconds in chosen) for rank in range(sample["ranks"])]


def node_work(bench):
    """[Number] of each node: median over repetitions of the mean own work of its ranks."""
    nodes = []
    for node in range(bench.nodes):
        ranks = [r for r, n in enumerate(bench.node_of_rank()) if n == node]
        values = [statistics.fmean(own_work(s)[r] for r in ranks) for s in bench.samples]
        nodes.append(Number(float(statistics.median(values)), f"median work of node {node} of {bench.name}"))
    return nodes
