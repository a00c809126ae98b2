"""Where the files that come with the package are."""

from pathlib import Path

# MuJoCo and NumPy open files by path, so a package inside a zip file is no option and
# plain paths will do: a wheel carries the folder inside the package, a checkout
# (editable install) has it at its root.
_ROOTS = (
    Path(__file__).resolve().parent / "_assets",
    Path(__file__).resolve().parents[2] / "assets",
)


def asset_path(*parts: str) -> Path:
    """The path of an asset, such as `asset_path("g1", "g1.xml")`.

    Raises:
      FileNotFoundError: the installation lacks it.
    """
    for root in _ROOTS:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(
        f"mimicgym's own file {'/'.join(parts)!r} is missing; looked in "
        f"{' and '.join(str(root) for root in _ROOTS)}. Install mimicgym again"
    )


def embedded_motions() -> dict[str, Path]:
    """The clips that come with the package, by name, in order of names."""
    for root in _ROOTS:
        folder = root / "motions"
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.npz"))}
    return {}
