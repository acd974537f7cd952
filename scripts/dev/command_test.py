#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives the built command under mpirun as a user does: checkpoints saved and loaded at other world sizes and
strategies, damage found, bad input refused with one message and no files.

Usage: command_test.py SHARDMARK. Exit code 1 if anything is not as documented.
"""

import json
import os
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from shardmark_tools.interpreter import ensure_modules  # noqa: E402

ensure_modules("h5py", "numpy")
import h5py  # noqa: E402

from shardmark_tools.launch import mpi_io_components  # noqa: E402

SHARDMARK = sys.argv[1]
CHECKER = pathlib.Path(__file__).resolve().parent / "check_checkpoint.py"
TINY = ["--set", "model.name=tiny", "--set", "model.scale=1.0"]
PHASES = {
    "save": "hooks local_plan gather global_plan scatter create stage exchange write flush commit wait".split(),
    "load": "open metadata hooks load_plan read exchange verify wait".split(),
}
failures = []


def expect(condition, what):
    if not condition:
        failures.append(what)
        print(f"FAILED: {what}", flush=True)


def run(ranks, *arguments, last=(), **options):
    """(exit code, stdout, messages of ours on stderr). The last rank gets the words `last` beside the others'."""
    words = [SHARDMARK, *arguments]
    launch = ["mpirun", "-n", str(ranks)] if ranks else []
    if last:  # not every launcher takes two lists of words
        rank = "${OMPI_COMM_WORLD_RANK:-${PMI_RANK:-$PMIX_RANK}}"
        words = ["sh", "-c", f'[ "{rank}" != {ranks - 1} ] || set -- "$@" {shlex.join(last)}; exec "$@"', "sh", *words]
    done = subprocess.run([*launch, *words], capture_output=True, text=True,
                          timeout=300, check=False, stdin=subprocess.DEVNULL, **options)
    messages = [line for line in done.stderr.splitlines() if line.startswith("shardmark: error:")]
    return done.returncode, done.stdout, messages


def save(directory, ranks, strategy, step, *more):
    code, out, messages = run(ranks, "save", "smoke", *TINY, "--set", f"parallel.strategy={strategy}",
                              "--dir", directory, "--step", str(step), "--json", *more)
    expect(code == 0, f"save {strategy} on {ranks} ranks: exit code {code}: {messages}")
    return json.loads(out)


def load(directory, ranks, strategy, *more):
    return run(ranks, "load", "smoke", *TINY, "--set", f"parallel.strategy={strategy}", "--dir",
               directory, "--verify", "--json", *more)


def check_round_trips(root):
    for mode, (saved, loaded) in zip(("independent", "collective"), (("ddp", "fsdp"), ("fsdp", "ddp"))):
        directory = f"{root}/{saved}"
        document = save(directory, 4, saved, 7, "--seed", "11", "--set", f"storage.io={mode}")
        for key in "step path num_bytes returned_s durable_s visible_s phases_s".split():
            expect(key in document, f"save --json: no key {key}")
        expect(list(document["phases_s"]) == PHASES["save"], "save --json: phases")
        expect(document["durable_s"] <= document["returned_s"] + 1e-9, "durable after returned")
        checked = subprocess.run([sys.executable, CHECKER, directory, "--seed", "11"], check=False,
                                 capture_output=True, text=True)
        expect(checked.returncode == 0, f"h5py disagrees: {checked.stdout}{checked.stderr}")
        inspected = json.loads(run(0, "inspect", directory, "--verify", "--json")[1])
        expect(inspected["verified"] is True and inspected["errors"] == [], "inspect --verify")
        stored = sum(e["num_bytes"] for e in inspected["tensors"] + inspected["objects"])
        expect(stored == document["num_bytes"], "inspect: bytes of entries and num_bytes of save")
        for ranks in (1, 2, 3, 5, 8):
            code, out, messages = load(directory, ranks, loaded, "--set", f"storage.io={mode}")
            expect(code == 0, f"{saved} on 4 as {loaded} on {ranks}: {code} {messages}")
            result = json.loads(out)
            expect(result["verified"] is True, f"{saved} on 4 as {loaded} on {ranks}: not verified")
            expect(result["checksum"]["unverified_chunks"] == 0, "full: every touched chunk is hashed")
            expect(list(result["phases_s"]) == PHASES["load"], "load --json: phases")


