# SPDX-License-Identifier: Apache-2.0
"""Copies chunks from regions to regions: threads read ahead, this one hashes, others write behind."""

import math
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor

import xxhash

from shardmark_tools.convert.block_transfer import BLOCK, RUN_BYTES, Slot
from shardmark_tools.convert.layout_boxes import Dims
from shardmark_tools.convert.region import Region, slabs
from shardmark_tools.convert.tensors import Hashes
from shardmark_tools.convert.whole_write import naming

READERS = 2
WRITERS = 2
PIECES_AHEAD = 3
PIECES_BEHIND = 3


class Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: memoryview) -> None:
        self._value = zlib.crc32(data, self._value)

    def value(self) -> int:
        return self._value


class Xxh3:
    def __init__(self) -> None:
        self._state = xxhash.xxh3_64()

    def update(self, data: memoryview) -> None:
        self._state.update(data)

    def value(self) -> int:
        return self._state.intdigest()


HASHES: dict[str, type[Crc32] | type[Xxh3]] = {"crc32": Crc32, "xxh3": Xxh3}


class Copy:
    """One chunk: `sizes` elements at `source_offsets` of `source` go to `target_offsets` of `target`.
    `hashes`: names of what is computed over its elements in row-major order; `done(values)` is called
    with them and may raise."""

    __slots__ = ("source", "source_offsets", "target", "target_offsets", "sizes", "hashes", "done")

    def __init__(self, source: Region, source_offsets: Dims, target: Region, target_offsets: Dims, sizes: Dims,
                 hashes: Set[str], done: Callable[[Hashes], None]):  # fmt: skip
        self.source, self.source_offsets = source, source_offsets
        self.target, self.target_offsets = target, target_offsets
        self.sizes, self.hashes, self.done = sizes, hashes, done


class Run:
    """A piece of a chunk that is one contiguous run both where it comes from and where it goes."""

    __slots__ = ("copy", "source_at", "target_at", "num_bytes", "is_last")

    def __init__(self, copy: Copy, source_at: int, target_at: int, num_bytes: int, is_last: bool):
        self.copy, self.source_at, self.target_at = copy, source_at, target_at
        self.num_bytes, self.is_last = num_bytes, is_last

    def read(self, slot: Slot) -> None:
        with naming(self.copy.source.name):
            self.copy.source.read_run(self.source_at, self.num_bytes, slot, self.target_at % BLOCK)

    def write(self, slot: Slot) -> None:
        with naming(self.copy.target.name):
            self.copy.target.write_run(self.target_at, self.num_bytes, slot)


class Slab:
    """A piece of any other chunk: contiguous among the chunk's own elements. It is written while nothing else is: a page
    of a mapped window can hold more than its block, and would bring back what that was before it was written past the cache."""

    __slots__ = ("copy", "offsets", "sizes", "num_bytes", "is_last")

    def __init__(self, copy: Copy, offsets: Dims, sizes: Dims):
        self.copy, self.offsets, self.sizes = copy, offsets, sizes
        self.num_bytes = math.prod(sizes) * copy.source.item_size
        self.is_last = moved(offsets, sizes) == tuple(copy.sizes)

    def read(self, slot: Slot) -> None:
        slot.at = 0
        with naming(self.copy.source.name):
            self.copy.source.read(moved(self.offsets, self.copy.source_offsets), self.sizes, slot.piece(self.num_bytes))

    def write(self, slot: Slot) -> None:
        with naming(self.copy.target.name):
            self.copy.target.write(moved(self.offsets, self.copy.target_offsets), self.sizes, slot.piece(self.num_bytes))


Piece = Run | Slab


def moved(offsets: Dims, by: Dims) -> Dims:
    return tuple(o + b for o, b in zip(offsets, by))


def pieces(copies: Iterable[Copy]) -> Iterator[Piece]:
    for copy in copies:
        source_at = copy.source.only_run(copy.source_offsets, copy.sizes)
        target_at = copy.target.only_run(copy.target_offsets, copy.sizes)
        if source_at is not None and target_at is not None:
            yield from runs(copy, source_at, target_at)
        else:
            for offsets, sizes in slabs(copy.sizes, copy.source.item_size):
                yield Slab(copy, offsets, sizes)


def runs(copy: Copy, source_at: int, target_at: int) -> Iterator[Run]:
    """Of like lengths, cut where the target's blocks end, so that only the chunk's own ends lie inside of a block."""
    at, num_bytes = 0, math.prod(copy.sizes) * copy.source.item_size
    length = -(-num_bytes // -(-num_bytes // RUN_BYTES))
    while at < num_bytes:
        end = at + length
        end = min(end + -(target_at + end) % BLOCK, num_bytes)
        yield Run(copy, source_at + at, target_at + at, end - at, end == num_bytes)
        at = end


class _Hashes:
    """Of the chunk under way."""

    def __init__(self) -> None:
        self._states: dict[str, Crc32 | Xxh3] | None = None

    def take(self, piece: Piece, slot: Slot) -> None:
        if self._states is None:
            self._states = {name: HASHES[name]() for name in piece.copy.hashes}
        for state in self._states.values():
            state.update(slot.piece(piece.num_bytes))
        if piece.is_last:
            piece.copy.done({name: state.value() for name, state in self._states.items()})
            self._states = None


def go_on(_name: str) -> None:
    """Where nobody waits for a target to be finished."""


def run_copies(copies: Iterable[Copy], finished: Callable[[str], None] = go_on) -> None:
    """Runs all of an iterable of Copy. Raises what reading, writing or a `done` raised, once nothing reads or writes
    any more. `finished` is called with the name of a target whose elements are written, once those of another follow; not
    for the last."""
    hashes, free = _Hashes(), list[Slot]()
    reads: deque[tuple[Piece, Slot, Future[None]]] = deque()
    writes: deque[tuple[Piece, Slot, Future[None]]] = deque()
    written = ""

    def finish_read() -> None:
        piece, slot, read = reads.popleft()
        read.result()
        hashes.take(piece, slot)
        if isinstance(piece, Slab):
            finish_writes(0)
        writes.append((piece, slot, writers.submit(piece.write, slot)))
        finish_writes(0 if isinstance(piece, Slab) else PIECES_BEHIND)

    def finish_writes(most: int) -> None:
        nonlocal written
        while len(writes) > most:
            piece, slot, write = writes.popleft()
            write.result()
            free.append(slot)
            if written not in ("", piece.copy.target.name):
                finished(written)
            written = piece.copy.target.name

    with ThreadPoolExecutor(READERS) as readers, ThreadPoolExecutor(WRITERS) as writers:
        for piece in pieces(copies):
            slot = free.pop() if free else Slot()
            if piece.num_bytes > len(slot):
                slot = Slot(piece.num_bytes)
            reads.append((piece, slot, readers.submit(piece.read, slot)))
            if len(reads) > PIECES_AHEAD:
                finish_read()
        while reads:
            finish_read()
        finish_writes(0)
