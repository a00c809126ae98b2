"""A model, and space for a batch of environments, for MJX-Warp."""

import copy
from typing import Any, cast

import jax
import jax.numpy as jnp
import mujoco
from mujoco import mjx

from mimicgym.errors import UserError
from mimicgym.physics import warp_kernels
from mimicgym.physics.buffers import Buffers, most_contacts


def check_installed() -> None:
    """`UserError` where MJX has no Warp."""
    try:
        import warp
    except ImportError as error:
        raise UserError(
            "engine 'warp' needs warp-lang: pip install 'mimicgym[warp]'"
        ) from error
    # Not a line for each of a hundred kernels, unless somebody asked for more.
    if warp.config.log_level == warp.LOG_INFO:
        warp.config.log_level = warp.LOG_WARNING


def supported(mj: mujoco.MjModel) -> mujoco.MjModel:
    """The model without a flag that MJX-Warp does not know and does not need: it never
    resets a state by itself."""
    mj = copy.copy(mj)
    mj.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return mj


def put_model(mj: mujoco.MjModel) -> mjx.Model:
    """The model on the device; `UserError` where MJX-Warp lacks something it has."""
    try:
        model = mjx.put_model(mj, device=_device(), impl="warp")
    except (NotImplementedError, ValueError) as error:
        raise UserError(f"engine 'warp' can not have this model: {error}") from error
    changes: dict[str, Any] = {
        f"opt._impl.{name}": value for name, value in options_of(mj).items()
    }
    return cast(mjx.Model, model.tree_replace(changes))


def compile_kernels(mj: mujoco.MjModel, buffers: Buffers) -> None:
    """Have another process fill Warp's cache meanwhile; see `warp_kernels`."""
    warp_kernels.compile_ahead(mj, sizes_of(buffers), options_of(mj), _device())


def options_of(mj: mujoco.MjModel) -> dict[str, Any]:
    """What MJX-Warp sets otherwise, and `MjModel` does not have."""
    matches = max((most_contacts(mj, pair) for pair in range(mj.npair)), default=1)
    return {
        # Kernels would print at every step and not stop; what matters is counted.
        "warn_overflow": 0,
        # Contacts of a pair, for its sensor.
        "contact_sensor_maxmatch": matches,
    }


def sizes_of(buffers: Buffers) -> dict[str, Any]:
    """By the names of `mjx.make_data`."""
    return {
        "naconmax": buffers.contacts,
        "naccdmax": buffers.convex,
        "njmax": buffers.rows,
    }


def _device() -> Any:
    """This process's first; MJX would take the first of all, which can be another's."""
    return jax.local_devices()[0]


def make_data(mj: mujoco.MjModel, buffers: Buffers) -> mjx.Data:
    """Space for one environment."""
    return mjx.make_data(mj, device=_device(), impl="warp", **sizes_of(buffers))


def widened(row: mjx.Data, buffers: Buffers, count: int) -> mjx.Data:
    """`row`, with contacts for so many environments. Those of one are all alike."""
    found = cast(Any, row._impl)
    contacts = buffers.contacts * count
    changes: dict[str, Any] = {
        "_impl.naconmax": contacts,
        "_impl.naccdmax": buffers.convex * count,
    }
    for name in type(found).__annotations__:
        value = getattr(found, name)
        if name.startswith("contact__") and value.shape[0]:
            wide = jnp.broadcast_to(value[:1], (contacts, *value.shape[1:]))
            changes[f"_impl.{name}"] = wide
    return cast(mjx.Data, row.tree_replace(changes))
