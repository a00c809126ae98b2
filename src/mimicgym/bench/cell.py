"""Speed of one environment with all its terms, against its bare engine."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mimicgym.bench.bare import BARE_LOOPS
from mimicgym.bench.timed import Iterations, Stretches
from mimicgym.bench.usage import device_peak_mb, host_peak_mb
from mimicgym.compilations import CompilationLog
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError, unknown_name
from mimicgym.ppo import PPOConfig

Spread = tuple[float, float]
"""The least and the most of some repeats."""


@dataclass(frozen=True)
class PPOResult:
    """Acting and learning: whole iterations, without evaluations or saving.

    Attributes:
      env_steps_per_s: environment steps a second, both phases counted.
      ratio: of that speed to the environment's alone, which is driven by small random
        actions; a policy that has learnt nothing yet shakes the robots more.
      compile_s: what its programs took to trace and compile.
      steps_per_iteration, minibatches, epochs, hidden: of the learner.
    """

    env_steps_per_s: float
    ratio: float
    ratio_spread: Spread
    compile_s: float
    steps_per_iteration: int
    minibatches: int
    epochs: int
    hidden: tuple[int, ...]


@dataclass(frozen=True)
class BenchResult:
    """Medians over repeats that take turns; speeds in control steps a second.

    Attributes:
      bare_env_steps_per_s: the bare engine's, robots standing: see `bench.bare`.
      ratio: the environment's speed to that. It is the ratio that is reported.
      bare_same_motion_env_steps_per_s: the bare engine's from the environment's own
        states with its own targets. What the environment adds to the equation of motion
        beside those (pushes, drawn model fields) is left out.
      ratio_same_motion: the environment's speed to that.
      reset_share: share of rows that are reset in a step.
      compile_s: what the environment's programs took to trace and compile, or to read
        from the compilation cache.
      programs, from_cache: how many programs XLA was asked for in all, the bare
        engine's and the learner's too, and how many of them the cache had.
      host_peak_mb, device_peak_mb: the process's, see `bench.usage`; all that it did
        before is in them.
      ppo: of a learner, if one was asked for.
    """

    engine: str
    num_envs: int
    env_steps_per_s: float
    bare_env_steps_per_s: float
    ratio: float
    ratio_spread: Spread
    bare_same_motion_env_steps_per_s: float
    ratio_same_motion: float
    ratio_same_motion_spread: Spread
    reset_share: float
    compile_s: float
    programs: int
    from_cache: int
    host_peak_mb: float | None
    device_peak_mb: float | None
    steps: int
    repeats: int
    ppo: PPOResult | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def bench(
    env: TrackingEnv,
    num_envs: int,
    *,
    steps: int = 50,
    repeats: int = 5,
    seed: int = 0,
    action_std: float = 0.1,
    learner: PPOConfig | None = None,
) -> BenchResult:
    """Measure `env`, its bare engine and perhaps a learner in turns.

    Args:
      num_envs: rows of the batch.
      steps: control steps of one timed stretch.
      repeats: timed stretches of each; a ratio is that of neighbours in time.
      action_std: deviation of the random actions, in units of the action.
      learner: of which to time iterations as well.
    """
    if steps < 1 or repeats < 1:
        raise UserError(f"steps is {steps} and repeats {repeats}; both at least 1")
    if env.engine.name not in BARE_LOOPS:
        raise unknown_name("engine of a bare loop", env.engine.name, BARE_LOOPS)
    with CompilationLog() as log:
        stretches = Stretches(env, num_envs, steps, seed, action_std)
        loop = BARE_LOOPS[env.engine.name](env.engine, num_envs)
        standing = loop.standing(stretches.positions(), steps)
        iterations = None
        if learner is not None:
            iterations = Iterations(env, num_envs, learner, seed)
        # Whatever is first called does things once; that is not timed.
        stretches.begin()
        stretches.go()
        standing()
        loop.moving(*stretches.taken())()
        if iterations is not None:
            iterations.run()
        times: dict[str, list[float]] = {}

        def timed(name: str, run: Callable[[], None]) -> None:
            began = time.perf_counter()
            run()
            times.setdefault(name, []).append(time.perf_counter() - began)

        for _ in range(repeats):
            stretches.begin()
            timed("env", stretches.go)
            timed("standing", standing)
            timed("moving", loop.moving(*stretches.taken()))
            if iterations is not None:
                timed("ppo", iterations.run)
    seconds = {name: np.array(values) for name, values in times.items()}
    speed = {name: num_envs * steps / values for name, values in seconds.items()}
    ratio = speed["env"] / speed["standing"]
    same = speed["env"] / speed["moving"]
    ppo = None
    if learner is not None and iterations is not None:
        speed["ppo"] = iterations.steps / seconds["ppo"]
        share = speed["ppo"] / speed["env"]
        ppo = PPOResult(
            env_steps_per_s=_median(speed["ppo"]),
            ratio=_median(share),
            ratio_spread=_spread(share),
            compile_s=iterations.compile_s,
            steps_per_iteration=iterations.steps,
            minibatches=learner.minibatches,
            epochs=learner.epochs,
            hidden=learner.hidden,
        )
    return BenchResult(
        engine=env.engine.name,
        num_envs=num_envs,
        env_steps_per_s=_median(speed["env"]),
        bare_env_steps_per_s=_median(speed["standing"]),
        ratio=_median(ratio),
        ratio_spread=_spread(ratio),
        bare_same_motion_env_steps_per_s=_median(speed["moving"]),
        ratio_same_motion=_median(same),
        ratio_same_motion_spread=_spread(same),
        reset_share=float(np.mean(stretches.reset_shares)),
        compile_s=stretches.compile_s,
        programs=len(log.programs),
        from_cache=len(log.programs) - len(log.compiled),
        host_peak_mb=host_peak_mb(),
        device_peak_mb=device_peak_mb(),
        steps=steps,
        repeats=repeats,
        ppo=ppo,
    )


def _median(values: np.ndarray) -> float:
    return float(np.median(values))


def _spread(values: np.ndarray) -> Spread:
    return float(values.min()), float(values.max())
