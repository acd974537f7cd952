# SPDX-License-Identifier: Apache-2.0
"""Reads result folders: one run, or a folder of runs of the same thing."""

import collections
import dataclasses
import json
import pathlib

SCHEMA_VERSION = 1
MOST_DEPTH = 4


class NotReadable(Exception):
    """The message is for the user: what was looked for, where, what was found."""


@dataclasses.dataclass
class Run:
    """One samples.json."""

    directory: pathlib.Path
    context: dict
    samples: list

    @property
    def config_hash(self):
        return self.context["config_hash"]

    def good(self):
        """Samples that have a time, in run order."""
        usable = [s for s in self.samples if s["time_s"] is not None]
        return sorted(usable, key=lambda sample: sample["order"])


def read_run(directory):
    path = pathlib.Path(directory) / "samples.json"
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise NotReadable(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise NotReadable(f"{path}: not JSON: {error}") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise NotReadable(f"{path}: schema_version is {version}, expected {SCHEMA_VERSION}")
    for key, kind in (("context", dict), ("samples", list)):
        if not isinstance(document.get(key), kind):
            raise NotReadable(f"{path}: no '{key}'; see results/README.md")
    for key in ("config_hash", "started", "nodes", "ranks"):
        if key not in document["context"]:
            raise NotReadable(f"{path}: context has no '{key}'; see results/README.md")
    return Run(pathlib.Path(directory), document["context"], document["samples"])


def run_folders(directory):
    """`directory` itself if it has samples.json, else all folders below that have, sorted."""
    directory = pathlib.Path(directory)
    if (directory / "samples.json").exists():
        return [directory]
    if not directory.is_dir():
        raise NotReadable(f"{directory}: no such folder")
    found = []
    level = [directory]
    for _ in range(MOST_DEPTH):
        children = [d for parent in level for d in sorted(parent.iterdir()) if d.is_dir()]
        children = [d for d in children if not d.is_symlink() and not d.name.startswith(".")]
        found += [d for d in children if (d / "samples.json").exists()]
        level = [d for d in children if not (d / "samples.json").exists()]
    return sorted(found)


def read_runs(directory):
    """All runs of a folder, by start time. Errors: NotReadable if there is none."""
    folders = run_folders(directory)
    if not folders:
        raise NotReadable(f"{directory}: no samples.json in it or below it; expected a result "
                          "folder of `shardmark run --out`, or a folder of such folders")
    runs = [read_run(folder) for folder in folders]
    return sorted(runs, key=lambda run: (run.context["started"], str(run.directory)))


def by_name(runs):
    """{benchmark name: [(run position, good sample)...]} in the order of first appearance."""
    table = collections.OrderedDict()
    for position, run in enumerate(runs):
        for sample in run.good():
            table.setdefault(sample["name"], []).append((position, sample))
    return table


def failures(runs):
    """{benchmark name: reason} of what failed or was skipped somewhere."""
    reasons = {}
    for run in runs:
        for sample in run.samples:
            if sample["error"] is not None:
                error = sample["error"]
                reasons[sample["name"]] = f"failed on rank {error['rank']}: {error['message']}"
            elif sample["skipped"] is not None:
                reasons.setdefault(sample["name"], f"skipped: {sample['skipped']}")
    return reasons
