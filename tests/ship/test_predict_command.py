"""`satisfice predict`, as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.ship.shipped_models import write_price

from satisfice.cli.main import main


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [("size\n1\n2\n", 0, "2 rows"), ("length\n1\n", 2, "lacks column 'size'"), (None, 2, "does not exist")],
)
def test_the_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: str | None, code: int, said: str
) -> None:
    write_price(tmp_path / "price")
    data, output = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    if content is not None:
        data.write_text(content)
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tmp_path / "price"), "--data", str(data), "--output", str(output)])
    assert ended.value.code == code
    assert said in capfd.readouterr().err
    assert output.exists() == (code == 0)
    if code == 0:
        assert output.read_text() == '{"value": 1002.0}\n{"value": 1004.0}\n'
