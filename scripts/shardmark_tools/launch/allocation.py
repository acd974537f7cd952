# SPDX-License-Identifier: Apache-2.0
"""The nodes that a workload manager gave to whoever runs here."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Allocation:
    manager: str  # "slurm", "pbs", "flux"
    hosts: tuple[str, ...]


def printed_words(command: Sequence[str]) -> list[str]:
    if not shutil.which(command[0]):
        return []
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout.split() if done.returncode == 0 else []


def slurm_hosts(environment: Mapping[str, str]) -> list[str]:
    nodes = environment.get("SLURM_JOB_NODELIST")
    return printed_words(["scontrol", "show", "hostnames", nodes]) if nodes else []


def pbs_hosts(environment: Mapping[str, str]) -> list[str]:
    """PBS names a host once for each of its ranks."""
    path = environment.get("PBS_NODEFILE")
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").split() if path else []
    except (OSError, UnicodeDecodeError):
        return []


def flux_hosts(environment: Mapping[str, str]) -> list[str]:
    """Of the instance that a batch script runs in, or of the job."""
    return printed_words(["flux", "hostlist", "--local", "--expand"]) if "FLUX_URI" in environment else []


MANAGERS = {"flux": flux_hosts, "slurm": slurm_hosts, "pbs": pbs_hosts}  # Flux also runs inside the others


def allocation(environment: Mapping[str, str] = os.environ) -> Allocation | None:
    for manager, hosts_of in MANAGERS.items():
        hosts = tuple(dict.fromkeys(hosts_of(environment)))
        if hosts:
            return Allocation(manager, hosts)
    return None
