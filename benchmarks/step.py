"""Where the time of a control step and of an iteration goes.

python benchmarks/step.py --engine native --preset default --num-envs 512
python benchmarks/step.py --engine mjx --preset default --num-envs 64 --steps 5

Times larger and larger parts of the same work in turns, and shows medians: the bare
engine; the engine inside a jitted scan, with what terms look at; the environment
without resets; the environment; acting, with the policy and the value; and the update
of an iteration, divided by its steps. What one row takes more than the row before is
what that part costs, unless robots move differently: the first two rows hold the
starting pose, later ones follow a policy that knows nothing.

With the native engine a second table looks inside: how long a call out of the jitted
program takes, and of it MuJoCo's own part, reading and writing its arrays, and handing
over.
"""

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mimicgym  # sets up XLA  # noqa: F401
from mimicgym.bench.bare import BARE_LOOPS
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.envs.presets import env_preset
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.physics import foreign, native
from mimicgym.physics.scratch import Scratch
from mimicgym.ppo import ppo_preset
from mimicgym.ppo.learner import Learner


def engine_alone(env: TrackingEnv, num_envs: int, steps: int) -> Callable[[], None]:
    """The engine's step for a batch in a scan, with what terms look at."""
    keys = jax.random.split(jax.random.key(0), num_envs)
    state = jax.jit(jax.vmap(env.reset))(keys)
    ctrl = state.physics.qpos[:, 7:]

    @jax.jit
    def run(physics):
        def body(physics, _):
            physics, robot = jax.vmap(env.engine.step)(physics, ctrl, state.fields)
            return physics, sum(jnp.sum(x) for x in jax.tree.leaves(robot))

        return jax.lax.scan(body, physics, None, length=steps)

    return lambda: jax.block_until_ready(run(state.physics))


def environment(
    env: TrackingEnv, num_envs: int, steps: int, autoreset: str, std: float
) -> Callable[[], None]:
    """The environment with random actions. Goes on from call to call."""
    batched = BatchedEnv(env, num_envs, autoreset=autoreset, keep_final=False)
    keys = jax.random.split(jax.random.key(0), num_envs)
    held = {"batch": jax.jit(batched.reset)(keys), "key": jax.random.key(1)}
    # Without resets robots would soon lie on the ground: each stretch starts anew.
    first = held["batch"]

    @jax.jit
    def run(batch, key):
        def body(batch, key):
            action = std * jax.random.normal(key, (num_envs, env.action_size))
            batch = batched.step(batch, action)
            return batch, (batch.reward.mean(), batch.obs["actor"].mean())

        return jax.lax.scan(body, batch, jax.random.split(key, steps))

    def stretch() -> None:
        key, held["key"] = jax.random.split(held["key"])
        before = held["batch"] if autoreset != "disabled" else first
        held["batch"], _ = jax.block_until_ready(run(before, key))

    return stretch


def learning(
    env: TrackingEnv, num_envs: int, preset: str
) -> tuple[Callable[[], float], Callable[[], float], int]:
    """Acting and updating, in this order; each returns its seconds. Also the steps of
    an iteration."""
    config = ppo_preset(preset).ppo
    learner = Learner(BatchedEnv(env, num_envs, keep_final=False), config)
    held: dict[str, Any] = {"state": learner.init(jax.random.key(0))}

    def act() -> float:
        began = time.perf_counter()
        found = jax.block_until_ready(learner.collect(held["state"]))
        held["state"], held["rollout"], _ = found
        return time.perf_counter() - began

    def improve() -> float:
        began = time.perf_counter()
        found = learner.improve(held["state"], held.pop("rollout"), learner.teachers)
        held["state"], _ = jax.block_until_ready(found)
        return time.perf_counter() - began

    return act, improve, config.num_steps


