# SPDX-License-Identifier: Apache-2.0
"""What Open MPI calls its MPI-IO components, for OMPI_MCA_io: ROMIO's carries its version."""

import re
import subprocess


def romio() -> str | None:
    """ "romio321", "romio341"; None without an Open MPI that has it (MPICH has nothing else)."""
    try:
        done = subprocess.run(["ompi_info", "--parsable"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^mca:io:(romio\d*):", done.stdout, re.MULTILINE)
    return found[1] if found else None
