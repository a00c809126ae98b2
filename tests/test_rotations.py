"""Rotations against SciPy, an independent implementation in float64."""

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from scipy.spatial.transform import Rotation, Slerp

from mimicgym import rotations as rot

TOL = 2e-6
IDENTITY = (1.0, 0.0, 0.0, 0.0)
HALF_TURN_X = (0.0, 1.0, 0.0, 0.0)
HALF_TURN_XY = (0.0, 0.6, 0.8, 0.0)
TINY = (1.0, 3e-6, -2e-6, 1e-6)
NEAR_HALF_TURN = (1e-6, 0.0, 0.6, 0.8)

component = st.floats(-1.0, 1.0, width=32)


@st.composite
def quats(draw):
    q = np.array([draw(component) for _ in range(4)])
    norm = np.linalg.norm(q)
    return tuple(q / norm) if norm > 0.05 else IDENTITY


vectors = st.tuples(*[st.floats(-5.0, 5.0, width=32)] * 3)
some = settings(max_examples=60, deadline=None)


def scipy_of(q) -> Rotation:
    return Rotation.from_quat(np.roll(np.asarray(q, np.float64), -1, axis=-1))


def jit(function):
    """Compiled once for all examples."""
    compiled = jax.jit(function)
    return lambda *args: np.asarray(
        compiled(*[jnp.asarray(a, jnp.float32) for a in args])
    )


MUL, ROTATE = jit(rot.quat_mul), jit(rot.quat_rotate)
ROTATE_INVERSE, TO_ROTVEC = jit(rot.quat_rotate_inverse), jit(rot.quat_to_rotvec)
FROM_ROTVEC, ANGLE = jit(rot.quat_from_rotvec), jit(rot.quat_angle)
HEADING, HEADING_QUAT = jit(rot.heading), jit(rot.heading_quat)
TO_EULER, FROM_EULER = jit(rot.quat_to_euler_xyz), jit(rot.quat_from_euler_xyz)
TO_6D, SLERP, WRAP = jit(rot.quat_to_6d), jit(rot.slerp), jit(rot.wrap_angle)
NORMALIZE, CONJ = jit(rot.quat_normalize), jit(rot.quat_conj)


def assert_same_rotation(q, expected: Rotation, tol=TOL):
    q = np.asarray(q, np.float64)
    assert np.linalg.norm(q, axis=-1) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(scipy_of(q).as_matrix(), expected.as_matrix(), atol=tol)


@some
@given(quats(), quats())
@example(HALF_TURN_X, HALF_TURN_XY)
def test_multiplication_applies_the_right_factor_first(a, b):
    assert_same_rotation(MUL(a, b), scipy_of(a) * scipy_of(b))
    assert_same_rotation(MUL(CONJ(a), MUL(a, b)), scipy_of(b))


@some
@given(quats(), vectors)
@example(HALF_TURN_XY, (1.0, -2.0, 3.0))
def test_rotating_vectors(q, v):
    turned = scipy_of(q)
    np.testing.assert_allclose(ROTATE(q, v), turned.apply(v), atol=2e-5)
    np.testing.assert_allclose(ROTATE_INVERSE(q, v), turned.inv().apply(v), atol=2e-5)


@some
@given(quats())
@example(IDENTITY)
@example(HALF_TURN_X)
@example(HALF_TURN_XY)
@example(TINY)
@example(NEAR_HALF_TURN)
@example((-1.0, -3e-6, 0.0, 0.0))
@example((-0.999999, 0.0014142, 0.0, 0.0))
def test_rotation_vector_is_the_short_way_for_both_signs(q):
    for sign in (1.0, -1.0):
        vector = TO_ROTVEC(sign * np.array(q)).astype(np.float64)
        assert np.linalg.norm(vector) <= np.pi + 1e-6
        # Half a turn may go either way about its axis: compare as rotations.
        np.testing.assert_allclose(
            Rotation.from_rotvec(vector).as_matrix(), scipy_of(q).as_matrix(), atol=TOL
        )


