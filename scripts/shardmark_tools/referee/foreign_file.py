# SPDX-License-Identifier: Apache-2.0
"""Reads files that others wrote: any of them may be cut, damaged or hostile.

Whatever is wrong becomes a BadFile that names file, key, what was found and what was expected.
"""

import csv
import json
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Any, NoReturn

MOST_BYTES = 64 * 2**20
MOST_SHOWN = 60
LEAST_ABOVE_ZERO, MOST = 1e-9, 1e18  # beyond these no time, size or rate of a result lies
PLACEHOLDER = b"PRUNED BY STAFF"  # what reviewers of a results repository left of large files


class BadFile(Exception):
    """The message is for the user."""

    def __init__(self, path: pathlib.Path | str, message: str):
        super().__init__(f"{path}: {message}")
        self.path, self.message = str(path), message


def shown(value: Any) -> str:
    """A value from a file as it may stand in a message: one line, no control characters, not long."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."


def read_bytes(path: pathlib.Path) -> bytes:
    """A regular file of at most 64 MiB; pipes and devices are refused without being opened for long."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BadFile(path, "not a regular file")
            if status.st_size > MOST_BYTES:
                raise BadFile(path, f"{status.st_size} bytes; expected at most {MOST_BYTES}")
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadFile(path, error.strerror or str(error)) from error


def read_text(path: pathlib.Path) -> str:
    content = read_bytes(path)
    if content.startswith(PLACEHOLDER):
        raise BadFile(path, "a placeholder, its content was taken out ('PRUNED BY STAFF')")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(path, f"not UTF-8 at byte {error.start}") from error


def refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


def parse_json(path: pathlib.Path, text: str, where: str = "") -> "Node":
    """`where` names the place of the text in the file, as in "line 3"."""
    place = f"{where}: " if where else ""
    try:
        return Node(path, json.loads(text, parse_constant=refuse_constant), where)
    except RecursionError as error:
        raise BadFile(path, f"{place}nested too deeply for a result") from error
    except ValueError as error:
        raise BadFile(path, f"{place}not JSON: {shown(str(error))}") from error


def read_json(path: pathlib.Path) -> "Node":
    return parse_json(path, read_text(path))


class Node:
    """A value inside a JSON file that knows its place, and gives only what was asked for."""

    def __init__(self, path: pathlib.Path, value: Any, key: str = ""):
        self.path, self.value, self.key = path, value, key

    def bad(self, expected: str) -> BadFile:
        place = self.key or "the document"
        return BadFile(self.path, f"{place}: found {shown(self.value)}, expected {expected}")

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def members(self) -> dict[str, "Node"]:
        if not isinstance(self.value, dict):
            raise self.bad("an object")
        return {key: self.child(key) for key in self.value}

    def child(self, key: str) -> "Node":
        if not isinstance(self.value, dict):
            raise self.bad("an object")
        place = f"{self.key}.{key}" if self.key else key
        if key not in self.value:
            raise BadFile(self.path, f"no key {shown(place)}")
        return Node(self.path, self.value[key], place)

    def find(self, *keys: str) -> "Node | None":
        """The value below those keys, or None where one of them is not there."""
        node = self
        for key in keys:
            if key not in node:
                return None
            node = node.child(key)
        return node

    def items(self) -> list["Node"]:
        if not isinstance(self.value, list):
            raise self.bad("a list")
        return [Node(self.path, value, f"{self.key}[{i}]") for i, value in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.bad("text")
        return self.value

    def number(self, least: float = 0.0) -> float:
        """A number up to 1e18, also one written as text (elbencho writes every value so)."""
        value = self.value
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                value = None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.bad("a number")
        if not least <= value <= MOST:  # not so for NaN either
            raise self.bad(f"a number from {least:g} to {MOST:g}")
        return float(value)

    def positive(self) -> float:
        """A time, size or rate that others are divided by."""
        return self.number(least=LEAST_ABOVE_ZERO)

    def count(self, least: int = 0, most: int = 10_000_000) -> int:
        value = self.number(least)
        if value != int(value) or value > most:
            raise self.bad(f"a whole number from {least} to {most}")
        return int(value)


class Table:
    """The rows of a CSV file with a line of names first."""

    def __init__(self, path: pathlib.Path, text: str, shorter: bool = False):
        """A row longer than the first is an error, as is a shorter one unless `shorter`."""
        self.path = path
        self.names: list[str] = []
        self.rows: list[tuple[int, dict[str, str]]] = []
        lines = csv.reader(text.splitlines())
        try:
            self.names = next(lines, [])
            for row in lines:
                if len(row) > len(self.names) or (len(row) < len(self.names) and not shorter):
                    raise BadFile(path, f"line {lines.line_num}: {len(row)} columns, expected {len(self.names)}")
                self.rows.append((lines.line_num, dict(zip(self.names, row))))
        except csv.Error as error:
            raise BadFile(path, f"line {lines.line_num}: {error}") from error

    def __iter__(self) -> Iterator["Row"]:
        return (Row(self.path, line, cells) for line, cells in self.rows)


class Row:
    """One row of a Table: cells by column name, as nodes that know their place."""

    def __init__(self, path: pathlib.Path, line: int, cells: dict[str, str]):
        self.path, self.line, self.cells = path, line, cells

    def __getitem__(self, column: str) -> Node:
        if column not in self.cells:
            raise BadFile(self.path, f"line {self.line}: no column {shown(column)}")
        return Node(self.path, self.cells[column], f"line {self.line}, {column}")

    def text(self, column: str) -> str:
        """Empty where the row is shorter or the column missing."""
        return self.cells.get(column, "")
