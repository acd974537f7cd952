#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives the built command as a user does who asks what a part of a big job costs: some ranks of a bigger world
played (run.world, run.play), real jobs replayed (model.job), checkpoints that are there loaded (load.from).

Usage: played_test.py SHARDMARK. Exit code 1 if anything is not as documented.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from shardmark_tools.interpreter import ensure_modules  # noqa: E402

ensure_modules("jsonschema", "numpy")
import jsonschema  # noqa: E402
from shardmark_tools.job.dtypes import ITEM_SIZES  # noqa: E402
from shardmark_tools.job.job_file import read_job  # noqa: E402

SHARDMARK = sys.argv[1]
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "scripts/shardmark_tools/job/golden"
TINY = ["--set", "model.name=tiny", "--set", "model.scale=1.0"]
failures = []


def expect(condition, what):
    if not condition:
        failures.append(what)
        print(f"FAILED: {what}", flush=True)


def run(ranks, *arguments):
    """(exit code, stdout, messages of ours on stderr)."""
    launch = ["mpirun", "-n", str(ranks)] if ranks else []
    done = subprocess.run([*launch, SHARDMARK, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          check=False, stdin=subprocess.DEVNULL)  # fmt: skip
    return done.returncode, done.stdout, [x for x in done.stderr.splitlines() if x.startswith("shardmark: error:")]


def document(ranks, *arguments):
    code, out, messages = run(ranks, *arguments, "--json")
    expect(code == 0, f"{' '.join(map(str, arguments))}: {code} {messages}")
    if code != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: exit code {code}: nothing to go on with")
    return json.loads(out)


def refused(what, words, ranks, *arguments):
    code, _, messages = run(ranks, *arguments)
    said = " ".join(messages)
    expect(code == 2 and len(messages) == 1, f"{what}: exit code {code}, {messages}")
    for word in words:
        expect(word in said, f"{what}: '{word}' is not in {messages}")


def planned(suite, world, rank, *settings):
    """What one rank writes in its world, by a plan that plays all of it."""
    return document(0, "plan", suite, "--world", world, "--ranks", f"{rank}:{rank + 1}", *settings)["num_bytes"]


def check_shares(root):
    """The bytes of every played rank are the plan's, whatever the planner."""
    cases = (("fsdp", "shared", "layout", "balanced"), ("hsdp", "per-rank", "coordinator", "dcp"),
             ("megatron", "auto", "tree", "balanced"), ("ddp", "shared", "layout", "split"))  # fmt: skip
    for step, (strategy, layout, planner, dedup) in enumerate(cases):
        settings = [*TINY, "--set", f"parallel.strategy={strategy}", "--set", f"planner.kind={planner}",
                    "--set", f"planner.dedup={dedup}"]  # fmt: skip
        play = ["--set", "run.world=12", "--set", "run.play=1,5-6", "--set", f"storage.layout={layout}",
                "--set", "storage.io=direct"]  # fmt: skip
        saved = document(3, "save", "smoke", *settings, *play, "--dir", root, "--step", step, "--seed", 4)
        expected = {str(rank): planned("smoke", 12, rank, *settings) for rank in (1, 5, 6)}
        played = saved.get("played") or {}
        expect(played.get("bytes_by_rank") == expected, f"{strategy}: {played} and planned {expected}")
        expect(saved["num_bytes"] == sum(expected.values()), f"{strategy}: num_bytes")
        expect((played["world_size"], played["ranks"]) == (12, "1,5-6"), f"{strategy}: who is played")
        expect("nothing is extrapolated" in played["not_there"], f"{strategy}: what is not there")
        expect(pathlib.Path(saved["path"]).name == f"played-{step:08}", f"{strategy}: {saved['path']}")
        loaded = document(3, "load", "smoke", *settings, *play, "--dir", root, "--step", step, "--verify")
        expect(loaded["verified"] is True and loaded["num_bytes"] >= saved["num_bytes"], f"{strategy}: loaded")
        held = document(0, "plan", "smoke", "--world", 12, "--ranks", "1:2", *settings)["memory_per_rank"]["max"]
        expect(loaded["num_bytes"] + loaded["played"]["absent_bytes"] >= held, f"{strategy}: what is absent")


def check_big(root):
    """MLPerf's 405B over 512 ranks, small."""
    settings = ["--set", "model.scale=0.0005"]
    play = ["--set", "run.world=512", "--set", "storage.io=direct"]
    saved = document(2, "save", "mlperf-405b", *settings, *play, "--dir", f"{root}/405b", "--step", 1)
    expected = {str(rank): planned("mlperf-405b", 512, rank, *settings) for rank in (0, 1)}
    expect(saved["played"]["bytes_by_rank"] == expected, f"405b: {saved['played']} and planned {expected}")
    whole = document(0, "plan", "mlperf-405b", "--world", 512, *settings)["num_bytes"]
    expect(saved["disk_bytes"] < saved["num_bytes"] + (16 << 20) < whole, f"405b: {saved['disk_bytes']} on disk")


def check_nobody_else(root):
    settings = [*TINY, "--set", "parallel.strategy=fsdp", "--dir", root]
    played = ["--set", "run.world=12", "--set", "run.play=1,5-6", "--set", "storage.io=direct"]
    refused("load", ["played"], 2, "load", "smoke", *settings)
    refused("inspect", ["played"], 0, "inspect", root)
    refused("inspect of the folder", ["ranks 1,5-6 of 12"], 0, "inspect", f"{root}/played-00000000")
    refused("load of the folder", ["ranks 1,5-6 of 12"], 2, "load", "smoke", *TINY, "--dir", f"{root}/played-00000000")
    refused("other ranks", ["ranks 1,5-6 of 12", "ranks 0-2 of 12"], 3, "load", "smoke", *settings, *played[:2])
    refused("other world", ["of 12", "of 24"], 3, "load", "smoke", *settings, *played[2:], "--set", "run.world=24")
    refused("played twice", ["step 0"], 3, "save", "smoke", *settings, *played, "--step", 0)
    code, _, messages = run(2, "save", "smoke", *settings, "--step", 0)
    expect(code == 0, f"a step of that number may be saved all the same: {messages}")
    code, out, messages = run(2, "load", "smoke", *settings, "--verify", "--json")
    expect(code == 0 and json.loads(out)["step"] == 0, f"the newest step is a real one: {messages}")


def check_refusals(root):
    """Before anything is written, naming where the value stands."""
    suite = pathlib.Path(root, "bad.toml")
    fresh = f"{root}/fresh"
    for what, play, words in (
        ("beyond", '"0,12"', ["bad.toml:5", "run.play", "rank 12", "0 to 11"]),
        ("repeated", '"3,3"', ["bad.toml:5", "run.play", '"3,3"', "none twice"]),
        ("backwards", '"3-1"', ["bad.toml:5", "run.play", '"3-1"', "ascending"]),
        ("no ranks", '"a"', ["bad.toml:5", "run.play", "neither a rank"]),
        ("not as many", '"0-3"', ["bad.toml:5", "run.play", "4 ranks", "2 were launched"]),
    ):
        suite.write_text(f'include = ["suites/smoke"]\n[model]\nname = "tiny"\n[run]\nplay = {play}\nworld = 12\n')
        refused(what, words, 2, "save", suite, "--dir", fresh, "--step", 1)
    smoke = ["smoke", *TINY, "--dir", fresh, "--step", 1]
    refused("no world", ["--set", "run.play", "run.world"], 2, "save", *smoke, "--set", "run.play=0-1")
    refused("too few", ["run.world = 2", "3 ranks"], 3, "save", *smoke, "--set", "run.world=2")
    big = ["--set", "run.world=12", "--set", f"storage.directory={fresh}"]
    for what, setting, word in (("reshard", 'run.benchmarks=["reshard"]', "reshard"),
                                ("ceilings", 'run.benchmarks=["ceiling"]', "ceiling"),
                                ("a cache", "planner.cache=true", "planner.cache"),
                                ("MPI-IO", "storage.io=collective", "MPI-IO"),
                                ("tiles", "storage.layout=shared-chunked", "shared-chunked"),
                                ("regions", "storage.exchange=node", "storage.exchange")):  # fmt: skip
        direct = [] if "storage.io" in setting else ["--set", "storage.io=direct"]
        refused(what, [word], 2, "run", "smoke", *TINY, *big, *direct, "--set", setting)
    expect(not os.path.exists(fresh), "refusals leave no files")


def check_run(root):
    out = f"{root}/out"
    directory = f"{root}/run"
    settings = [*TINY, "--set", "run.world=12", "--set", "run.play=4,7", "--set", "storage.io=direct",
                "--set", f"storage.directory={directory}", "--set", "run.repetitions=2", "--set", "run.warmup=0",
                "--set", 'run.benchmarks=["hooks", "save", "load"]']  # fmt: skip
    code, text, messages = run(2, "run", "smoke", *settings, "--out", out)
    expect(code == 0, f"run: {code} {messages}")
    expect("ranks 4,7 of 12" in text and "nothing is extrapolated" in " ".join(text.split()), f"run: {text[:600]}")
    results = json.loads(pathlib.Path(out, "samples.json").read_text())
    jsonschema.validate(results, json.loads((ROOT / "results/schema.json").read_text()))
    expect(results["context"]["played"]["ranks"] == "4,7", "run: context")
    context = json.loads(pathlib.Path(out, "benchmark.json").read_text())["context"]
    expect("4,7" in json.dumps(context), "run: context of benchmark.json")
    for sample in results["samples"]:
        name = sample["name"]
        expect(sample["virtual"] is True and sample["world_size"] == 12, f"{name}: of a bigger world")
        expect(sample["verified"] is True, f"{name}: verified")
        if sample["family"] != "hooks":
            expect("/world:12/play:4,7/" in name and sample["case"]["played"] == "4,7", f"{name}: says so")
    loads = {s["num_bytes"] for s in results["samples"] if s["family"] == "load"}
    held = sum(document(0, "plan", "smoke", "--world", 12, "--ranks", f"{r}:{r + 1}", *TINY)["memory_per_rank"]["max"]
               for r in (4, 7))  # fmt: skip
    expect(loads == {held}, f"run: loads deliver what these ranks hold: {loads} and {held}")
    left = [str(p) for p in pathlib.Path(directory).rglob("*")]
    expect(left == [], f"run: leaves {left}")
    code, text, _ = run(2, "run", "smoke", *settings, "--json")
    expect(code == 0 and json.loads(text)["played"]["world_size"] == "12", "run --json: played")


def job_bytes(job, rank):
    """Bytes that a rank of the job holds, by Python's reading of the file: listed objects that are not one rank's
    are everybody's here."""
    held = sum(
        int(ITEM_SIZES[tensor.dtype]) * volume(sizes)
        for tensor in job.tensors
        for (_, sizes), ranks in zip(tensor.boxes, tensor.holders)
        if rank in (ranks or (0,))
    )
    for entry in job.objects:
        alone = job.world_size > 1 and entry.writer is not None and len(entry.holders) <= 1 and entry.num_bytes
        held += (entry.num_bytes or 0) if not alone or entry.writer == rank else 0
    return held


def volume(sizes):
    product = 1
    for size in sizes:
        product *= size
    return product


def check_jobs(root):
    """Checkpoints that PyTorch wrote, as jobs: planned in their own world, and played."""
    names = sorted(path.name for path in GOLDEN.iterdir() if (path / ".metadata").is_file())
    expect(len(names) >= 4, f"golden checkpoints: {names}")
    for name in names:
        file = pathlib.Path(root, f"{name}.json")
        made = subprocess.run([sys.executable, ROOT / "scripts/job", "from-dcp", GOLDEN / name, "--out", file],
                              capture_output=True, text=True, check=False)  # fmt: skip
        expect(made.returncode == 0, f"{name}: scripts/job: {made.stderr}")
        job = read_job(file)
        settings = ["--set", f"model.job={file}", "--set", "model.scale=1.0"]
        for rank in range(job.world_size):
            plan = document(0, "plan", "smoke", *settings, "--ranks", f"{rank}:{rank + 1}")
            expect(plan["world_size"] == job.world_size, f"{name}: its own world")
            found, right = plan["memory_per_rank"]["max"], job_bytes(job, rank)
            expect(found == right, f"{name}: rank {rank} holds {found}, by the job file {right}")
        replay = [*settings, "--set", "storage.io=direct", "--dir", f"{root}/{name}", "--json"]
        if job.world_size == 1:
            continue
        code, out, messages = run(job.world_size, "save", "smoke", *replay, "--step", 1)
        expect(code == 0, f"{name}: saved by its ranks: {messages}")
        code, out, messages = run(job.world_size, "load", "smoke", *replay, "--verify")
        expect(code == 0 and json.loads(out)["verified"] is True, f"{name}: loaded by its ranks: {messages}")
        last = job.world_size - 1
        play = [*replay, "--set", f"run.world={job.world_size}", "--set", f"run.play={last}"]
        code, out, messages = run(1, "save", "smoke", *play, "--step", 2)
        share = json.loads(out)["played"]["bytes_by_rank"][str(last)] if code == 0 else messages
        expect(share == planned("smoke", job.world_size, last, *settings), f"{name}: its last rank played: {share}")
        refused(f"{name}: another world", ["model.job", f"run.world = {job.world_size}"], job.world_size + 1,
                "save", "smoke", *replay[:-1], "--step", 3)  # fmt: skip


def main():
    with tempfile.TemporaryDirectory(prefix="shardmark-played-") as root:
        check_shares(f"{root}/shares")
        check_nobody_else(f"{root}/shares")
        check_big(root)
        check_refusals(root)
        check_run(root)
        check_jobs(root)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
