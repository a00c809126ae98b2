"""What is written of a training while it goes on: metrics, scores, checkpoints.

What belongs to an iteration is logged before its checkpoint is begun, and a run that
goes on from a checkpoint drops what was logged past it: so its files say the same as
those of a run that was never stopped.
"""

import math
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from mimicgym.configs import to_dict
from mimicgym.envs.make import make_env
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.evaluation import Evaluation, Evaluator, evaluation_config
from mimicgym.loggers import Loggers, RunInfo, open_loggers
from mimicgym.memory import memory_metrics
from mimicgym.motion import Library
from mimicgym.ppo import Checkpoints, CheckpointWriter, LearnerState, Policy, policy_of
from mimicgym.ppo import Progress as Progress
from mimicgym.run import RunConfig, RunFolder

# Clips whose success is a curve of its own; all are in clips.jsonl.
_MOST_CLIP_CURVES = 50


class Recorder:
    """Keeps a run's folder. To be used in a `with`, at whose end all is written.

    Args:
      env, library: made from `config.env`.
      meta: what checkpoints say of themselves, see `identity`.
      success: share of clips completed in an evaluation that is aimed at.

    Attributes:
      reached: whether an evaluation has shown that success.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: RunConfig,
        env: TrackingEnv,
        library: Library,
        meta: dict[str, Any],
        success: float | None = None,
    ):
        self.folder = folder
        self.config = config
        self.reached = False
        self._env = env
        self._library = library
        self._meta = meta
        self._success = success
        self._evaluator: Evaluator | None = None
        self._evaluated: tuple[int, Evaluation] | None = None
        self._logged = {"clips": -1, "evaluation": -1}
        self._best_score: tuple[float, float] | None = None
        self._loggers = Loggers({})

    def __enter__(self) -> "Recorder":
        keep = self.config.training.keep
        with ExitStack() as stack:
            self._newest = stack.enter_context(
                CheckpointWriter(self.folder.checkpoints, keep)
            )
            self._best = stack.enter_context(CheckpointWriter(self.folder.best, 1))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        try:
            self._open.__exit__(*exception)
        finally:
            self._loggers.close()

    def begin(self, state: LearnerState) -> None:
        """Save a new run, so that it can go on from its first moment."""
        self._open_loggers(0, 0)
        self._newest.save(state, self.config.ppo, self._meta)

    def go_on(self, state: LearnerState) -> None:
        """Take up a run again where it was saved."""
        iteration = int(state.iteration)
        logged = self.folder.metrics()
        self.folder.forget_after(iteration)
        kept = self.folder.metrics()
        self._open_loggers(_last_step(kept), _last_step(logged))
        self._best.forget_after(iteration)
        best = Checkpoints(self.folder.best)
        if best.all():
            self._best_score = _score(best.meta(best.latest())["evaluation"])
        self._is_news("clips", iteration)
        lines = self.folder.evaluations()
        if lines and lines[-1]["iteration"] == iteration:
            self._is_news("evaluation", iteration)
            # Judged when it was saved, but perhaps killed before that had its effect.
            self._judge(state, lines[-1]["mean"])

    def rests(self, iteration: int) -> bool:
        """Whether the state after that iteration is needed."""
        return self._saves(iteration) or self._evaluates(iteration)

    def record(self, progress: Progress, state: LearnerState | None) -> Progress:
        """Write down an iteration; see `ppo.train`. Returns what is known now."""
        number = progress.iteration
        mean = None
        if state is not None and self._evaluates(number):
            mean = self.evaluate(state).mean
            scores = {f"eval/{k}": _known(v) for k, v in mean.items() if k != "frames"}
            progress = replace(progress, metrics=progress.metrics | scores)
        figures = {
            "iteration": number,
            "seconds": round(progress.seconds, 3),
            "steps_per_s": round(progress.steps_per_s, 1),
            "rollout_s": round(progress.rollout_s, 4),
            "update_s": round(progress.update_s, 4),
        }
        figures |= memory_metrics() | progress.metrics
        steps = {"iteration": number, "env_steps": progress.env_steps}
        self.folder.log(steps | figures)
        if state is not None and self._saves(number):
            figures |= _clip_rates(clip_report(self._env, state))
        self._loggers.log(progress.env_steps, figures)
        if state is not None and self._saves(number):
            self.save(state)
        if state is not None and mean is not None:
            self._judge(state, mean)
        return progress

    def save(self, state: LearnerState) -> list[dict[str, Any]]:
        """Begin to write a checkpoint. Returns the report on clips that goes with it.

        The best before it is waited for, so that a run that goes on from this one has
        to look after no other.
        """
        clips = clip_report(self._env, state)
        iteration = int(state.iteration)
        if self._is_news("clips", iteration):
            self.folder.log_clips(iteration, clips)
        self._best.wait()
        self._newest.save(state, self.config.ppo, self._meta)
        return clips

    def evaluate(self, state: LearnerState) -> Evaluation:
        """Scores of the state's policy, once for each iteration."""
        iteration = int(state.iteration)
        if self._evaluated is not None and self._evaluated[0] == iteration:
            return self._evaluated[1]
        if self._evaluator is None:
            config = evaluation_config(self.config.env)
            self._evaluator = Evaluator(make_env(config, self._library))
        policy: Policy = jax.device_get(policy_of(state, self.config.ppo))
        evaluation = self._evaluator(policy)
        if self._is_news("evaluation", iteration):
            self.folder.log_evaluation(iteration, evaluation.to_dict())
        self._evaluated = iteration, evaluation
        return evaluation

    def finish(self, state: LearnerState) -> tuple[Evaluation, list[dict[str, Any]]]:
        """Save and judge the last state. Returns its scores and the report on clips."""
        clips = self.save(state)
        evaluation = self.evaluate(state)
        self._judge(state, evaluation.mean)
        return evaluation, clips

    def _judge(self, state: LearnerState, mean: dict[str, float]) -> None:
        if self._success is not None and mean["success"] >= self._success:
            self.reached = True
        score = _score(mean)
        if self._best_score is None or score > self._best_score:
            meta = self._meta | {"evaluation": mean}
            self._best.save(state, self.config.ppo, meta)
            self._best_score = score

    def _open_loggers(self, resumed_at: int, logged_to: int) -> None:
        config = self.config.logging
        name = config.name or self.folder.path.resolve().name
        info = RunInfo(
            self.folder.path, name, to_dict(self.config), resumed_at, logged_to
        )
        self._loggers = open_loggers(config, info)

    def _is_news(self, what: str, iteration: int) -> bool:
        """Whether that was not logged yet of an iteration; from now on it is."""
        known, self._logged[what] = self._logged[what], iteration
        return known != iteration

    def _saves(self, iteration: int) -> bool:
        return iteration % self.config.training.checkpoint_every == 0

    def _evaluates(self, iteration: int) -> bool:
        every = self.config.training.eval_every
        return every > 0 and iteration % every == 0


