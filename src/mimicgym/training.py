"""A training run: environment, learner, run folder and final evaluation together."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mimicgym.configs import difference
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import make_env
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.evaluation import Evaluation, evaluate, evaluation_config
from mimicgym.ppo import Checkpoints, Learner, LearnerState, Policy, policy_of
from mimicgym.ppo import Progress as Progress
from mimicgym.ppo import train as run_learner
from mimicgym.report import plot_clips, plot_curves
from mimicgym.run import RunConfig, RunFolder
from mimicgym.teaching import load_teachers, taught_config

CHECKPOINT_EVERY = 100


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a run has led to."""

    folder: RunFolder
    policy: Policy
    evaluation: Evaluation
    iteration: int


def train(
    config: RunConfig,
    *,
    out: Path | None = None,
    resume: RunFolder | None = None,
    iterations: int | None = None,
    seconds: float | None = None,
    on_iteration: Callable[[Progress], None] = lambda progress: None,
    on_start: Callable[[RunFolder], None] = lambda folder: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainResult:
    """Train, log, save, evaluate and draw the curves.

    Args:
      config: what to train. When resuming, it has to be that of the run.
      out: the run's folder; by default a new one below runs/.
      resume: a run to go on with, from its newest checkpoint.
      iterations: to reach, counted from the run's beginning.
      seconds: of training in this call.
      on_iteration, on_start: told of progress.
      should_stop: asked before each iteration; the run is saved when it says yes.
    """
    if resume is not None:
        changed = difference(resume.config(), config)
        if changed:
            raise UserError(
                f"{resume.path} was started with other settings"
                f" (setting: there, here): {'; '.join(changed)}"
            )
    else:
        # Said now, and not after minutes of compiling.
        RunFolder.check_free(out)
    env = make_env(taught_config(config.env, config.teachers))
    learner = Learner(
        BatchedEnv(env, config.num_envs),
        config.ppo,
        teachers=load_teachers(env, config.teachers) if config.teachers else (),
        devices=config.devices or jax.device_count(),
    )
    state = learner.init(jax.random.key(config.seed))
    if resume is None:
        folder = RunFolder.create(out, config)
    else:
        folder = resume
        checkpoints = Checkpoints(folder.checkpoints)
        latest = checkpoints.latest()
        state = checkpoints.restore(latest, state)
        folder.forget_after(latest)
    on_start(folder)
    checkpoints = Checkpoints(folder.checkpoints)
    meta = {"robot": config.env.robot}

    def log(progress: Progress, current: Callable[[], LearnerState]) -> None:
        folder.log(
            {
                "iteration": progress.iteration,
                "env_steps": progress.env_steps,
                "seconds": round(progress.seconds, 3),
                "steps_per_s": round(progress.steps_per_s, 1),
            }
            | progress.metrics
        )
        if progress.iteration % CHECKPOINT_EVERY == 0:
            newest = current()
            checkpoints.save(newest, config.ppo, meta)
            folder.log_clips(progress.iteration, clip_report(env, newest))
        on_iteration(progress)

    state = run_learner(
        learner,
        state,
        iterations=iterations,
        seconds=seconds,
        on_iteration=log,
        should_stop=should_stop,
    )
    iteration = checkpoints.save(state, config.ppo, meta)
    policy = policy_of(state, config.ppo)
    evaluation = evaluate(make_env(evaluation_config(config.env)), policy)
    folder.report.mkdir(exist_ok=True)
    text = json.dumps(evaluation.to_dict(), indent=2)
    (folder.report / "eval.json").write_text(text + "\n")
    clips = clip_report(env, state)
    folder.log_clips(iteration, clips)
    plot_clips(clips, folder.report / "clips.png", env.sampler.config.bin_s)
    plot_curves(folder.metrics(), folder.report / "curves.png", folder.path.name)
    return TrainResult(folder, policy, evaluation, iteration)


def clip_report(env: TrackingEnv, state: LearnerState) -> list[dict[str, Any]]:
    """For each clip, in JSON types: how many outcomes are remembered, the share of
    successes among them, how often the clip is drawn now, and for each second the share
    of passes through it that are survived. None where nothing is known."""
    # On the host first: the arrays may lie on many devices.
    sampler, past = env.sampler, jax.device_get(state.batch.sampler)
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
    return None if math.isnan(value) else float(value)
