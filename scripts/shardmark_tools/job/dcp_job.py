# SPDX-License-Identifier: Apache-2.0
"""A job file from the metadata of a DCP checkpoint."""

from shardmark_tools.job.dcp_metadata import DcpCheckpoint
from shardmark_tools.job.job_file import Job, JobObject, JobTensor

REPLICAS_NOTE = (
    "DCP stores each box once: ranks that held copies of it are not known, only the one that wrote it"
)
WORLD_NOTE = "the world had at least this many ranks: the highest one that wrote is known, no more"
WRITERS_NOTE = "some files do not tell the rank that wrote them"


def job_from_dcp(checkpoint: DcpCheckpoint) -> Job:
    """The Job of a DcpCheckpoint."""
    tensors = []
    for tensor in checkpoint.tensors:
        boxes = [(chunk.offsets, chunk.sizes) for chunk in tensor.chunks]
        holders = [() if c.writer is None else (c.writer,) for c in tensor.chunks]
        tensors.append(JobTensor(tensor.fqn, tensor.dtype, tensor.shape, boxes, holders))
    objects = [
        JobObject(fqn, chunk.num_bytes, chunk.writer)
        for fqn, chunk in checkpoint.objects.items()
    ]
    writers = {rank for t in tensors for ranks in t.holders for rank in ranks}
    writers |= {entry.writer for entry in objects if entry.writer is not None}
    world_size = max(writers, default=0) + 1
    known = checkpoint.world_size is not None and checkpoint.world_size >= world_size
    if known:
        world_size = checkpoint.world_size or world_size
    notes = [REPLICAS_NOTE] if known else [REPLICAS_NOTE, WORLD_NOTE]
    if any(not ranks for t in tensors for ranks in t.holders):
        notes.append(WRITERS_NOTE)
    source: dict[str, object] = {"kind": "dcp", "torch": checkpoint.version}
    if checkpoint.mcore_data is not None or checkpoint.world_size is not None:
        source["megatron"] = True
    return Job(source, world_size, known, "unknown", tensors, objects, notes)
