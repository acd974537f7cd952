# SPDX-License-Identifier: Apache-2.0
"""How many runs a night see a step of some size in time: from the spread between runs and that between nights."""

import dataclasses

import numpy as np

from shardmark_tools.history.judgement import Report, Seen
from shardmark_tools.history.nights import within_runs
from shardmark_tools.history.output import few_sentence
from shardmark_tools.history.run_record import BadArgument
from shardmark_tools.history.settled_changes import LEAST_EFFECT
from shardmark_tools.results.number_text import percent_text
from shardmark_tools.results.plain_text import aligned_table

MOST_RUNS = 200


@dataclasses.dataclass
class Need:
    seen: Seen
    wanted: float  # spread of a night that shows the step, as a logarithm
    runs: int | None  # a night; None: no number does
    assumed: bool  # that nights of one run each differ as runs do


def seen_within(seen: Seen, within: int) -> float:
    """The smallest step, as a logarithm, that is found within so many nights."""
    nights = sorted(seen.steps)
    steps = np.log(np.log1p([seen.steps[night] for night in nights]))
    return float(np.exp(np.interp(np.log(within), np.log(nights), steps)))


def needs(report: Report, step: float, within: int) -> list[Need]:
    found = []
    runs_now = float(np.median(report.values.counts[report.values.counts > 0]))
    for seen in report.seen:
        if seen.row.phase is not None:
            continue
        # What the smallest step of this history is to its spread, the wanted step is to the wanted one.
        now = seen.beside_others
        wanted = np.log1p(step) / seen_within(seen, within) * now
        between_runs = within_runs(report.values, seen.row)
        assumed = between_runs is None
        run_variance = now**2 * runs_now if between_runs is None else between_runs**2 * (now / max(seen.spread, 1e-9)) ** 2
        night_variance = max(0.0, now**2 - run_variance / runs_now)
        left = wanted**2 - night_variance
        runs = None if left <= 0 else max(1, int(np.ceil(run_variance / left)))
        found.append(Need(seen, float(wanted), runs if runs is None or runs <= MOST_RUNS else None, assumed))
    return found


def plan_text(reports: list[Report], step: float, within: int) -> str:
    """Errors: BadArgument for a step that check never tells."""
    if step <= LEAST_EFFECT:
        raise BadArgument(f"--see {percent_text(step)}: expected more than {percent_text(LEAST_EFFECT)}: what is smaller is "
                          "not told, however many runs there are")  # fmt: skip
    lines: list[str] = []
    for report in reports:
        if not report.seen:
            lines += [report.group.title(), *[s for s in [few_sentence(report)] if s], ""]
            continue
        found = needs(report, step, within)
        rows = [[need.seen.row.benchmark, percent_text(need.seen.spread), percent_text(need.seen.beside_others),
                 percent_text(need.seen.steps[3]), percent_text(need.seen.steps[7]), percent_text(need.wanted),
                 f"never: nights differ by more, or over {MOST_RUNS}" if need.runs is None else str(need.runs)]
                for need in found]  # fmt: skip
        headings = ["benchmark", "spread of a night", "beside the others", "seen in 3 nights", "in 7", "wanted spread",
                    "runs a night"]  # fmt: skip
        lines += [report.group.title(), "", *aligned_table(headings, rows), ""]
        counts = [need.runs for need in found if need.runs is not None]
        if counts and len(counts) == len(found):
            lines.append(f"{max(counts)} runs a night see a step of {percent_text(step)} within {within} nights in every "
                         f"benchmark, with a chance of 95 %.")  # fmt: skip
        if any(need.assumed for need in found):
            lines.append("Nights have one run each: it is assumed that they differ as runs do; two runs a night for a week "
                         "would tell.")  # fmt: skip
        lines.append("")
    return "\n".join(lines)
