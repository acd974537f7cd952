# SPDX-License-Identifier: Apache-2.0
"""Figures of where the time of saves and loads goes: by phases, and rank by rank."""

from collections.abc import Iterator

from shardmark_tools.report import svg_chart
from shardmark_tools.report.bench_data import Bench, Data
from shardmark_tools.report.figure import Cell, Figure, plural
from shardmark_tools.report.io_figures import IO_FAMILIES
from shardmark_tools.report.rank_work import node_work, straggler_sentence, straggling_ranks

MOST_BARS = 24
MOST_HEAT_RANKS = 48


def stacked_figures(data: Data) -> Iterator[Figure]:
    for family in IO_FAMILIES:
        benches = [b for b in data.family(family) if b.phases()][:MOST_BARS]
        if not benches:
            continue
        order = list(dict.fromkeys(p for b in benches for p in b.phases()))
        rows = [(f"{b.title}, {plural(b.ranks, 'rank')} on {b.nodes}", {p: b.phase(p) for p in b.phases()})
                for b in benches]  # fmt: skip
        table: list[list[Cell]] = []
        for b in benches:
            cells: list[Cell] = [b.phase(p) if p in b.phases() else "" for p in order]
            table.append([b.name, *cells])
        yield Figure(f"phases-{family}", f"Where the time of a {family} goes",
                     "Phases stacked, mean over the ranks; wait is waiting for other ranks.",
                     [svg_chart.stacked_chart(f"phases of {family}", rows, order)],
                     ["benchmark", *(f"{p} s" for p in order)], table)  # fmt: skip


def heat_of_ranks(bench: Bench, phases: list[str]) -> tuple[list[str], list[list[Cell]]]:
    """(charts, table): those that wait least, so that who holds up the others is among them."""
    family = bench.family
    if "wait" in bench.phases():
        ranks = sorted(range(bench.ranks), key=lambda r: bench.rank_phase(r, "wait").value)
    else:
        ranks = list(range(bench.ranks))
    ranks = sorted(ranks[:MOST_HEAT_RANKS])
    names = [f"r{r} {bench.hosts[bench.node_of_rank[r]]}" for r in ranks]
    cells = [[bench.rank_phase(r, p) for p in phases] for r in ranks]
    slow = {rank for rank, _ in straggling_ranks(bench)}
    marked = {i for i, r in enumerate(ranks) if r in slow}
    charts = [svg_chart.heat_chart(f"{family}: ranks by phases", names, phases, cells, marked)]
    table: list[list[Cell]] = [[name, *row] for name, row in zip(names, cells)]
    if bench.nodes > 1:
        work = node_work(bench)
        charts.append(svg_chart.heat_chart(f"{family}: nodes", bench.hosts, ["own work"], [[n] for n in work]))
        table += [[f"node {h}", n, *[""] * (len(phases) - 1)] for h, n in zip(bench.hosts, work)]
    return charts, table


def rank_figures(data: Data) -> Iterator[Figure]:
    """Ranks by phases of the largest save and load, nodes too; who is slow is named."""
    for family in IO_FAMILIES:
        benches = [b for b in data.family(family) if b.phases()]
        if not benches or max(b.ranks for b in benches) < 2:
            continue
        bench = max(benches, key=lambda b: (b.ranks, b.time().value))
        phases = [p for p in bench.phases() if bench.phase(p, "max").value > 0]
        if not phases:
            continue
        charts, table = heat_of_ranks(bench, phases)
        yield Figure(f"ranks-{family}", f"{family.capitalize()}, rank by rank",
                     f"{bench.title}, {plural(bench.ranks, 'rank')}: "
                     f"{straggler_sentence(bench) or 'too few to compare'}. The stronger the colour the longer, by "
                     "logarithm.",
                     charts, ["rank", *(f"{p} s" for p in phases)], table)  # fmt: skip
