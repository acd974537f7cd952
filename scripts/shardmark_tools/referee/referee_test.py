#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The referee on real results whose figures were worked out by hand, and on results that are made wrong."""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from shardmark_tools.referee import dlio_form, figures, rank_outliers, referee_output, verdict  # noqa: E402
from shardmark_tools.referee.measurement import Measurement, ranks_text  # noqa: E402

SAMPLES = HERE / "samples"
SCRIPT = HERE.parents[1] / "referee"
RESULTS_README = HERE.parents[2] / "results" / "README.md"
# (folder, operation): rank 0, slowest rank, bytes over time, mean of rates, median, printed. Worked out by
# hand from the files, not by this code.
BY_HAND = {
    ("dlio-rank0-fast", "save"): (1.4500, 0.4464, 0.4259, 0.6995, 0.4714, 1.4500),
    ("ior-mpiio", "read"): (1839.71, 1837.75, 257.83, 1839.16, 177.62, 1836.02),
    ("fio-buffered", "write"): (3368.42, 2976.74, 2976.74, 6317.47, 5813.24, None),
    ("fio-grouped", "write"): (None, 644.84, 644.84, 644.84, 644.84, 644.84),
}


Rows = list[list[float]]  # seconds of each repetition, by rank


def judged_of(path: pathlib.Path, operation: str) -> verdict.Judged:
    report = verdict.referee([path])
    assert not report.errors, report.errors
    return next(judged for judged in report.results if judged.measurement.operation == operation)


def kinds(judged: verdict.Judged, severity: str | None = None) -> list[str]:
    return [f.kind for f in judged.measurement.findings if severity in (None, f.severity)]


def flat(seconds: float, ranks: int = 4, repetitions: int = 10) -> list[list[float]]:
    """Times that differ by a percent, never in the same order."""
    return [[seconds * (1 + 0.01 * ((7 * i + 3 * rank) % 5 - 2)) for rank in range(ranks)] for i in range(repetitions)]


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="referee-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def write_dlio(self, saves: Rows | None = None, loads: Rows | None = None, num_bytes: int = 2**30, zero_stage: int = 3,
                   **more: Any) -> None:  # fmt: skip
        operations = [dlio_form.spaced(name, rows) for name, rows in (("save", saves), ("load", loads)) if rows]
        dlio_form.write_folder(self.folder, operations, num_bytes, **more)
        ranks = len(operations[0].seconds[0])
        metadata = {"num_processes": ranks, "parameters": {"model": {"parallelism": {"zero_stage": zero_stage}}}}
        dlio_form.write_json(self.folder / "checkpointing_20260101_100000_metadata.json", metadata)

    def edit(self, name: str, change: Callable[[Any], object]) -> None:
        document = json.loads((self.folder / name).read_text())
        change(document)
        (self.folder / name).write_text(json.dumps(document))


