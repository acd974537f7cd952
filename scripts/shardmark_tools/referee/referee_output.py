# SPDX-License-Identifier: Apache-2.0
"""The referee's report as text and as JSON."""

import dataclasses
import textwrap

from shardmark_tools.referee.figures import Figures, Median
from shardmark_tools.referee.foreign_file import shown
from shardmark_tools.referee.verdict import Judged, Report

WIDTH = 110
OUTPUT_VERSION = 1
MOST_SEEN = 5.0  # a slow rank's ratio beyond which it is no use to name it
TITLES = {"fault": "FAULT", "note": "note", "limit": "cannot support"}
LINES = (
    ("rank_0", "rank 0", "mean of bytes of all / rank 0's time"),
    ("slowest", "slowest rank", "mean of bytes of all / the longest time"),
    ("bytes_over_time", "bytes over time", "all bytes / all longest times"),
    ("mean_of_rates", "mean of rates", "mean over ranks and repetitions of bytes of all / time"),
)

WHOLE_MEANINGS = {
    "slowest": "mean of bytes of all / the tool's time of all",
    "bytes_over_time": "all bytes / all of those times",
    "mean_of_rates": "the same",
}


def number(value: float) -> str:
    """Four decimals below a thousand, fewer above."""
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.2f}"


def head(judged: Judged) -> str:
    m = judged.measurement
    count = m.expected_ranks if m.expected_ranks is not None else len(m.ranks)
    parts = [f"{count} {m.who}s" if count != 1 else f"1 {m.who}"]
    parts.append(f"{m.repetitions} repetitions" if m.repetitions != 1 else "1 repetition")
    if m.amounts:
        low, high = min(m.amounts) / m.unit_size, max(m.amounts) / m.unit_size
        what = {"GiB/s": "GiB", "MiB/s": "MiB"}.get(m.unit, "operations")
        size = f"{low:.6g}" if high < low * (1 + 1e-9) else f"{low:.6g} to {high:.6g}"
        parts.append(f"{size} {what} each")
    return f"{shown_path(m.path)}  {shown(m.tool)}, {m.operation}: {', '.join(parts)}"


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def shown_path(path: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in path)


def median_text(median: Median | None) -> str:
    if median is None:
        return "-"
    text = number(median.value)
    if median.confidence > 0:
        text += f" [{number(median.low)}..{number(median.high)}, {median.confidence * 100:.0f} %]"
    return text


def figure_lines(figures: Figures, unit: str, who: str) -> list[str]:
    lines = []
    for key, name, meaning in LINES:
        value = getattr(figures, key)
        if figures.basis == "whole":
            meaning = WHOLE_MEANINGS.get(key, meaning)
        if unit == "1/s":
            meaning = meaning.replace("bytes", "operations")
        name, meaning = name.replace("rank", who), meaning.replace("rank", who)
        lines.append(f"  {name:<16}{rate(value):>12} {unit:<6} {meaning}".rstrip())
    lines.append(f"  {'median':<16}{median_text(figures.median):>12}")
    return lines


def rate(value: float | None) -> str:
    return "-" if value is None else number(value)


def lines_of(judged: Judged) -> list[str]:
    m, lines = judged.measurement, [head(judged)]
    lines += figure_lines(judged.figures, m.unit, m.who)
    if judged.whole:
        whole = judged.whole
        lines.append(f"  {'whole times':<16}{rate(whole.slowest):>12} {m.unit:<6} mean by the tool's own times")
        lines.append(f"  {'':<16}{rate(whole.bytes_over_time):>12} {m.unit:<6} bytes over them; median "
                     f"{median_text(whole.median)}")  # fmt: skip
    if m.printed:
        source = f" ({m.printed.follows[0]})" if m.printed.follows else ""
        lines.append(f"  {'printed':<16}{number(m.printed.value):>12} {m.unit:<6} {shown(m.printed.name)}{source}")
    for severity, title in TITLES.items():
        for finding in (f for f in m.findings if f.severity == severity):
            lines += wrapped(f"{title}: {shown_path(finding.text)}")
    seen = judged.seen_from
    if seen is not None:
        lines += wrapped(f"a {m.who} slower by {(seen - 1) * 100:.0f} % or more in all repetitions would have been named"
                         if seen <= MOST_SEEN else f"too short or too noisy for any slow {m.who} to be named")  # fmt: skip
    return lines


def text(report: Report) -> str:
    blocks = ["\n".join(lines_of(judged)) for judged in report.results]
    blocks.append(f"{len(report.results)} measurements, {report.count('fault')} faults, {report.count('limit')} claims that the "
                  f"files cannot support, {len(report.errors)} not readable")  # fmt: skip
    return "\n\n".join(blocks)


def result(judged: Judged) -> dict:
    m = judged.measurement
    return {
        "path": m.path, "tool": m.tool, "operation": m.operation, "unit": m.unit,
        "ranks": {"expected": m.expected_ranks, "found": len(m.ranks), "called": m.who},
        "repetitions": m.repetitions, "amounts": m.amounts,
        "slowest_s": [max(row.values()) if row else None for row in m.seconds],
        "figures": dataclasses.asdict(judged.figures),
        "figures_of_whole_times": dataclasses.asdict(judged.whole) if judged.whole else None,
        "printed": dataclasses.asdict(m.printed) if m.printed else None,
        "seen_from_ratio": judged.seen_from,
        "findings": [dataclasses.asdict(finding) for finding in m.findings],
    }  # fmt: skip


def document(report: Report) -> dict:
    return {
        "referee_version": OUTPUT_VERSION,
        "results": [result(judged) for judged in report.results],
        "errors": [{"path": error.path, "message": error.message} for error in report.errors],
    }
