"""How a term is sensed: errors, scale, delay and history of one value."""

import math

import jax
import jax.numpy as jnp
from flax import struct

from mimicgym.envs.config import ObservationConfig, Sense
from mimicgym.envs.observation.registry import TERMS
from mimicgym.errors import UserError, unknown_name

NOISE_KINDS = ("uniform", "gaussian")


@struct.dataclass
class Senses:
    """What sensing remembers from step to step, for the terms that need it.

    A buffer holds as many values as the longest delay and a history as many as it
    shows, the newest first.
    """

    offset: dict[str, jax.Array]  # (n,) in the term's unit, by term
    delay: dict[str, jax.Array]  # () int32 control steps, by term
    buffer: dict[str, jax.Array]  # (delay, n) values not delayed yet, by term
    history: dict[str, jax.Array]  # (history, n) by channel: clean_NAME or NAME
    # Of terms that are read anew only now and then: (2,) int32, control steps from one
    # reading to the next and those until the next; and (n,) the last one.
    clock: dict[str, jax.Array] = struct.field(default_factory=dict)
    held: dict[str, jax.Array] = struct.field(default_factory=dict)


def draw_offset(key: jax.Array, sense: Sense, size: int) -> jax.Array:
    """(size,) error of an episode, in the term's unit."""
    own_key, shared_key = jax.random.split(key)
    own = sense.offset * jax.random.normal(own_key, (size,))
    return own + sense.shared_offset * jax.random.normal(shared_key)


def draw_delay(key: jax.Array, sense: Sense) -> jax.Array:
    """() int32 delay of an episode in control steps."""
    least, most = sense.delay
    return jax.random.randint(key, (), least, most + 1, jnp.int32)


def draw_clock(key: jax.Array, sense: Sense) -> jax.Array:
    """(2,) how often a term is read in an episode, and when first after its start."""
    period_key, phase_key = jax.random.split(key)
    least, most = sense.hold
    period = jax.random.randint(period_key, (), least, most + 1, jnp.int32)
    return jnp.stack([period, jax.random.randint(phase_key, (), 0, period)])


def noisy(value: jax.Array, key: jax.Array, sense: Sense) -> jax.Array:
    """(n,) with this step's noise, in the term's unit."""
    if sense.noise:
        if sense.noise_kind == "uniform":
            noise = jax.random.uniform(key, value.shape, minval=-1.0, maxval=1.0)
        else:
            noise = jax.random.normal(key, value.shape)
        value = value + sense.noise * noise
    return value


def with_outliers(value: jax.Array, key: jax.Array, sense: Sense) -> jax.Array:
    """(n,) with some values replaced."""
    if not sense.outliers:
        return value
    which_key, size_key = jax.random.split(key)
    which = jax.random.uniform(which_key, value.shape) < sense.outliers
    odd = 2 * jnp.mean(value) * jax.random.uniform(size_key, value.shape)
    return jnp.where(which, odd, value)


def read_now_and_then(
    value: jax.Array, clock: jax.Array, held: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """The new reading or the one that is held, and the clock one step on.

    An episode's first reading is new.
    """
    period, left = clock
    if held is None:
        return value, clock
    now = left == 0
    left = jnp.where(now, period, left) - 1
    return jnp.where(now, value, held), jnp.stack([period, left])


def scaled(value: jax.Array, sense: Sense) -> jax.Array:
    """(n,) scaled, then clipped."""
    value = sense.scale * value
    return jnp.clip(value, -sense.clip, sense.clip) if sense.clip else value


def delayed(
    value: jax.Array, delay: jax.Array, buffer: jax.Array | None, most: int
) -> tuple[jax.Array, jax.Array]:
    """The value of `delay` steps ago, and the buffer with the newest in front.

    An episode's first value fills the buffer. A delay stays the same over an episode,
    so that values never come out of their order.
    """
    if buffer is None:
        buffer = jnp.broadcast_to(value, (most, *value.shape))
    line = jnp.concatenate([value[None], buffer])
    return line[delay], line[:-1]


def remembered(value: jax.Array, history: jax.Array | None, length: int) -> jax.Array:
    """(length, n) with the newest value in front; an episode's first fills it."""
    if history is None:
        return jnp.broadcast_to(value, (length, *value.shape))
    return jnp.concatenate([value[None], history[:-1]])


def check_senses(cfg: ObservationConfig) -> None:
    """`UserError` for settings of a term that can not be."""
    for name in TERMS:
        sense = getattr(cfg, name)
        path = f"observation.{name}"
        if not math.isfinite(sense.scale):
            raise UserError(f"{path}.scale is {sense.scale}; it must be finite")
        if sense.noise_kind not in NOISE_KINDS:
            raise unknown_name(f"{path}.noise_kind", sense.noise_kind, NOISE_KINDS)
        for field in ("noise", "offset", "shared_offset"):
            size = getattr(sense, field)
            if not 0 <= size < math.inf:  # NaN too
                raise UserError(f"{path}.{field} is {size}; 0 or more, and finite")
        if not sense.clip >= 0:
            raise UserError(f"{path}.clip is {sense.clip}; positive, or 0 for no limit")
        if sense.history < 0:
            raise UserError(
                f"{path}.history is {sense.history}; at least 1, or 0 for "
                f"observation.history"
            )
        if not 0 <= sense.outliers <= 1:
            raise UserError(f"{path}.outliers is {sense.outliers}; from 0 to 1")
        for field, least in (("delay", 0), ("hold", 1)):
            steps = getattr(sense, field)
            if not (
                len(steps) == 2
                and all(isinstance(number, int) for number in steps)
                and least <= steps[0] <= steps[1]
            ):
                raise UserError(
                    f"{path}.{field} is {steps}; two whole numbers of control steps, "
                    f"the least ({least} or more) and the most"
                )
