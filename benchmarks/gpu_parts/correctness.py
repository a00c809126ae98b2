"""The tests on the device, engines against each other, and what TF32 changes."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gpu_parts.engines import reference_states
from gpu_parts.part import Part, Settings, attempt
from mimicgym.envs.batch import BatchedEnv
from mimicgym.envs.make import env_config, make_env
from mimicgym.physics import ENGINES, PhysicsState, make_engine

ROOT = Path(__file__).parents[2]


def units(settings: Settings) -> tuple[str, ...]:
    return ("precision", "parity", "tests")


def run(part: Part) -> None:
    {"precision": _precision, "parity": _parity, "tests": _tests}[part.unit](part)


def _tests(part: Part) -> None:
    """The chosen tests, with JAX on this device."""
    report = part.settings.work / "tests.xml"
    command = [sys.executable, "-m", "pytest", *part.settings.tests]
    command += ["-q", "-p", "no:cacheprovider", "-W", "default", "-ra"]
    command += [f"--junitxml={report}", "--durations=5"]
    part.put(command=" ".join(command[1:]))
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=part.left() - 5
        )
        output = done.stdout + done.stderr
        part.put(exit_code=done.returncode)
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(errors="replace")
        part.put(out_of_time=True)
    part.put(output=output[-6000:])
    if not report.exists():
        return
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    counts = {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")}
    failed = []
    for case in suite.iter("testcase"):
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                name = f"{case.get('classname')}::{case.get('name')}"
                text = f"{found.get('message') or ''}\n{(found.text or '')[-1500:]}"
                failed.append({"test": name, "message": text[:2500]})
    part.put(counts=counts, seconds=suite.get("time"), failed=failed[:40])


def _parity(part: Part) -> None:
    """One control step of each engine from the same states, that the native engine
    visits: a rollout of contacts drifts apart in any two engines."""
    rows, steps = (4, 2) if part.dry else (256, 50)
    cpu = jax.devices("cpu")[0]
    for preset in part.settings.presets[: 1 if part.dry else None]:
        env = make_env(env_config(preset, motion="walk", engine="native"))
        model, decimation = env.engine.model, env.engine.decimation
        with jax.default_device(cpu):
            native = jax.jit(jax.vmap(env.engine.step))
            visited = _visit(env, native, rows, steps)
        for name in part.settings.engines:
            if name not in ENGINES:
                part.add({"engine": name, "skipped": "this version does not have it"})
                continue
            with attempt(part, engine=name, preset=preset):
                engine = make_engine(name, model, decimation=decimation)
                step = jax.jit(jax.vmap(engine.step))
                found = [jax.device_get(step(*x[:2])) for x in visited]
                row = _differences([x[2] for x in visited], found)
                part.add(
                    {"engine": name, "preset": preset, "rows": rows, "steps": steps}
                    | row
                )


def _visit(env: Any, step: Any, rows: int, steps: int) -> list[tuple[Any, Any, Any]]:
    """(state, joint targets, what the native engine makes of them) of each step but the
    first: a clip's frames just touch the ground, where rounding decides of contact."""
    rng = np.random.default_rng(0)
    qpos = reference_states(env, rows).astype(np.float32)
    zeros = np.zeros((rows, qpos.shape[1] - 1), np.float32)
    physics, visited = PhysicsState(qpos, zeros, zeros), []
    for _ in range(1 + steps):
        noise = rng.normal(0, 0.1, (rows, qpos.shape[1] - 7))
        targets = (qpos[:, 7:] + noise).astype(np.float32)
        result = jax.device_get(step(physics, targets))
        visited.append((physics, targets, result))
        physics = result[0]
    return visited[1:]


def _differences(expected: list[Any], found: list[Any]) -> dict[str, Any]:
    """Of each quantity: largest, 99th percentile and median over all rows, each row by
    its largest entry."""
    report: dict[str, Any] = {}
    for index, kind in ((0, "physics"), (1, "robot")):
        for name in (f.name for f in fields(expected[0][index])):
            wanted = [getattr(x[index], name) for x in expected]
            got = [getattr(x[index], name) for x in found]
            if wanted[0] is None:
                continue
            a, b = np.stack(wanted).astype(float), np.stack(got).astype(float)
            gap = np.abs(a - b).reshape(*a.shape[:2], -1).max(axis=-1)
            report[f"{kind}.{name}"] = {
                "largest": float(gap.max()),
                "p99": float(np.quantile(gap, 0.99)),
                "median": float(np.median(gap)),
                "share_above_1e-3": float((gap > 1e-3).mean()),
                "scale": float(np.abs(a).max()),
                "finite": bool(np.isfinite(b).all()),
            }
    return report


def _precision(part: Part) -> None:
    """Steps of the environment under JAX's precisions of matrix products: nothing may
    depend on them."""
    rows, steps = (4, 2) if part.dry else (256, 25)
    # That they differ at all where nothing is said.
    x = jax.random.normal(jax.random.key(0), (512, 512))
    with jax.default_matmul_precision("highest"):
        exact = jax.device_get(jax.jit(lambda x: x @ x)(x))
    plain = jax.device_get(jax.jit(lambda x: jnp.matmul(x, x))(x))
    part.put(plain_product_differs_by=float(np.abs(exact - plain).max()))
    preset = part.settings.presets[0]
    for name in part.settings.engines:
        if name not in ENGINES:
            part.add({"engine": name, "skipped": "this version does not have it"})
            continue
        with attempt(part, engine=name, preset=preset):
            env = make_env(env_config(preset, motion="walk", engine=name))
            batched = BatchedEnv(env, rows)
            keys = jax.random.split(jax.random.key(0), rows)
            first = jax.block_until_ready(jax.jit(batched.reset)(keys))
            exact, default, again = (
                _stepped(batched, first, steps, kind)
                for kind in ("highest", "default", "highest")
            )
            changed = _changed(exact, default)
            part.add(
                {
                    "engine": name,
                    "preset": preset,
                    "steps": steps,
                    "rows": rows,
                    "physics_identical": not any(".physics." in k for k in changed),
                    "everything_identical": not changed,
                    "largest_differences": _largest(changed),
                    # What a program differs from itself by, for comparison.
                    "of_the_same_twice": _largest(_changed(exact, again)),
                }
            )


def _largest(changed: dict[str, float]) -> dict[str, float]:
    return dict(sorted(changed.items(), key=lambda item: -item[1])[:20])


def _stepped(batched: BatchedEnv, batch: Any, steps: int, precision: str) -> Any:
    """The rows before resets, after steps under a precision."""
    rng = np.random.default_rng(0)
    shape = (batched.num_envs, batched.action_size)
    with jax.default_matmul_precision(precision):
        step = jax.jit(batched.step)
        for _ in range(steps):
            batch = step(batch, rng.normal(0, 0.1, shape).astype(np.float32))
    final = batch.final
    return jax.device_get(final.replace(key=jax.random.key_data(final.key)))


def _changed(a: Any, b: Any) -> dict[str, float]:
    """Names of arrays that are not the same bit by bit, and by how much they differ."""
    changed = {}
    one, other = (jax.tree_util.tree_flatten_with_path(x)[0] for x in (a, b))
    for (path, x), (_, y) in zip(one, other, strict=True):
        if not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
            gap = np.abs(x.astype(float) - y.astype(float)).max()
            changed[f"state{jax.tree_util.keystr(path)}"] = float(gap)
    return changed
