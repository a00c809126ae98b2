"""Speed of physics alone, of the environment, and of acting and learning."""

import copy
import time
from typing import Any

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from gpu_parts.part import Part, Settings, Skip, attempt, median, memory
from mimicgym.bench import bench
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import env_config, make_env
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.physics import ENGINES
from mimicgym.ppo import Learner
from mimicgym.ppo import train as run_learner
from mimicgym.run import run_config

CLIP = "walk"
PRECISION_SIZE = 8192


def bare_units(settings: Settings) -> tuple[str, ...]:
    """MuJoCo's implementations by their names in mjx."""
    return tuple("jax" if name == "mjx" else name for name in settings.engines)


def by_preset(settings: Settings) -> tuple[str, ...]:
    """A unit for each engine and preset."""
    return tuple(f"{e}-{p}" for e in settings.engines for p in settings.presets)


def engine_and_preset(part: Part) -> tuple[str, str]:
    engine, preset = part.unit.split("-", 1)
    if engine not in ENGINES:
        raise Skip(f"this version has no engine {engine!r}: {', '.join(ENGINES)}")
    return engine, preset


def model_facts(mj: mujoco.MjModel) -> dict[str, Any]:
    """What a physics step's cost depends on."""
    colliding = (mj.geom_contype != 0) | (mj.geom_conaffinity != 0)
    return {
        "timestep_s": mj.opt.timestep,
        "nv": mj.nv,
        "nu": mj.nu,
        "nbody": mj.nbody,
        "ngeom": mj.ngeom,
        "geoms_that_collide_by_type": int(colliding.sum()),
        "explicit_pairs": mj.npair,
        "condim_of_pairs": np.asarray(mj.pair_dim).tolist(),
        "joints_with_limits": int(mj.jnt_limited.sum()),
        "joints_with_friction": int((mj.dof_frictionloss > 0).sum()),
        "sensors": mj.nsensor,
        "meshes": mj.nmesh,
        "solver": mujoco.mjtSolver(mj.opt.solver).name,
        "cone": mujoco.mjtCone(mj.opt.cone).name,
        "integrator": mujoco.mjtIntegrator(mj.opt.integrator).name,
        "iterations": mj.opt.iterations,
        "ls_iterations": mj.opt.ls_iterations,
        "disableflags": mj.opt.disableflags,
    }


def limits_of(mj: mujoco.MjModel) -> tuple[int, int]:
    """Most contacts and most constraint rows that MJX-JAX allots to one robot."""
    from mujoco import mjx

    data: Any = mjx.make_data(mjx.put_model(mj, impl="jax"))._impl
    contacts = int(data.contact.dist.shape[0])
    return max(contacts, 1), max(int(data.efc_J.shape[0]), 1)


def without_flag(mj: mujoco.MjModel) -> mujoco.MjModel:
    """A copy that may reset itself, as Warp would have it."""
    mj = copy.copy(mj)
    mj.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return mj


def put_model(mj: mujoco.MjModel, impl: str) -> Any:
    """For mjx. Warp has no flag against resetting what is no longer a number, and its
    words about iterations are silenced, which it says at every step that takes as many
    as it may."""
    from mujoco import mjx

    if impl != "warp":
        return mjx.put_model(mj, impl=impl)
    model = mjx.put_model(without_flag(mj), impl=impl)
    model = model.tree_replace({"opt._impl.warn_overflow": 0})
    return model


def physics_rate(
    mj: mujoco.MjModel,
    qpos: np.ndarray,
    ctrl: np.ndarray,
    impl: str,
    *,
    substeps: int,
    steps: int,
    repeats: int = 3,
    naconmax: int | None = None,
    njmax: int | None = None,
    precision: str = "highest",
) -> dict[str, Any]:
    """Speed of `mjx.step` alone, vmapped over the rows of qpos, targets held."""
    from mujoco import mjx

    plain = without_flag(mj) if impl == "warp" else mj
    model = put_model(mj, impl)
    sizes: dict[str, Any] = {}
    if impl == "warp":
        contacts, rows = limits_of(mj)
        sizes["naconmax"] = naconmax or contacts * len(qpos)
        sizes["njmax"] = njmax or rows

    def start(qpos: jax.Array, ctrl: jax.Array) -> Any:
        data = mjx.make_data(plain, impl=impl, **sizes)
        return data.replace(qpos=qpos, ctrl=ctrl)

    @jax.jit
    def begin(qpos: jax.Array, ctrl: jax.Array) -> Any:
        return jax.vmap(start)(qpos, ctrl)

    @jax.jit
    def advance(data: Any) -> Any:
        def body(data: Any, _: Any) -> Any:
            return jax.vmap(lambda d: mjx.step(model, d))(data), None

        return jax.lax.scan(body, data, None, length=steps * substeps)[0]

    with jax.default_matmul_precision(precision):
        began = time.perf_counter()
        first = jax.block_until_ready(begin(jnp.asarray(qpos), jnp.asarray(ctrl)))
        jax.block_until_ready(advance(first).qpos)
        compile_s = time.perf_counter() - began
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            data = advance(first)
            jax.block_until_ready(data.qpos)
            times.append(time.perf_counter() - began)
    heights = np.asarray(data.qpos[:, 2])
    return {
        "impl": impl,
        "num_envs": len(qpos),
        "matmul_precision": precision,
        "physics_steps_per_s": len(qpos) * steps * substeps / median(times),
        "control_steps_per_s": len(qpos) * steps / median(times),
        "spread_s": [min(times), max(times)],
        "substeps": substeps,
        "steps": steps,
        "first_call_s": compile_s,
        "finite": bool(np.isfinite(heights).all()),
        "height_m_at_the_end": float(np.nanmean(heights)),
        **sizes,
        **memory(),
    }