class FiveFigures(unittest.TestCase):
    def test_hand_calculations(self) -> None:
        for (folder, operation), expected in BY_HAND.items():
            with self.subTest(folder=folder):
                judged = judged_of(SAMPLES / folder, operation)
                made, printed = judged.figures, judged.measurement.printed
                found = (made.rank_0, made.slowest, made.bytes_over_time, made.mean_of_rates, made.median.value,
                         printed.value if printed else None)  # fmt: skip
                for value, hand in zip(found, expected):
                    if hand is None:
                        self.assertIsNone(value)
                    else:
                        self.assertAlmostEqual(value, hand, delta=0.00006 if hand < 10 else 0.006)

    def test_example_in_the_documents(self) -> None:
        """The worked example of results/README.md has the figures that the referee gives."""
        text = RESULTS_README.read_text(encoding="utf-8")
        example = text[text.index("### A worked example"):]
        example = example[example.index("| figure | worked out"):]
        made = judged_of(SAMPLES / "dlio-rank0-fast", "save").figures
        for name, value in {"rank 0": made.rank_0, "slowest rank": made.slowest, "bytes over time": made.bytes_over_time,
                            "mean of rates": made.mean_of_rates, "median": made.median.value}.items():  # fmt: skip
            row = re.search(rf"^\| {name} \|.*\| ([\d.]+) \|$", example, re.MULTILINE)
            self.assertEqual(row[1], f"{value:.4f}", name)

    def test_mdtest_counts_operations_of_all(self) -> None:
        judged = judged_of(SAMPLES / "mdtest", "file creation")
        self.assertEqual(judged.measurement.amounts, [800.0] * 3)
        times = ([0.016546964645, 0.018214941025, 0.018573045731, 0.022571802139],
                 [0.016232967377, 0.012384176254, 0.019859075546, 0.024060964584],
                 [0.024600028992, 0.018388032913, 0.016515016556, 0.022410869598])  # fmt: skip
        self.assertAlmostEqual(judged.figures.slowest, sum(800 / max(row) for row in times) / 3, places=1)
        self.assertAlmostEqual(judged.figures.rank_0, sum(800 / row[0] for row in times) / 3, places=1)
        self.assertAlmostEqual(judged.measurement.printed.value, 33126.107)

    def test_text_csv_and_json_forms(self) -> None:
        report = verdict.referee([SAMPLES / "ior-text", SAMPLES / "elbencho"])
        found = {(pathlib.Path(j.measurement.path).name, j.measurement.operation): j for j in report.results}
        self.assertEqual(set(found), {(name, op) for name in ("ior.csv", "ior.txt", "elbencho.json") for op in ("write", "read")})
        self.assertAlmostEqual(found["ior.csv", "write"].figures.slowest, (1261.0359 + 1389.0220 + 1342.3384) / 3, places=3)
        self.assertEqual(found["ior.txt", "read"].measurement.printed.follows[:1], ["slowest rank"])
        # last_done counts, not first_done
        self.assertAlmostEqual(found["elbencho.json", "read"].figures.slowest, 1364306328 / 2**20, places=3)

    def test_elbencho_csv_where_there_is_no_json(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "e.csv").write_bytes((SAMPLES / "elbencho" / "elbencho.csv").read_bytes())
            self.assertAlmostEqual(judged_of(folder, "write").figures.slowest, 1049.0)

    def test_interval_covers_as_it_says(self) -> None:
        """Against all 2^n ways in which n values lie below or above the true median."""
        for n in range(2, 13):
            interval = figures.median_interval(range(n))
            covered = sum(interval.low < sum(below) <= interval.high for below in itertools.product((0, 1), repeat=n))
            self.assertAlmostEqual(interval.confidence, covered / 2**n)
            self.assertEqual(interval.confidence >= 0.95, n >= 6)

    def test_interval_of_more_values_than_a_float_has_powers_of_two(self) -> None:
        for n in (1100, 2000):
            interval = figures.median_interval(range(n))
            self.assertTrue(0.95 <= interval.confidence < 0.96, interval)
            # of a binomial, by its normal law
            self.assertAlmostEqual(interval.low, n / 2 - 0.98 * n**0.5, delta=2)
            self.assertAlmostEqual(interval.high, n - 1 - interval.low)

    def test_several_tests_of_ior_are_several_measurements(self) -> None:
        text, table = ((SAMPLES / "ior-text" / name).read_text() for name in ("ior.txt", "ior.csv"))
        more = re.sub(r"(?m)^tasks( *): 4$", r"tasks\1: 8", text)
        rows = table.splitlines()
        again = [re.sub(r",4,(\d)$", r",8,\1", row) for row in rows[1:]]
        for name, content in (("ior.txt", text + more), ("ior.csv", "\n".join([*rows, *again]))):
            with self.subTest(name=name), tempfile.TemporaryDirectory() as folder:
                (pathlib.Path(folder) / name).write_text(content)
                report = verdict.referee([folder])
                found = [(j.measurement.operation, j.measurement.expected_ranks, j.measurement.repetitions) for j in report.results]
                self.assertEqual(found, [("write", 4, 3), ("read", 4, 3), ("write", 8, 3), ("read", 8, 3)])

    def test_several_tests_in_one_text_of_ior_are_refused(self) -> None:
        text = (SAMPLES / "ior-text" / "ior.txt").read_text()
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "ior.txt").write_text(text.replace("TestID              : 0", "TestID : 0\nTestID : 1"))
            report = verdict.referee([folder])
        self.assertEqual(report.results, [])
        self.assertIn("2 tests in one output of IOR", str(report.errors[0]))

    def test_lines_of_a_second_text_of_ior_are_those_of_the_file(self) -> None:
        text = (SAMPLES / "ior-text" / "ior.txt").read_text()
        line = next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith("write "))
        bad = re.sub(r"(?m)^write     [\d.]+ ", "write     0       ", text, count=1)
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "ior.txt").write_text(text + bad)
            report = verdict.referee([folder])
        self.assertIn(f"line {len(text.splitlines()) + line}, column 2", str(report.errors[0]))

    def test_stonewalled_repetitions_have_sizes_of_their_own(self) -> None:
        document = json.loads((SAMPLES / "ior-mpiio" / "ior.json").read_text())
        document["tests"][0]["Parameters"]["deadlineForStonewall"] = 1
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "ior.json").write_text(json.dumps(document))
            judged = judged_of(folder, "read")
        self.assertAlmostEqual(judged.measurement.amounts[0] / 2**20, 172.0518 * 0.7440, places=6)
        self.assertIn("stonewalled", kinds(judged))

    def test_sizes_of_rank_times_are_exact(self) -> None:
        """throughput x time of the ranks, not bwMiB x a time of four decimals."""
        document = json.loads((SAMPLES / "ior-mpiio" / "ior.json").read_text())
        document["tests"][0]["Parameters"]["deadlineForStonewall"] = 1
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "ior.json").write_text(json.dumps(document))
            (pathlib.Path(folder) / "ranks.csv").write_bytes((SAMPLES / "ior-mpiio" / "ranks.csv").read_bytes())
            self.assertEqual(judged_of(folder, "read").measurement.amounts, [128 * 2**20] * 3)


