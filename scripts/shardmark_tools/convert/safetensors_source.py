# SPDX-License-Identifier: Apache-2.0
"""safetensors files as a checkpoint."""

import pathlib

from shardmark_tools.convert.open_files import Files, region_of_file
from shardmark_tools.convert.region import slabs
from shardmark_tools.convert.tensors import Checkpoint, Chunk, ConvertError, Tensor
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.safetensors_files import SafetensorsError, read_safetensors

CHUNK_BYTES = 64 << 20  # a tensor is stored in pieces of at most so much


def read_safetensors_checkpoint(path: pathlib.Path) -> Checkpoint:
    """Raises ConvertError, OSError."""
    try:
        found, notes = read_safetensors(path)
    except SafetensorsError as error:
        raise ConvertError(str(error)) from None
    files, tensors = Files(), []
    for tensor in found:
        item = ITEM_SIZES[tensor.dtype]
        region = region_of_file(files, tensor.path, tensor.byte_offset, tensor.shape, item)
        chunks = []
        if tensor.num_bytes:
            chunks = [Chunk(offsets, sizes, region, offsets, {})
                      for offsets, sizes in slabs(tensor.shape, item, CHUNK_BYTES)]  # fmt: skip
        tensors.append(Tensor(tensor.fqn, tensor.dtype, tensor.shape, chunks, tensor.published_dtype))
    return Checkpoint(tensors, [], files, notes=notes)
