"""When feet are on the ground, from where the points of their soles are."""

import numpy as np

# A foot lands when one of its points is both low and slow, and leaves when none is
# any longer, by wider limits. Real clips slide, sink and float by a few centimetres.
_LAND_HEIGHT_M, _LAND_SPEED_M_S = 0.03, 0.5
_LEAVE_HEIGHT_M, _LEAVE_SPEED_M_S = 0.05, 1.0
# The floor is where the lowest point was within this time: motions estimated from video
# drift up and down by centimetres (on stairs, feet seem to be in the air). A jump is
# shorter than the window on both sides; legs held up for longer show their soles.
_FLOOR_WINDOW_S = 0.5
_FACING_DOWN = 0.5  # cosine of 60 degrees
_FLOOR_PERCENTILE = 2.0


def floor_height_m(soles_w: np.ndarray) -> float:
    """Height of the floor under a clip, from its sole points (T, 2, P, 3).

    A low percentile over frames of the lowest point, so that a few bad frames do not
    count.
    """
    lowest = soles_w[..., 2].min(axis=(1, 2))
    return float(np.percentile(lowest, _FLOOR_PERCENTILE))


def estimate_contact(
    soles_w: np.ndarray, foot_up: np.ndarray, dt_s: float
) -> np.ndarray:
    """(T, 2) bool: which foot is on the ground.

    Args:
      soles_w: (T, 2, P, 3) lowest points of the left and right sole.
      foot_up: (T, 2) height of the feet's unit z axes: 1 with the sole flat on the
        ground, -1 upside down.
      dt_s: time between frames.
    """
    height = soles_w[..., 2]
    speed = np.linalg.norm(np.gradient(soles_w, dt_s, axis=0), axis=-1)
    lowest = height.min(axis=(1, 2))
    above = height - _local_floor(lowest, dt_s)[:, None, None]
    down = foot_up[..., None] > _FACING_DOWN
    land = down & (above < _LAND_HEIGHT_M) & (speed < _LAND_SPEED_M_S)
    stay = down & (above < _LEAVE_HEIGHT_M) & (speed < _LEAVE_SPEED_M_S)
    return _hysteresis(land.any(axis=2), stay.any(axis=2))


def _local_floor(lowest: np.ndarray, dt_s: float) -> np.ndarray:
    """(T,) the least of (T,) heights within the window around each frame."""
    reach = max(1, round(_FLOOR_WINDOW_S / dt_s))
    padded = np.pad(lowest, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return windows.min(axis=1)


def _hysteresis(on: np.ndarray, stay: np.ndarray) -> np.ndarray:
    """True from a frame where `on` is, for as long as `stay` is (along the first axis).

    `on` implies `stay`. The state is that of the last frame that decided it.
    """
    frame = np.arange(len(on))[:, None]
    last_on = np.maximum.accumulate(np.where(on, frame, -1), axis=0)
    last_off = np.maximum.accumulate(np.where(stay, -1, frame), axis=0)
    return last_on > last_off
