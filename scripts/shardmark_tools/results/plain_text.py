# SPDX-License-Identifier: Apache-2.0
"""Words that came from elsewhere, made fit for a terminal, a message and a Markdown page; tables of both."""

import re
from collections.abc import Iterable, Sequence

MOST_LINES, MOST_WIDTH = 6, 200
# Bytes that steer a terminal, break a line or turn its direction.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")
MARKDOWN = re.compile(r"([\\`*_[|~]|^[#+-](?=\s)|(?<=^\d)[.)](?=\s))")
HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def one_line(text: object) -> str:
    """Without control characters: each becomes \\xNN."""
    return CONTROL.sub(lambda m: f"\\x{ord(m[0]):02x}", str(text))


def cut_middle(text: str, width: int = MOST_WIDTH) -> str:
    """Names tell apart at both ends."""
    if len(text) <= width:
        return text
    keep = width - 3
    return f"{text[: keep // 2]}...{text[len(text) - (keep - keep // 2) :]}"


def message_text(message: object) -> str:
    """At most six lines of at most 200 characters."""
    lines = [cut_middle(one_line(line)) for line in str(message).splitlines() if line.strip()]
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"  and {len(lines) - MOST_LINES + 1} lines more"]
    return "\n".join(lines)


def markdown(text: object) -> str:
    """Shown as it is: neither a mark of Markdown nor a tag of HTML acts."""
    escaped = MARKDOWN.sub(r"\\\1", one_line(text))
    return "".join(HTML.get(letter, letter) for letter in escaped)


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table; cells are escaped here."""
    lines = ["| " + " | ".join(markdown(c) for c in columns) + " |", "|" + " --- |" * len(columns)]
    return lines + ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in rows]


def aligned_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table for a terminal."""
    table = [[one_line(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
