# SPDX-License-Identifier: Apache-2.0
"""A storage as `shardmark plan --storage` reads it, out of results: by the laws of a save and a load where there are
several sizes, else by the fastest raw files."""

import math
from collections.abc import Sequence

import numpy

from shardmark_tools.foretell.linear_law import FEWEST_SIZES, LinearLaw, fit, share_spread
from shardmark_tools.foretell.series import Series
from shardmark_tools.refusal import Refused


def describe(series: Sequence[Series], ranks_per_node: int) -> str:
    """TOML. One node moves what all did, over the nodes of the runs."""
    rates: dict[str, tuple[float, float]] = {}
    laws: dict[str, LinearLaw] = {}
    sources = []
    for operation, key in (("save", "node_rate"), ("load", "load_node_rate")):
        law = _law(series, operation)
        if law is not None:
            label, fitted, nodes = law
            rates[key] = (1 / fitted.b / nodes, fitted.standard_errors()[1] / fitted.b)
            laws[operation] = fitted
            sources.append(f"{operation}: {label}, {len(fitted.sizes)} sizes")
            continue
        fastest = _fastest(series, operation)
        if fastest is not None:
            label, rate, error = fastest
            rates[key] = (rate, error)
            sources.append(f"{operation}: {label}")
    if "node_rate" not in rates:
        raise Refused("no save and no raw file that is saved is in these results: there is nothing to foretell from")
    return _text(rates, laws, _spread(series, laws), ranks_per_node, sources)


def _law(series: Sequence[Series], operation: str) -> tuple[str, LinearLaw, int] | None:
    """Of the fastest case of ours that has enough sizes."""
    ours = [s for s in series if s.kind.family == operation and len(s.sizes()) >= FEWEST_SIZES]
    found = [(s.label, law, s.nodes) for s, law in zip(ours, share_spread([fit(s.points) for s in ours])) if law.b > 0]
    return min(found, key=lambda each: each[1].b) if found else None


def _fastest(series: Sequence[Series], operation: str) -> tuple[str, float, float] | None:
    """(label, bytes a second of a node, relative standard error)"""
    found = []
    for each in series:
        if each.kind.operation != operation or each.kind.family not in (operation, "ceiling") or "/memcpy" in each.label:
            continue
        size = each.sizes()[-1]
        times = numpy.log([t for s, t in each.points if s == size])
        error = float(numpy.std(times, ddof=1)) / math.sqrt(len(times)) if len(times) > 1 else 0.0
        found.append((each.label, size / math.exp(float(numpy.median(times))) / each.nodes, error))
    return max(found, key=lambda each: each[1]) if found else None


def _spread(series: Sequence[Series], laws: dict[str, LinearLaw]) -> tuple[float, int]:
    """Of one time, not of a median: what repetitions differ by at one size, and the law's own."""
    logs = []
    for each in series:
        if each.kind.family in ("save", "load", "ceiling"):
            for size in each.sizes():
                times = numpy.log([t for s, t in each.points if s == size])
                logs += list(times - numpy.mean(times)) if len(times) > 1 else []
    within = float(numpy.sqrt(numpy.mean(numpy.square(logs)))) if logs else 0.0
    return math.hypot(within, max((law.spread for law in laws.values()), default=0.0)), max(len(logs), 1)


def _text(rates: dict[str, tuple[float, float]], laws: dict[str, LinearLaw], spread: tuple[float, int],
          ranks_per_node: int, sources: list[str]) -> str:  # fmt: skip
    lines = [f"# {source}" for source in sources]
    lines.append(f"ranks_per_node = {ranks_per_node}")
    lines += [f"{key} = {rate:.6g}  # bytes a second" for key, (rate, _) in rates.items()]
    errors = {key: error for key, (_, error) in rates.items()}
    if "save" in laws:
        law = laws["save"]
        lines.append(f"fixed = {law.a:.6g}")
        if law.a > 0:
            errors["fixed"] = law.standard_errors()[0] / law.a
    lines += [f"spread = {spread[0]:.4g}", f"samples = {spread[1]}"]
    listed = ", ".join(f"{key} = {min(error, 9.0):.4g}" for key, error in errors.items())
    return "\n".join([*lines, f"error = {{{listed}}}", ""])
