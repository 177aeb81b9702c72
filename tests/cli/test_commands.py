"""The commands over one real study, as a person calls them."""

import contextlib
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from satisfice.cli.main import main
from satisfice.errors import StudyNotFound
from satisfice.study import load_study

TOY = Path(__file__).parents[1] / "launch" / "toy"


@dataclass(frozen=True)
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


def satisfice(folder: Path, *arguments: str, code: int = 0) -> Done:
    """Run the command in a folder, in this process, and check its exit code."""
    out, err = io.StringIO(), io.StringIO()
    printed = (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err))
    with contextlib.chdir(folder), printed[0], printed[1], pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == code, err.getvalue()
    return Done(stdout=out.getvalue(), stderr=err.getvalue())


def process(folder: Path, *arguments: str, code: int = 0, **environment: str) -> Done:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "satisfice.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return Done(stdout=done.stdout, stderr=done.stderr)


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The same, still running; it hears an interrupt even where this process was started to ignore them."""
    return subprocess.Popen(
        [sys.executable, "-m", "satisfice.cli.main", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def toy(folder: Path, *changes: tuple[str, str]) -> Path:
    """The toy study in a folder, with some of its text replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(TOY / "toy_task.py", folder)
    text = (TOY / "toy.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "toy.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with the toy study run to its budget, and what ``run --json`` printed."""
    folder = toy(tmp_path_factory.mktemp("toy"))
    return folder, json.loads(process(folder, "run", "toy.toml", "--json").stdout)


def test_run_prints_what_the_contract_promises(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    assert {"name", "best", "pareto", "status", "report"} <= set(result)
    assert result["name"] == "toy"
    assert used(result) == (12, 12)
    assert result["status"]["states"]["COMPLETE"] + result["status"]["states"].get("PRUNED", 0) == 12
    assert result["status"]["workers"] == 0
    assert result["status"]["turned_away"] > 0  # half of the space is too wide
    assert (folder / result["report"]).exists()
    for trial in [result["best"], *result["pareto"]]:
        assert set(trial) >= {"number", "params", "metrics", "feasible", "state", "standard_errors"}
        assert trial["feasible"] is True
        assert trial["state"] == "COMPLETE"
        assert trial["metrics"]["size_mb"] <= 1.0
    assert set(result["best"]) - set(result["pareto"][0]) == {"tied", "rule", "expected"}


def test_no_trial_that_cannot_fit_was_trained(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    records = load_study("toy", storage=f"sqlite:///{folder}/satisfice.db").records()
    assert len(records) == 12
    assert max(record.params["width"] for record in records) <= 10


def test_best_is_the_best_of_what_fits(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    best = json.loads(satisfice(folder, "best", "toy", "--json").stdout)
    assert best == result["best"]
    assert best["metrics"]["accuracy"] == max(t["metrics"]["accuracy"] for t in result["pareto"])


def test_best_under_another_bound_and_metric(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    smallest = json.loads(satisfice(folder, "best", "toy", "--minimize", "size_mb", "--json").stdout)
    assert smallest["metrics"]["size_mb"] == min(t["metrics"]["size_mb"] for t in result["pareto"])
    bound = f"size_mb <= {smallest['metrics']['size_mb']}"
    bounded = json.loads(satisfice(folder, "best", "toy", "--where", bound, "--json").stdout)
    assert bounded["metrics"]["size_mb"] == smallest["metrics"]["size_mb"]


def test_best_where_nothing_fits_names_the_nearest_miss(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    done = satisfice(folder, "best", "toy", "--where", "size_mb <= 0.001", code=1)
    assert done.stdout == ""
    assert "nearest is trial" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("command", "nothing"), [("best", None), ("pareto", [])])
def test_where_nothing_fits_the_json_is_valid_and_the_nearest_miss_is_named(
    finished: tuple[Path, dict[str, Any]], command: str, nothing: Any
) -> None:
    folder, _ = finished
    done = satisfice(folder, command, "toy", "--where", "size_mb <= 0.001", "--json", code=1)
    assert json.loads(done.stdout) == nothing
    assert "nearest is trial" in done.stderr


@pytest.mark.parametrize("command", ["best", "pareto"])
def test_an_unknown_metric_is_an_input_error(finished: tuple[Path, dict[str, Any]], command: str) -> None:
    folder, _ = finished
    done = satisfice(folder, command, "toy", "--maximize", "acuracy", code=2)
    assert "accuracy" in done.stderr
    assert done.stderr.count("\n") == 1


def test_pareto_is_a_list_of_trials_none_of_which_beats_another(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    folder, result = finished
    front = json.loads(satisfice(folder, "pareto", "toy", "--json").stdout)
    assert front == result["pareto"]
    pairs = [(t["metrics"]["accuracy"], -t["metrics"]["size_mb"]) for t in front]
    assert not any(a != b and a[0] >= b[0] and a[1] >= b[1] for a in pairs for b in pairs)


def test_status_of_one_and_of_all(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    one = json.loads(satisfice(folder, "status", "toy", "--json").stdout)
    assert {"name", "states", "budget", "workers", "turned_away"} <= set(one)
    assert one["states"] == result["status"]["states"]
    (only,) = json.loads(satisfice(folder, "status", "--json").stdout)
    assert only == one


def test_every_answer_has_words_for_people(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    number = result["best"]["number"]
    assert f"trial {number}" in satisfice(folder, "best", "toy").stdout
    assert "12 of 12 trials used" in satisfice(folder, "status", "toy").stdout
    assert "12/12" in satisfice(folder, "status").stdout
    assert "feasible Pareto front" in satisfice(folder, "pareto", "toy").stdout


def test_run_again_only_reports(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    again = satisfice(folder, "run", "toy.toml")
    assert f"chosen: trial {result['best']['number']}" in again.stdout
    assert json.loads(satisfice(folder, "status", "toy", "--json").stdout)["budget"]["used"] == 12


def test_report_of_a_stored_study(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    done = satisfice(folder, "report", "toy", "--output", "elsewhere", "--json")
    assert json.loads(done.stdout)["headline"] == result["headline"]
    index = folder / json.loads(done.stdout)["report"]
    assert index.parent == folder / "elsewhere"
    assert "toy" in index.read_text()


def test_check_tells_the_share_that_fits(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    result = json.loads(satisfice(folder, "check", "toy.toml", "--json").stdout)
    (share,) = [c["share"] for c in result["constraints"] if c["constraint"] == "size_mb <= 1"]
    assert 0.4 < share < 0.6  # widths up to 10 of 20
    assert result["constraints"][0]["driver"] == "width"
    assert "width" in satisfice(folder, "check", "toy.toml").stdout


def test_check_writes_nothing(tmp_path: Path) -> None:
    folder = toy(tmp_path)
    satisfice(folder, "check", "toy.toml")
    assert not list(folder.glob("*.db"))


def test_replay_gives_the_same_metrics(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    done = json.loads(satisfice(folder, "replay", "toy", str(result["best"]["number"]), "--json").stdout)
    assert done["same"] is True
    assert done["metrics"]["accuracy"] == result["best"]["metrics"]["accuracy"]


def test_a_larger_budget_continues(tmp_path: Path) -> None:
    folder = toy(tmp_path, ("trials = 12", "trials = 4"))
    satisfice(folder, "run", "toy.toml")
    toy(folder, ("trials = 12", "trials = 7"))
    result = json.loads(satisfice(folder, "run", "toy.toml", "--json").stdout)
    assert used(result) == (7, 7)


def test_nothing_feasible_exits_with_1_and_a_report(tmp_path: Path) -> None:
    folder = toy(
        tmp_path, ("[constraints]\n", '[constraints]\naccuracy = ">= 2.0"\n'), ("trials = 12", "trials = 4")
    )
    done = satisfice(folder, "run", "toy.toml", "--json", code=1)
    result = json.loads(done.stdout)
    assert result["best"] is None
    assert result["pareto"] == []
    assert "accuracy" in result["failure"]
    assert result["nearest"]["metrics"]["accuracy"] < 1
    assert "Traceback" not in done.stderr


def test_two_workers_spend_one_exact_budget(tmp_path: Path) -> None:
    folder = toy(tmp_path, ("pause_s = 0.0", "pause_s = 0.02"))
    result = json.loads(satisfice(folder, "run", "toy.toml", "--workers", "2", "--json").stdout)
    assert used(result) == (12, 12)
    assert sum(result["status"]["states"].values()) == 12


def test_define_then_worker(tmp_path: Path) -> None:
    folder = toy(tmp_path, ("trials = 12", "trials = 3"))
    satisfice(folder, "define", "toy.toml")
    assert json.loads(satisfice(folder, "status", "toy", "--json").stdout)["budget"]["used"] == 0
    process(folder, "worker", "toy", "--label", "edge")
    assert json.loads(satisfice(folder, "status", "toy", "--json").stdout)["budget"]["used"] == 3


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_stops_cleanly_and_run_goes_on(tmp_path: Path, workers: Any, number: signal.Signals) -> None:
    folder = toy(tmp_path, ("pause_s = 0.0", "pause_s = 0.2"), ("trials = 12", "trials = 5"))
    running = started(folder, "run", "toy.toml", "--workers", workers)
    wait_for(lambda: trials(folder, "COMPLETE") >= 1, running)
    running.send_signal(number)
    out, err = running.communicate(timeout=300)
    assert running.returncode == 130, err
    assert out == ""
    assert "satisfice run toy.toml" in err
    assert "Traceback" not in err
    status = json.loads(satisfice(folder, "status", "toy", "--json").stdout)
    assert status["states"].get("RUNNING", 0) == 0
    assert status["states"].get("FAIL", 0) == 0
    assert status["workers"] == 0
    result = json.loads(satisfice(folder, "run", "toy.toml", "--json").stdout)
    assert used(result) == (5, 5)
    assert result["status"]["states"] == {"COMPLETE": 5}


def test_a_worker_gives_its_trial_back_on_sigterm(tmp_path: Path) -> None:
    folder = toy(tmp_path, ("pause_s = 0.0", "pause_s = 1.0"), ("trials = 12", "trials = 3"))
    satisfice(folder, "define", "toy.toml")
    running = started(folder, "worker", "toy")
    wait_for(lambda: trials(folder, "RUNNING") == 1, running)
    running.terminate()
    _, err = running.communicate(timeout=300)
    assert running.returncode == 143, err
    status = json.loads(satisfice(folder, "status", "toy", "--json").stdout)
    assert status["states"].get("RUNNING", 0) == 0
    assert status["states"].get("FAIL", 0) == 0


def test_delete(tmp_path: Path) -> None:
    folder = toy(tmp_path)
    satisfice(folder, "define", "toy.toml")
    satisfice(folder, "delete", "toy", "--yes")
    assert json.loads(satisfice(folder, "status", "--json").stdout) == []


def test_export_and_import(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, result = finished
    other = f"sqlite:///{tmp_path}/other.db"
    file = str(tmp_path / "toy's study.zip")
    exported = satisfice(folder, "export", "toy", "--output", file)
    assert shlex.split(exported.stdout.partition("elsewhere: ")[2])[-1] == file
    satisfice(folder, "import", file, "--storage", other)
    best = json.loads(satisfice(folder, "best", "toy", "--storage", other, "--json").stdout)
    assert best == result["best"]


def test_import_of_a_plain_optuna_database(tmp_path: Path) -> None:
    import optuna

    old = f"sqlite:///{tmp_path}/old.db"
    study = optuna.create_study(study_name="old", storage=old, direction="minimize")
    study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
    satisfice(tmp_path, "import", old)
    (status,) = json.loads(satisfice(tmp_path, "status", "--json").stdout)
    assert status["name"] == "old"
    assert status["states"]["COMPLETE"] == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("command", ["status", "pareto"])
def test_an_output_that_is_full_is_one_sentence(finished: tuple[Path, dict[str, Any]], command: str) -> None:
    folder, _ = finished
    with Path("/dev/full").open("w") as full:
        done = piped(folder, command, full)
    assert done.returncode == 1
    assert done.stderr == "satisfice: the output or a file cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", ["status", "pareto"])
def test_a_reader_that_has_gone_is_nothing_to_speak_of(
    finished: tuple[Path, dict[str, Any]], command: str
) -> None:
    folder, _ = finished
    reading, writing = os.pipe()
    os.close(reading)
    done = piped(folder, command, writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def piped(folder: Path, command: str, output: Any) -> subprocess.CompletedProcess[str]:
    """A command on the toy study, its standard output elsewhere."""
    arguments = [sys.executable, "-m", "satisfice.cli.main", command, "toy"]
    return subprocess.run(
        arguments, cwd=folder, stdout=output, stderr=subprocess.PIPE, text=True, timeout=600, check=False
    )


def test_db_commands(tmp_path: Path) -> None:
    assert json.loads(satisfice(tmp_path, "db", "current", "--json").stdout)["revision"] is None
    assert not list(tmp_path.iterdir())
    satisfice(tmp_path, "db", "upgrade")
    assert json.loads(satisfice(tmp_path, "db", "current", "--json").stdout)["is_current"] is True
    satisfice(tmp_path, "db", "downgrade", "base", "--yes")
    assert json.loads(satisfice(tmp_path, "db", "current", "--json").stdout)["revision"] is None


def test_doctor_writes_nothing(tmp_path: Path) -> None:
    findings = json.loads(satisfice(tmp_path, "doctor", "--json").stdout)
    assert all(f["ok"] for f in findings if f["required"])
    assert {"python", "optuna", "storage"} <= {f["name"] for f in findings}
    assert not list(tmp_path.iterdir())


def used(result: dict[str, Any]) -> tuple[int, int]:
    """Trials used, and the budget of them."""
    budget = result["status"]["budget"]
    return budget["used"], budget["trials"]


def trials(folder: Path, state: str) -> int:
    """Trials of a state, read beside the processes that write them."""
    try:
        study = load_study("toy", storage=f"sqlite:///{folder}/satisfice.db")
    except StudyNotFound:
        return 0
    return int(study.status()["states"].get(state, 0))


def wait_for(condition, running: subprocess.Popen[str], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
