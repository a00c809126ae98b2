"""The single environment, as Gymnasium's checker and its users see it."""

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence

from mimicgym.envs.single import TrackingEnvironment
from mimicgym.errors import UserError
from tests.gym_api.conftest import ID, OPTIONS


@pytest.mark.parametrize("observation", ["actor", "dict"])
@pytest.mark.filterwarnings("error")
def test_gymnasiums_checker_has_nothing_to_say(observation):
    # Render modes are tested by themselves: "human" needs a screen.
    env = gymnasium.make(ID, observation=observation, **OPTIONS)
    check_env(env.unwrapped, skip_render_check=True)


def test_id_works_with_the_module_in_front():
    env = gymnasium.make(f"mimicgym:{ID}", **OPTIONS)
    assert isinstance(env.unwrapped, TrackingEnvironment)


def test_default_spaces_are_those_of_the_first_training_stage():
    env = gymnasium.make(ID, robot="g1_23dof", engine="native", observation="dict")
    assert env.action_space == gymnasium.spaces.Box(-1, 1, (23,), np.float32)
    sizes = {k: v.shape for k, v in env.observation_space.spaces.items()}
    assert sizes == {"actor": (415,), "critic": (623,)}
    # Bounds of `observation.clip`.
    assert (env.observation_space["actor"].high == 100).all()


def test_actor_observation_is_that_of_the_dict(single):
    both = gymnasium.make(ID, observation="dict", **OPTIONS)
    flat, _ = single.reset(seed=3)
    groups, _ = both.reset(seed=3)
    np.testing.assert_array_equal(flat, groups["actor"])
    assert flat in single.observation_space
    assert groups in both.observation_space


def test_returned_values_are_plain_and_arrays_can_be_written(single):
    observation, info = single.reset(seed=0)
    assert observation.dtype == np.float32 and observation.flags.writeable
    assert info.keys() == {"clip", "frame"}
    observation, reward, terminated, truncated, info = single.step(np.zeros(23))
    assert observation.flags.writeable and observation.flags.owndata
    assert type(reward) is float
    assert type(terminated) is bool and type(truncated) is bool
    assert info.keys() == {
        "clip",
        "frame",
        "reward",
        "error",
        "termination",
        "truncation",
    }
    for group in ("reward", "error", "termination", "truncation"):
        assert all(type(value) is float for value in info[group].values())
    assert type(info["clip"]) is int and type(info["frame"]) is int


def test_reward_is_the_sum_of_its_terms_and_the_frame_moves_on(single):
    _, before = single.reset(seed=2)
    for step in range(1, 6):
        _, reward, _, _, info = single.step(np.full(23, 0.01))
        assert reward == pytest.approx(sum(info["reward"].values()), rel=1e-5)
        assert info["frame"] == before["frame"] + step
        assert info["clip"] == before["clip"]


def test_one_unit_of_action_is_the_tasks_whole_range(single):
    env = single.unwrapped
    single.reset(seed=0)
    single.step(np.full(23, 0.25))
    np.testing.assert_allclose(env._batch.state.action[0], 0.25 * 8.0)


def test_seeds_and_their_continuation_are_reproducible(single):
    def play(seed):
        observations = [single.reset(seed=seed)[0]]
        for _ in range(3):
            observations.append(single.step(np.zeros(23))[0])
        observations.append(single.reset()[0])
        return np.array(observations)

    first = play(11)
    np.testing.assert_array_equal(first, play(11))
    assert not np.array_equal(first, play(12))
    # The reset without a seed is a new draw.
    assert not np.array_equal(first[0], first[-1])


def test_first_reset_without_seed_differs_between_environments():
    envs = [TrackingEnvironment(**OPTIONS) for _ in range(2)]
    a, b = (env.reset()[0] for env in envs)
    assert not np.array_equal(a, b)


def test_two_environments_share_a_program_but_no_state():
    one, other = TrackingEnvironment(**OPTIONS), TrackingEnvironment(**OPTIONS)
    assert one.env is other.env
    one.reset(seed=0)
    expected = [one.step(np.zeros(23))[0] for _ in range(3)]
    one.reset(seed=0)
    other.reset(seed=1)
    for row in expected:
        np.testing.assert_array_equal(one.step(np.zeros(23))[0], row)
        other.step(np.full(23, 0.1))


