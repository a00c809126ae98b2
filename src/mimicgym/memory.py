"""Memory of a training: an estimate before anything is compiled, and what is in use."""

import os
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import jax
import mujoco

from mimicgym.envs.tracking import TrackingEnv
from mimicgym.errors import UserError
from mimicgym.physics.scratch import row_size
from mimicgym.ppo.learner import Learner
from mimicgym.ppo.memory import learner_memory, num_bytes
from mimicgym.robot import RobotModel

_MB = 10**6
# The motions themselves, and the constants of the two programs that read them: the one
# that starts and the one that acts.
_MOTION_COPIES = 3
# What XLA takes to compile for a CPU and does not give back: measured with jaxlib 0.10.
# It hardly depends on the task.
_COMPILING = {"native": 750 * _MB, "mjx": 1500 * _MB, "warp": 1000 * _MB}
# By which setting each part shrinks.
_ADVICE = {
    "motions": "train on fewer or shorter clips",
    "networks": "lower ppo.hidden",
    "environments": "lower num_envs",
    "physics": "set env.chunk, or lower num_envs",
    "rollout": "lower num_envs or ppo.num_steps",
    "samples": "lower num_envs or ppo.num_steps",
    "minibatch": "raise ppo.minibatches, or lower num_envs",
    "compiling": "choose the engine native, or a machine with more memory",
}


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a training needs, on each device.

    Attributes:
      motions: the clips and their grounds.
      networks, environments, rollout, samples, minibatch: see `LearnerMemory`.
      physics: while a control step is computed.
      compiling: what XLA takes to compile; on CPUs, which lend it their memory.
    """

    motions: int
    networks: int
    environments: int
    physics: int
    rollout: int
    samples: int
    minibatch: int
    compiling: int

    @property
    def total(self) -> int:
        """At the worst moment: acting and learning take turns."""
        lasting = self.motions + self.networks + self.environments + self.rollout
        learning = self.samples + self.minibatch
        return lasting + self.compiling + max(self.physics, learning)

    @property
    def parts(self) -> dict[str, int]:
        """All parts by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        parts = ", ".join(f"{k} {_mb(v)}" for k, v in self.parts.items() if v)
        return f"about {_mb(self.total)} MB of memory at once: {parts}"


def estimate_memory(
    env: TrackingEnv, learner: Learner, seeds: int = 1
) -> MemoryEstimate:
    """From shapes: nothing is compiled, and no environment started.

    Args:
      env: of the rows that `learner` trains on.
      seeds: how many such learners there are at once.
    """
    found = learner_memory(learner)
    rows = learner.env.num_envs // learner.devices
    chunk = min(env.config.chunk or rows, rows)
    # A step makes new states while the old ones are still needed.
    physics = found.environments + chunk * _engine_bytes(env)
    on_cpu = jax.default_backend() == "cpu"
    return MemoryEstimate(
        motions=_MOTION_COPIES * num_bytes((env.reference, env.ground)),
        networks=seeds * found.networks,
        environments=seeds * found.environments,
        physics=seeds * physics,
        rollout=seeds * found.rollout,
        samples=seeds * found.samples,
        minibatch=seeds * found.minibatch,
        compiling=_COMPILING[env.engine.name] if on_cpu else 0,
    )


def check_memory(
    estimate: MemoryEstimate, available: int | None, devices: int = 1
) -> None:
    """`UserError` where a training will not fit, with the setting to change.

    Args:
      available: bytes, see `available_bytes`; None if not known.
      devices: how many share what is available.
    """
    needed = (estimate.total - estimate.compiling) * devices + estimate.compiling
    if available is None or needed <= available:
        return
    sizes = sorted(estimate.parts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} {_mb(size)}" for name, size in sizes if size >= _MB)
    many = f" for {devices} devices that share it" if devices > 1 else ""
    raise UserError(
        f"this training needs about {_mb(needed)} MB of memory{many}, and"
        f" {_mb(available)} MB are available ({shown}); {_ADVICE[sizes[0][0]]}"
    )


def available_bytes() -> int | None:
    """How much memory the first device has for JAX, or None where nothing tells.

    On a CPU it is what the system can give without swapping.
    """
    stats = jax.local_devices()[0].memory_stats()
    if stats is not None:
        return stats.get("bytes_limit")
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def memory_metrics() -> dict[str, float]:
    """Memory in use now, in MB (10^6 bytes), to be logged: the first device's, or on a
    CPU the most that the process has had. Devices are not waited for."""
    stats = jax.local_devices()[0].memory_stats()
    if stats is not None:
        names = {"device": "bytes_in_use", "device_peak": "peak_bytes_in_use"}
        return {
            f"memory/{name}_mb": stats[key] / _MB
            for name, key in names.items()
            if key in stats
        }
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    return {"memory/process_peak_mb": peak * unit / _MB}


def _engine_bytes(env: TrackingEnv) -> int:
    """What the engine keeps of one environment while it steps."""
    if env.engine.name == "native":
        return _native_bytes(env.engine.model)
    from mujoco import mjx

    from mimicgym.physics.warp import WarpEngine

    if isinstance(env.engine, WarpEngine):
        return env.engine.row_bytes

    return num_bytes(jax.eval_shape(lambda: mjx.make_data(env.engine.model.mj)))


def _native_bytes(model: RobotModel) -> int:
    """A row of two `mujoco.batch.Batch`, one of which only looks at motion: states and
    the fields that are read, in double precision, and the row that is handed over,
    twice."""
    state = mujoco.mj_stateSize(model.mj, mujoco.mjtState.mjSTATE_INTEGRATION)
    # xpos, xquat, cvel and subtree_com of each body.
    motion = 16 * model.mj.nbody
    seen = model.mj.nsensordata + model.mj.nu
    return 8 * (2 * (state + motion) + seen) + 2 * 4 * row_size(model)


def _mb(size: int) -> str:
    return f"{size / _MB:,.0f}"
