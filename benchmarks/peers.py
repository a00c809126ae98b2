"""mimicgym's training against what users would otherwise run on this environment.

pip install mimicgym stable-baselines3 brax
python benchmarks/peers.py --steps 200000 --out peers.json

One clip, robot and number of environment steps for all three, on the CPU:

ours   `mimicgym train` (the native engine, all environments in one program)
async  Gymnasium's AsyncVectorEnv of the single environment, a process for each, with
       Stable-Baselines3's PPO
brax   Brax's PPO on the functional environment (`BatchedEnv`) with MJX's physics

Networks, samples of an iteration, epochs, minibatches, discount and the other
coefficients are those of mimicgym's learner. What is different: the two others keep
their learning rate (`--learning-rate`), where mimicgym's follows the KL divergence;
Stable-Baselines3's critic sees the actor's observations, and it has the environments of
`--workers` processes and so longer stretches of each; Brax normalises no values, and
asks for a function that JAX no longer has, which is put back.

The return is the undiscounted one of the last 100 training episodes, from when there
are as many. Wall time is told twice: of learning, without compiling, and of everything
(making environments and processes, compiling, learning). The time to the same return is
until that mean reaches the lowest of the final returns, or `--level`.
The budget is small because the others are slow; none of them is a finished policy.
"""

import argparse
import itertools
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from mimicgym.run import run_config

CLIP = "wave"
PRESET = "quick"
PACKAGES = (
    "mimicgym",
    "stable-baselines3",
    "torch",
    "brax",
    "jax",
    "mujoco",
    "mujoco-mjx",
    "gymnasium",
)


class Point(NamedTuple):
    """The mean return of the last episodes, at a time of learning and of all."""

    steps: int
    learning_s: float
    all_s: float
    episode_return: float


@dataclass(frozen=True)
class Outcome:
    """One training.

    Attributes:
      learning_s: without compiling.
      all_s: with everything.
      compile_s: of making and compiling before it.
      completion, mpkpe_mm: of the policy without noise, by mimicgym's evaluation.
    """

    learner: str
    seed: int
    steps: int
    num_envs: int
    learning_s: float
    all_s: float
    compile_s: float
    steps_per_s: float
    episode_return: float
    completion: float
    mpkpe_mm: float
    curve: tuple[Point, ...]

    def reached(self, level: float) -> Point | None:
        """When the return was at a level for the first time."""
        found = (p for p in self.curve if p.episode_return >= level)
        return next(found, None)


