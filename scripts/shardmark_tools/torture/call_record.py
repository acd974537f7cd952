# SPDX-License-Identifier: Apache-2.0
"""What processes did to files and folders, as the preloaded library wrote it down (bench/interposed/recorded_calls)."""

import dataclasses
import os
import pathlib
import struct
from collections.abc import Iterator

from shardmark_tools.refusal import Refused

HEADER = struct.Struct("<IIIIQQQqqQ")
OPENED, WRITTEN, TRUNCATED, ALLOCATED, SYNCED, RENAMED, REMOVED, FOLDER_MADE, LINKED = range(1, 10)
NOT_KNOWN = 100


@dataclasses.dataclass(frozen=True)
class Call:
    """One that succeeded. It took effect at some time from begin_ns to end_ns, of a clock that all processes of a
    machine share."""

    done: int
    begin_ns: int
    end_ns: int
    inode: int = 0
    a: int = 0  # flags, byte offset or length
    b: int = 0  # length
    mode: int = 0
    path: str = ""
    other: str = ""
    data: bytes = b""


def decode(data: bytes) -> Iterator[Call]:
    """Errors: Refused, if it breaks off; ranks that were killed may leave such."""
    at = 0
    while at < len(data):
        if at + HEADER.size > len(data):
            raise Refused("a record of calls breaks off")
        done, path_size, other_size, mode, begin, end, inode, a, b, num_bytes = HEADER.unpack_from(data, at)
        at += HEADER.size
        parts = []
        for size in (path_size, other_size, num_bytes):
            parts.append(data[at : at + size])
            at += size
        if at > len(data):
            raise Refused("a record of calls breaks off")
        yield Call(done, begin, end, inode, a, b, mode, os.path.normpath(os.fsdecode(parts[0])),
                   os.path.normpath(os.fsdecode(parts[1])) if parts[1] else "", parts[2])  # fmt: skip


def read_calls(folder: pathlib.Path) -> list[Call]:
    """Of all processes, by their ends. Errors: Refused, if they ran on several machines, whose clocks are not one."""
    files = sorted(folder.iterdir())
    hosts = {path.name.rpartition(".")[0] for path in files}
    if len(hosts) > 1:
        raise Refused(f"ranks ran on {len(hosts)} machines, whose clocks cannot be compared: {', '.join(sorted(hosts))}")
    return sorted((call for path in files for call in decode(path.read_bytes())), key=lambda call: call.end_ns)
