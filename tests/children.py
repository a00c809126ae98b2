"""Processes that a test starts, and that end with it, however it ends."""

import os
import random
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PORTS = range(20_000, 30_000)  # which no system hands out by itself


@dataclass
class Child:
    """A process, and where it writes: a pipe that nobody reads would stop it."""

    process: subprocess.Popen
    out: Path
    errors: Path


class Children:
    """Starts processes of this Python; to be used in a `with`.

    folder: for what they print.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._all: list[Child] = []

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *exception: object) -> None:
        for child in self._all:
            child.process.kill()
            child.process.wait()

    def start(
        self, *words: object, cwd: Path | None = None, **environment: str
    ) -> Child:
        """`python WORDS`, with some environment variables besides those of the test."""
        number = len(self._all)
        files = [self.folder / f"child_{number}.{name}" for name in ("out", "errors")]
        with files[0].open("w") as out, files[1].open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, *map(str, words)],
                cwd=cwd,
                env=os.environ | environment,
                stdout=out,
                stderr=errors,
            )
        self._all.append(Child(process, *files))
        return self._all[-1]


def finish(*children: Child, returns: int = 0) -> list[tuple[str, str]]:
    """Wait for them; what each has printed, and its errors."""
    said = []
    for child in children:
        code = child.process.wait()
        out, errors = child.out.read_text(), child.errors.read_text()
        assert code == returns, errors
        said.append((out, errors))
    return said


def free_port() -> int:
    """One that nothing listens at."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("localhost", port))
            except OSError:
                continue
            return port
