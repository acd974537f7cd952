# SPDX-License-Identifier: Apache-2.0
"""Where a PyTorch is: on this system, and in a tree of another Debian that debootstrap makes (as root)."""

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "scripts" / "shardmark_tools" / "job" / "golden"
TREE_PACKAGES = ("python3-torch", "python3-numpy")
# The tree is a mount, as a root is everywhere; source and output lie in it under the paths that they have here.
ENTER = """
mount --make-rprivate / && mount --bind "$1" "$1" || exit 3
tree=$1
for folder in "$2" "$3"; do mkdir -p "$tree$folder" && mount --bind "$folder" "$tree$folder" || exit 3; done
mount --bind /etc/hosts "$tree/etc/hosts" && mount -t proc proc "$tree/proc" && mount --rbind /dev "$tree/dev" || exit 3
shift 3
exec chroot "$tree" "$@"
"""
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
    "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "USE_LIBUV": "0",
    "MASTER_PORT": str(20_000 + os.getpid() % 10_000),
}  # fmt: skip


class NoTorch(Exception):
    """There is none, and why."""


class Here:
    """This system's own."""

    def __init__(self, work: pathlib.Path):
        self.work = work
        self.version = version_of(self)

    def words(self, words: Sequence[object]) -> list[str]:
        return [sys.executable, *map(str, words)]

    def run(self, *words: object, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.words(words), capture_output=True, text=True, timeout=seconds, check=False,
                              env=os.environ | ENVIRONMENT)  # fmt: skip


class Tree:
    """A Debian of another suite, made once below `work`."""

    def __init__(self, work: pathlib.Path, suite: str):
        self.work, self.path, self.suite = work, work / f"tree-{suite}", suite
        self._make()
        self.version = version_of(self)

    def enter(self, words: Sequence[object]) -> list[str]:
        return ["unshare", "--mount", "--fork", "--", "sh", "-c", ENTER, "sh", str(self.path), str(ROOT), str(self.work),
                *map(str, words)]  # fmt: skip

    def run(self, *words: object, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.enter(["/usr/bin/python3", *words]), capture_output=True, text=True, timeout=seconds,
                              check=False, env=ENVIRONMENT)  # fmt: skip

    def _make(self) -> None:
        made = self.path / "made"
        if made.exists():
            return
        if os.geteuid() != 0 or not shutil.which("debootstrap"):
            raise NoTorch(f"no tree of Debian's {self.suite}: that wants root and debootstrap")
        print(f"making {self.path}; once, a few minutes", flush=True)
        shutil.rmtree(self.path, ignore_errors=True)
        log = self.work / f"tree-{self.suite}.log"
        with log.open("w") as out:
            steps = (
                ["debootstrap", "--variant=minbase", self.suite, str(self.path)],
                self.enter(["apt-get", "-q", "update"]),
                self.enter(["apt-get", "-q", "-y", "--no-install-recommends", "install", *TREE_PACKAGES]),
            )
            for step in steps:
                if step[0] != "debootstrap":
                    (self.path / "etc" / "hosts").touch()
                if subprocess.run(step, stdout=out, stderr=out, env=ENVIRONMENT, check=False).returncode != 0:
                    raise NoTorch(f"no tree of Debian's {self.suite}: see {log}")
        made.touch()


System = Here | Tree


def version_of(system: System) -> str:
    done = system.run("-c", "import torch; print(torch.__version__)")
    if done.returncode != 0:
        raise NoTorch(f"no PyTorch: {(done.stderr.splitlines() or ['?'])[-1]}")
    return done.stdout.strip()


def said_by(system: System, program: str, *words: object, seconds: float = 600) -> str:
    """The output of one of the golden folder's programs; AssertionError with what it said if it fails."""
    done = system.run(GOLDEN / program, *words, seconds=seconds)
    if done.returncode != 0:
        raise AssertionError(f"{program} {' '.join(map(str, words))}: {done.stderr[-1500:]}")
    return done.stdout
