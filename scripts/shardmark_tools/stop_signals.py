# SPDX-License-Identifier: Apache-2.0
"""Signals that ask a program to end, as exceptions, so that what was begun is taken back on the way out."""

import contextlib
import signal
import threading
from collections.abc import Iterator

STOP_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """One of them has come."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def _stop(number: int, _frame: object) -> None:
    for other in STOP_SIGNALS:
        signal.signal(other, signal.SIG_IGN)  # a second one would interrupt what the first one made run
    raise Stopped(number)


def raise_when_stopped() -> None:
    """From here on they raise Stopped; those that are ignored (nohup) stay so."""
    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """For what no exception may come into: the signals that raise one do so behind it."""
    if threading.current_thread() is not threading.main_thread():  # where none does
        yield
        return
    came: list[int] = []
    found = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGINT)}
    before = {number: handler for number, handler in found.items() if callable(handler)}
    for number in before:
        signal.signal(number, lambda which, _frame: came.append(which))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
