"""Named environment configurations: recipes that are known to work."""

from mimicgym.envs.config import EnvConfig
from mimicgym.envs.presets.beyondmimic import BEYONDMIMIC
from mimicgym.envs.presets.deepmimic import DEEPMIMIC
from mimicgym.envs.presets.quick import QUICK
from mimicgym.envs.presets.terrain import STAIRS, WALK_ROUGH
from mimicgym.envs.presets.videomimic import (
    MOCAP,
    STAGE_1,
    STAGE_1_PAPER,
    STAGE_2,
    STAGE_3,
    STAGE_4,
)
from mimicgym.errors import unknown_name

ENV_PRESETS: dict[str, EnvConfig] = {
    # VideoMimic's configuration as its file has it, with the residual control target
    # that mimicgym defaults to.
    "default": EnvConfig(),
    "quick": QUICK,
    "videomimic_stage1": STAGE_1,
    "videomimic_stage1_paper": STAGE_1_PAPER,
    "videomimic_stage2": STAGE_2,
    "videomimic_stage3": STAGE_3,
    "videomimic_stage4": STAGE_4,
    "videomimic_mocap": MOCAP,
    "beyondmimic": BEYONDMIMIC,
    "deepmimic": DEEPMIMIC,
    "stairs": STAIRS,
    "walk_rough": WALK_ROUGH,
}


def env_preset(name: str) -> EnvConfig:
    """The environment configuration of that name."""
    if name not in ENV_PRESETS:
        raise unknown_name("preset", name, ENV_PRESETS)
    return ENV_PRESETS[name]
