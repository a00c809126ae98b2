"""mimicgym's PPO against Stable-Baselines3's, on the same environment and machine.

pip install mimicgym stable-baselines3
python benchmarks/sb3.py --steps 3000000 --seeds 0 1 2 --out sb3.json

Stable-Baselines3 (torch, on the CPU) trains through `gymnasium.make_vec`, with the
networks, the samples of an iteration, the epochs and minibatches, the discount and the
other coefficients of mimicgym's learner. What is different: its learning rate is fixed
(`--learning-rate`), where mimicgym's follows the KL divergence; its critic sees the
actor's observations; its observations and rewards are normalised by `VecNormalize`.

Wall time is that of learning, with mimicgym's compiling named beside it. The return is
that of the episodes that ended within the last 100,000 steps of training, undiscounted;
completion and error are mimicgym's evaluation of both policies without noise.
"""

import argparse
import itertools
import json
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import jax.numpy as jnp
import numpy as np
import stable_baselines3 as sb3
import torch
from gymnasium.spaces import Box
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

from mimicgym.envs.make import env_config, make_env
from mimicgym.evaluation import evaluate, evaluation_config
from mimicgym.ppo.config import PPOConfig, ppo_preset
from mimicgym.run import run_config
from mimicgym.training import Progress, train

CLIP = "wave"
PRESET = "quick"
# Episodes that ended within these last steps count for the return.
LAST_STEPS = 100_000


@dataclass(frozen=True)
class Outcome:
    """One training.

    Attributes:
      wall_s: of learning.
      compile_s: of compiling before it; environments compile for both.
      episode_return: mean over the last episodes of the training.
      returns: the same of each `LAST_STEPS` steps of it, from its start.
    """

    learner: str
    seed: int
    steps: int
    wall_s: float
    compile_s: float
    episode_return: float
    completion: float
    mpkpe_mm: float
    returns: tuple[float, ...]

    def seconds_to(self, episode_return: float) -> float | None:
        """How long learning took until the return was this, at an even pace; None if
        it never was."""
        for i, reached in enumerate(self.returns):
            if reached >= episode_return:
                return self.wall_s * min((i + 1) * LAST_STEPS / self.steps, 1.0)
        return None


def windows(ended: list[tuple[int, float, float]], steps: int) -> tuple[float, ...]:
    """Mean returns of each `LAST_STEPS` steps, the last ones whole. `ended` holds
    (steps, number of episodes, sum of their returns)."""
    edges = range(steps % LAST_STEPS, steps + 1, LAST_STEPS)
    found = []
    for low, high in itertools.pairwise(edges):
        inside = [(n, total) for at, n, total in ended if low < at <= high]
        count = sum(n for n, _ in inside)
        found.append(sum(total for _, total in inside) / max(count, 1))
    return tuple(found)


