"""Where the time of a step and of an iteration goes on the device.

First by parts of the same work, as `benchmarks/step.py` has them; then by the programs
that the device ran, as JAX's profiler saw them, in a stretch of the environment and in
an iteration's acting, but not with Warp.
"""

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from gpu_parts.engines import by_preset, engine_and_preset
from gpu_parts.part import Part, Settings, attempt

# Of each trace, so many kinds of programs are told apart; the rest is summed up.
MOST = 40


def units(settings: Settings) -> tuple[str, ...]:
    return by_preset(settings)


def run(part: Part) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import step

    engine, preset = engine_and_preset(part)
    size, steps = part.settings.train_sizes[-1], 2 if part.dry else 20
    args = argparse.Namespace(
        engine=engine,
        preset=preset,
        num_envs=size,
        steps=steps,
        repeats=2 if part.dry else 5,
        action_std=0.1,
    )
    with part.stage("making the parts and compiling them"):
        parts = step.Parts.of(args)
    part.put(num_envs=size, steps=steps)
    with part.stage("timing"):
        part.put(ms_per_step=step.timed(parts, args))
    if engine == "warp":
        # Under JAX's profiler Warp's CUDA graphs fail to launch (warp 1.18, jax 0.11),
        # which is the end of the process.
        part.put(traces="none with warp")
        return
    traced: dict[str, Callable[[], Any]] = {
        "environment": parts.stretches["environment"],
        "environment without resets": parts.stretches["environment without resets"],
        "acting": parts.act,
    }
    for name, function in traced.items():
        with part.stage(f"a trace of {name}"), attempt(part, trace=name):
            part.add({"trace": name, **trace(function)}, "traces")


def trace(function: Callable[[], Any]) -> dict[str, Any]:
    """What the device did during a call that has been made before.

    Returns:
      The call's time, for how much of it anything ran, and the kinds of programs by
      their time, each with how often it ran.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with jax.profiler.trace(folder):
            function()
        wall_s = time.perf_counter() - began
        (file,) = Path(folder).rglob("*.xplane.pb")
        events = device_events(file)
    kinds: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
    for name, _, duration in events:
        kinds[name][0] += 1
        kinds[name][1] += duration
    order = sorted(kinds.items(), key=lambda item: -item[1][1])
    first = min((start for _, start, _ in events), default=0.0)
    last = max((start + duration for _, start, duration in events), default=0.0)
    return {
        # Writing the trace is in it.
        "wall_s": wall_s,
        "span_ms": 1e-6 * (last - first),
        "busy_ms": 1e-6 * covered([(s, s + d) for _, s, d in events]),
        "programs": len(events),
        "kinds": len(kinds),
        "most": [
            {"name": name, "count": int(count), "ms": 1e-6 * total}
            for name, (count, total) in order[:MOST]
        ],
        "rest_ms": 1e-6 * sum(total for _, (_, total) in order[MOST:]),
        "rest_count": int(sum(count for _, (count, _) in order[MOST:])),
    }


def device_events(file: Path) -> list[tuple[str, float, float]]:
    """(name, start ns, duration ns) of what ran on the first GPU's streams, or, where
    there is none, in XLA's threads."""
    planes = list(jax.profiler.ProfileData.from_file(str(file)).planes)
    gpus = sorted((p for p in planes if "GPU" in p.name), key=lambda p: p.name)
    if gpus:
        lines = [line for line in gpus[0].lines if line.name.startswith("Stream")]
    else:
        host = [p for p in planes if p.name == "/host:CPU"]
        lines = [line for p in host for line in p.lines if "XLA" in line.name]
    return [
        (event.name, event.start_ns, event.duration_ns)
        for line in lines
        for event in line.events
    ]


def covered(spans: list[tuple[float, float]]) -> float:
    """Length of the union of intervals."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
