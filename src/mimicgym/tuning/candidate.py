"""What is tried: numbers that change the speed of a training and not its task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mimicgym.errors import UserError
from mimicgym.run import RunConfig

# Of the preset's environments, and of the minibatches that keep a gradient step's size.
_ENVS = (1, 2, 0.5, 4, 0.25)
_MINIBATCHES = (1, 2, 0.5)


@dataclass(frozen=True)
class Candidate:
    """One way to run a training.

    Attributes:
      threads: of the native engine; None where another steps physics.
      batch: samples of a gradient step.
      alike: whether that is what the preset has. All candidates use each sample as
        often; those alike also take as many gradient steps for as many samples.
    """

    num_envs: int
    minibatches: int
    threads: int | None
    batch: int
    alike: bool

    def applied(self, config: RunConfig) -> RunConfig:
        """The configuration with these numbers."""
        env = config.env
        if self.threads is not None:
            env = replace(env, threads=self.threads)
        ppo = replace(config.ppo, minibatches=self.minibatches)
        return replace(config, num_envs=self.num_envs, ppo=ppo, env=env)

    @property
    def flags(self) -> list[str]:
        """As options of `mimicgym train`."""
        found = ["--num-envs", str(self.num_envs)]
        found += ["--ppo.minibatches", str(self.minibatches)]
        if self.threads is not None:
            found += ["--env.threads", str(self.threads)]
        return found

    def __str__(self) -> str:
        threads = "" if self.threads is None else f", {self.threads} threads"
        return f"{self.num_envs} environments, {self.minibatches} minibatches{threads}"


def candidates(
    config: RunConfig,
    *,
    cores: int | None,
    num_envs: Sequence[int] = (),
    minibatches: Sequence[int] = (),
    threads: Sequence[int] = (),
) -> list[Candidate]:
    """What to try, the most promising first: those alike the preset, near it.

    Args:
      config: the preset, with everything that stays.
      cores: that the native engine may use; None where another steps physics.
      num_envs, minibatches, threads: values to try. By default a quarter to four times
        the preset's environments; as many minibatches as keep a gradient step's size,
        then half and twice as many; all cores and half of them.

    Raises:
      UserError: a value can not be used, or none can be combined.
    """
    for name, values in (
        ("num_envs", num_envs),
        ("minibatches", minibatches),
        ("threads", threads),
    ):
        for value in values:
            if value < 1:
                raise UserError(f"{name} is {value}; at least 1")
    if threads and cores is None:
        raise UserError(
            f"threads {', '.join(map(str, threads))} are the native engine's; here"
            " another steps physics"
        )
    steps = config.ppo.num_steps
    usual = config.num_envs * steps / config.ppo.minibatches
    counts: Sequence[int | None] = (None,)
    if cores is not None:
        counts = threads or tuple({cores: 0, max(1, cores // 2): 0})
    found = []
    for n in num_envs or _whole(config.num_envs * factor for factor in _ENVS):
        each = minibatches or _whole(n * steps / usual * x for x in _MINIBATCHES)
        for m in each:
            if not _fits(config, n, m):
                continue
            batch = n * steps // m
            for count in counts:
                found.append(Candidate(n, m, count, batch, batch == usual))
    if not found:
        raise UserError(
            "no number of minibatches to be tried divides the samples of an iteration;"
            f" there are num_envs x ppo.num_steps = {steps} of them"
        )

    def distance(c: Candidate) -> tuple[bool, float]:
        far = abs(math.log2(c.num_envs / config.num_envs))
        if c.threads is not None and cores is not None:
            far += abs(math.log2(c.threads / cores))
        return not c.alike, far + abs(math.log2(c.batch / usual))

    return sorted(found, key=distance)


def _whole(values) -> list[int]:
    return [int(value) for value in values if value >= 1 and value == int(value)]


def _fits(config: RunConfig, num_envs: int, minibatches: int) -> bool:
    try:
        replace(config.ppo, minibatches=minibatches).slice_count(num_envs)
    except UserError:
        return False
    return True
