# SPDX-License-Identifier: Apache-2.0
"""What a strategy or a key is called in PyTorch and in Megatron-Core: the same knob, where there is one."""

from collections.abc import Iterable

# (strategy, or key and value): (PyTorch and its DCP, Megatron-Core); empty where there is none.
STRATEGIES = {
    "ddp": ("DistributedDataParallel; DCP stores each tensor once", "training without --use-distributed-optimizer"),
    "fsdp": ("fully_shard(model), or FSDP with ShardingStrategy.FULL_SHARD", "--use-torch-fsdp2"),
    "hsdp": ("fully_shard(model, mesh=a mesh of two dimensions), or ShardingStrategy.HYBRID_SHARD", ""),
    "fsdp-tp": ("parallelize_module() over one dimension of the mesh, fully_shard() over the other",
                "--use-torch-fsdp2 --tensor-model-parallel-size N"),
    "megatron": ("parallelize_module()", "--tensor-model-parallel-size N --ckpt-format torch_dist"),
    "megatron-dist": ("parallelize_module() and ZeroRedundancyOptimizer",
                      "--use-distributed-optimizer --ckpt-format torch_dist"),
}  # fmt: skip
KEYS = {
    ("storage.layout", "per-rank"): ("FileSystemWriter(single_file_per_rank=True)", ""),
    ("storage.async", "true"): ("async_save()", "--async-save"),
    ("planner.dedup", "dcp"): ("DefaultSavePlanner(dedup_save_to_lowest_rank=False)", ""),
    ("planner.dedup", "balanced"): ("", "--ckpt-fully-parallel-save"),
    ("planner.dedup", "lowest-rank"): ("DefaultSavePlanner(dedup_save_to_lowest_rank=True)", ""),
    ("planner.cache", "true"): ("DefaultSavePlanner(enable_plan_caching=True)", "--ckpt-assume-constant-structure"),
    ("load.exchange", "world"): ("", "--ckpt-fully-parallel-load"),
    ("load.replicas", "broadcast"): ("", "--ckpt-fully-parallel-load"),
}  # fmt: skip


def knob_sentences(strategies: Iterable[str], varied: Iterable[tuple[str, str]]) -> list[str]:
    """A line for each that has a name elsewhere."""
    found = [(name, STRATEGIES[name]) for name in dict.fromkeys(strategies) if name in STRATEGIES]
    found += [(f"{key} = {value}", KEYS[key, value]) for key, value in dict.fromkeys(varied) if (key, value) in KEYS]
    sentences = []
    for name, (torch, megatron) in found:
        named = [f"in PyTorch: {torch}" if torch else "", f"in Megatron-Core: {megatron}" if megatron else ""]
        sentences.append(f"{name}, {'; '.join(text for text in named if text)}.")
    return sentences
