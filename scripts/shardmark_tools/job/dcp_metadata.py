# SPDX-License-Identifier: Apache-2.0
"""The `.metadata` of a PyTorch DCP checkpoint: which boxes of which tensors lie where.

Read without PyTorch and without running anything that the file names (`pickle_reader`). What
`read_metadata()` returns is checked: names are text, boxes lie inside their tensors and cover them
once, each is stored in a file of the checkpoint's own folder.
"""

import dataclasses
import itertools
import math
import pathlib
import re
from typing import Any

from shardmark_tools.job import dcp_names
from shardmark_tools.job.box_cover import Extents, cover_problem
from shardmark_tools.job.dtypes import ITEM_SIZES, REFUSED
from shardmark_tools.job.limits import LimitError, Limits
from shardmark_tools.job.name_form import is_utf8, name_problem
from shardmark_tools.job.pickle_reader import PickleError, PickleReader, Record, kind_of, shown
from shardmark_tools.refusal import Refused
from shardmark_tools.regular_file import open_regular

# (name, offsets or None): (file, byte offset, bytes)
Storage = dict[tuple[str, Extents | None], tuple[str, int, int]]
METADATA_FILE = ".metadata"
MOST_DIMENSIONS = 8
MOST_RANKS = 1 << 24
# Megatron-Core puts a word before it where it keeps some tensors in files of their own.
WRITER_PATTERN = re.compile(r".*__(\d{1,9})_\d+\.distcp")


class MetadataError(Refused):
    """The file is not what DCP writes, or cannot be used."""


@dataclasses.dataclass(slots=True)
class StoredChunk:
    """A box of a tensor and the bytes of `file` that hold it, as torch.save wrote them."""

    offsets: Extents
    sizes: Extents
    file: str
    byte_offset: int
    num_bytes: int

    @property
    def writer(self) -> int | None:
        """The rank that wrote it, by the file's name, or None."""
        match = WRITER_PATTERN.fullmatch(self.file)
        return int(match[1]) if match else None


@dataclasses.dataclass(slots=True)
class StoredTensor:
    fqn: str
    dtype: str
    shape: Extents
    chunks: list[StoredChunk]  # by offsets; those without elements are left out

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * ITEM_SIZES[self.dtype]


@dataclasses.dataclass(slots=True)
class DcpCheckpoint:
    """`objects`: one StoredChunk without offsets and sizes each. `version`: "1.13" or "2". `world_size`: of the
    ranks that planned, where every rank's plan is there (Megatron-Core), else None."""

    path: pathlib.Path
    version: str
    tensors: list[StoredTensor]
    objects: dict[str, StoredChunk]
    planner_data: object
    mcore_data: object
    world_size: int | None = None


def state_of(value: Any, kind: str, where: str) -> dict[str, Any]:
    if not isinstance(value, Record) or value.kind != kind:
        raise MetadataError(f"{where}: {kind_of(value)} instead of {kind}")
    if value.state is None:
        return {}
    if not isinstance(value.state, dict):
        raise MetadataError(f"{where}: {kind} with a state of kind {kind_of(value.state)}")
    return value.state


def extents(value: Any, where: str, ndim: int | None = None) -> Extents:
    """A torch.Size or tuple of numbers that are not negative."""
    good = isinstance(value, tuple) and all(
        type(v) is int and 0 <= v <= dcp_names.LARGEST for v in value
    )
    if not good:
        raise MetadataError(f"{where}: {kind_of(value)} instead of a torch.Size")
    if ndim is not None and len(value) != ndim:
        raise MetadataError(f"{where}: {len(value)} dimensions, expected {ndim}")
    return value


def checked_name(fqn: Any, where: str) -> str:
    if type(fqn) is not str:
        raise MetadataError(f"{where}: a name of kind {kind_of(fqn)}")
    problem = name_problem(fqn)
    if problem:
        raise MetadataError(f"{where}: {problem}")
    return fqn


