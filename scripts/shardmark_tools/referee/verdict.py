# SPDX-License-Identifier: Apache-2.0
"""Reads folders of results and judges each measurement in them."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable
from typing import NoReturn

from shardmark_tools.referee import (
    claims, figures, mlperf_rules, rank_outliers, read_dlio, read_elbencho, read_fio, read_ior, read_mdtest,
    repetition_outliers,
)  # fmt: skip
from shardmark_tools.referee.figures import Figures
from shardmark_tools.referee.foreign_file import PLACEHOLDER, BadFile, read_text
from shardmark_tools.referee.measurement import Finding, Measurement

MOST_DEPTH = 12
MOST_FOLDERS = 20_000
SUFFIXES = (".json", ".csv", ".txt", ".log", ".out")
KNOWN = "MLPerf Storage or DLIO checkpointing, IOR, mdtest, fio JSON, elbencho"


@dataclasses.dataclass
class Judged:
    """A measurement with everything that was made of it."""

    measurement: Measurement
    figures: Figures
    whole: Figures | None  # of the tool's own times, where it keeps rank times too
    ranks: list[rank_outliers.RankOutlier]
    seen_from: float | None  # times that any rank would have to be slower to be named; None: none can be judged


@dataclasses.dataclass
class Report:
    results: list[Judged]
    errors: list[BadFile]

    @property
    def findings(self) -> list[Finding]:
        return [finding for judged in self.results for finding in judged.measurement.findings]

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)


def folders(directory: pathlib.Path) -> list[tuple[pathlib.Path, set[str]]]:
    """(folder, names of its files) of the folder and all below it, sorted; links are not followed."""
    if not directory.is_dir():
        raise BadFile(directory, "no such folder" if not directory.exists() else "not a folder")
    found = []

    def fail(error: OSError) -> NoReturn:
        raise BadFile(str(error.filename), error.strerror or str(error))

    for folder, children, names in os.walk(directory, onerror=fail):
        depth = len(pathlib.Path(folder).relative_to(directory).parts)
        children[:] = sorted(child for child in children if depth < MOST_DEPTH and not child.startswith("."))
        found.append((pathlib.Path(folder), set(names)))
        if len(found) > MOST_FOLDERS:
            raise BadFile(directory, f"more than {MOST_FOLDERS} folders")
    return found


def head_of(path: pathlib.Path) -> bytes:
    """The first 4 KiB of a regular file, for a look at what it is."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            return file.read(4096) or b""
    except OSError as error:
        raise BadFile(path, error.strerror or str(error)) from error


def kind_of(path: pathlib.Path) -> str | None:
    """Which reader takes this file, by its content."""
    head = head_of(path).decode("utf-8", errors="replace")
    kinds = {
        "fio": read_fio.is_json(head), "ior": read_ior.is_json(head) or head.startswith(
            (read_ior.CSV_HEAD, read_ior.RANKS_HEAD, read_ior.TEXT_HEAD)),
        "elbencho": read_elbencho.is_json(head), "elbencho-csv": read_elbencho.is_csv(head),
        "mdtest": read_mdtest.is_text(head), "mdtest-ranks": head.startswith(read_mdtest.RANKS_HEAD),
    }  # fmt: skip
    return next((kind for kind, found in kinds.items() if found), None)


def read_plain(folder: pathlib.Path, names: set[str]) -> list[Measurement]:
    """All results in a folder that is none of DLIO's."""
    by_kind: dict[str, dict[pathlib.Path, str]] = {}
    for name in sorted(names):
        if name.endswith(SUFFIXES):
            kind = kind_of(folder / name)
            if kind:
                by_kind.setdefault(kind, {})[folder / name] = read_text(folder / name)
    found = []
    for path, text in by_kind.get("fio", {}).items():
        found += read_fio.read(path, text)
    if "ior" in by_kind:
        found += read_ior.read(by_kind["ior"])
    for path, text in by_kind.get("elbencho", {}).items():
        found += read_elbencho.read(path, text)
    if "elbencho" not in by_kind:
        for path, text in by_kind.get("elbencho-csv", {}).items():
            found += read_elbencho.read_csv(path, text)
    texts, ranks = list(by_kind.get("mdtest", {}).items()), list(by_kind.get("mdtest-ranks", {}).items())
    if len(texts) <= 1 and len(ranks) <= 1:
        found += read_mdtest.read(*(files[0] if files else None for files in (texts, ranks))) if texts or ranks else []
    else:
        raise BadFile(folder, f"{len(texts)} outputs of mdtest and {len(ranks)} files of rank times: which belong together "
                      "is not in them; expected one of each")  # fmt: skip
    return found


def judge(measurement: Measurement) -> Judged:
    measurement.idle_ranks = rank_outliers.find_idle(measurement)
    made = figures.compute(measurement)
    whole = figures.of_whole(measurement) if made.basis == "ranks" else None
    ranks, seen_from = rank_outliers.judge_ranks(measurement)
    claims.collect(measurement, made, whole, ranks, repetition_outliers.judge_repetitions(measurement))
    return Judged(measurement, made, whole, ranks, seen_from)


def placeholders(folder: pathlib.Path, names: set[str], measurements: list[Measurement]) -> None:
    """Files beside the result whose content was taken out."""
    for name in sorted(names):
        if name.endswith(SUFFIXES) and not read_dlio.is_ours(name) and head_of(folder / name).startswith(PLACEHOLDER):
            for measurement in measurements:
                measurement.limit("placeholder", f"what was in {name}: it is a placeholder")


def read_one(folder: pathlib.Path, names: set[str], runs: list[mlperf_rules.Run]) -> list[Measurement]:
    if not read_dlio.is_folder(names):
        return read_plain(folder, names)
    measurements, content = read_dlio.read(folder, names)
    placeholders(folder, names, measurements)
    run = mlperf_rules.Run(content, measurements)
    mlperf_rules.check_run(run)
    runs.append(run)
    if [measurement.operation for measurement in measurements] == ["save", "load"]:
        claims.near(*measurements)
    return measurements


def referee(directories: Iterable[pathlib.Path | str]) -> Report:
    """Everything readable in the folders, and what was not."""
    measurements: list[Measurement] = []
    errors: list[BadFile] = []
    runs: list[mlperf_rules.Run] = []
    for directory in map(pathlib.Path, directories):
        before = len(measurements) + len(errors)
        try:
            for folder, names in folders(directory):
                try:
                    measurements += read_one(folder, names, runs)
                except BadFile as error:
                    errors.append(error)
        except BadFile as error:
            errors.append(error)
        if len(measurements) + len(errors) == before:
            errors.append(BadFile(directory, f"no result in it or below it that is known here: {KNOWN}"))
    for write, read in mlperf_rules.pairs(runs):
        mlperf_rules.check_pair(write, read)
    return Report([judge(measurement) for measurement in measurements], errors)
