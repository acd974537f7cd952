# SPDX-License-Identifier: Apache-2.0
"""What loading modules makes of the environment, by the site's own `module` command."""

import os
import subprocess
from collections.abc import Sequence

from shardmark_tools.refusal import Refused

# A login shell: there sites define `module`. Its own output goes to where messages go.
SCRIPT = 'type module >/dev/null 2>&1 || exit 127; module load "$@" >&2 || exit 1; exec env -0'
SHELLS_OWN = ("_", "SHLVL", "PWD", "OLDPWD")
SECONDS = 120


class NoModules(Refused):
    """The message says what the site answered."""


def with_modules(modules: Sequence[str]) -> tuple[str, ...]:
    """NAME=VALUE of all that is another than in this process."""
    if not modules:
        return ()
    done = subprocess.run(["bash", "-lc", SCRIPT, "bash", *modules], capture_output=True, check=False, timeout=SECONDS)
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode == 127:
        raise NoModules("--by module: a login shell here has no command 'module'")
    if done.returncode != 0 or "error" in said.lower():
        raise NoModules(f"module load {' '.join(modules)}: {said[-400:] or f'exit code {done.returncode}'}")
    made = [word.decode(errors="surrogateescape") for word in done.stdout.split(b"\0") if b"=" in word]
    pairs = {word.partition("=")[0]: word for word in made}
    return tuple(word for name, word in sorted(pairs.items())
                 if name not in SHELLS_OWN and os.environ.get(name) != word.partition("=")[2])  # fmt: skip
