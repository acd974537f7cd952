#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A good result folder passes; each planted fault is found by what it is."""

import copy
import json
import pathlib
import sys
import tempfile
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("jsonschema", status=77)

from shardmark_tools.results import result_checks, vocabulary

CONTEXT = {
    "shardmark_version": "0.1.0", "commit": "0123abc", "dirty": False, "build_type": "Release",
    "compiler": "GNU 12.2.0", "mpi": "Open MPI 4.1.4", "hdf5": "1.10.8", "fmt": "9.1.0",
    "benchmark": "1.7.1", "nodes": 2, "ranks": 3, "ranks_per_node": [2, 1], "hosts": ["a", "b"],
    "node_of_rank": [0, 0, 1], "cpu": "some CPU, 2 cores", "filesystem": {"type": "ext4"},
    "mpi_io": {"component": "ompio", "hints": {}}, "suite": "smoke", "config": "[run]\n",
    "config_hash": "00ff", "started": "2025-01-31T10:11:12Z", "shuffle_seed": 5,
    "command_line": ["shardmark", "run", "smoke"],
}  # fmt: skip


def make_sample(name: str, order: Any, repetition: Any, phases: Any, slow: Any = 0.0) -> Any:
    seconds = {phase: [0.010 * (i + 1) + slow] * 3 for i, phase in enumerate(phases)}
    totals = [sum(values[rank] for values in seconds.values()) for rank in range(3)]
    spreads = {
        phase: {"min": v[0], "mean": sum(v) / 3, "max": v[0], "slowest_rank": 0}
        for phase, v in seconds.items()
    }
    family = name.split("/")[0]
    return {
        "name": name, "family": family, "model": "tiny", "strategy": "fsdp",
        "case": {"file_layout": "shared", "io": "collective"}, "world_size": 3, "virtual": False,
        "nodes": 2, "ranks": 3, "repetition": repetition, "warmup": False, "order": order,
        "num_bytes": 1024, "time_s": totals[0], "returned_s": totals[0] if family == "save" else None,
        "durable_s": totals[0] if family == "save" else None, "visible_s": None,
        "phases_s": spreads,
        "per_rank": {"total_s": totals, "phases_s": seconds, "peak_memory_bytes": [1, 2, 3]},
        "bytes_read": 0, "bytes_written": 1024, "read_requests": 0, "write_requests": 3,
        "inventory": {"files": 2, "num_bytes": 2048, "padding_bytes": 0}, "cold": None,
        "metrics": {"imbalance": 1.0}, "verified": True, "error": None, "skipped": None,
    }  # fmt: skip


def make_results() -> Any:
    save, load = "save/tiny/fsdp/shared-collective/nodes:2/ranks:3", "load/tiny/fsdp/shared-collective/nodes:2/ranks:3"
    samples = [
        make_sample(save, 0, 0, vocabulary.SAVE_PHASES),
        make_sample(load, 1, 0, vocabulary.LOAD_PHASES),
        make_sample(load, 2, 1, vocabulary.LOAD_PHASES, slow=0.5),
        make_sample(save, 3, 1, vocabulary.SAVE_PHASES, slow=0.1),
    ]
    benchmarks = [
        {
            "name": s["name"] + "/iterations:1/manual_time",
            "run_name": s["name"] + "/iterations:1/manual_time",
            "run_type": "iteration",
            "real_time": s["time_s"] * 1e3,
            "time_unit": "ms",
        }
        for s in samples
    ]
    return (
        {"schema_version": 1, "context": copy.deepcopy(CONTEXT), "samples": samples},
        {"context": copy.deepcopy(CONTEXT), "benchmarks": benchmarks},
    )


