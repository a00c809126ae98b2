"""The rendered notebooks are those of their sources."""

from pathlib import Path

import jupytext
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("name", ["first_steps", "train_your_clip"])
def test_notebook_matches_its_source(name):
    source = jupytext.read(EXAMPLES / f"{name}.py")
    notebook = jupytext.read(EXAMPLES / f"{name}.ipynb")
    assert [c.source for c in notebook.cells] == [c.source for c in source.cells]
    outputs = [c.outputs for c in notebook.cells if c.cell_type == "code"]
    assert any(outputs), "the notebook was never run"
    assert not [o for cell in outputs for o in cell if o.output_type == "error"]
