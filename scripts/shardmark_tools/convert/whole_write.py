# SPDX-License-Identifier: Apache-2.0
"""Writes that are whole or an error, and errors that name their file: a descriptor alone tells neither."""

import contextlib
import errno
import os
from collections.abc import Iterator


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """An OSError that names no file names this one."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), name) from error


def write_all(descriptor: int, address: int, data: bytes | memoryview, name: str) -> None:
    """All of `data`, also where the system takes less of it at a time. Raises OSError, which names the file."""
    part = memoryview(data)
    with naming(name):
        while len(part):
            done = os.pwritev(descriptor, [part], address)
            if done == 0:
                raise OSError(errno.EIO, f"takes no more bytes at {address}")
            part, address = part[done:], address + done