def ours(steps: int, seed: int, num_envs: int) -> Outcome:
    """Train with mimicgym."""
    config = run_config(PRESET, motion=CLIP, num_envs=num_envs, seed=seed)
    iterations = -(-steps // (num_envs * config.ppo.num_steps))
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        result = train(
            config,
            out=Path(folder),
            iterations=iterations,
            on_iteration=lines.append,
        )
    returns = windows([_episodes(p) for p in lines], lines[-1].env_steps)
    score = result.evaluation.mean
    # The first iteration's time is in compile_s, so that of another stands for it.
    wall_s = lines[-1].seconds * iterations / (iterations - 1)
    return Outcome(
        learner="mimicgym",
        seed=seed,
        steps=lines[-1].env_steps,
        wall_s=wall_s,
        compile_s=lines[-1].compile_s,
        episode_return=returns[-1],
        completion=score["completion"],
        mpkpe_mm=score["mpkpe_mm"],
        returns=returns,
    )


def _episodes(progress: Progress) -> tuple[int, float, float]:
    count = float(progress.metrics["episode/count"])
    # An iteration in which no episode ended has no return.
    mean = float(progress.metrics["episode/return"] or 0.0)
    return progress.env_steps, count, count * mean


def theirs(steps: int, seed: int, num_envs: int, learning_rate: float) -> Outcome:
    """Train with Stable-Baselines3."""
    learner = ppo_preset(PRESET).ppo
    torch.manual_seed(seed)
    began = time.perf_counter()
    rows: Any = gymnasium.make_vec(
        "G1DeepMimic-v0",
        num_envs=num_envs,
        motion=CLIP,
        preset=PRESET,
        autoreset_mode="SameStep",
    )
    env = Rows(rows, seed)
    env.reset()
    env.step_async(np.zeros((num_envs, *env.action_space.shape), np.float32))
    env.step_wait()
    compile_s = time.perf_counter() - began
    env.ended.clear()
    normalized = VecNormalize(env, gamma=learner.gamma)
    model = make_model(
        normalized,
        learner,
        num_steps=learner.num_steps,
        learning_rate=learning_rate,
        seed=seed,
    )
    began = time.perf_counter()
    model.learn(steps, log_interval=20)
    wall_s = time.perf_counter() - began
    returns = windows([(e.steps, 1, e.total) for e in env.ended], env.steps)
    config = evaluation_config(env_config(PRESET, motion=CLIP))
    score = evaluate(make_env(config), policy_of(model, normalized)).mean
    env.close()
    return Outcome(
        learner="stable-baselines3",
        seed=seed,
        steps=model.num_timesteps,
        wall_s=wall_s,
        compile_s=compile_s,
        episode_return=returns[-1],
        completion=score["completion"],
        mpkpe_mm=score["mpkpe_mm"],
        returns=returns,
    )


def make_model(
    env: VecNormalize,
    config: PPOConfig,
    *,
    num_steps: int,
    learning_rate: float,
    seed: int,
) -> sb3.PPO:
    """Stable-Baselines3's PPO with the networks and coefficients of `config`."""
    return sb3.PPO(
        "MlpPolicy",
        env,
        n_steps=num_steps,
        batch_size=env.num_envs * num_steps // config.minibatches,
        n_epochs=config.epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip,
        ent_coef=config.entropy_coef,
        vf_coef=config.value_coef,
        max_grad_norm=config.max_grad_norm,
        learning_rate=learning_rate,
        policy_kwargs={
            "net_arch": {"pi": list(config.hidden), "vf": list(config.hidden)},
            "activation_fn": torch.nn.ELU,
            "log_std_init": float(np.log(config.init_std)),
        },
        seed=seed,
        device="cpu",
        verbose=1,
    )


class Episode(NamedTuple):
    """One that has ended: after how many steps of all rows, when by
    `time.perf_counter`, and its return."""

    steps: int
    at_s: float
    total: float


class Rows(VecEnv):
    """Gymnasium's vector environment as Stable-Baselines3 wants it.

    Actions are in units of the task, as mimicgym's learner has them.

    Attributes:
      steps: environment steps so far.
      ended: each episode that has ended.

    Args:
      env: of G1DeepMimic-v0 with the task `PRESET`, which resets rows in the step that
        ends them.
    """

    def __init__(self, env: Any, seed: int):
        self.env = env
        num_envs = env.num_envs
        self.scale = env_config(PRESET).control.action_clip
        space = self.env.single_action_space
        actions = Box(-self.scale, self.scale, space.shape, np.float32)
        super().__init__(num_envs, self.env.single_observation_space, actions)
        self.first_seed: int | None = seed
        self.steps = 0
        self.ended: list[Episode] = []
        self.returns = np.zeros(num_envs)
        self.actions = np.zeros((num_envs, *space.shape), np.float32)

    def reset(self) -> np.ndarray:
        seed, self.first_seed = self.first_seed, None
        self.returns[:] = 0
        return self.env.reset(seed=seed)[0]

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = actions / self.scale

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict]]:
        obs, reward, terminated, truncated, info = self.env.step(self.actions)
        done = terminated | truncated
        self.steps += self.num_envs
        self.returns += reward
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row in np.flatnonzero(done):
            told[row] = {
                "terminal_observation": info["final_obs"][row],
                "TimeLimit.truncated": bool(truncated[row] and not terminated[row]),
            }
            total = float(self.returns[row])
            self.ended.append(Episode(self.steps, time.perf_counter(), total))
        self.returns[done] = 0
        return obs, reward, done, told

    def close(self) -> None:
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        # All that is asked for is how to render.
        return [getattr(self.env, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError("rows share one program")

    def env_method(self, method_name: str, *args: Any, **kwargs: Any) -> list[Any]:
        raise NotImplementedError("rows share one program")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def policy_of(model: Any, normalized: VecNormalize) -> Any:
    """The trained network in JAX, for mimicgym's evaluation."""
    mean = jnp.asarray(normalized.obs_rms.mean, jnp.float32)
    deviation = jnp.sqrt(jnp.asarray(normalized.obs_rms.var, jnp.float32) + 1e-8)
    hidden = [m for m in model.policy.mlp_extractor.policy_net if hasattr(m, "weight")]
    weights = [
        (jnp.asarray(m.weight.detach().numpy().T), jnp.asarray(m.bias.detach().numpy()))
        for m in [*hidden, model.policy.action_net]
    ]
    scale = float(model.action_space.high[0])

    def policy(obs):
        x = jnp.clip((obs - mean) / deviation, -10, 10)
        for w, b in weights[:-1]:
            x = x @ w + b
            x = jnp.where(x > 0, x, jnp.expm1(x))
        w, b = weights[-1]
        return jnp.clip(x @ w + b, -scale, scale)

    # The same as the original, or the comparison means nothing.
    obs = normalized.get_original_obs()[:8]
    wanted, _ = model.predict(normalized.normalize_obs(obs), deterministic=True)
    np.testing.assert_allclose(policy(jnp.asarray(obs)), wanted, atol=1e-3)
    return policy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3_000_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--num-envs", type=int, default=512)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--learners", nargs="+", default=["ours", "theirs"])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    outcomes = []
    for seed in args.seeds:
        # In turns, because machines are noisy.
        for name in args.learners:
            if name == "ours":
                outcome = ours(args.steps, seed, args.num_envs)
            else:
                outcome = theirs(args.steps, seed, args.num_envs, args.learning_rate)
            print(outcome, flush=True)
            outcomes.append(outcome)
            _write(args, outcomes)


def _write(args: argparse.Namespace, outcomes: list[Outcome]) -> None:
    packages = ("mimicgym", "stable-baselines3", "torch", "jax", "gymnasium")

    def of(name: str) -> list[Outcome]:
        return [outcome for outcome in outcomes if outcome.learner == name]

    level = min((o.episode_return for o in of("stable-baselines3")), default=None)
    report = {
        "clip": CLIP,
        "preset": PRESET,
        "num_envs": args.num_envs,
        "learning_rate_sb3": args.learning_rate,
        "learner": asdict(ppo_preset(PRESET).ppo),
        "machine": platform.processor() or platform.machine(),
        "torch_threads": torch.get_num_threads(),
        "versions": {name: metadata.version(name) for name in packages},
        # How long each took to the lowest return that Stable-Baselines3 ended with.
        "return_to_reach": level,
        "seconds_to_reach": None
        if level is None
        else [(o.learner, o.seed, o.seconds_to(level)) for o in outcomes],
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    args.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
