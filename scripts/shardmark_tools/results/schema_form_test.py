# SPDX-License-Identifier: Apache-2.0
"""Our reading of the schema against jsonschema's, on a sound result and on hundreds of damaged ones."""

import copy
import pathlib
import random
import sys
import unittest
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "jsonschema", status=77)
import jsonschema
import numpy as np

from shardmark_tools.results import hostile_results, synthetic_results, vocabulary
from shardmark_tools.results.schema_form import Misfit, make_check

SEED = 20260131


def open_schema(schema: Any) -> Any:
    """What a reader asks for: keys that it does not know are taken."""
    if isinstance(schema, dict):
        return {key: True if key == "additionalProperties" and value is False else open_schema(value)
                for key, value in schema.items()}  # fmt: skip
    return [open_schema(entry) for entry in schema] if isinstance(schema, list) else schema


class SchemaFormTest(unittest.TestCase):
    document: dict[str, Any]
    check: Any
    validator: Any

    @classmethod
    def setUpClass(cls) -> None:
        of = synthetic_results.context(nodes=2)
        cls.document = synthetic_results.make_run(np.random.default_rng(3), of=of, repetitions=1, families=("save", "plan"))
        cls.check = staticmethod(make_check(vocabulary.schema()))
        # 3.0 is an integer to jsonschema; to a program that counts with it, it is not.
        kinds = jsonschema.Draft7Validator.TYPE_CHECKER.redefine(
            "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool))
        strict = jsonschema.validators.extend(jsonschema.Draft7Validator, type_checker=kinds)
        cls.validator = strict(open_schema(vocabulary.schema()))

    def misfit(self, document: Any) -> Any:
        try:
            self.check(document)
        except Misfit as misfit:
            return misfit
        return None

    def test_agrees_with_jsonschema(self) -> None:
        generator = random.Random(SEED)
        self.assertIsNone(self.misfit(self.document))
        found = 0
        for number in range(150):
            document = hostile_results.damaged(copy.deepcopy(self.document), generator)
            expected = not self.validator.is_valid(document)
            misfit = self.misfit(document)
            self.assertEqual(misfit is not None, expected, f"number {number} of seed {SEED}: {misfit}")
            found += expected
        self.assertGreater(found, 50)

    def test_says_where(self) -> None:
        cases = (
            (lambda d: d["samples"][1].update(time_s="1"), "samples[1].time_s", "expected number or null, found '1'"),
            (lambda d: d["context"].pop("commit"), "context", "a key 'commit'"),
            (lambda d: d["samples"][0]["per_rank"]["total_s"].__setitem__(3, -1), "samples[0].per_rank.total_s[3]",
             "at least 0"),
            (lambda d: d["samples"][1]["phases_s"].update(x=1), "samples[1].phases_s.x", "one of"),
            (lambda d: d.update(samples=[]), "samples", "at least 1 in the list"),
            (lambda d: d["samples"][1].update(dirty=True, virtual=1), "samples[1].virtual", "boolean"),
        )  # fmt: skip
        for change, where, what in cases:
            document = copy.deepcopy(self.document)
            change(document)
            misfit = self.misfit(document)
            self.assertIsNotNone(misfit, where)
            self.assertEqual(misfit.where(), where)
            self.assertIn(what, str(misfit))

    def test_keys_that_are_not_known_are_taken(self) -> None:
        document = copy.deepcopy(self.document)
        document["later"] = document["context"]["later"] = document["samples"][0]["later"] = {"any": [None]}
        self.assertIsNone(self.misfit(document))

    def test_a_schema_with_words_that_are_not_known_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "maxItems"):
            make_check({"type": "array", "maxItems": 3})


if __name__ == "__main__":
    unittest.main()
