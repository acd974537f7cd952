# SPDX-License-Identifier: Apache-2.0
"""Plain copies and reads of files, with which exports and loads are compared: large pieces, on two threads, through the page
cache or past it."""

import concurrent.futures
import mmap
import multiprocessing
import os
import pathlib
import subprocess
import time
from collections.abc import Iterator, Sequence

PIECE_BYTES = 16 << 20
BLOCK_BYTES = 4096
THREADS = 2
WAYS = ("cached", "direct")
Piece = tuple[pathlib.Path, int, int]  # file, offset, bytes


def evict(files: Sequence[pathlib.Path]) -> float:
    """Drops the files from the page cache; the share of them that is still there."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    done = subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES", *map(str, files)], capture_output=True,
                          text=True, check=True)  # fmt: skip
    return sum(map(int, done.stdout.split())) / max(sum(path.stat().st_size for path in files), 1)


def pieces_of(files: Sequence[pathlib.Path]) -> Iterator[Piece]:
    for path in files:
        size = path.stat().st_size
        for at in range(0, size, PIECE_BYTES):
            yield path, at, min(PIECE_BYTES, size - at)


def flags_of(way: str) -> int:
    return os.O_DIRECT if way == "direct" else 0


def in_blocks(num_bytes: int) -> int:
    return -(-num_bytes // BLOCK_BYTES) * BLOCK_BYTES


def copy_all(files: Sequence[pathlib.Path], target: pathlib.Path, way: str) -> float:
    """Seconds for copies of `files` in `target`, a new folder, synced."""
    begin = time.perf_counter()
    target.mkdir()
    sources = {path: os.open(path, os.O_RDONLY | flags_of(way)) for path in files}
    targets = {path: os.open(target / path.name, os.O_RDWR | os.O_CREAT | flags_of(way), 0o644) for path in files}
    for path in files:
        os.posix_fallocate(targets[path], 0, in_blocks(path.stat().st_size))
    free = [mmap.mmap(-1, PIECE_BYTES) for _ in range(THREADS)]

    def copy(piece: Piece) -> None:
        path, at, num_bytes = piece
        buffer = free.pop()
        with memoryview(buffer) as view:
            os.preadv(sources[path], [view[: in_blocks(num_bytes)]], at)
            os.pwritev(targets[path], [view[: in_blocks(num_bytes)]], at)
        free.append(buffer)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(copy, pieces_of(files)))
    for path in files:
        os.ftruncate(targets[path], path.stat().st_size)
        os.fsync(targets[path])
    folder = os.open(target, os.O_RDONLY)
    os.fsync(folder)
    seconds = time.perf_counter() - begin
    for descriptor in (*sources.values(), *targets.values(), folder):
        os.close(descriptor)
    return seconds


def read_all(files: Sequence[pathlib.Path], processes: int, way: str) -> float:
    """Seconds until each of so many processes has its share of the files in memory of its own."""
    pieces = list(pieces_of(files))
    barrier = multiprocessing.Barrier(processes)
    times = multiprocessing.Array("d", 2 * processes)

    def read(number: int) -> None:
        first, last = (len(pieces) * n // processes for n in (number, number + 1))
        mine = pieces[first:last]
        memory = mmap.mmap(-1, max(PIECE_BYTES * len(mine), 1))
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1
        descriptors = {path: os.open(path, os.O_RDONLY | flags_of(way)) for path, _, _ in mine}

        def one(place: int) -> None:
            path, at, num_bytes = mine[place]
            view = memoryview(memory)[place * PIECE_BYTES :][: in_blocks(num_bytes)]
            assert os.preadv(descriptors[path], [view], at) == num_bytes

        with concurrent.futures.ThreadPoolExecutor(THREADS) as threads:
            barrier.wait()
            times[2 * number] = time.perf_counter()
            list(threads.map(one, range(len(mine))))
            times[2 * number + 1] = time.perf_counter()

    children = [multiprocessing.Process(target=read, args=(number,)) for number in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert all(child.exitcode == 0 for child in children), "a process that reads failed"
    return max(times[1::2]) - min(times[0::2])
