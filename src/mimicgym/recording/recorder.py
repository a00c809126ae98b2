"""The folder of a training that goes on.

What belongs to an iteration is logged before its checkpoint is begun, and a run that
goes on from a checkpoint drops what was logged past it: so its files say the same as
those of a run that was never stopped.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from mimicgym.configs import to_dict
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.evaluation import Evaluation
from mimicgym.loggers import Loggers, RunInfo, open_loggers
from mimicgym.memory import memory_metrics
from mimicgym.physics.buffers import warn_of_overflow
from mimicgym.ppo import Checkpoints, CheckpointWriter, LearnerState
from mimicgym.ppo import Progress as Progress
from mimicgym.recording.clips import clip_rates, clip_report, known
from mimicgym.recording.judge import Judge, rank
from mimicgym.run import RunConfig, RunFolder


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a training has led to.

    Attributes:
      evaluation: of its last policy.
      clips: see `clip_report`.
    """

    evaluation: Evaluation
    clips: list[dict[str, Any]]


class Recorder:
    """Keeps a run's folder. To be used in a `with`, at whose end all is written.

    Args:
      env: made from `config.env`.
      judge: evaluates its policies.
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
        judge: Judge,
        meta: dict[str, Any],
        success: float | None = None,
    ):
        self.folder = folder
        self.config = config
        self.reached = False
        self._env = env
        self._judge = judge
        self._meta = meta
        self._success = success
        self._evaluated: tuple[int, Evaluation] | None = None
        self._logged = {"clips": -1, "evaluation": -1}
        self._best_score: tuple[float, float] | None = None
        self._saved = 0
        self._loggers = Loggers({})

    def __enter__(self) -> "Recorder":
        keep = self.config.training.keep
        with ExitStack() as stack:
            self._newest = stack.enter_context(
                CheckpointWriter(self.folder.checkpoints, keep)
            )
            self._best = stack.enter_context(CheckpointWriter(self.folder.best, None))
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
        self._newest.go_on_from(iteration)
        kept = self.folder.metrics()
        self._open_loggers(last_step(kept), last_step(logged))
        self._best.go_on_from(iteration)
        self.tidy()
        self._saved = iteration
        best = Checkpoints(self.folder.best)
        if best.all():
            self._best_score = rank(best.meta(best.latest())["evaluation"])
        self._is_news("clips", iteration)
        lines = self.folder.evaluations()
        if lines and lines[-1]["iteration"] == iteration:
            self._is_news("evaluation", iteration)
            # Judged when it was saved, but perhaps killed before that had its effect.
            self._note(state, lines[-1]["mean"])

    def recall_success(self) -> None:
        """Count what any evaluation so far has shown, of one seed of several: the
        others may have kept it going."""
        if self._success is not None:
            scores = [line["mean"]["success"] for line in self.folder.evaluations()]
            self.reached = max(scores, default=0.0) >= self._success

    def rests(self, iteration: int) -> bool:
        """Whether the state after that iteration is needed."""
        return self.config.training.rests(iteration)

    def record(self, progress: Progress, state: LearnerState | None) -> Progress:
        """Write down an iteration; see `ppo.train`. Returns what is known now."""
        progress = self.log(progress, state)
        self.keep(progress.iteration, state)
        return progress

    def log(self, progress: Progress, state: LearnerState | None) -> Progress:
        """The part of `record` that comes first: its lines."""
        number, when = progress.iteration, self.config.training
        mean = None
        if state is not None and when.evaluates(number):
            mean = self.evaluate(state).mean
            scores = {f"eval/{k}": known(v) for k, v in mean.items() if k != "frames"}
            progress = replace(progress, metrics=progress.metrics | scores)
        warn_of_overflow(progress.metrics)
        figures = figures_of(progress)
        steps = {"iteration": number, "env_steps": progress.env_steps}
        self.folder.log(steps | figures)
        if state is not None and when.saves(number):
            figures |= clip_rates(clip_report(self._env, state))
        self._loggers.log(progress.env_steps, figures)
        return progress

    def keep(self, iteration: int, state: LearnerState | None) -> None:
        """The part of `record` that comes last: its checkpoints."""
        if state is None:
            return
        if self.config.training.saves(iteration):
            self.save(state)
        evaluation = self.evaluated(iteration)
        if evaluation is not None:
            self._note(state, evaluation.mean)

    def save(self, state: LearnerState) -> list[dict[str, Any]]:
        """Begin to write a checkpoint. Returns the report on clips that goes with it.

        The best before it is waited for, and stays until no run can go on from before
        the one that is better: there may be one for each of the last two checkpoints,
        of which the newer is whole when the next is begun, in the folders of all seeds.
        """
        clips = clip_report(self._env, state)
        iteration = int(state.iteration)
        if self._is_news("clips", iteration):
            self.folder.log_clips(iteration, clips)
        if iteration > self._saved:
            self._best.keep_those_of((self._saved, iteration))
            self._newest.save(state, self.config.ppo, self._meta)
            self._saved = iteration
        return clips

    def wait(self) -> None:
        """Until every checkpoint that was begun is written."""
        self._best.wait()
        self._newest.wait()

    def evaluated(self, iteration: int) -> Evaluation | None:
        """The scores after that iteration, if they are the newest."""
        if self._evaluated is None or self._evaluated[0] != iteration:
            return None
        return self._evaluated[1]

    def evaluate(self, state: LearnerState) -> Evaluation:
        """Scores of the state's policy, once for each iteration."""
        iteration = int(state.iteration)
        evaluation = self.evaluated(iteration)
        if evaluation is not None:
            return evaluation
        evaluation = self._judge(state)
        if self._is_news("evaluation", iteration):
            self.folder.log_evaluation(iteration, evaluation.to_dict())
        self._evaluated = iteration, evaluation
        return evaluation

    def finish(self, state: LearnerState) -> tuple[Outcome, ...]:
        """Save and judge the last state. There is one outcome for each seed."""
        outcome = self.conclude(state)
        self.tidy()
        return (outcome,)

    def conclude(self, state: LearnerState) -> Outcome:
        """The part of `finish` after which nothing may be missing in other folders."""
        clips = self.save(state)
        evaluation = self.evaluate(state)
        self._note(state, evaluation.mean)
        self.wait()
        return Outcome(evaluation, clips)

    def tidy(self) -> None:
        """Delete all but the best of the best."""
        self._best.keep_those_of(())

    def _note(self, state: LearnerState, mean: dict[str, float]) -> None:
        if self._success is not None and mean["success"] >= self._success:
            self.reached = True
        score = rank(mean)
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
        before, self._logged[what] = self._logged[what], iteration
        return before != iteration


def figures_of(progress: Progress) -> dict[str, Any]:
    """What is logged of an iteration."""
    times = {
        "iteration": progress.iteration,
        "seconds": round(progress.seconds, 3),
        "steps_per_s": round(progress.steps_per_s, 1),
        "rollout_s": round(progress.rollout_s, 4),
        "update_s": round(progress.update_s, 4),
    }
    return times | memory_metrics() | progress.metrics


def last_step(lines: list[dict[str, Any]]) -> int:
    """Environment steps of the newest of some lines of metrics; 0 for none."""
    return lines[-1]["env_steps"] if lines else 0
