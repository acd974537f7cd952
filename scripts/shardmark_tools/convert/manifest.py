# SPDX-License-Identifier: Apache-2.0
"""Shardmark's manifest and COMMIT as bytes, written from the format's description in ARCHITECTURE.md."""

import dataclasses
import math
from collections.abc import Iterable
from typing import NoReturn

import xxhash

from shardmark_tools.convert.layout_boxes import Box, Dims, Placement, layout_boxes
from shardmark_tools.convert.tensors import ConvertError, DamageError
from shardmark_tools.job.dtypes import ITEM_SIZES

FORMAT_VERSION = 2  # what is written
READABLE_VERSIONS = (1, 2)  # they differ in COMMIT alone
MAGIC = 0x544E414D4B524D53
NOWHERE = 2**64 - 1
MOST_DIMENSIONS = 8
MOST_PUBLISHED_BYTES = 64
DTYPES = (  # by number
    "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32",
    "int16", "int8", "uint8", "bool", "uint16", "uint32", "uint64", "complex64", "complex128",
    "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
)  # fmt: skip
WHOLE, HDF5_CHUNKS, SEPARATE = range(3)
AS_ASKED, ALWAYS_PLAIN = 0, 1
CHECKSUM_NONE, CHECKSUM_XXH3 = range(2)


@dataclasses.dataclass(slots=True)
class Entry:
    """`places`: (file number, address) of the whole (stored_as WHOLE) or of each box."""

    fqn: str
    is_object: bool
    dtype: str
    shape: Dims
    boxes: list[Box]
    stored_as: int = WHOLE
    reason: int = AS_ASKED
    places: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    published_dtype: str = ""  # where `dtype` only has its width

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * ITEM_SIZES[self.dtype]

    def piece(self, number: int) -> tuple[int, int, Dims, Dims]:
        """(file number, address, offsets, sizes) of what lies in one piece and holds box `number`."""
        if self.stored_as == WHOLE:
            return (*self.places[0], (0,) * len(self.shape), self.shape)
        offsets, sizes = self.boxes[number]
        return (*self.places[number], offsets, sizes if self.stored_as == SEPARATE else self.boxes[0][1])


@dataclasses.dataclass(slots=True)
class Manifest:
    step: int
    seed: int
    save_id: str
    world_size: int
    file_layout: int
    checksum: int
    checksums_address: int  # -1: none
    files: list[str]
    entries: list[Entry]  # by fqn, as UTF-8

    @property
    def num_chunks(self) -> int:
        return sum(len(entry.boxes) for entry in self.entries)


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def number(self, value: int) -> None:
        while value >= 0x80:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def numbers(self, values: Iterable[int]) -> None:
        for value in values:
            self.number(value)

    def word(self, value: int) -> None:
        self.data += value.to_bytes(8, "little")

    def text(self, value: str) -> None:
        encoded = value.encode()
        self.number(len(encoded))
        self.data += encoded


def encode(manifest: Manifest) -> bytes:
    """Boxes are listed, layouts never written."""
    out = _Writer()
    out.word(MAGIC)
    out.numbers((FORMAT_VERSION, manifest.step))
    out.word(manifest.seed)
    out.text(manifest.save_id)
    out.numbers((manifest.world_size, manifest.file_layout, manifest.checksum,
                 manifest.checksums_address + 1, len(manifest.files)))  # fmt: skip
    for name in manifest.files:
        out.text(name)
    out.number(len(manifest.entries))
    for entry in manifest.entries:
        out.text(entry.fqn)
        out.numbers((int(entry.is_object), DTYPES.index(entry.dtype), len(entry.shape)))
        out.numbers(entry.shape)
        out.number(len(entry.boxes))
    for entry in manifest.entries:
        out.numbers((entry.stored_as, entry.reason))
        for file, address in entry.places:
            out.number(file)
            out.word(address)
    out.number(0)
    for entry in manifest.entries:
        for offsets, sizes in entry.boxes:
            out.numbers((*offsets, *sizes))
    published = [(at, entry.published_dtype) for at, entry in enumerate(manifest.entries) if entry.published_dtype]
    if published:
        out.number(len(published))
        for at, name in published:
            out.number(at)
            out.text(name)
    out.word(xxhash.xxh3_64_intdigest(out.data))
    return bytes(out.data)


class _Reader:
    """Of bytes whose own hash was right; still no length is believed before it fits."""

    def __init__(self, data: bytes, where: str):
        self.data, self.at, self.where = data, 0, where

    def fail(self, problem: str) -> NoReturn:
        raise DamageError(f"{self.where}: {problem} at byte {self.at}")

    def number(self, most: int = 2**63 - 1) -> int:
        value = shift = 0
        while True:
            if self.at >= len(self.data) or shift > 63:
                self.fail("cut short")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if value > most:
            self.fail(f"number {value} above {most}")
        return value

    def numbers(self, count: int) -> Dims:
        return tuple(self.number() for _ in range(count))

    def length(self) -> int:
        return self.number(len(self.data) - self.at)

    def word(self) -> int:
        if len(self.data) - self.at < 8:
            self.fail("cut short")
        self.at += 8
        return int.from_bytes(self.data[self.at - 8 : self.at], "little")

    def text(self) -> str:
        count = self.length()
        self.at += count
        try:
            return str(self.data[self.at - count : self.at], "utf-8")
        except UnicodeDecodeError:
            self.fail("a name that is no UTF-8")


