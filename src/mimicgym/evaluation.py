"""How well a policy tracks: every clip once, from its first frame, without noise."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.config import (
    CurriculumConfig,
    EnvConfig,
    RandomizationConfig,
    ResetConfig,
    TrackingConfig,
)
from mimicgym.envs.terms import Facts, link_pos_error_w
from mimicgym.envs.tracking import State, TrackingEnv
from mimicgym.ppo import Policy as TrainedPolicy

Policy = Callable[[jax.Array], jax.Array]
"""From actor observations (N, D) to actions (N, A)."""


@dataclass(frozen=True)
class ClipScore:
    """One clip. Errors are means over the frames before the episode's end.

    Attributes:
      frames: control steps that the clip lasts.
      completion: share of them that the robot lived through.
      success: whether that is all of them.
      mpkpe_mm: distance of the tracked bodies from the reference, mean over bodies.
      mpkpe_root_mm: the same with both moved to a common pelvis position.
      joint_error_rad: absolute joint error, mean over joints.
    """

    name: str
    frames: int
    completion: float
    success: bool
    mpkpe_mm: float
    mpkpe_root_mm: float
    joint_error_rad: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of all clips, and where the robot and its reference were.

    Attributes:
      clips: a score for each clip of the environment.
      qpos, reference_qpos: for each clip (frames lived + 1, 7+J), from the start state.
      causes: for each clip what ended it, "" where it was completed.
    """

    clips: tuple[ClipScore, ...]
    qpos: tuple[np.ndarray, ...]
    reference_qpos: tuple[np.ndarray, ...]
    causes: tuple[str, ...]

    @property
    def mean(self) -> dict[str, float]:
        """Means over clips, of success as of the rest."""
        names = [n for n in asdict(self.clips[0]) if n != "name"]
        return {n: float(np.mean([getattr(c, n) for c in self.clips])) for n in names}

    def to_dict(self) -> dict[str, Any]:
        """The scores in JSON types."""
        return {"clips": [asdict(c) for c in self.clips], "mean": self.mean}


def evaluation_config(config: EnvConfig) -> EnvConfig:
    """`config` without noise, delays, disturbances, random starts, a step limit or a
    curriculum: the nominal robot."""
    return replace(
        config,
        reset=ResetConfig(start="first", init_velocities=config.reset.init_velocities),
        observation=replace(config.observation, noise=False),
        control=replace(config.control, action_offset_std=0.0),
        termination=replace(
            config.termination, max_steps=0, curriculum=CurriculumConfig()
        ),
        randomization=RandomizationConfig(),
    )


def evaluate(env: TrackingEnv, policy: Policy) -> Evaluation:
    """Run `policy` on every clip of `env`, all at once.

    env should come from an `evaluation_config`; policy gives deterministic actions.
    """
    return Evaluator(env)(policy)


class Evaluator:
    """Evaluates policies that differ in their arrays alone, such as those of a training
    as it goes on: the first is waited for, the others use what it has compiled."""

    def __init__(self, env: TrackingEnv):
        self.env = env
        frames = np.asarray(env.reference.clip_end - env.reference.clip_start)
        self._frames = frames
        self._run: Any = jax.jit(partial(_rollout, env, steps=int(frames.max())))

    def __call__(self, policy: Policy) -> Evaluation:
        """See `evaluate`."""
        trace = jax.device_get(self._run(_as_pytree(policy)))
        return _scored(self.env, self._frames, trace)

    def compile(self, policy: Policy) -> None:
        """Compile for policies like this one without running, so that the program is in
        JAX's compilation cache for whoever evaluates one."""
        self._run.lower(_as_pytree(policy)).compile()

    @property
    def compilations(self) -> int:
        """How often the program was compiled."""
        return self._run._cache_size()


def _as_pytree(policy: Policy) -> Any:
    return policy if isinstance(policy, TrainedPolicy) else Partial(policy)


