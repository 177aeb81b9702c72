"""Metrics of a person's own task that no trial could ever have: refused when the study is defined."""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from satisfice.errors import SpecError
from satisfice.spec.metric import METRICS, quantities_of
from satisfice.spec.study import StudySpec
from satisfice.spec.task import BuildsModule, Predicts, Profiles, Reloads, Task

_MOST_FUNCTIONS = 500  # that are read to see what a task returns
_MOST_NAMES = 1000  # in a collection; a larger one holds data
_INSTALLED = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_BUILD = "build(params) and example_input(params)"
_PREDICT = "predictor(params, model) and architecture(params)"
_WRITE = {
    "latency": f"{_BUILD}, or {_PREDICT}",
    "latency_p95": f"{_BUILD}, or {_PREDICT}",
    "energy": f"{_BUILD}, or {_PREDICT}",
    "throughput": f"{_BUILD}, or {_PREDICT}",
    "pipeline_latency": f"pipeline(params, model), with {_PREDICT}",
    "memory": f"{_BUILD}, or {_PREDICT}, and name the task by [task] entry",
    "size": f"{_BUILD}, or call trial.save_model in train",
    "n_parameters": _BUILD,
    "flops": _BUILD,
}


def never_known(spec: StudySpec, task: Task, *, file: str | None = None) -> SpecError | None:
    """The first metric of the study that this task can never have, as an error; None where each may come.

    Only metrics that satisfice would measure or count are looked at. They are known from ``build``,
    ``predictor`` or ``profile``; or ``train`` returns them, which is read in its code, or declared by
    ``reports``, a collection of names.

    Args:
        spec: The study.
        task: Its task.
        file: How the error names the study file.
    """
    if spec.model is not None or isinstance(task, Profiles) or not callable(getattr(task, "train", None)):
        return None  # with `ask` and `tell` a person hands in whatever there is
    declared = quantities_of(str(name) for name in getattr(task, "reports", ()))
    said: set[str] | None = None
    for name in spec.metric_names:
        quantity = METRICS[name].quantity if name in METRICS else ""
        if quantity not in _WRITE or quantity in declared or _is_measured(quantity, spec, task):
            continue
        said = _said(task) if said is None else said
        if "*" in said or any(word == name or word.startswith(f"{quantity}_") for word in said):
            continue
        if quantity == "size" and "save_model" in said:
            continue
        return _error(spec, task, name, quantity, file)
    return None


def _is_measured(quantity: str, spec: StudySpec, task: Task) -> bool:
    builds, predicts = isinstance(task, BuildsModule), isinstance(task, Predicts)
    if quantity in ("size", "n_parameters", "flops"):
        return builds
    if quantity == "memory":
        return isinstance(task, Reloads) or (spec.task is not None and (builds or predicts))
    if quantity == "pipeline_latency":
        return (builds or predicts) and callable(getattr(task, "pipeline", None))
    return builds or predicts


def _error(spec: StudySpec, task: Task, name: str, quantity: str, file: str | None) -> SpecError:
    part = "objectives" if any(o.metric == name for o in spec.objectives) else "constraints"
    has = [m for m in ("build", "example_input", "predictor", "architecture") if hasattr(task, m)]
    lacks = f"has only {' and '.join(has)}" if has else "has no build, predictor or profile"
    return SpecError(
        f"no trial could ever have it: the task {type(task).__name__} {lacks}",
        key=f"{part}.{name}",
        file=file,
        hint=f"write {_WRITE[quantity]}; or return {name!r} from profile or train"
        f" (and declare it, reports = [{name!r}], where train's code does not show it)",
    )


def _said(task: object) -> set[str]:
    """Strings and names in the task's code and what it calls; ``*`` where that cannot be read."""
    train = inspect.unwrap(getattr(task, "train"))  # noqa: B009  # duck-typed
    train = getattr(train, "__func__", train)
    if not isinstance(train, FunctionType) or hasattr(type(task), "__getattr__") or _is_stub(train.__code__):
        return {"*"}
    kinds = [kind for kind in type(task).__mro__ if _is_own(kind)]
    held = [value for kind in kinds for name, value in vars(kind).items() if not name.startswith("__")]
    todo: list[Any] = [train, *held, *getattr(task, "__dict__", {}).values()]
    found: set[str] = set()
    seen: set[int] = set()
    while todo and len(seen) < _MOST_FUNCTIONS:
        each = todo.pop()
        found |= set(_strings(each))
        for function in _functions(each):
            if id(function) in seen or not _is_own(function):
                continue
            seen.add(id(function))
            words = set(_words(function.__code__, function.__doc__))
            found |= words
            todo += _called(function, words)
    return found


def _functions(value: Any) -> Iterator[FunctionType]:
    """Functions behind what a class or a module holds."""
    if isinstance(value, MethodType | classmethod | staticmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.partial | functools.partialmethod | functools.cached_property):
        value = value.func
    if isinstance(value, FunctionType):
        yield from (f for f in (value, getattr(value, "__wrapped__", None)) if isinstance(f, FunctionType))
        return
    kind = value if inspect.isclass(value) else type(value)
    for held in vars(kind).values() if _is_own(kind) else ():
        if isinstance(held, FunctionType):
            yield held


def _strings(value: Any, depth: int = 3) -> Iterator[str]:
    """Strings in a value that code refers to: the names of metrics may stand in a tuple of its own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple | set | frozenset) and depth and len(value) <= _MOST_NAMES:
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _strings(each, depth - 1)


def _called(function: FunctionType, words: set[str]) -> list[Any]:
    """What a function's global names stand for, attributes of modules included, and what it closes over."""
    cells = [c.cell_contents for c in function.__closure__ or () if _is_filled(c)]
    named = [function.__globals__[word] for word in words if word in function.__globals__]
    inside = [
        getattr(module, word, None)
        for module in named
        if isinstance(module, ModuleType) and _is_own_file(getattr(module, "__file__", None))
        for word in words
    ]
    return [*named, *inside, *cells]


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # raises where it is empty
    except ValueError:
        return False
    return True


def _is_own(value: Any) -> bool:
    code = getattr(value, "__code__", None)
    if code is not None:
        return _is_own_file(code.co_filename)
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None or module.__name__ == "builtins":
        return module is None
    file = getattr(module, "__file__", None)
    return module.__name__ == "__main__" or _is_own_file(file)


def _is_own_file(file: str | None) -> bool:
    """Whether a person's own code is in it: neither Python's nor an installed package's, nor ours."""
    if file is None:
        return False
    path = str(Path(file).absolute())
    return not path.startswith((*_INSTALLED, str(Path(__file__).parents[1])))


def _words(code: CodeType, doc: str | None) -> Iterator[str]:
    """Strings and names in code, without its docstring."""
    yield from code.co_names
    yield from (c for c in _flat(code.co_consts) if isinstance(c, str) and c != doc)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _words(const, None)


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, tuple | frozenset):
            yield from _flat(value)
        else:
            yield value


def _is_stub(code: CodeType) -> bool:
    """Whether a function can return nothing but None and reports nothing: a person asks and tells instead."""
    before: Any = None
    for step in dis.get_instructions(code):
        returned = step.argval if step.opname == "RETURN_CONST" else None
        if step.opname == "RETURN_VALUE":
            is_none = before is not None and before.opname == "LOAD_CONST" and before.argval is None
            returned = None if is_none else "something"
        if returned is not None:
            return False
        before = step
    return "report" not in code.co_names