def checked_storage(value: Any, where: str) -> tuple[str, int, int]:
    """(file, byte offset, bytes) of a _StorageInfo."""
    state = state_of(value, "_StorageInfo", where)
    file, offset, length = (state.get(k) for k in ("relative_path", "offset", "length"))
    if type(file) is not str or type(offset) is not int or type(length) is not int:
        raise MetadataError(f"{where}: its place in a file is incomplete")
    if not is_utf8(file) or file.startswith("/") or "\0" in file or {"", ".", ".."} & set(file.split("/")):
        raise MetadataError(f"{where}: '{shown(file)}' is no file of the checkpoint's own folder")
    if not 0 <= offset <= dcp_names.LARGEST or not 0 <= length <= dcp_names.LARGEST - offset:
        raise MetadataError(f"{where}: {length} bytes at {offset} of '{shown(file)}'")
    if state.get("transform_descriptors"):
        raise MetadataError(f"{where}: it was compressed or encrypted when saved")
    return file, offset, length


def storage_table(value: Any, limits: Limits, where: str) -> Storage:
    """{(fqn, offsets or None): (file, byte offset, bytes)}."""
    if type(value) is not dict:
        raise MetadataError(f"{where}: storage_data is {kind_of(value)}, not a dictionary")
    table = {}
    for number, (index, info) in enumerate(value.items()):
        if number % 1024 == 0:
            limits.check()
        key = state_of(index, "MetadataIndex", f"{where}: storage_data")
        fqn, offset = checked_name(key.get("fqn"), f"{where}: storage_data"), key.get("offset")
        here = f"{where}: '{shown(fqn)}'"
        place = (fqn, None if offset is None else extents(offset, here))
        if place in table:
            raise MetadataError(f"{here}: stored twice at offset {place[1]}")
        table[place] = checked_storage(info, here)
    return table


def dtype_of(value: Any, where: str) -> str:
    if not isinstance(value, Record) or value.kind != "TensorProperties":
        raise MetadataError(f"{where}: {kind_of(value)} instead of TensorProperties")
    state = value.state
    first = state.get("dtype") if isinstance(state, dict) else (state or (None,))[0]
    if not isinstance(first, dcp_names.DtypeName):
        raise MetadataError(f"{where}: {kind_of(first)} instead of a dtype")
    if first.text in REFUSED:
        raise MetadataError(f"{where}: dtype torch.{first.text} is not supported")
    return first.text


def read_chunk(value: Any, fqn: str, shape: Extents, storage: Storage, where: str) -> StoredChunk | None:
    """A StoredChunk, or None for a box without elements."""
    state = state_of(value, "ChunkStorageMetadata", where)
    offsets = extents(state.get("offsets"), f"{where}: offsets", len(shape))
    sizes = extents(state.get("sizes"), f"{where}: sizes", len(shape))
    if any(o + s > n for o, s, n in zip(offsets, sizes, shape)):
        raise MetadataError(f"{where}: box {sizes} at {offsets} leaves the tensor {shape}")
    if 0 in sizes:
        return None
    place = storage.get((fqn, offsets))
    if place is None:
        raise MetadataError(f"{where}: the box at {offsets} is stored nowhere")
    return StoredChunk(offsets, sizes, *place)


def read_tensor(fqn: str, state: dict[str, Any], storage: Storage, limits: Limits, where: str) -> StoredTensor:
    dtype = dtype_of(state.get("properties"), where)
    shape = extents(state.get("size"), f"{where}: size")
    if len(shape) > MOST_DIMENSIONS:
        raise MetadataError(f"{where}: {len(shape)} dimensions, at most {MOST_DIMENSIONS}")
    if math.prod(shape) * ITEM_SIZES[dtype] > dcp_names.LARGEST:
        raise MetadataError(f"{where}: {shape} of {dtype} has more than 2^63 bytes")
    listed = state.get("chunks")
    if type(listed) is not list:
        raise MetadataError(f"{where}: chunks is {kind_of(listed)}, not a list")
    chunks = []
    for number, value in enumerate(listed):
        if number % 1024 == 0:
            limits.check()
        chunk = read_chunk(value, fqn, shape, storage, where)
        if chunk is not None:
            chunks.append(chunk)
    chunks.sort(key=lambda chunk: chunk.offsets)
    problem = cover_problem(shape, [(c.offsets, c.sizes) for c in chunks], limits)
    if problem:
        raise MetadataError(f"{where}: {problem}")
    return StoredTensor(fqn, dtype, shape, chunks)


