"""Whether `satisfice diagnose` names what is wrong with a training, and leaves sound ones alone.

    python benchmarks/diagnosis.py make FILE [--half rules|judged]
    python benchmarks/diagnosis.py judge FILE [--alone]

``make`` trains small networks and boosted trees on three data sets: a healthy twin, a variation of it, and
the same with one fault each. The rules are made on the half ``rules`` (even seeds of digits and diabetes);
the half ``judged`` has the odd seeds of all three data sets, titanic being one that no rule has seen.

A fault counts only if it costs more than two standard errors against its twin: of the mean difference, over
the validation rows, of what the objective counts (errors, squared errors). A training that diverges always
counts. The trainings of a data set, a family and a seed are one study, so that each has neighbours; those
with fewer rows or epochs are studies of their own, since these are settings of a whole study.
"""

from __future__ import annotations

import argparse
import math
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from satisfice.errors import Diverged
from satisfice.spec.space import SearchSpace
from satisfice.spec.study import Budget, DataSpec, ModelSpec, Objective, StudySpec
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.train import TRAINERS, make_task

RULES, JUDGED = "rules", "judged"
SEEDS = {RULES: (0, 2, 4, 6), JUDGED: (1, 3, 5, 7)}
DATA = {RULES: ("digits", "diabetes"), JUDGED: ("digits", "diabetes", "titanic")}
ROWS = 100

Values = Mapping[str, Any]
HEALTHY: Mapping[str, Values] = {
    "mlp": {
        "hidden_layers": 1,
        "width": 64,
        "learning_rate": 2e-3,
        "dropout": 0.2,
        "l1": 1e-5,
        "l2": 1e-3,
        "batch_size": 32,
        "patience": 12,
    },
    "boosting": {
        "rounds": 120,
        "learning_rate": 0.08,
        "max_leaves": 8,
        "max_features": 0.7,
        "min_samples_leaf": 10,
        "l2": 1.0,
        "patience": 25,
    },
}
VARIATION: Mapping[str, Values] = {
    "mlp": {"width": 96, "learning_rate": 3e-3, "dropout": 0.1},
    "boosting": {"learning_rate": 0.12, "max_leaves": 6, "l2": 3.0},
}
EPOCHS = {"mlp": 60, "boosting": 40}


@dataclass(frozen=True)
class Fault:
    """One thing done wrong, and the labels that name it."""

    values: Mapping[str, Values]  # by family
    labels: frozenset[str]
    rows: int | None = None
    epochs: Mapping[str, int] = field(default_factory=dict)
    poison: bool = False


