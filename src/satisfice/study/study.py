"""`Study`: what people hold in their hands."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import optuna
import pandas as pd
from optuna.trial import TrialState

from satisfice import choose
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.spec.study import Objective
from satisfice.spec.task import HasDefaults
from satisfice.spec.trial import TrialRecord
from satisfice.store.reader import Reader
from satisfice.study.check import CheckResult, check_space
from satisfice.study.confirm import confirm
from satisfice.study.frame import trials_frame
from satisfice.study.models import load_model, model_file, save_model
from satisfice.study.opening import Opened, check_data, delete
from satisfice.study.parallel import run_workers
from satisfice.study.session import Session
from satisfice.study.status import counts, turned_away_sentence, whole
from satisfice.study.trial import Trial
from satisfice.study.verdicts import waiting_sentence
from satisfice.study.worker import Callback, Worker

if TYPE_CHECKING:
    from satisfice.launch import Launcher

T = TypeVar("T")

_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Study:
    """A study: open it with `create_study` or `load_study`.

    Attributes:
        spec: The checked study file.
        name: Its name.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.spec = opened.spec
        self.name = opened.spec.name

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
        task = self._opened.task
        entries: list[tuple[Mapping[str, Any], str, int | None]] = []
        defaults = session.defaults() if isinstance(task, HasDefaults) else {}
        if defaults:
            entries.append((defaults, "default", None))
        space = self.spec.space
        entries += [(space.complete(start, defaults), "start", None) for start in self.spec.search.start]
        session.db.retrying(lambda: session.ledger.enqueue_first(entries))

    @property
    def optuna_study(self) -> optuna.Study:
        """The plain Optuna study underneath."""
        db = self._opened.db
        return self._read(lambda: optuna.load_study(study_name=self.name, storage=db.optuna_storage()))

    def _read(self, read: Callable[[], T]) -> T:
        """Ask the database: one that is away is waited for, as by who writes."""
        return self._opened.db.retrying(read)

    # -- running --------------------------------------------------------------------------------------------

    def optimize(
        self,
        workers: int = 1,
        *,
        engine: str | Launcher = "local",
        callbacks: Sequence[Callback] = (),
        progress: Callable[[dict[str, Any]], None] | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Work until the budget is spent.

        Args:
            workers: 1 runs in this process; more are started by the engine.
            engine: "local", "ray", "slurm", or a launcher.
            callbacks: Called with each trial and its state (in this process only).
            progress: Called with the counts of `status` now and then.
            timeout_s: Stop after so long; what runs is given back.

        Raises:
            InputError: Several workers on a study in memory, or with a task that no other process can import.
        """
        if workers < 1:
            raise InputError(f"workers = {workers}", hint="at least 1")
        if workers == 1 and engine == "local":
            self._optimize_here(callbacks, progress, timeout_s)
            return
        self._session  # noqa: B018  # enqueues the first trials before workers race for it
        run_workers(
            self._opened, workers, engine, progress=progress, status=self._counts, timeout_s=timeout_s
        )

    def _optimize_here(
        self,
        callbacks: Sequence[Callback],
        progress: Callable[[dict[str, Any]], None] | None,
        timeout_s: float | None,
    ) -> None:
        stop = threading.Event()
        shown = [*callbacks]
        if progress is not None:
            shown.append(lambda _trial, _state: progress(self._counts()))
        timer = threading.Timer(timeout_s, stop.set) if timeout_s is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            Worker(self._session, stop=stop, callbacks=shown).run()
        finally:
            if timer is not None:
                timer.cancel()

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

    def ask(self) -> Trial:
        """A trial to train: already screened, so that what is known before training fits.

        Raises:
            BudgetSpent: Nothing is left.
            NoFeasibleProposal: Nothing that fits was found.
        """
        return self._session.ask()

    def tell(
        self,
        trial: Trial,
        metrics: Mapping[str, float] | None = None,
        *,
        state: str | TrialState = "complete",
    ) -> None:
        """End a trial: with its metrics, or as "pruned" or "failed".

        Raises:
            InputError: Unknown state, or a metric that is no number.
            LeaseLost: Another worker has the trial.
        """
        wanted = _STATES.get(state) if isinstance(state, str) else state
        if wanted is None or wanted not in _STATES.values():
            raise InputError(f"a trial does not end as {state!r}", hint="complete, pruned or failed")
        self._session.tell(trial, metrics, state=wanted)

    def enqueue_trial(self, params: Mapping[str, Any]) -> None:
        """Have these parameters tried next; what is left out is drawn. NumPy's numbers are numbers too.

        Raises:
            InputError: One is unknown, outside its distribution, or inactive beside the others.
        """
        plain = {name: v.item() if isinstance(v, np.generic) else v for name, v in params.items()}
        problem = self.spec.space.problem_with_part(plain)
        if problem is not None:
            raise InputError(f"enqueue_trial: {problem}")
        session = self._session
        session.db.retrying(lambda: session.ledger.enqueue([(plain, "user", None)]))

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

    def trials_dataframe(self) -> pd.DataFrame:
        """One row a trial; parameters and metrics are named as in the study file, see `trials_frame`."""
        return trials_frame(self.records(), self.spec.space)

    def status(self) -> dict[str, Any]:
        """Counts by state, budget, workers and their trials, proposals turned away, the best so far."""
        return self._read(lambda: whole(self._reader, self._reader.records()))

    def _counts(self) -> dict[str, Any]:
        return self._read(lambda: counts(self._reader))

    def confirm(self) -> dict[str, Any]:
        """Measure the chosen model again, score it and the default one on the test split, each once.

        Returns:
            ``number``, ``test``, ``default``, ``dropped``: see `satisfice.study.confirm.confirm`.
        """
        check_data(self._opened)  # others may have trained since this process began
        return confirm(self._session, self.records(), self.load_model)

    def check(self, n: int = 1000, progress: Callable[[int], None] | None = None) -> CheckResult:
        """What share of the space fits each constraint, and which parameter drives it; trains nothing."""
        return check_space(self._session.evaluator, n=n, seed=self.spec.seed, progress=progress)

    def replay(self, number: int) -> dict[str, Any]:
        """Train a stored trial again, alone, with its own seed; the study is not changed."""
        from satisfice.study.replay import replay

        check_data(self._opened)
        return replay(self._session, self._record(number))

    def load_model(self, number: int) -> Any:
        """The model that scored in that trial."""
        return load_model(self._opened, self._record(number))

    def save_model(self, number: int, path: str | Path) -> Path:
        """Copy the file that ships; returns where it is."""
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
        from satisfice.study.exchange import export

        export(self._opened, Path(path))

    def delete(self) -> None:
        """Remove the study with its artefacts."""
        delete(self._opened.db, self._opened.row, self._opened.artefacts)
