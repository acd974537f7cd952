#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recorded save of models and their optimizers under FSDP, HSDP, tensor parallelism, both, and pipeline stages:
record_meshes.py DIRECTORY, by PyTorch 2.x, on 4 processes (gloo).

Writes DIRECTORY/checkpoint, DIRECTORY/job.record, and DIRECTORY/held.json: of each rank's tensors the mesh and the
placements, as the DTensor tells them, and which elements it holds. These can be seen in the tensor itself, since
every element of a parameter, and of its first moment, is its own number.
"""

import json
import multiprocessing.util
import os
import pathlib
import sys

import make_dcp
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing
from torch.distributed.checkpoint.state_dict import get_state_dict
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.distributed.tensor.placement_types import _StridedShard

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
import record

try:
    from torch.distributed.fsdp import fully_shard
except ImportError:  # as it was called until 2.5
    from torch.distributed._composable.fsdp import fully_shard

WORLD_SIZE = 4
# (in, hidden, out): 10 and 3 are no multiples of 4, and of 3 rows the last rank has none. PyTorch 2.6 refuses
# to cut what tensor parallelism has cut into parts of different sizes.
UNEVEN, EVEN = (6, 10, 3), (8, 16, 8)


def numbered(sizes):
    """Two linear layers whose elements are their own numbers."""
    first, hidden, last = sizes
    model = torch.nn.Sequential(torch.nn.Linear(first, hidden), torch.nn.Linear(hidden, last))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape))
    return model


def shard(model, mesh):
    for layer in model:
        fully_shard(layer, mesh=mesh)
    return fully_shard(model, mesh=mesh) or model


def cut_by_tensor(model, mesh):
    return parallelize_module(model, mesh, {"0": ColwiseParallel(), "1": RowwiseParallel()})


def with_optimizer(model):
    """Model and optimizer, as a trainer's state dict has them."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=0.0, foreach=False)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for parameter, state in optimizer.state.items():
        local_of(state["exp_avg"]).copy_(local_of(parameter.detach()))
    model_state, optimizer_state = get_state_dict(model, optimizer)
    return {"model": model_state, "optimizer": optimizer_state}


def local_of(tensor):
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def states(rank):
    """{way: state dict}; every rank makes every mesh."""
    flat = init_device_mesh("cpu", (WORLD_SIZE,))
    hybrid = init_device_mesh("cpu", (2, 2), mesh_dim_names=("replicate", "shard"))
    both = init_device_mesh("cpu", (2, 2), mesh_dim_names=("dp", "tp"))
    stages = [DeviceMesh("cpu", [0, 1]), DeviceMesh("cpu", [2, 3])]
    made = {
        "fsdp": shard(numbered(UNEVEN), flat),
        "hsdp": shard(numbered(UNEVEN), hybrid),
        "tp": cut_by_tensor(numbered(UNEVEN), flat),
        "fsdp_tp": shard(cut_by_tensor(numbered(EVEN), both["tp"]), both["dp"]),
        f"stage{rank // 2}": shard(numbered(UNEVEN), stages[rank // 2]),
        "ddp": numbered(UNEVEN),
    }
    return {way: with_optimizer(model) for way, model in made.items()}


def told_placement(placement):
    if isinstance(placement, _StridedShard):
        return ["SS", placement.dim, placement.split_factor]
    if isinstance(placement, Shard):
        return ["S", placement.dim]
    assert isinstance(placement, Replicate)
    return ["R"]


def held(state):
    found = []
    for fqn, value in record._flat(state):
        if not isinstance(value, torch.Tensor):
            continue
        is_dtensor = isinstance(value, DTensor)
        elements = None  # of other tensors than those that are numbered
        if not fqn.endswith((".step", ".exp_avg_sq")):
            elements = [int(n) for n in local_of(value.detach()).reshape(-1).tolist()]
        found.append({
            "fqn": fqn, "shape": list(value.shape), "elements": elements,
            "mesh": value.device_mesh.mesh.tolist() if is_dtensor else None,
            "placements": [told_placement(p) for p in value.placements] if is_dtensor else [],
        })  # fmt: skip
    return found


def save(rank, directory):
    directory = pathlib.Path(directory)
    make_dcp.begin(rank, WORLD_SIZE)
    state = states(rank)
    dcp.save(state, checkpoint_id=directory / "checkpoint", planner=record.planner(directory / "job.record"))
    everybody = [None] * WORLD_SIZE
    dist.all_gather_object(everybody, (held(state), record.conform(state)))
    if rank == 0:
        said = {"torch": torch.__version__, "ranks": [tensors for tensors, _ in everybody], "conform": everybody[0][1]}
        (directory / "held.json").write_text(json.dumps(said, separators=(",", ":")))
    dist.barrier()
    multiprocessing.util._exit_function()  # as every child ends: the record is written
    os._exit(0)  # PyTorch's own threads abort now and then when they are taken down


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    torch.multiprocessing.spawn(save, (sys.argv[1],), nprocs=WORLD_SIZE)
