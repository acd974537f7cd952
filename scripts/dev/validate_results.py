#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Validates result folders: samples.json against results/schema.json, its sums, and benchmark.json."""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

MOST_PROBLEMS_SHOWN = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="+", help="result folder of `shardmark run --out`")
    parser.add_argument(
        "--allow-unverified",
        action="store_true",
        help="accept I/O samples whose contents were not verified (run.verify = none)",
    )
    arguments = parser.parse_args()
    ensure_modules("jsonschema")
    from shardmark_tools.results.result_checks import check_results

    failed = False
    for directory in arguments.directory:
        problems, samples = check_results(directory, arguments.allow_unverified)
        failed = failed or bool(problems)
        for problem in problems[:MOST_PROBLEMS_SHOWN]:
            print(f"error: {directory}: {problem}", file=sys.stderr)
        if len(problems) > MOST_PROBLEMS_SHOWN:
            print(f"error: and {len(problems) - MOST_PROBLEMS_SHOWN} more", file=sys.stderr)
        print(f"{directory}: {samples} samples, {len(problems)} problems")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
