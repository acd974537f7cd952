# SPDX-License-Identifier: Apache-2.0
"""Mesh and placements that give the boxes of a tensor, where there are such.

A grid whose cuts follow PyTorch's rule (parts of ceil(n / parts), the last ones short) in every
dimension is `S(d)` over a mesh of as many parts; one that follows it in two levels, pieces cut
again, is `S(d), S(d)`, as FSDP cuts what tensor parallelism has cut (the strides of the mesh say
which rank counts faster). Parts without elements are not stored, so a fitted mesh has none.
"""

import bisect
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from shardmark_tools.job.box_cover import Box, Extents, Ranks, grid_cuts

Axis = tuple[int, str, int]  # parts, placement, stride
MOST_MESH_DIMENSIONS = 8
MOST_FITS = 64  # ways to read one grid that are tried against its ranks


@dataclasses.dataclass(frozen=True)
class Layout:
    """`placements`: "R" or "S(d)", one a mesh dimension. The rank at mesh coordinates c is
    first_rank + sum(c * strides); with first_rank None no such rule is known, and cells count
    row-major in the mesh."""

    mesh: tuple[int, ...]
    placements: tuple[str, ...]
    first_rank: int | None = 0
    strides: tuple[int, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        value: dict[str, Any] = {"mesh": list(self.mesh), "placements": list(self.placements)}
        if self.first_rank is not None:
            value |= {"first_rank": self.first_rank, "strides": list(self.strides or ())}
        return value


def rule_cuts(extent: int, parts: int) -> list[int]:
    """Where the rule cuts `extent` into `parts`: the first indices of those that have elements."""
    if extent == 0:
        return [0]
    return list(range(0, extent, -(-extent // parts)))


def nested_cuts(bounds: list[int], extent: int, parts: int) -> list[int]:
    """The pieces that begin at `bounds`, each cut into parts by the rule."""
    cuts = []
    for first, last in itertools.pairwise([*bounds, extent]):
        cuts += [first + cut for cut in rule_cuts(last - first, parts)]
    return cuts


def dimension_fits(dimension: int, extent: int, cuts: list[int]) -> list[list[Axis]]:
    """Every way in which one or two levels of the rule cut a dimension at `cuts`: lists of (parts,
    placement, how many parts of this dimension its neighbours lie apart), outermost first."""
    count, name = len(cuts), f"S({dimension})"
    if count == 1:
        return [[]]
    fits = [[(count, name, 1)]] if cuts == rule_cuts(extent, count) else []
    for pieces in range(2, count // 2 + 1):
        parts = count // pieces
        if count % pieces == 0 and cuts == nested_cuts(rule_cuts(extent, pieces), extent, parts):
            fits.append([(pieces, name, parts), (parts, name, 1)])
    return fits


def cell_fits(shape: Extents, boxes: list[Box]) -> Iterator[list[Axis]]:
    """Every way in which the rule gives the boxes: lists of (parts, placement, stride) of mesh
    dimensions, where strides count cells, row-major in the grid. Empty if there is none."""
    cuts = grid_cuts(shape, boxes) if boxes else None
    if cuts is None:
        return
    choices = [dimension_fits(d, extent, cuts[d]) for d, extent in enumerate(shape)]
    strides = [1] * len(shape)
    for d in reversed(range(len(shape) - 1)):
        strides[d] = strides[d + 1] * len(cuts[d + 1])
    for chosen in itertools.islice(itertools.product(*choices), MOST_FITS):
        axes = [
            (parts, name, step * stride)
            for fit, stride in zip(chosen, strides)
            for parts, name, step in fit
        ]
        if len(axes) <= MOST_MESH_DIMENSIONS:
            yield axes


def rank_strides(axes: list[Axis], ranks: Sequence[int]) -> list[int] | None:
    """How far apart ranks are along each axis, if `ranks` (by cell) follow one rule; else None."""
    strides = [ranks[step] - ranks[0] for _, _, step in axes]
    if any(stride < 1 for stride in strides) or len(set(ranks)) != len(ranks):
        return None
    expected = [ranks[0]] * len(ranks)
    for coordinates in itertools.product(*(range(parts) for parts, _, _ in axes)):
        cell = sum(c * step for c, (_, _, step) in zip(coordinates, axes))
        expected[cell] += sum(c * stride for c, stride in zip(coordinates, strides))
    return strides if expected == list(ranks) else None


def replica_axes(holders: list[Ranks]) -> list[tuple[int, int]] | None:
    """[(count, stride)] of the mesh dimensions that only repeat, if every box's holders lie equally
    far from its first one; else None."""
    apart = [rank - holders[0][0] for rank in holders[0]]
    if any([rank - ranks[0] for rank in ranks] != apart for ranks in holders):
        return None
    axes: list[tuple[int, int]] = []
    while len(apart) > 1:
        stride, count = apart[1], 1
        while count < len(apart) and apart[count] == count * stride:
            count += 1
        period = apart[::count]
        if len(apart) % count or apart != [a + c * stride for a in period for c in range(count)]:
            return None
        axes.insert(0, (count, stride))
        apart = period
    return axes


def fit_layout(shape: Extents, boxes: list[Box], holders: list[Ranks]) -> Layout | None:
    """The Layout of boxes (offsets, sizes), by offsets ascending; holders[i] are box i's ranks,
    ascending, or () where nobody knows. None if there is no such layout. One with first_rank None
    has the boxes but not the ranks, and its cells are the boxes in their order."""
    known = all(holders)
    replicas = replica_axes(holders) if known and holders else None
    without_ranks = None
    for axes in cell_fits(shape, boxes):
        mesh = tuple(parts for parts, _, _ in axes)
        placements = tuple(name for _, name, _ in axes)
        without_ranks = without_ranks or Layout(mesh, placements, None)
        if replicas is None or len(axes) + len(replicas) > MOST_MESH_DIMENSIONS:
            continue
        strides = rank_strides(axes, [ranks[0] for ranks in holders])
        if strides is not None:
            return Layout(
                tuple(count for count, _ in replicas) + mesh,
                ("R",) * len(replicas) + placements,
                holders[0][0],
                tuple(stride for _, stride in replicas) + tuple(strides),
            )
    return without_ranks


def cells(layout: Layout, shape: Extents) -> tuple[list[Box], list[Ranks]]:
    """The boxes of a fitted layout in their order, and each one's holders (() where unknown)."""
    cuts, cutting = [], []
    for dimension, extent in enumerate(shape):
        bounds = [0]
        for k, name in enumerate(layout.placements):
            if name == f"S({dimension})":
                bounds = nested_cuts(bounds, extent, layout.mesh[k])
                cutting.append(k)
        cuts.append(bounds)
    boxes = []
    for corner in itertools.product(*cuts):
        sizes = (
            next_bound(cut, at, extent) - at for cut, at, extent in zip(cuts, corner, shape)
        )
        boxes.append((corner, tuple(sizes)))
    if layout.first_rank is None:
        return boxes, [()] * len(boxes)
    repeating = [k for k, name in enumerate(layout.placements) if name == "R"]
    firsts = rank_products(layout, cutting)
    repeats = rank_products(layout, repeating)
    holders = [
        tuple(sorted(layout.first_rank + first + more for more in repeats)) for first in firsts
    ]
    return boxes, holders


def next_bound(cuts: list[int], at: int, extent: int) -> int:
    place = bisect.bisect_right(cuts, at)
    return cuts[place] if place < len(cuts) else extent


def rank_products(layout: Layout, axes: list[int]) -> list[int]:
    """Sums of coordinates times strides, the last axis fastest."""
    strides = layout.strides or ()
    steps = ([c * strides[k] for c in range(layout.mesh[k])] for k in axes)
    return [sum(parts) for parts in itertools.product(*steps)]
