# SPDX-License-Identifier: Apache-2.0
"""A report as Markdown. Words of the results are shown as they are: none acts as a mark or as HTML."""

from shardmark_tools.report.bench_data import Data, Number
from shardmark_tools.report.environment import contexts
from shardmark_tools.report.figure import Cell, Figure, plural
from shardmark_tools.report.words import Sentence, number_text
from shardmark_tools.results.plain_text import markdown, markdown_table


def sentence_markdown(sentence: Sentence) -> str:
    made = []
    for part in sentence:
        if isinstance(part, str):
            made.append(markdown(part))
        else:
            form, what = part
            made.append(number_text(what, form) if isinstance(what, Number) else f"**{markdown(what)}**")
    return "".join(made)


def cell_text(cell: Cell) -> str:
    return number_text(cell) if isinstance(cell, Number) else str(cell)


def markdown_page(title: str, data: Data, sentences: list[Sentence], figures: list[Figure]) -> str:
    lines = [f"# {markdown(title)}", ""]
    lines += [f"{sentence_markdown(sentence)}\n" for sentence in sentences]
    for figure in figures:
        lines += [f"## {markdown(figure.title)}", "", markdown(figure.sentence), ""]
        lines += [*markdown_table(figure.columns, [[cell_text(cell) for cell in row] for row in figure.rows]), ""]
    if data.failed:
        lines += ["## Without a result", ""]
        lines += [*(f"- {markdown(name)}: {markdown(reason)}" for name, reason in data.failed), ""]
    if data.differences:
        lines += ["## What differs between the runs", ""]
        lines += [*(f"- {markdown(k)}: {markdown('; '.join(v))}" for k, v in data.differences.items()), ""]
    lines += ["## Environment", ""]
    for facts, runs in contexts(data):
        lines.append(f"- {plural(len(runs), 'run')}: " + markdown("; ".join(f"{k} {v}" for k, v in facts)))
    return "\n".join(lines) + "\n"
