"""What a learner carries from one iteration to the next."""

from typing import Any

import jax
import optax
from flax import struct

from mimicgym.ppo.normalize import RunningStats


@struct.dataclass
class LearnerState:
    """Everything that the next iteration depends on."""

    params: dict[str, Any]
    opt_state: optax.OptState
    obs_stats: dict[str, RunningStats]
    return_stats: RunningStats
    learning_rate: jax.Array
    key: jax.Array
    batch: Any  # the environments' BatchStep
    held: jax.Array | None  # (B, M) what the actor remembers, if anything
    iteration: jax.Array  # () int32
