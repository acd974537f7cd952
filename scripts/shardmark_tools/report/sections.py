# SPDX-License-Identifier: Apache-2.0
"""The figures of a report: each a title, a sentence, charts, and the table they are drawn from."""

import dataclasses

from shardmark_tools.report import svg_chart
from shardmark_tools.report.report_data import Number, node_work, straggling_ranks

GIB = 2.0**30
PLANNING = ("hooks", "local_plan", "gather", "global_plan", "scatter")
MOST_LINES = 8
MOST_HEAT_RANKS = 48


@dataclasses.dataclass
class Figure:
    key: str  # names its CSV file
    title: str
    sentence: str
    charts: list  # SVG texts
    columns: list
    rows: list  # cells: text or Number


def quotient(a, b):
    return Number(a.value / b.value, f"{a.source} / {b.source}")


def rate(bench):
    """Bytes over median time, computed last."""
    moved, time = bench.over("median", "num_bytes"), bench.over("median", "time_s")
    return quotient(moved, time) if moved and time.value > 0 else None


def lines_of(benches, size):
    """{label: [bench by size]} of what differs in size alone."""
    models = {b.model for b in benches}
    weak = {b.scaling for b in benches}
    groups = {}
    for bench in benches:
        words = [bench.title]
        words += [bench.model] if len(models) > 1 else []
        words += [bench.scaling] if len(weak) > 1 else []
        groups.setdefault(" ".join(words), []).append(bench)
    lines = {}
    for name, group in groups.items():
        for bench in sorted(group, key=size):
            # As many ranks on other numbers of nodes are another line.
            twice = len({size(b) for b in group}) < len(group)
            label = f"{name}, {bench.nodes} node{'s' if bench.nodes > 1 else ''}" if twice else name
            lines.setdefault(label, []).append(bench)
    return lines


def ceilings(data, family):
    """{(nodes, ranks): best rate of raw files} for saves or for loads."""
    found = {}
    for bench in data.family("ceiling"):
        speed = rate(bench)
        raw = str(bench.case.get("ceiling", "")).startswith("posix")
        if speed and raw and bench.case.get("operation") == family:
            size = bench.nodes, bench.ranks
            if size not in found or speed.value > found[size].value:
                found[size] = speed
    return found


def ideal_points(group, weak):
    """From the smallest world: the same time if the work grows with the ranks, else t / n."""
    first = group[0]
    start = first.over("median", "time_s").value
    xs = sorted({b.ranks for b in group})
    return [(x, start if weak else start * first.ranks / x) for x in xs]


def ceiling_points(data, family, group):
    limits = ceilings(data, family)
    points = []
    for bench in group:
        limit = limits.get((bench.nodes, bench.ranks))
        moved = bench.over("median", "num_bytes")
        if limit and moved:
            points.append((bench.ranks, moved.value / limit.value))
    return points


def bench_rows(benches):
    rows = []
    for b in benches:
        middle, low, high = b.spread()
        speed = rate(b) if b.family in ("save", "load", "reshard", "ceiling") else None
        gib = Number(speed.value / GIB, f"{speed.source} / GiB") if speed else ""
        rows.append([b.name, b.nodes, b.ranks, len(b.samples), middle, low, high, gib])
    return rows


BENCH_COLUMNS = ["benchmark", "nodes", "ranks", "repetitions", "median s", "min s", "max s", "GiB/s"]


def scaling_charts(data, family, benches):
    charts = []
    lines = list(lines_of(benches, lambda b: b.ranks).items())
    for begin in range(0, len(lines), MOST_LINES):
        chosen = lines[begin : begin + MOST_LINES]
        series = [(name, [(b.ranks, *b.spread()) for b in group]) for name, group in chosen]
        longest = max((group for _, group in chosen), key=len)
        guides = []
        if len(longest) > 1:
            guides.append(("ideal", "ideal", ideal_points(longest, longest[0].scaling == "weak")))
        ceiling = ceiling_points(data, family, longest)
        if ceiling:
            guides.append(("ceiling: best raw rate measured", "ceiling", ceiling))
        charts.append(svg_chart.line_chart(f"{family}: time by ranks", "ranks", series, guides))
    return charts


