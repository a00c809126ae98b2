"""Several hosts as one: here two processes on this machine, over the loopback."""

from pathlib import Path

import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.hosts import agreed, is_first, parse, several
from mimicgym.ppo.stored import read_arrays
from mimicgym.run import RunFolder
from tests.children import Child, Children, finish, free_port

SMALL = [
    "--motion=squat",
    "--preset=quick",
    "--engine=native",
    "--num-envs=16",
    "--ppo.num-steps=8",
    "--ppo.minibatches=2",
    "--ppo.epochs=1",
    "--ppo.hidden=16",
    "--env.reset.sampling=failure_bins",
    "--training.checkpoint-every=2",
    "--training.eval-every=2",
]


def test_address_count_and_number():
    assert parse("10.0.0.1:1234/2/0") == ("10.0.0.1:1234", 2, 0)
    assert parse("node-7:80/16/15") == ("node-7:80", 16, 15)


@pytest.mark.parametrize(
    "text",
    ["", "slurm", "10.0.0.1/2/0", "h:1234/2/2", "h:1234/2", "h:x/2/0", "h:1/2/-1"],
)
def test_other_texts_are_refused(text):
    with pytest.raises(UserError, match="ADDRESS:PORT/COUNT/NUMBER"):
        parse(text)


def test_a_process_by_itself_is_the_first_and_asks_nobody():
    assert is_first() and not several()
    assert agreed(True) and not agreed(False)


def train(children: Children, *words: str, devices: int = 1) -> Child:
    flags = f"--xla_force_host_platform_device_count={devices}"
    command = ("-m", "mimicgym", "train", *words)
    return children.start(*command, XLA_FLAGS=flags, JAX_PLATFORMS="cpu")


def two_hosts() -> list[str]:
    port = free_port()
    return [f"localhost:{port}/2/{i}" for i in range(2)]


def together(children: Children, *words: str) -> list[str]:
    """What two hosts with a device each print, given the same command."""
    trainings = [train(children, *words, f"--hosts={host}") for host in two_hosts()]
    return [out for out, _ in finish(*trainings)]


ENGINES = """
import sys
from mimicgym.hosts import join
from mimicgym.physics import make_engine
from mimicgym.robot import build_model, get_robot
join(sys.argv[1])
import jax, jax.numpy as jnp, numpy as np
model = build_model(get_robot("g1_23dof"), collisions="feet", visuals=False)
qpos = np.asarray(model.mj.qpos0, np.float32)
qvel = np.zeros(model.mj.nv, np.float32)
for name in ("mjx", "warp"):
    place = jax.jit(jax.vmap(make_engine(name, model, decimation=4).place))
    lowered = place.lower(qpos[None], qvel[None], np.ones(1, bool))
    print(name, jax.process_index(), "constant" in lowered.as_text())
"""


def test_every_engine_is_built_on_its_own_host(children):
    """Where MJX by itself would take the first host's device, whose arrays no other
    can have in a program."""
    processes = [
        children.start("-c", ENGINES, host, JAX_PLATFORMS="cpu") for host in two_hosts()
    ]
    for i, (said, _) in enumerate(finish(*processes)):
        assert said.split() == ["mjx", str(i), "True", "warp", str(i), "True"]


@pytest.mark.slow
def test_two_hosts_learn_what_two_devices_of_one_do(children, tmp_path):
    """And go on with it, though only one of them has written."""
    alone = tmp_path / "alone"
    words = [*SMALL, "--iterations=4"]
    finish(train(children, *words, f"--out={alone}", "--devices=2", devices=2))
    both = tmp_path / "both"
    said = together(children, *words, "--devices=0", f"--out={both}")
    assert "saved at iteration 4" in said[0] and "iteration" not in said[1]
    same(alone, both, 4)
    run = RunFolder.open(both)
    assert [line["iteration"] for line in run.metrics()] == [1, 2, 3, 4]
    assert [line["iteration"] for line in run.evaluations()] == [2, 4]
    assert (run.report / "curves.png").exists()
    finish(train(children, f"--resume={alone}", "--iterations=6", devices=2))
    together(children, f"--resume={both}", "--iterations=6")
    same(alone, both, 6)


def same(a: Path, b: Path, iteration: int) -> None:
    """Every array, to the order in which float32 sums are taken. Small differences grow
    in physics."""
    folders = [RunFolder.open(path).pick()[0].folder for path in (a, b)]
    one, other = (read_arrays(folder, iteration, None) for folder in folders)
    assert one.keys() == other.keys() and len(one) > 100
    for name in one:
        x, y = one[name], other[name]
        if x.dtype.kind == "f" and x.size:
            scale = max(1.0, float(np.nanmax(np.abs(x), initial=0.0)))
            x, y = x / scale, y / scale
            np.testing.assert_allclose(x, y, atol=1e-3, rtol=0, err_msg=name)
        else:
            np.testing.assert_array_equal(x, y, err_msg=name)


def test_what_several_hosts_can_not_do_is_said_by_both(children):
    """Before anything is compiled."""
    words = [*SMALL, "--iterations=1"]
    trainings = [train(children, *words, f"--hosts={host}") for host in two_hosts()]
    for _, errors in finish(*trainings, returns=2):
        assert "several hosts need a run folder that all of them know" in errors
