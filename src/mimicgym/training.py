"""A training run: environment, learner, run folder and final evaluation together."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimicgym.configs import difference, to_dict
from mimicgym.errors import UserError
from mimicgym.evaluation import Evaluation
from mimicgym.hosts import gathered, is_first, placed, several
from mimicgym.identity import check_identity, identity
from mimicgym.ppo import Checkpoints, LearnerState, Policy, policy_of
from mimicgym.ppo import Progress as Progress
from mimicgym.ppo import train as run_learner
from mimicgym.ppo.seeds import one, stacked
from mimicgym.preparation import prepare
from mimicgym.recording import (
    HostRecorder,
    Judge,
    Recorder,
    SeedRecorder,
    lacks_end,
    newest_of_all,
    rank,
    seed_config,
    seed_folders,
    write_end,
)
from mimicgym.run import RunConfig, RunFolder


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a run has led to.

    Attributes:
      folder: of the run, in which several seeds have runs of their own.
      policy, evaluation: its last; of several seeds those of the best.
      iteration: how many were done.
      seeds: evaluations of all seeds, in their order; one for a run of one.
    """

    folder: RunFolder
    policy: Policy
    evaluation: Evaluation
    iteration: int
    seeds: tuple[Evaluation, ...]


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
      iterations: to reach, counted from the run's beginning. A run that has them, but
        was killed before its end was written down, is judged and reported.
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
    _check_many(config, out, resume)
    if resume is not None:
        changed = difference(resume.config(), config)
        if changed:
            raise UserError(
                f"{resume.path} was started with other settings"
                f" (setting: there, here): {'; '.join(changed)}"
            )
    else:
        # Said now, and not after minutes of compiling.
        if is_first():
            RunFolder.check_free(out)
    prepared = prepare(config, on_note)
    library, env, state = prepared.library, prepared.env, prepared.state
    meta = identity(config, env, library, prepared.teachers)
    if resume is None:
        if initial is not None:
            state = _changed(state, initial, config.num_seeds)
        folder = _created(out, config)
    else:
        folder = resume
        state, notes = _restored(folder, config, state, meta)
        for note in notes:
            on_note(note)
    on_start(folder)
    ends = resume is not None and lacks_end(folder, config, state, iterations)
    judge = Judge(config.env, config.ppo, library)

    def stops(progress: Progress) -> bool:
        late = seconds is not None and progress.seconds >= seconds
        return late or should_stop()

    recorder: Recorder | SeedRecorder | HostRecorder
    if config.num_seeds > 1:
        recorder = SeedRecorder(folder, config, env, judge, meta, success)
    elif several():
        writer = None
        if is_first():
            writer = Recorder(folder, config, env, judge, meta, success)
        recorder = HostRecorder(writer, config, env, judge, stops)
    else:
        recorder = Recorder(folder, config, env, judge, meta, success)
    with recorder:
        if resume is None:
            recorder.begin(state)
        else:
            recorder.go_on(state)
        if not (recorder.reached or ends):
            state = run_learner(
                prepared.runner,
                state,
                iterations=iterations,
                # Clocks of several hosts differ: there, that of the first decides.
                seconds=None if several() else seconds,
                on_iteration=lambda p, s: on_iteration(recorder.record(p, s)),
                rests=recorder.rests,
                should_stop=lambda: (
                    recorder.reached or (not several() and should_stop())
                ),
            )
        outcomes = recorder.finish(state)
    if is_first():
        write_end(folder, config, outcomes, env.sampler.config.bin_s)
    evaluations = tuple(outcome.evaluation for outcome in outcomes)
    best = max(range(len(evaluations)), key=lambda i: rank(evaluations[i].mean))
    last = one(state, best) if config.num_seeds > 1 else state
    return TrainResult(
        folder=folder,
        policy=policy_of(last, config.ppo),
        evaluation=evaluations[best],
        iteration=int(last.iteration),
        seeds=evaluations,
    )


def _check_many(config: RunConfig, out: Path | None, resume: RunFolder | None) -> None:
    if config.num_seeds < 1:
        raise UserError(f"num_seeds is {config.num_seeds}; at least 1")
    if config.num_seeds > 1 and config.training.keep < 2:
        # One that is killed between two saves goes on from what all seeds have.
        raise UserError("training.keep is 1; with several seeds at least 2")
    if not several():
        return
    if config.num_seeds > 1:
        raise UserError(
            f"num_seeds is {config.num_seeds}; with several hosts it has to be 1"
        )
    if out is None and resume is None:
        raise UserError("several hosts need a run folder that all of them know: --out")


def _created(out: Path | None, config: RunConfig) -> RunFolder:
    if not is_first():
        assert out is not None
        return RunFolder(out)
    folder = RunFolder.create(out, config)
    if config.num_seeds > 1:
        for number, each in enumerate(seed_folders(folder, config)):
            RunFolder.create(each.path, seed_config(config, number))
    return folder


def _changed(
    state: LearnerState, change: Callable[[LearnerState], LearnerState], seeds: int
) -> LearnerState:
    if seeds > 1:
        return stacked([change(one(state, number)) for number in range(seeds)])
    if several():
        return placed(change(gathered(state)), state)
    return change(state)


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
    folder: RunFolder, config: RunConfig, fresh: LearnerState, meta: dict[str, Any]
) -> tuple[LearnerState, list[str]]:
    """A run's newest state, and what a user should know of it."""
    if config.num_seeds == 1:
        if several():
            state, notes = _read(folder, gathered(fresh), meta)
            return placed(state, fresh), notes
        return _read(folder, fresh, meta)
    folders = seed_folders(folder, config)
    iteration = newest_of_all(folders)
    states, notes = [], []
    for number, each in enumerate(folders):
        own = meta | {"config": to_dict(seed_config(config, number))}
        state, notes = _read(each, one(fresh, number), own, iteration)
        states.append(state)
    return stacked(states), notes


def _read(
    folder: RunFolder,
    fresh: LearnerState,
    meta: dict[str, Any],
    iteration: int | None = None,
) -> tuple[LearnerState, list[str]]:
    checkpoints = Checkpoints(folder.checkpoints)
    if iteration is None:
        iteration = checkpoints.latest()
    where = f"the checkpoint {checkpoints.folder / str(iteration)}"
    notes = check_identity(checkpoints.meta(iteration), meta, where)
    return checkpoints.restore(iteration, fresh), notes
