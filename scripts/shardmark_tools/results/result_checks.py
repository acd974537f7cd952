# SPDX-License-Identifier: Apache-2.0
"""Checks a result folder: the schema, and what a schema cannot say about sums and agreement."""

import collections
import pathlib
import re
import statistics
from collections.abc import Iterator
from typing import Any

import jsonschema

from shardmark_tools.results import vocabulary
from shardmark_tools.results.json_document import NotReadable, read_json
from shardmark_tools.results.result_folder import Sample, read_run
from shardmark_tools.results.schema_form import Misfit, make_check

RELATIVE_TOLERANCE = 0.02
ABSOLUTE_TOLERANCE_S = 1e-3
# A rank that loses its core between the end of its last phase and the end of its time has this in no phase.
AWAY_S = 0.02
BENCHMARK_CONTEXT = (
    "shardmark_version commit dirty build_type nodes ranks config_hash shuffle_seed".split()
)
# What Google Benchmark adds to a registered name.
NAME_SUFFIX = re.compile(r"(/(iterations|repeats|min_time|threads):[^/]*|/(manual|real|process)_time)+$")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def close(a: float, b: float) -> bool:
    return abs(a - b) <= max(ABSOLUTE_TOLERANCE_S, RELATIVE_TOLERANCE * max(abs(a), abs(b)))


def label(position: int, sample: Sample) -> str:
    return f"samples[{position}] {sample['name']} repetition {sample['repetition']}"


def schema_problems(document: Any) -> Iterator[str]:
    validator = jsonschema.Draft7Validator(vocabulary.schema())
    for error in validator.iter_errors(document):
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        yield f"samples.json{place}: {error.message[:300]}"


def spread_problems(sample: Sample) -> Iterator[str]:
    """phases_s must be what per_rank.phases_s says."""
    for phase, seconds in sample["per_rank"]["phases_s"].items():
        spread = sample["phases_s"][phase]
        mean = sum(seconds) / len(seconds)
        pairs = {"min": min(seconds), "mean": mean, "max": max(seconds)}
        for key, value in pairs.items():
            if abs(spread[key] - value) > 1e-9 + 1e-6 * value:
                yield f"phases_s.{phase}.{key} is {spread[key]}, the ranks give {value}"
        slowest = spread["slowest_rank"]
        if slowest >= len(seconds) or seconds[slowest] < max(seconds):
            yield f"phases_s.{phase}.slowest_rank {slowest} is not the slowest"


def time_problems(sample: Sample) -> Iterator[str]:
    totals = sample["per_rank"]["total_s"]
    if not close(sample["time_s"], max(totals)):
        yield f"time_s is {sample['time_s']}, the slowest rank took {max(totals)}"
    phases = sample["per_rank"]["phases_s"]
    expected = (p for p in vocabulary.PHASES_OF.get(sample["family"], ()) if p not in vocabulary.LATER_PHASES)
    missing = [p for p in expected if p not in phases]
    if missing:
        yield f"no phases {', '.join(missing)}"
    if phases and all(len(seconds) == len(totals) for seconds in phases.values()):
        for rank, total in enumerate(totals):
            together = sum(seconds[rank] for seconds in phases.values())
            if not (close(together, total) or 0 < total - together <= AWAY_S + RELATIVE_TOLERANCE * total):
                yield f"the phases of rank {rank} sum to {together}, its total is {total}"
    returned, durable = sample["returned_s"], sample["durable_s"]
    if sample["family"] == "save" and (returned is None or durable is None):
        yield "a save has no returned_s or no durable_s"
    elif returned is not None and durable is not None and returned > durable * 1.02 + 1e-3:
        yield f"returned_s {returned} comes after durable_s {durable}"


def node_problems(sample: Sample, context: dict[str, Any]) -> Iterator[str]:
    """per_node.work_s must be the means of what its ranks say."""
    if "per_node" not in sample or not sample["per_rank"]["phases_s"]:
        return
    phases = sample["per_rank"]["phases_s"]
    for node, found in enumerate(sample["per_node"]["work_s"]):
        ranks = [r for r, n in enumerate(context["node_of_rank"]) if n == node]
        work = [sum(phases[p][r] for p in vocabulary.SHARED_PHASES if p in phases) for r in ranks]
        mean = sum(work) / len(work)
        if abs(found - mean) > 1e-9 + 1e-6 * mean:
            yield f"per_node.work_s of node {node} is {found}, its ranks give {mean}"


def needs_verification(sample: Sample) -> bool:
    discards = sample["case"].get("backend") == "null"
    return (sample["family"] in vocabulary.PHASES_OF or sample["family"] == "ceiling") and not discards


def sample_problems(sample: Sample, allow_unverified: bool) -> Iterator[str]:
    if sample["warmup"]:
        yield "a warm-up is no sample"
    # A resharded load may be of fewer ranks than were launched; its name says how many.
    named = re.search(r"/on:(\d+)$", sample["name"]) if sample["family"] == "reshard" else None
    expected = int(named[1]) if named else sample["ranks"]
    if not sample["virtual"] and (sample["world_size"] != expected or expected > sample["ranks"]):
        yield f"world_size {sample['world_size']} is not ranks {expected}, yet not virtual"
    if sample["error"] is not None:
        yield f"failed on rank {sample['error']['rank']}: {sample['error']['message']}"
        return
    if sample["skipped"] is not None:
        return
    if needs_verification(sample) and sample["verified"] is not True and not allow_unverified:
        yield "contents were not verified"
    memory = sample["per_rank"]["peak_memory_bytes"]
    if memory is not None and len(memory) != sample["ranks"]:
        yield f"per_rank.peak_memory_bytes has {len(memory)} values for {sample['ranks']} ranks"
    yield from time_problems(sample)
    yield from spread_problems(sample)


