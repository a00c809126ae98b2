# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train on your own clip
#
# A clip is an `.npz` file with root positions, quaternions (w first) and joint angles.
# Here we make one, look at it, train on it, and measure and watch the result. A policy
# that masters a clip of a few seconds needs some minutes on two cores;
# `MIMICGYM_EXAMPLE_MINUTES` sets how long this notebook trains.

# %%
import os
from pathlib import Path
from tempfile import mkdtemp

os.environ.setdefault("MUJOCO_GL", "egl")  # draw without a screen

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import mimicgym
from mimicgym.evaluation import evaluation_config
from mimicgym.play import save_film
from mimicgym.robot import get_robot

MINUTES = float(os.environ.get("MIMICGYM_EXAMPLE_MINUTES", "6"))
folder = Path(mkdtemp())

# %% [markdown]
# ## A clip
#
# Take the embedded wave and let it wave less far: from any 29-joint motion that you
# have, you would fill the same arrays.

# %%
wave = mimicgym.load_motion("wave")
print(wave.name, wave.qpos.shape, f"{wave.fps:g} frames a second")
qpos = wave.qpos.copy()
qpos[:, 7:] = qpos[0, 7:] + 0.8 * (qpos[:, 7:] - qpos[0, 7:])
clip = folder / "small_wave.npz"
np.savez(clip, qpos=qpos, fps=wave.fps, joint_names=np.array(wave.joint_names))

# %%
names = list(wave.joint_names)
figure, axis = plt.subplots(figsize=(8, 2.5), layout="constrained")
for name in (
    "right_shoulder_roll_joint",
    "right_shoulder_pitch_joint",
    "right_elbow_joint",
):
    axis.plot(
        np.arange(len(qpos)) / wave.fps, qpos[:, 7 + names.index(name)], label=name
    )
axis.set_xlabel("s")
axis.set_ylabel("rad")
axis.legend()
plt.show()

# %% [markdown]
# ## Training
#
# `run_config` starts from a preset; every number in it can be changed. On the command
# line this is `mimicgym train --motion small_wave.npz`.

# %%
config = mimicgym.run_config("quick", motion=str(clip))


def show(progress):
    if progress.iteration % 20 == 0:
        length = progress.metrics["episode/length"]
        print(
            f"{progress.env_steps / 1e6:.2f} M steps, {progress.steps_per_s:,.0f}/s,"
            f" episodes of {length:.0f} steps"
        )


result = mimicgym.train(
    config, out=folder / "run", seconds=60 * MINUTES, on_iteration=show
)

# %% [markdown]
# ## Result
#
# `completion` is the share of the clip that the robot lives through from its first
# frame on; `mpkpe_mm` the mean distance of its tracked bodies from the reference.

# %%
print(result.evaluation.clips[0])
display_curves = Image.open(result.folder.report / "curves.png")
display_curves  # noqa: B018

# %%
strip = folder / "strip.png"
save_film(
    strip,
    get_robot(config.env.robot),
    result.evaluation.qpos[0],
    result.evaluation.reference_qpos[0],
    dt_s=config.env.dt_s,
)
Image.open(strip)

# %% [markdown]
# The policy is a function of the actor's observation, and can be loaded from the run's
# folder at any time:

# %%
policy = mimicgym.load_policy(result.folder.path)
env = mimicgym.make_env(evaluation_config(config.env))
scores = mimicgym.evaluate(env, policy)
print(scores.mean)
