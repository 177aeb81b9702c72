"""Loading a person's own training code from ``[task] entry = "package.module:Name"``."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from satisfice.errors import SpecError
from satisfice.registry import did_you_mean

# Folders off the Python path that this process loads tasks from, as they were added to it.
_folders: list[str] = []


def load_task(
    entry: str, study_dir: Path, options: Mapping[str, Any] | None = None, *, file: str | None = None
) -> Any:
    """The task that ``entry`` names.

    The module is looked for on the Python path, then in ``study_dir``, then in the working directory. The
    folder where it is found joins the end of the Python path, so that it can import its neighbours.

    Args:
        entry: ``package.module:Name``; the name may be dotted.
        study_dir: Folder of the study file.
        options: Keyword arguments of a class.
        file: How errors name the study file.

    Returns:
        An instance where the entry names a class, else the object itself.

    Raises:
        SpecError: The module does not import, the name is not in it, the class refuses the options, or what
            comes out has no ``train``.
    """
    module_name, _, attribute = entry.partition(":")
    module = _import(module_name, study_dir, file)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [name for name in vars(found) if not name.startswith("_")]
            raise SpecError(
                f"module {module_name!r} has no {attribute!r}",
                key="task.entry",
                file=file,
                hint=did_you_mean(part, public) if public else "it defines nothing",
            )
        found = getattr(found, part)
    task = _instance(found, attribute, dict(options or {}), file)
    if not callable(getattr(task, "train", None)):
        raise SpecError(
            f"{attribute!r} has no method train(params, trial)",
            key="task.entry",
            file=file,
            hint="give it one",
        )
    return task


def _import(name: str, study_dir: Path, file: str | None) -> ModuleType:
    """The module, found in the three places.

    Raises:
        SpecError: It is nowhere, or importing it fails.
    """
    importlib.invalidate_caches()  # the file may be younger than Python's listing of its folder
    _make_findable(name.partition(".")[0], study_dir)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise _nowhere(missing, study_dir, file) from None
        raise SpecError(
            f"module {name!r} does not import: it needs {missing!r}, which is not installed",
            key="task.entry",
            file=file,
            hint=f"install {missing.partition('.')[0]}",
        ) from None
    except SyntaxError as error:
        reason = f"{error.msg} in {Path(error.filename or name).name}, line {error.lineno}"
        raise _broken(name, f"SyntaxError: {reason}", file) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's module may raise anything
        raise _broken(name, f"{type(error).__name__}: {_one_line(error)}", file) from None


def _make_findable(root: str, study_dir: Path) -> None:
    """Put the folder that holds ``root`` on the Python path, unless it is found there already."""
    elsewhere = [folder for folder in sys.path if folder not in _folders]
    module = sys.modules.get(root)
    ours = module is not None and _folder_of(module) in _folders
    if (module is not None and not ours) or PathFinder.find_spec(root, elsewhere) is not None:
        return
    for folder in (str(study_dir.resolve()), str(Path.cwd())):
        if PathFinder.find_spec(root, [folder]) is None:
            continue
        if module is not None and ours and _folder_of(module) != folder:
            _forget(_folder_of(module))  # two studies, each with a task.py of its own
        _lead(folder)
        return


def _lead(folder: str) -> None:
    """Put a folder on the Python path: behind all that was there before us, ahead of those that we added."""
    if folder in _folders:
        _folders.remove(folder)
        sys.path.remove(folder)
    first = min((sys.path.index(f) for f in _folders if f in sys.path), default=len(sys.path))
    sys.path.insert(first, folder)
    _folders.append(folder)


def _folder_of(module: ModuleType) -> str:
    """Folder that a top-level module or package was found in."""
    origin = module.__spec__.origin if module.__spec__ is not None else None
    if origin is None:
        return ""
    path = Path(origin)
    return str(path.parent.parent if path.name == "__init__.py" else path.parent)


def _forget(folder: str) -> None:
    """Take a folder off the Python path, with the modules that came from it."""
    for name, module in list(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None)
        if origin and Path(origin).is_relative_to(folder):
            del sys.modules[name]
    _folders.remove(folder)
    sys.path.remove(folder)


def _nowhere(missing: str, study_dir: Path, file: str | None) -> SpecError:
    places = dict.fromkeys([str(study_dir), str(Path.cwd())])
    beside = sorted(
        {path.stem for folder in places for path in Path(folder).glob("*.py") if path.stem.isidentifier()}
    )
    near = did_you_mean(missing, beside) if beside else ""
    return SpecError(
        f"no module {missing!r} is on the Python path, beside the study file or in the working directory",
        key="task.entry",
        file=file,
        hint=near
        if near.startswith("did you mean")
        else f"put {missing.replace('.', '/')}.py into {study_dir}",
    )


def _broken(name: str, reason: str, file: str | None) -> SpecError:
    return SpecError(
        f"module {name!r} does not import: {reason}",
        key="task.entry",
        file=file,
        hint=f"python -c 'import {name}' shows where",
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _instance(found: Any, attribute: str, options: dict[str, Any], file: str | None) -> Any:
    """An instance of a class, with the options; any other object as it is."""
    if not inspect.isclass(found):
        if options:
            raise SpecError(
                f"{attribute!r} is no class and takes no options",
                key=f"task.{next(iter(options))}",
                file=file,
                hint="remove it, or name the class",
            )
        return found
    _check_options(found, attribute, options, file)
    try:
        return found(**options)
    except Exception as error:  # noqa: BLE001  # a stranger's constructor may raise anything
        raise SpecError(
            f"{attribute!r} cannot be made: {type(error).__name__}: {_one_line(error)}",
            key="task.entry",
            file=file,
            hint="mind the other keys of [task]: they are its arguments",
        ) from None


def _check_options(cls: type, attribute: str, options: dict[str, Any], file: str | None) -> None:
    """Refuse options that the constructor does not take, and the lack of one that it needs."""
    try:
        parameters = inspect.signature(cls).parameters
    except ValueError:  # of a class written in C
        return
    named = {name: p for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in options:
        if name not in named and not takes_any:
            hint = did_you_mean(name, list(named)) if named else f"{attribute} takes none: remove it"
            raise SpecError(f"is not an argument of {attribute!r}", key=f"task.{name}", file=file, hint=hint)
    for name, p in named.items():
        if p.default is p.empty and name not in options:
            raise SpecError(
                f"is missing: {attribute!r} needs it",
                key=f"task.{name}",
                file=file,
                hint=f"write {name} = ...",
            )
