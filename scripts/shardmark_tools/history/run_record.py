# SPDX-License-Identifier: Apache-2.0
"""What of a result folder goes into a store: every sample's times, and the context beside them."""

import datetime
import getpass
import hashlib
import json
import os
import pathlib
import socket
from collections.abc import Sequence
from typing import Any

from shardmark_tools.history.store import Record, Store
from shardmark_tools.refusal import Refused
from shardmark_tools.results.plain_text import one_line
from shardmark_tools.results.result_folder import Run, read_runs

TIMES = ("time_s", "returned_s")
FRESH = datetime.timedelta(days=1)  # whoever adds a run within a day, on its host, knows its environment
LEFT_OUT = ("config", "command_line", "node_of_rank", "shuffle_seed")
KNOWN_LABELS = ("machine", "kernel", "mount", "modules")


class BadArgument(Refused):
    """The message names the option and what was expected."""


def moment(text: str, option: str = "--at") -> datetime.datetime:
    """A date, or a date and time, with the zone that it names (UTC if none)."""
    try:
        found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise BadArgument(f"{option} '{text}': expected a date like 2026-01-31, or a time like "
                          "2026-01-31T03:00:00Z") from error  # fmt: skip
    return found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)


def readable(option: str, text: str) -> None:
    """Errors: BadArgument for bytes that no record can hold."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadArgument(f"{option} '{one_line(text)}': expected UTF-8") from error


def labels_of(words: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for word in words:
        readable("--label", word)
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise BadArgument(f"--label '{word}': expected KEY=VALUE, such as machine=mine or kernel=6.1.0")
        labels[key] = value
    return labels


def mount_of(path: str) -> str | None:
    """Type and options of the file system that is mounted at `path`, as this host sees it."""
    try:
        lines = pathlib.Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    found = [line.split()[2:4] for line in lines if len(line.split()) >= 4 and line.split()[1] == path]
    return " ".join(found[-1]) if found else None


def surroundings(run: Run) -> dict[str, str]:
    """Kernel, mount options and modules, where the run was made here and just now: nothing else knows them."""
    context = run.context
    begun = moment(context["started"], f"{run.directory}: started")
    if socket.gethostname() not in context["hosts"]:
        return {}
    if not datetime.timedelta(0) <= datetime.datetime.now(datetime.timezone.utc) - begun <= FRESH:
        return {}
    found = {"kernel": os.uname().release, "mount": mount_of(str(context["filesystem"].get("path", ""))),
             "modules": os.environb.get(b"LOADEDMODULES", b"").decode(errors="replace")}  # fmt: skip
    return {key: value for key, value in found.items() if value}


def benchmarks_of(run: Run) -> dict[str, Any]:
    """{name: its samples' times, in order}; phases by their slowest rank. What failed is counted."""
    made: dict[str, Any] = {}
    for sample in sorted(run.samples, key=lambda s: int(s["order"])):
        entry = made.setdefault(sample["name"], {"family": sample["family"], "num_bytes": sample["num_bytes"],
                                                 "case": sample["case"], "time_s": [], "returned_s": [],
                                                 "phases_s": {}, "failed": 0})  # fmt: skip
        if sample["time_s"] is None:
            entry["failed"] += sample["error"] is not None
            continue
        for key in TIMES:
            if sample[key] is not None:
                entry[key].append(sample[key])
        for phase, spread in sample["phases_s"].items():
            entry["phases_s"].setdefault(phase, []).append(spread["max"])
    return made


def identity(run: Run, at: datetime.datetime) -> str:
    """The same run of the same moment is one run, with whatever labels it is added again."""
    text = json.dumps([run.context, run.samples, at.isoformat()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def record_of(run: Run, at: datetime.datetime, labels: dict[str, str], control: bool) -> Record:
    context = {key: value for key, value in run.context.items() if key not in LEFT_OUT}
    return {
        "run": identity(run, at), "at": at.isoformat(), "night": at.date().isoformat(), "control": control,
        "labels": labels, "context": context, "config": run.context["config"], "benchmarks": benchmarks_of(run),
    }  # fmt: skip


def add(store: Store, directories: Sequence[str], at: str | None, labels: dict[str, str], control: bool) -> tuple[int, int]:
    """(added, there already) of all runs in these folders."""
    runs = [run for directory in directories for run in read_runs(directory)]
    there = {record["run"]: record for record in store.records().values() if record["kind"] == "run"}
    added, known = 0, 0
    for run in runs:
        begun = moment(at) if at else moment(run.context["started"], f"{run.directory}: started")
        if begun > datetime.datetime.now(datetime.timezone.utc) + FRESH:
            what = "" if at else "; give --at"
            raise BadArgument(f"{run.directory}: {begun.isoformat()} lies in the future{what}")
        record = record_of(run, begun, {**surroundings(run), **labels}, control)
        before = there.get(record["run"])
        if before is not None:
            if control != before["control"] or any(before["labels"].get(key) != labels[key] for key in labels):
                raise BadArgument(f"{run.directory} is there already as run {record['run']} with other labels or --control; "
                                  "drop that one, and add this with --at and its time")  # fmt: skip
            known += 1
            continue
        store.put("run", record)
        there[record["run"]] = record
        added += 1
    return added, known


def decision(note: str) -> Record:
    """Who decided, when, and why."""
    if not note.strip():
        raise BadArgument("--note '': expected why; whoever looks at the history later will ask")
    readable("--note", note)
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = str(os.getuid())
    return {"note": note, "by": who, "at": now}
