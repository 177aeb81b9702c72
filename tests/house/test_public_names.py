"""The public names: listed, loaded, documented."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import satisfice
import satisfice.errors
import satisfice.search

DOCS = Path(__file__).resolve().parents[2] / "docs"
ERRORS = {
    name: each
    for name, each in vars(satisfice.errors).items()
    if inspect.isclass(each) and issubclass(each, satisfice.errors.SatisficeError)
}


def test_a_fresh_import_lists_every_public_name_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, satisfice, satisfice.errors\n"
        "missing = [n for n in satisfice.__all__ if n not in dir(satisfice)]\n"
        "assert not missing, missing\n"
        "assert not {'optuna', 'torch', 'sqlalchemy'} & sys.modules.keys()\n"
        "from satisfice import *\n"
        "assert create_study and NoFeasibleTrial and SatisficePruner\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", [satisfice, satisfice.search])
def test_every_listed_name_is_there(module: object) -> None:
    for name in vars(module)["__all__"]:
        assert getattr(module, name) is not None
        assert name in dir(module)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        module.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_every_error_is_a_public_name() -> None:
    assert ERRORS.keys() <= set(satisfice.__all__)
    assert all(getattr(satisfice, name) is each for name, each in ERRORS.items())


def test_the_page_of_errors_is_what_the_code_has() -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (\d+) \| (.+) \|$", text, re.MULTILINE)
    documented = {name: (base, int(code)) for name, base, code, _ in rows}
    assert documented == {name: (each.__bases__[0].__name__, each.exit_code) for name, each in ERRORS.items()}
    assert len({when for _, _, _, when in rows}) == len(ERRORS)
    tree = (satisfice.errors.__doc__ or "").splitlines()
    drawn = [match[1] for line in tree if (match := re.match(r"[│├└─ ]*([A-Z]\w+)(?: {2,}|$)", line))]
    assert sorted(drawn) == sorted(ERRORS)
