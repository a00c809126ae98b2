"""Mirror images of observations and actions, against states that are mirrored.

A state is mirrored here body by body, with matrices, and MuJoCo's kinematics make the
terms' input of it: no table of joints, signs or places is shared with what is tested.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym import robot as robots
from mimicgym.configs import override
from mimicgym.envs.ground import Ground
from mimicgym.envs.make import make_env
from mimicgym.envs.mirror import PLANE, Sides, joint_image
from mimicgym.envs.observation import TERMS, Row, group_images, observation
from mimicgym.envs.observation.registry import Observations, bare, parse
from mimicgym.envs.presets import ENV_PRESETS
from mimicgym.envs.scan import Scans
from mimicgym.envs.terms import FeetState
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.motion.clip import Motion
from mimicgym.motion.edit import mirror
from mimicgym.motion.library import ClipEntry, Library
from mimicgym.motion.load import load_motion
from mimicgym.reference import RefFrame
from mimicgym.robot import build_model, get_robot
from tests.envs.cases import PLAIN, body_model, jit, offer

ROBOTS = ("g1_23dof", "g1_29dof")
S = np.diag([1.0, -1.0, 1.0])
FRAMES = 8  # of a robot and of its references
SCENES = 6  # one after the other, for histories
# Left and right shoulders are 0.01 mm apart from each other's images.
TOLERANCE = 1e-4
# Contacts of left and right foot: now, one step ago, in the next frame's reference.
# Each is of one side at some time, and so is a change against the reference.
CONTACTS = np.array(
    [
        [[1, 0], [0, 1], [0, 1]],
        [[0, 1], [0, 0], [1, 0]],
        [[1, 0], [1, 0], [1, 0]],
        [[0, 1], [1, 0], [1, 0]],
        [[1, 0], [0, 0], [0, 1]],
        [[0, 1], [0, 1], [0, 1]],
    ],
    bool,
)
# The same in a mirror.
SYMMETRIC = {"root_height", "target_root_pitch", "phase", "teacher_checkpoint_index"}
# The root's offset is the pelvis', and hips are at fixed places.
REPETITIVE = {"deepmimic", "body_pos_b", "body_ori_b"}
EVERY_TERM = override(
    PLAIN,
    {
        "observation.actor": list(TERMS),
        "observation.critic": [f"clean_{name}" for name in TERMS],
        "observation.student": [f"history_{name}" for name in TERMS],
        "observation.teacher": [
            "phase",
            *(f"gated_history_clean_{name}" for name in TERMS),
        ],
        "observation.target_joint_vel.clip": 1.0,
        "observation.joint_vel.history": 3,
        "observation.history": 2,
    },
)


def swapped(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def reflected(model, qpos: np.ndarray, qvel: np.ndarray):
    """The state whose bodies turn and move as a mirror in the x-z plane shows it."""
    mj, data = model.mj, mujoco.MjData(model.mj)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(mj, data)
    names = [mj.body(i).name for i in range(mj.nbody)]
    twin = [names.index(swapped(name)) for name in names]
    turn = S @ data.xmat.reshape(-1, 3, 3)[twin] @ S
    spin = -data.cvel[twin, :3] @ S  # along world axes
    root = mj.body("pelvis").id
    new_qpos, new_qvel = np.zeros(mj.nq), np.zeros(mj.nv)
    new_qpos[:3], new_qvel[:3] = S @ qpos[:3], S @ qvel[:3]
    new_qpos[3:7] = Rotation.from_matrix(turn[root]).as_quat(scalar_first=True)
    new_qvel[3:6] = turn[root].T @ spin[root]
    for joint in range(1, mj.njnt):
        body, axis = mj.jnt_bodyid[joint], mj.jnt_axis[joint]
        parent = mj.body_parentid[body]
        at_rest = Rotation.from_quat(mj.body_quat[body], scalar_first=True)
        angle = at_rest.inv() * Rotation.from_matrix(turn[parent].T @ turn[body])
        rotvec = angle.as_rotvec()
        np.testing.assert_allclose(rotvec, (rotvec @ axis) * axis, atol=TOLERANCE)
        new_qpos[mj.jnt_qposadr[joint]] = rotvec @ axis
        relative = spin[body] - spin[parent]
        new_qvel[mj.jnt_dofadr[joint]] = (turn[body] @ axis) @ relative
    return new_qpos, new_qvel


def reflected_joints(model, values: np.ndarray) -> np.ndarray:
    """(J,) of less than half a turn."""
    upright = np.concatenate([[0, 0, 1, 1, 0, 0, 0], values])
    return reflected(model, upright, np.zeros(model.mj.nv))[0][7:]


def random_states(model, rng: np.random.Generator, count: int):
    """(count, 7+J) and (count, 6+J), near the origin and turned any way."""
    joints = model.num_joints
    quat = rng.normal(size=(count, 4))
    place = [0.0, 0.0, 1.0] + rng.uniform(-0.5, 0.5, (count, 3))
    unit = quat / np.linalg.norm(quat, axis=1, keepdims=True)
    angles = rng.uniform(-1.0, 1.0, (count, joints))
    return np.hstack([place, unit, angles]), rng.normal(size=(count, 6 + joints))


def frame_of(robot, contact) -> RefFrame:
    names = {field.name for field in dataclasses.fields(RefFrame)} - {"foot_contact"}
    return RefFrame(
        **{name: getattr(robot, name) for name in names}, foot_contact=contact
    )


def offered(env, states, scene: int, is_image: bool) -> dict:
    """What terms get on FRAMES states. Of a mirror image, what is not of the states
    is mirrored here."""
    rng, model = np.random.default_rng(scene), env.engine.model
    action = rng.uniform(-1.0, 1.0, model.num_joints)
    turn_rad = 0.1 * rng.normal(size=3)
    heights = rng.uniform(-0.3, 0.3, (9, 9)).astype(np.float32)
    contacts, phase = CONTACTS[scene], rng.random()
    if is_image:
        action = reflected_joints(model, action)
        turn_rad = -S @ turn_rad
        heights, contacts = heights[::-1], contacts[:, ::-1]
    now, before, in_next_ref = contacts
    robot, *refs = (jax.tree.map(lambda x, i=i: x[i], states) for i in range(FRAMES))
    ref, last, following, *future = (frame_of(state, in_next_ref) for state in refs)
    field_origin_xy = -2.0 * jnp.ones(2)
    return offer(
        model,
        robot,
        ref,
        last_ref=last,
        next_ref=following,
        future_refs=jax.tree.map(lambda *x: jnp.stack(x), *future),
        facts=env.facts,
        action=jnp.asarray(action, jnp.float32),
        feet=FeetState(now, before, now, np.zeros(2), np.zeros(2)),
        phase=jnp.float32(phase),
        ground=Ground(
            jnp.asarray(heights),
            field_origin_xy,
            tile_xy=jnp.zeros((1, 2)),
            clip_tiles=jnp.array([[0, 1]]),
            cell_m=0.5,
        ),
        scan=Scans(env.config.observation).at(jnp.asarray(turn_rad, jnp.float32)),
        teacher=jnp.int32(scene),
    )


@dataclasses.dataclass(frozen=True)
class Views:
    """All groups in SCENES scenes one after the other, and of their mirror images."""

    env: TrackingEnv
    layout: tuple[Row, ...]
    maps: dict
    seen: dict[str, np.ndarray]  # (SCENES, D)
    in_mirror: dict[str, np.ndarray]


@functools.cache
def views(robot: str) -> Views:
    env = make_env(override(EVERY_TERM, {"robot": robot}))
    model, rng = env.engine.model, np.random.default_rng(0)
    states = random_states(model, rng, FRAMES * SCENES)
    pairs = [reflected(model, *state) for state in zip(*states, strict=True)]
    images = tuple(np.stack(part) for part in zip(*pairs, strict=True))
    forward = jit(jax.vmap(lambda q, v: env.engine.forward(q, v, jnp.bool_(True))[1]))
    constants, key = {"facts": env.facts, "dt_s": env.dt_s}, jax.random.key(0)
    reset = jit(lambda scene: env.observer.reset(scene | constants, key))
    step = jit(lambda scene, senses: env.observer.step(scene | constants, senses, key))

    def all_seen(qpos, qvel, is_image: bool):
        robots = forward(jnp.asarray(qpos), jnp.asarray(qvel))
        senses, found = None, []
        for i in range(SCENES):
            first = i * FRAMES
            part = jax.tree.map(lambda x, k=first: x[k : k + FRAMES], robots)
            whole = offered(env, part, i, is_image)
            scene = {k: v for k, v in whole.items() if k not in constants}
            obs, senses = reset(scene) if senses is None else step(scene, senses)
            found.append(obs)
        return jax.tree.map(lambda *x: np.stack(x), *found)

    return Views(
        env,
        env.observation_layout(),
        dict(env.mirrors()),
        seen=all_seen(*states, False),
        in_mirror=all_seen(*images, True),
    )


@pytest.mark.parametrize("robot", ROBOTS)
def test_links_of_a_reflected_state_are_where_the_mirror_shows_them(robot):
    """What the other tests stand on."""
    model, data = body_model(robot), mujoco.MjData(body_model(robot).mj)
    names = [model.mj.body(i).name for i in range(model.mj.nbody)]
    twin = [names.index(swapped(name)) for name in names]
    for state in zip(*random_states(model, np.random.default_rng(1), 5), strict=True):
        found = []
        for qpos, qvel in (state, reflected(model, *state)):
            data.qpos[:], data.qvel[:] = qpos, qvel
            mujoco.mj_forward(model.mj, data)
            found.append((data.xpos.copy(), data.cvel[:, :3].copy()))
        (xpos, spin), (image_xpos, image_spin) = found
        np.testing.assert_allclose(image_xpos, xpos[twin] @ S, atol=5e-5)
        np.testing.assert_allclose(image_spin, -spin[twin] @ S, atol=2e-4)


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("name", TERMS)
def test_term_in_the_mirror(robot, name):
    """In each group: as it is, without errors, with a history and through a gate."""
    view = views(robot)
    rows = [r for r in view.layout if bare(parse(r.term, r.group).channel) == name]
    assert len(rows) >= 4
    for row in rows:
        source, sign = (part[row.start : row.stop] for part in view.maps[row.group])
        assert source.min() == row.start and source.max() == row.stop - 1
        seen, in_mirror = view.seen[row.group], view.in_mirror[row.group]
        found = seen[:, source] * sign
        expected = in_mirror[:, row.start : row.stop]
        np.testing.assert_allclose(found, expected, atol=TOLERANCE, err_msg=row.term)
        # A wrong sign or place would show: no number is always 0, or always another
        # one or its opposite.
        assert np.abs(found).max(axis=0).min() > TOLERANCE
        signed = np.hstack([found, -found])
        apart = np.abs(found[:, :, None] - signed[:, None, :]).max(axis=0)
        np.fill_diagonal(apart, np.inf)
        assert (apart.min() > 10 * TOLERANCE) == (name not in REPETITIVE)
        change = np.abs(seen[:, row.start : row.stop] - expected).max()
        assert (change < TOLERANCE) == (name in SYMMETRIC)


@pytest.mark.parametrize("name", tuple(observation))
def test_every_term_says_how_it_is_mirrored(name):
    assert callable(observation.mirror(name))


@pytest.mark.parametrize("robot", ROBOTS)
def test_twice_is_the_same(robot):
    for name, (source, sign) in views(robot).maps.items():
        size = len(source)
        assert (source.shape, source.dtype) == ((size,), np.int32)
        assert (sign.shape, sign.dtype) == ((size,), np.float32)
        np.testing.assert_array_equal(source[source], np.arange(size), name)
        np.testing.assert_array_equal(sign * sign[source], np.ones(size), name)


@pytest.mark.parametrize("robot", ROBOTS)
def test_actions_mirror_as_joints_do(robot):
    view = views(robot)
    source, sign = view.maps["action"]
    values = np.random.default_rng(0).uniform(-1, 1, len(source))
    image = reflected_joints(view.env.engine.model, values)
    np.testing.assert_allclose(values[source] * sign, image, atol=TOLERANCE)
    assert view.maps.keys() == {*view.env.observation_sizes, "action"}


def even_out(mj: mujoco.MjModel) -> None:
    """Make a robot its own mirror image: Unitree's has shoulders 0.01 mm and a torso's
    centre of mass 0.3 mm off."""
    names = [mj.body(i).name for i in range(mj.nbody)]
    twin = [names.index(swapped(name)) for name in names]
    mj.body_pos[:] = (mj.body_pos + mj.body_pos[twin] @ S) / 2
    mj.body_ipos[:] = (mj.body_ipos + mj.body_ipos[twin] @ S) / 2
    axes = Rotation.from_quat(mj.body_iquat, scalar_first=True).as_matrix()
    inertia = np.einsum("bij,bj,bkj->bik", axes, mj.body_inertia, axes)
    inertia = (inertia + S @ inertia[twin] @ S) / 2
    mj.body_inertia[:], axes = np.linalg.eigh(inertia)
    axes[..., 0] *= np.linalg.det(axes)[:, None]
    quat = Rotation.from_matrix(axes).as_quat(scalar_first=True)
    mj.body_iquat[:] = quat
    mujoco.mj_setConst(mj, mujoco.MjData(mj))


KICK = load_motion("kick")
BOTH_WAYS = Library(
    (ClipEntry("kick"), ClipEntry("kick", name="in the mirror")), (KICK, mirror(KICK))
)
SHORT = override(
    ENV_PRESETS["quick"],
    {
        "engine": "native",
        "threads": 1,
        "observation.noise": False,
        "reset.joint_pos": 0.0,
        "reset.root_xy": 0.0,
        "reset.root_z": 0.0,
    },
)


@pytest.mark.parametrize(
    ("robot", "target", "is_even"),
    [
        ("g1_29dof", "reference", True),
        ("g1_23dof", "reference", False),
        ("g1_23dof", "default", True),
        ("g1_23dof", "direct", True),
        ("g1_23dof", "torque", True),
    ],
)
def test_mirrored_actions_have_mirrored_effects(robot, target, is_even):
    """8 moments of a clip, and of its mirror image, and from each 8 control steps of
    random actions, feet on the floor."""
    config = override(SHORT, {"robot": robot, "control.target": target})
    env = make_env(config, BOTH_WAYS)
    model, (source, sign) = env.engine.model, env.mirrors()["action"]
    if is_even:
        even_out(model.mj)
    step = jit(jax.vmap(env.step))
    frames = jnp.tile(jnp.arange(5, 125, 15), 2)
    clips = jnp.repeat(jnp.arange(2), 8)
    state = jit(jax.vmap(env.reset, in_axes=(None, 0, 0)))(
        jax.random.key(0), clips, frames
    )
    rng = np.random.default_rng(0)
    apart, moved = [], []
    start = state.robot.joint_pos
    for _ in range(8):
        action = rng.normal(size=(8, len(source)))
        both = np.concatenate([action, action[:, source] * sign])
        state = step(state, jnp.asarray(both, jnp.float32))
        apart.append(distances(env, state))
    apart = {k: np.array([row[k] for row in apart]) for k in apart[0]}
    for k,v in apart.items(): print(robot,target,is_even,k,v.max(1), np.median(v,1))
    print(np.abs(state.robot.joint_pos[:8]-state.robot.joint_pos[8:]).max(1), state.terminated)


def distances(env, state) -> dict[str, np.ndarray]:
    """(rows,) largest differences of the second half of rows from the mirror images of
    the first half."""
    maps, names = env.mirrors(), env.engine.model.robot.key_bodies
    twin = [names.index(swapped(name)) for name in names]

    def halves(x):
        return np.split(np.asarray(x), 2)

    def by_map(name, x):
        (first, second), (source, sign) = halves(x), maps[name]
        return np.abs(first[:, source] * sign - second).max(axis=1)

    first, second = halves(state.robot.body_pos_w)
    rewards = halves(state.reward)
    return {
        "bodies_m": np.abs(first[:, twin] @ S - second).max(axis=(1, 2)),
        "joints_rad": by_map("action", state.robot.joint_pos),
        "joints_rad_s": by_map("action", state.robot.joint_vel),
        "reward": np.abs(rewards[0] - rewards[1]),
        **{group: by_map(group, obs) for group, obs in state.obs.items()},
    }