def _read_entry(reader: _Reader) -> tuple[Entry, int]:
    """An Entry and its number of chunks."""
    fqn, is_object = reader.text(), bool(reader.number(1))
    dtype = DTYPES[reader.number(len(DTYPES) - 1)]
    shape = reader.numbers(reader.number(MOST_DIMENSIONS))
    elements, chunks = math.prod(shape), reader.number()
    if chunks > elements or (elements and not chunks) or elements > 2**63:
        reader.fail(f"'{fqn}' has {chunks} chunks and {elements} elements")
    return Entry(fqn, is_object, dtype, shape, []), chunks


def _read_places(reader: _Reader, entry: Entry, chunks: int) -> None:
    entry.stored_as, entry.reason = reader.number(2), reader.number()
    for _ in range(1 if entry.stored_as == WHOLE else chunks):
        entry.places.append((reader.number(), reader.word()))


def _read_layout(reader: _Reader) -> tuple[Dims, tuple[Placement, ...]]:
    """(mesh, placements) as layout_boxes() takes them."""
    ndim = reader.number(MOST_DIMENSIONS)
    mesh = reader.numbers(ndim)
    reader.numbers(ndim + 1)  # strides and first rank
    placements = []
    for _ in range(ndim):
        kind = reader.number(2)
        dimension = reader.number(2 * MOST_DIMENSIONS) - MOST_DIMENSIONS if kind else 0
        placements.append((("R", "S", "SS")[kind], dimension, reader.number() if kind == 2 else 1))
    return mesh, tuple(placements)


def _read_boxes(reader: _Reader, entries: list[tuple[Entry, int]]) -> None:
    layouts: list[tuple[Dims, tuple[Placement, ...]]] = []
    numbers = [0] * len(entries)
    if reader.number(1):
        layouts = [_read_layout(reader) for _ in range(reader.length())]
        numbers = [reader.number(len(layouts)) for _ in entries]
    known: dict[tuple[int, Dims], list[Box]] = {}
    for (entry, chunks), number in zip(entries, numbers):
        if number:
            key = number, entry.shape
            if key not in known:
                known[key] = layout_boxes(entry.shape, *layouts[number - 1])
            entry.boxes = known[key]
            if len(entry.boxes) != chunks:
                reader.fail(f"'{entry.fqn}': {len(entry.boxes)} boxes by its layout, not {chunks}")
            continue
        ndim = len(entry.shape)
        for _ in range(chunks):
            offsets, sizes = reader.numbers(ndim), reader.numbers(ndim)
            if 0 in sizes or any(o + s > n for o, s, n in zip(offsets, sizes, entry.shape)):
                reader.fail(f"'{entry.fqn}': box {sizes} at {offsets}")
            entry.boxes.append((offsets, sizes))


def _read_published_dtypes(reader: _Reader, entries: list[tuple[Entry, int]]) -> None:
    least = 0
    for _ in range(reader.length()):
        at = reader.number(len(entries) - 1)
        entry, name = entries[at][0], reader.text()
        if at < least or entry.is_object or not 0 < len(name.encode()) <= MOST_PUBLISHED_BYTES:
            reader.fail(f"the published dtype of '{entry.fqn}'")
        entry.published_dtype, least = name, at + 1


def decode(data: bytes, where: str) -> Manifest:
    """Raises ConvertError."""
    if len(data) < 24 or xxhash.xxh3_64_intdigest(data[:-8]) != int.from_bytes(data[-8:], "little"):
        raise DamageError(f"{where}: its checksum does not match")
    reader = _Reader(data[:-8], where)
    if reader.word() != MAGIC or reader.number() not in READABLE_VERSIONS:
        raise ConvertError(f"{where}: not a manifest of version {READABLE_VERSIONS}")
    step, seed, save_id = reader.number(), reader.word(), reader.text()
    world_size, layout, checksum = reader.number(), reader.number(), reader.number(1)
    address = reader.number() - 1
    files = [reader.text() for _ in range(reader.length())]
    entries = [_read_entry(reader) for _ in range(reader.length())]
    for entry, chunks in entries:
        _read_places(reader, entry, chunks)
    _read_boxes(reader, entries)
    if reader.at != len(reader.data):
        _read_published_dtypes(reader, entries)
    if reader.at != len(reader.data):
        reader.fail("bytes after the end")
    return Manifest(step, seed, save_id, world_size, layout, checksum, address, files,
                    [entry for entry, _ in entries])  # fmt: skip


def element_ranges(manifest: Manifest, file_number: int) -> list[tuple[int, int]]:
    """[(address, bytes)] of elements in a file, ascending: what no structure hash counts. Of padded
    hdf5_chunks each row that holds elements."""
    ranges = []
    for entry in manifest.entries:
        if entry.stored_as == WHOLE:
            if entry.num_bytes and entry.places[0][0] == file_number:
                ranges.append((entry.places[0][1], entry.num_bytes))
            continue
        item = ITEM_SIZES[entry.dtype]
        for number, (offsets, sizes) in enumerate(entry.boxes):
            file, address, _first, stored = entry.piece(number)
            if file == file_number:
                ranges += _box_ranges(address, sizes, stored, item)
    ranges.sort()
    return ranges


def _box_ranges(address: int, sizes: Dims, stored: Dims, item: int) -> list[tuple[int, int]]:
    """Runs of a box at the corner of a stored one."""
    if not sizes or sizes[1:] == stored[1:]:
        return [(address, math.prod(sizes) * item)]
    step = math.prod(stored[1:]) * item
    return [
        part
        for row in range(sizes[0])
        for part in _box_ranges(address + row * step, sizes[1:], stored[1:], item)
    ]
