# SPDX-License-Identifier: Apache-2.0
"""What check_readers plays: every script and command that reads results, configurations or models, with a sound folder
of each and the ways to damage it."""

import dataclasses
import json
import pathlib
import random
import shutil
from collections.abc import Callable

import numpy as np

from shardmark_tools.results import hostile_results, synthetic_results
from shardmark_tools.strategies import strategy_comparison as comparison

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
TOOLS = SCRIPTS / "shardmark_tools"
GOLDEN = TOOLS / "job" / "golden"
COMMAND = "shardmark"  # instead of a script's name
SWEEP_CONFIG = '[run]\nbenchmarks = ["save"]\n\n[sweep]\n"parallel.strategy" = ["ddp", "fsdp"]\n'
CONFIG = """include = ["models/llama3-8b-tiny", "storage/hdf5-shared"]
[model]
name = "tiny"
scale = 1.0
optimizer = "adamw"
[parallel]
strategy = "fsdp"
dp_shard = -1
[planner]
kind = "layout"
dedup = "balanced"
cache = false
[storage]
directory = "checkpoints"
layout = "groups:2"
io = "auto"
alignment = "64KiB"
hints = { cb_nodes = 2 }
threads = 2
[load]
checksum = "read"
sieve_gap = "64KiB"
[run]
ranks = 4
benchmarks = ["save", "load"]
repetitions = 2
deadline = "auto"
[sweep]
"parallel.strategy" = ["ddp", "fsdp"]
"""

Damage = Callable[[pathlib.Path, random.Random], str]


def damage_results(folder: pathlib.Path, generator: random.Random) -> str:
    path = generator.choice(sorted(p for p in folder.rglob("*.json")))
    return f"{hostile_results.write_damaged(path, generator)} of {path.relative_to(folder)}"


def damage_text(folder: pathlib.Path, generator: random.Random) -> str:
    path = generator.choice(sorted(p for p in folder.iterdir() if p.suffix in (".toml", ".txt")))
    return f"{hostile_results.write_damaged_toml(path, generator)} of {path.name}"


def damage_bytes(folder: pathlib.Path, generator: random.Random) -> str:
    path = generator.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
    return f"{hostile_results.write_damaged_bytes(path, generator)} of {path.relative_to(folder)}"


def damage_safetensors(folder: pathlib.Path, generator: random.Random) -> str:
    path = generator.choice(sorted(p for p in folder.rglob("*") if p.suffix in (".json", ".safetensors")))
    damage = hostile_results.write_damaged if path.suffix == ".json" else hostile_results.write_damaged_header
    return f"{damage(path, generator)} of {path.relative_to(folder)}"


@dataclasses.dataclass
class Reader:
    name: str
    script: str  # below scripts/, or COMMAND
    make: Callable[[pathlib.Path], None]  # a sound folder
    words: Callable[[pathlib.Path], list[str]]
    codes: tuple[int, ...] = (0, 2)
    damage: Damage = damage_results
    sound: tuple[int, ...] = (0,)  # exit codes of the sound folder


def write(folder: pathlib.Path, number: int = 1, repetitions: int = 3, **more: object) -> None:
    rng = np.random.default_rng(number)
    of = synthetic_results.context(started=f"2026-01-31T12:00:{number:02d}Z", **more)
    families = ("save", "load", "plan", "hooks")
    run = synthetic_results.make_run(rng, of=of, repetitions=repetitions, families=families, strategies=("ddp", "fsdp"))
    synthetic_results.write_run(folder, run)


def make_runs(folder: pathlib.Path) -> None:
    for number, nodes in enumerate((1, 2, 4)):
        write(folder / f"r{number}", number, nodes=nodes)


def make_sweep(folder: pathlib.Path) -> None:
    fixed = {"nodes": 1, "ranks_per_node": 2, "ranks": 2, "scaling": "strong", "scale": None}
    for strategy in ("ddp", "fsdp"):
        case = folder / "cases" / f"nodes-1_ranks-2_strategy-{strategy}"
        write(case, 1)
        row = {"name": case.name, "parameters": {**fixed, "parallel.strategy": strategy}, "status": "ok", "reason": None,
               "duration_s": 1.5, "exit_code": 0, "stuck": None, "started": "2026-01-31T12:00:00Z"}  # fmt: skip
        (case / "case.json").write_text(json.dumps(row))
    (folder / "sweep.json").write_text(json.dumps({"suite": "quick", "settings": []}))


def make_planners(folder: pathlib.Path) -> None:
    points = [{"planner": planner, "world": world, "repetition": 0, "measured_s": 1e-3 * world}
              for planner in ("tree", "layout") for world in (2, 4, 8, 16, 32)]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "planner-scaling.json").write_text(json.dumps({"config": "planning", "settings": [], "points": points}))


