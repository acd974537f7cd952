# SPDX-License-Identifier: Apache-2.0
"""The sweep behind scripts/planner-scaling: runs `shardmark plan` over planners and worlds, fits
laws, writes planner-scaling.json, .txt and .png."""

import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from shardmark_tools.report import scaling_laws
from shardmark_tools.planning.planner_plot import draw

ROOT = pathlib.Path(__file__).resolve().parents[3]
RANK_PHASES = ("hooks", "local_plan")
ROOT_PHASES = ("gather", "global_plan", "scatter")
CHECK_FROM, CHECK_FACTOR = 128, 8
MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMPI_MCA_mpi_yield_when_idle": "1",
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?", default="planning")
    parser.add_argument("--out", default="planner-scaling", help="folder for table, data and plot")
    parser.add_argument("--shardmark", default=str(ROOT / "build/release/bench/cli/shardmark"))
    parser.add_argument("--planners", default="coordinator,tree,layout")
    parser.add_argument("--largest", type=int, default=131072)
    parser.add_argument("--budget", type=float, default=480, help="seconds for all measurements")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--predict", default="1024,16384,131072", help="world sizes to predict")
    parser.add_argument("--real", default="2,4,8", help="ranks of real runs that check the model")
    parser.add_argument("--mpiexec", default="mpirun")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--check", action="store_true", help=f"can the laws be trusted: fit {CHECK_FROM} to --largest / "
                        f"{CHECK_FACTOR} ranks, predict --largest, and compare with what it then measures; exit code 1 "
                        "if that lies outside of the 95 %% interval")  # fmt: skip
    return parser.parse_args()


class Sweep:
    def __init__(self, options):
        self.options = options
        self.deadline = time.monotonic() + options.budget
        self.points = []
        self.skipped = []

    def worlds(self):
        largest = self.options.largest
        if not self.options.check:
            return [2**k for k in range(1, int(math.log2(largest)) + 1)]
        first, last = int(math.log2(CHECK_FROM)), int(math.log2(largest // CHECK_FACTOR))
        return [*(2**k for k in range(first, last + 1)), largest]

    def plan(self, planner, world):
        command = [self.options.shardmark, "plan", self.options.config, "--json", "--world", str(world)]
        for override in [f'planner.kind="{planner}"', *self.options.set]:
            command += ["--set", override]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"error: {' '.join(command)}\n{done.stderr or done.stdout}")
        return json.loads(done.stdout)

    def run(self):
        planners = self.options.planners.split(",")
        worlds = self.worlds()
        finished = set()
        last = {}
        # World by world, planners side by side: a slow hour of the machine meets all of them.
        for world in worlds:
            for planner in planners:
                if planner in finished:
                    continue
                expected = 2.3 * last.get(planner, 0) * self.options.repetitions
                share = (self.deadline - time.monotonic()) / max(len(planners) - len(finished), 1)
                if expected > share and not self.options.check:
                    finished.add(planner)
                    self.skipped.append({"planner": planner, "from_world": world,
                                         "expected_s": round(expected, 1)})  # fmt: skip
                    continue
                for repetition in range(self.options.repetitions):
                    started = time.monotonic()
                    document = self.plan(planner, world)
                    last[planner] = time.monotonic() - started
                    self.points.append(point_of(planner, world, repetition, document))
                print(f"  {planner:12} world {world:7}: {last[planner]:.2f} s", file=sys.stderr)
        return self


def point_of(planner, world, repetition, document):
    times = document["times_s"]
    point = {
        "planner": planner,
        "world": world,
        "repetition": repetition,
        "items": document["items"],
        "metadata_bytes": document["metadata_bytes"],
        "coordinator_memory_bytes": document.get("coordinator_memory_bytes"),
        "messages": document.get("messages"),
        "bytes_gathered": document["bytes_gathered"],
        "bytes_scattered": document["bytes_scattered"],
        "gathered_by_level": document["gathered_by_level"],
        "phases_s": {},
    }
    for phase in RANK_PHASES:
        point["phases_s"][phase] = times[phase]["mean"]
    for phase in ROOT_PHASES:
        point["phases_s"][phase] = times[phase]["max"]
    point["rank_s"] = sum(point["phases_s"][phase] for phase in RANK_PHASES)
    # Along a tree many ranks merge at once: what counts is when the last one is done.
    point["measured_s"] = max(document["first_s"], point["rank_s"])
    point["root_s"] = point["measured_s"] - point["rank_s"]
    return point


def modelled_network_s(point, link):
    """Seconds that the network would add: the root's messages one after another, those of a tree
    level by level, or the steps of an all-reduce where there is no gather. A model, never added to
    a measurement unsaid."""
    if link is None:
        return None
    steps = math.ceil(math.log2(point["world"]))
    moved = point["bytes_gathered"] + point["bytes_scattered"]
    if moved == 0:
        return 2 * steps * link["latency_s"]
    if point["planner"] == "tree":
        # The way back passes the same ranks; each message of it is counted once a step.
        up = sum(level["largest_message_bytes"] for level in point["gathered_by_level"])
        down = 2 * point["bytes_scattered"] / max(len(point["gathered_by_level"]), 1)
        return 2 * steps * link["latency_s"] + (up + down) / link["bytes_per_s"]
    return 2 * (point["world"] - 1) * link["latency_s"] + moved / link["bytes_per_s"]


def run_real(options, ranks, planner, folder):
    """Phases of a real planning at a few ranks, and the link's speed; None where MPI cannot run."""
    out = folder / f"real-{planner}-{ranks}"
    command = [options.mpiexec, "-n", str(ranks), options.shardmark, "run", options.config,
               "--out", str(out), "--set", 'run.benchmarks=["plan"]',
               "--set", f'planner.kind="{planner}"', "--set", f"run.repetitions={max(options.repetitions, 3)}"]  # fmt: skip
    for override in options.set:
        command += ["--set", override]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300,
                          env=dict(os.environ, **MPI_ENVIRONMENT))  # fmt: skip
    if done.returncode != 0:
        print(f"warning: no real run at {ranks} ranks: {done.stderr.strip()[:200]}", file=sys.stderr)
        return None
    samples = json.loads((out / "samples.json").read_text())["samples"]
    return [s for s in samples if s["family"] == "plan" and s["case"].get("planner") == planner]


