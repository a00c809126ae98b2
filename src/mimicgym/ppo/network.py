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
_MEMORY = "memory"
_LOG_2PI = math.log(2 * math.pi)


class MLP(nn.Module):
    """Hidden layers with an activation, then a linear one of scale `out_scale`.

    The last `gated` inputs reach the first hidden layer through a gate that starts at 0
    (VideoMimic's height scan): a policy that was trained without them acts alike with
    them, until the gate opens.

    With `memory`, a gated recurrent unit (Cho et al. 2014) reads the inputs before the
    gated ones, and what it holds is a further input.
    """

    hidden: tuple[int, ...]
    out: int
    activation: str
    out_scale: float
    gated: int = 0
    memory: int = 0
    dtype: str = "float32"

    @nn.compact
    def __call__(
        self, x: jax.Array, held: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array | None]:
        x, extra = (
            x[..., : x.shape[-1] - self.gated],
            x[..., x.shape[-1] - self.gated :],
        )
        dtype = jnp.dtype(self.dtype)
        if held is not None:
            held, seen = nn.GRUCell(self.memory, name=_MEMORY)(held, x)
            x = jnp.concatenate([seen, x], axis=-1)
        for i, size in enumerate(self.hidden):
            x = nn.Dense(size, dtype=dtype)(x)
            if i == 0 and self.gated:
                gate = self.param("gate", nn.initializers.zeros, (size,))
                scanned = nn.Dense(size, name=_GATED, dtype=dtype)(extra)
                x = x + gate.astype(dtype) * scanned
            x = _ACTIVATIONS[self.activation](x)
        init = nn.initializers.orthogonal(self.out_scale)
        out = nn.Dense(self.out, kernel_init=init, dtype=dtype)(x)
        return out.astype(jnp.float32), held


def actor_network(config: PPOConfig, action_size: int) -> MLP:
    """From normalised actor observations (..., D) to mean actions (..., A).

    The small last layer makes the first policy ask for next to nothing.
    """
    return MLP(
        config.hidden,
        action_size,
        config.activation,
        0.01,
        memory=config.memory,
        dtype=config.dtype,
    )


def critic_network(config: PPOConfig) -> MLP:
    """From normalised critic observations (..., E) to values (..., 1)."""
    return MLP(config.hidden, 1, config.activation, 1.0, dtype=config.dtype)


def no_memory(config: PPOConfig, *lead: int) -> jax.Array | None:
    """What an actor holds before it has seen anything: (*lead, M), or None where it has
    no memory."""
    return jnp.zeros((*lead, config.memory)) if config.memory else None


def apply(network: MLP, params: Any, obs: jax.Array) -> jax.Array:
    """(..., out) of observations, for a network without memory; how many observations
    are gated shows in the parameters."""
    return act(network, params, obs, None)[0]


def act(
    network: MLP, params: Any, obs: jax.Array, held: jax.Array | None
) -> tuple[jax.Array, jax.Array | None]:
    """(..., out) of observations, and what the network remembers then (..., M)."""
    found: Any = network.clone(gated=gated_size(params)).apply(params, obs, held)
    return found


def act_along(
    network: MLP,
    params: Any,
    obs: jax.Array,
    held: jax.Array | None,
    done: jax.Array,
) -> jax.Array:
    """(T, B, out) of observations in time, forgetting where an episode ended.

    Args:
      obs: (T, B, D).
      held: (B, M) before the first; None for networks that remember nothing, to which
        time is nothing.
      done: (T, B) bool, whether an episode ended after that step.
    """
    if held is None:
        return apply(network, params, obs)

    def step(held: jax.Array, row: tuple[jax.Array, jax.Array]):
        obs, done = row
        out, after = act(network, params, obs, held)
        assert after is not None
        return jnp.where(done[:, None], 0.0, after), out

    return jax.lax.scan(step, held, (obs, done))[1]


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
    held = no_memory(config, 1)
    return {
        "actor": actor.init(actor_key, jnp.zeros((1, sizes["actor"])), held),
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
