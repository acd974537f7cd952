# SPDX-License-Identifier: Apache-2.0
"""Writes saves and loads of `shardmark run` in the form of MLPerf Storage's checkpointing results.

One folder of saves, one of loads, as its tool leaves them: summary.json, N_per_epoch_stats.json of every rank,
checkpointing_<time>_metadata.json. Times are those that were measured, at the moments of trace.json. What of
MLPerf Storage's workload and rules a run does not keep stands in every file that has room for it.
"""

import dataclasses
import datetime
import fnmatch
import pathlib
import re
from typing import Any

from shardmark_tools.referee import dlio_form
from shardmark_tools.referee.mlperf_rules import CHECKPOINTS, LEAST_RANKS_PER_HOST, MOST_GAP_S, PROCESSES
from shardmark_tools.refusal import Refused
from shardmark_tools.results import toml_document
from shardmark_tools.results.json_document import NotReadable, read_json
from shardmark_tools.results.result_folder import Run, Sample, read_run

# Shardmark's model: (MLPerf Storage's name, strategy, degrees) that write what its CLOSED division writes.
WORKLOADS: dict[str, tuple[str, str, dict[str, int]]] = {
    "mlperf-8b": ("llama3-8b", "fsdp", {}),
    "mlperf-70b": ("llama3-70b", "fsdp-tp", {"tp": 8}),
    "mlperf-405b": ("llama3-405b", "megatron", {"tp": 8, "pp": 32}),
    "mlperf-1t": ("llama3-1t", "megatron", {"tp": 8, "pp": 64}),
}
ZERO_STAGES = {"fsdp": 3, "fsdp-tp": 3, "hsdp": 3, "flat-fsdp": 3, "zero1": 1, "megatron-dist": 1, "ddp": 0}
NOT_VERIFIED = "measured by Shardmark, not by mlpstorage; not verified by MLCommons Association"
FAMILIES = ("save", "load")


class CannotExport(Refused):
    """The message is for the user."""


@dataclasses.dataclass
class Repeated:
    """The samples of one benchmark, in their order, with each rank's start in seconds after `began`."""

    run: Run
    family: str
    samples: list[Sample]
    starts: list[list[float]]
    began: datetime.datetime

    @property
    def config(self) -> dict[str, Any]:
        """As read, but "model" and "parallel" are tables. Errors: NotReadable."""
        where = f"{self.run.directory}/samples.json: context.config"
        try:
            config = toml_document.parse(self.run.context["config"])
        except ValueError as error:
            raise NotReadable(f"{where}: no TOML: {error}") from error
        for name in ("model", "parallel"):
            if not isinstance(config.setdefault(name, {}), dict):
                raise NotReadable(f"{where}: {name}: expected a table")
        return config

    @property
    def first_start(self) -> float:
        return min(min(moments) for moments in self.starts)

    @property
    def ends(self) -> list[float]:
        """Of each repetition: when its slowest rank was done."""
        return [max(start + seconds for start, seconds in zip(starts, sample["per_rank"]["total_s"]))
                for starts, sample in zip(self.starts, self.samples)]  # fmt: skip

    @property
    def num_bytes(self) -> int:
        return int(self.samples[0]["num_bytes"])


def trace_starts(directory: pathlib.Path, wanted: set[tuple[str, int]], ranks: int) -> dict[tuple[str, int], list[float]]:
    """{(benchmark, repetition): first moment of each rank in s}, on the one clock of trace.json."""
    path = directory / "trace.json"
    document = read_json(path)
    events = document.get("traceEvents") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise NotReadable(f"{path}: no list of traceEvents")
    found: dict[tuple[str, int], dict[int, float]] = {}
    for position, event in enumerate(events):
        try:
            if event["ph"] != "X" or "sample" not in event.get("args", {}):
                continue
            key = (event["args"]["sample"], event["args"]["repetition"])
            if key in wanted:
                rank, moment = int(event["tid"]), float(event["ts"]) / 1e6
                found.setdefault(key, {})[rank] = min(moment, found.get(key, {}).get(rank, moment))
        except (KeyError, TypeError, ValueError) as error:
            raise NotReadable(f"{path}: traceEvents[{position}]: no event of a sample: {error!r}") from error
    for name, repetition in sorted(wanted):
        of = found.get((name, repetition), {})
        if sorted(of) != list(range(ranks)):
            raise NotReadable(f"{path}: {name} repetition {repetition}: has {len(of)} of {ranks} ranks; the moments of an "
                              "export come from there")  # fmt: skip
    return {key: [moments[rank] for rank in range(ranks)] for key, moments in found.items()}


