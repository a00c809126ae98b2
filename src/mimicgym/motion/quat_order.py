"""Which of two quaternion orders a table of numbers was written in.

A quaternion near the identity looks upright in either order: read the wrong way, a
small heading becomes a small tilt and the robot faces backwards. The soles tell more
than the pelvis, because for most of nearly every clip one of them lies flat.
"""

import mujoco
import numpy as np

from mimicgym.assets import asset_path
from mimicgym.errors import MotionError
from mimicgym.motion.reader import QUAT_ORDERS

_FEET = ("left_ankle_roll_link", "right_ankle_roll_link")
_MOST_FRAMES = 300
# Over 36 clips of five sources the right order had median sole tilts of 0 to 16
# degrees and the wrong one always more, at least 1.38 times as much and by 3 degrees.
# Cut into 250 pieces of 1.5 s, none is refused in its right order with these figures.
_FLAT_DEG = 25.0
_CLEARLY_WORSE = 1.25
_MARGIN_DEG = 2.5


def check_quat_order(at: str, rows: np.ndarray, quat_order: str) -> None:
    """Refuse a table if the other order makes clearly more sense.

    Args:
      at: the file, for the message.
      rows: (T, 36) finite numbers: root position, root unit quaternion, 29 joints.
      quat_order: "xyzw" or "wxyz".

    Raises:
      MotionError: with the other order the soles are flat, with this one they are not.
    """
    doubt = quat_order_doubt(rows, quat_order)
    if doubt is not None:
        raise MotionError(f"{at}: {doubt}")


def quat_order_doubt(rows: np.ndarray, quat_order: str) -> str | None:
    """Why the other order makes clearly more sense, or None if it does not.

    rows, quat_order: as for `check_quat_order`.
    """
    picked = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_FRAMES)).astype(int)
    other = next(order for order in QUAT_ORDERS if order != quat_order)
    tilt = {order: _sole_tilt_deg(rows[picked], order) for order in QUAT_ORDERS}
    limit = max(_CLEARLY_WORSE * tilt[other], tilt[other] + _MARGIN_DEG)
    if tilt[other] >= _FLAT_DEG or tilt[quat_order] <= limit:
        return None
    return (
        f"the quaternions look like {other}, not {quat_order} (tilt of the flatter "
        f"sole: {tilt[quat_order]:.0f} degrees with {quat_order}, "
        f"{tilt[other]:.0f} with {other}); give quat_order {other} "
        f"(--quat-order {other})"
    )


def _sole_tilt_deg(rows: np.ndarray, quat_order: str) -> float:
    """Median over frames of the angle between the flatter sole and the floor."""
    model = mujoco.MjModel.from_xml_path(str(asset_path("g1", "g1.xml")))
    data = mujoco.MjData(model)
    feet = [model.body(name).id for name in _FEET]
    rows = rows.copy()
    if quat_order == "xyzw":
        rows[:, 3:7] = rows[:, [6, 3, 4, 5]]
    upward = np.empty((len(rows), 2))
    for i, qpos in enumerate(rows):
        data.qpos[:] = qpos
        mujoco.mj_kinematics(model, data)
        upward[i] = data.xmat[feet, 8]  # cosine of the sole's normal with the vertical
    return float(np.degrees(np.median(np.arccos(np.clip(upward.max(axis=1), -1, 1)))))
