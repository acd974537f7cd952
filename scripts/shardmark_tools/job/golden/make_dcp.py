#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a checkpoint with PyTorch's own DCP: make_dcp.py WORLD_SIZE DIRECTORY.

Run by Debian 12's torch 1.13 and Debian 13's 2.6, on WORLD_SIZE processes (gloo). Torch 1.13 does not
import its own package under Python 3.11, which refuses the one dataclass default without a hash;
the class gets one here before the import.
"""

import dataclasses
import os
import pathlib
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from element_bytes import tensor_bytes

OLD = torch.__version__.startswith("1.")
PORT = "29617"


def import_old_package():
    plain = dataclasses.dataclass

    def with_hash(cls=None, /, **options):
        def wrap(c):
            return plain(c, **options, **({"unsafe_hash": True} if c.__name__ == "TensorProperties" else {}))

        return wrap if cls is None else wrap(cls)

    dataclasses.dataclass = with_hash
    try:
        import torch.distributed._shard.checkpoint as package
    finally:
        dataclasses.dataclass = plain
    return package


def whole(fqn, dtype, shape):
    kind = getattr(torch, dtype)
    size = torch.empty(0, dtype=kind).element_size()
    for extent in shape:
        size *= extent
    raw = torch.from_numpy(tensor_bytes(fqn, dtype, size).copy())
    if kind == torch.bool:
        return raw.view(torch.uint8).to(torch.bool).reshape(shape)
    return (raw.view(kind) if size else torch.empty(0, dtype=kind)).reshape(shape)


def common_entries():
    """Plain tensors of many kinds, and objects."""
    dtypes = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8",
              "uint8", "bool", "complex64", "complex128"]  # fmt: skip
    if not OLD:
        dtypes += ["uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
                   "float8_e5m2fnuz"]  # fmt: skip
    state = {f"plain.{name}": whole(f"plain.{name}", name, (3, 4)) for name in dtypes}
    state["scalar"] = whole("scalar", "float32", ())
    state["empty"] = whole("empty", "float32", (0, 4))
    state["transposed"] = whole("transposed", "float32", (6, 4)).t().contiguous().t()
    state["slash/and %"] = whole("slash/and %", "int32", (2,))
    state["step"] = 7
    state["rng"] = {"seed": [1, 2, 3], "name": "générateur"}
    return state


def old_state(rank, size):
    from torch.distributed._shard import sharded_tensor
    from torch.distributed._shard.sharding_spec import ChunkShardingSpec

    state = common_entries()
    for fqn, dtype, shape, dim in (
        ("rows", "float32", (10, 6), 0), ("columns", "float16", (6, 10), 1),
        ("short", "bfloat16", (5, 3), 0), ("fewer", "float32", (3, 2), 0),
    ):  # fmt: skip
        spec = ChunkShardingSpec(dim=dim, placements=[f"rank:{r}/cpu" for r in range(size)])
        state[fqn] = sharded_tensor.empty(spec, *shape, dtype=getattr(torch, dtype))
        for shard in state[fqn].local_shards():
            part = whole(fqn, dtype, shape)
            for d, (offset, extent) in enumerate(zip(shard.metadata.shard_offsets, shard.metadata.shard_sizes)):
                part = part.narrow(d, offset, extent)
            shard.tensor.copy_(part)
    state["grid"] = irregular_grid(rank, size)
    return state


def irregular_grid(rank, size):
    """Boxes of two sizes, several a rank, dealt in turn: no rule of DCP's gives them."""
    from torch.distributed._shard import sharded_tensor

    tensor = whole("grid", "int32", (7, 9))
    cuts = [(0, 2), (2, 7)], [(0, 4), (4, 5), (5, 9)]
    boxes = [(r, c) for r in cuts[0] for c in cuts[1]]
    local = [
        sharded_tensor.Shard.from_tensor_and_offsets(
            tensor[r0:r1, c0:c1].contiguous(), [r0, c0], rank
        )
        for number, ((r0, r1), (c0, c1)) in enumerate(boxes)
        if number % size == rank
    ]
    return sharded_tensor.init_from_local_shards(local, 7, 9)


def new_state(rank, size):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    state = common_entries()
    flat = init_device_mesh("cpu", (size,))
    both = init_device_mesh("cpu", (2, size // 2) if size > 1 else (1, 1))
    for fqn, dtype, shape, mesh, placements in (
        ("rows", "float32", (10, 6), flat, [Shard(0)]),
        ("columns", "float16", (6, 10), flat, [Shard(1)]),
        ("short", "bfloat16", (5, 3), flat, [Shard(0)]),
        ("fewer", "float32", (3, 2), flat, [Shard(0)]),
        ("hybrid", "float32", (10, 6), both, [Replicate(), Shard(0)]),
        ("grid", "int32", (8, 6), both, [Shard(0), Shard(1)]),
        ("nested", "float32", (18, 2), both, [Shard(0), Shard(0)]),
        ("replicated", "float32", (4, 4), flat, [Replicate()]),
    ):
        state[fqn] = distribute_tensor(whole(fqn, dtype, shape), mesh, placements)
    state["strided"] = strided(both)
    return {"model": state, "optimizer": {"state": {0: {"exp_avg": state["rows"]}}}}


def strided(mesh):
    """Cut by tensor parallelism, then by FSDP: as FSDP2 places what a TP plan has cut."""
    from torch.distributed.tensor import DTensor, Shard
    from torch.distributed.tensor.placement_types import _StridedShard

    tensor, (dp, tp) = whole("strided", "float32", (16, 2)), mesh.shape
    dp_rank, tp_rank = mesh.get_coordinate()
    local = tensor.chunk(tp)[tp_rank].chunk(dp)[dp_rank].contiguous()
    return DTensor.from_local(
        local, mesh, [_StridedShard(0, split_factor=tp), Shard(0)], run_check=False,
        shape=tensor.shape, stride=tensor.stride(),
    )  # fmt: skip


def begin(rank, size):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=os.environ.get("MASTER_PORT", PORT), USE_LIBUV="0")
    dist.init_process_group("gloo", rank=rank, world_size=size)


def save(rank, size, directory):
    package = import_old_package() if OLD else None
    begin(rank, size)
    if OLD:
        package.save_state_dict(
            old_state(rank, size), package.FileSystemWriter(directory, single_file_per_rank=True)
        )
    else:
        import torch.distributed.checkpoint as dcp

        dcp.save(new_state(rank, size), checkpoint_id=directory)
    dist.destroy_process_group()


if __name__ == "__main__":
    world_size = int(sys.argv[1])
    torch.multiprocessing.spawn(save, (world_size, sys.argv[2]), nprocs=world_size)
