"""The end of a process whose programs call Python."""

import atexit
from contextlib import suppress
from functools import cache

import jax


@cache
def wait_at_exit() -> None:
    """From now on, let this process end when its programs have.

    Once Python has begun to end, nothing can call it any more: a program that still
    does so never gets an answer, and the process waits for that program for ever.
    """
    atexit.register(_wait)


def _wait() -> None:
    # What has failed has ended too.
    for array in jax.live_arrays():
        with suppress(RuntimeError):
            array.block_until_ready()
    # Programs whose results nobody holds: a CPU begins those of a thread in turn.
    with suppress(RuntimeError):
        jax.block_until_ready(jax.jit(lambda x: x + 1)(0))
