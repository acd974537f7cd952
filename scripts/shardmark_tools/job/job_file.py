# SPDX-License-Identifier: Apache-2.0
"""The job file: a real job's tensors and who holds which part of them. Its form is described in
configs/README.md; this module writes and reads it."""

import dataclasses
import hashlib
import json
import math
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from shardmark_tools.job.box_cover import Box, Extents, Ranks
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.layout_fit import Layout, cells, fit_layout
from shardmark_tools.refusal import Refused
from shardmark_tools.regular_file import open_regular

FORMAT = "shardmark job"
VERSION = 1


class JobError(Refused):
    """A job file that cannot be used, or a job that cannot be written as one."""


@dataclasses.dataclass(slots=True)
class JobTensor:
    """`boxes`: (offsets, sizes), by offsets ascending, none empty. `holders`: for each box its ranks,
    ascending, () if unknown. `writers`: the rank that wrote each, or None; [] = the only holder."""

    fqn: str
    dtype: str
    shape: Extents
    boxes: list[Box]
    holders: list[Ranks]
    writers: list[int | None] = dataclasses.field(default_factory=list)

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * ITEM_SIZES[self.dtype]


@dataclasses.dataclass(slots=True)
class JobObject:
    """Bytes that DCP does not look into. `num_bytes` None: unknown."""

    fqn: str
    num_bytes: int | None
    writer: int | None
    holders: Ranks = ()


@dataclasses.dataclass(slots=True)
class Job:
    """`replicas`: "listed", or "unknown": holders are then only those that wrote. `world_size` is a
    lower bound unless `world_size_known`."""

    source: dict[str, Any]
    world_size: int
    world_size_known: bool
    replicas: str
    tensors: list[JobTensor]
    objects: list[JobObject]
    notes: list[str] = dataclasses.field(default_factory=list)
    hashed_names: bool = False


def runs_of(ranks: Iterable[int | None]) -> list[list[Any]]:
    """[[first, count, step]] of consecutive ranks; first None for unknown ones."""
    runs: list[list[Any]] = []
    for rank in ranks:
        if runs:
            first, count, step = runs[-1]
            if rank is None or first is None:
                continues = rank is first
                step = 0
            else:
                step = rank - first if count == 1 else step
                continues = rank == first + count * step
            if continues:
                runs[-1] = [first, count + 1, step]
                continue
        runs.append([rank, 1, 0])
    return runs


def ranks_of(runs: list[list[Any]]) -> list[Any]:
    return [
        None if first is None else first + k * step
        for first, count, step in runs
        for k in range(count)
    ]


class _Tables:
    """Layouts and lists of ranks, each kept once."""

    def __init__(self) -> None:
        self.layouts: dict[Layout, int] = {}
        self.rank_lists: dict[str, int] = {}

    def layout(self, layout: Layout) -> int:
        return self.layouts.setdefault(layout, len(self.layouts))

    def writers(self, writers: list[int | None]) -> int:
        return self._ranks({"one_each": runs_of(writers)})

    def holders(self, holders: list[Ranks]) -> int:
        if all(len(ranks) == 1 for ranks in holders):
            return self._ranks({"one_each": runs_of([ranks[0] for ranks in holders])})
        return self._ranks({"sets": [runs_of(ranks) for ranks in holders]})

    def _ranks(self, value: Any) -> int:
        text = json.dumps(value, separators=(",", ":"))
        return self.rank_lists.setdefault(text, len(self.rank_lists))


def tensor_json(tensor: JobTensor, tables: _Tables) -> dict[str, Any]:
    value: dict[str, Any] = {"fqn": tensor.fqn, "dtype": tensor.dtype, "shape": list(tensor.shape)}
    layout = fit_layout(tensor.shape, tensor.boxes, tensor.holders)
    if layout is not None:
        value["layout"] = tables.layout(layout)
    else:
        value["boxes"] = [[*offsets, *sizes] for offsets, sizes in tensor.boxes]
    if tensor.boxes and (layout is None or layout.first_rank is None):
        value["holders"] = tables.holders(tensor.holders)
    if tensor.writers and tensor.writers != [r[0] if len(r) == 1 else None for r in tensor.holders]:
        value["writers"] = tables.writers(tensor.writers)
    return value


def object_json(entry: JobObject, tables: _Tables) -> dict[str, Any]:
    value = {"fqn": entry.fqn, "num_bytes": entry.num_bytes, "writer": entry.writer}
    if entry.holders and entry.holders != (entry.writer,):
        value["holders"] = tables.holders([entry.holders])
    return value