class Outliers(Folder):
    def named(self, saves: Rows) -> list[tuple[str, int | None, int | None]]:
        self.write_dlio(saves)
        judged = judged_of(self.folder, "save")
        return [(f.kind, f.rank, f.repetition) for f in judged.measurement.findings
                if f.kind in ("slow-rank", "fast-rank", "slow-or-more", "slow-repetition", "fast-repetition")]  # fmt: skip

    def test_sound(self) -> None:
        self.assertEqual(self.named(flat(1.0)), [])

    def test_slow_and_fast_ranks(self) -> None:
        for ranks in (3, 4, 8, 40):
            rows = flat(1.0, ranks=ranks)
            for row in rows:
                row[2] *= 1.2
            self.assertEqual(self.named(rows), [("slow-rank", 2, None)], ranks)
        rows = flat(1.0, ranks=8)
        for row in rows:
            row[5] *= 0.7
        self.assertEqual(self.named(rows), [("fast-rank", 5, None)])

    def test_a_rank_that_is_slow_half_of_the_time_is_not_named(self) -> None:
        rows = flat(1.0)
        for row in rows[::2]:
            row[1] *= 1.5
        self.assertEqual(self.named(rows), [])

    def test_slow_moments_of_the_machine_accuse_no_rank(self) -> None:
        rows = [[seconds * (1 + i % 3) for seconds in row] for i, row in enumerate(flat(1.0))]
        self.assertEqual(self.named(rows), [])

    def test_two_ranks_cannot_tell_which_is_slow(self) -> None:
        self.assertEqual(self.named([[1.0, 2.0 + 0.01 * i] for i in range(10)]), [])

    def test_milliseconds_are_not_judged(self) -> None:
        rows = flat(0.004)
        for row in rows:
            row[3] *= 2
        self.assertEqual(self.named(rows), [])

    def test_repetitions(self) -> None:
        rows = flat(10.0)
        rows[4] = [seconds * 1.5 for seconds in rows[4]]
        self.assertEqual(self.named(rows), [("slow-repetition", None, 4)])
        rows = flat(10.0)
        rows[7][1] += 5
        self.assertEqual(self.named(rows), [("slow-repetition", 1, 7)])
        rows = flat(10.0)
        rows[0] = [seconds * 0.1 for seconds in rows[0]]
        self.assertEqual(self.named(rows), [("fast-repetition", None, 0)])

    def test_rank_0_may_have_written_more(self) -> None:
        rows = [[seconds * (1.5 if rank == 0 else 1) for rank, seconds in enumerate(row)] for row in flat(1.0)]
        self.assertEqual(self.named(rows), [("slow-rank", 0, None)])
        self.write_dlio(rows, zero_stage=1)
        self.assertIn("slow-or-more", kinds(judged_of(self.folder, "save"), "limit"))

    def test_idle_ranks_are_left_out(self) -> None:
        rows = [[row[0], row[1], row[2], 1e-4] for row in flat(1.0)]
        self.write_dlio(rows)
        judged = judged_of(self.folder, "save")
        self.assertEqual(judged.measurement.idle_ranks, [3])
        self.assertIn("idle-ranks", kinds(judged))

    def test_what_would_have_been_seen(self) -> None:
        """A rank as slow as the referee says it would see is seen."""
        rows = flat(1.0)
        self.write_dlio(rows)
        seen = judged_of(self.folder, "save").seen_from
        self.assertLess(seen, 1.3)
        for row in rows:
            row[1] *= seen * 1.01
        self.assertEqual(self.named(rows), [("slow-rank", 1, None)])

    def test_scale_of_normal_values(self) -> None:
        self.assertAlmostEqual(rank_outliers.mad([-0.6745, 0.6745, -2, 2, 0]), 1.4826 * 0.6745)


