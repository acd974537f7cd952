# SPDX-License-Identifier: Apache-2.0
"""One table of strategies from two runs, and what follows from it: the first times hooks, planning, saves and cold
loads, the second loads every strategy's checkpoint under every other."""

import collections
import csv
import dataclasses
import io
import itertools
import json
import math
import pathlib
import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shardmark_tools.refusal import Refused
from shardmark_tools.results import run_facts, toml_document
from shardmark_tools.results.number_text import count_text, three_digits, time_text, time_unit
from shardmark_tools.results.plain_text import aligned_table, markdown, markdown_table
from shardmark_tools.results.result_folder import Run, Sample

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
# What a sweep's key is called in `case`.
CASE_NAMES = {"storage.backend": "backend", "storage.layout": "file_layout", "storage.io": "io",
              "storage.checksum": "checksum", "planner.kind": "planner", "planner.dedup": "dedup",
              "load.checksum": "load_checksum"}  # fmt: skip
# In what the second run differs from the first by intent.
OF_THE_MATRIX = {"run.benchmarks", "reshard.saved_strategy", "sweep.reshard.saved_strategy"}
STRATEGY = "parallel.strategy"
Row = dict[str, Any]
Samples = list[Sample]


class NothingToCompare(Refused):
    pass


@dataclasses.dataclass(frozen=True)
class Variant:
    """What a sweep varies beside the strategy: ((key, value)...)."""

    values: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        return ", ".join(f"{key} {run_facts.shown(value)}" for key, value in self.values)

    def condition(self) -> str:
        """The part of it that no strategy can be chosen by: another model."""
        return ", ".join(f"{key} {run_facts.shown(value)}" for key, value in self.values if key.startswith("model."))

    def holds(self, sample: Sample) -> bool:
        """Whether a sample is of it; a family that a key does not concern does not tell."""
        for key, value in self.values:
            case = sample["case"]
            told = sample["model"] if key == "model.name" else case.get(key, case.get(CASE_NAMES.get(key, key)))
            if told is not None and run_facts.text_of(told) != value:
                return False
        return True


def sweep_of(config: str) -> dict[str, list[Any]]:
    try:
        table = run_facts.flattened(toml_document.parse(config).get("sweep", {}))
    except (ValueError, AttributeError) as error:
        raise NothingToCompare(f"the configuration of the run is no TOML: {error}") from error
    return {key: values for key, values in table.items() if isinstance(values, list)}


def strategies_of(config: str) -> list[str]:
    names = [name for name in sweep_of(config).get(STRATEGY, []) if isinstance(name, str)]
    if len(set(names)) < 2:
        raise NothingToCompare("the suite's [sweep] has no two values of parallel.strategy: nothing to compare")
    return names


def variants_of(config: str) -> list[Variant]:
    others = {key: values for key, values in sweep_of(config).items() if key != STRATEGY and len(values) > 1}
    lists = [[(key, run_facts.text_of(value)) for value in values] for key, values in others.items()]
    return [Variant(chosen) for chosen in itertools.product(*lists)]


def reshard_config(config: str) -> str:
    """The configuration of a run, as canonical TOML, turned into that of the matrix of all its pairs."""
    names = strategies_of(config)
    text = re.sub(r"^benchmarks = .*$", 'benchmarks = ["reshard"]', config, flags=re.MULTILINE)
    listed = ", ".join(json.dumps(name) for name in names)
    head, mark, sweep = text.partition("[sweep]\n")
    return f'{head}{mark}"reshard.saved_strategy" = [{listed}]\n{sweep}'


def check_same_kind(first: Run, second: Run) -> None:
    """The matrix of pairs must be of what the first run was of. Errors: Refused, naming what differs."""
    differences = run_facts.differing([run_facts.facts_of(run.context) for run in (first, second)])
    found = {key: values for key, values in differences.items() if key not in OF_THE_MATRIX}
    if found:
        raise Refused(f"{first.directory} and {second.directory} are not of one kind\n"
                      f"  {run_facts.differences_text(found)}")  # fmt: skip


def median_interval(values: Iterable[float]) -> tuple[float, float]:
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


def spread(values: Sequence[float]) -> dict[str, Any] | None:
    if not values:
        return None
    low, high = median_interval(values)
    return {"median": statistics.median(values), "low": low, "high": high,
            "min": min(values), "max": max(values), "samples": len(values)}  # fmt: skip


