# SPDX-License-Identifier: Apache-2.0
"""A file that h5py writes through its driver of file objects."""

import os

from shardmark_tools.convert.whole_write import naming, write_all


class Hdf5FileObject:
    """HDF5 1.10 crashes the process at its end where a file could not be written whole, and so it sees no write fail:
    the first error is kept for check(), and what follows it is held in memory. Made for a new file."""

    def __init__(self, descriptor: int, name: str):
        self._descriptor, self._name = descriptor, name
        self._at = self._end = 0
        self._error: OSError | None = None
        self._held: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raises the OSError of a write."""
        if self._error is not None:
            raise self._error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset if whence == os.SEEK_SET else self._end + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, data: memoryview) -> int:
        part = bytes(data)
        if self._error is None:
            try:
                write_all(self._descriptor, self._at, part, self._name)
            except OSError as error:
                self._keep(error)
        if self._error is not None:
            self._held.append((self._at, part))
        self._at += len(part)
        self._end = max(self._end, self._at)
        return len(part)

    def _keep(self, error: OSError) -> None:
        """Without its traceback, whose frames would keep objects of HDF5 open, and the file with them."""
        self._error = OSError(error.errno, error.strerror, error.filename)

    def readinto(self, out: memoryview) -> int:
        view = memoryview(out).cast("B")
        done = os.preadv(self._descriptor, [view], self._at)
        view[done:] = bytes(len(view) - done)
        for at, part in self._held:
            first, last = max(at, self._at), min(at + len(part), self._at + len(view))
            if first < last:
                view[first - self._at : last - self._at] = part[first - at : last - at]
        self._at += len(view)
        return len(view)

    def truncate(self, size: int) -> int:
        self._end = size
        if self._error is None:
            try:
                with naming(self._name):
                    os.ftruncate(self._descriptor, size)
            except OSError as error:
                self._keep(error)
        return size

    def flush(self) -> None:
        """Nothing waits to be written."""
