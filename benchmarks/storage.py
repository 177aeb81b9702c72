"""What a trial costs the database, beside plain Optuna in the same run: throughput, statements, commits.

    python benchmarks/storage.py [--storage sqlite] [--storage URL] [--workers 1 4 8] [--trials N] [--json]

The work: three objectives, two constraints, six parameters, a random sampler, twenty reports of three metrics
for each trial. Plain Optuna refuses ``report`` with several objectives, so there they are user attributes.
The training itself is nothing, so that storage is all there is. Ours asks after each report whether
to prune, and any worker that decides sees what all others have reported; plain Optuna cannot.

Each worker is a process of its own, started and warmed up by one trial before all begin at once: starting is
not counted. Statements and commits are counted by the engine's events; BEGIN and COMMIT are no statements,
for either. ``--storage`` is ``sqlite`` (a file in a new folder), or the URL of a server on which a database
may be made and removed.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import statistics
import tempfile
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier as Barrier_
from typing import Any

import optuna
import sqlalchemy as sa

import satisfice
from satisfice.errors import BudgetSpent

REPORTS = 20
NAMES = [f"x{i}" for i in range(6)]
SPEC = {
    "name": "storage",
    "objectives": {"a": "minimize", "b": "minimize", "c": "minimize"},
    "constraints": {"d": "<= 0.5", "e": "<= 0.5"},
    "space": {name: {"low": 0.0, "high": 1.0} for name in NAMES},
    "search": {"sampler": "random", "pruner": "none"},
}
Trial = Callable[[], bool]  # does one trial; False when the budget is spent


class Task:
    """Training happens in the loop below."""

    def train(self, params: Mapping[str, Any], trial: Any) -> Mapping[str, float]:
        raise NotImplementedError


def reported(x: list[float], step: int) -> dict[str, float]:
    """What is reported after a step."""
    return {"a": x[0] + 1 / step, "b": x[1] + 1 / step, "c": x[2] + 1 / step}


def ours(url: str, budget: int) -> Trial:
    """The same study by ask and tell, with pruning asked for after each report."""
    spec = SPEC | {"budget": {"trials": budget, "epochs": REPORTS}}
    study = satisfice.create_study(spec, storage=url, task=Task())

    def trial() -> bool:
        try:
            asked = study.ask()
        except BudgetSpent:
            return False
        x = [asked.params[name] for name in NAMES]
        for step in range(1, REPORTS + 1):
            asked.report(step, reported(x, step))
            asked.should_prune()
        study.tell(asked, {"a": x[0], "b": x[1], "c": x[2], "d": x[3], "e": x[4]})
        return True

    return trial


def plain_optuna(url: str, budget: int) -> Trial:
    """Plain Optuna; its budget is kept by the caller, each worker's own share."""
    study = optuna.create_study(
        storage=url,
        study_name="plain",
        directions=["minimize"] * 3,
        sampler=optuna.samplers.RandomSampler(),
        load_if_exists=True,
    )
    del budget

    def trial() -> bool:
        asked = study.ask()
        x = [asked.suggest_float(name, 0.0, 1.0) for name in NAMES]
        for step in range(1, REPORTS + 1):
            asked.set_user_attr(f"report:{step}", reported(x, step))
        asked.set_constraint("d <= 0.5", x[3] - 0.5)
        asked.set_constraint("e <= 0.5", x[4] - 0.5)
        study.tell(asked, [x[0], x[1], x[2]])
        return True

    return trial


PEERS: dict[str, Callable[[str, int], Trial]] = {"satisfice": ours, "optuna": plain_optuna}


def _work(
    peer: str, url: str, budget: int, share: int, start: Barrier_, out: multiprocessing.Queue[Any]
) -> None:
    _quiet()
    trial = PEERS[peer](url, budget)
    trial()
    count: Counter[str] = Counter()
    sa.event.listen(sa.Engine, "before_cursor_execute", lambda *_: count.update(["statements"]))
    sa.event.listen(sa.Engine, "commit", lambda _: count.update(["commits"]))
    start.wait()
    begun = time.time()
    done = 0
    while done < share and trial():
        done += 1
    out.put((begun, time.time(), done, count["statements"], count["commits"]))


def measure(peer: str, url: str, workers: int, trials: int) -> dict[str, float]:
    """Trials a second of all workers together; statements and commits a trial."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["satisfice.study", "satisfice.search.baselines.space_filling", "optuna.storages"]
    )
    start, out = context.Barrier(workers), context.Queue()
    share = trials // workers
    PEERS[peer](url, (share + 1) * workers)()  # makes the tables, once
    arguments = (peer, url, (share + 1) * workers + 1, share, start, out)
    processes = [context.Process(target=_work, args=arguments) for _ in range(workers)]
    for process in processes:
        process.start()
    rows = [out.get(timeout=1800) for _ in processes]
    for process in processes:
        process.join()
    done = sum(row[2] for row in rows)
    if done != share * workers:
        raise RuntimeError(f"{peer}: {done} of {share * workers} trials")
    seconds = max(row[1] for row in rows) - min(row[0] for row in rows)
    return {
        "trials_per_second": done / seconds,
        "statements": sum(row[3] for row in rows) / done,
        "commits": sum(row[4] for row in rows) / done,
    }


@contextmanager
def database(storage: str) -> Iterator[str]:
    """An empty database of that kind."""
    if storage == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/storage.db"
        return
    url, name = sa.make_url(storage), f"bench_{uuid.uuid4().hex[:12]}"
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    server = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql(
                f"DROP DATABASE {name}{' WITH (FORCE)' if url.get_backend_name() == 'postgresql' else ''}"
            )


def _quiet() -> None:
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.disable(logging.INFO)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage", action="append", help="sqlite, or a server's URL; may be repeated")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--trials", type=int, default=160, help="of each measurement, over all workers")
    parser.add_argument("--rounds", type=int, default=1, help="both alternate; medians are printed")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    arguments = parser.parse_args()
    _quiet()
    rows = []
    for storage in arguments.storage or ["sqlite"]:
        for workers in arguments.workers:
            found: dict[str, list[dict[str, float]]] = {peer: [] for peer in PEERS}
            for _ in range(arguments.rounds):
                for peer in PEERS:
                    with database(storage) as url:
                        found[peer].append(measure(peer, url, workers, arguments.trials))
            row: dict[str, Any] = {
                "storage": sa.make_url(storage).get_backend_name() if "://" in storage else storage
            }
            row["workers"] = workers
            for peer, runs in found.items():
                row[peer] = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            row["ratio"] = row["satisfice"]["trials_per_second"] / row["optuna"]["trials_per_second"]
            rows.append(row)
            if not arguments.json:
                _print(row, head=len(rows) == 1)
    if arguments.json:
        print(json.dumps(rows))


def _print(row: Mapping[str, Any], *, head: bool) -> None:
    if head:
        print(f"{'':22}{'trials/s':^27}{'statements':^20}{'commits':^20}")
        both = f"{'satisfice':>10}{'optuna':>10}"
        print(f"{'storage':<12}{'workers':>8}  {both}{'ratio':>7}{both}{both}")
    a, b = row["satisfice"], row["optuna"]
    print(
        f"{row['storage']:<12}{row['workers']:>8}  "
        f"{a['trials_per_second']:>10.1f}{b['trials_per_second']:>10.1f}{row['ratio']:>6.1f}x"
        f"{a['statements']:>10.1f}{b['statements']:>10.1f}{a['commits']:>10.1f}{b['commits']:>10.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
