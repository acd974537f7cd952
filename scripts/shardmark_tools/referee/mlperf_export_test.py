#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Results of `shardmark run` in MLPerf Storage's form: the same times, and what the run is not."""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Sequence
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from shardmark_tools.interpreter import ensure_modules  # noqa: E402

ensure_modules("numpy")
import numpy as np  # noqa: E402

from shardmark_tools.referee import mlperf_export, verdict  # noqa: E402
from shardmark_tools.results import synthetic_results as synthetic  # noqa: E402

SCRIPT = HERE.parents[1] / "export-mlperf"
CONFIG = """[model]
name = "{model}"
scale = {scale}
optimizer = "adamw"
[parallel]
strategy = "{strategy}"
{degrees}[storage]
directory = "d"
"""
# Of a real folder of saves, what readers of the form look for.
STATS_KEYS = {"start", "end", *(f"save_ckpt{i}" for i in range(1, 11))}
METADATA_KEYS = {"benchmark_type", "model", "command", "run_datetime", "num_processes", "accelerator", "result_dir", "parameters",
                 "override_parameters", "system_info", "runtime", "invocation_start_time", "verification",
                 "executed_command", "args"}  # fmt: skip


def config(model: str = "mlperf-8b", scale: str = "1.0", strategy: str = "fsdp", degrees: str = "") -> str:
    return CONFIG.format(model=model, scale=scale, strategy=strategy, degrees=degrees)


