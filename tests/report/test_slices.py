"""Surfaces: what can be computed is exact, what is estimated is no more than the trials tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from satisfice.report.computed import Computed
from satisfice.report.context import Absent, StudyView
from satisfice.report.importance import Importances, feasibility_importances, importances
from satisfice.report.slices import Slices, points_of, slices_of
from satisfice.search.metric_models import MetricModels
from satisfice.spec import parse_dict
from satisfice.spec.trial import TrialRecord, TrialState

SPACE = {
    "width": {"low": 8, "high": 512, "log": True},
    "layers": {"low": 1, "high": 4},
    "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "optimizer": ["sgd", "adam"],
    "momentum": {"low": 0.0, "high": 0.99, "when": {"optimizer": ["sgd"]}},
}
SPEC = parse_dict(
    {
        "name": "s",
        "objectives": {"accuracy": "maximize"},
        "constraints": {"size_mb": "<= 0.1"},
        "space": SPACE,
        "budget": {"trials": 99},
    },
    has_task=True,
)


def profile(params: Mapping[str, Any]) -> dict[str, float]:
    """The size of a network: it depends on two parameters alone."""
    width, layers = params["width"], params["layers"]
    return {"size_mb": 4 * (64 * width + (layers - 1) * width * width + 10 * width) / 1e6}


def accuracy(params: Mapping[str, Any]) -> float:
    peak = math.exp(-((math.log10(params["learning_rate"]) + 2) ** 2))
    return 0.5 + 0.4 * peak + 0.05 * math.log(params["width"] / 8) / math.log(64)


def trained(n: int, seed: int = 0) -> list[TrialRecord]:
    rng = np.random.default_rng(seed)
    records: list[TrialRecord] = []
    while len(records) < n:
        params = SPEC.space.sample(rng)
        size = profile(params)["size_mb"]
        if size > 0.1:  # as the screen does
            continue
        metrics = {"accuracy": accuracy(params) + 0.003 * rng.standard_normal(), "size_mb": size}
        records.append(
            TrialRecord(number=len(records), state=TrialState.COMPLETE, params=params, metrics=metrics)
        )
    return records


def view_of(records: list[TrialRecord]) -> StudyView:
    best = max((r for r in records if r.state == TrialState.COMPLETE), key=lambda r: r.metrics["accuracy"])
    return StudyView(
        records=records,
        objectives=SPEC.objectives,
        constraints=SPEC.constraints,
        space=SPEC.space,
        chosen=best.number,
    )


def sliced(view: StudyView, *, exact: bool = True) -> Slices:
    computed = Computed(profile, view.space) if exact else None
    ranked = {m: importances(view, m, computed) for m in view.metric_names}
    models = MetricModels(view.space, view.objectives, view.constraints, view.records)
    return slices_of(view, computed, ranked, models)


@pytest.fixture(scope="module")
def view() -> StudyView:
    return view_of(trained(40))


@pytest.fixture(scope="module")
def slices(view: StudyView) -> Slices:
    return sliced(view)


def test_a_computed_metric_equals_the_profile_at_every_point(view: StudyView, slices: Slices) -> None:
    size = next(s for s in slices.surfaces if s.metric == "size_mb")
    assert size.exact
    carried = slices.to_json()["surfaces"]["size_mb"]["z"]  # what the page reads
    points = 0
    for pair in range(len(slices.pairs)):
        columns = size.z[pair].shape[1]
        for row, column, params in points_of(slices, view, pair):
            assert carried[pair][row * columns + column] == profile(params)["size_mb"]
            points += 1
    assert points > 200


def test_the_edge_of_a_bound_separates_what_fits_from_what_does_not(view: StudyView, slices: Slices) -> None:
    """Width and layers: at each grid point the violation has the sign that the profile says."""
    names = [a.parameter.name for a in slices.axes]
    pair = slices.pairs.index(tuple(sorted((names.index("width"), names.index("layers")))))
    (bound,) = view.constraints
    over = bound.violation_each(next(s for s in slices.surfaces if s.metric == "size_mb").z[pair])
    fits = {(r, c): profile(p)["size_mb"] <= 0.1 for r, c, p in points_of(slices, view, pair)}
    assert {(r, c): bool(over[r, c] <= 0) for r, c in fits} == fits
    assert set(fits.values()) == {True, False}


def test_what_drives_a_computed_metric_is_found_though_no_trial_is_large(view: StudyView) -> None:
    found = importances(view, "size_mb", Computed(profile, view.space))
    assert isinstance(found, Importances)
    assert found.computed
    assert {name for name, share in found.shares if share > 0.05} == {"width", "layers"}


def test_what_cannot_be_computed_here_is_estimated_from_trials_and_says_so(view: StudyView) -> None:
    size = next(s for s in sliced(view, exact=False).surfaces if s.metric == "size_mb")
    assert not size.exact
    assert size.says.startswith("Estimated from 40 trials")


def test_an_estimate_stays_within_what_was_seen_and_finds_the_peak(view: StudyView, slices: Slices) -> None:
    found = next(s for s in slices.surfaces if s.metric == "accuracy")
    seen = [r.metrics["accuracy"] for r in view.records]
    names = [a.parameter.name for a in slices.axes]
    for z in found.z:
        assert np.nanmin(z) >= min(seen)
        assert np.nanmax(z) <= max(seen)
    pair = next(k for k, (i, j) in enumerate(slices.pairs) if "learning_rate" in (names[i], names[j]))
    along: dict[float, list[float]] = {}
    for row, column, params in points_of(slices, view, pair):
        along.setdefault(params["learning_rate"], []).append(found.z[pair][row, column])
    best = max(along, key=lambda rate: float(np.mean(along[rate])))
    assert math.log10(best) == pytest.approx(-2, abs=0.35)


def test_certainty_is_greater_where_trials_are(view: StudyView, slices: Slices) -> None:
    found = next(s for s in slices.surfaces if s.metric == "accuracy")
    assert found.sure is not None
    certain = np.concatenate([c[~np.isnan(z)] for c, z in zip(found.sure, found.z, strict=True)])
    assert 0 <= certain.min() < certain.max() <= 1


def test_a_diverged_trial_changes_an_estimate_by_no_more_than_its_uncertainty(view: StudyView) -> None:
    worst = TrialRecord(
        number=len(view.records),
        state=TrialState.COMPLETE,
        params=dict(view.records[5].params) | {"learning_rate": 0.1},
        metrics={"accuracy": -1000.0, "size_mb": view.records[5].metrics["size_mb"]},
    )
    from satisfice.report.estimates import SurfaceEstimate, SurfaceEstimates

    more = view_of([*view.records, worst])
    found = [
        SurfaceEstimates(v, MetricModels(v.space, v.objectives, v.constraints, v.records)).of("accuracy")
        for v in (view, more)
    ]
    before, after = (e for e in found if isinstance(e, SurfaceEstimate))
    from satisfice.surrogate.encoding import Encoder

    encoder = Encoder(view.space)
    rows = encoder.scaled(encoder.raw_from_quantiles(encoder.draw(400, np.random.default_rng(1))))
    rate = list(SPEC.space.names).index("learning_rate")  # what the trial that diverged tells about
    far = np.abs(rows - encoder.scaled(encoder.raw(worst.params)[None]))[:, rate] > 0.25
    one, two = before.at(rows[far])[0], after.at(rows[far])[0]
    # Two standard deviations of the estimate on either side, on the metric's own scale.
    mean, sd = after.model.predict(rows[far])
    width = np.abs(after.model.values(mean + 2 * sd) - after.model.values(mean - 2 * sd)) / 2
    assert np.mean(np.abs(two - one) <= width) > 0.9
    assert np.all(two > 0.3)  # an outlier of -1000 does not pull the surface down


def test_feasibility_has_importances_of_its_own() -> None:
    rng = np.random.default_rng(0)
    records = []
    for number in range(80):
        params = SPEC.space.sample(rng)
        metrics = {"accuracy": accuracy(params), **profile(params)}
        records.append(TrialRecord(number=number, state=TrialState.COMPLETE, params=params, metrics=metrics))
    found = feasibility_importances(view_of(records))
    assert isinstance(found, Importances)
    assert {found.shares[0][0], found.shares[1][0]} == {"width", "layers"}
    all_fit = feasibility_importances(view_of(trained(20)))
    assert isinstance(all_fit, Absent)
    assert all_fit.sentence == "Of the trials with a verdict 20 fit and 0 do not: too few to tell."


def test_a_conditional_parameter_is_an_axis_only_where_it_is_active(view: StudyView) -> None:
    held = next(r for r in view.records if r.params["optimizer"] == "adam")
    names = [a.parameter.name for a in sliced(replace(view, chosen=held.number)).axes]
    assert "momentum" not in names
    assert len(names) == 4
