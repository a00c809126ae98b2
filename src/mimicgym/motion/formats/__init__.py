"""Motion formats. One module each, named in `READERS` or `WRITERS` and nowhere else."""

from mimicgym.motion.formats import (
    asap,
    gmr,
    locomujoco,
    mimicgym_npz,
    mjlab,
    protomotions,
    unitree_csv,
    videomimic,
)
from mimicgym.motion.reader import Reader, Writer

# The first that accepts a file reads it, so the more particular come first.
READERS: tuple[Reader, ...] = (
    mjlab.READER,
    locomujoco.READER,
    mimicgym_npz.READER,
    protomotions.READER,
    videomimic.READER,
    asap.READER,
    gmr.READER,
    unitree_csv.READER,
)
WRITERS: tuple[Writer, ...] = (
    mimicgym_npz.WRITER,
    unitree_csv.WRITER,
    mjlab.WRITER,
)
