# SPDX-License-Identifier: Apache-2.0
"""What of a result folder goes into a store: every sample's times, and the context beside them."""

import dataclasses
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
    """The same run of the same moment is one run, whatever its labels."""
    text = json.dumps([run.context, run.samples, at.isoformat()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def record_of(run: Run, at: datetime.datetime, labels: dict[str, str], control: bool) -> Record:
    context = {key: value for key, value in run.context.items() if key not in LEFT_OUT}
    return {
        "run": identity(run, at), "at": at.isoformat(), "night": at.date().isoformat(), "control": control,
        "labels": labels, "context": context, "config": run.context["config"], "benchmarks": benchmarks_of(run),
    }  # fmt: skip


@dataclasses.dataclass
class Added:
    """What became of the runs that were to be added."""

    added: int = 0
    known: int = 0  # that were there already
    left_out: int = 0  # of those: by drop
    drops: list[str] = dataclasses.field(default_factory=list)  # names of the records that say so

    def sentence(self, folder: pathlib.Path) -> str:
        text = f"{self.added} run{'s' if self.added != 1 else ''} added to {folder}"
        text += f", {self.known} there already" if self.known else ""
        if self.left_out:
            files = ", ".join(str(folder / name) for name in self.drops)
            text += f", {self.left_out} of them left out by drop (remove {files} to take {'it' if self.left_out == 1 else 'them'} back)"
        return one_line(text)


def add(store: Store, directories: Sequence[str], at: str | None, labels: dict[str, str], control: bool) -> Added:
    """All runs in these folders. All are looked at before one is added."""
    runs = [run for directory in directories for run in read_runs(directory)]
    stored = store.records()
    there: dict[str, str] = {}
    for name, record in stored.items():
        if record["kind"] == "run":
            there.setdefault(record["run"], name)  # the one that counts, if two stores were merged
    records: list[Record] = []
    for run in runs:
        begun = moment(at) if at else moment(run.context["started"], f"{run.directory}: started")
        if begun > datetime.datetime.now(datetime.timezone.utc) + FRESH:
            what = "" if at else "; give --at"
            raise BadArgument(f"{run.directory}: {begun.isoformat()} lies in the future{what}")
        record = record_of(run, begun, {**surroundings(run), **labels}, control)
        if record["run"] in there:
            name = there[record["run"]]
            before = stored[name]
            if control != before["control"] or any(before["labels"].get(key) != labels[key] for key in labels):
                # Its name is of the run and its time: were it dropped and added again, it would be left out again.
                raise BadArgument(f"{run.directory} is there already as run {record['run']} with other labels or --control;\n"
                                  f"  records are never changed: remove {store.folder / name} and add it anew")  # fmt: skip
        records.append(record)
    done = Added()
    new: set[str] = set()
    for record in records:
        if record["run"] not in there and record["run"] not in new:
            store.put("run", record)
            new.add(record["run"])
            done.added += 1
            continue
        done.known += 1
        drops = [name for name, entry in stored.items() if entry["kind"] == "drop" and entry["run"] == record["run"]]
        done.left_out += bool(drops)
        done.drops += [name for name in drops if name not in done.drops]
    return done


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
    return {"note": note, "by": who.encode(errors="surrogateescape").decode(errors="replace"), "at": now}