class ResultChecks(unittest.TestCase):
    def problems(self, document: Any, benchmark: Any, **options: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            directory = pathlib.Path(folder)
            (directory / "samples.json").write_text(json.dumps(document))
            (directory / "benchmark.json").write_text(json.dumps(benchmark))
            return result_checks.check_results(directory, **options)[0]

    def assert_found(self, change: Any, message: Any, **options: Any) -> None:
        """`change(document, benchmark)` plants one fault."""
        document, benchmark = make_results()
        change(document, benchmark)
        problems = self.problems(document, benchmark, **options)
        self.assertTrue(problems, "the planted fault was not found")
        self.assertRegex("\n".join(problems), message)

    def test_good_results(self) -> None:
        self.assertEqual([], self.problems(*make_results()))

    def test_missing_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            problems, _ = result_checks.check_results(folder)
        self.assertIn("samples.json", problems[0])

    def test_every_required_key_is_required(self) -> None:
        document, benchmark = make_results()
        for place in (document, document["context"], document["samples"][1]):
            for key in list(place):
                value = place.pop(key)
                problems = self.problems(document, benchmark)
                self.assertIn(f"'{key}' is a required property", "\n".join(problems))
                place[key] = value

    def test_schema_faults(self) -> None:
        def in_sample(key: Any, value: Any) -> Any:
            return lambda d, b: d["samples"][2].update({key: value})

        self.assert_found(in_sample("bandwidth", 1.5), r"samples\[2\].*'bandwidth' was unexpected")
        self.assert_found(in_sample("time_s", "1"), r"samples\[2\]\.time_s")
        self.assert_found(in_sample("time_s", -1), r"samples\[2\]\.time_s")
        self.assert_found(in_sample("time_s", None), r"samples\[2\]\.time_s")
        self.assert_found(in_sample("verified", False), r"samples\[2\]\.verified")
        self.assert_found(in_sample("family", "write"), r"samples\[2\]\.family")
        self.assert_found(in_sample("skipped", "too big"), r"samples\[2\]\.time_s")
        self.assert_found(lambda d, b: d.update(schema_version=2), "schema_version")
        self.assert_found(lambda d, b: d["context"].update(started="yesterday"), "started")
        self.assert_found(lambda d, b: d["samples"].clear(), "samples")

    def test_phases_that_do_not_sum_to_the_total(self) -> None:
        def change(document: Any, _: Any) -> None:
            sample = document["samples"][0]
            sample["per_rank"]["phases_s"]["write"][1] += 0.05
            sample["phases_s"]["write"]["mean"] += 0.05 / 3
            sample["phases_s"]["write"].update(
                max=sample["per_rank"]["phases_s"]["write"][1], slowest_rank=1
            )

        self.assert_found(change, r"samples\[0\].*phases of rank 1 sum to")

    def test_spread_faults(self) -> None:
        def spread(key: Any, value: Any) -> Any:
            return lambda d, b: d["samples"][1]["phases_s"]["read"].update({key: value})

        self.assert_found(spread("max", 9.0), r"phases_s\.read\.max is 9\.0")
        self.assert_found(spread("mean", 0.0), r"phases_s\.read\.mean")
        self.assert_found(spread("slowest_rank", 3), "slowest_rank 3 is not the slowest")
        self.assert_found(lambda d, b: d["samples"][1]["phases_s"].pop("read"), "names other phases")

    def test_times_and_ranks(self) -> None:
        def sample(**values: Any) -> Any:
            return lambda d, b: d["samples"][3].update(values)

        def per_rank(key: Any, value: Any) -> Any:
            return lambda d, b: d["samples"][3]["per_rank"].update({key: value})

        self.assert_found(sample(time_s=99.0), "time_s is 99.0, the slowest rank took")
        self.assert_found(sample(returned_s=99.0), "returned_s 99.0 comes after durable_s")
        self.assert_found(sample(durable_s=None), "no durable_s")
        self.assert_found(sample(world_size=64), "world_size 64 is not ranks 3, yet not virtual")
        self.assert_found(per_rank("total_s", [1.0]), "per_rank.total_s: expected 3 values, one a rank, found 1")
        self.assert_found(per_rank("peak_memory_bytes", [1]), "peak_memory_bytes has 1 values")
        self.assert_found(sample(repetition=2), r"repetitions are \[0, 2\]")
        self.assert_found(sample(order=0), "2 samples have order 0")

    def test_verification(self) -> None:
        def unverified(document: Any, _: Any) -> None:
            document["samples"][0]["verified"] = None

        self.assert_found(unverified, "contents were not verified")
        document, benchmark = make_results()
        unverified(document, benchmark)
        self.assertEqual([], self.problems(document, benchmark, allow_unverified=True))

    def test_failed_case(self) -> None:
        def change(document: Any, benchmark: Any) -> None:
            error = {"code": 1, "message": "no space", "rank": 2}
            document["samples"][0].update(error=error, time_s=None, verified=None)
            benchmark["benchmarks"][0].update(error_occurred=True, error_message="no space")

        self.assert_found(change, "failed on rank 2: no space")
        self.assert_found(change, "benchmark.json: save/tiny.*: no space")

    def test_benchmark_json(self) -> None:
        self.assert_found(lambda d, b: b["benchmarks"].pop(), "1 in benchmark.json, 2 samples")
        self.assert_found(lambda d, b: b["benchmarks"][0].update(run_name="save/x"), "save/x: 1 in")
        self.assert_found(lambda d, b: b["benchmarks"][1].update(real_time=1.0), "times in benchmark")
        self.assert_found(lambda d, b: b["context"].pop("commit"), "context has no commit")
        self.assert_found(lambda d, b: b.pop("benchmarks"), "benchmark.json: .*a key 'benchmarks'")
        self.assert_found(lambda d, b: b["context"].update(x=float("nan")), "NaN is not JSON")

    def test_waterfalls(self) -> None:
        def layer(benchmark: Any, kind: Any, document: Any, of_below: Any, **changes: Any) -> Any:
            times = [s["time_s"] for s in document["samples"] if s["name"] == benchmark]
            made = {"layer": kind, "name": benchmark, "num_bytes": 1024, "time_s": sum(times) / 2}
            return {**made, "of_below": of_below, "of_ceilings": {}, **changes}

        def plant(of_below: Any, **changes: Any) -> Any:
            def change(document: Any, _: Any) -> None:
                load, save = document["samples"][1]["name"], document["samples"][0]["name"]
                layers = [
                    layer(load, "memcpy", document, None),
                    layer(save, "shardmark", document, of_below, **changes),
                ]
                document["waterfalls"] = [{"group": "g", "operation": "save", "layers": layers}]

            return change

        document, benchmark = make_results()
        plant(None)(document, None)
        load, save = (layer["time_s"] for layer in document["waterfalls"][0]["layers"])
        plant(load / save)(document, None)
        self.assertEqual([], self.problems(document, benchmark))
        self.assert_found(plant(load / save * 1.1), "of_below is")
        self.assert_found(plant(load / save, time_s=1.0), "not the median of its samples")
        self.assert_found(plant(load / save, name="save/other"), "save/other has no samples")

    def test_context_counts(self) -> None:
        self.assert_found(lambda d, b: d["context"].update(hosts=["a"]), "context.hosts: expected 2 entries, found 1")
        self.assert_found(lambda d, b: d["context"].update(ranks=4), "context.node_of_rank: expected 4 entries, found 3")
        self.assert_found(
            lambda d, b: d["context"].update(node_of_rank=[0, 1, 1]), "context.node_of_rank: does not agree"
        )


if __name__ == "__main__":
    unittest.main()
