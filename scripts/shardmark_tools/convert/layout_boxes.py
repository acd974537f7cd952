# SPDX-License-Identifier: Apache-2.0
"""The boxes that a mesh and its placements give a tensor, by DCP's index rule, on runs of indices."""

import itertools
from collections.abc import Sequence

Dims = tuple[int, ...]  # a number for each dimension, in elements
Box = tuple[Dims, Dims]  # offsets, sizes
Runs = list[tuple[int, int]]  # (start, length)
Placement = tuple[str, int, int]  # kind "R", "S" or "SS", dimension, split factor


def cut_runs(runs: Runs, first: int, last: int) -> Runs:
    """What positions first to last - 1 of the indices in `runs` (start, length) are."""
    found = []
    for start, length in runs:
        low, high = max(first, 0), min(last, length)
        if low < high:
            found.append((start + low, high - low))
        first, last = first - length, last - length
    return found


def part_of(count: int, parts: int, part: int) -> tuple[int, int]:
    """First and behind the last."""
    size = -(-count // parts)
    return min(size * part, count), min(size * (part + 1), count)


def merged(runs: Runs) -> Runs:
    """Neighbours as one."""
    found: Runs = []
    for start, length in runs:
        if found and sum(found[-1]) == start:
            found[-1] = found[-1][0], found[-1][1] + length
        else:
            found.append((start, length))
    return found


def placed(runs: Runs, placement: Placement, parts: int, part: int) -> Runs:
    """Part `part` of `parts` of the indices in `runs`."""
    count = sum(length for _, length in runs)
    if placement[0] == "S":
        return cut_runs(runs, *part_of(count, parts, part))
    found: Runs = []
    for piece in range(placement[2]):
        first, last = part_of(count, placement[2], piece)
        low, high = part_of(last - first, parts, part)
        found += cut_runs(runs, first + low, first + high)
    return merged(found)


def dimension_runs(extent: int, cuts: Sequence[tuple[int, Placement]]) -> Runs:
    """All runs (start, length) of one dimension that the coordinates of `cuts` hold, ascending.
    `cuts`: (parts, placement) of the mesh dimensions that cut it."""
    if not cuts:
        return [(0, extent)] if extent else []
    found: set[tuple[int, int]] = set()
    for cell in itertools.product(*(range(parts) for parts, _ in cuts)):
        runs = [(0, extent)] if extent else []
        for (parts, placement), part in zip(cuts, cell):
            runs = placed(runs, placement, parts, part)
        found.update(merged(runs))
    return sorted(found)


def layout_boxes(shape: Dims, mesh: Dims, placements: Sequence[Placement]) -> list[Box]:
    """(offsets, sizes) of all stored boxes, by offsets ascending."""
    runs = [
        dimension_runs(extent, [
            (parts, p) for parts, p in zip(mesh, placements) if p[0] != "R" and p[1] % len(shape) == d
        ])
        for d, extent in enumerate(shape)
    ]  # fmt: skip
    return [
        (tuple(start for start, _ in box), tuple(length for _, length in box))
        for box in itertools.product(*runs)
    ]