def chosen(runs: list[Run], family: str, only: str | None) -> tuple[Run, str] | None:
    """The run and name of the one benchmark of a family; None if there is none."""
    found = dict.fromkeys((i, s["name"]) for i, run in enumerate(runs) for s in run.good()
                          if s["family"] == family and not s["virtual"]
                          and (only is None or fnmatch.fnmatch(s["name"], only)))  # fmt: skip
    if len(found) > 1:
        names = "\n  ".join(f"{runs[i].directory}: {name}" for i, name in found)
        raise CannotExport(f"{len(found)} benchmarks of {family}s; choose one by --only GLOB:\n  {names}")
    return (runs[next(iter(found))[0]], next(iter(found))[1]) if found else None


def read_repeated(runs: list[Run], family: str, only: str | None) -> Repeated | None:
    """The first ten repetitions, as the rules count them."""
    choice = chosen(runs, family, only)
    if choice is None:
        return None
    run, name = choice
    samples = [sample for sample in run.good() if sample["name"] == name][:CHECKPOINTS]
    keys = [(name, sample["repetition"]) for sample in samples]
    starts = trace_starts(run.directory, set(keys), samples[0]["ranks"])
    began = datetime.datetime.fromisoformat(run.context["started"]).replace(tzinfo=None)
    return Repeated(run, family, samples, [starts[key] for key in keys], began)


def departures(made: dict[str, Repeated]) -> list[str]:
    """Where the runs do not keep MLPerf Storage's workload and rules, in words."""
    found = []
    for family in FAMILIES:
        repeated = made.get(family)
        if repeated is None:
            found.append(f"no {family}s")
        else:
            found += [text for text in workload_departures(repeated) if text not in found]
            if len(repeated.samples) != CHECKPOINTS:
                found.append(f"{len(repeated.samples)} {family}s, the rules ask for {CHECKPOINTS}")
    if len(made) == len(FAMILIES):
        found += order_departures(made["save"], made["load"])
    if "load" in made:
        warm = sum((sample["cold"] or {}).get("state") != "client-cold" for sample in made["load"].samples)
        if warm:
            found.append(f"{warm} of {len(made['load'].samples)} loads found pages in memory")
    return found


def workload_departures(repeated: Repeated) -> list[str]:
    config = repeated.config
    model, parallel = config.get("model", {}), config.get("parallel", {})
    name = model.get("name")
    if name not in WORKLOADS:
        return [f"model {name!r} is none of {', '.join(WORKLOADS)}"]
    theirs, strategy, degrees = WORKLOADS[name]
    found, ranks = [], repeated.samples[0]["ranks"]
    if model.get("scale", 1.0) != 1.0:
        found.append(f"model.scale is {model['scale']}, not 1.0")
    if model.get("optimizer") != "adamw":
        found.append(f"model.optimizer is {model.get('optimizer')!r}, not 'adamw'")
    if parallel.get("strategy") != strategy:
        found.append(f"parallel.strategy is {parallel.get('strategy')!r}, not {strategy!r}")
    found += [f"parallel.{key} is {parallel.get(key)}, not {value}"
              for key, value in degrees.items() if parallel.get(key) != value]  # fmt: skip
    if ranks != PROCESSES[theirs]:
        subset = ", and subsets exist for llama3-8b only" if theirs != "llama3-8b" and ranks < PROCESSES[theirs] else ""
        found.append(f"{ranks} ranks, {theirs} has {PROCESSES[theirs]}{subset}")
    fewest = min(repeated.run.context["ranks_per_node"])
    if fewest <= LEAST_RANKS_PER_HOST:
        found.append(f"{fewest} ranks on a node, the rules ask for more than {LEAST_RANKS_PER_HOST}")
    return found


def order_departures(saves: Repeated, loads: Repeated) -> list[str]:
    gap = (loads.began - saves.began).total_seconds() + loads.first_start - max(saves.ends)
    if gap < 0:
        return ["loads ran between saves, the rules ask for all saves first"]
    if gap > MOST_GAP_S and saves.run is not loads.run:
        return [f"loads began {gap:.0f} s after the saves, the rules allow {MOST_GAP_S:.0f} s"]
    return []


