# SPDX-License-Identifier: Apache-2.0
"""The verdict on a fleet in words, as JSON, and all of its nodes in one picture."""

import json
import pathlib
from typing import Any

from shardmark_tools.fleet.judgement import FEWEST_GROUPS, Outlier, Series, Verdict
from shardmark_tools.report.bench_data import Number
from shardmark_tools.report.html_page import STYLE, escaped
from shardmark_tools.report.svg_chart import heat_chart
from shardmark_tools.results.plain_text import one_line

MOST_COLUMNS = 8  # of one picture
LEAST_SPAN = 1.25  # ratios that are less apart than this have neighbouring colours


def outlier_text(of: Outlier) -> str:
    phase = f", most of it in phase {of.phase} ({of.phase_ratio:.2f} times)" if of.phase and of.phase_ratio else ""
    return one_line(f"{of.group} is slow: {of.benchmark} takes {of.ratio:.2f} times as long as on the others{phase}; "
                    f"{of.sigma:.1f} times their scatter, {of.needed:.1f} are needed")  # fmt: skip


def sentences(verdict: Verdict, without: dict[str, str], differences: str) -> list[str]:
    groups = len(verdict.series[0].groups) if verdict.series else 0
    made = [one_line(f"{group}: no result: {reason}") for group, reason in without.items()]
    made += [outlier_text(of) for of in verdict.outliers]
    if verdict.sees is None:
        made.append(f"Nothing is judged: {groups} nodes or groups with results, {FEWEST_GROUPS} are needed.")
    elif not verdict.outliers:
        made.append(f"No node stands out among {groups}, in {verdict.rounds} rounds; one that takes "
                    f"{verdict.sees:.2f} times as long in the steadiest phase would.")  # fmt: skip
    if differences:
        made.append(f"note: nodes differ: {differences}")
    return made


def document(verdict: Verdict, without: dict[str, str], differences: str) -> dict[str, Any]:
    return {
        "rounds": verdict.rounds, "would_be_seen_from": verdict.sees, "without_result": without, "differences": differences,
        "slow": [{"group": of.group, "benchmark": of.benchmark, "ratio": of.ratio, "phase": of.phase,
                  "phase_ratio": of.phase_ratio, "sigma": of.sigma, "needed": of.needed} for of in verdict.outliers],
        "series": [{"benchmark": of.benchmark, "phase": of.phase, "groups": of.groups,
                    "seconds": of.seconds.tolist(), "ratios": of.ratios.tolist()} for of in verdict.series],
    }  # fmt: skip


def charts(verdict: Verdict) -> dict[str, str]:
    """One for each benchmark: every node a row, the whole time and each main phase a column."""
    slow = {of.group for of in verdict.outliers}
    made = {}
    for benchmark in dict.fromkeys(of.benchmark for of in verdict.series):
        columns = [of for of in verdict.series if of.benchmark == benchmark][:MOST_COLUMNS]
        groups = columns[0].groups
        ratios = [of.ratios for of in columns]
        cells = [[Number(float(row[place]), source(of)) for of, row in zip(columns, ratios)] for place in range(len(groups))]
        names = [of.phase or "all of it" for of in columns]
        marked = [place for place, group in enumerate(groups) if group in slow]
        made[benchmark] = heat_chart(benchmark, groups, names, cells, marked, lambda ratio: f"{ratio:.2f}", LEAST_SPAN)
    return made


def source(of: Series) -> str:
    return f"{of.benchmark} {of.phase or 'time_s'}: middle of the rounds, to the median of the other nodes"


def page(title: str, words: list[str], drawn: dict[str, str]) -> str:
    answer = "".join(f"<p>{escaped(sentence)}</p>" for sentence in words)
    pictures = "".join(f'<section><h2>{escaped(name)}</h2><div class="chart">{chart}</div></section>'
                       for name, chart in drawn.items())  # fmt: skip
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title><link rel="icon" href="data:,"><style>{STYLE.read_text(encoding="utf-8")}</style></head>
<body><header><h1>{escaped(title)}</h1><p class="sub">Every number is a time over the median of the other nodes, in the middle
of the rounds: 1.10 took a tenth longer. Names in bold stand out by more than chance.</p></header>
<section id="answer" class="answer"><h2>The answer</h2>{answer}</section><main>{pictures}</main></body></html>
"""


def write(directory: pathlib.Path, title: str, verdict: Verdict, without: dict[str, str], differences: str) -> list[str]:
    """fleet.json and fleet.html. Returns the sentences."""
    words = sentences(verdict, without, differences)
    text = json.dumps(document(verdict, without, differences), indent=1, allow_nan=False)
    (directory / "fleet.json").write_text(text + "\n", encoding="utf-8")
    (directory / "fleet.html").write_text(page(title, words, charts(verdict)), encoding="utf-8")
    return words
