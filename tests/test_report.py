"""Curves in the terminal and on paper."""

from mimicgym.report import plot_curves, sparkline


def test_sparkline_rises_with_its_values():
    line = sparkline([0, 1, 2, 3, 4, 5, 6, 7])
    assert line == "▁▂▃▄▅▆▇█"
    assert sparkline([]) == ""
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert len(sparkline(range(1000))) == 60
    assert sparkline([float("nan"), 1.0, 2.0]) == "▁█"


def test_curves_skip_what_is_not_known(tmp_path):
    metrics = [
        {"env_steps": 100 * i, "episode/return": None if i == 0 else float(i)}
        for i in range(5)
    ]
    path = tmp_path / "deep" / "curves.png"
    plot_curves(metrics, path, "a run")
    assert path.stat().st_size > 5000
