# SPDX-License-Identifier: Apache-2.0
"""Series of one and the same thing at several sizes, out of result folders."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from shardmark_tools.results.result_folder import Run, Sample

PLANNING = ("hooks", "plan")
SIZED = ("model.scale:", "run.world:")


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

    def sizes(self) -> list[float]:
        return sorted({size for size, _ in self.points})


def operation_of(sample: Sample) -> str:
    return str(sample["case"].get("operation") or sample["family"])


def label_of(sample: Sample) -> str:
    """The benchmark's name without its size."""
    sized = SIZED + (("world:",) if sample["family"] in PLANNING else ())
    return "/".join(part for part in sample["name"].split("/") if not part.startswith(sized))


def all_series(runs: Iterable[Run]) -> list[Series]:
    """By the world where several were planned for, else by bytes."""
    samples = [sample for run in runs for sample in run.good()]
    worlds: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        worlds[label_of(sample)].add(sample["world_size"])
    found: dict[str, Series] = {}
    for sample in samples:
        label = label_of(sample)
        by_world = sample["family"] in PLANNING and len(worlds[label]) > 1
        size = sample["world_size"] if by_world else sample["num_bytes"]
        if size:
            kind = Kind(sample["family"], operation_of(sample))
            unit = "rank" if by_world else "byte"
            series = found.setdefault(label, Series(label, kind, unit, sample["nodes"], sample["ranks"], []))
            series.points.append((float(size), float(sample["time_s"])))
    return list(found.values())
