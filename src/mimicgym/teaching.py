"""Trained runs as teachers of another run.

A clip names its teacher (the key `teacher` of a YAML list, or `motion.teacher` for all
that name none). A teacher is a run's folder, and its name is the folder's, or what
stands before "=" in NAME=FOLDER.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from mimicgym.envs.config import EnvConfig
from mimicgym.envs.make import make_env
from mimicgym.envs.observation.registry import GATED, bare, parse, parts
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError, unknown_name
from mimicgym.ppo import Teacher
from mimicgym.run import RunFolder, load_policy

# What a teacher's action means depends on these.
_CONTROL = (
    "gains",
    "pose",
    "target",
    "target_frames_ahead",
    "action_scale",
    "scale_by_effort",
    "low_pass",
)
_OBSERVATION = ("future_steps", "scan_cells", "scan_size_m")


def named_folders(teachers: Sequence[str]) -> dict[str, Path]:
    """The folder of each teacher by its name; `UserError` for one name twice."""
    found: dict[str, Path] = {}
    for text in teachers:
        name, sign, folder = text.rpartition("=")
        path = Path(folder)
        name = name if sign else path.name
        if name in found:
            raise UserError(
                f"two teachers are called {name!r}; tell them apart by NAME=FOLDER"
            )
        found[name] = path
    return found


def taught_config(config: EnvConfig, teachers: Sequence[str]) -> EnvConfig:
    """`config` with what the teachers see as its group "teacher", if that is empty."""
    if not teachers or config.observation.teacher:
        return config
    terms: dict[str, str] = {}
    for folder in named_folders(teachers).values():
        for text in RunFolder.open(folder).config().env.observation.actor:
            terms.setdefault(text.removeprefix(GATED), "")
    return replace(
        config, observation=replace(config.observation, teacher=tuple(terms))
    )


def load_teachers(env: TrackingEnv, teachers: Sequence[str]) -> tuple[Teacher, ...]:
    """The teachers of an environment's clips, in the order of `Reference.teachers`.

    Args:
      env: one made from a `taught_config`.
      teachers: FOLDER or NAME=FOLDER of each.

    Raises:
      UserError: a clip's teacher is missing or a teacher has no clip; or one acts on
        another robot, in other units, or on what the group "teacher" does not show.
    """
    folders = named_folders(teachers)
    wanted = env.reference.teachers
    if not wanted:
        raise UserError(
            "no clip names a teacher; set motion.teacher, or the key 'teacher' of clips"
            f" in a YAML list, to one of {', '.join(folders)}"
        )
    for name in wanted:
        if name not in folders:
            raise unknown_name("teacher", name, folders)
    for name in folders:
        if name not in wanted:
            raise UserError(
                f"no clip has the teacher {name!r}; clips name {', '.join(wanted)}"
            )
    places = {
        row.term.removeprefix(GATED): (row.start, row.stop)
        for row in env.observation_layout()
        if row.group == "teacher"
    }
    return tuple(_teacher(env.config, name, folders[name], places) for name in wanted)


def _teacher(
    student: EnvConfig,
    name: str,
    folder: Path,
    places: Mapping[str, tuple[int, int]],
) -> Teacher:
    config = RunFolder.open(folder).config().env
    check_alike(student, config, f"teacher {name!r} ({folder})")
    # Its layout, on the student's clips: its own may be gone.
    own = make_env(replace(config, motion=student.motion, terrain=student.terrain))
    columns = []
    for row in own.observation_layout():
        if row.group != "actor":
            continue
        term, size = row.term.removeprefix(GATED), row.stop - row.start
        if term not in places:
            raise UserError(
                f"teacher {name!r} ({folder}) sees {term}, which observation.teacher"
                f" does not show; it shows {', '.join(places)}"
            )
        start, stop = places[term]
        if stop - start != size:
            raise UserError(
                f"teacher {name!r} ({folder}) sees {size} numbers of {term},"
                f" observation.teacher shows {stop - start}"
            )
        columns.append(np.arange(start, stop))
    return Teacher(load_policy(folder), jnp.asarray(np.concatenate(columns), jnp.int32))


def check_alike(student: EnvConfig, teacher: EnvConfig, who: str) -> None:
    """`UserError` where a teacher's numbers mean something else than the student's."""
    pairs = {"robot": (teacher.robot, student.robot)}
    for name in _CONTROL:
        pairs[f"control.{name}"] = (
            getattr(teacher.control, name),
            getattr(student.control, name),
        )
    seen, shown = teacher.observation, student.observation
    for name in _OBSERVATION:
        pairs[f"observation.{name}"] = getattr(seen, name), getattr(shown, name)
    for text in seen.actor:
        channel = parse(text, "actor").channel
        for part in (channel, *parts(channel)):
            term = bare(part)
            for field in ("scale", "clip"):
                pairs[f"observation.{term}.{field}"] = (
                    getattr(getattr(seen, term), field),
                    getattr(getattr(shown, term), field),
                )
    for setting, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise UserError(
                f"{who} was trained with {setting} {theirs!r}; here it is {ours!r}"
            )
