"""Follows a study that others train: read whole once, then only what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from satisfice.errors import StudyNotFound
from satisfice.results.followed import Curve, Followed
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord
from satisfice.store.reader import Changes, TrialReport

Look = Callable[[int], "tuple[StudySpec, int, Changes]"]


class Following:
    """What a study's tables tell of its trials, whatever the history at the cost of what is new.

    Not for several threads at once.

    Args:
        look: Gives the spec that was found to hold, which version that is, and the changes since a revision.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._revision = 0
        self._version: int | None = None
        self._records: dict[int, TrialRecord] = {}
        self._reports: dict[int, dict[int, Mapping[str, float]]] = {}
        self._metric: str | None = None  # that the curves show
        self._now: Followed | None = None

    def now(self) -> Followed:
        """The study as it stands; the same object while nothing changes.

        Raises:
            StudyNotFound: It was deleted.
        """
        more = True
        while more:
            spec, version, changes = self._look(self._revision)
            if not changes.spec_version:
                raise StudyNotFound(f"study {spec.name!r} was deleted")
            if version != self._version:  # other bounds: every verdict is another
                again = self._version is not None
                self._forget(version)
                if again:
                    continue
            if changes.spec_version != version:  # changed between the two looks
                continue
            more = changes.more
            self._take(spec, changes)
        assert self._now is not None
        return self._now

    def _forget(self, version: int) -> None:
        self._revision, self._version, self._now, self._metric = 0, version, None, None
        self._records.clear()
        self._reports.clear()

    def _take(self, spec: StudySpec, changes: Changes) -> None:
        self._revision = changes.revision
        known = self._now
        records, curves = (known.records, known.curves) if known is not None else ((), {})
        if changes.records:
            self._records.update((r.number, r) for r in changes.records)
            records = [self._records[n] for n in sorted(self._records)]
        if changes.reports:
            curves = {**curves, **self._drawn(spec, changes.reports)}
        if known is None or records is not known.records or curves is not known.curves:
            self._now = Followed(spec=spec, records=records, curves=curves)

    def _drawn(self, spec: StudySpec, reports: Sequence[TrialReport]) -> dict[int, Curve]:
        """Curves of the trials that reported; of all, where an objective is seen that comes first."""
        names = [o.metric for o in spec.objectives]
        for number, step, metrics in reports:
            kept = {name: metrics[name] for name in names if name in metrics}
            self._reports.setdefault(number, {})[step] = kept
        seen = {name for _, _, metrics in reports for name in metrics} | {self._metric}
        first = next((name for name in names if name in seen), None)
        changed: Iterable[int] = {number for number, _, _ in reports}
        if first != self._metric:
            self._metric, changed = first, list(self._reports)
        return {number: self._curve(number) for number in changed}

    def _curve(self, number: int) -> Curve:
        by_step, name = self._reports[number], self._metric or ""
        return {s: by_step[s][name] for s in sorted(by_step) if name in by_step[s]}
