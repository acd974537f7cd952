# SPDX-License-Identifier: Apache-2.0
"""fio: a job a rank, one file each, whole pieces end to end, as the raw ceilings move them."""

import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile

from shardmark_tools.peers.protocol import Engine, Report, Request
from shardmark_tools.refusal import Refused

BLOCK = 4096
PIECE = 4 << 20


def piece_of(num_bytes: int) -> tuple[int, int]:
    """Size and number of equal pieces, whole blocks each, that hold so many bytes: fio leaves out what is no piece."""
    number = max(1, -(-num_bytes // PIECE))
    size = -(-num_bytes // number)
    return max(BLOCK, -(-size // BLOCK) * BLOCK), number


class Fio:
    """Two FIFOs hold fio's job at its begin, and tell its end: what fio does before and after is not the operation."""

    o_direct = False

    def __init__(self, request: Request) -> None:
        self.request = request
        self.file = os.path.join(request.directory, f"rank-{request.rank:05}")
        self.piece, self.number = piece_of(request.num_bytes)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=".peer-fio-", dir=request.directory))
        self.process: subprocess.Popen[bytes] | None = None
        self.fifos: dict[str, int] = {}

    def job_text(self) -> str:
        saves, direct = self.request.saves, self.o_direct
        lines = ["[job]", f"filename={self.file}", f"rw={'write' if saves else 'read'}", f"bs={self.piece}",
                 f"size={self.piece * self.number}", "ioengine=psync", "thread=1", f"direct={int(direct)}",
                 f"end_fsync={int(saves)}", "fallocate=none", "overwrite=0", "invalidate=0",
                 "exec_prerun=(echo > ready) && (read gone < go)", "exec_postrun=(echo > end)"]  # fmt: skip
        if saves and not direct:
            lines.append("sync_file_range=write:1")  # as the ceilings do
        return "\n".join(lines) + "\n"

    def prepare(self) -> list[str]:
        for name in ("ready", "go", "end"):
            os.mkfifo(self.folder / name)
            self.fifos[name] = os.open(self.folder / name, os.O_RDWR | os.O_NONBLOCK)
        if self.request.saves:
            with open(self.file, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.piece * self.number)
        (self.folder / "job.fio").write_text(self.job_text(), encoding="ascii")
        with open(self.folder / "said", "wb") as said:
            self.process = subprocess.Popen(
                [self.request.program, "--output-format=json", "--output=report.json", "job.fio"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)  # fmt: skip
        self._await("ready")
        return [] if self.request.saves else [self.file]

    def operate(self) -> None:
        os.write(self.fifos["go"], b"\n")
        self._await("end")

    def report(self) -> Report:
        assert self.process is not None
        self.process.wait()
        if self.process.returncode != 0:
            self._fail()
        report = self._figures()
        shutil.rmtree(self.folder, ignore_errors=True)
        return report

    def _figures(self) -> Report:
        path = self.folder / "report.json"
        try:
            text = path.read_text(encoding="utf-8")
            job = json.loads(text[text.index("{"):])["jobs"][0]
            of = job["write" if self.request.saves else "read"]
            own_s, num_bytes, error = float(of["runtime"]) / 1e3, int(of["io_bytes"]), int(job["error"])
        except (OSError, ValueError, KeyError, IndexError, TypeError) as why:
            raise Refused(f"fio's report cannot be read: {type(why).__name__}: {why}") from why
        if error:
            raise Refused(f"fio's job failed: {os.strerror(error)}")
        return Report(own_s, num_bytes, [self.file], synced=True if self.request.saves else None)

    def _await(self, name: str) -> None:
        assert self.process is not None
        while not select.select([self.fifos[name]], [], [], 0.05)[0]:
            if self.process.poll() is not None and not select.select([self.fifos[name]], [], [], 0)[0]:
                if name == "end" and self.process.returncode == 0:
                    return  # a program that does not tell its end has ended
                self._fail()
        os.read(self.fifos[name], 4096)

    def _fail(self) -> None:
        assert self.process is not None
        said = (self.folder / "said").read_text(encoding="utf-8", errors="replace").strip().split("\n")
        shutil.rmtree(self.folder, ignore_errors=True)
        status = self.process.returncode
        how = f"exit code {status}" if status >= 0 else f"signal {-status}"
        raise Refused(f"{self.request.program} ended with {how}" + (f": {said[-1]}" if said[-1] else ""))


class FioDirect(Fio):
    o_direct = True


ENGINES = (
    Engine("fio", "fio, through the page cache, synced at its end", Fio, program="fio"),
    Engine("fio-direct", "fio with O_DIRECT, synced at its end", FioDirect, program="fio", key="fio", o_direct=True),
)
