# SPDX-License-Identifier: Apache-2.0
"""Opens files of others: a pipe would block who reads it, a device may never end."""

import os
import pathlib
import stat
from typing import BinaryIO

from shardmark_tools.refusal import Refused


def regular_descriptor(path: pathlib.Path | os.PathLike[str] | str) -> int:
    """For reading. Errors: Refused for what is no regular file; OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise Refused(f"{os.fspath(path)}: not a regular file")


def open_regular(path: pathlib.Path | str) -> BinaryIO:
    """As regular_descriptor()."""
    return open(regular_descriptor(path), "rb")
