"""The file that ships is one part of a task: another takes its place, and all follows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from satisfice.train.families.linear import LINEAR
from satisfice.train.files.shipped_file import Kept, SafetensorsFile

TRAILER = b"the end."


class WithTrailer(SafetensorsFile):
    """Another format: eight bytes longer, under another name; its calls are counted."""

    name = "model.trailer"

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def length(self, *args: Any) -> int:
        return super().length(*args) + len(TRAILER)

    def keep(self, *args: Any) -> Kept:
        kept = super().keep(*args)
        with kept.file.open("ab") as file:
            file.write(TRAILER)
        return kept

    def call(self, *args: Any) -> Any:
        self.asked += 1
        return super().call(*args)

    def pipeline(self, *args: Any) -> Any:
        self.asked += 1
        return super().pipeline(*args)


def test_size_bytes_and_calls_are_those_of_the_file(make_spec: Any, new_trial: Any, tmp_path: Path) -> None:
    plain, task = (LINEAR.make_task(make_spec("linear", "diabetes")) for _ in range(2))
    task.file = file = WithTrailer()
    known, before = task.profile({}), plain.profile({})
    assert known["size_bytes"] == before["size_bytes"] + len(TRAILER)
    trial = new_trial()
    assert task.train({}, trial)["size_bytes"] == known["size_bytes"] == len(trial.model)
    assert trial.model.endswith(TRAILER)
    for call in (task.predictor({}), task.pipeline({})):
        assert call is not None
        call()
    assert file.asked == 2
    again = task.reload({}, None, tmp_path, 1)
    assert again is not None
    assert again.options["path"] == str(tmp_path / "model.trailer")
    assert task.on_few_rows().file is file
