# SPDX-License-Identifier: Apache-2.0
"""A DCP checkpoint of PyTorch's, its tensors read from the archives in its data files."""

import os
import pathlib

from shardmark_tools.convert.open_files import Files, region_of_file
from shardmark_tools.convert.tensor_archive import Pread, find_tensor
from shardmark_tools.convert.tensors import (
    Bytes,
    Checkpoint,
    Chunk,
    ConvertError,
    DamageError,
    Tensor,
    facts_of_tensors,
    places_in_state,
)
from shardmark_tools.job.dcp_metadata import METADATA_FILE, MetadataError, StoredChunk, read_metadata
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.limits import Limits


def reader_of(files: Files, path: pathlib.Path) -> Pread:
    """pread(bytes, address)."""

    def pread(num_bytes: int, address: int) -> bytes:
        data = os.pread(files.descriptor(path), num_bytes, address)
        if len(data) != num_bytes:
            raise DamageError(f"{path}: ends at byte {address + len(data)}, inside of its data")
        return data

    return pread


def read_chunk(tensor: Tensor, stored: StoredChunk, files: Files, path: pathlib.Path) -> Chunk:
    where = f"{path}: '{tensor.fqn}' at {stored.offsets}"
    saved = find_tensor(reader_of(files, path), stored.byte_offset, stored.num_bytes, where)
    if (saved.shape, saved.dtype) != (stored.sizes, tensor.dtype):
        raise ConvertError(f"{where}: {saved.dtype} {saved.shape} is stored, "
                           f"{tensor.dtype} {stored.sizes} by .metadata")  # fmt: skip
    region = region_of_file(files, path, saved.address, saved.shape, ITEM_SIZES[saved.dtype], saved.strides)
    # Only elements that lie as they are hashed have the archive's CRC-32.
    plain = saved.covers_record and region.row_major
    expected = {"crc32": saved.crc32} if plain else {}
    return Chunk(stored.offsets, stored.sizes, region, (0,) * len(stored.sizes), expected)


def left_out(directory: pathlib.Path, used: set[str]) -> list[str]:
    """A note of the files that lie there and that `.metadata` does not name: Megatron's common.pt, say."""
    others = sorted(entry.name for entry in directory.iterdir()
                    if entry.is_file() and entry.name != METADATA_FILE and entry.name not in used)  # fmt: skip
    shown = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
    return [f"{len(others)} files that .metadata does not name are left out: {shown}"] if others else []


def read_dcp(directory: pathlib.Path, limits: Limits) -> Checkpoint:
    """Raises ConvertError, LimitError, OSError."""
    try:
        metadata = read_metadata(directory, limits)
    except MetadataError as error:
        raise ConvertError(str(error)) from None
    files = Files()
    found = Checkpoint([], [], files, planner_data=places_in_state(metadata.planner_data))
    found.mcore_data = facts_of_tensors(metadata.mcore_data)
    writers, used = [0], set[str]()
    for stored in metadata.tensors:
        tensor = Tensor(stored.fqn, stored.dtype, stored.shape, [])
        for chunk in stored.chunks:
            tensor.chunks.append(read_chunk(tensor, chunk, files, directory / chunk.file))
            writers.append(chunk.writer or 0)
            used.add(chunk.file)
        found.tensors.append(tensor)
    for fqn, place in sorted(metadata.objects.items()):
        path = directory / place.file
        used.add(place.file)
        region = region_of_file(files, path, place.byte_offset, (place.num_bytes,), 1)
        found.objects.append(Bytes(fqn, place.num_bytes, region, {}))
    found.world_size = max(max(writers) + 1, metadata.world_size or 1)
    found.notes += left_out(directory, used)
    unchecked = sum(not chunk.expected for tensor in found.tensors for chunk in tensor.chunks)
    if unchecked:
        found.notes.append(f"{unchecked} chunks are stored with strides: their CRC-32 is not checked")
    return found
