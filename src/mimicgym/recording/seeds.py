"""The folder of several seeds: each has a run folder of its own in it, which can be
evaluated, played and gone on with like any other.

RUN/config.json, metrics.jsonl, evals.jsonl   means over seeds, with their spread
RUN/seed_3/                                   the run of seed 3
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from mimicgym.configs import to_dict
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.loggers import Loggers, RunInfo, open_loggers
from mimicgym.ppo import Checkpoints, LearnerState, Progress
from mimicgym.ppo.seeds import one, over_seeds
from mimicgym.recording.judge import Judge
from mimicgym.recording.recorder import Outcome, Recorder, figures_of, last_step
from mimicgym.run import RunConfig, RunFolder


def seed_config(config: RunConfig, number: int) -> RunConfig:
    """The configuration of one of a run's seeds. What is logged over the network is
    logged for all of them together."""
    backends = tuple(b for b in config.logging.backends if b == "tensorboard")
    return replace(
        config,
        seed=config.seed + number,
        num_seeds=1,
        logging=replace(config.logging, backends=backends, offline=False),
    )


def seed_folders(folder: RunFolder, config: RunConfig) -> list[RunFolder]:
    """Where the runs of a run's seeds are, or are to be."""
    seeds = range(config.seed, config.seed + config.num_seeds)
    return [RunFolder(folder.path / f"seed_{seed}") for seed in seeds]


class SeedRecorder:
    """Like `Recorder`, of states with a leading axis for seeds.

    At least two checkpoints have to be kept: a run that is killed between two saves
    goes on from one that all seeds have.
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
        self._loggers = Loggers({})
        self._evaluations = -1
        self._recorders = [
            Recorder(
                each,
                seed_config(config, number),
                env,
                judge,
                meta | {"config": to_dict(seed_config(config, number))},
                success,
            )
            for number, each in enumerate(seed_folders(folder, config))
        ]

    @property
    def reached(self) -> bool:
        """Whether every seed has shown the success aimed at."""
        return all(recorder.reached for recorder in self._recorders)

    def __enter__(self) -> "SeedRecorder":
        with ExitStack() as stack:
            for recorder in self._recorders:
                stack.enter_context(recorder)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        try:
            self._open.__exit__(*exception)
        finally:
            self._loggers.close()

    def begin(self, state: LearnerState) -> None:
        """See `Recorder.begin`."""
        self._open_loggers(0, 0)
        for number, recorder in enumerate(self._recorders):
            recorder.begin(one(state, number))

    def go_on(self, state: LearnerState) -> None:
        """See `Recorder.go_on`."""
        iteration = int(state.iteration[0])
        logged = self.folder.metrics()
        self.folder.forget_after(iteration)
        kept = self.folder.metrics()
        self._open_loggers(last_step(kept), last_step(logged))
        lines = self.folder.evaluations()
        self._evaluations = lines[-1]["iteration"] if lines else -1
        for number, recorder in enumerate(self._recorders):
            recorder.go_on(one(state, number))
            recorder.recall_success()

    def rests(self, iteration: int) -> bool:
        """See `Recorder.rests`."""
        return self.config.training.rests(iteration)

    def record(self, progress: Progress, state: LearnerState | None) -> Progress:
        """See `Recorder.record`."""
        # None is ahead of another by more than one checkpoint, whenever it ends.
        if state is not None:
            for recorder in self._recorders:
                recorder.wait()
        count = len(self._recorders)
        seeds = []
        for number, recorder in enumerate(self._recorders):
            own = replace(
                progress,
                env_steps=progress.env_steps // count,
                steps_per_s=progress.steps_per_s / count,
                metrics=progress.seeds[number],
                seeds=(),
            )
            own_state = None if state is None else one(state, number)
            seeds.append(recorder.log(own, own_state).metrics)
        progress = replace(progress, metrics=over_seeds(seeds), seeds=tuple(seeds))
        if state is not None:
            self._log_evaluation(progress.iteration)
        figures = figures_of(progress)
        steps = {"iteration": progress.iteration, "env_steps": progress.env_steps}
        self.folder.log(steps | figures)
        self._loggers.log(progress.env_steps, figures)
        # Now that the lines of all are written.
        for number, recorder in enumerate(self._recorders):
            own_state = None if state is None else one(state, number)
            recorder.keep(progress.iteration, own_state)
        return progress

    def finish(self, state: LearnerState) -> tuple[Outcome, ...]:
        """Save and judge the last state of each seed."""
        for recorder in self._recorders:
            recorder.wait()
        outcomes = tuple(
            recorder.conclude(one(state, number))
            for number, recorder in enumerate(self._recorders)
        )
        self._log_evaluation(int(state.iteration[0]))
        for recorder in self._recorders:
            recorder.tidy()
        return outcomes

    def _log_evaluation(self, iteration: int) -> None:
        """Means over seeds, if all were evaluated after that iteration."""
        found = [recorder.evaluated(iteration) for recorder in self._recorders]
        means = [evaluation.mean for evaluation in found if evaluation is not None]
        if len(means) < len(found) or self._evaluations == iteration:
            return
        self._evaluations = iteration
        scores = over_seeds([{f"eval/{k}": v for k, v in m.items()} for m in means])
        line = {
            "mean": {name: scores[f"eval/{name}"] for name in means[0]},
            "spread": {name: scores[f"spread/eval/{name}"] for name in means[0]},
            "seeds": means,
        }
        self.folder.log_evaluation(iteration, line)

    def _open_loggers(self, resumed_at: int, logged_to: int) -> None:
        path = self.folder.path
        name = self.config.logging.name or path.resolve().name
        info = RunInfo(path, name, to_dict(self.config), resumed_at, logged_to)
        self._loggers = open_loggers(self.config.logging, info)


def newest_of_all(folders: Sequence[RunFolder]) -> int:
    """Iteration of the newest checkpoint that all seeds have."""
    each = [set(Checkpoints(folder.checkpoints).all()) for folder in folders]
    common = set.intersection(*each)
    if not common:
        names = ", ".join(str(folder.path) for folder in folders)
        raise UserError(f"no checkpoint of the same iteration is in all of {names}")
    return max(common)