class Clock:
    """Adds up the seconds that named functions take."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, name: str, function: Callable) -> Callable:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - began

        return call


@contextmanager
def inside(clock: Clock) -> Iterator[None]:
    """Time the parts of a native engine's calls, for as long as this lasts."""
    places = [
        (Scratch, "load", "checking and writing what goes in"),
        (Scratch, "run", "run"),
        (Scratch, "_advance", "MuJoCo: physics steps"),
        (Scratch, "_look", "MuJoCo: motion of the new state"),
        (native._Host, "__call__", "call"),
        (foreign, "_arrays", "views of XLA's memory"),
    ]
    kept = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    for owner, name, label in places:
        setattr(owner, name, clock.timed(label, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, function in kept:
            setattr(owner, name, function)


def look_inside(stretch: Callable[[], None], steps: int) -> dict[str, float]:
    """Milliseconds a control step of each part of an environment's stretch."""
    clock = Clock()
    with inside(clock):
        began = time.perf_counter()
        stretch()
        total = time.perf_counter() - began
    seconds = dict(clock.seconds)
    call, run = seconds.pop("call"), seconds.pop("run")
    advance = sum(v for k, v in seconds.items() if k.startswith("MuJoCo"))
    write = next(v for k, v in seconds.items() if k.startswith("checking"))
    seconds["reading what comes out"] = run - advance
    seconds["handing over, state in"] = call - run - write
    seconds["the jitted program, without its calls"] = (
        total - call - seconds["views of XLA's memory"]
    )
    seconds["all"] = total
    return {name: 1e3 * value / steps for name, value in seconds.items()}


@dataclass
class Parts:
    """What is timed: stretches of `args.steps` control steps, and an iteration's acting
    and updating, which return their seconds. All have run once."""

    env: TrackingEnv
    stretches: dict[str, Callable[[], None]]
    act: Callable[[], float]
    improve: Callable[[], float]
    length: int  # steps of an iteration

    @staticmethod
    def of(args: argparse.Namespace) -> "Parts":
        env = make_env(replace(env_preset(args.preset), engine=args.engine))
        count, steps, std = args.num_envs, args.steps, args.action_std
        act, improve, length = learning(env, count, args.preset)
        keys = jax.random.split(jax.random.key(0), count)
        start = jax.jit(jax.vmap(env.reset))(keys)
        loop = BARE_LOOPS[env.engine.name](env.engine, count)
        stretches: dict[str, Callable[[], None]] = {
            "bare engine": loop.standing(np.asarray(start.physics.qpos), steps),
            "engine, and a look at the new state": engine_alone(env, count, steps),
            "environment without resets": environment(
                env, count, steps, "disabled", std
            ),
            "environment": environment(env, count, steps, "same_step", std),
        }
        for warm in (*stretches.values(), act, improve):
            warm()
        return Parts(env, stretches, act, improve, length)


def timed(parts: Parts, args: argparse.Namespace) -> dict[str, float]:
    """Milliseconds a control step of each part, the median of turns."""
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(args.repeats):
        for name, stretch in parts.stretches.items():
            began = time.perf_counter()
            stretch()
            times[name].append(time.perf_counter() - began)
        times["acting"].append(parts.act() * args.steps / parts.length)
        times["update"].append(parts.improve() * args.steps / parts.length)
    return {name: 1e3 * float(np.median(t)) / args.steps for name, t in times.items()}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    parts = Parts.of(args)
    env, steps = parts.env, args.steps
    report: dict[str, Any] = {
        "engine": env.engine.name,
        "preset": args.preset,
        "num_envs": args.num_envs,
        "repeats": args.repeats,
        "machine": platform.processor() or platform.machine(),
        "versions": {
            name: metadata.version(name)
            for name in ("mimicgym", "jax", "mujoco", "mujoco-mjx")
        },
        "ms_per_step": timed(parts, args),
    }
    if env.engine.name == "native" and foreign.available():
        whole = parts.stretches["environment"]
        seen = [look_inside(whole, steps) for _ in range(args.repeats)]
        report["inside_ms_per_step"] = {
            name: float(np.median([part[name] for part in seen])) for name in seen[0]
        }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--num-envs", type=int, default=512)
    parser.add_argument("--steps", type=int, default=50, help="of a timed stretch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--action-std", type=float, default=0.1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    report = measure(args)
    for title in ("ms_per_step", "inside_ms_per_step"):
        if title in report:
            print(f"\n{title}")
            for name, value in report[title].items():
                print(f"{value:10.2f}  {name}")
    if args.out:
        args.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
