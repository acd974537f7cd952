# SPDX-License-Identifier: Apache-2.0
"""Whole blocks of files, moved past the page cache: the kernel then copies nothing and the device sees large requests."""

import contextlib
import errno
import mmap
import os

# Bytes: what addresses in files and in memory are multiples of. A page, so that none is written half past the cache.
BLOCK = max(4096, mmap.PAGESIZE)
LEAST_PAST_CACHE = 256 << 10  # bytes of a run; the cache gathers shorter ones
SLOT_BYTES = 8 << 20
RUN_BYTES = SLOT_BYTES - 3 * BLOCK  # fit into a slot, with the blocks around them and cut where a block ends


class Slot:
    """Memory for a piece of a file, which lies in it from `at` on. It begins on a block, and has large pages where the
    kernel gives them."""

    __slots__ = ("_memory", "_data", "at")

    def __init__(self, num_bytes: int = SLOT_BYTES):
        self._memory = mmap.mmap(-1, num_bytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError):
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        self._data = memoryview(self._memory)
        self.at = 0

    def __len__(self) -> int:
        return len(self._memory)

    def piece(self, num_bytes: int) -> memoryview:
        return self._data[self.at : self.at + num_bytes]

    def blocks(self, first: int, end: int) -> memoryview:
        return self._data[first:end]

    def move_to(self, at: int, num_bytes: int) -> None:
        if at != self.at:
            self._memory.move(at, self.at, num_bytes)
            self.at = at


def open_past_cache(descriptor: int, flags: int) -> int | None:
    """The same file once more, or None where its file system cannot do that."""
    try:
        return os.open(f"/proc/self/fd/{descriptor}", flags | os.O_DIRECT | os.O_CLOEXEC)
    except OSError:
        return None


def _refused(error: OSError) -> bool:
    """The file system, which took the flag, wants other addresses, or none at all."""
    return error.errno in (errno.EINVAL, errno.EOPNOTSUPP)


def read_blocks(descriptor: int, address: int, num_bytes: int, slot: Slot) -> int:
    """Reads the blocks that hold a run, which lies in the slot as in its first block. Returns how many of the run's
    bytes are there: fewer where the file ends, or where the rest has to go through the cache."""
    slot.at = address % BLOCK
    first, needed, done = address - slot.at, slot.at + num_bytes, 0
    while done < needed and done % BLOCK == 0:
        try:
            count = os.preadv(descriptor, [slot.blocks(done, -(-needed // BLOCK) * BLOCK)], first + done)
        except OSError as error:
            if not _refused(error):
                raise
            break
        if count == 0:
            break
        done += count
    return min(max(done - slot.at, 0), num_bytes)


def write_blocks(descriptor: int, address: int, data: memoryview) -> int:
    """Writes the whole blocks at the begin of `data`, which lies on a block as `address` does: the file never grows by
    a part of one. Returns how many bytes were written; the rest has to go through the cache."""
    whole, done = len(data) - len(data) % BLOCK, 0
    while done < whole and done % BLOCK == 0:
        try:
            done += os.pwritev(descriptor, [data[done:whole]], address + done)
        except OSError as error:
            if not _refused(error):
                raise
            break
    return done


def in_memory(descriptor: int, address: int) -> bool:
    """Does the page cache hold the file there? It holds no more of it afterwards."""
    try:
        return os.preadv(descriptor, [bytearray(1)], address, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        # The kernel has begun to read the page, and can drop it once it is there.
        os.pread(descriptor, 1, address)
        os.posix_fadvise(descriptor, address, BLOCK, os.POSIX_FADV_DONTNEED)
        return False
    except OSError:
        return False
