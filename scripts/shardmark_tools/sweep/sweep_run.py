# SPDX-License-Identifier: Apache-2.0
"""Plans a sweep, estimates it, and runs what is missing of it."""

import dataclasses
import datetime
import pathlib
import random
import shutil
import statistics
import sys
import time
from collections.abc import Sequence

from shardmark_tools.launch.launcher_kinds import PAST_DEADLINE, exit_code
from shardmark_tools.launch.launching import Launcher, end_with_parent, setting_options
from shardmark_tools.launch.relative_paths import text_value
from shardmark_tools.launch.sweep_watchdog import run_limited
from shardmark_tools.refusal import Refused
from shardmark_tools.results.number_text import GIB, byte_text, duration_text
from shardmark_tools.results.plain_text import one_line
from shardmark_tools.results.sweep_case import CaseRow
from shardmark_tools.sweep.sweep_cases import Case, Need
from shardmark_tools.sweep.sweep_store import Store

ASSUMED_RATE = 0.3 * GIB  # bytes a second, where nothing was measured yet
ASSUMED_START_S = 3.0
PASSES = 4  # a repetition saves, checks, and where asked loads and checks
COPIES = 2  # checkpoints that a run has on disk at once
FEWEST_LIMIT_S = 300.0
LIMIT_FACTOR = 20


class DoesNotFit(Refused):
    pass


@dataclasses.dataclass
class Sweep:
    suite: str
    settings: list[str]
    command: pathlib.Path
    launcher: Launcher
    cases: list[Case]
    needs: dict[str, Need]  # by case name
    limit_s: float | None

    def runnable(self) -> list[Case]:
        return [case for case in self.cases if self.needs[case.name].refusal is None]


def storage_directory(sweep: Sweep, out: pathlib.Path | str) -> pathlib.Path:
    """Where the checkpoints go: the setting, else a folder below the results."""
    for setting in reversed(sweep.settings):
        key, _, value = setting.partition("=")
        if key.strip() == "storage.directory":
            return pathlib.Path(text_value(value))
    return pathlib.Path(out)


def existing_parent(path: pathlib.Path) -> pathlib.Path:
    path = path.resolve()
    while not path.exists():
        path = path.parent
    return path


def expected_s(case: Case, sweep: Sweep, done: dict[str, CaseRow], repetitions: int) -> tuple[float, bool]:
    """From cases that ended, scaled by their bytes; else from an assumed rate. (seconds, measured)"""
    times = []
    for name, row in done.items():
        if row["status"] == "ok" and name in sweep.needs:
            ratio = max(1.0, sweep.needs[case.name].num_bytes) / max(1.0, sweep.needs[name].num_bytes)
            times.append(row["duration_s"] * max(1.0, ratio))
    if times:
        return statistics.median(times), True
    moved = sweep.needs[case.name].stored_bytes * PASSES * (repetitions + 1)
    return ASSUMED_START_S + moved / ASSUMED_RATE, False


def check_space(sweep: Sweep, out: pathlib.Path | str) -> tuple[int, int]:
    """Errors: DoesNotFit, for the largest case: they run one after another."""
    largest = max(sweep.runnable(), key=lambda case: sweep.needs[case.name].stored_bytes, default=None)
    if largest is None:
        return 0, 0
    directory = existing_parent(storage_directory(sweep, out))
    free = shutil.disk_usage(directory).free
    wanted = COPIES * sweep.needs[largest.name].stored_bytes
    if wanted > free:
        raise DoesNotFit(
            f"{largest.name} wants about {byte_text(wanted)} in {directory}, which has {byte_text(free)}\n"
            "  a smaller model.scale, fewer nodes of a weak sweep, or another storage.directory would fit"
        )
    return wanted, free


def dry_run_text(sweep: Sweep, out: pathlib.Path | str, done: dict[str, CaseRow], repetitions: int) -> str:
    lines, total, measured = [], 0.0, True
    width = max(len(case.name) for case in sweep.cases)
    for case in sweep.cases:
        need = sweep.needs[case.name]
        if case.name in done:
            what = f"done: {done[case.name]['status']}"
        elif need.refusal:
            what = f"cannot run: {need.refusal}"
        else:
            seconds, known = expected_s(case, sweep, done, repetitions)
            total, measured = total + seconds, measured and known
            what = (f"{byte_text(need.num_bytes)}, busiest rank {byte_text(need.memory_bytes)}, "
                    f"about {duration_text(seconds)}")  # fmt: skip
        lines.append(f"{case.name.ljust(width)}  {what}")
    missing = sum(case.name not in done for case in sweep.cases)
    basis = "by the cases that ended" if measured and done else f"assuming {byte_text(ASSUMED_RATE)}/s"
    wanted, free = check_space(sweep, out)
    lines += ["", f"{len(sweep.cases)} cases, {missing} to run, about {duration_text(total)} ({basis})",
              f"space: about {byte_text(wanted)} at a time, {byte_text(free)} free"]  # fmt: skip
    return "\n".join(lines)


