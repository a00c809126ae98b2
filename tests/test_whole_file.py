"""Files that are written over: what was there is lost only to what is complete."""

import errno
import os
import resource
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.motion import load_motion, save_motion
from mimicgym.motion.formats.mimicgym_npz import write_with_ground
from mimicgym.terrain import field_from_array, save_field
from mimicgym.whole_file import whole_file

FIELD = field_from_array(np.random.default_rng(0).normal(size=(90, 90)), 0.05)
WRITERS = {
    "mimicgym.npz": lambda path: save_motion(load_motion("walk"), path),
    "table.csv": lambda path: save_motion(load_motion("walk"), path),
    "mjlab.npz": lambda path: save_motion(load_motion("walk"), path, format="mjlab"),
    "ground.npz": lambda path: write_with_ground(load_motion("walk"), FIELD, path),
    "field.npz": lambda path: save_field(FIELD, path),
}


@pytest.fixture
def small_disk():
    """No file gets larger than 20 kB."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_full_disk_leaves_the_old_file(tmp_path, name, small_disk):
    (tmp_path / name).write_text("old")
    with pytest.raises(UserError, match=rf"{name}: can not be written: File too large"):
        WRITERS[name](tmp_path / name)
    assert (tmp_path / name).read_text() == "old"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_files_are_written_in_full_under_their_names(tmp_path, name):
    (tmp_path / name).write_text("old")
    WRITERS[name](tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).stat().st_size > 20_000


def test_a_clip_can_be_written_over_what_it_was_read_from(tmp_path):
    path = tmp_path / "a.npz"
    save_motion(load_motion("stand"), path)
    motion = load_motion(path)
    save_motion(replace(motion, fps=25.0), path)
    assert load_motion(path).fps == 25.0


def test_an_interruption_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as file:
        file.write(b"half")
        assert path.read_text() == "old"
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_links_and_permissions_stay(tmp_path):
    (tmp_path / "store").mkdir()
    real = tmp_path / "store" / "real.txt"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(real)
    with whole_file(link) as file:
        file.write(b"new")
    assert link.is_symlink() and real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path / "store") == ["real.txt"]


def test_what_can_not_be_written_to_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OSError) as caught, whole_file(path) as file:
        file.write(b"new")
    assert caught.value.errno == errno.EACCES and path.read_text() == "old"
    with pytest.raises(IsADirectoryError), whole_file(tmp_path):
        pass
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "none" / "a.txt"):
        pass


def test_what_is_no_ordinary_file_is_written_to():
    with whole_file(Path(os.devnull)) as file:
        file.write(b"gone")
    assert os.path.exists(os.devnull) and not os.path.isfile(os.devnull)