@dataclass(frozen=True)
class Budget:
    """What all learners have.

    Attributes:
      num_envs: environments in parallel, of ours and of Brax's.
      workers: of Stable-Baselines3's, each a process.
      episodes: over how many the return is averaged.
    """

    steps: int
    num_envs: int
    workers: int
    learning_rate: float
    seed: int
    episodes: int

    @property
    def learner(self) -> Any:
        return run_config(PRESET, motion=CLIP).ppo

    @property
    def iteration(self) -> int:
        """Samples of an iteration."""
        return self.num_envs * self.learner.num_steps

    @property
    def iterations(self) -> int:
        return -(-self.steps // self.iteration)


def ours(budget: Budget) -> Outcome:
    """mimicgym."""
    from mimicgym.training import train

    began = time.perf_counter()
    config = run_config(
        PRESET,
        motion=CLIP,
        engine="native",
        num_envs=budget.num_envs,
        seed=budget.seed,
    )
    curve: list[Point] = []
    recent: list[tuple[float, float]] = []
    last = [0.0, 0.0, 0]

    def note(progress: Any) -> None:
        now = time.perf_counter() - began
        # The first iteration's own time is within that of compiling: it counts as much
        # as the others do.
        each = progress.seconds / max(progress.iteration - 1, 1)
        learning_s = progress.seconds + each
        last[:] = learning_s, now, progress.env_steps
        metrics = progress.metrics
        if metrics["episode/count"]:
            recent.append((metrics["episode/count"], metrics["episode/return"]))
            mean = _mean_of_last(recent, budget.episodes)
            if mean is not None:
                curve.append(Point(progress.env_steps, learning_s, now, mean))

    with tempfile.TemporaryDirectory() as folder:
        result = train(
            config, out=Path(folder), iterations=budget.iterations, on_iteration=note
        )
    learning_s, all_s, steps = last
    return _outcome(
        "ours",
        budget,
        steps=int(steps),
        num_envs=budget.num_envs,
        learning_s=learning_s,
        all_s=all_s,
        curve=curve,
        score=result.evaluation.mean,
    )


def _mean_of_last(recent: Sequence[tuple[float, float]], episodes: int) -> float | None:
    """Mean return of the last episodes, of (count, mean) of each iteration; whole
    iterations are taken, until there are enough. None where there are too few."""
    count = total = 0.0
    for number, mean in reversed(recent):
        count, total = count + number, total + number * mean
        if count >= episodes:
            return total / count
    return None


def asynchronous(budget: Budget) -> Outcome:
    """Gymnasium's processes and Stable-Baselines3."""
    import gymnasium
    import torch
    from gymnasium.vector import AutoresetMode
    from sb3 import Rows, make_model, policy_of
    from stable_baselines3.common.vec_env import VecNormalize

    from mimicgym.envs.make import env_config, make_env
    from mimicgym.evaluation import evaluate, evaluation_config

    torch.manual_seed(budget.seed)
    began = time.perf_counter()
    if budget.iteration % budget.workers:
        raise SystemExit(
            f"{budget.iteration} samples of an iteration can not be shared by"
            f" {budget.workers} workers"
        )
    rows: Any = gymnasium.make_vec(
        "G1DeepMimic-v0",
        num_envs=budget.workers,
        vectorization_mode="async",
        # A process that is forked from one that has started JAX can hang.
        vector_kwargs={"context": "spawn", "autoreset_mode": AutoresetMode.SAME_STEP},
        motion=CLIP,
        preset=PRESET,
        overrides={"threads": 1},
    )
    env = Rows(rows, budget.seed)
    try:
        # Everything compiles in the first steps.
        env.reset()
        for _ in range(2):
            env.step_async(env.actions)
            env.step_wait()
        env.ended.clear()
        env.steps = 0
        normalized = VecNormalize(env, gamma=budget.learner.gamma)
        model = make_model(
            normalized,
            budget.learner,
            num_steps=budget.iteration // budget.workers,
            learning_rate=budget.learning_rate,
            seed=budget.seed,
        )
        learning = time.perf_counter()
        model.learn(budget.steps, log_interval=10)
        learning_s = time.perf_counter() - learning
        all_s = time.perf_counter() - began
        policy = policy_of(model, normalized)
    finally:
        env.close()
    curve = []
    for end in range(budget.episodes, len(env.ended) + 1, 10):
        episode, last = env.ended[end - 1], env.ended[end - budget.episodes : end]
        mean = sum(e.total for e in last) / budget.episodes
        at = episode.at_s
        curve.append(Point(episode.steps, at - learning, at - began, mean))
    config = evaluation_config(env_config(PRESET, motion=CLIP))
    return _outcome(
        "async",
        budget,
        steps=model.num_timesteps,
        num_envs=budget.workers,
        learning_s=learning_s,
        all_s=all_s,
        curve=curve,
        score=evaluate(make_env(config), policy).mean,
    )


def with_brax(budget: Budget) -> Outcome:
    """Brax on the functional environment."""
    import functools

    import jax
    from brax.training.agents.ppo import networks
    from brax.training.agents.ppo import train as ppo
    from flax import linen
    from peers_brax import Tracking, restore_replication

    from mimicgym.envs.make import env_config, make_env
    from mimicgym.evaluation import evaluate, evaluation_config

    restore_replication()
    learner = budget.learner
    began = time.perf_counter()
    env = Tracking(
        make_env(env_config(PRESET, motion=CLIP, engine="mjx")), budget.num_envs
    )
    told: list[tuple[int, float, float]] = []
    sums: list[float] = []

    def progress(steps: int, metrics: dict[str, Any]) -> None:
        now = time.perf_counter() - began
        # It averages over the last 100 episodes, or all if there are fewer.
        if steps >= budget.episodes * metrics.get("episode/length", float("inf")):
            told.append((steps, now, float(metrics["episode/sum_reward"])))
        if "training/walltime" in metrics:
            sums.append(float(metrics["training/walltime"]))

    make_policy, params, _ = ppo.train(
        environment=env,
        wrap_env=False,
        num_timesteps=budget.iterations * budget.iteration,
        num_envs=budget.num_envs,
        episode_length=1,  # of its wrappers and evaluations, which are not used
        unroll_length=learner.num_steps,
        batch_size=budget.num_envs // learner.minibatches,
        num_minibatches=learner.minibatches,
        num_updates_per_batch=learner.epochs,
        discounting=learner.gamma,
        gae_lambda=learner.gae_lambda,
        clipping_epsilon=learner.clip,
        entropy_cost=learner.entropy_coef,
        # Brax halves the value's loss by itself.
        vf_loss_coefficient=0.5,
        max_grad_norm=learner.max_grad_norm,
        learning_rate=budget.learning_rate,
        normalize_observations=True,
        network_factory=functools.partial(
            networks.make_ppo_networks,
            policy_hidden_layer_sizes=learner.hidden,
            value_hidden_layer_sizes=learner.hidden,
            activation=linen.elu,
            policy_obs_key="actor",
            value_obs_key="critic",
            distribution_type="normal",
            noise_std_type="log",
            init_noise_std=learner.init_std,
        ),
        num_evals=budget.iterations + 1,
        run_evals=False,
        log_training_metrics=True,
        training_metrics_steps=1,
        progress_fn=progress,
        seed=budget.seed,
    )
    all_s = time.perf_counter() - began
    # Brax compiles an iteration twice, the first and the second time that it runs: for
    # these two, the time of a typical one stands.
    times = [sums[0], *(b - a for a, b in itertools.pairwise(sums))]
    later = sorted(times[2:])
    times[:2] = [later[len(later) // 2]] * 2
    learnt = list(itertools.accumulate(times))
    curve = [
        Point(steps, learnt[steps // budget.iteration - 1], now, mean)
        for steps, now, mean in told
    ]
    inference = make_policy(params, deterministic=True)

    def policy(obs: jax.Array) -> jax.Array:
        return inference({"actor": obs}, jax.random.PRNGKey(0))[0]

    config = evaluation_config(env_config(PRESET, motion=CLIP))
    return _outcome(
        "brax",
        budget,
        steps=budget.iterations * budget.iteration,
        num_envs=budget.num_envs,
        learning_s=learnt[-1],
        all_s=all_s,
        curve=curve,
        score=evaluate(make_env(config), policy).mean,
    )


def _outcome(
    name: str,
    budget: Budget,
    *,
    steps: int,
    num_envs: int,
    learning_s: float,
    all_s: float,
    curve: Sequence[Point],
    score: dict[str, float],
) -> Outcome:
    if not curve:
        raise SystemExit(f"{name}: less than {budget.episodes} episodes; more --steps")
    return Outcome(
        learner=name,
        seed=budget.seed,
        steps=steps,
        num_envs=num_envs,
        learning_s=learning_s,
        all_s=all_s,
        compile_s=all_s - learning_s,
        steps_per_s=steps / learning_s,
        episode_return=curve[-1].episode_return,
        completion=score["completion"],
        mpkpe_mm=score["mpkpe_mm"],
        curve=tuple(curve),
    )


LEARNERS: dict[str, Callable[[Budget], Outcome]] = {
    "ours": ours,
    "async": asynchronous,
    "brax": with_brax,
}


def to_the_same_return(
    outcomes: Sequence[Outcome], level: float | None
) -> list[dict[str, Any]]:
    """For each seed, when each learner's return reached the level for the first time;
    without one, the lowest of the seed's final returns."""
    rows = []
    for seed in sorted({o.seed for o in outcomes}):
        mine = [o for o in outcomes if o.seed == seed]
        wanted = level
        if wanted is None:
            wanted = min(o.episode_return for o in mine)
        for outcome in mine:
            point = outcome.reached(wanted)
            rows.append(
                {
                    "seed": seed,
                    "level": wanted,
                    "learner": outcome.learner,
                    "reached": point._asdict() if point else None,
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--steps", type=int, default=200_000, help="environment steps of each training")
    add("--num-envs", type=int, default=128, help="of ours and of Brax's")
    add("--workers", type=int, default=4, help="processes of AsyncVectorEnv")
    add("--learning-rate", type=float, default=3e-4, help="of the others")
    add("--seeds", type=int, nargs="+", default=[0])
    add("--learners", nargs="+", choices=LEARNERS, default=list(LEARNERS))
    add("--episodes", type=int, default=100, help="whose returns are averaged")
    add("--level", type=float, help="return to reach; the lowest final one by default")
    add("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.steps < 3 * args.num_envs * run_config(PRESET).ppo.num_steps:
        parser.error(f"--steps {args.steps} are less than three iterations")
    outcomes: list[Outcome] = []
    for seed in args.seeds:
        for name in args.learners:
            budget = Budget(
                steps=args.steps,
                num_envs=args.num_envs,
                workers=args.workers,
                learning_rate=args.learning_rate,
                seed=seed,
                episodes=args.episodes,
            )
            outcome = LEARNERS[name](budget)
            outcomes.append(outcome)
            shown = asdict(outcome) | {"curve": f"{len(outcome.curve)} points"}
            print(json.dumps(shown, indent=1), flush=True)
            _write(args, budget, outcomes)
    for row in to_the_same_return(outcomes, args.level):
        print(json.dumps(row), flush=True)


def _write(
    args: argparse.Namespace, budget: Budget, outcomes: Sequence[Outcome]
) -> None:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    report = {
        "clip": CLIP,
        "preset": PRESET,
        "steps": args.steps,
        "samples_of_an_iteration": budget.iteration,
        "learning_rate_of_the_others": args.learning_rate,
        "learner": asdict(budget.learner),
        "machine": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "versions": found,
        "return": f"mean of the last {args.episodes} training episodes",
        "to_the_same_return": to_the_same_return(outcomes, args.level),
        "outcomes": [
            asdict(o) | {"curve": [p._asdict() for p in o.curve]} for o in outcomes
        ],
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