def _last_step(lines: list[dict[str, Any]]) -> int:
    """Environment steps of the newest of some lines of metrics; 0 for none."""
    return lines[-1]["env_steps"] if lines else 0


def _clip_rates(clips: list[dict[str, Any]]) -> dict[str, float | None]:
    """A curve for each clip, where they are few enough to look at."""
    if len(clips) > _MOST_CLIP_CURVES:
        return {}
    return {f"clip/{clip['name']}": clip["success_rate"] for clip in clips}


def _score(mean: dict[str, float]) -> tuple[float, float]:
    """More success is better, and of equal success the smaller error."""
    return mean["success"], -mean["mpkpe_mm"]


def clip_report(env: TrackingEnv, state: LearnerState) -> list[dict[str, Any]]:
    """For each clip, in JSON types: how many outcomes are remembered, the share of
    successes among them, how often the clip is drawn now, and for each second the share
    of passes through it that are survived. None where nothing is known."""
    sampler, past = env.sampler, state.batch.sampler
    rate, share, survival, count = jax.device_get(
        (
            past.success_rate,
            sampler.clip_weights(past),
            sampler.survival(past),
            past.count,
        )
    )
    return [
        {
            "name": name,
            "outcomes": int(count[c]),
            "success_rate": _known(rate[c]),
            "share": float(share[c]),
            "survival": [_known(x) for x in survival[np.equal(sampler.bin_clip, c)]],
        }
        for c, name in enumerate(env.reference.clip_names)
    ]


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
