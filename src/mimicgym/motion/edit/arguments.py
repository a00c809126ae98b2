"""What is wrong with an argument, told in one line that names the clip."""

from mimicgym.errors import MotionError
from mimicgym.motion.clip import MIN_FRAMES, Motion


def clip_name(motion: Motion) -> str:
    """How messages call a clip: its file, or else its name."""
    return motion.path or motion.name or "motion"


def require(
    motion: Motion, holds: bool, argument: str, value: object, allowed: str
) -> None:
    """Refuse an argument.

    Args:
      motion: the clip it was given for.
      holds: whether `value` is allowed; comparisons with NaN make it False.
      argument, value: what was given.
      allowed: completes "it must be ", with the range and its unit.

    Raises:
      MotionError: `holds` is False.
    """
    if not holds:
        shown = f"{value:g}" if isinstance(value, float) else repr(value)
        raise MotionError(
            f"{clip_name(motion)}: {argument} is {shown}; it must be {allowed}"
        )


def require_blend(motion: Motion, blend_s: float, longest_s: float) -> int:
    """The frames of an overlap that lasts `blend_s` seconds, 2 or more.

    Raises:
      MotionError: it is less than a frame or more than `longest_s`.
    """
    shortest_s = 1.0 / motion.fps
    # Durations are quotients: a millionth of a frame allows for their rounding.
    slack_s = 1e-6 * shortest_s
    require(
        motion,
        shortest_s - slack_s <= blend_s <= longest_s + slack_s,
        "blend_s",
        blend_s,
        f"from {shortest_s:.4g} (a frame) to {longest_s:.4g} s",
    )
    return round(blend_s * motion.fps) + 1


def require_frames(motion: Motion, count: int, cause: str) -> None:
    """Refuse what would leave a clip with too few frames to be used.

    Raises:
      MotionError: `count` is less than 3.
    """
    if count < MIN_FRAMES:
        raise MotionError(
            f"{clip_name(motion)}: {cause} leaves {count} frames; at least "
            f"{MIN_FRAMES} are needed"
        )