def of_family(run: Run, family: str, variant: Variant) -> dict[str, Samples]:
    """Samples that count, by strategy."""
    found: dict[str, Samples] = collections.defaultdict(list)
    for sample in run.good():
        if sample["family"] == family and variant.holds(sample):
            found[str(sample["strategy"])].append(sample)
    return found


def metric(samples: Samples, name: str) -> float | None:
    values = [s["metrics"][name] for s in samples if s["metrics"].get(name) is not None]
    return statistics.median(values) if values else None


def seconds(samples: Samples, key: str = "time_s") -> dict[str, Any] | None:
    return spread([s[key] for s in samples if s[key] is not None])


def hooks_of(samples: Samples) -> dict[str, Any] | None:
    """All three hooks together, round by round."""
    rounds: dict[int, list[float]] = collections.defaultdict(list)
    for sample in samples:
        rounds[sample["repetition"]].append(sample["time_s"])
    most = max((len(times) for times in rounds.values()), default=0)
    return spread([sum(times) for times in rounds.values() if len(times) == most])


def same_layout(samples: Samples) -> Samples:
    """Of the same bytes: the pair whose checkpoint was saved as it is loaded."""
    return [s for s in samples if s["case"].get("saved_strategy") == s["strategy"]]


def ratios(pair: Samples, base: Samples) -> list[float]:
    """Round by round."""
    times = {s["repetition"]: s["time_s"] for s in base}
    return [s["time_s"] / times[s["repetition"]] for s in pair if times.get(s["repetition"])]


def worst_reshard(saved: str, matrix: dict[str, Samples]) -> Row:
    """The load strategy under which checkpoints of `saved` take longest, of those that are others."""
    worst: Row | None = None
    for loaded, samples in matrix.items():
        pair = [s for s in samples if s["case"].get("saved_strategy") == saved and loaded != saved]
        times = seconds(pair)
        if times is None:
            continue
        if worst is None or times["median"] > worst["reshard_worst_s"]["median"]:
            worst = {
                "reshard_worst_s": times,
                "reshard_worst_ratio": spread(ratios(pair, same_layout(samples))),
                "reshard_worst_to": loaded,
                "reshard_amplification": metric(pair, "amplification"),
            }
    return worst or dict.fromkeys(
        ("reshard_worst_s", "reshard_worst_ratio", "reshard_worst_to", "reshard_amplification"))  # fmt: skip


def row_of(strategy: str, variant: Variant, families: dict[str, dict[str, Samples]], matrix: dict[str, Samples]) -> Row:
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
        "variant": variant.text(),
    }


def compare(first: Run, second: Run) -> dict[str, Any]:
    """Errors: Refused."""
    check_same_kind(first, second)
    context = first.context
    names = strategies_of(context["config"])
    rows: list[Row] = []
    groups: dict[str, list[Row]] = {}
    for variant in variants_of(context["config"]):
        families = {family: of_family(first, family, variant) for family in ("hooks", "plan", "save", "load")}
        matrix = of_family(second, "reshard", variant)
        made = [row_of(name, variant, families, matrix) for name in names]
        rows += made
        groups.setdefault(variant.condition(), []).extend(made)
    sentences = []
    for condition, group in groups.items():
        sentences += [f"{condition}: {sentence}" if condition else sentence for sentence in advice(group)]
    return {
        "suite": context["suite"],
        "ranks": context["ranks"],
        "nodes": context["nodes"],
        "filesystem": context["filesystem"]["type"],
        "rows": rows,
        "advice": sentences,
    }


def label(row: Row) -> str:
    return f"{row['strategy']}, {row['variant']}" if row["variant"] else str(row["strategy"])


def spread_text(value: dict[str, Any] | None, text: Callable[[float], str], unit: str) -> str:
    if value is None:
        return "-"
    numbers = f"{text(value['median'])} [{text(value['min'])}..{text(value['max'])}]"
    return f"{numbers} {unit}" if unit else numbers


def seconds_text(value: dict[str, Any] | None, unit: str | None = None) -> str:
    """1.43 [1.40..1.50] ms"""
    unit = unit or time_unit([value["median"]] if value else [])
    return spread_text(value, lambda s: time_text(s, unit).split()[0], unit)


