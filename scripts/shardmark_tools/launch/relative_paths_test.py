# SPDX-License-Identifier: Apache-2.0
"""Which settings are paths, and count from where the user is."""

import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.launch.relative_paths import absolute_setting


class AbsoluteSettingTest(unittest.TestCase):
    def test_paths_count_from_here(self) -> None:
        for key in ("storage.directory", "model.safetensors", "model.job", "load.from"):
            here = json.dumps(f"{os.getcwd()}/a b/c.json")
            for written in ("a b/c.json", "'a b/c.json'", '"a b/c.json"', " a b/../a b/c.json"):
                self.assertEqual(absolute_setting(f"{key}={written}"), f"{key}={here}")
            self.assertEqual(absolute_setting(f"{key}=name"), f"{key}={json.dumps(f'{os.getcwd()}/name')}")
            self.assertEqual(absolute_setting(f"{key}=/there"), f'{key}="/there"')
            self.assertEqual(absolute_setting(f"{key}=''"), f"{key}=''")

    def test_a_program_without_a_slash_is_looked_up(self) -> None:
        for key in ("peers.fio", "peers.dcp", "peers.torch_save", "peers.safetensors"):
            self.assertEqual(absolute_setting(f"{key}=python3"), f"{key}=python3")
            self.assertEqual(absolute_setting(f"{key}='venv/bin/python'"), f"{key}={json.dumps(f'{os.getcwd()}/venv/bin/python')}")

    def test_all_else_stays(self) -> None:
        for setting in ("run.world=2", "model.name=a/b", "model.job", "peers.limit=auto"):
            self.assertEqual(absolute_setting(setting), setting)


if __name__ == "__main__":
    unittest.main()
