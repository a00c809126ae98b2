"""Several devices: where a run on them dies, if it does, and how well it scales.

Each unit is a process of its own and does a little more than the one before, so that
the first to die says what it is that kills: an exchange between devices; one within a
loop; the learner on a task of a few numbers; the learner on the task itself: its first
program, acting, learning; saving; the command. `PYTHONFAULTHANDLER` shows the stack of
one that dies by a signal.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from gpu_parts.engines import CLIP, learning_rate
from gpu_parts.part import Part, Settings, Skip, read_entry

ROOT = Path(__file__).parents[2]
AXIS = "devices"
SHARED = PartitionSpec()


def units(settings: Settings) -> tuple[str, ...]:
    learning = [f"learner-{what}" for what in ("init", "collect", "improve", "loop")]
    scaling = [
        f"scaling-{preset}-{count}x{size // count}"
        for preset in settings.presets
        for count, size in _scaled(settings)
    ]
    return ("sums", "loop", "probe", *learning, "saving", *scaling, "command")


def _scaled(settings: Settings) -> list[tuple[int, int]]:
    """Numbers of devices, each with as many environments in all as one has, and with
    as many on each."""
    size = settings.train_sizes[-1]
    counts = [n for n in (2, 4, 8) if n <= settings.devices]
    spread = [(n, total) for n in counts for total in (size, size * n)]
    return [(1, size), *spread]


def run(part: Part) -> None:
    count = len(jax.devices())
    part.put(devices=count)
    if count < 2:
        raise Skip(f"JAX has {count} device here; two at least are needed")
    name, _, what = part.unit.partition("-")
    if name == "learner":
        _learner(part, what)
    elif name == "scaling":
        _scaling(part, what)
    else:
        steps = {"sums": _sums, "loop": _loop, "probe": _probe}
        (steps | {"saving": _saving, "command": _command})[name](part)


def _spread(function: Any, count: int, out: Any = SHARED) -> Any:
    mesh = Mesh(np.array(jax.devices()[:count]), (AXIS,))
    return jax.jit(
        jax.shard_map(
            function,
            mesh=mesh,
            in_specs=PartitionSpec(AXIS),
            out_specs=out,
            check_vma=False,
        )
    )


def _sums(part: Part) -> None:
    """The bare exchanges that the learner makes."""
    count = len(jax.devices())
    rows = jnp.arange(count * 4, dtype=jnp.float32).reshape(count * 4, 1)
    for name, function in (
        ("psum", lambda x: jax.lax.psum(x.sum(), AXIS)),
        ("pmean", lambda x: jax.lax.pmean(x.mean(), AXIS)),
        (
            "all_gather",
            lambda x: jax.lax.all_gather(
                x.astype(jnp.int32), AXIS, axis=0, tiled=True
            ).sum(),
        ),
    ):
        with part.stage(name):
            found = float(jax.block_until_ready(_spread(function, count)(rows)))
            part.add({"what": name, "result": found})
    for megabytes in (1, 64):
        x = jnp.ones((count, megabytes * 250_000), jnp.float32)
        with part.stage(f"psum of {megabytes} MB"):
            function = _spread(lambda x: jax.lax.psum(x, AXIS)[0, 0], count)
            part.add({"what": f"psum of {megabytes} MB", "result": float(function(x))})


def _loop(part: Part) -> None:
    """Exchanges within a scan, on a thread of their own as the stopwatch waits."""
    from mimicgym.ppo.stopwatch import Stopwatch

    count = len(jax.devices())

    def body(x: jax.Array, _: Any) -> Any:
        both = jax.lax.all_gather(x.astype(jnp.int32), AXIS, axis=0, tiled=True)
        return x + jax.lax.pmean(x.mean(), AXIS) + both.sum() * 0, None

    def scan(x: jax.Array) -> jax.Array:
        return jax.lax.scan(body, x, None, length=50)[0]

    function = _spread(scan, count, PartitionSpec(AXIS))
    x = jnp.ones((count * 8, 16))
    with part.stage("exchanges in a scan"):
        x = jax.block_until_ready(function(x))
    with part.stage("waited for on another thread"), Stopwatch() as watch:
        for _ in range(20):
            y = function(x)
            watch.watch(y, y).result()


def _probe(part: Part) -> None:
    """The learner on a task without physics, from mimicgym's tests."""
    sys.path.insert(0, str(ROOT))
    try:
        from tests.ppo.probes import Ring
    except ImportError as error:
        raise Skip(f"needs the repository's tests: {error}") from error
    from mimicgym.ppo import Learner, PPOConfig

    count = len(jax.devices())
    config = PPOConfig(num_steps=8, epochs=2, minibatches=2, hidden=(32, 32))
    learner = Learner(Ring(16 * count), config, devices=count)
    with part.stage("init"):
        state = jax.block_until_ready(learner.init(jax.random.key(0)))
    for number in range(5):
        with part.stage(f"iteration {number}"):
            state, _ = jax.block_until_ready(learner.iterate(state))


