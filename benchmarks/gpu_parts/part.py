"""What every unit of a section has: its settings, its time, and its place in the JSON.

A section is one file, OUT/SECTION.json, with an entry for each of its units. A unit
writes its entry anew with everything it learns, so that one that is killed leaves what
it had.
"""

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    "mimicgym",
    "mujoco",
    "mujoco-mjx",
    "warp-lang",
    "jax",
    "jaxlib",
    "jax-cuda12-plugin",
    "jax-cuda13-plugin",
    "flax",
    "orbax-checkpoint",
    "brax",
    "playground",
    "numpy",
)


class Skip(Exception):
    """There is nothing to measure here; the message says why."""


@dataclass(frozen=True)
class Settings:
    """What the command line says, the same for all units.

    Attributes:
      out: where the JSON files go.
      work: where runs and logs go, which are packed into `out` in the end.
      clips: folder of motion files, or None.
      sizes: numbers of environments.
      options: for `mimicgym train`, in single trainings and those of all clips.
      dry: tiny sizes, on whatever device there is.
    """

    out: Path
    work: Path
    clips: Path | None
    clip_names: tuple[str, ...]
    presets: tuple[str, ...]
    engines: tuple[str, ...]
    sizes: tuple[int, ...]
    train_sizes: tuple[int, ...]
    tests: tuple[str, ...]
    devices: int
    eval_every: int
    options: tuple[str, ...]
    dry: bool


@dataclass
class Part:
    """One unit while it runs.

    Attributes:
      deadline: by `time.monotonic`, when it will be killed.
    """

    section: str
    unit: str
    settings: Settings
    deadline: float
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def dry(self) -> bool:
        return self.settings.dry

    def left(self) -> float:
        """Seconds until the unit is killed."""
        return self.deadline - time.monotonic()

    def put(self, **values: Any) -> None:
        """Write down values, at once."""
        self.entry.update(values)
        write_entry(self.settings.out, self.section, self.unit, self.entry)

    def add(self, row: dict[str, Any], to: str = "results") -> None:
        """Append a row to a list, at once."""
        self.put(**{to: [*self.entry.get(to, []), row]})
        print(f"{self.section}/{self.unit}: {json.dumps(row)}", flush=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What the unit is at. If it dies, the last stage begun is not done."""
        began = time.perf_counter()
        self.put(stage=name)
        yield
        self.add({"stage": name, "seconds": time.perf_counter() - began}, "stages")

    def cases(
        self, what: str, values: tuple[Any, ...], need_s: float = 20.0
    ) -> Iterator[Any]:
        """Values while there is time for another; the rest is written down."""
        for i, value in enumerate(values):
            if self.left() < need_s:
                self.put(not_reached={what: [str(v) for v in values[i:]]})
                return
            yield value


@contextmanager
def attempt(part: Part, **labels: Any) -> Iterator[None]:
    """A failure in it, such as too little memory, becomes a row and not the end."""
    try:
        yield
    except (Skip, KeyboardInterrupt):
        raise
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        part.add(labels | {"error": text[:1500]})


def write_entry(out: Path, section: str, unit: str, entry: dict[str, Any]) -> None:
    """Replace one unit's entry in its section's file."""
    file = out / f"{section}.json"
    content = json.loads(file.read_text()) if file.exists() else {}
    content.setdefault("section", section)
    content.setdefault("units", {})[unit] = entry
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(beside, file)


def read_entry(out: Path, section: str, unit: str) -> dict[str, Any]:
    """One unit's entry; empty where it has written none."""
    file = out / f"{section}.json"
    if not file.exists():
        return {}
    return json.loads(file.read_text()).get("units", {}).get(unit, {})


def machine() -> dict[str, Any]:
    """Devices and versions, as JAX and pip tell them."""
    import jax

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "backend": jax.default_backend(),
        "devices": [d.device_kind for d in jax.devices()],
        "driver": _nvidia("driver_version"),
        "cpu_cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": found,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
    }


def memory() -> dict[str, Any]:
    """Megabytes of the first device: JAX's own, and by the driver all of it."""
    import jax

    stats = jax.devices()[0].memory_stats() or {}
    names = ("bytes_in_use", "peak_bytes_in_use", "bytes_limit", "largest_alloc_size")
    found = {f"jax_{k}_mb": stats[k] / 1e6 for k in names if k in stats}
    used = _nvidia("memory.used")
    if used:
        found["driver_used_mib"] = [float(x) for x in used]
    return found


def _nvidia(what: str) -> list[str]:
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []


def seconds_of(function: Any, *args: Any, repeats: int = 5) -> list[float]:
    """Times of calls after one that compiles, each waited for."""
    import jax

    jax.block_until_ready(function(*args))
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - began)
    return times


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
