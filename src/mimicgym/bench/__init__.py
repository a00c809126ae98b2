"""Speed of environments and learners, against the bare engine in the same run."""

from mimicgym.bench.cell import BenchResult, PPOResult, bench

__all__ = ["BenchResult", "PPOResult", "bench"]