def notice(reasons: list[str]) -> str:
    if reasons:
        return "not a result of MLPerf: " + "; ".join(reasons)
    return f"workload and rules of MLPerf Storage's checkpointing as far as results show them; {NOT_VERIFIED}"


def model_name(repeated: Repeated) -> str:
    """MLPerf's name of the model, or ours, as the name of a folder."""
    name = str(repeated.samples[0]["model"])
    return WORKLOADS[name][0] if name in WORKLOADS else re.sub(r"[^\w.-]", "-", name) or "-"


def metadata(repeated: Repeated, said: str) -> dict[str, Any]:
    config, context, family = repeated.config, repeated.run.context, repeated.family
    parallel = config.get("parallel", {})
    counts = {f"num_checkpoints_{word}": len(repeated.samples) if family == of else 0
              for word, of in (("write", "save"), ("read", "load"))}  # fmt: skip
    hosts = [{"hostname": host, "cpu": {"model": context["cpu"]}} for host in context["hosts"]]
    first, last = repeated.first_start, max(repeated.ends)
    return {
        "benchmark_type": "checkpointing", "model": model_name(repeated), "command": "run",
        "run_datetime": stamp(repeated), "num_processes": repeated.samples[0]["ranks"], "accelerator": None,
        "result_dir": None,
        "parameters": {
            "model": {
                "name": repeated.samples[0]["model"], "type": "transformer",
                "parallelism": {"tensor": parallel.get("tp", 1), "pipeline": parallel.get("pp", 1),
                                "zero_stage": ZERO_STAGES.get(parallel.get("strategy"))},
            },
            "framework": "shardmark", "workflow": {"generate_data": False, "train": False, "checkpoint": True},
            "checkpoint": {"checkpoint_folder": config.get("storage", {}).get("directory"), **counts, "fsync": True},
        },
        "override_parameters": {}, "system_info": {"num_hosts": context["nodes"], "hosts": hosts},
        "runtime": last - first, "invocation_start_time": dlio_form.moment(repeated.began, first), "verification": said,
        "executed_command": " ".join(context["command_line"]),
        "args": {"mode": None, "benchmark": "checkpointing", "command": "run", "model": model_name(repeated),
                 "num_processes": repeated.samples[0]["ranks"], "exec_type": "mpi", **counts},
        "shardmark": {
            "notice": said, "cold": [(sample["cold"] or {}).get("state", "unknown") for sample in repeated.samples],
            "benchmark": repeated.samples[0]["name"], "version": context["shardmark_version"],
            "commit": context["commit"], "config_hash": context["config_hash"], "config": context["config"],
        },
    }  # fmt: skip


def stamp(repeated: Repeated) -> str:
    return (repeated.began + datetime.timedelta(seconds=repeated.first_start)).strftime("%Y%m%d_%H%M%S")


def write(out: pathlib.Path, repeated: Repeated, said: str) -> pathlib.Path:
    """One folder; those of saves and of loads may begin in one second, so that the names say which is which."""
    path = out / "checkpointing" / model_name(repeated) / f"{stamp(repeated)}-{repeated.family}s"
    if path.exists() and any(path.iterdir()):
        raise CannotExport(f"{path}: exists and is not empty")
    operation = dlio_form.Operation(repeated.family, [sample["per_rank"]["total_s"] for sample in repeated.samples],
                                    repeated.starts)  # fmt: skip
    more = {"hostname": repeated.run.context["hosts"][0], "num_files_train": 0, "num_files_eval": 0, "epochs": 0,
            "shardmark_notice": said}  # fmt: skip
    dlio_form.write_folder(path, [operation], repeated.num_bytes, repeated.run.context["nodes"], repeated.began, more)
    dlio_form.write_json(path / f"checkpointing_{stamp(repeated)}_metadata.json", metadata(repeated, said))
    (path / "NOTICE.txt").write_text(said + "\n", encoding="utf-8")
    return path


def export(directories: list[str], out: pathlib.Path, only: str | None) -> tuple[list[pathlib.Path], str]:
    """(folders written, what they say of themselves)."""
    runs = [read_run(directory) for directory in directories]
    made = {family: repeated for family in FAMILIES if (repeated := read_repeated(runs, family, only))}
    if not made:
        taken = f" that --only {only!r} takes" if only else ""
        raise CannotExport(f"{', '.join(directories)}: no save or load with a time{taken}")
    said = notice(departures(made))
    return [write(out, repeated, said) for repeated in made.values()], said
