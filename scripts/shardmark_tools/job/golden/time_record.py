#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What recording costs a save: time_record.py DIRECTORY PAIRS, on 4 processes (gloo). Saves by PyTorch's DCP with its own
planner and with the recording one, in turn and in an order by chance; prints JSON: of each pair the seconds until the
slowest rank is done and the processor seconds of all ranks, without and with; of the second also the recorder's own
processor seconds, which are what its functions take beyond those that they wrap. And what writing the file takes."""

import json
import os
import pathlib
import random
import shutil
import sys
import time

import make_dcp
import torch
import torch.distributed as dist
import torch.multiprocessing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
package = make_dcp.import_old_package() if make_dcp.OLD else None
import record

WORLD_SIZE = 4
TENSORS, SHAPE = 300, (512, 512)  # 300 MiB of float32
OBJECTS = 100


def state_of(rank):
    names = [f"model.layers.{n}.weight" for n in range(TENSORS)]
    state = {f"optimizer.param_groups.{n}.lr": 0.001 * n for n in range(OBJECTS)}
    if make_dcp.OLD:
        from torch.distributed._shard import sharded_tensor
        from torch.distributed._shard.sharding_spec import ChunkShardingSpec

        spec = ChunkShardingSpec(dim=0, placements=[f"rank:{r}/cpu" for r in range(WORLD_SIZE)])
        return state | {name: sharded_tensor.rand(spec, *SHAPE) for name in names}
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Shard

    mesh = init_device_mesh("cpu", (WORLD_SIZE,))
    local = torch.rand(SHAPE[0] // WORLD_SIZE, SHAPE[1])
    return state | {name: DTensor.from_local(local.clone(), mesh, [Shard(0)], run_check=False) for name in names}


def save(state, folder, planner):
    if make_dcp.OLD:
        package.save_state_dict(state, package.FileSystemWriter(folder, single_file_per_rank=True), planner=planner)
    else:
        import torch.distributed.checkpoint as dcp

        dcp.save(state, checkpoint_id=folder, planner=planner)


spent = {"around": 0.0, "inside": 0.0}  # processor seconds


def timed(function, where):
    def call(*arguments):
        begin = time.thread_time()
        answer = function(*arguments)
        spent[where] += time.thread_time() - begin
        return answer

    return call


def time_the_recorder():
    """Its two functions, and the two of DCP's planner that they call."""
    planner = type(record._default_planner())
    for name in ("create_local_plan", "create_global_plan"):
        setattr(planner, name, timed(getattr(planner, name), "inside"))
        setattr(record, f"_{name}", timed(getattr(record, f"_{name}"), "around"))


def one(state, directory, recorded):
    """(seconds, processor seconds, the recorder's own)."""
    folder = directory / "checkpoint"
    dist.barrier()
    spent.update(around=0.0, inside=0.0)
    begin, used = time.perf_counter(), time.process_time()
    planner = record.planner(directory / "job.record") if recorded else record._default_planner()
    save(state, folder, planner)
    own = spent["around"] - spent["inside"] if recorded else 0.0
    mine = time.perf_counter() - begin, time.process_time() - used, own
    told = [None] * WORLD_SIZE
    dist.all_gather_object(told, mine)
    if dist.get_rank() == 0:
        shutil.rmtree(folder)
    dist.barrier()
    return max(t[0] for t in told), sum(t[1] for t in told), sum(t[2] for t in told)


def run(rank, directory, pairs):
    torch.set_num_threads(1)
    directory = pathlib.Path(directory)
    make_dcp.begin(rank, WORLD_SIZE)
    time_the_recorder()
    state, found = state_of(rank), []
    for _ in range(2):
        one(state, directory, True)
        one(state, directory, False)
    for number in range(pairs):
        order = [False, True]
        random.Random(number).shuffle(order)
        times = {recorded: one(state, directory, recorded) for recorded in order}
        found.append([times[False], times[True]])
    begin = time.perf_counter()
    record.planner(directory / "job.record").write_record()
    write_s = time.perf_counter() - begin
    if rank == 0:
        num_bytes = TENSORS * SHAPE[0] * SHAPE[1] * 4
        print(json.dumps({"torch": torch.__version__, "bytes": num_bytes, "write_s": write_s, "pairs": found}), flush=True)
    dist.barrier()
    os._exit(0)


if __name__ == "__main__":
    torch.multiprocessing.spawn(run, (sys.argv[1], int(sys.argv[2])), nprocs=WORLD_SIZE)