def make_alike(folder: pathlib.Path) -> None:
    for number in range(9):
        write(folder / f"r{number}", number)


def make_pairs(folder: pathlib.Path) -> None:
    for side in "ab":
        for number in range(2):
            write(folder / side / f"{number:04d}", number)
    (folder / "interleaved.json").write_text('{"sides": ["a", "b"]}')


def make_thresholds(folder: pathlib.Path) -> None:
    make_pairs(folder)
    shutil.copy(TOOLS / "gate" / "thresholds.toml", folder / "thresholds.toml")


def make_strategies(folder: pathlib.Path) -> None:
    write(folder / "run", 1, config=SWEEP_CONFIG)
    of = synthetic_results.context(config=comparison.reshard_config(SWEEP_CONFIG))
    samples = []
    for saved in ("ddp", "fsdp"):
        for loaded in ("ddp", "fsdp"):
            name = f"reshard/tiny/{loaded}/shared-independent/nodes:1/ranks:2/from:{saved}@2/on:2"
            case = {"saved_strategy": saved, "saved_ranks": "2", "load_ranks": "2"}
            samples.append(synthetic_results.sample("reshard", name, of, 0.5, 0, len(samples), case=case))
    synthetic_results.write_run(folder / "reshard", {"schema_version": 1, "context": of, "samples": samples})


def make_baseline(folder: pathlib.Path) -> None:
    write(folder / "quick" / "0000", 1)
    write(folder / "quick" / "0001", 2)


def make_ten(folder: pathlib.Path) -> None:
    """Ten saves and ten loads, with the events of every rank."""
    config = '[model]\nname = "mlperf-8b"\nscale = 1.0\noptimizer = "adamw"\n[parallel]\nstrategy = "fsdp"\n'
    of = synthetic_results.context(per_node=8, config=config)
    run = synthetic_results.make_run(np.random.default_rng(1), of, 10, families=("save", "load"))
    events = []
    for number, sample in enumerate(run["samples"]):
        sample["model"] = "mlperf-8b"
        if sample["family"] == "load":
            sample["cold"] = {"state": "client-cold", "resident_fraction": 0.0}
        events += [{"name": "write", "ph": "X", "ts": 2e6 * number, "dur": total * 1e6, "pid": 0, "tid": rank,
                    "args": {"sample": sample["name"], "repetition": sample["repetition"]}}
                   for rank, total in enumerate(sample["per_rank"]["total_s"])]  # fmt: skip
    synthetic_results.write_run(folder, run)
    (folder / "trace.json").write_text(json.dumps({"traceEvents": events}))


def make_samples(folder: pathlib.Path) -> None:
    shutil.copytree(TOOLS / "referee" / "samples", folder)


def make_dcp(folder: pathlib.Path) -> None:
    shutil.copytree(GOLDEN / "torch-2.6-2", folder)


def make_metadata(folder: pathlib.Path) -> None:
    """Every damage hits the pickle."""
    folder.mkdir()
    shutil.copy(GOLDEN / "torch-2.6-2" / ".metadata", folder / ".metadata")


def make_record(folder: pathlib.Path) -> None:
    folder.mkdir()
    shutil.copy(GOLDEN / "torch-2.6-4.record", folder / "job.record")


def write_safetensors(path: pathlib.Path, tensors: dict[str, tuple[str, list[int], int]]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (dtype, shape, num_bytes) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + num_bytes]}
        offset += num_bytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(range(256)) * (offset // 256) + bytes(offset % 256))


PART = {
    "model.layers.0.mlp.experts.0.w1": ("BF16", [8, 8], 128), "model.layers.0.mlp.experts.1.w1": ("BF16", [8, 8], 128),
    "model.norm.weight": ("F32", [64], 256), "scale": ("F8_E8M0", [16, 2], 32), "packed": ("U8", [3, 5], 15),
    "empty": ("F16", [0, 4], 0), "scalar": ("I64", [], 8),
}  # fmt: skip


def make_safetensors(folder: pathlib.Path) -> None:
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", PART)


def make_index(folder: pathlib.Path) -> None:
    folder.mkdir()
    other = {"lm_head.weight": ("F32", [16, 4], 256), "scale": ("F8_E8M0", [16, 2], 32)}
    write_safetensors(folder / "model-00001-of-00002.safetensors", PART)
    write_safetensors(folder / "model-00002-of-00002.safetensors", other)
    where = {**dict.fromkeys(PART, "model-00001-of-00002.safetensors"), "lm_head.weight": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 823}, "weight_map": where}))