class Contradictions(Folder):
    def faults(self, operation: str = "save") -> list[str]:
        return kinds(judged_of(self.folder, operation), "fault")

    def test_duration_against_the_clock(self) -> None:
        self.write_dlio(flat(1.0))
        self.edit("2_per_epoch_stats.json", lambda d: d["1"]["save_ckpt3"].update(duration=0.5, throughput=2.0))
        self.assertEqual(self.faults(), ["contradiction"])

    def test_rate_against_size(self) -> None:
        self.write_dlio(flat(1.0))
        self.edit("1_per_epoch_stats.json", lambda d: d["1"]["save_ckpt1"].update(throughput=9.0))
        self.assertEqual(self.faults(), ["contradiction"])

    def test_summary_that_follows_from_nothing(self) -> None:
        self.write_dlio(flat(1.0))
        self.edit("summary.json", lambda d: d["metric"].update(save_checkpoint_io_mean_GB_per_second=1.5))
        self.assertEqual(self.faults(), ["contradiction"])

    def test_missing_ranks_and_times(self) -> None:
        self.write_dlio(flat(1.0, ranks=8))
        (self.folder / "6_per_epoch_stats.json").unlink()
        self.assertEqual(self.faults(), ["missing-ranks"])
        self.edit("2_per_epoch_stats.json", lambda d: d["1"].pop("save_ckpt10"))
        self.assertEqual(sorted(self.faults()), ["missing-ranks", "missing-times"])

    def test_ior_summary(self) -> None:
        document = json.loads((SAMPLES / "ior-mpiio" / "ior.json").read_text())
        document["summary"][0]["bwMeanMIB"] = 999.0
        (self.folder / "ior.json").write_text(json.dumps(document))
        self.assertEqual(self.faults("write"), ["contradiction"])

    def test_fio_job_that_failed(self) -> None:
        document = json.loads((SAMPLES / "fio-buffered" / "fio.json").read_text())
        document["jobs"][2]["error"] = 28
        (self.folder / "fio.json").write_text(json.dumps(document))
        self.assertEqual(self.faults("write"), ["failed"])

    def test_fio_jobs_of_another_direction_are_not_missing(self) -> None:
        document = json.loads((SAMPLES / "fio-buffered" / "fio.json").read_text())
        idle = {"io_bytes": 0, "bw_bytes": 0, "runtime": 0}
        for job in document["jobs"][2:]:
            job["read"], job["write"] = job["write"], idle
        jobs = len(document["jobs"])
        (self.folder / "fio.json").write_text(json.dumps(document))
        for operation, count in (("write", 2), ("read", jobs - 2)):
            self.assertEqual(self.faults(operation), [])
            self.assertEqual(judged_of(self.folder, operation).measurement.expected_ranks, count)
        document["jobs"][1]["write"] = idle  # one that did nothing at all is
        (self.folder / "fio.json").write_text(json.dumps(document))
        self.assertEqual(self.faults("write"), ["missing-ranks"])


