#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads a checkpoint of make_dcp.py's contents with PyTorch's own DCP, in one process, and compares every
element: load_dcp.py DIRECTORY. Tensors are asked for by what the metadata lists."""

import pathlib
import sys

import make_dcp
import torch
from element_bytes import tensor_bytes


def empty_state(metadata):
    state = {}
    for fqn, entry in metadata.state_dict_metadata.items():
        if hasattr(entry, "size"):
            state[fqn] = torch.full(entry.size, 1, dtype=entry.properties.dtype)
        else:
            state[fqn] = "not loaded"
    return state


def load(directory):
    """{name: tensor or object}."""
    if make_dcp.OLD:
        package = make_dcp.import_old_package()
        reader = package.FileSystemReader(directory)
        state = empty_state(reader.read_metadata())
        package.load_state_dict(state, reader, no_dist=True)
        return state
    import torch.distributed.checkpoint as dcp

    reader = dcp.FileSystemReader(directory)
    state = empty_state(reader.read_metadata())
    dcp.load(state, storage_reader=reader, no_dist=True)
    return state


def raw_bytes(tensor):
    if not tensor.numel():
        return b""
    if tensor.dtype == torch.bool:
        return bytes(tensor.to(torch.uint8).reshape(-1).tolist())
    if make_dcp.OLD:
        return bytes(tensor.contiguous().storage().untyped())[: tensor.numel() * tensor.element_size()]
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def main():
    tensors = 0
    for fqn, value in load(sys.argv[1]).items():
        name = fqn.removeprefix("model.").replace("optimizer.state.0.exp_avg", "rows")
        if isinstance(value, torch.Tensor):
            found = raw_bytes(value)
            expected = tensor_bytes(name, str(value.dtype).removeprefix("torch."), len(found)).tobytes()
            if found != expected:
                sys.exit(f"{fqn}: other elements")
            tensors += 1
        elif value not in (7, {"seed": [1, 2, 3], "name": "générateur"}, [1, 2, 3], "générateur"):
            sys.exit(f"{fqn}: {value!r}")
    print(f"{pathlib.Path(sys.argv[1]).name}: {tensors} tensors as they were made, torch {torch.__version__}")


if __name__ == "__main__":
    main()
