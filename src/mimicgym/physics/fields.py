"""Values of the model that differ from one environment to the next.

`Fields` maps names of mjModel fields ("body_mass", "pair_friction", "opt.gravity") to
arrays of one environment. What is not named is the compiled model's. An array may
leave out the last entries of the field's last axis, which then stay the model's:
`actuator_gainprm` is (J, 10), of which PD control uses (J, 1).

Constants that MuJoCo derives from such fields when it compiles a model are not derived
again, so that a step costs the same: `body_subtreemass` has to be given along with
masses, and the softness of contacts and limits (`dof_invweight0`, `body_invweight0`)
remains that of the compiled model.
"""

from collections.abc import Mapping
from types import MappingProxyType

import jax
import mujoco
import numpy as np

from mimicgym.errors import unknown_name

Fields = Mapping[str, jax.Array]
NO_FIELDS: Fields = MappingProxyType({})
"""The compiled model as it is."""


def model_field(mj: mujoco.MjModel, name: str) -> np.ndarray:
    """The compiled model's values of a field."""
    option = name.removeprefix("opt.")
    value = getattr(mj if option == name else mj.opt, option, None)
    if not isinstance(value, np.ndarray) or value.dtype != np.float64:
        raise ValueError(f"{name!r} is no field of numbers in an mjModel")
    return value


def wrench_body_id(mj: mujoco.MjModel, name: str) -> int:
    """The id of the body that wrenches act on; `UserError` where there is none."""
    bodies = [mj.body(i).name for i in range(1, mj.nbody)]
    if name not in bodies:
        raise unknown_name("body for wrenches", name, bodies)
    return mj.body(name).id


def check_operands(
    mj: mujoco.MjModel,
    decimation: int,
    fields: Fields,
    ctrl: jax.Array | None = None,
    wrench: jax.Array | None = None,
) -> None:
    """ValueError where the shapes for one environment are not those of `Engine`."""
    for name, value in fields.items():
        whole, given = model_field(mj, name).shape, np.shape(value)
        fits = len(given) == len(whole) and given[:-1] == whole[:-1]
        if not fits or not 0 < given[-1] <= whole[-1]:
            raise ValueError(
                f"field {name!r} has shape {given}; the model's is {whole}"
            )
    if ctrl is not None and np.shape(ctrl) not in ((mj.nu,), (decimation, mj.nu)):
        raise ValueError(
            f"joint targets have shape {np.shape(ctrl)}; ({mj.nu},) or, for each "
            f"physics step, ({decimation}, {mj.nu})"
        )
    if wrench is not None and np.shape(wrench) != (6,):
        raise ValueError(f"a wrench has shape {np.shape(wrench)}; it must be (6,)")
