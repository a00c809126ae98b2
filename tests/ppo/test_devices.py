"""Spreading environments over devices does not change what is learnt."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from mimicgym.errors import UserError
from mimicgym.ppo import Learner
from mimicgym.ppo.devices import AXIS, ROWS, Spread
from mimicgym.ppo.slices import normal, shuffled
from tests.children import Child, Children, finish, free_port
from tests.ppo.probes import Ring
from tests.ppo.spread import CONFIG

pytestmark = pytest.mark.usefixtures("compile_quickly")

ROOT = Path(__file__).parents[2]


def start(
    children: Children, which: str, out: Path, *devices: int, here: int = 4, **more: str
) -> Child:
    """A process with `here` devices."""
    flags = f"--xla_force_host_platform_device_count={here}"
    return children.start(
        *("-m", "tests.ppo.spread", which, out, *devices),
        cwd=ROOT,
        XLA_FLAGS=flags,
        JAX_PLATFORMS="cpu",
        **more,
    )


def same(a: Path, b: Path, *, tolerance: float) -> None:
    """Every array of two learner states, and every metric of the last iteration.

    tolerance is relative to the largest number of an array, and to 1.
    """
    one, other = np.load(a), np.load(b)
    assert sorted(one.files) == sorted(other.files) and len(one.files) > 20
    for name in one.files:
        x, y = one[name], other[name]
        assert x.shape == y.shape, name
        if x.dtype.kind == "f" and x.size:
            scale = max(1.0, np.nanmax(np.abs(x), initial=0.0))
            np.testing.assert_allclose(
                x / scale, y / scale, atol=tolerance, rtol=0, err_msg=name
            )
        else:
            np.testing.assert_array_equal(x, y, err_msg=name)


@pytest.fixture(scope="module")
def ring(tmp_path_factory) -> Path:
    """What one process learns on 1, 2 and 4 devices."""
    out = tmp_path_factory.mktemp("ring")
    with Children(out) as children:
        finish(start(children, "ring", out, 1, 2, 4))
    return out


@pytest.mark.parametrize("count", [2, 4])
def test_several_devices_learn_what_one_does(ring, count):
    """All that differs is in which order float32 sums are taken."""
    same(ring / "1.npz", ring / f"{count}.npz", tolerance=5e-6)


def test_two_processes_learn_what_one_does(ring, children, tmp_path):
    """Over the loopback interface, two devices each."""
    shared = {"COORDINATOR": f"localhost:{free_port()}", "PROCESSES": "2"}
    finish(
        *(
            start(children, "ring", tmp_path, 4, here=2, PROCESS=str(i), **shared)
            for i in range(2)
        )
    )
    same(ring / "4.npz", tmp_path / "4.npz", tolerance=5e-6)


def test_the_task_on_devices_learns_what_it_does_on_one(children, tmp_path):
    """With adaptive sampling and a curriculum, which all devices must agree on. Small
    differences grow in physics, so that only few steps are compared."""
    finish(start(children, "tracking", tmp_path, 1, 4))
    same(tmp_path / "1.npz", tmp_path / "4.npz", tolerance=1e-4)


def test_slices_draw_numbers_of_their_own_wherever_they_lie():
    """Devices that are told apart by vmap's axis draw what one device draws."""
    key = jax.random.key(3)
    alone = normal(key, 8, (32, 2), None)
    apart = jax.vmap(lambda _: normal(key, 2, (8, 2), "devices"), axis_name="devices")(
        jnp.arange(4)
    )
    np.testing.assert_array_equal(apart.reshape(32, 2), alone)
    assert len(np.unique(np.asarray(alone))) == 64
    # Every sample once, and each part has as many of one slice as of another.
    order = np.asarray(shuffled(key, 8, 6, 32, 3, None))
    np.testing.assert_array_equal(np.sort(order.ravel()), np.arange(6 * 32))
    slices = order % 32 // 4
    for part in slices:
        np.testing.assert_array_equal(np.bincount(part), np.full(8, 8))


@pytest.mark.parametrize(
    ("devices", "message"),
    [(3, "8 slices can not be spread over 3"), (2, "devices is 2; here are 1")],
)
def test_what_can_not_be_spread_is_refused(devices, message):
    with pytest.raises(UserError, match=message):
        Learner(Ring(num_envs=32), CONFIG, devices=devices)


def test_constants_are_no_operands_of_a_spread_program():
    """XLA crashed (jaxlib 0.11.2) over those that nothing uses."""
    spread = Spread(1)
    spread.mesh = Mesh(np.array(jax.devices()[:1]), (AXIS,))
    table, other = jnp.arange(8.0), jnp.arange(9.0)

    def function(x):
        _ = other + 1
        return x + table

    program = jax.make_jaxpr(spread.compile(function, (ROWS,), ROWS))(jnp.zeros(8))
    (call,) = program.jaxpr.eqns
    (spread_call,) = call.params["jaxpr"].jaxpr.eqns
    assert spread_call.primitive.name == "shard_map"
    assert len(spread_call.invars) == 1