def check_counters(root):
    """What --json tells of the exchange is of all ranks."""
    nodes = os.environ | {"SHARDMARK_PRETEND_RANKS_A_NODE": "1"}
    for name, environment in (("node", os.environ), ("world", nodes)):
        words = [*TINY, "--set", "parallel.strategy=fsdp", "--dir", f"{root}/counters-{name}", "--json"]
        words += ["--set", "storage.io=direct", "--set", "storage.layout=shared"]
        code, out, messages = run(4, "save", "smoke", *words, "--step", "1", "--set", f"storage.exchange={name}",
                                  env=environment)  # fmt: skip
        expect(code == 0, f"exchange {name}: {messages}")
        saved = json.loads(out)
        expect(saved["exchange"] == name, f"exchange {name}: {saved['exchange_why']}")
        # Three of four shards are for another rank to write; rank 0 alone has one.
        expect(saved["bytes_exchanged"] * 5 > saved["num_bytes"] * 2, f"exchange {name}: bytes of all ranks")
        # Each of the others sends its checksums at least, rank 0 nothing.
        expect(saved["messages"] >= 3, f"exchange {name}: messages of all ranks")
        code, out, messages = run(4, "load", "smoke", *words, "--verify", "--set", f"load.exchange={name}",
                                  env=environment)  # fmt: skip
        loaded = json.loads(out)
        expect(code == 0 and loaded["exchange"] == name, f"load, exchange {name}: {messages}")
        expect(loaded["messages"] >= (3 if name == "world" else 0), f"load, exchange {name}: messages of all ranks")


def check_load_choices(root):
    """--only, load.strict, load.replicas and planner.dedup as a user sees them."""
    directory = f"{root}/choices"
    for step, policy in enumerate(("balanced", "lowest-rank", "dcp", "split")):
        save(directory, 3, "ddp", step, "--set", f"planner.dedup={policy}")
        code, _, messages = load(directory, 2, "fsdp")
        expect(code == 0, f"dedup {policy}: {code} {messages}")
    whole = json.loads(load(directory, 3, "ddp")[1])
    expect((whole["missing"], whole["unexpected"]) == ([], []), "load: keys of the same model")
    code, out, messages = load(directory, 3, "ddp", "--set", "load.replicas=broadcast")
    expect(code == 0, f"broadcast: {code} {messages}")
    shared = json.loads(out)
    expect(shared["num_bytes"] == whole["num_bytes"] == whole["bytes_read"], "broadcast: bytes delivered")
    expect(shared["bytes_read"] * 3 == whole["bytes_read"], "broadcast: replicas are read once")
    expect(shared["bytes_read"] + shared["bytes_received"] == shared["num_bytes"], "broadcast: bytes received")
    expect(shared["exchange"] is None, "broadcast: HDF5 reads, and no exchange")
    code, out, messages = load(directory, 3, "ddp", "--set", "load.replicas=broadcast", "--set", "storage.io=direct",
                               "--set", "load.exchange=off")  # fmt: skip
    shared = json.loads(out)
    expect(code == 0 and shared["verified"] is True, f"broadcast, direct: {code} {messages}")
    expect(shared["exchange"] == "node" and shared["bytes_read"] * 2 < whole["bytes_read"], "broadcast is world")
    names = [t["fqn"] for t in json.loads(run(0, "models", "tiny", "--json")[1])["tensor_list"]]
    glob = names[0][:-1] + "*"
    code, out, _ = load(directory, 2, "fsdp", "--only", glob)
    part = json.loads(out)
    expect(code == 0 and part["verified"] is True and 0 < part["num_bytes"] < whole["num_bytes"] / 3,
           f"--only {glob}: {code}")
    expect(part["unexpected"] == [], "--only: what was not asked for is not unexpected")
    code, _, messages = load(directory, 2, "fsdp", "--only", "no-such-*")
    expect(code == 2 and "no-such-*" in messages[0], f"--only of nothing: {code} {messages}")

    bare = f"{root}/bare"
    save(bare, 2, "fsdp", 0, "--set", "model.optimizer=none")
    code, _, messages = load(bare, 2, "ddp")
    expect(code == 2 and "is not in the checkpoint" in messages[0], f"strict: {code} {messages}")
    code, out, messages = load(bare, 2, "ddp", "--set", "load.strict=false")
    expect(code == 0, f"not strict: {code} {messages}")
    lenient = json.loads(out)
    expect(lenient["verified"] is True and lenient["missing"] != []
           and all(n.startswith("optimizer.") for n in lenient["missing"]), "not strict: missing")
    code, out, _ = load(directory, 2, "ddp", "--set", "model.optimizer=none")
    expect(code == 0 and sorted(json.loads(out)["unexpected"]) == sorted(lenient["missing"]), "unexpected")


