"""The most memory that this process has had."""

import sys

import jax

_MB = 10**6


def host_peak_mb() -> float | None:
    """Resident memory of the process at its highest, in MB (10^6 bytes), since it
    began. None where the system does not tell (Windows)."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / _MB


def device_peak_mb() -> float | None:
    """Memory in use on the first device at its highest, in MB, since the process began.
    None on a CPU, whose memory is the process's."""
    stats = jax.local_devices()[0].memory_stats()
    if stats is None or "peak_bytes_in_use" not in stats:
        return None
    return stats["peak_bytes_in_use"] / _MB
