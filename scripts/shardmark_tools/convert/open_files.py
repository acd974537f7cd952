# SPDX-License-Identifier: Apache-2.0
"""Files that are read, opened when they are wanted: through the page cache and, where that is no loss, past it."""

import os
import resource
import threading

from shardmark_tools.convert.block_transfer import BLOCK, in_memory, open_past_cache
from shardmark_tools.convert.layout_boxes import Dims
from shardmark_tools.convert.region import Region
from shardmark_tools.regular_file import regular_descriptor

MOST_OPEN_FILES = 64
DESCRIPTORS_KEPT = 32  # of the process, for all else
THREADS = 3  # that read: two of a copy, and who plans it
Path = os.PathLike[str]
Pair = tuple[int, int | None]  # descriptors: through the cache, past it


def most_open_files() -> int:
    """Of a thread."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return MOST_OPEN_FILES
    return max(1, min(MOST_OPEN_FILES, (allowed - DESCRIPTORS_KEPT) // (2 * THREADS)))


class Files:
    """Open descriptors by path, of each thread its own latest few, so that no thread closes what another reads."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._most = most_open_files()
        self._of_all: list[dict[Path, Pair]] = []
        self._lock = threading.Lock()
        self._cached: dict[Path, bool] = {}

    def descriptor(self, path: Path) -> int:
        return self._pair(path)[0]

    def past_cache(self, path: Path) -> int | None:
        """None where the file system cannot, and for a file that lies in memory: from there it comes faster."""
        return self._pair(path)[1]

    def _pair(self, path: Path) -> Pair:
        mine = self._mine()
        found = mine.pop(path, None)
        if found is None:
            while len(mine) >= self._most:
                self._shut(mine.pop(next(iter(mine))))
            found = self._opened(path)
        mine[path] = found
        return found

    def _mine(self) -> dict[Path, Pair]:
        mine: dict[Path, Pair] | None = getattr(self._of_thread, "open", None)
        if mine is None:
            mine = self._of_thread.open = {}
            with self._lock:
                self._of_all.append(mine)
        return mine

    def _opened(self, path: Path) -> Pair:
        cached = regular_descriptor(path)
        past = open_past_cache(cached, os.O_RDONLY)
        if past is None:
            return cached, None
        if not self._is_cached(path, cached):
            return cached, past
        os.close(past)
        return cached, None

    def _is_cached(self, path: Path, descriptor: int) -> bool:
        """Asked once a file."""
        with self._lock:
            if path not in self._cached:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # nothing more than what is asked for
                self._cached[path] = all(in_memory(descriptor, place) for place in _samples(descriptor))
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_NORMAL)
            return self._cached[path]

    @staticmethod
    def _shut(pair: Pair) -> None:
        cached, past = pair
        if past is not None:
            os.close(past)
        os.close(cached)

    def close(self) -> None:
        """Once no thread reads any more."""
        for mine in self._of_all:
            while mine:
                self._shut(mine.popitem()[1])


def region_of_file(files: Files, path: Path, address: int, shape: Dims, item_size: int, strides: Dims | None = None) -> Region:
    return Region(lambda: files.descriptor(path), os.fspath(path), address, shape, item_size, strides,
                  lambda: files.past_cache(path))  # fmt: skip


def _samples(descriptor: int) -> list[int]:
    """Addresses of a few blocks of a file."""
    size = os.fstat(descriptor).st_size
    return [size * part // 8 // BLOCK * BLOCK for part in (1, 4, 6)]
