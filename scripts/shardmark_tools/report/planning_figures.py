# SPDX-License-Identifier: Apache-2.0
"""Figures of hooks and planning, of real worlds and of virtual ones: these never share a line."""

from collections.abc import Iterator

from shardmark_tools.report import svg_chart
from shardmark_tools.report.bench_data import Bench, Data
from shardmark_tools.report.figure import BENCH_COLUMNS, MOST_LINES, Cell, Figure, bench_rows, lines_of, plural
from shardmark_tools.report.io_figures import scaling_charts
from shardmark_tools.results.vocabulary import PLANNING_PHASES

MOST_CHARTS = 6


def hooks_figures(data: Data) -> Iterator[Figure]:
    benches = data.family("hooks")
    if not benches:
        return
    if len({b.ranks for b in benches}) > 1:
        charts = scaling_charts(data, "hooks", benches)
    else:
        charts = [svg_chart.dot_chart("hooks", [(b.title, *b.spread()) for b in benches])]
    yield Figure("hooks", "The hooks", "One call for every tensor of the model, on the slowest rank.", charts,
                 BENCH_COLUMNS, bench_rows(benches))  # fmt: skip


def is_save_planning(bench: Bench) -> bool:
    return bench.plain_name.split("/")[3] != "load"


def planning_of_one_size(groups: dict[str, list[Bench]]) -> tuple[list[str], list[list[Cell]]]:
    """Where there is nothing to draw a line through: bars of phases."""
    bars, rows = [], []
    for name, (bench,) in groups.items():
        shown = [p for p in PLANNING_PHASES if p in bench.phases() and bench.phase(p, "max").value > 0]
        bars.append((f"{name}, {plural(bench.ranks, 'rank')}", {p: bench.phase_spread(p)[0] for p in shown}))
        rows += [[bench.name, bench.nodes, bench.ranks, p, *bench.phase_spread(p)] for p in shown]
    return [svg_chart.stacked_chart("planning by phases", bars, PLANNING_PHASES)], rows


def planning_by_ranks(groups: dict[str, list[Bench]]) -> tuple[list[str], list[list[Cell]]]:
    charts, rows = [], []
    for name, group in groups.items():
        shown = [p for p in PLANNING_PHASES if all(p in b.phases() for b in group)]
        shown = [p for p in shown if any(b.phase(p, "max").value > 0 for b in group)]
        series = [(p, [(float(b.ranks), *b.phase_spread(p)) for b in group if b.phase_spread(p)[1].value > 0])
                  for p in shown]  # fmt: skip
        series = [(p, points) for p, points in series if points]
        if series:
            charts.append(svg_chart.line_chart(f"planning, {name}", f"ranks ({name})", series))
        for b in group:
            rows += [[b.name, b.nodes, b.ranks, p, *b.phase_spread(p)] for p in shown]
    return charts, rows


def planning_figures(data: Data) -> Iterator[Figure]:
    """Each planning phase of a save against ranks, one chart a strategy and planner."""
    groups = lines_of([b for b in data.family("plan") if is_save_planning(b)], lambda b: b.ranks)
    if not groups:
        return
    one_size = all(len(group) == 1 for group in groups.values())
    charts, rows = planning_of_one_size(groups) if one_size else planning_by_ranks(groups)
    if charts:
        yield Figure("planning", "Planning, phase by phase",
                     "Each phase on its slowest rank: median" + (
                         "s, stacked." if one_size else ", with minimum to maximum as a bar."), charts[:MOST_CHARTS],
                     ["benchmark", "nodes", "ranks", "phase", "median s", "min s", "max s"], rows)  # fmt: skip


def virtual_figures(data: Data) -> Iterator[Figure]:
    """Worlds that are planned for but do not run: never on a line with real ones."""
    benches = [b for b in data.benches if b.virtual]
    if not benches:
        return
    lines = lines_of(benches, lambda b: b.world_size)
    series = [(name, [(float(b.world_size), *b.spread()) for b in group]) for name, group in lines.items()]
    yield Figure("virtual", "Planning of virtual worlds", "Ranks without processes, planned in one or few processes.",
                 [svg_chart.line_chart("virtual planning", "virtual ranks", series[:MOST_LINES])], BENCH_COLUMNS,
                 bench_rows(benches))  # fmt: skip
