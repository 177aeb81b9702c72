"""The part of `Study` that tries something beside its trials: none of it becomes a trial."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from satisfice.results.check import CheckResult
from satisfice.results.confirmation import Confirmation
from satisfice.results.importance import Ablation, Importance
from satisfice.results.rehearsal import Rehearsal, Replay
from satisfice.results.shipped_folder import ShippedFolder
from satisfice.study.after.confirm import confirm
from satisfice.study.before.check import check_space
from satisfice.study.before.rehearsal import TIME_LIMIT_S, rehearse
from satisfice.study.models import shipped_model
from satisfice.study.opening import check_data, open_database
from satisfice.study.teachers import hand_over, missing

if TYPE_CHECKING:
    from satisfice.results.status import Counts
    from satisfice.spec.study import StudySpec
    from satisfice.spec.trial import TrialRecord
    from satisfice.study.lifecycle.session import Session
    from satisfice.study.opening import Opened

T = TypeVar("T")


class Examines:
    """Checks the space, rehearses a training, confirms, ships and ablates the winner, replays a trial."""

    if TYPE_CHECKING:
        spec: StudySpec
        _opened: Opened

        def __init__(self, opened: Opened) -> None: ...
        @property
        def _session(self) -> Session: ...
        def _new_session(self, label: str | None, *, trains: bool = True) -> Session: ...
        def _read(self, read: Callable[[], T]) -> T: ...
        def _refresh(self) -> None: ...
        def records(self) -> list[TrialRecord]:
            """See `Study`."""

        def best(self) -> TrialRecord:
            """See `Reads`."""

        def _record(self, number: int) -> TrialRecord: ...

    def confirm(self) -> Confirmation:
        """Measure the chosen model again, score it and the default one on the test split, each once.

        Returns:
            ``number``, ``test``, ``default``, ``dropped``: see `satisfice.study.after.confirm.confirm`.
        """
        self._read(self._refresh)
        check_data(self._opened)  # others may have trained since this process began
        session = self._reading_session()
        return confirm(session, self.records(), self._shipped_model)

    def _reading_session(self) -> Session:
        """The session there is, else one that need not be able to train."""
        return self.__dict__.get("_session") or self._new_session(None, trains=False)

    def _shipped_model(self, number: int) -> object:
        return shipped_model(self._opened, self._record(number))

    def ship(
        self,
        directory: str | Path,
        trial: int | None = None,
        force: bool = False,
        profile: str | None = None,
    ) -> ShippedFolder:
        """Write the model of a trial as a folder that ships: ``model.onnx`` and all that stands beside it.

        The file is scored on the test split, and answers some of its rows as golden ones.

        Args:
            directory: A new or an empty folder, or a shipped folder that is replaced.
            trial: Its number; None: the one that `confirm` chooses, or the profile.
            force: Ship a trial that misses a bound; the model card says so.
            profile: Name of a profile: it chooses, and its bounds hold too.

        Returns:
            ``directory``, ``trial``, ``fits``, ``files``, ``promises``, ``scores``.

        Raises:
            InputError: The study trains own code, the trial is unknown, not complete, kept no model or misses
                a bound, or the folder holds other files. Nothing was written.
            NoFeasibleTrial: No trial is named and none fits.
            CannotWrite: The system does not let us write there.
        """
        from satisfice.study.after.ship import refuse_unshippable, ship

        self._read(self._refresh)
        if profile is not None:
            self.spec.profile(profile)  # there is one
        refuse_unshippable(self.spec)  # before its code is imported
        check_data(self._opened)
        session = self._reading_session()
        return ship(
            self._opened, session, self._shipped_model, Path(directory), trial, force=force, profile=profile
        )

    def importance(self, trial: int | None = None, repeats: int = 10) -> Importance:
        """What a model goes by: how much worse it gets where a source column is permuted.

        It is the model as it ships, on validation rows. Trees also tell what their splits gain, linear models
        their coefficients. What matters among *parameters* is in the report.

        Args:
            trial: Its number; None: the best one.
            repeats: Permutations of each column.

        Returns:
            With ``metric``, ``value``, ``columns`` (the most important first, each with ``column``,
            ``importance``, ``deviation`` and, of trees, ``gain``) and, of linear models, ``coefficients``.

        Raises:
            InputError: The study trains own code or learns from images, or the trial is unknown, not complete
                or kept no model.
            NoFeasibleTrial: No trial is named and none fits.
        """
        from satisfice.study.after.importance import importance, refuse_unfinished

        self._read(self._refresh)
        check_data(self._opened)
        record = self.best() if trial is None else self._record(trial)
        refuse_unfinished(record)
        return importance(self.spec, self._opened.task, record, self._shipped_model(record.number), repeats)

    def check(self, n: int = 1000, progress: Callable[[int], None] | None = None) -> CheckResult:
        """What share of the space fits each constraint, and which parameter drives it; trains nothing."""
        self._read(self._refresh)
        return check_space(self._session.evaluator, n=n, seed=self.spec.seed, progress=progress)

    @property
    def missing_teachers(self) -> tuple[str, ...]:
        """Names of the trials that this study's models learn from and that were not loaded yet."""
        return missing(self._opened.task)

    def take_teachers(self, storage: str | None) -> None:
        """Load what `teacher` names from another storage than this study's, before it is checked or trained.

        Raises:
            InputError: A teacher is not there, or learnt something else, or from other rows.
        """
        o = self._opened
        with closing(open_database(storage)) as db:
            hand_over(o.task, o.spec, o.row["data_fingerprint"], db)

    def rehearse(self, *, time_limit_s: float = TIME_LIMIT_S) -> Rehearsal:
        """Train one configuration for one epoch, a family on few rows; nothing of it is stored.

        Returns:
            With `problem`: what would fail every trial, or leave none feasible; None where all is well.
        """
        session = self._session
        return rehearse(session.evaluator, threads=session.threads, time_limit_s=time_limit_s)

    def ablate(
        self,
        trial: int | None = None,
        seeds: int = 3,
        *,
        towards: bool = False,
        workers: int = 1,
        timeout_s: float | None = None,
        progress: Callable[[Counts], None] | None = None,
    ) -> Ablation:
        """Switch each technique of a trial off alone, train each with several seeds, and compare.

        The trainings are a study of their own in the same storage, ``NAME-ablation-TRIAL``: workers, leases
        and budget are as in every study, and a call that was interrupted goes on where it stopped. Nothing
        is turned away or stopped there.

        Args:
            trial: Number of the configuration; None: the one that `best` chooses.
            seeds: Trainings of each configuration.
            towards: Whether each change is also tried alone on the default configuration.
            workers: Worker processes; 1 trains in this process.
            timeout_s: Begin no further training after so long; the table is of what finished.
            progress: Called with the counts of `status` now and then.

        Raises:
            InputError: The trial is unknown, or uses nothing that could be switched off.
            NoFeasibleTrial: No trial is named and none fits.
        """
        from satisfice.study.after.ablation.run import prepare, table_of

        self._read(self._refresh)
        record = self.best() if trial is None else self._record(trial)
        check_data(self._opened)
        prepared = prepare(self._opened, record, seeds=seeds, towards=towards, timeout_s=timeout_s)
        child: Any = type(self)(prepared.opened)  # the methods are spread over the parts of `Study`
        child.optimize(workers=workers, progress=progress)
        return table_of(prepared, child.records())

    def replay(self, number: int) -> Replay:
        """Train a stored trial again, alone, with its own seed; the study is not changed."""
        from satisfice.study.after.replay import replay

        check_data(self._opened)
        return replay(self._session, self._record(number))
