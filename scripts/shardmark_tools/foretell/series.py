# SPDX-License-Identifier: Apache-2.0
"""Series of one and the same thing at several sizes, out of result folders."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shardmark_tools.results.plain_text import one_line
from shardmark_tools.results.result_folder import Run, Sample
from shardmark_tools.results.run_facts import Facts, MixedRuns, differences_text, differing, facts_of_runs, kind_of

PLANNING = ("hooks", "plan")
SIZED = ("model.scale:", "run.world:")
# Configuration that a law may span: what a size is, how often and what else was measured. What a run swept its names tell, and
# what a world was played by its size.
SPANNED = ("model.scale", "run.world", "run.benchmarks", "run.repetitions", "run.warmup", "sweep.", "played.")
# Raw files bound the laws of all results, so all of them lie on one storage.
OF_ALL = ("machine", "file system")
LEAST_TIME_S = 1e-9  # what a clock shows as none took some: laws are of ratios


@dataclass(frozen=True)
class Kind:
    """What tells series apart whose spreads are alike."""

    family: str
    operation: str


@dataclass
class Series:
    label: str
    kind: Kind
    of: str  # what its sizes count: byte, rank
    nodes: int
    ranks: int
    points: list[tuple[float, float]]  # size, seconds
    moved: float = 1.0  # of the bytes of a size, what is read or written: replicas are moved once

    def sizes(self) -> list[float]:
        return sorted({size for size, _ in self.points})

    def is_raw(self) -> bool:
        """Files of plain bytes, from and to storage."""
        return self.kind.family == "ceiling" and "/posix-" in self.label

    def floor_key(self) -> tuple[str, int, int] | None:
        """Which raw files move as many bytes over the same storage; None where none do."""
        stored = self.kind.family in ("save", "load") and not any(word in self.label for word in ("/null", "/warm", ":warm"))
        return (self.kind.operation, self.nodes, self.ranks) if stored else None


def operation_of(sample: Sample) -> str:
    return str(sample["case"].get("operation") or sample["family"])


def label_of(sample: Sample) -> str:
    """The benchmark's name without its size."""
    sized = SIZED + (("world:",) if sample["family"] in PLANNING else ())
    return "/".join(part for part in sample["name"].split("/") if not part.startswith(sized))


def moved_share(sample: Sample) -> float:
    bytes_moved = sample["bytes_read" if operation_of(sample) == "load" else "bytes_written"]
    return min(1.0, bytes_moved / sample["num_bytes"]) if bytes_moved else 1.0


def files_of(sample: Sample) -> int | None:
    """Where it is known: of a save."""
    return int(sample["inventory"]["files"]) if sample["inventory"] else None


def refuse_mixed(what: str, runs: Sequence[Run], facts: Sequence[Facts]) -> None:
    differences = differing(facts)
    if differences:
        other = next(run for run, of in zip(runs, facts) if any(of.get(key) != facts[0].get(key) for key in differences))
        raise MixedRuns(f"{one_line(what)}: {runs[0].directory} and {other.directory} are not of one kind, so no law is of both; "
                        f"give folders of one kind each\n  {differences_text(differences)}")  # fmt: skip


def check_kinds(runs: Sequence[Run]) -> None:
    """What has one name in several runs must be one thing but for its size. Errors: MixedRuns."""
    if len(runs) < 2:
        return
    all_facts = [{key: value for key, value in facts.items() if not key.startswith(SPANNED)} for facts in facts_of_runs(runs)]
    refuse_mixed("the results", runs, [{key: value for key, value in facts.items() if kind_of(key) in OF_ALL} for facts in all_facts])
    having: dict[str, list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        for label in dict.fromkeys(label_of(sample) for sample in run.good()):
            having[label].append(number)
    for label, numbers in having.items():
        refuse_mixed(label, [runs[number] for number in numbers], [all_facts[number] for number in numbers])


def all_series(runs: Sequence[Run]) -> list[Series]:
    """By the world where several were planned for, else by bytes. Sizes that lie in other files than the largest, as the
    layout auto chooses, follow another law and are left out. Errors: MixedRuns."""
    check_kinds(runs)
    samples = [sample for run in runs for sample in run.good()]
    worlds: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        worlds[label_of(sample)].add(sample["world_size"])
    found: dict[str, Series] = {}
    files: dict[str, dict[float, int | None]] = defaultdict(dict)
    for sample in samples:
        label = label_of(sample)
        by_world = sample["family"] in PLANNING and len(worlds[label]) > 1
        size = sample["world_size"] if by_world else sample["num_bytes"]
        if size:
            kind = Kind(sample["family"], operation_of(sample))
            unit = "rank" if by_world else "byte"
            series = found.setdefault(label, Series(label, kind, unit, sample["nodes"], sample["ranks"], []))
            series.points.append((float(size), max(float(sample["time_s"]), LEAST_TIME_S)))
            series.moved = min(series.moved, moved_share(sample))
            files[label][float(size)] = files_of(sample)
    for label, series in found.items():
        largest = files[label][series.sizes()[-1]]
        series.points = [(size, time) for size, time in series.points if files[label][size] == largest]
    return list(found.values())