def element_ranges(path):
    ranges = []
    with h5py.File(path) as file:
        def visit(name, item):
            if isinstance(item, h5py.Dataset) and not name.startswith("shardmark") and item.size:
                ranges.append((item.id.get_offset(), item.id.get_storage_size(), name))
        file.visititems(visit)
    return sorted(ranges)


def flip(path, position, bit):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ bit]))


def check_rules(root):
    """parallel.rules decide what is stored in which pieces; everybody else loads it."""
    directory = f"{root}/rules"
    rules = ["--set", 'parallel.rules={"*.up.weight" = "S(1)", "head.weight" = "R"}', "--set",
             "parallel.rules.embed.weight=S(0),R", "--set", "planner.dedup=lowest-rank"]  # fmt: skip
    save(directory, 4, "fsdp-tp", 1, "--set", "parallel.tp=2", *rules)
    listed = json.loads(run(0, "inspect", directory, "--verify", "--json")[1])["tensors"]
    chunks = {tensor["fqn"]: tensor["chunks"] for tensor in listed}
    for fqn, count in (("layers.0.up.weight", 4), ("head.weight", 2), ("embed.weight", 2),
                       ("optimizer.state.head.weight.master", 2)):  # fmt: skip
        expect(chunks[fqn] == count, f"rules: {fqn} in {chunks[fqn]} chunks, expected {count}")
    for strategy, more in (("fsdp", ()), ("megatron", rules[:2])):
        code, _, messages = load(directory, 3, strategy, *more)
        expect(code == 0, f"rules: loaded as {strategy}: {code} {messages}")


def check_damage(root, draw):
    directory = f"{root}/fsdp"
    path = f"{directory}/step-00000007/checkpoint.h5"
    ranges = element_ranges(path)
    for _ in range(3):
        start, length, name = draw.choice(ranges)
        fqn = urllib.parse.unquote(name.split("/", 1)[1])
        position, bit = start + draw.randrange(length), 1 << draw.randrange(8)
        flip(path, position, bit)
        for who, code, messages in (("inspect", *run(0, "inspect", directory, "--verify")[::2]),
                                    ("load", *load(directory, 3, "ddp")[::2])):
            expect(code == 1 and len(messages) == 1 and f"'{fqn}'" in messages[0],
                   f"{who}: bit {bit} at {position} in {fqn}: {code} {messages}")
        flip(path, position, bit)
    inside = [range(start, start + length) for start, length, _ in ranges]
    outside = [p for p in range(os.path.getsize(path)) if not any(p in r for r in inside)]
    for position in draw.sample(outside, 20):
        bit = 1 << draw.randrange(8)
        flip(path, position, bit)
        code, _, messages = run(0, "inspect", directory)
        expect(code == 1 and len(messages) == 1, f"bit {bit} at {position} outside: {code} {messages}")
        flip(path, position, bit)
    flip(path, outside[0], 1)
    expect(load(directory, 2, "ddp")[0] == 1, "load: damage outside element data")
    flip(path, outside[0], 1)
    expect(load(directory, 2, "ddp")[0] == 0, "load after the damage was mended")
    # What cannot be read at all is not verified either.
    commit = f"{directory}/step-00000007/COMMIT"
    os.rename(commit, f"{root}/COMMIT")
    os.mkfifo(commit)
    for who, code, out in (("inspect", *run(0, "inspect", directory, "--verify", "--json")[:2]),
                           ("load", *load(directory, 2, "ddp")[:2])):
        document = json.loads(out)
        expect(code == 1 and document.get("verified") is False and document["error"]["code"] == 1,
               f"{who} --verify of a COMMIT that is no file: {code} {out}")
    os.rename(f"{root}/COMMIT", commit)
    code, out, _ = run(0, "inspect", f"{directory}/none", "--verify", "--json")
    expect(code == 2 and list(json.loads(out)) == ["error"], f"inspect --verify of nothing: {code} {out}")


