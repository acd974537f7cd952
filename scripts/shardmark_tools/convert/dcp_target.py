# SPDX-License-Identifier: Apache-2.0
"""Writes a DCP checkpoint that torch 1.13 or 2.x loads: `.metadata` and data files of archives."""

import functools
import math
import pathlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shardmark_tools.convert.layout_boxes import Box, Dims
from shardmark_tools.convert.new_folder import NewFolder, new_id
from shardmark_tools.convert.region import Region, always, contiguous_strides
from shardmark_tools.convert.streaming import Copy, run_copies
from shardmark_tools.convert.tensor_archive import new_archive
from shardmark_tools.convert.tensors import Checkpoint, ConvertError, Hashes, Tensor, checker
from shardmark_tools.job.dcp_metadata import METADATA_FILE
from shardmark_tools.job.dcp_names import PACKAGE, PROPERTIES_MODULE, SHARD_PACKAGE
from shardmark_tools.job.dtypes import ITEM_SIZES

FILE_BYTES = 4 << 30
FOR = ("torch-1.13", "torch-2")
NEW_DTYPES = {  # that torch 1.13 has not
    "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
    "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
}  # fmt: skip


# (fqn, offsets or None, index or None, file, address, bytes)
Place = tuple[str, Dims | None, int | None, str, int, int]


class _Pickle:
    """The opcodes of a Metadata object, protocol 2. Names and texts are remembered and recalled."""

    def __init__(self, target: str):
        self._old = target == "torch-1.13"
        self._package = SHARD_PACKAGE if self._old else PACKAGE
        self._memo: dict[Any, int] = {}
        self._out = bytearray(b"\x80\x02")

    def whole(self) -> bytes:
        return bytes(self._out) + b"."

    def _once(self, key: Any, opcodes: bytes) -> None:
        number = self._memo.get(key)
        if number is None:
            number = self._memo[key] = len(self._memo)
            self._out += opcodes + b"r" + struct.pack("<I", number)
        else:
            self._out += b"j" + struct.pack("<I", number)

    def name(self, module: str, name: str) -> None:
        self._once((module, name), f"c{module}\n{name}\n".encode())

    def text(self, value: str) -> None:
        data = value.encode()
        self._once(value, b"X" + struct.pack("<I", len(data)) + data)

    def number(self, value: int) -> None:
        if 0 <= value < 256:
            self._out += b"K" + bytes([value])
        elif -(2**31) <= value < 2**31:
            self._out += b"J" + struct.pack("<i", value)
        else:
            self._out += b"\x8a\x08" + struct.pack("<q", value)

    def raw(self, opcodes: bytes) -> None:
        self._out += opcodes

    def size(self, extents: Dims) -> None:
        self.name("torch", "Size")
        self.raw(b"(")
        for extent in extents:
            self.number(extent)
        self.raw(b"t\x85R")

    def begin(self, name: str, module: str = "metadata") -> None:
        """An object whose state follows as keys and values; end() closes it."""
        self.name(f"{self._package}.{module}", name)
        self.raw(b")\x81}(")

    def end(self) -> None:
        self.raw(b"ub")

    def properties(self, dtype: str) -> None:
        module = PROPERTIES_MODULE if self._old else f"{PACKAGE}.metadata"
        self.name(module, "TensorProperties")
        self.raw(b")\x81(")
        self.name("torch", dtype)
        self.name("torch.serialization", "_get_layout")
        self.text("torch.strided")
        self.raw(b"\x85R\x89")
        self.name(module, "MEM_FORMAT_ENCODING" if self._old else "_MEM_FORMAT_ENCODING")
        self.raw(b"K\x00\x85R\x89tb")

    def tensor(self, dtype: str, shape: Dims, boxes: Iterable[Box]) -> None:
        self.begin("TensorStorageMetadata")
        self.text("properties")
        self.properties(dtype)
        self.text("size")
        self.size(shape)
        self.text("chunks")
        self.raw(b"](")
        for offsets, sizes in boxes:
            self.begin("ChunkStorageMetadata")
            self.text("offsets")
            self.size(offsets)
            self.text("sizes")
            self.size(sizes)
            self.end()
        self.raw(b"e")
        self.end()

    def place(self, fqn: str, offsets: Dims | None, index: int | None, file: str, address: int,
              num_bytes: int) -> None:  # fmt: skip
        """An item of storage_data."""
        self.begin("MetadataIndex")
        self.text("fqn")
        self.text(fqn)
        self.text("offset")
        self.raw(b"N") if offsets is None else self.size(offsets)
        self.text("index")
        self.raw(b"N") if index is None else self.number(index)
        self.end()
        self.begin("_StorageInfo", "filesystem")
        self.text("relative_path")
        self.text(file)
        for key, value in (("offset", address), ("length", num_bytes)):
            self.text(key)
            self.number(value)
        self.end()

    def plain(self, value: Any) -> None:
        """Text, numbers, None, and sequences and dictionaries of them."""
        if value is None:
            self.raw(b"N")
        elif isinstance(value, str):
            self.text(value)
        elif isinstance(value, bool):
            self.raw(b"\x88" if value else b"\x89")
        elif isinstance(value, int):
            self.number(value)
        elif isinstance(value, dict):
            self.raw(b"}(")
            for key, item in value.items():
                self.plain(key)
                self.plain(item)
            self.raw(b"u")
        else:
            self.raw(b"(")
            for item in value:
                self.plain(item)
            self.raw(b"t")


