#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes one chart out of a page of scripts/report and writes it as an SVG file of its own.

Usage: chart_of.py REPORT.html TITLE OUT.svg. The picture of the README is made so:

    scripts/report results/baselines/quick-4-ranks --out /var/tmp/report
    scripts/dev/chart_of.py /var/tmp/report/report.html "phases of save" results/figures/quick-save.svg

Exit codes: 0 written, 2 usage, or no such chart.
"""

import html
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.report.svg_chart import standalone


def chart_of(page: str, title: str) -> str | None:
    for chart in re.findall(r"<svg.*?</svg>", page, re.S):
        name = re.search(r'aria-label="([^"]*)"', chart)
        if name and html.unescape(name[1]) == title:
            return standalone(chart)
    return None


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    page, title, out = sys.argv[1:]
    chart = chart_of(pathlib.Path(page).read_text(encoding="utf-8"), title)
    if chart is None:
        print(f"error: {page}: no chart '{title}'", file=sys.stderr)
        return 2
    pathlib.Path(out).write_text(chart, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
