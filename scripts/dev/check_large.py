#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Transfers beyond 32 bits: a tensor above 4 GiB and a shard above 2 GiB on a rank, saved and loaded with every value
checked, collective and independent, on 1 and 2 ranks, memory bounded. HDF5 1.10.8 fails on one independent transfer
of 2 GiB and more; Shardmark splits.

Usage: check_large.py SHARDMARK [DIRECTORY]. Needs 8 GiB of memory and of disk in DIRECTORY (default: the system's
place for temporary files); without them it says so and leaves with 77. Exit code 1 on any failure.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

GIB = 1 << 30
# One pool of optimizer state as MLPerf Storage flattens it: 4.2 GiB in one float32 tensor.
MODEL = {"model.name": "mlperf-8b", "model.scale": "0.14", "model.optimizer": "sgd-momentum",
         "parallel.strategy": "fsdp"}
NEEDED = 8 * GIB
# HDF5, MPI, plans and collective buffers: what a rank may take beside its tensors.
BOUND = GIB // 4


def settings(more):
    return [word for key, value in {**MODEL, **more}.items() for word in ("--set", f"{key}={value}")]


def run(shardmark, ranks, *arguments):
    """JSON of the command, and the peak memory of its largest rank in bytes."""
    wrapped = ["/usr/bin/env", "python3", "-c", PEAK, shardmark, *arguments, "--json"]
    done = subprocess.run(["mpirun", "-n", str(ranks), *wrapped], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"FAILED: {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    peaks = [int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("peak ")]
    return json.loads(done.stdout), max(peaks)


# A rank's own wrapper: runs the command and reports what the kernel says of its memory.
PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
sys.stderr.write("peak %d\\n" % (resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(code)
"""


def main():
    shardmark = os.path.abspath(sys.argv[1])
    root = sys.argv[2] if len(sys.argv) > 2 else tempfile.gettempdir()
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if shutil.disk_usage(root).free < NEEDED or memory < NEEDED:
        print(f"skipped: needs {NEEDED / GIB:.0f} GiB of memory and of disk in {root}")
        return 77
    failed = 0
    for ranks in (1, 2):
        plan = subprocess.run([shardmark, "plan", "quick", *settings({}), "--world", str(ranks),
                               "--json"], capture_output=True, text=True, check=True)
        share = json.loads(plan.stdout)["bytes_per_rank"]["max"]
        for mode in ("independent", "collective"):
            with tempfile.TemporaryDirectory(dir=root, prefix="shardmark-large-") as directory:
                more = settings({"storage.io": mode})
                saved, save_peak = run(shardmark, ranks, "save", "quick", *more, "--dir", directory,
                                       "--step", "1")
                loaded, load_peak = run(shardmark, ranks, "load", "quick", *more, "--dir", directory,
                                        "--verify")
            beyond = max(save_peak, load_peak) - share
            good = loaded["verified"] and beyond <= BOUND
            failed += not good
            print(f"{ranks} ranks {mode}: {saved['num_bytes'] / GIB:.2f} GiB, {share / GIB:.2f} GiB on a "
                  f"rank, verified {loaded['verified']}, {beyond / (1 << 20):.0f} MiB beyond the tensors"
                  f"{'' if good else '  FAILED'}", flush=True)
    return 1 if failed else 0


sys.exit(main())
