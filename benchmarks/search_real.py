"""Real trainings on real data: handwritten digits, a small network, a bound on its size. Minutes on one core.

Ours stops trainings and never trains what is too big; plain TPE trains and is told. Both may spend the same
number of epochs. The result is the hypervolume (accuracy above 0.5, kilobytes below the bound), per share of
the budget.
"""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import moocore
import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from satisfice.search import PRUNERS, SAMPLERS, History, Screened, SearchProblem
from satisfice.spec.constraint import Constraint, violations
from satisfice.spec.space import Parameter, SearchSpace
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord

EPOCHS, TRAININGS, MAX_KB, LEAST_ACCURACY = 20, 30, 20.0, 0.5
SPACE = {
    "units": IntDistribution(4, 256, log=True),
    "layers": IntDistribution(1, 3),
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "batch_size": CategoricalDistribution((16, 32, 64, 128)),
    "alpha": FloatDistribution(1e-6, 1e-1, log=True),
    "activation": CategoricalDistribution(("relu", "tanh", "logistic")),
}


def size_kb(params: Mapping[str, Any]) -> float:
    """Bytes of the float32 weights, exact, in kilobytes."""
    widths = [64, *[params["units"]] * params["layers"], 10]
    return float(sum(4 * (a + 1) * b for a, b in itertools.pairwise(widths))) / 1e3


class Spent(Exception):  # no error: the budget is spent
    """The budget of epochs is spent."""


class Trainer:
    """Trains and counts epochs; keeps the feasible front's hypervolume after each full training."""

    def __init__(self, seed: int) -> None:
        x, y = load_digits(return_X_y=True)
        self._data = train_test_split(x / 16.0, y, test_size=0.3, random_state=seed, stratify=y)
        self._seed, self.epochs, self.points = seed, 0, [(1.0 - 0.0, MAX_KB)]
        self.curve: list[float] = []

    def train(self, params: Mapping[str, Any], go_on: Callable[[int, float], bool]) -> float | None:
        """The final accuracy, or None if ``go_on(epoch, accuracy)`` said no."""
        x, x_valid, y, y_valid = self._data
        model = MLPClassifier(
            hidden_layer_sizes=(params["units"],) * params["layers"],
            learning_rate_init=params["learning_rate"],
            batch_size=params["batch_size"],
            alpha=params["alpha"],
            activation=params["activation"],
            random_state=self._seed,
        )
        accuracy = 0.0
        for epoch in range(1, EPOCHS + 1):
            if self.epochs >= EPOCHS * TRAININGS:
                raise Spent
            model.partial_fit(x, y, classes=np.arange(10))
            self.epochs += 1
            accuracy = float(model.score(x_valid, y_valid))
            if epoch < EPOCHS and not go_on(epoch, accuracy):
                self.curve += [self.hypervolume()] * epoch
                return None
        before = self.hypervolume()
        if size_kb(params) <= MAX_KB:
            self.points.append((1.0 - accuracy, size_kb(params)))
        self.curve += [before] * (EPOCHS - 1) + [self.hypervolume()]
        return accuracy

    def hypervolume(self) -> float:
        """Of the feasible front, as a share of the box."""
        scaled = np.array(self.points) / [1.0 - LEAST_ACCURACY, MAX_KB]
        return float(moocore.hypervolume(scaled, ref=np.ones(2)))


def satisfice(trainer: Trainer, seed: int) -> None:
    """The search layer, sampler and pruner named auto."""
    problem = SearchProblem(
        space=SearchSpace(parameters=tuple(Parameter(name=n, distribution=d) for n, d in SPACE.items())),
        objectives=(
            Objective(metric="accuracy", direction="maximize"),
            Objective(metric="size_kb", direction="minimize"),
        ),
        constraints=(Constraint(metric="size_kb", operator="<=", bound=MAX_KB),),
        max_steps=EPOCHS,
        seed=seed,
    )
    history, sampler, pruner = History(problem), SAMPLERS.get("auto")(problem), PRUNERS.get("auto")(problem)

    def screen(params: Mapping[str, Any]) -> Screened:
        metrics = {"size_kb": size_kb(params)}
        missed = violations(problem.constraints, metrics)
        return Screened(fits=all(v <= 0 for v in missed.values()), metrics=metrics, violations=missed)

    for number in range(10_000):
        proposal = sampler.propose(history, screen, np.random.default_rng([seed, number]))
        record = TrialRecord(
            number=number,
            state=TrialState.RUNNING,
            params=proposal.params,
            metrics=dict(proposal.metrics),
            feasible=True,
            proposal=dict(proposal.why),
        )
        history.update([record])

        def go_on(epoch: int, accuracy: float, number: int = number) -> bool:
            if not pruner.is_decision_step(epoch, EPOCHS):
                return True
            history.report(number, epoch, {"accuracy": accuracy})
            return not pruner.decide(history, number).stop

        accuracy = trainer.train(proposal.params, go_on)
        if accuracy is None:
            record = dataclasses.replace(record, state=TrialState.PRUNED)
        else:
            metrics = {**record.metrics, "accuracy": accuracy}
            record = dataclasses.replace(record, state=TrialState.COMPLETE, metrics=metrics)
        history.update([record])


def plain_tpe(trainer: Trainer, seed: int) -> None:
    """Optuna's TPE: trains everything to the end and is told how much it missed the bound."""
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=optuna.samplers.TPESampler(seed=seed)
    )
    while True:
        trial = study.ask(SPACE)
        accuracy = trainer.train(trial.params, lambda epoch, value: True)
        trial.set_constraint("size", size_kb(trial.params) / MAX_KB - 1.0)
        study.tell(trial, [accuracy or 0.0, size_kb(trial.params)])


def run(seeds: int = 3) -> None:
    """Both methods on each seed; prints a table."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning)
    print("| method | seed | at a quarter of the budget | at the end | area |\n|---|---|---|---|---|")
    for name, method in (("satisfice", satisfice), ("plain TPE", plain_tpe)):
        for seed in range(seeds):
            trainer = Trainer(seed)
            try:
                method(trainer, seed)
            except Spent:
                curve = trainer.curve + [trainer.hypervolume()] * (EPOCHS * TRAININGS - len(trainer.curve))
                quarter = curve[len(curve) // 4]
                print(
                    f"| {name} | {seed} | {quarter:.3f} | {curve[-1]:.3f} | {np.mean(curve):.3f} |",
                    flush=True,
                )