def check_refusals(root):
    directory, fresh = f"{root}/fsdp", f"{root}/fresh"
    bad = pathlib.Path(root, "bad.toml")
    empty = pathlib.Path(root, "empty")
    empty.mkdir()
    other = pathlib.Path(root, "other")
    subprocess.run(["cp", "-r", directory, other], check=True)
    commit = other / "step-00000007" / "COMMIT"
    commit.write_text(commit.read_text().replace("format_version 2", "format_version 9"))

    def refused(what, word, ranks, *arguments, last=()):
        code, _, messages = run(ranks, *arguments, last=last)
        expect(code == 2 and len(messages) == 1 and word in messages[0],
               f"{what}: exit code {code}, messages {messages}, expected '{word}'")
        expect(not os.path.exists(fresh), f"{what}: left files")

    to_fresh = ("--dir", fresh, "--step", "1")
    for what, text, word in (("unknown key", "[model]\nnam = 'tiny'\n", "model.nam"),
                             ("wrong type", "[model]\nname = 3\n", "model.name"),
                             ("broken TOML", "[model\n", "bad.toml:1")):
        bad.write_text(text)
        refused(what, word, 2, "save", str(bad), *to_fresh)
    # What the library checks, not the configuration: the place is named all the same.
    for line, text in ((2, "[model]\nname='nope'\n[parallel]\nstrategy='fsdp'\n"),
                       (4, "[model]\nname='tiny'\n[parallel]\nstrategy='fsdpp'\n"),
                       (5, "[model]\nname='tiny'\n[parallel]\nstrategy='fsdp'\ndp_shard=3\n")):
        bad.write_text(text)
        for ranks, command in ((0, ("plan",)), (2, ("save", *to_fresh)), (2, ("load", "--dir", directory)), (2, ("run",))):
            refused(f"{command[0]}, line {line}", f"bad.toml:{line}: ", ranks, command[0], str(bad), *command[1:])
    bad.write_text("[model]\nname='tiny'\n[parallel]\nstrategy='fsdp'\n[sweep]\n'run.keep'=[1,2]\n")
    refused("a swept run.keep", "bad.toml:6: run.keep", 2, "run", str(bad))
    refused("degrees", "dp_shard", 3, "save", "smoke", "--set", "parallel.dp_shard=2", *to_fresh)
    refused("unknown model", "tiny", 2, "save", "smoke", "--set", "model.name=tinny", *to_fresh)
    rule = "parallel.rules.{}"
    refused("no tensor of that name", "*.wieght", 2, "save", "smoke", "--set", rule.format("*.wieght=R"), *to_fresh)
    refused("a placement too many", "expected one", 2, "save", "smoke", "--set", rule.format("*=R,R"), *to_fresh)
    refused("no placement", "expected S(d)", 2, "save", "smoke", "--set", rule.format("*=T"), *to_fresh)
    refused("no such dimension", "outside", 2, "save", "smoke", "--set", rule.format("*norm*=S(1)"), *to_fresh)
    refused("no parent", "parent", 2, "save", "smoke", "--dir", f"{fresh}/a/b", "--step", "1")
    refused("no checkpoint", "no committed checkpoint", 2, "load", "smoke", "--dir", str(empty))
    refused("no directory", "empty/none", 2, "load", "smoke", "--dir", f"{empty}/none")
    refused("no such step", "step 8", 2, "load", "smoke", *TINY, "--dir", directory, "--step", "8")
    refused("format version", "format version 9", 2, "load", "smoke", *TINY, "--dir", str(other))
    refused("tensor missing", "model.", 2, "load", "smoke", "--dir", directory)
    refused("dtype", "float64", 2, "load", "smoke", *TINY, "--set", "model.dtype=float64", "--dir",
            directory)
    refused("shape", "wants", 2, "load", "smoke", "--set", "model.name=tiny", "--set",
            "model.scale=0.5", "--dir", directory)
    for command in (("save", *to_fresh), ("load", "--dir", directory)):
        refused(f"{command[0]} of 5 TiB", "MemAvailable", 2, command[0], "smoke", "--set", "model.name=llama3-405b", "--set",
                "model.scale=1.0", *command[1:])
    refused("step committed", "step 7 exists", 2, "save", "smoke", *TINY, "--dir", directory,
            "--step", "7")
    for key, one, other_one in (("storage.io", "direct", "collective"), ("planner.kind", "layout", "tree"),
                                ("storage.checksum", "xxh3", "none")):
        words = ["save", "smoke", *TINY, *to_fresh, "--set", f"{key}={one}"]
        refused(f"one rank's {key}", f'{key} = "{other_one}"', 3, *words, last=("--set", f"{key}={other_one}"))
    refused("one rank's load.checksum", "load.checksum", 2, "load", "smoke", *TINY, "--dir", directory,
            last=("--set", "load.checksum=none"))
    for flag in ("min_time=1", "repetitions=2", "enable_random_interleaving=true"):
        refused(flag, flag.split("=", maxsplit=1)[0], 3, "run", "smoke", f"--benchmark_{flag}")
    refused("filter", "nothing", 3, "run", "smoke", "--benchmark_filter=nothing")