class Export(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="export-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def make(self, name: str, families: Sequence[str] = ("save",), per_node: int = 8, nodes: int = 1, repetitions: int = 10,
             cold: str = "client-cold", begin_s: float = 0.0, strategies: Sequence[str] = ("fsdp",),
             **more: Any) -> dict[str, Any]:  # fmt: skip
        """A result folder whose repetitions begin two seconds apart, rank r a millisecond times r later."""
        context = synthetic.context(nodes=nodes, per_node=per_node, **{"config": config(), **more})
        document = synthetic.make_run(np.random.default_rng(7), context, repetitions, families=families, strategies=strategies)
        events = []
        for i, sample in enumerate(document["samples"]):
            sample["model"] = "mlperf-8b"
            if sample["family"] == "load":
                sample["cold"] = {"state": cold, "resident_fraction": 0.0}
            for rank, total in enumerate(sample["per_rank"]["total_s"]):
                start = begin_s + 2 * i + 0.001 * rank
                for moment in (start + total / 2, start):  # the first event of a rank counts, wherever it stands
                    of = {"sample": sample["name"], "repetition": sample["repetition"]}
                    events.append({"name": "write", "ph": "X", "ts": moment * 1e6, "dur": total / 2 * 1e6, "pid": 0,
                                   "tid": rank, "args": of})  # fmt: skip
        synthetic.write_run(self.folder / name, document)
        (self.folder / name / "trace.json").write_text(json.dumps({"traceEvents": events}))
        return document

    def export(self, *names: str, only: str | None = None) -> tuple[list[pathlib.Path], str]:
        return mlperf_export.export([str(self.folder / name) for name in names], self.folder / "out", only)

    def test_times_are_those_of_the_samples(self) -> None:
        document = self.make("run")
        (path,), _ = self.export("run")
        samples = [s for s in document["samples"] if s["family"] == "save"]
        for rank in range(8):
            stats = json.loads((path / f"{rank}_per_epoch_stats.json").read_text())["1"]
            self.assertEqual(set(stats), STATS_KEYS)
            for i, sample in enumerate(samples, 1):
                block, total = stats[f"save_ckpt{i}"], sample["per_rank"]["total_s"][rank]
                self.assertAlmostEqual(block["duration"], total, places=6)
                self.assertAlmostEqual(block["throughput"], sample["num_bytes"] / 2**30 / total, places=4)
                self.assertEqual(block["start"], f"2026-01-31T12:00:{2 * (i - 1):02d}.{1000 * rank:06d}")

    def test_the_referee_reads_it(self) -> None:
        document = self.make("run", families=("save", "load"))
        self.export("run")
        report = verdict.referee([self.folder / "out"])
        self.assertEqual((report.errors, report.count("fault")), ([], 0))
        for judged in report.results:
            times = [s["time_s"] for s in document["samples"] if s["family"] == judged.measurement.operation]
            self.assertAlmostEqual(judged.figures.slowest, statistics.fmean(1 / t for t in times), places=5)
            kinds = {finding.kind for finding in judged.measurement.findings}
            self.assertFalse({"no-fsync", "memory-could-hold"} & kinds, kinds)  # durable saves, certified cold loads

    def test_form_of_the_metadata(self) -> None:
        self.make("run", nodes=2, per_node=4)
        (path,), _ = self.export("run")
        self.assertRegex(str(path.relative_to(self.folder)), r"^out/checkpointing/llama3-8b/\d{8}_\d{6}-saves$")
        (file,) = path.glob("checkpointing_*_metadata.json")
        metadata = json.loads(file.read_text())
        self.assertLessEqual(METADATA_KEYS, set(metadata))
        self.assertEqual((metadata["model"], metadata["num_processes"]), ("llama3-8b", 8))
        self.assertEqual(metadata["parameters"]["checkpoint"]["num_checkpoints_write"], 10)
        self.assertEqual(metadata["parameters"]["model"]["parallelism"]["zero_stage"], 3)
        summary = json.loads((path / "summary.json").read_text())
        self.assertEqual((summary["num_accelerators"], summary["num_hosts"]), (8, 2))

    def test_what_keeps_the_rules(self) -> None:
        self.make("saves")
        self.make("loads", families=("load",), begin_s=25)
        _, said = self.export("saves", "loads")
        self.assertNotIn("not a result of MLPerf", said)
        self.assertIn("not verified by MLCommons", said)

    def test_what_does_not(self) -> None:
        cases = {
            "scale": (dict(config=config(scale="0.01")), "model.scale is 0.01"),
            "model": (dict(config=config(model="llama3-8b")), "model 'llama3-8b' is none of"),
            "strategy": (dict(config=config(strategy="ddp")), "parallel.strategy is 'ddp'"),
            "ranks": (dict(per_node=16), "16 ranks, llama3-8b has 8"),
            "spread": (dict(nodes=2, per_node=4), "4 ranks on a node"),
            "count": (dict(repetitions=9), "9 saves, the rules ask for 10"),
            "warm": (dict(cold="warm"), "10 of 10 loads found pages in memory"),
            "subset": (dict(config=config(model="mlperf-70b", strategy="fsdp-tp", degrees="tp = 8\n")),
                       "8 ranks, llama3-70b has 64, and subsets exist for llama3-8b only"),
        }  # fmt: skip
        for name, (how, reason) in cases.items():
            self.make(f"{name}-saves", **how)
            self.make(f"{name}-loads", families=("load",), begin_s=25, **how)
            paths, said = mlperf_export.export([str(self.folder / f"{name}-{what}") for what in ("saves", "loads")],
                                               self.folder / "out" / name, None)  # fmt: skip
            self.assertTrue(said.startswith("not a result of MLPerf: "), name)
            self.assertIn(reason, said)
            for path in paths:
                self.assertEqual((path / "NOTICE.txt").read_text(), said + "\n")
                self.assertEqual(json.loads((path / "summary.json").read_text())["shardmark_notice"], said)
                self.assertEqual(json.loads(next(path.glob("checkpointing_*")).read_text())["verification"], said)

    def test_loads_between_saves(self) -> None:
        self.make("run", families=("save",))
        self.make("mixed", families=("load",), begin_s=5)
        self.assertIn("loads ran between saves", self.export("run", "mixed")[1])

    def test_loads_long_after_saves(self) -> None:
        self.make("saves")
        self.make("loads", families=("load",), begin_s=90)
        self.assertIn("the rules allow 30 s", self.export("saves", "loads")[1])

    def test_of_more_repetitions_the_first_ten(self) -> None:
        document = self.make("run", repetitions=12)
        (path,), _ = self.export("run")
        stats = json.loads((path / "0_per_epoch_stats.json").read_text())["1"]
        self.assertEqual(set(stats), STATS_KEYS)
        self.assertAlmostEqual(stats["save_ckpt10"]["duration"], document["samples"][9]["time_s"], places=6)

    def test_several_benchmarks_want_a_choice(self) -> None:
        self.make("run", strategies=("fsdp", "ddp"))
        with self.assertRaisesRegex(mlperf_export.CannotExport, "choose one by --only"):
            self.export("run")
        self.assertEqual(len(self.export("run", only="*/ddp/*")[0]), 1)

    def run_script(self, *arguments: pathlib.Path | str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, SCRIPT, *arguments, "--out", self.folder / "out"], capture_output=True, text=True,
                              timeout=600, check=False)  # fmt: skip

    def test_script(self) -> None:
        self.make("run")
        result = self.run_script(self.folder / "run")
        self.assertEqual(result.returncode, 0)
        self.assertIn("not a result of MLPerf: no loads", result.stdout)
        again = self.run_script(self.folder / "run")
        self.assertEqual((again.returncode, "exists and is not empty" in again.stderr), (2, True))

    def test_script_without_moments(self) -> None:
        self.make("run")
        (self.folder / "run" / "trace.json").write_text('{"traceEvents": [{"ph": "X", "args": {"sample": 1}}]}')
        result = self.run_script(self.folder / "run")
        self.assertEqual(result.returncode, 2)
        self.assertIn("traceEvents[0]", result.stderr)
        (self.folder / "run" / "trace.json").unlink()
        self.assertIn("trace.json", self.run_script(self.folder / "run").stderr)


if __name__ == "__main__":
    unittest.main()
