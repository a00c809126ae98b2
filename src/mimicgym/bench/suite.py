"""Several cases, each in a process of its own: so the memory of one is not counted for
the next, no case finds what another has compiled in this process, and one that dies
takes no other with it.

The processes run one after the other. This one must not have started JAX's backend,
which on a GPU takes most of its memory.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mimicgym.bench.case import Case, run_case
from mimicgym.errors import UserError
from mimicgym.run import versions

Row = dict[str, Any]
"""A case's axes with its figures, or with "error"."""


def run_suite(
    cases: Iterable[Case], on_row: Callable[[Row], None] = lambda row: None
) -> list[Row]:
    """Measure one case after the other. One that fails has a row that says why."""
    rows = []
    for case in cases:
        row = run_apart(case)
        on_row(row)
        rows.append(row)
    return rows


def run_apart(case: Case) -> Row:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        asked, found = Path(folder) / "case.json", Path(folder) / "row.json"
        asked.write_text(json.dumps(case.to_dict()))
        done = subprocess.run(
            [sys.executable, "-m", "mimicgym.bench.suite", str(asked), str(found)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode == 0:
            return json.loads(found.read_text())
    told = [line for line in done.stderr.splitlines() if line.strip()]
    reason = told[-1].strip() if told else "without a word"
    if done.returncode != _REFUSED:
        # A negative status is a signal: -9 where the system had no memory left.
        reason = f"ended with status {done.returncode}: {reason}"
    return case.axes | {"error": reason}


def report_of(rows: Sequence[Row], command: str) -> dict[str, Any]:
    """Rows with where they come from, in JSON types."""
    return surroundings(command) | {"rows": list(rows)}


def surroundings(command: str) -> dict[str, Any]:
    """Machine, versions and command."""
    return {
        "command": command,
        "machine": f"{platform.platform()}, {_processor()}, {os.cpu_count()} cores",
        "versions": versions(),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


_REFUSED = 2


def _main(asked: str, found: str) -> int:
    try:
        row = run_case(Case.from_dict(json.loads(Path(asked).read_text())))
    except UserError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    Path(found).write_text(json.dumps(row))
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
