"""The task for one environment: order of a step, resets, ends of episodes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.transform import Rotation

from mimicgym.configs import override
from mimicgym.envs.make import env_config, make_env
from mimicgym.envs.observation import observation
from mimicgym.envs.presets import ENV_PRESETS
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.motion import load_motion
from mimicgym.reference import build_reference
from tests.envs.cases import PLAIN, Setting, jit, keys

ROWS = 3
JOINTS = 23
# Slices of the actor's observation.
TORSO = slice(0, 375)
XY = slice(375, 385)
YAW = slice(385, 390)
TARGET_JOINTS = slice(390, 413)


@pytest.fixture(scope="module")
def plain(setting):
    return setting()


def ref_at(env, clip: int, frame: int):
    """The frame of a clip, past the end the last; on the host."""
    start, end = (
        int(env.reference.clip_start[clip]),
        int(env.reference.clip_end[clip]),
    )
    index = min(start + frame, end - 1)
    return jax.tree.map(lambda x: np.asarray(x[index]), env.reference.frames)


def length(env, clip: int) -> int:
    return int(env.reference.clip_end[clip] - env.reference.clip_start[clip])


def still(rows: int = ROWS) -> jnp.ndarray:
    return jnp.zeros((rows, JOINTS))


# Reset


def test_a_reset_is_on_the_reference(plain):
    """What the engine says of the robot, against the frame; nothing is stale."""
    state = plain.reset_at(keys(ROWS), 1, 40)
    ref = ref_at(plain.env, 1, 40)
    for field in dataclasses.fields(ref):
        if field.name == "foot_contact":
            continue
        found = np.asarray(getattr(state.robot, field.name))
        expected = getattr(ref, field.name)
        for row in found:
            np.testing.assert_allclose(row, expected, atol=2e-3, err_msg=field.name)
    # Joint velocities too, which the original loses.
    assert np.abs(ref.joint_vel).max() > 0.2
    assert state.clip.tolist() == [1] * ROWS
    assert state.frame.tolist() == state.start.tolist() == [40] * ROWS
    assert state.step.tolist() == [0] * ROWS
    assert not np.any(state.terminated) and not np.any(state.truncated)
    assert np.all(np.asarray(state.reward) == 0)
    assert all(np.all(np.asarray(x) == 0) for x in state.metrics.values())
    assert all(np.all(np.asarray(x) == 0) for x in state.sums.values())


def test_the_first_observation_is_fresh(plain):
    """Even where the last episode was elsewhere."""
    state = plain.reset_at(keys(ROWS), 0, 30)
    for _ in range(3):
        state = plain.step(state, still() + 2.0)
    actor = np.asarray(plain.reset_at(state.key, 1, 100).obs["actor"][0])
    ref = ref_at(plain.env, 1, 100)
    default = plain.env.engine.model.robot.default_pose_rad
    history = actor[TORSO].reshape(5, 75)
    np.testing.assert_array_equal(history, np.repeat(history[:1], 5, axis=0))
    gravity = Rotation.from_quat(ref.root_quat_w, scalar_first=True).inv()
    np.testing.assert_allclose(history[0, 3:6], gravity.apply([0, 0, -1.0]), atol=1e-4)
    np.testing.assert_allclose(history[0, 6:29], ref.joint_pos - default, atol=1e-4)
    np.testing.assert_allclose(history[0, 29:52], 0.05 * ref.joint_vel, atol=1e-4)
    # On the reference the torso is where it should be.
    np.testing.assert_allclose(actor[XY], 0, atol=1e-4)
    np.testing.assert_allclose(actor[YAW], 0, atol=1e-4)
    np.testing.assert_allclose(actor[TARGET_JOINTS], ref.joint_pos - default, atol=1e-6)


def test_observation_sizes(plain):
    assert plain.env.observation_sizes == {"actor": 415, "critic": 623}
    assert plain.env.action_size == JOINTS
    assert plain.env.num_clips == 2
    assert plain.env.causes == ("tracking_error", "nonfinite")
    state = plain.reset_at(keys(ROWS), 0, 0)
    assert {k: v.shape for k, v in state.obs.items()} == {
        "actor": (ROWS, 415),
        "critic": (ROWS, 623),
    }


def test_the_layout_knows_what_users_terms_may_ask_for(plain, monkeypatch):
    for table in ("_terms", "_needs", "_units", "_mirrors"):
        copy = dict(getattr(observation, table))
        monkeypatch.setattr(observation, table, copy)

    @observation
    def joint_vel(last_joint_vel, last_last_action, last_ref, feet, teacher):
        return last_joint_vel

    config = override(PLAIN, {"observation.actor": ["joint_vel"]})
    env = TrackingEnv(config, plain.env.reference, plain.env.engine)
    (row,) = [row for row in env.observation_layout() if row.group == "actor"]
    assert (row.term, row.start, row.stop) == ("joint_vel", 0, JOINTS)
    assert env.observation_sizes["actor"] == JOINTS


def test_a_reset_is_a_function_of_its_key(setting):
    noisy = setting(**{"observation.noise": True, "reset.joint_pos": 0.1})
    first, again = noisy.reset(keys(ROWS)), noisy.reset(keys(ROWS))
    jax.tree.map(
        np.testing.assert_array_equal,
        jax.tree.map(_plain, first),
        jax.tree.map(_plain, again),
    )
    assert np.all(np.asarray(first.obs["actor"][0]) != 0)
    other = noisy.reset(keys(ROWS, seed=1))
    assert np.abs(np.asarray(first.obs["actor"] - other.obs["actor"])).max() > 0.01
    # Rows have keys of their own.
    assert np.abs(np.asarray(first.obs["actor"][0] - first.obs["actor"][1])).max() > 0


def _plain(x):
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(x))
    return np.asarray(x)


def test_starting_at_rest(setting):
    env = setting(**{"reset.init_velocities": False})
    state = env.reset_at(keys(ROWS), 1, 40)
    assert np.all(np.asarray(state.physics.qvel) == 0)
    assert np.all(np.asarray(state.robot.body_lin_vel_w) == 0)


NOISE = {
    "reset.joint_pos": 0.05,
    "reset.joint_vel": 0.3,
    "reset.root_xy": 0.1,
    "reset.root_z": 0.02,
    "reset.root_tilt": 0.03,
    "reset.root_yaw": 0.03,
    "reset.respawn_z_m": 0.5,
}
MANY = 3000


def test_statistics_of_the_reset_noise(setting):
    env = setting(**NOISE)
    state = env.reset_at(keys(MANY), 0, 60)
    ref = ref_at(env.env, 0, 60)
    qpos, qvel = np.asarray(state.physics.qpos), np.asarray(state.physics.qvel)
    offset = qpos[:, :3] - ref.root_pos_w - [0, 0, 0.5]
    np.testing.assert_allclose(offset.std(axis=0), [0.1, 0.1, 0.02], rtol=0.06)
    np.testing.assert_allclose(offset.mean(axis=0) / [0.1, 0.1, 0.02], 0, atol=0.08)
    turn = (
        Rotation.from_quat(qpos[:, 3:7], scalar_first=True)
        * Rotation.from_quat(ref.root_quat_w, scalar_first=True).inv()
    ).as_rotvec()
    np.testing.assert_allclose(turn.std(axis=0), 0.03, rtol=0.06)
    np.testing.assert_allclose(np.linalg.norm(qpos[:, 3:7], axis=1), 1, atol=1e-6)
    joint_vel = qvel[:, 6:] - ref.joint_vel
    np.testing.assert_allclose(joint_vel.std(axis=0), 0.3, rtol=0.08)
    # The root keeps the reference's velocity: in the world, the turned body about its
    # own axes.
    np.testing.assert_allclose(
        np.asarray(state.robot.root_lin_vel_w) - ref.root_lin_vel_w, 0, atol=1e-5
    )
    np.testing.assert_allclose(
        np.asarray(state.robot.root_ang_vel_w) - ref.root_ang_vel_w, 0, atol=1e-5
    )
    # Joints: those that noise cannot push to a limit keep its deviation, and none is
    # pushed beyond.
    low, high = env.env.engine.model.joint_range_rad.T
    joint_pos = qpos[:, 7:] - ref.joint_pos
    room = np.minimum(ref.joint_pos - low, high - ref.joint_pos)
    free = room > 0.25
    assert free.sum() > 10
    np.testing.assert_allclose(joint_pos[:, free].std(axis=0), 0.05, rtol=0.08)
    assert np.all(qpos[:, 7:] >= np.minimum(low, ref.joint_pos) - 1e-6)
    assert np.all(qpos[:, 7:] <= np.maximum(high, ref.joint_pos) + 1e-6)
    # And the first observation shows the noise, in the torso's heading frame.
    xy = np.asarray(state.obs["actor"])[:, 375:377]
    distance = np.linalg.norm(xy, axis=1)
    torso = env.env.facts.torso
    torso_offset = (
        np.asarray(state.robot.body_pos_w[:, torso, :2]) - (ref.body_pos_w[torso, :2])
    )
    np.testing.assert_allclose(
        distance, np.linalg.norm(torso_offset, axis=1), atol=1e-5
    )


@pytest.mark.parametrize("target", ["reference", "default"])
def test_the_matched_action_starts_without_a_jerk(setting, target):
    env = setting(**NOISE, **{"control.target": target})
    state = env.reset_at(keys(MANY), 0, 60)
    pose = (
        ref_at(env.env, 0, 61).joint_pos
        if target == "reference"
        else env.env.engine.model.robot.default_pose_rad
    )
    expected = (np.asarray(state.robot.joint_pos) - pose) / 0.25
    assert np.abs(expected).max() > 0.3
    np.testing.assert_allclose(state.action, expected, atol=1e-5)
    np.testing.assert_array_equal(state.last_action, state.action)
    # The policy sees it as its last action.
    np.testing.assert_allclose(state.obs["actor"][:, 52:75], expected, atol=1e-5)
    step = env.step(state, state.action)
    np.testing.assert_array_equal(step.metrics["reward/action_rate"], 0)
    other = env.step(state, state.action + 1.0)
    # 23 changes of 1: 23 * -0.004.
    np.testing.assert_allclose(other.metrics["reward/action_rate"], -0.092, atol=1e-5)


# Start frames


def starts(env, n: int = 6000):
    """Clips and start frames of n resets; XLA leaves out all else."""

    @jit
    @jax.vmap
    def draw(key):
        state = env.reset(key)
        return state.clip, state.start

    return tuple(np.asarray(x) for x in draw(keys(n)))


def with_reference(config_changes: dict, weights=None) -> TrackingEnv:
    env = make_env(override(PLAIN, config_changes))
    if weights is None:
        return env
    motions = [load_motion(name) for name in env.config.motion.clips]
    reference = build_reference(
        motions, env.engine.model, dt_s=env.dt_s, ground="constant", weights=weights
    )
    return TrackingEnv(env.config, reference, env.engine)


def p_value(observed, expected) -> float:
    observed = np.asarray(observed, float)
    expected = np.asarray(expected, float)
    expected = expected / expected.sum() * observed.sum()
    return float(stats.chisquare(observed, expected).pvalue)


@pytest.mark.parametrize(
    ("sampling", "weights", "expected"),
    [
        ("uniform_clip", None, lambda n: [1, 1]),
        ("uniform_clip", [1.0, 3.0], lambda n: [1, 3]),
        ("uniform_step", None, lambda n: n),
        ("uniform_step", [1.0, 3.0], lambda n: [n[0], 3 * n[1]]),
    ],
)
def test_clips_are_drawn_by_weight(sampling, weights, expected):
    env = with_reference({"reset.sampling": sampling}, weights)
    clip, _ = starts(env)
    # Start candidates of a clip: all frames but its last three.
    candidates = [length(env, c) - 3 for c in (0, 1)]
    counts = np.bincount(clip, minlength=2)
    assert p_value(counts, expected(candidates)) > 1e-3


def test_a_clip_of_weight_zero_is_never_drawn():
    clip, _ = starts(with_reference({}, [0.0, 1.0]), n=500)
    assert set(clip.tolist()) == {1}


def test_every_start_frame_alike(plain):
    clip, start = starts(plain.env, n=20_000)
    for c in (0, 1):
        candidates = length(plain.env, c) - 3
        counts = np.bincount(start[clip == c], minlength=candidates)
        # The first and the last candidate are drawn, and nothing past it.
        assert len(counts) == candidates
        assert counts.min() > 0
        assert p_value(counts, np.ones(candidates)) > 1e-3


def test_starting_at_the_first_frame():
    clip, start = starts(with_reference({"reset.start": "first"}), n=300)
    assert set(start.tolist()) == {0}
    assert set(clip.tolist()) == {0, 1}


# A step


def test_a_step_is_judged_by_the_next_frame(plain):
    state = plain.reset_at(keys(ROWS), 1, 40)
    before = state
    state = plain.step(state, still())
    ref = ref_at(plain.env, 1, 41)
    assert state.frame.tolist() == [41] * ROWS
    assert state.start.tolist() == [40] * ROWS
    assert state.step.tolist() == [1] * ROWS
    default = plain.env.engine.model.robot.default_pose_rad
    actor, critic = np.asarray(state.obs["actor"]), np.asarray(state.obs["critic"])
    np.testing.assert_allclose(
        actor[0, TARGET_JOINTS], ref.joint_pos - default, atol=1e-6
    )
    # The privileged part looks one frame further: its joint offsets follow 13 heights,
    # 4 of rotation and 3 of position.
    ahead = ref_at(plain.env, 1, 42)
    robot = jax.tree.map(lambda x: np.asarray(x[0]), state.robot)
    np.testing.assert_allclose(
        critic[0, 79 + 20 : 79 + 43], ahead.joint_pos - robot.joint_pos, atol=1e-5
    )
    # The reward of the new state against frame 41: 2.4 * exp(-2 |q - q_ref|^2).
    error = np.sum((robot.joint_pos - ref.joint_pos) ** 2)
    np.testing.assert_allclose(
        state.metrics["reward/joint_pos_tracking"][0], 2.4 * np.exp(-2 * error), 1e-4
    )
    # The newest sample is in front, the older ones move back.
    np.testing.assert_array_equal(
        actor[:, 75:375], np.asarray(before.obs["actor"])[:, 0:300]
    )
    np.testing.assert_array_equal(actor[0, 52:75], 0)


def test_errors_of_the_metrics(plain):
    state = plain.reset_at(keys(ROWS), 1, 40)
    for i in range(4):
        state = plain.step(state, 0.5 * still() + (-1.0) ** i)
    robot = jax.tree.map(lambda x: np.asarray(x[0]), state.robot)
    ref = ref_at(plain.env, 1, 44)
    rows = plain.env.facts.tracked
    away = robot.body_pos_w[rows] - ref.body_pos_w[rows]
    relative = away - (robot.root_pos_w - ref.root_pos_w)
    expected = {
        "error/link_pos_m": np.linalg.norm(away, axis=1).mean(),
        "error/link_pos_root_m": np.linalg.norm(relative, axis=1).mean(),
        "error/joint_pos_rad": np.abs(robot.joint_pos - ref.joint_pos).mean(),
    }
    for name, value in expected.items():
        assert value > 1e-4
        np.testing.assert_allclose(state.metrics[name][0], value, rtol=1e-3)


def test_sums_over_the_episode(plain):
    state = plain.reset_at(keys(ROWS), 0, 10)
    rewards, parts = [], []
    for _ in range(4):
        state = plain.step(state, still())
        rewards.append(np.asarray(state.reward))
        parts.append({k: np.asarray(v) for k, v in state.metrics.items()})
    np.testing.assert_allclose(state.sums["return"], np.sum(rewards, 0), rtol=1e-5)
    for name, total in state.sums.items():
        if name != "return":
            expected = np.sum([p[name] for p in parts], axis=0)
            np.testing.assert_allclose(total, expected, rtol=1e-4, atol=1e-6)
    # A step's reward is the sum of its parts.
    of_step = sum(v for k, v in parts[-1].items() if k.startswith("reward/"))
    np.testing.assert_allclose(rewards[-1], of_step, rtol=1e-5)


class Echo:
    """The native engine, which also writes down the joint targets it was given."""

    def __init__(self, engine):
        self.engine = engine
        self.name = "echo"
        self.model = engine.model
        self.decimation = engine.decimation

    def place(self, qpos, qvel, mask, fields):
        return self.engine.place(qpos, qvel, mask, fields)

    def step(self, physics, ctrl, fields, wrench):
        after, robot = self.engine.step(physics, ctrl, fields, wrench)
        return after.replace(warmstart=after.warmstart.at[6:].set(ctrl)), robot


def echo(plain, changes: dict) -> Setting:
    config = override(PLAIN, changes)
    engine = Echo(plain.env.engine)
    return Setting(TrackingEnv(config, plain.env.reference, engine))


@pytest.mark.parametrize("ahead", [0, 2])
def test_targets_follow_the_reference(plain, ahead):
    env = echo(plain, {"control.target_frames_ahead": ahead})
    state = plain.reset_at(keys(ROWS), 1, 40)
    action = np.linspace(-2, 2, JOINTS, dtype=np.float32)
    for i in range(3):
        state = env.step(state, np.repeat(action[None], ROWS, axis=0))
        # The frame at the beginning of the step, and so many on; 0.25 rad a unit.
        expected = 0.25 * action + ref_at(env.env, 1, 40 + i + ahead).joint_pos
        np.testing.assert_allclose(state.physics.warmstart[0, 6:], expected, atol=1e-5)


def test_targets_from_the_default_pose_with_filter_offset_and_clip(plain):
    changes = {
        "control.target": "default",
        "control.low_pass": 0.5,
        "control.action_clip": 2.0,
        "control.action_scale": 0.1,
    }
    env = echo(plain, changes)
    offset = np.random.default_rng(0).normal(size=(ROWS, JOINTS)).astype(np.float32)
    state = plain.reset_at(keys(ROWS), 1, 40).replace(action_offset=offset)
    last = np.asarray(state.action)
    action = np.linspace(-3, 3, JOINTS, dtype=np.float32)
    default = env.env.engine.model.robot.default_pose_rad
    for _ in range(3):
        state = env.step(state, np.repeat(action[None], ROWS, axis=0))
        last = 0.5 * np.clip(action + offset, -2, 2) + 0.5 * last
        np.testing.assert_allclose(state.action, last, atol=1e-5)
        np.testing.assert_allclose(
            state.physics.warmstart[:, 6:], default + 0.1 * last, atol=1e-5
        )
        # Constant over the episode, and what is seen is what counts.
        np.testing.assert_array_equal(state.action_offset, offset)
        np.testing.assert_allclose(state.obs["actor"][:, 52:75], last, atol=1e-5)


def test_action_offsets_are_drawn_at_reset(plain):
    config = override(PLAIN, {"control.action_offset_std": 0.3})
    env = TrackingEnv(config, plain.env.reference, plain.env.engine)
    offset = jit(jax.vmap(lambda key: env.reset(key).action_offset))(keys(MANY))
    np.testing.assert_allclose(np.std(offset, axis=0), 0.3, rtol=0.1)
    assert np.all(np.asarray(plain.reset_at(keys(ROWS), 0, 0).action_offset) == 0)


# Ends


def test_a_clip_ends_as_a_truncation_without_a_penalty(plain):
    n = length(plain.env, 0)
    state = plain.reset_at(keys(ROWS), 0, n - 4)
    frames = []
    for step in range(1, 6):
        state = plain.step(state, still())
        frames.append(int(state.frame[0]))
        # L - start = 4 steps; the last frame is compared twice.
        assert np.all(np.asarray(state.truncated) == (step >= 4))
        assert not np.any(state.terminated)
        assert np.all(np.asarray(state.metrics["reward/termination"]) == 0)
    assert frames == [n - 3, n - 2, n - 1, n - 1, n - 1]


def test_a_limit_of_steps_is_a_truncation(plain, setting):
    env = setting(**{"termination.max_steps": 3})
    state = plain.reset_at(keys(ROWS), 0, 10)
    truncated = []
    for _ in range(3):
        state = env.step(state, still())
        truncated.append(state.truncated.tolist())
    assert truncated == [[False] * ROWS, [False] * ROWS, [True] * ROWS]
    # A clip that ends before keeps its own end.
    state = plain.reset_at(keys(ROWS), 0, length(env.env, 0) - 2)
    state = env.step(env.step(state, still()), still())
    assert np.all(np.asarray(state.truncated))


def test_tracking_is_judged_from_the_second_step_and_failure_costs(plain, setting):
    env = setting(**{"termination.tracking_error": 1e-6})
    n = length(env.env, 0)
    state = plain.reset_at(keys(ROWS), 0, n - 3)
    found = []
    for _ in range(3):
        state = env.step(state, still())
        found.append(
            (
                bool(state.terminated[0]),
                bool(state.truncated[0]),
                float(state.metrics["termination/tracking_error"][0]),
                float(state.metrics["reward/termination"][0]),
            )
        )
    assert found == [
        (False, False, 0.0, 0.0),
        (True, False, 1.0, -10.0),
        # Failure and time-out in one step: no penalty.
        (True, True, 1.0, 0.0),
    ]


def test_a_robot_that_falls_fails(plain):
    state = plain.reset_at(keys(ROWS), 0, 0)
    # Bends its knees by 2 rad.
    action = np.zeros((ROWS, JOINTS), np.float32)
    action[:, [3, 9]] = 8.0
    for _ in range(100):
        state = plain.step(state, action)
        if np.all(np.asarray(state.terminated)):
            break
    assert np.all(np.asarray(state.terminated))
    assert np.all(np.asarray(state.metrics["termination/tracking_error"]) == 1)
    assert np.all(np.asarray(state.metrics["termination/nonfinite"]) == 0)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("field", ["qpos", "qvel"])
def test_a_state_that_is_no_number_ends_its_episode_alone(
    plain, field, value, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes a log of its warnings
    state = plain.step(plain.reset_at(keys(ROWS), 0, 10), still())
    bad = np.array(getattr(state.physics, field))
    bad[1, 2] = value
    physics = state.physics.replace(**{field: bad})
    found = plain.step(state.replace(physics=physics), still())
    expected = plain.step(state, still())
    check_row_1_broke(found, expected)


def test_an_action_that_is_no_number_ends_its_episode_alone(plain):
    state = plain.step(plain.reset_at(keys(ROWS), 0, 10), still())
    action = np.array(still())
    action[1, 5] = np.nan
    check_row_1_broke(plain.step(state, action), plain.step(state, still()))


class Breaking:
    """An engine that gives up wherever the first joint's target is above 1.5 rad."""

    def __init__(self, engine):
        self.engine = engine
        self.name = "breaking"
        self.model = engine.model
        self.decimation = engine.decimation

    def place(self, qpos, qvel, mask, fields):
        return self.engine.place(qpos, qvel, mask, fields)

    def step(self, physics, ctrl, fields, wrench):
        after = self.engine.step(physics, ctrl, fields, wrench)
        return jax.tree.map(lambda x: jnp.where(ctrl[0] > 1.5, jnp.nan, x), after)


