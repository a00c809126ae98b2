"""Names of observation terms: the registry, terms made of others, and prefixes.

A channel is a term as it reaches a group: NAME as it is sensed, or clean_NAME without
noise, offset and delay.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax

from mimicgym.envs.config import ObservationConfig, Sense
from mimicgym.envs.mirror import Mirror
from mimicgym.envs.terms import Registry
from mimicgym.errors import UserError, unknown_message

GROUPS = ("actor", "critic", "student", "teacher")
CLEAN = "clean_"
HISTORY = "history_"
GATED = "gated_"


class Observations(Registry):
    """Terms that also say what a mirror makes of them."""

    def __init__(self):
        super().__init__("observation")
        self._mirrors: dict[str, Mirror | None] = {}

    def __call__(self, term: Any = "", *, mirror: Mirror | None = None) -> Any:
        """Decorator: `@observation("m/s", mirror=VECTOR)`, see `mimicgym.envs.mirror`.

        Either may be left out. A term without a mirror works wherever mirror images
        are not asked for.
        """
        if isinstance(term, str):
            return functools.partial(self._register, unit=term, mirror=mirror)
        return self._register(term)

    def _register(
        self,
        term: Callable[..., jax.Array],
        unit: str = "",
        mirror: Mirror | None = None,
    ) -> Callable[..., jax.Array]:
        self._mirrors[term.__name__] = mirror
        return super()._register(term, unit)

    def mirror(self, name: str) -> Mirror:
        """How a term is mirrored; `UserError` where it does not say so."""
        found = self._mirrors[name]
        if found is None:
            raise UserError(
                f"{name} does not say how it is mirrored; register it with "
                "@observation(mirror=...)"
            )
        return found


observation = Observations()

# Terms that are others, one after the other, in the layout of VideoMimic's networks.
COMPOSITES: dict[str, tuple[str, ...]] = {
    # What a real robot's sensors give.
    "torso_real": (
        "base_ang_vel",
        "projected_gravity",
        "joint_pos",
        "joint_vel",
        "last_action",
    ),
    # The same without errors, with what only a simulation knows.
    "torso": (
        "clean_root_height",
        "clean_base_lin_vel",
        "clean_base_ang_vel",
        "clean_projected_gravity",
        "clean_joint_pos",
        "clean_joint_vel",
        "clean_last_action",
    ),
    "deepmimic_lin_ang_vel": ("target_lin_vel", "target_ang_vel"),
}

# Every term, in the order of the configuration. A term's place seeds its noise, so new
# ones go to the end.
TERMS = tuple(
    field.name
    for field in dataclasses.fields(ObservationConfig)
    if isinstance(field.default, Sense)
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry of a group, taken apart."""

    text: str  # as the configuration has it
    channel: str
    history: bool
    gated: bool


def parse(text: str, group: str) -> Entry:
    """An entry of a group; `UserError` when there is no such term."""
    plain = text.removeprefix(GATED)
    channel = plain.removeprefix(HISTORY)
    name = bare(channel)
    if channel.startswith(CLEAN + HISTORY):
        good = f"{HISTORY}{CLEAN}{name.removeprefix(HISTORY)}"
        raise UserError(
            f"observation.{group} holds {text!r}; a history without noise is {good!r}"
        )
    if name not in TERMS:
        what = unknown_message("observation term", name, TERMS)
        raise UserError(f"observation.{group} holds {text!r}: {what}")
    return Entry(text, channel, history=channel != plain, gated=plain != text)


def bare(channel: str) -> str:
    """The term of a channel."""
    return channel.removeprefix(CLEAN)


def parts(channel: str) -> tuple[str, ...]:
    """The channels that a channel consists of; none for a term that stands alone."""
    listed = COMPOSITES.get(bare(channel), ())
    if channel.startswith(CLEAN):
        return tuple(CLEAN + bare(part) for part in listed)
    return listed


def unit(name: str) -> str:
    """The units of a term before scaling, each once; "" where it has none."""
    if name not in COMPOSITES:
        return observation.unit(name)
    units = (observation.unit(bare(part)) for part in COMPOSITES[name])
    return ", ".join(dict.fromkeys(u for u in units if u))


def summary(name: str) -> str:
    """One line on what a term is."""
    if name not in COMPOSITES:
        return observation.summary(name)
    return ", ".join(COMPOSITES[name])
