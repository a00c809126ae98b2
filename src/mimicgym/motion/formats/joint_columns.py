"""Names for joint columns of files that do not name them."""

import numpy as np

from mimicgym.errors import MotionError
from mimicgym.robot import JOINTS_23, JOINTS_29


def joint_names_of(at: str, key: str, joints: np.ndarray) -> tuple[str, ...]:
    """The G1's joints in MuJoCo's order, all 29 or the 23 without wrists.

    Raises:
      MotionError: `joints` (T, J) has another number of columns.
    """
    for names in (JOINTS_29, JOINTS_23):
        if joints.shape[1] == len(names):
            return names
    raise MotionError(
        f"{at}: {key} has {joints.shape[1]} columns; {len(JOINTS_29)} joints are "
        f"needed, or {len(JOINTS_23)} without wrists"
    )
