"""The model file that counts is that of the attempt which was told."""

from pathlib import Path

import satisfice
from satisfice.study.lifecycle.checkpoint import kept_model, save_model
from satisfice.study.lifecycle.trial import running_of

CONTENT = {
    "name": "kept",
    "objectives": {"loss": "minimize"},
    "space": {"x": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 1},
}


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def lease_runs_out(study: satisfice.Study) -> None:
    """As if it had: another worker may have the trial now."""
    study._session.ledger.leases.expire(study._session.ledger.worker, blame=None)


class Nothing:
    def train(self, params, trial):
        raise NotImplementedError


def test_a_worker_that_lost_its_trial_cannot_replace_the_model_that_counts(
    sqlite_url: str, tmp_path: Path
) -> None:
    study = satisfice.create_study(CONTENT, storage=sqlite_url, task=Nothing())
    lost = study.ask()
    lease_runs_out(study)
    other = satisfice.load_study("kept", storage=sqlite_url, task=Nothing())
    taken = other.ask()
    assert (taken.number, running_of(taken).claim.attempt) == (lost.number, 2)
    taken.save_model(write(tmp_path, "second.bin", "the one that scored"))
    other.tell(taken, {"loss": 0.5})
    artefacts = study._opened.artefacts
    save_model(artefacts, lost.number, 1, write(tmp_path, "first.bin", "too late"))  # as it fell asleep
    assert other.model_file(0).read_text() == "the one that scored"
    assert other.save_model(0, tmp_path / "shipped.bin").read_text() == "the one that scored"


def test_a_trial_that_goes_on_keeps_the_model_it_saved_before(sqlite_url: str, tmp_path: Path) -> None:
    study = satisfice.create_study(CONTENT, storage=sqlite_url, task=Nothing())
    study.ask().save_model(write(tmp_path, "first.bin", "best epoch"))
    lease_runs_out(study)
    other = satisfice.load_study("kept", storage=sqlite_url, task=Nothing())
    taken = other.ask()
    assert running_of(taken).model_path is not None
    other.tell(taken, {"loss": 0.5})
    assert other.model_file(0).read_text() == "best epoch"


def test_one_attempt_keeps_one_file(sqlite_url: str, tmp_path: Path) -> None:
    study = satisfice.create_study(CONTENT, storage=sqlite_url, task=Nothing())
    trial = study.ask()
    trial.save_model(write(tmp_path, "model.onnx", "first"))
    trial.save_model(write(tmp_path, "model.bin", "second"))
    study.tell(trial, {"loss": 1.0})
    artefacts = study._opened.artefacts
    assert [path.read_text() for path in artefacts.find(0, "model*")] == ["second"]
    assert kept_model(artefacts, 0, 1) == study.model_file(0)
