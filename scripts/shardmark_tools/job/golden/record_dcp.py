#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recorded save by PyTorch's DCP: record_dcp.py WORLD_SIZE DIRECTORY. Writes DIRECTORY/checkpoint,
DIRECTORY/job.record, and what the rules over the hooks said, for good tensors and for bad ones."""

import json
import multiprocessing.util
import os
import pathlib
import pickle
import sys

import make_dcp
import torch
import torch.distributed as dist

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3]))
package = make_dcp.import_old_package() if make_dcp.OLD else None
import record


def bad_tensors(rank, size):
    """Tensor types whose hooks break one rule each."""
    from torch.distributed.checkpoint.metadata import (
        ChunkStorageMetadata,
        MetadataIndex,
        TensorProperties,
    )
    from torch.distributed.checkpoint.planner import TensorWriteData, WriteItem, WriteItemType

    class Rows(torch.nn.Module):
        """Rows [first, last) of a tensor of 8 x 2."""

        def __init__(self, first, last, listed=None, copies=False, shorter=0):
            super().__init__()
            self.first, self.last, self.listed = first, last, listed
            self.copies, self.data = copies, torch.zeros(last - first - shorter, 2)

        def chunk(self, first=None):
            first = self.first if first is None else first
            return ChunkStorageMetadata(torch.Size([first, 0]), torch.Size([self.last - self.first, 2]))

        def __create_write_items__(self, fqn, _value):
            data = TensorWriteData(self.chunk(), TensorProperties(), torch.Size([8, 2]))
            index = MetadataIndex(fqn, torch.Size([self.first, 0]))
            return [WriteItem(index, WriteItemType.SHARD, tensor_data=data)]

        def __create_chunk_list__(self):
            return [self.chunk(self.listed)]

        def __get_tensor_shard__(self, _index):
            return self.data.clone() if self.copies else self.data

    step = 8 // size
    mine = rank * step, rank * step + step
    return {
        "good": Rows(*mine),
        "overlap": Rows(mine[0], mine[1] + (1 if rank == 0 else 0)),
        "hole": Rows(mine[0], mine[1] - (1 if rank == 0 else 0)),
        "bounds": Rows(mine[0], mine[1] + (1 if rank == size - 1 else 0)),
        "list": Rows(*mine, listed=0 if rank else 1),
        "copy": Rows(*mine, copies=True),
        "short view": Rows(*mine, shorter=1),
    }


def save(rank, size, directory):
    directory = pathlib.Path(directory)
    make_dcp.begin(rank, size)
    # As a save by a process of its own has it.
    planner = pickle.loads(pickle.dumps(record.planner(directory / "job.record")))
    checkpoint = directory / "checkpoint"
    if make_dcp.OLD:
        state = make_dcp.old_state(rank, size)
        writer = package.FileSystemWriter(checkpoint, single_file_per_rank=True)
        package.save_state_dict(state, writer, planner=planner)
        bad = {}
    else:
        import torch.distributed.checkpoint as dcp

        state = make_dcp.new_state(rank, size)
        dcp.save(state, checkpoint_id=checkpoint, planner=planner)
        bad = bad_tensors(rank, size)
    said = {"good": record.conform(state), "bad": record.conform(bad)}
    (directory / f"said-{rank}.json").write_text(json.dumps(said, indent=1))
    dist.barrier()
    multiprocessing.util._exit_function()  # as every child ends: the record is written
    os._exit(0)  # PyTorch's own threads abort now and then when they are taken down


if __name__ == "__main__":
    pathlib.Path(sys.argv[2]).mkdir(parents=True, exist_ok=True)
    world_size = int(sys.argv[1])
    torch.multiprocessing.spawn(save, (world_size, sys.argv[2]), nprocs=world_size)
