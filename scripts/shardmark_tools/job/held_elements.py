# SPDX-License-Identifier: Apache-2.0
"""Which elements a rank holds, for tests: from mesh and placements by brute force, against a record.

What a rank holds was written down beside the recorded save by golden/record_meshes.py: mesh and placements
as DTensor tells them, and the elements that lie in its memory.
"""

import itertools
import json
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from shardmark_tools.job.box_cover import Extents
from shardmark_tools.job.job_file import Job


def places_in(mesh: Any, rank: int, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Coordinates at which a nested list of ranks has `rank`."""
    for number, inner in enumerate(mesh):
        if isinstance(inner, list):
            yield from places_in(inner, rank, (*path, number))
        elif inner == rank:
            yield (*path, number)


def shape_of(mesh: Any) -> list[int]:
    return [len(mesh), *shape_of(mesh[0])] if isinstance(mesh, list) else []


def indices_held(extent: int, dimension: int, mesh: Sequence[int], coordinate: Sequence[int],
                 placements: Sequence[Sequence[Any]]) -> list[int]:  # fmt: skip
    """Of one dimension, by the definition of the placements: each cuts the list of indices that is left. Strided ones
    cut what the plain ones of faster mesh dimensions have cut, so they come last."""
    axes = list(zip(mesh, coordinate, placements))
    plain = [axis for axis in axes if axis[2][:2] == ["S", dimension]]
    strided = [axis for axis in axes if axis[2][:2] == ["SS", dimension]]
    indices = list(range(extent))
    for parts, part, _ in [*plain, *reversed(strided)]:
        size = -(-len(indices) // parts)
        indices = indices[size * part : size * (part + 1)]
    return indices


def numbers_of(shape: Extents, lists: Sequence[Sequence[int]]) -> list[int]:
    """Row-major numbers of the elements whose indices are in the lists, in that order."""
    found = []
    for index in itertools.product(*lists):
        number = 0
        for extent, at in zip(shape, index):
            number = number * extent + at
        found.append(number)
    return found


def elements_placed(tensor: dict[str, Any], rank: int) -> list[int]:
    shape = tuple(tensor["shape"])
    if tensor["mesh"] is None:  # plain: whole
        return numbers_of(shape, [range(n) for n in shape])
    (coordinate,) = places_in(tensor["mesh"], rank)
    mesh = shape_of(tensor["mesh"])
    lists = [indices_held(n, d, mesh, coordinate, tensor["placements"]) for d, n in enumerate(shape)]
    return numbers_of(shape, lists)


def elements_recorded(job: Job, rank: int) -> dict[str, list[int]]:
    """{name: numbers of the elements in the boxes that the job has this rank hold}."""
    found = {}
    for tensor in job.tensors:
        numbers = []
        for (offsets, sizes), holders in zip(tensor.boxes, tensor.holders):
            if rank in holders:
                numbers += numbers_of(tensor.shape, [range(o, o + s) for o, s in zip(offsets, sizes)])
        found[tensor.fqn] = numbers
    return found


def held_problems(job: Job, path: pathlib.Path) -> tuple[list[str], int]:
    """(what differs, how many tensors of ranks were compared) between a record's job and the held.json beside it."""
    problems, compared = [], 0
    for rank, tensors in enumerate(json.loads(path.read_text())["ranks"]):
        recorded = elements_recorded(job, rank)
        told = {tensor["fqn"]: tensor for tensor in tensors}
        for fqn in recorded.keys() | told.keys():
            expected = elements_placed(told[fqn], rank) if fqn in told else []
            compared += 1
            if recorded.get(fqn, []) != expected:
                problems.append(f"rank {rank}: '{fqn}': {recorded.get(fqn)} recorded, {expected} by its placements")
            if fqn in told and told[fqn]["elements"] not in (None, expected):
                problems.append(f"rank {rank}: '{fqn}': {told[fqn]['elements']} in memory, {expected} by its placements")
    return problems, compared
