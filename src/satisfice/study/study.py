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
import pandas as pd
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from satisfice import choose
from satisfice.data import ColumnNote
from satisfice.errors import BudgetSpent, InputError, NoFeasibleTrial
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord
from satisfice.store import data_notes
from satisfice.store.database.url import masked
from satisfice.store.reader import Reader
from satisfice.store.spec_versions import history
from satisfice.study.after.confirm import confirm
from satisfice.study.before.check import CheckResult, check_space
from satisfice.study.before.rehearsal import TIME_LIMIT_S, Rehearsal, rehearse
from satisfice.study.frame import trials_frame
from satisfice.study.lifecycle.session import Session
from satisfice.study.lifecycle.trial import Trial
from satisfice.study.models import load_model, model_file, save_model
from satisfice.study.opening import Opened, changed, check_data, delete, load
from satisfice.study.optuna_api.objective import as_metrics
from satisfice.study.pickling import Reference, reference
from satisfice.study.running.deferred_timing import waiting_sentence
from satisfice.study.running.optimize import Optimizes
from satisfice.study.running.same_failure import SameFailure
from satisfice.study.running.worker import Allowance, Callback, Worker
from satisfice.study.starting import first_entries
from satisfice.study.status import counts, turned_away_sentence, whole
from satisfice.study.stored import spec_of

T = TypeVar("T")

