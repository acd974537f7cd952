# SPDX-License-Identifier: Apache-2.0
"""Laws of planning over the world's size: fitted, told in a table, drawn, and checked against larger worlds."""

import statistics
from typing import Any

from shardmark_tools.planning.network_model import Link, modelled_network_s
from shardmark_tools.planning.planner_sweep import CHECK_FACTOR, CHECK_FROM, RANK_PHASES, ROOT_PHASES, Options, Point, Sweep
from shardmark_tools.report import scaling_laws, svg_chart
from shardmark_tools.report.bench_data import OVER, Number
from shardmark_tools.results.number_text import byte_text, three_digits, time_text, time_unit
from shardmark_tools.results.plain_text import aligned_table

Laws = dict[str, dict[str, scaling_laws.Law]]
SHORTEST_S = 1e-6  # what takes less is not fitted
CURVE_POINTS = 48


def points_of(sweep: Sweep, planner: str, world: int | None = None) -> list[Point]:
    return [p for p in sweep.points if p["planner"] == planner and world in (None, p["world"])]


def fit_all(sweep: Sweep) -> Laws:
    laws: Laws = {}
    for planner in sweep.options.planners:
        mine = points_of(sweep, planner)
        if not mine:
            continue
        worlds = [p["world"] for p in mine]
        series = {phase: [p["phases_s"][phase] for p in mine] for phase in RANK_PHASES + ROOT_PHASES}
        series.update({key: [p[key] for p in mine] for key in ("rank_s", "root_s", "measured_s")})
        laws[planner] = {name: scaling_laws.fit(worlds, times) for name, times in series.items()
                         if max(times) > SHORTEST_S or name == "measured_s"}  # fmt: skip
    return laws


def law_document(law: scaling_laws.Law) -> dict[str, Any]:
    return {"law": law.text(), "a": law.a, "b": law.b, "p": law.p, "q": law.q, "q_certain": law.q_certain,
            "a_95": law.a_interval, "b_95": law.b_interval, "p_95": law.p_interval, "knee_world": law.knee(),
            "worlds": law.worlds, "relative_residuals": law.residuals}  # fmt: skip


