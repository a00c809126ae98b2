"""What differs between one episode and the next, drawn for one environment."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np

from mimicgym.envs.config import RandomizationConfig

# Defines the terms.
from mimicgym.envs.randomization import terms as _terms  # noqa: F401
from mimicgym.envs.randomization.registry import Nominal, randomization
from mimicgym.errors import UserError
from mimicgym.robot import RobotModel


class Randomizer:
    """Draws what differs in one episode of one environment.

    Attributes:
      names: the terms that are on.
      nominal: the compiled model's values.
    """

    def __init__(self, cfg: RandomizationConfig, model: RobotModel):
        self.cfg = cfg
        self.nominal = Nominal.of(model)
        check_randomization(cfg, self.nominal)
        self.names = tuple(n for n in randomization if _is_on(getattr(cfg, n)))

    def draw(self, key: jax.Array) -> dict[str, jax.Array]:
        """Model fields of one environment, for an engine; only those that differ."""
        present = jax.tree.map(jnp.asarray, dict(self.nominal.fields))
        changed: dict[str, jax.Array] = {}
        for name in self.names:
            term, cfg = randomization[name], getattr(self.cfg, name)
            changed |= term(_own(key, name), present | changed, self.nominal, cfg)
        return changed

    def encoder_bias(self, key: jax.Array) -> jax.Array:
        """(J,) rad: constant errors of the joint sensors."""
        bound = self.cfg.encoder_bias_rad
        shape = self.nominal.effort_nm.shape
        key = _own(key, "encoder_bias_rad")
        return bound * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)

    def action_delay(self, key: jax.Array) -> jax.Array:
        """() int32: control steps by which actions come late."""
        return _integer(_own(key, "action_delay"), self.cfg.action_delay)

    def control_delay(self, key: jax.Array) -> jax.Array:
        """() int32: physics steps by which joint targets come late."""
        return _integer(_own(key, "control_delay"), self.cfg.control_delay)


def check_randomization(cfg: RandomizationConfig, nominal: Nominal) -> None:
    """`UserError` for a configuration that can not be drawn from."""
    for name in randomization:
        _check_numbers(name, getattr(cfg, name), randomization.above(name))
    _check_numbers("encoder_bias_rad", cfg.encoder_bias_rad, None)
    for name in ("action_delay", "control_delay"):
        _check_numbers(name, getattr(cfg, name), None)
        if any(number != int(number) for number in getattr(cfg, name)):
            raise _bad(name, getattr(cfg, name), "whole numbers")
    mass_kg = float(nominal.fields["body_mass"][nominal.torso])
    if cfg.torso_mass_kg is not None and not cfg.torso_mass_kg[0] > -mass_kg:
        raise _bad("torso_mass_kg", cfg.torso_mass_kg, f"more than -{mass_kg:.3f}")
    if not cfg.gravity_tilt_rad < np.pi / 2:
        raise _bad("gravity_tilt_rad", cfg.gravity_tilt_rad, "less than pi/2")
    gains = nominal.fields["actuator_biasprm"]
    for name, column in (("kp_std", 1), ("kd_std", 2)):
        if getattr(cfg, name) and not gains[:, column].any():
            raise _bad(name, getattr(cfg, name), "0, as torque control has no gains")


def _check_numbers(name: str, value, above: float | None) -> None:
    if value is None:
        return
    numbers = value if isinstance(value, tuple) else (value,)
    if not np.all(np.isfinite(numbers)):
        raise _bad(name, value, "finite")
    if above is None and min(numbers) < 0:
        raise _bad(name, value, "0 or more")
    if above is not None and not min(numbers) > above:
        raise _bad(name, value, f"more than {above:g}")
    if len(numbers) == 2 and numbers[0] > numbers[1]:
        raise _bad(name, value, "the least, then the most")


def _bad(name: str, value: object, allowed: str) -> UserError:
    return UserError(f"randomization.{name} is {value}; it must be {allowed}")


def _is_on(value) -> bool:
    """None, 0 and zeros are off."""
    return value is not None and bool(np.any(value))


def _own(key: jax.Array, name: str) -> jax.Array:
    """A term's key. Its name's checksum stays what it is when terms are added."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def _integer(key: jax.Array, cfg: tuple[int, int]) -> jax.Array:
    return jax.random.randint(key, (), cfg[0], cfg[1] + 1)
