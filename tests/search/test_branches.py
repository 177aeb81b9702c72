"""Parts of a conditional space: which there are, and that none is left unseen or given up too soon."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from tests.search.problems import SPACE, problem, run

from satisfice.search import SAMPLERS, History, Screened
from satisfice.search.auto.branches import branches, draw_visit
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.trial import TrialRecord
from satisfice.surrogate.encoding import Encoder

LEARNERS = ("mlp", "trees", "linear")
NESTED = SearchSpace(
    parameters=(
        Parameter(name="learner", distribution=CategoricalDistribution(LEARNERS)),
        *(
            Parameter(name=f"mlp_{i}", distribution=FloatDistribution(0.0, 1.0), when={"learner": ("mlp",)})
            for i in range(4)
        ),
        Parameter(
            name="booster",
            distribution=CategoricalDistribution(("gbtree", "dart")),
            when={"learner": ("trees",)},
        ),
        Parameter(name="depth", distribution=IntDistribution(1, 9), when={"learner": ("trees",)}),
        Parameter(name="drop", distribution=FloatDistribution(0.0, 1.0), when={"booster": ("dart",)}),
        Parameter(name="strength", distribution=FloatDistribution(0.0, 1.0), when={"learner": ("linear",)}),
    )
)


def test_a_flat_space_has_no_branches():
    flat = SearchSpace(parameters=(Parameter(name="lr", distribution=FloatDistribution(0.0, 1.0)),))
    assert branches(Encoder(flat)) == ()


def test_each_value_that_something_depends_on_is_a_part():
    encoder = Encoder(NESTED)
    found = branches(encoder)
    names = [(encoder.parameters[p.column].name, p.value, round(p.own, 2)) for p in found]
    assert names == [
        ("learner", 0, 0.8),
        ("learner", 1, 0.75),
        ("learner", 2, 0.5),
        ("booster", 0, 0.2),
        ("booster", 1, 0.25),
    ]


def test_length_scales_are_expected_to_grow_with_what_is_active_together():
    flat = SearchSpace(
        parameters=tuple(Parameter(name=f"x{i}", distribution=FloatDistribution(0.0, 1.0)) for i in range(7))
    )
    assert Encoder(flat).layout.dimensions == (7.0,) * 7
    by_name = dict(zip([p.name for p in NESTED], Encoder(NESTED).layout.dimensions, strict=True))
    assert by_name["mlp_0"] == 5.0
    assert by_name["drop"] == 4.0
    assert by_name["strength"] == 2.0
    assert 3.0 < by_name["booster"] < 4.0
    assert 2.0 < by_name["learner"] < 5.0


@given(seed=st.integers(0, 10_000), which=st.integers(0, 4))
def test_what_is_moved_into_a_part_is_in_it_and_stays_where_it_was_else(seed, which):
    rng, encoder = np.random.default_rng(seed), Encoder(NESTED)
    part = branches(encoder)[which]
    quantiles = encoder.draw(20, rng)
    moved = part.moved_into(encoder, quantiles, rng)
    raw = encoder.raw_from_quantiles(moved)
    assert part.holds(raw).all()
    assert all(NESTED.problem_with(encoder.params(row)) is None for row in raw)
    forced = [part.column, *(column for column, _ in part.above)]
    assert (np.delete(moved, forced, axis=1) == np.delete(quantiles, forced, axis=1)).all()
    already = part.holds(encoder.raw_from_quantiles(quantiles))
    assert (moved[already] == quantiles[already]).all()


@given(seed=st.integers(0, 10_000))
def test_the_least_seen_part_is_visited_and_ever_less_often(seed):
    rng, encoder = np.random.default_rng(seed), Encoder(SPACE)
    found, column = branches(encoder), encoder.column["optimizer"]
    tried = encoder.raw_from_quantiles(encoder.draw(60, rng))
    tried[:, column] = 0.0
    none = tried[:0]
    visit = draw_visit(found, tried, none, rng)
    assert visit.branch.value == 1.0
    assert visit.branch.is_new(tried)
    tried[:30, column] = 1.0
    later = draw_visit(found, tried, none, rng)
    assert not later.branch.is_new(tried)
    assert later.probability < visit.probability
    # What was turned away in a part counts too: one that never fits is not asked for ever.
    tried[:, column] = 0.0
    refused = np.repeat(tried[:1], 300, axis=0)
    refused[:, column] = 1.0
    assert draw_visit(found, tried, refused, rng).probability < visit.probability


def test_one_value_of_a_continuous_parameter_is_no_part_of_the_space():
    space = SearchSpace(
        parameters=(
            Parameter(name="rate", distribution=FloatDistribution(1e-3, 1.0, log=True)),
            Parameter(name="more", distribution=FloatDistribution(0.0, 1.0), when={"rate": (0.3,)}),
        )
    )
    assert branches(Encoder(space)) == ()


def test_a_part_that_is_all_tried_takes_no_further_trial():
    space = SearchSpace(
        parameters=(
            Parameter(name="learner", distribution=CategoricalDistribution(("mlp", "mean"))),
            Parameter(name="rate", distribution=FloatDistribution(0.0, 1.0), when={"learner": ("mlp",)}),
            Parameter(name="decay", distribution=FloatDistribution(0.0, 1.0), when={"learner": ("mlp",)}),
        )
    )
    p = problem(space=space, objectives=("error",), bounds={})
    _, proposals = run(
        p,
        SAMPLERS.get("auto")(p),
        30,
        evaluate=lambda params: {"error": abs(params.get("rate", 2.0) - 0.3)},
        screen=lambda params: Screened(fits=True),
    )
    assert [x.params["learner"] for x in proposals].count("mean") == 1
    assert sum(x.why["method"] == "space-filling" for x in proposals[10:]) <= 4


def _error(params: Mapping[str, Any]) -> float:
    """The learner that can do best seldom fits."""
    if params["learner"] == "mlp":
        return float(0.1 + 0.2 * sum(abs(params[f"mlp_{i}"] - 0.1) for i in range(4)))
    return float(0.5 + 0.01 * params.get("depth", 3) + 0.1 * params.get("strength", 0.0))


def _screen(fits: Any) -> Any:
    def screen(params: Any) -> Screened:
        ok = fits(params)
        return Screened(
            fits=ok, metrics={"size": 1.0 if ok else 2.0}, violations={"size <= 1": 0.0 if ok else 1.0}
        )

    return screen


def test_a_part_that_seldom_fits_is_seen_in_the_beginning():
    p = problem(space=NESTED, objectives=("error",), bounds={"size": 1.0})
    _, proposals = run(
        p,
        SAMPLERS.get("auto")(p),
        7,
        evaluate=lambda params: {"error": _error(params)},
        screen=_screen(lambda params: params["learner"] != "mlp" or params["mlp_0"] < 0.15),
    )
    assert {x.params["learner"] for x in proposals} == set(LEARNERS)


def test_a_part_with_little_of_its_own_takes_few_of_the_first_trials():
    p = problem()
    _, proposals = run(p, SAMPLERS.get("auto")(p), 5)
    assert {x.params["optimizer"] for x in proposals} == {"sgd", "adam"}
    assert 2 <= sum(x.why.get("part") == "optimizer" for x in proposals) <= 4


def test_a_part_is_not_given_up_after_a_few_bad_trials():
    p = problem(space=NESTED, objectives=("error",), bounds={})
    history, rng, encoder = History(p), np.random.default_rng(0), Encoder(NESTED)
    for number in range(33):
        params = encoder.params(encoder.raw_from_quantiles(encoder.draw(1, rng))[0])
        while (params["learner"] == "mlp") != (number < 3):
            params = encoder.params(encoder.raw_from_quantiles(encoder.draw(1, rng))[0])
        metrics = {"error": 9.0 + 0.1 * number if number < 3 else _error(params)}
        history.update(
            [
                TrialRecord(
                    number=number, state=TrialState.COMPLETE, params=params, metrics=metrics, feasible=True
                )
            ]
        )
    sampler = SAMPLERS.get("auto")(p)
    learners = [
        sampler.propose(history, lambda params: Screened(fits=True), np.random.default_rng(i)).params[
            "learner"
        ]
        for i in range(24)
    ]
    assert 3 <= learners.count("mlp") <= 12


def test_a_part_where_nothing_fits_is_asked_for_a_while_and_costs_no_trial():
    p = problem(space=NESTED, objectives=("error",), bounds={"size": 1.0})
    asked: list[str] = []

    def fits(params: Any) -> bool:
        asked.append(params["learner"])
        return bool(params["learner"] != "mlp")

    _, proposals = run(
        p,
        SAMPLERS.get("auto")(p),
        40,
        evaluate=lambda params: {"error": _error(params)},
        screen=_screen(fits),
    )
    assert "mlp" not in {x.params["learner"] for x in proposals}
    assert asked.count("mlp") < 400
