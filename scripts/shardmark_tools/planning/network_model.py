# SPDX-License-Identifier: Apache-2.0
"""What a network would add to planning that was measured in one process: a model, kept apart from measurements, and
real runs at a few ranks that judge it."""

import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from shardmark_tools.launch.launching import setting_options
from shardmark_tools.planning.planner_sweep import Options, Point, Sweep
from shardmark_tools.results.json_document import NotReadable
from shardmark_tools.results.plain_text import message_text
from shardmark_tools.results.result_folder import Sample, read_run

REAL_LIMIT_S = 300
FEWEST_REPETITIONS = 3
Link = dict[str, Any]


def modelled_network_s(point: Point, link: Link | None) -> float | None:
    """Seconds that the network would add: the root's messages one after another, those of a tree
    level by level, or the steps of an all-reduce where there is no gather. A model, never added to
    a measurement unsaid."""
    if link is None:
        return None
    latency, bandwidth = float(link["latency_s"]), float(link["bytes_per_s"])
    steps = math.ceil(math.log2(point["world"]))
    moved = point["bytes_gathered"] + point["bytes_scattered"]
    if moved == 0:
        return 2 * steps * latency
    if point["planner"] == "tree":
        # The way back passes the same ranks; each message of it is counted once a step.
        up = sum(level["largest_message_bytes"] for level in point["gathered_by_level"])
        down = 2 * point["bytes_scattered"] / max(len(point["gathered_by_level"]), 1)
        return 2 * steps * latency + (up + down) / bandwidth
    return 2 * (point["world"] - 1) * latency + moved / bandwidth


def run_real(options: Options, ranks: int, planner: str, folder: pathlib.Path) -> list[Sample]:
    """Planning samples of a real run at a few ranks; none, with a warning, where it cannot run."""
    out = folder / f"real-{planner}-{ranks}"
    settings = ['run.benchmarks=["plan"]', f'planner.kind="{planner}"',
                f"run.repetitions={max(options.repetitions, FEWEST_REPETITIONS)}", *options.settings]  # fmt: skip
    command = [*options.launcher.command(1, ranks), str(options.command), "run", options.config, "--out", str(out),
               *setting_options(settings)]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=REAL_LIMIT_S, cwd=folder,
                              env=options.launcher.environment(ranks), stdin=subprocess.DEVNULL)  # fmt: skip
        if done.returncode == 0:
            return [s for s in read_run(out).good() if s["family"] == "plan" and s["case"].get("planner") == planner]
        reason = done.stderr.strip()
    except (OSError, subprocess.TimeoutExpired, NotReadable) as error:
        reason = str(error)
    print(f"warning: no real run at {ranks} ranks: {message_text(reason[:400])}", file=sys.stderr)
    return []


def measure_link(options: Options) -> Link | None:
    with tempfile.TemporaryDirectory() as name:
        samples = run_real(options, 2, "layout", pathlib.Path(name))
    for sample in samples:
        metrics = sample["metrics"]
        if metrics.get("link_latency_s") and metrics.get("link_bytes_per_s"):
            return {"latency_s": metrics["link_latency_s"], "bytes_per_s": metrics["link_bytes_per_s"],
                    "measured_between": "rank 0 and rank 1 of a real run"}  # fmt: skip
    return None


def check_against_reality(sweep: Sweep, link: Link | None) -> list[dict[str, Any]]:
    options = sweep.options
    checks = []
    with tempfile.TemporaryDirectory() as name:
        for ranks in options.real:
            for planner in options.planners:
                virtual = [p for p in sweep.points if p["planner"] == planner and p["world"] == ranks]
                real = [s["time_s"] for s in run_real(options, ranks, planner, pathlib.Path(name)) if virtual]
                if not real:
                    continue
                measured = statistics.median(p["measured_s"] for p in virtual)
                modelled = modelled_network_s(virtual[0], link)
                checks.append({"planner": planner, "ranks": ranks, "real_s": statistics.median(real),
                               "real_min_s": min(real), "real_max_s": max(real), "virtual_s": measured,
                               "modelled_network_s": modelled,
                               "real_over_predicted": statistics.median(real) / (measured + (modelled or 0))})  # fmt: skip
    return checks
