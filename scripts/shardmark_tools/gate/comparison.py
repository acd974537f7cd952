# SPDX-License-Identifier: Apache-2.0
"""Reads both sides, refuses what cannot be compared, and judges."""

import dataclasses
import difflib
import json
import pathlib

from shardmark_tools.gate.verdict import compare, overall
from shardmark_tools.results.result_folder import by_name, failures, read_runs

PAIRS_FILE = "interleaved.json"
MOST_NAMED = 3


class NotComparable(Exception):
    """The message says what differs."""


@dataclasses.dataclass
class Report:
    rows: list
    thresholds: object
    verdict: str
    notes: list
    baseline: str
    new: str
    paired: bool
    seed: int


def one_hash(runs, directory):
    hashes = {run.config_hash for run in runs}
    if len(hashes) > 1:
        raise NotComparable(f"{directory}: its {len(runs)} runs have {len(hashes)} configurations; "
                            "give folders of one configuration each")
    return hashes.pop()


def config_difference(old, new):
    """The first lines that differ, for the message."""
    lines = difflib.unified_diff(
        old.context.get("config", "").splitlines(), new.context.get("config", "").splitlines(),
        lineterm="", n=0,
    )  # fmt: skip
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "; ".join(changed[:4]) or "no difference in the text"


def check_configuration(baseline, new, old_directory, new_directory, allow):
    old_hash, new_hash = one_hash(baseline, old_directory), one_hash(new, new_directory)
    if old_hash == new_hash:
        return []
    difference = config_difference(baseline[0], new[0])
    if not allow:
        raise NotComparable(
            f"the configurations differ: {old_hash} and {new_hash}\n  {difference}\n"
            "  compare them all the same by --allow-different-config"
        )
    return [f"the configurations differ, as allowed: {difference}"]


def context_notes(old, new):
    notes = []
    for key in ("cpu", "hosts", "filesystem", "mpi", "hdf5", "compiler", "build_type", "mpi_io", "commit",
                "dirty"):
        before, after = old.context.get(key), new.context.get(key)
        if before != after:
            notes.append(f"{key}: {json.dumps(before)} became {json.dumps(after)}")
    for side, run in (("baseline", old), ("new", new)):
        if run.context.get("build_type") not in ("Release", "RelWithDebInfo"):
            notes.append(f"{side} was built as {run.context.get('build_type')}: its times mean little")
    return notes


def check_world(old, new):
    for key in ("nodes", "ranks", "ranks_per_node"):
        before, after = old.context.get(key), new.context.get(key)
        if before != after:
            raise NotComparable(f"{key} differs: {before} and {after}")


def some(names):
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def check_names(baseline, new, allow):
    """Every benchmark of the baseline must have a time in the new runs."""
    old_names, new_names = by_name(baseline), by_name(new)
    if not old_names:
        raise NotComparable("the baseline has no good sample")
    broken = failures(new)
    lost = [name for name in old_names if name not in new_names]
    failed = [name for name in old_names if name in broken and name not in lost]
    if not set(old_names) & set(new_names) and not failed:
        raise NotComparable(f"no benchmark is in both: {some(lost)} against {some(list(new_names))}")
    if (lost or failed) and not allow:
        name = (lost or failed)[0]
        reason = broken.get(name, "not run")
        raise NotComparable(
            f"{len(lost) + len(failed)} benchmarks of the baseline have no complete result in the new runs\n"
            f"  {name}: {reason}\n  compare the rest all the same by --allow-missing"
        )
    notes = [f"without a result in the new runs: {some(lost)}"] if lost else []
    notes += [f"some repetitions failed in the new runs: {some(failed)}"] if failed else []
    added = [name for name in new_names if name not in old_names]
    return notes + ([f"only in the new runs: {some(added)}"] if added else [])


def is_paired(baseline, new):
    """True for the two sides of one interleaved run: pair i of A was run next to pair i of B."""
    old, other = pathlib.Path(baseline).resolve(), pathlib.Path(new).resolve()
    if old.parent != other.parent:
        return False
    try:
        with open(old.parent / PAIRS_FILE, encoding="utf-8") as file:
            sides = json.load(file)["sides"]
    except (OSError, ValueError, KeyError):
        return False
    return {old.name, other.name} <= set(sides)


def paired_runs(runs, others):
    """Runs of pairs that are complete on both sides, in the order of the pair's name."""
    both = {run.directory.name for run in runs} & {run.directory.name for run in others}
    keep = lambda side: sorted((r for r in side if r.directory.name in both),
                               key=lambda run: run.directory.name)  # fmt: skip
    return keep(runs), keep(others)


def judge(baseline, new, thresholds, allow_config=False, allow_missing=False, seed=1):
    """Report of two folders. Errors: NotReadable, NotComparable."""
    old_runs, new_runs = read_runs(baseline), read_runs(new)
    paired = is_paired(baseline, new)
    if paired:
        old_runs, new_runs = paired_runs(old_runs, new_runs)
        if not old_runs:
            raise NotComparable(f"{baseline} and {new} have no complete pair of runs")
    notes = check_configuration(old_runs, new_runs, baseline, new, allow_config)
    check_world(old_runs[0], new_runs[0])
    notes += check_names(old_runs, new_runs, allow_missing)
    notes += context_notes(old_runs[0], new_runs[0])
    rows = compare(old_runs, new_runs, thresholds, paired, seed)
    if not rows:
        raise NotComparable("no benchmark has a time on both sides")
    if any(row.unit == "repetition" for row in rows):
        notes.append(
            f"{len(old_runs)} and {len(new_runs)} runs: too few to measure how runs differ from each other; "
            f"a spread from the thresholds is assumed. Several runs a side (a folder of run folders), or "
            "--interleave, see more"
        )
    return Report(rows, thresholds, overall(rows), notes, str(baseline), str(new), paired, seed)
