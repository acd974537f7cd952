# SPDX-License-Identifier: Apache-2.0
"""The zip archive that torch.save makes of one tensor: where its elements lie in it, and a new one."""

import dataclasses
import math
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from shardmark_tools.convert.layout_boxes import Dims
from shardmark_tools.convert.tensors import ConvertError, DamageError
from shardmark_tools.job.dcp_names import DtypeName, size
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.limits import Limits
from shardmark_tools.job.pickle_reader import Name, PickleError, PickleReader, kind_of

STORAGES = {  # PyTorch's typed storages; the other dtypes have bytes without a type
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128",
}  # fmt: skip
STORAGE_OF = {dtype: name for name, dtype in STORAGES.items()}
END, END_64, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
ENTRY, LOCAL = b"PK\x01\x02", b"PK\x03\x04"
END_BYTES, LOCATOR_BYTES, END_64_BYTES, ENTRY_BYTES, LOCAL_BYTES = 22, 20, 56, 46, 30
MOST_DIRECTORY_BYTES = 1 << 20
MOST_PICKLE_BYTES = 1 << 20
UTF8_NAMES = 0x800
DATA_ALIGNMENT = 64
FULL_32, FULL_16 = 0xFFFFFFFF, 0xFFFF
# pread(bytes, address) gives that many bytes or raises.
Pread = Callable[[int, int], bytes]


@dataclasses.dataclass(slots=True)
class Record:
    """A stored file of an archive: `address` in the data file."""

    address: int
    num_bytes: int
    crc32: int


@dataclasses.dataclass(slots=True)
class SavedTensor:
    """`strides` count elements; `crc32` is of the whole record, `covers_record`: nothing else is in it."""

    dtype: str
    shape: Dims
    strides: Dims
    address: int
    crc32: int
    covers_record: bool


# Reading


def _directory_place(pread: Pread, begin: int, end: int, where: str) -> tuple[int, int, int]:
    """(address, bytes, number of entries) of the central directory."""
    tail = pread(END_BYTES, end - END_BYTES)
    if tail[:4] != END:
        raise DamageError(f"{where}: no archive of torch.save ends there")
    count, length, offset = struct.unpack_from("<HII", tail, 10)
    if FULL_32 in (length, offset) or count == FULL_16:
        locator = pread(LOCATOR_BYTES, end - END_BYTES - LOCATOR_BYTES)
        at = struct.unpack_from("<Q", locator, 8)[0] if locator[:4] == LOCATOR_64 else end
        record = pread(END_64_BYTES, begin + at) if at <= end - begin - END_64_BYTES else b""
        if record[:4] != END_64:
            raise DamageError(f"{where}: its zip directory is damaged")
        count, length, offset = struct.unpack_from("<QQQ", record, 32)
    if length > MOST_DIRECTORY_BYTES or offset + length > end - begin:
        raise ConvertError(f"{where}: a zip directory of {length} bytes at {offset}")
    return begin + offset, length, count