def run_problems(samples: list[Sample]) -> Iterator[str]:
    """Repetitions of one name are 0, 1, 2...; no two samples have one place in the order."""
    orders = collections.Counter(sample["order"] for sample in samples)
    for order, times in orders.items():
        if times > 1:
            yield f"{times} samples have order {order}"
    repetitions: dict[str, list[int]] = collections.defaultdict(list)
    for sample in samples:
        repetitions[sample["name"]].append(sample["repetition"])
    for name, found in repetitions.items():
        if sorted(found) != list(range(len(found))):
            yield f"{name}: repetitions are {sorted(found)}"


def waterfall_problems(waterfalls: list[dict[str, Any]], samples: list[Sample]) -> Iterator[str]:
    """Medians and shares are those that the samples give."""
    times: dict[str, list[float]] = collections.defaultdict(list)
    for sample in samples:
        if sample["time_s"] is not None:
            times[sample["name"]].append(sample["time_s"])
    for waterfall in waterfalls:
        below = None
        for layer in waterfall["layers"]:
            name = layer["name"]
            if not times[name]:
                yield f"waterfalls: {name} has no samples"
                continue
            if abs(statistics.median(times[name]) - layer["time_s"]) > 1e-6 * layer["time_s"]:
                yield f"waterfalls: {name}: time_s is not the median of its samples"
            rate = layer["num_bytes"] / layer["time_s"]
            if below is not None and abs(layer["of_below"] - rate / below) > 1e-3 * rate / below:
                yield f"waterfalls: {name}: of_below is {layer['of_below']}, rates give {rate / below}"
            if layer["layer"] != "shardmark":
                below = rate


BENCHMARK_FORM = make_check({
    "type": "object",
    "required": ["context", "benchmarks"],
    "properties": {
        "context": {"type": "object"},
        "benchmarks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "run_name": {"type": "string"},
                    "run_type": {"type": "string"},
                    "real_time": {"type": "number"},
                    "time_unit": {"enum": list(SECONDS)},
                },
                "if": {"required": ["error_occurred"], "properties": {"error_occurred": {"const": True}}},
                "else": {"required": ["real_time", "time_unit"]},
            },
        },
    },
})  # fmt: skip


def benchmark_problems(benchmark: Any, samples: list[Sample]) -> Iterator[str]:
    """Google Benchmark's file has the same names, as often, with the same times in run order."""
    try:
        BENCHMARK_FORM(benchmark)
    except Misfit as misfit:
        yield f"benchmark.json: {misfit.where() or 'the document'}: {misfit}"
        return
    for key in BENCHMARK_CONTEXT:
        if key not in benchmark["context"]:
            yield f"benchmark.json: context has no {key}"
    times: dict[str, list[float]] = collections.defaultdict(list)
    for entry in benchmark["benchmarks"]:
        name = NAME_SUFFIX.sub("", entry.get("run_name", entry["name"]))
        if entry.get("run_type", "iteration") != "iteration":
            continue
        if entry.get("error_occurred"):
            yield f"benchmark.json: {name}: {entry.get('error_message', 'failed')}"
            continue
        times[name].append(entry["real_time"] * SECONDS[entry["time_unit"]])
    expected: dict[str, list[float]] = collections.defaultdict(list)
    for sample in sorted(samples, key=lambda sample: sample["order"]):
        if sample["time_s"] is not None:
            expected[sample["name"]].append(sample["time_s"])
    for name in sorted({*times, *expected}):
        if len(times[name]) != len(expected[name]):
            yield f"{name}: {len(times[name])} in benchmark.json, {len(expected[name])} samples"
        elif any(abs(a - b) > 1e-6 + 1e-4 * b for a, b in zip(times[name], expected[name])):
            yield f"{name}: times in benchmark.json are {times[name]}, in samples.json {expected[name]}"


def check_results(directory: pathlib.Path | str, allow_unverified: bool = False) -> tuple[list[str], int]:
    """(problems as text, number of samples) of one result folder."""
    directory = pathlib.Path(directory)
    try:
        document = read_json(directory / "samples.json")
        benchmark = read_json(directory / "benchmark.json")
    except NotReadable as error:
        return [str(error)], 0
    problems = list(schema_problems(document))
    if problems:
        return problems, 0
    try:
        samples = read_run(directory).samples
    except NotReadable as error:
        return [str(error)], 0
    for position, sample in enumerate(samples):
        found = [*sample_problems(sample, allow_unverified), *node_problems(sample, document["context"])]
        problems += [f"{label(position, sample)}: {problem}" for problem in found]
    problems += run_problems(samples)
    problems += waterfall_problems(document.get("waterfalls", []), samples)
    problems += benchmark_problems(benchmark, samples)
    if (directory / "trace.json").exists():
        try:
            trace = read_json(directory / "trace.json")
            events = trace.get("traceEvents") if isinstance(trace, dict) else trace
            if not isinstance(events, list):
                problems.append("trace.json: no list of traceEvents")
        except NotReadable as error:
            problems.append(str(error))
    return problems, len(samples)
