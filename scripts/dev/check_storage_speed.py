#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges the rates of one run by pairs: every repetition of a case against the same round's repetition of another.

Usage: check_storage_speed.py FOLDER CASE OF TARGET [CASE OF TARGET ...]

CASE and OF are parts of benchmark names that select one benchmark each ("save/llama3-8b/fsdp/shared-direct",
"posix-shared-direct-save"). OF may hold several, separated by '|': the fastest of each round counts. The ratio of the
rates of each round must have a median of at least TARGET, and its bootstrap 95 % lower bound must be at least 0.85 of
TARGET. Beside it stands the A/A interval: OF against itself in the neighbouring round. Where that is wider than 15 %
either way, nothing is decided: run more repetitions (up to 60). Exit codes: 0 all hold; 1 one does not; 3 not decided.
"""

import argparse
import collections
import json
import pathlib
import random
import statistics
import sys

DRAWS = 10_000
LOWER_BOUND_SHARE = 0.85
WIDEST_A_A = 0.15
FEWEST_PAIRS = 15


def rates_by_round(samples, part):
    """Bytes per second by repetition of the one benchmark whose name holds `part`."""
    found = collections.defaultdict(dict)
    for sample in samples:
        if part in sample["name"] and sample["time_s"]:
            found[sample["name"]][sample["repetition"]] = sample["num_bytes"] / sample["time_s"]
    if len(found) != 1:
        names = sorted({sample["name"] for sample in samples})
        sys.exit(f"error: '{part}' selects {sorted(found)} of {names}, expected one benchmark")
    return next(iter(found.values()))


def fastest_by_round(samples, parts):
    rates = [rates_by_round(samples, part) for part in parts.split("|")]
    common = set.intersection(*(set(rate) for rate in rates))
    return {repetition: max(rate[repetition] for rate in rates) for repetition in common}


def interval(values):
    """Bootstrap 95 % interval of the median; the same values give the same interval."""
    draw = random.Random(1)
    medians = sorted(
        statistics.median(draw.choices(values, k=len(values))) for _ in range(DRAWS)
    )
    return medians[int(0.025 * DRAWS)], medians[int(0.975 * DRAWS)]


def judge(samples, case, of, target):
    ours, theirs = rates_by_round(samples, case), fastest_by_round(samples, of)
    rounds = sorted(set(ours) & set(theirs))
    ratios = [ours[r] / theirs[r] for r in rounds]
    median = statistics.median(ratios)
    low, high = interval(ratios)
    neighbours = [theirs[b] / theirs[a] for a, b in zip(rounds, rounds[1:])]
    a_a = interval(neighbours) if neighbours else (0.0, float("inf"))
    decided = len(rounds) >= FEWEST_PAIRS and 1 - WIDEST_A_A <= a_a[0] and a_a[1] <= 1 + WIDEST_A_A
    holds = median >= target and low >= LOWER_BOUND_SHARE * target
    verdict = ("holds" if holds else "FAILS") if decided else "not decidable here"
    print(
        f"{case} / {of}: {median:.3f} [{low:.3f}, {high:.3f}], target {target}, {len(rounds)} pairs, "
        f"A/A [{a_a[0]:.3f}, {a_a[1]:.3f}]: {verdict}"
    )
    return verdict


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path, help="result folder of `shardmark run --out`")
    parser.add_argument("judgement", nargs="+", help="CASE OF TARGET, repeated")
    arguments = parser.parse_args()
    words = arguments.judgement
    if len(words) % 3:
        parser.error("expected CASE OF TARGET, repeated")
    with open(arguments.folder / "samples.json", encoding="utf-8") as file:
        samples = json.load(file)["samples"]
    verdicts = [
        judge(samples, words[i], words[i + 1], float(words[i + 2])) for i in range(0, len(words), 3)
    ]
    if "FAILS" in verdicts:
        return 1
    return 3 if "not decidable here" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
