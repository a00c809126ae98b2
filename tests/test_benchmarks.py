"""Scripts that no test runs, because they take long: what they import is there."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    file.relative_to(ROOT).as_posix()
    for folder in ("benchmarks", "tools")
    for file in (ROOT / folder).rglob("*.py")
)


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what it would be in is no package
        return False


def missing(source: str) -> list[str]:
    """Names that a program imports from mimicgym, which are not there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or node.level or not node.module:
            continue
        if node.module.split(".")[0] != "mimicgym":
            continue
        if not is_module(node.module):
            found.append(node.module)
            continue
        module = importlib.import_module(node.module)
        for name in (alias.name for alias in node.names):
            whole = f"{node.module}.{name}"
            if not hasattr(module, name) and not is_module(whole):
                found.append(whole)
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_scripts_import_is_there(script):
    assert missing((ROOT / script).read_text()) == []


def test_a_name_that_is_not_there_is_found():
    lines = [
        "from mimicgym.bench.bare import BARE_LOOPS, forward",
        "from mimicgym.physics import native",
        "from mimicgym.nothing import anything",
        "from json import nothing",
    ]
    wanted = ["mimicgym.bench.bare.forward", "mimicgym.nothing"]
    assert missing("\n".join(lines)) == wanted
