#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Curated results under results/baselines: `add` makes one of runs, `check` looks at all.

  scripts/dev/baselines.py add quick-4-ranks build/runs/*     # runs of one configuration
  scripts/dev/baselines.py check

A baseline is clean runs (Release, a commit without changes) of one configuration, without traces
and without paths of the machine, at most 2 MiB. scripts/gate results/baselines/NAME NEW compares.
Exit codes: 0 good, 1 not, 2 usage, 77 there is none.
"""

import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "results" / "baselines"
FILES = ("samples.json", "benchmark.json")
MOST_BYTES = 2 << 20


def problems_of_run(folder):
    from shardmark_tools.results.result_checks import check_results

    problems, _ = check_results(folder)
    if problems:
        return [f"{folder}: {problem}" for problem in problems]
    context = json.loads((folder / "samples.json").read_text(encoding="utf-8"))["context"]
    if context["build_type"] != "Release":
        problems.append(f"{folder}: a build of type {context['build_type']}, expected Release")
    if context["dirty"]:
        problems.append(f"{folder}: the source had changes that no commit has")
    return problems


def problems_of(baseline):
    from shardmark_tools.results.json_document import NotReadable
    from shardmark_tools.results.result_folder import read_runs
    from shardmark_tools.results.run_facts import MixedRuns, check_one_kind

    try:
        runs = read_runs(baseline)
    except NotReadable as error:
        return [str(error)]
    problems = [problem for run in runs for problem in problems_of_run(run.directory)]
    try:
        check_one_kind(runs, baseline)
    except MixedRuns as error:
        problems.append(str(error))
    files = [path for path in baseline.rglob("*") if path.is_file()]
    problems += [f"{path}: expected only {', '.join(FILES)}" for path in files if path.name not in FILES]
    size = sum(path.stat().st_size for path in files)
    if size > MOST_BYTES:
        problems.append(f"{baseline}: {size} bytes, at most {MOST_BYTES}")
    return problems


def without_paths(words):
    return [word.rsplit("/", 1)[-1] if word.startswith("/") else word for word in words]


def copy_run(run, target):
    target.mkdir(parents=True)
    for name in FILES:
        document = json.loads((pathlib.Path(run) / name).read_text(encoding="utf-8"))
        context = document["context"]
        for key in ("command_line", "executable"):
            if isinstance(context.get(key), list):
                context[key] = without_paths(context[key])
            elif key in context:
                context[key] = without_paths([context[key]])[0]
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        (target / name).write_text(text + "\n", encoding="utf-8")


def add(folder, name, runs):
    baseline = folder / name
    if baseline.exists():
        print(f"error: {baseline} exists already", file=sys.stderr)
        return 2
    for number, run in enumerate(runs):
        copy_run(run, baseline / f"{number:04d}")
    return report([baseline])


def report(baselines):
    problems = [problem for baseline in baselines for problem in problems_of(baseline)]
    print("\n".join(problems) or f"{len(baselines)} baselines, all good")
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER)
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("add")
    adding.add_argument("name")
    adding.add_argument("run", nargs="+", help="result folder of `shardmark run --out`")
    commands.add_parser("check")
    arguments = parser.parse_args()
    ensure_modules("jsonschema", status=77)
    try:
        if arguments.command == "add":
            return add(arguments.folder, arguments.name, arguments.run)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    baselines = sorted(path for path in arguments.folder.glob("*") if path.is_dir())
    if not baselines:
        print(f"skipped: no baseline in {arguments.folder}")
        return 77
    return report(baselines)


if __name__ == "__main__":
    sys.exit(main())