def io_scaling(data):
    """Save and load against ranks."""
    for family in ("save", "load"):
        benches = data.family(family)
        if benches and len({b.ranks for b in benches}) > 1:
            yield Figure(
                f"scaling-{family}", f"Scaling of {family}",
                "Median time from a barrier to the end of the slowest rank, minimum to maximum as a bar.",
                scaling_charts(data, family, benches), BENCH_COLUMNS, bench_rows(benches),
            )  # fmt: skip


def comparison(data):
    """Strategies and layouts side by side, in the largest world."""
    for family in ("save", "load"):
        benches = data.family(family)
        if not benches:
            continue
        largest = max((b.nodes, b.ranks) for b in benches)
        chosen = [b for b in benches if (b.nodes, b.ranks) == largest]
        chosen.sort(key=lambda b: b.over("median", "time_s").value)
        rows = [(b.title, *b.spread()) for b in chosen]
        yield Figure(
            f"compare-{family}", f"{family.capitalize()} by strategy and layout",
            f"{largest[1]} ranks on {largest[0]} node{'s' if largest[0] > 1 else ''}, fastest first; median, with "
            "minimum to maximum as a bar.",
            [svg_chart.dot_chart(f"{family} by strategy", rows)], BENCH_COLUMNS, bench_rows(chosen),
        )  # fmt: skip


def hooks_scaling(data):
    benches = data.family("hooks")
    if not benches:
        return
    if len({b.ranks for b in benches}) > 1:
        charts = scaling_charts(data, "hooks", benches)
    else:
        charts = [svg_chart.dot_chart("hooks", [(b.title, *b.spread()) for b in benches])]
    yield Figure("hooks", "The hooks", "One call for every tensor of the model, on the slowest rank.", charts,
                 BENCH_COLUMNS, bench_rows(benches))  # fmt: skip


def planning_of_one_size(groups):
    """Where there is nothing to draw a line through: bars of phases."""
    bars, rows = [], []
    for name, (bench,) in groups.items():
        shown = [p for p in PLANNING if p in bench.phases() and bench.phase(p, "max").value > 0]
        bars.append((f"{name}, {bench.ranks} ranks", {p: bench.phase_spread(p)[0] for p in shown}))
        rows += [[bench.name, bench.nodes, bench.ranks, p, *bench.phase_spread(p)] for p in shown]
    return [svg_chart.stacked_chart("planning by phases", bars, PLANNING)], rows


def planning_by_ranks(groups):
    charts, rows = [], []
    for name, group in groups.items():
        shown = [p for p in PLANNING if all(p in b.phases() for b in group)]
        shown = [p for p in shown if any(b.phase(p, "max").value > 0 for b in group)]
        series = [(p, [(b.ranks, *b.phase_spread(p)) for b in group if b.phase_spread(p)[0].value > 0])
                  for p in shown]  # fmt: skip
        series = [(p, points) for p, points in series if points and all(n.value > 0 for q in points for n in q[1:])]
        if series:
            charts.append(svg_chart.line_chart(f"planning, {name}", f"ranks ({name})", series))
        for b in group:
            rows += [[b.name, b.nodes, b.ranks, p, *b.phase_spread(p)] for p in shown]
    return charts, rows


def planning_phases(data):
    """Each planning phase of a save against ranks, one chart a strategy and planner."""
    groups = lines_of([b for b in data.family("plan") if b.name.split("/")[3] != "load"], lambda b: b.ranks)
    if not groups:
        return
    one_size = all(len(group) == 1 for group in groups.values())
    charts, rows = planning_of_one_size(groups) if one_size else planning_by_ranks(groups)
    if charts:
        yield Figure("planning", "Planning, phase by phase",
                     "Each phase on its slowest rank: median" + (
                         "s, stacked." if one_size else ", with minimum to maximum as a bar."), charts[:6],
                     ["benchmark", "nodes", "ranks", "phase", "median s", "min s", "max s"], rows)  # fmt: skip


