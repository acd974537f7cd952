# SPDX-License-Identifier: Apache-2.0
"""What is in a store, as text."""

import numpy as np

from shardmark_tools.history.judgement import Report
from shardmark_tools.history.output import counts_sentence, few_sentence
from shardmark_tools.history.store import Record
from shardmark_tools.results.number_text import percent_text, time_text, time_unit
from shardmark_tools.results.plain_text import aligned_table, one_line

HEADINGS = ["benchmark", "phase", "last night", "nights before [middle 90 %]", "spread", "beside the others",
            "step seen in 3 nights", "in 7", "in 14"]  # fmt: skip


def series_rows(report: Report) -> list[list[str]]:
    rows = []
    for seen in report.seen:
        times = np.exp(report.values.values(seen.row))
        before, last = times[:-1][np.isfinite(times[:-1])], float(times[-1])
        low, middle, high = np.percentile(before, [5, 50, 95])
        unit = time_unit([float(middle)])
        rows.append([seen.row.benchmark, seen.row.phase or "", time_text(last, unit),
                     f"{time_text(float(middle), unit)} [{time_text(float(low), unit)}..{time_text(float(high), unit)}]",
                     percent_text(seen.spread), percent_text(seen.beside_others),
                     *(percent_text(step) for step in seen.steps.values())])  # fmt: skip
    return rows


def run_rows(report: Report) -> list[list[str]]:
    rows = []
    for run in [*report.group.runs, *report.group.controls]:
        labels = ", ".join(f"{key}={value}" for key, value in run["labels"].items())
        failed = sum(entry["failed"] for entry in run["benchmarks"].values())
        rows.append([run["run"], run["night"], run["context"]["commit"][:10], "control" if run["control"] else "", labels,
                     f"{failed} failed" if failed else ""])  # fmt: skip
    return rows


def decision_lines(records: dict[str, Record], report: Report) -> list[str]:
    lines = [f"accepted: {record['benchmark']} since {record['first']} ({record['ratio']:.3f} times): {record['note']} "
             f"({record['by']}, {record['at'][:10]})"
             for record in records.values() if record["kind"] == "ack" and record["group"] in report.group.members]  # fmt: skip
    return sorted(map(one_line, lines))


def show_text(reports: list[Report], records: dict[str, Record], runs: bool) -> str:
    lines: list[str] = []
    for report in reports:
        lines += [report.group.title(), f"series {report.group.key}: {counts_sentence(report)}, "
                  f"{len(report.group.controls)} control runs", ""]  # fmt: skip
        if report.seen:
            lines += [*aligned_table(HEADINGS, series_rows(report)), ""]
        few = few_sentence(report)
        lines += [few] if few else []
        lines += decision_lines(records, report)
        if runs:
            lines += ["", *aligned_table(["run", "night", "commit", "", "labels", ""], run_rows(report))]
        lines.append("")
    dropped = [record for record in records.values() if record["kind"] == "drop"]
    lines += [one_line(f"left out: {record['run']}: {record['note']} ({record['by']}, {record['at'][:10]})") for record in dropped]
    return "\n".join(lines) + "\n"
