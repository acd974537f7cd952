# SPDX-License-Identifier: Apache-2.0
"""States after a loss of power: what was synced is always there; a protocol without one of its syncs, or in another
order, is found out."""

import os
import pathlib
import random
import sys
import tempfile
import unittest
from collections.abc import Callable, Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.refusal import Refused  # noqa: E402
from shardmark_tools.torture import call_record as record  # noqa: E402
from shardmark_tools.torture.call_record import Call  # noqa: E402
from shardmark_tools.torture.power_states import PowerLoss, Tree  # noqa: E402
from shardmark_tools.torture.storage_model import File, Storage, differs, files_of  # noqa: E402

ELEMENTS, COMMIT = bytes(range(256)) * 16, b"committed" * 100
DRAWS = 3000
# One after another: what is done, to which name, with what. Names below the root; (name, name) is a rename.
PROTOCOL: tuple[tuple[str, str | tuple[str, str], bytes], ...] = (
    ("folder", "d", b""),
    ("folder", "d/partial", b""),
    ("open", "d/partial/elements", b""),
    ("write", "d/partial/elements", ELEMENTS),
    ("sync", "d/partial/elements", b""),
    ("open", "d/partial/COMMIT", b""),
    ("write", "d/partial/COMMIT", COMMIT),
    ("sync", "d/partial/COMMIT", b""),
    ("sync", "d/partial", b""),
    ("rename", ("d/partial", "d/step"), b""),
    ("sync", "d", b""),
    ("sync", ".", b""),
)


