# SPDX-License-Identifier: Apache-2.0
"""Tries remedies in pairs with the suite as it is, and says what each gained and what it cost."""

import dataclasses
from collections.abc import Callable

import numpy as np

from shardmark_tools.bisect.step_posterior import interval_of
from shardmark_tools.gate.thresholds import Thresholds
from shardmark_tools.gate.verdict import SLOWER, compare
from shardmark_tools.results.result_folder import Run
from shardmark_tools.tune.gain_test import GAIN, NOTHING, OPEN, GainTest
from shardmark_tools.tune.remedies import Remedy
from shardmark_tools.tune.symptoms import Symptom

FAILED, COSTS = "cannot be run", "gains, but costs another operation"
ERROR = 0.004  # chance of any false gain, all remedies of a call together
MOST_PAIRS = 40
LOSS = 0.025  # of another operation, from which a gain is not proposed

Pair = tuple[Run, Run]  # without the remedy, and with it


@dataclasses.dataclass
class Tried:
    remedy: Remedy
    against: list[Symptom]
    verdict: str
    family: str | None  # that gained
    gain: tuple[float, float, float] | None  # (middle, low, high), logarithms of time without over time with
    pairs: int
    costs: list[str]
    message: str = ""


def family_time(run: Run, family: str) -> float | None:
    """Mean over the family's benchmarks of the logarithm of their medians: a remedy may merge or rename them."""
    times: dict[str, list[float]] = {}
    for sample in run.good():
        if sample["family"] == family:
            # The caller of a background save waits until it returns.
            waits = sample["case"].get("async") and sample["returned_s"] is not None
            times.setdefault(sample["name"], []).append(sample["returned_s"] if waits else sample["time_s"])
    return float(np.mean([np.log(np.median(values)) for values in times.values()])) if times else None


def gain_of(pair: Pair, family: str) -> float | None:
    before, after = (family_time(run, family) for run in pair)
    return None if before is None or after is None else before - after


def gains(pairs: list[Pair], family: str) -> list[float]:
    return [value for value in (gain_of(pair, family) for pair in pairs) if value is not None]


def cost_lines(pairs: list[Pair]) -> list[str]:
    """Memory, files and padding, where they became another."""

    def most_memory(run: Run) -> float | None:
        found = [max(s["per_rank"]["peak_memory_bytes"]) for s in run.good() if s["per_rank"]["peak_memory_bytes"]]
        return max(found) if found else None

    def stored(run: Run, key: str) -> float | None:
        found = [s["inventory"][key] for s in run.good() if s["inventory"] and s["inventory"].get(key) is not None]
        return float(np.mean(found)) if found else None

    lines = []
    for what, scale, unit, least, read in (
        ("memory a rank beyond tensors", 2**20, "MiB", 1.0, most_memory),
        ("files a checkpoint", 1, "files", 0.5, lambda run: stored(run, "files")),
        ("padding", 2**20, "MiB", 0.1, lambda run: stored(run, "padding_bytes")),
    ):  # fmt: skip
        sides = [[value / scale for value in map(read, side) if value is not None] for side in zip(*pairs)]
        if all(sides):
            before, after = (float(np.median(side)) for side in sides)
            if abs(after - before) >= least:
                lines.append(f"{what}: {before:.1f} to {after:.1f} {unit}")
    return lines


def losses(pairs: list[Pair], families: set[str], own: tuple[str, ...]) -> list[str]:
    """Operations that surely became slower beside what the remedy is for."""
    lines = []
    for family in sorted(families):
        values = gains(pairs, family)
        if len(values) < 3:
            continue
        middle, low, high = interval_of(np.array(values), 0.99)
        if high < -np.log1p(LOSS):
            lines.append(f"{family}: {np.exp(-middle):.2f} times the time [{np.exp(-high):.2f}..{np.exp(-low):.2f}]")
    return lines


def effect_of(family: str, runs: Run, thresholds: Thresholds) -> float:
    null = any(s["case"].get("backend") == "null" for s in runs.good() if s["family"] == family)
    return float(np.log1p(thresholds.of("null" if null else family).min_effect))


def try_remedy(remedy: Remedy, against: list[Symptom], families: set[str], error: float, thresholds: Thresholds,
               play: Callable[[int], Pair], most_pairs: int = MOST_PAIRS) -> Tried:  # fmt: skip
    """`play` runs pair number i. Errors: what `play` raises."""
    tests: dict[str, GainTest] = {}
    pairs: list[Pair] = []
    wanted = [family for family in remedy.families if family in families]
    states = {family: OPEN for family in wanted}
    while len(pairs) < most_pairs and OPEN in states.values() and GAIN not in states.values():
        pairs.append(play(len(pairs)))
        for family in wanted:
            value = gain_of(pairs[-1], family)
            if value is None:
                states[family] = NOTHING
                continue
            if family not in tests:
                tests[family] = GainTest(effect_of(family, pairs[-1][0], thresholds), error / len(wanted))
            states[family] = tests[family].add(value)
    gained = next((family for family, state in states.items() if state == GAIN), None)
    if gained is None:
        verdict = OPEN if OPEN in states.values() else NOTHING
        middle = interval_of(np.array(gains(pairs, wanted[0])), 0.95) if gains(pairs, wanted[0]) else None
        return Tried(remedy, against, verdict, None, middle, len(pairs), [])
    lost = losses(pairs, families - {gained}, remedy.families) + gate_losses(pairs, thresholds)
    size = interval_of(np.array(gains(pairs, gained)), 0.95)
    if size[0] < effect_of(gained, pairs[0][0], thresholds):  # as the gate has it: real, and too small to matter
        return Tried(remedy, against, NOTHING, gained, size, len(pairs), [])
    return Tried(remedy, against, COSTS if lost else GAIN, gained, size, len(pairs), lost + cost_lines(pairs))


def gate_losses(pairs: list[Pair], thresholds: Thresholds) -> list[str]:
    """What the gate calls slower, of benchmarks that both sides have."""
    rows = compare([pair[0] for pair in pairs], [pair[1] for pair in pairs], thresholds, True, explained=False)
    return [f"{row.name}: {row.ratio:.2f} times the time, by the gate" for row in rows if row.verdict == SLOWER]
