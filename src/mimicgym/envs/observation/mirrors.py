"""The mirror images of observation groups."""

from collections.abc import Sequence

from mimicgym.envs.mirror import Image, Mirror, Sides, in_turn, joined
from mimicgym.envs.observation.observer import Row
from mimicgym.envs.observation.registry import bare, observation, parse, parts
from mimicgym.errors import UserError


def group_images(layout: Sequence[Row], sides: Sides) -> dict[str, Image]:
    """The image of each group, see `mimicgym.envs.mirror`.

    Scales, clips and errors treat both sides alike, so what a term's function mirrors
    as, the observation does.

    Raises:
      UserError: a term without one; the message names it and its group.
    """
    images: dict[str, list[Image]] = {}
    for row in layout:
        images.setdefault(row.group, []).append(_image(row, sides))
    return {group: joined(found) for group, found in images.items()}


def _image(row: Row, sides: Sides) -> Image:
    entry = parse(row.term, row.group)
    try:
        image = _mirror(entry.channel)(sides)
    except UserError as error:
        raise _without(row, str(error)) from error
    size, needed = len(image.source), row.stop - row.start
    values = needed // size if entry.history else 1
    if values * size != needed:
        raise _without(
            row, f"it has {needed} numbers, and what it is registered with, {size}"
        )
    return joined([image] * values)


def _mirror(channel: str) -> Mirror:
    if listed := parts(channel):
        return in_turn(*(_mirror(part) for part in listed))
    return observation.mirror(bare(channel))


def _without(row: Row, why: str) -> UserError:
    return UserError(
        f"observation.{row.group} holds {row.term!r}, which has no mirror image: {why}"
    )