def _made(part: Part, num_envs: int) -> Any:
    from mimicgym.envs.batch import BatchedEnv
    from mimicgym.envs.make import make_env
    from mimicgym.ppo import Learner
    from mimicgym.run import run_config

    engine, preset = part.settings.engines[0], part.settings.presets[0]
    with part.stage("make the environment"):
        config = run_config(preset, motion=CLIP, engine=engine, num_envs=num_envs)
        env = BatchedEnv(make_env(config.env), num_envs)
    with part.stage("make the learner"):
        return Learner(env, config.ppo, devices=len(jax.devices()))


def _learner(part: Part, until: str) -> None:
    """The tracking task on all devices, so far as `until`."""
    count = len(jax.devices())
    learner = _made(part, 8 * count if part.dry else 512 * count)
    with part.stage("init"):
        state = jax.block_until_ready(learner.init(jax.random.key(0)))
    if until == "init":
        return
    with part.stage("compile collect"):
        learner.collect.lower(state).compile()
    with part.stage("collect"):
        state, rollout, _ = jax.block_until_ready(learner.collect(state))
    if until == "collect":
        return
    with part.stage("improve"):
        improved = learner.improve(state, rollout, learner.teachers)
        state, _ = jax.block_until_ready(improved)
    if until == "improve":
        return
    from mimicgym.ppo import train as run_learner

    with part.stage("the host's loop, five iterations"):
        run_learner(learner, state, iterations=1 + 5)


def _saving(part: Part) -> None:
    """A training with a checkpoint and an evaluation at each iteration."""
    from mimicgym.run import run_config
    from mimicgym.training import train

    count = len(jax.devices())
    num_envs = 8 * count if part.dry else 512 * count
    overrides = {
        "devices": count,
        "training.checkpoint_every": 1,
        "training.eval_every": 1,
    }
    engine, preset = part.settings.engines[0], part.settings.presets[0]
    config = run_config(
        preset, motion=CLIP, engine=engine, num_envs=num_envs, overrides=overrides
    )
    folder = part.settings.work / "devices-saving"
    shutil.rmtree(folder, ignore_errors=True)
    with part.stage("a training of three iterations"):
        train(
            config,
            out=folder,
            iterations=3,
            on_start=lambda _: part.put(reached="the training has started"),
            on_iteration=lambda p: part.put(reached=f"iteration {p.iteration}"),
        )


def _command(part: Part) -> None:
    """The command that users give, at full size, with stacks if it dies."""
    count = len(jax.devices())
    num_envs = 8 * count if part.dry else 4096 * count
    folder = part.settings.work / "devices-command"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-X", "faulthandler", "-m", "mimicgym", "train"]
    command += ["--engine", part.settings.engines[0], "--motion", CLIP]
    command += ["--preset", part.settings.presets[0], "--num-envs", str(num_envs)]
    command += ["--devices", str(count), "--iterations", "3", "--out", str(folder)]
    part.put(command=" ".join(command[1:]))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=part.left() - 5
        )
    except subprocess.TimeoutExpired as error:
        part.put(out_of_time=True, output=str(error.stdout)[-3000:])
        return
    part.put(
        exit_code=done.returncode,
        output=done.stdout[-3000:],
        errors=done.stderr[-8000:],
    )
    if done.returncode:
        raise RuntimeError(f"the command ended with {done.returncode}")


def _scaling(part: Part, what: str) -> None:
    """Environment steps a second on some of the devices: `PRESET-DEVICESxENVIRONMENTS`,
    those of a device. Efficiency is the share of one device's speed, times devices, if
    the unit for one has been run into the same file."""
    preset, _, sizes = what.rpartition("-")
    count, each = map(int, sizes.split("x"))
    engine = part.settings.engines[0]
    row = learning_rate(
        preset, engine, count * each, 3 if part.dry else 8, devices=count
    )
    alone = f"scaling-{preset}-1x{part.settings.train_sizes[-1]}"
    for base in read_entry(part.settings.out, "devices", alone).get("results", []):
        for rate in ("env_steps_per_s", "env_steps_per_s_by_medians"):
            row[f"efficiency of {rate}"] = row[rate] / (base[rate] * count)
    part.add({"engine": engine, "preset": preset, **row})
