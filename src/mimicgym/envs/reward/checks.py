"""Numbers of a term's configuration that can not be meant."""

import math
from collections.abc import Callable
from typing import Any

from mimicgym.envs.config import (
    AirTime,
    BodyContacts,
    Force,
    Gait,
    Height,
    Limit,
    Tracking,
)
from mimicgym.envs.reward.base import KERNELS
from mimicgym.errors import UserError, unknown_name

# Whether a finite number will do, and what to say if not.
_Rule = tuple[Callable[[float], bool], str]
_ANY: _Rule = (lambda x: True, "it must be a finite number")
_POSITIVE: _Rule = (lambda x: x > 0, "it must be a positive number")
_NOT_NEGATIVE: _Rule = (lambda x: x >= 0, "it must be a number of 0 or more")
_SHARE: _Rule = (lambda x: 0 <= x <= 1, "between 0 and 1")

# A term with a configuration class of its own checks its fields itself.
_RULES: dict[type, dict[str, _Rule]] = {
    Tracking: {"scale": _POSITIVE},
    AirTime: {"target_s": _NOT_NEGATIVE},
    Height: {"target_m": _ANY},
    Force: {"threshold_n": _NOT_NEGATIVE},
    BodyContacts: {"threshold_n": _NOT_NEGATIVE},
    Limit: {"share": _POSITIVE},
    Gait: {"period_s": _POSITIVE, "offset": _SHARE, "stance": _SHARE},
}


def check_term(name: str, cfg: Any) -> None:
    """`UserError` for numbers or a kernel that can not be used.

    Where the weight is 0 the other fields do not matter.
    """
    _check(f"reward.{name}.weight", cfg.weight, _ANY)
    if cfg.weight == 0:
        return
    if isinstance(cfg, Tracking) and cfg.kernel not in KERNELS:
        raise unknown_name(f"reward.{name}.kernel", cfg.kernel, KERNELS)
    for field, rule in _RULES.get(type(cfg), {}).items():
        _check(f"reward.{name}.{field}", getattr(cfg, field), rule)


def _check(name: str, value: float, rule: _Rule) -> None:
    good, demand = rule
    if not (math.isfinite(value) and good(value)):
        raise UserError(f"{name} is {value}; {demand}")
