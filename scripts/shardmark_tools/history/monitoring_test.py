# SPDX-License-Identifier: Apache-2.0
"""What export writes, in the hands of the real programs: the node exporter serves the text file, Prometheus scrapes it,
holds the nights before by `promtool tsdb create-blocks-from openmetrics`, and answers a query over both."""

import datetime
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from shardmark_tools.interpreter import ensure_modules

ensure_modules("numpy", "scipy", status=77)
PROGRAMS = ("prometheus", "promtool", "prometheus-node-exporter")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
if MISSING:
    print(f"skipped: not installed: {', '.join(MISSING)}")
    sys.exit(77)
import numpy as np

from shardmark_tools.history import export, run_record
from shardmark_tools.history.judgement import Report, judge
from shardmark_tools.history.nights import grouped
from shardmark_tools.history.store import Store
from shardmark_tools.results import synthetic_results

NIGHTS = 24
PATIENCE_S = 60.0
SAVE = synthetic_results.names(1, 2)["save"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reports_of(root: pathlib.Path) -> list[Report]:
    """Nights up to yesterday; the saves of the last six are slower."""
    store, rng = Store(root / "store", create=True), np.random.default_rng(3)
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for number in range(NIGHTS):
        night = today - datetime.timedelta(days=NIGHTS - number)
        own = {family: float(np.exp(rng.normal(0, 0.01))) for family in ("save", "load", "plan")}
        own["save"] *= 1.5 if number >= NIGHTS - 6 else 1.0
        of = synthetic_results.context(started=f"{night}T03:00:00Z")
        document = synthetic_results.make_run(rng, of, repetitions=3, noise=0.003, factors=own)
        folder = str(synthetic_results.write_run(root / "runs" / str(number), document))
        run_record.add(store, [folder], None, {"machine": 'my "own"'}, False)
    records = store.records()
    return [judge(group, records) for group in grouped(records)]


class MonitoringTest(unittest.TestCase):
    def setUp(self) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.root = pathlib.Path(self.temporary.name)
        self.log = self.enterContext(open(self.root / "log", "w", encoding="utf-8"))
        self.reports = reports_of(self.root)

    def start(self, *words: str) -> None:
        running = subprocess.Popen(words, cwd=self.root, stdout=self.log, stderr=subprocess.STDOUT,
                                   env={**os.environ, "GOMAXPROCS": "2"})  # fmt: skip
        self.addCleanup(running.wait, 30)
        self.addCleanup(running.kill)

    def get(self, url: str) -> bytes:
        """Asks until there is an answer."""
        limit = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return bytes(answer.read())
            except (urllib.error.URLError, ConnectionError) as error:
                if time.monotonic() > limit:
                    self.fail(f"{url}: {error}\n{(self.root / 'log').read_text(encoding='utf-8')[-2000:]}")
                time.sleep(0.2)

    def answer(self, port: int, query: str) -> list[dict[str, Any]]:
        text = self.get(f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}")
        found: list[dict[str, Any]] = json.loads(text)["data"]["result"]
        return found

    def test_promtool_accepts_both(self) -> None:
        checked = subprocess.run(["promtool", "check", "metrics"], input=export.textfile(self.reports), text=True,
                                 capture_output=True, check=False)  # fmt: skip
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        (self.root / "nights.om").write_text(export.openmetrics(self.reports), encoding="utf-8")
        made = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "nights.om", "data"],
                              cwd=self.root, capture_output=True, text=True, check=False)  # fmt: skip
        self.assertEqual(made.returncode, 0, made.stderr)

    def test_prometheus_answers_over_the_last_night_and_those_before(self) -> None:
        served, asked = free_port(), free_port()
        (self.root / "textfiles").mkdir()
        export.write(str(self.root / "textfiles" / "shardmark.prom"), export.textfile(self.reports))
        export.write(str(self.root / "nights.om"), export.openmetrics(self.reports))
        subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", "nights.om", "data"], cwd=self.root,
                       check=True, stdout=self.log, stderr=subprocess.STDOUT)  # fmt: skip
        (self.root / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: node, static_configs: "
            f"[{{targets: ['127.0.0.1:{served}']}}]}}]\n", encoding="utf-8")  # fmt: skip
        self.start("prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{served}", "--collector.disable-defaults",
                   "--collector.textfile", "--collector.textfile.directory=textfiles")  # fmt: skip
        self.start("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                   "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{asked}")  # fmt: skip
        page = self.get(f"http://127.0.0.1:{served}/metrics").decode()
        self.assertIn("node_textfile_scrape_error 0", page)
        self.get(f"http://127.0.0.1:{asked}/-/ready")
        of_save = f'shardmark_night_seconds{{benchmark="{SAVE}",phase=""}}'
        limit = time.monotonic() + PATIENCE_S
        while not self.answer(asked, of_save) and time.monotonic() < limit:
            time.sleep(0.3)
        now = self.answer(asked, of_save)
        self.assertEqual([entry["metric"]["machine"] for entry in now], ['my "own"'])
        row = next(row for row in self.reports[0].values.wholes() if row.benchmark == SAVE)
        nights = np.exp(self.reports[0].values.values(row))
        self.assertAlmostEqual(float(now[0]["value"][1]), float(nights[-1]))
        # One series is scraped (with instance and job), one holds the nights.
        counts = self.answer(asked, f"sum by (benchmark) (count_over_time({of_save.replace('}', ',job=' + chr(34) * 2 + '}')}[60d]))")
        self.assertEqual([entry["value"][1] for entry in counts], [str(NIGHTS)])
        worse = self.answer(asked, f"max(max_over_time({of_save}[60d])) / min(min_over_time({of_save}[60d]))")
        self.assertAlmostEqual(float(worse[0]["value"][1]), float(nights.max() / nights.min()))
        self.assertEqual([entry["value"][1] for entry in self.answer(asked, "sum(shardmark_slower_changes)")], ["1"])


if __name__ == "__main__":
    unittest.main()
