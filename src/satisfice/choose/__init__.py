"""Choosing among finished trials: pure functions on records, without a trial or a database.

`satisfice.spec.constraint` judges feasibility; every function here reads its verdicts.
"""

from satisfice.choose.best import best, describe_miss, nearest_miss
from satisfice.choose.bounds import feasible_trials, merge_constraints, trial_violations
from satisfice.choose.close import CloseCall, close_calls
from satisfice.choose.endings import Ending, endings
from satisfice.choose.front import pareto_front, resolve_objectives
from satisfice.choose.optuna_records import (
    constraints_from_optuna,
    objectives_from_optuna,
    records_from_optuna,
    records_from_trials,
    space_from_optuna,
)

__all__ = [
    "CloseCall",
    "Ending",
    "best",
    "close_calls",
    "constraints_from_optuna",
    "describe_miss",
    "endings",
    "feasible_trials",
    "merge_constraints",
    "nearest_miss",
    "objectives_from_optuna",
    "pareto_front",
    "records_from_optuna",
    "records_from_trials",
    "resolve_objectives",
    "space_from_optuna",
    "trial_violations",
]
