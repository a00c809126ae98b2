"""What `import mimicgym` offers."""

import importlib
import inspect
import pkgutil

import pytest

import mimicgym


@pytest.mark.parametrize("name", [n for n in mimicgym.__all__ if n != "__version__"])
def test_public_names_are_what_they_say(name):
    assert name in dir(mimicgym)
    value = getattr(mimicgym, name)
    assert callable(value)
    assert value.__name__ == name


def test_no_module_hides_a_public_name():
    """Importing a submodule binds its name in the package: it must not be taken."""
    modules = [m.name for m in pkgutil.iter_modules(mimicgym.__path__)]
    assert not set(modules) & set(mimicgym.__all__)
    for name in ("evaluation", "training"):
        importlib.import_module(f"mimicgym.{name}")
    assert inspect.isfunction(mimicgym.train)
    assert inspect.isfunction(mimicgym.evaluate)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        mimicgym.trian  # noqa: B018
