# SPDX-License-Identifier: Apache-2.0
"""Partial folders whose owners were killed: the next conversion to the same name removes them."""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil

OWNER_FILE = "owner"
MOST_OWNER_BYTES = 65536
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")


def partial_name(name: str, number: str) -> str:
    return f".{name}.partial-{number}"


def _boot() -> str:
    """Of this kernel; empty where nothing tells it."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def owner_text() -> str:
    """What this process writes into the owner's file, in the form that the library reads."""
    return f"host {os.uname().nodename}\npid {os.getpid()}\nboot {_boot()}\n"


def sweep_dead(final: pathlib.Path) -> None:
    """Removes the partial folders of `final` that nobody can be at work in: a process under this kernel made them, and
    their lock is free. What cannot be told, or not be removed, stays."""
    pattern = re.compile(re.escape(partial_name(final.name, "")) + "[0-9a-f]+")
    for path in final.parent.iterdir():
        if pattern.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                _remove_if_dead(path)


def _remove_if_dead(path: pathlib.Path) -> None:
    """Raises OSError where another has the lock, or there are no locks."""
    owner = os.open(path / OWNER_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        boot = _boot()
        lines = os.pread(owner, MOST_OWNER_BYTES, 0).decode("utf-8", "replace").splitlines()
        if not boot or f"boot {boot}" not in lines:
            return
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Else it has been committed meanwhile.
        if os.path.samestat(os.fstat(owner), os.lstat(path / OWNER_FILE)):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(owner)