def reference_states(env: TrackingEnv, count: int) -> np.ndarray:
    """(count, 7+J) poses of the first clip, evenly spread over their frames."""
    length = int(env.reference.clip_end[0])
    frames = np.arange(count) * max(length // count, 1) % length
    ref = env.reference_at(jnp.int32(0), jnp.asarray(frames, jnp.int32))
    parts = (ref.root_pos_w, ref.root_quat_w, ref.joint_pos)
    return np.concatenate([np.asarray(x) for x in parts], axis=1)


def bare(part: Part) -> None:
    """`mjx.step` of mimicgym's robot."""
    impl = part.unit
    steps = 2 if part.dry else 25
    for preset in part.settings.presets[: 1 if part.dry else None]:
        # Which engine the environment would use does not matter for its model.
        env = make_env(env_config(preset, motion=CLIP, engine="mjx"))
        mj, substeps = env.engine.model.mj, env.engine.decimation
        part.add({"preset": preset, **model_facts(mj)}, "models")
        for size in part.cases(f"sizes of {preset}", part.settings.sizes):
            qpos = reference_states(env, size)
            kinds = ["highest"]
            if impl == "jax" and (size == PRECISION_SIZE or part.dry):
                kinds.append("default")
            for precision in kinds:
                with attempt(part, preset=preset, num_envs=size, precision=precision):
                    row = physics_rate(
                        mj,
                        qpos,
                        qpos[:, 7:],
                        impl,
                        substeps=substeps,
                        steps=steps,
                        precision=precision,
                    )
                    part.add({"preset": preset, **row})


def environment(part: Part) -> None:
    """`mimicgym.bench`: the environment with all its terms against the bare engine."""
    engine, preset = engine_and_preset(part)
    steps, repeats = (2, 2) if part.dry else (25, 5)
    for size in part.cases("sizes", part.settings.sizes):
        with attempt(part, num_envs=size):
            env = make_env(env_config(preset, motion=CLIP, engine=engine))
            began = time.perf_counter()
            result = bench(env, size, steps=steps, repeats=repeats)
            part.add(
                {
                    "preset": preset,
                    **result.to_dict(),
                    "whole_measurement_s": time.perf_counter() - began,
                    **memory(),
                }
            )


def learning(part: Part) -> None:
    """Acting and learning together, as a training does, without saving."""
    engine, preset = engine_and_preset(part)
    for size in part.cases("sizes", part.settings.sizes):
        with attempt(part, num_envs=size):
            row = learning_rate(preset, engine, size, 3 if part.dry else 8)
            part.add({"engine": engine, "preset": preset, **row})


def learning_rate(
    preset: str, engine: str, num_envs: int, iterations: int, devices: int = 1
) -> dict[str, Any]:
    """What a few iterations of the preset's learner take."""
    config = run_config(preset, motion=CLIP, engine=engine, num_envs=num_envs)
    batched = BatchedEnv(make_env(config.env), num_envs)
    learner = Learner(batched, config.ppo, devices=devices)
    began = time.perf_counter()
    state = jax.block_until_ready(learner.init(jax.random.key(0)))
    init_s = time.perf_counter() - began
    told: list[Any] = []
    run_learner(
        learner,
        state,
        iterations=iterations,
        on_iteration=lambda progress, _: told.append(progress),
    )
    # The first compiles.
    rollout = median([p.rollout_s for p in told[1:]])
    update = median([p.update_s for p in told[1:]])
    samples = num_envs * config.ppo.num_steps
    return {
        "num_envs": num_envs,
        "devices": devices,
        "env_steps_per_s": told[-1].steps_per_s,
        "env_steps_per_s_by_medians": samples / (rollout + update),
        "rollout_s": rollout,
        "update_s": update,
        "rollout_env_steps_per_s": samples / rollout,
        "update_samples_per_s": samples * config.ppo.epochs / update,
        "init_s": init_s,
        "compile_s": told[-1].compile_s,
        "iterations": iterations,
        "num_steps": config.ppo.num_steps,
        "epochs": config.ppo.epochs,
        "minibatches": config.ppo.minibatches,
        "hidden": config.ppo.hidden,
        "reward_of_the_last_iteration": told[-1].metrics.get("ppo/reward"),
        **memory(),
    }
