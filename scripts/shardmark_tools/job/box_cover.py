# SPDX-License-Identifier: Apache-2.0
"""Do boxes cover a tensor, each element once?"""

import bisect
import itertools
import math

from shardmark_tools.job.limits import Limits

Extents = tuple[int, ...]
Box = tuple[Extents, Extents]  # offsets, sizes
Ranks = tuple[int, ...]


def overlap(a: Box, b: Box) -> bool:
    return all(ao < bo + bs and bo < ao + as_ for ao, as_, bo, bs in zip(a[0], a[1], b[0], b[1]))


def find_overlap(boxes: list[Box], limits: Limits) -> tuple[Box, Box] | None:
    """Two boxes (offsets, sizes) that share an element, or None. None of the boxes is empty.

    A sweep along the dimension with the most distinct offsets; the boxes under way are kept by
    their offset in the dimension with the most of the others.
    """
    ndim = len(boxes[0][0])
    if ndim == 0:
        return (boxes[0], boxes[1]) if len(boxes) > 1 else None
    order = sorted(range(ndim), key=lambda d: -len({box[0][d] for box in boxes}))
    sweep, across = order[0], order[min(1, ndim - 1)]
    longest = max(box[1][across] for box in boxes)
    events = sorted(
        event
        for number, (offsets, sizes) in enumerate(boxes)
        for event in ((offsets[sweep], 1, number), (offsets[sweep] + sizes[sweep], 0, number))
    )
    under_way: list[tuple[int, int]] = []  # (offset across, number)
    for count, (_at, begins, number) in enumerate(events):
        if count % 256 == 0:
            limits.check()
        offsets, sizes = boxes[number]
        key = (offsets[across], number)
        place = bisect.bisect_left(under_way, key)
        if not begins:
            del under_way[place]
            continue
        first = bisect.bisect_left(under_way, (offsets[across] - longest, -1))
        for at in range(first, len(under_way)):
            if at % 256 == 0:
                limits.check()
            if under_way[at][0] >= offsets[across] + sizes[across]:
                break
            if overlap(boxes[number], boxes[under_way[at][1]]):
                return boxes[under_way[at][1]], boxes[number]
        under_way.insert(place, key)
    return None


def grid_cuts(shape: Extents, boxes: list[Box]) -> list[list[int]] | None:
    """Where each dimension is cut, if the boxes, by offsets ascending, are all cells of one grid over
    the whole shape: a list of first indices a dimension. Else None."""
    cuts = [sorted({offsets[d] for offsets, _ in boxes}) for d in range(len(shape))]
    if math.prod(map(len, cuts)) != len(boxes) or any(c[0] != 0 for c in cuts):
        return None
    lengths = [
        {a: b - a for a, b in zip(cut, [*cut[1:], extent])} for cut, extent in zip(cuts, shape)
    ]
    for corner, (offsets, sizes) in zip(itertools.product(*cuts), boxes):
        if corner != offsets or sizes != tuple(of[at] for of, at in zip(lengths, corner)):
            return None
    return cuts


def cover_problem(shape: Extents, boxes: list[Box], limits: Limits) -> str | None:
    """What is wrong with boxes that lie inside `shape`, by offsets ascending and none of them empty,
    or None."""
    if boxes and grid_cuts(shape, boxes) is not None:
        return None
    elements, covered = math.prod(shape), sum(math.prod(sizes) for _, sizes in boxes)
    if boxes:
        found = find_overlap(boxes, limits)
        if found:
            (first, first_sizes), (second, second_sizes) = found
            return f"box {second_sizes} at {second} overlaps box {first_sizes} at {first}"
    if covered != elements:
        return f"its boxes hold {covered} of {elements} elements"
    return None
