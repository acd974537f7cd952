#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every element of a checkpoint with h5py, without any Shardmark code."""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from shardmark_tools.interpreter import ensure_modules

MOST_FINDINGS_SHOWN = 20


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", help="the folder with the step-NNNNNNNN folders")
    parser.add_argument("--step", type=int, help="default: the newest committed step")
    parser.add_argument("--seed", type=int, help="fail if the checkpoint has another seed")
    parser.add_argument("--tensors", type=int, help="fail if it has another number of tensors")
    parser.add_argument(
        "--checksums",
        action="store_true",
        help="also recompute the XXH3-64 of every written chunk (needs xxhash); chunks of "
        "contiguous datasets are guessed from up to two-dimensional splits",
    )
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    modules = ["numpy", "h5py", *(["xxhash"] if arguments.checksums else [])]
    ensure_modules(*modules)
    from shardmark_tools.checkpoint.checkpoint_reader import Finding, check_checkpoint
    from shardmark_tools.checkpoint.committed_steps import CheckpointError

    try:
        report = check_checkpoint(arguments.directory, arguments.step, arguments.seed)
    except CheckpointError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.tensors is not None and report.tensors != arguments.tensors:
        message = f"expected {arguments.tensors} tensors, found {report.tensors}"
        report.findings.append(Finding("/tensors", message))
    checksums = ""
    if arguments.checksums and not report.findings:
        from shardmark_tools.checkpoint.checksum_table import check_checksums

        findings, entries, explained = check_checksums(arguments.directory, arguments.step)
        report.findings += findings
        checksums = f", {explained} of {entries} checksums recomputed"
    for finding in report.findings[:MOST_FINDINGS_SHOWN]:
        print(f"error: {report.path}: {finding}", file=sys.stderr)
    if len(report.findings) > MOST_FINDINGS_SHOWN:
        print(f"error: and {len(report.findings) - MOST_FINDINGS_SHOWN} more", file=sys.stderr)
    print(
        f"{report.path}: seed {report.seed}, {report.tensors} tensors with {report.elements} "
        f"elements checked, {report.objects} objects, {len(report.findings)} wrong{checksums}"
    )
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
