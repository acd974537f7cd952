# SPDX-License-Identifier: Apache-2.0
"""Which tensors lie where in safetensors files: one file, or the files of an index."""

import dataclasses
import json
import math
import os
import pathlib
from typing import Any

from shardmark_tools.job.dtypes import ITEM_SIZES, SAFETENSORS, SAFETENSORS_BITS
from shardmark_tools.job.job_file import Job, JobTensor
from shardmark_tools.job.name_form import is_utf8, name_problem
from shardmark_tools.refusal import Refused
from shardmark_tools.regular_file import open_regular

INDEX_SUFFIX = ".safetensors.index.json"
LONGEST_FILE_NAME = 255  # bytes of a file name, on every file system
MOST_HEADER_BYTES = 100_000_000  # as the format's own library has it
MOST_INDEX_BYTES = 64 << 20
FREE_BRACKETS = 100_000  # of JSON texts
BYTES_A_BRACKET = 10  # at least, of longer texts: a tensor of a header has 3 brackets in some 60 bytes
SHARDING_KEY = "DCP_SHARDING_INFO"  # in a file's metadata: torch's HuggingFaceStorageWriter wrote it
MOST_DIMENSIONS = 8
LARGEST = 2**63 - 1
# In a folder: what is taken, the first that is there.
KNOWN_NAMES = (
    "model.safetensors.index.json", "adapter_model.safetensors.index.json", "model.safetensors",
    "adapter_model.safetensors",
)  # fmt: skip


class SafetensorsError(Refused):
    """A file is not safetensors, or files and index do not fit together."""


@dataclasses.dataclass(slots=True)
class FileTensor:
    """`byte_offset`: in the file. Types below a byte count their last dimension in bytes, and where
    `dtype` only has such bytes, `published_dtype` is the file's own name of what they are."""

    fqn: str
    dtype: str
    shape: tuple[int, ...]
    path: pathlib.Path
    byte_offset: int
    num_bytes: int
    published_dtype: str = ""


def object_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def parse_json(data: bytes, path: pathlib.Path | str) -> dict[str, Any]:
    brackets = data.count(b"[") + data.count(b"{")
    if brackets > FREE_BRACKETS + len(data) // BYTES_A_BRACKET:  # each would take twenty times its bytes in memory
        raise SafetensorsError(f"{path}: {brackets} brackets in {len(data)} bytes of JSON, more than tables of tensors have")
    try:
        value = json.loads(data, object_pairs_hook=object_pairs)
    except (ValueError, RecursionError) as error:
        raise SafetensorsError(f"{path}: no JSON: {error}") from None
    if not isinstance(value, dict):
        raise SafetensorsError(f"{path}: JSON of other than an object")
    return value


def whole_numbers(value: Any, count: int | None = None) -> bool:
    good = isinstance(value, list) and all(type(v) is int and 0 <= v <= LARGEST for v in value)
    return good and (count is None or len(value) == count)


