"""The ground under the motions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TerrainConfig:
    """The ground of clips that name none themselves, and how grounds are laid out."""

    ground: tuple[str, ...] = ("flat",)
    """A procedural ground with its settings, such as "rough:difficulty=2,seed=1", or a
    file with a mesh, a picture or an array. Of several, episodes start on any."""
    seeds: int = 1
    """How many there are of each of these that has a seed: its own and the next ones.
    Of several, episodes start on any."""
    cell_m: float = 0.05
    """Size of the cells of grounds that do not say it themselves."""
    margin_m: float = 1.0
    """How far each ground goes on beyond its edges; no clip may go further."""
    max_megabytes: float = 64.0
    """The most that all heights together may take."""