def time_lines(sweep: Sweep, planners: list[str], link: Link | None) -> list[str]:
    """Medians by world: of a rank, of the root, and what the network would add."""
    rows: list[list[float | None]] = []
    worlds = sorted({p["world"] for p in sweep.points})
    for world in worlds:
        row: list[float | None] = []
        for planner in planners:
            mine = sorted(points_of(sweep, planner, world), key=lambda p: float(p["measured_s"]))
            middle = mine[len(mine) // 2] if mine else None
            row += [middle["rank_s"], middle["root_s"], modelled_network_s(middle, link)] if middle else [None] * 3
        rows.append(row)
    columns = [f"{planner} {part}" for planner in planners for part in ("rank", "root", "network*")]
    units = [time_unit([row[i] or 0.0 for row in rows]) for i in range(len(columns))]
    cells = [[str(world), *("-" if seconds is None else time_text(seconds, unit) for seconds, unit in zip(row, units))]
             for world, row in zip(worlds, rows)]  # fmt: skip
    return aligned_table(["world", *columns], cells)


def law_lines(laws: Laws) -> list[str]:
    rows = []
    for planner, of in laws.items():
        for name, law in of.items():
            interval = law.p_interval
            rows.append([planner, name, law.text(), f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else "-",
                         "-" if (knee := law.knee()) is None else f"{knee:.0f} ranks"])  # fmt: skip
    return aligned_table(["planner", "what", "law", "p, 95 %", "knee"], rows)


def prediction_lines(options: Options, laws: Laws) -> list[str]:
    found = [(planner, world, of["measured_s"].predict(world)) for planner, of in laws.items() for world in options.predict]
    unit = time_unit([seconds for _, _, (seconds, *_) in found])
    rows = [[planner, str(world), *(time_text(value, unit) for value in values)] for planner, world, values in found]
    return aligned_table(["planner", "ranks", "predicted", "low", "high"], rows)


def reality_lines(checks: list[dict[str, Any]]) -> list[str]:
    keys = ("real_s", "real_min_s", "real_max_s", "virtual_s")
    unit = time_unit([check[key] for check in checks for key in keys])
    rows = [[c["planner"], str(c["ranks"]), *(time_text(c[key], unit) for key in keys),
             three_digits(c["real_over_predicted"])] for c in checks]  # fmt: skip
    return aligned_table(["planner", "ranks", "real", "fastest", "slowest", "virtual", "real / predicted"], rows)


def text(sweep: Sweep, laws: Laws, link: Link | None, checks: list[dict[str, Any]]) -> str:
    said = "no link was measured" if link is None else (
        f"latency {time_text(link['latency_s'])}, {byte_text(link['bytes_per_s'])}/s, {link['measured_between']}")  # fmt: skip
    lines = ["Planning time by world size (medians; measured in one process)", "",
             *time_lines(sweep, list(laws), link), "", f"* modelled, not measured: {said}", "",
             "Fitted laws, t = a + b N^p log(N)^q in seconds", *law_lines(laws), "",
             "Predicted planning time without network, 95 % intervals", *prediction_lines(sweep.options, laws),
             *sweep.skipped_lines()]  # fmt: skip
    if checks:
        lines += ["", "Real runs against virtual measurement plus model", *reality_lines(checks)]
    return "\n".join(lines) + "\n"


def chart(sweep: Sweep, laws: Laws) -> str:
    """Measured points, fitted laws beyond them, and what is only modelled, as a file of its own."""
    series, curves, guides = [], [], []
    for planner, of in laws.items():
        points: list[svg_chart.Point] = []
        for world in sorted({p["world"] for p in points_of(sweep, planner)}):
            times = [p["measured_s"] for p in points_of(sweep, planner, world)]
            middle, low, high = (Number(how(times), f"measured_s of {planner} at {world}")
                                 for how in OVER.values())  # fmt: skip
            points.append((float(world), middle, low, high))
        law = of["measured_s"]
        begin, end = min(law.worlds), max(sweep.options.largest, max(law.worlds))
        steps = [begin * (end / begin) ** (i / (CURVE_POINTS - 1)) for i in range(CURVE_POINTS)]
        series.append((f"{planner}: {law.text()}", points))
        curves.append([(world, *law.predict(world)) for world in steps])
        network = [(float(p["world"]), p["modelled_network_s"]) for p in points_of(sweep, planner)
                   if p["repetition"] == 0 and p.get("modelled_network_s")]  # fmt: skip
        if network:
            guides.append((f"{planner}: network, modelled", "ideal", network))
    return svg_chart.standalone(svg_chart.line_chart("Planning one save, by planner and world size",
                                                     "virtual ranks", series, guides, curves))  # fmt: skip


def check_predictions(sweep: Sweep) -> tuple[list[str], bool]:
    """Lines, and whether every planner's largest world lies in the interval that the smaller ones predict."""
    largest, good = sweep.options.largest, True
    lines = [f"Fitted on {CHECK_FROM} to {largest // CHECK_FACTOR} virtual ranks, predicted for {largest}, and measured "
             "there"]  # fmt: skip
    for planner in sweep.options.planners:
        below = [p for p in points_of(sweep, planner) if p["world"] < largest]
        law = scaling_laws.fit([p["world"] for p in below], [p["measured_s"] for p in below])
        time, low, high = law.predict(largest)
        measured = statistics.median(p["measured_s"] for p in points_of(sweep, planner, largest))
        inside = low <= measured <= high
        good = good and inside
        unit = time_unit([time])
        lines.append(f"  {planner:12} {law.text()}: predicted {time_text(time, unit)} [{time_text(low, unit)}, "
                     f"{time_text(high, unit)}], measured {time_text(measured, unit)}: "
                     f"{'inside' if inside else 'OUTSIDE'}")  # fmt: skip
    return lines, good
