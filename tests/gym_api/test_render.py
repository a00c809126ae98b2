"""Pictures through the Gymnasium adapters."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from mimicgym.envs import display
from mimicgym.errors import UserError
from tests.gym_api.conftest import ID, OPTIONS, make_vec

SMALL = {"width": 160, "height": 120}


def test_single_picture_shows_the_robot_and_its_ghost():
    env = gymnasium.make(ID, render_mode="rgb_array", **SMALL, **OPTIONS)
    env.reset(seed=0)
    first = env.render()
    assert first.shape == (120, 160, 3) and first.dtype == np.uint8
    # The robot is white and stands before a dark floor; its ghost is blue.
    assert (first[50:].min(axis=-1) > 120).sum() > 50
    for _ in range(10):
        env.step(np.full(23, 0.1, np.float32))
    assert _blue(env.render()) > _blue(first) + 50
    env.close()


def _blue(frame: np.ndarray) -> int:
    """Pixels below the horizon that are strongly blue."""
    red, _, blue = np.moveaxis(frame[40:].astype(int), -1, 0)
    return int((blue - red > 60).sum())


def test_vector_pictures_are_a_tuple_of_one_for_each_row():
    envs = make_vec(3, render_mode="rgb_array", **SMALL)
    envs.reset(seed=0)
    frames = envs.render()
    assert isinstance(frames, tuple) and len(frames) == 3
    assert all(f.shape == (120, 160, 3) and f.dtype == np.uint8 for f in frames)
    assert not np.array_equal(frames[0], frames[1])
    single = gymnasium.make(ID, render_mode="rgb_array", **SMALL, **OPTIONS)
    single.reset(seed=1)
    # The last bits of a pose may move an edge by a pixel.
    assert (single.render() != frames[1]).mean() < 0.005
    assert (single.render() != frames[0]).mean() > 0.02
    envs.close()


def test_render_without_a_mode_warns(single):
    single.unwrapped.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert single.unwrapped.render() is None
    envs = make_vec(3)
    envs.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert envs.render() is None


def test_window_without_a_screen_is_refused(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    env = gymnasium.make(ID, render_mode="human", **OPTIONS)
    with pytest.raises(UserError, match="rgb_array"):
        env.reset(seed=0)


class FakeWindow:
    """Takes down what it is told to draw."""

    drawn: list[tuple[np.ndarray, np.ndarray]] = []  # noqa: RUF012
    closed = 0

    def __init__(self, robot, terrain):
        self.robot = robot

    def draw(self, qpos, ghost_qpos):
        self.drawn.append((qpos.copy(), ghost_qpos.copy()))

    def close(self):
        FakeWindow.closed += 1


@pytest.fixture
def window(monkeypatch):
    monkeypatch.setattr(display, "Window", FakeWindow)
    monkeypatch.setattr(FakeWindow, "drawn", [])
    monkeypatch.setattr(FakeWindow, "closed", 0)
    return FakeWindow


def test_human_mode_draws_at_each_reset_and_step_and_closes(window):
    env = gymnasium.make(ID, render_mode="human", **OPTIONS)
    env.reset(seed=0)
    env.step(np.zeros(23, np.float32))
    assert env.render() is None
    assert len(window.drawn) == 3
    for qpos, ghost in window.drawn:
        assert qpos.shape == ghost.shape == (30,)
    # The start is on the reference, but for the preset's noise; 0.1 rad is far more.
    qpos, ghost = window.drawn[0]
    assert np.abs(qpos - ghost).max() < 0.15
    env.close()
    env.close()
    assert window.closed == 1


def test_human_mode_of_a_vector_shows_its_first_row(window):
    envs = make_vec(3, render_mode="human")
    envs.reset(seed=0)
    first = np.asarray(envs.unwrapped._batch.state.physics.qpos[0])
    np.testing.assert_array_equal(window.drawn[0][0], first)
    envs.close()


@pytest.mark.filterwarnings("error")
def test_gymnasiums_checker_renders_all_modes(window):
    env = gymnasium.make(ID, render_mode="rgb_array", **SMALL, **OPTIONS)
    check_env(env.unwrapped)
    assert window.drawn
    env.close()
