"""Every number of the environment: nested frozen dataclasses.

They hash, so that they can be static arguments of jitted functions, become JSON beside
each checkpoint, and every field is a command-line flag. A term is one field, named as
in its registry: a weight of 0 switches a reward off, a threshold of 0 a termination.

Where nothing else is said the values are those of VideoMimic's G1DeepMimic
configuration (hongsukchoi/VideoMimic).
"""

from dataclasses import dataclass, field

from mimicgym.envs.config.control import ControlConfig, PhysicsConfig
from mimicgym.envs.config.motion import MotionConfig, TrackingConfig
from mimicgym.envs.config.observation import ObservationConfig, Sense
from mimicgym.envs.config.randomization import (
    Push,
    RandomizationConfig,
    Range,
    Wrench,
)
from mimicgym.envs.config.reset import ResetConfig
from mimicgym.envs.config.reward import (
    AirTime,
    BodyContacts,
    Force,
    Gait,
    Height,
    Limit,
    RewardConfig,
    Tracking,
    Weight,
)
from mimicgym.envs.config.termination import CurriculumConfig, TerminationConfig
from mimicgym.envs.config.terrain import TerrainConfig

__all__ = [
    "AirTime",
    "BodyContacts",
    "ControlConfig",
    "CurriculumConfig",
    "EnvConfig",
    "Force",
    "Gait",
    "Height",
    "Limit",
    "MotionConfig",
    "ObservationConfig",
    "PhysicsConfig",
    "Push",
    "RandomizationConfig",
    "Range",
    "ResetConfig",
    "RewardConfig",
    "Sense",
    "TerminationConfig",
    "TerrainConfig",
    "Tracking",
    "TrackingConfig",
    "Weight",
    "Wrench",
]


@dataclass(frozen=True)
class EnvConfig:
    """One environment, whole."""

    robot: str = "g1_23dof"
    """g1_23dof (wrists fixed) or g1_29dof."""
    engine: str = "auto"
    """auto (native on a CPU, warp on NVIDIA GPUs where it is installed, else mjx), mjx,
    native, or warp (MJX-Warp: `pip install 'mimicgym[warp]'`)."""
    threads: int = 0
    """Threads of the native engine; 0 is one for each core that may be used."""
    chunk: int = 0
    """Environments that are computed at once, one chunk after the other; 0 is all. A
    step then takes less memory and more time. The rest, where it does not divide them,
    is compiled for itself."""
    motion: MotionConfig = field(default_factory=MotionConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    terrain: TerrainConfig = field(default_factory=TerrainConfig)
    physics: PhysicsConfig = field(default_factory=PhysicsConfig)
    control: ControlConfig = field(default_factory=ControlConfig)
    observation: ObservationConfig = field(default_factory=ObservationConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    termination: TerminationConfig = field(default_factory=TerminationConfig)
    reset: ResetConfig = field(default_factory=ResetConfig)
    randomization: RandomizationConfig = field(default_factory=RandomizationConfig)

    @property
    def dt_s(self) -> float:
        """Control step in seconds."""
        return self.physics.timestep_s * self.control.decimation
