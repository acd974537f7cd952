# SPDX-License-Identifier: Apache-2.0
"""One checkpoint of PyTorch's DCP through everything that takes it: job file, replay, HDF5 and back."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import h5py
import numpy as np
from torch_systems import ROOT, System, said_by

from shardmark_tools.checkpoint.checkpoint_reader import check_checkpoint, encode_name
from shardmark_tools.job.dcp_metadata import read_metadata
from shardmark_tools.job.dtypes import ITEM_SIZES
from shardmark_tools.job.golden.element_bytes import tensor_bytes
from shardmark_tools.job.job_file import Job, read_job

SECONDS = 300
# What numpy has, h5py shows as such.
PLAIN = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64",
         "complex64", "complex128")  # fmt: skip


def script(name: str, *words: object) -> str:
    done = subprocess.run([sys.executable, ROOT / "scripts" / name, *map(str, words)], capture_output=True, text=True,
                          timeout=SECONDS, check=False)  # fmt: skip
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return done.stdout


def expected_bytes(fqn: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    name = fqn.removeprefix("model.").replace("optimizer.state.0.exp_avg", "rows")
    return tensor_bytes(name, dtype, int(np.prod(shape, dtype=np.int64)) * ITEM_SIZES[dtype]).tobytes()


def check_job(told: dict[str, Any], path: pathlib.Path, dcp: pathlib.Path) -> Job:
    """The job file against the metadata as PyTorch itself reads it."""
    script("job", "from-dcp", dcp, "--out", path)
    job = read_job(path)
    found = {t.fqn: [t.dtype, list(t.shape), [[list(o), list(s)] for o, s in t.boxes]] for t in job.tensors}
    assert found == told["tensors"], f"{path}: other tensors or boxes than PyTorch reads"
    assert [o.fqn for o in job.objects] == told["objects"], f"{path}: other objects than PyTorch reads"
    return job


class Command:
    """The built command."""

    def __init__(self, path: pathlib.Path, launcher: str):
        self.path, self.launcher = path, launcher

    def run(self, ranks: int, *words: object) -> Any:
        launch = [self.launcher, "-n", str(ranks)] if ranks else []
        done = subprocess.run([*launch, self.path, *map(str, words), "--json"], capture_output=True, text=True,
                              timeout=SECONDS, check=False, env=os.environ)  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return json.loads(done.stdout)


def check_replay(job: Job, path: pathlib.Path, command: Command, folder: pathlib.Path) -> None:
    """Saved and loaded as the job's ranks hold it; where there are several, also by half of them, played."""
    words = ("smoke", "--set", f"model.job={path}")
    command.run(job.world_size, "save", *words, "--dir", folder / "replayed", "--step", 1)
    seen = command.run(0, "inspect", folder / "replayed", "--verify")
    assert seen["verified"] and seen["world_size"] == job.world_size
    found = {t["fqn"]: (t["dtype"], tuple(t["shape"]), t["chunks"]) for t in seen["tensors"]}
    expected = {t.fqn: (t.dtype, t.shape, len(t.boxes)) for t in job.tensors}
    objects = {o["fqn"] for o in seen["objects"]}
    expected |= {o.fqn: ("uint8", (o.num_bytes,), 1) for o in job.objects if o.fqn not in objects}
    assert found == expected, f"{path}: what was replayed has other tensors or chunks"
    assert command.run(job.world_size, "load", *words, "--dir", folder / "replayed", "--verify")["verified"]
    report = check_checkpoint(folder / "replayed")
    assert not report.findings and report.tensors == len(expected), report.findings
    if job.world_size > 1:
        played = (*words, "--set", f"run.world={job.world_size}", "--set", "storage.io=direct", "--dir", folder / "played", "--step", 1)
        command.run(job.world_size // 2, "save", *played)
        assert command.run(job.world_size // 2, "load", *played, "--verify")["verified"]


def check_hdf5(path: pathlib.Path, dcp: pathlib.Path) -> int:
    """Every element by h5py; the number of them."""
    metadata, elements = read_metadata(dcp), 0
    with h5py.File(path, "r") as file:
        assert len(file["tensors"]) == len(metadata.tensors)
        for tensor in metadata.tensors:
            dataset = file["tensors"][encode_name(tensor.fqn)]
            stored = np.empty(dataset.shape, f"V{ITEM_SIZES[tensor.dtype]}")
            if stored.size:
                dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, stored, mtype=dataset.id.get_type())
            expected = expected_bytes(tensor.fqn, tensor.dtype, tensor.shape)
            assert stored.tobytes() == expected, f"{path}: '{tensor.fqn}': other elements"
            if tensor.dtype in PLAIN:
                assert dataset[...].astype(tensor.dtype).tobytes() == expected, f"{path}: '{tensor.fqn}' as numpy has it"
            elements += stored.size
    return elements


def round_trip(system: System, world: int, folder: pathlib.Path, command: Command | None) -> str:
    """What was done, in a line; AssertionError if anything differs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dcp, back = folder / "dcp", folder / "back"
    said_by(system, "make_dcp.py", world, dcp)
    told = json.loads(said_by(system, "load_dcp.py", dcp, "--told"))
    assert told["torch"] == system.version
    job = check_job(told, folder / "job.json", dcp)
    if command:
        check_replay(job, folder / "job.json", command, folder)
    script("convert", dcp, folder / "hdf5")
    elements = check_hdf5(folder / "hdf5" / "step-00000000" / "checkpoint.h5", dcp)
    if command:
        assert command.run(0, "inspect", folder / "hdf5", "--verify")["verified"]
    script("convert", folder / "hdf5", back, "--to", "dcp", "--for", "torch-1.13" if system.version < "2" else "torch-2")
    said_by(system, "load_dcp.py", back)
    worlds = sorted({1, world, 2 if world == 4 else 4})
    for other in worlds:
        said_by(system, "load_dcp.py", back, "--world", other)
    replayed = f"replayed by {job.world_size} ranks" if command else "not replayed (no --shardmark)"
    return (f"{len(job.tensors)} tensors, {len(job.objects)} objects, {elements} elements: job file as PyTorch reads it, {replayed}, "
            f"HDF5 and back equal, loaded whole and by {', '.join(map(str, worlds))} processes")  # fmt: skip


def torch_dist_trip(system: System, folder: pathlib.Path) -> str:
    """The same of a folder as Megatron-Core writes it, without a way back: nobody here loads it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    dcp = folder / "torch_dist"
    said_by(system, "make_torch_dist.py", dcp)
    script("job", "from-dcp", dcp, "--out", folder / "job.json")
    job = read_job(folder / "job.json")
    assert (job.world_size, job.world_size_known, len(job.objects)) == (4, True, 4)
    script("convert", dcp, folder / "hdf5")
    script("convert", folder / "hdf5", folder / "back", "--to", "dcp")
    back = read_metadata(folder / "back")
    assert back.mcore_data == read_metadata(dcp).mcore_data
    made = {"linear_qkv.weight": "qkv", "linear_fc2.weight": "fc2", "word_embeddings.weight": "avg"}
    with h5py.File(folder / "hdf5" / "step-00000000" / "checkpoint.h5", "r") as file:
        for tensor in back.tensors:
            (name,) = [value for key, value in made.items() if tensor.fqn.endswith(key)]
            dataset = file["tensors"][encode_name(tensor.fqn)]
            stored = np.empty(dataset.shape, f"V{ITEM_SIZES[tensor.dtype]}")
            dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, stored, mtype=dataset.id.get_type())
            assert stored.tobytes() == expected_bytes(name, tensor.dtype, tensor.shape), tensor.fqn
    return f"{len(back.tensors)} tensors, {len(back.objects)} objects: world size by the plans, HDF5 and back equal"
