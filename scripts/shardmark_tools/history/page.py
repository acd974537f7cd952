# SPDX-License-Identifier: Apache-2.0
"""A history as one HTML page that needs nothing else, and as Markdown."""

import pathlib

from shardmark_tools.history import nights_chart, output
from shardmark_tools.history.judgement import Report
from shardmark_tools.history.listing import HEADINGS as SERIES_HEADINGS
from shardmark_tools.history.listing import series_rows
from shardmark_tools.history.nights import Row
from shardmark_tools.report.html_page import escaped
from shardmark_tools.report.svg_chart import STYLE
from shardmark_tools.results.plain_text import one_line

TITLE = "Shardmark history"


def table(columns: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escaped(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def chart_html(report: Report, row: Row) -> str:
    band = nights_chart.band_of(report, row)
    words = band.place() if band is not None else "too few nights since the last change for a band"
    style = ' class="out"' if band is not None and band.outside() else ""
    marks = [c for c in report.changes if c.benchmark == row.benchmark and c.phase is None and c.context]
    around = "".join(f"<p>{escaped(f'{output.since_text(c)}: {output.context_text(c)}')}</p>" for c in marks)
    return (f'<div class="chart"><h3>{escaped(row.benchmark)}</h3>{nights_chart.nights_chart(report, row)}'
            f"<p{style}>{escaped(words)}</p>{around}</div>")  # fmt: skip


def change_sentences(report: Report) -> list[str]:
    """One a change of an operation, or of a phase whose operation did not move."""
    sentences, told = [], set()
    for change in sorted(report.changes, key=lambda c: (c.date, c.benchmark, c.phase is not None)):
        if change.id in told:
            continue
        told.add(change.id)
        phases = change.moved_phases(report.changes)
        what = change.benchmark + (f", phase {change.phase}" if change.phase else "")
        since = f"has drifted since {change.date}" if change.drift else f"changed on {change.date}"
        text = (f"{change.id}: {what} {since}: {change.ratio:.3f} [{change.low:.3f}..{change.high:.3f}] times, "
                f"{change.verdict}.")  # fmt: skip
        text += f" Moved: {', '.join(phases)}." if phases else ""
        text += f" {output.who_text(change)}." if output.who_text(change) else ""
        text += f" In the context: {output.context_text(change)}." if change.context else ""
        sentences.append(one_line(text))
    return sentences


def rows_to_draw(report: Report) -> list[Row]:
    """Operations that changed first, then by name."""
    changed = {change.benchmark for change in report.changes}
    return sorted(report.values.wholes(), key=lambda row: (row.benchmark not in changed, row.benchmark))


def group_html(report: Report) -> str:
    charts = "".join(chart_html(report, row) for row in rows_to_draw(report))
    changes = [output.cells(change) for change in report.changes]
    sections = f'<div class="nights">{charts}</div>'
    if changes:
        sections += f"<h3>Changes</h3>{table(output.HEADINGS, changes)}"
    accepted = [f"{a.benchmark}, {a.first}: {a.note}" for a in report.accepted]
    if accepted:
        sections += "<h3>Accepted</h3><ul>" + "".join(f"<li>{escaped(text)}</li>" for text in accepted) + "</ul>"
    if report.seen:
        sections += (f"<details><summary>What each series would show</summary>{table(SERIES_HEADINGS, series_rows(report))}"
                     "</details>")  # fmt: skip
    return (f'<section class="wide"><h2>{escaped(report.group.title())}</h2><p class="sub">'
            f"{escaped(output.counts_sentence(report))}</p>{sections}</section>")  # fmt: skip


def sentences_of(reports: list[Report]) -> list[str]:
    sentences = [output.summary_sentence(reports)]
    for report in reports:
        sentences += change_sentences(report)
        sentences += [s for s in (output.few_sentence(report), output.seen_sentence(report)) if s]
    return sentences


def html_page(reports: list[Report]) -> str:
    answer = "".join(f"<p>{escaped(sentence)}</p>" for sentence in sentences_of(reports))
    body = "".join(group_html(report) for report in reports)
    style = STYLE.read_text(encoding="utf-8") + nights_chart.STYLE
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title><link rel="icon" href="data:,"><style>{style}</style></head>
<body><header><h1>{TITLE}</h1><p class="sub">Medians of each night's runs; times run from a barrier to the end of the slowest
rank. Lines: levels. Upright lines: changes, dashed where accepted. Shaded: the middle 90 % of the nights of the last level.
Diamond: the last night.</p></header>
<section id="answer" class="answer"><h2>The answer</h2>{answer}</section>
<main>{body}</main></body></html>
"""


def write_report(reports: list[Report], folder: str) -> str:
    out = pathlib.Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    (out / "history.html").write_text(html_page(reports), encoding="utf-8")
    (out / "history.md").write_text(output.check_markdown(reports), encoding="utf-8")
    return "\n".join([*sentences_of(reports), f"{out}/history.html, {out}/history.md"])
