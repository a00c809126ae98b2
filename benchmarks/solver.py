"""Settings of the physics: how exact they are and how fast, in MuJoCo's C engine and in
MJX-JAX, from states that the task visits on real clips.

python benchmarks/solver.py --clips clips/*.npz --out solver.json

Each setting makes one control step from each state, and is compared with the C engine
whose solver goes on until it has converged (Newton, 100 iterations, 50 of the line
search, tolerance 1e-12). Speed is that of several control steps from the same states,
with the same settings; engines and settings take turns.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import mujoco
import numpy as np
from mujoco import mjx
from mujoco.batch import Batch

import mimicgym  # noqa: F401  (sets up XLA)
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import env_config, make_env

SOLVERS = {
    "newton": mujoco.mjtSolver.mjSOL_NEWTON,
    "cg": mujoco.mjtSolver.mjSOL_CG,
}
JACOBIANS = {
    "dense": mujoco.mjtJacobian.mjJAC_DENSE,
    "sparse": mujoco.mjtJacobian.mjJAC_SPARSE,
}
INTEGRATORS = {
    "implicitfast": mujoco.mjtIntegrator.mjINT_IMPLICITFAST,
    "euler": mujoco.mjtIntegrator.mjINT_EULER,
}


@dataclass(frozen=True)
class Setting:
    solver: str = "newton"
    iterations: int = 10
    ls_iterations: int = 20
    jacobian: str = "dense"
    integrator: str = "implicitfast"
    tolerance: float | None = None

    def of(self, mj: mujoco.MjModel) -> mujoco.MjModel:
        mj = copy.copy(mj)
        mj.opt.solver = SOLVERS[self.solver]
        mj.opt.iterations, mj.opt.ls_iterations = self.iterations, self.ls_iterations
        mj.opt.jacobian = JACOBIANS[self.jacobian]
        mj.opt.integrator = INTEGRATORS[self.integrator]
        if self.tolerance is not None:
            mj.opt.tolerance = self.tolerance
        return mj


CONVERGED = Setting(iterations=100, ls_iterations=50, tolerance=1e-12)
SETTINGS = (
    Setting(),
    Setting(iterations=4),
    Setting(iterations=4, ls_iterations=8),
    Setting(iterations=2, ls_iterations=8),
    Setting(iterations=1, ls_iterations=4),
    Setting(solver="cg"),
    Setting(solver="cg", iterations=6, ls_iterations=8),
    Setting(jacobian="sparse"),
    Setting(integrator="euler"),
)


@dataclass(frozen=True)
class States:
    """(N, ...) what a control step starts from."""

    qpos: np.ndarray
    qvel: np.ndarray
    warmstart: np.ndarray
    ctrl: np.ndarray


def main() -> None:
    args = _arguments()
    env = make_env(env_config(args.preset, motion=args.clips, engine="native"))
    mj, decimation = env.engine.model.mj, env.engine.decimation
    states = _visit(env, args.num_envs, args.looks)
    wanted = _by_c(CONVERGED.of(mj), states, decimation)
    print(f"{len(states.qpos)} states of {len(args.clips)} clips, preset {args.preset}")
    engines = {"native": _c_engine, "mjx": _mjx_engine}
    settings = args.newton or SETTINGS
    loops: dict[tuple[str, Setting], Callable[[], None]] = {}
    rows: list[dict[str, Any]] = []
    for name in args.engines:
        for setting in settings:
            row = {"engine": name, **asdict(setting)}
            try:
                found, loop, first_s = engines[name](
                    setting.of(mj), states, decimation, args.steps
                )
            except NotImplementedError as error:
                rows.append(row | {"error": str(error)})
                continue
            loops[name, setting] = loop
            rows.append(row | _differences(wanted, found) | {"first_call_s": first_s})
            print(json.dumps(rows[-1]), flush=True)
    times = {key: [] for key in loops}
    for _ in range(args.repeats):
        for key, loop in loops.items():
            began = time.perf_counter()
            loop()
            times[key].append(time.perf_counter() - began)
    for row in rows:
        key = (row["engine"], Setting(**{k: row[k] for k in asdict(Setting())}))
        if key not in times:
            continue
        base = times[row["engine"], settings[0]]
        ratios = sorted(b / t for b, t in zip(base, times[key], strict=True))
        row["speed"] = ratios[len(ratios) // 2]
        row["speed_spread"] = [ratios[0], ratios[-1]]
        median = sorted(times[key])[len(ratios) // 2]
        row["control_steps_per_s"] = len(states.qpos) * args.steps / median
    print(_table(rows))
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n")


def _visit(env: Any, num_envs: int, looks: int) -> States:
    """States between which several steps of small random actions lie, each with the
    joint targets of its next step: the poses that the clip has there, with noise."""
    batched = BatchedEnv(env, num_envs)
    batch = jax.jit(batched.reset)(jax.random.split(jax.random.key(0), num_envs))
    step = jax.jit(batched.step)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(looks):
        for _ in range(8):
            action = rng.normal(0, 0.5, (num_envs, batched.action_size))
            batch = step(batch, action.astype(np.float32))
        physics = jax.device_get(batch.state.physics)
        qpos = np.asarray(physics.qpos, np.float64)
        noise = rng.normal(0, 0.1, (num_envs, qpos.shape[1] - 7))
        found.append((qpos, physics.qvel, physics.warmstart, qpos[:, 7:] + noise))
    parts = [np.concatenate(x).astype(np.float64) for x in zip(*found, strict=True)]
    return States(*parts)


def _by_c(mj: mujoco.MjModel, states: States, decimation: int) -> np.ndarray:
    """(N, nq + nv) after one control step."""
    batch = Batch(mj, len(states.qpos), 0)
    _set(batch, states)
    batch.step(nstep=decimation)
    return np.concatenate([batch.bind("qpos"), batch.bind("qvel")], axis=1)


def _set(batch: Batch, states: States) -> None:
    batch.bind("qpos")[:] = states.qpos
    batch.bind("qvel")[:] = states.qvel
    batch.bind("qacc_warmstart")[:] = states.warmstart
    batch.bind("ctrl")[:] = states.ctrl


def _c_engine(mj: mujoco.MjModel, states: States, decimation: int, steps: int) -> Any:
    found = _by_c(mj, states, decimation)
    batch = Batch(mj, len(states.qpos), 0)

    def loop() -> None:
        _set(batch, states)
        for _ in range(steps):
            batch.step(nstep=decimation)

    return found, loop, 0.0


def _mjx_engine(mj: mujoco.MjModel, states: States, decimation: int, steps: int) -> Any:
    model = mjx.put_model(mj, impl="jax")

    def one(
        qpos: jax.Array,
        qvel: jax.Array,
        warmstart: jax.Array,
        ctrl: jax.Array,
        count: jax.Array,
    ) -> Any:
        data = mjx.make_data(model).replace(
            qpos=qpos, qvel=qvel, qacc_warmstart=warmstart, ctrl=ctrl
        )
        data = jax.lax.fori_loop(0, count, lambda _, d: mjx.step(model, d), data)
        return data.qpos, data.qvel

    # How many steps is an argument, so that one program does for both uses.
    rows = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, 0, None)))
    given = [
        np.asarray(x, np.float32)
        for x in (states.qpos, states.qvel, states.warmstart, states.ctrl)
    ]
    began = time.perf_counter()
    found = np.concatenate(jax.device_get(rows(*given, decimation)), axis=1)
    first_s = time.perf_counter() - began

    def loop() -> None:
        jax.block_until_ready(rows(*given, steps * decimation))

    return found, loop, first_s


def _differences(wanted: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Of joint positions (rad), by rows: each row by its largest entry."""
    joints = (wanted.shape[1] - 13) // 2
    gap = np.abs(wanted - found)
    pos, vel = gap[:, 7 : 7 + joints].max(axis=1), gap[:, 7 + joints :].max(axis=1)
    return {
        "joint_pos_p50": float(np.median(pos)),
        "joint_pos_p99": float(np.quantile(pos, 0.99)),
        "joint_pos_max": float(pos.max()),
        "vel_p50": float(np.median(vel)),
        "vel_p99": float(np.quantile(vel, 0.99)),
        "vel_max": float(vel.max()),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        name = (
            f"{row['engine']:6} {row['solver']:6} {row['iterations']:2}"
            f"/{row['ls_iterations']:2} {row['jacobian']:6} {row['integrator']:12}"
        )
        if "error" in row:
            lines.append(f"{name} {row['error']}")
            continue
        lines.append(
            f"{name} speed {row['speed']:.2f} ({row['speed_spread'][0]:.2f} to"
            f" {row['speed_spread'][1]:.2f}), joints p50 {row['joint_pos_p50']:.1e}"
            f" p99 {row['joint_pos_p99']:.1e} max {row['joint_pos_max']:.1e} rad,"
            f" velocity p99 {row['vel_p99']:.1e} max {row['vel_max']:.1e} rad/s"
        )
    return "\n".join(lines)


def _newton(text: str) -> Setting:
    iterations, _, ls_iterations = text.partition("/")
    return Setting(iterations=int(iterations), ls_iterations=int(ls_iterations))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--clips", nargs="+", required=True)
    add("--preset", default="default")
    add("--engines", nargs="+", default=["native", "mjx"], choices=["native", "mjx"])
    add(
        "--newton",
        nargs="+",
        type=_newton,
        metavar="ITERATIONS/LINESEARCH",
        help="these instead of the usual settings; speed is relative to the first",
    )
    add("--num-envs", type=int, default=32)
    add("--looks", type=int, default=4, help="states taken of each environment")
    add("--steps", type=int, default=5, help="control steps whose speed is measured")
    add("--repeats", type=int, default=5)
    add("--out", type=Path, help="a JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
