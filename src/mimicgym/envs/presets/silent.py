"""Rewards that are all off, for recipes to switch on what is theirs."""

from dataclasses import fields, replace

from mimicgym.envs.config import RewardConfig

_DEFAULT = RewardConfig()
_TERMS = {f.name: getattr(_DEFAULT, f.name) for f in fields(RewardConfig)}

SILENT = replace(
    _DEFAULT,
    **{
        name: replace(term, weight=0.0)
        for name, term in _TERMS.items()
        if hasattr(term, "weight")
    },
)
