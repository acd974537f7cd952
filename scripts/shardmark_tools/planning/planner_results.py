# SPDX-License-Identifier: Apache-2.0
"""planner-scaling.json of one folder: what is written into it, and what may be written over."""

import pathlib
from typing import Any

from shardmark_tools.planning.network_model import Link
from shardmark_tools.planning.planner_laws import Laws, law_document
from shardmark_tools.planning.planner_sweep import Options, Sweep
from shardmark_tools.refusal import Refused
from shardmark_tools.results.planner_points import PLANNER_SCALING, read_points


def what(options: Options) -> str:
    return " ".join([options.config, *options.settings])


def check_folder(out: pathlib.Path, options: Options, overwrite: bool) -> None:
    """Before anything is measured. Errors: Refused, OSError."""
    path = out / PLANNER_SCALING
    if path.exists() and not overwrite:
        known, _ = read_points(path)
        if known != what(options):
            raise Refused(f"{path}: is of {known}\n  and {what(options)} was asked for\n"
                          "  name another --out, or write over it by --overwrite")  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)


def document(sweep: Sweep, laws: Laws, link: Link | None, checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "config": sweep.options.config, "settings": sweep.options.settings, "link": link, "points": sweep.points,
        "not_measured": sweep.skipped,
        "laws": {planner: {key: law_document(law) for key, law in of.items()} for planner, of in laws.items()},
        "checked_against_real_runs": checks,
    }  # fmt: skip
