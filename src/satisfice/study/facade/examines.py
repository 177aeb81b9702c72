"""The part of `Study` that tries something beside its trials: none of it becomes a trial."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from satisfice.results.check import CheckResult
from satisfice.results.confirmation import Confirmation
from satisfice.results.rehearsal import Rehearsal
from satisfice.results.replay import Replay
from satisfice.study.after.confirm import confirm
from satisfice.study.before.check import check_space
from satisfice.study.before.rehearsal import TIME_LIMIT_S, rehearse
from satisfice.study.models import shipped_model
from satisfice.study.opening import check_data, open_database
from satisfice.study.teachers import hand_over, missing

if TYPE_CHECKING:
    from satisfice.spec.study import StudySpec
    from satisfice.spec.trial import TrialRecord
    from satisfice.study.lifecycle.session import Session
    from satisfice.study.opening import Opened

T = TypeVar("T")


class Examines:
    """Checks the space, rehearses a training, confirms the winner, replays a trial."""

    if TYPE_CHECKING:
        spec: StudySpec
        _opened: Opened

        @property
        def _session(self) -> Session: ...
        def _new_session(self, label: str | None, *, trains: bool = True) -> Session: ...
        def _read(self, read: Callable[[], T]) -> T: ...
        def _refresh(self) -> None: ...
        def records(self) -> list[TrialRecord]:
            """See `Study`."""

        def _record(self, number: int) -> TrialRecord: ...

    def confirm(self) -> Confirmation:
        """Measure the chosen model again, score it and the default one on the test split, each once.

        Returns:
            ``number``, ``test``, ``default``, ``dropped``: see `satisfice.study.after.confirm.confirm`.
        """
        self._read(self._refresh)
        check_data(self._opened)  # others may have trained since this process began
        opened = self._opened
        session = self.__dict__.get("_session") or self._new_session(None, trains=False)
        return confirm(session, self.records(), lambda n: shipped_model(opened, self._record(n)))

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

    def replay(self, number: int) -> Replay:
        """Train a stored trial again, alone, with its own seed; the study is not changed."""
        from satisfice.study.after.replay import replay

        check_data(self._opened)
        return replay(self._session, self._record(number))
