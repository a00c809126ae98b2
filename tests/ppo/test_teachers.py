"""Imitating teachers: labels, masks, the share of imitation, students that learn."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.compilations import CompilationLog
from mimicgym.errors import UserError
from mimicgym.ppo import Learner, Policy, PPOConfig, network, policy_of, train
from mimicgym.ppo.loss import Samples, ppo_loss
from mimicgym.ppo.normalize import init_stats, update_stats
from mimicgym.ppo.teachers import Teacher, imitation_share, labels
from tests.ppo.probes import Probe, ProbeStep

CONFIG = PPOConfig(
    num_steps=4,
    epochs=4,
    minibatches=2,
    hidden=(32,),
    init_std=0.3,
    gamma=0.9,
    learning_rate=1e-2,
    schedule="fixed",
    bc_coef=1.0,
)


def teacher(slope: float, columns: list[int]) -> Teacher:
    """One that does slope * (the first observation it takes), in every action."""
    config = replace(CONFIG, hidden=(2,), activation="relu")
    size = len(columns)
    first = np.zeros((size, 2), np.float32)
    first[0] = 1, -1
    params = {
        "params": {
            "Dense_0": {"kernel": jnp.asarray(first), "bias": jnp.zeros(2)},
            "Dense_1": {
                "kernel": jnp.array([[slope], [-slope]]),
                "bias": jnp.zeros(1),
            },
        }
    }
    config = replace(config, normalize_observations=False)
    policy = Policy(params, init_stats(size), config, action_size=1)
    return Teacher(policy, jnp.array(columns))


@dataclass(frozen=True)
class Taught(Probe):
    """Rows of an observed number whose teachers are 0, 1 or none, by row; teachers see
    a number that means nothing, then that one, doubled. Reward draws the action away
    from what any teacher does."""

    task: str = "both"

    @property
    def observation_sizes(self) -> dict[str, int]:
        return {"actor": 3, "critic": 1, "teacher": 2}

    def numbers(self) -> jax.Array:
        return jnp.arange(self.num_envs) % 3 - 1

    def _seen(self, step: ProbeStep) -> ProbeStep:
        def groups(obs):
            x = obs["critic"]
            who = jax.nn.one_hot(self.numbers() + 1, 3)
            actor = jnp.concatenate([x, who[:, 1:]], axis=1)
            teacher = jnp.concatenate([jnp.full_like(x, 7.0), 2 * x], axis=1)
            return {"actor": actor, "critic": x, "teacher": teacher}

        return step.replace(obs=groups(step.obs), final_obs=groups(step.final_obs))

    def reset(self, keys):
        return self._seen(super().reset(keys))

    def step(self, batch, action):
        return self._seen(super().step(batch, action))

    def teacher_of(self, batch):
        return self.numbers()


def test_labels_are_the_means_of_the_teacher_of_each_row():
    teachers = [teacher(1.0, [1]), teacher(-3.0, [0, 1])]
    obs = jnp.array([[0.5, 0.1], [0.5, 0.2], [0.5, 0.3], [9.0, 9.0], [4.0, 0.0]])
    action, known = labels(teachers, jnp.array([0, 1, -1, 2, 1]), obs, bound=8.0)
    # Teacher 0 takes the second number; teacher 1 both, and acts on the first of them;
    # the last action is held at the bound.
    np.testing.assert_allclose(action[:, 0], [0.1, -1.5, 0.0, 0.0, -8.0], atol=1e-6)
    np.testing.assert_array_equal(known, [True, True, False, False, True])


def samples(rng, n: int) -> Samples:
    def draw(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    return Samples(
        actor_obs=draw(n, 3),
        critic_obs=draw(n, 4),
        action=draw(n, 2),
        mean=draw(n, 2),
        log_prob=draw(n) - 2,
        value=draw(n),
        advantage=draw(n),
        target=draw(n),
        done=jnp.zeros(n, bool),
        label=draw(n, 2),
        labelled=jnp.asarray(rng.random(n) < 0.6),
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixed_loss(share):
    """(1 - c) * what it would be without teachers + c * distance from the labels, of
    those samples that have one."""
    config = replace(CONFIG, bounds_coef=0.0)
    sizes = {"actor": 3, "critic": 4}
    params = network.init_params(jax.random.key(0), config, sizes, 2)
    batch = samples(np.random.default_rng(1), 40)
    std = jnp.full(2, 0.4)
    alone, health = ppo_loss(
        params, std, replace(batch, label=None, labelled=None), config
    )
    mixed, mixed_health = ppo_loss(params, std, batch, config, imitation=share)
    actor = network.actor_network(config, 2)
    mean = np.asarray(network.apply(actor, params["actor"], batch.actor_obs))
    away = np.square(mean - np.asarray(batch.label)).sum(1)
    distance = away[np.asarray(batch.labelled)].mean()
    value = float(health["ppo/value_loss"])
    expected = (1 - share) * (float(alone) - value) + share * distance + value
    assert float(mixed) == pytest.approx(expected, rel=1e-5)
    assert float(mixed_health["ppo/imitation_loss"]) == pytest.approx(distance, 1e-5)


def test_imitating_alone_leaves_ppo_out_and_trains_the_value():
    """With c = 1 the actor's gradient is that of the distance alone, exactly."""
    config = replace(CONFIG, bounds_coef=0.0)
    sizes = {"actor": 3, "critic": 4}
    params = network.init_params(jax.random.key(0), config, sizes, 2)
    batch = samples(np.random.default_rng(2), 30)
    std = jnp.full(2, 0.4)
    actor = network.actor_network(config, 2)

    def distance(params):
        mean = network.apply(actor, params["actor"], batch.actor_obs)
        away = jnp.sum(jnp.square(mean - batch.label), axis=-1)
        return jnp.sum(away * batch.labelled) / jnp.sum(batch.labelled)

    found = jax.grad(lambda p: ppo_loss(p, std, batch, config, imitation=1.0)[0])(
        params
    )
    alone = jax.grad(distance)(params)
    jax.tree.map(np.testing.assert_array_equal, found["actor"], alone["actor"])
    np.testing.assert_array_equal(found["raw_std"], 0.0)
    assert max(float(jnp.abs(x).max()) for x in jax.tree.leaves(found["critic"])) > 0


