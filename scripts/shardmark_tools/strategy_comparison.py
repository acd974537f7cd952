# SPDX-License-Identifier: Apache-2.0
"""One table of strategies from the samples of two runs, and what follows from it."""

import collections
import csv
import json
import math
import re
import statistics

COLUMNS = (
    ("strategy", "strategy"),
    ("imbalance", "bytes/rank max/mean"),
    ("items", "items"),
    ("metadata_bytes", "metadata bytes"),
    ("hooks_s", "hooks"),
    ("plan_s", "plan"),
    ("returned_s", "save returned"),
    ("durable_s", "save durable"),
    ("cold_load_s", "cold load"),
    ("reshard_worst_s", "reshard worst"),
    ("reshard_worst_ratio", "of same layout"),
    ("reshard_worst_to", "loaded as"),
)
# What a user waits for, in the order of the sentences.
CRITERIA = (
    ("durable_s", "save durably"),
    ("cold_load_s", "load cold"),
    ("reshard_worst_s", "be loaded as another strategy, in the worst case"),
)


def read_samples(path):
    """Raises ValueError where there is no such document."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    if "samples" not in document or "context" not in document:
        raise ValueError(f"{path}: no samples and context in it")
    return document


def strategies_of(config):
    found = re.search(r'^"parallel\.strategy" = \[(.*)\]$', config, re.MULTILINE)
    names = re.findall(r'"([^"]+)"', found.group(1)) if found else []
    if len(names) < 2:
        raise ValueError("the suite's [sweep] has no two values of parallel.strategy: nothing to compare")
    return names


def reshard_config(config):
    """The configuration of a run, as canonical TOML, turned into that of the matrix of all its pairs."""
    names = strategies_of(config)
    text = re.sub(r"^benchmarks = .*$", 'benchmarks = ["reshard"]', config, flags=re.MULTILINE)
    listed = ", ".join(f'"{name}"' for name in names)
    head, mark, sweep = text.partition("[sweep]\n")
    return f'{head}{mark}"reshard.saved_strategy" = [{listed}]\n{sweep}'


def median_interval(values):
    """A distribution-free interval of the median at 95 %; all of them where there are too few."""
    ordered = sorted(values)
    size = len(ordered)
    below = 0.0
    left_out = 0
    for count in range(size // 2):
        below += math.comb(size, count) / 2**size
        if below > 0.025:
            break
        left_out = count + 1
    left_out = max(0, left_out - 1) if left_out else 0
    return ordered[left_out], ordered[size - 1 - left_out]


def spread(values):
    if not values:
        return None
    low, high = median_interval(values)
    return {"median": statistics.median(values), "low": low, "high": high,
            "min": min(values), "max": max(values), "samples": len(values)}  # fmt: skip


def good(document, family):
    """Samples that count, by strategy."""
    found = collections.defaultdict(list)
    for sample in document["samples"]:
        if sample["family"] == family and not sample["error"] and not sample["skipped"]:
            found[sample["strategy"]].append(sample)
    return found


def metric(samples, name):
    values = [s["metrics"][name] for s in samples if name in s["metrics"]]
    return statistics.median(values) if values else None


def seconds(samples, key="time_s"):
    return spread([s[key] for s in samples if s[key] is not None])


def hooks_of(samples):
    """All three hooks together, round by round."""
    rounds = collections.defaultdict(list)
    for sample in samples:
        rounds[sample["repetition"]].append(sample["time_s"])
    most = max((len(times) for times in rounds.values()), default=0)
    return spread([sum(times) for times in rounds.values() if len(times) == most])


def same_layout(samples):
    """Of the same bytes: the pair whose checkpoint was saved as it is loaded."""
    return [s for s in samples if s["case"]["saved_strategy"] == s["strategy"]]


def ratios(pair, base):
    """Round by round."""
    times = {s["repetition"]: s["time_s"] for s in base}
    return [s["time_s"] / times[s["repetition"]] for s in pair if times.get(s["repetition"])]


def worst_reshard(saved, matrix):
    """The load strategy under which checkpoints of `saved` take longest, of those that are others."""
    worst = None
    for loaded, samples in matrix.items():
        pair = [s for s in samples if s["case"]["saved_strategy"] == saved and loaded != saved]
        if not pair:
            continue
        times = seconds(pair)
        if worst is None or times["median"] > worst["reshard_worst_s"]["median"]:
            worst = {
                "reshard_worst_s": times,
                "reshard_worst_ratio": spread(ratios(pair, same_layout(samples))),
                "reshard_worst_to": loaded,
                "reshard_amplification": metric(pair, "amplification"),
            }
    return worst or dict.fromkeys(
        ("reshard_worst_s", "reshard_worst_ratio", "reshard_worst_to", "reshard_amplification"))  # fmt: skip


def row_of(strategy, families, matrix):
    of = {family: samples[strategy] for family, samples in families.items()}
    planned = [s for s in of["plan"] if "items" in s["metrics"]]
    return {
        "strategy": strategy,
        "imbalance": metric(of["save"], "imbalance"),
        "items": metric(planned, "items"),
        "metadata_bytes": metric(of["save"], "metadata_bytes"),
        "hooks_s": hooks_of(of["hooks"]),
        "plan_s": seconds(planned),
        "returned_s": seconds(of["save"], "returned_s"),
        "durable_s": seconds(of["save"], "durable_s"),
        "cold_load_s": seconds(of["load"]),
        "cold_load_bytes": of["load"][0]["num_bytes"] if of["load"] else None,
        **worst_reshard(strategy, matrix),
    }


def compare(first, second):
    names = strategies_of(first["context"]["config"])
    families = {family: good(first, family) for family in ("hooks", "plan", "save", "load")}
    matrix = good(second, "reshard")
    rows = [row_of(name, families, matrix) for name in names]
    context = first["context"]
    return {
        "suite": context["suite"],
        "ranks": context["ranks"],
        "nodes": context["nodes"],
        "filesystem": context["filesystem"]["type"],
        "rows": rows,
        "advice": advice(rows),
    }


def time_text(value):
    if value is None:
        return "-"
    scale, unit = next((s, u) for s, u in ((1, "s"), (1e-3, "ms"), (1e-6, "us"))
                       if value["median"] >= s or u == "us")  # fmt: skip
    return (f"{value['median'] / scale:.3g} {unit} "
            f"[{value['min'] / scale:.3g}..{value['max'] / scale:.3g}]")  # fmt: skip


def leaders(rows, key):
    """Strategies whose interval reaches below the end of the fastest one's, fastest first."""
    timed = sorted((r for r in rows if r[key]), key=lambda row: row[key]["median"])
    return [row for row in timed if row[key]["low"] <= timed[0][key]["high"]], timed


