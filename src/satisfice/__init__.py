"""satisfice: hyperparameter search for models that must ship inside a budget.

Names are loaded on first use, so that the command line starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from satisfice.deploy.shipped import load_shipped
    from satisfice.errors import (
        AcceleratorLost,
        BadArtefact,
        BadReport,
        BudgetSpent,
        CannotWrite,
        DataError,
        Diverged,
        InputError,
        LeaseLost,
        MissingExtra,
        NoFeasibleProposal,
        NoFeasibleTrial,
        SatisficeError,
        SeveralObjectives,
        SpecError,
        StorageError,
        StorageLost,
        StorageRefused,
        StudyChanged,
        StudyNotFound,
        TrialFinished,
        TrialsFailAlike,
        WorkersFailed,
    )
    from satisfice.search.interop.pruner import SatisficePruner
    from satisfice.search.interop.sampler import SatisficeSampler
    from satisfice.spec import StudySpec, TrialRecord
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

# Module -> the public names that it defines.
_HOMES = {
    "satisfice.study": (
        *("Study", "Trial", "create_study", "delete_study", "import_study", "list_studies", "load_study"),
    ),
    "satisfice.deploy.shipped": ("load_shipped",),
    "satisfice.spec": ("StudySpec", "TrialRecord"),
    "satisfice.search": ("SatisficePruner", "SatisficeSampler"),
    "satisfice.errors": (
        *(
            "AcceleratorLost",
            "BadArtefact",
            "BadReport",
            "BudgetSpent",
            "CannotWrite",
            "DataError",
            "Diverged",
            "InputError",
        ),
        *(
            "LeaseLost",
            "MissingExtra",
            "NoFeasibleProposal",
            "NoFeasibleTrial",
            "SatisficeError",
            "SeveralObjectives",
        ),
        *("SpecError", "StorageError", "StorageLost", "StorageRefused", "StudyChanged", "StudyNotFound"),
        *("TrialFinished", "TrialsFailAlike", "WorkersFailed"),
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

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
    "AcceleratorLost",
    "BadArtefact",
    "BadReport",
    "BudgetSpent",
    "CannotWrite",
    "DataError",
    "Diverged",
    "InputError",
    "LeaseLost",
    "MissingExtra",
    "NoFeasibleProposal",
    "NoFeasibleTrial",
    "SatisficeError",
    "SatisficePruner",
    "SatisficeSampler",
    "SeveralObjectives",
    "SpecError",
    "StorageError",
    "StorageLost",
    "StorageRefused",
    "Study",
    "StudyChanged",
    "StudyNotFound",
    "StudySpec",
    "Trial",
    "TrialFinished",
    "TrialRecord",
    "TrialsFailAlike",
    "WorkersFailed",
    "__version__",
    "create_study",
    "delete_study",
    "import_study",
    "list_studies",
    "load_shipped",
    "load_study",
]


def __getattr__(name: str) -> Any:
    """Load a public name (PEP 562)."""
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    plain = f"module 'satisfice' has no attribute {name!r}"
    raise AttributeError(f"{plain}: {_INSTEAD[name]}" if name in _INSTEAD else plain, name=name)


def __dir__() -> list[str]:
    """The public names too, before they are loaded: notebooks complete them."""
    return sorted({*globals(), *__all__})
