"""Which programs are compiled meanwhile, and which of them come from JAX's cache."""

import threading
from dataclasses import dataclass
from typing import Any

from jax import monitoring

_COMPILED = "/jax/core/compile/backend_compile_duration"
_HIT = "/jax/compilation_cache/cache_hits"


@dataclass(frozen=True)
class Compilation:
    """A program that XLA was asked for.

    Attributes:
      name: of the function that it was made of.
      seconds: that XLA took, or reading it from the cache; tracing is not in it.
      from_cache: whether it was read from the compilation cache.
    """

    name: str
    seconds: float
    from_cache: bool


class CompilationLog:
    """Programs that this process asks for in its `with`, in order.

    Attributes:
      programs: so far.
    """

    def __init__(self) -> None:
        self.programs: list[Compilation] = []
        # Each thread's own: several may compile at once.
        self._here = threading.local()

    def __enter__(self) -> "CompilationLog":
        monitoring.register_event_listener(self._on_event)
        monitoring.register_event_duration_secs_listener(self._on_duration)
        return self

    def __exit__(self, *exception: object) -> None:
        monitoring.unregister_event_listener(self._on_event)
        monitoring.unregister_event_duration_listener(self._on_duration)

    @property
    def compiled(self) -> list[Compilation]:
        """Those that were not in the cache."""
        return [program for program in self.programs if not program.from_cache]

    def _on_event(self, event: str, **_: Any) -> None:
        # Told of within the compilation whose duration follows.
        if event == _HIT:
            self._here.hit = True

    def _on_duration(self, event: str, duration_secs: float, **told: Any) -> None:
        if event != _COMPILED:
            return
        name = str(told.get("fun_name", ""))
        hit = getattr(self._here, "hit", False)
        self.programs.append(Compilation(name, duration_secs, hit))
        self._here.hit = False
