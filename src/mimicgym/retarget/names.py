"""Which joint of a skeleton is which, by the names that programs give them.

CMU, LAFAN1, Mixamo, Rokoko, Xsens, 3ds Max, Unreal, Blender and SMPL skeletons differ
in words and in how they say left and right. Only the limbs go by name: the joint that
carries the pelvis is where the legs meet in the tree, that of the chest is where the
arms meet.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from mimicgym.errors import MotionError
from mimicgym.retarget.skeleton import HumanMotion

SIDES = ("left", "right")
LEG = ("hip", "knee", "ankle")
ARM = ("shoulder", "elbow", "wrist")

# For each joint the words that mean it, the surest first: "leg" is the shin where a
# thigh is called "upleg", "shoulder" is the collar bone where there is an "arm", and
# "foot" is the toe where there is an "ankle" (SMPL).
_WORDS: dict[str, tuple[str, ...]] = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("knee", "lowleg", "lowerleg", "shin", "calf", "tibia", "leg"),
    "ankle": ("ankle", "foot"),
    "toe": ("toebase", "toe", "toes", "toe0", "ball", "foot"),
    "shoulder": ("uparm", "upperarm", "arm", "humerus", "shoulder"),
    "elbow": ("elbow", "forearm", "lowarm", "lowerarm", "radius"),
    "wrist": ("wrist", "hand"),
}
_EVERY_WORD = frozenset(word for words in _WORDS.values() for word in words)
_SIDE_WORDS = {"left": "left", "l": "left", "right": "right", "r": "right"}
_FOREIGN = ("mixamorig", "bip01", "bip001", "bip")
_MOST_NAMES = 60  # in a message


@dataclass(frozen=True)
class JointMap:
    """Indices of a skeleton's joints by what they are.

    Attributes:
      pelvis, chest: what legs and arms hang from.
      limbs: (side, part) to index, for the parts of LEG and ARM and for "toe".
    """

    pelvis: int
    chest: int
    limbs: dict[tuple[str, str], int]

    def pair(self, part: str) -> list[int]:
        """Left and right joint of that kind."""
        return [self.limbs[side, part] for side in SIDES]


def find_joints(motion: HumanMotion) -> JointMap:
    """The joints that retargeting needs.

    A foot without a named toe takes the ankle's child that is farthest from it.

    Raises:
      MotionError: joints are missing, or do not hang from each other as limbs do. The
        message names them and those that there are.
    """
    limbs = _by_name(motion.joint_names)
    wanted = [(side, part) for side in SIDES for part in LEG + ARM]
    missing = [f"{side} {part}" for side, part in wanted if (side, part) not in limbs]
    found = ", ".join(dict.fromkeys(motion.joint_names[:_MOST_NAMES]))
    if missing:
        words = "; ".join(
            f"{part}: {'/'.join(_WORDS[part])}"
            for part in dict.fromkeys(name.split()[1] for name in missing)
        )
        raise MotionError(
            f"{motion.path}: the skeleton has no {', '.join(missing)}; its joints are "
            f"{found} (names looked for, with a side: {words})"
        )
    for side in SIDES:
        if (side, "toe") not in limbs:
            toe = _farthest_child(motion, limbs[side, "ankle"])
            if toe is None:
                raise MotionError(
                    f"{motion.path}: the skeleton has no {side} toe, and nothing hangs "
                    f"from its {side} ankle; its joints are {found}"
                )
            limbs[side, "toe"] = toe
        for line in (*pairwise((*LEG, "toe")), *pairwise(ARM)):
            upper, lower = (limbs[side, part] for part in line)
            if upper not in motion.ancestors(lower)[1:]:
                raise MotionError(
                    f"{motion.path}: {motion.joint_names[lower]!r} ({side} {line[1]}) "
                    f"does not hang from {motion.joint_names[upper]!r} ({side} "
                    f"{line[0]}); the joints are {found}"
                )
    return JointMap(
        pelvis=motion.common_ancestor(limbs["left", "hip"], limbs["right", "hip"]),
        chest=motion.common_ancestor(
            limbs["left", "shoulder"], limbs["right", "shoulder"]
        ),
        limbs=limbs,
    )


def _by_name(joint_names: tuple[str, ...]) -> dict[tuple[str, str], int]:
    by_word: dict[tuple[str, str], int] = {}
    for index, name in enumerate(joint_names):
        side, word = _side_and_word(name)
        if side:
            by_word.setdefault((side, word), index)
    limbs: dict[tuple[str, str], int] = {}
    for side in SIDES:
        for part, words in _WORDS.items():
            for word in words:
                index = by_word.get((side, word))
                if index is not None and index not in limbs.values():
                    limbs[side, part] = index
                    break
    return limbs


def _side_and_word(name: str) -> tuple[str, str]:
    """("left", "upleg") for mixamorig:LeftUpLeg; side "" for the middle of the body."""
    name = name.rsplit(":", 1)[-1]
    words = re.findall(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*|\d+", name)
    words = [word.lower() for word in words if word.lower() not in _FOREIGN]
    for i, word in enumerate(words):
        if word in _SIDE_WORDS:
            return _SIDE_WORDS[word], "".join(words[:i] + words[i + 1 :])
    whole = "".join(words)
    for mark, side in _SIDE_WORDS.items():
        for rest in (whole.removeprefix(mark), whole.removesuffix(mark)):
            if rest != whole and rest in _EVERY_WORD:
                return side, rest
    return "", whole


def _farthest_child(motion: HumanMotion, joint: int) -> int | None:
    children = [j for j, parent in enumerate(motion.parents) if parent == joint]
    length = {
        j: float(((motion.rest_w[j] - motion.rest_w[joint]) ** 2).sum())
        for j in children
    }
    return max(length, key=length.__getitem__) if any(length.values()) else None
