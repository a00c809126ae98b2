"""Which termination ends episodes of a clip right after they began, and why.

Each clip is started at frames all over it, without noise, and for a fifth of a second
the joints are asked for the reference's next pose. No robot falls far in that time: an
episode that fails tells of the clip (a body inside the floor, a start above the ground,
impossible velocities) or of thresholds that nobody could keep.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import make_env
from mimicgym.envs.terms import link_pos_error_w
from mimicgym.envs.tracking import State, TrackingEnv
from mimicgym.evaluation import evaluation_config
from mimicgym.motion import Finding, Library, Motion
from mimicgym.motion.entries import ClipEntry
from mimicgym.physics import make_engine
from mimicgym.reference import Reference

DURATION_S = 0.2
_STARTS = 16
# A quick movement at the edge of what the motors can do ends a few starts of clips that
# are learned well; one that ends within so many steps, or many that end, are no such.
_AT_ONCE = 5
# A start inside the floor is pushed out with many times the robot's weight (343 N).
_HARD_PUSH_N = 3000.0


@dataclass(frozen=True)
class FirstFailure:
    """One start that failed.

    Attributes:
      frame, time_s: where in the clip, at the control rate.
      steps: control steps until it failed.
      cause: the terminations that fired.
      body, error_m: the tracked body that was farthest from its reference, and how far
        along world x, y and z.
      push_n, pushed: the largest contact force since the start, and the body it was on.
    """

    frame: int
    time_s: float
    steps: int
    cause: str
    body: str
    error_m: tuple[float, float, float]
    push_n: float
    pushed: str

    @property
    def message(self) -> str:
        """Words for people."""
        far_m = float(np.linalg.norm(self.error_m))
        text = (
            f"{self.cause} {self.steps} steps after a start at {self.time_s:.2f} s: "
            f"{self.body} is {100 * far_m:.0f} cm from its reference"
        )
        if abs(self.error_m[2]) > 0.7 * far_m:
            text += " (above it)" if self.error_m[2] > 0 else " (below it)"
        if self.push_n > _HARD_PUSH_N:
            text += (
                f"; the ground pushed {self.pushed} with {self.push_n:.0f} N: it starts"
                f" inside the floor"
            )
        return text


def first_failures(
    config: EnvConfig, motions: Sequence[Motion], terrains: Sequence[str] | None = None
) -> tuple[tuple[FirstFailure, ...], ...]:
    """For each motion the starts, of 16 at most, that fail within `DURATION_S`.

    Args:
      config: the task, whose own clips are not looked at.
      motions: clips that `validate` has passed and that last 3 control steps or more.
      terrains: for each the ground it is on, or ""; by default that of `config`.
    """
    entries = tuple(
        ClipEntry(motion.name, terrain=terrain)
        for motion, terrain in zip(
            motions, terrains or [""] * len(motions), strict=True
        )
    )
    env = make_env(evaluation_config(config), Library(entries, tuple(motions)))
    reference = env.reference
    clip, frame = _starts(reference)
    trace = jax.device_get(_run(env, clip, frame))
    failures: list[list[FirstFailure]] = [[] for _ in motions]
    for row in np.flatnonzero(trace["failed"].any(axis=0)):
        failures[clip[row]].append(_failure(env, trace, int(row), int(frame[row])))
    return tuple(tuple(found) for found in failures)


def first_steps_finding(failures: tuple[FirstFailure, ...]) -> Finding | None:
    """What to tell of one clip's failures; None where there are none."""
    if not failures:
        return None
    causes = Counter(failure.cause for failure in failures)
    share = ", ".join(f"{cause} in {n}" for cause, n in causes.most_common())
    first = min(failures, key=lambda failure: (failure.steps, failure.frame))
    serious = first.steps <= _AT_ONCE or len(failures) >= _STARTS // 4
    return Finding(
        "first-steps",
        "warning" if serious else "note",
        f"of {_STARTS} starts, {len(failures)} fail within {DURATION_S} s with the "
        f"joints asked for the next pose ({share}); the first: {first.message}",
    )


def _starts(reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """(N,) clips and frames, `_STARTS` of each clip."""
    lengths = np.asarray(reference.clip_end) - np.asarray(reference.clip_start)
    share = np.linspace(0.0, 1.0, _STARTS)
    frame = (share[None, :] * np.maximum(lengths - 3, 0)[:, None]).astype(np.int32)
    clip = np.repeat(np.arange(len(lengths), dtype=np.int32), _STARTS)
    return clip, frame.ravel()


def _run(env: TrackingEnv, clip: np.ndarray, frame: np.ndarray) -> dict[str, jax.Array]:
    """Arrays (steps, N, ...) of the first steps of every start."""
    batched = BatchedEnv(env, len(clip), autoreset="disabled")
    # A step's forces are those of the state that its last physics step began with: with
    # one of these, the start.
    engine = env.engine
    one_step = make_engine(engine.name, engine.model, decimation=1).step
    steps = max(1, round(DURATION_S / env.dt_s))

    def aim(state: State) -> jax.Array:
        """The action that asks for the next pose of the reference."""
        joint_pos = env.reference_at(state.clip, state.frame + 1).joint_pos
        pose = env.target_pose(state.clip, state.frame)
        return env.control.matched(joint_pos, pose)

    def body(carry, _):
        batch, going = carry
        batch = batched.step(batch, jax.vmap(aim)(batch.state))
        state = batch.state
        ref = jax.vmap(env.reference_of)(state)
        error_m = jax.vmap(lambda s, r: link_pos_error_w(s.robot, r, env.facts))
        shown = {
            "failed": going & batch.terminated,
            "error_m": error_m(state, ref),
            "push_n": jnp.linalg.norm(state.robot.contact_force_w, axis=-1),
        } | {k: v for k, v in batch.metrics.items() if k.startswith("termination/")}
        return (batch, going & ~batch.done), shown

    @jax.jit
    def run() -> dict[str, jax.Array]:
        keys = jax.random.split(jax.random.key(0), len(clip))
        batch = batched.reset_at(keys, jnp.asarray(clip), jnp.asarray(frame))
        start = batch.state
        pose = start.physics.qpos[:, 7:]
        _, pushed = jax.vmap(one_step)(start.physics, pose, start.fields)
        start_n = jnp.linalg.norm(pushed.contact_force_w, axis=-1)
        going = jnp.ones(len(clip), bool)
        _, trace = jax.lax.scan(body, (batch, going), None, length=steps)
        return trace | {"start_n": start_n}

    return run()


def _failure(
    env: TrackingEnv, trace: dict[str, np.ndarray], row: int, frame: int
) -> FirstFailure:
    step = int(trace["failed"][:, row].argmax())
    error_m = trace["error_m"][step, row]
    worst = int(np.linalg.norm(error_m, axis=-1).argmax())
    pushes_n = np.vstack(
        [trace["start_n"][None, row], trace["push_n"][: step + 1, row]]
    )
    pushed = int(pushes_n.max(axis=0).argmax())
    fired = [c for c in env.causes if trace[f"termination/{c}"][step, row] > 0]
    x, y, z = (float(v) for v in error_m[worst])
    robot = env.engine.model.robot
    return FirstFailure(
        frame=frame,
        time_s=frame * env.dt_s,
        steps=step + 1,
        cause=" and ".join(fired),
        body=robot.tracked_bodies[worst],
        error_m=(x, y, z),
        push_n=float(pushes_n.max()),
        pushed=env.engine.model.contact_bodies[pushed],
    )
