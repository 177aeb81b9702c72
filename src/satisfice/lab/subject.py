"""What the lab trains on, a study file's data or the Titanic's passengers; and each setting as a study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from satisfice.errors import InputError
from satisfice.lab.settings import LabTraining
from satisfice.spec import parse_dict, parse_file, to_dict
from satisfice.spec.study import StudySpec
from satisfice.spec.toml import toml_key, toml_value
from satisfice.train import TRAINERS
from satisfice.train.hyperparameter import Hyperparameter
from satisfice.train.networks.hyperparameters import IDLE_WITH_LBFGS

_TITANIC: Mapping[str, Any] = {
    "name": "titanic-lab",
    "seed": 1,
    "data": {"name": "titanic"},
    "model": {"family": "boosting"},
    "objectives": {"accuracy": "maximize"},
    "space": {"max_depth": {"low": 1, "high": 8}},
    "budget": {"trials": 40},
}
_NETWORKS, _TREES = ("mlp", "cnn"), ("boosting", "forest")
_TRIALS = 40
_ORDER = ("name", "seed", "data", "model", "objectives", "space", "budget", "search", "measure", "ship")
# The space that a study of a setting searches: what is worth searching of a family, and how far.
_RANGES: Mapping[str, tuple[float, float, bool]] = {
    "learning_rate": (1e-4, 0.3, True),
    "dropout": (0.0, 0.5, False),
    "width": (8, 128, True),
    "alpha": (1e-6, 10.0, True),
    "rounds": (10, 300, True),
    "trees": (10, 300, True),
    "max_depth": (1, 8, False),
    "min_samples_leaf": (1, 50, True),
}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The data that the lab trains on, and what comes with them."""

    spec: StudySpec

    @classmethod
    def of(cls, file: Path | None) -> Subject:
        """Of a study file; None stands for the Titanic.

        Raises:
            InputError: The file is wrong, or its study trains code of its own.
        """
        if file is None:
            return cls(spec=parse_dict(_TITANIC, families=TRAINERS.get))
        spec = parse_file(file, families=TRAINERS.get)
        if spec.data is None or spec.model is None:
            raise InputError(
                f"{file}: task: the lab trains families of models, not code of one's own",
                hint="name a study file with [data] and [model]",
            )
        return cls(spec=spec)

    @property
    def families(self) -> dict[str, str]:
        """Which family stands for linear models, networks and trees."""
        assert self.spec.model is not None
        own = self.spec.model.family
        return {
            "linear": "linear",
            "network": own if own in _NETWORKS else "mlp",
            "trees": own if own in _TREES else "boosting",
        }

    def fixed(self, family: str) -> dict[str, Any]:
        """What the study file fixes of a family's hyperparameters."""
        model = self.spec.model
        assert model is not None
        known = TRAINERS.get(family).hyperparameters
        if model.family != family:
            return {}
        return {name: value for name, value in model.fixed.items() if name in known}

    def study_of(self, training: LabTraining) -> dict[str, Any]:
        """The content of a study file whose first proposal is the setting."""
        base = to_dict(self.spec)
        known = TRAINERS.get(training.family).hyperparameters
        values = {**self.fixed(training.family), **training.values}
        whole = {name: about.default for name, about in known.items()} | values
        idle = IDLE_WITH_LBFGS if whole.get("optimizer") == "lbfgs" else ()
        space = {
            name: found
            for name in _RANGES
            if name in known and name not in idle
            if (found := _range(name, known[name], whole[name])) is not None
        }
        content: dict[str, Any] = {"name": f"{self.spec.name}-{training.family}"[:200]}
        content |= {key: base[key] for key in ("seed", "data", "measure", "ship") if key in base}
        content |= {
            "model": {
                "family": training.family,
                **{k: v for k, v in values.items() if k not in space},
            },
            "objectives": {o.metric: o.direction for o in self.spec.objectives if _scored(o.metric)}
            or {o.metric: o.direction for o in self.spec.objectives},
            "space": space,
            "budget": {"trials": _TRIALS, "epochs": training.epochs},
            "search": {"start": [{name: whole[name] for name in space}]},
        }
        return content

    def spec_of(self, training: LabTraining) -> StudySpec:
        """The same, checked.

        Raises:
            SpecError: The values do not go together.
        """
        return parse_dict(self.study_of(training), source=self.spec.source, families=TRAINERS.get)

    def file_of(self, training: LabTraining) -> str:
        """The text of the study file.

        Raises:
            SpecError: The values do not go together.
        """
        self.spec_of(training)
        content = self.study_of(training)
        about = json.dumps({**training.as_dict(), "shows": [], "group": ""})
        lines = [
            "# Written by the lab. This setting is tried first; the search goes on around it:",
            f"# {about}",
        ]
        for name in _ORDER:
            value = content.get(name)
            if isinstance(value, Mapping):
                lines += ["", f"[{name}]", *(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items())]
            elif value is not None:
                lines.append(f"{name} = {toml_value(value)}")
        return "\n".join(lines) + "\n"


def _scored(metric: str) -> bool:
    """Whether it is a score of answers, which every family gives, and not a size or a time."""
    unlike = ("size", "latency", "memory", "throughput", "energy", "n_", "flops", "seconds", "nonzero")
    return not any(word in metric for word in unlike)


def _range(name: str, about: Hyperparameter, value: Any) -> dict[str, Any] | None:
    """The range that is searched around a value; None where it cannot be one."""
    if isinstance(value, str) or about.kind not in ("int", "float"):
        return None
    low, high, log = _RANGES[name]
    low, high = max(low, about.low), min(high, about.high)
    if log and value <= 0:
        return None
    low, high = min(low, value), max(high, value)
    typed = int if about.kind == "int" else float
    found: dict[str, Any] = {"low": typed(low), "high": typed(high)}
    return {**found, "log": True} if log else found
