"""The part of `Study` that explains: what trainings show, what is wrong with the study, its journal."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from satisfice.errors import InputError
from satisfice.results.understanding import HealthNote, TrainingDiagnosis

if TYPE_CHECKING:
    from satisfice.data.facts import DataFacts
    from satisfice.spec.study import StudySpec
    from satisfice.spec.trial import TrialRecord
    from satisfice.store.reader import Reader
    from satisfice.study.opening import Opened

T = TypeVar("T")


class Understands:
    """Diagnosis of trainings, health of the study, the journal. No trial is run for any of them."""

    if TYPE_CHECKING:
        spec: StudySpec
        name: str
        _opened: Opened

        @property
        def _reader(self) -> Reader: ...
        def _read(self, read: Callable[[], T]) -> T: ...
        def records(self, *, with_reports: bool = False) -> list[TrialRecord]:
            """See `Reads`."""

        def _record(self, number: int) -> TrialRecord: ...

    def diagnose(self, number: int | None = None) -> list[TrainingDiagnosis]:
        """What each training shows by its reports: labels with evidence, and the likely causes.

        Args:
            number: Of one trial; None: all that have begun. Its neighbours are looked at either way.

        Raises:
            InputError: There is no such trial.
        """
        from satisfice.study.understanding import diagnoses

        if number is not None:
            self._record(number)
        found = diagnoses(self.spec, self.records(with_reports=True), number)
        return [TrainingDiagnosis.of(d) for d in found]

    def health(self) -> list[HealthNote]:
        """What is wrong with the study: its space, bounds, budget and data, each with a remedy to paste.

        Data are looked at where this machine has them; where it has not, a warning says so.
        """
        from satisfice.study.understanding import findings

        records = self.records(with_reports=True)
        found = self._read(lambda: findings(self._reader, records, self._facts()))
        return [HealthNote.of(f) for f in found]

    def journal(self, shipped: str | Path | None = None) -> str:
        """The study as Markdown to commit beside the code: what was tried, and why what ships does.

        Args:
            shipped: A folder that `ship` wrote: its promises are told as proof.

        Raises:
            InputError: That is no shipped folder.
        """
        from satisfice.study.after.ablation.latest import latest_ablation
        from satisfice.study.after.journal import journal_of

        records, facts = self.records(with_reports=True), self._facts()
        folder = None if shipped is None else Path(shipped)
        found = self._read(lambda: latest_ablation(self._opened))
        shown = ("change", "metric", "effect", "low", "high", "verdict")
        rows = [] if found is None else [{name: row[name] for name in shown} for row in found.rows()]
        return self._read(lambda: journal_of(self._reader, records, facts, folder, rows))

    def _facts(self) -> DataFacts | None:
        """What the data tell; None for own code, and with a warning where they are not here."""
        from satisfice.study.understanding import data_facts

        if self.spec.model is None:
            return None
        try:
            return data_facts(self._opened)
        except InputError as error:
            warnings.warn(f"the data were not looked at: {error}", stacklevel=3)
            return None
