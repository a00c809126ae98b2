"""Compiling what a training needs, for a later process to find in JAX's cache."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from mimicgym.compilations import Compilation, CompilationLog
from mimicgym.errors import UserError
from mimicgym.hosts import several
from mimicgym.physics import foreign, warp_kernels
from mimicgym.ppo.ahead import compile_iteration
from mimicgym.ppo.seeds import one
from mimicgym.ppo.writer import without_keys
from mimicgym.preparation import prepare
from mimicgym.recording import Judge, clip_report
from mimicgym.run import RunConfig


@dataclass(frozen=True)
class Warmth:
    """What was done.

    Attributes:
      programs: all that XLA was asked for, in order.
      folder: where they are kept.
      kept: whether all of them can be. Programs of the native engine can not where the
        way out of a program is `jax.pure_callback`, see `physics.foreign`.
    """

    programs: tuple[Compilation, ...]
    folder: Path
    kept: bool


def warm_up(
    config: RunConfig, on_note: Callable[[str], None] = lambda note: None
) -> Warmth:
    """Compile the programs of `training.train` with this configuration.

    Environments are started and the networks made, since that consists of many small
    programs; acting, learning and evaluating are compiled without being run. So are
    Warp's kernels where they run on a GPU.

    Args:
      on_note: told how much memory will be needed.

    Raises:
      UserError: what `train` would refuse, or nothing would be kept.
    """
    settings: Any = jax.config
    folder = settings.jax_compilation_cache_dir
    if not folder or not settings.jax_enable_compilation_cache:
        raise UserError(
            "JAX keeps no compiled programs here: JAX_ENABLE_COMPILATION_CACHE is false"
            " or there is no JAX_COMPILATION_CACHE_DIR"
        )
    if several():
        raise UserError("warming up for several hosts at once is not supported")
    with CompilationLog() as log:
        prepared = prepare(config, on_note)
        compile_iteration(prepared.runner, prepared.state)
        first = prepared.state
        if config.num_seeds > 1:
            first = one(first, 0)
        # What a checkpoint is made of: copies, each a small program.
        clip_report(prepared.env, first)
        jax.tree.map(jnp.copy, without_keys(first))
        Judge(config.env, config.ppo, prepared.library).compile(first)
    warp_kernels.wait()
    native = prepared.env.engine.name == "native"
    return Warmth(tuple(log.programs), Path(folder), not native or foreign.available())
