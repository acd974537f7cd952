# SPDX-License-Identifier: Apache-2.0
"""What the runs of a report were made with."""

from shardmark_tools.report.bench_data import Data
from shardmark_tools.results.run_facts import text_of
from shardmark_tools.results.result_folder import Run
from shardmark_tools.results.vocabulary import context_keys

# Told of each run by itself, or too long.
NOT_SHOWN = {"started", "shuffle_seed", "command_line", "config", "node_of_rank"}


def contexts(data: Data) -> list[tuple[list[tuple[str, str]], list[Run]]]:
    """Runs of one environment together: [([(key, text)...], runs)...]."""
    shown = [key for key in context_keys() if key not in NOT_SHOWN]
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in data.runs:
        key = tuple((k, text_of(run.context[k])) for k in shown if k in run.context)
        groups.setdefault(key, []).append(run)
    return [(list(key), runs) for key, runs in groups.items()]