def plain_data(value: Any, most: int, limits: Limits, where: str) -> Any:
    """A value of dictionaries, sequences, text and numbers, reached at most `most` times; else an
    error. Shared parts count each time: a bomb has more of them than its pickle has bytes."""
    rest = [value]
    for number in itertools.count():
        if not rest:
            return value
        if number % 1024 == 0:
            limits.check()
        item = rest.pop()
        if isinstance(item, dict):
            rest.extend(item)
            rest.extend(item.values())
        elif isinstance(item, (list, tuple)):
            rest.extend(item)
        elif not isinstance(item, (str, int, float, bytes, type(None))):
            raise MetadataError(f"{where}: holds a {kind_of(item)}")
        if number + len(rest) > most:
            raise MetadataError(f"{where}: too large")
    raise AssertionError("unreachable")


def read_entries(entries: Any, storage: Storage, limits: Limits,
                 where: str) -> tuple[list[StoredTensor], dict[str, StoredChunk]]:  # fmt: skip
    """The tensors by name, and {object: StoredChunk}."""
    if type(entries) is not dict:
        raise MetadataError(f"{where}: state_dict_metadata is {kind_of(entries)}")
    tensors, objects = [], {}
    for fqn, value in entries.items():
        limits.check()
        here = f"{where}: '{shown(checked_name(fqn, where))}'"
        if isinstance(value, Record) and value.kind == "BytesStorageMetadata":
            place = storage.get((fqn, None))
            if place is None:
                raise MetadataError(f"{here}: stored nowhere")
            objects[fqn] = StoredChunk((), (), *place)
        else:
            state = state_of(value, "TensorStorageMetadata", here)
            tensors.append(read_tensor(fqn, state, storage, limits, here))
    tensors.sort(key=lambda tensor: tensor.fqn)
    return tensors, objects


def number_of_plans(value: Any, where: str) -> int | None:
    """How many ranks planned, of `all_local_plans`."""
    if value is None:
        return None
    if type(value) is not list or not value or len(value) > MOST_RANKS:
        raise MetadataError(f"{where}: all_local_plans is {kind_of(value)}, not a list of 1 to {MOST_RANKS} plans")
    for plan in value:
        state_of(plan, "SavePlan", f"{where}: all_local_plans")
    return len(value)


def parse_metadata(data: bytes, path: pathlib.Path, limits: Limits) -> DcpCheckpoint:
    """The checkpoint that the bytes of `.metadata` tell of. Raises MetadataError, LimitError."""
    where = str(path / METADATA_FILE)
    try:
        root = PickleReader(data, dcp_names.metadata_names(), limits, where).read()
    except PickleError as error:
        raise MetadataError(str(error)) from None
    versions = {f"{dcp_names.SHARD_PACKAGE}.Metadata": "1.13", f"{dcp_names.PACKAGE}.Metadata": "2"}
    if not isinstance(root, Record) or root.kind not in versions:
        raise MetadataError(f"{where}: holds a {kind_of(root)}, not DCP's Metadata")
    state = state_of(root, root.kind, where)
    try:
        storage = storage_table(state.get("storage_data"), limits, where)
        tensors, objects = read_entries(state.get("state_dict_metadata"), storage, limits, where)
        most = len(data)
        planner_data = plain_data(state.get("planner_data"), most, limits, f"{where}: planner_data")
        mcore_data = plain_data(state.get("mcore_data"), most, limits, f"{where}: mcore_data")
        world_size = number_of_plans(state.get("all_local_plans"), where)
    except LimitError as error:
        raise LimitError(f"{where}: {error}") from None
    return DcpCheckpoint(path, versions[root.kind], tensors, objects, planner_data, mcore_data, world_size)


def read_metadata(directory: pathlib.Path | str, limits: Limits | None = None) -> DcpCheckpoint:
    """Reads DIRECTORY/.metadata. Raises MetadataError, LimitError, OSError."""
    limits = limits or Limits()
    path = pathlib.Path(directory)
    with open_regular(path / METADATA_FILE) as file:
        file.seek(0, 2)
        limits.check_bytes(file.tell(), str(path / METADATA_FILE))
        file.seek(0)
        data = file.read()
    return parse_metadata(data, path, limits)