FAULTS: Mapping[str, Fault] = {
    "learning rate 100 times too high": Fault(
        {"mlp": {"learning_rate": 0.2}, "boosting": {"learning_rate": 8.0}},
        frozenset({"diverged", "oscillating"}),
    ),
    "learning rate 100 times too low": Fault(
        {"mlp": {"learning_rate": 2e-5}, "boosting": {"learning_rate": 8e-4}}, frozenset({"no_progress"})
    ),
    "no regularisation, 100 rows": Fault(
        {
            "mlp": {"dropout": 0.0, "l1": 0.0, "l2": 0.0, "patience": 0, "width": 256},
            "boosting": {"l2": 0.0, "max_leaves": 31, "min_samples_leaf": 1, "patience": 0},
        },
        frozenset({"overfitting"}),
        rows=ROWS,
    ),
    "penalties 1,000 times too strong": Fault(
        {"mlp": {"l1": 1e-2, "l2": 1.0}, "boosting": {"l2": 1000.0}}, frozenset({"over_regularised"})
    ),
    "patience 1": Fault({"mlp": {"patience": 1}, "boosting": {"patience": 1}}, frozenset({"stopped_early"})),
    "too few epochs": Fault(
        {"mlp": {}, "boosting": {"rounds": 6}},
        frozenset({"budget_limited", "stopped_early"}),
        epochs={"mlp": 3, "boosting": 6},
    ),
    "NaN injected": Fault({"mlp": {}}, frozenset({"diverged"}), poison=True),
}


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training: what a study would have stored of it, and what it costs against its twin."""

    data: str
    family: str
    seed: int
    fault: str | None  # None: healthy
    study: str  # trainings of one study are neighbours
    epochs: int
    record: TrialRecord
    costs: bool = True  # more than two standard errors


@dataclass
class Recording:
    """A trial in memory."""

    seed: int
    max_epochs: int | None
    folder: Path
    number: int = 0
    params: Values = field(default_factory=dict)
    threads: int = 1
    reports: dict[int, dict[str, float]] = field(default_factory=dict)
    model: Path | None = None

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        self.reports[step] = dict(metrics)

    def should_prune(self) -> bool:
        return False

    def keep_alive(self) -> None: ...

    def batch_end(self) -> None: ...

    def save_checkpoint(self, state: Any) -> None: ...

    def load_checkpoint(self) -> Any:
        return None

    def save_model(self, model: Any, weights: Any = None) -> None:
        self.model = self.folder / Path(model).name
        self.model.write_bytes(Path(model).read_bytes())


def study_of(family: str, data: str, epochs: int, seed: int) -> StudySpec:
    """The study that a task is bound to; the seed splits the data."""
    metric = "r2" if data == "diabetes" else "accuracy"
    return StudySpec(
        name="diagnosis",
        seed=seed,
        data=DataSpec(name=data),
        model=ModelSpec(family=family),
        objectives=(Objective(metric=metric, direction="maximize"),),
        space=SearchSpace(parameters=()),
        budget=Budget(trials=1, epochs=epochs),
    )


@contextmanager
def poisoned(at: int) -> Iterator[None]:
    """One weight becomes NaN before this epoch."""
    import torch

    from satisfice.train.networks.loop import Fit

    usual = Fit._train_epoch  # noqa: SLF001  # a fault is put into our own loop

    def train(self: Any) -> float:
        if self.epoch == at:
            with torch.no_grad():
                next(iter(self.module.parameters())).view(-1)[0] = math.nan
        return usual(self)

    Fit._train_epoch = train  # type: ignore[method-assign]  # noqa: SLF001  # see above
    try:
        yield
    finally:
        Fit._train_epoch = usual  # type: ignore[method-assign]  # noqa: SLF001  # see above


def train_one(
    data: str, family: str, seed: int, number: int, values: Values, fault: Fault | None
) -> tuple[TrialRecord, Any]:
    """The record, and what each validation row costs (n,); None where the training diverged."""
    epochs = EPOCHS[family] if fault is None else fault.epochs.get(family, EPOCHS[family])
    task: Any = make_task(study_of(family, data, epochs, seed))
    if fault is not None and fault.rows is not None:
        train = task.splits.train
        rows = np.random.default_rng(seed).permutation(len(train))[: fault.rows]
        cut = replace(train, x=train.x[rows], y=train.y[rows], z=train.z[rows])
        task.splits = replace(task.splits, train=cut)
    told: dict[str, Any] = {"number": number, "params": dict(values), "seed": seed}
    with TemporaryDirectory() as folder:
        trial = Recording(seed=1000 * seed + number, max_epochs=epochs, folder=Path(folder))
        try:
            if fault is not None and fault.poison:
                with poisoned(8):
                    metrics = task.train(values, trial)
            else:
                metrics = task.train(values, trial)
        except Diverged as error:
            reason = f"diverged: {error}"
            last = max(trial.reports, default=0)
            return (
                TrialRecord(
                    **told, state=TrialState.PRUNED, reports=trial.reports, steps=last, reason=reason
                ),
                None,
            )
        assert trial.model is not None
        model = task.load_model(values, trial.model)
        valid = task.splits.valid
        out = model.outputs(valid.x)
    cost = (out.argmax(axis=1) != valid.y) if task.splits.n_classes else (out - valid.y) ** 2
    record = TrialRecord(
        **told,
        state=TrialState.COMPLETE,
        metrics=metrics,
        reports=trial.reports,
        steps=max(trial.reports),
        feasible=True,
    )
    return record, cost.astype(float)


def make(half: str) -> list[Training]:
    """All trainings of a half."""
    found = []
    for data in DATA[half]:
        for family in HEALTHY:
            for seed in SEEDS[half]:
                found += list(_trainings(data, family, seed))
                print(f"{data} {family} seed {seed}: {len(found)} trainings", file=sys.stderr)
    return found


def _trainings(data: str, family: str, seed: int) -> Iterator[Training]:
    study = f"{data} {family} {seed}"
    healthy = HEALTHY[family]
    base: dict[str, Any] = {"data": data, "family": family, "seed": seed}
    record, twin = train_one(data, family, seed, 0, healthy, None)
    yield Training(**base, fault=None, study=study, epochs=EPOCHS[family], record=record)
    record, _ = train_one(data, family, seed, 1, {**healthy, **VARIATION[family]}, None)
    yield Training(**base, fault=None, study=study, epochs=EPOCHS[family], record=record)
    for number, (name, fault) in enumerate(FAULTS.items(), start=2):
        if family not in fault.values:
            continue
        record, cost = train_one(data, family, seed, number, {**healthy, **fault.values[family]}, fault)
        alone = fault.rows is not None or bool(fault.epochs)
        yield Training(
            **base,
            fault=name,
            study=f"{study} {name}" if alone else study,
            epochs=fault.epochs.get(family, EPOCHS[family]),
            record=record,
            costs=cost is None or _is_worse(cost - twin),
        )


def _is_worse(more: Any) -> bool:
    return bool(more.mean() > 2 * more.std(ddof=1) / math.sqrt(len(more)))


def judge(trainings: Sequence[Training], diagnose: Callable[..., Any], *, alone: bool = False) -> None:
    """Print the confusion table, and the two shares that count.

    Args:
        trainings: Of one half.
        diagnose: `satisfice.understand.diagnosis.diagnose`.
        alone: Each training is a study of its own: only the family's defaults are left to compare with.
    """
    studies: dict[str, list[Training]] = {}
    for t in trainings:
        studies.setdefault(f"{t.study} {t.record.number}" if alone else t.study, []).append(t)
    rows: dict[str, Counter[str]] = {}
    counted: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for members in studies.values():
        first = members[0]
        spec = study_of(first.family, first.data, first.epochs, first.seed)
        defaults = {n: h.default for n, h in TRAINERS.get(first.family).hyperparameters.items()}
        diagnosed = diagnose([m.record for m in members], spec, defaults=defaults)
        found = {d.number: [x.label for x in d.labels] for d in diagnosed}
        for m in members:
            labels = found[m.record.number]
            kind = m.fault or "healthy"
            if m.fault is not None and not m.costs:
                kind += " (no cost)"
            counted[kind] += 1
            rows.setdefault(kind, Counter()).update(labels)
            right = FAULTS[m.fault].labels if m.fault is not None else {"healthy"}
            hit = bool(right & set(labels))
            named[kind] += hit
            if not hit and m.costs:
                print("missed:", m.study, kind, labels, file=sys.stderr)  # what to look at
    labels = sorted({label for row in rows.values() for label in row}, key=lambda x: (x != "healthy", x))
    print("| training | trainings | named | " + " | ".join(labels) + " |")
    print("|---|---|---|" + "---|" * len(labels))
    for kind in ["healthy", *FAULTS, *(f"{f} (no cost)" for f in FAULTS)]:
        if kind in rows:
            cells = " | ".join(str(rows[kind][label] or "") for label in labels)
            print(f"| {kind} | {counted[kind]} | {named[kind]} | {cells} |")
    faults = [f for f in FAULTS if f in counted]
    hits, all_ = sum(named[f] for f in faults), sum(counted[f] for f in faults)
    accused = counted["healthy"] - named["healthy"]
    print(f"\n{hits} of {all_} faults named ({hits / max(all_, 1):.1%})")
    print(f"{accused} of {counted['healthy']} healthy trainings accused ({accused / counted['healthy']:.1%})")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["make", "judge"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--half", choices=[RULES, JUDGED], default=RULES)
    parser.add_argument("--alone", action="store_true")
    given = parser.parse_args()
    if given.action == "make":
        given.file.write_bytes(pickle.dumps(make(given.half)))
        return
    from satisfice.understand.diagnosis import diagnose

    judge(pickle.loads(given.file.read_bytes()), diagnose, alone=given.alone)


if __name__ == "__main__":
    main()
