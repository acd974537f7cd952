# SPDX-License-Identifier: Apache-2.0
"""Writes safetensors: files of at most so many bytes, and their index."""

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shardmark_tools.convert.block_transfer import BLOCK
from shardmark_tools.convert.new_folder import NewFolder, new_id
from shardmark_tools.convert.region import Region, always
from shardmark_tools.convert.streaming import Copy, run_copies
from shardmark_tools.convert.tensors import Checkpoint, ConvertError, Tensor, checker
from shardmark_tools.job.dtypes import ITEM_SIZES, SAFETENSORS, SAFETENSORS_BITS, SAFETENSORS_NAMES
from shardmark_tools.job.safetensors_files import LARGEST, MOST_HEADER_BYTES, MOST_INDEX_BYTES

SHARD_BYTES = 5 * 10**9
METADATA = {"format": "pt"}
INDEX_FILE = "model.safetensors.index.json"
PAIRS = "float4_e2m1fn_x2"


def place_of(tensor: Tensor) -> tuple[str, int]:
    """Where the source has it: files are written in that order, so that it is read in order."""
    if not tensor.chunks:
        return "", 0
    return tensor.chunks[0].region.name, tensor.chunks[0].region.address


def cut_shards(tensors: Sequence[Tensor], most_bytes: int, most_header_bytes: int = MOST_HEADER_BYTES) -> list[list[Tensor]]:
    """Lists of tensors, each of at most `most_bytes` and a header of at most `most_header_bytes`, or one tensor."""
    shards: list[list[Tensor]] = [[]]
    begin = len(json_bytes({"__metadata__": METADATA}))
    size, header_size = 0, begin
    room = most_header_bytes - BLOCK  # with what fills its last block
    for tensor in sorted(tensors, key=place_of):
        entry_size = len(json_bytes({tensor.fqn: entry_of(tensor, LARGEST - tensor.num_bytes)}))
        if shards[-1] and (size + tensor.num_bytes > most_bytes or header_size + entry_size > room):
            shards.append([])
            size, header_size = 0, begin
        shards[-1].append(tensor)
        size += tensor.num_bytes
        header_size += entry_size
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


def entry_of(tensor: Tensor, at: int) -> dict[str, Any]:
    """Of a header, for a tensor that begins `at` bytes behind it."""
    code, shape = published_as(tensor)
    return {"dtype": code, "shape": shape, "data_offsets": [at, at + tensor.num_bytes]}


def json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def header_of(tensors: Sequence[Tensor]) -> tuple[bytes, dict[str, int]]:
    """The header's bytes, padded to a block, and {fqn: offset behind it}. Tensors of whole blocks come first, so that each
    begins on one; of the others, wide elements do, so that each tensor is aligned to its own."""
    header: dict[str, Any] = {"__metadata__": METADATA}
    offsets, at = dict[str, int](), 0
    # Stable: else as the source has them.
    for tensor in sorted(tensors, key=lambda t: (t.num_bytes % BLOCK != 0, -t.item_size)):
        offsets[tensor.fqn] = at
        header[tensor.fqn] = entry_of(tensor, at)
        at += tensor.num_bytes
    text = json_bytes(header)
    text += b" " * (-(8 + len(text)) % BLOCK)
    return len(text).to_bytes(8, "little") + text, offsets


def copies(shards: Mapping[str, Sequence[Tensor]], folder: NewFolder) -> Iterator[Copy]:
    """File after file, each made when the first of its copies is taken."""
    for name, tensors in shards.items():
        header, offsets = header_of(tensors)
        file = folder.create(name, len(header) + sum(tensor.num_bytes for tensor in tensors))
        folder.write(name, header)
        past_cache = always(folder.past_cache(name))
        for tensor in tensors:
            target = Region(always(file), folder.path_of(name), len(header) + offsets[tensor.fqn], tensor.shape, tensor.item_size,
                            past_cache=past_cache)  # fmt: skip
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


def index_of(shards: Mapping[str, Sequence[Tensor]]) -> bytes:
    """Raises ConvertError where no reader would take it."""
    files = {tensor.fqn: name for name, tensors in shards.items() for tensor in tensors}
    num_bytes = sum(tensor.num_bytes for tensors in shards.values() for tensor in tensors)
    index = {"metadata": {"total_size": num_bytes}, "weight_map": dict(sorted(files.items()))}
    data = json.dumps(index, indent=1, ensure_ascii=False).encode()
    if len(data) > MOST_INDEX_BYTES:
        raise ConvertError(f"{INDEX_FILE}: {len(data)} bytes of names, at most {MOST_INDEX_BYTES} are read")
    return data


def write_safetensors(checkpoint: Checkpoint, final: pathlib.Path,
                      shard_bytes: int = SHARD_BYTES) -> tuple[pathlib.Path, int, list[str]]:  # fmt: skip
    """Writes the folder `final` with model-*.safetensors and their index. Returns (its path, bytes, notes)."""
    check_names(checkpoint)
    cut = cut_shards(checkpoint.tensors, shard_bytes)
    shards = {f"model-{number:05d}-of-{len(cut):05d}.safetensors": tensors for number, tensors in enumerate(cut, 1)}
    index = index_of(shards)
    with NewFolder(final, new_id(), checkpoint.finish_checks) as folder:
        run_copies(copies(shards, folder), folder.finish)
        total = sum((folder.path / name).stat().st_size for name in shards)
        folder.create(INDEX_FILE, 0)
        folder.write(INDEX_FILE, index)
        folder.commit()
    left_out = len(checkpoint.objects)
    notes = [f"{left_out} objects are left out: safetensors holds tensors only"] if left_out else []
    return final, total, notes
