"""Groups of observations: terms from the data on offer, sensed and put together."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mimicgym.envs.config import ObservationConfig
from mimicgym.envs.observation.registry import (
    CLEAN,
    GROUPS,
    TERMS,
    Entry,
    bare,
    observation,
    parse,
    parts,
    unit,
)
from mimicgym.envs.observation.sensing import (
    Senses,
    check_senses,
    delayed,
    draw_clock,
    draw_delay,
    draw_offset,
    noisy,
    read_now_and_then,
    remembered,
    scaled,
    with_outliers,
)
from mimicgym.errors import UserError

Groups = dict[str, jax.Array]

# What terms may ask for that is not made of arrays.
_CONSTANTS = ("facts", "dt_s", "cfg")


@dataclasses.dataclass(frozen=True)
class Row:
    """Where a term lies in a group: at [start, stop)."""

    group: str
    term: str
    start: int
    stop: int
    unit: str  # before scaling


class Observer:
    """Computes the observation groups of a configuration.

    A term is sensed once a step: all groups, histories and composites that name it
    show the same value.

    Attributes:
      groups: the terms of each group that has any.
    """

    def __init__(self, cfg: ObservationConfig):
        _check(cfg)
        self.cfg = cfg
        self._entries = {
            group: tuple(parse(text, group) for text in getattr(cfg, group))
            for group in GROUPS
            if getattr(cfg, group)
        }
        for group, row in self._entries.items():
            _check_gated_last(group, row)
        entries = [entry for group in self._entries.values() for entry in group]
        # In an order in which the parts of a channel come before it.
        self._channels = tuple(
            dict.fromkeys(c for e in entries for c in (*parts(e.channel), e.channel))
        )
        self._remembered = tuple(dict.fromkeys(e.channel for e in entries if e.history))
        names = dict.fromkeys(bare(channel) for channel in self._channels)
        self._terms = tuple(name for name in names if name in observation)
        if "future_frames" in names and not cfg.future_steps:
            raise UserError(
                "observation.future_steps is empty, but future_frames is observed; "
                "give at least one number of steps"
            )

    @property
    def gated(self) -> dict[str, tuple[str, ...]]:
        """The entries of each group that networks take through a gate."""
        return {
            group: tuple(entry.text for entry in entries if entry.gated)
            for group, entries in self._entries.items()
        }

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        return {g: tuple(e.text for e in row) for g, row in self._entries.items()}

    def reset(
        self,
        offered: Mapping[str, Any],
        key: jax.Array,
        biases: Mapping[str, jax.Array] | None = None,
    ) -> tuple[Groups, Senses]:
        """Groups at the start of an episode, whose offsets and delays are drawn.

        Args:
          offered: what `mimicgym.envs.terms` lists, but for `cfg`.
          key: all that is random follows from it.
          biases: for terms by name (n,) what their sensor is off by in this episode,
            with or without noise.
        """
        noise_key, episode_key = jax.random.split(key)
        truth = self._truth(offered)
        sizes = self._sizes(truth)
        offset, delay, clock = {}, {}, {}
        for name in filter(self._has_errors, self._channels):
            sense = getattr(self.cfg, name)
            term_key = _term_key(episode_key, name)
            offset_key, delay_key, clock_key = jax.random.split(term_key, 3)
            if sense.offset or sense.shared_offset:
                offset[name] = draw_offset(offset_key, sense, sizes[name])
            if sense.delay[1]:
                delay[name] = draw_delay(delay_key, sense)
            if sense.hold[1] > 1:
                clock[name] = draw_clock(clock_key, sense)
        for name, bias in (biases or {}).items():
            if name in self._channels:
                offset[name] = offset.get(name, 0.0) + bias
        senses = Senses(offset, delay, buffer={}, history={}, clock=clock, held={})
        return self._observe(truth, senses, noise_key)

    def step(
        self, offered: Mapping[str, Any], senses: Senses, key: jax.Array
    ) -> tuple[Groups, Senses]:
        """Groups one control step after the call that gave `senses`."""
        return self._observe(self._truth(offered), senses, key)

    def layout(self, offered: Mapping[str, Any]) -> tuple[Row, ...]:
        """Where each term lies. Only shapes and types of what is offered count, so its
        arrays may be abstract, and nothing is computed."""
        constants = {k: v for k, v in offered.items() if k in _CONSTANTS}
        arrays = {k: v for k, v in offered.items() if k not in _CONSTANTS}
        truth = jax.eval_shape(lambda given: self._truth(given | constants), arrays)
        sizes = self._sizes(truth)
        rows = []
        for group, entries in self._entries.items():
            stop = 0
            for entry in entries:
                values = self._history_length(entry.channel) if entry.history else 1
                start, stop = stop, stop + values * sizes[entry.channel]
                units = unit(bare(entry.channel))
                rows.append(Row(group, entry.text, start, stop, units))
        return tuple(rows)

    def _truth(self, offered: Mapping[str, Any]) -> dict[str, jax.Array]:
        """(n,) of each term that is not a composite, in its unit."""
        return {
            name: jnp.asarray(
                observation.call(name, {**offered, "cfg": getattr(self.cfg, name)})
            )
            for name in self._terms
        }

    def _sizes(self, truth: Mapping[str, Any]) -> dict[str, int]:
        """Numbers in each channel; truth needs shapes only."""
        sizes: dict[str, int] = {}
        for channel in self._channels:
            if listed := parts(channel):
                sizes[channel] = sum(sizes[part] for part in listed)
            else:
                sizes[channel] = truth[bare(channel)].shape[0]
        return sizes

    def _observe(
        self, truth: Mapping[str, jax.Array], senses: Senses, key: jax.Array
    ) -> tuple[Groups, Senses]:
        readings, senses = self._readings(truth, senses, key)
        history = {
            channel: remembered(
                readings[channel],
                senses.history.get(channel),
                self._history_length(channel),
            )
            for channel in self._remembered
        }
        groups = {}
        for group, entries in self._entries.items():
            values = jnp.concatenate(
                [
                    history[e.channel].ravel() if e.history else readings[e.channel]
                    for e in entries
                ]
            )
            clipped = jnp.clip(values, -self.cfg.clip, self.cfg.clip)
            groups[group] = clipped.astype(jnp.float32)
        return groups, dataclasses.replace(senses, history=history)

    def _readings(
        self, truth: Mapping[str, jax.Array], senses: Senses, key: jax.Array
    ) -> tuple[dict[str, jax.Array], Senses]:
        """(n,) of each channel as it is sensed, and what has to be remembered of it."""
        readings: dict[str, jax.Array] = {}
        buffer, clock, held = {}, {}, {}
        for channel in self._channels:
            name, listed = bare(channel), parts(channel)
            sense = getattr(self.cfg, name)
            if listed:
                value = jnp.concatenate([readings[part] for part in listed])
            else:
                value = truth[name]
            if self._has_errors(channel):
                noise_key, odd_key = jax.random.split(_term_key(key, name))
                value = noisy(value, noise_key, sense)
            if not channel.startswith(CLEAN) and name in senses.offset:
                value = value + senses.offset[name]
            if self._has_errors(channel):
                value = with_outliers(value, odd_key, sense)
            value = scaled(value, sense)
            if self._has_errors(channel) and name in senses.clock:
                value, clock[name] = read_now_and_then(
                    value, senses.clock[name], senses.held.get(name)
                )
                held[name] = value
            if self._has_errors(channel) and name in senses.delay:
                value, buffer[name] = delayed(
                    value, senses.delay[name], senses.buffer.get(name), sense.delay[1]
                )
            readings[channel] = value
        return readings, dataclasses.replace(
            senses, buffer=buffer, clock=clock, held=held
        )

    def _has_errors(self, channel: str) -> bool:
        return self.cfg.noise and not channel.startswith(CLEAN)

    def _history_length(self, channel: str) -> int:
        return getattr(self.cfg, bare(channel)).history or self.cfg.history


def _term_key(key: jax.Array, name: str) -> jax.Array:
    """A key of the term's own, so that its errors do not depend on other terms."""
    return jax.random.fold_in(key, TERMS.index(name))


def _check_gated_last(group: str, entries: Sequence[Entry]) -> None:
    for before, after in itertools.pairwise(entries):
        if before.gated and not after.gated:
            raise UserError(
                f"observation.{group} has {after.text!r} after {before.text!r}; gated_ "
                "entries come last"
            )
    if entries[0].gated:
        raise UserError(
            f"observation.{group} starts with {entries[0].text!r}; at least one entry "
            "has to be without a gate"
        )


def _check(cfg: ObservationConfig) -> None:
    for group in ("actor", "critic"):
        if not getattr(cfg, group):
            raise UserError(f"observation.{group} is empty; name at least one term")
    if not cfg.clip > 0:  # NaN too
        raise UserError(f"observation.clip is {cfg.clip}; it must be positive")
    if cfg.history < 1:
        raise UserError(f"observation.history is {cfg.history}; at least 1")
    if any(steps < 0 for steps in cfg.future_steps):
        raise UserError(
            f"observation.future_steps is {cfg.future_steps}; frames ahead, 0 or more"
        )
    check_senses(cfg)
