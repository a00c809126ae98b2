"""The learner: jitted PPO that knows its environment only as a protocol."""

from mimicgym.ppo.checkpoint import Checkpoints
from mimicgym.ppo.config import PPO_PRESETS, LearnerPreset, PPOConfig, ppo_preset
from mimicgym.ppo.learner import Learner, LearnerState
from mimicgym.ppo.policy import Policy, policy_of
from mimicgym.ppo.teachers import Teacher
from mimicgym.ppo.train import Progress, train
from mimicgym.ppo.writer import CheckpointWriter

__all__ = [
    "PPO_PRESETS",
    "CheckpointWriter",
    "Checkpoints",
    "Learner",
    "LearnerPreset",
    "LearnerState",
    "PPOConfig",
    "Policy",
    "Progress",
    "Teacher",
    "policy_of",
    "ppo_preset",
    "train",
]