def test_samples_without_a_teacher_teach_nothing():
    batch = samples(np.random.default_rng(3), 20)
    batch = replace(batch, labelled=jnp.zeros(20, bool))
    params = network.init_params(
        jax.random.key(0), CONFIG, {"actor": 3, "critic": 4}, 2
    )
    config = replace(CONFIG, bounds_coef=0.0)
    std = jnp.full(2, 0.4)
    grads = jax.grad(lambda p: ppo_loss(p, std, batch, config, imitation=1.0)[0])(
        params
    )
    jax.tree.map(lambda x: np.testing.assert_array_equal(x, 0.0), grads["actor"])


def test_two_teachers_make_one_student():
    """Reward wants half of the observation; the teachers do 0.5 and -1.0 times twice of
    it, and rows without a teacher are left alone."""
    env = Taught("both", num_envs=48)
    teachers = [teacher(0.5, [1]), teacher(-1.0, [1, 0])]
    learner = Learner(env, CONFIG, teachers=teachers)
    with CompilationLog() as log:
        state = train(learner, learner.init(jax.random.key(0)), iterations=60)
    assert sum("pure_improve" in program.name for program in log.programs) == 1
    policy = policy_of(state, CONFIG)
    for x in (1.0, -1.0):
        first = policy(jnp.array([x, 1.0, 0.0]))
        second = policy(jnp.array([x, 0.0, 1.0]))
        assert float(first[0]) == pytest.approx(x, abs=0.1)
        assert float(second[0]) == pytest.approx(-2 * x, abs=0.15)


def test_share_of_imitation_falls_linearly():
    config = replace(CONFIG, bc_coef=0.8, bc_coef_end=0.2, bc_iterations=3)
    found = [float(imitation_share(jnp.int32(i), config)) for i in range(5)]
    np.testing.assert_allclose(found, [0.8, 0.6, 0.4, 0.2, 0.2], rtol=1e-6)
    assert float(imitation_share(jnp.int32(9), CONFIG)) == 1.0


def test_teachers_normalise_as_they_were_trained():
    one = teacher(1.0, [0])
    stats = update_stats(init_stats(1), jnp.array([[1.0], [5.0]]))
    config = replace(one.policy.config, normalize_observations=True)
    one = Teacher(replace(one.policy, stats=stats, config=config), one.columns)
    action, _ = labels([one], jnp.array([0]), jnp.array([[7.0]]), bound=8.0)
    assert float(action[0, 0]) == pytest.approx((7 - 3) / (2 + 0.01), rel=1e-5)


@pytest.mark.parametrize(
    ("env", "config", "teachers", "message"),
    [
        (Taught(), CONFIG, [], "no teachers"),
        (Taught(), replace(CONFIG, bc_coef=0.0), [teacher(1.0, [0])], "bc_coef is 0"),
        (Probe("both"), CONFIG, [teacher(1.0, [0])], "group 'teacher' has no terms"),
        (Taught(action_size=3), CONFIG, [teacher(1.0, [0])], "1 actions, the student"),
    ],
)
def test_what_can_not_be_taught_is_refused(env, config, teachers, message):
    with pytest.raises(UserError, match=message):
        Learner(env, config, teachers=teachers)
