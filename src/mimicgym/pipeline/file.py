"""Pipeline files: lists of stages in TOML.

    description = "what it is for"

    [motions]                  # clips by name; stages name them "$video"
    video = ["clips/*.npz"]

    [defaults]                 # for stages that do not say it themselves
    num_envs = 512

    [[stage]]
    name = "track"
    task = "quick"
    motions = ["$video"]
    iterations = 300

The keys of a stage are those of `Stage`, with `from` for the source of weights and
`keep` for what does not start anew with them. A stage is one run: of several seeds
(`overrides.num_seeds`) nothing would say which the next stage goes on from.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimicgym.errors import UserError, unknown_message, unknown_name
from mimicgym.pipeline.stage import KEYS, Stage, parse_stage

_SHIPPED = Path(__file__).resolve().parents[1] / "pipelines"
_TOP = ("description", "motions", "defaults", "stage")
# What would be another thing in each stage.
_OWN = ("name", "from", "teachers", "reinitialize", "keep", "init_std")
_SIGN = "$"


@dataclass(frozen=True)
class PipelineFile:
    """What a file says.

    Attributes:
      name: of the pipeline.
      path: of the file; what it names is relative to its folder.
      description: what it is for.
      stages: in the order of the file, without references to sets of motions.
      given: clips that did not come from the file, which are relative to the current
        folder.
    """

    name: str
    path: Path
    description: str
    stages: tuple[Stage, ...]
    given: frozenset[str] = frozenset()


def shipped() -> dict[str, Path]:
    """The files that come with the package, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.toml"))}


def read_file(
    name: str,
    *,
    motions: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> PipelineFile:
    """Read a pipeline.

    Args:
      name: of a file that comes with the package, or the path of one.
      motions: clips in place of the file's: "NAME=CLIP" for a set of motions by name,
        again for each further clip of it; without a name, for all sets.
      changes: keys of stages, for all stages, in place of the file's.

    Raises:
      UserError: there is no such file, or something in it is wrong; the message names
        stage, key and value.
    """
    path = shipped().get(name, Path(name))
    data = _load(name, path)
    for key in data:
        if key not in _TOP:
            raise UserError(f"{path}: {unknown_message('key', key, _TOP)}")
    description = data.get("description", "")
    if not isinstance(description, str):
        raise UserError(f"{path}: description is {description!r}; a text is needed")
    sets = _sets(path, data.get("motions", {}))
    replaced = _replaced(path, sets, motions)
    defaults = _defaults(path, data.get("defaults", {}))
    tables = data.get("stage", [])
    if not isinstance(tables, list) or not tables:
        raise UserError(f"{path}: has no [[stage]]; at least one is needed")
    stages: list[Stage] = []
    for number, table in enumerate(tables, 1):
        at = f"{path}: stage {_called(table, number)}"
        if not isinstance(table, Mapping):
            raise UserError(f"{at} is {table!r}; a table is needed")
        filled = _merged(defaults, table) | dict(changes or {})
        filled = _with_sets(at, filled, sets | replaced)
        stages.append(parse_stage(at, filled))
    _check_names(path, stages)
    given = frozenset(clip for several in replaced.values() for clip in several)
    return PipelineFile(path.stem, path, description, tuple(stages), given)


def _load(name: str, path: Path) -> dict[str, Any]:
    if not path.is_file():
        if path.suffix != ".toml" and path.name == name:
            message = unknown_message("pipeline", name, shipped())
            raise UserError(f"{message}; or the path of a .toml file")
        raise UserError(f"{path}: there is no such file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can not be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: is no TOML: {error}") from error


def _called(table: Any, number: int) -> str:
    name = table.get("name") if isinstance(table, Mapping) else None
    return repr(name) if isinstance(name, str) else str(number)


def _sets(path: Path, table: Any) -> dict[str, list[Any]]:
    fits, words = KEYS["motions"]
    if not isinstance(table, Mapping):
        raise UserError(f"{path}: motions is {table!r}; a table of lists is needed")
    for name, clips in table.items():
        if not fits(clips):
            raise UserError(f"{path}: motions.{name} is {clips!r}; {words} is needed")
    return dict(table)


def _replaced(
    path: Path, sets: Mapping[str, Any], motions: Sequence[str]
) -> dict[str, list[str]]:
    """Sets of motions with the clips that are given in their place."""
    found: dict[str, list[str]] = {}
    for text in motions:
        name, sign, clip = text.partition("=")
        if not sets:
            raise UserError(
                f"{path}: has no [motions] that {text!r} could take the place of"
            )
        if sign and name not in sets:
            raise unknown_name(f"set of motions of {path}", name, sets)
        for chosen in [name] if sign else sets:
            found.setdefault(chosen, []).append(clip if sign else text)
    return found


def _defaults(path: Path, table: Any) -> dict[str, Any]:
    choices = [key for key in KEYS if key not in _OWN]
    if not isinstance(table, Mapping):
        raise UserError(f"{path}: defaults is {table!r}; a table is needed")
    for key in table:
        if key not in choices:
            raise UserError(f"{path}: defaults: {unknown_message('key', key, choices)}")
    return dict(table)


def _merged(defaults: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults with what a table says in their place; overrides one by one."""
    found = dict(defaults) | dict(table)
    for key in set(defaults) & set(table):
        if isinstance(defaults[key], Mapping) and isinstance(table[key], Mapping):
            found[key] = _merged(defaults[key], table[key])
    return found


def _with_sets(at: str, table: dict[str, Any], sets: Mapping[str, list[Any]]) -> Any:
    """A stage's table with the clips of each set that its motions name."""
    motions = table.get("motions")
    if not isinstance(motions, list):
        return table
    found: list[Any] = []
    for item in motions:
        keys = item if isinstance(item, Mapping) else {"clip": item}
        clip = keys.get("clip")
        if not isinstance(clip, str) or not clip.startswith(_SIGN):
            found.append(item)
            continue
        name = clip.removeprefix(_SIGN)
        if name not in sets:
            raise UserError(
                f"{at}: motions: {unknown_message('set of motions', name, sets)}"
            )
        for part in sets[name]:
            whole = dict(part) if isinstance(part, Mapping) else {"clip": part}
            whole |= {k: v for k, v in keys.items() if k != "clip"}
            found.append(part if whole == {"clip": part} else whole)
    return table | {"motions": found}


def _check_names(path: Path, stages: Sequence[Stage]) -> None:
    names = [stage.name for stage in stages]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two stages are called {name!r}")
