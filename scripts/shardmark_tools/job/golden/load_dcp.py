#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loads a checkpoint of make_dcp.py's contents with PyTorch's own DCP and compares every element.

  load_dcp.py DIRECTORY          in one process, whole tensors, asked for by what the metadata lists
  load_dcp.py DIRECTORY --told   prints the metadata as PyTorch reads it, as JSON
  load_dcp.py DIRECTORY --world N  on N processes, into tensors sharded as make_dcp.py shards them for N
"""

import json
import pathlib
import sys

import make_dcp
import torch
import torch.distributed as dist
import torch.multiprocessing
from element_bytes import tensor_bytes

package = make_dcp.import_old_package() if make_dcp.OLD else None


def reader_of(directory):
    if make_dcp.OLD:
        return package.FileSystemReader(directory)
    import torch.distributed.checkpoint as dcp

    return dcp.FileSystemReader(directory)


def load_into(state, directory):
    reader = reader_of(directory)
    if make_dcp.OLD:
        package.load_state_dict(state, reader, no_dist=not dist.is_initialized())
    else:
        import torch.distributed.checkpoint as dcp

        dcp.load(state, storage_reader=reader)
    return state


def empty_state(metadata):
    state = {}
    for fqn, entry in metadata.state_dict_metadata.items():
        if hasattr(entry, "size"):
            state[fqn] = torch.full(entry.size, 1, dtype=entry.properties.dtype)
        else:
            state[fqn] = "not loaded"
    return state


def raw_bytes(tensor):
    if not tensor.numel():
        return b""
    if tensor.dtype == torch.bool:
        return bytes(tensor.to(torch.uint8).reshape(-1).tolist())
    tensor = tensor.contiguous().clone()
    if make_dcp.OLD:
        return bytes(tensor.storage().untyped())[: tensor.numel() * tensor.element_size()]
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def compare_whole(directory):
    """The number of tensors."""
    tensors = 0
    state = load_into(empty_state(reader_of(directory).read_metadata()), directory)
    for fqn, value in state.items():
        name = fqn.removeprefix("model.").replace("optimizer.state.0.exp_avg", "rows")
        if isinstance(value, torch.Tensor):
            found = raw_bytes(value)
            expected = tensor_bytes(name, str(value.dtype).removeprefix("torch."), len(found)).tobytes()
            if found != expected:
                sys.exit(f"{fqn}: other elements")
            tensors += 1
        elif value not in (7, {"seed": [1, 2, 3], "name": "générateur"}, [1, 2, 3], "générateur"):
            sys.exit(f"{fqn}: {value!r}")
    return tensors


def told(directory):
    """{"torch", "tensors": {name: [dtype, shape, [[offsets, sizes] of each box with elements]]}, "objects"}."""
    tensors, objects = {}, []
    for fqn, entry in reader_of(directory).read_metadata().state_dict_metadata.items():
        if not hasattr(entry, "size"):
            objects.append(fqn)
            continue
        boxes = sorted([list(c.offsets), list(c.sizes)] for c in entry.chunks if 0 not in c.sizes)
        tensors[fqn] = [str(entry.properties.dtype).removeprefix("torch."), list(entry.size), boxes]
    return {"torch": torch.__version__, "tensors": tensors, "objects": sorted(objects)}


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def parts_of(value):
    """The tensors that this rank holds of one."""
    if hasattr(value, "local_shards"):
        return [shard.tensor for shard in value.local_shards()]
    return [value.to_local() if hasattr(value, "to_local") else value]


def blank(state):
    """Nothing of what is loaded is there before."""
    for path, value in list(leaves(state)):
        if isinstance(value, torch.Tensor) or hasattr(value, "local_shards"):
            for part in parts_of(value):
                (part.view(torch.uint8) if part.element_size() == 1 and part.dim() else part).zero_()
        else:
            holder = state
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = "not loaded"


def compare_sharded(rank, size, directory):
    make_dcp.begin(rank, size)
    build = make_dcp.old_state if make_dcp.OLD else make_dcp.new_state
    expected, state = build(rank, size), build(rank, size)
    blank(state)
    load_into(state, directory)
    found = dict(leaves(state))
    for path, value in leaves(expected):
        if isinstance(value, torch.Tensor) or hasattr(value, "local_shards"):
            same = [raw_bytes(p) for p in parts_of(value)] == [raw_bytes(p) for p in parts_of(found[path])]
        else:
            same = value == found[path]
        if not same:
            sys.exit(f"{path}: other contents on rank {rank} of {size}")
    dist.barrier()
    dist.destroy_process_group()


def main():
    directory, *words = sys.argv[1:]
    if words[:1] == ["--told"]:
        print(json.dumps(told(directory)))
    elif words[:1] == ["--world"]:
        world = int(words[1])
        torch.multiprocessing.spawn(compare_sharded, (world, directory), nprocs=world)
        print(f"{pathlib.Path(directory).name}: loaded by {world} processes, torch {torch.__version__}")
    else:
        tensors = compare_whole(directory)
        print(f"{pathlib.Path(directory).name}: {tensors} tensors as they were made, torch {torch.__version__}")


if __name__ == "__main__":
    main()
