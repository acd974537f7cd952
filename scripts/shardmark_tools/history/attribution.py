# SPDX-License-Identifier: Apache-2.0
"""What else changed when a benchmark did: the context of its runs, the control's times, the raw ceilings' times."""

import collections

import numpy as np

from shardmark_tools.history.change import Change
from shardmark_tools.history.nights import Group, NightValues, Row, context_facts
from shardmark_tools.history.quiet_noise import Reals
from shardmark_tools.history.store import Record

AROUND = 2  # nights that the date of a change may be wrong by
REACH = 14  # nights on either side that are compared
FEWEST = 3  # nights of a control on either side
MOST_SWITCHES = 3  # within REACH: what is another every night tells nothing
MOST_OF_IT = 0.6  # of a change, done by the control too: the machine
LITTLE_OF_IT = 0.4
TOGETHER = 0.7  # of the benchmarks


def facts_by_night(runs: list[Record], nights: list[str]) -> list[dict[str, str] | None]:
    """Of the last run of each night."""
    latest = {run["night"]: run for run in runs}
    return [context_facts(latest[night]) if night in latest else None for night in nights]


def usual(facts: list[dict[str, str] | None], key: str) -> str | None:
    values = [f.get(key) for f in facts if f is not None]
    return collections.Counter(values).most_common(1)[0][0] if values else None


def context_changes(runs: list[Record], nights: list[str], night: int) -> dict[str, list[str | None]]:
    """{fact: [before, after]} of what became another at about that night and stayed so: by its usual value on either
    side, and by a switch within AROUND nights."""
    begin, end = max(0, night - REACH), min(len(nights), night + REACH)
    facts = facts_by_night(runs, nights[begin:end])
    at = night - begin
    found: dict[str, list[str | None]] = {}
    for key in sorted({key for entry in facts if entry for key in entry}):
        values = [None if entry is None else entry.get(key) for entry in facts]
        if sum(before != after for before, after in zip(values, values[1:])) > MOST_SWITCHES:
            continue
        near = range(max(1, at - AROUND), min(len(values), at + AROUND + 1))
        switches = [place for place in near if values[place] != values[place - 1]]
        before, after = usual(facts[:at], key), usual(facts[at:], key)
        if at in switches and before == after:
            before, after = values[at - 1], values[at]
        if switches and before != after:
            found[key] = [before, after]
    return found


def shift(values: Reals, night: int) -> tuple[float, float] | None:
    """(logarithm of after over before, its standard error) around a night; None where there are too few."""
    old, new = values[max(0, night - 2 * REACH) : night], values[night : night + REACH]
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    if len(old) < FEWEST or len(new) < FEWEST:
        return None
    rest = np.concatenate([old - np.median(old), new - np.median(new)])
    spread = 1.4826 * float(np.median(np.abs(rest))) + 1e-9
    return float(np.median(new) - np.median(old)), 1.25 * spread * float(np.sqrt(1 / len(old) + 1 / len(new)))


def who_moved(size: float, control: tuple[float, float]) -> str | None:
    """"machine" if what should not have changed did most of it too, "software" if it did little of it."""
    own, error = control
    share = own / size
    if share >= MOST_OF_IT and abs(own) > 2 * error:
        return "machine"
    if share <= LITTLE_OF_IT and abs(size - own) > 2 * error:
        return "software"
    return None


def ceiling_shift(change: Change, values: NightValues, night: int, group: Group) -> tuple[float, float] | None:
    """Of the raw ceilings of the same operation, as they lie in the same runs."""
    operation = {"save": "save", "load": "load", "reshard": "load"}.get(change.family)
    cases = {name: entry["case"] for run in group.runs for name, entry in run["benchmarks"].items()
             if entry["family"] == "ceiling"}  # fmt: skip
    names = [name for name, case in cases.items()
             if case.get("operation") == operation and case.get("ceiling") != "memcpy"]  # fmt: skip
    shifts = [s for s in (shift(values.values(Row(name, None, "ceiling")), night) for name in names) if s is not None]
    if operation is None or not shifts:
        return None
    middle = float(np.median([size for size, _ in shifts]))
    return middle, float(np.median([error for _, error in shifts]))


def explain(changes: list[Change], group: Group, values: NightValues) -> None:
    """Fills moved and evidence."""
    control = NightValues(group.controls, values.nights) if group.controls else None
    wholes = len(values.wholes())
    for change in changes:
        night = values.nights.index(change.date)
        size = float(np.log(change.ratio))
        row = Row(change.benchmark, change.phase, change.family)
        against = [("the control", shift(control.values(row), night) if control else None),
                   ("the raw ceilings", ceiling_shift(change, values, night, group))]  # fmt: skip
        for name, found in against:
            if found is not None:
                change.moved = change.moved or who_moved(size, found)
                change.evidence += f"{'; ' if change.evidence else ''}{name}: {100 * np.expm1(found[0]):+.1f} %"
        if change.family == "ceiling":
            change.moved = "machine"
        if not change.evidence:
            together = {other.benchmark for other in changes if other.phase is None and other.verdict == change.verdict
                        and abs(values.nights.index(other.date) - night) <= AROUND}  # fmt: skip
            if wholes >= 3 and len(together) >= TOGETHER * wholes:
                change.evidence = f"{len(together)} of {wholes} benchmarks moved together"
