# SPDX-License-Identifier: Apache-2.0
"""A folder of records that are never changed: one file each, named by the hash of its bytes, put there by rename.

So two writers never meet, a writer that dies leaves nothing but a temporary file, and two stores merge by copying.
Nothing else is kept: whatever is worked out of the records is worked out anew. Rename within one folder is all that
is asked of the file system, which NFS has too.
"""

import hashlib
import json
import os
import pathlib
import re
import secrets
import socket
import time
from typing import Any

from shardmark_tools.history.record_form import check_form
from shardmark_tools.refusal import Refused
from shardmark_tools.regular_file import open_regular
from shardmark_tools.results.json_document import NotReadable, parse

NAME = re.compile(r"[0-9a-f]{64}\.json")
TEMPORARY = re.compile(r"\.writing-.*")
FORMAT, VERSION = "shardmark history", 1
KINDS = ("run", "ack", "drop")
STALE_S = 24 * 3600.0  # a temporary file this old, by the file system's own clock, has no writer any more
WRITE_STOPS = "SHARDMARK_HISTORY_STOPS"  # for the test that ends writers: seconds to wait at each step


class BadStore(Refused):
    """The message names the store or the file, and what is wrong."""


Record = dict[str, Any]


def canonical(record: Record) -> bytes:
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def sync_folder(folder: pathlib.Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def pause() -> None:
    if WRITE_STOPS in os.environ:
        time.sleep(float(os.environ[WRITE_STOPS]))


class Store:
    """`folder` must exist, but for `create`."""

    def __init__(self, folder: pathlib.Path | str, create: bool = False) -> None:
        self.folder = pathlib.Path(folder)
        if create:
            try:
                self.folder.mkdir(exist_ok=True)
            except OSError as error:
                raise BadStore(f"{self.folder}: cannot make a store here: {error.strerror}") from error
        if not self.folder.is_dir():
            raise BadStore(f"{self.folder}: no such store; scripts/history --store {self.folder} add DIR makes one")

    def put(self, kind: str, content: Record) -> str:
        """The name that the record has; nothing happens if it is there already. Durable on return."""
        data = canonical({"format": FORMAT, "version": VERSION, "kind": kind, **content})
        name = f"{hashlib.sha256(data).hexdigest()}.json"
        target = self.folder / name
        if target.exists():
            return name
        self.sweep()
        temporary = self.folder / f".writing-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(8)}"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            with os.fdopen(handle, "wb") as file:
                pause()
                file.write(data)
                pause()
                file.flush()
                os.fsync(file.fileno())
            pause()
            self.rename(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        pause()
        sync_folder(self.folder)
        return name

    @staticmethod
    def rename(temporary: pathlib.Path, target: pathlib.Path) -> None:
        """Whoever renames second puts the same bytes in place of the same bytes."""
        try:
            os.rename(temporary, target)
        except FileNotFoundError:
            # NFS may say so of a rename that was done and whose answer was lost.
            if not target.exists():
                raise

    def sweep(self) -> None:
        """Removes what writers left that died long ago. Another sweeper may be faster."""
        left = [path for path in self.folder.iterdir() if TEMPORARY.fullmatch(path.name)]
        if not left:
            return
        clock = self.folder / f".writing-clock-{secrets.token_hex(8)}"
        try:
            clock.touch()
            now = clock.stat().st_mtime
            for path in left:
                if now - path.stat().st_mtime > STALE_S:
                    path.unlink(missing_ok=True)
        except FileNotFoundError:
            pass
        finally:
            clock.unlink(missing_ok=True)

    def records(self) -> dict[str, Record]:
        """{name: record} of all that is whole, by name. Errors: BadStore, NotReadable."""
        try:
            names = sorted(path.name for path in self.folder.iterdir() if NAME.fullmatch(path.name))
        except OSError as error:
            raise BadStore(f"{self.folder}: {error.strerror}") from error
        return {name: read_record(self.folder / name) for name in names}


def read_record(path: pathlib.Path) -> Record:
    """Errors: NotReadable, with file and key; Refused for what is no regular file."""
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise NotReadable(f"{path}: {error.strerror or error}") from error
    found = hashlib.sha256(data).hexdigest()
    if f"{found}.json" != path.name:
        raise NotReadable(f"{path}: its bytes have the hash {found[:16]}..., not the one of its name: copy it anew from "
                          "another store, or remove it")  # fmt: skip
    try:
        record = parse(data.decode())
    except ValueError as error:
        raise NotReadable(f"{path}: not JSON: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise NotReadable(f"{path}: format: expected '{FORMAT}'")
    kind = record.get("kind")
    if record.get("version") != VERSION or kind not in KINDS:
        raise NotReadable(f"{path}: version {record.get('version')}, kind '{kind}': this program knows "
                          f"version {VERSION} and the kinds {', '.join(KINDS)}")  # fmt: skip
    check_form(path, kind, record)
    return record
