"""The single checks of a clip, by what they look at.

Each takes a clip that `validate` has passed, looks at it as it is in its file, without
grounding or any other mending, and yields what it found, with figures. Thresholds are
those at which the 34 public clips that mimicgym is tried on begin to differ from clips
that are known broken.
"""
