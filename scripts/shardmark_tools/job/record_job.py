# SPDX-License-Identifier: Apache-2.0
"""A job file from what `scripts/record.py` wrote beside a training script."""

import json
import math
import pathlib
from typing import Any

from shardmark_tools.job.box_cover import Extents, Ranks, cover_problem
from shardmark_tools.job.dcp_metadata import MOST_DIMENSIONS, MOST_RANKS, DcpCheckpoint
from shardmark_tools.job.dcp_names import LARGEST
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.job_file import Job, JobError, JobObject, JobTensor, ranks_of
from shardmark_tools.job.limits import Limits
from shardmark_tools.job.name_form import is_utf8, name_problem
from shardmark_tools.regular_file import open_regular

FORMAT = "shardmark record"
VERSION = 1
SIZES_NOTE = "the bytes of objects are not known: DCP plans without them; --checkpoint tells them"


def parse_line(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise JobError(f"{where}: no JSON: {error}") from None
    if not isinstance(value, dict):
        raise JobError(f"{where}: JSON of other than an object")
    return value


def checked_head(line: bytes, where: str) -> dict[str, Any]:
    head = parse_line(line, where)
    if head.get("format") != FORMAT or head.get("version") != VERSION:
        raise JobError(
            f"{where}: '{head.get('format')}' version {head.get('version')}, "
            f"expected '{FORMAT}' version {VERSION}"
        )
    world_size = head.get("world_size")
    if type(world_size) is not int or not 1 <= world_size <= MOST_RANKS:
        raise JobError(f"{where}: world_size: expected 1 to {MOST_RANKS}, found {str(world_size)[:40]}")
    if not is_utf8(str(head.get("torch"))):
        raise JobError(f"{where}: torch is no UTF-8")
    return head


def checked_name(fqn: Any) -> str:
    problem = name_problem(fqn)
    if problem:
        raise ValueError(problem)
    return str(fqn)


def checked_writer(writer: Any, world_size: int) -> int | None:
    """None: unknown."""
    if writer is not None and not (type(writer) is int and 0 <= writer < world_size):
        raise ValueError(f"writer {str(writer)[:40]} is no rank of the world")
    return writer


def checked_ranks(runs: Any, world_size: int) -> Ranks:
    """The ranks of [[first, count, step]], a tuple; ValueError if they are none of the world's. Listed only once they are
    known to be ascending, so that there are no more of them than ranks."""
    if type(runs) is not list or not runs:
        raise ValueError("no list of ranks")
    least = 0
    for run in runs:
        if type(run) is not list or len(run) != 3 or not all(type(number) is int for number in run):
            raise ValueError("ranks that are not [first, count, step]")
        first, count, step = run
        if count < 1 or first < least or (count > 1 and step < 1):
            raise ValueError("ranks that are not in the world, or not ascending")
        last = first + (count - 1) * step
        if last >= world_size:
            raise ValueError("more ranks than the world has, or others")
        least = last + 1
    return tuple(ranks_of(runs))


def checked_shape(shape: Any, dtype: str) -> Extents:
    if type(shape) is not list or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"a shape of other than at most {MOST_DIMENSIONS} whole numbers")
    if not all(type(n) is int and 0 <= n <= LARGEST for n in shape):
        raise ValueError("a shape of other than whole numbers")
    if math.prod(shape) * ITEM_SIZES[dtype] > LARGEST:
        raise ValueError(f"{shape} of {dtype} has more than 2^63 bytes")
    return tuple(shape)


def read_tensor(value: Any, world_size: int, limits: Limits) -> JobTensor:
    if value["dtype"] not in ITEM_SIZES:
        raise ValueError(f"dtype {str(value['dtype'])[:40]}")
    shape = checked_shape(value["shape"], value["dtype"])
    listed = []
    for coordinates, runs, writer in value["boxes"]:
        limits.check()
        offsets, sizes = tuple(coordinates[: len(shape)]), tuple(coordinates[len(shape) :])
        inside = len(sizes) == len(shape) and all(
            type(o) is int and type(s) is int and o >= 0 and s > 0 and o + s <= n
            for o, s, n in zip(offsets, sizes, shape)
        )
        if not inside:
            raise ValueError(f"box {sizes} at {offsets} leaves the tensor {shape}")
        listed.append((offsets, sizes, checked_ranks(runs, world_size), checked_writer(writer, world_size)))
    listed.sort(key=lambda box: box[:2])
    boxes = [(offsets, sizes) for offsets, sizes, _, _ in listed]
    problem = cover_problem(shape, boxes, limits)
    if problem and math.prod(shape):
        raise ValueError(problem)
    holders, writers = [r for _, _, r, _ in listed], [w for _, _, _, w in listed]
    return JobTensor(checked_name(value["fqn"]), value["dtype"], shape, boxes, holders, writers)


def job_from_record(path: pathlib.Path | str, limits: Limits) -> Job:
    """The Job of a record. Raises JobError, LimitError, OSError."""
    tensors, objects = [], []
    with open_regular(path) as file:
        head = checked_head(file.readline(), f"{path}: line 1")
        world_size = head["world_size"]
        for number, line in enumerate(file, 2):
            limits.check()
            where = f"{path}: line {number}"
            value = parse_line(line, where)
            try:
                if "shape" in value:
                    tensors.append(read_tensor(value, world_size, limits))
                else:
                    holders = checked_ranks(value["holders"], world_size)
                    writer = checked_writer(value["writer"], world_size)
                    objects.append(JobObject(checked_name(value["fqn"]), None, writer, holders))
            except (KeyError, TypeError, ValueError) as error:
                raise JobError(f"{where}: {type(error).__name__}: {error}") from None
    source = {"kind": "record", "torch": str(head.get("torch"))}
    notes = [SIZES_NOTE] if objects else []
    return Job(source, world_size, True, "listed", tensors, objects, notes)


def add_checkpoint(job: Job, checkpoint: DcpCheckpoint) -> None:
    """Takes the sizes of objects from the checkpoint of the same save, and compares who wrote what.
    Raises JobError where they differ."""
    stored = {tensor.fqn: tensor for tensor in checkpoint.tensors}
    for tensor in job.tensors:
        other = stored.get(tensor.fqn)
        if other is None or (other.shape, other.dtype) != (tensor.shape, tensor.dtype):
            raise JobError(f"'{tensor.fqn}': not the same tensor in {checkpoint.path}")
        there = [((c.offsets, c.sizes), c.writer) for c in other.chunks]
        here = list(zip(tensor.boxes, tensor.writers))
        if there != here:
            first = next((a, b) for a, b in zip(here, there) if a != b) if len(here) == len(there) else ""
            raise JobError(f"'{tensor.fqn}': boxes or writers differ in {checkpoint.path} {first}")
    for entry in job.objects:
        if entry.fqn not in checkpoint.objects:
            raise JobError(f"'{entry.fqn}': not in {checkpoint.path}")
        entry.num_bytes = checkpoint.objects[entry.fqn].num_bytes
    job.notes = [note for note in job.notes if note != SIZES_NOTE]
