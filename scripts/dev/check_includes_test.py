#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A header that leans on another for a standard name is found, and mended in place."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import check_includes

GOOD = """#pragma once

#include <cstdint>
#include <vector>

#include "shardmark/a.hpp"

std::vector<std::int64_t> numbers();  // a std::map would be slower
"""


class Includes(unittest.TestCase):
    def test_what_is_missing_is_found_with_its_line(self) -> None:
        self.assertEqual({}, check_includes.missing(GOOD))
        leaning = GOOD.replace("#include <vector>\n", "").replace("std::int64_t", "std::string_view")
        self.assertEqual({"string_view": 7, "vector": 7}, check_includes.missing(leaning))

    def test_every_pattern_finds_its_own_name(self) -> None:
        for header, pattern in check_includes.PATTERNS.items():
            name = "std::int32_t" if header == "cstdint" else f"std::{header}"
            if pattern.search(name):
                self.assertEqual(header, next(iter(check_includes.missing(f"{name} x;"))), header)
        self.assertIn("utility", check_includes.missing("std::move(x);"))
        self.assertIn("cstddef", check_includes.missing("std::byte b;"))

    def test_a_tree_is_checked_and_mended(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            good, leaning, bare = (root / "lib" / name for name in ("good.hpp", "leaning.hpp", "bare.hpp"))
            good.parent.mkdir()
            good.write_text(GOOD)
            leaning.write_text(GOOD.replace("#include <vector>\n", ""))
            bare.write_text('#pragma once\n\n#include <fmt/format.h>\n\n#include "a.hpp"\n\nstd::byte b;\n')
            self.assertEqual(
                ["lib/bare.hpp:7: uses <cstddef> without including it",
                 "lib/leaning.hpp:7: uses <vector> without including it"],
                check_includes.check_includes(root),
            )  # fmt: skip
            for path in (good, leaning, bare):
                path.write_text(check_includes.mended(path.read_text()))
            self.assertEqual([], check_includes.check_includes(root))
            self.assertEqual(GOOD, good.read_text())
            self.assertEqual(GOOD, leaning.read_text())
            self.assertEqual(
                '#pragma once\n\n#include <fmt/format.h>\n\n#include <cstddef>\n\n#include "a.hpp"\n\nstd::byte b;\n',
                bare.read_text(),
            )


if __name__ == "__main__":
    unittest.main()
