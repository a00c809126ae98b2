"""One run on several hosts: each hands over its part of the learner's state, the first
writes, and when to stop is its decision."""

from collections.abc import Callable
from typing import Any

from mimicgym.envs.tracking import TrackingEnv
from mimicgym.hosts import agreed, gathered
from mimicgym.ppo import LearnerState, Progress
from mimicgym.recording.clips import clip_report
from mimicgym.recording.judge import Judge
from mimicgym.recording.recorder import Outcome, Recorder
from mimicgym.run import RunConfig


class HostRecorder:
    """Like `Recorder`, for every host of a run to be used.

    Args:
      recorder: keeps the folder; None on all hosts but the first.
      env, judge: see `Recorder`.
      should_stop: whether the training ends for another reason than success. Only the
        first host's counts, and only at rests, where all of them wait for each other.

    Attributes:
      reached: whether the hosts have agreed to stop.
    """

    def __init__(
        self,
        recorder: Recorder | None,
        config: RunConfig,
        env: TrackingEnv,
        judge: Judge,
        should_stop: Callable[[Progress], bool],
    ):
        self.reached = False
        self._recorder = recorder
        self._config = config
        self._env = env
        self._judge = judge
        self._should_stop = should_stop

    def __enter__(self) -> "HostRecorder":
        if self._recorder is not None:
            self._recorder.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        if self._recorder is not None:
            self._recorder.__exit__(*exception)

    def begin(self, state: LearnerState) -> None:
        """See `Recorder.begin`."""
        whole = gathered(state)
        if self._recorder is not None:
            self._recorder.begin(whole)

    def go_on(self, state: LearnerState) -> None:
        """See `Recorder.go_on`."""
        whole, reached = gathered(state), False
        if self._recorder is not None:
            self._recorder.go_on(whole)
            reached = self._recorder.reached
        self.reached = agreed(reached)

    def rests(self, iteration: int) -> bool:
        """See `Recorder.rests`."""
        return self._config.training.rests(iteration)

    def record(self, progress: Progress, state: LearnerState | None) -> Progress:
        """See `Recorder.record`."""
        whole, stop = None if state is None else gathered(state), False
        if self._recorder is not None:
            progress = self._recorder.record(progress, whole)
            stop = self._recorder.reached or self._should_stop(progress)
        if whole is not None:
            self.reached = agreed(stop)
        return progress

    def finish(self, state: LearnerState) -> tuple[Outcome, ...]:
        """See `Recorder.finish`; the other hosts judge for themselves."""
        whole = gathered(state)
        if self._recorder is not None:
            return self._recorder.finish(whole)
        return (Outcome(self._judge(whole), clip_report(self._env, whole)),)
