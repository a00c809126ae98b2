"""When an episode ends, and how strict that is as training goes on."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CurriculumConfig:
    """A factor on the thresholds of failures that are distances, from `start` to 1."""

    kind: Literal["none", "linear", "success"] = "none"
    """linear: over `steps` control steps of the batch. success: a little stricter at
    each step in which the share of episodes that succeed is above `success`, and a
    little laxer otherwise, never beyond `start`."""
    start: float = 3.0
    """The factor at the beginning."""
    steps: int = 24_000
    """How many control steps the way to 1 takes (24 of them are an iteration)."""
    success: float = 0.7
    """The share of episodes that has to succeed."""


@dataclass(frozen=True)
class TerminationConfig:
    """Thresholds; 0 (or no bodies) switches a cause off. A non-finite state always ends
    an episode."""

    contact: tuple[str, ...] = ()
    """Bodies whose contact (above 1 N) is a failure."""
    tracking_error: float = 0.3
    """Largest distance in m of any tracked body from the reference, from the second
    step of an episode on."""
    foot_force: float = 0.0
    """Largest contact force in N of a foot."""
    anchor_height: float = 0.0
    """Largest difference in m between the heights of the anchor and its reference."""
    anchor_tilt: float = 0.0
    """Largest difference between the vertical parts of gravity as the anchor and its
    reference feel it: 0.8 is a tilt of 78 degrees from an upright reference."""
    end_effector_height: float = 0.0
    """Largest difference in m between the heights of an end effector and its
    reference."""
    max_steps: int = 0
    """Control steps after which an episode is cut (a truncation); 0 is never."""
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
