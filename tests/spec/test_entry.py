"""Loading a person's own training code."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from satisfice.errors import SpecError
from satisfice.spec import entry as entry_module
from satisfice.spec import load_task

TASK = """
class Task:
    def __init__(self, width=8, *, depth=2):
        self.width, self.depth = width, depth

    def train(self, params, trial):
        return {"loss": 0.0}
"""


NOWHERE = "no module {!r} is on the Python path, beside the study file or in the working directory"
BROKEN = "module 'my_task' does not import: {}"
SHOWS = "(python -c 'import my_task' shows where)"


@pytest.fixture(autouse=True)
def clean_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test has its own working directory, Python path and loaded modules."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", ".")])
    monkeypatch.setattr(entry_module, "_folders", [])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "study"
    path.mkdir()
    return path


def test_a_class_beside_the_study_file_gets_the_options(folder: Path) -> None:
    (folder / "my_task.py").write_text(TASK)
    task = load_task("my_task:Task", folder, {"width": 3})
    assert (task.width, task.depth) == (3, 2)


def test_an_object_is_used_as_it_is(folder: Path) -> None:
    (folder / "my_task.py").write_text(TASK + "\nREADY = Task(depth=9)\n")
    assert load_task("my_task:READY", folder).depth == 9


def test_a_dotted_name_in_a_package_that_imports_its_neighbours(folder: Path) -> None:
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").touch()
    (folder / "pack" / "inner.py").write_text(
        "from side import BASE\nclass Outer:\n    class Task(BASE): pass\n"
    )
    (folder / "side.py").write_text(TASK.replace("class Task", "class BASE"))
    assert load_task("pack.inner:Outer.Task", folder).width == 8


def test_working_directory_is_last(folder: Path) -> None:
    (Path.cwd() / "far.py").write_text(TASK.replace("width=8", "width=1"))
    assert load_task("far:Task", folder).width == 1
    (Path.cwd() / "near.py").write_text(TASK.replace("width=8", "width=1"))
    (folder / "near.py").write_text(TASK.replace("width=8", "width=2"))
    assert load_task("near:Task", folder).width == 2


def test_python_path_is_first(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "twice.py").write_text(TASK.replace("width=8", "width=1"))
    (folder / "twice.py").write_text(TASK)
    sys.path.append(str(tmp_path / "lib"))
    assert load_task("twice:Task", folder).width == 1


def test_two_studies_each_with_a_module_of_the_same_name(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for place, width in ((folder, 5), (other, 6)):
        (place / "same.py").write_text("from part import WIDTH\n" + TASK.replace("width=8", "width=WIDTH"))
        (place / "part.py").write_text(f"WIDTH = {width}\n")
    assert load_task("same:Task", folder).width == 5
    assert load_task("same:Task", other).width == 6
    assert load_task("same:Task", folder).width == 5


def test_a_module_that_is_loaded_already_is_used(folder: Path) -> None:
    module = types.ModuleType("notebook_task")
    exec(TASK, module.__dict__)
    sys.modules["notebook_task"] = module
    assert load_task("notebook_task:Task", folder).width == 8


@pytest.mark.parametrize(
    ("content", "entry", "options", "key", "sentence"),
    [
        (
            TASK,
            "my_tsk:Task",
            {},
            "task.entry",
            NOWHERE.format("my_tsk") + " (did you mean 'my_task'?)",
        ),
        (TASK, "my_task:Tusk", {}, "task.entry", "module 'my_task' has no 'Tusk' (did you mean 'Task'?)"),
        ("", "my_task:Task", {}, "task.entry", "module 'my_task' has no 'Task' (it defines nothing)"),
        (
            "import no_such_thing.deep",
            "my_task:Task",
            {},
            "task.entry",
            BROKEN.format("it needs 'no_such_thing', which is not installed (install no_such_thing)"),
        ),
        (
            "x = (\n",
            "my_task:Task",
            {},
            "task.entry",
            BROKEN.format(f"SyntaxError: '(' was never closed in my_task.py, line 1 {SHOWS}"),
        ),
        (
            "raise ValueError('first line\\nsecond')",
            "my_task:Task",
            {},
            "task.entry",
            BROKEN.format(f"ValueError: first line second {SHOWS}"),
        ),
        (
            "import sys; sys.exit(3)",
            "my_task:Task",
            {},
            "task.entry",
            BROKEN.format(f"SystemExit: 3 {SHOWS}"),
        ),
        (
            TASK,
            "my_task:Task",
            {"widht": 1},
            "task.widht",
            "is not an argument of 'Task' (did you mean 'width'?)",
        ),
        (
            "class Task:\n    def train(self, params, trial): ...\n",
            "my_task:Task",
            {"x": 1},
            "task.x",
            "is not an argument of 'Task' (Task takes none: remove it)",
        ),
        (
            TASK.replace("width=8", "width"),
            "my_task:Task",
            {},
            "task.width",
            "is missing: 'Task' needs it (write width = ...)",
        ),
        (
            TASK + "\nREADY = Task()\n",
            "my_task:READY",
            {"width": 1},
            "task.width",
            "'READY' is no class and takes no options (remove it, or name the class)",
        ),
        (
            "class Task:\n    def __init__(self): raise RuntimeError('no data')\n",
            "my_task:Task",
            {},
            "task.entry",
            (
                "'Task' cannot be made: RuntimeError: no data"
                " (mind the other keys of [task]: they are its arguments)"
            ),
        ),
        (
            "class Task: pass",
            "my_task:Task",
            {},
            "task.entry",
            "'Task' has no method train(params, trial) (give it one)",
        ),
        (
            "Task = 3",
            "my_task:Task",
            {},
            "task.entry",
            "'Task' has no method train(params, trial) (give it one)",
        ),
    ],
)
def test_refused(
    content: str, entry: str, options: dict[str, object], key: str, sentence: str, folder: Path
) -> None:
    (folder / "my_task.py").write_text(content)
    with pytest.raises(SpecError) as caught:
        load_task(entry, folder, options, file="s.toml")
    assert str(caught.value) == f"s.toml: {key}: {sentence}"
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_missing_module_of_a_package(folder: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_task("pack.deep:Task", folder)
    assert "no module 'pack' is on the Python path" in str(caught.value)
    assert f"put pack.py into {folder}" in str(caught.value)
