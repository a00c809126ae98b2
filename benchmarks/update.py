"""How near the learner's update comes to what its matrix products alone would take.

python benchmarks/update.py --preset quick --out update.json

Times the update of one iteration in stages, each with something more than the one
before: only the networks' matrix products; the networks with their activations; PPO's
loss and its gradient; picking each minibatch's samples out of all; the optimiser, which
makes it the learner's own program. All do the same products in the same order. The
machine's peak is the fastest of several large float32 products in the same run. Stages
take turns, and medians are shown.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mimicgym  # sets up XLA  # noqa: F401
from mimicgym.envs.make import make_env
from mimicgym.envs.presets import env_preset
from mimicgym.ppo import PPOConfig, network, ppo_preset
from mimicgym.ppo.loss import Samples, ppo_loss
from mimicgym.ppo.slices import shuffled
from mimicgym.ppo.update import Update

PEAK_SIZES = (1024, 2048, 4096)


def operations(sizes: list[int]) -> int:
    """Multiplications and additions of one sample through a network of these layers,
    forward and backward: the input of the first layer needs no gradient."""
    layers = [a * b for a, b in pairwise(sizes)]
    return 2 * (3 * sum(layers) - layers[0])


def samples_of(count: int, sizes: dict[str, int], actions: int) -> Samples:
    """Random numbers where an iteration's samples are."""
    keys = iter(jax.random.split(jax.random.key(0), 8))

    def draw(*shape: int) -> jax.Array:
        return jax.random.normal(next(keys), (count, *shape))

    return Samples(
        actor_obs=draw(sizes["actor"]),
        critic_obs=draw(sizes["critic"]),
        action=0.1 * draw(actions),
        mean=0.1 * draw(actions),
        log_prob=draw(),
        value=draw(),
        advantage=draw(),
        target=draw(),
        done=jnp.zeros(count, bool),
    )


def stages(
    config: PPOConfig, num_envs: int, sizes: dict[str, int], actions: int
) -> dict[str, Callable[[], Any]]:
    """The stages by name; each returns something to wait for."""
    count = num_envs * config.num_steps
    slices = config.slice_count(num_envs)
    update = Update(config, rows=num_envs, slices=slices)
    params = network.init_params(jax.random.key(1), config, sizes, actions)
    opt_state = update.optimizer.init(params)
    samples = samples_of(count, sizes, actions)
    old_std = network.policy_std(params["raw_std"], config)
    part = jax.tree.map(lambda x: x[: count // config.minibatches], samples)

    def linear(params: Any, x: jax.Array) -> jax.Array:
        layers = params["params"]
        for name in sorted(layers, key=lambda n: int(n.split("_")[1])):
            x = x @ layers[name]["kernel"]
        return x

    def products(params: Any, part: Samples) -> jax.Array:
        actor = linear(params["actor"], part.actor_obs)
        critic = linear(params["critic"], part.critic_obs)
        return jnp.sum(actor * part.action) + jnp.sum(critic[:, 0] * part.target)

    def networks(params: Any, part: Samples) -> jax.Array:
        actor = network.apply(
            network.actor_network(config, actions), params["actor"], part.actor_obs
        )
        critic = network.apply(
            network.critic_network(config), params["critic"], part.critic_obs
        )
        return jnp.sum(actor * part.action) + jnp.sum(critic[:, 0] * part.target)

    def loss(params: Any, part: Samples) -> jax.Array:
        return ppo_loss(params, old_std, part, config)[0]

    def descend(function: Any, pick: bool, params: Any, samples: Samples, key: Any):
        """A step against the gradient for each minibatch, or the same one each time."""

        def minibatch(params, rows):
            chosen = jax.tree.map(lambda x: x[rows], samples) if pick else samples
            grads = jax.grad(function)(params, chosen)
            return jax.tree.map(lambda p, g: p - 1e-6 * g, params, grads), None

        def epoch(params, key):
            if not pick:
                order = jnp.zeros((config.minibatches, 1), jnp.int32)
            else:
                order = shuffled(
                    key, slices, config.num_steps, num_envs, config.minibatches, None
                )
            return jax.lax.scan(minibatch, params, order)

        return jax.lax.scan(epoch, params, jax.random.split(key, config.epochs))[0]

    def compiled(function: Any, pick: bool) -> Callable[[], Any]:
        program = jax.jit(partial(descend, function, pick))
        given = samples if pick else part
        return lambda: program(params, given, jax.random.key(2))

    whole = jax.jit(update)
    rate = jnp.float32(1e-4)
    return {
        "matrix products alone": compiled(products, False),
        "and activations": compiled(networks, False),
        "and PPO's loss": compiled(loss, False),
        "and picking samples": compiled(loss, True),
        "the whole update": lambda: whole(
            params, opt_state, rate, samples, jax.random.key(2)
        ),
    }


def seconds(run: Callable[[], Any]) -> float:
    began = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - began


def peak(size: int) -> Callable[[], Any]:
    """A product of two square matrices."""
    product = jax.jit(jnp.matmul)
    a, b = jax.random.normal(jax.random.key(3), (2, size, size))
    return lambda: product(a, b)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--num-envs", type=int)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    learner = ppo_preset(args.preset)
    config, num_envs = learner.ppo, args.num_envs or learner.num_envs
    env = make_env(env_preset("quick"))
    sizes, actions = dict(env.observation_sizes), env.action_size
    runs = stages(config, num_envs, sizes, actions)
    peaks = {size: peak(size) for size in PEAK_SIZES}
    for run in [*runs.values(), *peaks.values()]:
        seconds(run)
    times: dict[str, list[float]] = {name: [] for name in runs}
    rates = []
    for _ in range(args.repeats):
        for name, run in runs.items():
            times[name].append(seconds(run))
        for size, run in peaks.items():
            rates.append(2 * size**3 / seconds(run))
    layers = {
        "actor": [sizes["actor"], *config.hidden, actions],
        "critic": [sizes["critic"], *config.hidden, 1],
    }
    each = sum(operations(x) for x in layers.values())
    total = each * num_envs * config.num_steps * config.epochs
    best = max(rates)
    print(f"peak {best / 1e9:.1f} GFLOP/s; {total / 1e9:.1f} GFLOP an update")
    rows = {}
    for name, values in times.items():
        median = float(np.median(values))
        shares = sorted(total / t / best for t in values)
        rows[name] = {
            "seconds": median,
            "share_of_peak": total / median / best,
            "spread": (shares[0], shares[-1]),
        }
        print(f"{name:24} {1e3 * median:8.1f} ms  {total / median / best:6.1%} of peak")
    if args.out:
        report = {
            "preset": args.preset,
            "num_envs": num_envs,
            "layers": layers,
            "gflop": total / 1e9,
            "peak_gflop_per_s": best / 1e9,
            "stages": rows,
            "device": str(jax.devices()[0]),
            "machine": platform.processor() or platform.machine(),
            "versions": {n: metadata.version(n) for n in ("mimicgym", "jax", "jaxlib")},
        }
        args.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
