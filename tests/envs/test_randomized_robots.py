"""What each randomisation does to a robot, in experiments that can be worked out by
hand, and that it does it to no other robot of the batch."""

import copy

import jax
import mujoco
import numpy as np
import pytest

from mimicgym.envs.config import RandomizationConfig
from mimicgym.envs.randomization import Nominal, Randomizer
from mimicgym.physics import PhysicsState
from mimicgym.physics.native import NativeEngine
from mimicgym.robot import build_model, get_robot
from tests.envs.test_randomization import ON

GRAVITY = 9.81
DT_S = 0.02


class Lab:
    """Some robots of one model on the native engine."""

    def __init__(self, *, decimation: int = 4, torque_control: bool = False):
        self.model = build_model(
            get_robot("g1_23dof"),
            collisions="body",
            torque_control=torque_control,
            visuals=False,
        )
        self.pose = self.model.robot.default_pose_rad.astype(np.float32)
        self.nominal = Nominal.of(self.model).fields
        self._step = jax.jit(
            jax.vmap(NativeEngine(self.model, decimation=decimation).step)
        )

    def draw(self, rows: int = 1, seed: int = 0, **on) -> dict[str, np.ndarray]:
        """Fields of some robots."""
        drawer = Randomizer(RandomizationConfig(**on), self.model)
        keys = jax.random.split(jax.random.key(seed), rows)
        return jax.tree.map(np.asarray, jax.vmap(drawer.draw)(keys))

    def at(self, rows: int, height_m: float = 50.0, quat=(1, 0, 0, 0)) -> PhysicsState:
        """Robots at rest in the default pose."""
        qpos = np.zeros((rows, self.model.mj.nq), np.float32)
        qpos[:, 2], qpos[:, 3:7], qpos[:, 7:] = height_m, quat, self.pose
        rest = np.zeros((rows, self.model.mj.nv), np.float32)
        return PhysicsState(qpos, rest, rest)

    def play(self, physics, steps: int, fields, ctrl=None):
        """The states and what is seen of them after some steps."""
        ctrl = self.pose if ctrl is None else ctrl
        ctrl = np.broadcast_to(ctrl, (len(physics.qpos), len(self.pose)))
        for _ in range(steps):
            physics, robot = self._step(physics, ctrl, fields)
        return jax.tree.map(np.asarray, (physics, robot))

    def measured_inertia(self, joint: int, torque: float, fields) -> np.ndarray:
        """Of robots in the air at rest: a torque over what it does in 5 ms."""
        rows = len(next(iter(fields.values())))
        ctrl = np.zeros(len(self.pose))
        ctrl[joint] = torque
        after, _ = self.play(self.at(rows), 1, fields, ctrl)
        return torque * 0.005 / after.qvel[:, 6 + joint]

    def joint(self, name: str) -> int:
        return int(self.model.robot.joint_index(name)[0])


@pytest.fixture(scope="module")
def lab():
    return Lab()


@pytest.fixture(scope="module")
def limp():
    """Joints without gains, and single physics steps."""
    return Lab(decimation=1, torque_control=True)


@pytest.fixture(scope="module")
def lying(lab):
    """One robot that has come to rest on its back, head towards -x."""
    turn = (np.sqrt(0.5), 0, -np.sqrt(0.5), 0)
    physics, robot = lab.play(lab.at(1, 0.1, turn), 100, {})
    weight = lab.model.mj.body_mass.sum() * GRAVITY
    np.testing.assert_allclose(robot.contact_force_w[0, :, 2].sum(), weight, rtol=1e-3)
    return physics


def repeat(physics: PhysicsState, rows: int) -> PhysicsState:
    return jax.tree.map(lambda x: np.repeat(x, rows, axis=0), physics)


def stack(*fields):
    return {k: np.concatenate([f[k] for f in fields]) for k in fields[0]}


@pytest.mark.parametrize("name", [*ON, "all"])
def test_other_robots_stay_as_they_are(name, lab, lying):
    """Bit by bit, in a batch of which one is changed."""
    on = ON if name == "all" else {name: ON[name]}
    drawn = lab.draw(**on)
    before = {k: np.repeat(lab.nominal[k][None], 4, axis=0) for k in drawn}
    after = {k: v.copy() for k, v in before.items()}
    for field, values in drawn.items():
        after[field][2] = values[0]
    # In motion, so that everything counts.
    physics = repeat(lying, 4)
    physics.qvel[:, :3] = [0.5, 0.3, 0.5]
    ctrl = lab.pose + np.where(np.arange(len(lab.pose)) % 3 == 0, 1.5, 0.1)
    a, b = (lab.play(physics, 5, fields, ctrl)[0] for fields in (before, after))
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x[[0, 1, 3]], y[[0, 1, 3]])
    assert np.abs(a.qpos[2] - b.qpos[2]).max() > 1e-4


