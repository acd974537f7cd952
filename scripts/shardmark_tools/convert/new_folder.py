# SPDX-License-Identifier: Apache-2.0
"""A folder that appears under its name when it is whole, or not at all."""

import fcntl
import os
import pathlib
import shutil
from collections.abc import Callable
from types import TracebackType

from shardmark_tools.convert.block_transfer import open_past_cache
from shardmark_tools.convert.tensors import ConvertError


def fsync_folder(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class NewFolder:
    """Use as a context: leaving it by an exception removes what is there so far. `hidden` is the name
    until commit(); a file `owner` in it, locked, tells that somebody is at work. `finish_checks` is called before anything
    is committed, and raises where nothing may be."""

    def __init__(self, final: pathlib.Path, hidden: str, finish_checks: Callable[[], None]):
        self.final, self.path, self._finish_checks = final, final.parent / hidden, finish_checks
        self._files: dict[str, int] = {}
        self._past_cache: dict[str, int | None] = {}

    def __enter__(self) -> "NewFolder":
        if self.final.exists():
            raise ConvertError(f"{self.final}: exists already")
        self.path.mkdir()
        try:
            self._owner = self._own()
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        return self

    def _own(self) -> int:
        """The owner's file, locked where the file system has locks."""
        path = self.path / "owner"
        owner = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConvertError(f"{path}: another process has it") from error
            except OSError:
                pass
            os.write(owner, f"{os.uname().nodename} {os.getpid()}\n".encode())
        except BaseException:
            os.close(owner)
            raise
        return owner

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        for descriptor in (*self._files.values(), *self._past_cache.values()):
            if descriptor is not None:
                os.close(descriptor)
        if kind is not None:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._owner)

    def create(self, name: str, num_bytes: int) -> int:
        """The descriptor of a new file of that size, whose space is there."""
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._files[name] = descriptor
        if num_bytes:
            self.reserve(name, num_bytes)
        return descriptor

    def reserve(self, name: str, num_bytes: int) -> None:
        """Space for so many bytes of such a file."""
        try:
            os.posix_fallocate(self._files[name], 0, num_bytes)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path / name)) from error

    def adopt(self, name: str) -> int:
        """The same of a file that another library has written."""
        self._files[name] = os.open(self.path / name, os.O_RDWR)
        return self._files[name]

    def past_cache(self, name: str) -> int | None:
        """A second descriptor of such a file, whose writes go past the page cache; None where there can be none."""
        if name not in self._past_cache:
            self._past_cache[name] = open_past_cache(self._files[name], os.O_RDWR)
        return self._past_cache[name]

    def sync_files(self) -> None:
        for descriptor in self._files.values():
            os.fsync(descriptor)

    def commit(self) -> None:
        self._finish_checks()
        self.sync_files()
        (self.path / "owner").unlink()
        fsync_folder(self.path)
        if self.final.exists():
            raise ConvertError(f"{self.final}: exists already")
        self.path.rename(self.final)
        fsync_folder(self.final.parent)


def new_id() -> str:
    return os.urandom(8).hex()
