# SPDX-License-Identifier: Apache-2.0
"""PyTorch's Distributed Checkpoint: sharded tensors of the same boxes, one file a rank, over gloo; and its async save.
Of PyTorch 1.13 the package below torch.distributed._shard, of later ones torch.distributed.checkpoint."""

import os
import time
from collections import defaultdict
from typing import Any

from shardmark_tools.peers import torch_tensors as tensors
from shardmark_tools.peers.protocol import Engine, Part, Report, Request
from shardmark_tools.refusal import Refused


class Dcp:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.torch = tensors.import_torch()
        self.sharded_tensor = tensors.import_sharded_tensor()
        self.folder = os.path.join(request.directory, "dcp")
        self.parts: list[tuple[Part, Any]] = []
        self.state: dict[str, Any] = {}
        self.own_s = 0.0
        self.returned_s: float | None = None

    def library(self) -> Any:
        """The package that saves and loads; of PyTorch 1.13 it has other functions."""
        if tuple(map(int, self.torch.__version__.split(".")[:2])) < (2, 0):
            import torch.distributed._shard.checkpoint as old

            return old
        import torch.distributed.checkpoint as new

        return new

    def prepare(self) -> list[str]:
        import torch.distributed as dist

        if self.request.nodes == 1:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        self.library()
        dist.init_process_group("gloo", init_method=f"file://{self.request.meeting}", rank=self.request.rank,
                                world_size=self.request.ranks)  # fmt: skip
        self.parts = tensors.empty_tensors(self.torch, self.request.parts)
        if self.request.saves:
            tensors.fill(self.torch, self.parts)
        everybody: list[Any] = [None] * self.request.ranks
        dist.all_gather_object(everybody, [vars(part) for part, _ in self.parts])
        self.state = self.sharded(everybody)
        dist.barrier()
        return [] if self.request.saves else self.own_files() + ([self.metadata()] if self.request.rank == 0 else [])

    def sharded(self, everybody: list[Any]) -> dict[str, Any]:
        """Sharded tensors of all ranks' parts, of which each rank holds its own."""
        sharded_tensor = self.sharded_tensor
        from torch.distributed._shard.metadata import ShardMetadata

        own = defaultdict(list)
        for part, tensor in self.parts:
            own[part.fqn].append((part, tensor))
        shards, facts = defaultdict(list), {}
        for rank, parts in enumerate(everybody):
            for said in parts:
                facts[said["fqn"]] = (said["dtype"], said["shape"])
                shards[said["fqn"]].append(ShardMetadata(said["offsets"], said["sizes"], f"rank:{rank}/cpu"))
        state = {}
        for fqn, (dtype, shape) in sorted(facts.items()):
            metadata = sharded_tensor.metadata.ShardedTensorMetadata(
                shards_metadata=shards[fqn], size=self.torch.Size(shape),
                tensor_properties=sharded_tensor.metadata.TensorProperties(dtype=getattr(self.torch, dtype)))  # fmt: skip
            local = [
                sharded_tensor.Shard(tensor, ShardMetadata(part.offsets, part.sizes, f"rank:{self.request.rank}/cpu"))
                for part, tensor in own[fqn]
            ]
            state[fqn] = sharded_tensor.ShardedTensor._init_from_local_shards_and_global_metadata(
                local, sharded_tensor_metadata=metadata)  # fmt: skip
        return state

    def save(self) -> None:
        library = self.library()
        writer = library.FileSystemWriter(self.folder, single_file_per_rank=True)
        if hasattr(library, "save"):
            library.save(self.state, storage_writer=writer)
        else:
            library.save_state_dict(self.state, writer)

    def load(self) -> None:
        library = self.library()
        reader = library.FileSystemReader(self.folder)
        if hasattr(library, "load"):
            library.load(self.state, storage_reader=reader)
        else:
            library.load_state_dict(self.state, reader)

    def sync(self) -> None:
        """Until every rank's files are safe, which is when a job may rely on them."""
        import torch.distributed as dist

        tensors.sync_files(self.own_files() + ([self.metadata()] if self.request.rank == 0 else []), self.folder)
        dist.barrier()

    def own_files(self) -> list[str]:
        begin = f"__{self.request.rank}_"
        return [os.path.join(self.folder, name) for name in sorted(os.listdir(self.folder)) if name.startswith(begin)]

    def metadata(self) -> str:
        return os.path.join(self.folder, ".metadata")

    def operate(self) -> None:
        begin = time.monotonic()
        if self.request.saves:
            self.save()
            self.sync()
        else:
            self.load()
        self.own_s = time.monotonic() - begin

    def report(self) -> Report:
        num_bytes = tensors.bytes_of(self.torch, self.parts)
        if self.request.saves:
            return Report(self.own_s, num_bytes, self.own_files(), synced=True, returned_s=self.returned_s)
        wrong = tensors.first_difference(self.torch, self.parts)
        if wrong is not None:
            raise Refused(f"{wrong} was loaded with other bytes than were saved")
        return Report(self.own_s, num_bytes, self.own_files(), verified=True)


class DcpAsync(Dcp):
    def prepare(self) -> list[str]:
        if not hasattr(self.library(), "async_save"):
            raise Refused(f"PyTorch {self.torch.__version__} has no async_save; it came with 2.3")
        return super().prepare()

    def save(self) -> None:
        library = self.library()
        begin = time.monotonic()
        future = library.async_save(self.state, storage_writer=library.FileSystemWriter(self.folder, single_file_per_rank=True))
        self.returned_s = time.monotonic() - begin
        future.result()


ENGINES = (
    Engine("dcp", "PyTorch DCP, a file a rank, synced", Dcp, modules=("torch",)),
    Engine("dcp-async", "PyTorch DCP's async save, a file a rank, synced", DcpAsync, key="dcp", modules=("torch",),
           operations=("save",)),  # fmt: skip
)
