# SPDX-License-Identifier: Apache-2.0
"""Reads both sides, refuses what cannot be compared, and judges.

The gate compares versions and builds of one thing: the runs of a side are of one kind, and both sides have the
same configuration, world, kind of node and file system, unless it is allowed that they differ.
"""

import dataclasses
import json
import pathlib

from shardmark_tools.gate.thresholds import Thresholds
from shardmark_tools.gate.verdict import Row, compare, overall
from shardmark_tools.refusal import Refused
from shardmark_tools.results import run_facts
from shardmark_tools.results.json_document import read_json
from shardmark_tools.results.result_folder import Run, by_name, failures, fit, read_runs
from shardmark_tools.results.schema_form import make_check

PAIRS_FILE = "interleaved.json"
PAIRS_FORM = make_check({
    "type": "object", "required": ["sides"],
    "properties": {"sides": {"type": "array", "items": {"type": "string"}}},
})  # fmt: skip
MOST_NAMED = 3
GOOD_BUILDS = ("Release", "RelWithDebInfo")


class NotComparable(Refused):
    """The message says what differs."""


@dataclasses.dataclass
class Allowed:
    """Differences that were asked for."""

    configuration: bool = False
    machine: bool = False  # kind of node and file system
    missing: bool = False  # benchmarks without a result


@dataclasses.dataclass
class Report:
    rows: list[Row]
    thresholds: Thresholds
    verdict: str
    notes: list[str]
    baseline: str
    new: str
    paired: bool
    seed: int


REFUSALS = (
    (("world",), None, "", "the worlds differ"),
    (("configuration",), "configuration", "--allow-different-config", "the configurations differ"),
    (("machine", "file system"), "machine", "--allow-different-machine", "kind of node or file system differ"),
)


def fact_notes(old: Run, new: Run, allowed: Allowed) -> list[str]:
    """What differs and may. Errors: NotComparable."""
    facts = run_facts.facts_of_runs([old, new])
    differences = run_facts.differing(facts)
    unknown = run_facts.keys_of_some_versions(facts)
    notes = [f"only one of the builds knows {some([f'{key} ({value})' for key, value in unknown.items()])}"] if unknown else []
    for kinds, permission, option, message in REFUSALS:
        found = {key: values for key, values in differences.items() if run_facts.kind_of(key) in kinds}
        if not found:
            continue
        text = run_facts.differences_text(found)
        if permission is None or not getattr(allowed, permission):
            advice = f"\n  compare them all the same by {option}" if option else ""
            raise NotComparable(f"{message}\n  {text}{advice}")
        notes.append(f"{message}, as allowed: {text}")
    versions = {key: values for key, values in differences.items() if run_facts.kind_of(key) == "version"}
    notes += [f"{key}: {json.dumps(before)} became {json.dumps(after)}" for key, (before, after) in versions.items()]
    hosts = old.context["hosts"], new.context["hosts"]
    if hosts[0] != hosts[1]:
        notes.append(f"hosts: {some(hosts[0])} became {some(hosts[1])}")
    for side, run in (("baseline", old), ("new", new)):
        if run.context["build_type"] not in GOOD_BUILDS:
            notes.append(f"{side} was built as {run.context['build_type']}: its times mean little")
    return notes


def some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def name_notes(baseline: list[Run], new: list[Run], allow_missing: bool) -> list[str]:
    """Every benchmark of the baseline must have a time in the new runs. Errors: NotComparable."""
    old_names, new_names = by_name(baseline), by_name(new)
    if not old_names:
        raise NotComparable("the baseline has no good sample")
    broken = failures(new)
    lost = [name for name in old_names if name not in new_names]
    failed = [name for name in old_names if name in broken and name not in lost]
    if not set(old_names) & set(new_names) and not failed:
        raise NotComparable(f"no benchmark is in both: {some(lost)} against {some(list(new_names))}")
    if (lost or failed) and not allow_missing:
        name = (lost or failed)[0]
        reason = broken.get(name, "not run")
        raise NotComparable(
            f"{len(lost) + len(failed)} benchmarks of the baseline have no complete result in the new runs\n"
            f"  {name}: {reason}\n  compare the rest all the same by --allow-missing"
        )
    notes = [f"without a result in the new runs: {some(lost)}"] if lost else []
    notes += [f"some repetitions failed in the new runs: {some(failed)}"] if failed else []
    added = [name for name in new_names if name not in old_names]
    notes += [f"only in the new runs: {some(added)}"] if added else []
    return notes + byte_notes(baseline, new)


