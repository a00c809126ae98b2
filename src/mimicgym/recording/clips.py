"""What a training knows of its clips."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from mimicgym.envs.tracking import TrackingEnv
from mimicgym.ppo import LearnerState

# Clips whose success is a curve of its own; all are in clips.jsonl.
_MOST_CLIP_CURVES = 50


def clip_report(env: TrackingEnv, state: LearnerState) -> list[dict[str, Any]]:
    """For each clip, in JSON types: how many outcomes are remembered, the share of
    successes among them, how often the clip is drawn now, and for each second the share
    of passes through it that are survived. None where nothing is known."""
    sampler, past = env.sampler, state.batch.sampler
    rate, share, survival, count = jax.device_get(
        (
            past.success_rate,
            sampler.clip_weights(past),
            sampler.survival(past),
            past.count,
        )
    )
    return [
        {
            "name": name,
            "outcomes": int(count[c]),
            "success_rate": known(rate[c]),
            "share": float(share[c]),
            "survival": [known(x) for x in survival[np.equal(sampler.bin_clip, c)]],
        }
        for c, name in enumerate(env.reference.clip_names)
    ]


def clip_rates(clips: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """A curve for each clip, where they are few enough to look at."""
    if len(clips) > _MOST_CLIP_CURVES:
        return {}
    return {f"clip/{clip['name']}": clip["success_rate"] for clip in clips}


def known(value: float) -> float | None:
    """A number for JSON; None for what is none."""
    return float(value) if math.isfinite(value) else None
