# SPDX-License-Identifier: Apache-2.0
"""A folder that appears under its name when it is whole, or not at all."""

import fcntl
import os
import pathlib
import secrets
import shutil
import socket
from types import TracebackType

from shardmark_tools.convert.tensors import ConvertError


def fsync_folder(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class NewFolder:
    """Use as a context: leaving it by an exception removes what is there so far. `hidden` is the name
    until commit(); a file `owner` in it, locked, tells that somebody is at work."""

    def __init__(self, final: pathlib.Path, hidden: str):
        self.final, self.path = final, final.parent / hidden
        self._files: dict[str, int] = {}

    def __enter__(self) -> "NewFolder":
        if self.final.exists():
            raise ConvertError(f"{self.final}: exists already")
        self.path.mkdir()
        self._owner = os.open(self.path / "owner", os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(self._owner, f"{socket.gethostname()} {os.getpid()}\n".encode())
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:  # fmt: skip
        for descriptor in self._files.values():
            os.close(descriptor)
        if kind is not None:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._owner)

    def create(self, name: str, num_bytes: int) -> int:
        """The descriptor of a new file of that size, whose space is there."""
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        self._files[name] = descriptor
        if num_bytes:
            os.posix_fallocate(descriptor, 0, num_bytes)
        return descriptor

    def adopt(self, name: str) -> int:
        """The same of a file that another library has written."""
        self._files[name] = os.open(self.path / name, os.O_RDWR)
        return self._files[name]

    def sync_files(self) -> None:
        for descriptor in self._files.values():
            os.fsync(descriptor)

    def commit(self) -> None:
        self.sync_files()
        (self.path / "owner").unlink()
        fsync_folder(self.path)
        if self.final.exists():
            raise ConvertError(f"{self.final}: exists already")
        self.path.rename(self.final)
        fsync_folder(self.final.parent)


def new_id() -> str:
    return secrets.token_hex(8)
