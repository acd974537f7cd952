# SPDX-License-Identifier: Apache-2.0
"""What a sweep has: one folder for each case that ended, put in place by one rename.

A killed sweep leaves at most folders whose names begin with a dot; the next one removes them. So a
case is there once or not at all, and the tables are made anew from the folders.
"""

import csv
import dataclasses
import fcntl
import io
import json
import os
import pathlib
import shutil
import statistics
from typing import Any

from shardmark_tools.refusal import Refused
from shardmark_tools.results.json_document import NotReadable, read_json
from shardmark_tools.results.result_folder import by_name, read_run
from shardmark_tools.results.run_facts import differences_text, differing, facts_of
from shardmark_tools.results.sweep_case import CASE_FILE, CaseRow, read_case

REQUEST_FILE = "sweep.json"
COLUMNS = ("case status reason nodes ranks_per_node ranks scaling scale varied benchmark repetitions median_s min_s "
           "max_s num_bytes duration_s differs").split()  # fmt: skip


class SweepInUse(Refused):
    pass


class SweepChanged(Refused):
    pass


def replace_text(path: pathlib.Path, text: str) -> None:
    """All or nothing, also when killed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def done_cases(directory: pathlib.Path | str) -> dict[str, CaseRow]:
    """{name: case.json} of all cases that ended. Errors: NotReadable."""
    found: dict[str, CaseRow] = {}
    cases = pathlib.Path(directory) / "cases"
    for path in sorted(cases.iterdir()) if cases.is_dir() else ():
        if not path.name.startswith(".") and (path / CASE_FILE).exists():
            row = read_case(path / CASE_FILE)
            if "parameters" not in row or "duration_s" not in row:
                raise NotReadable(f"{path / CASE_FILE}: no key 'parameters' or 'duration_s'")
            found[path.name] = row
    return found


class Store:
    """DIR: sweep.json (what was asked for), rows.csv, cases/NAME/."""

    def __init__(self, directory: pathlib.Path | str):
        self.directory = pathlib.Path(directory)
        if (self.directory / "samples.json").exists():
            raise SweepChanged(f"{directory}: holds the result of one run; name another --out")
        self.cases = self.directory / "cases"
        self.cases.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.directory / ".lock", "w", encoding="utf-8")
        os.set_inheritable(self.lock.fileno(), False)
        if self.take():
            for left in self.cases.glob(".*"):
                shutil.rmtree(left, ignore_errors=True)
        self.read: dict[str, CaseResult] = {}

    def take(self) -> bool:
        """Whether nobody else is at work here, which only a lock tells: a file system may have none, and what lies there
        may then be another sweep's. Errors: SweepInUse."""
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SweepInUse(f"{self.directory}: another sweep works there") from error
        except OSError:
            return False
        return True

    def check_request(self, request: dict[str, Any], cases: dict[str, dict[str, Any]]) -> None:
        """The fixed part must be that of the cases that are there, and so must the parameters of `cases` {name:
        parameters}. Errors: SweepChanged."""
        path = self.directory / REQUEST_FILE
        advice = "name another --out, or measure anew by --overwrite"
        if path.exists():
            known = read_json(path)
            for key, value in request.items():
                was = known.get(key) if isinstance(known, dict) else known
                if was != value:
                    raise SweepChanged(f"{path}: {key} was {was!r} and is now {value!r}; {advice}")
        for name, row in self.done().items():
            if name in cases and row["parameters"] != cases[name]:
                changed = [f"{key} was {row['parameters'].get(key)} and is now {value}"
                           for key, value in cases[name].items() if row["parameters"].get(key) != value]  # fmt: skip
                raise SweepChanged(f"{self.cases / name}: {'; '.join(changed)}; {advice}")
        replace_text(path, json.dumps(request, indent=1) + "\n")

    def clear(self) -> None:
        """Everything that was measured is measured anew."""
        for name in self.done():
            self.forget(name)
        (self.directory / REQUEST_FILE).unlink(missing_ok=True)

    def done(self) -> dict[str, CaseRow]:
        return done_cases(self.directory)

    def work_folder(self, name: str) -> pathlib.Path:
        folder = self.cases / f".{name}.{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def put(self, name: str, folder: pathlib.Path, row: CaseRow) -> None:
        """Ends a case: its row and files come into sight together."""
        replace_text(folder / CASE_FILE, json.dumps(row, indent=1) + "\n")
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        os.rename(folder, self.cases / name)

    def forget(self, name: str) -> None:
        """Before a case is run again."""
        self.read.pop(name, None)
        gone = self.cases / f".gone.{name}.{os.getpid()}"
        os.rename(self.cases / name, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def result(self, name: str, row: CaseRow) -> "CaseResult":
        """Read once: a case that ended does not change."""
        if name not in self.read:
            self.read[name] = CaseResult.of(name, row, self.cases / name)
        return self.read[name]

    def write_rows(self) -> str:
        """Writes rows.csv. Says in words what differs between the cases beyond what was varied; "" if nothing."""
        done = self.done()
        results = {name: self.result(name, row) for name, row in done.items()}
        told = {key for row in done.values() for key in row["parameters"]} | {"ranks_per_node", "model.scale"}
        facts = [{k: v for k, v in of.facts.items() if k not in told} for of in results.values() if of.facts]
        differences = differing(facts)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for of in results.values():
            differs = " ".join(f"{key}={of.facts[key]}" for key in differences if key in of.facts)
            writer.writerows({**row, "differs": differs} for row in of.rows)
        replace_text(self.directory / "rows.csv", text.getvalue())
        return differences_text(differences)


@dataclasses.dataclass
class CaseResult:
    """Rows of one case: one a benchmark; a case without results is one row with its reason."""

    rows: list[dict[str, Any]]
    facts: dict[str, str]

    @classmethod
    def of(cls, name: str, row: CaseRow, folder: pathlib.Path) -> "CaseResult":
        fixed = ("nodes", "ranks_per_node", "ranks", "scaling", "scale")
        base = {key: row["parameters"][key] for key in fixed}
        varied = {k: v for k, v in row["parameters"].items() if k not in fixed}
        base.update(case=name, status=row["status"], reason=row["reason"], duration_s=row["duration_s"],
                    varied=" ".join(f"{key}={value}" for key, value in varied.items()))  # fmt: skip
        if row["status"] != "ok":
            return cls([base], {})
        try:
            run = read_run(folder)
        except NotReadable as error:
            return cls([{**base, "status": "failed", "reason": str(error)}], {})
        rows = []
        for benchmark, samples in by_name([run]).items():
            times = [sample["time_s"] for _, sample in samples]
            rows.append({**base, "benchmark": benchmark, "repetitions": len(times), "min_s": min(times),
                         "median_s": statistics.median(times), "max_s": max(times),
                         "num_bytes": samples[0][1]["num_bytes"]})  # fmt: skip
        return cls(rows or [base], facts_of(run.context))
