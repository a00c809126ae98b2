"""States in which episodes start: noise of the stated size, and where it goes."""

import jax
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mimicgym.envs.config import ResetConfig, TrackingConfig
from mimicgym.envs.start import Starts
from mimicgym.envs.terms import Facts
from mimicgym.errors import UserError
from tests.envs.cases import body_model, keys, random_frame

FACTS = Facts.of(body_model(), TrackingConfig())
N = 2000


def frame():
    found = random_frame(body_model(), np.random.default_rng(4))
    middle = 0.5 * (FACTS.joint_lower_rad + FACTS.joint_upper_rad)
    return found.replace(joint_pos=middle)


def draw(**settings) -> tuple[np.ndarray, np.ndarray]:
    starts = Starts(ResetConfig(**settings), FACTS)
    found = jax.vmap(starts.state, in_axes=(0, None))(keys(N), frame())
    return np.asarray(found[0]), np.asarray(found[1])


def test_without_noise_it_is_the_reference():
    qpos, qvel = draw()
    ref = frame()
    assert np.ptp(qpos, axis=0).max() == 0
    turn = Rotation.from_quat(ref.root_quat_w, scalar_first=True)
    np.testing.assert_allclose(qpos[0, :3], ref.root_pos_w)
    np.testing.assert_allclose(qpos[0, 3:7], ref.root_quat_w, atol=1e-6)
    np.testing.assert_allclose(qpos[0, 7:], ref.joint_pos)
    np.testing.assert_allclose(qvel[0, :3], ref.root_lin_vel_w)
    spin_b = turn.inv().apply(ref.root_ang_vel_w)
    np.testing.assert_allclose(qvel[0, 3:6], spin_b, atol=1e-5)
    np.testing.assert_allclose(qvel[0, 6:], ref.joint_vel)


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_noise_has_the_stated_size_and_place(noise):
    amounts = {
        "joint_pos": 0.02,
        "joint_vel": 0.3,
        "root_xy": 0.1,
        "root_z": 0.02,
        "root_lin_vel_xy": 0.5,
        "root_lin_vel_z": 0.2,
        "root_ang_vel_tilt": 0.52,
        "root_ang_vel_yaw": 0.78,
    }
    qpos, qvel = draw(noise=noise, **amounts)
    ref = frame()
    turn = Rotation.from_quat(ref.root_quat_w, scalar_first=True)
    spin_w = turn.apply(qvel[:, 3:6]) - ref.root_ang_vel_w
    # A uniform distribution of half width a has the deviation a / sqrt(3).
    share = 1 / np.sqrt(3) if noise == "uniform" else 1.0
    for values, amount in (
        (qpos[:, 7:] - ref.joint_pos, 0.02),
        (qvel[:, 6:] - ref.joint_vel, 0.3),
        (qpos[:, :2] - ref.root_pos_w[:2], 0.1),
        (qpos[:, 2:3] - ref.root_pos_w[2], 0.02),
        (qvel[:, :2] - ref.root_lin_vel_w[:2], 0.5),
        (qvel[:, 2:3] - ref.root_lin_vel_w[2], 0.2),
        (spin_w[:, :2], 0.52),
        (spin_w[:, 2:], 0.78),
    ):
        np.testing.assert_allclose(values.std(axis=0), share * amount, rtol=0.1)
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=0.12 * amount)
        if noise == "uniform":
            assert np.abs(values).max() <= amount * 1.001


def test_tilt_and_yaw_are_about_world_axes():
    turn = Rotation.from_quat(frame().root_quat_w, scalar_first=True)

    def turns(**settings) -> np.ndarray:
        qpos, _ = draw(**settings)
        found = Rotation.from_quat(qpos[:, 3:7], scalar_first=True)
        return (found * turn.inv()).as_rotvec()

    yaw = turns(root_yaw=0.2)
    np.testing.assert_allclose(yaw[:, :2], 0, atol=1e-5)
    assert yaw[:, 2].std() == pytest.approx(0.2, rel=0.1)
    tilt = turns(root_tilt=0.1)
    np.testing.assert_allclose(tilt[:, 2], 0, atol=1e-5)
    np.testing.assert_allclose(tilt[:, :2].std(axis=0), 0.1, rtol=0.1)


def test_joints_stay_within_their_limits():
    qpos, _ = draw(joint_pos=2.0)
    assert (qpos[:, 7:] >= FACTS.joint_lower_rad - 1e-6).all()
    assert (qpos[:, 7:] <= FACTS.joint_upper_rad + 1e-6).all()


def test_a_share_starts_in_the_default_pose_at_rest():
    qpos, qvel = draw(default_pose_prob=0.25)
    default = (qpos[:, 7:] == FACTS.default_pose_rad).all(axis=1)
    assert default.mean() == pytest.approx(0.25, abs=0.04)
    assert (qvel[default, 6:] == 0).all()
    moving = qvel[~default, 6:]
    np.testing.assert_array_equal(
        moving, np.broadcast_to(frame().joint_vel, moving.shape)
    )
    # The root is where the reference has it, for all.
    assert np.ptp(qpos[:, :7], axis=0).max() == 0


def test_at_rest_and_higher_up():
    qpos, qvel = draw(init_velocities=False, respawn_z_m=0.1)
    assert (qvel == 0).all()
    np.testing.assert_allclose(qpos[:, 2], frame().root_pos_w[2] + 0.1, rtol=1e-6)


def test_the_origin_moves_sideways_only():
    starts = Starts(ResetConfig(origin_jitter_m=1.5), FACTS)
    found = np.asarray(jax.vmap(starts.origin)(keys(N)))
    np.testing.assert_allclose(found[:, :2].std(axis=0), 1.5, rtol=0.1)
    assert (found[:, 2] == 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root_xy": -1.0}, r"reset\.root_xy is -1\.0"),
        ({"joint_vel": float("nan")}, r"reset\.joint_vel is nan"),
        ({"default_pose_prob": 1.5}, r"reset\.default_pose_prob is 1\.5; from 0 to 1"),
        ({"freeze_prob": -0.1}, r"reset\.freeze_prob is -0\.1"),
        ({"noise": "pink"}, r"reset\.noise 'pink'.*gaussian, uniform"),
    ],
)
def test_bad_settings(changes, message):
    with pytest.raises(UserError, match=message):
        Starts(ResetConfig(**changes), FACTS)
