# SPDX-License-Identifier: Apache-2.0
"""Copies chunks from regions to regions: one thread reads ahead, this one hashes, one writes behind."""

import math
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor

import xxhash

from shardmark_tools.convert.layout_boxes import Dims
from shardmark_tools.convert.region import PIECE_BYTES, Region, slabs
from shardmark_tools.convert.tensors import Hashes

PIECES_AHEAD = 2
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


# (copy, offsets in the chunk, sizes, bytes, is it the chunk's last)
Piece = tuple[Copy, Dims, Dims, int, bool]


def moved(offsets: Dims, by: Dims) -> Dims:
    return tuple(o + b for o, b in zip(offsets, by))


def pieces(copies: Iterable[Copy]) -> Iterator[Piece]:
    for copy in copies:
        for offsets, sizes in slabs(copy.sizes, copy.source.item_size):
            num_bytes = math.prod(sizes) * copy.source.item_size
            yield copy, offsets, sizes, num_bytes, moved(offsets, sizes) == tuple(copy.sizes)


def read_piece(piece: Piece, buffer: bytearray) -> None:
    copy, offsets, sizes, num_bytes, _ = piece
    copy.source.read(moved(offsets, copy.source_offsets), sizes, memoryview(buffer)[:num_bytes])


def write_piece(piece: Piece, buffer: bytearray) -> None:
    copy, offsets, sizes, num_bytes, _ = piece
    copy.target.write(moved(offsets, copy.target_offsets), sizes, memoryview(buffer)[:num_bytes])


class _Hashes:
    """Of the chunk under way."""

    def __init__(self) -> None:
        self._states: dict[str, Crc32 | Xxh3] | None = None

    def take(self, piece: Piece, buffer: bytearray) -> None:
        copy, _, _, num_bytes, is_last = piece
        if self._states is None:
            self._states = {name: HASHES[name]() for name in copy.hashes}
        for state in self._states.values():
            state.update(memoryview(buffer)[:num_bytes])
        if is_last:
            copy.done({name: state.value() for name, state in self._states.items()})
            self._states = None


def run_copies(copies: Iterable[Copy]) -> None:
    """Runs all of an iterable of Copy. Raises what reading, writing or a `done` raised."""
    hashes, free = _Hashes(), list[bytearray]()
    reads: deque[tuple[Piece, bytearray, Future[None]]] = deque()
    writes: deque[tuple[bytearray, Future[None]]] = deque()

    def finish_read() -> None:
        piece, buffer, read = reads.popleft()
        read.result()
        hashes.take(piece, buffer)
        writes.append((buffer, writer.submit(write_piece, piece, buffer)))
        if len(writes) > PIECES_BEHIND:
            finish_write()

    def finish_write() -> None:
        buffer, write = writes.popleft()
        write.result()
        free.append(buffer)

    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
        for piece in pieces(copies):
            buffer = free.pop() if free else bytearray(PIECE_BYTES)
            if piece[3] > len(buffer):
                buffer = bytearray(piece[3])
            reads.append((piece, buffer, reader.submit(read_piece, piece, buffer)))
            if len(reads) > PIECES_AHEAD:
                finish_read()
        while reads:
            finish_read()
        while writes:
            finish_write()
