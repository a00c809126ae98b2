"""Every number of the learner."""

from dataclasses import dataclass, replace
from typing import Literal

from mimicgym.errors import UserError, unknown_name

SCHEDULES = ("adaptive", "fixed", "linear")
ACTIVATIONS = ("elu", "relu", "tanh", "swish")
DTYPES = ("float32", "bfloat16")
# Up to this many, environments are dealt out to as many slices as divide them.
MOST_SLICES = 8
# Where there is a value at all.
_COUNTS = ("num_steps", "epochs", "minibatches", "linear_iterations", "bc_iterations")
_NOT_NEGATIVE = (
    "entropy_coef",
    "value_coef",
    "bounds_coef",
    "symmetry_coef",
    "kl_low",
    "memory",
    "slices",
)
_POSITIVE = (
    "clip",
    "value_clip",
    "learning_rate",
    "critic_learning_rate",
    "learning_rate_min",
    "learning_rate_max",
    "init_std",
    "min_std",
    "max_grad_norm",
    "action_bound",
)


@dataclass(frozen=True)
class PPOConfig:
    """Proximal policy optimisation (Schulman et al. 2017) with the settings of
    VideoMimic's learner, but for the normalisations, which that has none of."""

    num_steps: int = 24
    """Control steps of each environment in one iteration."""
    epochs: int = 5
    """Passes over an iteration's samples."""
    minibatches: int = 4
    """Parts of each pass."""
    gamma: float = 0.99
    """Discount of a control step."""
    gae_lambda: float = 0.95
    """Decay of the advantage estimator."""
    clip: float = 0.2
    """Probability ratios count within 1 plus or minus this."""
    learning_rate: float = 1e-3
    """The actor's, at the start."""
    critic_learning_rate: float | None = 1e-3
    """The critic's, which the schedule leaves alone: a policy near its trust region
    wants small steps, a value function does not. None: the actor's."""
    schedule: Literal["adaptive", "fixed", "linear"] = "adaptive"
    """adaptive: kept where the KL divergence of an update stays in its band. linear:
    falls to learning_rate_min over linear_iterations."""
    linear_iterations: int = 1000
    """How long the linear schedule takes."""
    kl_low: float = 0.005
    """Below it the learning rate rises."""
    kl_high: float = 0.02
    """Above it the learning rate falls."""
    learning_rate_factor: float = 1.5
    """By what, after each minibatch."""
    learning_rate_min: float = 1e-5
    learning_rate_max: float = 1e-2
    entropy_coef: float = 0.0025
    value_coef: float = 1.0
    """Weight of the value loss, whose targets are normalised."""
    value_clip: float | None = None
    """If given, a value gains nothing by moving further than this in one iteration, in
    units of the normalised targets."""
    bounds_coef: float = 0.0005
    """Weight of the penalty on mean actions beyond action_bound."""
    action_bound: float = 8.0
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this global norm."""
    init_std: float = 0.8
    """Deviation of the policy at the start, in units of the action."""
    min_std: float = 0.05
    """Its floor."""
    hidden: tuple[int, ...] = (512, 256, 128)
    """Layers of the actor and of the critic."""
    activation: Literal["elu", "relu", "tanh", "swish"] = "elu"
    memory: int = 0
    """Units of a gated recurrent unit (GRU) through which the actor also sees what it
    saw before; 0 for an actor that sees the present alone."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the networks compute in. Parameters, losses and physics stay float32. Of
    float32 GPUs multiply ten bits (TF32) in the networks, as JAX has it there."""
    normalize_observations: bool = True
    normalize_values: bool = True
    """Whether the critic learns returns by their running mean and deviation."""
    symmetry_coef: float = 0.0
    """Weight of the squared difference between what the policy does and the mirror
    image of what it does in the mirrored state (Abdolhosseini et al. 2019)."""
    mirror_data: bool = False
    """Whether each sample is also learnt from in its mirror image."""
    bc_coef: float = 0.0
    """Share c of imitating teachers: the policy's loss is (1 - c) * PPO's + c * squared
    distance from the teacher's action."""
    bc_coef_end: float | None = None
    """What it ends at, linearly in bc_iterations; None: it stays."""
    bc_iterations: int = 1000
    """How long it takes to get there."""
    slices: int = 0
    """Environments are shuffled within this many groups of neighbours, none of which is
    split among devices: a run is the same on any number of devices that divides it. 0:
    8, or what divides the environments."""

    def check(self, num_envs: int) -> None:
        """`UserError` for a configuration that can not be run."""
        if num_envs < 1:
            raise UserError(f"{num_envs} environments; at least 1")
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise UserError(f"ppo.{name} is {getattr(self, name)}; at least 1")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise UserError(f"ppo.{name} is {getattr(self, name)}; at least 0")
        self.slice_count(num_envs)
        for name in ("gamma", "gae_lambda", "bc_coef", "bc_coef_end"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise UserError(f"ppo.{name} is {value}; from 0 to 1")
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"ppo.{name} is {value}; above 0")
        if not self.learning_rate_factor > 1:
            raise UserError(
                f"ppo.learning_rate_factor is {self.learning_rate_factor}; above 1"
            )
        for low, high in (
            ("kl_low", "kl_high"),
            ("learning_rate_min", "learning_rate_max"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise UserError(
                    f"ppo.{low} is {getattr(self, low)}, above ppo.{high}"
                    f" {getattr(self, high)}"
                )
        if self.init_std < self.min_std:
            raise UserError(
                f"ppo.init_std is {self.init_std}, below ppo.min_std {self.min_std}"
            )
        if not self.hidden or min(self.hidden) < 1:
            raise UserError(f"ppo.hidden is {self.hidden}; one positive size or more")
        if self.schedule not in SCHEDULES:
            raise unknown_name("ppo.schedule", self.schedule, SCHEDULES)
        if self.activation not in ACTIVATIONS:
            raise unknown_name("ppo.activation", self.activation, ACTIVATIONS)
        if self.dtype not in DTYPES:
            raise unknown_name("ppo.dtype", self.dtype, DTYPES)
        if self.memory and self.mirrors:
            raise UserError(
                "ppo.memory can not be combined with ppo.symmetry_coef or"
                " ppo.mirror_data: what a memory holds has no mirror image"
            )

    @property
    def mirrors(self) -> bool:
        """Whether mirror images are needed."""
        return self.mirror_data or self.symmetry_coef > 0

    def slice_count(self, num_envs: int) -> int:
        """Into how many slices environments are divided.

        Each slice gives an equal part to each minibatch: of its samples, or with a
        memory, of its environments.
        """

        def fits(slices: int) -> bool:
            rows = num_envs // slices * (1 if self.memory else self.num_steps)
            return num_envs % slices == 0 and rows % self.minibatches == 0

        if self.slices and fits(self.slices):
            return self.slices
        for slices in range(0 if self.slices else MOST_SLICES, 0, -1):
            if fits(slices):
                return slices
        rows = f"{num_envs} environments"
        if not self.memory:
            rows += f" x {self.num_steps} steps are {num_envs * self.num_steps} samples"
        parts = f"ppo.minibatches = {self.minibatches}"
        if self.slices:
            parts += f" in each of ppo.slices = {self.slices}"
        raise UserError(f"{rows}, which {parts} does not divide")


@dataclass(frozen=True)
class LearnerPreset:
    """A learner's configuration and how many environments it is meant for."""

    ppo: PPOConfig
    num_envs: int


PPO_PRESETS = {
    "default": LearnerPreset(PPOConfig(), num_envs=4096),
    # For a CPU with a few cores: fewer environments, smaller networks.
    "quick": LearnerPreset(
        replace(
            PPOConfig(),
            # Short iterations, a wide trust region and a short horizon of advantages
            # learnt faster on two cores, see docs/performance.md.
            num_steps=12,
            gae_lambda=0.9,
            epochs=3,
            clip=0.3,
            init_std=0.5,
            hidden=(256, 128, 128),
            kl_low=0.03,
            kl_high=0.12,
            gamma=0.97,
        ),
        num_envs=512,
    ),
    "videomimic": LearnerPreset(
        replace(PPOConfig(), hidden=(1024, 512, 256, 128)), num_envs=4096
    ),
    # The last stage: small steps from a policy that works.
    "finetune": LearnerPreset(
        replace(
            PPOConfig(),
            hidden=(1024, 512, 256, 128),
            learning_rate=2e-5,
            schedule="fixed",
            init_std=0.5,
        ),
        num_envs=4096,
    ),
    # rsl_rl's as mjlab 1.6 sets it.
    "beyondmimic": LearnerPreset(
        replace(
            PPOConfig(),
            init_std=1.0,
            entropy_coef=0.005,
            bounds_coef=0.0,
            value_clip=0.2,
        ),
        num_envs=4096,
    ),
    "deepmimic": LearnerPreset(
        replace(PPOConfig(), gamma=0.95, init_std=0.5, entropy_coef=0.0), num_envs=4096
    ),
}


def ppo_preset(name: str) -> LearnerPreset:
    """The learner of that name."""
    if name not in PPO_PRESETS:
        raise unknown_name("preset", name, PPO_PRESETS)
    return PPO_PRESETS[name]
