"""Leases and budgets on every kind of database, by a clock that the test moves."""

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import BudgetSpent, LeaseLost
from satisfice.spec import parse_dict, to_dict
from satisfice.spec.study import Budget
from satisfice.store import migrate, studies, tables
from satisfice.store.database.engine import Database
from satisfice.store.database.url import resolve
from satisfice.store.ledger.leases import BLAMED_DEATHS
from satisfice.store.ledger.ledger import Ledger
from satisfice.store.ledger.slots import FRUITLESS_ATTEMPTS
from satisfice.store.ledger.study_rows import StudyRows
from satisfice.store.ledger.types import Claim, Outcome, TurnedAway
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.reader import Reader
from satisfice.store.spec_versions import Change, apply
from satisfice.store.tables import attempts, slots

LEASE_S = 60.0
PARAMS = {"rate": 0.1234567890123456, "kind": "b", "width": 3}


class Clock:
    """The database's clock, at a time that the test says."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self, _db: Database) -> sa.ColumnElement[float]:
        return sa.literal(self.time, sa.Double)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(Database, "now", lambda db: made.now(db))
    return made


class Place:
    """One study on one database, and as many workers as wanted."""

    def __init__(self, url: str, **budget: Any) -> None:
        self.db = Database(resolve(url), pool_size=8)
        migrate.ensure_ready(self.db)
        self.spec = parse_dict(
            {
                "name": "s",
                "objectives": {"loss": "minimize", "size_mb": "minimize"},
                "constraints": {"size_mb": "<= 10", "con0": "<= 0"},
                "space": {
                    "rate": {"low": 0.0, "high": 1.0},
                    "kind": ["a", "b"],
                    "width": {"low": 1, "high": 9},
                },
                "budget": {"trials": 5} | budget,
            },
            has_task=True,
        )
        studies.create(self.db, self.spec, to_dict(self.spec), None)
        row = studies.find(self.db, "s")
        assert row is not None
        self.row = row
        self.rows = OptunaRows(self.db.engine)
        self.reader = Reader(self.db, self.rows, row["uuid"], self.spec)

    def worker(self) -> Ledger:
        return Ledger(
            StudyRows(
                self.db,
                self.rows,
                study_uuid=self.row["uuid"],
                optuna_study_id=self.row["optuna_study_id"],
                space=self.spec.space,
                worker=uuid.uuid4().hex,
                seed=1,
                lease_s=LEASE_S,
            )
        )

    def lower(self, **budget: int) -> None:
        old, row = self.spec, self.current()
        new = replace(old, budget=Budget(**budget))
        change = Change(old=old, new=new, content=to_dict(new), sentences=[], file_budget=None)
        assert apply(self.db, row, change)

    def current(self) -> Mapping[str, Any]:
        row = studies.find(self.db, self.spec.name)
        assert row is not None
        return row

    def begin(self, ledger: Ledger) -> Claim:
        claim = ledger.slots.claim()
        return claim if claim.number is not None else self.begin_in(ledger, claim)

    def begin_in(self, ledger: Ledger, claim: Claim) -> Claim:
        begun = ledger.slots.begin(
            claim,
            PARAMS,
            metrics={"size_mb": 2.0},
            proposal={"kind": "explore"},
            replicate_of=None,
            away=TurnedAway(proposals=2, by_constraint={"size_mb <= 10": 2}, examples=[]),
            system_attributes={},
        )
        return replace(claim, number=begun.number, trial_id=begun.trial_id, attempt=1)

    def optuna(self) -> list[optuna.trial.FrozenTrial]:
        return optuna.load_study(study_name="s", storage=self.db.optuna_storage()).trials

    def contents(self) -> dict[str, Any]:
        """Every row of every table."""
        metadata = sa.MetaData()
        metadata.reflect(self.db.engine)
        with self.db.read() as connection:
            return {
                t.name: sorted(map(repr, connection.execute(sa.select(t)))) for t in metadata.sorted_tables
            }

    def slot(self, number: int) -> Any:
        with self.db.read() as connection:
            return connection.execute(sa.select(slots).where(slots.c.slot == number)).mappings().one()

    def outcomes(self, number: int) -> list[str | None]:
        with self.db.read() as connection:
            query = sa.select(attempts.c.outcome).where(attempts.c.number == number)
            return list(connection.execute(query.order_by(attempts.c.attempt)).scalars())

    def epochs(self) -> int:
        return int(self.reader.study_row()["epochs_reserved"])


def complete(loss: float = 0.5) -> Outcome:
    return Outcome(
        state=TrialState.COMPLETE,
        values=[loss, 2.0],
        metrics={"loss": loss, "size_mb": 2.0, "con0": -1.0},
        constraints={"size_mb <= 10": -0.8, "con0 <= 0": -1.0},
        feasible=True,
    )


@pytest.fixture
def opened(storage_url: str) -> Iterator[list[Place]]:
    places: list[Place] = []
    yield places
    for place in places:
        place.db.close()


@pytest.fixture
def place(storage_url: str, opened: list[Place]) -> Place:
    opened.append(Place(storage_url))
    return opened[-1]


def test_a_trial_from_claim_to_tell_reads_the_same_through_optuna(place: Place) -> None:
    ledger = place.worker()
    claim = place.begin(ledger)
    (running,) = place.optuna()
    assert (running.state, running.params) == (TrialState.RUNNING, PARAMS)
    ledger.leases.flush(claim, [(1, {"loss": 0.9}), (2, {"loss": 0.7})])
    ledger.results.tell(claim, [(3, {"loss": 0.5})], complete())
    infinite = Outcome(
        state=TrialState.COMPLETE,
        values=[float("inf"), 2.0],
        metrics={"loss": float("inf"), "size_mb": 2.0, "con0": 1.0},
        constraints={"size_mb <= 10": -0.8, "con0 <= 0": 1.0},
        feasible=False,
    )
    ledger.results.tell(place.begin(ledger), [], infinite)
    pruned = Outcome(
        state=TrialState.PRUNED,
        values=None,
        metrics={"size_mb": 2.0},
        constraints={},
        feasible=None,
        reason="diverged",
    )
    ledger.results.tell(place.begin(ledger), [], pruned)

    records, trials = place.reader.records(with_reports=True), place.optuna()
    assert [t.number for t in trials] == [r.number for r in records] == [0, 1, 2]
    for record, trial in zip(records, trials, strict=True):
        assert (record.state, record.params) == (trial.state, trial.params)
        assert type(record.params["rate"]) is float  # a Decimal would be equal
        assert trial.datetime_start is not None
        assert trial.datetime_complete is not None
        if trial.values is not None:
            assert trial.values == [record.metrics["loss"], record.metrics["size_mb"]]
    assert trials[0].constraints == {"size_mb <= 10": -0.8, "con0 <= 0": -1.0}
    assert trials[1].constraints["con0 <= 0"] == 1.0
    assert trials[2].constraints == {}
    assert dict(records[0].reports) == {1: {"loss": 0.9}, 2: {"loss": 0.7}, 3: {"loss": 0.5}}
    assert (records[0].steps, records[2].reason) == (3, "diverged")
    assert place.reader.study_row()["turned_away"] == 6
    with place.db.read() as connection:
        dumped = json.dumps(place.rows.dump(connection, place.row["optuna_study_id"]))
    assert len(json.loads(dumped)) == 3
    study = optuna.load_study(study_name="s", storage=place.db.optuna_storage())
    assert [t.number for t in study.best_trials] == [0]
    assert study.directions == [optuna.study.StudyDirection.MINIMIZE] * 2


def test_four_workers_at_once_claim_each_slot_once(storage_url: str, opened: list[Place]) -> None:
    place = Place(storage_url, trials=24)
    opened.append(place)
    start = threading.Barrier(4)

    def work(_worker: int) -> list[tuple[int, int, int]]:
        ledger = place.worker()
        held: list[tuple[int, int, int]] = []
        start.wait()
        while True:
            try:
                claim = place.begin(ledger)
            except BudgetSpent:
                return held
            assert claim.number is not None
            held.append((claim.slot, claim.number, claim.seed))
            ledger.results.tell(claim, [], complete())

    with ThreadPoolExecutor(4) as pool:
        held = [claim for claims in pool.map(work, range(4)) for claim in claims]
    for column in zip(*held, strict=True):
        assert len(set(column)) == 24
    assert [t.state for t in place.optuna()] == [TrialState.COMPLETE] * 24
    assert sorted(t.number for t in place.optuna()) == list(range(24))


def test_a_lease_ends_at_its_boundary_and_is_taken_over_once(place: Place, clock: Clock) -> None:
    first, second, third = place.worker(), place.worker(), place.worker()
    claim = place.begin(first)
    first.leases.flush(claim, [(1, {"loss": 0.9})])
    clock.time += LEASE_S
    assert place.begin(second).slot == 1  # at the boundary the lease still holds
    first.leases.renew(claim)
    clock.time += LEASE_S
    assert place.begin(third).slot == 2  # renewed: it holds for as long again
    clock.time += 0.001
    taken = second.slots.claim()
    assert (taken.slot, taken.number, taken.attempt, taken.last_step) == (0, 0, 2, 1)
    assert (taken.trial_id, taken.seed) == (claim.trial_id, claim.seed)
    assert taken.token != claim.token
    again = third.slots.claim()
    assert again.slot == 1  # that one ran out meanwhile; slot 0 is not taken twice
    assert place.outcomes(0) == ["lost", None]


def test_a_worker_that_lost_its_lease_writes_nothing(place: Place, clock: Clock) -> None:
    slow, other = place.worker(), place.worker()
    claim = place.begin(slow)
    proposing = slow.slots.claim()
    clock.time += LEASE_S + 1
    assert other.slots.claim().number == claim.number
    assert other.slots.claim().slot == proposing.slot
    before = place.contents()
    for late in (
        lambda: slow.leases.flush(claim, [(7, {"loss": 0.0})]),
        lambda: slow.results.tell(claim, [(7, {"loss": 0.0})], complete(0.0)),
        lambda: slow.leases.renew(claim),
        lambda: slow.leases.give_back(claim, [(7, {"loss": 0.0})], "late"),
        lambda: slow.leases.died(claim, "late"),
        lambda: slow.queue.take(proposing),
        lambda: place.begin_in(slow, proposing),
    ):
        with pytest.raises(LeaseLost):
            late()
    slow.slots.release(proposing, None)  # has nothing to release, and says nothing
    assert place.contents() == before


def test_a_result_whose_commit_was_not_heard_of_is_told_once(place: Place, clock: Clock) -> None:
    """The connection broke after the commit: the same worker tells again, and nobody else may."""
    ledger, other = place.worker(), place.worker()
    claim = place.begin(ledger)
    assert ledger.results.tell(claim, [(1, {"loss": 0.5})], complete()) > 0
    before = place.contents()
    assert ledger.results.tell(claim, [(1, {"loss": 0.5})], complete()) == 0
    assert place.contents() == before
    with pytest.raises(LeaseLost):
        other.results.tell(claim, [], complete(0.1))
    lost = place.begin(ledger)
    clock.time += LEASE_S + 1
    taken = other.slots.claim()
    other.results.tell(taken, [], complete())
    with pytest.raises(LeaseLost):  # another attempt's result is stored, not this one's
        ledger.results.tell(lost, [], complete(0.1))
    assert place.outcomes(lost.slot) == ["lost", "told"]


def test_a_trial_whose_begin_was_not_heard_of_is_begun_once(place: Place) -> None:
    ledger = place.worker()
    claim = ledger.slots.claim()
    first = place.begin_in(ledger, claim)
    again = place.begin_in(ledger, claim)
    assert (again.number, again.trial_id) == (first.number, first.trial_id)
    assert len(place.optuna()) == 1


def test_given_back_it_goes_on_at_once(place: Place, clock: Clock) -> None:
    first, second = place.worker(), place.worker()
    claim = place.begin(first)
    first.leases.flush(claim, [(1, {"loss": 0.9}), (2, {"loss": 0.8})])
    first.leases.give_back(claim, [], "asked to stop")
    assert [t.state for t in place.optuna()] == [TrialState.WAITING]  # nobody sees a zombie
    assert place.reader.records()[0].state is TrialState.WAITING
    taken = second.slots.claim()
    assert (taken.number, taken.attempt, taken.last_step) == (0, 2, 2)
    assert [t.state for t in place.optuna()] == [TrialState.RUNNING]
    second.results.tell(taken, [(3, {"loss": 0.5})], complete())
    assert place.outcomes(0) == ["preempted", "told"]
    assert place.reader.records()[0].steps == 3


@pytest.mark.parametrize("seen_by", ["the worker", "its supervisor"])
def test_a_trial_to_be_blamed_for_three_deaths_fails(place: Place, seen_by: str) -> None:
    ledger = place.worker()
    for death in range(1, BLAMED_DEATHS + 1):
        claim = place.begin(ledger)
        assert claim.number == 0
        assert place.slot(0)["blamed_deaths"] == death - 1
        if seen_by == "its supervisor":
            place.worker().leases.expire(ledger.worker, blame="out of memory")
        elif not ledger.leases.died(claim, "out of memory"):
            failed = Outcome(
                state=TrialState.FAIL,
                values=None,
                metrics={},
                constraints={},
                feasible=None,
                reason="out of memory",
            )
            ledger.results.tell(claim, [], failed)
    record = place.reader.records()[0]
    assert record.state is TrialState.FAIL
    assert record.reason is not None
    assert "out of memory" in record.reason
    assert place.optuna()[0].state is TrialState.FAIL
    assert place.begin(ledger).number == 1  # the study goes on


def test_a_killed_worker_is_not_the_trials_fault(place: Place) -> None:
    supervisor, ledger = place.worker(), place.worker()
    for _ in range(BLAMED_DEATHS + 1):
        assert place.begin(ledger).number == 0
        supervisor.leases.expire(ledger.worker, blame=None)
    proposing = place.begin(ledger), ledger.slots.claim()
    assert [c.slot for c in proposing] == [0, 1]
    supervisor.leases.expire(ledger.worker, blame=None)
    assert place.slot(1)["phase"] == "free"
    assert place.slot(0)["blamed_deaths"] == 0
    assert [c.slot for c in (ledger.slots.claim(), ledger.slots.claim(), ledger.slots.claim())] == [0, 1, 2]


def test_a_trial_is_given_up_after_attempts_in_a_row_that_got_no_further(place: Place, clock: Clock) -> None:
    ledger = place.worker()
    claim = place.begin(ledger)
    for step in range(1, FRUITLESS_ATTEMPTS + 5):  # each gets a step further before it is lost
        ledger.leases.flush(claim, [(step, {"loss": 0.9})])
        if step % 2:
            ledger.leases.give_back(claim, [], "preempted")
        else:
            clock.time += LEASE_S + 1
        claim = ledger.slots.claim()
        assert (claim.number, claim.attempt) == (0, step + 1)
    for _ in range(FRUITLESS_ATTEMPTS - 1):
        clock.time += LEASE_S + 1
        claim = ledger.slots.claim()
        assert claim.number == 0
    clock.time += LEASE_S + 1
    assert ledger.slots.claim().number is None
    record = place.reader.records()[0]
    assert record.state is TrialState.FAIL
    assert (
        record.reason == f"lost with its worker {FRUITLESS_ATTEMPTS} times in a row before it got any further"
    )


def test_a_lowered_budget_of_trials_holds(place: Place, clock: Clock) -> None:
    workers = [place.worker() for _ in range(5)]
    claims = [worker.slots.claim() for worker in workers]
    workers[0].slots.release(claims[0], None)
    for i in (1, 2):
        workers[i].results.tell(place.begin_in(workers[i], claims[i]), [], complete())
    place.lower(trials=3)
    with pytest.raises(BudgetSpent) as spent:  # slot 3 is before it
        place.begin_in(workers[4], claims[4])
    assert spent.value.others_hold
    workers[4].slots.release(claims[4], None)
    begun = place.begin_in(workers[3], claims[3])
    with pytest.raises(BudgetSpent):  # slots 0 and 4 are free, and none is left
        workers[0].slots.claim()
    clock.time += LEASE_S + 1
    assert workers[0].slots.claim().number == begun.number
    assert len(place.optuna()) == 3


def test_a_lowered_budget_of_epochs_holds(storage_url: str, opened: list[Place]) -> None:
    place = Place(storage_url, epochs=4, total_epochs=20)
    opened.append(place)
    a, b = place.worker(), place.worker()
    running, proposing = place.begin(a), b.slots.claim()
    assert (running.max_epochs, proposing.max_epochs) == (4, 4)
    place.lower(trials=5, epochs=3, total_epochs=6)
    with pytest.raises(BudgetSpent):
        place.begin_in(b, proposing)
    b.slots.release(proposing, None)
    assert (place.begin(b).max_epochs, place.epochs()) == (2, 6)


def test_a_budget_of_epochs_that_comes_later_counts_what_was_trained(place: Place) -> None:
    ledger = place.worker()
    for steps in (3, 4):
        ledger.results.tell(place.begin(ledger), [(steps, {"loss": 0.5})], complete())
    proposing = ledger.slots.claim()
    place.lower(trials=5, epochs=4, total_epochs=9)
    with pytest.raises(BudgetSpent):  # nothing was promised to it
        place.begin_in(ledger, proposing)
    ledger.slots.release(proposing, None)
    assert (place.begin(ledger).max_epochs, place.epochs()) == (2, 9)


def test_an_enqueued_configuration_outlives_the_worker_that_took_it(place: Place, clock: Clock) -> None:
    first, second = place.worker(), place.worker()
    second.queue.enqueue([({"rate": 0.5}, "user", None), ({"rate": 0.75}, "user", None)])
    claim = first.slots.claim()
    taken = first.queue.take(claim)
    assert taken is not None
    assert taken.params == {"rate": 0.5}
    clock.time += LEASE_S + 1  # the worker is dead
    again = second.slots.claim()
    assert again.in_queue
    found = second.queue.take(again)
    assert found is not None
    assert found.position == taken.position
    second.slots.release(again, None)
    last = second.slots.claim()
    returned = second.queue.take(last)
    assert returned is not None
    assert returned.position == taken.position


def test_total_epochs_are_exact(storage_url: str, opened: list[Place], clock: Clock) -> None:
    place = Place(storage_url, trials=20, epochs=4, total_epochs=10)
    opened.append(place)
    a, b = place.worker(), place.worker()
    one, two = place.begin(a), place.begin(b)
    assert [one.max_epochs, two.max_epochs, place.epochs()] == [4, 4, 8]
    a.leases.flush(one, [(1, {"loss": 0.9}), (2, {"loss": 0.9})])
    a.leases.flush(one, [(3, {"loss": 0.9})])
    a.results.tell(one, [], complete())  # stopped early, its reports were stored before: one epoch comes back
    assert place.epochs() == 7
    assert place.reader.records()[0].steps == 3
    proposing = a.slots.claim()
    assert (proposing.max_epochs, place.epochs()) == (3, 10)
    with pytest.raises(BudgetSpent) as spent:
        place.worker().slots.claim()
    assert spent.value.others_hold
    a.slots.release(proposing, None)
    assert place.epochs() == 7
    lost = (
        a.slots.claim()
    )  # its worker dies before the trial begins: what it was promised is promised anew, once
    clock.time += LEASE_S - 1
    b.leases.renew(two)
    clock.time += 2
    three = place.begin(b)
    assert (three.slot, three.max_epochs, place.epochs()) == (lost.slot, 3, 10)
    b.results.tell(two, [(4, {"loss": 0.5})], complete())
    b.results.tell(three, [(3, {"loss": 0.5})], complete())
    assert place.epochs() == 10 == sum(r.steps for r in place.reader.records())
    with pytest.raises(BudgetSpent) as spent:
        a.slots.claim()
    assert not spent.value.others_hold


def test_what_was_begun_goes_on_though_no_epoch_is_left_for_a_free_slot(
    storage_url: str, opened: list[Place], clock: Clock
) -> None:
    place = Place(storage_url, trials=20, epochs=4, total_epochs=5)
    opened.append(place)
    a, b, c = place.worker(), place.worker(), place.worker()
    free, begun = a.slots.claim(), place.begin(b)
    assert [free.max_epochs, begun.max_epochs] == [4, 1]
    a.slots.release(free, None)
    four = place.begin(a)  # slot 0 again
    a.results.tell(four, [(4, {"loss": 0.5})], complete())
    b.results.tell(begun, [], complete())  # one epoch comes back, and two ask for it
    last = a.slots.claim()
    with pytest.raises(BudgetSpent):
        b.slots.claim()
    clock.time += LEASE_S + 1
    mine = place.begin(c)
    assert (mine.slot, mine.max_epochs, place.epochs()) == (last.slot, 1, 5)


def test_time_is_counted_while_somebody_works(storage_url: str, opened: list[Place], clock: Clock) -> None:
    place = Place(storage_url, trials=20, timeout=100)
    opened.append(place)
    ledger = place.worker()
    ledger.results.tell(place.begin(ledger), [], complete())
    clock.time += 100_000  # nobody worked
    claim = place.begin(ledger)
    clock.time += 50
    ledger.results.tell(claim, [], complete())
    claim = place.begin(ledger)
    clock.time += 49.9
    ledger.results.tell(claim, [], complete())
    claim = place.begin(ledger)
    clock.time += 0.2
    with pytest.raises(BudgetSpent):
        place.worker().slots.claim()
    ledger.results.tell(claim, [], complete())  # what runs may finish
    assert len(place.optuna()) == 4


def test_the_clock_is_the_databases_and_advances_within_a_transaction(place: Place) -> None:
    with place.db.write() as connection:
        first = float(connection.execute(sa.select(place.db.now())).scalar_one())
        time.sleep(0.05)
        second = float(connection.execute(sa.select(place.db.now())).scalar_one())
    assert 0.02 < second - first < 300
    assert abs(first - time.time()) < 300  # the same machine here


def test_mariadb_s_clock_is_utc_and_advances_within_a_statement(mariadb_url: str) -> None:
    place = Place(mariadb_url)
    with place.db.read() as connection:
        assert connection.execute(sa.text("SELECT @@session.time_zone")).scalar() == "+00:00"
        wait = sa.func.sleep(0.05)
        now = place.db.now()
        first, _, second = connection.execute(sa.select(now, wait, now)).one()
        assert second - first > 0.02
        connection.execute(sa.text("SET timestamp = 1000"))  # what NOW() would tell
        assert abs(float(connection.execute(sa.select(now)).scalar_one()) - time.time()) < 300
    place.db.close()


def test_a_reader_misses_nothing_that_is_written_while_it_reads(place: Place) -> None:
    ledger = place.worker()
    done = threading.Event()

    def write() -> None:
        for _ in range(5):
            claim = place.begin(ledger)
            ledger.leases.flush(claim, [(1, {"loss": 0.9})])
            ledger.results.tell(claim, [(2, {"loss": 0.5})], complete())
        done.set()

    seen: dict[int, TrialState] = {}
    reports: set[tuple[int, int]] = set()
    revision = -1
    thread = threading.Thread(target=write)
    thread.start()
    last = False
    while not last:
        last = done.is_set()
        changes = place.reader.changes(revision)
        revision = changes.revision
        seen |= {r.number: r.state for r in changes.records}
        reports |= {(number, step) for number, step, _ in changes.reports}
    thread.join()
    assert seen == dict.fromkeys(range(5), TrialState.COMPLETE)
    assert reports == {(number, step) for number in range(5) for step in (1, 2)}


def test_names_with_any_letters_are_kept(place: Place) -> None:
    ledger = place.worker()
    ledger.queue.enqueue([({"kind": "b"}, "user", None)])
    claim = place.begin(ledger)
    failed = Outcome(
        state=TrialState.FAIL,
        values=None,
        metrics={"größe": 1.0},
        constraints={},
        feasible=None,
        reason="ValueError: 学习率 too high 🔥" + "x" * 600,
        traceback="Traceback: 🔥" * 9_000,
    )
    ledger.results.tell(claim, [], failed)
    row = place.slot(claim.slot)
    assert json.loads(row["metrics"]) == {"größe": 1.0}
    assert row["reason"].startswith("ValueError: 学习率 too high 🔥xx")
    assert len(row["traceback"]) == len("Traceback: 🔥" * 9_000)


def test_a_lease_lost_just_after_it_was_renewed_stores_no_report(place: Place, clock: Clock) -> None:
    """It is not renewed again so soon: the report itself must find out."""
    ledger = place.worker()
    claim = place.begin(ledger)
    place.worker().leases.expire(ledger.worker, blame=None)
    before = place.contents()
    with pytest.raises(LeaseLost):
        ledger.leases.flush(claim, [(1, {"loss": 0.5})])
    assert place.contents() == before


def test_reports_that_waited_while_their_trial_was_taken_over_are_not_stored(
    postgres_url: str,
) -> None:
    """One statement's snapshot is older than what it waits for: it must look again at what it found."""
    place = Place(postgres_url)
    slow, other = place.worker(), place.worker()
    claim = place.begin(slow)
    until = place.slot(claim.slot)["lease_until"]
    late = [lambda: slow.leases.flush(claim, [(7, {"loss": 0.0})]), lambda: slow.leases.renew(claim)]
    with ThreadPoolExecutor() as threads:
        with place.db.write() as connection:  # a takeover, as far as the slot's row is concerned
            connection.execute(
                sa.select(tables.studies.c.uuid).where(tables.studies.c.uuid == other.uuid).with_for_update()
            )
            here = slots.c.slot == claim.slot
            connection.execute(
                sa.update(slots).where(here).values(lease_token="another", lease_owner=other.worker)
            )
            answers = [threads.submit(write) for write in late]
            _until_waiting(place.db, len(late))
        for answer in answers:
            with pytest.raises(LeaseLost):
                answer.result(timeout=300)
    assert not place.reader.changes(-1).reports
    assert place.slot(claim.slot)["lease_until"] == until
    place.db.close()


def _until_waiting(db: Database, count: int) -> None:
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    deadline = time.monotonic() + 300
    while True:
        with db.look() as connection:
            if connection.execute(query).scalar_one() >= count:
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)
