# SPDX-License-Identifier: Apache-2.0
"""The answer in words, and how often to save."""

from shardmark_tools.report import checkpoint_interval
from shardmark_tools.report.report_data import Number
from shardmark_tools.report.sections import GIB, Figure, quotient, rate, straggler_sentence

YEAR_S = 365.25 * 86400
PREDICTED = (1, 4, 16, 64)


def largest(benches):
    size = max((b.nodes, b.ranks) for b in benches)
    return [b for b in benches if (b.nodes, b.ranks) == size]


def best_of(benches):
    return min(largest(benches), key=lambda b: b.over("median", "time_s").value)


def same_case(bench, others):
    """The load of what this save stored, in the same world."""
    for other in largest(others):
        if (other.strategy, other.variant.split("/")[0]) == (bench.strategy, bench.variant.split("/")[0]):
            return other
    return best_of(others) if others else None


def fastest_sentence(family, benches):
    """Parts of text and numbers."""
    ranked = sorted(largest(benches), key=lambda b: b.over("median", "time_s").value)
    best = ranked[0]
    speed = rate(best) if family in ("save", "load") else None
    parts = [f"{family.capitalize()}: fastest is ", ("strong", best.title), " with ",
             ("s", best.over("median", "time_s"))]  # fmt: skip
    if speed:
        parts += [" (", ("x.xx", Number(speed.value / GIB, f"{speed.source} / GiB")), " GiB/s)"]
    parts.append(f", {best.ranks} ranks on {best.nodes} node{'s' if best.nodes > 1 else ''}")
    if len(ranked) > 1:
        ratio = quotient(ranked[-1].over("median", "time_s"), best.over("median", "time_s"))
        second = ranked[1].over("min", "time_s").value > best.over("max", "time_s").value
        parts += ["; slowest of ", str(len(ranked)), " is ", ranked[-1].title, " (", ("x.xx", ratio), " times as long)"]
        if not second:
            parts.append(f"; its spread overlaps with {ranked[1].title}: not a clear winner")
    return [*parts, "."]


def phase_sentence(family, bench):
    phases = [(p, bench.phase(p)) for p in bench.phases()]
    working = [entry for entry in phases if entry[0] != "wait"] or phases
    name, longest = max(working, key=lambda entry: entry[1].value)
    total = sum(n.value for _, n in phases)
    return [f"The longest phase of that {family} is ", ("strong", name), f" ({100 * longest.value / total:.0f} % of the time; ",
            ("s", longest), f"); {straggler_sentence(bench) or 'one or two ranks: nobody to compare'}."]  # fmt: skip


def scaling_sentence(family, benches):
    best = best_of(benches)
    line = [b for b in benches if (b.title, b.scaling, b.model) == (best.title, best.scaling, best.model)]
    line.sort(key=lambda b: b.ranks)
    if len(line) < 2 or line[0].ranks == line[-1].ranks:
        return None
    first, last = line[0], line[-1]
    ratio = quotient(last.over("median", "time_s"), first.over("median", "time_s"))
    ideal = 1.0 if last.scaling == "weak" else first.ranks / last.ranks
    return [f"From {first.ranks} to {last.ranks} ranks a {family} takes ", ("x.xx", ratio),
            f" times as long ({last.scaling} scaling; ideal would be {ideal:.3g})."]  # fmt: skip


def answer(data):
    """Sentences: lists of text, ("strong", text), ("s", Number), ("x.xx", Number)."""
    sentences = []
    for family in ("save", "load"):
        benches = data.family(family)
        if not benches:
            continue
        sentences.append(fastest_sentence(family, benches))
        sentences.append(phase_sentence(family, best_of(benches)))
        scaling = scaling_sentence(family, benches)
        if scaling:
            sentences.append(scaling)
    plans = [b for b in data.family("plan") if b.name.split("/")[3] != "load"]
    if plans:
        sentences.append(fastest_sentence("planning", plans))
    if data.failed:
        sentences.append([f"{len(data.failed)} benchmarks or cases have no complete result; they are listed below."])
    return sentences


def percent_number(value, source):
    return Number(100 * value, source)


def interval_figure(data, node_mtbf_years):
    """How often to save here, and at sizes to come, under assumptions that are stated."""
    saves = data.family("save")
    if not saves:
        return None
    best = best_of(saves)
    stall = best.over("median", "returned_s") or best.over("median", "time_s")
    load = same_case(best, data.family("load"))
    restart = load.over("median", "time_s") if load else Number(0.0, "no load was measured")
    rows = []
    for factor in PREDICTED:
        nodes = best.nodes * factor
        mtbf = checkpoint_interval.job_mtbf_s(node_mtbf_years * YEAR_S, nodes)
        interval = checkpoint_interval.daly_interval_s(stall.value, mtbf)
        lost = checkpoint_interval.lost_share(interval, stall.value, restart.value, mtbf)
        young = checkpoint_interval.young_interval_s(stall.value, mtbf)
        basis = f"stall {stall.source}, restart {restart.source}, {nodes} nodes, {node_mtbf_years:g} years"
        rows.append(["measured" if factor == 1 else "predicted", nodes, best.ranks * factor, stall, restart,
                     Number(mtbf / 3600, f"mtbf h: {basis}"), Number(young, f"young: {basis}"),
                     Number(interval, f"daly: {basis}"), percent_number(lost, f"lost %: {basis}")])  # fmt: skip
    return Figure(
        "interval", "How often to save",
        f"{best.title}. A node fails once in {node_mtbf_years:g} years (--node-mtbf-years), any node's failure ends "
        "the job, a restart costs one load. Predicted rows keep the measured stall: weak scaling that stays ideal, "
        "so they are the best case. Intervals by Young and by Daly; lost: share of the time without progress at "
        "Daly's interval.", [],
        ["", "nodes", "ranks", "stall s", "restart s", "job MTBF h", "Young s", "Daly s", "lost %"], rows,
    )  # fmt: skip
