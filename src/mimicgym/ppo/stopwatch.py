"""When results are ready, without making the training wait for them."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax


@dataclass(frozen=True)
class Split:
    """What an iteration's time went to, in seconds.

    Attributes:
      ready_s: when all of it was there, by `time.perf_counter`.
    """

    rollout_s: float
    update_s: float
    ready_s: float


class Stopwatch:
    """Waits for results on a thread of its own, and notes when they are there."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="stopwatch")
        self._last = time.perf_counter()

    def __enter__(self) -> "Stopwatch":
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown()

    def restart(self) -> None:
        """What has passed since the last result counts for nothing."""
        self._thread.submit(self._now).result()

    def watch(self, acted: Any, learnt: Any) -> "Future[Split]":
        """Times until `acted` is ready, counted from the last result before it, and
        from then until `learnt` is."""
        return self._thread.submit(self._wait, acted, learnt)

    def _now(self) -> None:
        self._last = time.perf_counter()

    def _wait(self, acted: Any, learnt: Any) -> Split:
        began = self._last
        jax.block_until_ready(acted)
        between = time.perf_counter()
        jax.block_until_ready(learnt)
        self._now()
        return Split(between - began, self._last - between, self._last)
