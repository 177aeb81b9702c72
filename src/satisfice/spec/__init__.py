"""The study spec: what a study file says, checked once, and the vocabulary that everything else shares."""

from satisfice.spec.constraint import Constraint, parse_bound, parse_clause, violations
from satisfice.spec.entry import load_task
from satisfice.spec.family import FamilyInfo, HyperparameterInfo
from satisfice.spec.metric import DEFAULT_UNIT, METRICS, Direction, Known, Metric, convert
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import (
    Budget,
    ChooseOptions,
    DataSpec,
    Levels,
    MeasureOptions,
    ModelSpec,
    Objective,
    SearchOptions,
    ShipOptions,
    StudySpec,
    TaskSpec,
)
from satisfice.spec.study_file.family_checks import check_against, check_names
from satisfice.spec.study_file.parse import parse_dict, parse_file
from satisfice.spec.study_file.render import to_dict, to_toml
from satisfice.spec.trial import TrialRecord, TrialState

__all__ = [
    "DEFAULT_UNIT",
    "METRICS",
    "Budget",
    "ChooseOptions",
    "Constraint",
    "DataSpec",
    "Direction",
    "FamilyInfo",
    "HyperparameterInfo",
    "Known",
    "Levels",
    "MeasureOptions",
    "Metric",
    "ModelSpec",
    "Objective",
    "Parameter",
    "SearchOptions",
    "SearchSpace",
    "ShipOptions",
    "StudySpec",
    "TaskSpec",
    "TrialRecord",
    "TrialState",
    "check_against",
    "check_names",
    "convert",
    "load_task",
    "parse_bound",
    "parse_clause",
    "parse_dict",
    "parse_file",
    "to_dict",
    "to_toml",
    "violations",
]
