# SPDX-License-Identifier: Apache-2.0
"""Three significant digits, never an exponent, one unit a column."""

import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.results import number_text as text


class NumberTextTest(unittest.TestCase):
    def test_three_digits(self) -> None:
        cases = {0: "0", 1.434: "1.43", 9.994: "9.99", 9.996: "10.0", 12: "12.0", 99.96: "100", 350.4: "350",
                 1643.2: "1643", 0.9996: "1.00", 0.99949: "0.999", 0.0999999: "0.100", 0.0123456: "0.0123",
                 -0.5: "-0.500", float("inf"): "-", float("nan"): "-"}  # fmt: skip
        for value, expected in cases.items():
            self.assertEqual(text.three_digits(value), expected)

    def test_close_to_the_value_at_every_size(self) -> None:
        generator = random.Random(20260131)
        for _ in range(2000):
            value = 10 ** generator.uniform(-8, 12)
            said = text.three_digits(value)
            self.assertNotIn("e", said)
            self.assertLessEqual(abs(float(said) - value), 0.0051 * value, value)
            digits = said.replace(".", "").lstrip("0")
            self.assertTrue(len(digits) == 3 or value >= 999.5, said)

    def test_times(self) -> None:
        self.assertEqual([text.time_text(s) for s in (1.434, 0.99951, 0.012, 3.5e-4, 8e-8)],
                         ["1.43 s", "1.00 s", "12.0 ms", "350 us", "80.0 ns"])
        column = [1.64, 0.0000120, 0.012]
        unit = text.time_unit(column)
        self.assertEqual([text.time_text(s, unit) for s in column], ["1640 ms", "0.0120 ms", "12.0 ms"])
        self.assertEqual(text.time_unit([]), "s")
        self.assertEqual([text.duration_text(s) for s in (3, 100, 9000)], ["3.00 s", "1.67 min", "2.50 h"])

    def test_bytes_shares_and_counts(self) -> None:
        self.assertEqual([text.byte_text(n) for n in (512, 1023.6, 1536, 2**31)],
                         ["512 B", "1.00 KiB", "1.50 KiB", "2.00 GiB"])
        self.assertEqual([text.percent_text(s) for s in (0.05, 1.4, 0.00001)], ["5.00 %", "140 %", "0.00100 %"])
        self.assertEqual(text.count_text(8030261248), "8,030,261,248")


if __name__ == "__main__":
    unittest.main()
