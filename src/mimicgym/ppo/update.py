"""Learning from an iteration's samples: epochs of minibatches, as one scan."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax

from mimicgym.ppo import network
from mimicgym.ppo.config import PPOConfig
from mimicgym.ppo.devices import Axis, mean_over
from mimicgym.ppo.loss import Samples, ppo_loss, with_images
from mimicgym.ppo.schedule import adapt_learning_rate
from mimicgym.ppo.slices import shuffled
from mimicgym.ppo.symmetry import Mirror


class Update:
    """Call it with parameters and samples for better parameters.

    Args:
      rows: environments on this device.
      slices: into how many they are divided, see `ppo.slices`.
      axis: over which other devices hold other samples; gradients and what the
        learning rate follows are means over all.
      mirrors: mirror images, where the configuration uses them.
    """

    def __init__(
        self,
        config: PPOConfig,
        *,
        rows: int,
        slices: int,
        axis: Axis = None,
        mirrors: Mapping[str, Mirror] | None = None,
    ):
        self.config = config
        self.rows = rows
        self.slices = slices
        self.axis = axis
        self.mirrors = mirrors
        # The learning rate changes from minibatch to minibatch, so it is applied by
        # hand after the rest of the optimiser.
        self.optimizer = optax.chain(
            optax.clip_by_global_norm(config.max_grad_norm), optax.scale_by_adam()
        )

    def __call__(
        self,
        params: dict[str, Any],
        opt_state: optax.OptState,
        rate: jax.Array,
        samples: Samples,
        key: jax.Array,
        imitation: jax.Array | float = 0.0,
    ) -> tuple[dict[str, Any], optax.OptState, jax.Array, dict[str, jax.Array]]:
        """Parameters, optimiser state and learning rate afterwards, and () health
        figures, which are means over minibatches.

        Args:
          rate: () the actor's learning rate at the start.
          samples: of all steps of this device's environments; first axis (T * B), or
            with a memory (T, B).
          imitation: () share of teachers in the loss.
        """
        config = self.config
        old_std = network.policy_std(params["raw_std"], config)
        steps = 1 if config.memory else config.num_steps
        grad = jax.value_and_grad(ppo_loss, has_aux=True)

        def minibatch(carry, rows: jax.Array):
            params, opt_state, rate = carry
            part = self._select(samples, rows)
            (_, health), grads = grad(
                params,
                old_std,
                part,
                config,
                imitation=imitation,
                mirrors=self.mirrors,
                axis=self.axis,
            )
            grads, health = mean_over((grads, health), self.axis)
            moved, opt_state = self.optimizer.update(grads, opt_state, params)
            # The rate that this minibatch's KL divergence calls for is used at once.
            rate = adapt_learning_rate(rate, health["ppo/kl"], config)
            critic_rate = config.critic_learning_rate or rate
            rates = dict.fromkeys(params, rate) | {"critic": critic_rate}
            params = _stepped(params, moved, rates)
            health["ppo/grad_norm"] = optax.tree.norm(grads)
            return (params, opt_state, rate), health

        def epoch(carry, key: jax.Array):
            order = shuffled(
                key, self.slices, steps, self.rows, config.minibatches, self.axis
            )
            return jax.lax.scan(minibatch, carry, order)

        carry = (params, opt_state, rate)
        carry, health = jax.lax.scan(epoch, carry, jax.random.split(key, config.epochs))
        return *carry, jax.tree.map(jnp.mean, health)

    def _select(self, samples: Samples, rows: jax.Array) -> Samples:
        """Those samples of all; with a memory, those environments' in time."""
        if self.config.memory:
            held = samples.held
            assert held is not None
            part = jax.tree.map(lambda x: x[:, rows], replace(samples, held=None))
            return replace(part, held=held[rows])
        part = jax.tree.map(lambda x: x[rows], samples)
        if self.config.mirror_data:
            assert self.mirrors is not None
            part = with_images(part, self.mirrors)
        return part


def _stepped(
    params: dict[str, Any], moved: Any, rates: Mapping[str, jax.Array | float]
) -> dict[str, Any]:
    """Parameters after a step against the optimiser's direction, each network's at its
    own rate."""

    def step(name: str) -> Any:
        return jax.tree.map(lambda p, u: p - rates[name] * u, params[name], moved[name])

    return {name: step(name) for name in params}