def checked_tensor(fqn: str, entry: Any, path: pathlib.Path, begin: int, end: int) -> FileTensor:
    """A FileTensor; elements lie from `begin` to `end` of the file."""
    problem = name_problem(fqn)
    if problem:
        raise SafetensorsError(f"{path}: {problem}")
    where = f"{path}: tensor '{fqn[:80]}'"
    if not isinstance(entry, dict):
        raise SafetensorsError(f"{where}: no object")
    code: Any = entry.get("dtype")
    shape: Any = entry.get("shape")
    place: Any = entry.get("data_offsets")
    if not whole_numbers(shape) or len(shape) > MOST_DIMENSIONS:
        raise SafetensorsError(f"{where}: shape is not at most {MOST_DIMENSIONS} whole numbers")
    if not whole_numbers(place, 2) or place[0] > place[1] or place[1] > end - begin:
        raise SafetensorsError(f"{where}: data_offsets {place} leave {end - begin} bytes of data")
    bits = SAFETENSORS_BITS.get(code) if isinstance(code, str) else None
    if bits is not None:
        if not shape or shape[-1] * bits % 8:
            raise SafetensorsError(f"{where}: the last dimension of {code} fills no whole bytes")
        dtype = "float4_e2m1fn_x2" if code == "F4" else "uint8"
        shape = [*shape[:-1], shape[-1] * bits // 8]
    elif isinstance(code, str) and code in SAFETENSORS:
        dtype = SAFETENSORS[code]
    else:
        raise SafetensorsError(f"{where}: dtype {str(code)[:40]!r} is not known")
    num_bytes = math.prod(shape) * ITEM_SIZES[dtype]
    if num_bytes != place[1] - place[0]:
        raise SafetensorsError(
            f"{where}: {num_bytes} bytes by shape and dtype, {place[1] - place[0]} by data_offsets"
        )
    published = code if bits is not None and dtype == "uint8" else ""
    return FileTensor(fqn, dtype, tuple(shape), path, begin + place[0], num_bytes, published)


def read_header(path: pathlib.Path | str) -> tuple[dict[str, FileTensor], Any]:
    """{name: FileTensor} of one file, and its "__metadata__". Raises SafetensorsError, OSError."""
    path = pathlib.Path(path)
    with open_regular(path) as file:
        file.seek(0, 2)
        size = file.tell()
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or length > min(size - 8, MOST_HEADER_BYTES):
            raise SafetensorsError(f"{path}: {size} bytes, a header of {length}: no safetensors file")
        header = parse_json(file.read(length), path)
    metadata = header.pop("__metadata__", None)
    if isinstance(metadata, dict) and SHARDING_KEY in metadata:
        raise SafetensorsError(f"{path}: __metadata__ has '{SHARDING_KEY}': its tensors may be parts of others, expected whole "
                               "ones, as torch's consolidate_safetensors_files() writes them")  # fmt: skip
    tensors = {
        fqn: checked_tensor(fqn, entry, path, 8 + length, size) for fqn, entry in header.items()
    }
    at = 8 + length
    for tensor in sorted(tensors.values(), key=lambda t: (t.byte_offset, t.num_bytes)):
        if tensor.byte_offset < at:
            raise SafetensorsError(f"{path}: tensor '{tensor.fqn[:80]}' shares bytes with another")
        if tensor.byte_offset > at:
            raise SafetensorsError(f"{path}: {tensor.byte_offset - at} bytes before tensor '{tensor.fqn[:80]}' are of none")
        at = tensor.byte_offset + tensor.num_bytes
    if at != size:
        raise SafetensorsError(f"{path}: {size - at} bytes behind the last tensor are of none")
    return tensors, metadata


def find_source(path: pathlib.Path | str) -> pathlib.Path:
    """The file or index that `path` means: itself, or in a folder the one known name."""
    path = pathlib.Path(path)
    if not path.is_dir():
        return path
    for name in KNOWN_NAMES:
        if os.path.lexists(path / name):
            return path / name
    others = sorted([*path.glob("*" + INDEX_SUFFIX), *path.glob("*.safetensors")])
    indices = [p for p in others if p.name.endswith(INDEX_SUFFIX)]
    if len(indices or others) == 1:
        return (indices or others)[0]
    names = ", ".join(p.name for p in others[:5]) or "none"
    raise SafetensorsError(f"{path}: no known name, and not one safetensors file; found: {names}")


def is_file_name(name: str) -> bool:
    """Of a file beside the index."""
    known = is_utf8(name) and 0 < len(name.encode()) <= LONGEST_FILE_NAME
    return known and name not in (".", "..") and not set(name) & {"/", "\0"}


def read_index(path: pathlib.Path) -> dict[str, str]:
    with open_regular(path) as file:
        data = file.read(MOST_INDEX_BYTES + 1)
    if len(data) > MOST_INDEX_BYTES:
        raise SafetensorsError(f"{path}: an index of more than {MOST_INDEX_BYTES >> 20} MiB")
    names = parse_json(data, path).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(v, str) for v in names.values()):
        raise SafetensorsError(f"{path}: 'weight_map' is not a table of names to files")
    for name in names.values():
        if not is_file_name(name):
            raise SafetensorsError(f"{path}: '{name[:80]}' is no file beside it")
    return names


def read_safetensors(path: pathlib.Path | str) -> tuple[list[FileTensor], list[str]]:
    """(FileTensors by name, notes) of a file, an index, or a folder with one of them. The index
    decides which file's tensor counts."""
    source = find_source(path)
    if not source.name.endswith(".json"):
        tensors, _ = read_header(source)
        return sorted(tensors.values(), key=lambda t: t.fqn), []
    index = read_index(source)
    found, notes = [], []
    for file in sorted(set(index.values())):
        tensors, _ = read_header(source.parent / file)
        wanted = {fqn for fqn, name in index.items() if name == file}
        missing = sorted(wanted - tensors.keys())
        if missing:
            raise SafetensorsError(f"{source}: '{missing[0][:80]}' is not in {file}")
        found += [tensors[fqn] for fqn in wanted]
        left_out = len(tensors) - len(wanted)
        if left_out:
            notes.append(f"{file}: {left_out} tensors are not in the index and are left out")
    return sorted(found, key=lambda t: t.fqn), notes


def job_from_safetensors(path: pathlib.Path | str) -> Job:
    """A Job of one rank that holds every tensor whole: the files know of no ranks."""
    found, notes = read_safetensors(path)
    tensors = []
    for tensor in found:
        empty = math.prod(tensor.shape) == 0
        boxes = [] if empty else [((0,) * len(tensor.shape), tensor.shape)]
        holders: list[tuple[int, ...]] = [(0,)] * len(boxes)
        tensors.append(JobTensor(tensor.fqn, tensor.dtype, tensor.shape, boxes, holders))
    notes.append("safetensors files know of no ranks: one rank is written that holds everything")
    return Job({"kind": "safetensors"}, 1, True, "listed", tensors, [], notes)
