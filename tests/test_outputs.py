"""Files that can not be written are told before they are worked for."""

import errno
import json
import os

import pytest

from mimicgym.cli import main
from mimicgym.cli.outputs import check_output, write_json, writing
from mimicgym.errors import UserError

# With each, a run that is not there, or a task: what is looked at after the file.
COMMANDS = [
    (["eval", "no_run"], "--json", ".json"),
    (["play", "no_run"], "--video", ".png"),
    (["bench"], "--json", ".json"),
    (["bench"], "--chart", ".png"),
    (["tune"], "--json", ".json"),
    (["tune"], "--out", ".toml"),
    (["task"], "--json", ".json"),
]


@pytest.mark.parametrize(("command", "option", "suffix"), COMMANDS)
def test_every_command_looks_first(command, option, suffix, tmp_path, capsys):
    there = tmp_path / "there"
    there.write_text("")
    file = there / f"new{suffix}"
    assert main([*command, option, str(file)]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"mimicgym {command[0]}: {option}: {file} can not be written:"
        f" {there} is no folder\n"
    )


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["play", "no_run", "--video", "film.avi"], "ends in .mp4, .gif, .png"),
        (["bench", "--chart", "chart.doc"], "chart.doc; a .png file"),
    ],
)
def test_so_are_other_kinds_of_file(command, words, capsys):
    assert main(command) == 2
    assert words in capsys.readouterr().err


def test_what_can_not_be_written(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="it is a folder"):
        check_output("--json", tmp_path)
    file = tmp_path / "a" / "b" / "c.json"
    check_output("--json", None)
    check_output("--json", file)
    assert not any(tmp_path.iterdir())
    old = tmp_path / "old.json"
    old.write_text("")
    check_output("--json", old)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=rf"^--json: {file} .*: {tmp_path} may not be"):
        check_output("--json", file)
    with pytest.raises(UserError, match=r"old\.json can not .*: it may not be"):
        check_output("--json", old)


def test_folders_are_made_and_later_failures_told(tmp_path):
    file = tmp_path / "a" / "b.json"
    write_json("--json", None, {})
    write_json("--json", file, {"x": 1})
    assert json.loads(file.read_text()) == {"x": 1}
    with (
        pytest.raises(UserError, match=r"--json: .*b\.json .*: No space left"),
        writing("--json", file),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
