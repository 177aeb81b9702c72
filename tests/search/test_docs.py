"""The program in docs/search.md runs as printed."""

import re
from pathlib import Path

import optuna


def test_the_example_for_plain_optuna_runs():
    text = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    scope: dict[str, object] = {}
    exec(code, scope)
    study = scope["study"]
    assert isinstance(study, optuna.Study)
    later = study.trials[1:]
    assert all(t.params["units"] <= 64 for t in later)
    assert all(t.constraints["size"] <= 0 for t in later)
