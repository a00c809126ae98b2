"""Whether a folder can be written to."""

import os
from pathlib import Path


def unwritable(folder: Path) -> str | None:
    """Why no file can be written to a folder, which may be still to be made; None if
    nothing speaks against it.

    It is only looked at: nothing is made.
    """
    there = folder.absolute()
    while not os.path.lexists(there):
        there = there.parent
    if not os.path.isdir(there):
        return f"{there} is no folder"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{there} may not be written to"
    return None
