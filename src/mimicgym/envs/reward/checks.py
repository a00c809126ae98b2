"""Numbers of a term's configuration that can not be meant."""

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from mimicgym.envs.reward.base import KERNELS
from mimicgym.errors import UserError, unknown_name

# By field: whether a finite number will do, and what to say if not.
_RULES: dict[str, tuple[Callable[[float], bool], str]] = {
    "scale": (lambda x: x > 0, "it must be positive"),
    "share": (lambda x: x > 0, "it must be positive"),
    "period_s": (lambda x: x > 0, "it must be positive"),
    "target_s": (lambda x: x >= 0, "it can not be negative"),
    "threshold_n": (lambda x: x >= 0, "it can not be negative"),
    "offset": (lambda x: 0 <= x <= 1, "between 0 and 1"),
    "stance": (lambda x: 0 <= x <= 1, "between 0 and 1"),
    "target_m": (lambda x: True, "it must be a number"),
}


def check_term(name: str, cfg: Any) -> None:
    """`UserError` for numbers or a kernel that can not be used.

    Where the weight is 0 the other fields do not matter.
    """
    if not math.isfinite(cfg.weight):
        raise UserError(f"reward.{name}.weight is {cfg.weight}; it must be a number")
    if cfg.weight == 0:
        return
    for field in fields(cfg):
        value = getattr(cfg, field.name)
        if field.name == "kernel" and value not in KERNELS:
            raise unknown_name(f"reward.{name}.kernel", value, KERNELS)
        if field.name not in _RULES:
            continue
        good, demand = _RULES[field.name]
        if not (math.isfinite(value) and good(value)):
            raise UserError(f"reward.{name}.{field.name} is {value}; {demand}")
