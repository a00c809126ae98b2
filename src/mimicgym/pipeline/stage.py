"""A stage of a pipeline, as its file has it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mimicgym.errors import UserError, unknown_message
from mimicgym.ppo.transfer import PARTS, USUAL

KEPT = USUAL
"""What starts anew in a stage that takes weights, unless `keep` says otherwise."""


@dataclass(frozen=True)
class Stage:
    """What to train, and from what.

    Attributes:
      name: of the stage and of its run's folder.
      task: see `mimicgym tasks`.
      learner: of another task; that of `task` if None.
      motions: clips, files, patterns and lists, or tables of the keys of a YAML list;
        those of `task` if empty.
      terrain: grounds of clips that name none; those of `task` if empty.
      iterations: after which it ends, at the latest.
      success: share of clips completed in an evaluation at which it ends sooner.
      source: the stage or run that weights come from (the key `from`).
      reinitialize: what starts anew all the same, of `ppo.transfer.PARTS`.
      init_std: deviation of the policy at the start.
      teachers: stages or runs that it imitates.
      overrides: settings of a `RunConfig`, dotted or as tables; `num_seeds` stays 1.
    """

    name: str
    task: str
    iterations: int
    learner: str | None = None
    motions: tuple[str | Mapping[str, Any], ...] = ()
    terrain: tuple[str, ...] = ()
    robot: str | None = None
    engine: str | None = None
    num_envs: int | None = None
    seed: int = 0
    success: float | None = None
    source: str | None = None
    reinitialize: tuple[str, ...] = ()
    init_std: float | None = None
    teachers: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """In JSON types."""
        return asdict(self)


def parse_stage(at: str, table: Mapping[str, Any]) -> Stage:
    """The stage that a table of the file describes.

    Args:
      at: what errors call the stage.

    Raises:
      UserError: a key is unknown, is missing or has a value of another kind.
    """
    for key, value in table.items():
        if key not in KEYS:
            raise UserError(f"{at}: {unknown_message('key', key, KEYS)}")
        fits, words = KEYS[key]
        if not fits(value):
            raise UserError(f"{at}: {key} is {value!r}; {words} is needed")
    for key in ("name", "task", "iterations"):
        if key not in table:
            raise UserError(f"{at}: lacks {key}, {KEYS[key][1]}")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in table.items()
    }
    source = values.pop("from", None)
    parts = _reinitialized(at, source, values)
    return Stage(**values, source=source, reinitialize=parts)


def _reinitialized(
    at: str, source: str | None, values: dict[str, Any]
) -> tuple[str, ...]:
    """What starts anew, of `reinitialize`, `keep` and `init_std`."""
    anew, kept = values.pop("reinitialize", ()), values.pop("keep", ())
    for key, given, choices in (
        ("reinitialize", anew, PARTS),
        ("keep", kept, KEPT),
    ):
        if given and source is None:
            raise UserError(
                f"{at}: {key} is {list(given)}, but there is no 'from': everything"
                " starts anew"
            )
        for part in given:
            if part not in choices:
                raise UserError(
                    f"{at}: {key}: {unknown_message('part', part, choices)}"
                )
    both = set(anew) & set(kept)
    if both:
        raise UserError(f"{at}: {sorted(both)[0]} is in reinitialize and in keep")
    if source is None:
        return ()
    wanted = {*anew, *KEPT} - set(kept)
    if values.get("init_std") is not None:
        wanted.add("std")
    return tuple(part for part in PARTS if part in wanted)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _name(value: Any) -> bool:
    return _text(value) and re.fullmatch(r"\w[\w.-]*", value) is not None


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _share(value: Any) -> bool:
    return _number(value) and 0 < value <= 1


def _positive(value: Any) -> bool:
    return _number(value) and 0 < value < float("inf")


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _clips(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(_text(item) or isinstance(item, Mapping) for item in value)
    )


KEYS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_name, "a name of letters, digits, '.', '_' and '-'"),
    "task": (_text, "the name of a task"),
    "learner": (_text, "the name of a task"),
    "motions": (_clips, "a list of clips or tables, one or more,"),
    "terrain": (_texts, "a list of grounds"),
    "robot": (_text, "the name of a robot"),
    "engine": (_text, "the name of an engine"),
    "num_envs": (_count, "a whole number of 1 or more"),
    "seed": (_seed, "a whole number of 0 or more"),
    "iterations": (_count, "a whole number of 1 or more"),
    "success": (_share, "a share above 0 and up to 1"),
    "from": (_text, "the name of a stage or the folder of a run"),
    "reinitialize": (_texts, f"a list of {', '.join(PARTS)}"),
    "keep": (_texts, f"a list of {', '.join(KEPT)}"),
    "init_std": (_positive, "a number above 0"),
    "teachers": (_texts, "a list of stages or folders of runs"),
    "overrides": (lambda value: isinstance(value, Mapping), "a table of settings"),
}
"""The keys of a stage: whether a value fits, and what fits in words."""
