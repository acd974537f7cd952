# SPDX-License-Identifier: Apache-2.0
"""One benchmark over the nights: a small chart with the levels, the changes, and the last night against its band."""

import dataclasses
import datetime

import numpy as np

from shardmark_tools.history.change import Change
from shardmark_tools.history.judgement import Report
from shardmark_tools.history.nights import Row
from shardmark_tools.history.quiet_noise import Reals
from shardmark_tools.report.bench_data import Number
from shardmark_tools.report.svg_chart import frame, label, marker, text_of, value_attributes
from shardmark_tools.results.number_text import three_digits, time_text, time_unit

WIDTH, HEIGHT = 340, 176
LEFT, RIGHT, TOP, BOTTOM = 50, 10, 22, 26
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
FEWEST_FOR_BAND = 5
# Beyond what the page of reports has.
STYLE = """
.night { fill: var(--c0); opacity: .55; } .level { stroke: var(--c0); stroke-width: 2; }
.change { stroke: var(--c1); stroke-width: 1.6; } .accepted { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 4 3; }
.middle { fill: var(--c0); opacity: .13; } svg .moved { fill: var(--c1); font-size: 11px; font-weight: 600; }
.nights { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: .8rem; }
.nights .chart { max-width: none; } .nights h3 { font-size: .85rem; font-weight: 600; margin: 0 0 .2rem; overflow-wrap: anywhere; }
.nights p { font-size: .8rem; margin: .15rem 0 0; color: var(--soft); } .nights .out { color: var(--c1); font-weight: 600; }
"""


@dataclasses.dataclass
class Band:
    """The middle 90 % of the nights of the last level but the last night."""

    low: float
    middle: float
    high: float
    last: float

    def place(self) -> str:
        if not np.isfinite(self.last):
            return "no time in the last night"
        unit = time_unit([self.middle])
        there = "above" if self.last > self.high else "below" if self.last < self.low else "within"
        return (f"last night {time_text(self.last, unit)}, {there} the middle 90 % of the nights before "
                f"({time_text(self.low, unit)} to {time_text(self.high, unit)})")  # fmt: skip

    def outside(self) -> bool:
        return bool(np.isfinite(self.last) and not self.low <= self.last <= self.high)


def edges_of(report: Report, benchmark: str) -> list[int]:
    """Positions where levels begin: what changed, and what was accepted."""
    nights = report.values.nights
    begins = {nights.index(c.date) for c in report.changes if c.benchmark == benchmark and c.phase is None}
    begins |= {nights.index(night) for a in report.accepted if a.benchmark == benchmark
               for night in nights if night == a.first}  # fmt: skip
    return sorted({0, *begins})


def band_of(report: Report, row: Row) -> Band | None:
    times = np.exp(report.values.values(row))
    before = times[edges_of(report, row.benchmark)[-1] : -1]
    before = before[np.isfinite(before)]
    if len(before) < FEWEST_FOR_BAND:
        return None
    low, middle, high = np.percentile(before, [5, 50, 95])
    return Band(float(low), float(middle), float(high), float(times[-1]))