class Claims(Folder):
    def limits(self, operation: str = "save") -> list[str]:
        return kinds(judged_of(self.folder, operation), "limit")

    def test_fast_rank_0_overstates(self) -> None:
        judged = judged_of(SAMPLES / "dlio-rank0-fast", "save")
        self.assertEqual(kinds(judged, "fault"), ["printed-overstates"])
        self.assertIn("no-fsync", kinds(judged, "limit"))
        self.assertIn("saves-loads-near", kinds(judged_of(SAMPLES / "dlio-rank0-fast", "load"), "limit"))

    def test_memory(self) -> None:
        for gib, more, expected in ((1, {"host_memory_GB": [8.0]}, True), (30, {"host_memory_GB": [8.0]}, False), (1, {}, True)):
            self.write_dlio(loads=flat(1.0), num_bytes=gib * 2**30, more=more)
            self.assertEqual("memory-could-hold" in self.limits("load"), expected)

    def test_clocks(self) -> None:
        self.write_dlio(flat(1.0, ranks=4))
        operation = dlio_form.spaced("save", flat(1.0))
        operation.starts = [[start + (2.3 if rank > 1 else 0) for rank, start in enumerate(row)] for row in operation.starts]
        dlio_form.write_folder(self.folder, [operation], 2**30)
        self.assertIn("clocks-apart", self.limits())

    def test_fsync_and_caches(self) -> None:
        self.assertIn("no-fsync", kinds(judged_of(SAMPLES / "fio-buffered", "write")))
        self.assertNotIn("no-fsync", kinds(judged_of(SAMPLES / "fio-grouped", "write")))
        self.assertNotIn("no-fsync", kinds(judged_of(SAMPLES / "ior-mpiio", "write")))
        self.assertNotIn("memory-could-hold", kinds(judged_of(SAMPLES / "elbencho", "read")))  # --direct
        read = judged_of(SAMPLES / "ior-mpiio", "read")
        self.assertIn("memory-could-hold", kinds(read))
        self.assertEqual(kinds(read, "note"), ["fast-repetition"])

    def test_rules(self) -> None:
        self.write_dlio(flat(1.0, ranks=8))
        self.edit("checkpointing_20260101_100000_metadata.json", lambda d: d.update(model="llama3-70b"))
        self.assertIn("not-by-the-rules", self.limits())
        self.edit("checkpointing_20260101_100000_metadata.json", lambda d: d.update(model="llama3-8b"))
        self.assertNotIn("not-by-the-rules", self.limits())

    def test_write_and_read_folders_of_one_result(self) -> None:
        for began, kind in (("2026-01-01T10:05:00", "not-by-the-rules"), ("2026-01-01T09:59:00", "clocks-apart"),
                            (None, "gap-unknown"), ("2026-01-01T10:00:15", None)):  # fmt: skip
            for name, operation in (("1", "save"), ("2", "load")):
                rows = dlio_form.spaced(operation, flat(1.0, ranks=8))
                dlio_form.write_folder(self.folder / name, [rows], 2**30)
                metadata = {"num_processes": 8, "model": "llama3-8b"}
                if began and operation == "load":
                    metadata["invocation_start_time"] = began
                dlio_form.write_json(self.folder / name / "checkpointing_x_metadata.json", metadata)
            found = {"not-by-the-rules", "clocks-apart", "gap-unknown"} & set(self.limits("load"))
            self.assertEqual(found, {kind} - {None}, began)

    def test_loads_after_other_numbers_of_saves(self) -> None:
        """Of two folders of saves the last one counts, and a folder of saves serves one of loads."""
        for order, expected in ((("save", "save", "load"), [{"not-by-the-rules"}]),
                                (("save", "load", "load"), [{"not-by-the-rules"}, {"gap-unknown"}]),
                                (("load", "load", "save"), [{"gap-unknown"}, {"gap-unknown"}])):  # fmt: skip
            with self.subTest(order=order), tempfile.TemporaryDirectory() as root:
                for number, operation in enumerate(order):
                    folder = pathlib.Path(root) / str(number)
                    dlio_form.write_folder(folder, [dlio_form.spaced(operation, flat(1.0, ranks=8))], 2**30)
                    metadata = {"num_processes": 8, "model": "llama3-8b", "invocation_start_time": "2026-01-01T10:05:00"}
                    dlio_form.write_json(folder / "checkpointing_x_metadata.json", metadata)
                loads = [j for j in verdict.referee([root]).results if j.measurement.operation == "load"]
                kinds_of_gap = {"not-by-the-rules", "clocks-apart", "gap-unknown"}
                self.assertEqual([kinds_of_gap & set(kinds(j, "limit")) for j in loads], expected)
                if order[1] == "save":
                    self.assertTrue(any(f"saves of {root}/1" in f.text for f in loads[0].measurement.findings))

    def test_placeholder_beside_the_result(self) -> None:
        self.write_dlio(flat(1.0))
        (self.folder / "0_output.json").write_bytes(b"PRUNED BY STAFF\n")
        self.assertIn("placeholder", self.limits())


