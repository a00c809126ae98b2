"""The report of a pipeline: what each stage did, and how good the last policy is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mimicgym.pipeline.record import Record
from mimicgym.whole_file import write_text


def write_report(name: str, records: Sequence[Record], out: Path) -> None:
    """Write OUT/report.json and OUT/report.md."""
    data = report(name, records)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "report.json", json.dumps(data, indent=2) + "\n")
    write_text(out / "report.md", as_markdown(data))


def report(name: str, records: Sequence[Record]) -> dict[str, Any]:
    """Everything that is known, in JSON types. "final" are the scores of the last
    stage's policy, once all stages are finished."""
    stages = [_stage(record) for record in records]
    done = all(stage["state"] == "finished" for stage in stages)
    return {
        "pipeline": name,
        "finished": done,
        "seconds": sum(stage["seconds"] for stage in stages),
        "env_steps": sum(stage["env_steps"] for stage in stages),
        "stages": stages,
        "final": stages[-1]["evaluation"] if done else None,
    }


def _stage(record: Record) -> dict[str, Any]:
    planned, data = record.planned, record.data
    found = data.get("result") or data.get("interrupted") or {}
    return {
        "name": planned.stage.name,
        "state": record.state,
        "task": planned.stage.task,
        "run": str(planned.folder),
        "clips": list(planned.clips),
        "teachers": [teacher.name for teacher in planned.teachers],
        "iterations": found.get("iterations", 0),
        "most_iterations": planned.stage.iterations,
        "env_steps": found.get("env_steps", 0),
        "seconds": data.get("seconds", 0.0),
        "evaluation": found.get("evaluation"),
        "weights": data.get("weights"),
    }


COLUMNS = (
    "stage",
    "task",
    "clips",
    "iterations",
    "env steps",
    "minutes",
    "completion",
    "success",
    "mpkpe mm",
    "weights from",
    "teachers",
)


def rows(data: dict[str, Any]) -> list[list[str]]:
    """A row of words for each stage, in the order of `COLUMNS`."""
    return [_row(stage) for stage in data["stages"]]


def _row(stage: dict[str, Any]) -> list[str]:
    mean = (stage["evaluation"] or {}).get("mean", {})
    clips = stage["clips"]
    weights = stage["weights"]
    name = stage["name"]
    if stage["state"] != "finished":
        name += f" ({stage['state']})"
    return [
        name,
        stage["task"],
        ", ".join(clips) if len(clips) <= 4 else f"{len(clips)} clips",
        f"{stage['iterations']} of {stage['most_iterations']}",
        f"{stage['env_steps']:,}",
        f"{stage['seconds'] / 60:.1f}",
        _figure(mean.get("completion"), 3),
        _figure(mean.get("success"), 2),
        _figure(mean.get("mpkpe_mm"), 1),
        "scratch" if weights is None else weights["from"],
        ", ".join(stage["teachers"]) or "-",
    ]


def as_markdown(data: dict[str, Any]) -> str:
    """The report for people."""
    state = "finished" if data["finished"] else "not finished"
    lines = [
        f"# Pipeline {data['pipeline']}",
        "",
        f"{state}; {data['env_steps']:,} environment steps,"
        f" {data['seconds'] / 60:.1f} minutes with compiling and evaluation",
        "",
        *_table(COLUMNS, rows(data)),
        "",
        "Evaluations are deterministic, from each clip's first frame, without noise;"
        " means over clips.",
    ]
    if data["final"] is not None:
        last = data["stages"][-1]["name"]
        lines += ["", f"## The final policy ({last})", "", *_scores(data["final"])]
    for stage in data["stages"]:
        lines += ["", f"## Stage {stage['name']}", "", f"Run: `{stage['run']}`"]
        if stage["weights"] is not None:
            lines += ["", *_weights(stage["weights"])]
        if stage["evaluation"] is not None:
            lines += ["", *_scores(stage["evaluation"])]
    return "\n".join(lines) + "\n"


def _weights(weights: dict[str, Any]) -> list[str]:
    head = (
        f"Weights from {weights['from']} (`{weights['run']}`, iteration"
        f" {weights['iteration']}):"
    )
    lines = [head, "", *(f"- {line}" for line in weights["summary"])]
    if weights["changed"]:
        lines += ["", f"Settings that differ from {weights['from']} (there, here):", ""]
        lines += [f"- `{line}`" for line in weights["changed"]]
    return lines


def _scores(evaluation: dict[str, Any]) -> list[str]:
    heads = ("clip", "frames", "completion", "success", "mpkpe mm", "joints rad")
    found = [
        [
            clip["name"],
            str(clip["frames"]),
            _figure(clip["completion"], 3),
            "yes" if clip["success"] else "no",
            _figure(clip["mpkpe_mm"], 1),
            _figure(clip["joint_error_rad"], 3),
        ]
        for clip in evaluation["clips"]
    ]
    return _table(heads, found)


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    def line(words: Sequence[str]) -> str:
        return "| " + " | ".join(word.replace("|", "\\|") for word in words) + " |"

    return [line(heads), line(["---"] * len(heads)), *map(line, cells)]


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
