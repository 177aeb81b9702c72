"""Studies of text: from a file with prose to a folder that ships, and what is refused on the way."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import TrialState

import satisfice
from satisfice.cli.main import main
from satisfice.errors import InputError
from satisfice.ship import runtime

GOOD = ["meeting", "agenda", "review", "lunch", "patch", "build", "server", "release", "notes"]
BAD = ["free", "money", "winner", "click", "cash", "prize", "urgent", "transfer", "million"]
PLAIN = ["the", "a", "of", "and", "to", "in", "is", "it", "that", "you", "for", "on", "with", "this"]


def mails(path: Path, n: int = 120) -> None:
    """Columns: subject, body (prose), ticket (nearly all different, short), size, kind."""
    rng = random.Random(2)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["subject", "body", "ticket", "size", "kind"])
        for at in range(n):
            telling = BAD if at % 3 == 0 else GOOD
            words = [rng.choice(telling if rng.random() < 0.25 else PLAIN) for _ in range(38)]
            body = "" if at == 5 else " ".join(words[8:]) + rng.choice(["", "\nÉ 日本 😀", " $$$"])
            rows.writerow([" ".join(words[:8]), body, f"T{at}", at % 17, "spam" if at % 3 == 0 else "ham"])


STUDY = """
name = "mails"
[data]
file = "mails.csv"
target = "kind"
{data}
[model]
family = "{family}"
[objectives]
f1 = "maximize"
[constraints]
size_kb = "<= 20"
[space]
{space}
[budget]
trials = {trials}
epochs = 2
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    mails(tmp_path / "mails.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(
    data: str = "",
    family: str = "linear",
    space: str = "alpha = { low = 1e-4, high = 1e-2 }",
    trials: int = 2,
) -> str:
    return STUDY.format(data=data, family=family, space=space, trials=trials)


def run(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


SPACES = {
    "linear": """
vocabulary = { low = 20, high = 200 }
vocabulary_by = ["l1", "chi2", "frequency", "hashing"]
idf = [true, false]
ngrams = { low = 1, high = 2 }
compression = ["none", "int8"]
""",
    "mlp": """
vocabulary = { low = 20, high = 60 }
width = { low = 2, high = 4 }
tokens = ["words", "characters"]
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("family", ["linear", "mlp"])
def test_a_study_of_text_ships(family: str, folder: Path) -> None:
    (folder / "study.toml").write_text(study(family=family, space=SPACES[family], trials=3))
    code, out, err = run(["run", "study.toml", "--json"])
    assert code == 0, err
    result = json.loads(out)
    told = [note["reason"] for note in result["data_notes"] if note["column"] in ("subject", "body")]
    assert told == ["is read as text, since its values are long and nearly all different"] * 2

    made = satisfice.load_study("mails", storage="sqlite:///satisfice.db")
    whole = [record for record in made.records() if record.state is TrialState.COMPLETE]
    assert whole
    for record in whole:  # what was said before training is what the file weighs
        made.save_model(record.number, folder / "model.onnx")
        assert (folder / "model.onnx").stat().st_size == round(record.metrics["size_kb"] * 1000)

    code, out, err = run(["ship", "mails", "--output", "out", "--json"])
    assert code == 0, err
    code, out, err = run(["verify", "out", "--json"])
    assert json.loads(out)["holds"] is not False, out

    model = satisfice.load_shipped(folder / "out")
    row = {"subject": "free money now", "body": "winner click\n\n\0 É 😀", "size": 3}
    with pytest.raises(InputError, match="'body'"):
        model.predict([{name: cell for name, cell in row.items() if name != "body"}])
    missing, empty = (model.predict_proba([{**row, "body": cell}]) for cell in (None, ""))
    assert missing.tolist() == empty.tolist()
    assert model.predict_proba([{**row, "body": "x" * 300_000}, row])[1].tolist() == pytest.approx(
        model.predict_proba([row])[0].tolist(), abs=1e-6
    )

    session = runtime.session(folder / "out" / "model.onnx")
    assert {each.name: each.type for each in session.get_inputs()}["body"] == "tensor(string)"
    done = subprocess.run(
        [sys.executable, "out/predict.py", "mails.csv"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 120
    assert {line["label"] for line in lines} <= {"spam", "ham"}


NARROW = "vocabulary = { low = 9, high = 99 }"
REFUSED: dict[str, tuple[str, str]] = {
    "absent": (study('text = ["bdoy"]'), r"data\.text: .* has no column 'bdoy' \(did you mean 'body'"),
    "empty": (study('text = ["nothing"]'), r"data\.text: column 'nothing' of .* is empty in all 120 rows"),
    "target": (study('text = ["kind"]'), r'data\.text: names "kind", which is the target column'),
    "twice": (study('text = ["body", "body"]'), r'data\.text: names "body" twice'),
    "dropped": (study('text = ["body"]\ndrop = ["body"]'), r'names "body", which drop leaves out'),
    "no list": (study('text = "body"'), r"data\.text: must be a list of strings"),
    "forest": (
        study('text = ["body"]', "forest", "trees = { low = 1, high = 3 }"),
        "forest cannot learn from",
    ),
    "no text": (
        study("text = []", space=NARROW),
        r"space\.vocabulary is of columns of text, and the data have",
    ),
    "no such": (study(family="forest", space=NARROW), "vocabulary"),
    "group": (study('text = []\nnear_duplicates = "group"'), "groups rows by their texts, but text names no"),
    "unknown": (study('near_duplicates = "drop"'), r'data\.near_duplicates: "drop" is not allowed'),
    "too many": (study(space="vocabulary = { low = 9, high = 99999 }"), "99999"),
    "time": (
        study('text = ["body"]\ntime = "size"\nnear_duplicates = "group"'),
        r"data\.near_duplicates: does not go with a split by time",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_sentence(case: str, folder: Path) -> None:
    text = (folder / "mails.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    with (folder / "mails.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[*row, "nothing" if at == 0 else " "] for at, row in enumerate(rows)])
    content, says = REFUSED[case]
    (folder / "study.toml").write_text(content)
    before = sorted(folder.iterdir())
    code, out, err = run(["run", "study.toml"])
    assert (code, out) == (2, ""), err
    assert err.count("\n") == 1
    assert err.startswith("satisfice: ")
    assert re.search(says, err), err
    assert sorted(folder.iterdir()) == before


def test_text_of_one_letter_has_no_feature_but_trains_on_the_rest(folder: Path) -> None:
    """Where no n-gram occurs twice, the columns beside are learnt from."""
    with (folder / "mails.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["body", "size", "kind"])
        rows.writerows([[f"w{at}", at % 2 + at / 100, "ab"[at % 2]] for at in range(60)])
    (folder / "study.toml").write_text(study('text = ["body"]', space="alpha = { low = 1e-4, high = 1e-2 }"))
    code, out, err = run(["run", "study.toml", "--json"])
    assert code == 0, err
    assert json.loads(out)["best"]["metrics"]["f1"] == 1
