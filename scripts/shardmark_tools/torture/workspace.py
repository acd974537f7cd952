# SPDX-License-Identifier: Apache-2.0
"""The folder that everything lies in, made below DIR and removed whatever happens; and how much room there is.

It is held by a lock, which the kernel lets go of when its process dies: the next one here removes what a killed one
left."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import uuid
from collections.abc import Iterator

from shardmark_tools.refusal import Refused

NAME = ".shardmark-torture-"
LOCK = "lock"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _take(path: pathlib.Path) -> int | None:
    """The file, locked; None if somebody has it or it cannot be locked here."""
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def sweep(directory: pathlib.Path) -> int:
    """Removes the folders that dead processes left; how many."""
    swept = 0
    for path in directory.glob(f"{NAME}*"):
        if path.is_symlink() or not (path / LOCK).is_file():
            continue
        held = _take(path / LOCK)
        if held is not None:
            remove(path)
            os.close(held)
            swept += 1
    return swept


def remove(path: pathlib.Path) -> None:
    """What a test made unreadable too. The lock goes last."""
    for name in os.listdir(path):
        if name == LOCK:
            continue
        below = path / name
        if below.is_symlink() or not below.is_dir():
            below.unlink(missing_ok=True)
        else:
            shutil.rmtree(below, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """What a signal would leave half done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _new_folder(directory: pathlib.Path) -> tuple[pathlib.Path, int | None]:
    """With its lock, where there are locks. It gets its name only when it is locked: nobody takes it for a dead one's.
    Errors: Refused."""
    unnamed = directory / f".new{NAME}{uuid.uuid4().hex[:12]}"
    try:
        unnamed.mkdir()
    except OSError as error:
        raise Refused(f"--dir {directory}: no folder can be made in it: {error.strerror}") from error
    held = _take(unnamed / LOCK)
    if held is None:
        return unnamed, None
    root = directory / unnamed.name.removeprefix(".new")
    unnamed.rename(root)
    return root, held


@contextlib.contextmanager
def workspace(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """A new folder below `directory`, whose parent must exist; both go again as far as they were made here.
    Errors: Refused, naming what is missing."""
    made = False
    if not directory.is_dir():
        if directory.exists():
            raise Refused(f"--dir {directory}: not a directory")
        try:
            directory.mkdir()
        except OSError as error:
            raise Refused(f"--dir {directory}: cannot be made: {error.strerror}; its parent must exist") from error
        made = True
    try:
        sweep(directory)
        with _uninterrupted():
            root, held = _new_folder(directory)
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
                yield root
            finally:
                signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
                remove(root)
                if held is not None:
                    os.close(held)
    finally:
        if made:
            with contextlib.suppress(OSError):
                directory.rmdir()


def check_room(directory: pathlib.Path, num_bytes: int, num_files: int) -> None:
    """Errors: Refused, if the file system of `directory`, or of its parent, says that it has less."""
    place = directory if directory.is_dir() else directory.parent
    try:
        found = os.statvfs(place)
    except OSError as error:
        raise Refused(f"--dir {directory}: {error.strerror}; its parent must exist") from error
    free = found.f_bavail * found.f_frsize
    if free < num_bytes:
        raise Refused(f"--dir {directory}: {num_bytes >> 20} MiB are needed, {free >> 20} MiB are free")
    if found.f_files and found.f_favail < num_files:
        raise Refused(f"--dir {directory}: room for {num_files} files is needed, for {found.f_favail} there is")
