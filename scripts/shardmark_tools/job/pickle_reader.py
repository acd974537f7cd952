# SPDX-License-Identifier: Apache-2.0
"""Reads pickles as data: plain values, and objects of a closed list of names.

Nothing is imported, called or executed that a pickle names. A table maps (module, name) to what
stands for it here; every other name, every opcode that none of PyTorch's files has, and every
length that the bytes do not bear out is refused with its place. Values are shared, never copied,
so memory and time grow with the bytes read alone; dictionary keys are hashed, so only flat ones
are allowed. `Limits` bounds what large files may cost.
"""

import gc
import struct
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from shardmark_tools.job.limits import LimitError, Limits

Args = tuple[Any, ...]
STEPS_BETWEEN_CHECKS = 1 << 14
MOST_NAME_BYTES = 1 << 16
LONGEST_INTEGER = 9  # bytes: a signed 64-bit number and its sign


class PickleError(Exception):
    """The bytes are not a pickle of the kind that is read here."""


class Name:
    """A name on the list, before it is called. `make(args)` gives the value of a call with a tuple
    of arguments; it must only build data and raises PickleError for arguments that do not fit."""

    __slots__ = ("text", "make", "is_class")

    def __init__(self, text: str, make: Callable[[Args], Any] | None = None, is_class: bool = False):
        self.text = text
        self.make = make
        self.is_class = is_class


class Record:
    """An object of a class on the list. Compared and hashed by identity."""

    __slots__ = ("kind", "state")

    def __init__(self, kind: str):
        self.kind = kind
        self.state: Any = None


class Mark:
    __slots__ = ()


MARK = Mark()


def record_class(text: str) -> Name:
    """A class whose objects pickle as cls() and a state, which is kept."""

    def make(args: Args) -> Record:
        if args != ():
            raise PickleError(f"{text} is made with arguments")
        return Record(text)

    return Name(text, make, is_class=True)


def kind_of(value: Any) -> str:
    """What a value is, in a word: never its contents, which may be endless."""
    if isinstance(value, Record):
        return value.kind
    if isinstance(value, Name):
        return value.text
    return type(value).__name__


