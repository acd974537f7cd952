# SPDX-License-Identifier: Apache-2.0
"""Result folders with known laws, for the tests of what reads results."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from shardmark_tools.results import vocabulary
from shardmark_tools.results.result_folder import Sample

SHARES = {
    "save": {"write": 0.7, "flush": 0.15, "gather": 0.05, "commit": 0.04, "hooks": 0.01},
    "load": {"read": 0.8, "verify": 0.1, "open": 0.05},
    "plan": {"global_plan": 0.5, "gather": 0.3, "scatter": 0.2},
    "hooks": {"hooks": 1.0},
}
PHASES = {"save": vocabulary.SAVE_PHASES, "load": vocabulary.LOAD_PHASES, "hooks": ("hooks",),
          "plan": ("local_plan", "gather", "global_plan", "scatter", "wait")}  # fmt: skip


def context(nodes: int = 1, per_node: int = 2, config_hash: str = "0123456789abcdef",
            started: str = "2026-01-31T12:00:00Z", **more: Any) -> dict[str, Any]:  # fmt: skip
    ranks = nodes * per_node
    made = {
        "shardmark_version": "0.1.0", "commit": "0" * 40, "dirty": False, "build_type": "Release",
        "compiler": "g++ 12", "mpi": "Open MPI 4.1.4", "hdf5": "1.10.8", "fmt": "9.1.0", "benchmark": "1.7.1",
        "nodes": nodes, "ranks": ranks, "ranks_per_node": [per_node] * nodes,
        "hosts": [f"node{i}" for i in range(nodes)], "node_of_rank": [r // per_node for r in range(ranks)],
        "cpu": "a processor, 2 cores", "filesystem": {"type": "ext4", "path": "/"},
        "mpi_io": {"component": "ompio", "hints": {}}, "suite": "synthetic", "config": "[model]\n",
        "config_hash": config_hash, "started": started, "shuffle_seed": 1, "command_line": ["shardmark"],
    }  # fmt: skip
    return {**made, **more}


def per_rank_phases(family: str, total: float, ranks: int, slow_rank: int | None = None, slow: float = 1.0,
                    shares: dict[str, float] | None = None) -> tuple[dict[str, list[float]], list[float]]:  # fmt: skip
    """Seconds of each rank; a slow rank's main phase takes longer and the others wait for it."""
    if family not in SHARES:
        return {}, [total] * ranks  # ceilings have no phases
    parts = shares or SHARES[family]
    phases = {phase: [total * parts.get(phase, 0.0)] * ranks for phase in PHASES[family]}
    main = max(parts, key=lambda phase: parts[phase])
    if slow_rank is not None:
        phases[main] = [t * (slow if r == slow_rank else 1.0) for r, t in enumerate(phases[main])]
    totals = [sum(phases[p][r] for p in phases) for r in range(ranks)]
    if "wait" in phases:
        phases["wait"] = [max(totals) - t for t in totals]
        totals = [max(totals)] * ranks
    return phases, totals


def sample(family: str, name: str, of: dict[str, Any], seconds: float, repetition: int = 0, order: int = 0,
           num_bytes: int = 1 << 30, case: dict[str, Any] | None = None, slow_rank: int | None = None,
           slow: float = 1.0, shares: dict[str, float] | None = None) -> Sample:  # fmt: skip
    ranks = of["ranks"]
    phases, totals = per_rank_phases(family, seconds, ranks, slow_rank, slow, shares)
    spreads = {
        phase: {"min": min(v), "mean": sum(v) / ranks, "max": max(v), "slowest_rank": int(np.argmax(v))}
        for phase, v in phases.items()
    }
    time = max(totals)
    saves, moves = family == "save", family in ("save", "load")
    return {
        "name": name, "family": family, "model": "tiny", "strategy": name.split("/")[2], "case": case or {},
        "world_size": ranks, "virtual": False, "nodes": of["nodes"], "ranks": ranks, "repetition": repetition,
        "warmup": False, "order": order, "num_bytes": num_bytes, "time_s": time,
        "returned_s": time if saves else None, "durable_s": time if saves else None, "visible_s": None,
        "visible_from": None, "overlapped_s": None, "phases_s": spreads,
        "per_rank": {"total_s": totals, "phases_s": phases, "peak_memory_bytes": None},
        "bytes_read": None, "bytes_written": num_bytes if saves else None, "read_requests": None,
        "write_requests": None, "verify_bytes_read": None, "inventory": None, "cold": None, "io_modes": None,
        "o_direct_actual": None, "metrics": {"imbalance": 1.0}, "verified": True if moves else None,
        "error": None, "skipped": None,
    }  # fmt: skip


def names(nodes: int, ranks: int, strategy: str = "fsdp") -> dict[str, str]:
    io = f"shared-independent/nodes:{nodes}/ranks:{ranks}"
    return {
        "save": f"save/tiny/{strategy}/{io}", "load": f"load/tiny/{strategy}/{io}",
        "plan": f"plan/tiny/{strategy}/coordinator/world:{ranks}/ranks:{ranks}",
        "hooks": f"hooks/tiny/{strategy}/create_write_items/world:{ranks}/ranks:{ranks}",
    }  # fmt: skip


MEDIANS = {"save": 1.0, "load": 0.5, "plan": 0.01, "hooks": 0.0002}


def make_run(rng: np.random.Generator, of: dict[str, Any] | None = None, repetitions: int = 20, noise: float = 0.02,
             factors: dict[str, float] | None = None, families: Sequence[str] = ("save", "load", "plan"),
             strategies: Sequence[str] = ("fsdp",), medians: dict[str, float] | None = None,
             **how: Any) -> dict[str, Any]:  # fmt: skip
    """A samples.json document; `factors` {family: factor} slow its families down."""
    of = of or context()
    samples: list[Sample] = []
    for strategy in strategies:
        for family, name in names(of["nodes"], of["ranks"], strategy).items():
            if family not in families:
                continue
            center = (medians or MEDIANS)[family] * (factors or {}).get(family, 1.0)
            case = {"planner": "coordinator"}
            if family in ("save", "load"):
                case.update(backend="hdf5", file_layout="shared", io="independent")
            for repetition in range(repetitions):
                seconds = float(center * np.exp(rng.normal(0, noise)))
                samples.append(sample(family, name, of, seconds, repetition, len(samples), case=case, **how))
    return {"schema_version": vocabulary.SCHEMA_VERSION, "context": of, "samples": samples}


def benchmark_document(document: dict[str, Any]) -> dict[str, Any]:
    """What Google Benchmark writes of the same run."""
    entries = [
        {"name": f"{s['name']}/iterations:1/manual_time", "run_name": f"{s['name']}/iterations:1/manual_time",
         "run_type": "iteration", "repetitions": 1, "repetition_index": 0, "threads": 1, "iterations": 1,
         "real_time": s["time_s"] * 1e3, "cpu_time": s["time_s"] * 1e3, "time_unit": "ms"}
        for s in document["samples"] if s["time_s"] is not None
    ]  # fmt: skip
    return {"context": document["context"], "benchmarks": entries}


def write_run(directory: pathlib.Path | str, document: dict[str, Any]) -> pathlib.Path:
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "samples.json").write_text(json.dumps(document), encoding="utf-8")
    (directory / "benchmark.json").write_text(json.dumps(benchmark_document(document)), encoding="utf-8")
    return directory
