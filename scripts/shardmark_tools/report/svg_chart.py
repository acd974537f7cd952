# SPDX-License-Identifier: Apache-2.0
"""Charts as inline SVG: no script, no font, no file from elsewhere; colours are the page's variables.

Every mark carries its value (data-y) and where it comes from (data-from).
"""

import html
import math
import pathlib
import re
from collections.abc import Callable, Collection, Sequence

from shardmark_tools.report.bench_data import Number
from shardmark_tools.results.number_text import time_text
from shardmark_tools.results.plain_text import one_line

STYLE = pathlib.Path(__file__).with_name("report.css")
WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 44
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "bar")
MOST_COLOURS = 8
SMALLEST = 1e-12  # what a logarithmic axis shows for nothing
Point = tuple[float, Number, Number, Number]  # x; median, minimum, maximum
Guide = tuple[str, str, list[tuple[float, float]]]  # name, CSS class, points
CurvePoint = tuple[float, float, float, float]  # x, y, low, high


def text_of(value: object) -> str:
    return html.escape(one_line(value), quote=True)


def tick_text(value: float) -> str:
    if value >= 2**20 and value % 2**20 == 0:
        return f"{value // 2**20:.0f}Mi"
    return f"{value:.0f}" if value == round(value) else f"{value:g}"


def seconds_tick(value: float) -> str:
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")):
        if value >= scale * 0.999 or unit == "ns":
            return f"{float(f'{value / scale:.6g}'):g} {unit}"
    return ""


