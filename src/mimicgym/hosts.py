"""Several machines as one: each runs the same command, and JAX joins their devices.

Every machine reads the same motions and computes the same things from them; only the
first writes the run's folder, which has to lie where all of them can read it.
"""

import jax

from mimicgym.errors import UserError

AUTO = "auto"


def join(hosts: str) -> None:
    """Join the other processes; to be called before anything is computed.

    Args:
      hosts: "auto" where a cluster's environment says who takes part (SLURM, Open MPI,
        TPU pods), or ADDRESS:PORT/COUNT/NUMBER: where the first process is to be
        reached, how many there are, and which of them this is, from 0.
    """
    if hosts == AUTO:
        jax.distributed.initialize()
        return
    address, count, number = parse(hosts)
    jax.distributed.initialize(address, num_processes=count, process_id=number)


def parse(hosts: str) -> tuple[str, int, int]:
    """Address, count and number of ADDRESS:PORT/COUNT/NUMBER."""
    parts = hosts.split("/")
    good = len(parts) == 3 and ":" in parts[0]
    good = good and all(part.isdecimal() for part in parts[1:])
    good = good and parts[0].rpartition(":")[2].isdecimal()
    if not good or not int(parts[2]) < int(parts[1]):
        raise UserError(
            f"--hosts is {hosts!r}; give {AUTO!r} on a cluster, or"
            " ADDRESS:PORT/COUNT/NUMBER with NUMBER from 0 to COUNT - 1, such as"
            " 10.0.0.1:1234/2/0"
        )
    return parts[0], int(parts[1]), int(parts[2])


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return jax.process_index() == 0


def wait_for_all(what: str) -> None:
    """Return when every process has come here; `what` names the place in errors."""
    if jax.process_count() > 1:
        from jax.experimental.multihost_utils import sync_global_devices

        sync_global_devices(what)
