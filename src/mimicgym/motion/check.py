"""What is wrong with a clip, before time is spent on training it."""

from collections.abc import Callable, Iterator

from mimicgym.motion.checks import floor, forces, joints
from mimicgym.motion.clip import Finding, Motion

CHECKS: tuple[Callable[[Motion], Iterator[Finding]], ...] = (
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


def check_motion(motion: Motion) -> tuple[Finding, ...]:
    """Everything that was found, errors first; `motion` has passed `validate`.

    What its reader found is in the list too.
    """
    found = list(motion.findings)
    for check in CHECKS:
        found += check(motion)
    return tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))
