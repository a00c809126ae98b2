"""What terms are made of: registries, and the data that a term may ask for.

A term is a function whose parameter names say what it needs. The environment offers,
for one control step of one environment:

  robot       RobotState after the physics
  ref         RefFrame that belongs to it; last_ref and next_ref, the ones around it
  future_refs RefFrame with a leading axis: observation.future_steps ahead
  facts       Facts: constants of the robot and of the task
  action, last_action, last_last_action   (A,) filtered actions, the newest first
  last_joint_vel   (J,) rad/s one control step ago
  feet        FeetState: contacts and air times, now and before
  phase       () share of the clip that has passed
  step        () int32 control steps since the reset
  time_s      () the same in seconds
  ground      Ground: heights anywhere; scan, the Scan of this episode
  teacher     () int32 index of the clip's teacher, -1 for none
  dt_s        control step
  cfg         the term's own field of the configuration

so a new term touches nothing but its own function and its field.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mimicgym.envs.config import TrackingConfig
from mimicgym.errors import UserError, unknown_name
from mimicgym.physics import RobotState
from mimicgym.reference import RefFrame
from mimicgym.robot import RobotModel

OFFERED = (
    "robot",
    "ref",
    "last_ref",
    "next_ref",
    "future_refs",
    "facts",
    "action",
    "last_action",
    "last_last_action",
    "last_joint_vel",
    "feet",
    "phase",
    "step",
    "time_s",
    "ground",
    "scan",
    "teacher",
    "dt_s",
    "cfg",
)


class Registry:
    """Terms of one kind by name, in the order of their definition."""

    def __init__(self, kind: str):
        self.kind = kind
        self._terms: dict[str, Callable[..., jax.Array]] = {}
        self._needs: dict[str, tuple[str, ...]] = {}
        self._units: dict[str, str] = {}

    def __call__(self, term: Any) -> Any:
        """Decorator: register a function under its own name.

        `@registry` or, to tell the unit of the value, `@registry("m/s")`.
        """
        if isinstance(term, str):
            return functools.partial(self._register, unit=term)
        return self._register(term)

    def _register(
        self, term: Callable[..., jax.Array], unit: str = ""
    ) -> Callable[..., jax.Array]:
        needs = tuple(inspect.signature(term).parameters)
        unknown = [n for n in needs if n not in OFFERED]
        if unknown:
            raise unknown_name(
                f"parameter of the {self.kind} term {term.__name__}",
                unknown[0],
                OFFERED,
            )
        self._terms[term.__name__] = term
        self._needs[term.__name__] = needs
        self._units[term.__name__] = unit
        return term

    def __contains__(self, name: str) -> bool:
        return name in self._terms

    def __iter__(self):
        return iter(self._terms)

    def check(self, name: str) -> None:
        """`UserError` when there is no such term."""
        if name not in self._terms:
            raise unknown_name(f"{self.kind} term", name, self._terms)

    def needs(self, name: str) -> tuple[str, ...]:
        """What a term asks for."""
        return self._needs[name]

    def unit(self, name: str) -> str:
        """The unit of a term's value."""
        return self._units[name]

    def summary(self, name: str) -> str:
        """The first line of a term's docstring."""
        return (self._terms[name].__doc__ or "").strip().splitlines()[0]

    def call(self, name: str, offered: Mapping[str, Any]) -> jax.Array:
        """A term's value from the data on offer."""
        return self._terms[name](**{n: offered[n] for n in self._needs[name]})


