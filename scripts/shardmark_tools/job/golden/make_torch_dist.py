#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A folder as Megatron-Core's torch_dist has it: make_torch_dist.py DIRECTORY, by PyTorch 2.x, on 4 processes (gloo).

Megatron-Core itself is not needed: what it adds to DCP's metadata is put there under its names. Every rank's plan,
a root class and a table of its own, objects of ranks, layers as a first dimension, files beside .metadata.
"""

import dataclasses
import io
import os
import pathlib
import sys
import types
from typing import Any

import make_dcp
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing
from torch.distributed._shard.sharded_tensor import Shard, init_from_local_shards
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner_helpers import _create_write_items

MODULE = "megatron.core.dist_checkpointing.strategies.torch"
WORLD_SIZE = 4


@dataclasses.dataclass(frozen=True)
class MCoreSavePlan(dcp.SavePlan):
    mcore_data: Any = None


@dataclasses.dataclass
class MCoreMetadata(Metadata):
    mcore_data: Any = None


def put_under_their_names():
    for depth in range(1, MODULE.count(".") + 2):
        sys.modules.setdefault(".".join(MODULE.split(".")[:depth]), types.ModuleType("megatron"))
    for kind in (MCoreSavePlan, MCoreMetadata):
        kind.__module__ = MODULE
        setattr(sys.modules[MODULE], kind.__name__, kind)


class Planner(dcp.DefaultSavePlanner):
    """Plans on every rank, objects too, and keeps the plans in the metadata."""

    def create_local_plan(self):
        items = [item for fqn, value in self.state_dict.items() for item in _create_write_items(fqn, value)]
        self.plan = MCoreSavePlan(items=items, planner_data={}, mcore_data={})
        return self.plan

    def create_global_plan(self, plans):
        all_local_plans = list(plans)
        plans, metadata = super().create_global_plan(plans)
        mcore_data = {"rows": {"nd_reformulated_orig_global_shape": torch.Size([10, 6])}}
        metadata = MCoreMetadata(mcore_data=mcore_data, **vars(metadata))
        metadata.all_local_plans = all_local_plans
        return plans, metadata

    def transform_object(self, _item, value):
        return value


def part(fqn, dtype, shape, offsets, sizes, rank):
    box = tuple(slice(o, o + s) for o, s in zip(offsets, sizes))
    local = make_dcp.whole(fqn, dtype, shape)[box].contiguous()
    return init_from_local_shards([Shard.from_tensor_and_offsets(local, list(offsets), rank)], *shape)


def state_of(rank):
    own = io.BytesIO()
    torch.save([torch.full((5056,), rank, dtype=torch.uint8)], own)
    return {
        "decoder.layers.self_attention.linear_qkv.weight": part("qkv", "bfloat16", (3, 8, 4), (0, 2 * rank, 0), (3, 2, 4), rank),
        "decoder.layers.mlp.linear_fc2.weight": part("fc2", "bfloat16", (3, 4, 8), (0, 0, 2 * rank), (3, 4, 2), rank),
        "optimizer.state.exp_avg.embedding.word_embeddings.weight": part("avg", "float32", (16, 4), (4 * rank, 0), (4, 4), rank),
        f"rng_state/shard_0.{rank}_1.{WORLD_SIZE}": own,
    }


def save(rank, directory):
    make_dcp.begin(rank, WORLD_SIZE)
    put_under_their_names()
    writer = dcp.FileSystemWriter(directory, thread_count=2)
    dcp.save(state_of(rank), storage_writer=writer, planner=Planner(flatten_state_dict=False))
    if rank == 0:
        (pathlib.Path(directory) / "common.pt").write_bytes(b"not of DCP")
        (pathlib.Path(directory) / "metadata.json").write_text('{"sharded_backend": "torch_dist"}')
    dist.barrier()
    os._exit(0)


if __name__ == "__main__":
    torch.multiprocessing.spawn(save, (sys.argv[1],), nprocs=WORLD_SIZE)