class Scale:
    """Days and seconds to places; the seconds' range is of nights that are no bad ones."""

    def __init__(self, days: Reals, times: Reals) -> None:
        self.first, self.days = days[0], max(1, days[-1] - days[0])
        low, high = np.percentile(times, [1, 98])
        room = max(0.12 * (high - low), 0.02 * high)
        self.low, self.high = max(0.0, low - room), high + room

    def x(self, day: float) -> float:
        return LEFT + 6 + float((day - self.first) / self.days) * (WIDTH - LEFT - RIGHT - 12)

    def y(self, seconds: float) -> float:
        share = (min(max(seconds, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - float(share) * (HEIGHT - TOP - BOTTOM)


def grid(scale: Scale, unit: str, first: str, last: str) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        seconds = scale.low + share * (scale.high - scale.low)
        y = scale.y(seconds)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(label(LEFT - 5, y + 4, f"{three_digits(seconds / UNITS[unit])} {unit}", "end"))
    parts.append(label(LEFT, HEIGHT - 8, first, "start"))
    parts.append(label(WIDTH - RIGHT, HEIGHT - 8, last, "end"))
    return parts


def moved_words(report: Report, change: Change) -> str:
    phases = change.moved_phases(report.changes)
    return f"{100 * (change.ratio - 1):+.0f} %" + (f" {phases[0]}" if phases else "")


def change_marks(report: Report, row: Row, scale: Scale, days: Reals) -> list[str]:
    parts = []
    nights = report.values.nights
    dates: list[tuple[str, Change | None]] = [
        (a.first, None) for a in report.accepted if a.benchmark == row.benchmark and a.first in nights
    ]
    dates += [(c.date, c) for c in report.changes if c.benchmark == row.benchmark and c.phase is None]
    for place, (date, change) in enumerate(dates):
        x = scale.x(days[nights.index(date)]) - 2
        style = "change" if change else "accepted"
        title = f"{date}: {moved_words(report, change)}" if change else f"{date}: accepted"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="{style}">'
                     f"<title>{text_of(title)}</title></line>")  # fmt: skip
        if change:
            anchor = "end" if x > WIDTH / 2 else "start"
            parts.append(label(x, TOP - 8 + 10 * (place % 2 and len(dates) > 2), moved_words(report, change), anchor, "moved"))
    return parts


def levels(report: Report, row: Row, scale: Scale, days: Reals, times: Reals) -> list[str]:
    """Of a drift its slope."""
    parts = []
    edges = [*edges_of(report, row.benchmark), len(times)]
    drifts = {c.date: c for c in report.changes if c.benchmark == row.benchmark and c.phase is None and c.drift}
    for begin, end in zip(edges, edges[1:]):
        part = times[begin:end]
        drift = drifts.get(report.values.nights[begin])
        if drift is not None:
            parts.append(f'<line x1="{scale.x(days[begin]):.1f}" x2="{scale.x(days[end - 1]):.1f}" '
                         f'y1="{scale.y(drift.before_s):.1f}" y2="{scale.y(drift.after_s):.1f}" class="level"/>')  # fmt: skip
        elif np.isfinite(part).any():
            y = scale.y(float(np.nanmedian(part)))
            parts.append(f'<line x1="{scale.x(days[begin]) - 2:.1f}" x2="{scale.x(days[end - 1]) + 2:.1f}" y1="{y:.1f}" '
                         f'y2="{y:.1f}" class="level"/>')  # fmt: skip
    return parts


def nights_chart(report: Report, row: Row) -> str:
    nights = report.values.nights
    days = np.array([datetime.date.fromisoformat(night).toordinal() for night in nights])
    times = np.exp(report.values.values(row))
    scale = Scale(days, times[np.isfinite(times)])
    unit = time_unit([float(np.nanmedian(times))])
    parts = grid(scale, unit, nights[0], nights[-1])
    band = band_of(report, row)
    if band is not None:
        begin = scale.x(days[edges_of(report, row.benchmark)[-1]])
        top, bottom = scale.y(band.high), scale.y(band.low)
        parts.append(f'<rect x="{begin:.1f}" y="{top:.1f}" width="{scale.x(days[-1]) - begin + 4:.1f}" '
                     f'height="{max(1.0, bottom - top):.1f}" class="middle"/>')  # fmt: skip
    for night, day, seconds in zip(nights[:-1], days[:-1], times[:-1]):
        if np.isfinite(seconds):
            number = Number(float(seconds), f"median time_s of {row.benchmark}, {night}")
            parts.append(f'<circle cx="{scale.x(day):.1f}" cy="{scale.y(seconds):.1f}" r="2.2" class="night" '
                         f'{value_attributes(number)}><title>{night}: {time_text(seconds, unit)}</title></circle>')  # fmt: skip
    parts += levels(report, row, scale, days, times) + change_marks(report, row, scale, days)
    if np.isfinite(times[-1]):
        number = Number(float(times[-1]), f"median time_s of {row.benchmark}, {nights[-1]}")
        colour = 1 if band is not None and band.outside() else 2
        parts.append(marker("diamond", scale.x(days[-1]), scale.y(float(times[-1])), colour, value_attributes(number)))
    return frame(parts, f"{row.benchmark}, {nights[0]} to {nights[-1]}", HEIGHT, WIDTH)
