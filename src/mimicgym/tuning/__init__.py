"""Which numbers of environments, minibatches and threads train fastest on a machine.

It is speed that is tuned, in environment steps a second of acting and learning
together. How well is learnt depends on the same numbers and is not looked at; so the
best is chosen among candidates that take as many gradient steps for as many samples as
the preset does, on each sample as often.
"""

from mimicgym.tuning.candidate import Candidate, candidates
from mimicgym.tuning.sweep import Attempt, Trial, best, sweep
from mimicgym.tuning.trial import Trials

__all__ = ["Attempt", "Candidate", "Trial", "Trials", "best", "candidates", "sweep"]
