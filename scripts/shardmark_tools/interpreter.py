# SPDX-License-Identifier: Apache-2.0
"""Finds a Python that has the modules a script needs.

A python3 of pyenv or conda earlier on PATH does not see the distribution's modules. So a script
calls ensure_modules() before it imports them; it restarts under an interpreter that has all.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

DEBIAN_PACKAGES = {
    "numpy": "python3-numpy",
    "scipy": "python3-scipy",
    "h5py": "python3-h5py",
    "jsonschema": "python3-jsonschema",
    "xxhash": "python3-xxhash",
}
RESTARTED = "SHARDMARK_PYTHON_RESTARTED"


def missing_here(modules: Sequence[str]) -> list[str]:
    return [name for name in modules if importlib.util.find_spec(name) is None]


def candidates() -> list[str]:
    """Interpreters in the order they are tried: the user's choice, Debian's, the one on PATH."""
    found = [os.environ.get("SHARDMARK_PYTHON"), "/usr/bin/python3", shutil.which("python3")]
    return [path for path in dict.fromkeys(found) if path and os.access(path, os.X_OK)]


def has_modules(python: str, modules: Sequence[str]) -> bool:
    command = [python, "-c", "import " + ", ".join(modules)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def prefer_modules(*modules: str) -> bool:
    """As ensure_modules(), but where no interpreter has them it goes on without: false."""
    if not missing_here(modules):
        os.environ.pop(RESTARTED, None)
        return True
    _restart_with(modules)
    return False


def _restart_with(modules: Sequence[str]) -> None:
    """Returns where no interpreter has them."""
    if RESTARTED in os.environ:
        return
    for python in candidates():
        if has_modules(python, modules):
            os.environ[RESTARTED] = "1"
            sys.stdout.flush()
            os.execv(python, [python, *sys.argv])


def ensure_modules(*modules: str, status: int = 2) -> None:
    """Returns if this interpreter has all modules, else restarts the script under one that has
    them, else says what is missing and exits with `status`."""
    missing = missing_here(modules)
    if not missing:
        os.environ.pop(RESTARTED, None)  # programs started from here look for themselves
        return
    _restart_with(modules)
    packages = " ".join(DEBIAN_PACKAGES.get(name, name) for name in missing)
    print(
        f"error: {os.path.basename(sys.argv[0])} needs the Python modules {', '.join(modules)}; "
        f"{sys.executable} lacks {', '.join(missing)}\n"
        f"  tried: {', '.join(candidates()) or 'no python3 found'}\n"
        f"  Debian: apt-get install {packages}; or set SHARDMARK_PYTHON to an interpreter that has them",
        file=sys.stderr,
    )
    sys.exit(status)
