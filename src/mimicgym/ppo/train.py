"""The host's loop around the learner's iterations. It prints nothing."""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mimicgym.errors import UserError
from mimicgym.ppo.ahead import Iteration, compile_iteration
from mimicgym.ppo.learner import Learner
from mimicgym.ppo.seeds import SeedLearner, over_seeds
from mimicgym.ppo.state import LearnerState
from mimicgym.ppo.stopwatch import Split, Stopwatch


@dataclass(frozen=True)
class Progress:
    """What is known after an iteration.

    Attributes:
      iteration: how many have been done, since the run's beginning.
      env_steps: environment steps since then.
      seconds: training time of this call, without the first iteration's compilation and
        without what is done at rests.
      compile_s: time that compiling took.
      rollout_s, update_s: what the iteration spent acting and learning; in the first of
        this call with compiling.
      metrics: figures of the iteration; None for those that had nothing to average. Of
        several seeds, see `over_seeds`.
      seeds: those of each seed, where there are several.
    """

    iteration: int
    env_steps: int
    seconds: float
    compile_s: float
    steps_per_s: float
    rollout_s: float
    update_s: float
    metrics: dict[str, float | None]
    seeds: tuple[dict[str, float | None], ...] = ()


def train(
    learner: Learner | SeedLearner,
    state: LearnerState,
    *,
    iterations: int | None = None,
    seconds: float | None = None,
    on_iteration: Callable[[Progress, LearnerState | None], None] | None = None,
    rests: Callable[[int], bool] = lambda iteration: False,
    should_stop: Callable[[], bool] | None = None,
) -> LearnerState:
    """Iterate until `iterations` are done in all or `seconds` of training have passed.

    Metrics are read one iteration late, so that the device has the next iteration to
    work on while the host looks at the last. Only at rests it waits for the host.

    Args:
      iterations: to reach, counted from the run's beginning.
      seconds: of training in this call; compiling and rests do not count.
      on_iteration: called once for each iteration, in order; at rests with the state
        that the iteration led to (its memory is the next one's: copy what is to be
        kept), elsewhere with None.
      rests: whether to rest after that iteration.
      should_stop: asked before each iteration.

    Returns:
      The last state. The one passed in can not be used any more.

    Raises:
      UserError: the reward, the loss or its gradient is no longer finite; on_iteration
        is not called for such an iteration.
    """
    if iterations is None and seconds is None and should_stop is None:
        raise UserError("nothing says when to stop: give iterations or seconds")
    done = int(np.max(jax.device_get(state.iteration)))
    if iterations is not None and iterations <= done:
        raise UserError(
            f"{done} iterations are done already; iterations={iterations} asks for none"
        )
    waiting: tuple[int, dict[str, Any], Future[Split]] | None = None
    clock = _Clock(learner.steps_per_iteration)

    def report(
        pending: tuple[int, dict[str, Any], Future[Split]], rest: LearnerState | None
    ) -> None:
        number, device_metrics, watched = pending
        split = watched.result()
        seeds = _by_seed(jax.device_get(device_metrics))
        for each in seeds:
            _refuse_divergence(number, each)
        clock.tick(split.ready_s)
        if on_iteration is None:
            return
        progress = Progress(
            iteration=number,
            env_steps=number * learner.steps_per_iteration,
            seconds=clock.seconds,
            compile_s=clock.compile_s,
            steps_per_s=clock.steps_per_s,
            rollout_s=split.rollout_s,
            update_s=split.update_s,
            metrics=over_seeds(seeds) if len(seeds) > 1 else seeds[0],
            seeds=tuple(seeds) if len(seeds) > 1 else (),
        )
        on_iteration(progress, rest)

    with Stopwatch() as watch:
        programs: Iteration | None = None
        while should_stop is None or not should_stop():
            if iterations is not None and done >= iterations:
                break
            if seconds is not None and clock.seconds >= seconds:
                break
            if programs is None:
                # From here on nothing can be compiled again.
                programs = compile_iteration(learner, state)
            state, rollout, acted = programs.collect(state)
            state, learnt = programs.improve(state, rollout, programs.teachers)
            del rollout  # its memory is wanted for the next
            done += 1
            if waiting is not None:
                report(waiting, None)
            waiting = (done, acted | learnt, watch.watch(acted, learnt))
            if rests(done):
                # Waiting for the device is training; what follows is not.
                state = jax.block_until_ready(state)
                with clock.resting():
                    report(waiting, state)
                waiting = None
                watch.restart()
        if waiting is not None:
            report(waiting, None)
    return jax.block_until_ready(state)


class _Clock:
    """Training time; what comes before the first result is compiling.

    It goes by when results were there. When the host comes to read them tells less: it
    may have had to wait for the next iteration's programs to be under way.
    """

    def __init__(self, steps_per_iteration: int):
        self.steps = steps_per_iteration
        self.began = time.perf_counter()
        self.first: float | None = None
        self.last = self.began
        self.count = 0

    def tick(self, ready_s: float) -> None:
        self.last = ready_s
        if self.first is None:
            self.first = self.last
        else:
            self.count += 1

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Time in it does not count, from the last result on."""
        yield
        assert self.first is not None
        away = time.perf_counter() - self.last
        self.began += away
        self.first += away
        self.last += away

    @property
    def compile_s(self) -> float:
        return (self.first or self.last) - self.began

    @property
    def seconds(self) -> float:
        """From the first result to the last."""
        return 0.0 if self.first is None else self.last - self.first

    @property
    def steps_per_s(self) -> float:
        if self.first is None or self.count == 0:
            return 0.0
        return self.count * self.steps / self.seconds


def _refuse_divergence(iteration: int, metrics: dict[str, float | None]) -> None:
    for name in ("ppo/reward", "ppo/value_loss", "ppo/policy_loss", "ppo/grad_norm"):
        if metrics[name] is None:
            raise UserError(
                f"training diverged in iteration {iteration}: {name} is not finite;"
                " if the reward is, a lower ppo.learning_rate_max may help"
            )


def _by_seed(metrics: dict[str, Any]) -> list[dict[str, float | None]]:
    """Figures of each seed, of arrays (count,) or () of a single one."""
    rows = {name: np.atleast_1d(value) for name, value in metrics.items()}
    count = len(next(iter(rows.values())))
    return [{k: _number(v[i]) for k, v in rows.items()} for i in range(count)]


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
