# SPDX-License-Identifier: Apache-2.0
"""What Python's own unpickler makes of a `.metadata`, for tests: an oracle for files that
`dcp_metadata` accepts. Only stand-ins for a few classes can be reached."""

import io
import pickle
from typing import Any


class Fields:
    """Stands for every class of a checkpoint's metadata."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Index(Fields):
    pass


class Storage(Fields):
    pass


class Tensor(Fields):
    pass


class Bytes(Fields):
    pass


class Chunk(Fields):
    pass


class Root(Fields):
    pass


CLASSES = {
    "Metadata": Root, "TensorStorageMetadata": Tensor, "BytesStorageMetadata": Bytes,
    "ChunkStorageMetadata": Chunk, "MetadataIndex": Index, "_StorageInfo": Storage,
    "TensorProperties": Fields, "StorageMeta": Fields, "MCoreMetadata": Root, "SavePlan": Fields,
    "MCoreSavePlan": Fields, "WriteItem": Fields, "TensorWriteData": Fields, "BytesIOWriteData": Fields,
    "_StoragePrefix": Fields,
}  # fmt: skip


class Unpickler(pickle.Unpickler):
    def find_class(self, module: Any, name: Any) -> Any:
        if name in CLASSES:
            return type(name, (CLASSES[name],), {})
        if (module, name) == ("torch", "Size"):
            return lambda extents: tuple(extents)
        if module == "torch":
            return f"torch.{name}"
        return lambda *args: (name, *args)  # enums, getattr of them, layouts, paths


def stored_places(storage: Any) -> Any:
    places = {}
    for index, info in storage.items():
        key = index.state["fqn"], index.state.get("offset")
        places[key] = tuple(info.state[k] for k in ("relative_path", "offset", "length"))
    return places


def first_of(properties: Any) -> Any:
    return properties.state["dtype"] if isinstance(properties.state, dict) else properties.state[0]


def read_by_pickle(data: Any) -> Any:
    """({tensor: (dtype, shape, [(offsets, sizes, file, offset, bytes)])}, {object: place})."""
    root = Unpickler(io.BytesIO(data)).load().state
    places = stored_places(root["storage_data"])
    tensors, objects = {}, {}
    for fqn, value in root["state_dict_metadata"].items():
        if isinstance(value, Bytes):
            objects[fqn] = places[fqn, None]
            continue
        chunks = [(c.state["offsets"], c.state["sizes"]) for c in value.state["chunks"]]
        stored = sorted((*c, *places[fqn, c[0]]) for c in chunks if 0 not in c[1])
        dtype = first_of(value.state["properties"]).removeprefix("torch.")
        tensors[fqn] = dtype, value.state["size"], stored
    return tensors, objects


def as_plain(checkpoint: Any) -> Any:
    """A DcpCheckpoint in the same form."""
    tensors = {
        t.fqn: (t.dtype, t.shape,
                [(c.offsets, c.sizes, c.file, c.byte_offset, c.num_bytes) for c in t.chunks])
        for t in checkpoint.tensors
    }  # fmt: skip
    objects = {f: (c.file, c.byte_offset, c.num_bytes) for f, c in checkpoint.objects.items()}
    return tensors, objects
