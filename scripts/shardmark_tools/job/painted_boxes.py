# SPDX-License-Identifier: Apache-2.0
"""Which ranks hold which boxes, for tests: from mesh and placements by brute force."""

import itertools
from collections.abc import Sequence

from shardmark_tools.job.box_cover import Box, Extents, Ranks


def indices_held(extent: int, mesh: Sequence[int], placements: Sequence[str], dimension: int,
                 coordinate: Sequence[int]) -> list[int]:  # fmt: skip
    """DCP's index rule by its definition: the list of indices, cut by each placement in turn."""
    indices = list(range(extent))
    for parts, placement, part in zip(mesh, placements, coordinate):
        if placement == f"S({dimension})":
            size = -(-len(indices) // parts)
            indices = indices[size * part : size * (part + 1)]
    return indices


def painted(shape: Extents, mesh: Sequence[int], placements: Sequence[str], first_rank: int = 0,
            strides: Sequence[int] | None = None) -> tuple[list[Box], list[Ranks]]:  # fmt: skip
    """Boxes by offsets and their holders, from the placements of every rank by brute force."""
    if strides is None:
        strides = [1] * len(mesh)
        for k in reversed(range(len(mesh) - 1)):
            strides[k] = strides[k + 1] * mesh[k + 1]
    held: dict[Box, list[int]] = {}
    for coordinate in itertools.product(*map(range, mesh)):
        rank = first_rank + sum(c * s for c, s in zip(coordinate, strides))
        lists = [indices_held(n, mesh, placements, d, coordinate) for d, n in enumerate(shape)]
        if all(lists):
            box = tuple(held[0] for held in lists), tuple(map(len, lists))
            held.setdefault(box, []).append(rank)
    boxes = sorted(held)
    return boxes, [tuple(sorted(held[box])) for box in boxes]