def _wide_fields(extra: bytes, values: list[int]) -> list[int]:
    """Replaces what is 2^32 - 1 in `values` (bytes, stored bytes, offset) by the zip64 field's."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            rest = iter(struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8]))
            return [next(rest, (v,))[0] if v == FULL_32 else v for v in values]
        at += 4 + length
    return values


def _records(pread: Pread, begin: int, end: int, where: str) -> dict[str, Record]:
    """{name without the archive's own folder: Record}."""
    address, length, count = _directory_place(pread, begin, end, where)
    data, at, found = pread(length, address), 0, dict[str, Record]()
    for _ in range(count):
        if data[at : at + 4] != ENTRY or at + ENTRY_BYTES > len(data):
            raise DamageError(f"{where}: its zip directory is damaged")
        method, crc = struct.unpack_from("<HxxxxI", data, at + 10)
        stored, full = struct.unpack_from("<II", data, at + 20)
        name_bytes, extra_bytes, comment_bytes = struct.unpack_from("<HHH", data, at + 28)
        (offset,) = struct.unpack_from("<I", data, at + 42)
        name = data[at + ENTRY_BYTES : at + ENTRY_BYTES + name_bytes].decode("utf-8", "replace")
        extra = data[at + ENTRY_BYTES + name_bytes :][:extra_bytes]
        full, stored, offset = _wide_fields(extra, [full, stored, offset])
        at += ENTRY_BYTES + name_bytes + extra_bytes + comment_bytes
        if offset > end - begin - LOCAL_BYTES:
            raise ConvertError(f"{where}: '{name}' lies outside the archive")
        local = pread(LOCAL_BYTES, begin + offset)
        if method or full != stored or local[:4] != LOCAL:
            raise ConvertError(f"{where}: '{name}' is compressed or damaged")
        skipped = LOCAL_BYTES + sum(struct.unpack_from("<HH", local, 26))
        if full > end - begin - offset - skipped:
            raise ConvertError(f"{where}: '{name}' claims {full} bytes")
        found[name.partition("/")[2]] = Record(begin + offset + skipped, full, crc)
    return found


@dataclasses.dataclass(slots=True)
class Storage:
    dtype: str | None
    key: str
    count: int


def _persistent(value: Any) -> Storage:
    if not isinstance(value, tuple) or len(value) != 5 or value[0] != "storage":
        raise PickleError("a persistent id of other than a storage")
    _, kind, key, _place, count = value
    if not isinstance(kind, Name) or type(key) is not str or type(count) is not int:
        raise PickleError(f"a storage of kind {kind_of(kind)}")
    return Storage(STORAGES.get(kind.text), key, count)


def rebuilt(args: tuple[Any, ...]) -> tuple[Storage, str, int, Dims, Dims]:
    """torch._utils._rebuild_tensor_v2 and _v3."""
    if len(args) in (7, 8) and isinstance(args[-1], dict):
        raise PickleError("a tensor that is conjugated or negated by a mark alone; PyTorch's resolve_conj() and "
                          "resolve_neg() make one that can be stored")  # fmt: skip
    if len(args) not in (6, 7) or not isinstance(args[0], Storage):
        raise PickleError("a tensor without its storage")
    storage, offset, shape, strides = args[:4]
    dtype = storage.dtype
    if len(args) == 7:
        dtype = args[6].text if isinstance(args[6], DtypeName) else None
    if dtype not in ITEM_SIZES or type(offset) is not int or offset < 0:
        raise PickleError("a tensor of an unknown dtype or offset")
    if len(size((shape,))) != len(size((strides,))):
        raise PickleError("a tensor whose strides are not those of its shape")
    return storage, dtype, offset, shape, strides


def _names() -> dict[tuple[str, str], Name | DtypeName]:
    names: dict[tuple[str, str], Name | DtypeName] = {("torch", name): Name(name) for name in STORAGES}
    names["torch.storage", "UntypedStorage"] = Name("UntypedStorage")
    names["collections", "OrderedDict"] = Name("collections.OrderedDict", lambda _args: None)
    names["torch", "Size"] = Name("torch.Size", size)
    for version in (2, 3):
        name = f"_rebuild_tensor_v{version}"
        names["torch._utils", name] = Name(name, rebuilt)
    names.update({("torch", name): DtypeName(name) for name in ITEM_SIZES})
    return names


NAMES = _names()


def find_tensor(pread: Pread, begin: int, num_bytes: int, where: str) -> SavedTensor:
    """The SavedTensor in bytes begin to begin + num_bytes of a file. Raises ConvertError."""
    if num_bytes < END_BYTES:
        raise ConvertError(f"{where}: {num_bytes} bytes are no archive")
    records = _records(pread, begin, begin + num_bytes, where)
    pickled = records.get("data.pkl")
    if pickled is None or pickled.num_bytes > MOST_PICKLE_BYTES:
        raise ConvertError(f"{where}: no data.pkl of at most {MOST_PICKLE_BYTES} bytes")
    order = records.get("byteorder")
    if order and pread(min(order.num_bytes, 16), order.address) != b"little":
        raise ConvertError(f"{where}: saved on a big-endian machine")
    data = pread(pickled.num_bytes, pickled.address)
    if zlib.crc32(data) != pickled.crc32:
        raise DamageError(f"{where}: data.pkl: its CRC-32 does not match")
    try:
        value = PickleReader(data, NAMES, Limits(), f"{where}: data.pkl", _persistent).read()
    except PickleError as error:
        raise ConvertError(str(error)) from None
    if not isinstance(value, tuple) or len(value) != 5 or not isinstance(value[0], Storage):
        raise ConvertError(f"{where}: holds a {kind_of(value)}, not a tensor")
    storage, dtype, offset, shape, strides = value
    record = records.get(f"data/{storage.key}")
    item = ITEM_SIZES[dtype]
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides))
    count = math.prod(shape)
    if record is None or (count and (last + 1) * item > record.num_bytes):
        raise ConvertError(f"{where}: its elements are not in the archive")
    return SavedTensor(dtype, shape, strides, record.address + offset * item, record.crc32,
                       count * item == record.num_bytes)  # fmt: skip


# Writing


def _pickle_text(text: str) -> bytes:
    data = text.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _pickle_int(value: int) -> bytes:
    if 0 <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    return b"\x8a\x08" + struct.pack("<q", value)


def _pickle_tuple(values: Sequence[int]) -> bytes:
    return b"(" + b"".join(map(_pickle_int, values)) + b"t"


