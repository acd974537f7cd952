# SPDX-License-Identifier: Apache-2.0
"""Four hosts of scripts/dev/nodes whose file system lies on a loop device with a limited rate: each host has its own, or
all have one together. The limit is that of control groups (v1, blkio): each rank enters its host's group before it
begins. It acts where a rank itself moves the bytes, so with O_DIRECT; what the kernel writes back later is free."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

HOSTS = 4
MIB = 1 << 20
NODES = pathlib.Path(__file__).resolve().parent / "nodes"
PROBE_SECONDS = 0.5
ENTER = """\
#!/bin/sh
# Enters the control group of this host and becomes the command.
echo $$ >"{groups}/{name}-{which}/cgroup.procs" || exit 2
exec "$@"
"""


class NotHere(Exception):
    """What cannot be had on this machine, and why."""


def done(*command: object, env: dict[str, str] | None = None) -> str:
    """What it printed. Errors: NotHere."""
    words = [str(word) for word in command]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, env=env, stdin=subprocess.DEVNULL)
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip().splitlines()
        raise NotHere(f"{' '.join(words[:3])}: {said[-1] if said else f'exit code {ran.returncode}'}")
    return ran.stdout.strip()


def attempt(*command: object, env: dict[str, str] | None = None) -> None:
    """Undoes something; a busy device is asked again for three seconds."""
    for _ in range(30):
        ran = subprocess.run([str(word) for word in command], capture_output=True, check=False, env=env)
        if ran.returncode == 0:
            return
        time.sleep(0.1)


def remove_group(group: pathlib.Path) -> None:
    for _ in range(30):
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.1)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No signal ends the removal of what was made."""
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


class LimitedHosts:
    """`launch` starts a command on every host, one rank each, with its storage in `directory`."""

    def __init__(self, scratch: pathlib.Path, rate: int, together: bool, num_bytes: int) -> None:
        self.scratch, self.rate, self.together, self.num_bytes = scratch, rate, together, num_bytes
        self.name = f"foretell{os.getpid()}"
        self.groups, self.directory, self.enter = scratch / "groups", scratch / "storage", scratch / "enter"
        self.env = {**os.environ, "SHARDMARK_NODES": f"sf{os.getpid()}", "SHARDMARK_NODES_SLOTS": "1",
                    "SHARDMARK_NODES_NET": f"10.77.{os.getpid() % 250}"}  # fmt: skip

    @property
    def launch(self) -> list[str]:
        return [str(NODES), "mpirun", "-n", str(HOSTS), str(self.enter)]

    @contextlib.contextmanager
    def up(self) -> Iterator["LimitedHosts"]:
        """Errors: NotHere. Everything made is removed, whatever happens inside."""
        made = contextlib.ExitStack()
        try:
            self._make(made)
            yield self
        finally:
            with undisturbed():
                made.close()

    def _make(self, made: contextlib.ExitStack) -> None:
        if os.geteuid() != 0:
            raise NotHere("hosts and loop devices want root")
        for tool in ("losetup", "mkfs.ext4", "mount", "dd"):
            if not shutil.which(tool):
                raise NotHere(f"no command '{tool}' (Debian: util-linux, e2fsprogs, coreutils)")
        made.callback(shutil.rmtree, self.scratch, ignore_errors=True)
        for folder in (self.groups, self.directory):
            folder.mkdir(parents=True)
        # Mounted here too: commands on a host see a /sys of their own.
        made.callback(self._unmount, self.groups)
        done("mount", "-t", "cgroup", "-o", "blkio", "none", self.groups)
        if not (self.groups / "blkio.throttle.write_bps_device").exists():
            raise NotHere("the kernel's control groups limit no device (blkio.throttle.write_bps_device)")
        made.callback(attempt, NODES, "down", env=self.env)
        done(NODES, "up", HOSTS, env=self.env)
        self._limit(self._make_storage(made), made)
        self._check()

    def _unmount(self, folder: pathlib.Path) -> None:
        if os.path.ismount(folder):
            attempt("umount", folder)

    def _make_storage(self, made: contextlib.ExitStack) -> str:
        """The device. Its image is written once, so that no block is new to the disk below later."""
        image = self.scratch / "image"
        with open(image, "wb") as file:
            block = bytes(8 * MIB)
            for _ in range(-(-self.num_bytes // len(block))):
                file.write(block)
            os.fsync(file.fileno())
        device = done("losetup", "--find", "--show", "--direct-io=on", image)
        made.callback(attempt, "losetup", "--detach", device)
        done("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", device)
        made.callback(self._unmount, self.directory)
        done("mount", device, self.directory)
        return device

    def _limit(self, device: str, made: contextlib.ExitStack) -> None:
        number = os.stat(device).st_rdev
        limit = f"{os.major(number)}:{os.minor(number)} {self.rate}"
        hosts = done(NODES, "status", env=self.env).split()
        for which in ["all"] if self.together else hosts:
            group = self.groups / f"{self.name}-{which}"
            made.callback(remove_group, group)
            group.mkdir()
            for operation in ("read", "write"):
                (group / f"blkio.throttle.{operation}_bps_device").write_text(limit)
        which = "all" if self.together else "$(hostname)"
        self.enter.write_text(ENTER.format(groups=self.groups, name=self.name, which=which), encoding="utf-8")
        self.enter.chmod(0o755)

    def _check(self) -> None:
        """The limit is there: what should take half a second does."""
        file, count = self.directory / "probe", max(1, round(self.rate * PROBE_SECONDS / MIB))
        begun = time.monotonic()
        done(NODES, "exec", "0", self.enter, "dd", "if=/dev/zero", f"of={file}", "bs=1M", f"count={count}", "oflag=direct", env=self.env)
        took = time.monotonic() - begun
        file.unlink()
        if took < 0.6 * PROBE_SECONDS:
            raise NotHere(f"the limit of {self.rate / MIB:.0f} MiB/s does not act: {count} MiB took {took:.2f} s")


def run_logged(command: Sequence[str], log: pathlib.Path, seconds: float, env: dict[str, str], folder: pathlib.Path) -> int:
    """Exit code. Ended, with all it started, past its time and where this program is."""
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=env, cwd=folder,
                                   start_new_session=True)  # fmt: skip
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return 124
        finally:
            with undisturbed():
                for number in (signal.SIGTERM, signal.SIGKILL):
                    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                        if process.poll() is None:
                            os.killpg(process.pid, number)
                            process.wait(10)
