"""What is wrong with a clip, before time is spent on training it."""

from collections.abc import Callable, Iterator

from mimicgym.motion.checks import floor, forces, joints
from mimicgym.motion.clip import Finding, Motion
from mimicgym.terrain.field import HeightField

Check = Callable[[Motion, HeightField | None], Iterator[Finding]]
CHECKS: tuple[Check, ...] = (
    joints.quat_order,
    joints.quat_signs,
    joints.joint_limits,
    joints.jumps,
    joints.speeds,
    floor.ground,
    floor.skating,
    floor.flight,
    forces.overlaps,
    forces.needs,
)
LEVELS = ("error", "warning", "note")


def check_motion(
    motion: Motion, terrain: HeightField | None = None
) -> tuple[Finding, ...]:
    """Everything that was found, errors first.

    Args:
      motion: has passed `validate`; what its reader found is in the list too.
      terrain: the ground under it; a plane if None.
    """
    found = list(motion.findings)
    for check in CHECKS:
        found += check(motion, terrain)
    return tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))
