# SPDX-License-Identifier: Apache-2.0
"""What reading a file of unknown origin may cost at most."""

import sys
import time

from shardmark_tools.refusal import Refused

BYTES_A_BLOCK = 160  # of Python's small-object allocator, with what the stack and the memo add to it


class LimitError(Refused):
    """Reading went on for longer or took more memory than was allowed."""


class Limits:
    """Time and memory since the object was made. `check()` is cheap and opens no file: memory is
    judged by the number of blocks that Python has handed out."""

    def __init__(self, seconds: float = 10.0, memory_mib: int = 512):
        self.seconds = seconds
        self.memory_mib = memory_mib
        self._deadline = time.monotonic() + seconds
        self._most_blocks = sys.getallocatedblocks() + memory_mib * 2**20 // BYTES_A_BLOCK

    def check(self) -> None:
        """Raises LimitError."""
        if time.monotonic() > self._deadline:
            raise LimitError(f"not read within {self.seconds:g} s; --seconds allows more")
        if sys.getallocatedblocks() > self._most_blocks:
            raise LimitError(f"needs more than {self.memory_mib} MiB; --memory allows more")

    def check_bytes(self, num_bytes: int, what: str) -> None:
        """For what is held whole. Raises LimitError."""
        if num_bytes > self.memory_mib * 2**20 // 4:
            allowed = self.memory_mib // 4
            raise LimitError(f"{what} has {num_bytes} bytes, at most {allowed} MiB are read with "
                             f"{self.memory_mib} MiB of memory; --memory allows more")  # fmt: skip
