"""How long a clip takes to be learnt: minutes until an evaluation says so.

python benchmarks/quality.py --clips wave walk.npz --seeds 0 1 2 --out quality.json

A training by `mimicgym train` is evaluated every few iterations, and is stopped by the
first evaluation in which the clip is completed and its bodies are near enough. Time is
taken twice: as the run counts it, without compiling, evaluating and saving; and by the
clock, from the command's start to the end of that evaluation. Trainings run one after
the other, each in a process of its own. `--mpkpe` is the mean distance of bodies in mm;
`CLIP=MM` sets it for one clip, and `CLIP=none` asks for completion alone.
"""

import argparse
import json
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

# Time that the command has to save, once it is asked to stop.
STOPPING_S = 120.0


@dataclass
class Outcome:
    """One training.

    Attributes:
      reached: whether an evaluation met the target; the rest is of that evaluation, or
        of the last one.
      training_s: without compiling, evaluating and saving.
      clock_s: since the command was given.
    """

    clip: str
    seed: int
    mpkpe_wanted_mm: float | None
    reached: bool
    training_s: float
    clock_s: float
    env_steps: int
    completion: float
    mpkpe_mm: float
    steps_per_s: float
    curve: list[dict[str, float]]


def main() -> None:
    args = _arguments()
    wanted = _wanted(args)
    found: list[Outcome] = []
    for clip in args.clips:
        for seed in args.seeds:
            outcome = _train(clip, seed, wanted[_name(clip)], args)
            found.append(outcome)
            print(_line(outcome), flush=True)
            _write(args, found)
    print(_table(found))


def _wanted(args: argparse.Namespace) -> dict[str, float | None]:
    names = [_name(clip) for clip in args.clips]
    wanted: dict[str, float | None] = dict.fromkeys(names, None)
    for word in args.mpkpe:
        name, _, number = word.rpartition("=")
        if name and name not in names:
            raise SystemExit(f"--mpkpe {word}: the clips are {', '.join(names)}")
        try:
            value = None if number == "none" else float(number)
        except ValueError:
            raise SystemExit(f"--mpkpe {word}: not a number") from None
        wanted |= dict.fromkeys([name] if name else names, value)
    return wanted


def _name(clip: str) -> str:
    return Path(clip).stem


def _train(
    clip: str, seed: int, wanted_mm: float | None, args: argparse.Namespace
) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="mimicgym-quality-")) / "run"
    command = [sys.executable, "-m", "mimicgym", "train", "--out", str(folder)]
    command += ["--preset", args.preset, "--seed", str(seed), "--minutes", "600"]
    command += [f"--training.eval-every={args.every}"]
    command += ["--training.checkpoint-every=100000", "--motion", clip, *args.options]
    log = folder.parent / "log"
    clock: dict[int, float] = {}
    began = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                now = time.monotonic() - began
                for line in _lines(folder / "evals.jsonl"):
                    clock.setdefault(line["iteration"], now)
                curve = _curve(folder, clock)
                if any(_good(row, wanted_mm) for row in curve) or (
                    now > 60 * args.minutes
                ):
                    process.send_signal(signal.SIGINT)
                    process.wait(STOPPING_S)
        finally:
            if process.poll() is None:
                process.kill()
    curve = [row for row in _curve(folder, clock) if "clock_s" in row]
    if not curve:
        raise SystemExit(f"{' '.join(command)}\n{log.read_text()[-3000:]}")
    good = [row for row in curve if _good(row, wanted_mm)]
    row = good[0] if good else curve[-1]
    return Outcome(
        clip=_name(clip),
        seed=seed,
        mpkpe_wanted_mm=wanted_mm,
        reached=bool(good),
        training_s=row["training_s"],
        clock_s=row["clock_s"],
        env_steps=int(row["env_steps"]),
        completion=row["completion"],
        mpkpe_mm=row["mpkpe_mm"],
        steps_per_s=row["env_steps"] / row["training_s"],
        curve=curve,
    )


def _good(row: dict[str, float], wanted_mm: float | None) -> bool:
    near = wanted_mm is None or row["mpkpe_mm"] <= wanted_mm
    return row["completion"] == 1.0 and near


def _curve(folder: Path, clock: dict[int, float]) -> list[dict[str, float]]:
    metrics = {line["iteration"]: line for line in _lines(folder / "metrics.jsonl")}
    rows = []
    for line in _lines(folder / "evals.jsonl"):
        iteration, mean = line["iteration"], line["mean"]
        if iteration not in metrics:
            continue
        row = {
            "iteration": iteration,
            "env_steps": metrics[iteration]["env_steps"],
            "training_s": metrics[iteration]["seconds"],
            "completion": mean["completion"],
            "mpkpe_mm": mean["mpkpe_mm"],
        }
        if iteration in clock:
            row["clock_s"] = clock[iteration]
        rows.append(row)
    return rows


def _lines(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that is being written."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().split("\n")[:-1]]


def _line(outcome: Outcome) -> str:
    return (
        f"{outcome.clip}, seed {outcome.seed}: "
        f"{'reached' if outcome.reached else 'not reached'} after"
        f" {outcome.training_s / 60:.1f} minutes of training,"
        f" {outcome.clock_s / 60:.1f} by the clock, {outcome.env_steps:,} steps;"
        f" completion {outcome.completion:.2f}, {outcome.mpkpe_mm:.1f} mm"
    )


def _table(found: list[Outcome]) -> str:
    lines = []
    for clip in dict.fromkeys(o.clip for o in found):
        rows = [o for o in found if o.clip == clip]
        late = [o for o in rows if not o.reached]
        # A training that did not get there took longer than any that did.
        order = sorted(rows, key=lambda o: (not o.reached, o.training_s))
        middle = order[(len(order) - 1) // 2]
        bound = "more than " if not middle.reached else ""
        clock = statistics.median(o.clock_s for o in rows)
        lines.append(
            f"{clip}: median {bound}{middle.training_s / 60:.1f} minutes of training"
            f" ({clock / 60:.1f} by the clock), {len(rows) - len(late)} of"
            f" {len(rows)} seeds"
        )
    return "\n".join(lines)


def _write(args: argparse.Namespace, found: list[Outcome]) -> None:
    if args.out is None:
        return
    packages = ("mimicgym", "mujoco", "jax", "jaxlib")
    content = {
        "versions": {name: metadata.version(name) for name in packages},
        "python": platform.python_version(),
        "preset": args.preset,
        "options": args.options,
        "results": [asdict(outcome) for outcome in found],
    }
    args.out.write_text(json.dumps(content, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--clips", nargs="+", required=True, help="files, or names of embedded clips")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--preset", default="quick")
    add("--every", type=int, default=10, help="iterations between evaluations")
    add("--mpkpe", nargs="+", default=["25"], metavar="[CLIP=]MM")
    add("--minutes", type=float, default=15.0, help="of a training, at most")
    add("--out", type=Path, help="a JSON file")
    add("options", nargs="*", metavar="-- OPTION", help="for `mimicgym train`")
    return parser.parse_args()


if __name__ == "__main__":
    main()
