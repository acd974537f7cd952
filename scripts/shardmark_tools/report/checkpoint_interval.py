# SPDX-License-Identifier: Apache-2.0
"""How often to save: Young's and Daly's intervals and the goodput that is lost."""

import math


def young_interval_s(stall_s: float, mtbf_s: float) -> float:
    """Young 1974: sqrt(2 C M)."""
    return math.sqrt(2 * stall_s * mtbf_s)


def daly_interval_s(stall_s: float, mtbf_s: float) -> float:
    """Daly 2006, equation 37: work between two saves; M where a save takes half of M or longer."""
    if stall_s >= 2 * mtbf_s:
        return mtbf_s
    x = stall_s / (2 * mtbf_s)
    return math.sqrt(2 * stall_s * mtbf_s) * (1 + math.sqrt(x) / 3 + x / 9) - stall_s


def lost_share(interval_s: float, stall_s: float, restart_s: float, mtbf_s: float) -> float:
    """Share of the time that is no progress, failures being exponential: Daly's complete model,
    wall time / work = M e^(R/M) (e^((T + C)/M) - 1) / T."""
    exponent = (interval_s + stall_s) / mtbf_s
    if exponent + restart_s / mtbf_s > 700:
        return 1.0
    factor = mtbf_s * math.exp(restart_s / mtbf_s) * math.expm1(exponent) / interval_s
    return 1 - 1 / factor


def job_mtbf_s(node_mtbf_s: float, nodes: int) -> float:
    """Any node's failure ends the job."""
    return node_mtbf_s / nodes
