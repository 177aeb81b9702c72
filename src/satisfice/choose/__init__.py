"""Choosing among finished trials: pure functions on records, without a trial or a database.

`satisfice.spec.constraint` judges feasibility; every function here reads its verdicts.
"""

from satisfice.choose.asked import Asked, answer_words, as_asked, asked, asked_by_each, common_bounds
from satisfice.choose.best import best, describe_miss, nearest_miss
from satisfice.choose.bounds import feasible_trials, merge_constraints, trial_violations
from satisfice.choose.chosen import BestTrial, chosen
from satisfice.choose.close import CloseCall, close_calls
from satisfice.choose.endings import Ending, endings
from satisfice.choose.front import front_groups, pareto_front, resolve_objectives
from satisfice.choose.noise.difference import Difference, Noise
from satisfice.choose.noise.front import same_within_noise
from satisfice.choose.noise.rules import rule_named
from satisfice.choose.optuna_records import (
    constraints_from_optuna,
    objectives_from_optuna,
    records_from_optuna,
    records_from_trials,
    space_from_optuna,
)
from satisfice.choose.questions.binding import bound_costs
from satisfice.choose.questions.comparison import compare
from satisfice.choose.questions.infeasible import in_the_way, nearest_feasible
from satisfice.choose.questions.knee import knee_of
from satisfice.choose.questions.price import price_of
from satisfice.choose.questions.question import Question
from satisfice.choose.questions.ranking import ranking_of
from satisfice.choose.questions.unseen import Refusals, Unseen
from satisfice.spec.criterion import Criterion, parse_order

__all__ = [
    "Asked",
    "BestTrial",
    "CloseCall",
    "Criterion",
    "Difference",
    "Ending",
    "Noise",
    "Question",
    "Refusals",
    "Unseen",
    "answer_words",
    "as_asked",
    "asked",
    "asked_by_each",
    "best",
    "bound_costs",
    "chosen",
    "close_calls",
    "common_bounds",
    "compare",
    "constraints_from_optuna",
    "describe_miss",
    "endings",
    "feasible_trials",
    "front_groups",
    "in_the_way",
    "knee_of",
    "merge_constraints",
    "nearest_feasible",
    "nearest_miss",
    "objectives_from_optuna",
    "pareto_front",
    "parse_order",
    "price_of",
    "ranking_of",
    "records_from_optuna",
    "records_from_trials",
    "resolve_objectives",
    "rule_named",
    "same_within_noise",
    "space_from_optuna",
    "trial_violations",
]
