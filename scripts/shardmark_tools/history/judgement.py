# SPDX-License-Identifier: Apache-2.0
"""What a group's nights say: which benchmark and phase changed, when, by how much, and what changed around it."""

import collections
import dataclasses
import hashlib
from typing import Any

import numpy as np

from shardmark_tools.history import attribution, change_search, elimination, settled_changes
from shardmark_tools.history.change import SLOWER, Change
from shardmark_tools.history.nights import FEWEST_NIGHTS, Group, NightValues, Row
from shardmark_tools.history.quiet_noise import Marks, Reals
from shardmark_tools.history.store import Record

SURE = 0.95  # chance with which a step is found that is said to be seen
SURE_QUANTILE = 1.645
WITHIN = (3, 7, 14)


@dataclasses.dataclass
class Seen:
    """What one series would show."""

    row: Row
    spread: float  # of a night, as a logarithm
    beside_others: float  # the same, without what the benchmarks of a night share
    steps: dict[int, float]  # {nights: smallest step found within them, as a share}


@dataclasses.dataclass
class Report:
    group: Group
    values: NightValues
    changes: list[Change]  # oldest first, without what was accepted
    seen: list[Seen]
    too_few: list[Row]
    accepted: list["Acceptance"] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Acceptance:
    benchmark: str
    first: str
    last: str
    note: str
    direction: int
    change: str  # an operation and its phases were one change


def acceptances(records: dict[str, Record], group: Group) -> list[Acceptance]:
    found = [Acceptance(r["benchmark"], r["first"], r["last"], r["note"], r["direction"], r["change"])
             for r in records.values() if r["kind"] == "ack" and r["group"] in group.members]  # fmt: skip
    return sorted(found, key=lambda acceptance: acceptance.first)


def change_id(group: Group, benchmark: str, date: str) -> str:
    return hashlib.sha256(f"{group.key} {benchmark} {date}".encode()).hexdigest()[:8]


def chosen_rows(values: NightValues) -> tuple[list[Row], list[Row]]:
    """(judged, with too few nights): operations first, then their phases."""
    judged: list[Row] = []
    few: list[Row] = []
    for row in values.wholes():
        (judged if np.isfinite(values.values(row)).sum() >= FEWEST_NIGHTS else few).append(row)
    wholes = list(judged)
    for whole in wholes:
        judged += [r for r in values.phases_of(whole) if np.isfinite(values.values(r)).sum() >= FEWEST_NIGHTS]
    return judged, few


def marked_nights(values: NightValues, rows: list[Row], accepted: list[Acceptance]) -> Marks | None:
    """(series, nights) where a new level is known to begin."""
    marks = np.zeros((len(rows), len(values.nights)), dtype=bool)
    for index, row in enumerate(rows):
        for acceptance in accepted:
            if acceptance.benchmark != row.benchmark:
                continue
            inside = [at for at, night in enumerate(values.nights) if acceptance.first <= night <= acceptance.last]
            later = [at for at, night in enumerate(values.nights) if night > acceptance.last]
            for at in inside or later[:1]:
                marks[index, at] = at > 0
    return marks if marks.any() else None


def panel_of(values: NightValues, rows: list[Row], accepted: list[Acceptance]) -> change_search.Panel:
    raw = np.stack([values.values(row) for row in rows])
    present = np.isfinite(raw)
    filled = np.where(present, raw, np.nanmedian(raw, axis=1, keepdims=True))
    return change_search.Panel(
        values=filled[None], benchmark_of=[row.benchmark for row in rows],
        whole=np.array([row.phase is None for row in rows]), weekdays=values.weekdays(),
        present=None if present.all() else present[None].astype(float),
        accepted=marked_nights(values, rows, accepted),
    )  # fmt: skip


def segment(values: Reals, begins: list[int], night: int) -> tuple[Reals, Reals]:
    """What is before and after a change, up to its neighbours."""
    before, after = elimination.neighbours_of(begins, night, len(values))
    old, new = values[before:night], values[night:after]
    return old[np.isfinite(old)], new[np.isfinite(new)]


