# SPDX-License-Identifier: Apache-2.0
"""fio: one file a rank, moved by threads in whole pieces end to end, as the raw ceilings move theirs."""

import itertools
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
# Memory of large pages, as the ceilings and engines in C++ ask the kernel for theirs: without, a device gets requests of
# a thousand parts and reads at down to half the rate. fio takes what malloc gives it; other C libraries let it pass.
LARGE_PAGES = "glibc.malloc.hugetlb=1"


def piece_of(num_bytes: int, most: int) -> tuple[int, int]:
    """Size and number of equal pieces, whole blocks each and `most` bytes at most, that hold so many bytes: fio leaves
    out what is no piece."""
    number = max(1, -(-num_bytes // most))
    size = -(-num_bytes // number)
    return max(BLOCK, -(-size // BLOCK) * BLOCK), number


def parts_of(number: int, most_threads: int) -> list[tuple[int, int]]:
    """First piece and number of pieces of each thread: runs of nearly equal length, none of them empty."""
    threads = min(number, most_threads)
    begins = [number * thread // threads for thread in range(threads + 1)]
    return [(begin, end - begin) for begin, end in itertools.pairwise(begins)]


def environment_of_fio() -> dict[str, str]:
    tunables = [text for text in (os.environ.get("GLIBC_TUNABLES", ""), LARGE_PAGES) if text]
    return {**os.environ, "GLIBC_TUNABLES": ":".join(tunables)}


class Fio:
    """Two FIFOs hold fio's job at its begin, and tell its end: what fio does before and after is not the operation."""

    o_direct = False

    def __init__(self, request: Request) -> None:
        self.request = request
        self.file = os.path.join(request.directory, f"rank-{request.rank:05}")
        self.piece, self.number = piece_of(request.num_bytes, request.piece_bytes)
        self.parts = parts_of(self.number, request.threads)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=".peer-fio-", dir=request.directory))
        self.process: subprocess.Popen[bytes] | None = None
        self.fifos: dict[str, int] = {}

    def job_text(self) -> str:
        saves, direct = self.request.saves, self.o_direct
        lines = ["[global]", f"filename={self.file}", f"rw={'write' if saves else 'read'}", f"bs={self.piece}",
                 "ioengine=psync", "thread=1", "iomem_align=2m", f"direct={int(direct)}",
                 f"end_fsync={int(saves)}", "fallocate=none", "overwrite=0", "invalidate=0",
                 "exec_prerun=eval 'echo > ready && read gone < go'", "exec_postrun=eval 'echo > end'"]  # fmt: skip
        if saves and not direct:
            lines.append("sync_file_range=write:1")  # as the ceilings do
        for thread, (first, pieces) in enumerate(self.parts):
            lines += [f"[{thread}]", f"offset={first * self.piece}", f"size={pieces * self.piece}"]
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
                cwd=self.folder, env=environment_of_fio(), stdin=subprocess.DEVNULL, stdout=said, stderr=said)  # fmt: skip
        self._await("ready")
        return [] if self.request.saves else [self.file]

    def operate(self) -> None:
        os.write(self.fifos["go"], b"\n" * len(self.parts))
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
            jobs = json.loads(text[text.index("{"):])["jobs"]
            of = [job["write" if self.request.saves else "read"] for job in jobs]
            own_s, num_bytes = max(float(one["runtime"]) for one in of) / 1e3, sum(int(one["io_bytes"]) for one in of)
            error = next((int(job["error"]) for job in jobs if int(job["error"])), 0)
        except (OSError, ValueError, KeyError, IndexError, TypeError) as why:
            raise Refused(f"fio's report cannot be read: {type(why).__name__}: {why}") from why
        if error:
            raise Refused(f"fio's job failed: {os.strerror(error)}")
        return Report(own_s, num_bytes, [self.file], synced=True if self.request.saves else None,
                      piece_bytes=self.piece, threads=len(self.parts))  # fmt: skip

    def _await(self, name: str) -> None:
        """Until every thread has told it."""
        assert self.process is not None
        told = 0
        while told < len(self.parts):
            if select.select([self.fifos[name]], [], [], 0.05)[0]:
                told += os.read(self.fifos[name], 4096).count(b"\n")
            elif self.process.poll() is not None and not select.select([self.fifos[name]], [], [], 0)[0]:
                if name == "end" and self.process.returncode == 0:
                    return  # a program that does not tell its end has ended
                self._fail()

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
