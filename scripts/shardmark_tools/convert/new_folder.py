# SPDX-License-Identifier: Apache-2.0
"""A folder that appears under its name when it is whole, or not at all."""

import fcntl
import os
import pathlib
import shutil
from collections.abc import Callable
from types import TracebackType

from shardmark_tools.convert.block_transfer import open_past_cache
from shardmark_tools.convert.dead_partials import OWNER_FILE, owner_text, partial_name, sweep_dead
from shardmark_tools.convert.tensors import ConvertError
from shardmark_tools.convert.whole_write import naming, write_all


def fsync_folder(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_free(path: pathlib.Path) -> None:
    """Raises ConvertError where anything has the name, a link to nothing too."""
    if os.path.lexists(path):
        raise ConvertError(f"{path}: exists already")


class NewFolder:
    """Use as a context: leaving it by an exception removes what is there so far. `number`, hexadecimal, is in the name
    that it has until commit(); a file `owner` in it, locked, tells that somebody is at work. `finish_checks` is called before
    anything is committed, and raises where nothing may be."""

    def __init__(self, final: pathlib.Path, number: str, finish_checks: Callable[[], None]):
        self.final, self.path, self._finish_checks = final, final.parent / partial_name(final.name, number), finish_checks
        self._files: dict[str, int] = {}
        self._past_cache: dict[str, int | None] = {}

    def __enter__(self) -> "NewFolder":
        check_free(self.final)
        sweep_dead(self.final)
        try:
            self.path.mkdir()
            self._owner = self._own()
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        return self

    def _own(self) -> int:
        """The owner's file, locked where the file system has locks."""
        path = self.path / OWNER_FILE
        owner = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConvertError(f"{path}: another process has it") from error
            except OSError:
                pass
            write_all(owner, 0, owner_text().encode(), str(path))
        except BaseException:
            os.close(owner)
            raise
        return owner

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        for name in list(self._files):
            self._close(name)
        if kind is not None:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._owner)

    def path_of(self, name: str) -> str:
        return str(self.path / name)

    def create(self, name: str, num_bytes: int) -> int:
        """The descriptor of a new file of that size, whose space is there."""
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._files[name] = descriptor
        if num_bytes:
            self.reserve(name, num_bytes)
        return descriptor

    def reserve(self, name: str, num_bytes: int) -> None:
        """Space for so many bytes of such a file."""
        with naming(self.path_of(name)):
            os.posix_fallocate(self._files[name], 0, num_bytes)

    def resize(self, name: str, num_bytes: int) -> None:
        with naming(self.path_of(name)):
            os.ftruncate(self._files[name], num_bytes)

    def write(self, name: str, data: bytes, address: int = 0) -> None:
        write_all(self._files[name], address, data, self.path_of(name))

    def past_cache(self, name: str) -> int | None:
        """A second descriptor of such a file, whose writes go past the page cache; None where there can be none."""
        if name not in self._past_cache:
            self._past_cache[name] = open_past_cache(self._files[name], os.O_RDWR)
        return self._past_cache[name]

    def finish(self, path: str) -> None:
        """Puts the file of path_of() into storage and closes it: a process may hold only so many open."""
        name = os.path.basename(path)
        with naming(path):
            os.fsync(self._files[name])
        self._close(name)

    def _close(self, name: str) -> None:
        past_cache = self._past_cache.pop(name, None)
        if past_cache is not None:
            os.close(past_cache)
        os.close(self._files.pop(name))

    def commit(self) -> None:
        self._finish_checks()
        for name in list(self._files):
            self.finish(self.path_of(name))
        (self.path / OWNER_FILE).unlink()
        fsync_folder(self.path)
        check_free(self.final)
        self.path.rename(self.final)
        fsync_folder(self.final.parent)


def new_id() -> str:
    return os.urandom(8).hex()
