# SPDX-License-Identifier: Apache-2.0
"""Commands built of commits: each once, in one work tree, so that each costs what changed since the one before."""

import os
import pathlib
import shutil
import subprocess
import sys

from shardmark_tools.bisect.states import git

BUILD = "cmake --preset release && cmake --build --preset release --target shardmark_command"
COMMAND = "build/release/bench/cli/shardmark"


class Builds:
    """`folder` keeps what was built, and what could not be, over the end of this process."""

    def __init__(self, repository: pathlib.Path, folder: pathlib.Path, build: str = BUILD, command: str = COMMAND) -> None:
        self.repository, self.folder, self.build, self.command = repository, folder.resolve(), build, command
        self.source = self.folder / "source"

    def failed(self, commit: str) -> bool:
        return (self.folder / f"{commit}.failed").exists()

    def get(self, commit: str) -> pathlib.Path | None:
        """The command of a commit; None if it cannot be built."""
        kept = self.folder / commit / "shardmark"
        if kept.exists():
            return kept
        if self.failed(commit):
            return None
        print(f"building {commit[:12]}", file=sys.stderr, flush=True)
        self.check_out(commit)
        log = self.folder / f"{commit}.log"
        with open(log, "w", encoding="utf-8") as output:
            done = subprocess.run(["bash", "-c", self.build], cwd=self.source, stdout=output, stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, check=False)  # fmt: skip
        made = self.source / self.command
        if done.returncode != 0 or not os.access(made, os.X_OK):
            print(f"{commit[:12]} does not build: left out; {log} says why", file=sys.stderr, flush=True)
            (self.folder / f"{commit}.failed").touch()
            return None
        partial = self.folder / f".{commit}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        shutil.copy2(made, partial / "shardmark")
        partial.rename(kept.parent)
        return kept

    def check_out(self, commit: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.source / ".git").exists():
            git(self.source, "checkout", "--quiet", "--force", "--detach", commit)
            return
        shutil.rmtree(self.source, ignore_errors=True)
        git(self.repository, "worktree", "prune")
        git(self.repository, "worktree", "add", "--quiet", "--force", "--detach", str(self.source), commit)
