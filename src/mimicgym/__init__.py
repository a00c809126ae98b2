"""mimicgym: a Unitree G1 learns to perform a motion clip, in physics.

    import gymnasium, mimicgym
    env = gymnasium.make("G1DeepMimic-v0", motion="wave")
    envs = gymnasium.make_vec("G1DeepMimic-v0", num_envs=512)

Importing this package is cheap: JAX and MuJoCo come with the first name that needs
them.
"""

import importlib
from importlib import metadata
from typing import TYPE_CHECKING, Any

from mimicgym import program_cache, xla
from mimicgym.envs.registration import register_environments

if TYPE_CHECKING:
    from mimicgym.envs.batch import BatchedEnv
    from mimicgym.envs.config import EnvConfig
    from mimicgym.envs.make import env_config, make_env
    from mimicgym.envs.tracking import TrackingEnv
    from mimicgym.evaluation import evaluate
    from mimicgym.motion import Motion, load_motion
    from mimicgym.ppo import Learner, PPOConfig
    from mimicgym.run import load_policy, run_config
    from mimicgym.training import train

__version__ = metadata.version("mimicgym")

_LAZY = {
    "BatchedEnv": "mimicgym.envs.batch",
    "EnvConfig": "mimicgym.envs.config",
    "Learner": "mimicgym.ppo",
    "Motion": "mimicgym.motion",
    "PPOConfig": "mimicgym.ppo",
    "TrackingEnv": "mimicgym.envs.tracking",
    "env_config": "mimicgym.envs.make",
    "evaluate": "mimicgym.evaluation",
    "load_motion": "mimicgym.motion",
    "load_policy": "mimicgym.run",
    "make_env": "mimicgym.envs.make",
    "run_config": "mimicgym.run",
    "train": "mimicgym.training",
}

__all__ = [  # noqa: RUF022
    "__version__",
    "BatchedEnv",
    "EnvConfig",
    "Learner",
    "Motion",
    "PPOConfig",
    "TrackingEnv",
    "env_config",
    "evaluate",
    "load_motion",
    "load_policy",
    "make_env",
    "run_config",
    "train",
]

xla.configure()
program_cache.configure()
register_environments()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mimicgym' has no attribute {name!r}")
    # No public name may be that of a module as well: importing the module would put
    # it in the name's place.
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
