# SPDX-License-Identifier: Apache-2.0
"""The gate's verdicts as a table, Markdown, JUnit XML and JSON."""

import json
import math
import xml.etree.ElementTree as ElementTree

from shardmark_tools.gate.verdict import FASTER, INCONCLUSIVE, SAME, SLOWER

EXIT_CODES = {SAME: 0, FASTER: 0, SLOWER: 1, INCONCLUSIVE: 3}


def seconds(value):
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if value >= scale or unit == "us":
            digits = value / scale
            return f"{digits:.{0 if digits >= 100 else 1 if digits >= 10 else 2}f} {unit}"
    raise AssertionError


def percent(share):
    if not math.isfinite(share):
        return "-"
    return f"{100 * share:.{0 if share >= 0.1 else 1}f} %"


def label(row):
    return row.name if row.metric == "time_s" else f"{row.name} (returned)"


def cells(row):
    why = row.reason
    if row.phase:
        top = row.phases[0]
        why = f"{row.phase} {seconds(top['old_s'])} -> {seconds(top['new_s'])}"
    counts = f"{row.old_count}:{row.new_count} {row.unit}s"
    return [row.verdict, label(row), seconds(row.old_median_s), seconds(row.new_median_s),
            f"{row.ratio:.3f} [{row.low:.3f}..{row.high:.3f}]", f"{row.p_adjusted:.2g}",
            percent(row.noise), percent(row.visible), counts, why]  # fmt: skip


HEADINGS = ["verdict", "benchmark", "baseline", "new", "ratio [95 %]", "p", "A/A noise", "sees", "of", "why"]


def headings(confidence):
    return [h.replace("95", f"{100 * confidence:g}") for h in HEADINGS]


def aligned(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]


def noise_sentence(rows):
    """What this comparison could have seen at all."""
    families = {}
    for row in rows:
        families.setdefault(row.family, []).append(row)
    parts = []
    for family, members in families.items():
        worst = max(members, key=lambda row: row.visible)
        if math.isfinite(worst.visible):
            parts.append(f"{family} {percent(worst.visible)}")
        else:
            parts.append(f"{family} none (too few {worst.unit}s)")
    return f"Smallest slowdown that is seen, by family: {', '.join(parts)}."


def summary_sentence(rows, verdict):
    counts = {v: sum(row.verdict == v for row in rows) for v in (SLOWER, FASTER, SAME, INCONCLUSIVE)}
    listed = ", ".join(f"{n} {v}" for v, n in counts.items() if n)
    text = f"{verdict}: of {len(rows)} comparisons {listed}."
    worst = [row for row in rows if row.verdict == SLOWER]
    if worst:
        row = max(worst, key=lambda row: row.ratio)
        text += f" Worst: {label(row)}, {100 * (row.ratio - 1):.3g} % slower"
        text += f", phase {row.phase}." if row.phase else "."
    return text


def table_text(report):
    rows = report.rows
    lines = [noise_sentence(rows), ""]
    lines += aligned([headings(report.thresholds.confidence), *(cells(row) for row in rows)])
    lines += ["", *(f"note: {note}" for note in report.notes)]
    lines.append(summary_sentence(rows, report.verdict))
    lines.append(
        "p: Holm-adjusted over all comparisons. A/A noise: 95 % of the ratios between random halves of the\n"
        "baseline lie within it. sees: smallest slowdown that this comparison finds "
        f"({100 * report.thresholds.power:g} % of the time)."
    )
    return "\n".join(lines) + "\n"


def markdown_text(report):
    escape = lambda text: text.replace("|", "\\|")
    head = headings(report.thresholds.confidence)
    lines = [f"**{summary_sentence(report.rows, report.verdict)}**", "", noise_sentence(report.rows), ""]
    lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(escape(c) for c in cells(row)) + " |" for row in report.rows]
    lines += ["", *(f"- {escape(note)}" for note in report.notes)]
    return "\n".join(lines) + "\n"


def finite(value):
    return value if value is None or math.isfinite(value) else None


def row_json(row):
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


def json_document(report):
    thresholds = report.thresholds
    return {
        "schema_version": 1, "verdict": report.verdict, "exit_code": EXIT_CODES[report.verdict],
        "baseline": report.baseline, "new": report.new, "paired": report.paired, "seed": report.seed,
        "alpha": thresholds.alpha, "power": thresholds.power, "confidence": thresholds.confidence,
        "notes": report.notes, "benchmarks": [row_json(row) for row in report.rows],
    }  # fmt: skip


def junit_text(report):
    """slower is a failure, inconclusive is skipped: what CI servers show red and grey."""
    counts = {v: sum(row.verdict == v for row in report.rows) for v in (SLOWER, INCONCLUSIVE)}
    suite = ElementTree.Element(
        "testsuite", name="shardmark gate", tests=str(len(report.rows)),
        failures=str(counts[SLOWER]), skipped=str(counts[INCONCLUSIVE]), errors="0",
    )  # fmt: skip
    for row in report.rows:
        case = ElementTree.SubElement(
            suite, "testcase", classname=row.family, name=label(row), time=f"{row.new_median_s:.9f}"
        )
        detail = "  ".join(cells(row))
        if row.verdict == SLOWER:
            phase = f" in phase {row.phase}" if row.phase else ""
            message = f"{100 * (row.ratio - 1):.3g} % slower{phase}"
            ElementTree.SubElement(case, "failure", message=message, type=SLOWER).text = detail
        elif row.verdict == INCONCLUSIVE:
            ElementTree.SubElement(case, "skipped", message=f"inconclusive: {row.reason}")
        ElementTree.SubElement(case, "system-out").text = detail
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, "unicode") + "\n"


def write_outputs(report, arguments):
    """Writes what was asked for; "-" is standard output."""
    documents = {
        arguments.json: lambda: json.dumps(json_document(report), indent=1, allow_nan=False) + "\n",
        arguments.junit: lambda: junit_text(report),
        arguments.markdown: lambda: markdown_text(report),
    }
    on_stdout = False
    for path, make in documents.items():
        if path == "-":
            print(make(), end="")
            on_stdout = True
        elif path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(make())
    if not on_stdout:
        print(table_text(report), end="")
