"""Trainings by `mimicgym train`, stopped as soon as every clip is completed.

Time is taken twice: training time as the run counts it (without compiling, evaluating
and saving), and by the clock from the command's start to the evaluation.
"""

import json
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from gpu_parts.part import Part, Settings, Skip, memory

# Time that the command needs after it is asked to stop: saving, evaluating, drawing.
STOPPING_S = 45.0
# Of a packed file.
MOST_BYTES = 15 * 2**20


def quality_units(settings: Settings) -> tuple[str, ...]:
    """Each clip with each preset and each number of environments."""
    return tuple(
        f"{clip}-{preset}-{size}"
        for clip in settings.clip_names
        for preset in settings.presets
        for size in settings.train_sizes
    )


def generalist_units(settings: Settings) -> tuple[str, ...]:
    """All clips together; with each preset, and the largest number of environments."""
    return tuple(f"{p}-{settings.train_sizes[-1]}" for p in settings.presets)


def quality(part: Part) -> None:
    clip, preset, size = part.unit.rsplit("-", 2)
    _train(part, [_clip(part.settings, clip)], preset, int(size))


def generalist(part: Part) -> None:
    preset, size = part.unit.rsplit("-", 1)
    clips = _folder(part.settings)
    _train(part, [str(clips)], preset, int(size))


def _folder(settings: Settings) -> Path:
    if settings.clips is None:
        raise Skip("no clips: give their folder by --clips")
    return settings.clips


def _clip(settings: Settings, name: str) -> str:
    """A file of the clips' folder, else an embedded clip."""
    from mimicgym.assets import embedded_motions

    if name in embedded_motions():
        return name
    file = _folder(settings) / f"{name}.npz"
    if not file.exists():
        raise Skip(f"there is no {file}")
    return str(file)


def _train(part: Part, motion: list[str], preset: str, num_envs: int) -> None:
    folder = part.settings.work / "runs" / f"{part.section}-{part.unit}"
    engine = part.settings.engines[0]
    command = [sys.executable, "-m", "mimicgym", "train", "--out", str(folder)]
    command += ["--preset", preset, "--engine", engine, "--num-envs", str(num_envs)]
    command += ["--success", "1.0", f"--training.eval-every={part.settings.eval_every}"]
    command += ["--training.checkpoint-every=100000", "--training.keep=1"]
    command += [f"--devices={part.settings.devices}"]
    command += ["--iterations", "2"] if part.dry else ["--minutes", "600"]
    command += [*part.settings.options, "--motion", *motion]
    part.put(command=" ".join(command[1:]), engine=engine)
    began = time.monotonic()
    log = part.settings.work / f"{part.section}-{part.unit}.train.log"
    asked = False
    clock: dict[int, float] = {}
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                time.sleep(0.5)
                for line in _lines(folder / "evals.jsonl"):
                    if line["iteration"] not in clock:
                        clock[line["iteration"]] = time.monotonic() - began
                        part.put(**_summary(folder, clock))
                if part.left() < STOPPING_S and not asked:
                    # It saves and evaluates once more, as after Ctrl-C.
                    process.send_signal(signal.SIGINT)
                    asked = True
        finally:
            if process.poll() is None:
                process.kill()
    part.put(
        **_summary(folder, clock),
        exit_code=process.returncode,
        stopped_for_time=asked,
        wall_s=time.monotonic() - began,
        output=log.read_text(errors="replace")[-3000:],
        **memory_of(folder),
    )
    # 130: stopped because it was asked to.
    if process.returncode not in (0, 130):
        raise RuntimeError(f"mimicgym train ended with {process.returncode}")


def _lines(file: Path) -> list[dict[str, Any]]:
    """The whole lines of a file that is being written."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().split("\n")[:-1]]


def _summary(folder: Path, clock: dict[int, float]) -> dict[str, Any]:
    """The evaluations with their times, and when the first completed everything."""
    metrics = {line["iteration"]: line for line in _lines(folder / "metrics.jsonl")}
    curve = []
    for line in _lines(folder / "evals.jsonl"):
        iteration, mean = line["iteration"], line["mean"]
        known = metrics.get(iteration, {})
        curve.append(
            {
                "iteration": iteration,
                "env_steps": known.get("env_steps"),
                "training_s": known.get("seconds"),
                "clock_s": clock.get(iteration),
                "success": mean["success"],
                "completion": mean["completion"],
                "mpkpe_mm": mean["mpkpe_mm"],
                "joint_error_rad": mean["joint_error_rad"],
            }
        )
    found: dict[str, Any] = {"curve": curve}
    whole = [row for row in curve if row["completion"] == 1.0]
    if whole:
        first = whole[0]
        found["completed_at"] = first
        for name in ("training_s", "clock_s"):
            if first[name] is not None:
                found[f"minutes_to_completion_{name[:-2]}"] = first[name] / 60
    if metrics:
        last = metrics[max(metrics)]
        names = ("iteration", "env_steps", "seconds", "steps_per_s")
        found["last"] = {name: last.get(name) for name in names}
        found["last_return"] = last.get("episode/return")
    last_evaluation = _lines(folder / "evals.jsonl")[-1:]
    if last_evaluation and len(last_evaluation[0]["clips"]) > 1:
        found["clips_of_the_last_evaluation"] = last_evaluation[0]["clips"]
    return found


def memory_of(folder: Path) -> dict[str, Any]:
    """What the run's metrics say of memory."""
    lines = _lines(folder / "metrics.jsonl")
    names = [k for k in (lines[-1] if lines else {}) if "memory" in k]
    return {"memory": {name: lines[-1][name] for name in names}, **memory()}


def pack(settings: Settings, section: str) -> list[str]:
    """Put the section's runs into archives in `out`, none of them too large. Of
    checkpoints, the best one's policy is taken along, and not the learner's state.

    Returns:
      What was left out, with its size.
    """
    left_out: list[str] = []
    groups: list[list[tuple[Path, Path]]] = [[]]
    room = MOST_BYTES
    for run in sorted((settings.work / "runs").glob(f"{section}-*")):
        files = [f for f in run.rglob("*") if f.is_file() and _wanted(run, f)]
        size = sum(f.stat().st_size for f in files)
        if size > MOST_BYTES:
            left_out.append(f"{run.name} ({size / 2**20:.1f} MiB)")
            continue
        if size > room:
            groups.append([])
            room = MOST_BYTES
        room -= size
        groups[-1] += [(run, file) for file in files]
    for number, group in enumerate(groups):
        name = settings.out / f"{section}-runs-{number}.tar.gz"
        with tarfile.open(name, "w:gz") as archive:
            for run, file in group:
                archive.add(file, run.name / file.relative_to(run))
    return left_out


def _wanted(run: Path, file: Path) -> bool:
    parts = file.relative_to(run).parts
    if parts[0] in ("checkpoints", "tensorboard"):
        return False
    return "learner" not in parts
