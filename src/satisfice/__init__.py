"""satisfice: hyperparameter search for models that must ship inside a budget.

Names are loaded on first use, so that the command line starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from satisfice.search.optuna_pruner import SatisficePruner
    from satisfice.search.optuna_sampler import SatisficeSampler
    from satisfice.spec import StudySpec
    from satisfice.study import (
        Study,
        Trial,
        create_study,
        delete_study,
        import_study,
        list_studies,
        load_study,
    )

__version__ = "0.1.0"

_STUDY = "satisfice.study"
_HOMES = {
    "Study": _STUDY,
    "Trial": _STUDY,
    "create_study": _STUDY,
    "delete_study": _STUDY,
    "import_study": _STUDY,
    "list_studies": _STUDY,
    "load_study": _STUDY,
    "StudySpec": "satisfice.spec",
    "SatisficeSampler": "satisfice.search.optuna_sampler",
    "SatisficePruner": "satisfice.search.optuna_pruner",
}

# Habits from Optuna: what stands for them.
_INSTEAD = {
    "get_all_study_names": "satisfice.list_studies() has all names",
    "get_all_study_summaries": "satisfice.list_studies() has all names, load_study(name).status() the rest",
    "copy_study": "study.export(path), then satisfice.import_study(path, storage)",
    "TrialPruned": "optuna.TrialPruned works in training code, and so does returning after should_prune()",
    "samplers": 'a study names its sampler: [search] sampler = "tpe"',
    "pruners": 'a study names its pruner: [search] pruner = "auto"',
    "visualization": "study.report(folder) draws, and optuna.visualization takes the study",
    "distributions": "parameters are declared in [space]: x = { low = 0.0, high = 1.0 }",
}

__all__ = [
    "SatisficePruner",
    "SatisficeSampler",
    "Study",
    "StudySpec",
    "Trial",
    "__version__",
    "create_study",
    "delete_study",
    "import_study",
    "list_studies",
    "load_study",
]


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    plain = f"module 'satisfice' has no attribute {name!r}"
    raise AttributeError(f"{plain}: {_INSTEAD[name]}" if name in _INSTEAD else plain, name=name)
