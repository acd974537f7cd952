# SPDX-License-Identifier: Apache-2.0
"""Pickles put together by hand, for tests: pieces of bytes that each leave one value."""

import struct

PACKAGE = "torch.distributed.checkpoint"
METADATA = f"{PACKAGE}.metadata"


def text(value):
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a\x09" + data


def named(module, name):
    return text(module) + text(name) + b"\x93"


def line_named(module, name):
    return f"c{module}\n{name}\n".encode()


def sequence(*values):
    return b"(" + b"".join(values) + b"t"


def listed(*values):
    return b"](" + b"".join(values) + b"e"


def table(pairs):
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def call(callee, *args):
    return callee + sequence(*args) + b"R"


def made(module, name, fields=None):
    """An object of a class, with a dictionary as its state."""
    built = named(module, name) + b")\x81"
    if fields is None:
        return built
    return built + table([(text(key), value) for key, value in fields.items()]) + b"b"


def size(*extents):
    return call(named("torch", "Size"), sequence(*(number(n) for n in extents)))


def properties(dtype="float32"):
    state = sequence(named("torch", dtype), b"N", b"\x89", number(0), b"\x89")
    return named(METADATA, "TensorProperties") + b")\x81" + state + b"b"


def chunk(offsets, sizes):
    fields = {"offsets": size(*offsets), "sizes": size(*sizes)}
    return made(METADATA, "ChunkStorageMetadata", fields)


def tensor(shape, chunks, dtype="float32"):
    fields = {"properties": properties(dtype), "size": size(*shape), "chunks": listed(*chunks)}
    return made(METADATA, "TensorStorageMetadata", fields)


def index(fqn, offsets=None):
    fields = {"fqn": text(fqn), "offset": b"N" if offsets is None else size(*offsets)}
    return made(METADATA, "MetadataIndex", fields)


def storage(file="__0_0.distcp", offset=0, length=100):
    fields = {"relative_path": text(file), "offset": number(offset), "length": number(length)}
    return made(f"{PACKAGE}.filesystem", "_StorageInfo", fields)


def root(**fields):
    """The bytes of a whole `.metadata`."""
    return b"\x80\x04" + made(METADATA, "Metadata", fields) + b"."


def one_tensor(shape=(4,), chunks=None, places=None, fqn="w", dtype="float32", **more):
    """A whole `.metadata` with one tensor in `chunks`, stored at `places`."""
    chunks = [((0,) * len(shape), shape)] if chunks is None else chunks
    places = [(offsets, storage()) for offsets, _ in chunks] if places is None else places
    return root(
        state_dict_metadata=table([(text(fqn), tensor(shape, [chunk(*c) for c in chunks], dtype))]),
        storage_data=table([(index(fqn, offsets), place) for offsets, place in places]),
        **more,
    )
