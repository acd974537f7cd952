# SPDX-License-Identifier: Apache-2.0
"""One HTML page that needs nothing else; the same as Markdown and CSV."""

import base64
import csv
import html
import io
import json
import pathlib

from shardmark_tools.report.report_data import Number
from shardmark_tools.report.svg_chart import seconds_text

STYLE = pathlib.Path(__file__).with_name("report.css")
IN_A_COLUMN = (1, 2)  # charts of a figure; with more, or with a table alone, it takes the width of the page
MOST_SHOWN = 16  # rows of a figure without a chart that are open at once
CONTEXT_SHOWN = ("suite started commit dirty build_type compiler mpi hdf5 benchmark nodes ranks hosts cpu filesystem "
                 "mpi_io gives_free_memory_back config_hash").split()  # fmt: skip


def escaped(value):
    return html.escape(str(value), quote=True)


def number_text(number, form):
    if form == "s":
        return seconds_text(number.value)
    if form == "x.xx":
        return f"{number.value:.3g}"
    return f"{number.value:.0f}" if abs(number.value) >= 1000 else f"{number.value:.4g}"


def data_element(number, form=""):
    return (f'<data value="{number.value!r}" data-from="{escaped(number.source)}">'
            f"{escaped(number_text(number, form))}</data>")  # fmt: skip


def cell_html(cell):
    return data_element(cell) if isinstance(cell, Number) else escaped(cell)


def cell_text(cell):
    return f"{cell.value!r}" if isinstance(cell, Number) else str(cell)


def sentence_html(parts):
    made = []
    for part in parts:
        if isinstance(part, str):
            made.append(escaped(part))
        elif part[0] == "strong":
            made.append(f"<strong>{escaped(part[1])}</strong>")
        else:
            made.append(data_element(part[1], part[0]))
    return "".join(made)


def sentence_text(parts):
    made = []
    for part in parts:
        if isinstance(part, str):
            made.append(part)
        else:
            made.append(f"**{part[1]}**" if part[0] == "strong" else number_text(part[1], part[0]))
    return "".join(made)


def csv_text(figure):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(figure.columns)
    writer.writerows([cell_text(cell) for cell in row] for row in figure.rows)
    return text.getvalue()


def table_html(figure):
    head = "".join(f"<th>{escaped(c)}</th>" for c in figure.columns)
    body = "".join("<tr>" + "".join(f"<td>{cell_html(c)}</td>" for c in row) + "</tr>" for row in figure.rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure_html(figure):
    charts = "".join(f'<div class="chart">{chart}</div>' for chart in figure.charts)
    encoded = base64.b64encode(csv_text(figure).encode()).decode()
    link = (f'<a download="{escaped(figure.key)}.csv" href="data:text/csv;base64,{encoded}">as CSV</a>')
    shown = not figure.charts and len(figure.rows) <= MOST_SHOWN
    data = f"<details{' open' if shown else ''}><summary>Data</summary>{table_html(figure)}<p>{link}</p></details>"
    wide = ' class="wide"' if len(figure.charts) not in IN_A_COLUMN else ""
    return (f'<section id="{escaped(figure.key)}"{wide}><h2>{escaped(figure.title)}</h2><p>{escaped(figure.sentence)}</p>'
            f'<div class="charts">{charts}</div>{data}</section>')  # fmt: skip


def context_text(value):
    return value if isinstance(value, str) else json.dumps(value)


def contexts(data):
    """Runs of one environment together: {(key, text)...: [run]}."""
    groups = {}
    for run in data.runs:
        shown = [k for k in CONTEXT_SHOWN if k not in ("started",)]
        key = tuple((k, context_text(run.context.get(k))) for k in shown)
        groups.setdefault(key, []).append(run)
    return groups


def environment_html(data):
    parts = []
    for key, runs in contexts(data).items():
        rows = "".join(f"<tr><th>{escaped(k)}</th><td>{escaped(v)}</td></tr>" for k, v in key)
        begun = sorted(run.context["started"] for run in runs)
        rows += f"<tr><th>runs</th><td>{len(runs)}, {escaped(begun[0])} to {escaped(begun[-1])}</td></tr>"
        rows += f"<tr><th>folders</th><td>{escaped(', '.join(str(run.directory) for run in runs))}</td></tr>"
        title = f"{runs[0].context['ranks']} ranks on {runs[0].context['nodes']} nodes, {runs[0].context['config_hash']}"
        parts.append(f'<details><summary>{escaped(title)}</summary><div class="scroll"><table class="facts">{rows}'
                     f"</table></div><pre>{escaped(runs[0].context.get('config', ''))}</pre></details>")  # fmt: skip
    return "".join(parts)


def failed_html(data):
    if not data.failed:
        return ""
    rows = "".join(f"<li><code>{escaped(name)}</code>: {escaped(reason)}</li>" for name, reason in data.failed)
    return f'<section id="failed"><h2>Without a result</h2><ul>{rows}</ul></section>'


def page(title, data, sentences, figures):
    answer = "".join(f"<p>{sentence_html(parts)}</p>" for parts in sentences)
    index = "".join(f'<a href="#{escaped(f.key)}">{escaped(f.title)}</a>' for f in figures)
    body = "".join(figure_html(figure) for figure in figures)
    runs = len(data.runs)
    samples = sum(len(b.samples) for b in data.benches)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title><link rel="icon" href="data:,"><style>{STYLE.read_text(encoding="utf-8")}</style></head>
<body><header><h1>{escaped(title)}</h1><p class="sub">{runs} run{'s' if runs != 1 else ''}, {samples} samples, {len(data.benches)} benchmarks.
Times run from a barrier to the end of the slowest rank; medians with minimum and maximum; rates are bytes over median
times. Page caches of file servers are not seen.</p></header>
<section id="answer" class="answer"><h2>The answer</h2>{answer}</section><nav>{index}</nav>
<main>{body}</main>{failed_html(data)}
<section id="environment"><h2>Environment and configuration</h2>{environment_html(data)}</section></body></html>
"""


def markdown(title, data, sentences, figures):
    lines = [f"# {title}", ""]
    lines += [f"{sentence_text(parts)}\n" for parts in sentences]
    for figure in figures:
        lines += [f"## {figure.title}", "", figure.sentence, ""]
        lines += ["| " + " | ".join(figure.columns) + " |", "|" + " --- |" * len(figure.columns)]
        for row in figure.rows:
            cells = [number_text(c, "") if isinstance(c, Number) else str(c).replace("|", "\\|") for c in row]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    if data.failed:
        lines += ["## Without a result", "", *(f"- `{name}`: {reason}" for name, reason in data.failed), ""]
    lines += ["## Environment", ""]
    for key, runs in contexts(data).items():
        lines += [f"- {len(runs)} runs: " + "; ".join(f"{k} {v}" for k, v in key)]
    return "\n".join(lines) + "\n"