def test_friction_stops_what_slides(lab, lying):
    """On its back at 1.5 m/s: v' = -mu g, and v^2 / 2 mu g until it stops."""
    friction = (0.2, 0.4, 0.8)
    fields = stack(*(lab.draw(friction=(mu, mu)) for mu in friction))
    physics = repeat(lying, 3)
    physics.qvel[:, 0] = 1.5
    after, _ = lab.play(physics, 5, fields)
    slowed = 1.5 - after.qvel[:, 0]
    expected = np.array(friction) * GRAVITY * 5 * DT_S
    np.testing.assert_allclose(slowed, expected, rtol=0.15)
    _, robot = lab.play(physics, 100, fields)
    way_m = robot.root_pos_w[:, 0] - lying.qpos[0, 0]
    stop_m = 1.5**2 / (2 * np.array(friction) * GRAVITY)
    np.testing.assert_allclose(way_m, stop_m, rtol=0.15)


@pytest.mark.parametrize(
    ("on", "added_kg"),
    [
        ({"torso_mass_kg": (3.0, 3.0)}, 3.0),
        ({"torso_mass_kg": (-1.0, -1.0)}, -1.0),
        ({"mass_scale": (1.2, 1.2)}, 0.2 * 33.341),
        ({"torso_mass_kg": (3.0, 3.0), "mass_scale": (0.5, 0.5)}, 1.5 - 0.5 * 33.341),
    ],
)
def test_mass_presses_on_the_ground(on, added_kg, lab, lying):
    _, robot = lab.play(lying, 100, lab.draw(**on))
    force = robot.contact_force_w[0, :, 2].sum()
    mass_kg = lab.model.mj.body_mass.sum() + added_kg
    np.testing.assert_allclose(force, mass_kg * GRAVITY, rtol=2e-3)


def test_mass_resists(limp):
    """A torque on a shoulder in the air: torque / acceleration grows with the mass of
    the arm, and only the rotors' share of it does not."""
    joint, torque = limp.joint("left_shoulder_pitch_joint"), 20.0
    scales = np.array([1.0, 2.0, 3.0])
    fields = stack(*(limp.draw(mass_scale=(s, s)) for s in scales))
    inertia = limp.measured_inertia(joint, torque, fields)
    grown = np.diff(inertia)
    np.testing.assert_allclose(grown[1], grown[0], rtol=0.1)
    constant = inertia - scales * grown[0]
    assert np.all((constant > 0) & (constant < 0.3 * inertia[0]))


def centre_of_pressure(lab, physics, fields) -> np.ndarray:
    """(2,) x and y, from MuJoCo's contacts in a model that has the fields."""
    mj = copy.copy(lab.model.mj)
    for name, values in fields.items():
        getattr(mj, name)[:] = values[0]
    data, wrench = mujoco.MjData(mj), np.zeros(6)
    data.qpos[:], data.qvel[:] = physics.qpos[0], physics.qvel[0]
    data.ctrl[:] = lab.pose
    mujoco.mj_forward(mj, data)
    moment, total = np.zeros(2), 0.0
    for i in range(data.ncon):
        mujoco.mj_contactForce(mj, data, i, wrench)
        moment += wrench[0] * data.contact[i].pos[:2]
        total += wrench[0]
    return moment / total


def test_the_centre_of_pressure_follows_the_torsos_centre_of_mass(lab, lying):
    """Along the spine, which lies in -x: by the torso's share of the mass."""
    mj, torso = lab.model.mj, lab.model.mj.body("torso_link").id
    usual = {"body_ipos": lab.nominal["body_ipos"][None]}
    found = {}
    for seed in range(4):
        fields = lab.draw(seed=seed, torso_com_m=(0.0, 0.0, 0.1))
        shift = (fields["body_ipos"] - usual["body_ipos"])[0, torso, 2]
        start, _ = lab.play(lying, 100, usual)
        physics, _ = lab.play(lying, 100, fields)
        pressure = centre_of_pressure(lab, physics, fields)
        found[shift] = pressure - centre_of_pressure(lab, start, usual)
    shifts = np.array(list(found))
    assert shifts.max() > 0.03 and shifts.min() < -0.03
    share = mj.body_mass[torso] / mj.body_mass.sum()
    moved = np.array(list(found.values()))
    np.testing.assert_allclose(moved[:, 0], -share * shifts, rtol=0.1, atol=1e-4)
    assert np.abs(moved[:, 1]).max() < 1e-3


def test_torque_noise_makes_joints_drift(lab):
    """In the air, to where the springs hold against it: torque / kp."""
    fields = lab.draw(torque_noise=0.04)
    torque = fields["actuator_biasprm"][0, :, 0]
    kp, _ = lab.model.robot.gains("videomimic")
    _, robot = lab.play(lab.at(1), 75, fields)
    _, usual = lab.play(lab.at(1), 75, {})
    drift = robot.joint_pos[0] - lab.pose
    # Dry friction of 0.1 N m may stop a joint before.
    np.testing.assert_allclose(drift, torque / kp, atol=0.15 / kp.min())
    assert np.abs(drift).max() > 0.03
    assert np.abs(usual.joint_pos[0] - lab.pose).max() < 0.002