def check_against_reality(sweep, link):
    options = sweep.options
    checks = []
    with tempfile.TemporaryDirectory() as name:
        for ranks in [int(r) for r in options.real.split(",") if r]:
            for planner in options.planners.split(","):
                samples = run_real(options, ranks, planner, pathlib.Path(name))
                if not samples:
                    continue
                real = sorted(s["max_s"] if "max_s" in s else s["time_s"] for s in samples)
                virtual = [p for p in sweep.points if p["planner"] == planner and p["world"] == ranks]
                if not virtual:
                    continue
                measured = sorted(p["measured_s"] for p in virtual)
                modelled = modelled_network_s(virtual[0], link)
                predicted = measured[len(measured) // 2] + (modelled or 0)
                checks.append({"planner": planner, "ranks": ranks, "real_s": real[len(real) // 2],
                               "real_min_s": real[0], "real_max_s": real[-1],
                               "virtual_s": measured[len(measured) // 2], "modelled_network_s": modelled,
                               "real_over_predicted": real[len(real) // 2] / predicted})  # fmt: skip
    return checks


def measure_link(options):
    with tempfile.TemporaryDirectory() as name:
        samples = run_real(options, 2, "layout", pathlib.Path(name))
    for sample in samples or []:
        metrics = sample.get("metrics", {})
        if "link_latency_s" in metrics:
            return {"latency_s": metrics["link_latency_s"], "bytes_per_s": metrics["link_bytes_per_s"],
                    "measured_between": "rank 0 and rank 1 of a real run"}  # fmt: skip
    return None


def fit_all(sweep):
    laws = {}
    for planner in sorted({p["planner"] for p in sweep.points}):
        mine = [p for p in sweep.points if p["planner"] == planner]
        worlds = [p["world"] for p in mine]
        series = {phase: [p["phases_s"][phase] for p in mine] for phase in RANK_PHASES + ROOT_PHASES}
        series.update({key: [p[key] for p in mine] for key in ("rank_s", "root_s", "measured_s")})
        laws[planner] = {name: scaling_laws.fit(worlds, times) for name, times in series.items()
                         if max(times) > 1e-6}  # fmt: skip
    return laws


def law_document(law):
    return {"law": law.text(), "a": law.a, "b": law.b, "p": law.p, "q": law.q, "q_certain": law.q_certain,
            "a_95": law.a_interval, "b_95": law.b_interval, "p_95": law.p_interval, "knee_world": law.knee(), "worlds": law.worlds,
            "relative_residuals": law.residuals}  # fmt: skip


def table(sweep, laws, link, checks):
    lines = ["Planning time by world size (seconds, medians; measured in one process)", ""]
    planners = list(laws)
    lines.append(f"{'world':>8}" + "".join(f"{p + ' rank':>18}{p + ' root':>18}{'network*':>12}" for p in planners))
    for world in sorted({p["world"] for p in sweep.points}):
        row = f"{world:>8}"
        for planner in planners:
            mine = sorted((p for p in sweep.points if p["planner"] == planner and p["world"] == world),
                          key=lambda p: p["measured_s"])  # fmt: skip
            if not mine:
                row += f"{'-':>18}{'-':>18}{'-':>12}"
                continue
            middle = mine[len(mine) // 2]
            network = modelled_network_s(middle, link)
            row += f"{middle['rank_s']:>18.5f}{middle['root_s']:>18.5f}"
            row += f"{'-' if network is None else format(network, '.5f'):>12}"
        lines.append(row)
    lines += ["", "* modelled, not measured: " + (
        "no link was measured" if link is None else
        f"latency {link['latency_s'] * 1e6:.1f} us, {link['bytes_per_s'] / 1e9:.2f} GB/s, {link['measured_between']}")]
    lines += ["", "Fitted laws, t = a + b N^p log(N)^q, with the 95 % interval of p"]
    for planner in planners:
        for name, law in laws[planner].items():
            interval = "" if law.p_interval is None else f"  p in [{law.p_interval[0]:.2f}, {law.p_interval[1]:.2f}]"
            knee = law.knee()
            lines.append(f"  {planner:12} {name:12} {law.text()}{interval}"
                         + ("" if knee is None else f"  knee at {knee:.0f} ranks"))
    lines += ["", "Predicted planning time without network (95 % interval)"]
    for planner in planners:
        for world in [int(w) for w in sweep.options.predict.split(",")]:
            parts = [laws[planner][k].predict(world) for k in ("measured_s",) if k in laws[planner]]
            for value, low, high in parts:
                lines.append(f"  {planner:12} {world:>8} ranks: {value:.4g} s  [{low:.4g}, {high:.4g}]")
    for entry in sweep.skipped:
        lines.append(f"  {entry['planner']} not measured from {entry['from_world']} ranks on: "
                     f"{entry['expected_s']} s each round would pass the budget")  # fmt: skip
    if checks:
        lines += ["", "Real runs against virtual measurement plus model"]
        for c in checks:
            lines.append(f"  {c['planner']:12} {c['ranks']:>3} ranks: real {c['real_s']:.5f} s "
                         f"[{c['real_min_s']:.5f}, {c['real_max_s']:.5f}], virtual {c['virtual_s']:.5f} s, "
                         f"ratio {c['real_over_predicted']:.2f}")  # fmt: skip
    return "\n".join(lines) + "\n"


def check_predictions(sweep):
    """Lines, and whether every planner's largest world lies in the interval that the smaller ones predict."""
    largest, good = sweep.options.largest, True
    lines = [f"Fitted on {CHECK_FROM} to {largest // CHECK_FACTOR} virtual ranks, predicted for {largest}, and measured there"]
    for planner in sweep.options.planners.split(","):
        mine = [p for p in sweep.points if p["planner"] == planner]
        below = [p for p in mine if p["world"] < largest]
        law = scaling_laws.fit([p["world"] for p in below], [p["measured_s"] for p in below])
        time, low, high = law.predict(largest)
        measured = statistics.median(p["measured_s"] for p in mine if p["world"] == largest)
        inside = low <= measured <= high
        good = good and inside
        lines.append(f"  {planner:12} {law.text()}: predicted {time:.4g} s [{low:.4g}, {high:.4g}], "
                     f"measured {measured:.4g} s: {'inside' if inside else 'OUTSIDE'}")  # fmt: skip
    return lines, good


def main():
    options = arguments()
    if shutil.which(options.shardmark) is None:
        print(f"error: {options.shardmark} is not there; scripts/run builds it, or give --shardmark", file=sys.stderr)
        return 2
    if options.check:
        if options.largest < CHECK_FROM * CHECK_FACTOR**2:
            print(f"error: --check wants --largest {CHECK_FROM * CHECK_FACTOR**2} or more", file=sys.stderr)
            return 2
        lines, good = check_predictions(Sweep(options).run())
        print("\n".join(lines))
        return 0 if good else 1
    link = measure_link(options) if options.real else None
    sweep = Sweep(options).run()
    checks = check_against_reality(sweep, link) if options.real else []
    laws = fit_all(sweep)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    for point in sweep.points:
        point["modelled_network_s"] = modelled_network_s(point, link)
    document = {"config": options.config, "settings": options.set, "link": link, "points": sweep.points, "not_measured": sweep.skipped,
                "laws": {p: {k: law_document(law) for k, law in of.items()} for p, of in laws.items()},
                "checked_against_real_runs": checks}  # fmt: skip
    (out / "planner-scaling.json").write_text(json.dumps(document, indent=1) + "\n")
    text = table(sweep, laws, link, checks)
    (out / "planner-scaling.txt").write_text(text)
    draw(sweep.points, laws, options.largest, out / "planner-scaling.png")
    print(text, end="")
    return 0
