# SPDX-License-Identifier: Apache-2.0
"""What follows from rows: which is fastest at what, by intervals, at what price, and what it is called elsewhere."""

import collections
import math
from collections.abc import Callable
from typing import Any

from shardmark_tools.results.number_text import count_text, time_text, time_unit
from shardmark_tools.strategies.comparison_rows import Row

# What a user waits for, in the order of the sentences.
CRITERIA = (
    ("durable_s", "save durably"),
    ("cold_load_s", "load cold"),
    ("reshard_worst_s", "be loaded as another strategy, in the worst case"),
)
PURPOSES = {"durable_s": "saves", "cold_load_s": "restarts", "reshard_worst_s": "restarts under another strategy"}
SAME_BYTES = 0.01
FEWEST, ENOUGH = 3, 5  # rounds to part two strategies at all, and to do so with a chance of error below 1 %


def label(row: Row) -> str:
    name = f"{row['engine']} under {row['strategy']}" if row["engine"] else str(row["strategy"])
    name += " !" if row["disagrees"] else ""
    return f"{name}, {row['variant']}" if row["variant"] else name


def spread_text(value: dict[str, Any] | None, text: Callable[[float], str], unit: str) -> str:
    if value is None:
        return "-"
    numbers = f"{text(value['median'])} [{text(value['min'])}..{text(value['max'])}]"
    return f"{numbers} {unit}" if unit else numbers


def seconds_text(value: dict[str, Any] | None, unit: str | None = None) -> str:
    """1.43 [1.40..1.50] ms"""
    unit = unit or time_unit([value["median"]] if value else [])
    return spread_text(value, lambda s: time_text(s, unit).split()[0], unit)


def leaders(rows: list[Row], key: str) -> tuple[list[Row], list[Row]]:
    """Strategies whose interval reaches below the end of the fastest one's, or have too few rounds, fastest first."""
    timed = sorted((r for r in rows if r[key]), key=lambda row: float(row[key]["median"]))
    return [row for row in timed if row[key]["low"] <= timed[0][key]["high"] or rounds_of([timed[0], row], key) < FEWEST], timed


def rounds_of(rows: list[Row], key: str) -> int:
    return min(int(row[key]["samples"]) for row in rows)


def doubt(rows: list[Row]) -> str:
    """How often chance alone parts two equal strategies, where that is worth a word."""
    fewest = min((rounds_of(timed, key) for key, _ in CRITERIA for first, timed in [leaders(rows, key)]
                  if len(timed) > max(1, len(first))), default=ENOUGH)  # fmt: skip
    if fewest >= ENOUGH:
        return ""
    return (f"With {fewest} rounds two that are equal part like this in {2 / math.comb(2 * fewest, fewest):.0%} of such "
            f"comparisons; {ENOUGH} rounds would be sure.")  # fmt: skip


def comparable(rows: list[Row]) -> tuple[list[Row], list[str]]:
    """Those that store what most store, under one condition, and whose clocks agree; and why others are left out."""
    stored = collections.Counter(row["num_bytes"] for row in rows if row["num_bytes"])
    usual = stored.most_common(1)[0][0] if stored else None
    kept, reasons = [], []
    for row in rows:
        if row["part"]:
            reasons.append(f"{label(row)}: a part of a checkpoint is compared with none.")
        elif row["unlike"]:
            reasons.append(f"{label(row)}: its run is of another kind, {row['unlike']}; no verdict.")
        elif row["disagrees"]:
            reasons.append(f"{label(row)}: its own time and ours differ by more than a tenth; no verdict.")
        elif usual and row["num_bytes"] and not 1 - SAME_BYTES < row["num_bytes"] / usual < 1 + SAME_BYTES:
            reasons.append(f"{label(row)} stores {count_text(row['num_bytes'])} bytes, most others "
                           f"{count_text(usual)}: its times are compared with none.")  # fmt: skip
        else:
            kept.append(row)
    return kept, reasons


def price_of(row: Row, rows: list[Row], chosen_for: str) -> str:
    """What else a choice costs: where others are faster, and by how much."""
    costs = []
    for key, act in CRITERIA:
        if key == chosen_for:
            continue
        first, timed = leaders(rows, key)
        if not timed:
            continue
        if not row[key]:
            costs.append(f"no figure for what it takes to {act}")
        elif row not in first:
            more = row[key]["median"] / max(timed[0][key]["median"], 1e-12) - 1
            costs.append(f"{more:.0%} longer than {label(timed[0])} to {act}")
    return f"at the price of {' and '.join(costs)}" if costs else "at no price in what else was measured"


def choice(rows: list[Row]) -> str:
    """What to choose for each purpose; empty where nothing can be told."""
    parts = []
    for key, purpose in PURPOSES.items():
        first, timed = leaders(rows, key)
        if len(timed) < 2:
            continue
        if len(first) > 1:
            parts.append(f"for {purpose} {', '.join(label(row) for row in first)} cannot be told apart")
        else:
            parts.append(f"for {purpose} choose {label(first[0])}, {price_of(first[0], rows, key)}")
    return f"So {'; '.join(parts)}." if parts else ""


def advice(rows: list[Row]) -> list[str]:
    rows, sentences = comparable(rows)
    votes: collections.Counter[str] = collections.Counter()
    for key, act in CRITERIA:
        first, timed = leaders(rows, key)
        if len(timed) < 2:
            continue
        votes.update(label(row) for row in first)
        if len(first) > 1:
            listed = ", ".join(f"{label(r)} {seconds_text(r[key])}" for r in first)
            sentences.append(f"No clear difference in the time to {act}: {listed}; "
                             + ("the intervals overlap." if rounds_of(first, key) >= FEWEST
                                else f"too few rounds to tell, at least {FEWEST} are needed."))  # fmt: skip
            continue
        best, next_best = timed[0], timed[1]
        saved = 1 - best[key]["median"] / max(next_best[key]["median"], 1e-12)
        sentences.append(
            f"{label(best)} is the fastest to {act}: {seconds_text(best[key])}, {saved:.0%} less than "
            f"{label(next_best)} with {seconds_text(next_best[key])}."
        )
    if uncertain := doubt(rows):
        sentences.append(uncertain)
    if chosen_by_purpose := choice(rows):
        sentences.append(chosen_by_purpose)
    most = max(votes.values(), default=0)
    chosen = [label(row) for row in rows if most and votes[label(row)] == most]
    if len(chosen) == 1:
        sentences.append(f"Choose {chosen[0]}: first, or level with the first, in {most} of {len(CRITERIA)}.")
    elif chosen:
        sentences.append(f"No clear difference between {', '.join(chosen)}: choose by memory and training speed.")
    return sentences
