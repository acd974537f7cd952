# SPDX-License-Identifier: Apache-2.0
"""The answer in words. What was measured with another model, on another machine or by other versions gets
sentences of its own: between those there is no faster."""

from shardmark_tools.report.bench_data import Bench, Data, by_condition, quotient
from shardmark_tools.report.figure import in_gib, largest, plural, rate
from shardmark_tools.report.io_figures import IO_FAMILIES
from shardmark_tools.report.planning_figures import is_save_planning
from shardmark_tools.report.rank_work import straggler_sentence
from shardmark_tools.report.words import Sentence
from shardmark_tools.results.number_text import three_digits
from shardmark_tools.results.run_facts import differences_text

MOST_CONDITIONS = 6


def best_of(benches: list[Bench]) -> Bench:
    return min(largest(benches), key=lambda b: b.time().value)


def fastest_sentence(what: str, condition: str, benches: list[Bench]) -> Sentence:
    ranked = sorted(largest(benches), key=lambda b: b.time().value)
    best = ranked[0]
    speed = rate(best) if best.family in IO_FAMILIES else None
    parts: Sentence = [f"{what.capitalize()}{f' ({condition})' if condition else ''}: "]
    parts += ["fastest is " if len(ranked) > 1 else "", ("strong", best.title), " with ", ("s", best.time())]
    if speed:
        parts += [" (", ("x", in_gib(speed)), " GiB/s)"]
    parts.append(f", {plural(best.ranks, 'rank')} on {plural(best.nodes, 'node')}")
    if len(ranked) > 1:
        ratio = quotient(ranked[-1].time(), best.time())
        parts += [f"; slowest of {len(ranked)} is {ranked[-1].title} (", ("x", ratio), " times as long)"]
        if ranked[1].time("min").value <= best.time("max").value:
            parts.append(f"; its spread overlaps with {ranked[1].title}: not a clear winner")
    return [*parts, "."]


def phase_sentence(family: str, bench: Bench) -> Sentence | None:
    phases = [(p, bench.phase(p)) for p in bench.phases()]
    working = [entry for entry in phases if entry[0] != "wait"] or phases
    total = sum(n.value for _, n in phases)
    if not working or total <= 0:
        return None
    name, longest = max(working, key=lambda entry: entry[1].value)
    return [f"The longest phase of that {family} is ", ("strong", name),
            f" ({100 * longest.value / total:.0f} % of the time; ", ("s", longest),
            f"); {straggler_sentence(bench) or 'one or two ranks: nobody to compare'}."]  # fmt: skip


def scaling_sentence(family: str, benches: list[Bench]) -> Sentence | None:
    best = best_of(benches)
    line = [b for b in benches if (b.title, b.scaling, b.model) == (best.title, best.scaling, best.model)]
    line.sort(key=lambda b: b.ranks)
    if len(line) < 2 or line[0].ranks == line[-1].ranks:
        return None
    first, last = line[0], line[-1]
    ideal = 1.0 if last.scaling == "weak" else first.ranks / last.ranks
    return [f"From {first.ranks} to {plural(last.ranks, 'rank')} a {family} takes ",
            ("x", quotient(last.time(), first.time())),
            f" times as long ({last.scaling} scaling; ideal would be {three_digits(ideal)})."]  # fmt: skip


def answer_sentences(data: Data) -> list[Sentence]:
    sentences: list[Sentence] = []
    if data.differences:
        sentences.append([f"These runs are not of one kind: {differences_text(data.differences)}."])
    for family in IO_FAMILIES:
        groups = by_condition(data.family(family))
        for condition, benches in groups[:MOST_CONDITIONS]:
            sentences.append(fastest_sentence(family, condition, benches))
            more = [phase_sentence(family, best_of(benches)), scaling_sentence(family, benches)]
            sentences += [sentence for sentence in more if sentence]
        if len(groups) > MOST_CONDITIONS:
            sentences.append([f"{len(groups) - MOST_CONDITIONS} more kinds of {family}s are in the tables."])
    plans = [b for b in data.family("plan") if is_save_planning(b)]
    for condition, benches in by_condition(plans)[:MOST_CONDITIONS]:
        sentences.append(fastest_sentence("planning", condition, benches))
    if data.failed:
        sentences.append([f"{len(data.failed)} benchmarks or cases have no complete result; they are listed below."])
    return sentences
