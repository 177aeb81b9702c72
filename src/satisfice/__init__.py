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
    raise AttributeError(f"module 'satisfice' has no attribute {name!r}")