def tensor_pickle(dtype: str, shape: Dims, strides: Dims) -> bytes:
    """data.pkl of a tensor that has its storage for itself."""
    typed, count = STORAGE_OF.get(dtype), math.prod(shape)
    storage = f"ctorch\n{typed}\n" if typed else "ctorch.storage\nUntypedStorage\n"
    persistent = b"(" + _pickle_text("storage") + storage.encode() + _pickle_text("0")
    persistent += _pickle_text("cpu") + _pickle_int(count if typed else count * ITEM_SIZES[dtype]) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    args = persistent + _pickle_int(0) + _pickle_tuple(shape) + _pickle_tuple(strides) + b"\x89" + hooks
    if not typed:
        args += f"ctorch\n{dtype}\n".encode()
    rebuild = f"ctorch._utils\n_rebuild_tensor_v{2 if typed else 3}\n".encode()
    return b"\x80\x02" + rebuild + b"(" + args + b"tR."


@dataclasses.dataclass(slots=True)
class NewArchive:
    """All bytes of an archive but those of its elements, which go to `data_offset`. `crc_offsets`: where
    the elements' CRC-32 is to be written once it is known."""

    head: bytes
    tail: bytes
    data_offset: int
    num_bytes: int
    crc_offsets: tuple[int, int]


def _zip64(values: list[int]) -> tuple[list[int], bytes]:
    """(fields for 32 bits, extra field) of sizes and offsets."""
    wide = [v for v in values if v >= FULL_32]
    extra = struct.pack("<HH", 1, 8 * len(wide)) + struct.pack(f"<{len(wide)}Q", *wide) if wide else b""
    return [min(v, FULL_32) for v in values], extra


def _local(name: bytes, num_bytes: int, crc: int, pad_to: int = 0, at: int = 0) -> bytes:
    """A local header at `at` of the archive; its data then begins at a multiple of `pad_to`."""
    (stored, full), extra = _zip64([num_bytes, num_bytes])
    if pad_to:
        padding = -(at + LOCAL_BYTES + len(name) + len(extra) + 4) % pad_to
        extra += b"FB" + struct.pack("<H", padding) + b"Z" * padding
    fields = (LOCAL, 45 if num_bytes >= FULL_32 else 20, UTF8_NAMES, 0, 0, 0x21, crc, stored, full,
              len(name), len(extra))  # fmt: skip
    return struct.pack("<4sHHHHHIIIHH", *fields) + name + extra


def _entry(name: bytes, num_bytes: int, crc: int, offset: int) -> bytes:
    (full, stored, offset), extra = _zip64([num_bytes, num_bytes, offset])
    version = 45 if extra else 20
    fields = (ENTRY, version, version, UTF8_NAMES, 0, 0, 0x21, crc, stored, full, len(name), len(extra),
              0, 0, 0, 0, offset)  # fmt: skip
    return struct.pack("<4sHHHHHHIIIHHHHHII", *fields) + name + extra


def _end(count: int, length: int, offset: int) -> bytes:
    wide = offset >= FULL_32
    data = b""
    if wide:
        data += struct.pack("<4sQHHIIQQQQ", END_64, 44, 45, 45, 0, 0, count, count, length, offset)
        data += struct.pack("<4sIQI", LOCATOR_64, 0, offset + length, 1)
    return data + struct.pack("<4sHHHHIIH", END, 0, 0, count, count, length, min(offset, FULL_32), 0)


def new_archive(dtype: str, shape: Dims, strides: Dims) -> NewArchive:
    """The NewArchive of a tensor, as torch 1.13 and 2.x both load it."""
    small = [(b"archive/data.pkl", tensor_pickle(dtype, shape, strides)), (b"archive/byteorder", b"little")]
    head, entries = b"", b""
    for name, data in small:
        entries += _entry(name, len(data), zlib.crc32(data), len(head))
        head += _local(name, len(data), zlib.crc32(data)) + data
    num_bytes, name = math.prod(shape) * ITEM_SIZES[dtype], b"archive/data/0"
    at = len(head)
    head += _local(name, num_bytes, 0, DATA_ALIGNMENT, at)
    data_entry_at = len(entries)
    entries += _entry(name, num_bytes, 0, at)
    data_offset = len(head)
    version_at = data_offset + num_bytes
    tail = _local(b"archive/version", 2, zlib.crc32(b"3\n")) + b"3\n"
    entries += _entry(b"archive/version", 2, zlib.crc32(b"3\n"), version_at)
    directory_at = version_at + len(tail)
    crc_offsets = (at + 14, directory_at + data_entry_at + 16)
    tail += entries + _end(4, len(entries), directory_at)
    return NewArchive(head, tail, data_offset, version_at + len(tail), crc_offsets)
