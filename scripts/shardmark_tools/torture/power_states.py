# SPDX-License-Identifier: Apache-2.0
"""States that a power loss may leave, of all that POSIX allows: what an fsync of the same file or folder that had
ended covers is there; of the rest each write is there or not, as a whole or by sectors of 512 bytes, which may hold
old bytes, zeros or anything; each length and each name is there or not, in any order. So a rename that no fsync of
its folder covers is there, or not, or was half done."""

import random
from collections.abc import Mapping
from typing import Union

from shardmark_tools.torture.storage_model import Change, Edit, File, Folder, Node, Span, Storage

SECTOR = 512
# Of what is not covered: nothing, everything (as when the processes alone die), the first so many, some of it, torn.
MANNERS = ("nothing", "everything", "first", "some", "torn")
# A whole tree: folders as mappings.
Tree = Mapping[str, Union[bytes, "Tree"]]


def covered_until(syncs: list[Span], loss_ns: int) -> int:
    """What had ended by then is on storage: the latest beginning of an fsync that had ended."""
    return max((sync.begin_ns for sync in syncs if sync.end_ns <= loss_ns), default=-1)


def has_uncovered_bytes(storage: Storage, loss_ns: int) -> bool:
    """Whether a loss at that time may leave a file torn."""
    for node in storage.nodes:
        if isinstance(node, File):
            covered = covered_until(node.syncs, loss_ns)
            if any(edit.begin_ns < loss_ns and edit.end_ns > covered for edit in node.edits):
                return True
    return False


class PowerLoss:
    """One moment and one way of losing what was not covered."""

    def __init__(self, loss_ns: int, chance: random.Random):
        self.loss_ns = loss_ns
        self.chance = chance
        self.manner = chance.choice(MANNERS)
        # How likely a name that is not covered is there: what cannot be seen tells nothing of its contents.
        self.share = chance.choice((0.5, 0.9, 1.0, chance.random()))

    def tree(self, storage: Storage) -> Tree:
        return self._tree(storage.top, {})

    def _tree(self, folder: Folder, seen: dict[int, bytes]) -> Tree:
        made: dict[str, bytes | Tree] = {}
        for name, node in self.entries(folder).items():
            if isinstance(node, Folder):
                made[name] = self._tree(node, seen)
            else:
                if id(node) not in seen:
                    seen[id(node)] = self.content(node)
                made[name] = seen[id(node)]
        return made

    def entries(self, folder: Folder) -> dict[str, Node]:
        covered = covered_until(folder.syncs, self.loss_ns)
        made = dict(folder.base)
        begun = [change for change in folder.changes if change.begin_ns < self.loss_ns]
        for change in begun:
            if change.end_ns <= covered:
                change.apply(folder, made)
        for change in self._chosen([change for change in begun if change.end_ns > covered]):
            self._apply(change, folder, made)
        return made

    def _apply(self, change: Change, folder: Folder, to: dict[str, Node]) -> None:
        """Nothing says that a rename happens at once: the new name alone, or only the old one's end, may be there."""
        parts = [part for part in change.parts if part[0] is folder]
        if len(parts) > 1 and self.manner in ("some", "torn") and self.chance.random() < 0.2:
            parts = [self.chance.choice(parts)]
        Change(change.begin_ns, change.end_ns, tuple(parts)).apply(folder, to)

    def _chosen(self, pending: list[Change]) -> list[Change]:
        if self.manner == "nothing":
            return []
        if self.manner == "everything":
            return pending
        if self.manner == "first":
            return pending[: self.chance.randint(0, len(pending))]
        return [change for change in pending if self.chance.random() < self.share]

    def content(self, file: File) -> bytes:
        covered = covered_until(file.syncs, self.loss_ns)
        made = bytearray(file.base)
        begun = [edit for edit in file.edits if edit.begin_ns < self.loss_ns]
        for edit in begun:
            if edit.end_ns <= covered:
                edit.apply(made)
        pending = [edit for edit in begun if edit.end_ns > covered]
        if not pending or self.manner == "nothing":
            return bytes(made)
        least = len(made)
        share = self.chance.random()
        first = self.chance.randint(0, len(pending)) if self.manner == "first" else len(pending)
        longest, cut = least, least
        for edit in pending[:first]:
            longest = max(longest, edit.offset + len(edit.data), edit.size)
            cut = min(cut, edit.size) if edit.exact else cut
            if self.manner in ("some", "torn") and self.chance.random() > share:
                continue
            if self.manner == "torn" and edit.data:
                self._tear(edit, made)
            else:
                edit.apply(made)
        if self.manner in ("some", "torn") and self.chance.random() < 0.5:
            self._choose_length(made, cut, longest)
        return bytes(made)

    def _tear(self, edit: Edit, to: bytearray) -> None:
        """Each sector as it was, as it should be, zeros or anything."""
        end = edit.offset + len(edit.data)
        if len(to) < end:
            to.extend(bytes(end - len(to)))
        at = edit.offset
        while at < end:
            after = min(end, (at // SECTOR + 1) * SECTOR)
            what = self.chance.random()
            if what < 0.5:
                to[at:after] = edit.data[at - edit.offset : after - edit.offset]
            elif what < 0.65:
                to[at:after] = bytes(after - at)
            elif what < 0.8:
                to[at:after] = self.chance.randbytes(after - at)
            at = after

    def _choose_length(self, to: bytearray, least: int, longest: int) -> None:
        """Any that the file has had or was to have; what no write has reached is zeros or anything."""
        length = self.chance.choice((least, longest, self.chance.randint(least, longest)))
        if length < len(to):
            del to[length:]
        else:
            more = length - len(to)
            to.extend(bytes(more) if self.chance.random() < 0.5 else self.chance.randbytes(more))
