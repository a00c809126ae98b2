"""Robot models and environments, each built and compiled once."""

import pytest

from mimicgym.configs import override
from mimicgym.envs.make import make_env
from tests.envs.cases import PLAIN, Setting, body_model


@pytest.fixture(params=["g1_23dof", "g1_29dof"])
def any_model(request):
    return body_model(request.param)


@pytest.fixture
def model():
    return body_model()


@pytest.fixture(scope="session")
def setting():
    """Environments by their overrides of `PLAIN`, each compiled once."""
    made = {}

    def get(**overrides) -> Setting:
        key = tuple(sorted((k, str(v)) for k, v in overrides.items()))
        if key not in made:
            made[key] = Setting(make_env(override(PLAIN, overrides)))
        return made[key]

    return get