def changes_of_group(group: Group, values: NightValues, rows: list[Row], views: list[change_search.View],
                     panel: change_search.Panel, accepted: list[Acceptance]) -> list[Change]:  # fmt: skip
    found: list[Change] = []
    nights = len(values.nights)
    for index, row in enumerate(rows):
        known = [] if panel.accepted is None else np.flatnonzero(panel.accepted[index]).tolist()
        told = settled_changes.changes_of(views, 0, index, known)
        told = settled_changes.drifting(views[-1], 0, index, told, known, nights)
        begins = sorted({entry.night for entry in told} | set(known))
        for entry in told:
            old, _ = segment(values.values(row), begins, entry.night)
            if not len(old):
                continue
            before = float(np.exp(np.median(old)))
            date = values.nights[entry.night]
            context = attribution.context_changes(group.runs, values.nights, entry.night)
            found.append(Change(change_id(group, row.benchmark, date), row.benchmark, row.phase, row.family, date, before,
                                before * float(np.exp(entry.size)), float(np.exp(entry.low)), float(np.exp(entry.high)),
                                entry.drift, context))  # fmt: skip
    found.sort(key=lambda change: (change.date, change.benchmark, change.phase or ""))
    return unified(group, found, values.nights)


def unified(group: Group, changes: list[Change], nights: list[str]) -> list[Change]:
    """One id for what one benchmark did at one time: of the operation if it moved, else of the phase told first."""
    place = {night: index for index, night in enumerate(nights)}
    leaders: dict[str, list[Change]] = collections.defaultdict(list)
    for change in sorted(changes, key=lambda change: change.phase is not None):
        for leader in leaders[change.benchmark]:
            near = abs(place[leader.date] - place[change.date]) <= settled_changes.SAME_CHANGE + 2
            if near and leader.verdict == change.verdict:
                change.id = leader.id
                break
        else:
            leaders[change.benchmark].append(change)
    return changes


def smallest_steps(view: change_search.View, index: int, nights: int) -> dict[int, float]:
    """{nights: step, as a share, that is found within so many with chance SURE}, after all nights so far."""
    row, spread = view.rows[0][index], float(view.spread[0, index, 0])
    found = {}
    for within in WITHIN:
        error = spread * np.sqrt(view.noise.variance(0, index, [within, nights]).sum())
        smallest = float(np.expm1((np.sqrt(row.limit_for(within)) + SURE_QUANTILE) * error))
        found[within] = max(settled_changes.LEAST_EFFECT, smallest)  # less is never told
    return found


def seen_by(rows: list[Row], views: list[change_search.View], nights: int) -> list[Seen]:
    found = []
    for index, row in enumerate(rows):
        steps = [smallest_steps(view, index, nights) for view in views]
        best = {within: min(step[within] for step in steps) for within in WITHIN}
        spreads = [float(view.spread[0, index, 0]) for view in views]
        found.append(Seen(row, spreads[0], spreads[-1], best))
    return found


def judge(group: Group, records: dict[str, Record]) -> Report:
    values = NightValues(group.runs)
    rows, few = chosen_rows(values)
    if not rows:
        return Report(group, values, [], [], few)
    accepted = acceptances(records, group)
    panel = panel_of(values, rows, accepted)
    views = change_search.views(panel)
    changes = changes_of_group(group, values, rows, views, panel, accepted)
    changes = without_accepted(changes, accepted, values.nights)
    attribution.explain(changes, group, values)
    return Report(group, values, changes, seen_by(rows, views, len(values.nights)), few, accepted)


def without_accepted(changes: list[Change], accepted: list[Acceptance], nights: list[str]) -> list[Change]:
    """Changes that are the tail of an accepted one, a night or two beside it, are not new."""
    place = {night: index for index, night in enumerate(nights)}

    def near(change: Change, acceptance: Acceptance) -> bool:
        at = place[change.date]
        first = min((abs(at - place[n]) for n in nights if acceptance.first <= n <= acceptance.last), default=99)
        same = (change.verdict == SLOWER) == (acceptance.direction > 0)
        return change.benchmark == acceptance.benchmark and same and first <= settled_changes.SAME_CHANGE

    return [change for change in changes if not any(near(change, acceptance) for acceptance in accepted)]


def find_changes(reports: list[Report], wanted: str) -> list[tuple[Report, Change]]:
    """The changes that an id or a date names."""
    return [(report, change) for report in reports for change in report.changes
            if change.id.startswith(wanted) or change.date == wanted]  # fmt: skip


def ack_record(report: Report, change: Change) -> dict[str, Any]:
    last = report.values.nights[-1] if change.drift else change.date
    return {"group": report.group.key, "benchmark": change.benchmark, "first": change.date, "last": last,
            "direction": 1 if change.verdict == SLOWER else -1, "change": change.id,
            "ratio": change.ratio}  # fmt: skip