def row_of(case: Case, status: str, reason: str | None, duration_s: float, exit_code: int | None = None,
           stuck: str | None = None, started: str | None = None) -> CaseRow:  # fmt: skip
    return {"name": case.name, "parameters": case.parameters(), "status": status, "reason": reason,
            "duration_s": round(duration_s, 3), "exit_code": exit_code, "stuck": stuck,
            "started": started}  # fmt: skip


def failure_reason(folder: pathlib.Path, exit_code: int) -> str:
    """The command's own message, else the last thing that was said."""
    lines = (folder / "output.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    own = [line for line in lines if line.startswith("shardmark: error: ")]
    said = own[0].removeprefix("shardmark: error: ") if own else (lines[-1] if lines else "no message")
    return f"exit code {exit_code}: {one_line(said.strip()[:400])}"


class Runner:
    """Runs cases and shows where it stands."""

    def __init__(self, sweep: Sweep, store: Store, repetitions: int):
        self.sweep, self.store, self.repetitions = sweep, store, repetitions

    def limit_of(self, case: Case, done: dict[str, CaseRow]) -> float:
        if self.sweep.limit_s is not None:
            return self.sweep.limit_s
        return max(FEWEST_LIMIT_S, LIMIT_FACTOR * expected_s(case, self.sweep, done, self.repetitions)[0])

    def run_case(self, case: Case, done: dict[str, CaseRow]) -> CaseRow:
        """Its row, after its folder is in place."""
        folder = self.store.work_folder(case.name)
        need = self.sweep.needs[case.name]
        if need.refusal:
            row = row_of(case, "skipped", need.refusal, 0.0)
            self.store.put(case.name, folder, row)
            return row
        launcher = self.sweep.launcher
        settings = [*self.sweep.settings, *case.settings()]
        folder = folder.resolve()
        command = [*launcher.command(case.nodes, case.ranks_per_node, case.hosts or None), str(self.sweep.command), "run",
                   self.sweep.suite, "--out", str(folder), *setting_options(settings)]  # fmt: skip
        started = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        limit = self.limit_of(case, done)
        outcome = run_limited(command, folder, launcher.environment(case.ranks), limit, end_with_parent, str(folder),
                              case.ranks)  # fmt: skip
        if outcome.exit_code is None:
            status, reason = "hung", f"no end within {duration_text(limit)}; {outcome.stuck}"
        elif outcome.exit_code != 0:
            said = (folder / "output.txt").read_text(encoding="utf-8", errors="replace")
            own = exit_code([str(word) for word in command], outcome.exit_code, said) or outcome.exit_code
            status, reason = "hung" if own == PAST_DEADLINE else "failed", failure_reason(folder, own)
        elif not (folder / "samples.json").exists():
            status, reason = "failed", "it ended well but left no samples.json"
        else:
            status, reason = "ok", None
        row = row_of(case, status, reason, outcome.duration_s, outcome.exit_code, outcome.stuck, started)
        self.store.put(case.name, folder, row)
        return row

    def runs_again(self, name: str, row: CaseRow, retry: bool) -> bool:
        """Skipped before and possible now; or failed, where that is asked for."""
        if row["status"] == "skipped":
            return name in self.sweep.needs and self.sweep.needs[name].refusal is None
        return retry and bool(row["status"] != "ok")

    def remaining_s(self, cases: Sequence[Case], done: dict[str, CaseRow]) -> float:
        return sum(expected_s(c, self.sweep, done, self.repetitions)[0]
                   for c in cases if self.sweep.needs[c.name].refusal is None)  # fmt: skip

    def run(self, seed: int, retry: bool) -> dict[str, CaseRow]:
        """Runs what is missing, in an order fixed by the seed. Rows of all cases."""
        done = self.store.done()
        for name in [n for n, row in done.items() if self.runs_again(n, row, retry)]:
            self.store.forget(name)
            del done[name]
        order = list(self.sweep.cases)
        random.Random(seed).shuffle(order)
        order.sort(key=lambda case: case.round)  # what moves in time moves all of a round
        order = [case for case in order if case.name not in done]
        before = len(self.sweep.cases) - len(order)
        begin = time.monotonic()
        for place, case in enumerate(order):
            left = self.remaining_s(order[place:], done)
            print(f"[{before + place + 1}/{len(self.sweep.cases)}] {case.name}, about {duration_text(left)} left",
                  file=sys.stderr, flush=True)  # fmt: skip
            row = self.run_case(case, done)
            done[case.name] = row
            self.store.write_rows()
            what = "ok" if row["status"] == "ok" else f"{row['status']}: {row['reason']}"
            print(f"    {what}, {row['duration_s']:.1f} s", file=sys.stderr, flush=True)
        differs = self.store.write_rows()
        if differs:
            print(f"note: cases differ in more than what was varied: {differs}", file=sys.stderr)
        print(f"{len(order)} cases in {duration_text(time.monotonic() - begin)}", file=sys.stderr)
        wanted = {case.name for case in self.sweep.cases}
        return {name: row for name, row in done.items() if name in wanted}
