"""Quaternion mathematics in `jax.numpy`, for one rotation or broadcast over many.

Quaternions are wxyz in the last axis and, unless said otherwise, of unit length; `q`
and `-q` are the same rotation and every function but `quat_mul` and `quat_conj`
answers the same for both. All functions have finite values and gradients everywhere,
the identity, half turns and gimbal lock included.
"""

import jax
import jax.numpy as jnp

# Below this squared norm a series replaces sin(x)/x and its like: the next term is
# beyond what float32 can hold.
_SMALL = 1e-8


def quat_mul(a: jax.Array, b: jax.Array) -> jax.Array:
    """(..., 4) the rotation `b` followed by `a`."""
    aw, ax, ay, az = _parts(a)
    bw, bx, by, bz = _parts(b)
    return jnp.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def quat_conj(q: jax.Array) -> jax.Array:
    """(..., 4) the inverse rotation of a unit quaternion."""
    return q * jnp.array([1.0, -1.0, -1.0, -1.0], q.dtype)


def quat_normalize(q: jax.Array) -> jax.Array:
    """(..., 4) scaled to unit length; the zero quaternion becomes the identity."""
    norm2 = jnp.sum(q * q, axis=-1, keepdims=True)
    zero = norm2 == 0.0
    unit = q / jnp.sqrt(jnp.where(zero, 1.0, norm2))
    return jnp.where(zero, jnp.array([1.0, 0.0, 0.0, 0.0], q.dtype), unit)


def quat_rotate(q: jax.Array, v: jax.Array) -> jax.Array:
    """(..., 3) the vector `v` turned by `q`: from body axes to world axes."""
    w, u = q[..., :1], q[..., 1:]
    t = 2.0 * jnp.cross(u, v)
    return v + w * t + jnp.cross(u, t)


def quat_rotate_inverse(q: jax.Array, v: jax.Array) -> jax.Array:
    """(..., 3) the vector `v` turned by the inverse of `q`: from world to body axes."""
    w, u = q[..., :1], q[..., 1:]
    t = 2.0 * jnp.cross(u, v)
    return v - w * t + jnp.cross(u, t)


def quat_from_rotvec(rotvec: jax.Array) -> jax.Array:
    """(..., 4) from axis times angle in rad (..., 3), of any length."""
    angle2 = jnp.sum(rotvec * rotvec, axis=-1, keepdims=True)
    small = angle2 < _SMALL
    angle = jnp.sqrt(jnp.where(small, 1.0, angle2))
    w = jnp.where(small, 1.0 - angle2 / 8.0, jnp.cos(angle / 2.0))
    scale = jnp.where(small, 0.5 - angle2 / 48.0, jnp.sin(angle / 2.0) / angle)
    return jnp.concatenate([w, rotvec * scale], axis=-1)


def quat_to_rotvec(q: jax.Array) -> jax.Array:
    """(..., 3) axis times angle in rad, the short way round: at most pi long."""
    w = jnp.where(q[..., :1] < 0.0, -q[..., :1], q[..., :1])
    vec = jnp.where(q[..., :1] < 0.0, -q[..., 1:], q[..., 1:])
    sin2 = jnp.sum(vec * vec, axis=-1, keepdims=True)
    small = sin2 < _SMALL
    sin = jnp.sqrt(jnp.where(small, 1.0, sin2))
    # 2 atan(s / w) / s for small s, where w is near 1.
    safe_w = jnp.where(small, w, 1.0)
    series = 2.0 / safe_w * (1.0 - sin2 / (3.0 * safe_w * safe_w))
    return vec * jnp.where(small, series, 2.0 * jnp.arctan2(sin, w) / sin)


def quat_angle(a: jax.Array, b: jax.Array) -> jax.Array:
    """(...) the angle in [0, pi] rad between two rotations.

    Exact for small angles and near pi alike, which the common 2 asin(|vector part|)
    and 2 acos(w) are not.
    """
    relative = quat_mul(quat_conj(a), b)
    sin2 = jnp.sum(relative[..., 1:] ** 2, axis=-1)
    same = sin2 == 0.0
    sin = jnp.where(same, 0.0, jnp.sqrt(jnp.where(same, 1.0, sin2)))
    return 2.0 * jnp.arctan2(sin, jnp.abs(relative[..., 0]))


