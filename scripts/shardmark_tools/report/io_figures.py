# SPDX-License-Identifier: Apache-2.0
"""Figures of saves and loads: against ranks, side by side, and against what the machine can do at most."""

from collections.abc import Iterator

from shardmark_tools.report import svg_chart
from shardmark_tools.report.bench_data import Bench, Data, Number, Spread, by_condition
from shardmark_tools.report.figure import (
    BENCH_COLUMNS,
    MOST_LINES,
    Cell,
    Figure,
    bench_rows,
    gib_spread,
    largest,
    lines_of,
    plural,
    rate,
    titled,
)
from shardmark_tools.results.number_text import three_digits
from shardmark_tools.results.vocabulary import CEILINGS

IO_FAMILIES = ("save", "load")


def is_raw(bench: Bench) -> bool:
    return str(bench.case.get("ceiling", "")).startswith("posix")


def best_raw_rates(data: Data, family: str) -> dict[tuple[tuple[int, int], str], Number]:
    """{(size, condition): best rate of raw files} for saves or for loads."""
    found: dict[tuple[tuple[int, int], str], Number] = {}
    for bench in data.family("ceiling"):
        speed = rate(bench)
        if speed and is_raw(bench) and bench.case.get("operation") == family:
            key = bench.size, str(bench.condition)
            if key not in found or speed.value > found[key].value:
                found[key] = speed
    return found


def ideal_points(group: list[Bench]) -> list[tuple[float, float]]:
    """From the smallest world: the same time if the work grows with the ranks, else t / n."""
    first = group[0]
    start = first.time().value
    xs = sorted({b.ranks for b in group})
    return [(x, start if first.scaling == "weak" else start * first.ranks / x) for x in xs]


def ceiling_points(data: Data, family: str, group: list[Bench]) -> list[tuple[float, float]]:
    limits = best_raw_rates(data, family)
    points = []
    for bench in group:
        limit, moved = limits.get((bench.size, str(bench.condition))), bench.over("median", "num_bytes")
        if limit and moved:
            points.append((float(bench.ranks), moved.value / limit.value))
    return points


def scaling_charts(data: Data, family: str, benches: list[Bench]) -> list[str]:
    charts = []
    lines = list(lines_of(benches, lambda b: b.ranks).items())
    for begin in range(0, len(lines), MOST_LINES):
        chosen = lines[begin : begin + MOST_LINES]
        series = [(name, [(float(b.ranks), *b.spread()) for b in group]) for name, group in chosen]
        longest = max((group for _, group in chosen), key=len)
        guides = []
        if len(longest) > 1:
            guides.append(("ideal", "ideal", ideal_points(longest)))
        ceiling = ceiling_points(data, family, longest)
        if ceiling:
            guides.append(("ceiling: best raw rate measured", "ceiling", ceiling))
        charts.append(svg_chart.line_chart(f"{family}: time by ranks", "ranks", series, guides))
    return charts


def scaling_figures(data: Data) -> Iterator[Figure]:
    """Save and load against ranks."""
    for family in IO_FAMILIES:
        benches = data.family(family)
        if benches and len({b.ranks for b in benches}) > 1:
            yield Figure(
                f"scaling-{family}", f"Scaling of {family}",
                "Median time from a barrier to the end of the slowest rank, minimum to maximum as a bar.",
                scaling_charts(data, family, benches), BENCH_COLUMNS, bench_rows(benches),
            )  # fmt: skip


def comparison_figures(data: Data) -> Iterator[Figure]:
    """Strategies and layouts side by side, in the largest world."""
    for family in IO_FAMILIES:
        if not data.family(family):
            continue
        nodes, ranks = largest(data.family(family))[0].size
        charts: list[str] = []
        rows: list[list[Cell]] = []
        for condition, benches in by_condition(largest(data.family(family))):
            benches.sort(key=lambda b: b.time().value)
            dots = [(b.title, *b.spread()) for b in benches]
            charts.append(svg_chart.dot_chart(titled(f"{family} by strategy", condition), dots))
            rows += bench_rows(benches)
        yield Figure(
            f"compare-{family}", f"{family.capitalize()} by strategy and layout",
            f"{plural(ranks, 'rank')} on {plural(nodes, 'node')}, fastest first; median, with minimum to maximum as a "
            "bar. One chart for what was measured with one model on one machine.", charts, BENCH_COLUMNS, rows,
        )  # fmt: skip


def waterfall_rows(layers: list[Bench], judged: list[Bench]) -> list[tuple[str, Number, Number, Number]]:
    """Rows of the chart: the best of each layer, then the whole operations."""
    rows: list[tuple[str, Number, Number, Number]] = []

    def add(name: str, spread: Spread | None) -> None:
        if spread:
            rows.append((name, *spread))

    speeds = {id(b): speed.value for b in [*layers, *judged] if (speed := rate(b))}
    for layer in CEILINGS:
        group = [b for b in layers if b.case.get("ceiling") == layer]
        if group:
            best = max(group, key=lambda b: speeds[id(b)])
            add(best.variant, gib_spread(best))
    raw = [speeds[id(b)] for b in layers if is_raw(b)]
    for bench in judged:
        share = f", {three_digits(100 * speeds[id(bench)] / max(raw))} % of the best raw files" if raw else ""
        add(f"{bench.family} {bench.title}{share}", gib_spread(bench))
    return rows


def waterfall_figures(data: Data) -> Iterator[Figure]:
    """From the fastest raw way down to the whole operation, in the same world."""
    for family in IO_FAMILIES:
        layers = [b for b in data.family("ceiling") if b.case.get("operation") == family and rate(b)]
        if not layers:
            continue
        layers = largest(layers)
        judged = [b for b in data.family(family) if b.size == layers[0].size and rate(b)]
        charts: list[str] = []
        table: list[list[Cell]] = []
        for condition, group in by_condition([*layers, *judged]):
            ceilings = [b for b in group if b.family == "ceiling"]
            rows = waterfall_rows(ceilings, [b for b in group if b.family == family])
            if not ceilings or not rows:
                continue
            charts.append(svg_chart.dot_chart(titled(f"{family}: rates", condition), rows, three_digits))
            table += [[*row, *(gib_spread(b) or ("", "", ""))[1:]] for b in group for row in bench_rows([b])]
        if charts:
            yield Figure(
                f"waterfall-{family}", f"{family.capitalize()} against its ceilings",
                f"GiB/s on {plural(layers[0].ranks, 'rank')}: what memory, raw files, MPI-IO and bare HDF5 give, then "
                f"the whole {family}; measured in the same rounds. Median, slowest to fastest as a bar.", charts,
                [*BENCH_COLUMNS, "slowest GiB/s", "fastest GiB/s"], table,
            )  # fmt: skip
