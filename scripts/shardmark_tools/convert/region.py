# SPDX-License-Identifier: Apache-2.0
"""Boxes of arrays that lie in files, read and written without holding the array."""

import contextlib
import itertools
import math
import mmap
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from shardmark_tools.convert.block_transfer import BLOCK, LEAST_PAST_CACHE, Slot, read_blocks, write_blocks
from shardmark_tools.convert.layout_boxes import Box, Dims
from shardmark_tools.convert.whole_write import write_all
from shardmark_tools.refusal import Refused

PIECE_BYTES = 8 << 20  # of a streamed chunk
SHORT_RUN = 4096  # bytes: many shorter ones go through a mapped window
FEW_RUNS = 64
WINDOW_BYTES = 32 << 20

T = TypeVar("T")


class RegionError(Refused):
    """A file ends before the data that it should hold."""


def contiguous_strides(shape: Dims) -> Dims:
    strides = [1] * len(shape)
    for d in reversed(range(len(shape) - 1)):
        strides[d] = strides[d + 1] * shape[d + 1]
    return tuple(strides)


def slabs(sizes: Dims, item_size: int, limit: int = PIECE_BYTES) -> Iterator[Box]:
    """Yields (offsets, sizes) of boxes that are each contiguous in row-major order and together make
    the whole, in that order; none has more than `limit` bytes, unless one element has."""
    cut, count = len(sizes), item_size
    while cut > 0 and count * sizes[cut - 1] <= limit:
        cut -= 1
        count *= sizes[cut]
    if cut == 0:
        yield (0,) * len(sizes), tuple(sizes)
        return
    rows, rest = max(1, limit // count), tuple(sizes[cut:])
    for outer in itertools.product(*(range(n) for n in sizes[: cut - 1])):
        for first in range(0, sizes[cut - 1], rows):
            last = min(first + rows, sizes[cut - 1])
            offsets = (*outer, first) + (0,) * len(rest)
            yield offsets, (1,) * len(outer) + (last - first,) + rest


def always(descriptor: T) -> Callable[[], T]:
    """For a file that stays open."""
    return lambda: descriptor


class Region:
    """An array of `shape` at `address` of a file. `strides` count elements; row-major if left out.
    `descriptor` is a function, so that a file may be closed in between; `past_cache` gives one of the same file
    that goes past the page cache, or None."""

    __slots__ = ("descriptor", "past_cache", "address", "shape", "item_size", "strides", "row_major", "name")

    def __init__(self, descriptor: Callable[[], int], name: str, address: int, shape: Dims, item_size: int,
                 strides: Dims | None = None, past_cache: Callable[[], int | None] = always(None)):  # fmt: skip
        self.descriptor, self.past_cache, self.name, self.address = descriptor, past_cache, name, address
        self.shape, self.item_size = shape, item_size
        self.strides = tuple(strides) if strides else contiguous_strides(shape)
        natural = contiguous_strides(shape)
        self.row_major = all(
            n == 1 or s == t for n, s, t in zip(shape, self.strides, natural)
        )

    def read(self, offsets: Dims, sizes: Dims, out: memoryview) -> None:
        """Fills `out`, a writable memoryview of bytes, with the box in row-major order."""
        for run in self._runs(offsets, sizes):
            if run is None:
                return self._through_window(offsets, sizes, out, writes=False)
            at, address, length = run
            self._read_all(address, out[at : at + length])
        return None

    def write(self, offsets: Dims, sizes: Dims, data: memoryview) -> None:
        """The counterpart; the file must reach over the array."""
        for run in self._runs(offsets, sizes):
            if run is None:
                return self._through_window(offsets, sizes, data, writes=True)
            at, address, length = run
            self._write_all(address, data[at : at + length])
        return None

    def only_run(self, offsets: Dims, sizes: Dims) -> int | None:
        """The address of a box that is one contiguous run; None for others."""
        run = next(self._runs(offsets, sizes), None)
        if run is None or run[2] != math.prod(sizes) * self.item_size:
            return None
        return run[1]

    def read_run(self, address: int, num_bytes: int, slot: Slot, place: int) -> None:
        """Reads a run into the slot, to `place` of it where any place costs the same."""
        past, done = self.past_cache() if num_bytes >= LEAST_PAST_CACHE else None, 0
        slot.at = place
        if past is not None:
            done = read_blocks(past, address, num_bytes, slot)
        self._read_all(address + done, slot.piece(num_bytes)[done:])

    def write_run(self, address: int, num_bytes: int, slot: Slot) -> None:
        """The counterpart. What begins and ends inside of a block goes through the cache, where the blocks at both
        ends may have other bytes."""
        past, done = self.past_cache() if num_bytes >= LEAST_PAST_CACHE else None, 0
        if past is not None:
            slot.move_to(address % BLOCK, num_bytes)
            done = -address % BLOCK
            self._write_all(address, slot.piece(done))
            done += write_blocks(past, address + done, slot.piece(num_bytes)[done:])
        self._write_all(address + done, slot.piece(num_bytes)[done:])

    def _read_all(self, address: int, part: memoryview) -> None:
        while len(part):
            done = os.preadv(self.descriptor(), [part], address)
            if done == 0:
                raise RegionError(f"{self.name}: ends at byte {address}, inside of its data")
            part, address = part[done:], address + done

    def _write_all(self, address: int, part: memoryview) -> None:
        write_all(self.descriptor(), address, part, self.name)

    def _runs(self, offsets: Dims, sizes: Dims) -> Iterator[tuple[int, int, int] | None]:
        """(place in the box, address, bytes) of each contiguous run; None once where they are too
        short or the array is not row-major."""
        if not self.row_major:
            yield None
            return
        cut, count = len(sizes), 1
        while cut > 0 and (cut == len(sizes) or sizes[cut] == self.shape[cut]):
            cut -= 1
            count *= sizes[cut]
        length = count * self.item_size
        outer = sizes[:cut]
        if length < SHORT_RUN and math.prod(outer) > FEW_RUNS:
            yield None
            return
        base = self.address + self.item_size * sum(o * s for o, s in zip(offsets, self.strides))
        steps = self.strides[:cut]
        for at, index in enumerate(itertools.product(*map(range, outer))):
            step = sum(i * s for i, s in zip(index, steps))
            yield at * length, base + step * self.item_size, length

    def _through_window(self, offsets: Dims, sizes: Dims, data: memoryview, writes: bool) -> None:
        """By mapped windows of the file, one at a time: boxes of short runs."""
        import numpy as np  # takes a while to load, and most copies do without

        lowest = sum(o * s for o, s in zip(offsets, self.strides))
        highest = lowest + sum((n - 1) * s for n, s in zip(sizes, self.strides))
        span = (highest - lowest + 1) * self.item_size
        widest = max(range(len(sizes)), key=lambda d: (sizes[d] - 1) * self.strides[d])
        if span > WINDOW_BYTES and sizes[widest] > 1:
            self._by_halves(offsets, sizes, data, writes, widest)
            return
        first = self.address + lowest * self.item_size
        start = first - first % mmap.ALLOCATIONGRANULARITY
        access = mmap.ACCESS_WRITE if writes else mmap.ACCESS_READ
        try:
            window = mmap.mmap(self.descriptor(), first - start + span, access=access, offset=start)
        except ValueError:
            raise RegionError(f"{self.name}: ends inside of its data") from None
        with contextlib.closing(window):
            stored: np.ndarray[Any, Any] = np.ndarray(
                sizes, f"V{self.item_size}", window, first - start,
                tuple(s * self.item_size for s in self.strides),
            )  # fmt: skip
            box = np.frombuffer(data, f"V{self.item_size}").reshape(sizes)
            if writes:
                stored[...] = box
            else:
                box[...] = stored
            del stored

    def _by_halves(self, offsets: Dims, sizes: Dims, data: memoryview, writes: bool, dimension: int) -> None:
        """Cuts along the widest dimension; the halves are put together in memory."""
        import numpy as np

        box = np.frombuffer(data, f"V{self.item_size}").reshape(sizes)
        half = sizes[dimension] // 2
        for first, count in ((0, half), (half, sizes[dimension] - half)):
            moved, part = list(offsets), list(sizes)
            moved[dimension] += first
            part[dimension] = count
            chosen = (slice(None),) * dimension + (slice(first, first + count),)
            piece = np.ascontiguousarray(box[chosen]) if writes else np.empty(part, box.dtype)
            view = piece.view(np.uint8).reshape(-1).data.cast("B")
            self._through_window(tuple(moved), tuple(part), view, writes)
            if not writes:
                box[chosen] = piece
