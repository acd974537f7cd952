# SPDX-License-Identifier: Apache-2.0
"""Pickles put together by hand, for tests: pieces of bytes that each leave one value."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

PACKAGE = "torch.distributed.checkpoint"
METADATA = f"{PACKAGE}.metadata"
PLANNER = f"{PACKAGE}.planner"
MEGATRON = "megatron.core.dist_checkpointing.strategies.torch"


def text(value: Any) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: Any) -> bytes:
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + data


def named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def line_named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def sequence(*values: bytes) -> bytes:
    return b"(" + b"".join(values) + b"t"


def listed(*values: bytes) -> bytes:
    return b"](" + b"".join(values) + b"e"


def table(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def call(callee: bytes, *args: bytes) -> bytes:
    return callee + sequence(*args) + b"R"


def made(module: str, name: str, fields: dict[str, bytes] | None = None) -> bytes:
    """An object of a class, with a dictionary as its state."""
    built = named(module, name) + b")\x81"
    if fields is None:
        return built
    return built + table([(text(key), value) for key, value in fields.items()]) + b"b"


def size(*extents: int) -> bytes:
    return call(named("torch", "Size"), sequence(*(number(n) for n in extents)))


def properties(dtype: str = "float32") -> bytes:
    state = sequence(named("torch", dtype), b"N", b"\x89", number(0), b"\x89")
    return named(METADATA, "TensorProperties") + b")\x81" + state + b"b"


def chunk(offsets: Sequence[int], sizes: Sequence[int]) -> bytes:
    fields = {"offsets": size(*offsets), "sizes": size(*sizes)}
    return made(METADATA, "ChunkStorageMetadata", fields)


def tensor(shape: Sequence[int], chunks: Any, dtype: str = "float32") -> bytes:
    fields = {"properties": properties(dtype), "size": size(*shape), "chunks": listed(*chunks)}
    return made(METADATA, "TensorStorageMetadata", fields)


def index(fqn: str, offsets: Sequence[int] | None = None) -> bytes:
    fields = {"fqn": text(fqn), "offset": b"N" if offsets is None else size(*offsets)}
    return made(METADATA, "MetadataIndex", fields)


def storage(file: str = "__0_0.distcp", offset: int = 0, length: int = 100) -> bytes:
    fields = {"relative_path": text(file), "offset": number(offset), "length": number(length)}
    return made(f"{PACKAGE}.filesystem", "_StorageInfo", fields)


def root(kind: tuple[str, str] = (METADATA, "Metadata"), /, **fields: bytes) -> bytes:
    """The bytes of a whole `.metadata`."""
    return b"\x80\x04" + made(*kind, fields) + b"."


def write_item(fqn: str, kind: bytes, **more: bytes) -> bytes:
    """Of a plan. `kind`: a WriteItemType."""
    return made(PLANNER, "WriteItem", {"index": index(fqn), "type": kind, **more})


def save_plan(*items: bytes, module: str = MEGATRON, name: str = "MCoreSavePlan") -> bytes:
    return made(module, name, {"items": listed(*items), "storage_data": b"N", "planner_data": b"}"})


def one_tensor(shape: Sequence[int] = (4,), chunks: Any = None, places: Any = None, fqn: str = "w",
               dtype: str = "float32", kind: tuple[str, str] = (METADATA, "Metadata"), **more: bytes) -> bytes:  # fmt: skip
    """A whole `.metadata` with one tensor in `chunks`, stored at `places`."""
    chunks = [((0,) * len(shape), shape)] if chunks is None else chunks
    places = [(offsets, storage()) for offsets, _ in chunks] if places is None else places
    return root(
        kind,
        state_dict_metadata=table([(text(fqn), tensor(shape, [chunk(*c) for c in chunks], dtype))]),
        storage_data=table([(index(fqn, offsets), place) for offsets, place in places]),
        **more,
    )
