"""Actor and critic: two multilayer perceptrons and a Gaussian."""

import math
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mimicgym.ppo.config import PPOConfig

_ACTIVATIONS = {"elu": nn.elu, "relu": nn.relu, "tanh": nn.tanh, "swish": nn.swish}
_GATED = "gated"
_LOG_2PI = math.log(2 * math.pi)


class MLP(nn.Module):
    """Hidden layers with an activation, then a linear one of scale `out_scale`.

    The last `gated` inputs reach the first hidden layer through a gate that starts at 0
    (VideoMimic's height scan): a policy that was trained without them acts alike with
    them, until the gate opens.
    """

    hidden: tuple[int, ...]
    out: int
    activation: str
    out_scale: float
    gated: int = 0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x, extra = (
            x[..., : x.shape[-1] - self.gated],
            x[..., x.shape[-1] - self.gated :],
        )
        for i, size in enumerate(self.hidden):
            x = nn.Dense(size)(x)
            if i == 0 and self.gated:
                gate = self.param("gate", nn.initializers.zeros, (size,))
                x = x + gate * nn.Dense(size, name=_GATED)(extra)
            x = _ACTIVATIONS[self.activation](x)
        init = nn.initializers.orthogonal(self.out_scale)
        return nn.Dense(self.out, kernel_init=init)(x)


def actor_network(config: PPOConfig, action_size: int) -> MLP:
    """From normalised actor observations (..., D) to mean actions (..., A).

    The small last layer makes the first policy ask for next to nothing.
    """
    return MLP(config.hidden, action_size, config.activation, 0.01)


def critic_network(config: PPOConfig) -> MLP:
    """From normalised critic observations (..., E) to values (..., 1)."""
    return MLP(config.hidden, 1, config.activation, 1.0)


def apply(network: MLP, params: Any, obs: jax.Array) -> jax.Array:
    """(..., out) of observations; how many are gated shows in the parameters."""
    found = network.clone(gated=gated_size(params)).apply(params, obs)
    assert isinstance(found, jax.Array)
    return found


def gated_size(params: Any) -> int:
    """How many of its last inputs a network takes through a gate."""
    layers = params["params"]
    return layers[_GATED]["kernel"].shape[0] if _GATED in layers else 0


def init_params(
    key: jax.Array,
    config: PPOConfig,
    sizes: Mapping[str, int],
    action_size: int,
    gated: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Parameters "actor", "critic" and "raw_std" (A,).

    Args:
      sizes: observations of each group.
      gated: how many of a group's last ones go through a gate; none by default.
    """
    actor_key, critic_key = jax.random.split(key)
    gates = gated or {}
    actor = actor_network(config, action_size).clone(gated=gates.get("actor", 0))
    critic = critic_network(config).clone(gated=gates.get("critic", 0))
    raw = _inverse_softplus(config.init_std - config.min_std)
    return {
        "actor": actor.init(actor_key, jnp.zeros((1, sizes["actor"]))),
        "critic": critic.init(critic_key, jnp.zeros((1, sizes["critic"]))),
        "raw_std": jnp.full((action_size,), raw, jnp.float32),
    }


def policy_std(raw_std: jax.Array, config: PPOConfig) -> jax.Array:
    """(A,) deviation: the floor plus a softplus, so that it can not pass it."""
    return config.min_std + jax.nn.softplus(raw_std)


def _inverse_softplus(value: float) -> float:
    # At the floor itself the inverse is minus infinity; this is close enough to it.
    return math.log(math.expm1(max(value, 1e-4)))


def log_prob(mean: jax.Array, std: jax.Array, action: jax.Array) -> jax.Array:
    """(...,) log density of actions (..., A) under independent Gaussians."""
    z = (action - mean) / std
    return jnp.sum(-0.5 * jnp.square(z) - jnp.log(std) - 0.5 * _LOG_2PI, axis=-1)


def entropy(std: jax.Array) -> jax.Array:
    """() entropy of independent Gaussians."""
    return jnp.sum(jnp.log(std) + 0.5 * (1 + _LOG_2PI))


def kl_divergence(
    old_mean: jax.Array, old_std: jax.Array, mean: jax.Array, std: jax.Array
) -> jax.Array:
    """(...,) KL(old || new) of independent Gaussians."""
    return jnp.sum(
        jnp.log(std / old_std)
        + (jnp.square(old_std) + jnp.square(old_mean - mean)) / (2 * jnp.square(std))
        - 0.5,
        axis=-1,
    )
