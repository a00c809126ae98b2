"""Jitted native stepping, in a process of its own that is given up on when it hangs.

XLA's default CPU scheduler can wait for ever, and so can a callback that touches JAX
arrays. Importing mimicgym has to be enough to be safe.
"""

import os
import subprocess
import sys

import pytest

CODE = """
import mimicgym
import jax
import jax.numpy as jnp
from mimicgym.physics import PhysicsState, make_engine
from mimicgym.robot import build_model, get_robot

model = build_model(get_robot("g1_23dof"), collisions="feet", visuals=False)
engine = make_engine("native", model, threads=2)
pose = jnp.array(model.robot.default_pose_rad, jnp.float32)
rows = 64

@jax.jit
def run(qpos, key):
    qvel = jnp.zeros((rows, model.mj.nv))
    physics, _ = jax.vmap(engine.place)(qpos, qvel, jnp.ones(rows, bool))

    def body(physics, key):
        # Work beside the physics, which XLA may put on other threads.
        noise = 0.02 * jax.random.normal(key, (rows, model.num_joints))
        weights = jax.random.normal(key, (256, 256))
        side = jnp.tanh(weights @ weights.T).sum()
        physics, robot = jax.vmap(engine.step)(physics, pose + noise)
        return physics, robot.root_pos_w[:, 2].mean() + 0 * side

    return jax.lax.scan(body, physics, jax.random.split(key, 20))[1]

start = jnp.zeros((rows, model.mj.nq)).at[:, 2].set(0.78).at[:, 3].set(1.0)
start = start.at[:, 7:].set(pose)
for i in range(20):
    heights = run(start, jax.random.key(i))
print("finished", bool(jnp.isfinite(heights).all()))
"""


@pytest.mark.timeout(200)
def test_jitted_native_stepping_in_a_scan_does_not_hang():
    """20 programs of 20 control steps of 64 rows: 5 s on two free cores."""
    inherited = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env=inherited | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["finished", "True"]
