# SPDX-License-Identifier: Apache-2.0
"""elbencho's JSON (one object a line, every value text) and its CSV.

`first_done` leaves out what came after the first thread had ended: the figure is `last_done`. Times are
whole milliseconds, so a time is taken as bytes over bytes/s.
"""

import json
import pathlib

from shardmark_tools.referee.foreign_file import BadFile, Node, Row, Table, parse_json
from shardmark_tools.referee.measurement import MIB, Measurement

CSV_HEAD = "ISO date,label,path type,"
PHASES = {"WRITE": "write", "READ": "read"}


def is_json(text: str) -> bool:
    return text.lstrip()[:200].startswith('{"phase_type"')


def is_csv(text: str) -> bool:
    return text.startswith(CSV_HEAD)


def measurement(path: pathlib.Path, version: str, operation: str, repeats: list[tuple[float, float]], threads: int, hosts: int,
                direct: bool, command: str) -> Measurement:  # fmt: skip
    """`repeats`: (bytes, seconds) of each time that the phase ran."""
    return Measurement(
        path=str(path), tool=f"elbencho {version}", operation=operation, writes=operation == "write",
        unit="MiB/s", unit_size=MIB, amounts=[amount for amount, _ in repeats],
        seconds=[{} for _ in repeats], whole_s=[seconds for _, seconds in repeats],
        expected_ranks=threads * hosts, who="thread", nodes=hosts, through_page_cache=not direct,
        synced="--sync" in command,
    )  # fmt: skip


def read(path: pathlib.Path, text: str) -> list[Measurement]:
    found: dict[tuple[str, str], tuple[Node, list[tuple[float, float]]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        node = parse_json(path, line, f"line {number}")
        phase, config = node.child("phase_type").text(), node.child("config")
        if phase not in PHASES:
            continue
        last = node.child("last_done")
        amount = last.child("bytes").positive()
        seconds = amount / last.child("bytes/s").positive()
        key = (phase, json.dumps(config.value, sort_keys=True))
        found.setdefault(key, (config, []))[1].append((amount, seconds))
    if not found:
        raise BadFile(path, "no phase WRITE or READ in it")
    return [
        measurement(path, config.child("version").text(), PHASES[phase], repeats,
                    config.child("threads").count(least=1), config.child("hosts").count(least=1),
                    config.child("direct_io").text() == "true", config.child("command").text())
        for (phase, _), (config, repeats) in found.items()
    ]  # fmt: skip


def read_csv(path: pathlib.Path, text: str) -> list[Measurement]:
    """Rates in whole MiB/s: for folders that have no JSON."""
    found: dict[tuple[str, str], tuple[Row, list[tuple[float, float]]]] = {}
    for row in Table(path, text):
        if row.text("operation") in PHASES:
            amount = row["MiB [last]"].positive() * MIB
            seconds = amount / (row["MiB/s [last]"].positive() * MIB)
            found.setdefault((row.text("operation"), row.text("command")), (row, []))[1].append((amount, seconds))
    if not found:
        raise BadFile(path, "no operation WRITE or READ in it")
    return [measurement(path, row.text("version"), PHASES[phase], repeats, row["threads"].count(least=1),
                        row["hosts"].count(least=1), row.text("direct IO") == "1", row.text("command"))
            for (phase, _), (row, repeats) in found.items()]  # fmt: skip
