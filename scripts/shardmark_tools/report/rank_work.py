# SPDX-License-Identifier: Apache-2.0
"""Who is slow: the own work of ranks and nodes, and a sentence about those that stand out."""

import statistics

from shardmark_tools.report.bench_data import Bench, Number
from shardmark_tools.results.result_folder import Sample
from shardmark_tools.results.vocabulary import SHARED_PHASES

STANDS_OUT = 1.2
NODE_STANDS_OUT = 1.15
FEWEST_RANKS = 3
MOST_NAMED = 4


def own_work(sample: Sample) -> list[float]:
    """By rank: seconds in phases that all ranks take part in; what rank 0 does for all, and waiting, say
    nothing about a rank."""
    phases = sample["per_rank"]["phases_s"]
    chosen = [phases[phase] for phase in SHARED_PHASES if phase in phases]
    return [sum(seconds[rank] for seconds in chosen) for rank in range(sample["ranks"])]


def straggling_ranks(bench: Bench) -> list[tuple[int, float]]:
    """[(rank, share above the others' median)] whose own work stands out in most repetitions."""
    if bench.ranks < FEWEST_RANKS:
        return []
    hits: dict[int, list[float]] = {}
    for sample in bench.samples:
        busy = own_work(sample)
        middle = statistics.median(busy)
        for rank, seconds in enumerate(busy):
            if middle > 0 and seconds > STANDS_OUT * middle:
                hits.setdefault(rank, []).append(seconds / middle - 1)
    enough = len(bench.samples) / 2
    found = [(rank, statistics.median(shares)) for rank, shares in hits.items() if len(shares) > enough]
    return sorted(found, key=lambda entry: -entry[1])


def node_work(bench: Bench) -> list[Number]:
    """Of each node: median over repetitions of the mean own work of its ranks."""
    nodes = []
    for node in range(bench.nodes):
        ranks = [r for r in range(bench.ranks) if bench.node_of_rank[r] == node]
        values = [statistics.fmean(own_work(s)[r] for r in ranks) for s in bench.samples] if ranks else [0.0]
        nodes.append(Number(float(statistics.median(values)), f"median work of node {node} of {bench.name}"))
    return nodes


def node_sentence(bench: Bench) -> str:
    work = node_work(bench)
    slowest = max(range(bench.nodes), key=lambda n: work[n].value)
    middle = sorted(n.value for n in work)[len(work) // 2]
    name = bench.hosts[slowest]
    if middle > 0 and work[slowest].value > NODE_STANDS_OUT * middle:
        return f"node {name} works {100 * (work[slowest].value / middle - 1):.0f} % longer than the middle one"
    return f"no node stands out (slowest: {name})"


def straggler_sentence(bench: Bench) -> str:
    """"" where there are too few ranks to compare."""
    parts = [node_sentence(bench)] if bench.nodes > 1 else []
    ranks = straggling_ranks(bench)
    if ranks:
        listed = ", ".join(f"rank {r} on {bench.hosts[bench.node_of_rank[r]]} (+{100 * share:.0f} %)"
                           for r, share in ranks[:MOST_NAMED])  # fmt: skip
        parts.append(f"stragglers: {listed}")
    elif bench.ranks >= FEWEST_RANKS:
        parts.append("no rank stands out in most repetitions")
    return "; ".join(parts)
