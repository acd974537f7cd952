# SPDX-License-Identifier: Apache-2.0
"""A figure of a report: a title, a sentence, charts, and the table they are drawn from; what all figures share."""

import dataclasses
from collections.abc import Callable, Iterable

from shardmark_tools.report.bench_data import Bench, Number, Spread, quotient
from shardmark_tools.results.number_text import GIB
from shardmark_tools.results.vocabulary import MOVES_FILES

MOST_LINES = 8
BENCH_COLUMNS = ["benchmark", "nodes", "ranks", "repetitions", "median s", "min s", "max s", "GiB/s"]
Cell = str | int | Number


@dataclasses.dataclass
class Figure:
    key: str  # names its CSV file
    title: str
    sentence: str
    charts: list[str]  # SVG texts
    columns: list[str]
    rows: list[list[Cell]]


def plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def in_gib(speed: Number) -> Number:
    return Number(speed.value / GIB, f"{speed.source} / GiB")


def rate(bench: Bench) -> Number | None:
    """Bytes over median time, computed last; None where no time is shorter than the clock's."""
    moved, time = bench.over("median", "num_bytes"), bench.time()
    return quotient(moved, time) if moved and time.value > 0 else None


def gib_spread(bench: Bench) -> Spread | None:
    """GiB/s at the median, the longest and the shortest time."""
    moved = bench.over("median", "num_bytes")
    if not moved or bench.time("min").value <= 0:
        return None
    middle, low, high = (in_gib(quotient(moved, bench.time(how))) for how in ("median", "max", "min"))
    return middle, low, high


def largest(benches: Iterable[Bench]) -> list[Bench]:
    """Those of the largest world. Errors: ValueError if there is none."""
    benches = list(benches)
    size = max(b.size for b in benches)
    return [b for b in benches if b.size == size]


def lines_of(benches: list[Bench], size: Callable[[Bench], int]) -> dict[str, list[Bench]]:
    """{label: [bench by size]} of what differs in size alone."""
    models = {b.model for b in benches}
    weak = {b.scaling for b in benches}
    groups: dict[str, list[Bench]] = {}
    for bench in benches:
        words = [bench.title]
        words += [str(bench.model)] if len(models) > 1 else []
        words += [bench.scaling] if len(weak) > 1 else []
        groups.setdefault(" ".join(words), []).append(bench)
    lines: dict[str, list[Bench]] = {}
    for name, group in groups.items():
        # As many ranks on other numbers of nodes are another line.
        twice = len({size(b) for b in group}) < len(group)
        for bench in sorted(group, key=size):
            label = f"{name}, {plural(bench.nodes, 'node')}" if twice else name
            lines.setdefault(label, []).append(bench)
    return lines


def bench_rows(benches: Iterable[Bench]) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for b in benches:
        speed = rate(b) if b.family in MOVES_FILES else None
        rows.append([b.name, b.nodes, b.ranks, len(b.samples), *b.spread(), in_gib(speed) if speed else ""])
    return rows


def titled(what: str, condition: str) -> str:
    """A chart's title where there are several conditions."""
    return f"{what}, {condition}" if condition else what
