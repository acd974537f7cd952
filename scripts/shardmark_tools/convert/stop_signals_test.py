#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signals that end a program arrive as exceptions, once, and not where they are held."""

import pathlib
import signal
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from shardmark_tools.stop_signals import STOP_SIGNALS, Stopped, held, raise_when_stopped


class StopSignalsTest(unittest.TestCase):
    def setUp(self) -> None:
        for number in (*STOP_SIGNALS, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def test_the_first_one_raises(self) -> None:
        for number in STOP_SIGNALS:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            raise_when_stopped()
            with self.assertRaises(Stopped) as caught:
                signal.raise_signal(number)
            self.assertEqual(caught.exception.number, number)
            for other in STOP_SIGNALS:
                signal.raise_signal(other)

    def test_what_is_ignored_stays_so(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        raise_when_stopped()
        signal.raise_signal(signal.SIGHUP)

    def test_held_ones_raise_behind(self) -> None:
        raise_when_stopped()
        for number, kind in ((signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Stopped)):
            reached = False
            with self.assertRaises(kind):
                with held():
                    signal.raise_signal(number)
                    reached = True
            self.assertTrue(reached)
        self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_IGN)

    def test_held_without_handlers(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with held():
            self.assertIs(signal.getsignal(signal.SIGTERM), signal.SIG_DFL)
        found: list[str] = []

        def in_a_thread() -> None:
            with held():
                found.append("there")

        thread = threading.Thread(target=in_a_thread)
        thread.start()
        thread.join()
        self.assertEqual(found, ["there"])


if __name__ == "__main__":
    unittest.main()
