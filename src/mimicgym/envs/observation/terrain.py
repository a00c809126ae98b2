"""What is under the robot."""

import jax
import jax.numpy as jnp

from mimicgym import rotations as rot
from mimicgym.envs.ground import Ground
from mimicgym.envs.mirror import scan_places
from mimicgym.envs.observation.registry import observation
from mimicgym.envs.scan import Scan
from mimicgym.envs.terms import Facts
from mimicgym.physics import RobotState

MOST_M = 5.0


@observation("m", mirror=scan_places)
def terrain_height(
    robot: RobotState, ground: Ground, scan: Scan, facts: Facts
) -> jax.Array:
    """(n * n,) how far below the torso the ground is, on a grid in its heading frame.

    x is forward and y to the left, both from minus to plus half the size; the first n
    values are the row of the least y, x from back to front. At most 5 m; beyond the
    map its edge goes on.
    """
    return _scan(robot, ground, scan.grid_xy, facts, jnp.zeros(3))


@observation("m", mirror=scan_places)
def terrain_height_noisy(
    robot: RobotState, ground: Ground, scan: Scan, facts: Facts
) -> jax.Array:
    """(n * n,) `terrain_height` with the sensor turned by the episode's error in roll,
    pitch and yaw; what else is wrong with it says its `Sense`."""
    return _scan(robot, ground, scan.grid_xy, facts, scan.turn_rad)


def _scan(
    robot: RobotState,
    ground: Ground,
    grid_xy: jax.Array,
    facts: Facts,
    turn_rad: jax.Array,
) -> jax.Array:
    """Lengths of parallel rays, downwards but for the turn.

    A ray's end is found in two steps: down from its start by the length that the
    ground right below has, and again from where that ended.
    """
    torso_w = robot.body_pos_w[facts.torso]
    turned = rot.quat_mul(
        rot.heading_quat(robot.body_quat_w[facts.torso]), rot.quat_from_rotvec(turn_rad)
    )
    grid = jnp.concatenate([grid_xy, jnp.zeros((len(grid_xy), 1))], axis=-1)
    start_w = torso_w + rot.quat_rotate(turned, grid)
    way_w = rot.quat_rotate(turned, jnp.array([0.0, 0.0, -1.0]))
    length_m = start_w[:, 2] - ground.height_at(start_w[:, :2])
    for _ in range(2):
        end_w = start_w + length_m[:, None] * way_w
        below_m = start_w[:, 2] - ground.height_at(end_w[:, :2])
        length_m = below_m / -way_w[2]
    return jnp.clip(length_m, 0.0, MOST_M)