def leaders(rows: list[Row], key: str) -> tuple[list[Row], list[Row]]:
    """Strategies whose interval reaches below the end of the fastest one's, fastest first."""
    timed = sorted((r for r in rows if r[key]), key=lambda row: float(row[key]["median"]))
    return [row for row in timed if row[key]["low"] <= timed[0][key]["high"]], timed


def advice(rows: list[Row]) -> list[str]:
    sentences = []
    votes: collections.Counter[str] = collections.Counter()
    for key, act in CRITERIA:
        first, timed = leaders(rows, key)
        if len(timed) < 2:
            continue
        votes.update(label(row) for row in first)
        if len(first) > 1:
            listed = ", ".join(f"{label(r)} {seconds_text(r[key])}" for r in first)
            sentences.append(f"No clear difference in the time to {act}: {listed}; the intervals overlap.")
            continue
        best, next_best = timed[0], timed[1]
        saved = 1 - best[key]["median"] / max(next_best[key]["median"], 1e-12)
        sentences.append(
            f"{label(best)} is the fastest to {act}: {seconds_text(best[key])}, {saved:.0%} less than "
            f"{label(next_best)} with {seconds_text(next_best[key])}."
        )
    most = max(votes.values(), default=0)
    chosen = [label(row) for row in rows if most and votes[label(row)] == most]
    if len(chosen) == 1:
        sentences.append(f"Choose {chosen[0]}: first, or level with the first, in {most} of {len(CRITERIA)}.")
    elif chosen:
        sentences.append(f"No clear difference between {', '.join(chosen)}: choose by memory and training speed.")
    return sentences


def cells_of(rows: list[Row], key: str) -> list[str]:
    """A column: its times in one unit."""
    if key == "strategy":
        return [label(row) for row in rows]
    values = [row[key] for row in rows]
    if key == "reshard_worst_ratio":
        return [spread_text(value, three_digits, "") for value in values]
    if key.endswith("_s"):
        unit = time_unit([value["median"] for value in values if value])
        return [seconds_text(value, unit) for value in values]
    numbers = three_digits if key == "imbalance" else count_text
    return ["-" if v is None else v if isinstance(v, str) else numbers(v) for v in values]


def table_of(result: dict[str, Any]) -> list[list[str]]:
    """A row a strategy."""
    columns = [cells_of(result["rows"], key) for key, _ in COLUMNS]
    return [list(row) for row in zip(*columns)]


def heading(result: dict[str, Any]) -> str:
    return (f"{result['suite']}: {result['ranks']} ranks on {result['nodes']} node(s), "
            f"{result['filesystem']}")  # fmt: skip


LEGEND = (
    "Medians [min..max] over the rounds. hooks: all three. reshard worst: a checkpoint of this strategy under "
    "the one that loads it slowest, and its ratio to the load of the same bytes from their own layout. "
    "Intervals of medians are distribution-free at 95 %, all rounds where there are fewer than 6. Loads of "
    "replicated strategies deliver more bytes."
)


def text(result: dict[str, Any]) -> str:
    """For a terminal: one block a strategy would be long, so one line a figure."""
    turned = [list(line) for line in zip([title for _, title in COLUMNS], *table_of(result))]
    return "\n".join([heading(result), "", *aligned_table(turned[0], turned[1:]), "", *result["advice"]])


def markdown_text(result: dict[str, Any]) -> str:
    lines = [f"# {markdown(heading(result))}", "", *markdown_table([title for _, title in COLUMNS], table_of(result)), "",
             markdown(LEGEND), "", *(f"- {markdown(sentence)}" for sentence in result["advice"])]  # fmt: skip
    return "\n".join(lines) + "\n"


def replace_text(path: pathlib.Path, text: str) -> None:
    """Whatever lies there is not opened: a pipe would block."""
    new = path.with_name(f".{path.name}.new")
    with open(new, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    new.replace(path)


def write(result: dict[str, Any], directory: pathlib.Path) -> None:
    """comparison.json, .md and .csv. Errors: OSError."""
    replace_text(directory / "comparison.json", json.dumps(result, indent=1) + "\n")
    replace_text(directory / "comparison.md", markdown_text(result))
    file = io.StringIO()
    out = csv.writer(file)
    keys = [*(key for key, _ in COLUMNS), "variant"]
    out.writerow(keys)
    for row in result["rows"]:
        out.writerow(v["median"] if isinstance(v := row[key], dict) else v for key in keys)
    replace_text(directory / "comparison.csv", file.getvalue())