@dataclass(frozen=True, eq=False)
class Facts:
    """Constants of a robot model and a task, as host arrays that compile into the
    program. Rows of bodies are positions in the body arrays of `RobotState`."""

    default_pose_rad: np.ndarray  # (J,)
    joint_lower_rad: np.ndarray  # (J,) hard limits
    joint_upper_rad: np.ndarray
    effort_nm: np.ndarray  # (J,)
    speed_limit_rad_s: np.ndarray  # (J,)
    tracked: np.ndarray  # (L,) rows of bodies
    anchor: int  # row of a body
    end_effectors: np.ndarray  # (E,) rows of bodies
    torso: int
    feet: np.ndarray  # (2,) rows of bodies
    foot_contacts: np.ndarray  # (2,) rows of contact_force_w
    hand_contacts: np.ndarray  # (2,) or (0,) where the preset has no hand contacts
    contact_bodies: tuple[str, ...]  # names of the rows of contact_force_w
    self_pairs: int  # length of self_contact_n
    ankle_joints: np.ndarray  # (4,) rows of joints
    hip_side_joints: np.ndarray  # (4,) roll and yaw
    upper_body_joints: np.ndarray

    @classmethod
    def of(
        cls, model: RobotModel, tracking: TrackingConfig, pose: str = "straight"
    ) -> "Facts":
        robot = model.robot
        hands = [b for b in robot.hand_bodies if b in model.contact_bodies]

        def rows(field: str, names: tuple[str, ...]) -> np.ndarray:
            for name in names:
                if name not in robot.key_bodies:
                    raise unknown_name(f"tracking.{field}", name, robot.key_bodies)
            if not names:
                raise UserError(f"tracking.{field} is empty; name at least one body")
            return robot.body_index(*names)

        def joints(*parts: str) -> np.ndarray:
            named = [j for j in robot.joint_names if any(part in j for part in parts)]
            return robot.joint_index(*named)

        return cls(
            default_pose_rad=robot.pose_rad(pose).astype(np.float32),
            joint_lower_rad=model.joint_range_rad[:, 0].astype(np.float32),
            joint_upper_rad=model.joint_range_rad[:, 1].astype(np.float32),
            effort_nm=model.effort_nm.astype(np.float32),
            speed_limit_rad_s=robot.speed_limit_rad_s.astype(np.float32),
            tracked=rows("bodies", tracking.bodies),
            anchor=int(rows("anchor", (tracking.anchor,))[0]),
            end_effectors=rows("end_effectors", tracking.end_effectors),
            torso=int(robot.body_index(robot.torso_body)[0]),
            feet=robot.body_index(*robot.foot_bodies),
            foot_contacts=model.contact_index(*robot.foot_bodies),
            hand_contacts=model.contact_index(*hands),
            contact_bodies=model.contact_bodies,
            self_pairs=len(model.self_contacts),
            ankle_joints=joints("ankle"),
            hip_side_joints=joints("hip_roll", "hip_yaw"),
            upper_body_joints=robot.joint_index(*robot.upper_body_joints),
        )


@struct.dataclass
class FeetState:
    """Contacts of the two feet (left, right), and the flight of each.

    `contact` is measured now: vertical force above 1 N. `last_contact` is that of the
    step before, `air_time_s` includes this step, and `touchdown` marks the first
    step on the ground after a flight, with one-step gaps bridged. `peak_m` is the
    largest height of the foot's frame since it was last on the ground, `was_down`
    whether it has been there in this episode.
    """

    contact: jax.Array  # (2,) bool
    last_contact: jax.Array  # (2,) bool
    touchdown: jax.Array  # (2,) bool
    air_time_s: jax.Array  # (2,)
    peak_m: jax.Array  # (2,)
    was_down: jax.Array  # (2,) bool


CONTACT_THRESHOLD_N = 1.0


def link_pos_error_w(robot: RobotState, ref: RefFrame, facts: Facts) -> jax.Array:
    """(L, 3) m: tracked bodies minus their reference."""
    return robot.body_pos_w[facts.tracked] - ref.body_pos_w[facts.tracked]


def measured_contact(foot_force_w: jax.Array) -> jax.Array:
    """(2,) bool from (2, 3) forces: vertical force above 1 N."""
    return foot_force_w[:, 2] > CONTACT_THRESHOLD_N


def feet_at_reset(foot_force_w: jax.Array, height_m: jax.Array) -> FeetState:
    """Feet without a past. height_m (2,) of their frames."""
    contact = measured_contact(foot_force_w)
    none, zero = jnp.zeros(2, bool), jnp.zeros(2, foot_force_w.dtype)
    return FeetState(contact, contact, none, zero, height_m, contact)


def feet_after_step(
    feet: FeetState, foot_force_w: jax.Array, height_m: jax.Array, dt_s: float
) -> FeetState:
    """Advance contacts, air times and peaks by one control step.

    A foot counts as down when it touches now or did one step ago, so that a single
    step without force does not end a stance.
    """
    contact = measured_contact(foot_force_w)
    down = contact | feet.contact
    landed_before = feet.contact | feet.last_contact
    # A foot that was down has no flight to end; its clock starts over.
    clock_s = jnp.where(landed_before, 0.0, feet.air_time_s) + dt_s
    peak_m = jnp.where(landed_before, height_m, jnp.maximum(feet.peak_m, height_m))
    # A flight from before the episode has no known length, so its end does not count.
    touchdown = down & ~landed_before & feet.was_down
    was_down = feet.was_down | down
    return FeetState(contact, feet.contact, touchdown, clock_s, peak_m, was_down)
