# SPDX-License-Identifier: Apache-2.0
"""What people decide about a history: a change is accepted, a run is left out. Records like runs, never undone but by
removing their file."""

from shardmark_tools.history.judgement import Report, ack_record, find_changes
from shardmark_tools.history.run_record import BadArgument, decision
from shardmark_tools.history.store import Store
from shardmark_tools.results.plain_text import one_line

FEWEST_LETTERS = 4


def accept(store: Store, reports: list[Report], ids: list[str], note: str) -> str:
    chosen = []
    for wanted in ids:
        found = find_changes(reports, wanted) if len(wanted) >= FEWEST_LETTERS else []
        if not found:
            known = sorted({change.id for report in reports for change in report.changes})
            raise BadArgument(f"ack '{wanted}': no such change; open are: {', '.join(known) or 'none'}")
        chosen += found
    reason = decision(note)
    for report, change in chosen:
        store.put("ack", {**ack_record(report, change), **reason})
    told = sorted({f"{change.id} ({change.benchmark}, {change.date})" for _, change in chosen})
    return one_line(f"accepted: {'; '.join(told)}")


def drop(store: Store, runs: list[str], note: str) -> str:
    there = {record["run"] for record in store.records().values() if record["kind"] == "run"}
    chosen = []
    for wanted in runs:
        found = sorted(run for run in there if run.startswith(wanted)) if len(wanted) >= FEWEST_LETTERS else []
        if len(found) != 1:
            what = f"names {len(found)} runs" if found else "no such run"
            raise BadArgument(f"drop '{wanted}': {what}; scripts/history show --runs lists them")
        chosen += found
    reason = decision(note)
    for run in chosen:
        store.put("drop", {"run": run, **reason})
    return f"left out from now on: {', '.join(chosen)}"
