# SPDX-License-Identifier: Apache-2.0
"""Sentences whose numbers know where they come from."""

from shardmark_tools.report.bench_data import Number
from shardmark_tools.results.number_text import three_digits, time_text

# Text; ("strong", text); ("s", seconds); ("x", a plain number).
Part = str | tuple[str, str | Number]
Sentence = list[Part]


def number_text(number: Number, form: str = "x") -> str:
    return time_text(number.value) if form == "s" else three_digits(number.value)


def sentence_text(sentence: Sentence) -> str:
    """For a terminal."""
    made = []
    for part in sentence:
        if isinstance(part, str):
            made.append(part)
        else:
            form, what = part
            made.append(number_text(what, form) if isinstance(what, Number) else what)
    return "".join(made)
