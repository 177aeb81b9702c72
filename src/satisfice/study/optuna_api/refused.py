"""Errors for habits that have no place here: each names what stands for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna

from satisfice.errors import InputError

_SAMPLERS = {
    "TPESampler": "tpe",
    "NSGAIISampler": "nsga2",
    "GPSampler": "gp",
    "QMCSampler": "qmc",
    "RandomSampler": "random",
    "SatisficeSampler": "auto",
}
_PRUNERS = {"NopPruner": "none"}


def attribute(owner: object, kind: str, name: str, instead: Mapping[str, str]) -> Any:
    """What ``__getattr__`` of a study or a trial does.

    Args:
        owner: The study or trial.
        kind: Its class, for the sentence.
        name: The attribute that was not found.
        instead: What stands for names of Optuna's.

    Raises:
        AttributeError: There is none, so that ``hasattr`` stays right; or a property raised it.
    """
    for each in type(owner).__mro__:
        if hasattr(each.__dict__.get(name), "__get__"):
            # A property is there: what it ran into, perhaps in a person's code, is raised as it was.
            return each.__dict__[name].__get__(owner, type(owner))
    plain = f"{kind!r} object has no attribute {name!r}"
    raise AttributeError(f"{plain}: {instead[name]}" if name in instead else plain, name=name)


def refuse_search_objects(**given: Any) -> None:
    """Refuse a sampler, a pruner or directions, which a study of ours declares.

    Raises:
        InputError: One is given; says what to write in the study file.
    """
    if given.get("sampler") is not None:
        kind = type(given["sampler"]).__name__
        named = _SAMPLERS.get(kind)
        hint = f'write it in the study: [search] sampler = "{named or "auto"}"'
        known = "" if named else ", which satisfice does not have" if _is_optunas(given["sampler"]) else ""
        raise InputError(f"a sampler is not passed as an object: {kind}{known}", hint=hint)
    if given.get("pruner") is not None:
        kind = type(given["pruner"]).__name__
        hint = f'write it in the study: [search] pruner = "{_PRUNERS.get(kind, "auto")}"'
        raise InputError(f"a pruner is not passed as an object: {kind}", hint=hint)
    for name in ("direction", "directions"):
        if given.get(name) is not None:
            raise InputError(
                f"{name} = {given[name]!r} is said in the study",
                hint='for instance "objectives": {"accuracy": "maximize"}',
            )


def _is_optunas(thing: object) -> bool:
    return isinstance(thing, optuna.samplers.BaseSampler)
