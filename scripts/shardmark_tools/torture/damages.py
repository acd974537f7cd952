# SPDX-License-Identifier: Apache-2.0
"""Ways to damage a checkpoint: each takes the folder of a step and another step to mix in, changes something at
random, and says what. A way that does not fit this step says nothing."""

import os
import pathlib
import random
import shutil
from collections.abc import Callable

BLOCK = 4096
# The file that holds manifest and checksums: HDF5's, of raw back ends.
ENTRIES = ("checkpoint.h5", "checkpoint.raw")


class Damage:
    """Of `step`, with files of `other`: another step with the same files."""

    def __init__(self, chance: random.Random, step: pathlib.Path, other: pathlib.Path):
        self.chance = chance
        self.step = step
        self.other = other

    def a_file(self, least: int = 1) -> pathlib.Path | None:
        """Any of the step's with so many bytes; large ones not more often than small ones."""
        files = sorted(p for p in self.step.iterdir() if p.is_file() and p.stat().st_size >= least)
        return self.chance.choice(files) if files else None

    def edit(self, path: pathlib.Path, position: int, data: bytes) -> None:
        with open(path, "r+b") as file:
            file.seek(position)
            file.write(data)

    def flip_bit(self) -> str | None:
        path = self.a_file()
        if path is None:
            return None
        return self.flip_within(path, 0, path.stat().st_size)

    def flip_at_an_end(self) -> str | None:
        """Where HDF5 keeps its own: in the first and last KiB of a file."""
        path = self.a_file()
        if path is None:
            return None
        size = path.stat().st_size
        near = self.chance.randrange(min(size, 1024))
        return self.flip_within(path, near if self.chance.random() < 0.5 else size - 1 - near, 1)

    def flip_within(self, path: pathlib.Path, first: int, length: int) -> str:
        position = first + self.chance.randrange(length)
        with open(path, "rb") as file:
            file.seek(position)
            byte = file.read(1)[0]
        self.edit(path, position, bytes([byte ^ (1 << self.chance.randrange(8))]))
        return f"a bit of byte {position} of {path.name}"

    def flip_manifest(self) -> str | None:
        """COMMIT says where it lies: "manifest <address> <bytes>"."""
        entry = next((path for path in ENTRIES if (self.step / path).is_file()), None)
        lines = (self.step / "COMMIT").read_bytes().split(b"\n")
        words = next((line.split() for line in lines if line.startswith(b"manifest ")), None)
        if entry is None or words is None or len(words) != 3:
            return None
        return "of the manifest: " + self.flip_within(self.step / entry, int(words[1]), int(words[2]))

    def flip_commit(self) -> str | None:
        path = self.step / "COMMIT"
        return self.flip_within(path, 0, path.stat().st_size)

    def flip_checksum(self) -> str | None:
        """Only HDF5 says where these lie."""
        try:
            import h5py

            with h5py.File(self.step / ENTRIES[0]) as file:
                table = file["shardmark/checksums"]
                first, length = table.id.get_offset(), table.id.get_storage_size()
        except (ImportError, OSError, KeyError):
            return self.flip_bit()
        return "of the checksums: " + self.flip_within(self.step / ENTRIES[0], first, length)

    def tear(self) -> str | None:
        path = self.a_file()
        if path is None:
            return None
        size = path.stat().st_size
        lost = self.chance.randint(1, min(size, BLOCK))
        self.edit(path, size - lost, bytes(lost))
        return f"the last {lost} bytes of {path.name} are zeros"

    def truncate(self) -> str | None:
        path = self.a_file()
        if path is None:
            return None
        size = path.stat().st_size
        left = self.chance.choice((0, size - 1, self.chance.randrange(size), size // BLOCK * BLOCK))
        os.truncate(path, min(left, size - 1))
        return f"{path.name} cut from {size} to {path.stat().st_size} bytes"

    def extend(self) -> str | None:
        path = self.a_file()
        if path is None:
            return None
        more = self.chance.randbytes(self.chance.choice((1, 8, BLOCK)))
        with open(path, "ab") as file:
            file.write(more)
        return f"{len(more)} bytes behind the end of {path.name}"

    def zero_page(self) -> str | None:
        path = self.a_file(BLOCK)
        if path is None:
            return None
        at = self.chance.randrange(path.stat().st_size // BLOCK) * BLOCK
        self.edit(path, at, bytes(BLOCK))
        return f"page at {at} of {path.name} is zeros"

    def swap_blocks(self) -> str | None:
        path = self.a_file(2 * BLOCK)
        if path is None:
            return None
        first, second = self.chance.sample(range(path.stat().st_size // BLOCK), 2)
        with open(path, "r+b") as file:
            parts = []
            for block in (first, second):
                file.seek(block * BLOCK)
                parts.append(file.read(BLOCK))
            for block, part in zip((second, first), parts, strict=True):
                file.seek(block * BLOCK)
                file.write(part)
        return f"blocks {first} and {second} of {path.name} swapped"

    def swap_files(self) -> str | None:
        files = sorted(p for p in self.step.iterdir() if p.is_file())
        if len(files) < 2:
            return None
        first, second = self.chance.sample(files, 2)
        between = self.step / "between"
        first.rename(between)
        second.rename(first)
        between.rename(second)
        return f"{first.name} and {second.name} swapped"

    def mix_files(self) -> str | None:
        path = self.a_file()
        if path is None or not (self.other / path.name).is_file():
            return None
        shutil.copyfile(self.other / path.name, path)
        return f"{path.name} is that of {self.other.name}"

    def mix_block(self) -> str | None:
        path = self.a_file(BLOCK)
        if path is None or not (self.other / path.name).is_file():
            return None
        at = self.chance.randrange(path.stat().st_size // BLOCK) * BLOCK
        with open(self.other / path.name, "rb") as file:
            file.seek(at)
            self.edit(path, at, file.read(BLOCK))
        return f"block at {at} of {path.name} is that of {self.other.name}"

    def remove_file(self) -> str | None:
        path = self.a_file(0)
        if path is None:
            return None
        path.unlink()
        return f"{path.name} is gone"

    def put_in_place(self) -> str | None:
        path = self.a_file(0)
        if path is None:
            return None
        kind = self.chance.choice(("link", "FIFO", "folder", "link to nothing"))
        elsewhere = self.step.parent / "elsewhere"
        path.rename(elsewhere)
        if kind == "link":
            path.symlink_to(elsewhere)
        elif kind == "FIFO":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("nothing")
        return f"a {kind} in the place of {path.name}"

    def whole_other_step(self) -> str | None:
        """Under this one's name: another number, or another run's of the same number."""
        shutil.rmtree(self.step)
        shutil.copytree(self.other, self.step)
        return f"{self.step.name} is a copy of {self.other.name}"


KINDS: dict[str, Callable[[Damage], str | None]] = {
    "flip": Damage.flip_bit, "flip at an end": Damage.flip_at_an_end, "flip manifest": Damage.flip_manifest,
    "flip COMMIT": Damage.flip_commit, "flip checksum": Damage.flip_checksum, "tear": Damage.tear,
    "truncate": Damage.truncate, "extend": Damage.extend, "zero page": Damage.zero_page,
    "swap blocks": Damage.swap_blocks, "swap files": Damage.swap_files, "mix files": Damage.mix_files,
    "mix block": Damage.mix_block, "remove": Damage.remove_file, "put in place": Damage.put_in_place,
    "other step": Damage.whole_other_step,
}  # fmt: skip