class Writer:
    """Does what a protocol says to real files, and writes the record that it should give."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.calls: list[Call] = []

    def play(self, protocol: tuple[tuple[str, str | tuple[str, str], bytes], ...]) -> list[Call]:
        for number, (what, name, data) in enumerate(protocol):
            begin, end = 10 * number, 10 * number + 5
            if isinstance(name, tuple):
                old, new = (self.root / word for word in name)
                old.rename(new)
                self.calls.append(Call(record.RENAMED, begin, end, path=str(old), other=str(new)))
                continue
            path = self.root / name
            if what == "folder":
                path.mkdir()
            elif what == "open":
                path.touch()
            elif what == "write":
                path.write_bytes(data)
            done = {"folder": record.FOLDER_MADE, "open": record.OPENED, "write": record.WRITTEN, "sync": record.SYNCED}[what]
            self.calls.append(Call(done, begin, end, path.stat().st_ino, path=os.path.normpath(path), data=data))
        return self.calls


def below(tree: Tree, *names: str) -> bytes | Tree | None:
    node: bytes | Tree | None = tree
    for name in names:
        node = None if node is None or isinstance(node, bytes) else node.get(name)
    return node


def is_whole(tree: Tree) -> bool:
    return below(tree, "d", "step", "elements") == ELEMENTS and below(tree, "d", "step", "COMMIT") == COMMIT


class PowerStates(unittest.TestCase):
    def storage(self, protocol: tuple[tuple[str, str | tuple[str, str], bytes], ...]) -> Storage:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = pathlib.Path(folder.name)
        storage = Storage(root)
        storage.take(Writer(root).play(protocol))
        self.assertIsNone(differs(storage))
        return storage

    def trees(self, protocol: tuple[tuple[str, str | tuple[str, str], bytes], ...]) -> Iterator[tuple[bool, Tree]]:
        """(whether all was over, a state)."""
        storage = self.storage(protocol)
        chance = random.Random(1)
        for _ in range(DRAWS):
            place = chance.randrange(len(protocol)) if chance.random() < 0.8 else len(protocol) - 1
            yield place == len(protocol) - 1, PowerLoss(10 * place + 6, chance).tree(storage)

    def faults(self, protocol: tuple[tuple[str, str | tuple[str, str], bytes], ...]) -> Iterator[str]:
        for over, tree in self.trees(protocol):
            there = below(tree, "d", "step") is not None
            if over and not there:
                yield "lost"
            if there and not is_whole(tree):
                yield "not whole"

    def test_the_protocol_holds_in_every_state(self) -> None:
        self.assertEqual(list(self.faults(PROTOCOL)), [])

    def test_a_sync_that_is_left_out_is_found(self) -> None:
        for number, (what, name, _) in enumerate(PROTOCOL):
            if what == "sync":
                with self.subTest(name=name):
                    self.assertTrue(list(self.faults(PROTOCOL[:number] + PROTOCOL[number + 1 :])))

    def test_a_rename_before_the_files_are_synced_is_found(self) -> None:
        early = PROTOCOL[:4] + PROTOCOL[5:7] + PROTOCOL[9:11]
        self.assertTrue(any(fault == "not whole" for fault in self.faults(early)))

    def test_states_are_of_every_sort(self) -> None:
        """Without a sync of the elements: none of it, all of it, sectors torn, lengths between, names missing."""
        protocol = PROTOCOL[:4] + PROTOCOL[5:]
        seen = {name: 0 for name in ("absent", "empty", "whole", "short", "torn")}
        for _, tree in self.trees(protocol):
            found = below(tree, "d", "partial", "elements") or below(tree, "d", "step", "elements")
            if below(tree, "d") is None:
                seen["absent"] += 1
            elif isinstance(found, bytes):
                seen["whole"] += found == ELEMENTS
                seen["short"] += 0 < len(found) < len(ELEMENTS)
                seen["torn"] += len(found) == len(ELEMENTS) and found != ELEMENTS
            elif below(tree, "d", "partial", "elements") == b"":
                seen["empty"] += 1
        self.assertEqual([name for name, count in seen.items() if count == 0], [])

    def test_a_write_over_what_is_synced_leaves_old_and_new_sectors_alone_untouched(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "file").write_bytes(b"o" * 2048)
            storage = Storage(root)
            inode = (root / "file").stat().st_ino
            storage.take([Call(record.WRITTEN, 0, 5, inode, a=512, path=str(root / "file"), data=b"n" * 512)])
            chance = random.Random(3)
            for _ in range(500):
                found = PowerLoss(6, chance).tree(storage)["file"]
                assert isinstance(found, bytes)
                self.assertEqual((found[:512], found[1024:]), (b"o" * 512, b"o" * 1024))

    def test_a_record_that_lacks_a_call_is_refused_or_differs(self) -> None:
        for number, (what, _, _) in enumerate(PROTOCOL):
            if what == "sync":
                continue
            with self.subTest(number=number), tempfile.TemporaryDirectory() as name:
                root = pathlib.Path(name)
                storage = Storage(root)
                calls = Writer(root).play(PROTOCOL)
                try:
                    storage.take(calls[:number] + calls[number + 1 :])
                except Refused:
                    continue
                self.assertIsNotNone(differs(storage))

    def test_calls_that_cannot_be_followed_are_refused(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "file").touch()
            inode = (root / "file").stat().st_ino
            for call in (Call(record.NOT_KNOWN, 0, 1, path=f"{root}/file", other="mmap"),
                         Call(record.ALLOCATED, 0, 1, inode, mode=3, b=8, path=f"{root}/file"),
                         Call(record.WRITTEN, 0, 1, 12345678901, data=b"x", path=f"{root}/unknown")):  # fmt: skip
                with self.subTest(call=call), self.assertRaises(Refused):
                    Storage(root).take([call])

    def test_lengths(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "file").write_bytes(b"x" * 100)
            inode = (root / "file").stat().st_ino

            def after(*calls: Callable[[int], Call]) -> bytes:
                storage = Storage(root)
                storage.take(call(inode) for call in calls)
                file = storage.top.entries()["file"]
                assert isinstance(file, File)
                return file.content()

            cut = after(lambda of: Call(record.TRUNCATED, 0, 1, of, a=10), lambda of: Call(record.ALLOCATED, 2, 3, of, a=10, b=5))
            self.assertEqual(cut, b"x" * 10 + bytes(5))
            self.assertEqual(after(lambda of: Call(record.ALLOCATED, 0, 1, of, b=500, mode=1)), b"x" * 100)
            opened = after(lambda of: Call(record.OPENED, 0, 1, of, a=os.O_TRUNC, path=f"{root}/file"))
            self.assertEqual(opened, b"")

    def test_records_are_read_as_they_are_written(self) -> None:
        path, other, data = b"/a/../b", b"/c", b"bytes"
        header = record.HEADER.pack(record.WRITTEN, len(path), len(other), 7, 1, 2, 3, 4, 5, len(data))
        found = list(record.decode((header + path + other + data) * 2))
        self.assertEqual(found, [Call(record.WRITTEN, 1, 2, 3, 4, 5, 7, "/b", "/c", data)] * 2)
        with self.assertRaises(Refused):
            list(record.decode(header + path))

    def test_files_of_a_tree(self) -> None:
        self.assertEqual(dict(files_of(self.storage(PROTOCOL).top)), {"d/step/elements": ELEMENTS, "d/step/COMMIT": COMMIT})


if __name__ == "__main__":
    unittest.main()
