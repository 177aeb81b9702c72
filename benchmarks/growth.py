"""What ask, report, should_prune and tell cost as the history grows, beside Optuna's TPE and Rustuna's.

    python benchmarks/growth.py [--sizes 100 1000 10000 50000] [--peers satisfice optuna rustuna] [--json]

Eight parameters, three objectives of which one is known before training, two constraints, thirty epochs. Each
finished trial reported every epoch. Ours: the sampler and the pruner named ``auto``, in a process that has
just opened the study in a SQLite file and read the whole history. Optuna and Rustuna: TPE in memory, which
spares them all storage; ``report`` and ``should_prune`` do not exist there with several objectives.

Times are medians in milliseconds: of a few trials, of all their reports, and of the calls of ``should_prune``
that decide. Memory is what the process held at its largest, beyond one with the smallest history.
Rustuna is used where it is installed: ``pip install rustuna``.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.distributions import BaseDistribution, FloatDistribution, distribution_to_json

import satisfice
from satisfice.store.ledger.phase import Phase
from satisfice.store.tables import reports, slots, studies

EPOCHS = 30
FLUSHES = (1, 2, 4, 6, 9, 14, 21, 30)  # last steps of what a trial stores at once
NAMES = [f"x{i}" for i in range(8)]
DISTRIBUTIONS: dict[str, BaseDistribution] = {name: FloatDistribution(0.0, 1.0) for name in NAMES}
SPEC = {
    "name": "growth",
    "objectives": {"accuracy": "maximize", "loss": "minimize", "size_mb": "minimize"},
    "constraints": {"size_mb": "<= 1.6", "gap": "<= 0.9"},
    "space": {name: {"low": 0.0, "high": 1.0} for name in NAMES},
}
CHUNK = 2000  # trials inserted at once
Costs = dict[str, float]


class Task:
    """A smooth function; its size is known before training."""

    def profile(self, params: Mapping[str, float]) -> dict[str, float]:
        return {"size_mb": params["x0"] + params["x1"]}

    def train(self, params: Mapping[str, float], trial: Any) -> Mapping[str, float]:
        raise NotImplementedError


def metrics_at(x: list[float], step: int) -> dict[str, float]:
    """Accuracy and loss after some epochs: a curve that ends where the parameters say."""
    distance = sum((v - 0.3 - 0.05 * i) ** 2 for i, v in enumerate(x)) / len(x)
    left = 0.5 * (1 + x[2]) ** -step
    return {"accuracy": 1 - distance - left, "loss": distance + 0.2 * (1 - x[0]) + left}


def outcome(x: list[float]) -> dict[str, float]:
    """All metrics of a finished training."""
    return {**metrics_at(x, EPOCHS), "size_mb": x[0] + x[1], "gap": x[3]}


def configurations(start: int, stop: int) -> Iterator[tuple[int, list[float]]]:
    """Configurations that fit before training, by number."""
    rng = np.random.default_rng(start)
    for number in range(start, stop):
        x = rng.random(len(NAMES))
        x[0] = min(x[0], 1.6 - x[1])
        yield number, [float(v) for v in x]


def fill(url: str, start: int, stop: int) -> None:
    """Write finished trials as the ledger would have, in bulk."""
    engine = sa.create_engine(url)
    theirs = sa.MetaData()
    theirs.reflect(engine, resolve_fks=False)
    with engine.begin() as connection:
        study = dict(connection.execute(sa.select(studies)).mappings().one())
        for first in range(start, stop, CHUNK):
            rows: dict[str, list[dict[str, Any]]] = {}
            for number, x in configurations(first, min(first + CHUNK, stop)):
                _rows_of(rows, study, number, x)
            for name, table in theirs.tables.items():
                if name in rows:
                    connection.execute(sa.insert(table), rows[name])
        done = {"slots": stop, "revision": stop * (len(FLUSHES) + 1), "last_active_at": time.time()}
        connection.execute(sa.update(studies).values(**done))
    engine.dispose()


def _rows_of(
    rows: dict[str, list[dict[str, Any]]], study: Mapping[str, Any], number: int, x: list[float]
) -> None:
    """The rows of one trial, added by table; ids are those of an empty database."""
    found, trial = outcome(x), number + 1
    moment = optuna.trial.create_trial(value=0.0).datetime_start
    add: dict[str, list[dict[str, Any]]] = {
        "trials": [
            {"trial_id": trial, "number": number, "study_id": study["optuna_study_id"], "state": "COMPLETE"}
            | {"datetime_start": moment, "datetime_complete": moment}
        ],
        "trial_params": [
            {"trial_id": trial, "param_name": n, "param_value": v, "distribution_json": _JSON}
            for n, v in zip(NAMES, x, strict=True)
        ],
        "trial_values": [
            {"trial_id": trial, "objective": i, "value": found[name], "value_type": "FINITE"}
            for i, name in enumerate(("accuracy", "loss", "size_mb"))
        ],
        "trial_system_attributes": [
            {"trial_id": trial, "key": f"constraints:{key}", "value_json": json.dumps(value)}
            for key, value in (("size_mb <= 1.6", found["size_mb"] - 1.6), ("gap <= 0.9", found["gap"] - 0.9))
        ],
        slots.name: [],
        reports.name: [],
    }
    revision = number * (len(FLUSHES) + 1)
    since = 0
    for until in FLUSHES:
        revision += 1
        body = [[step, metrics_at(x, step)] for step in range(since + 1, until + 1)]
        row = {"study_uuid": study["uuid"], "number": number, "revision": revision}
        add[reports.name].append(row | {"body": json.dumps(body)})
        since = until
    add[slots.name].append(
        {
            "study_uuid": study["uuid"],
            "slot": number,
            "phase": Phase.DONE.value,
            "number": number,
            "optuna_trial_id": trial,
            "seed": number,
            "revision": revision + 1,
            "attempt": 1,
            "blamed_deaths": 0,
            "last_step": EPOCHS,
            "epochs_reserved": 0,
            "metrics": json.dumps(found),
            "feasible": found["gap"] <= 0.9,
            "proposal": json.dumps({"method": "random", "kind": "explore"}),
        }
    )
    for name, made in add.items():
        rows.setdefault(name, []).extend(made)


_JSON = distribution_to_json(FloatDistribution(0.0, 1.0))


def ours(url: str, size: int, trials: int) -> Costs:
    """A worker that has just come to a study with that many finished trials."""
    study = satisfice.create_study(_spec(), storage=url, task=Task())
    session = study._session  # noqa: SLF001  # what `ask` does first, timed apart
    opened, _ = _timed(session.sync)
    costs: dict[str, list[float]] = {name: [] for name in ("ask", "report", "should_prune", "tell")}
    for i in range(trials + 1):
        spent, trial = _timed(study.ask)
        _note(costs, "ask", spent, i)
        x = [trial.params[name] for name in NAMES]
        for step in range(1, EPOCHS + 1):
            spent, _ = _timed(trial.report, step, metrics_at(x, step))
            _note(costs, "report", spent, i)
            spent, stopped = _timed(trial.should_prune)
            if step in FLUSHES[:-1]:
                _note(costs, "should_prune", spent, i)
            if stopped:
                break
        state = "pruned" if stopped else "complete"
        spent, _ = _timed(study.tell, trial, {} if stopped else outcome(x), state=state)
        _note(costs, "tell", spent, i)
    return {name: 1e3 * statistics.median(found) for name, found in costs.items()} | {"start_s": opened}


def _spec() -> dict[str, Any]:
    return SPEC | {"budget": {"trials": 1_000_000, "epochs": EPOCHS}, "seed": 1}


def _timed(action: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = action(*arguments, **named)
    return time.perf_counter() - begun, result


def _note(costs: dict[str, list[float]], name: str, seconds: float, i: int) -> None:
    if i:  # the first trial warms up
        costs[name].append(seconds)


def optuna_tpe(url: str, size: int, trials: int) -> Costs:
    """Plain Optuna, in memory."""
    del url
    study = optuna.create_study(
        directions=["maximize", "minimize", "minimize"], sampler=optuna.samplers.TPESampler(seed=1)
    )
    for _, x in configurations(0, size):
        found = outcome(x)
        study.add_trial(
            optuna.trial.create_trial(
                values=[found["accuracy"], found["loss"], found["size_mb"]],
                params=dict(zip(NAMES, x, strict=True)),
                distributions=DISTRIBUTIONS,
                system_attrs={
                    "constraints:size": found["size_mb"] - 1.6,
                    "constraints:gap": found["gap"] - 0.9,
                },
            )
        )
    return _peer_costs(study, trials, lambda trial, found: study.tell(trial, found))


def rustuna_tpe(url: str, size: int, trials: int) -> Costs:
    """Rustuna, in memory."""
    del url
    import rustuna

    study = rustuna.create_study(
        directions=["maximize", "minimize", "minimize"], sampler=rustuna.samplers.TPESampler(seed=1)
    )
    distributions = {name: rustuna.distributions.FloatDistribution(0.0, 1.0) for name in NAMES}
    for _, x in configurations(0, size):
        found = outcome(x)
        constraints = {"size": found["size_mb"] - 1.6, "gap": found["gap"] - 0.9}
        study.add_trial(
            rustuna.create_trial(
                values=[found["accuracy"], found["loss"], found["size_mb"]],
                params=dict(zip(NAMES, x, strict=True)),
                distributions=distributions,
                system_attrs={f"constraints:{k}": json.dumps(v) for k, v in constraints.items()},
            )
        )
    return _peer_costs(study, trials, lambda trial, found: study.tell(trial.number, found))


def _peer_costs(study: Any, trials: int, tell: Callable[[Any, list[float]], Any]) -> Costs:
    costs: dict[str, list[float]] = {"ask": [], "tell": []}
    for i in range(trials + 1):
        begun = time.perf_counter()
        trial = study.ask()
        x = [trial.suggest_float(name, 0.0, 1.0) for name in NAMES]
        _note(costs, "ask", time.perf_counter() - begun, i)
        found = outcome(x)
        trial.set_constraint("size", found["size_mb"] - 1.6)
        trial.set_constraint("gap", found["gap"] - 0.9)
        values = [found["accuracy"], found["loss"], found["size_mb"]]
        spent, _ = _timed(tell, trial, values)
        _note(costs, "tell", spent, i)
    return {name: 1e3 * statistics.median(found) for name, found in costs.items()}


PEERS: dict[str, Callable[[str, int, int], Costs]] = {
    "satisfice": ours,
    "optuna": optuna_tpe,
    "rustuna": rustuna_tpe,
}


def _alone(peer: str, url: str, size: int, trials: int, out: multiprocessing.Queue[Any]) -> None:
    _quiet()
    try:
        costs = PEERS[peer](url, size, trials)
    except ImportError as error:
        out.put(f"{peer}: {error}")
        return
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1024**2
    )
    out.put(costs | {"peak_mb": peak})


def _quiet() -> None:
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.disable(logging.INFO)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000, 50_000])
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--trials", type=int, default=5, help="measured at each size")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    arguments = parser.parse_args()
    _quiet()
    context = multiprocessing.get_context("spawn")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for peer in arguments.peers:
            smallest = None
            for size in sorted(arguments.sizes):
                url = f"sqlite:///{Path(folder) / f'{size}.db'}"
                if peer == "satisfice":
                    satisfice.create_study(_spec(), storage=url, task=Task())
                    fill(url, 0, size)
                out = context.Queue()
                process = context.Process(target=_alone, args=(peer, url, size, arguments.trials, out))
                process.start()
                found = out.get(timeout=3600)
                process.join()
                if isinstance(found, str):
                    print(f"left out, {found}", file=sys.stderr)
                    break
                smallest = found["peak_mb"] if smallest is None else smallest
                rows.append({"peer": peer, "size": size, **found, "more_mb": found["peak_mb"] - smallest})
                if not arguments.json:
                    _print(rows[-1], head=len(rows) == 1)
    if arguments.json:
        print(json.dumps(rows))


def _print(row: Mapping[str, Any], *, head: bool) -> None:
    columns = ("ask", "report", "should_prune", "tell", "start_s", "more_mb")
    if head:
        print(f"{'':<11}{'trials':>8}" + "".join(f"{name:>14}" for name in columns))
    cells = "".join(f"{row[name]:>14.2f}" if name in row else f"{'-':>14}" for name in columns)
    print(f"{row['peer']:<11}{row['size']:>8}{cells}", flush=True)


if __name__ == "__main__":
    main()
