"""Weights of one learner in another that sees other things."""

import functools
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mimicgym.errors import UserError
from mimicgym.ppo import Checkpoints, Learner, LearnerState, PPOConfig, policy_of
from mimicgym.ppo.matching import behind_closed_gates, match_columns, match_terms
from mimicgym.ppo.rollout import Acting, value_of
from mimicgym.ppo.stored import by_name, read_arrays
from mimicgym.ppo.transfer import NEW_COUNT, PARTS, transfer
from tests.ppo.probes import Probe, ProbeStep

CONFIG = PPOConfig(num_steps=2, epochs=1, minibatches=1, hidden=(16, 8), init_std=0.5)
OLD = {
    "actor": (("joints", 3), ("gravity", 2), ("target", 4)),
    "critic": (("joints", 3), ("height", 1)),
}
# Another order, one term less, one of another size and two that are new.
NEW = {
    "actor": (("target", 4), ("phase", 1), ("joints", 3), ("gravity", 3)),
    "critic": (("height", 1), ("joints", 3), ("phase", 1)),
}
SCANNING = {
    "actor": (*OLD["actor"], ("gated_scan", 5)),
    "critic": (*OLD["critic"], ("gated_scan", 5)),
}


@dataclass(frozen=True)
class Seeing(Probe):
    """A probe whose groups have the terms of a layout; gated ones begin with it."""

    task: str = "both"
    num_envs: int = 4
    action_size: int = 2
    layout: tuple = ()

    @property
    def observation_sizes(self) -> dict[str, int]:
        return {group: sum(n for _, n in terms) for group, terms in self.layout}

    @property
    def gated_sizes(self) -> dict[str, int]:
        return {
            group: sum(n for name, n in terms if name.startswith("gated_"))
            for group, terms in self.layout
        }

    def _step(self, obs, final_obs, *rest) -> ProbeStep:
        def seen(x):
            sizes = self.observation_sizes.items()
            return {group: jnp.sin(x * jnp.arange(1, n + 1)) for group, n in sizes}

        step = super()._step(obs, final_obs, *rest)
        return step.replace(obs=seen(obs), final_obs=seen(final_obs))


def learner(layout, config=CONFIG, **settings) -> Learner:
    return Learner(Seeing(layout=tuple(layout.items()), **settings), config)


def fresh(layout, config=CONFIG, **settings) -> LearnerState:
    return _fresh(tuple(layout.items()), config, tuple(settings.items()))


@functools.cache
def _fresh(layout, config, settings) -> LearnerState:
    """Compiled once; it is not iterated, so it can be used again."""
    return learner(dict(layout), config, **dict(settings)).init(jax.random.key(7))


def trained(layout, config=CONFIG) -> LearnerState:
    """A state with random numbers in place of what training would have found."""
    rng = np.random.default_rng(3)

    def drawn(x):
        # Positive, as variances, counts and second moments have to be.
        return jnp.asarray(0.1 + rng.random(x.shape), x.dtype)

    def signed(x):
        return jnp.asarray(rng.normal(0, 0.2, x.shape), x.dtype)

    state = fresh(layout, config)
    return state.replace(
        params=jax.tree.map(signed, state.params),
        opt_state=jax.tree.map(drawn, state.opt_state),
        obs_stats=jax.tree.map(drawn, state.obs_stats),
        return_stats=jax.tree.map(drawn, state.return_stats),
        learning_rate=jnp.float32(0.123),
        iteration=jnp.int32(40),
    )


def arrays(state: LearnerState) -> dict[str, np.ndarray]:
    parts = ("params", "opt_state", "obs_stats", "return_stats", "learning_rate")
    named = by_name({name: getattr(state, name) for name in parts})
    return {name: np.asarray(x) for name, x in named.items()}


def moved(old, new, there, here, **settings):
    return transfer(arrays(old), new, there=there, here=here, **settings)


def observations(layout, terms, rows=20) -> np.ndarray:
    """(rows, D) of the given values of terms (rows, n), in a layout's order."""
    return np.hstack([terms[name][:, :n] for name, n in layout])