def make_job(folder: pathlib.Path) -> None:
    folder.mkdir()
    document = {
        "format": "shardmark job", "version": 1, "source": {"kind": "dcp", "torch": "2"}, "world_size": 4,
        "world_size_known": True, "replicas": "listed", "hashed_names": False, "notes": ["made for a test"],
        "layouts": [{"mesh": [4], "placements": ["S(0)"], "first_rank": 0, "strides": [1]}],
        "rank_lists": [{"one_each": [[0, 2, 1]]}, {"sets": [[[0, 4, 1]]]}],
        "tensors": [{"fqn": "a.weight", "dtype": "float32", "shape": [8, 4], "layout": 0},
                    {"fqn": "b.weight", "dtype": "bfloat16", "shape": [4, 4], "boxes": [[0, 0, 2, 4], [2, 0, 2, 4]], "holders": 0},
                    {"fqn": "c.bias", "dtype": "int64", "shape": [4], "boxes": [[0, 4]], "holders": 1}],
        "objects": [{"fqn": "step", "num_bytes": 8, "writer": 0}],
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(document))


def make_config(folder: pathlib.Path) -> None:
    folder.mkdir()
    (folder / "suite.toml").write_text(CONFIG)


def sweep_words(folder: pathlib.Path) -> list[str]:
    return ["quick", "--out", str(folder), "--dry-run", "--build", str(folder.parent / "shardmark"), "--launcher", "true",
            "--strategies", "ddp,fsdp"]  # fmt: skip


def plan_words(name: str, key: str = "safetensors") -> Callable[[pathlib.Path], list[str]]:
    return lambda folder: ["plan", "smoke", "--world", "4", "--json", "--set", "model.scale=1.0", "--set",
                           f"model.{key}={folder / name}"]  # fmt: skip


def store_words(*words: str) -> Callable[[pathlib.Path], list[str]]:
    return lambda folder: ["--store", str(folder / "made store"), *words, *map(str, sorted(folder.glob("r[0-9]*")))]


READERS = (
    Reader("report", "report", make_runs, lambda d: [str(d), "--out", str(d / "made")]),
    Reader("report of a sweep", "report", make_sweep, lambda d: [str(d), "--out", str(d / "made")]),
    Reader("report of planners", "report", make_planners, lambda d: [str(d), "--out", str(d / "made")]),
    Reader("gate", "gate", make_pairs, lambda d: [str(d / "a"), str(d / "b"), "--json", "-"], (0, 1, 2, 3), sound=(0, 3)),
    Reader("gate --recommend", "gate", make_alike, lambda d: ["--recommend", str(d)]),
    Reader("gate --thresholds", "gate", make_thresholds, lambda d: [str(d / "a"), str(d / "b"), "--json", "-", "--thresholds",
           str(d / "thresholds.toml")], (0, 1, 2, 3), damage_text, sound=(0, 3)),
    Reader("sweep", "sweep", make_sweep, sweep_words),
    Reader("compare-strategies", "compare-strategies", make_strategies, lambda d: ["--from", str(d)]),
    Reader("history add", "history", make_runs, store_words("add")),
    Reader("baselines", "dev/baselines.py", make_baseline, lambda d: ["--folder", str(d), "check"], (0, 1, 2, 77)),
    Reader("validate_results", "dev/validate_results.py", lambda d: write(d), lambda d: [str(d)], (0, 1, 2)),
    Reader("export-mlperf", "export-mlperf", make_ten, lambda d: [str(d), "--out", str(d / "made"), "--only", "*"]),
    Reader("referee", "referee", make_samples, lambda d: [str(d)], (0, 1, 2), sound=(1,)),
    Reader("job from-dcp", "job", make_metadata, lambda d: ["from-dcp", str(d), "--out", str(d / "made")], damage=damage_bytes),
    Reader("job from-record", "job", make_record, lambda d: ["from-record", str(d / "job.record"), "--out", str(d / "made")],
           damage=damage_bytes),
    Reader("job from-safetensors", "job", make_index, lambda d: ["from-safetensors", str(d), "--out", str(d / "made")],
           damage=damage_safetensors),
    Reader("convert of DCP", "convert", make_dcp, lambda d: [str(d), str(d / "made")], (0, 1, 2), damage_bytes),
    Reader("convert of safetensors", "convert", make_index, lambda d: [str(d), str(d / "made"), "--to", "dcp"], (0, 1, 2),
           damage_safetensors),
    Reader("a configuration", COMMAND, make_config, lambda d: ["plan", str(d / "suite.toml"), "--world", "4", "--json"],
           damage=damage_text),
    Reader("model.safetensors", COMMAND, make_safetensors, plan_words("model.safetensors"), damage=damage_safetensors),
    Reader("model.safetensors of an index", COMMAND, make_index, plan_words("."), damage=damage_safetensors),
    Reader("model.job", COMMAND, make_job, plan_words("job.json", "job")),
    Reader("run --out", COMMAND, lambda d: write(d), lambda d: ["run", "smoke", "--set", "run.benchmarks=[\"hooks\"]", "--out", str(d)],
           sound=(2,)),
)  # fmt: skip
