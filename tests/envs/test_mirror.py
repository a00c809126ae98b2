"""Mirror images of observations and actions, against states that are mirrored.

States are mirrored body by body (`tests.envs.reflection`), and MuJoCo's kinematics make
the terms' input of them: no table of joints, signs or places is shared with what is
tested.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

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
from mimicgym.physics import PhysicsState, make_engine
from mimicgym.reference import RefFrame
from mimicgym.robot import build_model, get_robot
from tests.envs.cases import PLAIN, body_model, jit, offer
from tests.envs.reflection import TOLERANCE, S, reflected, reflected_joints, twins

ROBOTS = ("g1_23dof", "g1_29dof")
FRAMES = 8  # of a robot and of its references
SCENES = 6  # one after the other, for histories
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
        feet=FeetState(now, before, now, np.zeros(2), np.zeros(2), now),
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
    step = make_engine("native", model, decimation=1).step

    @jit
    @jax.vmap
    def robots_in(qpos, qvel):
        """With the forces of that state, which a physics step has."""
        _, robot = env.engine.place(qpos, qvel, jnp.bool_(True))
        _, acting = step(PhysicsState(qpos, qvel, jnp.zeros_like(qvel)), qpos[7:])
        names = ("joint_torque", "contact_force_w", "self_contact_n")
        return robot.replace(**{name: getattr(acting, name) for name in names})

    constants, key = {"facts": env.facts, "dt_s": env.dt_s}, jax.random.key(0)
    reset = jit(lambda scene: env.observer.reset(scene | constants, key))
    sense = jit(lambda scene, senses: env.observer.step(scene | constants, senses, key))

    def all_seen(qpos, qvel, is_image: bool):
        robots = robots_in(jnp.asarray(qpos), jnp.asarray(qvel))
        senses, found = None, []
        for i in range(SCENES):
            first = i * FRAMES
            part = jax.tree.map(lambda x, k=first: x[k : k + FRAMES], robots)
            whole = offered(env, part, i, is_image)
            scene = {k: v for k, v in whole.items() if k not in constants}
            obs, senses = reset(scene) if senses is None else sense(scene, senses)
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
    twin = twins(model.mj)
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


@pytest.mark.parametrize("name", ENV_PRESETS)
def test_every_preset_has_mirror_images(name):
    changes = {"engine": "native", "motion.clips": ["wave"]}
    env = make_env(override(ENV_PRESETS[name], changes))
    sizes = {group: len(source) for group, (source, _) in env.mirrors().items()}
    assert sizes == env.observation_sizes | {"action": env.action_size}


def refusal(**changes) -> str:
    """Why an environment with these settings has no mirror images."""
    settings = {name.replace("__", "."): value for name, value in changes.items()}
    env = make_env(override(PLAIN, settings))
    with pytest.raises(UserError) as raised:
        env.mirrors()
    return str(raised.value)


def test_bodies_of_one_side_have_no_mirror_image():
    message = refusal(
        tracking__bodies=["pelvis", "left_knee_link"],
        observation__critic=["history_body_pos_b"],
    )
    assert message == (
        "observation.critic holds 'history_body_pos_b', which has no mirror image: "
        "tracking.bodies has 'left_knee_link' without 'right_knee_link'"
    )


def test_nor_has_what_is_seen_from_one_side():
    assert refusal(
        tracking__anchor="left_knee_link", observation__actor=["phase", "anchor_pos_b"]
    ) == (
        "observation.actor holds 'anchor_pos_b', which has no mirror image: it is seen "
        "from tracking.anchor, 'left_knee_link', which is of one side; take a body in "
        "the middle, such as 'torso_link'"
    )


def test_nor_has_a_pose_of_one_side(monkeypatch):
    monkeypatch.setitem(robots.POSES, "waving", (("left_shoulder_roll_joint", 0.5),))
    assert refusal(control__pose="waving") == (
        "no mirror images: the angle in control.pose='waving' of "
        "left_shoulder_roll_joint is 0.5, the image of right_shoulder_roll_joint's is 0"
    )


def test_nor_have_gains_of_one_side(monkeypatch):
    limp = (("", 75.0, 2.0), ("right_knee", 60.0, 2.0))
    monkeypatch.setitem(robots.GAINS, "limp", limp)
    assert refusal(control__gains="limp") == (
        "no mirror images: kp in control.gains='limp' of left_knee_joint is 75, the "
        "image of right_knee_joint's is 60"
    )


def test_a_term_that_does_not_say_how_it_is_mirrored():
    registry = Observations()

    @registry("m")
    def silent(robot):
        """(1,) m"""

    @registry(mirror=PLANE)
    def loud(robot):
        """(2,)"""

    assert registry.unit("silent") == "m"
    assert registry.mirror("loud") is PLANE
    with pytest.raises(UserError, match="silent does not say how it is mirrored"):
        registry.mirror("silent")


def test_a_term_of_another_size_than_its_mirror():
    view = views("g1_23dof")
    sides = Sides.of(view.env.engine.model, view.env.config)
    rows = [Row("actor", "torso_xy", 0, 3, "m")]
    with pytest.raises(UserError, match=r"it has 3 numbers, and what .* with, 2"):
        group_images(rows, sides)


def test_axes_that_are_no_mirror_images():
    model = build_model(get_robot("g1_23dof"), visuals=False)
    assert joint_image(model).sign[2] == -1.0
    # An axis that points the other way is as good: angles then keep their sign.
    model.mj.jnt_axis[1 + 2] *= -1.0
    assert joint_image(model).sign[[2, 8]].tolist() == [1.0, 1.0]
    model.mj.jnt_axis[1 + 2] = [0.0, 0.6, 0.8]
    with pytest.raises(UserError, match=r"axis of left_hip_yaw_joint is .* off"):
        joint_image(model)