def test_an_engine_that_gives_up_ends_its_episode_alone(plain):
    env = plain.env
    broken = Setting(TrackingEnv(env.config, env.reference, Breaking(env.engine)))
    state = plain.step(plain.reset_at(keys(ROWS), 0, 10), still())
    action = np.array(still())
    action[1, 0] = 8.0
    check_row_1_broke(broken.step(state, action), broken.step(state, still()))


def check_row_1_broke(found, expected):
    assert found.metrics["termination/nonfinite"].tolist() == [0, 1, 0]
    assert found.terminated.tolist() == [False, True, False]
    assert found.truncated.tolist() == [False] * ROWS
    np.testing.assert_allclose(
        found.metrics["reward/termination"], [0, -10, 0], atol=1e-5
    )
    # Nothing that the learner sees is infected, and the other rows do not notice.
    seen = (found.obs, found.reward, found.metrics, found.sums, found.robot)
    alike = (expected.obs, expected.reward, expected.metrics, expected.sums)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(seen))
    others = np.array([0, 2])
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[others], b[others]),
        seen[:4],
        alike,
    )


# Configuration


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reset.start": "last"}, r"reset\.start 'last'.*first, linear, random"),
        ({"reset.sampling": "step"}, r"reset\.sampling 'step'.*uniform_clip"),
        ({"reset.root_xy": -1.0}, r"reset\.root_xy is -1\.0"),
        ({"reset.joint_vel": float("nan")}, r"reset\.joint_vel is nan"),
        ({"control.decimation": 0}, r"control\.decimation is 0"),
        ({"control.gains": "stiff"}, r"gains 'stiff'.*videomimic"),
        ({"physics.collisions": "feet"}, r"reward\.collision.*'feet'"),
        ({"physics.timestep_s": 0.0}, r"physics\.timestep_s is 0\.0"),
        ({"motion.clips": []}, r"motion\.clips is empty"),
        ({"motion.clips": ["wav"]}, r"wav.*wave"),
        ({"robot": "g1"}, r"robot 'g1'.*g1_23dof, g1_29dof"),
        ({"engine": "wrap"}, r"engine .wrap.*auto, mjx, native, warp"),
        ({"termination.contact": ["nose"]}, r"'nose'"),
        ({"observation.actor": ["speed"]}, r"observation term 'speed'"),
    ],
)
def test_bad_configurations_say_what_is_wrong(changes, message):
    # Not by `override`, which knows some of the choices itself.
    config = PLAIN
    for name, value in changes.items():
        *path, last = name.split(".")
        value = tuple(value) if isinstance(value, list) else value
        if path:
            part = dataclasses.replace(getattr(config, path[0]), **{last: value})
            config = dataclasses.replace(config, **{path[0]: part})
        else:
            config = dataclasses.replace(config, **{last: value})
    with pytest.raises(UserError, match=message) as caught:
        make_env(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "asked", "found"),
    [
        ("native", {}, (10, 20)),
        ("mjx", {}, (10, 8)),
        ("mjx", {"iterations": 6}, (6, 8)),
        ("native", {"iterations": 3, "ls_iterations": 4}, (3, 4)),
    ],
)
def test_the_solver_makes_what_its_engine_needs_or_what_is_asked(engine, asked, found):
    config = env_config("quick", engine=engine)
    physics = dataclasses.replace(config.physics, **asked)
    option = make_env(dataclasses.replace(config, physics=physics)).engine.model.mj.opt
    assert (option.iterations, option.ls_iterations) == found


@pytest.mark.parametrize("robot", ["g1_23dof", "g1_29dof"])
@pytest.mark.parametrize("preset", ENV_PRESETS)
def test_presets_make_environments(robot, preset):
    env = make_env(env_config(preset, robot=robot, engine="native"))
    assert env.dt_s == pytest.approx(0.02)
    assert env.action_size == env.engine.model.num_joints
    if preset == "default":
        assert env.observation_sizes == {
            "g1_23dof": {"actor": 415, "critic": 623},
            "g1_29dof": {"actor": 511, "critic": 743},
        }.get(robot)
    # Figures of VideoMimic's and of BeyondMimic's own networks.
    if preset == "videomimic_stage4" and robot == "g1_23dof":
        assert env.observation_sizes == {"actor": 378 + 121, "critic": 623 + 121}
        assert env.gated_sizes == {"actor": 121, "critic": 121}
    if preset == "beyondmimic" and robot == "g1_29dof":
        assert env.observation_sizes == {"actor": 160, "critic": 286}
