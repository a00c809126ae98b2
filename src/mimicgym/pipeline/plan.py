"""What a pipeline is going to do: every stage's configuration, made and checked before
the first of them starts."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path
from typing import Any

from mimicgym.configs import override
from mimicgym.envs.make import library_of, make_env
from mimicgym.envs.observation.registry import GATED
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError, unknown_message
from mimicgym.folders import unwritable
from mimicgym.motion import load_library
from mimicgym.pipeline.file import PipelineFile
from mimicgym.pipeline.motions import StageMotions, stage_motions
from mimicgym.pipeline.source import (
    Source,
    check_source,
    check_teacher,
    layout_of,
    named,
    run_source,
)
from mimicgym.pipeline.stage import Stage
from mimicgym.ppo.matching import Layout
from mimicgym.run import RunConfig, run_config
from mimicgym.tasks import get_task

LIST = "motions.yaml"
# How often a stage with a success to reach is evaluated, unless it says so itself.
EVAL_EVERY = 50


@dataclass(frozen=True, eq=False)
class Planned:
    """A stage that can be run.

    Attributes:
      folder: of its run.
      config: of its run.
      clips: names of its clips.
      motions: what `folder`'s list of clips has to hold; None if there is none.
      layout: what its networks see.
      source: where its weights come from.
      teachers: whom it imitates.
    """

    stage: Stage
    folder: Path
    config: RunConfig
    clips: tuple[str, ...]
    motions: StageMotions | None
    layout: Layout
    source: Source | None
    teachers: tuple[Source, ...]

    @property
    def as_source(self) -> Source:
        return Source(self.stage.name, self.folder, self.config, self.layout)

    def definition(self) -> dict[str, Any]:
        """All that the file says of the stage, in JSON types."""
        items: list[Any] = list(self.config.env.motion.clips)
        if self.motions is not None:
            items = self.motions.items
        return self.stage.to_dict() | {"motions": items}


def plan(file: PipelineFile, out: Path) -> tuple[Planned, ...]:
    """The stages of a file, to be run below `out`.

    Raises:
      UserError: any of them can not be run; the message names file, stage, key and
        value.
    """
    # A later stage's too, which is needed after hours only.
    for folder in (out, *(out / stage.name for stage in file.stages)):
        _check_folder(folder)
    names = [stage.name for stage in file.stages]
    done: dict[str, Planned] = {}
    for stage in file.stages:
        with _told(f"{file.path}: stage {stage.name!r}"):
            done[stage.name] = _planned(file, stage, out, done, names)
    return tuple(done.values())


def _check_folder(folder: Path) -> None:
    """`UserError` for a folder that can not be made or written to."""
    reason = unwritable(folder)
    if reason is not None:
        raise UserError(
            f"a pipeline can not be written to {folder}: {reason}; name another folder"
            " by --out"
        )


def _planned(
    file: PipelineFile,
    stage: Stage,
    out: Path,
    done: Mapping[str, Planned],
    names: Sequence[str],
) -> Planned:
    def find(key: str, text: str) -> Source:
        name, folder = named(text)
        if folder in done and not text.count("="):
            return done[folder].as_source
        if folder in names:
            raise UserError(
                f"{key} is {text!r}, which does not come before it; stages run in the"
                " order of the file"
            )
        for path in (file.path.parent / folder, Path(folder)):
            if (path / "config.json").is_file():
                return run_source(name, path)
        message = unknown_message("stage", text, done)
        raise UserError(f"{key}: {message}; or the folder of a run")

    folder = out / stage.name
    motions = stage_motions(file, stage)
    teachers = tuple(find("teachers", text) for text in stage.teachers)
    source = find("from", stage.source) if stage.source is not None else None
    config = _config(stage, folder, motions, teachers)
    if config.num_seeds != 1:
        raise UserError(
            f"overrides: num_seeds is {config.num_seeds}; in a pipeline it has to be 1,"
            " for a stage takes the weights of one run"
        )
    config.ppo.check(config.num_envs)
    config.training.check()
    config.logging.check()
    if stage.success is not None and config.training.eval_every == 0:
        raise UserError(
            f"success is {stage.success}, which is looked for in evaluations:"
            " training.eval_every has to be above 0"
        )
    env = _env(config, motions if config.env.motion.clips == _list(folder) else None)
    layout = layout_of(env)
    planned = Planned(
        stage,
        folder,
        config,
        env.reference.clip_names,
        motions,
        layout,
        source,
        teachers,
    )
    if source is not None:
        check_source(source, config, layout)
    _check_teachers(planned, env)
    return planned


def _list(folder: Path) -> tuple[str, ...]:
    return (str(folder / LIST),)


def _config(
    stage: Stage,
    folder: Path,
    motions: StageMotions | None,
    teachers: Sequence[Source],
) -> RunConfig:
    """What the stage says, over its task; its overrides over everything."""
    config = run_config(
        stage.task,
        robot=stage.robot,
        engine=stage.engine,
        num_envs=stage.num_envs,
        seed=stage.seed,
    )
    if stage.learner is not None:
        learner = get_task(stage.learner).preset
        config = replace(config, ppo=learner.ppo)
        if stage.num_envs is None:
            config = replace(config, num_envs=learner.num_envs)
    changes: dict[str, Any] = {}
    if motions is not None:
        changes["env.motion.clips"] = motions.clips or _list(folder)
    if stage.terrain:
        changes["env.terrain.ground"] = stage.terrain
    if stage.success is not None:
        changes["training.eval_every"] = EVAL_EVERY
    if stage.init_std is not None:
        changes["ppo.init_std"] = stage.init_std
    if teachers:
        changes["teachers"] = [_teacher(teacher) for teacher in teachers]
    if len(teachers) == 1:
        changes["env.motion.teacher"] = teachers[0].name
    if teachers and not config.env.observation.teacher:
        changes["env.observation.teacher"] = _seen(teachers)
    config = override(config, changes)
    with _told("overrides"):
        return override(config, _settings(config, stage.overrides))


def _teacher(teacher: Source) -> str:
    """FOLDER, or NAME=FOLDER where it has another name than its folder."""
    folder = str(teacher.folder)
    return folder if teacher.folder.name == teacher.name else f"{teacher.name}={folder}"


def _seen(teachers: Sequence[Source]) -> list[str]:
    """What any of them sees."""
    terms = [term for teacher in teachers for term, _ in teacher.layout["actor"]]
    return list(dict.fromkeys(term.removeprefix(GATED) for term in terms))


def _settings(config: Any, table: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Dotted settings of tables in tables, as deep as the configuration goes."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        inner = config
        for part in key.split("."):
            inner = getattr(inner, part, None)
        if isinstance(value, Mapping) and is_dataclass(inner):
            found |= _settings(inner, value, f"{path}{key}.")
        else:
            found[f"{path}{key}"] = value
    return found


def _env(config: RunConfig, listed: StageMotions | None) -> TrackingEnv:
    """The stage's environment, whose list of clips has not been written yet."""
    if listed is None:
        return make_env(config.env, library_of(config.env))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / LIST
        path.write_text(listed.text(), encoding="utf-8")
        motion = config.env.motion
        library = load_library(
            [str(path)],
            fps=motion.fps,
            quat_order=motion.quat_order,
            skip_bad=motion.skip_bad,
        )
    return make_env(config.env, library)


