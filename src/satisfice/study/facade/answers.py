"""The part of `Study` that answers questions over finished trials: no trial is run for an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from satisfice import choose
from satisfice.results.bound_questions import Binding, Infeasibility, NearestFeasible
from satisfice.results.questions import Knee, Price, Ranking, TrialComparison, Unknown
from satisfice.spec.study import Objective

if TYPE_CHECKING:
    from satisfice.spec.study import StudySpec
    from satisfice.store.reader import Reader

T = TypeVar("T")
Where = str | Sequence[str]


class Answers:
    """Two trials compared, prices, the knee, what bounds cost, why nothing fits."""

    if TYPE_CHECKING:
        spec: StudySpec

        @property
        def _reader(self) -> Reader: ...
        def _read(self, read: Callable[[], T]) -> T: ...
        def best(
            self,
            maximize: str | None = None,
            minimize: str | None = None,
            where: Where = (),
            order: Where = (),
            profile: str | None = None,
        ) -> choose.BestTrial:
            """See `Reads`."""

    def compare(self, a: int, b: int, where: Where = (), profile: str | None = None) -> TrialComparison:
        """Two trials by number: every metric with the better one, parameters that differ, bounds.

        Each is taken by itself, without its replicates. A difference has its 95% interval where its noise is
        known: of scores from the rows that both were scored on, of timings from their own intervals.

        Args:
            a: Number of the one.
            b: Number of the other.
            where: Further bounds to hold both against; see `best`.
            profile: Name of a profile whose bounds both are held against.

        Raises:
            InputError: There is no such trial, or both are one.
        """
        noise = choose.Noise(influences=self._read(lambda: self._reader.influences((a, b))))
        return TrialComparison.of(choose.compare(replace(self._question(where, profile), noise=noise), a, b))

    def price_of(
        self,
        metric: str,
        maximize: str | None = None,
        minimize: str | None = None,
        where: Where = (),
        profile: str | None = None,
    ) -> Price:
        """What the next step of a cost buys, along the feasible front of it and the first objective.

        Args:
            metric: The cost, for instance ``size_mb``: any metric recorded.
            maximize: Metric to maximise instead of the first objective.
            minimize: Metric to minimise instead of the first objective.
            where: Further bounds, or a single one; see `best`.
            profile: Name of a profile that is asked for; see `best`.

        Returns:
            ``steps`` from the cheapest trial to the best, each with what it costs more (``more``) and buys
            (``gain``) over the one before, in the metrics' own units.

        Raises:
            InputError: No trial has the metric, what is better of it is not known, or it is the objective.
            NoFeasibleTrial: Nothing fits.
        """
        found = choose.price_of(self._question(where, profile), metric, maximize, minimize)
        if not found.points:
            self.best(maximize=maximize, minimize=minimize, where=where, profile=profile)  # says why
        return Price.of(found)

    def knee(
        self,
        objectives: Sequence[str | Objective] | None = None,
        where: Where = (),
        profile: str | None = None,
    ) -> Knee:
        """The trial of the feasible front at which trading any further pays least.

        Two objectives, scaled to 0..1 over the front: the trial farthest from the line between the front's
        ends (Das 1999). More: the one nearest to the ideal (Zeleny 1973). One: its best.

        Args:
            objectives: Names or objectives; None means the study's own.
            where: Further bounds, or a single one; see `best`.
            profile: Name of a profile that is asked for; see `best`.

        Returns:
            With ``trial``, which is None where the front bends nowhere towards the best of both objectives.

        Raises:
            InputError: A metric that no trial has, or of which nobody knows what is better.
            NoFeasibleTrial: Nothing fits.
        """
        found = choose.knee_of(self._question(where, profile), objectives)
        if not found.points:
            self.best(where=where, profile=profile)  # says why
        return Knee.of(found)

    def ranking(self, weights: Mapping[str, float], where: Where = (), profile: str | None = None) -> Ranking:
        """The feasible front of some metrics in the order of weights (TOPSIS, Hwang & Yoon 1981).

        Args:
            weights: By metric, each above 0: how much its range over the front counts beside the others'.
            where: Further bounds, or a single one; see `best`.
            profile: Name of a profile that is asked for; see `best`.

        Returns:
            ``trials``, best first, each with its ``closeness``, from 0 to 1.

        Raises:
            InputError: No weight, one that is not positive, or a metric that no trial has or of which nobody
                knows what is better.
            NoFeasibleTrial: Nothing fits.
            MissingExtra: pyrepo-mcda is not installed.
        """
        found = choose.ranking_of(self._question(where, profile), weights)
        if not found.points:
            self.best(where=where, profile=profile)  # says why
        return Ranking.of(found)

    def binding(
        self,
        maximize: str | None = None,
        minimize: str | None = None,
        where: Where = (),
        profile: str | None = None,
    ) -> Binding:
        """What each bound costs: the best recorded trial with all bounds, and with each of them dropped.

        Args:
            maximize: Metric to maximise instead of the first objective.
            minimize: Metric to minimise instead of the first objective.
            where: Further bounds, or a single one; see `best`.
            profile: Name of a profile that is asked for; see `best`.

        Raises:
            InputError: A metric that no trial has.
        """
        return Binding.of(choose.bound_costs(self._question(where, profile), maximize, minimize))

    def nearest_feasible(self, where: Where = (), profile: str | None = None) -> NearestFeasible | None:
        """The finished trial that fits, or needs the least relaxation, and at which bounds it would fit.

        Args:
            where: Further bounds, or a single one; see `best`.
            profile: Name of a profile that is asked for; see `best`.

        Returns:
            None where no trial is finished.

        Raises:
            InputError: A metric that no trial has.
        """
        found = choose.nearest_feasible(self._question(where, profile))
        return None if found is None else NearestFeasible.of(found)

    def explain_infeasible(self, where: Where = (), profile: str | None = None) -> Infeasibility:
        """Which bound is in the way, the tightest value of each that has a solution, the nearest trial.

        Args:
            where: Further bounds, or a single one; see `best`.
            profile: Name of a profile that is asked for; see `best`.

        Raises:
            InputError: A metric that no trial has.
        """
        return Infeasibility.of(choose.in_the_way(self._question(where, profile)))

    def unknown_beyond(self, where: Where = (), profile: str | None = None) -> list[Unknown]:
        """What a question admits and was turned away or stopped, so that no answer knows of it.

        Args:
            where: The question's bounds; see `best`.
            profile: Name of a profile that is asked for; see `best`.
        """
        return Unknown.each(self._question(where, profile).unseen())

    def _question(self, where: Where, profile: str | None) -> choose.Question:
        asked = choose.asked(self.spec, profile)
        records, away = self._read(lambda: (self._reader.records(), self._reader.turned_away_by_ask()))
        refusals = [choose.Refusals(proposals=n, by_constraint=by) for n, by in away]
        if profile is not None:
            keys = [c.key for c in asked.constraints]
            refusals = [each.under(keys) for each in refusals]
        return choose.Question(
            records=records,
            objectives=asked.objectives,
            constraints=asked.constraints,
            refusals=refusals,
            where=where,
            order=asked.order,
        )
