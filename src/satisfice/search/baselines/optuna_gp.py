"""Optuna's GPSampler with screening in front. Whoever imports this has torch, or hears how to get it."""

from __future__ import annotations

import importlib.util

import optuna

from satisfice.errors import MissingExtra
from satisfice.search.baselines.optuna_samplers import OptunaSampler
from satisfice.search.protocol import SearchProblem

if importlib.util.find_spec("torch") is None:  # Optuna looks for it only when the first proposal is made
    raise MissingExtra("torch", "torch")


def gp(problem: SearchProblem) -> OptunaSampler:
    """Optuna's GPSampler, its proposals varied until one fits."""
    return OptunaSampler(
        problem,
        name="gp",
        make=lambda seed: optuna.samplers.GPSampler(seed=seed),
        redraws=2,
        tell_rejected=False,
    )