def stacked_phases(data):
    for family in ("save", "load"):
        benches = data.family(family)[:24]
        if not benches:
            continue
        order = list(dict.fromkeys(p for b in benches for p in b.phases()))
        rows = [(f"{b.title}, {b.ranks} ranks on {b.nodes}", {p: b.phase(p) for p in b.phases()}) for b in benches]
        table = [[b.name, *(b.phase(p) if p in b.phases() else "" for p in order)] for b in benches]
        yield Figure(f"phases-{family}", f"Where the time of a {family} goes",
                     "Phases stacked, mean over the ranks; wait is waiting for other ranks.",
                     [svg_chart.stacked_chart(f"phases of {family}", rows, order)],
                     ["benchmark", *(f"{p} s" for p in order)], table)  # fmt: skip


def straggler_sentence(bench):
    ranks = straggling_ranks(bench)
    parts = []
    if bench.nodes > 1:
        work = node_work(bench)
        ordered = sorted(range(bench.nodes), key=lambda n: -work[n].value)
        slowest, middle = ordered[0], sorted(n.value for n in work)[len(work) // 2]
        name = bench.hosts[slowest]
        if middle > 0 and work[slowest].value > 1.15 * middle:
            parts.append(f"node {name} works {100 * (work[slowest].value / middle - 1):.0f} % longer than the middle one")
        else:
            parts.append(f"no node stands out (slowest: {name})")
    if ranks:
        listed = ", ".join(f"rank {r} on {bench.hosts[bench.node_of_rank()[r]]} (+{100 * share:.0f} %)"
                           for r, share in ranks[:4])  # fmt: skip
        parts.append(f"stragglers: {listed}")
    elif bench.ranks >= 3:
        parts.append("no rank stands out in most repetitions")
    return "; ".join(parts)


def heat_maps(data):
    """Ranks by phases of the largest save and load, nodes too; who is slow is named."""
    for family in ("save", "load"):
        benches = data.family(family)
        if not benches or max(b.ranks for b in benches) < 2:
            continue
        bench = max(benches, key=lambda b: (b.ranks, b.over("median", "time_s").value))
        phases = [p for p in bench.phases() if bench.phase(p, "max").value > 0]
        slow = {rank for rank, _ in straggling_ranks(bench)}
        ranks = sorted(range(bench.ranks), key=lambda r: -bench.rank_phase(r, "wait").value)[::-1]
        ranks = sorted(ranks[:MOST_HEAT_RANKS])
        names = [f"r{r} {bench.hosts[bench.node_of_rank()[r]]}" for r in ranks]
        cells = [[bench.rank_phase(r, p) for p in phases] for r in ranks]
        marked = {i for i, r in enumerate(ranks) if r in slow}
        charts = [svg_chart.heat_chart(f"{family}: ranks by phases", names, phases, cells, marked)]
        table = [[name, *row] for name, row in zip(names, cells)]
        if bench.nodes > 1:
            work = [[n] for n in node_work(bench)]
            charts.append(svg_chart.heat_chart(f"{family}: nodes", bench.hosts, ["own work"], work))
            table += [[f"node {h}", n[0], *[""] * (len(phases) - 1)] for h, n in zip(bench.hosts, work)]
        yield Figure(f"ranks-{family}", f"{family.capitalize()}, rank by rank",
                     f"{bench.title}, {bench.ranks} ranks: {straggler_sentence(bench) or 'too few to compare'}. The stronger the colour the longer, by logarithm.",
                     charts, ["rank", *(f"{p} s" for p in phases)], table)  # fmt: skip


def reshard_map(data):
    """Rows: how it was saved; columns: how it is loaded."""
    benches = data.family("reshard")
    if not benches:
        return
    saved = lambda b: f"{b.case.get('saved_strategy')}@{b.case.get('saved_ranks')}"
    loaded = lambda b: f"{b.strategy}@{b.case.get('load_ranks')}"
    layouts = sorted({str(b.case.get("file_layout")) for b in benches})
    charts = []
    for layout in layouts:
        chosen = [b for b in benches if str(b.case.get("file_layout")) == layout]
        rows, columns = sorted({saved(b) for b in chosen}), sorted({loaded(b) for b in chosen})
        cell = {(saved(b), loaded(b)): b.over("median", "time_s") for b in chosen}
        cells = [[cell.get((r, c)) for c in columns] for r in rows]
        charts.append(svg_chart.heat_chart(f"reshard, {layout}", rows, columns, cells))
    yield Figure("reshard", "Loading under another strategy", "Rows: strategy@ranks that saved; columns: strategy@"
                 f"ranks that load; median time. One map a file layout: {', '.join(layouts)}.", charts, BENCH_COLUMNS,
                 bench_rows(benches))  # fmt: skip


def gib_spread(bench):
    """GiB/s at the median, the longest and the shortest time."""
    moved = bench.over("median", "num_bytes")
    rates = [quotient(moved, bench.over(how, "time_s")) for how in ("median", "max", "min")]
    return tuple(Number(r.value / GIB, f"{r.source} / GiB") for r in rates)


LAYERS = ("memcpy", "posix-per-rank", "posix-shared", "mpi-io", "bare-hdf5")


def waterfall_rows(layers, judged):
    """Rows of the chart: the best of each layer, then the whole operations."""
    rows = []
    for layer in LAYERS:
        group = [b for b in layers if b.case.get("ceiling") == layer]
        if group:
            best = max(group, key=lambda b: rate(b).value)
            rows.append((best.variant, *gib_spread(best)))
    raw = [rate(b).value for b in layers if str(b.case.get("ceiling")).startswith("posix")]
    for bench in judged:
        share = f", {100 * rate(bench).value / max(raw):.0f} % of the best raw files" if raw else ""
        rows.append((f"{bench.family} {bench.title}{share}", *gib_spread(bench)))
    return rows


def waterfall(data):
    """From the fastest raw way down to the whole operation, in the same world."""
    for family in ("save", "load"):
        layers = [b for b in data.family("ceiling") if b.case.get("operation") == family and rate(b)]
        if not layers:
            continue
        size = max((b.nodes, b.ranks) for b in layers)
        layers = [b for b in layers if (b.nodes, b.ranks) == size]
        judged = [b for b in data.family(family) if (b.nodes, b.ranks) == size and rate(b)]
        table = [[*row, *gib_spread(b)[1:]] for b in [*layers, *judged] for row in bench_rows([b])]
        chart = svg_chart.dot_chart(f"{family}: rates", waterfall_rows(layers, judged), svg_chart.rate_text)
        yield Figure(
            f"waterfall-{family}", f"{family.capitalize()} against its ceilings",
            f"GiB/s on {size[1]} ranks: what memory, raw files, MPI-IO and bare HDF5 give, then the whole {family}; "
            "measured in the same rounds. Median, slowest to fastest as a bar.", [chart],
            [*BENCH_COLUMNS, "slowest GiB/s", "fastest GiB/s"], table,
        )  # fmt: skip


def virtual_planning(data):
    """Worlds that are planned for but do not run: never on a line with real ones."""
    benches = [b for b in data.benches if b.virtual]
    if not benches:
        return
    lines = lines_of(benches, lambda b: b.world_size)
    series = [(name, [(b.world_size, *b.spread()) for b in group]) for name, group in lines.items()]
    yield Figure("virtual", "Planning of virtual worlds", "Ranks without processes, planned in one or few processes.",
                 [svg_chart.line_chart("virtual planning", "virtual ranks", series[:MOST_LINES])], BENCH_COLUMNS,
                 bench_rows(benches))  # fmt: skip


SECTIONS = (io_scaling, comparison, waterfall, stacked_phases, heat_maps, hooks_scaling, planning_phases,
            virtual_planning, reshard_map)  # fmt: skip


def figures(data):
    return [figure for section in SECTIONS for figure in section(data)]