def advice(rows):
    sentences = []
    votes = collections.Counter()
    for key, act in CRITERIA:
        first, timed = leaders(rows, key)
        if len(timed) < 2:
            continue
        names = [row["strategy"] for row in first]
        votes.update(names)
        if len(first) > 1:
            listed = ", ".join(f"{r['strategy']} {time_text(r[key])}" for r in first)
            sentences.append(f"No clear difference in the time to {act}: {listed}; the intervals overlap.")
            continue
        best, next_best = timed[0], timed[1]
        saved = 1 - best[key]["median"] / next_best[key]["median"]
        sentences.append(
            f"{best['strategy']} is the fastest to {act}: {time_text(best[key])}, {saved:.0%} less than "
            f"{next_best['strategy']} with {time_text(next_best[key])}."
        )
    most = max(votes.values(), default=0)
    chosen = [row["strategy"] for row in rows if most and votes[row["strategy"]] == most]
    if len(chosen) == 1:
        sentences.append(f"Choose {chosen[0]}: first, or level with the first, in {most} of {len(CRITERIA)}.")
    elif chosen:
        sentences.append(f"No clear difference between {', '.join(chosen)}: choose by memory and training speed.")
    return sentences


def cell(row, key):
    value = row[key]
    if value is None:
        return "-"
    if key == "reshard_worst_ratio":
        return f"{value['median']:.2f} [{value['min']:.2f}..{value['max']:.2f}]"
    if key.endswith("_s"):
        return time_text(value)
    if key == "imbalance":
        return f"{value:.3f}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)


def markdown(result):
    lines = ["| " + " | ".join(title for _, title in COLUMNS) + " |", "| --- " * len(COLUMNS) + "|"]
    for row in result["rows"]:
        lines.append("| " + " | ".join(cell(row, key) for key, _ in COLUMNS) + " |")
    return "\n".join(lines)


def heading(result):
    return (f"{result['suite']}: {result['ranks']} ranks on {result['nodes']} node(s), "
            f"{result['filesystem']}")  # fmt: skip


LEGEND = (
    "Medians [min..max] over the rounds. hooks: all three. reshard worst: a checkpoint of this strategy under "
    "the one that loads it slowest, and its ratio to the load of the same bytes from their own layout. "
    "Intervals of medians are distribution-free at 95 %, all rounds where there are fewer than 6. Loads of "
    "replicated strategies deliver more bytes."
)


def text(result):
    """For a terminal: one block a strategy would be long, so one line a figure."""
    rows = result["rows"]
    table = [[title, *(cell(row, key) for row in rows)] for key, title in COLUMNS]
    widths = [max(len(line[i]) for line in table) for i in range(len(rows) + 1)]
    lines = ["  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([heading(result), "", *lines, "", *result["advice"]])


def write(result, directory):
    with open(directory / "comparison.json", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    with open(directory / "comparison.md", "w", encoding="utf-8") as file:
        file.write(f"# {heading(result)}\n\n{markdown(result)}\n\n{LEGEND}\n\n")
        file.write("\n".join(f"- {sentence}" for sentence in result["advice"]) + "\n")
    with open(directory / "comparison.csv", "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(key for key, _ in COLUMNS)
        for row in result["rows"]:
            out.writerow(v["median"] if isinstance(v := row[key], dict) else v for key, _ in COLUMNS)
