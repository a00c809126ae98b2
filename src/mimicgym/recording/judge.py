"""Evaluations within a training."""

from typing import Any

import jax

from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import make_env
from mimicgym.evaluation import Evaluation, Evaluator, evaluation_config
from mimicgym.motion import Library
from mimicgym.ppo import LearnerState, PPOConfig, policy_of


class Judge:
    """Scores of a training's policies; its program is compiled when it is first asked.

    Args:
      config: the environment trained in.
      ppo: the learner's configuration.
      library: the clips.
    """

    def __init__(self, config: EnvConfig, ppo: PPOConfig, library: Library):
        self._config = config
        self._ppo = ppo
        self._library = library
        self._evaluator: Evaluator | None = None

    def __call__(self, state: LearnerState) -> Evaluation:
        """Scores of the state's policy."""
        return self._made()(self._policy(state))

    def compile(self, state: LearnerState) -> None:
        """Compile for such states without judging one, see `Evaluator.compile`."""
        self._made().compile(self._policy(state))

    def _made(self) -> Evaluator:
        if self._evaluator is None:
            config = evaluation_config(self._config)
            self._evaluator = Evaluator(make_env(config, self._library))
        return self._evaluator

    def _policy(self, state: LearnerState) -> Any:
        return jax.device_get(policy_of(state, self._ppo))


def rank(mean: dict[str, float]) -> tuple[float, float]:
    """More success is better, and of equal success the smaller error."""
    return mean["success"], -mean["mpkpe_mm"]
