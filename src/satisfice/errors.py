"""Every error that satisfice raises on purpose.

SatisficeError                what went wrong, in one sentence, and a hint
├── InputError                the input is wrong; nothing was written (exit code 2)
│   ├── SpecError             a study file or dict; tells every problem of it (`.problems`)
│   ├── DataError             a data set or data file
│   ├── StorageError          the storage URL, its database, its migrations
│   │   └── StorageRefused    no server answers at its address: it may be about to
│   ├── StudyNotFound
│   ├── StudyChanged          same name, another spec or other data
│   ├── BadArtefact           a model file or checkpoint is damaged, or of another kind
│   ├── SeveralObjectives     asked of a study with several objectives what only one has; a RuntimeError too
│   ├── BadReport             training code reported or returned what is no number; its trial is FAIL
│   └── MissingExtra          an optional dependency is not installed
├── BudgetSpent               `ask`: no slot of the budget is left
├── NoFeasibleProposal        `ask`: nothing that fits was found; says how small the feasible share is
├── NoFeasibleTrial           `best`: nothing finished fits; carries the nearest miss
├── TrialsFailAlike           the study's first trials all fail in the same way; carries the traceback
├── Diverged                  a training went to NaN or away from any solution; its trial is PRUNED
├── LeaseLost                 another worker took the trial over
├── TrialFinished             the trial was told before
├── CannotWrite               the disk is full or read-only, or this user may not write there
├── WorkersFailed             no worker was left, and none of them finished
├── StorageLost               the database stayed away longer than the stated patience
└── AcceleratorLost           nothing more can be computed on the GPU in this process (exit code 70)

UnreadCells is a warning: single values of rows to predict count as missing, or are new to the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SatisficeError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: One sentence that says what is wrong.
        hint: What to do about it; appended to the sentence.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The sentence with its hint."""
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross process borders (Ray, multiprocessing): rebuild them without their constructor."""
        return (_rebuild, (type(self), self.__dict__, self.args))


def _rebuild(cls: type[SatisficeError], state: dict[str, Any], args: tuple[Any, ...]) -> SatisficeError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InputError(SatisficeError):
    """The input is wrong and nothing was written."""

    exit_code = 2


class SpecError(InputError):
    """A study file or dict is wrong.

    One error may tell several problems: `message`, `key` and `hint` are those of the first.

    Args:
        message: What is wrong.
        file: The study file, or None for a dict.
        key: Dotted path of the key, for instance ``space.dropout.low``.
        hint: The fix.
    """

    def __init__(self, message: str, *, key: str = "", file: str | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.key = key
        self.file = file
        self._others: tuple[SpecError, ...] = ()

    @classmethod
    def of(cls, problems: Sequence[SpecError]) -> SpecError:
        """One error that tells all of ``problems`` (at least one)."""
        first, *others = problems
        error = cls(first.message, key=first.key, file=first.file, hint=first.hint)
        error._others = tuple(others)
        return error

    @property
    def problems(self) -> tuple[SpecError, ...]:
        """Every problem as an error of its own, in the order of the file."""
        first = SpecError(self.message, key=self.key, file=self.file, hint=self.hint)
        return (first, *self._others)

    def __str__(self) -> str:
        """File, key, sentence, fix; one line for each problem."""
        where = ": ".join(part for part in (self.file or "study", self.key) if part)
        return "\n".join([f"{where}: {super().__str__()}", *map(str, self._others)])


class DataError(InputError):
    """A data set or data file is wrong."""


class StorageError(InputError):
    """The storage URL, its database or its migrations are wrong."""


class StorageRefused(StorageError):
    """No server answers at the storage's address: it is wrong, or the server restarts."""


class StudyNotFound(InputError):
    """No study of that name is in the storage."""


class StudyChanged(InputError):
    """A study of that name exists with another spec or other data."""


class BadArtefact(InputError):
    """A model file or a checkpoint is damaged, or of another kind."""


class SeveralObjectives(InputError, RuntimeError):
    """A study with several objectives was asked what only one has; as in Optuna a RuntimeError."""


class BadReport(InputError):
    """Training code reported or returned what is no number or no step; only its own trial fails."""


class MissingExtra(InputError):
    """An optional dependency is not installed.

    Args:
        module: The module that failed to import.
        extra: The extra that installs it.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed", hint=f"pip install 'satisfice[{extra}]'")
        self.module = module
        self.extra = extra


class BudgetSpent(SatisficeError):
    """No slot of the budget is left.

    Attributes:
        others_hold: Other workers hold trials at this moment, which may come back if they die.
    """

    others_hold = False


class NoFeasibleProposal(SatisficeError):
    """Nothing that fits was found.

    Args:
        message: What was tried.
        feasible_share: Upper estimate of the share of the space that fits (0.0: known to be empty).
        hint: The constraint that turns most away.
    """

    def __init__(self, message: str, *, feasible_share: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.feasible_share = feasible_share


class NoFeasibleTrial(SatisficeError, ValueError):
    """No finished trial satisfies every constraint; a ValueError too, as users of Optuna catch it.

    Args:
        message: What was asked.
        nearest: The trial that misses by least, or None when nothing has finished.
        hint: By how much it misses.
    """

    def __init__(self, message: str, *, nearest: Any = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.nearest = nearest


class TrialsFailAlike(SatisficeError):
    """Three trials in a row failed in the same way and none has ever finished: the code is broken.

    The rest of the budget is left. Whoever starts to work again lifts the stop, and the count begins anew.

    Args:
        message: Which trials, and why they failed.
        trials: Their numbers.
        traceback: Of the first of them; empty where nothing was raised.
        hint: What to do.
    """

    def __init__(self, message: str, *, trials: Sequence[int], traceback: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trials = tuple(trials)
        self.traceback = traceback


class Diverged(SatisficeError):
    """A training's loss is NaN or grows out of all bounds; the trial ends PRUNED, reason "diverged"."""


class LeaseLost(SatisficeError):
    """This worker's lease on the trial ran out and another one took the trial over."""


class TrialFinished(SatisficeError):
    """The trial was told before."""


class WorkersFailed(SatisficeError):
    """No worker was left, and none of them finished."""


class CannotWrite(SatisficeError):
    """The system does not let us write a file: the disk is full or read-only, or permission is missing."""


class StorageLost(SatisficeError):
    """The database stayed away longer than the stated patience."""


class UnreadCells(UserWarning):
    """Single values of rows to predict cannot be read and count as missing, or training never saw them."""


class AcceleratorLost(SatisficeError):
    """The GPU refused a training, as after an assertion on it, and would refuse all others of the process."""

    exit_code = 70  # that of what nobody foresaw (`launch.job`): another process may go on
