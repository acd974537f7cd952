# SPDX-License-Identifier: Apache-2.0
"""Files and folders with all that was done to them and when: what a record of calls becomes."""

import dataclasses
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import TypeVar, Union

from shardmark_tools.refusal import Refused
from shardmark_tools.torture import call_record
from shardmark_tools.torture.call_record import Call

KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
EXCHANGE = 2  # RENAME_EXCHANGE


@dataclasses.dataclass(frozen=True)
class Span:
    begin_ns: int
    end_ns: int


@dataclasses.dataclass(frozen=True)
class Edit(Span):
    """Of a file: bytes at `offset`; without bytes, a length: at least `size`, or exactly."""

    offset: int = 0
    data: bytes = b""
    size: int = 0
    exact: bool = False

    def apply(self, to: bytearray) -> None:
        if self.data:
            end = self.offset + len(self.data)
            if len(to) < end:
                to.extend(bytes(end - len(to)))
            to[self.offset : end] = self.data
            return
        if self.exact:
            del to[self.size :]
        if len(to) < self.size:
            to.extend(bytes(self.size - len(to)))


@dataclasses.dataclass(eq=False)
class File:
    base: bytes = b""
    edits: list[Edit] = dataclasses.field(default_factory=list)
    syncs: list[Span] = dataclasses.field(default_factory=list)

    def content(self) -> bytes:
        """After everything."""
        made = bytearray(self.base)
        for edit in self.edits:
            edit.apply(made)
        return bytes(made)


@dataclasses.dataclass(eq=False)
class Folder:
    base: "dict[str, Node]" = dataclasses.field(default_factory=dict)
    changes: "list[Change]" = dataclasses.field(default_factory=list)
    syncs: list[Span] = dataclasses.field(default_factory=list)

    def entries(self) -> "dict[str, Node]":
        """After everything."""
        made = dict(self.base)
        for change in self.changes:
            change.apply(self, made)
        return made


Node = Union[File, Folder]
NewNode = TypeVar("NewNode", File, Folder)


@dataclasses.dataclass(frozen=True, eq=False)
class Change(Span):
    """Of names: (folder, name, what it is now or None). A rename has two parts."""

    parts: tuple[tuple[Folder, str, Node | None], ...] = ()

    def apply(self, folder: Folder, to: dict[str, Node]) -> None:
        for where, name, node in self.parts:
            if where is folder:
                if node is None:
                    to.pop(name, None)
                else:
                    to[name] = node


class Storage:
    """Everything at and below `root`. Folders and files are known by inode while they live."""

    def __init__(self, root: pathlib.Path):
        self.root = str(root)
        self.by_inode: dict[int, Node] = {}
        self.nodes: list[Node] = []
        self.top = self._scan(root)

    def _scan(self, path: pathlib.Path) -> Folder:
        folder = self._new(Folder(), path.stat().st_ino)
        for below in path.iterdir():
            node: Node
            if below.is_dir():
                node = self._scan(below)
            else:
                node = self._new(File(below.read_bytes()), below.stat().st_ino)
            folder.base[below.name] = node
        return folder

    def _new(self, node: NewNode, inode: int) -> NewNode:
        self.by_inode[inode] = node
        self.nodes.append(node)
        return node

    def take(self, calls: Iterable[Call]) -> None:
        """Calls by their ends. Errors: Refused, if one cannot be followed."""
        for call in calls:
            self._take(call)

    def find(self, path: str) -> Node | None:
        """As names are after what was taken."""
        node: Node | None = self.top
        relative = os.path.relpath(path, self.root)
        for name in [] if relative == "." else relative.split("/"):
            node = node.entries().get(name) if isinstance(node, Folder) else None
        return node

    def _parent(self, path: str) -> tuple[Folder, str]:
        folder = self.find(os.path.dirname(path))
        if not isinstance(folder, Folder):
            raise Refused(f"the record does not say how {os.path.dirname(path)} was made")
        return folder, os.path.basename(path)

    def _change(self, call: Call, *parts: tuple[str, Node | None]) -> None:
        found = tuple((*self._parent(path), node) for path, node in parts)
        change = Change(call.begin_ns, call.end_ns, found)
        for folder in {id(folder): folder for folder, _, _ in found}.values():
            folder.changes.append(change)

    def _open_node(self, call: Call) -> Node:
        node = self.by_inode.get(call.inode)
        if node is None:
            raise Refused(f"the record does not say how {call.path} was made")
        return node

    def _take(self, call: Call) -> None:
        span = (call.begin_ns, call.end_ns)
        if call.done == call_record.OPENED:
            self._take_open(call)
        elif call.done == call_record.FOLDER_MADE:
            self._change(call, (call.path, self._new(Folder(), call.inode)))
        elif call.done == call_record.RENAMED:
            node = self.find(call.path)
            if node is None or call.a & EXCHANGE:
                raise Refused(f"the record does not say what {call.path} was when it was renamed")
            self._change(call, (call.path, None), (call.other, node))
        elif call.done == call_record.LINKED:
            self._change(call, (call.other, self.find(call.path)))
        elif call.done == call_record.REMOVED:
            self._change(call, (call.path, None))
        elif call.done == call_record.SYNCED:
            self._open_node(call).syncs.append(Span(*span))
        elif call.done in (call_record.WRITTEN, call_record.TRUNCATED, call_record.ALLOCATED):
            self._take_edit(call)
        else:
            raise Refused(f"the record cannot follow {call.other or 'a call'} on {call.path}")

    def _take_open(self, call: Call) -> None:
        node = self.find(call.path)
        if node is None:
            node = self._new(File(), call.inode)
            self._change(call, (call.path, node))
        if call.a & os.O_TRUNC and isinstance(node, File):
            node.edits.append(Edit(call.begin_ns, call.end_ns, exact=True))

    def _take_edit(self, call: Call) -> None:
        file = self._open_node(call)
        if not isinstance(file, File):
            raise Refused(f"{call.path} is a folder and was written to")
        if call.done == call_record.WRITTEN:
            file.edits.append(Edit(call.begin_ns, call.end_ns, call.a, call.data))
        elif call.done == call_record.TRUNCATED:
            file.edits.append(Edit(call.begin_ns, call.end_ns, size=call.a, exact=True))
        elif call.mode == 0:
            file.edits.append(Edit(call.begin_ns, call.end_ns, size=call.a + call.b))
        elif call.mode != KEEP_SIZE:
            raise Refused(f"the record cannot follow fallocate of mode {call.mode} on {call.path}")


def files_of(folder: Folder, below: str = "") -> Iterator[tuple[str, bytes]]:
    """(path, contents) after everything."""
    for name, node in folder.entries().items():
        if isinstance(node, Folder):
            yield from files_of(node, f"{below}{name}/")
        else:
            yield below + name, node.content()


def differs(storage: Storage) -> str | None:
    """What the storage has otherwise than the record says; None if nothing."""
    root = pathlib.Path(storage.root)
    recorded = dict(files_of(storage.top))
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for name in sorted(recorded.keys() | found.keys()):
        if recorded.get(name) != found.get(name):
            return f"{name} is not as the record says"
    return None