def write_job(job: Job, path: pathlib.Path | str) -> int:
    """Writes the file by a name of its own that is renamed when it is whole. Returns its bytes."""
    tables = _Tables()
    tensors = [tensor_json(t, tables) for t in sorted(job.tensors, key=lambda t: t.fqn)]
    objects = [object_json(o, tables) for o in sorted(job.objects, key=lambda o: o.fqn)]
    head = {
        "format": FORMAT, "version": VERSION, "source": job.source, "world_size": job.world_size,
        "world_size_known": job.world_size_known, "replicas": job.replicas,
        "hashed_names": job.hashed_names, "notes": job.notes,
    }  # fmt: skip
    lists = {
        "layouts": [layout.to_json() for layout in tables.layouts],
        "rank_lists": [json.loads(text) for text in tables.rank_lists],
        "tensors": tensors,
        "objects": objects,
    }
    path = pathlib.Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write("{\n")
            for key, value in head.items():
                file.write(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)},\n")
            for number, (key, values) in enumerate(lists.items()):
                file.write(",\n" if number else "")
                file.write(f' "{key}": [')
                for at, value in enumerate(values):
                    line = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
                    file.write(("," if at else "") + "\n  " + line)
                file.write("\n ]" if values else "]")
            file.write("\n}\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path.stat().st_size


def hash_names(job: Job, salt: bytes) -> None:
    """Replaces every name by a keyed hash of it: as long as the name, 16 to 64 digits."""

    def hashed(fqn: str) -> str:
        digest = hashlib.blake2b(fqn.encode(), key=salt[:64], digest_size=32).hexdigest()
        return digest[: max(16, len(fqn.encode()))]

    entries: list[JobTensor | JobObject] = [*job.tensors, *job.objects]
    for entry in entries:
        entry.fqn = hashed(entry.fqn)
    names = [entry.fqn for entry in entries]
    if len(set(names)) != len(names):
        raise JobError("two names have the same hash; use another salt")
    job.hashed_names = True


def _layout_from(value: Any) -> Layout:
    strides = value.get("strides")
    return Layout(
        tuple(value["mesh"]), tuple(value["placements"]), value.get("first_rank"),
        None if strides is None else tuple(strides),
    )  # fmt: skip


def _holders_from(value: Any) -> list[Ranks]:
    if "one_each" in value:
        return [() if rank is None else (rank,) for rank in ranks_of(value["one_each"])]
    return [tuple(ranks_of(runs)) for runs in value["sets"]]


def read_job(path: pathlib.Path | str) -> Job:
    """The Job of a file that write_job() wrote. Raises JobError for another form or version; the
    contents are believed."""
    try:
        with open_regular(path) as file:
            value = json.load(file)
    except (ValueError, RecursionError) as error:
        raise JobError(f"{path}: no JSON: {error}") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise JobError(f"{path}: 'format' is not '{FORMAT}'")
    if value.get("version") != VERSION:
        raise JobError(f"{path}: version {value.get('version')!r}, this program reads {VERSION}")
    layouts = [_layout_from(v) for v in value["layouts"]]
    rank_lists = value["rank_lists"]
    tensors = []
    for entry in value["tensors"]:
        shape = tuple(entry["shape"])
        ndim = len(shape)
        if "layout" in entry:
            boxes, holders = cells(layouts[entry["layout"]], shape)
        else:
            boxes = [(tuple(b[:ndim]), tuple(b[ndim:])) for b in entry["boxes"]]
            holders = [()] * len(boxes)
        if "holders" in entry:
            holders = _holders_from(rank_lists[entry["holders"]])
        writers = [ranks[0] if len(ranks) == 1 else None for ranks in holders]
        if "writers" in entry:
            writers = ranks_of(rank_lists[entry["writers"]]["one_each"])
        tensors.append(JobTensor(entry["fqn"], entry["dtype"], shape, boxes, holders, writers))
    objects = []
    for entry in value["objects"]:
        ranks: Ranks = () if entry["writer"] is None else (entry["writer"],)
        if "holders" in entry:
            (ranks,) = _holders_from(rank_lists[entry["holders"]])
        objects.append(JobObject(entry["fqn"], entry["num_bytes"], entry["writer"], ranks))
    return Job(
        value["source"], value["world_size"], value["world_size_known"], value["replicas"],
        tensors, objects, value["notes"], value["hashed_names"],
    )  # fmt: skip
