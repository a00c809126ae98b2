"""Ctrl-C as a wish to stop at the next chance."""

import signal
import sys


class StopOnInterrupt:
    """Whether Ctrl-C was pressed in its `with`. A second press interrupts as usual."""

    def __init__(self) -> None:
        self._pressed = False
        self._before = None

    def __call__(self) -> bool:
        return self._pressed

    def __enter__(self) -> "StopOnInterrupt":
        self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _press(self, *signal_args: object) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
        print("\nstopping after this iteration (again to abort)", file=sys.stderr)
