"""Observation terms against SciPy, their noise, history and groups."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import ObservationConfig
from mimicgym.envs.observation import Observer, observation
from mimicgym.envs.terms import Facts
from mimicgym.errors import UserError
from tests.envs.cases import keys, offer, random_frame, robot_on

CLEAN = ObservationConfig(noise=False)
JOINTS = 23


def rotation(quat_wxyz) -> Rotation:
    return Rotation.from_quat(np.asarray(quat_wxyz, float), scalar_first=True)


def heading_rad(quat_wxyz) -> float:
    x_axis = rotation(quat_wxyz).apply([1.0, 0.0, 0.0])
    return float(np.arctan2(x_axis[1], x_axis[0]))


def into_heading(quat_wxyz, vectors_w) -> np.ndarray:
    return Rotation.from_euler("z", -heading_rad(quat_wxyz)).apply(vectors_w)


@pytest.fixture(params=range(3))
def scene(any_model, request):
    """Robot, its reference and the next frame, unrelated; and the rest on offer."""
    rng = np.random.default_rng(request.param)
    robot = robot_on(random_frame(any_model, rng), any_model)
    ref, next_ref = (random_frame(any_model, rng) for _ in range(2))
    action = rng.normal(size=any_model.num_joints).astype(np.float32)
    return offer(any_model, robot, ref, next_ref=next_ref, action=action)


def value(name: str, offered: dict, cfg: ObservationConfig = CLEAN) -> np.ndarray:
    found = observation.call(name, offered | {"cfg": cfg})
    assert found.ndim == 1
    return np.asarray(found)


def body_row(model, name: str) -> int:
    return model.robot.key_bodies.index(name)


def expected_torso_real(model, offered) -> np.ndarray:
    robot = offered["robot"]
    to_base = rotation(robot.root_quat_w).inv()
    return np.concatenate(
        [
            0.25 * to_base.apply(robot.root_ang_vel_w),
            to_base.apply([0.0, 0.0, -1.0]),
            robot.joint_pos - model.robot.default_pose_rad,
            0.05 * robot.joint_vel,
            offered["action"],
        ]
    )


def test_torso_real(any_model, scene):
    expected = expected_torso_real(any_model, scene)
    assert len(expected) == 6 + 3 * any_model.num_joints  # 75 with 23 joints
    np.testing.assert_allclose(value("torso_real", scene), expected, atol=1e-5)


def test_torso(any_model, scene):
    robot = scene["robot"]
    lin_vel_b = rotation(robot.root_quat_w).inv().apply(robot.root_lin_vel_w)
    expected = np.concatenate(
        [
            [robot.root_pos_w[2]],
            2.0 * lin_vel_b,
            expected_torso_real(any_model, scene),
        ]
    )
    assert len(expected) == 10 + 3 * any_model.num_joints  # 79 with 23 joints
    np.testing.assert_allclose(value("torso", scene), expected, atol=1e-5)


def test_torso_xy_rel(any_model, scene):
    row = body_row(any_model, "torso_link")
    robot, ref = scene["robot"], scene["ref"]
    offset_w = ref.body_pos_w[row] - robot.body_pos_w[row]
    expected = into_heading(robot.body_quat_w[row], offset_w)[:2]
    np.testing.assert_allclose(value("torso_xy_rel", scene), expected, atol=1e-5)


def test_torso_yaw_rel(any_model, scene):
    row = body_row(any_model, "torso_link")
    robot, ref = scene["robot"], scene["ref"]
    turn = heading_rad(ref.body_quat_w[row]) - heading_rad(robot.body_quat_w[row])
    found = value("torso_yaw_rel", scene)
    assert found.shape == (1,)
    assert -np.pi <= found[0] <= np.pi
    np.testing.assert_allclose(np.exp(1j * found[0]), np.exp(1j * turn), atol=1e-5)


def test_targets(any_model, scene):
    ref = scene["ref"]
    np.testing.assert_allclose(
        value("target_joints", scene),
        ref.joint_pos - any_model.robot.default_pose_rad,
        atol=1e-6,
    )
    roll, pitch, _ = rotation(ref.root_quat_w).as_euler("xyz")
    np.testing.assert_allclose(value("target_root_roll", scene), [roll], atol=1e-5)
    np.testing.assert_allclose(value("target_root_pitch", scene), [pitch], atol=1e-5)


def test_phase(scene):
    # A quarter of the clip.
    np.testing.assert_allclose(value("phase", scene), [1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("now", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("before", [(0, 1), (1, 0)])
def test_deepmimic(any_model, scene, now, before):
    robot, ref = scene["robot"], scene["next_ref"]
    now, before = np.array(now, bool), np.array(before, bool)
    feet = scene["feet"].replace(contact=now, last_contact=before)
    rows = [body_row(any_model, b) for b in any_model.robot.tracked_bodies]
    turn = rotation(ref.root_quat_w) * rotation(robot.root_quat_w).inv()
    # The reference has the left foot down and the right one up.
    assert ref.foot_contact.tolist() == [True, False]
    wrong = [
        now[side] != before[side] and now[side] != ref.foot_contact[side]
        for side in (0, 1)
    ]
    expected = np.concatenate(
        [
            robot.body_pos_w[rows, 2],
            turn.as_quat(canonical=True, scalar_first=True),
            into_heading(robot.root_quat_w, ref.root_pos_w - robot.root_pos_w),
            ref.joint_pos - robot.joint_pos,
            into_heading(
                robot.root_quat_w, ref.body_pos_w[rows] - robot.body_pos_w[rows]
            ).ravel(),
            into_heading(robot.root_quat_w, robot.body_lin_vel_w[rows]).ravel(),
            now,
            ref.foot_contact,
            before,
            wrong,
        ]
    )
    # 129 with 23 joints.
    assert len(expected) == 13 + 4 + 3 + any_model.num_joints + 39 + 39 + 8
    found = value("deepmimic", scene | {"feet": feet})
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_scales_come_from_the_configuration(any_model, scene):
    cfg = ObservationConfig(lin_vel_scale=1.0, ang_vel_scale=3.0, joint_vel_scale=0.5)
    factor = np.ones(10 + 3 * any_model.num_joints)
    factor[1:4] = 1.0 / 2.0
    factor[4:7] = 3.0 / 0.25
    joints = any_model.num_joints
    factor[10 + joints : 10 + 2 * joints] = 0.5 / 0.05
    found = value("torso", scene, cfg)
    np.testing.assert_allclose(found, value("torso", scene) * factor, rtol=1e-4)


def sizes(model, cfg=CLEAN):
    rng = np.random.default_rng(0)
    frame = random_frame(model, rng)
    obs, _ = Observer(cfg).reset(
        offer(model, robot_on(frame, model), frame), jax.random.key(0)
    )
    return {group: len(x) for group, x in obs.items()}


def test_group_sizes(any_model):
    expected = {
        # 5 * 75 + 5 * 2 + 5 * 1 + 23 + 1 + 1; and 79 + 129 more.
        "g1_23dof": {"actor": 415, "critic": 623},
        # 5 * 93 + 10 + 5 + 29 + 2; and 97 + 135 more.
        "g1_29dof": {"actor": 511, "critic": 743},
    }
    assert sizes(any_model) == expected[any_model.robot.name]


def walk(model, cfg: ObservationConfig, steps: int):
    """Observations of a reset and some steps with unrelated robots, and those."""
    rng = np.random.default_rng(5)
    observer = Observer(cfg)
    offers = []
    for _ in range(steps + 1):
        robot = robot_on(random_frame(model, rng), model)
        action = rng.normal(size=model.num_joints).astype(np.float32)
        offers.append(offer(model, robot, random_frame(model, rng), action=action))
    obs, history = observer.reset(offers[0], jax.random.key(0))
    seen = [obs]
    for i, offered in enumerate(offers[1:]):
        obs, history = observer.step(offered, history, jax.random.key(i + 1))
        seen.append(obs)
    return seen, offers


def test_history_is_filled_at_reset_and_then_newest_first(model):
    seen, offers = walk(model, CLEAN, steps=6)
    torso = [value("torso_real", offered) for offered in offers]
    xy = [value("torso_xy_rel", offered) for offered in offers]
    yaw = [value("torso_yaw_rel", offered) for offered in offers]
    for now, obs in enumerate(seen):
        # The newest five samples; before the reset there is only its own.
        last = [max(now - age, 0) for age in range(5)]
        expected = np.concatenate(
            [torso[i] for i in last]
            + [xy[i] for i in last]
            + [yaw[i] for i in last]
            + [
                value("target_joints", offers[now]),
                value("target_root_roll", offers[now]),
                value("target_root_pitch", offers[now]),
            ]
        )
        assert obs["actor"].dtype == jnp.float32
        np.testing.assert_allclose(obs["actor"], expected, atol=1e-6)
        privileged = [value(name, offers[now]) for name in ("torso", "deepmimic")]
        np.testing.assert_allclose(
            obs["critic"], np.concatenate([*privileged, expected]), atol=1e-6
        )


def test_length_of_the_history(model):
    cfg = dataclasses.replace(CLEAN, history=2)
    assert sizes(model, cfg)["actor"] == 2 * (75 + 2 + 1) + 25
    seen, offers = walk(model, cfg, steps=2)
    expected = [value("torso_real", offers[i]) for i in (2, 1)]
    np.testing.assert_allclose(
        seen[2]["actor"][:150], np.concatenate(expected), atol=1e-6
    )


def test_terms_can_be_chosen(model):
    cfg = dataclasses.replace(
        CLEAN, actor=("phase", "torso_xy_rel"), critic=("history_phase",)
    )
    assert sizes(model, cfg) == {"actor": 4, "critic": 10}


def test_observations_are_clipped_but_the_history_is_not(model):
    rng = np.random.default_rng(0)
    frame = random_frame(model, rng)
    speed = np.full(JOINTS, 1e4, np.float32)
    speed[::2] *= -1
    robot = robot_on(frame, model).replace(joint_vel=speed)
    observer = Observer(CLEAN)
    obs, history = observer.reset(offer(model, robot, frame), jax.random.key(0))
    # 0.05 * 1e4 = 500.
    joint_vel = obs["actor"][6 + JOINTS : 6 + 2 * JOINTS]
    np.testing.assert_array_equal(joint_vel, np.sign(speed) * 100)
    assert float(jnp.abs(history["torso_real"]).max()) == 500
    tight = Observer(dataclasses.replace(CLEAN, clip=0.5))
    obs, _ = tight.reset(offer(model, robot, frame), jax.random.key(0))
    assert all(float(jnp.abs(x).max()) == 0.5 for x in obs.values())


@pytest.fixture(scope="module")
def noisy():
    """Differences that noise makes, (4000, D) for each group."""
    from tests.envs.cases import body_model

    model = body_model()
    frame = random_frame(model, np.random.default_rng(0))
    offered = offer(model, robot_on(frame, model), frame)
    clean, _ = Observer(CLEAN).reset(offered, jax.random.key(0))
    observer = Observer(ObservationConfig())
    draw = jax.jit(jax.vmap(lambda key: observer.reset(offered, key)[0]))
    found = draw(keys(4000))
    return {group: np.asarray(found[group] - clean[group]) for group in clean}


def test_amplitudes_of_the_noise(noisy):
    torso = noisy["actor"][:, :75]
    # Uniform half widths: 0.2 * 0.25, 0.05, 0.01, 1.5 * 0.05 and none on the action.
    widths = np.repeat([0.05, 0.05, 0.01, 0.075, 0.0], [3, 3, 23, 23, 23])
    assert np.all(np.abs(torso).max(axis=0) <= widths + 1e-6)
    assert np.all(np.abs(torso).max(axis=0) >= 0.99 * widths)
    # The deviation of a uniform distribution is its half width / sqrt(3).
    np.testing.assert_allclose(torso.std(axis=0), widths / np.sqrt(3), rtol=0.05)
    assert np.all(np.abs(torso.mean(axis=0)) <= 0.06 * widths + 1e-9)
    # Gaussian, 0.01 m and 0.01 rad.
    offsets = np.concatenate(
        [noisy["actor"][:, 375:377], noisy["actor"][:, 385:386]], 1
    )
    np.testing.assert_allclose(offsets.std(axis=0), 0.01, rtol=0.05)
    assert np.all(np.abs(offsets).max(axis=0) > 0.03)


def test_noise_is_independent_between_sensors_and_rows(noisy):
    torso = np.concatenate([noisy["actor"][:, :52], noisy["actor"][:, 375:377]], axis=1)
    correlation = np.corrcoef(torso.T) - np.eye(54)
    # 4000 draws: a deviation of 0.016.
    assert np.abs(correlation).max() < 0.08
    row = np.corrcoef(torso[:-1, 0], torso[1:, 0])[0, 1]
    assert abs(row) < 0.08


def test_what_has_no_sensor_has_no_noise(noisy):
    # Targets of the actor; `torso` and `deepmimic` of the critic.
    assert np.all(noisy["actor"][:, 390:] == 0)
    assert np.all(noisy["critic"][:, : 79 + 129] == 0)
    # Both groups see the same reading.
    np.testing.assert_array_equal(noisy["actor"], noisy["critic"][:, 79 + 129 :])


def test_history_remembers_the_reading_not_the_truth(model):
    seen, _ = walk(model, ObservationConfig(), steps=1)
    np.testing.assert_array_equal(seen[1]["actor"][75:150], seen[0]["actor"][:75])
    np.testing.assert_array_equal(seen[0]["actor"][75:150], seen[0]["actor"][:75])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actor": ("torso_reel",)}, r"observation term 'torso_reel'.*torso_real"),
        ({"critic": ("history_speed",)}, r"observation term 'speed'.*Choices"),
        ({"actor": ()}, r"no terms"),
        ({"history": 0}, r"observation\.history is 0"),
    ],
)
def test_bad_groups(changes, message):
    with pytest.raises(UserError, match=message):
        Observer(dataclasses.replace(CLEAN, **changes))


def test_facts_name_the_rows(any_model):
    facts, robot = Facts.of(any_model), any_model.robot
    assert [robot.key_bodies[i] for i in facts.tracked] == list(robot.tracked_bodies)
    assert robot.key_bodies[facts.torso] == "torso_link"
    feet = ["left_ankle_roll_link", "right_ankle_roll_link"]
    assert [robot.key_bodies[i] for i in facts.feet] == feet
    assert [any_model.contact_bodies[i] for i in facts.foot_contacts] == feet
    assert [any_model.contact_bodies[i] for i in facts.hand_contacts] == [
        "left_wrist_yaw_link",
        "right_wrist_yaw_link",
    ]