def _check_teachers(planned: Planned, env: TrackingEnv) -> None:
    """`UserError` for teachers that can not teach this stage."""
    ppo, teachers = planned.config.ppo, {t.name: t for t in planned.teachers}
    imitates = ppo.bc_coef > 0 or bool(ppo.bc_coef_end)
    if teachers and not imitates:
        raise UserError(
            f"teachers is {list(planned.stage.teachers)}, but ppo.bc_coef is 0: nothing"
            " is imitated"
        )
    if imitates and not teachers:
        raise UserError(f"ppo.bc_coef is {ppo.bc_coef}, but there are no teachers")
    if len(teachers) < len(planned.teachers):
        raise UserError(
            f"teachers is {list(planned.stage.teachers)}: two of one name; tell them"
            " apart by NAME=FOLDER"
        )
    known = env.reference.teachers
    for name in known if teachers else ():
        if name not in teachers:
            raise UserError(f"motions: {unknown_message('teacher', name, teachers)}")
    for name, teacher in teachers.items():
        if name not in known:
            raise UserError(
                f"teachers: no clip has the teacher {name!r}; name it as teacher in"
                " motions"
            )
        check_teacher(teacher, planned.config, planned.layout)


@contextmanager
def _told(at: str) -> Iterator[None]:
    """Put where it happened before what is told of it."""
    try:
        yield
    except UserError as error:
        text = str(error)
        raise UserError(text if text.startswith(at) else f"{at}: {text}") from error
