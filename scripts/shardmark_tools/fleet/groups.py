# SPDX-License-Identifier: Apache-2.0
"""What a sweep over every node measured, read back."""

import pathlib

from shardmark_tools.fleet.judgement import Measured
from shardmark_tools.refusal import Refused
from shardmark_tools.results import run_facts
from shardmark_tools.results.result_folder import read_run
from shardmark_tools.results.sweep_case import CaseRow


def name_of(hosts: str) -> str:
    return hosts.replace(",", "+")


def read_groups(cases: pathlib.Path, rows: dict[str, CaseRow]) -> tuple[list[Measured], dict[str, str]]:
    """What ended well, and {group: reason} of groups that have a case which did not. Errors: NotReadable; Refused
    where the runs are of different kinds, naming how."""
    found: list[Measured] = []
    without: dict[str, str] = {}
    for name, row in sorted(rows.items()):
        group = name_of(row["parameters"]["hosts"])
        if row["status"] != "ok":
            without.setdefault(group, f"{row['status']}: {row['reason']}")
            continue
        found.append(Measured(group, row["parameters"]["round"], read_run(cases / name)))
    found = [of for of in found if of.group not in without]
    differences = run_facts.differing(run_facts.facts_of_runs([of.run for of in found]))
    differences = {key: values for key, values in differences.items() if run_facts.kind_of(key) == "configuration"}
    if differences:
        raise Refused(f"{cases}: its runs are not of one kind\n  {run_facts.differences_text(differences)}")
    return found, without


def machine_differences(measured: list[Measured]) -> str:
    """In what nodes differ that should be alike: processors, kernels, versions, mounts; "" if in nothing."""
    return run_facts.differences_text(run_facts.differing(run_facts.facts_of_runs([of.run for of in measured])))
