# SPDX-License-Identifier: Apache-2.0
"""Writes safetensors: files of at most so many bytes, and their index."""

import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shardmark_tools.convert.block_transfer import BLOCK
from shardmark_tools.convert.new_folder import NewFolder, new_id
from shardmark_tools.convert.region import Region, always
from shardmark_tools.convert.streaming import Copy, run_copies
from shardmark_tools.convert.tensors import Checkpoint, ConvertError, Tensor, checker
from shardmark_tools.job.dtypes import ITEM_SIZES, SAFETENSORS, SAFETENSORS_BITS, SAFETENSORS_NAMES

SHARD_BYTES = 5 * 10**9
PAIRS = "float4_e2m1fn_x2"


def place_of(tensor: Tensor) -> tuple[str, int]:
    """Where the source has it: files are written in that order, so that it is read in order."""
    if not tensor.chunks:
        return "", 0
    return tensor.chunks[0].region.name, tensor.chunks[0].region.address


def cut_shards(tensors: Sequence[Tensor], most_bytes: int) -> list[list[Tensor]]:
    """Lists of tensors, each of at most `most_bytes` or one tensor."""
    shards: list[list[Tensor]] = [[]]
    size = 0
    for tensor in sorted(tensors, key=place_of):
        if shards[-1] and size + tensor.num_bytes > most_bytes:
            shards.append([])
            size = 0
        shards[-1].append(tensor)
        size += tensor.num_bytes
    return shards


def published_as(tensor: Tensor) -> tuple[str, list[int]]:
    """(dtype, shape) in a header: those under which the tensor was published, if it holds such elements."""
    code, shape = tensor.published_dtype, list(tensor.shape)
    if tensor.dtype == PAIRS:
        code = "F4" if shape else "U8"  # F4 counts values along the last dimension, this type bytes
    bits = SAFETENSORS_BITS.get(code)
    if bits and tensor.dtype in ("uint8", PAIRS) and shape and shape[-1] * 8 % bits == 0:
        return code, [*shape[:-1], shape[-1] * 8 // bits]
    if code in SAFETENSORS and ITEM_SIZES[SAFETENSORS[code]] == tensor.item_size:
        return code, shape
    return SAFETENSORS_NAMES[tensor.dtype], shape


def header_of(tensors: Sequence[Tensor]) -> tuple[bytes, dict[str, int]]:
    """The header's bytes, padded to a block, and {fqn: offset behind it}. Tensors of whole blocks come first, so that each
    begins on one; of the others, wide elements do, so that each tensor is aligned to its own."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offsets, at = dict[str, int](), 0
    # Stable: else as the source has them.
    for tensor in sorted(tensors, key=lambda t: (t.num_bytes % BLOCK != 0, -t.item_size)):
        offsets[tensor.fqn] = at
        code, shape = published_as(tensor)
        header[tensor.fqn] = {"dtype": code, "shape": shape, "data_offsets": [at, at + tensor.num_bytes]}
        at += tensor.num_bytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % BLOCK)
    return len(text).to_bytes(8, "little") + text, offsets


def copies(tensors: Sequence[Tensor], regions: Mapping[str, Region]) -> Iterator[Copy]:
    for tensor in tensors:
        target = regions[tensor.fqn]
        for chunk in tensor.chunks:
            done = checker(tensor.fqn, chunk.offsets, chunk.expected)
            yield Copy(chunk.region, chunk.region_offsets, target, chunk.offsets, chunk.sizes,
                       set(chunk.expected), done)  # fmt: skip


def check_names(checkpoint: Checkpoint) -> None:
    for tensor in checkpoint.tensors:
        if tensor.dtype not in (*SAFETENSORS_NAMES, PAIRS):
            raise ConvertError(f"'{tensor.fqn}': safetensors has no dtype for {tensor.dtype}")
        if tensor.fqn == "__metadata__":
            raise ConvertError("'__metadata__': a name that safetensors keeps for itself")


def write_safetensors(checkpoint: Checkpoint, final: pathlib.Path,
                      shard_bytes: int = SHARD_BYTES) -> tuple[pathlib.Path, int, list[str]]:  # fmt: skip
    """Writes the folder `final` with model-*.safetensors and their index. Returns (its path, bytes, notes)."""
    check_names(checkpoint)
    shards = cut_shards(checkpoint.tensors, shard_bytes)
    weight_map, total = dict[str, str](), 0
    with NewFolder(final, f".{final.name}.partial-{new_id()}", checkpoint.finish_checks) as folder:
        for number, tensors in enumerate(shards, 1):
            name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            header, offsets = header_of(tensors)
            num_bytes = len(header) + sum(tensor.num_bytes for tensor in tensors)
            file = folder.create(name, num_bytes)
            os.pwrite(file, header, 0)
            past_cache = always(folder.past_cache(name))
            regions = {
                t.fqn: Region(always(file), name, len(header) + offsets[t.fqn], t.shape, t.item_size, past_cache=past_cache)
                for t in tensors
            }
            run_copies(copies(tensors, regions))
            weight_map |= {tensor.fqn: name for tensor in tensors}
            total += num_bytes
        index = {"metadata": {"total_size": sum(t.num_bytes for t in checkpoint.tensors)},
                 "weight_map": dict(sorted(weight_map.items()))}  # fmt: skip
        os.write(folder.create("model.safetensors.index.json", 0),
                 json.dumps(index, indent=1, ensure_ascii=False).encode())  # fmt: skip
        folder.commit()
    left_out = len(checkpoint.objects)
    notes = [f"{left_out} objects are left out: safetensors holds tensors only"] if left_out else []
    return final, total, notes