def metadata_pickle(checkpoint: Checkpoint, places: Sequence[Place], target: str) -> bytes:
    out = _Pickle(target)
    out.begin("Metadata")
    out.text("state_dict_metadata")
    out.raw(b"}(")
    for tensor in checkpoint.tensors:
        out.text(tensor.fqn)
        out.tensor(tensor.dtype, tensor.shape, boxes_of(tensor))
    for item in checkpoint.objects:
        out.text(item.fqn)
        out.begin("BytesStorageMetadata")
        out.end()
    out.raw(b"u")
    out.text("planner_data")
    names = [tensor.fqn for tensor in checkpoint.tensors] + [item.fqn for item in checkpoint.objects]
    given = checkpoint.planner_data or {}
    out.plain(None if target == "torch-1.13" else {name: given.get(name, (name,)) for name in names})
    if checkpoint.mcore_data is not None and target != "torch-1.13":
        out.text("mcore_data")
        out.plain(checkpoint.mcore_data)
    out.text("storage_data")
    out.raw(b"}(")
    for place in places:
        out.place(*place)
    out.raw(b"u")
    out.end()
    return out.whole()


def boxes_of(tensor: Tensor) -> list[Box]:
    """Those of its chunks; a tensor without elements is one empty box, as DCP has it."""
    if tensor.chunks:
        return [(chunk.offsets, chunk.sizes) for chunk in tensor.chunks]
    return [((0,) * len(tensor.shape), tensor.shape)]


# (fqn, index, box, dtype or None, region, its offsets, expected)
Source = tuple[str, int | None, Box, str | None, Region | None, Dims, Hashes]


class _DataFiles:
    """Where archives and objects go: file after file of at most FILE_BYTES."""

    def __init__(self, folder: NewFolder):
        self._folder, self._number, self._size = folder, -1, 0
        self.total = 0

    def region(self, name: str, address: int, shape: Dims, item_size: int) -> Region:
        return Region(always(self._file), self._folder.path_of(name), address, shape, item_size,
                      past_cache=always(self._folder.past_cache(name)))  # fmt: skip

    def take(self, num_bytes: int) -> tuple[str, int]:
        """(name, address) of that much room."""
        if self._number < 0 or (self._size + num_bytes > FILE_BYTES and self._size):
            self._number, self._size = self._number + 1, 0
            self._name = f"__0_{self._number}.distcp"
            self._file = self._folder.create(self._name, 0)
        address = self._size
        self._size += num_bytes
        self.total += num_bytes
        self._folder.resize(self._name, self._size)
        return self._name, address


def objects_first(checkpoint: Checkpoint) -> Iterator[Source]:
    """Everything to be written."""
    for item in checkpoint.objects:
        yield item.fqn, None, ((0,), (item.num_bytes,)), None, item.region, (0,), item.expected
    for tensor in checkpoint.tensors:
        if not tensor.chunks:
            yield tensor.fqn, 0, boxes_of(tensor)[0], tensor.dtype, None, (), {}
        for index, chunk in enumerate(tensor.chunks):
            yield tensor.fqn, index, (chunk.offsets, chunk.sizes), tensor.dtype, chunk.region, chunk.region_offsets, chunk.expected


def copies(checkpoint: Checkpoint, folder: NewFolder, data_files: _DataFiles, places: list[Place]) -> Iterator[Copy]:
    """File after file. Lays out archive after archive as the copies are taken; fills `places`."""
    for fqn, index, (offsets, sizes), dtype, region, first, expected in objects_first(checkpoint):
        origin = (0,) * len(sizes)
        if dtype is None:
            name, address = data_files.take(sizes[0])
            places.append((fqn, None, None, name, address, sizes[0]))
            if region is not None and sizes[0]:
                target = data_files.region(name, address, sizes, 1)
                yield Copy(region, first, target, origin, sizes, set(expected), checker(fqn, origin, expected))
            continue
        archive = new_archive(dtype, sizes, contiguous_strides(sizes))
        name, address = data_files.take(archive.num_bytes)
        places.append((fqn, offsets, index, name, address, archive.num_bytes))
        folder.write(name, archive.head, address)
        item = ITEM_SIZES[dtype]
        folder.write(name, archive.tail, address + archive.data_offset + math.prod(sizes) * item)
        if region is None:
            continue
        checked = checker(fqn, offsets, expected)
        done = functools.partial(write_crcs, checked, folder, name, [address + place for place in archive.crc_offsets])
        target = data_files.region(name, address + archive.data_offset, sizes, item)
        yield Copy(region, first, target, origin, sizes, {"crc32", *expected}, done)


def write_crcs(checked: Callable[[Hashes], None], folder: NewFolder, name: str, addresses: Iterable[int],
               values: Hashes) -> None:  # fmt: skip
    """Into the archive, once the elements have passed."""
    checked(values)
    for address in addresses:
        folder.write(name, struct.pack("<I", values["crc32"]), address)


def check_dtypes(checkpoint: Checkpoint, target: str) -> None:
    for tensor in checkpoint.tensors:
        if target == "torch-1.13" and tensor.dtype in NEW_DTYPES:
            raise ConvertError(f"'{tensor.fqn}': torch 1.13 has no dtype {tensor.dtype}")


def write_dcp(checkpoint: Checkpoint, final: pathlib.Path, target: str) -> tuple[pathlib.Path, int]:
    """Writes the folder `final`. Returns (its path, bytes). Raises ConvertError, OSError."""
    check_dtypes(checkpoint, target)
    places: list[Place] = []
    with NewFolder(final, new_id(), checkpoint.finish_checks) as folder:
        data_files = _DataFiles(folder)
        run_copies(copies(checkpoint, folder, data_files, places), folder.finish)
        folder.create(METADATA_FILE, 0)
        folder.write(METADATA_FILE, metadata_pickle(checkpoint, places, target))
        folder.commit()
    return final, data_files.total
