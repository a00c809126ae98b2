"""A training run: environment, learner, run folder and final evaluation together."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from mimicgym.configs import difference
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import library_of, make_env
from mimicgym.errors import UserError
from mimicgym.evaluation import Evaluation
from mimicgym.identity import check_identity, identity
from mimicgym.memory import available_bytes, check_memory, estimate_memory
from mimicgym.ppo import Checkpoints, Learner, LearnerState, Policy, policy_of
from mimicgym.ppo import Progress as Progress
from mimicgym.ppo import train as run_learner
from mimicgym.recording import Recorder
from mimicgym.report import plot_clips, plot_curves
from mimicgym.run import RunConfig, RunFolder
from mimicgym.teaching import load_teachers, taught_config


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
    success: float | None = None,
    initial: Callable[[LearnerState], LearnerState] | None = None,
    on_iteration: Callable[[Progress], None] = lambda progress: None,
    on_start: Callable[[RunFolder], None] = lambda folder: None,
    on_note: Callable[[str], None] = lambda note: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainResult:
    """Train, log, save, evaluate and draw the curves.

    Args:
      config: what to train. When resuming, it has to be that of the run.
      out: the run's folder; by default a new one below runs/.
      resume: a run to go on with, from its newest checkpoint.
      iterations: to reach, counted from the run's beginning.
      seconds: of training in this call; compiling, evaluating and saving do not count.
      success: share of clips completed at which to stop, as soon as an evaluation
        within the training shows it.
      initial: what a new run begins with, made of its fresh state: other weights, for
        example. A run that is resumed has begun.
      on_iteration, on_start: told of progress.
      on_note: told how much memory will be needed, and what a user should know of a run
        that is gone on with.
      should_stop: asked before each iteration; the run is saved when it says yes.

    Raises:
      UserError: something asked for can not be had, such as going on with a run of
        other settings, another robot or clips whose content has changed; or it does
        not fit the memory that there is.
    """
    _check_ends(config, iterations, seconds, success)
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
    library = library_of(config.env)
    env = make_env(taught_config(config.env, config.teachers), library)
    teachers = load_teachers(env, config.teachers) if config.teachers else ()
    learner = Learner(
        BatchedEnv(env, config.num_envs),
        config.ppo,
        teachers=teachers,
        devices=config.devices or jax.device_count(),
    )
    memory = estimate_memory(env, learner)
    on_note(str(memory))
    shared = learner.devices if jax.default_backend() == "cpu" else 1
    check_memory(memory, available_bytes(), shared)
    state = learner.init(jax.random.key(config.seed))
    meta = identity(config, env, library, teachers)
    if resume is None:
        if initial is not None:
            state = initial(state)
        folder = RunFolder.create(out, config)
    else:
        folder = resume
        state, notes = _restored(folder, state, meta)
        for note in notes:
            on_note(note)
    on_start(folder)
    with Recorder(folder, config, env, library, meta, success) as recorder:
        if resume is None:
            recorder.begin(state)
        else:
            recorder.go_on(state)
        if not recorder.reached:
            state = run_learner(
                learner,
                state,
                iterations=iterations,
                seconds=seconds,
                on_iteration=lambda p, s: on_iteration(recorder.record(p, s)),
                rests=recorder.rests,
                should_stop=lambda: recorder.reached or should_stop(),
            )
        evaluation, clips = recorder.finish(state)
        policy = policy_of(state, config.ppo)
    folder.report.mkdir(exist_ok=True)
    text = json.dumps(evaluation.to_dict(), indent=2)
    (folder.report / "eval.json").write_text(text + "\n")
    plot_clips(clips, folder.report / "clips.png", env.sampler.config.bin_s)
    plot_curves(folder.metrics(), folder.report / "curves.png", folder.path.name)
    return TrainResult(folder, policy, evaluation, int(state.iteration))


def _check_ends(
    config: RunConfig,
    iterations: int | None,
    seconds: float | None,
    success: float | None,
) -> None:
    config.training.check()
    config.logging.check()
    if iterations is None and seconds is None and success is None:
        raise UserError("nothing says when to stop: give iterations, seconds, success")
    if success is None:
        return
    if not 0 < success <= 1:
        raise UserError(f"success is {success}; a share above 0 and up to 1")
    if config.training.eval_every == 0:
        raise UserError(
            f"success {success} is looked for in evaluations within the training:"
            " training.eval_every has to be above 0"
        )


def _restored(
    folder: RunFolder, fresh: LearnerState, meta: dict[str, Any]
) -> tuple[LearnerState, list[str]]:
    """A run's newest state, and what a user should know of it."""
    checkpoints = Checkpoints(folder.checkpoints)
    latest = checkpoints.latest()
    where = f"the checkpoint {checkpoints.folder / str(latest)}"
    notes = check_identity(checkpoints.meta(latest), meta, where)
    return checkpoints.restore(latest, fresh), notes