def check_planned_files(root):
    """What `plan` says of files is what a save leaves, whatever the back end and its layout."""
    kinds = [("hdf5", layout) for layout in ("auto", "shared", "shared-chunked", "per-rank", "per-node", "groups:2", "packed")]
    kinds += [(backend, "auto") for backend in ("posix", "posix-shared", "mpiio", "null")]
    for backend, layout in kinds:
        what = f"plan of {backend}, {layout}"
        directory = f"{root}/planned-{backend}-{layout.replace(':', '-')}"
        words = ["smoke", *TINY, "--json", "--set", f"storage.backend={backend}", "--set", f"storage.layout={layout}"]
        planned = json.loads(run(0, "plan", *words, "--world", "4")[1])
        code, out, messages = run(4, "save", *words, "--dir", directory, "--step", "1")
        expect(code == 0, f"{what}: {messages}")
        saved = json.loads(out)
        step = pathlib.Path(directory, "step-00000001")
        files = [path.name for path in step.glob("*") if path.name != "COMMIT"]
        expect(planned["files"] == len(files), f"{what}: {planned['files']} files, there are {files}")
        if not files:
            expect(planned["metadata_bytes"] == planned["checksum_bytes"] == 0, f"{what}: {planned}")
            continue
        # The manifest by COMMIT; HDF5 alone knows the checksums' address, whose length varies.
        manifest = int(re.search(r"^manifest \d+ (\d+)$", (step / "COMMIT").read_text(), re.MULTILINE)[1])
        slack = 4 if backend == "hdf5" else 0
        expect(abs(planned["metadata_bytes"] - manifest) <= slack, f"{what}: manifest of {planned['metadata_bytes']}, not {manifest}")
        expect(planned["checksum_bytes"] == saved["checksum_bytes"], f"{what}: checksums {planned['checksum_bytes']}")
        inspected = json.loads(run(0, "inspect", directory, "--json")[1])
        expect(planned["file_layout"] == inspected["file_layout"], f"{what}: layout {planned['file_layout']}")