def _scored(
    env: TrackingEnv, frames: np.ndarray, trace: dict[str, np.ndarray]
) -> Evaluation:
    names = env.reference.clip_names
    alive = np.asarray(trace["alive"])  # (T, C): the step was lived through
    # The one step in which an episode ends by failing is not lived through, but what
    # ended it shows there.
    scores, qpos, reference_qpos, causes = [], [], [], []
    for c, name in enumerate(names):
        lived = int(alive[:, c].sum())
        rows = slice(0, max(lived, 1))
        cause = ""
        if lived < frames[c]:
            fired = [k for k in env.causes if trace[f"termination/{k}"][lived, c] > 0]
            cause = ", ".join(fired)
        scores.append(
            ClipScore(
                name=name,
                frames=int(frames[c]),
                completion=lived / int(frames[c]),
                success=lived == int(frames[c]),
                mpkpe_mm=1000 * float(trace["link_m"][rows, c].mean()),
                mpkpe_root_mm=1000 * float(trace["link_root_m"][rows, c].mean()),
                joint_error_rad=float(trace["joint_rad"][rows, c].mean()),
            )
        )
        first = trace["start_qpos"][c], trace["start_reference_qpos"][c]
        qpos.append(np.vstack([first[0], trace["qpos"][:lived, c]]))
        reference_qpos.append(np.vstack([first[1], trace["reference_qpos"][:lived, c]]))
        causes.append(cause)
    return Evaluation(tuple(scores), tuple(qpos), tuple(reference_qpos), tuple(causes))


def _rollout(env: TrackingEnv, policy: Policy, *, steps: int) -> dict[str, jax.Array]:
    """Arrays (steps, C, ...) of the first episode of each clip."""
    clips = jnp.arange(env.num_clips, dtype=jnp.int32)
    batched = BatchedEnv(env, env.num_clips, autoreset="disabled")

    def body(carry, _):
        batch, going, held = carry
        action, held = _act(policy, batch.obs["actor"], held)
        batch = batched.step(batch, action)
        alive = going & ~batch.terminated
        shown = jax.vmap(lambda state: _show(env, state))(batch.state)
        shown |= {k: batch.metrics[k] for k in batch.metrics if "termination/" in k}
        return (batch, going & ~batch.done, held), shown | {"alive": alive}

    keys = jax.random.split(jax.random.key(0), env.num_clips)
    batch = batched.reset_at(keys, clips, jnp.zeros_like(clips))
    start = jax.vmap(lambda state: _show(env, state))(batch.state)
    going = jnp.ones(env.num_clips, bool)
    held = _start(policy, env.num_clips)
    _, trace = jax.lax.scan(body, (batch, going, held), None, length=steps)
    return trace | {
        "start_qpos": start["qpos"],
        "start_reference_qpos": start["reference_qpos"],
    }


def _start(policy: Policy, rows: int) -> jax.Array | None:
    """What a policy holds before the first step; None for one that only reacts."""
    return policy.start(rows) if isinstance(policy, TrainedPolicy) else None


def _act(
    policy: Policy, obs: jax.Array, held: jax.Array | None
) -> tuple[jax.Array, jax.Array | None]:
    if isinstance(policy, TrainedPolicy):
        return policy.act(obs, held)
    return policy(obs), None


def _show(env: TrackingEnv, state: State) -> dict[str, jax.Array]:
    robot, ref = state.robot, env.reference_of(state)
    # The same bodies whatever the task tracks, so that scores can be compared.
    facts = Facts.of(env.engine.model, TrackingConfig())
    offset_w = link_pos_error_w(robot, ref, facts)
    relative_w = offset_w - (robot.root_pos_w - ref.root_pos_w)
    return {
        "qpos": state.physics.qpos,
        "reference_qpos": jnp.concatenate(
            [ref.root_pos_w, ref.root_quat_w, ref.joint_pos]
        ),
        "link_m": jnp.mean(jnp.linalg.norm(offset_w, axis=-1)),
        "link_root_m": jnp.mean(jnp.linalg.norm(relative_w, axis=-1)),
        "joint_rad": jnp.mean(jnp.abs(robot.joint_pos - ref.joint_pos)),
    }


def format_table(clips: Sequence[ClipScore]) -> list[tuple[str, ...]]:
    """Rows of strings for a table, in the order of the fields of `ClipScore`."""
    return [
        (
            c.name,
            str(c.frames),
            f"{c.completion:.3f}",
            "yes" if c.success else "no",
            f"{c.mpkpe_mm:.1f}",
            f"{c.mpkpe_root_mm:.1f}",
            f"{c.joint_error_rad:.3f}",
        )
        for c in clips
    ]
