# SPDX-License-Identifier: Apache-2.0
"""Figures of checkpoints that are loaded under another strategy than they were saved under."""

from collections.abc import Iterator

from shardmark_tools.report import svg_chart
from shardmark_tools.report.bench_data import Bench, Data
from shardmark_tools.report.figure import BENCH_COLUMNS, Figure, bench_rows


def saved_as(bench: Bench) -> str:
    return f"{bench.case.get('saved_strategy')}@{bench.case.get('saved_ranks')}"


def loaded_as(bench: Bench) -> str:
    return f"{bench.strategy}@{bench.case.get('load_ranks')}"


def reshard_figures(data: Data) -> Iterator[Figure]:
    """Rows: how it was saved; columns: how it is loaded. What differs in anything else is another map."""
    benches = data.family("reshard")
    if not benches:
        return
    maps: dict[str, list[Bench]] = {}
    for bench in benches:
        more = [f"{key} {value}" for key, value in bench.varied.items()]
        words = [bench.variant, str(bench.model), f"{bench.nodes} nodes", f"{bench.ranks} ranks", *more]
        maps.setdefault(", ".join(words), []).append(bench)
    charts = []
    for name, chosen in maps.items():
        rows, columns = sorted({saved_as(b) for b in chosen}), sorted({loaded_as(b) for b in chosen})
        times = {(saved_as(b), loaded_as(b)): b.time() for b in chosen}
        cells = [[times.get((r, c)) for c in columns] for r in rows]
        charts.append(svg_chart.heat_chart(f"reshard, {name}", rows, columns, cells))
    yield Figure("reshard", "Loading under another strategy", "Rows: strategy@ranks that saved; columns: strategy@"
                 f"ranks that load; median time. One map each: {'; '.join(maps)}.", charts, BENCH_COLUMNS,
                 bench_rows(benches))  # fmt: skip
