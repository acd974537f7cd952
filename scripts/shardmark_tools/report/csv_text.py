# SPDX-License-Identifier: Apache-2.0
"""The table of a figure as CSV: every number whole."""

import csv
import io

from shardmark_tools.report.bench_data import Number
from shardmark_tools.report.figure import Figure


def csv_text(figure: Figure) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(figure.columns)
    for row in figure.rows:
        writer.writerow([repr(cell.value) if isinstance(cell, Number) else str(cell) for cell in row])
    return text.getvalue()
