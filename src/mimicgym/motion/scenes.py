"""Which ground a clip comes with: what it says itself, or a file beside it."""

import os
from dataclasses import replace
from pathlib import Path

from mimicgym.errors import MotionError
from mimicgym.motion.clip import Finding, Motion
from mimicgym.terrain.scene_file import MESH_SUFFIXES

# Of files beside a clip: walk.npz stands on walk.terrain.obj.
MARK = ".terrain"
SUFFIXES = (*MESH_SUFFIXES, ".npz")
# VideoMimic's name for the scene of all clips in a folder.
FOLDER_SCENE = "background_mesh.obj"


def on_its_ground(motion: Motion, file: Path) -> Motion:
    """A clip with the ground that it comes with as its `terrain`.

    The first of these that there is: what the clip says itself, where a file's name is
    relative to the clip's folder; NAME.terrain.obj (.ply, .stl, .glb, .npz) beside
    NAME.npz or whatever the clip's suffix is; background_mesh.obj in its folder. A note
    tells of the latter two.

    Raises:
      MotionError: more than one NAME.terrain file is there.
    """
    if motion.terrain:
        return replace(motion, terrain=located(file.parent, motion.terrain))
    scene = scene_beside(file)
    if scene is None:
        return _with_hint(motion, file)
    text = f"it stands on {scene.name}, which lies beside it"
    mend = "another ground, or terrain: flat, in a YAML list"
    note = Finding("terrain", "note", text, mend)
    return replace(motion, terrain=str(scene), findings=(*motion.findings, note))


def scene_beside(file: Path) -> Path | None:
    """The file with the ground of a clip's file, see `on_its_ground`."""
    named = [file.with_suffix(MARK + suffix) for suffix in SUFFIXES]
    # os.path answers False where pathlib raises: names too long, or with odd bytes.
    found = [scene for scene in named if os.path.isfile(scene)]
    if len(found) > 1:
        names = ", ".join(scene.name for scene in found)
        raise MotionError(
            f"{file}: {names} lie beside it and it can stand on one; remove the others,"
            f" or name one as terrain in a YAML list"
        )
    if found:
        return found[0]
    shared = file.with_name(FOLDER_SCENE)
    return shared if os.path.isfile(shared) else None


def is_scene(file: Path) -> bool:
    """Whether a file's name is that of a ground beside a clip, not of a clip."""
    return file.suffix in SUFFIXES and file.stem.endswith(MARK)


def located(folder: Path, terrain: str) -> str:
    """A ground as it is to be named from anywhere: if it is a file in `folder`, perhaps
    with settings after a colon, then with the folder before it."""
    named = os.path.expanduser(terrain)
    # ".." leads out of where a link leads to, but readers may take it out before.
    linked = os.path.realpath(folder) != os.path.abspath(folder)
    if linked and ".." in Path(named).parts:
        folder = Path(os.path.realpath(folder))
    for file in (named, named.rpartition(":")[0]):
        if file and os.path.isfile(folder / file):
            return str(folder / named)
    return terrain


def _with_hint(motion: Motion, file: Path) -> Motion:
    """A note on a mesh that has the clip's name and is not taken for its ground."""
    for suffix in MESH_SUFFIXES:
        mesh = file.with_suffix(suffix)
        if os.path.isfile(mesh):
            wanted = mesh.with_suffix(MARK + suffix).name
            text = f"{mesh.name} beside it is not taken for its ground"
            note = Finding("terrain", "note", text, f"name it {wanted} if it is")
            return replace(motion, findings=(*motion.findings, note))
    return motion