def test_rotation_vector_of_a_tiny_turn_keeps_its_digits():
    for angle in (1e-7, 1e-5, 1e-4, 2.1e-4, 1e-3):
        vector = TO_ROTVEC(FROM_ROTVEC((0.0, angle, 0.0)))
        np.testing.assert_allclose(vector, (0.0, angle, 0.0), rtol=1e-5)


@some
@given(st.tuples(*[st.floats(-7.0, 7.0, width=32)] * 3))
@example((0.0, 0.0, 0.0))
@example((1e-30, 0.0, 0.0))
@example((float(np.float32(np.pi)), 0.0, 0.0))
@example((1e-4, 1e-5, 0.0))
def test_from_rotation_vector_of_any_length(vector):
    assert_same_rotation(FROM_ROTVEC(vector), Rotation.from_rotvec(vector), tol=5e-6)


@some
@given(quats(), quats())
@example(IDENTITY, IDENTITY)
@example(IDENTITY, HALF_TURN_X)
@example(HALF_TURN_XY, NEAR_HALF_TURN)
def test_angle_between_rotations_ignores_signs(a, b):
    expected = (scipy_of(a).inv() * scipy_of(b)).magnitude()
    for sign in (1.0, -1.0):
        assert ANGLE(sign * np.array(a), b) == pytest.approx(expected, abs=3e-6)


def test_angle_of_a_tiny_turn_keeps_its_digits():
    b = FROM_ROTVEC((1e-5, 0.0, 0.0))
    assert ANGLE(IDENTITY, b) == pytest.approx(1e-5, rel=1e-5)
    assert ANGLE(IDENTITY, -b) == pytest.approx(1e-5, rel=1e-5)


@some
@given(quats())
def test_heading_is_where_the_x_axis_points(q):
    x_axis = scipy_of(q).apply([1.0, 0.0, 0.0])
    if np.hypot(x_axis[0], x_axis[1]) < 1e-2:
        return
    expected = Rotation.from_euler("z", np.arctan2(x_axis[1], x_axis[0]))
    for sign in (1.0, -1.0):
        value = HEADING(sign * np.array(q))
        assert_same_rotation(FROM_ROTVEC((0, 0, value)), expected, tol=1e-4)
        assert_same_rotation(HEADING_QUAT(sign * np.array(q)), expected, tol=1e-4)


def test_heading_of_a_vertical_x_axis_is_zero():
    assert HEADING((0.5**0.5, 0.0, 0.5**0.5, 0.0)) == pytest.approx(0.0)


@some
@given(st.floats(-50.0, 50.0, width=32))
@example(0.0)
def test_wrapped_angle_is_the_same_direction(angle):
    wrapped = float(WRAP(angle))
    assert -np.pi - 1e-6 <= wrapped < np.pi + 1e-6
    assert np.cos(wrapped) == pytest.approx(np.cos(angle), abs=1e-5)
    assert np.sin(wrapped) == pytest.approx(np.sin(angle), abs=1e-5)


def test_wrapping_keeps_the_sign_of_a_step_past_half_a_turn():
    assert WRAP(np.pi + 0.1) == pytest.approx(-np.pi + 0.1, abs=1e-6)
    assert WRAP(-np.pi - 0.1) == pytest.approx(np.pi - 0.1, abs=1e-6)


@some
@given(
    st.floats(-3.0, 3.0, width=32),
    st.floats(-1.5, 1.5, width=32),
    st.floats(-3.0, 3.0, width=32),
)
@example(0.0, 0.0, 0.0)
def test_euler_angles_are_fixed_axis_xyz(roll, pitch, yaw):
    expected = Rotation.from_euler("xyz", [roll, pitch, yaw])
    q = FROM_EULER((roll, pitch, yaw))
    assert_same_rotation(q, expected)
    for sign in (1.0, -1.0):
        # Close to the ends of pitch, float32 leaves little of roll and yaw.
        tol = 2e-6 / np.cos(pitch) ** 2 + 2e-6
        np.testing.assert_allclose(TO_EULER(sign * q), (roll, pitch, yaw), atol=tol)


