"""The part of `Study` that reads: nothing is built, imported or written for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from satisfice import choose
from satisfice.data import ColumnNote
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.results.profiles import ProfileQuestion
from satisfice.results.report_context import ReportContext
from satisfice.results.status import Counts, Status, study_html
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord
from satisfice.store import data_notes
from satisfice.study.after.following import Following
from satisfice.study.choice import chosen_of
from satisfice.study.facade.frame import trials_frame
from satisfice.study.running.deferred_timing import waiting_sentence
from satisfice.study.status import counts, threshold_sentence, turned_away_sentence, whole

if TYPE_CHECKING:
    import pandas as pd

    from satisfice.spec.influences import Influences
    from satisfice.spec.study import StudySpec
    from satisfice.store.reader import Changes, Reader
    from satisfice.study.opening import Opened

T = TypeVar("T")


class Reads:
    """Trials, what is chosen from them, counts, reports."""

    if TYPE_CHECKING:
        spec: StudySpec
        name: str
        _opened: Opened

        @property
        def _reader(self) -> Reader: ...
        def _read(self, read: Callable[[], T]) -> T: ...

    def records(self, *, with_reports: bool = False) -> list[TrialRecord]:
        """All trials by number."""
        return self._read(lambda: self._reader.records(with_reports=with_reports))

    def follow(self) -> Following:
        """Follow the study while others train: each look reads only what is new."""

        def look(since: int) -> tuple[StudySpec, int, Changes]:
            spec = self._read(lambda: self.spec)
            return spec, self._opened.row["spec_version"], self._reader.changes(since)

        return Following(look)

    def best(
        self,
        maximize: str | None = None,
        minimize: str | None = None,
        where: str | Sequence[str] = (),
        order: str | Sequence[str] = (),
        profile: str | None = None,
        rule: str | None = None,
    ) -> choose.BestTrial:
        """The best finished trial that satisfies every constraint.

        Args:
            maximize: Metric to maximise; default: the first objective in its direction.
            minimize: Metric to minimise instead.
            where: Further bounds, or a single one; one on the same metric and side replaces the study's.
            order: Criteria in order instead of one metric: ``["f1 within 0.005", "size_mb"]`` is the smallest
                of those whose f1 is within 0.005 of the best.
            profile: Name of a profile: its bounds hold beside the study's, and it is chosen by its order. A
                metric or an order given here takes the place of that order; ``where`` adds to its bounds,
                and replaces one on the same metric and side.
            rule: "value", or "one-standard-error": the cheapest of those within one standard error of the
                best. None: the study's own.

        Returns:
            The trial, with `tied`, numbers of the trials that cannot be told from it on the metric it was
            chosen by, and `expected`, the score to expect on new data.

        Raises:
            NoFeasibleTrial: None does; carries the nearest miss.
            InputError: There is no such profile; the message lists those there are.
        """
        records = self.records()
        try:
            return self._read(
                lambda: chosen_of(
                    self._reader, records, maximize, minimize, where, order, rule, profile=profile
                )
            )
        except NoFeasibleTrial as error:
            waiting = waiting_sentence(self.spec, sum(r.pending for r in records))
            away = "" if records else turned_away_sentence(self.counts()["turned_away"])
            even = threshold_sentence(self.spec) if error.nearest is not None else ""
            error.hint = "; ".join(part for part in (waiting, away, error.hint, even) if part)
            raise

    def pareto_front(
        self,
        objectives: Sequence[str | Objective] | None = None,
        where: str | Sequence[str] | None = None,
        profile: str | None = None,
    ) -> list[TrialRecord]:
        """Finished trials that satisfy every constraint and that no other one dominates.

        Args:
            objectives: Names or objectives; None means the study's own, after those of the profile's order.
            where: Further bounds, or a single one; see `best`.
            profile: Name of a profile, whose bounds hold too.

        Raises:
            InputError: A metric that no trial has, or there is no such profile.
        """
        asked = choose.asked(self.spec, profile)
        return choose.pareto_front(
            self.records(),
            objectives if objectives is not None else asked.objectives,
            asked.constraints,
            where or (),
            study_objectives=asked.objectives,
        )

    def profiles(self) -> list[ProfileQuestion]:
        """What each profile of the study asks for."""
        return [ProfileQuestion.of(each) for each in choose.asked_by_each(self.spec)]

    def same_within_noise(
        self,
        objectives: Sequence[str | Objective] | None = None,
        where: str | Sequence[str] | None = None,
        profile: str | None = None,
    ) -> dict[int, int]:
        """Of the Pareto front, the points that add nothing beyond noise, with the point that covers each.

        A point covers another where that one is better than it in no objective by more than noise.
        `pareto_front` goes by values and keeps them all.

        Args:
            objectives: As for `pareto_front`.
            where: As for `pareto_front`.
            profile: As for `pareto_front`.

        Returns:
            By number of a trial on the front, the number of the trial on it that covers it.
        """
        records, asked = self.records(), choose.asked(self.spec, profile)
        goals = choose.resolve_objectives(objectives, asked.objectives)
        groups = choose.front_groups(records, goals, asked.constraints, where or ())
        members = [m.number for g in groups for m in g.members]
        noise = choose.Noise(influences=self._read(lambda: self._reader.influences(members)))
        return choose.same_within_noise(groups, goals, noise)

    def close_calls(
        self,
        maximize: str | None = None,
        minimize: str | None = None,
        where: str | Sequence[str] = (),
        rule: str | None = None,
    ) -> list[choose.CloseCall]:
        """What else was close to the best; arguments as for `best`."""
        records = self.records()
        o, c = self.spec.objectives, self.spec.constraints
        found = self._read(lambda: chosen_of(self._reader, records, maximize, minimize, where, rule=rule))
        return choose.close_calls(records, found, o, c, maximize, minimize, where)

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

    def status(self) -> Status:
        """Counts by state, budget, workers and their trials, proposals turned away, the best so far."""
        return self._read(lambda: whole(self._reader, self._reader.records(with_reports=True)))

    def counts(self) -> Counts:
        """What `status` counts, without best trial and diagnosis; its cost does not grow with the trials."""
        return self._read(lambda: counts(self._reader))

    def data_notes(self) -> list[ColumnNote]:
        """Columns and values of the data that are ignored, missing or read by a rule worth knowing."""
        o = self._opened

        def read() -> list[ColumnNote]:
            with o.db.look() as connection:
                found = data_notes.notes_of(connection, o.rows, o.row["optuna_study_id"])
            return [ColumnNote(**{**note, "examples": tuple(note["examples"])}) for note in found]

        return self._read(read)

    def _record(self, number: int) -> TrialRecord:
        record = self._read(lambda: self._reader.record(number))
        if record is None:
            raise InputError(f"study {self.name!r} has no trial {number}")
        return record

    def report(self, directory: str | Path, profile: str | None = None, rule: str | None = None) -> Path:
        """Write the report, one page that opens offline; returns its path.

        What the study's code can compute of a configuration without training is asked of it, where that code
        is here.

        Args:
            directory: Where it goes.
            profile: Name of the profile that it is for.
            rule: Of choice; None: the study's.

        Raises:
            InputError: There is no such profile.
        """
        from satisfice.study.after.ablation.latest import latest_ablation
        from satisfice.study.reporting import exact_metrics, write
        from satisfice.study.understanding import facts_if_here

        exact, records = exact_metrics(self._opened), self.records(with_reports=True)
        facts = facts_if_here(self._opened)
        ablation = self._read(lambda: latest_ablation(self._opened))
        told = self.counts()
        return write(self._reader, records, told, Path(directory), exact, profile, rule, facts, ablation)

    @property
    def figures(self) -> dict[str, Any]:
        """The report's plotly figures by their titles; drawn anew at each access, which takes seconds.

        Raises:
            MissingExtra: plotly is not installed.
        """
        from satisfice.study.reporting import figures

        return figures(self._reader, self.records(with_reports=True), self.counts())

    def _repr_html_(self) -> str:
        """The study as a notebook shows it: counts, the best so far, each profile."""
        return study_html(self.spec, self.status())

    def report_context(
        self,
        chosen: int | None = None,
        profile: str | None = None,
        rule: str | None = None,
        *,
        explained: bool = False,
    ) -> ReportContext:
        """What a report says beside the trials.

        Args:
            chosen: The trial that it is about, where that is not the study's own choice.
            profile: Name of the profile that it is for.
            rule: Of that choice; None: the study's.
            explained: With what trainings show and what is wrong with the study, as its trials tell it.
        """
        from satisfice.study import reporting

        records, found = self.records(with_reports=explained), self.counts()

        def read() -> ReportContext:
            told = reporting.context(self._reader, records, found, chosen, profile, rule)
            return reporting.explained(told, self._reader, records, None) if explained else told

        return self._read(read)

    def influences(self, numbers: Iterable[int] | None = None) -> Mapping[int, Influences]:
        """What scored rows did to the metrics of trials, by trial number; a trial may have none.

        Args:
            numbers: Of the trials; None: of all.
        """
        return self._read(lambda: self._reader.influences(numbers))

    def export(self, path: str | Path) -> None:
        """Write the study with its models to one file."""
        from satisfice.study.after.exchange import export

        export(self._opened, Path(path))