def test_stiffer_joints_hold_closer(lab):
    """Under the same constant torques."""
    soft = lab.draw(torque_noise=0.04)
    drawn = lab.draw(torque_noise=0.04, kp_std=0.3)
    kp, _ = lab.model.robot.gains("videomimic")
    scale = drawn["actuator_gainprm"][0, :, 0] / kp
    torque = soft["actuator_biasprm"][0, :, 0]
    np.testing.assert_array_equal(drawn["actuator_biasprm"][0, :, 0], torque)
    off = [
        np.abs(lab.play(lab.at(1), 75, f)[1].joint_pos[0] - lab.pose)
        for f in (soft, drawn)
    ]
    clear = (np.abs(torque) > 1) & (np.abs(scale - 1) > 0.1)
    assert (clear & (scale > 1)).sum() > 2 and (clear & (scale < 1)).sum() > 2
    assert np.all((off[1] < off[0])[clear] == (scale > 1)[clear])
    np.testing.assert_allclose(off[1][clear] * scale[clear], off[0][clear], rtol=0.2)


def test_damping_slows_a_joint(lab):
    """An elbow that swings in the air, with 32 dampings."""
    rows, elbow = 32, lab.joint("left_elbow_joint")
    fields = lab.draw(rows, kd_std=0.3)
    physics = lab.at(rows)
    physics = physics.replace(qvel=physics.qvel.copy())
    physics.qvel[:, 6 + elbow] = 3.0
    _, robot = lab.play(physics, 1, fields)
    damping = -fields["actuator_biasprm"][:, elbow, 2]
    assert np.corrcoef(damping, robot.joint_vel[:, elbow])[0, 1] < -0.95


def test_strength_scales_the_torque_beyond_the_nominal_limit(lab):
    """Targets far away: every motor gives all it has, and the joints speed up alike."""
    single = Lab(decimation=1)
    ctrl = single.pose + 4.0
    strengths = (0.5, 1.0, 1.5)
    fields = stack(*(single.draw(motor_strength=(s, s)) for s in strengths))
    after, robot = single.play(single.at(3), 1, fields, ctrl)
    effort = single.model.effort_nm
    np.testing.assert_allclose(
        robot.joint_torque, np.outer(strengths, effort), rtol=1e-5
    )
    speed = after.qvel[:, 6:]
    # From rest, less the same dry friction.
    gained = [speed[1] - speed[0], speed[2] - speed[1]]
    assert np.abs(gained[0]).min() > 0.05
    np.testing.assert_allclose(gained[1], gained[0], rtol=0.05)


def test_dry_friction_slows_a_swinging_arm(limp):
    """In the air, without motors: each 0.4 N m more take as much speed."""
    rows, elbow = 3, limp.joint("left_elbow_joint")
    friction = (0.2, 0.6, 1.0)
    fields = stack(*(limp.draw(joint_friction_nm=(f, f)) for f in friction))
    physics = limp.at(rows)
    physics = physics.replace(qvel=physics.qvel.copy())
    physics.qvel[:, 6 + elbow] = 2.0
    after, _ = limp.play(physics, 8, fields, np.zeros(len(limp.pose)))
    speed = after.qvel[:, 6 + elbow]
    taken = -np.diff(speed)
    assert speed[2] > 0 and taken[0] > 0.05
    np.testing.assert_allclose(taken[1], taken[0], rtol=0.1)


def test_rotors_resist(limp):
    """A torque on an ankle: 1 / acceleration grows by the rotor's inertia."""
    joint, torque = limp.joint("left_ankle_pitch_joint"), 10.0
    scales = np.array([1.0, 2.0, 3.0])
    fields = stack(*(limp.draw(armature_scale=(s, s)) for s in scales))
    inertia = limp.measured_inertia(joint, torque, fields)
    rotor = limp.nominal["dof_armature"][6 + joint]
    np.testing.assert_allclose(np.diff(inertia), rotor, rtol=0.15)


def test_tilted_gravity_pulls_sideways(lab):
    """Free fall: every robot speeds up along its own gravity."""
    rows, steps = 6, 10
    fields = lab.draw(rows, gravity_tilt_rad=0.3)
    after, _ = lab.play(lab.at(rows), steps, fields)
    speed = after.qvel[:, :3]
    time_s = steps * DT_S
    np.testing.assert_allclose(speed, fields["opt.gravity"] * time_s, atol=2e-3)
    angle = np.arccos(-fields["opt.gravity"][:, 2] / GRAVITY)
    sideways = np.linalg.norm(speed[:, :2], axis=1)
    np.testing.assert_allclose(sideways, GRAVITY * np.sin(angle) * time_s, atol=2e-3)
    assert sideways.max() > 0.3
