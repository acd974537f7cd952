# SPDX-License-Identifier: Apache-2.0
"""Reads result folders: one run, or a folder of runs. What is read has the form of results/schema.json, and its
lists are as long as it says: whoever gets a Run need not look again."""

import collections
import dataclasses
import functools
import pathlib
from typing import Any

from shardmark_tools.results import vocabulary
from shardmark_tools.results.json_document import NotReadable, read_json
from shardmark_tools.results.schema_form import Check, Misfit, make_check

MOST_DEPTH = 4
Sample = dict[str, Any]


@dataclasses.dataclass
class Run:
    """One samples.json."""

    directory: pathlib.Path
    context: dict[str, Any]
    samples: list[Sample]

    def good(self) -> list[Sample]:
        """Samples that have a time, in run order."""
        usable = [s for s in self.samples if s["time_s"] is not None]
        return sorted(usable, key=lambda sample: int(sample["order"]))


@functools.cache
def samples_check() -> Check:
    return make_check(vocabulary.schema())


def fit(path: pathlib.Path | str, document: Any, check: Check) -> None:
    """Errors: NotReadable, with file and key."""
    try:
        check(document)
    except Misfit as misfit:
        raise NotReadable(f"{path}: {misfit.where() or 'the document'}: {misfit}") from misfit


def context_problem(context: dict[str, Any]) -> str | None:
    """What no schema says: lists as long as the counts beside them."""
    nodes, ranks = context["nodes"], context["ranks"]
    for key, count in (("hosts", nodes), ("ranks_per_node", nodes), ("node_of_rank", ranks)):
        if len(context[key]) != count:
            return f"context.{key}: expected {count} entries, found {len(context[key])}"
    counts = collections.Counter(context["node_of_rank"])
    if [counts[node] for node in range(nodes)] != context["ranks_per_node"]:
        return "context.node_of_rank: does not agree with ranks_per_node"
    return None


def sample_problem(sample: Sample, context: dict[str, Any]) -> str | None:
    for key in ("nodes", "ranks"):
        if sample[key] > context[key]:
            return f"{key}: expected at most the {context[key]} of the context, found {sample[key]}"
    if sample["name"].split("/")[0] != sample["family"]:
        return f"name: expected one of family {sample['family']}, found {sample['name']}"
    if sample["time_s"] is None:
        return None
    per_rank, ranks = sample["per_rank"], sample["ranks"]
    if set(per_rank["phases_s"]) != set(sample["phases_s"]):
        return "phases_s: names other phases than per_rank.phases_s"
    lists = {"total_s": per_rank["total_s"], **{f"phases_s.{p}": v for p, v in per_rank["phases_s"].items()}}
    for key, values in lists.items():
        if len(values) != ranks:
            return f"per_rank.{key}: expected {ranks} values, one a rank, found {len(values)}"
    return None


def read_run(directory: pathlib.Path | str) -> Run:
    """Errors: NotReadable, with file and key."""
    path = pathlib.Path(directory) / "samples.json"
    document = read_json(path)
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, bool) or version != vocabulary.SCHEMA_VERSION:
        raise NotReadable(f"{path}: schema_version: expected {vocabulary.SCHEMA_VERSION}, found {version!r}")
    fit(path, document, samples_check())
    context, samples = document["context"], document["samples"]
    problem = context_problem(context)
    if problem:
        raise NotReadable(f"{path}: {problem}")
    phases: dict[str, set[str]] = {}
    for position, sample in enumerate(samples):
        problem = sample_problem(sample, context)
        if problem is None and sample["time_s"] is not None:
            known = phases.setdefault(sample["name"], set(sample["phases_s"]))
            if known != set(sample["phases_s"]):
                problem = f"phases_s: other phases than the samples of {sample['name']} before"
        if problem:
            raise NotReadable(f"{path}: samples[{position}].{problem}")
    return Run(pathlib.Path(directory), context, samples)


def run_folders(directory: pathlib.Path | str) -> list[pathlib.Path]:
    """`directory` itself if it has samples.json, else all folders below that have, sorted."""
    directory = pathlib.Path(directory)
    if (directory / "samples.json").exists():
        return [directory]
    if not directory.is_dir():
        raise NotReadable(f"{directory}: no such folder")
    found = []
    level = [directory]
    try:
        for _ in range(MOST_DEPTH):
            children = [d for parent in level for d in sorted(parent.iterdir()) if d.is_dir()]
            children = [d for d in children if not d.is_symlink() and not d.name.startswith(".")]
            found += [d for d in children if (d / "samples.json").exists()]
            level = [d for d in children if not (d / "samples.json").exists()]
    except OSError as error:
        raise NotReadable(f"{error.filename}: {error.strerror}") from error
    return sorted(found)


def read_runs(directory: pathlib.Path | str) -> list[Run]:
    """All runs of a folder, by start time. Errors: NotReadable if there is none."""
    folders = run_folders(directory)
    if not folders:
        raise NotReadable(f"{directory}: no samples.json in it or below it; expected a result "
                          "folder of `shardmark run --out`, or a folder of such folders")
    runs = [read_run(folder) for folder in folders]
    return sorted(runs, key=lambda run: (run.context["started"], str(run.directory)))


def by_name(runs: list[Run]) -> dict[str, list[tuple[int, Sample]]]:
    """{benchmark name: [(run position, good sample)...]} in the order of first appearance."""
    table: dict[str, list[tuple[int, Sample]]] = {}
    for position, run in enumerate(runs):
        for sample in run.good():
            table.setdefault(sample["name"], []).append((position, sample))
    return table


def failures(runs: list[Run]) -> dict[str, str]:
    """{benchmark name: reason} of what failed or was skipped somewhere."""
    reasons: dict[str, str] = {}
    for run in runs:
        for sample in run.samples:
            if sample["error"] is not None:
                error = sample["error"]
                reasons[sample["name"]] = f"failed on rank {error['rank']}: {error['message']}"
            elif sample["skipped"] is not None:
                reasons.setdefault(sample["name"], f"skipped: {sample['skipped']}")
    return reasons