def values_of_terms(seed=5, rows=20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    names = ("joints", "gravity", "target", "phase", "height", "gated_scan")
    return {name: rng.normal(size=(rows, 5)).astype(np.float32) for name in names}


def value(state, obs, config=CONFIG):
    acting = Acting(state.params, state.obs_stats, state.return_stats)
    return np.asarray(value_of(acting, jnp.asarray(obs), config))


def test_columns_by_hand():
    there = (("a", 2), ("b", 1), ("a", 2), ("c", 3))
    here = (("c", 2), ("b", 1), ("a", 2), ("d", 1), ("a", 2), ("a", 2))
    columns = [-1, -1, 2, 0, 1, -1, 3, 4, -1, -1]
    np.testing.assert_array_equal(match_columns(there, here), columns)
    terms = match_terms(there, here)
    assert terms.taken == ("b", "a", "a")
    assert terms.new == ("c (2)", "d (1)", "a (2)")
    assert terms.left == ("c (3)",)


def test_what_both_see_leads_to_the_same_actions():
    old = trained(OLD)
    state, told = moved(old, fresh(NEW), OLD, NEW)
    terms = values_of_terms()
    # What is not seen any more was at its mean, which is a normalised input of 0.
    first = OLD["actor"][0][1]
    unseen = np.asarray(old.obs_stats["actor"].mean)[first : first + 2]
    before = dict(terms, gravity=np.tile(unseen, (20, 1)))
    a = policy_of(old, CONFIG)(jnp.asarray(observations(OLD["actor"], before)))
    b = policy_of(state, CONFIG)(jnp.asarray(observations(NEW["actor"], terms)))
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert np.abs(a).max() > 0.05
    np.testing.assert_allclose(
        value(old, observations(OLD["critic"], terms)),
        value(state, observations(NEW["critic"], terms)),
        rtol=1e-5,
    )
    actor = told.terms["actor"]
    assert actor.taken == ("target", "joints")
    assert actor.new == ("phase (1)", "gravity (3)")
    assert actor.left == ("gravity (2)",)
    assert not told.left and not told.new and not told.reshaped
    assert "actor.Dense_0.kernel" in told.taken and "std" in told.taken
    assert "new inputs of actor: phase (1), gravity (3)" in told.summary()
    # New inputs do something as soon as their weights have moved.
    kernel = state.params["actor"]["params"]["Dense_0"]["kernel"]
    np.testing.assert_array_equal(kernel[4:5], 0)
    np.testing.assert_array_equal(
        kernel[5:8], old.params["actor"]["params"]["Dense_0"]["kernel"][:3]
    )


def test_a_flat_policy_acts_to_the_bit_as_before_with_a_scan():
    old = trained(OLD)
    state, told = moved(old, fresh(SCANNING), OLD, SCANNING)
    terms = values_of_terms()
    a = policy_of(old, CONFIG)(jnp.asarray(observations(OLD["actor"], terms)))
    scan = jnp.asarray(observations(SCANNING["actor"], terms))
    np.testing.assert_array_equal(a, policy_of(state, CONFIG)(scan))
    assert told.new == tuple(
        f"{group}.{name}"
        for group in ("actor", "critic")
        for name in ("gate", "gated.bias", "gated.kernel")
    )
    assert "new: 3 arrays of the actor, 3 arrays of the critic" in told.summary()
    # And back: what came through the gate is gone, the rest is as it was.
    back, told = moved(state, fresh(OLD), SCANNING, OLD)
    flat = policy_of(back, CONFIG)(jnp.asarray(observations(OLD["actor"], terms)))
    np.testing.assert_array_equal(a, flat)
    assert "actor.gate" in told.left and not told.new


def test_open_gates_go_on_and_what_is_new_behind_them_is_silent():
    layout = {g: (*OLD[g], ("gated_map", 2), ("gated_scan", 5)) for g in OLD}
    old = trained(SCANNING)
    state, _ = moved(old, fresh(layout), SCANNING, layout)
    terms = values_of_terms() | {"gated_map": np.full((20, 2), 3.0, np.float32)}
    a = policy_of(old, CONFIG)(jnp.asarray(observations(SCANNING["actor"], terms)))
    b = policy_of(state, CONFIG)(jnp.asarray(observations(layout["actor"], terms)))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_behind_a_closed_gate_weights_are_not_0():
    kernel, new = np.array([[1.0, 2.0], [0.0, 0.0]]), np.full((2, 2), 5.0)
    found = behind_closed_gates(kernel, new, np.array([0.0, 0.3]))
    np.testing.assert_array_equal(found, [[1.0, 2.0], [5.0, 0.0]])


@pytest.mark.parametrize("units", [(0, 6), (6, 0), (6, 6), (6, 5)])
def test_memories(units):
    configs = [replace(CONFIG, memory=n) for n in units]
    old = trained(OLD, configs[0])
    if units[0]:
        # Nothing is read of what is held, so that its loss is no loss.
        kernel = old.params["actor"]["params"]["Dense_0"]["kernel"]
        silent = kernel.at[: units[0]].set(0.0) if units[0] != units[1] else kernel
        old.params["actor"]["params"]["Dense_0"]["kernel"] = silent
    state, told = moved(old, fresh(NEW, configs[1]), OLD, NEW)
    terms = values_of_terms()
    unseen = np.asarray(old.obs_stats["actor"].mean)[3:5]
    before = dict(terms, gravity=np.tile(unseen, (20, 1)))
    outs = []
    for now, config, layout, seen in (
        (old, configs[0], OLD, before),
        (state, configs[1], NEW, terms),
    ):
        policy = policy_of(now, config)
        obs = jnp.asarray(observations(layout["actor"], seen))
        first, held = policy.act(obs, policy.start(20))
        outs.append([first, policy.act(obs[::-1], held)[0]])
    np.testing.assert_allclose(*outs, atol=1e-6)
    assert ("actor.memory.hr.kernel" in told.taken) == (units == (6, 6))
    assert ("actor.memory.hr.kernel" in told.new) == (units == (0, 6))
    assert ("actor.memory.hr.kernel" in told.left) == (units == (6, 0))
    assert ("actor.memory.hr.kernel" in told.reshaped) == (units == (6, 5))


@pytest.mark.parametrize("hidden", [(16, 9), (32, 8), (16,), (16, 8, 8)])
def test_other_layers_leave_everything(hidden):
    config = replace(CONFIG, hidden=hidden)
    new = fresh(OLD, config)
    state, told = moved(trained(OLD), new, OLD, OLD)
    assert told.taken == ()
    for name, x in arrays(new).items():
        np.testing.assert_array_equal(x, arrays(state)[name], err_msg=name)
    untouched = {*told.left, *told.reshaped}
    assert {"std", "actor.Dense_0.bias", "critic.Dense_0.kernel"} <= untouched
    assert told.summary()[0] == "taken: nothing"
    if hidden == (16, 9):
        assert told.reshaped["actor.Dense_1.kernel"] == ((16, 8), (16, 9))
        line = "of other shape: actor.Dense_1.kernel (16, 8), here (16, 9)"
        assert line in told.summary()


def test_another_robot_is_refused():
    with pytest.raises(UserError, match="has 2 actions, here there are 3"):
        moved(trained(OLD), fresh(OLD, action_size=3), OLD, OLD)


def test_statistics_of_observations_go_by_term():
    old = trained(OLD)
    stats = dict(old.obs_stats)
    stats["actor"] = stats["actor"].replace(count=jnp.float32(5e6))
    old = old.replace(obs_stats=stats)
    state, _ = moved(old, fresh(NEW), OLD, NEW)
    mean, var = (np.asarray(getattr(stats["actor"], x)) for x in ("mean", "var"))
    found = state.obs_stats["actor"]
    np.testing.assert_array_equal(found.mean, [*mean[5:9], 0, *mean[:3], 0, 0, 0])
    np.testing.assert_array_equal(found.var, [*var[5:9], 1, *var[:3], 1, 1, 1])
    assert found.count == NEW_COUNT
    # All known: all of what is known counts.
    state, _ = moved(old, fresh(OLD), OLD, OLD)
    assert state.obs_stats["actor"].count == 5e6
    state, told = moved(old, fresh(NEW), OLD, NEW, reinitialize=("normalizer",))
    np.testing.assert_array_equal(state.obs_stats["actor"].mean, 0)
    assert state.obs_stats["actor"].count == 0
    assert "obs_stats.actor" not in told.taken + told.left + told.new


def test_a_group_that_nobody_knows_the_terms_of_is_left():
    layout = OLD | {"teacher": (("joints", 3), ("target", 4))}
    old, new = trained(layout), fresh(layout)
    state, told = moved(old, new, OLD, layout)
    assert told.left == ("obs_stats.teacher",) and not told.new
    assert "obs_stats.actor" in told.taken
    np.testing.assert_array_equal(state.obs_stats["teacher"].mean, 0)
    _, told = moved(old, new, layout, layout)
    assert "obs_stats.teacher" in told.taken and not told.left


@pytest.mark.parametrize("part", [None, *PARTS])
def test_only_what_is_to_start_anew_does(part):
    old, new = trained(OLD), fresh(OLD)
    reinitialize = () if part is None else (part,)
    state, told = moved(old, new, OLD, OLD, reinitialize=reinitialize)
    assert told.reinitialized == reinitialize
    belongs = {
        "std": ("params.raw_std",),
        "critic": ("params.critic.", "return_stats."),
        "optimizer": ("opt_state.",),
        "normalizer": ("obs_stats.",),
        "learning_rate": ("learning_rate",),
        None: ("none",),
    }[part]
    for name, x in arrays(state).items():
        # Moments belong to what they are moments of.
        owner = name.replace("opt_state.1.mu.", "params.")
        owner = owner.replace("opt_state.1.nu.", "params.")
        anew = name.startswith(belongs) or owner.startswith(belongs)
        source = arrays(new if anew else old)
        np.testing.assert_array_equal(x, source[name], err_msg=name)
    assert state.iteration == 0
    assert jax.random.key_data(state.key).tolist() == (
        jax.random.key_data(new.key).tolist()
    )


def test_moments_go_with_their_rows():
    old = trained(OLD)
    state, _ = moved(old, fresh(NEW), OLD, NEW, reinitialize=())
    for part in ("mu", "nu"):
        name = f"opt_state.1.{part}.actor.params.Dense_0.kernel"
        before, after = arrays(old)[name], arrays(state)[name]
        np.testing.assert_array_equal(after[:4], before[5:9])
        np.testing.assert_array_equal(after[5:8], before[:3])
        np.testing.assert_array_equal(after[[4, 8, 9, 10]], 0)


def test_unknown_parts_are_refused():
    with pytest.raises(UserError, match="unknown part 'optimiser'; did you mean"):
        moved(trained(OLD), fresh(OLD), OLD, OLD, reinitialize=("optimiser",))


def test_a_layout_of_something_else_is_refused():
    with pytest.raises(ValueError, match="terms of actor are 11 numbers, it has 9"):
        moved(trained(OLD), fresh(OLD), NEW, OLD)


def test_from_a_checkpoint_into_training(tmp_path):
    """Read from disk, moved into another learner, which then goes on in the programs
    that it has."""
    old = trained(OLD)
    Checkpoints(tmp_path).save(old, CONFIG, {})
    stored = read_arrays(tmp_path, 40)
    assert set(stored) == set(arrays(old))
    for name, x in arrays(old).items():
        np.testing.assert_array_equal(stored[name], x, err_msg=name)
    improving = learner(SCANNING)
    state, _ = improving.iterate(improving.init(jax.random.key(1)))
    compiled = improving.compilations
    state, _ = transfer(
        stored, improving.init(jax.random.key(2)), there=OLD, here=SCANNING
    )
    before = arrays(state)
    state, metrics = improving.iterate(state)
    assert improving.compilations == compiled
    assert state.iteration == 1 and np.isfinite(metrics["ppo/policy_loss"])
    assert not np.array_equal(
        before["params.actor.params.Dense_1.kernel"],
        arrays(state)["params.actor.params.Dense_1.kernel"],
    )


def test_no_checkpoint_and_a_damaged_one(tmp_path):
    with pytest.raises(UserError, match="2 can not be read"):
        read_arrays(tmp_path / "none", 2)
    Checkpoints(tmp_path).save(trained(OLD), CONFIG, {})
    (tmp_path / "40" / "learner" / "_METADATA").write_text("{")
    with pytest.raises(UserError, match="40 can not be read"):
        read_arrays(tmp_path, 40)
