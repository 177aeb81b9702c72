"""The line of progress, and what the command line loads to show a help text."""

import subprocess
import sys
from types import SimpleNamespace
from typing import cast

import pytest
import sqlalchemy as sa

import satisfice
from satisfice.cli.progress import Progress, finished
from satisfice.errors import NoFeasibleTrial
from satisfice.study import Study


class Told:
    """A study as far as progress looks at it."""

    spec = SimpleNamespace(objectives=[SimpleNamespace(metric="f1")])

    def __init__(self, best: float | None) -> None:
        self._best = best

    def best(self) -> SimpleNamespace:
        if self._best is None:
            raise NoFeasibleTrial("nothing fits")
        return SimpleNamespace(number=4, metrics={"f1": self._best})


def told(best: float | None) -> Study:
    return cast("Study", Told(best))


def status(complete: int, pruned: int = 0, running: int = 0, failed: int = 0) -> dict[str, object]:
    states = {"COMPLETE": complete, "PRUNED": pruned, "RUNNING": running, "FAIL": failed}
    return {
        "name": "s",
        "states": states,
        "budget": {"trials": 10, "used": complete + pruned + running + failed},
        "workers": 1,
        "turned_away": 7,
    }


def test_says_what_is_done_turned_away_pruned_best_and_left() -> None:
    now = [0.0]
    progress = Progress(told(0.875), clock=lambda: now[0])
    progress(status(1))
    line = progress.line(status(3, pruned=2, running=1), elapsed_s=20.0)
    assert line == (
        "5/10 trials, 1 running, 2 pruned, 7 turned away, best f1 0.875 (trial 4), about 25 s left"
    )


def test_a_resumed_run_reckons_with_its_own_trials_only() -> None:
    progress = Progress(told(0.5), clock=lambda: 0.0)
    progress(status(8))
    assert "about 10 s left" in progress.line(status(9), elapsed_s=10.0)


def test_says_when_nothing_fits_yet_and_gives_no_time_before_the_first_trial() -> None:
    line = Progress(told(None)).line(status(0, running=2), elapsed_s=3.0)
    assert "nothing feasible yet" in line
    assert "left" not in line


def test_a_database_that_is_away_does_not_end_the_run(sqlite_url: str) -> None:
    spec = {
        "name": "own",
        "objectives": {"f1": "maximize"},
        "space": {"x": {"low": 0.0, "high": 1.0}},
        "budget": {"trials": 10},
    }
    study = satisfice.create_study(spec, storage=sqlite_url, task=SimpleNamespace(train=lambda *_: {}))
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:  # what is read is not there
        connection.execute(sa.text("ALTER TABLE satisfice_slots RENAME TO away"))
    engine.dispose()
    assert "the database is away" in Progress(study).line(status(1), elapsed_s=3.0)


def test_plain_lines_come_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    progress = Progress(told(0.5), clock=lambda: now[0])
    for second in range(12):
        now[0] = float(second)
        progress(status(second % 10))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 3  # at 0, 5 and 10 seconds


def test_finished_counts_what_has_ended() -> None:
    assert finished(status(3, pruned=2, running=1, failed=1)) == 6


@pytest.mark.parametrize("heavy", ["torch", "optuna", "sklearn", "pandas", "sqlalchemy"])
def test_help_loads_nothing_heavy(heavy: str) -> None:
    code = (
        "import sys\n"
        "from satisfice.cli.main import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit({heavy!r} in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