def heading(q: jax.Array) -> jax.Array:
    """(...) rad, the direction in the xy plane of the turned x axis, in [-pi, pi].

    It has no meaning where that axis is vertical; the answer is 0 there.
    """
    w, x, y, z = _parts(q)
    return _atan2(2.0 * (x * y + w * z), w * w + x * x - y * y - z * z)


def heading_quat(q: jax.Array) -> jax.Array:
    """(..., 4) the rotation about z by `heading(q)`."""
    half = heading(q) / 2.0
    zero = jnp.zeros_like(half)
    return jnp.stack([jnp.cos(half), zero, zero, jnp.sin(half)], axis=-1)


def wrap_angle(angle_rad: jax.Array) -> jax.Array:
    """(...) the same angle in [-pi, pi)."""
    return jnp.mod(angle_rad + jnp.pi, 2.0 * jnp.pi) - jnp.pi


def quat_to_euler_xyz(q: jax.Array) -> jax.Array:
    """(..., 3) roll, pitch and yaw in rad: turns about the fixed x, then y, then z.

    Pitch lies in [-pi/2, pi/2]. Within 1e-4 rad of either end only roll and yaw
    together mean something; yaw is 0 there.
    """
    w, x, y, z = _parts(q)
    roll_sin, roll_cos = 2.0 * (w * x + y * z), w * w - x * x - y * y + z * z
    yaw_sin, yaw_cos = 2.0 * (x * y + w * z), w * w + x * x - y * y - z * z
    cos2 = yaw_sin * yaw_sin + yaw_cos * yaw_cos
    locked = cos2 < _SMALL
    cos = jnp.where(locked, 0.0, jnp.sqrt(jnp.where(locked, 1.0, cos2)))
    pitch = _atan2(2.0 * (w * y - x * z), cos)
    # With yaw 0 at the lock, q is (pitch about y) times (roll about x).
    roll = jnp.where(locked, wrap_angle(2.0 * _atan2(x, w)), _atan2(roll_sin, roll_cos))
    yaw = jnp.where(locked, 0.0, _atan2(yaw_sin, yaw_cos))
    return jnp.stack([roll, pitch, yaw], axis=-1)


def quat_from_euler_xyz(euler_rad: jax.Array) -> jax.Array:
    """(..., 4) from roll, pitch and yaw (..., 3), see `quat_to_euler_xyz`."""
    cos, sin = jnp.cos(euler_rad / 2.0), jnp.sin(euler_rad / 2.0)
    cr, cp, cy = cos[..., 0], cos[..., 1], cos[..., 2]
    sr, sp, sy = sin[..., 0], sin[..., 1], sin[..., 2]
    return jnp.stack(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ],
        axis=-1,
    )


def quat_to_6d(q: jax.Array) -> jax.Array:
    """(..., 6) the first two columns of the rotation matrix, row by row.

    That is (r00, r01, r10, r11, r20, r21), the order that BeyondMimic's observations
    use for the representation of Zhou et al. (2019).
    """
    x_axis = quat_rotate(q, jnp.array([1.0, 0.0, 0.0], q.dtype))
    y_axis = quat_rotate(q, jnp.array([0.0, 1.0, 0.0], q.dtype))
    return jnp.stack([x_axis, y_axis], axis=-1).reshape(*q.shape[:-1], 6)


def slerp(a: jax.Array, b: jax.Array, fraction: jax.Array | float) -> jax.Array:
    """(..., 4) the rotation at `fraction` (...) of the short way from `a` to `b`."""
    way = quat_to_rotvec(quat_mul(b, quat_conj(a)))
    part = jnp.asarray(fraction)[..., None] * way
    return quat_normalize(quat_mul(quat_from_rotvec(part), a))


def _parts(q: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    return q[..., 0], q[..., 1], q[..., 2], q[..., 3]


def _atan2(y: jax.Array, x: jax.Array) -> jax.Array:
    """atan2 that is 0, with gradient 0, where both are rounding errors of 0."""
    nothing = x * x + y * y < 1e-12
    return jnp.where(
        nothing,
        0.0,
        jnp.arctan2(jnp.where(nothing, 0.0, y), jnp.where(nothing, 1.0, x)),
    )
