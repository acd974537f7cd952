# SPDX-License-Identifier: Apache-2.0
"""Figures of other engines (fio, DCP, ...) that moved the same bytes, beside our own saves and loads."""

from collections.abc import Iterator

from shardmark_tools.report import svg_chart
from shardmark_tools.report.bench_data import Data, by_condition
from shardmark_tools.report.figure import BENCH_COLUMNS, Cell, Figure, bench_rows, largest, plural, titled
from shardmark_tools.report.io_figures import IO_FAMILIES


def peer_figures(data: Data) -> Iterator[Figure]:
    """The chart is of the largest world that engines were measured in; the table has their other worlds too."""
    for operation in IO_FAMILIES:
        peers = [b for b in data.family("peers") if b.case.get("operation") == operation]
        if not peers:
            continue
        nodes, ranks = largest(peers)[0].size
        ours = [b for b in data.family(operation) if b.size == (nodes, ranks)]
        charts: list[str] = []
        rows: list[list[Cell]] = []
        for condition, group in by_condition([*peers, *ours]):
            group.sort(key=lambda b: b.time().value)
            shown = [b for b in group if b.size == (nodes, ranks)]
            if any(b.family == "peers" for b in shown):
                dots = [(b.title if b.family == "peers" else f"shardmark {b.title}", *b.spread()) for b in shown]
                charts.append(svg_chart.dot_chart(titled(f"{operation}: other engines", condition), dots))
            for bench in group:
                rows += [[*row, bench.over("median", "own_s") or ""] for row in bench_rows([bench])]
        yield Figure(
            f"peers-{operation}", f"Other engines: {operation}",
            f"{plural(ranks, 'rank')} on {plural(nodes, 'node')}, fastest first; median by our clock, with minimum to maximum as a "
            "bar. The column own s is what the engine itself says it took: where the two are far apart, neither is a verdict.",
            charts, [*BENCH_COLUMNS, "own s"], rows,
        )  # fmt: skip
