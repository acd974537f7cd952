# SPDX-License-Identifier: Apache-2.0
"""All figures of a report, in the order in which they are shown."""

from collections.abc import Sequence

from shardmark_tools.report.bench_data import Data
from shardmark_tools.report.figure import Figure
from shardmark_tools.report.interval_figure import interval_figures
from shardmark_tools.report.io_figures import comparison_figures, scaling_figures, waterfall_figures
from shardmark_tools.report.law_figures import law_figures
from shardmark_tools.report.peer_figures import peer_figures
from shardmark_tools.report.phase_figures import rank_figures, stacked_figures
from shardmark_tools.report.planning_figures import hooks_figures, planning_figures, virtual_figures
from shardmark_tools.report.reshard_figures import reshard_figures

SECTIONS = (scaling_figures, comparison_figures, peer_figures, waterfall_figures, stacked_figures, rank_figures, hooks_figures,
            planning_figures, virtual_figures, reshard_figures)  # fmt: skip


def all_figures(data: Data, wanted_sizes: Sequence[int], node_mtbf_years: float) -> list[Figure]:
    made = [figure for section in SECTIONS for figure in section(data)]
    return [*made, *law_figures(data, wanted_sizes), *interval_figures(data, node_mtbf_years)]
