"""The suffix of a model file names its format; nothing is written in another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.errors import InputError

SPEC: dict[str, Any] = {
    "name": "kept",
    "objectives": {"score": "maximize"},
    "space": {"rate": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 1},
}


class Task:
    """Keeps a tensor, or a file of its own."""

    def __init__(self, own: Path | None = None) -> None:
        self.own = own

    def train(self, params, trial):
        import torch

        trial.save_model(self.own if self.own is not None else {"weights": torch.ones(3)})
        return {"score": params["rate"]}


def trained(own: Path | None = None) -> satisfice.Study:
    study = satisfice.create_study(SPEC, task=Task(own))
    study.optimize()
    return study


@pytest.mark.parametrize("name", ["winner.safetensors", "winner.SafeTensors"])
def test_safetensors_are_written(name: str, tmp_path: Path) -> None:
    study = trained()
    path = study.save_model(0, str(tmp_path / name))
    assert path.read_bytes() == study.model_file(0).read_bytes()
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode  # as any file of this user's


@pytest.mark.parametrize(
    "name", ["winner.onnx", "winner.pt", "winner.pkl", "winner", "winner.safetensors.zip"]
)
def test_what_is_not_written_is_refused_with_what_is(name: str, tmp_path: Path) -> None:
    study = trained()
    with pytest.raises(InputError, match=r"what can be written is \'.safetensors\' \(for instance 'winner"):
        study.save_model(0, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_task_s_own_keeps_its_kind(tmp_path: Path) -> None:
    own = tmp_path / "model.joblib"
    own.write_bytes(b"its own format")
    study = trained(own)
    assert study.save_model(0, tmp_path / "winner.joblib").read_bytes() == b"its own format"
    with pytest.raises(
        InputError, match=r"what can be written is '.joblib' \(for instance 'winner.joblib'\)"
    ):
        study.save_model(0, tmp_path / "winner.safetensors")
    assert not (tmp_path / "winner.safetensors").exists()


@pytest.fixture(scope="module")
def family_study() -> satisfice.Study:
    study = satisfice.create_study(
        {
            "name": "family",
            "data": {"name": "wine"},
            "model": {"family": "linear"},
            "objectives": {"accuracy": "maximize"},
            "space": {"alpha": {"low": 1e-4, "high": 1e-1, "log": True}},
            "budget": {"trials": 1},
        }
    )
    study.optimize()
    return study


@pytest.mark.parametrize("name", ["winner.onnx", "winner.ONNX"])
def test_a_model_of_a_family_is_written_as_onnx(
    name: str, family_study: satisfice.Study, tmp_path: Path
) -> None:
    from satisfice.data import DATASETS
    from satisfice.ship import onnx_file, runtime

    path = family_study.save_model(0, tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == [name]
    model, items = family_study.load_model(0), DATASETS.get("wine").read().items
    found = runtime.outputs(runtime.session(path), onnx_file.feeds(model.header, items))
    assert found["label"].tolist() == model.predict(items).tolist()


def test_a_family_s_other_formats_are_named(family_study: satisfice.Study, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"what can be written is '\.onnx' or '\.safetensors'"):
        family_study.save_model(0, tmp_path / "winner.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_none_is_named(tmp_path: Path) -> None:
    study = trained()
    with pytest.raises(InputError, match="there is no folder"):
        study.save_model(0, tmp_path / "nowhere" / "winner.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        study.save_model(0, tmp_path / "folder.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.safetensors"]