class Script(Folder):
    def run_script(self, *arguments: pathlib.Path | str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=600, check=False)

    def test_exit_codes(self) -> None:
        self.write_dlio(flat(1.0))
        self.assertEqual(self.run_script(self.folder).returncode, 0)
        self.assertEqual(self.run_script(self.folder, "--strict").returncode, 1)
        self.assertEqual(self.run_script(SAMPLES / "dlio-rank0-fast").returncode, 1)
        self.assertEqual(self.run_script(self.folder / "nothing").returncode, 2)
        self.assertEqual(self.run_script().returncode, 2)

    def test_unreadable_names_file_and_key(self) -> None:
        self.write_dlio(flat(1.0))
        self.edit("1_per_epoch_stats.json", lambda d: d["1"]["save_ckpt2"].pop("duration"))
        result = self.run_script(self.folder, SAMPLES / "fio-grouped")
        self.assertEqual(result.returncode, 2)
        self.assertIn("1_per_epoch_stats.json: no key 1.save_ckpt2.duration", result.stderr)
        self.assertIn("fio-grouped", result.stdout)  # what can be read is judged

    def test_json(self) -> None:
        document = json.loads(self.run_script(SAMPLES / "ior-mpiio", "--json", "-").stdout)
        read = document["results"][1]
        self.assertEqual((read["operation"], read["ranks"]), ("read", {"expected": 4, "found": 4, "called": "rank"}))
        self.assertAlmostEqual(read["figures"]["bytes_over_time"], 257.83, places=2)

    def test_control_characters_stay_out_of_the_terminal(self) -> None:
        self.write_dlio(flat(1.0))
        self.edit("checkpointing_20260101_100000_metadata.json", lambda d: d.update(model="\x1b[31mred"))
        self.assertNotIn("\x1b", self.run_script(self.folder).stdout)


class Words(unittest.TestCase):
    def test_ranks(self) -> None:
        self.assertEqual([ranks_text(r) for r in ([5], [4, 5, 6, 7], [1, 4], list(range(0, 20, 2)))],
                         ["rank 5", "ranks 4 to 7", "ranks 1 and 4", "ranks 0, 2, 4, 6, 8 and 5 more"])  # fmt: skip

    def test_measurement_without_times(self) -> None:
        empty = Measurement("p", "t", "o", None, "1/s", 1, [], [], None)
        self.assertIn("0 repetitions", referee_output.lines_of(verdict.judge(empty))[0])


if __name__ == "__main__":
    unittest.main()