class LogAxis:
    """Positions of positive values; ticks at powers of the base, or at given values."""

    def __init__(self, values: Sequence[float], begin: float, end: float, ticks: Sequence[float] | None = None):
        self.low, self.high = (max(end, SMALLEST) for end in (min(values), max(values)))
        if self.low == self.high:
            self.low, self.high = self.low / 1.5, self.high * 1.5
        self.begin, self.end = begin, end
        self.ticks = ticks or self.decades()

    def at(self, value: float) -> float:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.begin + share * (self.end - self.begin)

    def decades(self) -> list[float]:
        """As many as fit: powers of ten, else 1-2-5, else finer."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        ticks = []
        for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8),
                      (1, 1.2, 1.5, 1.8, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 7, 8, 9), [1 + i / 10 for i in range(90)]):
            ticks = [s * 10.0**e for e in range(first, last + 1) for s in steps]
            ticks = [t for t in ticks if self.low * 0.999 <= t <= self.high * 1.001]
            if len(ticks) >= 3:
                break
        return ticks[:: max(1, len(ticks) // 6)] or [self.low, self.high]


def marker(kind: str, x: float, y: float, colour: int, more: str = "") -> str:
    style = f'class="mark c{colour}" {more}'
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {style}/>'
    size = 4.2
    shapes: dict[str, list[tuple[float, float]]] = {
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)], "triangle": [(0, -1.3), (1.2, 1), (-1.2, 1)],
        "diamond": [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)],
        "cross": [(-1.2, -.4), (-.4, -.4), (-.4, -1.2), (.4, -1.2), (.4, -.4), (1.2, -.4), (1.2, .4), (.4, .4),
                  (.4, 1.2), (-.4, 1.2), (-.4, .4), (-1.2, .4)],
        "bar": [(-1.4, -.6), (1.4, -.6), (1.4, .6), (-1.4, .6)],
    }  # fmt: skip
    points = " ".join(f"{x + size * a:.1f},{y + size * b:.1f}" for a, b in shapes[kind])
    return f'<polygon points="{points}" {style}/>'


def value_attributes(number: Number) -> str:
    return f'data-y="{number.value!r}" data-from="{text_of(number.source)}"'


def frame(parts: list[str], title: str, height: float = HEIGHT, width: float = WIDTH) -> str:
    return (f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{text_of(title)}">'
            f'<title>{text_of(title)}</title>{"".join(parts)}</svg>')  # fmt: skip


def standalone(chart: str) -> str:
    """A chart as a file of its own, readable on light and dark ground alike."""
    size = re.search(r'viewBox="0 0 (\S+) (\S+)"', chart)
    box = f' width="{size[1]}" height="{size[2]}"' if size else ""
    opening, rest = chart.split(">", 1)
    paper = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg"{box}{opening.removeprefix("<svg")}>'
            f'<style>{STYLE.read_text(encoding="utf-8")}</style>{paper}{rest}\n')  # fmt: skip


def label(x: float, y: float, words: object, anchor: str = "middle", style: str = "tick") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{text_of(words)}</text>'


def legend(names: Sequence[str], top: float, dashes: Sequence[tuple[str, str]] = ()) -> tuple[list[str], int]:
    """Rows of marker and name below a chart, two columns. (parts, height)"""
    parts: list[str] = []
    row = 0
    entries = [(name, index) for index, name in enumerate(names)]
    column_width = (WIDTH - 20) / (2 if max((len(n) for n in names), default=0) < 30 else 1)
    columns = 2 if column_width < WIDTH / 2 else 1
    for place, (name, index) in enumerate(entries):
        x, row = 12 + (place % columns) * column_width, place // columns
        y = top + 16 * row
        parts.append(marker(MARKERS[index % len(MARKERS)], x + 5, y - 4, index % MOST_COLOURS))
        parts.append(label(x + 16, y, name, "start", "key"))
    rows = row + 1 if entries else 0
    for place, (name, style) in enumerate(dashes):
        y = top + 16 * (rows + place)
        parts.append(f'<line x1="10" x2="26" y1="{y - 4}" y2="{y - 4}" class="{style}"/>')
        parts.append(label(30, y, name, "start", "key"))
    return parts, 16 * (rows + len(dashes))


def axes(x_axis: LogAxis, y_axis: LogAxis, x_name: str, y_tick: Callable[[float], str] = seconds_tick) -> list[str]:
    parts = []
    for tick in y_axis.ticks:
        y = y_axis.at(tick)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(label(LEFT - 6, y + 4, y_tick(tick), "end"))
    free = -math.inf
    for tick in x_axis.ticks:
        x, words = x_axis.at(tick), tick_text(tick)
        half = 3.3 * len(words) + 3
        if x - half >= free:
            parts.append(label(x, HEIGHT - BOTTOM + 16, words))
            free = x + half
    parts.append(label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 34, x_name, style="axis"))
    return parts


def bands(curves: Sequence[list[CurvePoint]], ends: Sequence[float], x_axis: LogAxis, y_axis: LogAxis) -> list[str]:
    """A law a series: its 95 % band, and its line, dotted beyond what was measured."""
    parts = []
    floor = lambda y: y_axis.at(max(y, y_axis.low))  # noqa: E731
    for index, (curve, end) in enumerate(zip(curves, ends)):
        colour = index % MOST_COLOURS
        outline = [(x, high) for x, _, _, high in curve] + [(x, low) for x, _, low, _ in reversed(curve)]
        corners = " ".join(f"{x_axis.at(x):.1f},{max(floor(y), TOP):.1f}" for x, y in outline)
        parts.append(f'<polygon points="{corners}" class="band b{colour}"/>')
        inside = sum(x <= end * 1.001 for x, *_ in curve)
        for style, points in (("line", curve[:inside]), ("line beyond", curve[inside - 1 :])):
            path = " ".join(f"{x_axis.at(x):.1f},{floor(y):.1f}" for x, y, *_ in points)
            parts.append(f'<polyline points="{path}" class="{style} c{colour}"/>')
    return parts


def line_chart(title: str, x_name: str, series: Sequence[tuple[str, Sequence[Point]]], guides: Sequence[Guide] = (),
               curves: Sequence[list[CurvePoint]] = ()) -> str:  # fmt: skip
    """series: [(name, [(x, median, low, high)...])] of numbers; guides: [(name, css, [(x, y)...])];
    curves: a law for each series, [(x, y, low, high)...], drawn in place of the line through its points.
    Both axes logarithmic: a law is a line, an ideal is a slope."""
    xs = sorted({x for _, points in series for x, *_ in points} | {x for *_, ps in guides for x, _ in ps}
                | {curve[-1][0] for curve in curves})  # fmt: skip
    ys = [n.value for _, points in series for point in points for n in point[1:] if n.value > 0]
    ys += [y for *_, points in guides for _, y in points if y > 0]
    ys += [y for curve in curves for _, y, *_ in curve]
    x_axis = LogAxis(xs, LEFT + 14, WIDTH - RIGHT - 10, xs)
    ys = ys or [SMALLEST]
    y_axis = LogAxis([min(ys) * 0.85, max(ys) * 1.15], HEIGHT - BOTTOM, TOP)
    parts = axes(x_axis, y_axis, x_name)
    parts += bands(curves, [points[-1][0] for _, points in series], x_axis, y_axis)
    for _, style, corners in guides:
        path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}" for x, y in corners)
        parts.append(f'<polyline points="{path}" class="{style}"/>')
    for index, (_, points) in enumerate(series):
        colour = index % MOST_COLOURS
        path = " ".join(f"{x_axis.at(x):.1f},{y_axis.at(m.value):.1f}" for x, m, *_ in points)
        if not curves:
            parts.append(f'<polyline points="{path}" class="line c{colour}"/>')
        for x, middle, low, high in points:
            at = x_axis.at(x) + (index - len(series) / 2) * 1.5
            parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y_axis.at(low.value):.1f}" '
                         f'y2="{y_axis.at(high.value):.1f}" class="whisker c{colour}"/>')  # fmt: skip
            kind = MARKERS[index % len(MARKERS)]
            parts.append(marker(kind, at, y_axis.at(middle.value), colour, value_attributes(middle)))
    keys, more = legend([name for name, _ in series], HEIGHT + 8, [(n, s) for n, s, _ in guides])
    return frame(parts + keys, title, HEIGHT + more + 6)


def dot_chart(title: str, rows: Sequence[tuple[str, Number, Number, Number]],
              text: Callable[[float], str] | None = None) -> str:  # fmt: skip
    """rows: [(name, median, low, high)]: medians with minimum and maximum, one axis. Seconds, unless
    `text` says how to write a value."""
    step, top = 34, 14
    bottom = top + step * len(rows)
    values = [n.value for row in rows for n in row[1:] if n.value > 0] or [SMALLEST]
    axis = LogAxis([min(values) * 0.9, max(values) * 1.1], 12, WIDTH - 70)
    parts, last = [], -math.inf
    for tick in axis.ticks:
        x = axis.at(tick)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" class="grid"/>')
        if x - last > 46:
            words = text(tick) if text else seconds_tick(tick)
            parts.append(label(max(x, 3.3 * len(words) + 3), bottom + 16, words))
            last = x
    for place, (name, middle, low, high) in enumerate(rows):
        y = top + step * place + 24
        parts.append(label(12, y - 10, name, "start", "key"))
        parts.append(f'<line x1="{axis.at(low.value):.1f}" x2="{axis.at(high.value):.1f}" y1="{y}" y2="{y}" '
                     'class="whisker c0"/>')  # fmt: skip
        parts.append(marker("circle", axis.at(middle.value), y, 0, value_attributes(middle)))
        parts.append(label(WIDTH - 4, y + 4, (text or time_text)(middle.value), "end", "value"))
    return frame(parts, title, bottom + 24)


def phase_class(phase: str) -> str:
    """One colour each, by its name in report.css: the same in every chart, whatever phases there are."""
    return f"part phase_{phase}"


def stacked_chart(title: str, rows: Sequence[tuple[str, dict[str, Number]]], parts_order: Sequence[str]) -> str:
    """rows: [(name, {phase: number})]: one bar a row, linear, phases in one order."""
    step, top = 40, 6
    longest = max(sum(n.value for n in row.values()) for _, row in rows) or 1.0
    scale = (WIDTH - 24) / longest
    drawn = []
    for place, (name, row) in enumerate(rows):
        y, x = top + step * place + 16, 12.0
        total = sum(n.value for n in row.values())
        drawn.append(label(12, y - 3, f"{name}: {time_text(total)}", "start", "key"))
        for part in parts_order:
            number = row.get(part)
            if number is None or number.value <= 0:
                continue
            wide = number.value * scale
            drawn.append(f'<rect x="{x:.2f}" y="{y}" width="{max(wide, 0.3):.2f}" height="16" '
                         f'class="{phase_class(part)}" {value_attributes(number)}>'
                         f"<title>{text_of(part)}: {time_text(number.value)}</title></rect>")  # fmt: skip
            if wide > 7 * len(part):
                style = "inpart dark" if part in ("hooks", "wait", "stage", "metadata", "open") else "inpart"
                drawn.append(label(x + wide / 2, y + 12, part, style=style))
            x += wide
    bottom = top + step * len(rows) + 10
    shown = [p for p in parts_order if any(p in row and row[p].value > 0 for _, row in rows)]
    for place, part in enumerate(shown):
        x, y = 12 + (place % 4) * 110, bottom + 16 * (place // 4) + 8
        drawn.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" class="{phase_class(part)}"/>')
        drawn.append(label(x + 14, y, part, "start", "key"))
    return frame(drawn, title, bottom + 16 * ((len(shown) + 3) // 4) + 8)


def heat_chart(title: str, row_names: Sequence[str], column_names: Sequence[str],
               cells: Sequence[Sequence[Number | None]], marked: Collection[int] = (),
               text: Callable[[float], str] = time_text, least_span: float = 1.0) -> str:  # fmt: skip
    """cells[row][column]: number or None. Light to dark by value, all shades over a ratio of `least_span` or more; the
    number stands in the cell."""
    left = 14 + 7.2 * max(len(name) for name in row_names)
    wide, high, top = (WIDTH - left - 6) / len(column_names), 22, 70
    values = [n.value for row in cells for n in row if n is not None and n.value > 0]
    low, peak = (min(values), max(values)) if values else (1.0, 1.0)
    span = max(math.log(peak / low), math.log(least_span)) or 1.0
    drawn = []
    for column, name in enumerate(column_names):
        x = left + wide * (column + 0.5)
        drawn.append(f'<text x="{x:.1f}" y="{top - 6}" class="tick" transform="rotate(-40 {x:.1f} {top - 6})">'
                     f"{text_of(name)}</text>")  # fmt: skip
    for row, name in enumerate(row_names):
        y = top + high * row
        style = "key strong" if row in marked else "key"
        drawn.append(label(left - 6, y + 15, name, "end", style))
        for column, number in enumerate(cells[row]):
            if number is None:
                continue
            share = math.log(number.value / low) / span if number.value > 0 and values else 0.0
            step = min(6, int(share * 6.999))
            x = left + wide * column
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{wide - 1:.1f}" height="{high - 1}" class="h{step}" '
                         f'{value_attributes(number)}><title>{text_of(name)}, {text_of(column_names[column])}: '
                         f"{text(number.value)}</title></rect>")  # fmt: skip
            if wide >= 44:
                drawn.append(label(x + wide / 2, y + 15, text(number.value), style=f"cell t{step}"))
    return frame(drawn, title, top + high * len(row_names) + 6)