def shown(text: str) -> str:
    """A name from the file, short and printable."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")[1:-1]


def is_flat_key(key: Any) -> bool:
    """True for keys whose hash costs no more than their own bytes."""
    kind = type(key)
    if kind is tuple:
        return all(type(part) in (str, int) for part in key)
    return kind is str or kind is int or kind is Record


class PickleReader:
    """One pickle. `names`: {(module, name): Name or plain value}. `persistent(id)`, if given,
    resolves persistent ids."""

    def __init__(self, data: bytes, names: dict[tuple[str, str], Any], limits: Limits, where: str,
                 persistent: Callable[[Any], Any] | None = None):  # fmt: skip
        self._data = data
        self._end = len(data)
        self._names = names
        self._limits = limits
        self._where = where
        self._at = 0
        self._persistent = persistent
        self._stack: list[Any] = []
        self._memo: list[Any] = []
        self._frame_end = sys.maxsize  # outside frames

    def read(self) -> Any:
        """The value. Raises PickleError, LimitError."""
        collects = gc.isenabled()
        gc.disable()  # it would walk over all that was read, again and again
        try:
            return self._read()
        finally:
            if collects:
                gc.enable()

    def _read(self) -> Any:
        position = 0
        try:
            position = self._run()
        except _Stopped as stop:
            if stop.position != self._end:
                raise self._error(stop.position, "bytes follow the end") from None
            if len(self._stack) != 1 or self._stack[0] is MARK:
                raise self._error(stop.position, "ends with other than one value") from None
            return self._stack[0]
        except (IndexError, struct.error, UnicodeDecodeError):
            raise PickleError(f"{self._where}: damaged near byte {self._at}") from None
        except LimitError as error:
            raise LimitError(f"{self._where}: {error}") from None
        raise self._error(position, "ends in the middle")

    def _run(self) -> int:
        data, handlers, position = self._data, self.HANDLERS, 0
        while True:
            self._limits.check()
            for _ in range(STEPS_BETWEEN_CHECKS):
                self._at = position
                handler = handlers[data[position]]
                if handler is None:
                    raise self._refused_opcode(data[position])
                position = handler(self, position + 1)
                if position >= self._frame_end:
                    self._leave_frame(position)

    def _leave_frame(self, position: int) -> None:
        if position > self._frame_end:
            raise self._error(self._at, "goes on behind the end of its frame")
        self._frame_end = sys.maxsize

    # Errors

    def _error(self, position: int, problem: str) -> PickleError:
        return PickleError(f"{self._where}: byte {position}: {problem}")

    def _refused_opcode(self, opcode: int) -> PickleError:
        name = REFUSED.get(opcode)
        what = f"opcode {name}" if name else f"0x{opcode:02x}"
        return self._error(self._at, f"{what} has no place in a checkpoint")

    # The stack

    def _take(self, position: int, num_bytes: int) -> bytes:
        if num_bytes > self._end - position:
            raise self._error(self._at, f"claims {num_bytes} bytes, {self._end - position} follow")
        return self._data[position : position + num_bytes]

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is MARK:
            raise self._error(self._at, "a value is missing")
        return value

    def _top(self, kind: type, what: str) -> Any:
        value = self._stack[-1]
        if type(value) is not kind:
            raise self._error(self._at, f"{what} {kind_of(value)}")
        return value

    def _above_mark(self) -> list[Any]:
        stack = self._stack
        at = len(stack) - 1
        while stack[at] is not MARK:
            at -= 1
            if at < 0:
                raise self._error(self._at, "no mark")
        values = stack[at + 1 :]
        del stack[at:]
        return values

    # Opcodes: each takes the position behind itself and returns the next one's.

    def _proto(self, position: int) -> int:
        if not 2 <= self._data[position] <= 5:
            raise self._error(self._at, f"protocol {self._data[position]}, read are 2 to 5")
        return position + 1

    def _frame(self, position: int) -> int:
        (length,) = struct.unpack_from("<Q", self._data, position)
        if length > self._end - position - 8:
            raise self._error(self._at, f"claims a frame of {length} bytes")
        if self._frame_end != sys.maxsize:
            raise self._error(self._at, "a frame inside a frame")
        self._frame_end = position + 8 + length
        return position + 8

    def _stop(self, position: int) -> NoReturn:
        raise _Stopped(position)

    def _mark(self, position: int) -> int:
        self._stack.append(MARK)
        return position

    def _none(self, position: int) -> int:
        self._stack.append(None)
        return position

    def _true(self, position: int) -> int:
        self._stack.append(True)
        return position

    def _false(self, position: int) -> int:
        self._stack.append(False)
        return position

    def _binint1(self, position: int) -> int:
        self._stack.append(self._data[position])
        return position + 1

    def _binint2(self, position: int) -> int:
        self._stack.append(struct.unpack_from("<H", self._data, position)[0])
        return position + 2

    def _binint(self, position: int) -> int:
        self._stack.append(struct.unpack_from("<i", self._data, position)[0])
        return position + 4

    def _long1(self, position: int) -> int:
        length = self._data[position]
        if length > LONGEST_INTEGER:
            raise self._error(self._at, f"an integer of {length} bytes")
        value = int.from_bytes(self._take(position + 1, length), "little", signed=True)
        self._stack.append(value)
        return position + 1 + length

    def _binfloat(self, position: int) -> int:
        self._stack.append(struct.unpack_from(">d", self._data, position)[0])
        return position + 8

    def _text(self, position: int, length: int) -> int:
        self._stack.append(str(self._take(position, length), "utf-8", "surrogatepass"))
        return position + length

    def _short_binunicode(self, position: int) -> int:
        return self._text(position + 1, self._data[position])

    def _binunicode(self, position: int) -> int:
        return self._text(position + 4, struct.unpack_from("<I", self._data, position)[0])

    def _binunicode8(self, position: int) -> int:
        return self._text(position + 8, struct.unpack_from("<Q", self._data, position)[0])

    def _bytes(self, position: int, length: int) -> int:
        self._stack.append(bytes(self._take(position, length)))
        return position + length

    def _short_binbytes(self, position: int) -> int:
        return self._bytes(position + 1, self._data[position])

    def _binbytes(self, position: int) -> int:
        return self._bytes(position + 4, struct.unpack_from("<I", self._data, position)[0])

    def _binbytes8(self, position: int) -> int:
        return self._bytes(position + 8, struct.unpack_from("<Q", self._data, position)[0])

    def _empty_tuple(self, position: int) -> int:
        self._stack.append(())
        return position

    def _tuple(self, position: int) -> int:
        self._stack.append(tuple(self._above_mark()))
        return position

    def _tuple1(self, position: int) -> int:
        self._stack.append((self._pop(),))
        return position

    def _tuple2(self, position: int) -> int:
        last = self._pop()
        self._stack.append((self._pop(), last))
        return position

    def _tuple3(self, position: int) -> int:
        last = self._pop()
        middle = self._pop()
        self._stack.append((self._pop(), middle, last))
        return position

    def _empty_list(self, position: int) -> int:
        self._stack.append([])
        return position

    def _append(self, position: int) -> int:
        value = self._pop()
        self._top(list, "appends to").append(value)
        return position

    def _appends(self, position: int) -> int:
        values = self._above_mark()
        self._top(list, "appends to").extend(values)
        return position

    def _empty_dict(self, position: int) -> int:
        self._stack.append({})
        return position

    def _set(self, target: dict[Any, Any], key: Any, value: Any) -> None:
        if not is_flat_key(key):
            raise self._error(self._at, f"a dictionary key of kind {kind_of(key)}")
        target[key] = value

    def _setitem(self, position: int) -> int:
        value, key = self._pop(), self._pop()
        self._set(self._top(dict, "sets items of"), key, value)
        return position

    def _setitems(self, position: int) -> int:
        values = self._above_mark()
        target = self._top(dict, "sets items of")
        if len(values) % 2:
            raise self._error(self._at, "a key without a value")
        pairs = iter(values)
        for key in pairs:
            self._set(target, key, next(pairs))
        return position

    def _pop_value(self, position: int) -> int:
        self._stack.pop()
        return position

    def _pop_mark(self, position: int) -> int:
        self._above_mark()
        return position

    def _memoize(self, position: int) -> int:
        value = self._stack[-1]
        if value is MARK:
            raise self._error(self._at, "remembers a mark")
        self._memo.append(value)
        return position

    def _put(self, index: int) -> None:
        value, memo = self._stack[-1], self._memo
        if value is MARK or index > len(memo):
            raise self._error(self._at, f"remembers value {index}, and has no value before it")
        if index == len(memo):
            memo.append(value)
        else:
            memo[index] = value

    def _binput(self, position: int) -> int:
        self._put(self._data[position])
        return position + 1

    def _long_binput(self, position: int) -> int:
        self._put(struct.unpack_from("<I", self._data, position)[0])
        return position + 4

    def _get(self, index: int) -> None:
        if index >= len(self._memo):
            raise self._error(self._at, f"recalls value {index}, which is not there")
        self._stack.append(self._memo[index])

    def _binget(self, position: int) -> int:
        self._get(self._data[position])
        return position + 1

    def _long_binget(self, position: int) -> int:
        self._get(struct.unpack_from("<I", self._data, position)[0])
        return position + 4

    # Names and objects

    def _named(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise self._error(self._at, "a name that is no text")
        value = self._names.get((module, name))
        if value is None:
            raise self._error(
                self._at, f"'{shown(module)}.{shown(name)}' is not a name that is allowed here"
            )
        self._stack.append(value)

    def _stack_global(self, position: int) -> int:
        name, module = self._pop(), self._pop()
        self._named(module, name)
        return position

    def _line(self, position: int) -> tuple[str, int]:
        end = self._data.find(b"\n", position, position + MOST_NAME_BYTES)
        if end < 0:
            raise self._error(self._at, "a name without an end")
        return str(self._data[position:end], "utf-8"), end + 1

    def _global(self, position: int) -> int:
        module, position = self._line(position)
        name, position = self._line(position)
        self._named(module, name)
        return position

    def _call(self, position: int, needs_class: bool) -> int:
        args, callee = self._pop(), self._pop()
        usable = type(callee) is Name and callee.make and (callee.is_class or not needs_class)
        if not usable or type(args) is not tuple:
            raise self._error(self._at, f"calls {kind_of(callee)} with {kind_of(args)}")
        try:
            self._stack.append(callee.make(args))
        except PickleError as error:
            raise self._error(self._at, str(error)) from None
        return position

    def _reduce(self, position: int) -> int:
        return self._call(position, needs_class=False)

    def _newobj(self, position: int) -> int:
        return self._call(position, needs_class=True)

    def _build(self, position: int) -> int:
        state = self._pop()
        target = self._top(Record, "gives a state to")
        if target.state is not None:
            raise self._error(self._at, f"a second state for {target.kind}")
        if type(state) not in (dict, tuple):
            raise self._error(self._at, f"a state of kind {kind_of(state)} for {target.kind}")
        target.state = state
        return position

    def _binpersid(self, position: int) -> int:
        if self._persistent is None:
            raise self._refused_opcode(self._data[position - 1])
        try:
            self._stack.append(self._persistent(self._pop()))
        except PickleError as error:
            raise self._error(self._at, str(error)) from None
        return position

    HANDLERS: list[Callable[["PickleReader", int], int] | None] = [None] * 256
    for _opcode, _handler in {
        0x80: _proto, 0x95: _frame, ord("."): _stop, ord("("): _mark, ord("N"): _none,
        0x88: _true, 0x89: _false, ord("K"): _binint1, ord("M"): _binint2, ord("J"): _binint,
        0x8A: _long1, ord("G"): _binfloat, 0x8C: _short_binunicode, ord("X"): _binunicode,
        0x8D: _binunicode8, ord("C"): _short_binbytes, ord("B"): _binbytes, 0x8E: _binbytes8,
        ord(")"): _empty_tuple, ord("t"): _tuple, 0x85: _tuple1, 0x86: _tuple2, 0x87: _tuple3,
        ord("]"): _empty_list, ord("a"): _append, ord("e"): _appends, ord("}"): _empty_dict,
        ord("s"): _setitem, ord("u"): _setitems, ord("0"): _pop_value, ord("1"): _pop_mark,
        0x94: _memoize, ord("q"): _binput, ord("r"): _long_binput, ord("h"): _binget,
        ord("j"): _long_binget, 0x93: _stack_global, ord("c"): _global, ord("R"): _reduce,
        0x81: _newobj, ord("b"): _build, ord("Q"): _binpersid,
    }.items():  # fmt: skip
        HANDLERS[_opcode] = _handler


class _Stopped(Exception):
    def __init__(self, position: int):
        super().__init__()
        self.position = position


REFUSED = {
    ord("i"): "INST", ord("o"): "OBJ", 0x92: "NEWOBJ_EX", ord("P"): "PERSID", ord("Q"): "BINPERSID",
    0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", ord("F"): "FLOAT", ord("I"): "INT", ord("L"): "LONG",
    0x8B: "LONG4", ord("S"): "STRING", ord("T"): "BINSTRING", ord("U"): "SHORT_BINSTRING",
    ord("V"): "UNICODE", ord("l"): "LIST", ord("d"): "DICT", ord("p"): "PUT", ord("g"): "GET",
    ord("2"): "DUP", 0x8F: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET", 0x96: "BYTEARRAY8",
    0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}  # fmt: skip
