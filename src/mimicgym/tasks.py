"""Tasks by name: an environment, the learner that suits it, and what it is for.

A name works wherever a preset is asked for: `mimicgym train --preset NAME`,
`mimicgym.run_config(NAME)` and `gymnasium.make(..., preset=NAME)` (the environment
alone).
"""

from dataclasses import dataclass

from mimicgym.envs.config import EnvConfig
from mimicgym.envs.presets import env_preset
from mimicgym.errors import unknown_name
from mimicgym.ppo import LearnerPreset, ppo_preset


@dataclass(frozen=True)
class Task:
    """What a training starts from.

    Attributes:
      name: of the task and of its environment preset.
      summary: what it is for, in a line.
      learner: name of the learner preset.
    """

    name: str
    summary: str
    learner: str

    @property
    def env(self) -> EnvConfig:
        return env_preset(self.name)

    @property
    def preset(self) -> LearnerPreset:
        return ppo_preset(self.learner)


TASKS = {
    task.name: task
    for task in (
        Task("quick", "learns a clip in minutes on a CPU", "quick"),
        Task("default", "VideoMimic's terms, actions on the reference", "default"),
        Task("videomimic_stage1", "motion pre-training, randomised", "videomimic"),
        Task(
            "videomimic_stage1_paper",
            "the same, with its paper's weights",
            "videomimic",
        ),
        Task("videomimic_stage2", "tracking, staying alive", "videomimic"),
        Task("videomimic_stage3", "a student that sees no targets", "videomimic"),
        Task("videomimic_stage4", "that student, refined", "finetune"),
        Task("videomimic_mocap", "clean captures, no noise", "videomimic"),
        Task("beyondmimic", "place-free tracking with pushes", "beyondmimic"),
        Task("stairs", "climb stairs, seeing them", "quick"),
        Task("walk_rough", "walk on rough ground, seeing it", "quick"),
        Task("deepmimic", "the reward of Peng et al. 2018", "deepmimic"),
    )
}


def get_task(name: str) -> Task:
    """The task of that name; `UserError` names the ones there are."""
    if name not in TASKS:
        raise unknown_name("preset", name, TASKS)
    return TASKS[name]
