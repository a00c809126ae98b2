"""Where a stage's weights and its teachers' actions come from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mimicgym.configs import difference
from mimicgym.envs.config import EnvConfig, MotionConfig, TerrainConfig
from mimicgym.envs.make import make_env
from mimicgym.envs.observation.registry import GATED
from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.ppo import Checkpoints, LearnerState
from mimicgym.ppo.matching import Layout, match_terms
from mimicgym.ppo.stored import read_arrays
from mimicgym.ppo.transfer import Transfer, transfer
from mimicgym.run import RunConfig, RunFolder
from mimicgym.teaching import check_alike, taught_config

# With another value of these, weights taken would be those of another policy.
_SAME_POLICY = ("hidden", "activation", "normalize_observations")


@dataclass(frozen=True, eq=False)
class Source:
    """A run that there is, or that there will be when it is needed.

    Attributes:
      name: what the file calls it.
      folder: of the run.
      config: of the run.
      layout: what its networks see.
    """

    name: str
    folder: Path
    config: RunConfig
    layout: Layout


def named(text: str) -> tuple[str, str]:
    """Name and folder of FOLDER or NAME=FOLDER."""
    name, sign, folder = text.rpartition("=")
    return (name if sign else Path(folder).name), folder


def run_source(name: str, folder: Path) -> Source:
    """A run that was trained before."""
    run = RunFolder.open(folder)
    config = run.config()
    checkpoints, iteration = run.pick()
    sizes = checkpoints.meta(iteration)["observation_sizes"]
    # Terms and their sizes do not depend on clips, grounds or engines, and those that
    # it was trained on may be gone.
    env = replace(
        config.env,
        motion=MotionConfig(clips=("stand",)),
        terrain=TerrainConfig(),
        engine="native",
    )
    layout = _taught_layout(env, config.teachers)
    told = sum(size for _, size in layout.get("teacher", ()))
    if told != sizes.get("teacher", 0):
        # Its teachers were others, so nobody knows what it was shown of them.
        layout = {group: terms for group, terms in layout.items() if group != "teacher"}
    return Source(name, folder, config, layout)


def _taught_layout(env: EnvConfig, teachers: Sequence[str]) -> Layout:
    """As of an environment to train in, where its teachers can still be asked."""
    try:
        return layout_of(make_env(taught_config(env, teachers)))
    except UserError:
        return layout_of(make_env(env))


def layout_of(env: TrackingEnv) -> Layout:
    """The terms of each group with their sizes."""
    found: dict[str, list[tuple[str, int]]] = {}
    for row in env.observation_layout():
        found.setdefault(row.group, []).append((row.term, row.stop - row.start))
    return {group: tuple(terms) for group, terms in found.items()}


def check_source(source: Source, config: RunConfig, layout: Layout) -> None:
    """`UserError` where a run's weights would be worth nothing to a stage."""
    there, here = source.config, config
    pairs = {"env.robot": (there.env.robot, here.env.robot)}
    for name in _SAME_POLICY:
        pairs[f"ppo.{name}"] = getattr(there.ppo, name), getattr(here.ppo, name)
    for setting, (theirs, ours) in pairs.items():
        if theirs != ours:
            raise UserError(
                f"from is {source.name!r}, which has {setting} {theirs!r}, here it is"
                f" {ours!r}: its weights can not be taken"
            )
    if not match_terms(source.layout["actor"], layout["actor"]).taken:
        raise UserError(
            f"from is {source.name!r}, whose policy sees nothing that is seen here:"
            f" {_names(source.layout['actor'])}; here {_names(layout['actor'])}"
        )


def check_teacher(teacher: Source, config: RunConfig, layout: Layout) -> None:
    """`UserError` for a teacher whose actions mean something else here, or that is not
    shown what it has to see."""
    check_alike(config.env, teacher.config.env, f"teachers: {teacher.name!r}")
    if teacher.config.ppo.memory:
        raise UserError(
            f"teachers: {teacher.name!r} has a memory (ppo.memory is"
            f" {teacher.config.ppo.memory}), which teachers must not have"
        )
    shown = {term.removeprefix(GATED): size for term, size in layout["teacher"]}
    for term, size in teacher.layout["actor"]:
        found = shown.get(term.removeprefix(GATED))
        if found != size:
            has = "is not there" if found is None else f"is {found} numbers"
            raise UserError(
                f"teachers: {teacher.name!r} sees {size} numbers of {term}, which in"
                f" env.observation.teacher {has}; it has {_names(layout['teacher'])}"
            )


def changed_settings(source: Source, config: RunConfig) -> list[str]:
    """Lines "setting: there, here" of all that is set otherwise than it was."""
    return difference(source.config, config)


def weights_from(
    source: Source,
    layout: Layout,
    reinitialize: tuple[str, ...],
    on_transfer: Callable[[int, Transfer], None],
) -> Callable[[LearnerState], LearnerState]:
    """What fills a fresh learner's state with the newest weights of a run.

    on_transfer: told of the checkpoint's iteration and of what was taken.
    """

    def fill(fresh: LearnerState) -> LearnerState:
        checkpoints = source.folder / "checkpoints"
        iteration = Checkpoints(checkpoints).latest()
        state, told = transfer(
            read_arrays(checkpoints, iteration),
            fresh,
            there=source.layout,
            here=layout,
            reinitialize=reinitialize,
        )
        on_transfer(iteration, told)
        return state

    return fill


def _names(terms: object) -> str:
    return ", ".join(term for term, _ in terms)  # pyright: ignore
