"""Make the embedded clips by inverse kinematics.

A clip is one function that returns `Targets`: where feet, centre of mass and pelvis
should be and which posture the joints should take, frame by frame. `solve` turns them
into joint angles with mink, and the result goes to `assets/motions/<name>.npz`. Where
feet leave the ground it also moves the body so that the ground can give the forces that
the motion needs.

The tool runs offline, and the package does not need it. It needs mink and a QP solver:

    pip install "mink" "daqp"
    python tools/make_clips.py            # all clips
    python tools/make_clips.py wave       # one of them
"""

import argparse
from collections.abc import Callable

import numpy as np

from clips.climb_stairs import DESCRIPTION, STAIRS, climb_stairs
from clips.jumping import jumping_jack
from clips.solve import solve
from clips.standing import kick, squat, stand_still, wave
from clips.targets import ASSETS, FPS, Stand, Targets
from clips.walking import march, side_step, turn, walk

CLIPS: dict[str, tuple[Callable[[Stand], Targets], str]] = {
    "stand": (stand_still, "quiet standing with a little sway"),
    "wave": (wave, "stand, wave the right hand, stand"),
    "squat": (squat, "two squats with the arms forward"),
    "march": (march, "eight steps on the spot with the knees up"),
    "walk": (walk, "walk 4 m straight ahead and stop"),
    "side_step": (side_step, "two side steps to the left and two back"),
    "turn": (turn, "turn on the spot by 180 degrees to the left"),
    "jumping_jack": (jumping_jack, "three jumping jacks with small hops"),
    "kick": (kick, "a front kick with the left leg"),
    "climb_stairs": (climb_stairs, DESCRIPTION),
}

# Of clips that are not on the floor.
TERRAINS = {"climb_stairs": STAIRS}


def save(stand: Stand, name: str) -> None:
    """Make one clip and write it."""
    make, description = CLIPS[name]
    qpos = solve(stand, make(stand))
    file = ASSETS / "motions" / f"{name}.npz"
    np.savez_compressed(
        file,
        qpos=qpos.astype(np.float32),
        fps=np.float32(FPS),
        joint_names=np.array(stand.joints),
        source=np.array("tools/make_clips.py"),
        license=np.array("Apache-2.0"),
        description=np.array(description),
        terrain=np.array(TERRAINS.get(name, "")),
        source_dof=np.array(29),
    )
    print(f"{file.name}: {len(qpos)} frames, {len(qpos) / FPS:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the embedded clips.")
    parser.add_argument("clips", nargs="*", default=list(CLIPS), help=", ".join(CLIPS))
    arguments = parser.parse_args()
    unknown = [name for name in arguments.clips if name not in CLIPS]
    if unknown:
        parser.error(f"unknown clip {unknown[0]!r}; there are {', '.join(CLIPS)}")
    stand = Stand()
    for name in arguments.clips:
        save(stand, name)


if __name__ == "__main__":
    main()
