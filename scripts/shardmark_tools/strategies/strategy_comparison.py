# SPDX-License-Identifier: Apache-2.0
"""One table of strategies from two runs, and what follows from it: the first times hooks, planning, saves and cold
loads, the second loads every strategy's checkpoint under every other."""

import csv
import io
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from shardmark_tools.refusal import Refused
from shardmark_tools.results import run_facts, toml_document
from shardmark_tools.results.number_text import count_text, three_digits, time_unit
from shardmark_tools.results.plain_text import aligned_table, markdown, markdown_table
from shardmark_tools.results.result_folder import Run
from shardmark_tools.strategies.advice import advice, label, seconds_text, spread_text
from shardmark_tools.strategies.comparison_rows import (
    STRATEGY, NothingToCompare, Row, Variant, engine_rows, job_row, median_interval, of_family, row_of, strategies_of,
    sweep_of, variants_of, without_numbers,
)  # fmt: skip
from shardmark_tools.strategies.knobs import knob_sentences

__all__ = ["STRATEGY", "NothingToCompare", "compare", "median_interval", "reshard_config", "job_config", "text", "write"]

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
# For a terminal, where there are more rows than that.
MOST_BESIDE = 5
IN_SHORT = ("strategy", "returned_s", "durable_s", "cold_load_s", "reshard_worst_s", "reshard_worst_to")
NOT_OF_A_JOB = ("model.", "parallel.", "reshard.", "peers.")
# In what the second run differs from the first by intent.
OF_THE_MATRIX = {"run.benchmarks", "reshard.saved_strategy", "sweep.reshard.saved_strategy"}


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


def job_variant(config: str) -> Variant:
    """What a job is replayed with of what a sweep varies: the first value, of keys that concern it."""
    return Variant(tuple((key, run_facts.text_of(values[0])) for key, values in sweep_of(config).items()
                         if values and not key.startswith(NOT_OF_A_JOB)))  # fmt: skip


def job_config(config: str, job: str, world: int, ranks: int) -> str:
    """The configuration of a run, turned into that of a job: it has its own model, strategy and planner's world."""
    table = run_facts.flattened(toml_document.parse(config))
    kept = {key: value for key, value in table.items() if not key.startswith((*NOT_OF_A_JOB, "sweep."))}
    kept |= {key: values[0] for key, values in sweep_of(config).items() if values and not key.startswith(NOT_OF_A_JOB)}
    kept |= {"model.job": job, "run.ranks": ranks, "run.benchmarks": ["hooks", "plan", "save", "load"]}
    if world > ranks:
        kept["run.world"] = world
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in kept.items() if value is not None)


def compare(first: Run, second: Run, jobs: Mapping[str, Run] = {}) -> dict[str, Any]:
    """`jobs`: by name. Errors: Refused."""
    check_same_kind(first, second)
    context = first.context
    names = strategies_of(context["config"])
    variants = variants_of(context["config"])
    rows: list[Row] = []
    groups: dict[str, list[Row]] = {}
    for variant in variants:
        families = {family: of_family(first, family, variant) for family in ("hooks", "plan", "save", "load")}
        matrix = of_family(second, "reshard", variant)
        made = [row_of(name, variant, families, matrix) for name in names]
        rows += made
        groups.setdefault(variant.condition(), []).extend(made)
    of_jobs = job_variant(context["config"])
    others = engine_rows(first, names, variants) + [job_row(name, run, of_jobs, first) for name, run in jobs.items()]
    for row in others:
        groups.setdefault(row["condition"] or next(iter(groups)), []).append(row)
    sentences = []
    for condition, group in groups.items():
        sentences += [f"{condition}: {sentence}" if condition else sentence for sentence in advice(group)]
    return {
        "suite": context["suite"],
        "ranks": context["ranks"],
        "nodes": context["nodes"],
        "filesystem": context["filesystem"]["type"],
        "rows": rows + others,
        "without_numbers": without_numbers(first),
        "advice": sentences + knob_sentences(names, (pair for variant in variants for pair in variant.values)),
    }


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
    "replicated strategies deliver more bytes. Engines get the bytes that a strategy stores, in the same "
    "rounds; jobs are of a run of their own, after the others. ! where an engine's own "
    "time and ours differ by more than a tenth."
)


def text(result: dict[str, Any]) -> str:
    """For a terminal: a column a row and a line a figure, or, of more rows than fit beside each other, what matters."""
    titles, table = [title for _, title in COLUMNS], table_of(result)
    if len(table) > MOST_BESIDE:
        chosen = [i for i, (key, _) in enumerate(COLUMNS) if key in IN_SHORT]
        shown = [[line[i] for i in chosen] for line in [titles, *table]]
    else:
        shown = [list(line) for line in zip(titles, *table)]
    return "\n".join([heading(result), "", *aligned_table(shown[0], shown[1:]), "",
                      *result["without_numbers"], *result["advice"]])  # fmt: skip


def markdown_text(result: dict[str, Any]) -> str:
    table = markdown_table([title for _, title in COLUMNS], table_of(result))
    sentences = [*result["without_numbers"], *result["advice"]]
    lines = [f"# {markdown(heading(result))}", "", *table, "", markdown(LEGEND), "",
             *(f"- {markdown(sentence)}" for sentence in sentences)]  # fmt: skip
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
    keys = [*(key for key, _ in COLUMNS), "variant", "engine"]
    out.writerow(keys)
    for row in result["rows"]:
        out.writerow(v["median"] if isinstance(v := row[key], dict) else v for key in keys)
    replace_text(directory / "comparison.csv", file.getvalue())
