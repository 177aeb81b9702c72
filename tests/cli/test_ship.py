"""``satisfice ship`` as a person calls it, and what comes after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_commands import process, satisfice, toy

from satisfice.ship.folder.write import FILES

WINE = """
name = "wine"
[data]
name = "wine"
[model]
family = "linear"
[objectives]
accuracy = "maximize"
[constraints]
size_kb = "<= 50"
log_loss = "<= 10"
[space]
alpha = { low = 1e-4, high = 1e-1, log = true }
[budget]
trials = 2
epochs = 5
[search]
pruner = "none"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study that has been run."""
    folder = tmp_path_factory.mktemp("wine")
    (folder / "wine.toml").write_text(WINE)
    satisfice(folder, "run", "wine.toml")
    return folder


def test_run_ship_verify_predict(folder: Path) -> None:
    told = satisfice(folder, "ship", "wine", "--output", "new/shipped").stdout
    for said in ("of wine fits: new/shipped", "model.onnx", "size_kb", "<= 50", "test, 36 rows", " to "):
        assert said in told
    commands = [
        line.removeprefix("next: satisfice ") for line in told.splitlines() if line.startswith("next: ")
    ]
    assert [line.split()[0] for line in commands] == ["verify", "serve", "predict"]
    satisfice(folder, *commands[0].split())
    golden = json.loads((folder / "new" / "shipped" / "golden.json").read_text())["rows"]
    names = list(golden[0])
    lines = [
        ",".join(f'"{name}"' for name in names),
        *(",".join(str(row[n]) for n in names) for row in golden),
    ]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    satisfice(folder, *commands[2].replace("FILE", "rows.csv", 1).replace("FILE", "answers.csv").split())
    assert len((folder / "answers.csv").read_text().splitlines()) == len(golden) + 1


def test_json_is_one_document(folder: Path) -> None:
    done = process(folder, "ship", "wine", "--output", "as json", "--json", "--trial", "0")
    told = json.loads(done.stdout)
    assert set(told) == {"directory", "study", "trial", "fits", "files", "promises", "scores"}
    assert (told["directory"], told["study"], told["trial"], told["fits"]) == ("as json", "wine", 0, True)
    assert set(told["files"]) == set(FILES)
    assert told["promises"][0]["metric"] == "size_kb"
    assert told["scores"][0]["intervals"].keys() == told["scores"][0]["metrics"].keys()
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("wine", "--output", "."), "holds other files"),
        (("wine", "--output", "wine.toml"), "is no folder"),
        (("wine", "--output", ""), "--output is empty"),
        (("wine", "--output", "none", "--trial", "99"), "has no trial 99"),
        (("wine", "--output", "none", "--trial", "-1"), "--trial"),
        (("whine", "--output", "none"), "no study 'whine'"),
        (("wine",), "--output"),
    ],
)
def test_wrong_input_is_one_sentence(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    before = sorted(folder.rglob("*"))
    done = satisfice(folder, "ship", *arguments, code=2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(folder.rglob("*")) == before


def test_a_bound_that_is_missed_is_named_and_force_says_so(folder: Path, tmp_path: Path) -> None:
    (folder / "strict.toml").write_text(WINE.replace("<= 10", "<= 1e-9"))
    db = f"sqlite:///{tmp_path}/strict.db"
    satisfice(folder, "run", "strict.toml", "--storage", db, code=1)
    nothing = satisfice(folder, "ship", "wine", "--output", f"{tmp_path}/none", "--storage", db, code=1)
    assert "any complete trial ships by --trial N --force" in nothing.stderr
    named = ("ship", "wine", "--output", f"{tmp_path}/none", "--storage", db, "--trial", "0")
    assert "misses log_loss <= 1e-09" in satisfice(folder, *named, code=2).stderr
    assert not (tmp_path / "none").exists()
    assert "does NOT fit" in satisfice(folder, *named, "--force").stdout
    assert "**Warning:**" in (tmp_path / "none" / "README.md").read_text()


def test_own_code_cannot_ship_yet(tmp_path: Path) -> None:
    toy(tmp_path)
    satisfice(tmp_path, "define", "toy.toml")
    assert (
        "not available for own tasks" in satisfice(tmp_path, "ship", "toy", "--output", "none", code=2).stderr
    )
