"""One stage after the other, each in a run folder of its own, going on where an earlier
call was interrupted."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mimicgym.errors import UserError
from mimicgym.pipeline.plan import LIST, Planned
from mimicgym.pipeline.record import Record
from mimicgym.pipeline.report import write_report
from mimicgym.pipeline.source import changed_settings, weights_from
from mimicgym.ppo import Checkpoints
from mimicgym.ppo.transfer import Transfer
from mimicgym.recording import recorded_scores
from mimicgym.run import RunFolder
from mimicgym.training import Progress, train


@dataclass(frozen=True)
class Watch:
    """Who is told of what, and who may stop it.

    Attributes:
      on_stage: of a stage that begins, goes on or was finished before; its state is
        one of "begins", "goes on" and "finished".
      on_iteration: of each iteration.
      on_transfer: of weights that were taken.
      on_note: of what is to be known of a run that is gone on with.
      on_result: of a stage that has ended, with its record.
      should_stop: asked before each iteration.
    """

    on_stage: Callable[[Planned, str], None] = lambda planned, state: None
    on_iteration: Callable[[Planned, Progress], None] = lambda planned, progress: None
    on_transfer: Callable[[Planned, Transfer], None] = lambda planned, told: None
    on_note: Callable[[Planned, str], None] = lambda planned, note: None
    on_result: Callable[[Planned, Record], None] = lambda planned, record: None
    should_stop: Callable[[], bool] = lambda: False


def run_pipeline(
    name: str, stages: Sequence[Planned], out: Path, watch: Watch | None = None
) -> bool:
    """Run all stages that are not finished, and keep the report up to date.

    Returns:
      Whether all are finished; they are not if `should_stop` said so.

    Raises:
      UserError: a stage has begun in that folder as another one (before anything is
        trained), or its training can not go on.
    """
    watch = watch or Watch()
    if (out / "config.json").exists():
        raise UserError(f"{out} holds a run, not a pipeline; name another folder")
    records = [Record(planned) for planned in stages]
    for record in records:
        record.check()
    for record in records:
        if record.finished:
            watch.on_stage(record.planned, "finished")
            continue
        _run_stage(record, watch)
        watch.on_result(record.planned, record)
        write_report(name, records, out)
        if not record.finished:
            return False
    write_report(name, records, out)
    return True


def _run_stage(record: Record, watch: Watch) -> None:
    """Train a stage to its end or until it is stopped, and note what came of it."""
    planned = record.planned
    stage, folder = planned.stage, planned.folder
    run = _begun(folder)
    config = planned.config if run is None else run.config()
    if run is None:
        record.save()
        _clear(folder)
        if planned.motions is not None and planned.motions.clips is None:
            text = planned.motions.text()
            (folder / LIST).write_text(text, encoding="utf-8")
    watch.on_stage(planned, "begins" if run is None else "goes on")
    began = time.perf_counter()
    done = 0 if run is None else Checkpoints(run.checkpoints).latest()
    scores = None
    if run is not None and done >= stage.iterations:
        scores = recorded_scores(run, done)
    if scores is not None:
        # It was stopped between its end and the result.
        iteration, evaluation, ended = done, scores, True
    else:
        result = train(
            config,
            out=folder if run is None else None,
            resume=run,
            # One that was killed within its last evaluation has them already.
            iterations=max(stage.iterations, done),
            success=stage.success,
            initial=None if run is not None else _initial(record, watch),
            on_iteration=lambda progress: watch.on_iteration(planned, progress),
            on_note=lambda note: watch.on_note(planned, note),
            should_stop=watch.should_stop,
        )
        iteration, evaluation = result.iteration, result.evaluation.to_dict()
        ended = iteration >= stage.iterations or not watch.should_stop()
    seconds = record.data.get("seconds", 0.0) + time.perf_counter() - began
    so_far: dict[str, Any] = {
        "iterations": iteration,
        "env_steps": iteration * config.num_envs * config.ppo.num_steps,
        "evaluation": evaluation,
    }
    if ended:
        record.save(seconds=seconds, result=so_far)
    else:
        record.save(seconds=seconds, interrupted=so_far)


def _begun(folder: Path) -> RunFolder | None:
    """The run of a stage that has a checkpoint to go on from."""
    try:
        run = RunFolder.open(folder)
        Checkpoints(run.checkpoints).latest()
    except UserError:
        return None
    return run


def _clear(folder: Path) -> None:
    """Remove what a run has left that ended before its first checkpoint."""
    for name in ("config.json", "metrics.jsonl", "clips.jsonl", "evals.jsonl"):
        (folder / name).unlink(missing_ok=True)


def _initial(record: Record, watch: Watch):
    planned = record.planned
    source = planned.source
    if source is None:
        return None

    def note(iteration: int, told: Transfer) -> None:
        weights = {
            "from": source.name,
            "run": str(source.folder),
            "iteration": iteration,
            "arrays": told.to_dict(),
            "summary": told.summary(),
            "changed": changed_settings(source, planned.config),
        }
        record.save(weights=weights)
        watch.on_transfer(planned, told)

    return weights_from(source, planned.layout, planned.stage.reinitialize, note)
