"""The ids under which Gymnasium knows mimicgym's environments."""

from gymnasium.envs.registration import register, registry

ID = "G1DeepMimic-v0"


def register_environments() -> None:
    """Register them, by names of classes: nothing heavy is imported until one is made.

    Episodes end by themselves with their clip, so that there is no further limit.
    """
    if ID in registry:
        return
    register(
        id=ID,
        entry_point="mimicgym.envs.single:TrackingEnvironment",
        vector_entry_point="mimicgym.envs.vector:TrackingVectorEnvironment",
    )
