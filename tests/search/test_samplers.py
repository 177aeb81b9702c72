"""The seam contract that every sampler meets, and what is promised of the one named auto."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState
from tests.search.problems import SPACE, Known, error, problem, run, screen_for, size

from satisfice.errors import NoFeasibleProposal
from satisfice.search import SAMPLERS, History, Screened, SearchProblem
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.trial import TrialRecord

NAMES = ["auto", "tpe", "nsga2", "qmc", "random"]


@pytest.mark.parametrize("name", [*NAMES, pytest.param("gp", marks=pytest.mark.slow)])
def test_proposals_fit_and_are_configurations_of_the_space(name):
    p = problem()
    _, proposals = run(p, SAMPLERS.get(name)(p), 14)
    assert len(proposals) == 14
    for proposal in proposals:
        assert p.space.problem_with(proposal.params) is None
        assert size(proposal.params) <= 9.0
        assert proposal.metrics == {"size": size(proposal.params)}
        json.dumps(proposal.why)
        assert proposal.why["screened"] >= 1


@pytest.mark.parametrize("name", NAMES)
def test_the_same_history_and_generator_give_the_same_proposals(name):
    p = problem()
    first = run(p, SAMPLERS.get(name)(p), 12)[1]
    second = run(p, SAMPLERS.get(name)(p), 12)[1]
    assert [x.params for x in first] == [x.params for x in second]


@pytest.mark.parametrize("name", NAMES)
def test_an_infeasible_space_ends_with_an_explanation(name):
    p = problem(bounds={"size": 0.5})
    calls = 0

    def screen(params):
        nonlocal calls
        calls += 1
        return screen_for(p)(params)

    with pytest.raises(NoFeasibleProposal, match=r"size <= 0\.5") as caught:
        run(p, SAMPLERS.get(name)(p), 1, screen=screen)
    assert 0 <= caught.value.feasible_share < 0.2
    assert calls <= 700


@pytest.mark.parametrize("name", ["qmc", "random"])
def test_a_long_search_in_vain_goes_on_and_tells_the_share_of_what_was_drawn(name):
    """Whoever asks again sees further configurations."""
    p = problem(bounds={"size": 0.0})
    sampler, history, seen = SAMPLERS.get(name)(p), History(p), set()

    def screen(params):
        seen.add(params["lr"])
        size = 0.0 if 1e-2 < params["lr"] < 1e-2 * 10 ** (3 / 20_000) else 1.0
        return Screened(fits=size <= 0, metrics={"size": size}, violations={"size <= 0": size})

    shares = []
    for _ in range(40):
        before = len(seen)
        try:
            sampler.propose(history, screen, np.random.default_rng(len(seen)))
            break
        except NoFeasibleProposal as none:
            assert len(seen) == before + 500
            shares.append(none.feasible_share)
    assert len(seen) > 2_000
    assert shares == [3 / (500 * (i + 1)) for i in range(len(shares))]


def test_qmc_goes_on_behind_what_others_have_walked():
    """A new process screens again what does not fit, and gives nothing up that others have passed."""
    p = problem(bounds={"size": 0.0})

    def screen(params):
        size = 0.0 if 1e-2 < params["lr"] < 1e-2 * 10 ** (3 / 100) else 1.0
        return Screened(fits=size <= 0, metrics={"size": size}, violations={"size <= 0": size})

    sampler = SAMPLERS.get("qmc")(p)
    history, _ = run(p, sampler, 20, screen=screen)
    following = sampler.propose(history, screen, np.random.default_rng(0))
    again = SAMPLERS.get("qmc")(p).propose(history, screen, np.random.default_rng(0))
    assert again.params == following.params
    assert again.why["screened"] > 1_000


@pytest.mark.parametrize("name", NAMES)
def test_interrupts_of_the_screen_pass_through_and_do_no_harm(name):
    p = problem()
    sampler = SAMPLERS.get(name)(p)
    history, _ = run(p, sampler, 3)

    def interrupted(params):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sampler.propose(history, interrupted, np.random.default_rng(99))
    assert sampler.propose(history, screen_for(p), np.random.default_rng(0)).params


@pytest.mark.parametrize("name", NAMES)
def test_no_constraint_and_no_profile_needs_no_screen(name):
    p = problem(objectives=("error",), bounds={})
    _, proposals = run(p, SAMPLERS.get(name)(p), 8, screen=lambda params: Screened(fits=True))
    assert len(proposals) == 8


def test_auto_tries_everything_that_fits_and_then_says_so():
    p = problem(space=SearchSpace(parameters=(Parameter(name="layers", distribution=IntDistribution(1, 5)),)))
    sampler = SAMPLERS.get("auto")(p)
    history, proposals = run(p, sampler, 3, evaluate=lambda params: {"error": 1.0 / params["layers"]})
    assert sorted(x.params["layers"] for x in proposals) == [1, 2, 3]
    with pytest.raises(NoFeasibleProposal):
        sampler.propose(history, screen_for(p), np.random.default_rng(9))


def test_auto_says_so_too_when_repeats_are_all_there_is():
    p = problem(space=SearchSpace(parameters=(Parameter(name="layers", distribution=IntDistribution(2, 2)),)))
    history = History(p)
    done: dict[str, Any] = {"params": {"layers": 2}, "state": TrialState.COMPLETE, "feasible": True}
    history.update([TrialRecord(number=i, metrics={"error": 0.1, "size": 4.0}, **done) for i in range(12)])
    with pytest.raises(NoFeasibleProposal):
        SAMPLERS.get("auto")(p).propose(history, screen_for(p), np.random.default_rng(0))


def test_auto_bears_repeated_equal_results():
    p = problem()
    history = History(p)
    params = {"lr": 1e-3, "layers": 2, "optimizer": "adam"}
    done: dict[str, Any] = {"params": params, "state": TrialState.COMPLETE}
    history.update(
        [TrialRecord(number=i, metrics={"error": 0.1, "size": 4.0}, feasible=True, **done) for i in range(20)]
    )
    sampler = SAMPLERS.get("auto")(p)
    assert all(
        sampler.propose(history, screen_for(p), np.random.default_rng(i)).metrics["size"] <= 9
        for i in range(4)
    )


def test_auto_finds_the_front_sooner_than_random():
    def misses(name: str) -> list[float]:
        p = problem()
        history, _ = run(p, SAMPLERS.get(name)(p), 30)
        values = history.objectives()
        # What is missed of the best error at each of the three sizes that fit.
        best = [0.1 + 0.2 / k for k in (1, 2, 3)]
        return [values[values[:, 1] <= k * k, 0].min() - b for k, b in zip((1, 2, 3), best, strict=True)]

    assert max(misses("auto")) < 0.02
    assert sum(misses("auto")) < 0.5 * sum(misses("random"))


def ended(p: SearchProblem, layers: list[int], errors: list[float], states: list[TrialState]) -> History:
    """Trials that trained, by their layers; with two reports where the problem has steps."""
    history, rng = History(p), np.random.default_rng(0)
    bound = next(c.bound for c in p.constraints if c.metric == "size")
    for number, (depth, more, state) in enumerate(zip(layers, errors, states, strict=True)):
        params = {"lr": float(10 ** rng.uniform(-4, -1)), "layers": depth, "optimizer": "adam"}
        metrics = {"error": error(params) + more, "size": size(params)}
        record = TrialRecord(
            number=number, state=state, params=params, metrics=metrics, feasible=metrics["size"] <= bound
        )
        if p.max_steps is not None:
            reports = {1: {"error": metrics["error"] + 0.2}, 2: {"error": metrics["error"] + 0.1}}
            record = replace(record, reports=reports, steps=2)
        history.update([record])
    return history


def sizes_of_regions(p: SearchProblem, history: History, n: int, enough: int | None = None) -> list[float]:
    """Of those among ``n`` proposals that look for a drawn size; ``enough`` of them end it."""
    sampler, found = SAMPLERS.get("auto")(p), list[float]()
    for i in range(n):
        proposal = sampler.propose(history, screen_for(p), np.random.default_rng(i))
        if proposal.why["method"] == "gp-region":
            found.append(proposal.metrics["size"])
            if enough is not None and len(found) >= enough and max(found) > 1.0:
                break
    return found


def test_auto_looks_where_nothing_was_tried_once_stopping_is_cheap():
    """All that fitted so far is of the smallest size: larger ones may fit too, and are looked at."""
    p = problem(max_steps=9, bounds={"size": 16.0})
    states = [TrialState.COMPLETE, TrialState.PRUNED] * 12
    sizes = sizes_of_regions(p, ended(p, [1] * 21 + [5] * 3, [0.0] * 24, states), 60, enough=2)
    assert len(sizes) >= 2
    assert 1.0 < max(sizes) <= 16.0


def test_many_workers_get_a_model_before_the_first_of_them_has_finished():
    p = problem(max_steps=9)
    sampler, history, rng = SAMPLERS.get("auto")(p), History(p), np.random.default_rng(0)
    for number in range(8):
        params = {"lr": float(10 ** rng.uniform(-4, -1)), "layers": 1 + number % 3, "optimizer": "adam"}
        if number % 2:
            params |= {"optimizer": "sgd", "momentum": 0.5}
        running = TrialRecord(
            number=number, state=TrialState.RUNNING, params=params, metrics={"size": size(params)}
        )
        history.update([running])
        if number < 5:
            history.report(number, 1, {"error": error(params) + 0.2})
            assert sampler.propose(history, screen_for(p), rng).why["method"] == "space-filling"
        for step in (1, 2):
            history.report(number, step, {"error": error(params) + 0.2 / step})
    methods = [
        sampler.propose(history, screen_for(p), np.random.default_rng(i)).why["method"] for i in range(20)
    ]
    assert methods.count("space-filling") < 5


def test_auto_looks_where_nothing_was_tried_also_where_every_training_finishes():
    p = problem(bounds={"size": 16.0})
    states = [TrialState.COMPLETE] * 10
    sizes = sizes_of_regions(p, ended(p, [1] * 8 + [5] * 2, [0.0] * 8 + [0.5] * 2, states), 30, enough=3)
    assert len(sizes) >= 3
    assert 1.0 < max(sizes) <= 16.0


def test_auto_does_not_look_for_sizes_that_nothing_has():
    """Small and large networks were tried often enough, and there are none between."""
    layers = Parameter(name="layers", distribution=IntDistribution(1, 5, step=4))
    space = SearchSpace(
        parameters=tuple(layers if x.name == "layers" else x for x in problem().space.parameters)
    )
    p = problem(space, bounds={"size": 25.0})
    history = ended(p, [1, 5] * 12, [0.0] * 24, [TrialState.COMPLETE] * 24)
    assert len(sizes_of_regions(p, history, 40)) <= 8


def test_auto_looks_for_sizes_also_where_few_configurations_may_fit():
    layers = Parameter(name="layers", distribution=IntDistribution(1, 40))
    space = SearchSpace(
        parameters=tuple(layers if x.name == "layers" else x for x in problem().space.parameters)
    )
    p = problem(space, bounds={"size": 1.0})
    layers_tried = [2, 5, 20, 35, 38, 40, 13, 25, 17, 29, 8, 11, 1, 1]
    states = [TrialState.COMPLETE] * 12 + [TrialState.RUNNING] * 2
    assert set(sizes_of_regions(p, ended(p, layers_tried, [0.0] * 14, states), 20)) == {1.0}


def test_auto_says_why():
    p = problem()
    _, proposals = run(p, SAMPLERS.get("auto")(p), 16)
    kinds = [x.why["kind"] for x in proposals]
    assert kinds[0] == "explore"
    exploits = [x.why for x in proposals if x.why["kind"] == "exploit"]
    assert exploits
    assert all(w["expected_gain"] > 0 and "error" in w["predicted"] for w in exploits)


def test_running_trials_are_not_proposed_again():
    p = problem()
    sampler = SAMPLERS.get("auto")(p)
    history, _ = run(p, sampler, 12)
    proposed = []
    for number in range(12, 20):
        proposal = sampler.propose(
            history, screen_for(p), np.random.default_rng(1)
        )  # as if workers drew alike
        proposed.append(tuple(sorted(proposal.params.items())))
        running = TrialRecord(
            number=number, state=TrialState.RUNNING, params=proposal.params, metrics=dict(proposal.metrics)
        )
        history.update([running])
    assert len(set(proposed)) == len(proposed)


def test_constraints_known_only_after_training_are_learnt():
    def late(params):
        return {"error": error(params), "size": size(params)}

    p = problem()
    history, _ = run(p, SAMPLERS.get("auto")(p), 40, evaluate=late, screen=lambda params: Screened(fits=True))
    assert np.mean(history.feasible[25:] == 1) > 0.75  # of the space 60% fit
    assert np.mean(history.feasible[25:] == 1) > np.mean(history.feasible[:8] == 1) - 0.2


def test_stopped_and_failed_trials_do_no_harm():
    p = problem(max_steps=9)
    sampler = SAMPLERS.get("auto")(p)
    history, _ = run(p, sampler, 10)
    for number, state in enumerate((TrialState.PRUNED, TrialState.FAIL, TrialState.WAITING), start=10):
        params = {"lr": 1e-3, "layers": 2, "optimizer": "adam"} if state != TrialState.WAITING else {}
        history.update(
            [TrialRecord(number=number, state=state, params=params, metrics={"error": float("nan")})]
        )
        history.report(number, 1, {"error": 0.9})
    assert sampler.propose(history, screen_for(p), np.random.default_rng(0)).metrics["size"] <= 9


# -- what must not change anything ----------------------------------------------------------------
def proposals_of(
    p: SearchProblem, evaluate: Known | None = None, known: Known | None = None, n: int = 10
) -> list[dict[str, Any]]:
    screen = screen_for(p, known)
    return [x.params for x in run(p, SAMPLERS.get("auto")(p), n, evaluate=evaluate, screen=screen)[1]]


@pytest.fixture(scope="module")
def plain():
    return proposals_of(problem())


def test_order_of_objectives_changes_nothing(plain):
    assert proposals_of(problem(objectives=("size", "error"))) == plain


@pytest.mark.parametrize("power", [2, -40, 40, -300])
def test_the_unit_of_an_objective_changes_nothing(plain, power):
    # A power of two keeps floating-point arithmetic exact.
    assert proposals_of(problem(), evaluate=lambda params: {"error": 2.0**power * error(params)}) == plain


@pytest.mark.parametrize("power", [-60, 60])
def test_the_unit_changes_nothing_where_all_objectives_are_equal(power):
    def always(unit: float) -> Known:
        return lambda params: {"error": unit}

    first, again = (proposals_of(problem(), evaluate=always(unit)) for unit in (1.0, 2.0**power))
    assert first == again


def test_names_of_parameters_change_nothing(plain):
    names = {"lr": "a", "layers": "z", "optimizer": "m", "momentum": "b"}
    back = {new: old for old, new in names.items()}

    def renamed(parameter: Parameter) -> Parameter:
        when = {names[k]: v for k, v in parameter.when.items()}
        return replace(parameter, name=names[parameter.name], when=when)

    def original(params: Mapping[str, Any]) -> dict[str, Any]:
        return {back[k]: v for k, v in params.items()}

    p = problem(space=SearchSpace(parameters=tuple(renamed(q) for q in SPACE)))
    found = proposals_of(
        p,
        evaluate=lambda params: {"error": error(original(params))},
        known=lambda params: {"size": size(original(params))},
    )
    assert [original(params) for params in found] == plain


def test_a_constant_parameter_changes_nothing(plain):
    constant = Parameter(name="constant", distribution=FloatDistribution(0.5, 0.5))
    p = problem(space=SearchSpace(parameters=(constant, *SPACE)))
    found = proposals_of(p)
    assert all(params.pop("constant") == 0.5 for params in found)
    assert found == plain


def test_a_constraint_that_everything_meets_changes_nothing(plain):
    assert proposals_of(problem(bounds={"size": 9.0, "error": 1e9})) == plain


def test_history_ignores_repetition_and_order():
    p = problem(max_steps=9)
    first, second = History(p), History(p)
    records = [
        TrialRecord(
            number=i,
            state=TrialState.COMPLETE,
            params={"lr": 10.0 ** -(2 + i / 10), "layers": 2, "optimizer": "adam"},
            metrics={"error": i / 10, "size": 4.0},
            reports={1: {"error": 0.9}, 2: {"error": 0.8}, 3: {"error": 0.7}},
        )
        for i in range(5)
    ]
    first.update(records)
    second.update(records[::-1])
    second.update(records)
    for name in ("state", "raw", "metrics", "steps", "curves", "curve_step"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.curves.shape[1:] == (4, 2)