@pytest.mark.parametrize("pitch", [np.pi / 2, -np.pi / 2])
@pytest.mark.parametrize("roll", [0.0, 0.7, -2.0, 3.0])
def test_euler_angles_at_the_gimbal_lock_still_describe_the_rotation(pitch, roll):
    q = FROM_EULER((roll, pitch, 0.4))
    angles = TO_EULER(q).astype(np.float64)
    assert angles[1] == pytest.approx(pitch, abs=1e-3)
    assert_same_rotation(q, Rotation.from_euler("xyz", angles), tol=1e-3)


@some
@given(quats())
def test_6d_is_two_columns_of_the_matrix_row_by_row(q):
    expected = scipy_of(q).as_matrix()[:, :2].reshape(6)
    np.testing.assert_allclose(TO_6D(q), expected, atol=TOL)


@some
@given(quats(), quats(), st.floats(0.0, 1.0, width=32))
@example(IDENTITY, IDENTITY, 0.5)
@example(IDENTITY, TINY, 0.25)
def test_slerp_goes_the_short_way(a, b, fraction):
    if (scipy_of(a).inv() * scipy_of(b)).magnitude() > np.pi - 0.01:
        return  # both ways are as short
    pair = Rotation.concatenate([scipy_of(a), scipy_of(b)])
    expected = Slerp([0.0, 1.0], pair)(fraction)
    for sign in (1.0, -1.0):
        assert_same_rotation(SLERP(sign * np.array(a), b, fraction), expected, 1e-5)


def test_normalising_scales_and_makes_nothing_of_zero():
    np.testing.assert_allclose(NORMALIZE((0.0, 3.0, 0.0, 4.0)), (0.0, 0.6, 0.0, 0.8))
    np.testing.assert_allclose(NORMALIZE((0.0, 0.0, 0.0, 0.0)), IDENTITY)


def test_functions_broadcast_over_leading_axes():
    q = rot.quat_from_rotvec(jnp.ones((5, 1, 3)) * 0.3)
    v = jnp.arange(6.0).reshape(2, 3)
    assert rot.quat_rotate(q, v).shape == (5, 2, 3)
    assert rot.quat_mul(q, q[0]).shape == (5, 1, 4)
    assert rot.quat_to_6d(q).shape == (5, 1, 6)
    assert rot.slerp(q, q, jnp.zeros((5, 1))).shape == (5, 1, 4)
    np.testing.assert_allclose(
        rot.quat_rotate(q, v)[3, 1], rot.quat_rotate(q[3, 0], v[1]), atol=1e-6
    )


SPECIAL = jnp.array(
    [
        IDENTITY,
        (-1.0, 0.0, 0.0, 0.0),
        HALF_TURN_X,
        (0.0, 0.0, 1.0, 0.0),
        (0.0, 0.0, 0.0, 1.0),
        TINY,
        (0.5**0.5, 0.0, 0.5**0.5, 0.0),
        (0.5, 0.5, -0.5, 0.5),
    ]
)


@pytest.mark.parametrize(
    "function",
    [
        rot.quat_normalize,
        rot.quat_to_rotvec,
        rot.heading,
        rot.heading_quat,
        rot.quat_to_euler_xyz,
        rot.quat_to_6d,
        lambda q: rot.quat_angle(q, q),
        lambda q: rot.quat_angle(q, jnp.array(IDENTITY)),
        lambda q: rot.slerp(q, q, 0.3),
        lambda q: rot.slerp(jnp.array(IDENTITY), q, 0.3),
        lambda q: rot.quat_from_rotvec(q[..., 1:]),
    ],
)
def test_values_and_gradients_are_finite_in_special_places(function):
    assert bool(jnp.all(jnp.isfinite(function(SPECIAL))))
    gradient = jax.grad(lambda q: jnp.sum(function(q)))(SPECIAL)
    assert bool(jnp.all(jnp.isfinite(gradient)))


def test_gradient_of_a_small_rotation_vector_is_that_of_the_exact_one():
    jacobian = jax.jacobian(lambda v: rot.quat_to_rotvec(rot.quat_from_rotvec(v)))
    for vector in ((0.0, 0.0, 0.0), (1e-5, 0.0, 2e-5), (0.3, -0.2, 0.1)):
        np.testing.assert_allclose(jacobian(jnp.array(vector)), np.eye(3), atol=1e-5)
