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
# # First steps with Gymnasium
#
# A Unitree G1 follows a motion clip in physics. This notebook makes the environment,
# looks at what it gives, and steps many of them at once.

# %%
import os

os.environ.setdefault("MUJOCO_GL", "egl")  # draw without a screen

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from gymnasium.vector import AutoresetMode

import mimicgym  # registers G1DeepMimic-v0

print("mimicgym", mimicgym.__version__)

# %% [markdown]
# ## One environment
#
# The observation is the policy's vector: five samples of what the robot's sensors say,
# where its reference is, and the reference's joints. An action of 0 asks for the
# reference's pose itself; 1 is 2 rad away from it.

# %%
env = gymnasium.make("G1DeepMimic-v0", motion="wave", render_mode="rgb_array")
observation, info = env.reset(seed=0)
print("observation", observation.shape, "action", env.action_space.shape, info)

# %% [markdown]
# Asking for the reference's pose and nothing else is not enough: the ankles are soft,
# and the robot tips over. That is what a policy has to learn.

# %%
pictures = [env.render()]
rewards = []
terminated = truncated = False
while not (terminated or truncated):
    action = np.zeros(env.action_space.shape, np.float32)
    observation, reward, terminated, truncated, info = env.step(action)
    rewards.append(reward)
    pictures.append(env.render())
print(f"{len(rewards)} steps of 0.02 s, return {sum(rewards):.1f}")
print("why it ended:", {k: v for k, v in info["termination"].items() if v})

# %%
figure, axes = plt.subplots(1, 4, figsize=(12, 3), layout="constrained")
for axis, row in zip(
    axes, np.linspace(0, len(pictures) - 1, 4).astype(int), strict=True
):
    axis.imshow(pictures[row])
    axis.set_title(f"{row * 0.02:.2f} s")
    axis.axis("off")
plt.show()

# %% [markdown]
# What the reward is made of, in the last step:

# %%
for name, value in info["reward"].items():
    print(f"{name:28s}{value:8.3f}")
env.close()

# %% [markdown]
# ## Many environments
#
# `make_vec` steps all of them as one compiled program. With autoreset `SameStep`, a row
# that ends starts anew in the same step, and its last observation is in `final_obs`.

# %%
envs = gymnasium.make_vec(
    "G1DeepMimic-v0",
    num_envs=16,
    motion="squat",
    autoreset_mode=AutoresetMode.SAME_STEP,
)
observations, infos = envs.reset(seed=1)
ended = 0
for _ in range(60):
    actions = 0.05 * envs.action_space.sample()
    observations, rewards, terminated, truncated, infos = envs.step(actions)
    ended += int((terminated | truncated).sum())
print(observations.shape, "episodes ended:", ended)
envs.close()
