"""What the Gymnasium adapters tell beside observations and rewards: numbers only."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from mimicgym.envs.tracking import State


def reset_info(state: State) -> dict[str, Any]:
    """Where an episode starts; leaves with or without a leading batch axis."""
    return {"clip": state.clip, "frame": state.frame}


def step_info(state: State) -> dict[str, Any]:
    """Where an episode is, and this step's figures by kind."""
    info: dict[str, Any] = reset_info(state)
    for name, value in state.metrics.items():
        kind, _, term = name.partition("/")
        info.setdefault(kind, {})[term] = value
    return info


def numbers(info: dict[str, Any]) -> dict[str, Any]:
    """The only row of a batched info, as fresh Python numbers."""
    return jax.tree.map(lambda x: np.asarray(x)[0].item(), jax.device_get(info))


def masked(info: Mapping[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Gymnasium's form of batched infos: "key", zero where its mask "_key" is False.

    Without any row there is no key at all. Integers are int64, others float64, as if
    they had been collected from single environments.
    """
    result: dict[str, Any] = {}
    if not mask.any():
        return result
    for name, value in info.items():
        if isinstance(value, Mapping):
            result[name] = masked(value, mask)
        else:
            array = np.asarray(value)
            kind = np.int64 if np.issubdtype(array.dtype, np.integer) else np.float64
            result[name] = np.where(mask, array, 0).astype(kind)
        result[f"_{name}"] = mask.copy()
    return result


def merged(
    stepped: dict[str, Any], started: Mapping[str, Any], rows: np.ndarray
) -> dict[str, Any]:
    """Masked infos of rows that stepped, with the reset infos of the other `rows`."""
    result = dict(stepped)
    for name, value in masked(started, rows).items():
        if name not in stepped:
            result[name] = value
        elif name.startswith("_"):
            result[name] = stepped[name] | value
        else:
            result[name] = np.where(rows, value, stepped[name])
    return result
