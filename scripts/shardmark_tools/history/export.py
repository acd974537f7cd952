# SPDX-License-Identifier: Apache-2.0
"""A history for monitoring: Prometheus' text format for the node exporter's textfile collector (the last night, no
time stamps, which that collector refuses), and OpenMetrics (every night, with time stamps)."""

import datetime
import os
import pathlib
import secrets

import numpy as np

from shardmark_tools.history.judgement import SLOWER, Report
from shardmark_tools.history.nights import Row

SECONDS = "shardmark_night_seconds"
SECONDS_TEXT = "Median time of the night's runs, barrier to the end of the slowest rank"
CHANGE = "shardmark_change_ratio"
CHANGE_TEXT = "Time after over time before a change that was not accepted"
SLOWER_COUNT = "shardmark_slower_changes"
SLOWER_TEXT = "Changes for the worse that were not accepted"


def label_value(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labels(**values: str) -> str:
    return "{" + ",".join(f'{key}="{label_value(value)}"' for key, value in values.items()) + "}"


def series_labels(report: Report, row: Row) -> str:
    return labels(series=report.group.key, machine=report.group.facts["machine"], suite=report.group.runs[-1]["context"]["suite"],
                  benchmark=row.benchmark, phase=row.phase or "")  # fmt: skip


def rows_of(report: Report) -> list[Row]:
    wholes = report.values.wholes()
    return wholes + [phase for whole in wholes for phase in report.values.phases_of(whole)]


def change_lines(reports: list[Report]) -> list[str]:
    """Samples of the changes; of one series only the newest, since labels must differ."""
    found: dict[str, float] = {}
    for report in reports:
        for change in report.changes:
            found[series_labels(report, Row(change.benchmark, change.phase, change.family))] = change.ratio
    return [f"{CHANGE}{key} {value!r}" for key, value in found.items()]


def slower_lines(reports: list[Report]) -> list[str]:
    return [f"{SLOWER_COUNT}{labels(series=report.group.key, machine=report.group.facts['machine'])} "
            f"{sum(change.verdict == SLOWER for change in report.changes)}" for report in reports]  # fmt: skip


def textfile(reports: list[Report]) -> str:
    lines = [f"# HELP {SECONDS} {SECONDS_TEXT}", f"# TYPE {SECONDS} gauge"]
    for report in reports:
        for row in rows_of(report):
            last = report.values.values(row)[-1]
            if np.isfinite(last):
                lines.append(f"{SECONDS}{series_labels(report, row)} {float(np.exp(last))!r}")
    lines += [f"# HELP {CHANGE} {CHANGE_TEXT}", f"# TYPE {CHANGE} gauge", *change_lines(reports)]
    lines += [f"# HELP {SLOWER_COUNT} {SLOWER_TEXT}", f"# TYPE {SLOWER_COUNT} gauge", *slower_lines(reports)]
    return "\n".join(lines) + "\n"


def time_stamp(night: str) -> int:
    return int(datetime.datetime.fromisoformat(f"{night}T00:00:00+00:00").timestamp())


def openmetrics(reports: list[Report]) -> str:
    lines = [f"# TYPE {SECONDS} gauge", f"# UNIT {SECONDS} seconds", f"# HELP {SECONDS} {SECONDS_TEXT}"]
    for report in reports:
        for row in rows_of(report):
            name = f"{SECONDS}{series_labels(report, row)}"
            for night, value in zip(report.values.nights, report.values.values(row)):
                if np.isfinite(value):
                    lines.append(f"{name} {float(np.exp(value))!r} {time_stamp(night)}")
    lines += [f"# TYPE {CHANGE} gauge", f"# HELP {CHANGE} {CHANGE_TEXT}", *change_lines(reports)]
    lines += [f"# TYPE {SLOWER_COUNT} gauge", f"# HELP {SLOWER_COUNT} {SLOWER_TEXT}", *slower_lines(reports), "# EOF"]
    return "\n".join(lines) + "\n"


def write(path: str, text: str) -> None:
    """At once: a collector may read at any moment. "-" is standard output."""
    if path == "-":
        print(text, end="")
        return
    target = pathlib.Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
