# SPDX-License-Identifier: Apache-2.0
"""What a sweep has: one folder for each case that ended, put in place by one rename.

A killed sweep leaves at most folders whose names begin with a dot; the next one removes them. So a
case is there once or not at all, and the tables are made anew from the folders.
"""

import csv
import fcntl
import io
import json
import os
import pathlib
import shutil
import statistics

from shardmark_tools.results.result_folder import NotReadable, by_name, read_run

CASE_FILE = "case.json"
COLUMNS = ("case status reason nodes ranks_per_node ranks scaling scale varied benchmark repetitions median_s min_s "
           "max_s num_bytes duration_s").split()  # fmt: skip


class SweepInUse(Exception):
    pass


class SweepChanged(Exception):
    pass


def replace_text(path, text):
    """All or nothing, also when killed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


class Store:
    """DIR: sweep.json (what was asked for), rows.csv, cases/NAME/."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.cases = self.directory / "cases"
        self.cases.mkdir(parents=True, exist_ok=True)
        self.lock = open(self.directory / ".lock", "w", encoding="utf-8")
        os.set_inheritable(self.lock.fileno(), False)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SweepInUse(f"{directory}: another sweep works there") from error
        for left in self.cases.glob(".*"):
            shutil.rmtree(left, ignore_errors=True)

    def check_request(self, request):
        """The fixed part must be that of the cases that are there. Errors: SweepChanged."""
        path = self.directory / "sweep.json"
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8"))
            for key, value in request.items():
                if known.get(key) != value:
                    raise SweepChanged(f"{path}: {key} was {known.get(key)!r} and is now {value!r}; "
                                       "name another --out, or remove the old folder")
        replace_text(path, json.dumps(request, indent=1) + "\n")

    def done(self):
        """{name: case.json} of all cases that ended."""
        found = {}
        for path in sorted(self.cases.iterdir()):
            if not path.name.startswith(".") and (path / CASE_FILE).exists():
                found[path.name] = json.loads((path / CASE_FILE).read_text(encoding="utf-8"))
        return found

    def work_folder(self, name):
        folder = self.cases / f".{name}.{os.getpid()}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def put(self, name, folder, row):
        """Ends a case: its row and files come into sight together."""
        replace_text(folder / CASE_FILE, json.dumps(row, indent=1) + "\n")
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        os.rename(folder, self.cases / name)

    def forget(self, name):
        """Before a case is run again."""
        gone = self.cases / f".gone.{name}.{os.getpid()}"
        os.rename(self.cases / name, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def write_rows(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for name, row in self.done().items():
            writer.writerows(rows_of(name, row, self.cases / name))
        replace_text(self.directory / "rows.csv", text.getvalue())


def rows_of(name, row, folder):
    """One row a benchmark; a case without results is one row with its reason."""
    fixed = ("nodes", "ranks_per_node", "ranks", "scaling", "scale")
    base = {key: row["parameters"][key] for key in fixed}
    varied = {k: v for k, v in row["parameters"].items() if k not in fixed}
    base.update(case=name, status=row["status"], reason=row["reason"], duration_s=row["duration_s"],
                varied=" ".join(f"{key}={value}" for key, value in varied.items()))  # fmt: skip
    if row["status"] != "ok":
        return [base]
    try:
        table = by_name([read_run(folder)])
    except NotReadable as error:
        return [{**base, "status": "failed", "reason": str(error)}]
    rows = []
    for benchmark, samples in table.items():
        times = [sample["time_s"] for _, sample in samples]
        rows.append({**base, "benchmark": benchmark, "repetitions": len(times), "min_s": min(times),
                     "median_s": statistics.median(times), "max_s": max(times),
                     "num_bytes": samples[0][1]["num_bytes"]})  # fmt: skip
    return rows or [base]