_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Study(Optimizes):
    """A study: open it with `create_study` or `load_study`.

    Attributes:
        spec: The checked study file.
        name: Its name.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.spec = opened.spec
        self.name = opened.spec.name
        self._asked: dict[int, Trial] = {}  # by number, what `ask` gave and nobody has told
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

    def _new_session(self, label: str | None) -> Session:
        """Whoever works starts here.

        Raises:
            InputError: This machine lacks the study's data or code, or has others.
        """
        o = self._opened
        check_data(o)
        session = Session(o.db, o.rows, o.row, o.spec, o.task, o.artefacts, label=label)
        self._enqueue_first(session)
        return session

    def _enqueue_first(self, session: Session) -> None:
        """The default configuration and `[search] start`, once, when the study is first worked on."""
        entries = first_entries(self.spec, self._opened.task)
        session.db.retrying(lambda: session.ledger.enqueue_first(entries))

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
        self._opened.db.retrying(self._refresh)
        return self._opened.db.retrying(read)

    def _refresh(self) -> None:
        """Go by the study as it is stored: somebody may have changed its bounds or its budget."""
        o = self._opened
        if self._reader.spec_version() in (0, o.row["spec_version"]):  # 0: what follows says that it is gone
            return
        row = self._reader.study_row()
        spec = spec_of(row, self.spec.source)
        self._opened = replace(o, row=row, spec=spec, make_task=lambda: o.task)
        self.spec = spec
        del self._reader
        if "_session" in self.__dict__:
            self._session.reload()

    # -- changing -------------------------------------------------------------------------------------------

    def change(
        self,
        *,
        budget: Mapping[str, Any] | None = None,
        constraints: Mapping[str, Any] | None = None,
        objectives: Sequence[str] | None = None,
    ) -> tuple[str, ...]:
        """Change what a stored study may change; stored trials are judged anew, and workers take note.

        Args:
            budget: Keys of [budget]; ``None`` lifts a limit.
            constraints: All of [constraints], in place of what holds now.
            objectives: Their names in another order; the first is what `best` means.

        Returns:
            What changed, in sentences.

        Raises:
            SpecError: A value is wrong.
            StudyChanged: A bound on a metric that finished trials lack, or other objectives.
        """
        wanted = {"budget": budget, "constraints": constraints, "objectives": objectives}
        self._opened = changed(self._opened, {k: v for k, v in wanted.items() if v is not None})
        self.spec = self._opened.spec
        self.__dict__.pop("_reader", None)
        if "_session" in self.__dict__:
            self._session.reload()
        return self._opened.changes

    @property
    def changes(self) -> tuple[str, ...]:
        """What opening the study by its file changed, or `change` did, in sentences."""
        return self._opened.changes

    def history(self) -> list[dict[str, Any]]:
        """Versions of the spec, oldest first: ``version``, ``since``, ``spec``, ``changes``.

        ``since`` is in seconds since 1970, ``spec`` a study file's content, ``changes`` a list of sentences.
        Empty for a study that was never changed.
        """
        o = self._opened
        return self._read(lambda: history(o.db, o.row["uuid"]))

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
        trial = self._session.ask()
        self._asked[trial.number] = trial
        return trial

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
        if isinstance(trial, int):
            trial = self._asked_as(trial)
        if skip_if_finished and trial.finished:
            return
        told = metrics if values is None else values
        if told is not None:
            told = as_metrics(told, trial.objective_names)
        session = self._session
        if session.tell(trial, told, state=wanted) is TrialState.FAIL:
            SameFailure(session.db, session.reader).warn()
        self._asked.pop(trial.number, None)

    def _asked_as(self, number: int) -> Trial:
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
        session.db.retrying(lambda: session.ledger.enqueue([(plain, "user", None)]))

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

    # -- reading --------------------------------------------------------------------------------------------

    def records(self, *, with_reports: bool = False) -> list[TrialRecord]:
        """All trials by number."""
        return self._read(lambda: self._reader.records(with_reports=with_reports))

    def best(
        self, maximize: str | None = None, minimize: str | None = None, where: str | Sequence[str] = ()
    ) -> TrialRecord:
        """The best finished trial that satisfies every constraint.

        Args:
            maximize: Metric to maximise; default: the first objective in its direction.
            minimize: Metric to minimise instead.
            where: Further bounds, or a single one; one on the same metric and side replaces the study's.

        Raises:
            NoFeasibleTrial: None does; carries the nearest miss.
        """
        records = self.records()
        try:
            return choose.best(
                records, self.spec.objectives, self.spec.constraints, maximize, minimize, where
            )
        except NoFeasibleTrial as error:
            waiting = waiting_sentence(self.spec, sum(r.pending for r in records))
            away = "" if records else turned_away_sentence(self._counts()["turned_away"])
            error.hint = "; ".join(part for part in (waiting, away, error.hint) if part)
            raise

    def pareto_front(
        self, objectives: Sequence[str | Objective] | None = None, where: str | Sequence[str] | None = None
    ) -> list[TrialRecord]:
        """Finished trials that satisfy every constraint and that no other one dominates."""
        return choose.pareto_front(
            self.records(),
            objectives if objectives is not None else self.spec.objectives,
            self.spec.constraints,
            where or (),
            study_objectives=self.spec.objectives,
        )

    def close_calls(
        self, maximize: str | None = None, minimize: str | None = None, where: str | Sequence[str] = ()
    ) -> list[choose.CloseCall]:
        """What else was close to the best."""
        records = self.records()
        o, c = self.spec.objectives, self.spec.constraints
        return choose.close_calls(
            records, choose.best(records, o, c, maximize, minimize, where), o, c, maximize, minimize, where
        )

    def trials_dataframe(self, attrs: object = None, multi_index: bool = False) -> pd.DataFrame:
        """One row a trial; parameters and metrics are named as in the study file, see `trials_frame`.

        Raises:
            InputError: ``attrs`` or ``multi_index`` of Optuna is given.
        """
        if attrs is not None or multi_index:
            raise InputError(
                "trials_dataframe names columns as the study file does and takes no attrs or multi_index",
                hint="study.optuna_study.trials_dataframe(...) has Optuna's columns",
            )
        return trials_frame(self.records(), self.spec.space)

    def status(self) -> dict[str, Any]:
        """Counts by state, budget, workers and their trials, proposals turned away, the best so far."""
        return self._read(lambda: whole(self._reader, self._reader.records()))

    def _counts(self) -> dict[str, Any]:
        return self._read(lambda: counts(self._reader))

    def confirm(self) -> dict[str, Any]:
        """Measure the chosen model again, score it and the default one on the test split, each once.

        Returns:
            ``number``, ``test``, ``default``, ``dropped``: see `satisfice.study.after.confirm.confirm`.
        """
        self._read(self._refresh)
        check_data(self._opened)  # others may have trained since this process began
        return confirm(self._session, self.records(), self.load_model)

    def check(self, n: int = 1000, progress: Callable[[int], None] | None = None) -> CheckResult:
        """What share of the space fits each constraint, and which parameter drives it; trains nothing."""
        self._read(self._refresh)
        return check_space(self._session.evaluator, n=n, seed=self.spec.seed, progress=progress)

    def data_notes(self) -> list[ColumnNote]:
        """Columns and values of the data that are ignored, missing or read by a rule worth knowing."""
        o = self._opened

        def read() -> list[ColumnNote]:
            with o.db.look() as connection:
                found = data_notes.notes_of(connection, o.rows, o.row["optuna_study_id"])
            return [ColumnNote(**{**note, "examples": tuple(note["examples"])}) for note in found]

        return self._read(read)

    def rehearse(self, *, time_limit_s: float = TIME_LIMIT_S) -> Rehearsal:
        """Train one configuration for one epoch, a family on few rows; nothing of it is stored.

        Returns:
            With `problem`: what would fail every trial, or leave none feasible; None where all is well.
        """
        session = self._session
        return rehearse(session.evaluator, threads=session.threads, time_limit_s=time_limit_s)

    def replay(self, number: int) -> dict[str, Any]:
        """Train a stored trial again, alone, with its own seed; the study is not changed."""
        from satisfice.study.after.replay import replay

        check_data(self._opened)
        return replay(self._session, self._record(number))

    def load_model(self, number: int) -> Any:
        """The model that scored in that trial."""
        return load_model(self._opened, self._record(number))

    def save_model(self, number: int, path: str | Path) -> Path:
        """Write the model of a trial in the format that the suffix names; returns where it is.

        ``.safetensors`` copies the kept file. ``.onnx``, for a study with a built-in family, is converted
        from it: preprocessing, model and class labels in one file for ONNX Runtime. The size and the latency
        of the trial are those of the safetensors file, until ONNX is the format of a study.

        Raises:
            InputError: The trial kept no model, it cannot be written in that format, or not to that place.
        """
        return save_model(self._opened, self._record(number), Path(path))

    def model_file(self, number: int) -> Path:
        """Where the model of a trial is stored."""
        return model_file(self._opened, self._record(number))

    def _record(self, number: int) -> TrialRecord:
        record = self._read(lambda: self._reader.record(number))
        if record is None:
            raise InputError(f"study {self.name!r} has no trial {number}")
        return record

    def report(self, directory: str | Path) -> Path:
        """Write plots and pages; returns the index page.

        Raises:
            MissingExtra: plotly is not installed.
        """
        from satisfice.study.reporting import write

        return write(self._reader, self.records(with_reports=True), self._counts(), Path(directory))

    def report_context(self, chosen: int | None = None) -> dict[str, Any]:
        """What a report says beside the trials: arguments of `satisfice.report.ReportContext`.

        Args:
            chosen: The trial that it is about, where that is not the study's own choice.
        """
        from satisfice.study.reporting import context

        records, found = self.records(), self._counts()
        return self._read(lambda: context(self._reader, records, found, chosen))

    def export(self, path: str | Path) -> None:
        """Write the study with its models to one file."""
        from satisfice.study.after.exchange import export

        export(self._opened, Path(path))

    def delete(self) -> None:
        """Remove the study with its artefacts."""
        delete(self._opened.db, self._opened.row, self._opened.artefacts)


def _reopened(name: str, storage: str | None, task: object | None) -> Study:
    return Study(load(name, storage, task))
