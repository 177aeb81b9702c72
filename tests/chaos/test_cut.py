"""Two workers whose way to the database is cut for 20 s: they train on, and nothing is lost."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.chaos.crew import CHECKPOINT_EVERY, Crew
from tests.chaos.relay import Relay

import satisfice
from satisfice.errors import LeaseLost
from satisfice.study.lifecycle.trial import running_of

CUT_S = 20.0
TRIALS = 4
EPOCHS = 24

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def relay(postgres_server: sa.URL) -> Iterator[Relay]:
    """In front of the session's PostgreSQL, which listens on a Unix socket."""
    made = Relay(f"{postgres_server.query['host']}/.s.PGSQL.{postgres_server.port or 5432}")
    yield made
    made.close()


def through_relay(url: str, relay: Relay) -> str:
    return (
        sa.make_url(url)
        .set(host="127.0.0.1", port=relay.port, query={})
        .render_as_string(hide_password=False)
    )


@pytest.mark.parametrize("silently", [False, True])
def test_both_train_on_while_the_database_is_away(
    tmp_path: Path, postgres_url: str, relay: Relay, silently: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    # A trial is longer than the cut: whoever trains when it begins can train through it.
    through = through_relay(postgres_url, relay)
    crew = Crew(
        tmp_path, postgres_url, trials=TRIALS, epochs=EPOCHS, pause_s=1.0, lease_s=60.0, through=through
    )
    deadline = time.monotonic() + 240
    crew.define()
    try:
        for _ in range(2):
            crew.start()
        while len({e.pid for e in crew.epochs() if e.epoch >= 2}) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        before, told_before = time.time(), crew.finished()
        relay.cut(silently=silently)
        time.sleep(CUT_S)
        assert crew.finished() == told_before  # it was a cut
        relay.mend()
        during = [e for e in crew.epochs() if before + 1 < e.at < before + CUT_S]
        crew.wait(deadline)
    finally:
        crew.end()
    crew.assert_nothing_lost()
    assert crew.harm.trials_with_a_takeover == 0
    assert crew.harm.epochs_twice == 0
    # Both trained on all the while, past reports and checkpoints.
    trained = {worker.pid: [e.epoch for e in during if e.pid == worker.pid] for worker in crew.workers}
    assert min(len(epochs) for epochs in trained.values()) > 3 * CHECKPOINT_EVERY, trained


def test_what_was_reported_in_a_cut_is_not_lost_with_its_process(
    tmp_path: Path, postgres_url: str, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the checkpoint, and whoever takes the trial over stores it."""
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    through = through_relay(postgres_url, relay)
    Crew(tmp_path, postgres_url, trials=1, epochs=6, pause_s=0.0).define()
    cut_off = satisfice.load_study("chaos", storage=through)
    trial = cut_off.ask()
    trial.report(1, {"accuracy": 0.1})
    running_of(trial).flush()
    relay.cut(silently=False)
    for epoch in (2, 3, 4):
        trial.report(epoch, {"accuracy": 0.1 * epoch})
    trial.save_checkpoint({"epoch": 4})
    relay.mend()

    study = satisfice.load_study("chaos", storage=postgres_url)
    study._session.ledger.leases.expire(cut_off._session.ledger.worker, blame=None)  # as if it had died
    again = study.ask()
    assert again.load_checkpoint() == {"epoch": 4}
    for epoch in (5, 6):
        again.report(epoch, {"accuracy": 0.1 * epoch})
    study.tell(again, {"accuracy": 0.6})
    with pytest.raises(LeaseLost):
        cut_off.tell(trial, {"accuracy": 0.9})
    (record,) = study.records(with_reports=True)
    assert sorted(record.reports) == [1, 2, 3, 4, 5, 6]
    assert record.metrics["accuracy"] == 0.6
    assert not list((tmp_path / "artefacts").rglob("reports-*"))
    for opened in (study, cut_off):
        opened._opened.db.close()


def test_a_worker_started_while_the_database_restarts_waits_for_it(
    tmp_path: Path, postgres_url: str, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the server listens again it looks like a wrong address."""
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    through = through_relay(postgres_url, relay)
    crew = Crew(tmp_path, postgres_url, trials=2, epochs=2, pause_s=0.0, lease_s=60.0, through=through)
    crew.define()
    relay.cut(silently=False)
    worker = crew.start()
    try:
        deadline = time.monotonic() + 50
        while "waiting in case it restarts" not in (tmp_path / "workers.log").read_text():
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        relay.mend()
        crew.wait(time.monotonic() + 60)
    finally:
        crew.end()
    crew.assert_nothing_lost()
