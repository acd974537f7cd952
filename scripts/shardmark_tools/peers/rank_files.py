# SPDX-License-Identifier: Apache-2.0
"""torch.save and safetensors: each rank stores a dictionary of its own parts in a file of its own."""

import time
from typing import Any

from shardmark_tools.peers import torch_tensors as tensors
from shardmark_tools.peers.protocol import Engine, Report, Request
from shardmark_tools.refusal import Refused


class RankFile:
    ending = ""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.path = tensors.rank_file(request, self.ending)
        self.torch = tensors.import_torch()
        self.parts: list[tuple[Any, Any]] = []
        self.own_s = 0.0

    def write(self, named: dict[str, Any]) -> None:
        raise NotImplementedError

    def read(self) -> dict[str, Any]:
        raise NotImplementedError

    def prepare(self) -> list[str]:
        self.parts = tensors.empty_tensors(self.torch, self.request.parts)
        if self.request.saves:
            tensors.fill(self.torch, self.parts)
            return []
        return [self.path]

    def operate(self) -> None:
        begin = time.monotonic()
        if self.request.saves:
            self.write({tensors.unique_name(part): tensor for part, tensor in self.parts})
            tensors.sync_files([self.path], self.request.directory)
        else:
            # Into the tensors that the program has, as a training job loads.
            named = self.read()
            for part, tensor in self.parts:
                tensor.copy_(named[tensors.unique_name(part)])
        self.own_s = time.monotonic() - begin

    def report(self) -> Report:
        num_bytes = tensors.bytes_of(self.torch, self.parts)
        if self.request.saves:
            return Report(self.own_s, num_bytes, [self.path], synced=True)
        wrong = tensors.first_difference(self.torch, self.parts)
        if wrong is not None:
            raise Refused(f"{wrong} was loaded with other bytes than were saved")
        return Report(self.own_s, num_bytes, [self.path], verified=True)


class TorchSave(RankFile):
    ending = "pt"

    def write(self, named: dict[str, Any]) -> None:
        self.torch.save(named, self.path)

    def read(self) -> dict[str, Any]:
        return dict(self.torch.load(self.path, map_location="cpu"))


class Safetensors(RankFile):
    ending = "safetensors"

    def write(self, named: dict[str, Any]) -> None:
        from safetensors.torch import save_file

        save_file(named, self.path)

    def read(self) -> dict[str, Any]:
        from safetensors.torch import load_file

        return dict(load_file(self.path))


ENGINES = (
    Engine("torch-save", "torch.save, a file a rank, synced", TorchSave, key="torch_save", modules=("torch",)),
    Engine("safetensors", "safetensors, a file a rank, synced", Safetensors, modules=("safetensors", "torch")),
)