def test_clip_end_is_a_truncation():
    # The squat's own last frame ends the episode; a start near it is drawn by seed.
    env = TrackingEnvironment(**{**OPTIONS, "motion": "squat"})
    length = int(env.env.reference.clip_end[0])
    seed = next(s for s in range(99) if env.reset(seed=s)[1]["frame"] > length - 12)
    _, info = env.reset(seed=seed)
    left = length - info["frame"]
    for step in range(1, left + 1):
        _, _, terminated, truncated, _ = env.step(np.zeros(23))
        assert not terminated
        assert truncated == (step == left)


def test_time_limit_is_gymnasiums():
    env = gymnasium.make(ID, max_episode_steps=2, **OPTIONS)
    env.reset(seed=0)
    assert env.step(np.zeros(23))[3] is False
    assert env.step(np.zeros(23))[3] is True


def test_pickled_copy_plays_the_same(single):
    copy = pickle.loads(pickle.dumps(single))
    for env in (single, copy):
        env.reset(seed=5)
    a, b = single.step(np.zeros(23)), copy.step(np.zeros(23))
    assert data_equivalence(a, b, exact=True)


def test_spec_makes_an_equal_environment(single):
    stored = single.spec.to_json()
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(stored))
    assert again.unwrapped.env is single.unwrapped.env
    assert again.spec == single.spec


def test_overrides_reach_the_configuration():
    env = TrackingEnvironment(
        **OPTIONS, overrides={"control.decimation": 8, "reset.start": "first"}
    )
    assert env.env.config.control.decimation == 8
    # 8 physics steps of 5 ms: pictures at 25 a second are real time.
    assert env.metadata["render_fps"] == 25
    assert TrackingEnvironment.metadata["render_fps"] == 50
    assert env.reset()[1]["frame"] == 0


def test_step_and_render_ask_for_a_reset_first():
    env = TrackingEnvironment(render_mode="rgb_array", **OPTIONS)
    with pytest.raises(ResetNeeded, match="step"):
        env.step(np.zeros(23))
    with pytest.raises(ResetNeeded, match="render"):
        env.render()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"robot": "g2"}, "unknown robot 'g2'"),
        ({"engine": "naitve"}, "did you mean 'native'"),
        ({"preset": "fast"}, "unknown preset 'fast'; .*quick"),
        ({"motion": "wav"}, "'wav'.*did you mean 'wave'"),
        ({"motion": []}, "motion.clips is empty"),
        ({"observation": "critic"}, "unknown observation 'critic'; .*actor, dict"),
        ({"render_mode": "ansi"}, "unknown render_mode 'ansi'; .*rgb_array"),
        ({"overrides": {"control.scale": 1.0}}, "setting 'control.scale'"),
        ({"overrides": {"control.action_scale": "big"}}, "control.action_scale"),
        ({"width": 0}, "width is 0"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(UserError, match=message):
        TrackingEnvironment(**{**OPTIONS, **options})


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (np.zeros(29), UserError, r"shape \(29,\), it should be \(23,\)"),
        (np.zeros((1, 23)), UserError, r"shape \(1, 23\)"),
        (0.0, TypeError, r"array of \(23,\)"),
        (np.full(23, np.nan), UserError, "not finite"),
        (np.full(23, "left"), UserError, "dtype"),
    ],
)
def test_bad_actions_are_named(single, action, error, message):
    single.unwrapped.reset(seed=0)
    with pytest.raises(error, match=message):
        single.unwrapped.step(action)


def test_unknown_reset_option_is_named(single):
    with pytest.raises(UserError, match="unknown reset option 'clip'"):
        single.reset(options={"clip": 1})


def test_changed_motion_file_is_read_again(tmp_path):
    from mimicgym.assets import embedded_motions

    clips = embedded_motions()
    path = tmp_path / "clip.npz"
    path.write_bytes(clips["wave"].read_bytes())
    options = {**OPTIONS, "motion": str(path)}
    first = TrackingEnvironment(**options)
    assert TrackingEnvironment(**options).env is first.env
    path.write_bytes(clips["squat"].read_bytes())
    second = TrackingEnvironment(**options)
    assert second.env is not first.env
    assert int(second.env.reference.clip_end[0]) != int(first.env.reference.clip_end[0])
