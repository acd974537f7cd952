# SPDX-License-Identifier: Apache-2.0
"""A report as one HTML page that needs nothing else."""

import base64
import html
import pathlib

from shardmark_tools.report.bench_data import Data, Number
from shardmark_tools.report.csv_text import csv_text
from shardmark_tools.report.environment import contexts
from shardmark_tools.report.figure import Cell, Figure, plural
from shardmark_tools.report.words import Sentence, number_text
from shardmark_tools.results.plain_text import one_line

STYLE = pathlib.Path(__file__).with_name("report.css")
IN_A_COLUMN = (1, 2)  # charts of a figure; with more, or with a table alone, it takes the width of the page
MOST_SHOWN = 16  # rows of a figure without a chart that are open at once


def escaped(value: object) -> str:
    return html.escape(one_line(value), quote=True)


def data_element(number: Number, form: str = "x") -> str:
    return (f'<data value="{number.value!r}" data-from="{escaped(number.source)}">'
            f"{escaped(number_text(number, form))}</data>")  # fmt: skip


def cell_html(cell: Cell) -> str:
    return data_element(cell) if isinstance(cell, Number) else escaped(cell)


def sentence_html(sentence: Sentence) -> str:
    made = []
    for part in sentence:
        if isinstance(part, str):
            made.append(escaped(part))
        else:
            form, what = part
            made.append(data_element(what, form) if isinstance(what, Number) else f"<strong>{escaped(what)}</strong>")
    return "".join(made)


def table_html(figure: Figure) -> str:
    head = "".join(f"<th>{escaped(c)}</th>" for c in figure.columns)
    body = "".join("<tr>" + "".join(f"<td>{cell_html(c)}</td>" for c in row) + "</tr>" for row in figure.rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure_html(figure: Figure) -> str:
    charts = "".join(f'<div class="chart">{chart}</div>' for chart in figure.charts)
    encoded = base64.b64encode(csv_text(figure).encode()).decode()
    link = (f'<a download="{escaped(figure.key)}.csv" href="data:text/csv;base64,{encoded}">as CSV</a>')
    shown = not figure.charts and len(figure.rows) <= MOST_SHOWN
    data = f"<details{' open' if shown else ''}><summary>Data</summary>{table_html(figure)}<p>{link}</p></details>"
    wide = ' class="wide"' if len(figure.charts) not in IN_A_COLUMN else ""
    return (f'<section id="{escaped(figure.key)}"{wide}><h2>{escaped(figure.title)}</h2>'
            f'<p>{escaped(figure.sentence)}</p><div class="charts">{charts}</div>{data}</section>')  # fmt: skip


def environment_html(data: Data) -> str:
    parts = []
    for facts, runs in contexts(data):
        rows = "".join(f"<tr><th>{escaped(k)}</th><td>{escaped(v)}</td></tr>" for k, v in facts)
        begun = sorted(run.context["started"] for run in runs)
        rows += f"<tr><th>runs</th><td>{len(runs)}, {escaped(begun[0])} to {escaped(begun[-1])}</td></tr>"
        rows += f"<tr><th>folders</th><td>{escaped(', '.join(str(run.directory) for run in runs))}</td></tr>"
        context = runs[0].context
        title = f"{plural(context['ranks'], 'rank')} on {plural(context['nodes'], 'node')}, {context['config_hash']}"
        config = "\n".join(escaped(line) for line in context["config"].splitlines())
        parts.append(f'<details><summary>{escaped(title)}</summary><div class="scroll"><table class="facts">{rows}'
                     f"</table></div><pre>{config}</pre></details>")  # fmt: skip
    return "".join(parts)


def differences_html(data: Data) -> str:
    if not data.differences:
        return ""
    rows = "".join(f"<tr><th>{escaped(key)}</th><td>{escaped('; '.join(values))}</td></tr>"
                   for key, values in data.differences.items())  # fmt: skip
    return ('<section id="differences"><h2>What differs between the runs</h2><div class="scroll"><table class="facts">'
            f"{rows}</table></div></section>")  # fmt: skip


def failed_html(data: Data) -> str:
    if not data.failed:
        return ""
    rows = "".join(f"<li><code>{escaped(name)}</code>: {escaped(reason)}</li>" for name, reason in data.failed)
    return f'<section id="failed"><h2>Without a result</h2><ul>{rows}</ul></section>'


def html_page(title: str, data: Data, sentences: list[Sentence], figures: list[Figure]) -> str:
    answer = "".join(f"<p>{sentence_html(parts)}</p>" for parts in sentences)
    index = "".join(f'<a href="#{escaped(f.key)}">{escaped(f.title)}</a>' for f in figures)
    body = "".join(figure_html(figure) for figure in figures)
    runs = len(data.runs)
    samples = sum(len(b.samples) for b in data.benches)
    measured = f"{plural(runs, 'run')}, {plural(samples, 'sample')}, {plural(len(data.benches), 'benchmark')}"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title><link rel="icon" href="data:,"><style>{STYLE.read_text(encoding="utf-8")}</style></head>
<body><header><h1>{escaped(title)}</h1><p class="sub">{measured}.
Times run from a barrier to the end of the slowest rank; medians with minimum and maximum; rates are bytes over median
times. Page caches of file servers are not seen.</p></header>
<section id="answer" class="answer"><h2>The answer</h2>{answer}</section><nav>{index}</nav>
<main>{body}</main>{failed_html(data)}{differences_html(data)}
<section id="environment"><h2>Environment and configuration</h2>{environment_html(data)}</section></body></html>
"""
