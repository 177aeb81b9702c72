"""`Study`: what people hold in their hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from satisfice.errors import BudgetSpent, InputError
from satisfice.store.database.url import masked
from satisfice.store.reader import Reader
from satisfice.study.facade.answers import Answers
from satisfice.study.facade.edits import Edits
from satisfice.study.facade.examines import Examines
from satisfice.study.facade.reads import Reads
from satisfice.study.facade.understands import Understands
from satisfice.study.lifecycle.running_trial import RunningTrial
from satisfice.study.lifecycle.session import Session
from satisfice.study.lifecycle.trial import Trial, running_of
from satisfice.study.models import load_model, model_file, save_model
from satisfice.study.opening import Opened, check_data, delete, load
from satisfice.study.optuna_api.objective import as_metrics
from satisfice.study.pickling import Reference, reference
from satisfice.study.running.allowance import Allowance
from satisfice.study.running.optimize import Optimizes
from satisfice.study.running.same_failure import SameFailure
from satisfice.study.running.worker import Callback, Worker
from satisfice.study.starting import first_entries
from satisfice.study.stored import spec_of
from satisfice.study.teachers import hand_over

T = TypeVar("T")

_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Study(Reads, Answers, Understands, Edits, Examines, Optimizes):
    """A study: open it with `create_study` or `load_study`.

    Attributes:
        spec: The checked study file.
        name: Its name.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.spec = opened.spec
        self.name = opened.spec.name
        self._asked: dict[int, RunningTrial] = {}  # by number, what `ask` gave and nobody has told
        self._running: list[Allowance] = []  # of the calls of `optimize` under way

    def __repr__(self) -> str:
        """Name and storage, without a password."""
        return f"Study({self.name!r}, storage={masked(self._opened.db.url)!r})"

    def __reduce__(self) -> tuple[Callable[..., Study], Reference]:
        """Pickled as a reference: who loads it opens the study by its storage and name.

        Raises:
            InputError: It lives in memory, or its task cannot be pickled.
        """
        return _reopened, reference(self._opened)

    def __copy__(self) -> Study:
        """Another handle on the same study; in memory too."""
        return Study(self._opened)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Study:
        """A study is never duplicated by a copy: see `__copy__`."""
        return Study(self._opened)

    @cached_property
    def _session(self) -> Session:
        return self._new_session(None)

    @cached_property
    def _reader(self) -> Reader:
        """Reads the study without what it takes to work on it: nothing is imported, built or written."""
        o = self._opened
        return Reader(o.db, o.rows, o.row["uuid"], o.spec)

    def _new_session(self, label: str | None, *, trains: bool = True) -> Session:
        """Whoever works starts here; who trains nothing needs no teacher.

        Raises:
            InputError: This machine lacks the study's data, code or teachers, or has others.
        """
        o = self._opened
        check_data(o)
        if trains:
            hand_over(o.task, o.spec, o.row["data_fingerprint"], o.db)
        session = Session(o.db, o.rows, o.row, o.spec, o.task, o.artefacts, label=label)
        self._enqueue_first(session)
        return session

    def _enqueue_first(self, session: Session) -> None:
        """The default configuration and `[search] start`, once, when the study is first worked on."""
        entries = first_entries(self.spec, self._opened.task)
        session.ledger.queue.enqueue_first(entries)

    @property
    def optuna_study(self) -> optuna.Study:
        """The plain Optuna study underneath."""
        return self._by_optuna(lambda study: study)

    def _by_optuna(self, action: Callable[[optuna.Study], T]) -> T:
        """Do something with Optuna's study; see `Database.by_optuna`."""
        return self._opened.db.by_optuna(
            lambda storage: action(optuna.load_study(study_name=self.name, storage=storage))
        )

    def _read(self, read: Callable[[], T]) -> T:
        """Ask the database: one that is away is waited for, as by who writes."""
        self._refresh()
        return self._opened.db.retrying(read)

    def _refresh(self) -> None:
        """Go by the study as it is stored: somebody may have changed its bounds or its budget."""
        o = self._opened
        if self._reader.spec_version() in (0, o.row["spec_version"]):  # 0: what follows says that it is gone
            return
        row = self._reader.study_row()
        spec = spec_of(row, self.spec.source)
        self._opened = replace(o, row=row, spec=spec, make_task=lambda: o.task)
        self._reload()

    def _reload(self) -> None:
        """Go by what was opened anew."""
        self.spec = self._opened.spec
        self.__dict__.pop("_reader", None)
        if "_session" in self.__dict__:
            self._session.reload()

    # -- running --------------------------------------------------------------------------------------------

    def run_worker(
        self,
        *,
        label: str | None = None,
        stop: threading.Event | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> str:
        """Be one worker; returns why it ended.

        Raises:
            InputError: This machine lacks the study's data or code, or has others.
        """
        return Worker(self._new_session(label), label=label, stop=stop, callbacks=callbacks).run()

    def ask(self, fixed_distributions: Mapping[str, BaseDistribution] | None = None) -> Trial:
        """A trial to train: already screened, so that what is known before training fits.

        Args:
            fixed_distributions: As in Optuna; what the study declares in [space], or part of it.

        Raises:
            BudgetSpent: Nothing is left.
            NoFeasibleProposal: Nothing that fits was found.
            InputError: The distributions are not those of the study.
        """
        for name, distribution in (fixed_distributions or {}).items():
            declared = self.spec.space.by_name.get(name)
            if declared is None or declared.distribution != distribution:
                said = "does not declare it" if declared is None else f"declares {declared.distribution}"
                raise InputError(
                    f"fixed_distributions: {name} is {distribution}, and [space] {said}",
                    hint="declare it in the study, and call ask() without",
                )
        running = self._session.ask()
        self._asked[running.number] = running
        return Trial(running)

    def tell(
        self,
        trial: Trial | int,
        metrics: Mapping[str, float] | Sequence[float] | float | None = None,
        state: str | TrialState = "complete",
        skip_if_finished: bool = False,
        *,
        values: Sequence[float] | float | None = None,
    ) -> None:
        """End a trial: with its metrics, or as "pruned" or "failed".

        Args:
            trial: From `ask`, or its number.
            metrics: By name; or, as in Optuna, the objective's value, several in the order of `directions`.
            state: "complete", "pruned" or "failed", or Optuna's `TrialState`.
            skip_if_finished: Do nothing where the trial was told before.
            values: The same as ``metrics``, by Optuna's name.

        Raises:
            InputError: Unknown state or number, or a metric that is no number.
            TrialFinished: It was told before.
            LeaseLost: Another worker has the trial.
        """
        wanted = _STATES.get(state) if isinstance(state, str) else state
        if wanted is None or wanted not in _STATES.values():
            raise InputError(f"a trial does not end as {state!r}", hint="complete, pruned or failed")
        running = self._asked_as(trial) if isinstance(trial, int) else running_of(trial)
        if skip_if_finished and running.lease.finished:
            return
        told = metrics if values is None else values
        if told is not None:
            told = as_metrics(told, running.session.objective_order)
        session = self._session
        if session.tell(running, told, state=wanted) is TrialState.FAIL:
            SameFailure(session.db, session.reader).warn()
        self._asked.pop(running.number, None)

    def _asked_as(self, number: int) -> RunningTrial:
        if number not in self._asked:
            raise InputError(
                f"trial {number} is none that this study asked for and that is not told yet",
                hint="tell the trial that ask() returned, in the same program",
            )
        return self._asked[number]

    def enqueue_trial(
        self,
        params: Mapping[str, Any],
        user_attrs: Mapping[str, Any] | None = None,
        skip_if_exists: bool = False,
    ) -> None:
        """Have these parameters tried next; what is left out is drawn. NumPy's numbers are numbers too.

        Args:
            params: Parameters.
            user_attrs: Of Optuna; refused, since a trial is made when it begins.
            skip_if_exists: Do nothing where a trial, or another one that waits, has these parameters.

        Raises:
            InputError: One is unknown, outside its distribution, or inactive beside the others.
            BudgetSpent: Nothing is left of the budget, so that it would never be tried.
        """
        if user_attrs:
            raise InputError(
                "enqueue_trial: user_attrs has no place in the queue",
                hint="trial.set_user_attr(key, value) in training code",
            )
        plain = {name: v.item() if isinstance(v, np.generic) else v for name, v in params.items()}
        problem = self.spec.space.problem_with_part(plain)
        if problem is not None:
            raise InputError(f"enqueue_trial: {problem}")
        if skip_if_exists and self._exists(plain):
            return
        self._check_left()
        session = self._session
        session.ledger.queue.enqueue([(plain, "user", None)])

    def _exists(self, params: Mapping[str, Any]) -> bool:
        waiting = [row["params"] for row in self._read(lambda: self._reader.queue())]
        return any(
            params.items() <= known.items() for known in [*waiting, *(r.params for r in self.records())]
        )

    def _check_left(self) -> None:
        """See that something enqueued could still be tried."""
        spent = self._read(lambda: self._reader.spent())
        if spent is None:
            return
        key, most = spent
        shown = f"{most:g} s" if key == "timeout" else f"{most} {key.replace('_', ' ')}"
        raise BudgetSpent(
            f"enqueue_trial: it would never be tried, for the budget of {shown} is spent",
            hint=f'raise it: study.change(budget={{"{key}": ...}}), {key} in [budget] of the study file, or '
            f"satisfice run FILE --{key.replace('_', '-')} ...",
        )

    # -- models --------------------------------------------------------------------------------------------

    def load_model(self, number: int) -> Any:
        """The model that scored in that trial."""
        return load_model(self._opened, self._record(number))

    def save_model(self, number: int, path: str | Path) -> Path:
        """Write the model of a trial in the format that the suffix names; returns where it is.

        ``.onnx``, for a study with a built-in family, is the file that the trial was judged by, and
        ``.safetensors`` its trained weights. In a study that ships safetensors, ``.onnx`` is converted.

        Raises:
            InputError: The trial kept no model, it cannot be written in that format, or not to that place.
        """
        return save_model(self._opened, self._record(number), Path(path))

    def model_file(self, number: int) -> Path:
        """Where the model of a trial is stored."""
        return model_file(self._opened, self._record(number))

    def delete(self) -> None:
        """Remove the study with its artefacts."""
        delete(self._opened.db, self._opened.row, self._opened.artefacts)


def _reopened(name: str, storage: str | None, task: object | None) -> Study:
    return Study(load(name, storage, task))
