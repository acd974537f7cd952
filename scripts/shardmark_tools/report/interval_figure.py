# SPDX-License-Identifier: Apache-2.0
"""How often to save here, and at sizes to come, under assumptions that are stated."""

from collections.abc import Iterator

from shardmark_tools.report import checkpoint_interval
from shardmark_tools.report.answer import best_of
from shardmark_tools.report.bench_data import Bench, Data, Number, by_condition
from shardmark_tools.report.figure import Cell, Figure

YEAR_S = 365.25 * 86400
PREDICTED = (1, 4, 16, 64)
SHORTEST_STALL_S = 1e-9


def load_of(save: Bench, loads: list[Bench]) -> Bench | None:
    """The load of what this save stored, in the same world and under the same conditions; None if there is none."""
    same = [b for b in loads if b.size == save.size and b.condition == save.condition]
    exact = [b for b in same if (b.strategy, b.variant.split("/")[0]) == (save.strategy, save.variant.split("/")[0])]
    return best_of(exact or same) if same else None


def interval_rows(best: Bench, stall: Number, restart: Number | None, years: float) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for factor in PREDICTED:
        nodes = best.nodes * factor
        mtbf = checkpoint_interval.job_mtbf_s(years * YEAR_S, nodes)
        stall_s = max(stall.value, SHORTEST_STALL_S)
        interval = checkpoint_interval.daly_interval_s(stall_s, mtbf)
        lost = checkpoint_interval.lost_share(interval, stall_s, restart.value if restart else 0.0, mtbf)
        young = checkpoint_interval.young_interval_s(stall_s, mtbf)
        basis = f"stall {stall.source}, restart {restart.source if restart else 'none'}, {nodes} nodes, {years:g} years"
        rows.append(["measured" if factor == 1 else "predicted", nodes, best.ranks * factor, stall,
                     *([restart] if restart else []), Number(mtbf / 3600, f"mtbf h: {basis}"),
                     Number(young, f"young: {basis}"), Number(interval, f"daly: {basis}"),
                     Number(100 * lost, f"lost %: {basis}")])  # fmt: skip
    return rows


def interval_figures(data: Data, node_mtbf_years: float) -> Iterator[Figure]:
    """One table for each kind of runs that saves were measured in."""
    for place, (condition, saves) in enumerate(by_condition(data.family("save"))):
        best = best_of(saves)
        stall = best.over("median", "returned_s") or best.time()
        load = load_of(best, data.family("load"))
        restart = load.time() if load else None
        restarts = ("a restart costs one load" if restart else
                    "no load was measured, so what a restart costs is left out of what is lost")  # fmt: skip
        columns = ["", "nodes", "ranks", "stall s", *(["restart s"] if restart else []), "job MTBF h", "Young s",
                   "Daly s", "lost %"]  # fmt: skip
        yield Figure(
            f"interval-{place + 1}" if place else "interval", "How often to save",
            f"{best.title}{f' ({condition})' if condition else ''}. A node fails once in {node_mtbf_years:g} years "
            f"(--node-mtbf-years), any node's failure ends the job, {restarts}. Predicted rows keep the measured "
            "stall: weak scaling that stays ideal, so they are the best case. Intervals by Young and by Daly; lost: "
            "share of the time without progress at Daly's interval.", [], columns,
            interval_rows(best, stall, restart, node_mtbf_years),
        )  # fmt: skip
