# SPDX-License-Identifier: Apache-2.0
"""The gate's verdicts as a table, Markdown, JUnit XML and JSON."""

import json
import math
import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

from shardmark_tools.gate.comparison import Report
from shardmark_tools.gate.verdict import FASTER, INCONCLUSIVE, SAME, SLOWER, Row
from shardmark_tools.results.number_text import percent_text, three_digits, time_text, time_unit
from shardmark_tools.results.plain_text import aligned_table, markdown, markdown_table, one_line

EXIT_CODES = {SAME: 0, FASTER: 0, SLOWER: 1, INCONCLUSIVE: 3}


def label(row: Row) -> str:
    return row.name if row.metric == "time_s" else f"{row.name} (returned)"


def cells(row: Row, unit: str | None = None) -> list[str]:
    """`unit` of the times: one for a column."""
    why = row.reason
    if row.phase:
        top = row.phases[0]
        phase_unit = time_unit([top["old_s"], top["new_s"]])
        why = f"{row.phase} {time_text(top['old_s'], phase_unit)} -> {time_text(top['new_s'], phase_unit)}"
    unit = unit or time_unit([row.old_median_s, row.new_median_s])
    counts = f"{row.old_count}:{row.new_count} {row.unit}s"
    ratio = f"{row.ratio:.3f} [{row.low:.3f}..{row.high:.3f}]"
    return [row.verdict, label(row), time_text(row.old_median_s, unit), time_text(row.new_median_s, unit), ratio,
            f"{row.p_adjusted:.2g}", percent_text(row.noise), percent_text(row.visible), counts, why]  # fmt: skip


def rows_of(report: Report) -> list[list[str]]:
    unit = time_unit([median for row in report.rows for median in (row.old_median_s, row.new_median_s)])
    return [cells(row, unit) for row in report.rows]


HEADINGS = ["verdict", "benchmark", "baseline", "new", "ratio [95 %]", "p", "A/A noise", "sees", "of", "why"]


def headings(confidence: float) -> list[str]:
    return [h.replace("95", f"{100 * confidence:g}") for h in HEADINGS]


def noise_sentence(rows: list[Row]) -> str:
    """What this comparison could have seen at all."""
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    parts = []
    for family, members in families.items():
        worst = max(members, key=lambda row: row.visible)
        if math.isfinite(worst.visible):
            parts.append(f"{family} {percent_text(worst.visible)}")
        else:
            parts.append(f"{family} none (too few {worst.unit}s)")
    return f"Smallest slowdown that is seen, by family: {', '.join(parts)}."


def summary_sentence(rows: list[Row], verdict: str) -> str:
    counts = {v: sum(row.verdict == v for row in rows) for v in (SLOWER, FASTER, SAME, INCONCLUSIVE)}
    listed = ", ".join(f"{n} {v}" for v, n in counts.items() if n)
    text = f"{verdict}: of {len(rows)} comparisons {listed}."
    worst = [row for row in rows if row.verdict == SLOWER]
    if worst:
        row = max(worst, key=lambda row: row.ratio)
        text += f" Worst: {label(row)}, {three_digits(100 * (row.ratio - 1))} % slower"
        text += f", phase {row.phase}." if row.phase else "."
    return text


def table_text(report: Report) -> str:
    rows = report.rows
    lines = [noise_sentence(rows), ""]
    lines += aligned_table(headings(report.thresholds.confidence), rows_of(report))
    lines += ["", *(f"note: {one_line(note)}" for note in report.notes)]
    lines.append(one_line(summary_sentence(rows, report.verdict)))
    lines.append(
        "p: Holm-adjusted over all comparisons. A/A noise: 95 % of the ratios between random halves of the\n"
        "baseline lie within it. sees: smallest slowdown that this comparison finds "
        f"({100 * report.thresholds.power:g} % of the time)."
    )
    return "\n".join(lines) + "\n"


def markdown_text(report: Report) -> str:
    lines = [f"**{markdown(summary_sentence(report.rows, report.verdict))}**", "",
             markdown(noise_sentence(report.rows)), ""]  # fmt: skip
    lines += markdown_table(headings(report.thresholds.confidence), rows_of(report))
    lines += ["", *(f"- {markdown(note)}" for note in report.notes)]
    return "\n".join(lines) + "\n"


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def row_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name, "metric": row.metric, "family": row.family, "verdict": row.verdict,
        "reason": row.reason or None, "phase": row.phase, "unit": row.unit,
        "baseline_count": row.old_count, "new_count": row.new_count,
        "baseline_median_s": row.old_median_s, "new_median_s": row.new_median_s,
        "ratio": row.ratio, "ratio_low": row.low, "ratio_high": row.high,
        "p_value": row.p_value, "p_adjusted": row.p_adjusted,
        "self_noise": finite(row.noise), "smallest_visible_slowdown": finite(row.visible),
        "needed_count": row.needed, "phases": row.phases,
    }  # fmt: skip


def json_document(report: Report) -> dict[str, Any]:
    thresholds = report.thresholds
    return {
        "schema_version": 1, "verdict": report.verdict, "exit_code": EXIT_CODES[report.verdict],
        "baseline": report.baseline, "new": report.new, "paired": report.paired, "seed": report.seed,
        "alpha": thresholds.alpha, "power": thresholds.power, "confidence": thresholds.confidence,
        "notes": report.notes, "benchmarks": [row_json(row) for row in report.rows],
    }  # fmt: skip


def junit_text(report: Report) -> str:
    """slower is a failure, inconclusive is skipped: what CI servers show red and grey."""
    counts = {v: sum(row.verdict == v for row in report.rows) for v in (SLOWER, INCONCLUSIVE)}
    suite = ElementTree.Element(
        "testsuite", name="shardmark gate", tests=str(len(report.rows)),
        failures=str(counts[SLOWER]), skipped=str(counts[INCONCLUSIVE]), errors="0",
    )  # fmt: skip
    for row in report.rows:
        case = ElementTree.SubElement(
            suite, "testcase", classname=row.family, name=one_line(label(row)), time=f"{row.new_median_s:.9f}"
        )
        detail = one_line("  ".join(cells(row)))
        if row.verdict == SLOWER:
            phase = f" in phase {row.phase}" if row.phase else ""
            message = f"{three_digits(100 * (row.ratio - 1))} % slower{phase}"
            ElementTree.SubElement(case, "failure", message=message, type=SLOWER).text = detail
        elif row.verdict == INCONCLUSIVE:
            ElementTree.SubElement(case, "skipped", message=one_line(f"inconclusive: {row.reason}"))
        ElementTree.SubElement(case, "system-out").text = detail
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, "unicode") + "\n"


def write_outputs(report: Report, json_path: str | None, junit_path: str | None, markdown_path: str | None) -> None:
    """Writes what was asked for; "-" is standard output. Errors: OSError."""
    wanted: list[tuple[str | None, Callable[[], str]]] = [
        (json_path, lambda: json.dumps(json_document(report), indent=1, allow_nan=False) + "\n"),
        (junit_path, lambda: junit_text(report)),
        (markdown_path, lambda: markdown_text(report)),
    ]
    if "-" not in (json_path, junit_path, markdown_path):
        print(table_text(report), end="", flush=True)  # before a file that cannot be written
    for path, make in wanted:
        if path == "-":
            print(make(), end="")
        elif path is not None:
            pathlib.Path(path).write_text(make(), encoding="utf-8")
