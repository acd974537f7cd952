#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every command that the documents show, as far as a test can.

Usage: check_documents.py PROGRAM. PROGRAM is the shardmark command. What stands in blocks of shell in the documents
below is taken line by line: commands of shardmark run (suites list their cases, checkpoints are of a small model);
scripts must exist and know every option that is shown; what needs a cluster or a build of its own is named here with
what runs it. A command that fits nothing is a failure. Exit codes: 0 all hold, 1 some do not, 2 usage.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "bench/README.md", "configs/README.md", "results/README.md", "scripts/README.md")
# What else runs a command that a test of a minute cannot.
ELSEWHERE = (
    (r"scripts/run( smoke| quick)?$", ".ci/run"),
    (r"scripts/test$", ".ci/run"),
    (r"(cmake|ctest) ", "scripts/dev/check_install"),
    (r"shardmark torture ", "scripts/dev/torture_command_test.py"),
    (r"module ", "a site's own"),
    (r"mpirun .* --set model\.job=", "scripts/dev/played_test.py"),
    (r"(srun|sbatch) ", "scripts/dev/check_nodes"),
    (r"(for|do|done|if|then|fi)\b", "a shell's own; its commands stand in it"),
    (r"python3? ", "the tests of what it calls"),
    (r"promtool ", "scripts/shardmark_tools/history/monitoring_test.py"),
)
SMALL = ["--set", "model.scale=0.0005"]


def commands_of(text: str) -> list[str]:
    """Lines of the blocks marked sh, continued lines joined, comments taken off."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            if line:
                found.append(line)
    return found


def write_files_of(text: str, folder: str) -> None:
    """Files that commands name: a block marked toml whose first line says which, "# lustre.toml: ..."."""
    for name, block in re.findall(r"^```toml\n# (\S+\.toml)\b(.*?)^```", text, re.M | re.S):
        pathlib.Path(folder, name).write_text("#" + block, encoding="utf-8")


def run(words: list[str], folder: str) -> str:
    """Why it failed, or nothing."""
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}"


def check_program(words: list[str], program: str, folder: str) -> str:
    at = next(i for i, word in enumerate(words) if word.endswith("shardmark"))
    arguments = words[at + 1:]  # fmt: skip
    if arguments[:1] == ["run"]:
        # Result folders are the user's; which cases there would be is told without them.
        at_out = arguments.index("--out") if "--out" in arguments else len(arguments)
        arguments = arguments[:at_out] + arguments[at_out + 2:] + ["--benchmark_list_tests=true"]  # fmt: skip
    elif arguments[:1] in (["save"], ["load"]):
        arguments += SMALL
    return run([*words[:at], program, *arguments], folder)


def check_script(words: list[str]) -> str:
    script = ROOT / words[0]
    if not os.access(script, os.X_OK):
        return f"no executable {words[0]}"
    shown = [word.split("=")[0] for word in words[1:] if word.startswith("--") and word != "--"]
    if not shown:
        return ""
    text = script.read_text(encoding="utf-8", errors="replace")
    answer = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=60, check=False)
    unknown = [option for option in shown if option not in answer.stdout and option not in text]
    return f"does not know {', '.join(unknown)}" if unknown else ""


def check(command: str, program: str, folder: str) -> str:
    if any(re.match(pattern, command) for pattern, _ in ELSEWHERE):
        return ""
    words = shlex.split(command)
    if any(word == "shardmark" or word.endswith("/shardmark") for word in words[:6]) and words[0] in ("mpirun", "shardmark"):
        return check_program(words, program, folder)
    if words[0].startswith("scripts/"):
        return check_script(words)
    return "nothing runs this; give it a row in scripts/dev/check_documents.py"


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    program = str(pathlib.Path(sys.argv[1]).resolve())
    failed = count = 0
    for name in DOCUMENTS:
        path = ROOT / name
        with tempfile.TemporaryDirectory() as folder:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            write_files_of(text, folder)
            for command in commands_of(text):
                count += 1
                why = check(command, program, folder)
                if why:
                    failed += 1
                    print(f"{name}: {command}\n  {why}", file=sys.stderr)
    print(f"{count} commands in {len(DOCUMENTS)} documents, {failed} of them do not hold")
    return 1 if failed or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
