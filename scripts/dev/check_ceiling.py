#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are the raw ceilings as fast as fio? Runs both in turns with equal parameters: files, pieces, threads, bytes, fsync.

Usage: check_ceiling.py SHARDMARK [DIRECTORY] [--rounds N] [--ranks N] [--mib N]

Every round measures the ceilings posix-per-rank and posix-shared, buffered and with O_DIRECT, saving and (cold)
loading, then fio with the piece size and threads that the ceiling chose. The median of the rounds' ratios must be at
least 0.9. Without fio (a Debian package) or mpirun it says so and leaves with 77. Exit code 1 if a ceiling is slower.
"""

import argparse
import json
import mmap
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

MIB = 1 << 20
LEAST = 0.9
# Of llama3-8b in bfloat16 without optimizer state.
MODEL_BYTES = 16_060_522_496


def run_ceilings(arguments, folder, name):
    """Samples of one round by variant; the folder holds what they write."""
    out = folder / f"out-{name}"
    config = folder / "ceiling.toml"
    config.write_text(
        'model.name = "llama3-8b"\nmodel.optimizer = "none"\nparallel.strategy = "fsdp"\n'
        f"model.scale = {arguments.mib * MIB / MODEL_BYTES}\n"
        f"storage.directory = {json.dumps(str(folder / 'files'))}\n"
        'run.repetitions = 1\nrun.warmup = 0\nrun.benchmarks = ["ceiling"]\n'
    )
    subprocess.run(["mpirun", "-n", str(arguments.ranks), arguments.shardmark, "run", str(config), "--out", str(out),
                    "--benchmark_filter=posix"], check=True, stdout=subprocess.DEVNULL)
    samples = json.loads((out / "samples.json").read_text())["samples"]
    return {sample["name"].split("/")[3]: sample for sample in samples}


def fio_rate(arguments, folder, sample):
    """Bytes per second of fio doing the same."""
    kind, metrics = sample["case"], sample["metrics"]
    threads, piece = int(metrics["threads"]), int(metrics["piece_bytes"])
    jobs = arguments.ranks * threads
    share = sample["num_bytes"] // jobs // piece * piece or sample["num_bytes"] // jobs // 4096 * 4096
    saves, direct = kind["operation"] == "save", kind["o_direct"] == "true"
    lines = ["[global]", f"rw={'write' if saves else 'read'}", f"bs={min(piece, share)}", "ioengine=psync", "thread=0",
             f"direct={int(direct)}", f"end_fsync={int(saves)}", "fallocate=native",
             "invalidate=1", "group_reporting=1"]  # fmt: skip
    if saves and not direct and min(piece, share) >= MIB:
        lines.append("sync_file_range=write:1")  # as the ceilings do
    for rank in range(arguments.ranks):
        for thread in range(threads):
            if kind["ceiling"] == "posix-shared":
                name, offset = "shared", (rank * threads + thread) * share
            else:
                name, offset = f"rank-{rank}", thread * share
            lines += [f"[r{rank}t{thread}]", f"filename={folder}/fio-{name}", f"offset={offset}", f"size={share}"]
    job = folder / "job.fio"
    job.write_text("\n".join(lines) + "\n")
    if not saves:
        subprocess.run(["fio", "--output=/dev/null", str(write_job(folder, lines))], check=True)
    if not direct:
        touch_free_memory(sample["num_bytes"] * 3 // 2)
    tunables = (os.environ.get("GLIBC_TUNABLES"), "glibc.malloc.hugetlb=1")  # large pages, as the ceilings ask for
    done = subprocess.run(["fio", "--output-format=json", str(job)], check=True, capture_output=True, text=True,
                          env={**os.environ, "GLIBC_TUNABLES": ":".join(filter(None, tunables))})  # fmt: skip
    report = json.loads(done.stdout[done.stdout.index("{"):])
    totals = [entry["write" if saves else "read"] for entry in report["jobs"]]
    for file in folder.glob("fio-*"):
        file.unlink()
    return sum(t["io_bytes"] for t in totals) / (max(t["runtime"] for t in totals) / 1e3)


def touch_free_memory(num_bytes):
    """As the ceilings find it: a virtual machine may have given it back to its host."""
    with mmap.mmap(-1, num_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)
        for at in range(0, num_bytes, mmap.PAGESIZE):
            memory[at] = 1


def write_job(folder, lines):
    """The files that a read needs, by the same lines."""
    job = folder / "write.fio"
    changed = {"rw=read": "rw=write", "end_fsync=0": "end_fsync=1"}
    job.write_text("\n".join(changed.get(line, line) for line in lines) + "\n")
    return job


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shardmark")
    parser.add_argument("directory", nargs="?", default=tempfile.gettempdir())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--mib", type=int, default=1024, help="bytes moved by each ceiling")
    arguments = parser.parse_args()
    for tool in ("fio", "mpirun"):
        if shutil.which(tool) is None:
            print(f"skipped: there is no {tool} here")
            return 77
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                      OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_hwloc_base_binding_policy="none")
    ratios = {}
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        folder = pathlib.Path(name)
        for number in range(arguments.rounds):
            for variant, sample in run_ceilings(arguments, folder, number).items():
                ours = sample["num_bytes"] / sample["time_s"]
                ratios.setdefault(variant, []).append(ours / fio_rate(arguments, folder, sample))
    slow = 0
    for variant, values in ratios.items():
        median = statistics.median(values)
        slow += median < LEAST
        print(f"{variant:<32} {median:.3f} of fio [{min(values):.3f}..{max(values):.3f}], {len(values)} rounds"
              f"{'' if median >= LEAST else ': SLOWER'}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
