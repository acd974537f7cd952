# SPDX-License-Identifier: Apache-2.0
"""A history for monitoring: Prometheus' text format for the node exporter's textfile collector (the last night, no
time stamps, which that collector refuses), and OpenMetrics (every night, with time stamps on every sample, without
which promtool makes no blocks of it)."""

import datetime
import os
import pathlib
import secrets

import numpy as np

from shardmark_tools.history.change import SLOWER
from shardmark_tools.history.judgement import Report
from shardmark_tools.history.nights import Row

SECONDS = "shardmark_night_seconds"
SECONDS_TEXT = "Median time of the night's runs, barrier to the end of the slowest rank"
CHANGE = "shardmark_change_ratio"
CHANGE_TEXT = "Time after over time before a change that was not accepted"
SLOWER_COUNT = "shardmark_slower_changes"
SLOWER_TEXT = "Changes for the worse that were not accepted, an operation with its phases counted once"
NEWEST = "shardmark_last_night_timestamp_seconds"
NEWEST_TEXT = "Midnight, UTC, that the newest night of a series began with"


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


def time_stamp(night: str) -> int:
    return int(datetime.datetime.fromisoformat(f"{night}T00:00:00+00:00").timestamp())


def series_of(report: Report) -> str:
    return labels(series=report.group.key, machine=report.group.facts["machine"])


def state_lines(reports: list[Report], stamped: bool) -> list[str]:
    """What the last night of each series says; of one benchmark and phase the newest change, since labels must differ."""
    ratios: dict[str, str] = {}
    counts, newest = [], []
    for report in reports:
        last = time_stamp(report.values.nights[-1])
        end = f" {last}" if stamped else ""
        for change in report.changes:
            row = Row(change.benchmark, change.phase, change.family)
            ratios[f"{CHANGE}{series_labels(report, row)}"] = f"{change.ratio!r}{end}"
        slower = {c.id for c in report.changes if c.verdict == SLOWER}
        counts.append(f"{SLOWER_COUNT}{series_of(report)} {len(slower)}{end}")
        newest.append(f"{NEWEST}{series_of(report)} {last}{end}")
    lines = []
    found = [f"{name} {value}" for name, value in ratios.items()]
    for name, text, samples in ((CHANGE, CHANGE_TEXT, found), (SLOWER_COUNT, SLOWER_TEXT, counts), (NEWEST, NEWEST_TEXT, newest)):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} gauge", *samples]
    return lines


def night_lines(reports: list[Report], everything: bool) -> list[str]:
    lines = []
    for report in reports:
        for row in rows_of(report):
            name = f"{SECONDS}{series_labels(report, row)}"
            nights = list(zip(report.values.nights, report.values.values(row)))
            for night, value in nights if everything else nights[-1:]:
                if np.isfinite(value):
                    lines.append(f"{name} {float(np.exp(value))!r}" + (f" {time_stamp(night)}" if everything else ""))
    return lines


def document(reports: list[Report], everything: bool) -> list[str]:
    head = [f"# HELP {SECONDS} {SECONDS_TEXT}", f"# TYPE {SECONDS} gauge"]
    return [*head, *night_lines(reports, everything), *state_lines(reports, everything)]


def textfile(reports: list[Report]) -> str:
    return "\n".join(document(reports, False)) + "\n"


def openmetrics(reports: list[Report]) -> str:
    return "\n".join([*document(reports, True), "# EOF"]) + "\n"


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