def check_launchers(root):
    """Worlds of one rank that a launcher split: exit code 2, one message, no file."""
    directory = f"{root}/split"
    words = [SHARDMARK, "save", "smoke", *TINY, "--dir", directory, "--step", "1"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_COMM", "PMI"))}
    tasks = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                              env={**alone, "PMI_RANK": str(rank), "PMI_SIZE": "4"}) for rank in range(4)]  # fmt: skip
    said = [task.communicate(timeout=300)[1] for task in tasks]
    expect([task.returncode for task in tasks] == [2] * 4, "a split world: exit codes")
    expect(said[0].count("shardmark: error:") == 1 and not any(said[1:]), f"a split world: one message: {said}")
    expect("srun --mpi=pmix" in " ".join(said[0].split()), f"a split world: the way out: {said[0]}")
    task = {"SLURM_STEP_ID": "0", "SLURM_PROCID": "0", "SLURM_NTASKS": "4", "PMI_FD": "5"}
    for variables in ({"PALS_RANKID": "0"}, {"PALS_RANKID": "1"}, {"PMI_RANK": "2"}, task):
        done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False,
                              stdin=subprocess.DEVNULL, env={**alone, **variables})  # fmt: skip
        expect(done.returncode == 2 and done.stderr.count("shardmark: error:") == 1,
               f"a task of a world of unknown size {variables}: {done.returncode}, {done.stderr}")  # fmt: skip
    expect(not os.path.exists(directory), "a split world: no file is touched")


def check_async_run(root):
    """With all that a run asks of MPI before: saves in the background want every thread to call it."""
    code, out, messages = run(2, "run", "smoke", *TINY, "--set", 'run.benchmarks=["save"]', "--set", "storage.async=true",
                              "--set", "storage.io=direct", "--set", f"storage.directory={root}/async", "--out", f"{root}/async-run",
                              "--json")  # fmt: skip
    expect(code == 0, f"a run with storage.async: exit code {code}: {messages}")
    cases = json.loads(out)["cases"] if code == 0 else []
    expect(bool(cases) and all(case["failed"] == 0 and case["repetitions"] > 0 for case in cases), f"a run with storage.async: {cases}")


def check_mpi_io_in_force(root):
    """A run records the MPI-IO component that was asked for, not the one that would have been taken."""
    romio = mpi_io_components.romio()
    for component in (romio, "ompio") if romio else ("romio",):  # MPICH has one
        out = f"{root}/in-force-{component}"
        code, _, messages = run(2, "run", "smoke", *TINY, "--set", "storage.io=collective", "--set", "storage.hints.cb_nodes=7",
                                "--set", 'run.benchmarks=["save"]', "--set", "run.repetitions=1", "--set", "run.warmup=0",
                                "--out", out, env={**os.environ, "OMPI_MCA_io": component})  # fmt: skip
        expect(code == 0, f"run under {component}: {code} {messages}")
        mpi_io = json.loads(pathlib.Path(out, "samples.json").read_text())["context"]["mpi_io"]
        expect(mpi_io["component"] == component, f"in force is {component}, recorded: {mpi_io}")
        expect(mpi_io["hints"].get("cb_nodes") == "7", f"hints under {component}: {mpi_io}")


def main():
    seed = int(os.environ.get("SHARDMARK_TEST_SEED", random.randrange(1 << 31)))
    print(f"SHARDMARK_TEST_SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="shardmark-command-") as root:
        check_round_trips(root)
        check_counters(root)
        check_load_choices(root)
        check_rules(root)
        check_damage(root, random.Random(seed))
        check_refusals(root)
        check_launchers(root)
        check_planned_files(root)
        check_mpi_io_in_force(root)
        check_async_run(root)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
