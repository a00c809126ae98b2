"""A candidate at work: whole iterations of PPO on the environment at hand."""

import time

import jax

from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import library_of, make_env
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.memory import available_bytes, check_memory, estimate_memory
from mimicgym.ppo import Learner
from mimicgym.ppo.ahead import compile_iteration
from mimicgym.run import RunConfig
from mimicgym.tuning.candidate import Candidate

# What one measurement takes, at least.
_SECONDS = 3.0
_ITERATIONS = 2


class Trials:
    """Makes candidates of one training ready.

    Environments that differ in nothing that is compiled are made once.

    Attributes:
      cores: threads of the native engine, if nothing else is tried; None where another
        steps physics.
    """

    def __init__(self, config: RunConfig):
        self._config = config
        self._library = library_of(config.env)
        env = make_env(config.env, self._library)
        native = env.engine.name == "native"
        self.cores: int | None = (
            getattr(env.engine, "threads", None) if native else None
        )
        self._envs: dict[int | None, TrackingEnv] = {self.cores: env}

    def __call__(self, candidate: Candidate) -> "IterationTrial":
        """Compile its programs and do the first iteration.

        Raises:
          UserError: it does not fit the memory.
        """
        config = candidate.applied(self._config)
        if candidate.threads not in self._envs:
            env = make_env(config.env, self._library)
            self._envs[candidate.threads] = env
        return IterationTrial(self._envs[candidate.threads], config)


class IterationTrial:
    """See `sweep.Trial`."""

    def __init__(self, env: TrackingEnv, config: RunConfig):
        batched = BatchedEnv(env, config.num_envs, keep_final=False)
        learner = Learner(batched, config.ppo)
        check_memory(estimate_memory(env, learner), available_bytes())
        self._steps = learner.steps_per_iteration
        began = time.perf_counter()
        self._state = learner.init(jax.random.key(config.seed))
        self._iterate = compile_iteration(learner, self._state)
        self.compile_s = time.perf_counter() - began
        # The programs call functions that the environment keeps alive.
        self._learner = learner
        self._run()

    def speed(self) -> float:
        """Environment steps a second of some iterations, acting and learning."""
        began, count, passed = time.perf_counter(), 0, 0.0
        while count < _ITERATIONS or passed < _SECONDS:
            self._run()
            count += 1
            passed = time.perf_counter() - began
        return count * self._steps / passed

    def _run(self) -> None:
        self._state, _ = jax.block_until_ready(self._iterate(self._state))