def byte_notes(baseline: list[Run], new: list[Run]) -> list[str]:
    """Times of other bytes are compared all the same, but not without a word."""
    moved = [{name: samples[0][1]["num_bytes"] for name, samples in by_name(side).items()} for side in (baseline, new)]
    changed = [f"{name}: {before} and {moved[1][name]} bytes" for name, before in moved[0].items()
               if name in moved[1] and moved[1][name] != before]  # fmt: skip
    return [f"the sides move other bytes: {some(changed)}"] if changed else []


def is_paired(baseline: pathlib.Path | str, new: pathlib.Path | str) -> bool:
    """True for the two sides of one interleaved run: pair i of A was run next to pair i of B."""
    old, other = pathlib.Path(baseline).resolve(), pathlib.Path(new).resolve()
    path = old.parent / PAIRS_FILE
    if old.parent != other.parent or not path.exists():
        return False
    document = read_json(path)
    fit(path, document, PAIRS_FORM)
    return {old.name, other.name} <= set(document["sides"])


def paired_runs(runs: list[Run], others: list[Run]) -> tuple[list[Run], list[Run]]:
    """Runs of pairs that are complete on both sides, in the order of the pair's name."""
    both = {run.directory.name for run in runs} & {run.directory.name for run in others}

    def kept(side: list[Run]) -> list[Run]:
        return sorted((r for r in side if r.directory.name in both), key=lambda run: run.directory.name)

    return kept(runs), kept(others)


def measurements_of(run: Run) -> str:
    return json.dumps(run.samples, sort_keys=True)


def refuse_one_run_twice(baseline: list[Run], new: list[Run], one_folder: bool) -> None:
    """A copy is no further observation; a folder against itself is, and is the same. Errors: NotComparable."""
    sides = []
    for runs in (baseline, new):
        first: dict[str, Run] = {}
        for run in runs:
            other = first.setdefault(measurements_of(run), run)
            if other is not run:
                raise NotComparable(f"{run.directory} holds the very samples of {other.directory}: one run counts once")
        sides.append(first)
    shared = {run.directory.resolve() for run in baseline} & {run.directory.resolve() for run in new}
    if shared and not one_folder:
        raise NotComparable(f"{min(shared)} is on both sides")


def judge(baseline: pathlib.Path | str, new: pathlib.Path | str, thresholds: Thresholds,
          allowed: Allowed | None = None, seed: int = 1) -> Report:  # fmt: skip
    """Report of two folders. Errors: NotReadable, NotComparable."""
    allowed = allowed or Allowed()
    old_runs, new_runs = read_runs(baseline), read_runs(new)
    paired = is_paired(baseline, new)
    if paired:
        old_runs, new_runs = paired_runs(old_runs, new_runs)
        if not old_runs:
            raise NotComparable(f"{baseline} and {new} have no complete pair of runs")
    refuse_one_run_twice(old_runs, new_runs, pathlib.Path(baseline).resolve() == pathlib.Path(new).resolve())
    for runs, directory in ((old_runs, baseline), (new_runs, new)):
        run_facts.check_one_kind(runs, directory)
    notes = fact_notes(old_runs[0], new_runs[0], allowed)
    notes += name_notes(old_runs, new_runs, allowed.missing)
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
