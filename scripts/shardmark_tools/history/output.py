# SPDX-License-Identifier: Apache-2.0
"""Judgements as text, Markdown, JUnit XML and JSON."""

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

from shardmark_tools.gate.output import EXIT_CODES
from shardmark_tools.gate.verdict import FASTER, INCONCLUSIVE, SAME, SLOWER
from shardmark_tools.history.change import Change
from shardmark_tools.history.judgement import Report
from shardmark_tools.history.nights import FEWEST_NIGHTS
from shardmark_tools.results.number_text import percent_text, time_text, time_unit
from shardmark_tools.results.plain_text import aligned_table, cut_middle, markdown, markdown_table, one_line

HEADINGS = ["id", "verdict", "benchmark", "phase", "since", "before", "after", "ratio [95 %]", "who", "context"]
MOST_CONTEXT = 3


def overall(reports: list[Report]) -> str:
    """slower > inconclusive (nothing could be judged) > faster > same. Accepted changes do not count."""
    verdicts = {change.verdict for report in reports for change in report.changes}
    if SLOWER in verdicts:
        return SLOWER
    if not any(report.seen for report in reports):
        return INCONCLUSIVE
    return FASTER if FASTER in verdicts else SAME


def exit_code(reports: list[Report]) -> int:
    return EXIT_CODES[overall(reports)]


def context_text(change: Change, most: int = MOST_CONTEXT) -> str:
    parts = [f"{key}: {cut_middle(str(before), 24)} -> {cut_middle(str(after), 24)}"
             for key, (before, after) in list(change.context.items())[:most]]  # fmt: skip
    more = len(change.context) - most
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def who_text(change: Change) -> str:
    moved = {"machine": "the machine", "software": "the software"}.get(change.moved or "", "")
    return f"{moved} ({change.evidence})" if moved and change.evidence else moved or change.evidence


def since_text(change: Change) -> str:
    return f"{change.date}, drifting" if change.drift else change.date


def cells(change: Change) -> list[str]:
    unit = time_unit([change.before_s, change.after_s])
    return [change.id, change.verdict, change.benchmark, change.phase or "", since_text(change),
            time_text(change.before_s, unit), time_text(change.after_s, unit),
            f"{change.ratio:.3f} [{change.low:.3f}..{change.high:.3f}]", who_text(change),
            context_text(change)]  # fmt: skip


def counts_sentence(report: Report) -> str:
    nights = report.group.nights()
    runs = len(report.group.runs)
    return f"{len(nights)} nights, {runs} runs, {nights[0]} to {nights[-1]}"


def few_sentence(report: Report) -> str | None:
    """What cannot be judged yet."""
    wholes = [row for row in report.too_few if row.phase is None]
    if not wholes:
        return None
    if not report.seen:
        nights = len(report.group.nights())
        return f"too few nights: {nights}, at least {FEWEST_NIGHTS} are needed"
    names = ", ".join(row.benchmark for row in wholes[:3])
    more = f" and {len(wholes) - 3} more" if len(wholes) > 3 else ""
    return one_line(f"too few nights (at least {FEWEST_NIGHTS} are needed): {names}{more}")


def seen_sentence(report: Report) -> str | None:
    wholes = [seen for seen in report.seen if seen.row.phase is None]
    if not wholes:
        return None
    families: dict[str, float] = {}
    for seen in wholes:
        families[seen.row.family] = max(families.get(seen.row.family, 0.0), seen.steps[7])
    parts = ", ".join(f"{family} {percent_text(step)}" for family, step in families.items())
    return one_line(f"Smallest step that is seen within 7 nights, by family: {parts}.")


def summary_sentence(reports: list[Report]) -> str:
    verdict = overall(reports)
    changes = [change for report in reports for change in report.changes if change.phase is None]
    phases = [change for report in reports for change in report.changes if change.phase is not None]
    slower = sum(change.verdict == SLOWER for change in changes)
    text = f"{verdict}: {slower} slower, {len(changes) - slower} faster"
    if phases:
        text += f", {len(phases)} change{'s' if len(phases) != 1 else ''} of phases"
    accepted = len({(report.group.key, entry.change) for report in reports for entry in report.accepted})
    return text + (f", {accepted} accepted." if accepted else ".")


def check_text(reports: list[Report]) -> str:
    lines: list[str] = []
    for report in reports:
        lines += [report.group.title(), counts_sentence(report)]
        changes = report.changes
        if changes:
            lines += ["", *aligned_table(HEADINGS, [cells(change) for change in changes]), ""]
        lines += [sentence for sentence in (few_sentence(report), seen_sentence(report)) if sentence]
        lines.append("")
    if any(report.changes for report in reports):
        lines += ["Accept a change: scripts/history ack ID --note TEXT. Leave a run out: drop RUN --note TEXT."]
    return "\n".join([*lines, summary_sentence(reports)]) + "\n"


def check_markdown(reports: list[Report]) -> str:
    lines = [f"**{markdown(summary_sentence(reports))}**", ""]
    for report in reports:
        lines += [f"## {markdown(report.group.title())}", "", markdown(counts_sentence(report)), ""]
        changes = report.changes
        if changes:
            lines += [*markdown_table(HEADINGS, [cells(change) for change in changes]), ""]
        lines += [f"{markdown(s)}\n" for s in (few_sentence(report), seen_sentence(report)) if s]
    return "\n".join(lines) + "\n"


def change_json(change: Change) -> dict[str, Any]:
    """`interval` is that of after over before, 95 %."""
    return {"benchmark": change.benchmark, "phase": change.phase, "date": change.date, "before": change.before_s,
            "after": change.after_s, "interval": [change.low, change.high], "context": change.context}  # fmt: skip


def check_json(reports: list[Report]) -> str:
    changes = [change_json(change) for report in reports for change in report.changes]
    return json.dumps({"changes": changes}, indent=1, allow_nan=False) + "\n"


def check_junit(reports: list[Report]) -> str:
    """One case a benchmark: slower is a failure, too few nights are skipped."""
    suite = ElementTree.Element("testsuite", name="shardmark history", errors="0")
    failures = skipped = tests = 0
    for report in reports:
        by_benchmark: dict[str, list[Change]] = {}
        for change in report.changes:
            by_benchmark.setdefault(change.benchmark, []).append(change)
        rows = [seen.row for seen in report.seen] + report.too_few
        for row in [row for row in rows if row.phase is None]:
            tests += 1
            case = ElementTree.SubElement(suite, "testcase", classname=one_line(f"{row.family}.{report.group.key}"),
                                          name=one_line(row.benchmark))  # fmt: skip
            slower = [c for c in by_benchmark.get(row.benchmark, []) if c.verdict == SLOWER]
            if row in report.too_few:
                skipped += 1
                ElementTree.SubElement(case, "skipped", message=f"too few nights, at least {FEWEST_NIGHTS}")
            elif slower:
                failures += 1
                first = slower[0]
                message = f"{100 * (first.ratio - 1):.3g} % slower since {since_text(first)}, id {first.id}"
                text = "\n".join("  ".join(cells(change)) for change in slower)
                ElementTree.SubElement(case, "failure", message=one_line(message), type=SLOWER).text = one_line(text)
    for key, value in (("tests", tests), ("failures", failures), ("skipped", skipped)):
        suite.set(key, str(value))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, "unicode") + "\n"
