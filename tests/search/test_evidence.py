"""What the sampler's models make of unfinished trainings."""

import numpy as np
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from tests.search.problems import problem

from satisfice.search import History
from satisfice.search.curves import CurveModels
from satisfice.search.evidence import gather
from satisfice.search.history import checkpoints
from satisfice.search.models import HyperparameterCache
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.trial import TrialRecord

MAX_STEPS = 30
FINISHED = 30
UNIT = FloatDistribution(0.0, 1.0)
PLANE = SearchSpace(parameters=tuple(Parameter(name=name, distribution=UNIT) for name in ("rate", "luck")))


def finish(rate: float) -> float:
    """Best at 0.3."""
    return (rate - 0.3) ** 2


def trial(number: int, rate: float, luck: float, state: TrialState) -> TrialRecord:
    """What finishes best looks worst at first."""
    last = MAX_STEPS if state is TrialState.COMPLETE else 6
    return TrialRecord(
        number=number,
        state=state,
        params={"rate": rate, "luck": luck},
        metrics={"error": finish(rate)} if state is TrialState.COMPLETE else {},
        feasible=True,
        steps=last,
        reports={
            step: {"error": finish(rate) * (1.0 - 6.0 * (1.0 / step - 1.0 / MAX_STEPS))}
            for step in checkpoints(MAX_STEPS)
            if step <= last
        },
    )


def test_where_the_best_finish_is_is_not_blurred_by_what_is_early_in_trainings():
    grid = np.random.default_rng(9).random((200, 2))
    alone, beside_a_stopped_one = [], []
    for seed in range(4):
        rows = np.random.default_rng(seed).random((FINISHED + 1, 2))
        history = History(problem(PLANE, ("error",), {}, max_steps=MAX_STEPS))

        def off(history: History = history) -> float:
            evidence = gather(history, set(), HyperparameterCache(), CurveModels())
            assert evidence is not None
            model = evidence.models["error"]
            expected = model.values(model.predict(grid)[0])
            return float(np.abs(expected - [finish(rate) for rate, _ in grid]).mean())

        finished = enumerate(rows[:-1])
        history.update([trial(i, rate, luck, TrialState.COMPLETE) for i, (rate, luck) in finished])
        alone.append(off())
        history.update([trial(FINISHED, rows[-1, 0], rows[-1, 1], TrialState.PRUNED)])
        beside_a_stopped_one.append(off())
    assert np.mean(beside_a_stopped_one) < 1.2 * np.mean(alone)
