"""Rotation matrices (..., 3, 3) in NumPy: made, taken apart, averaged.

A matrix turns column vectors from a part's own axes to the axes around it. All of
these work on any number of leading dimensions.
"""

import numpy as np


def about_axis(axis: int, angle_rad: np.ndarray) -> np.ndarray:
    """(..., 3, 3) right-handed turns by (...) angles about x (0), y (1) or z (2)."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    turns = np.zeros((*np.shape(angle_rad), 3, 3))
    turns[..., axis, axis] = 1.0
    turns[..., i, i] = turns[..., j, j] = cos
    turns[..., j, i] = sin
    turns[..., i, j] = -sin
    return turns


def from_rotation_vectors(vectors_rad: np.ndarray) -> np.ndarray:
    """(..., 3, 3) turns about (..., 3) axes by the axes' lengths.

    Rodrigues' formula, R = I + a K + b K^2 with a = sin(x)/x and b = (1-cos(x))/x^2,
    written with sinc so that it holds at 0 too.
    """
    angle = np.linalg.norm(vectors_rad, axis=-1)[..., None, None]
    cross = np.zeros((*vectors_rad.shape, 3))
    for axis in range(3):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        cross[..., j, i] = vectors_rad[..., axis]
        cross[..., i, j] = -vectors_rad[..., axis]
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2.0 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def nearest_rotations(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) the rotations nearest to any matrices, by singular values.

    The nearest rotation to a sum of rotations is their mean (Markley et al. 2007,
    "Averaging quaternions", says the same in quaternions).
    """
    u, _, vt = np.linalg.svd(matrices)
    mirror = np.sign(np.linalg.det(u @ vt))
    u[..., :, 2] *= mirror[..., None]
    return u @ vt


def from_left_and_up(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(..., 3, 3) columns forward, left, up; up is kept, left made perpendicular."""
    up = unit(up)
    forward = unit(np.cross(left, up))
    return np.stack([forward, np.cross(up, forward), up], axis=-1)


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) of length 1; a zero vector stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0.0, length, 1.0)


def yaw_pitch_roll(matrices: np.ndarray) -> np.ndarray:
    """(..., 3) angles in rad such that R = Rz(yaw) Ry(pitch) Rx(roll).

    With x forward and z up a positive pitch points down.
    """
    yaw = np.arctan2(matrices[..., 1, 0], matrices[..., 0, 0])
    pitch = np.arcsin(np.clip(-matrices[..., 2, 0], -1.0, 1.0))
    roll = np.arctan2(matrices[..., 2, 1], matrices[..., 2, 2])
    return np.stack([yaw, pitch, roll], axis=-1)


def from_yaw_pitch_roll(angles_rad: np.ndarray) -> np.ndarray:
    """(..., 3, 3) the inverse of `yaw_pitch_roll`."""
    yaw, pitch, roll = np.moveaxis(angles_rad, -1, 0)
    return about_axis(2, yaw) @ about_axis(1, pitch) @ about_axis(0, roll)
