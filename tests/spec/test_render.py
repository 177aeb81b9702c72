"""What is rendered parses to the same spec, and is valid by the schema."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.spec import (
    Budget,
    Constraint,
    DataSpec,
    MeasureOptions,
    ModelSpec,
    Objective,
    Parameter,
    SearchOptions,
    SearchSpace,
    StudySpec,
    TaskSpec,
    parse_dict,
    to_dict,
    to_toml,
)
from satisfice.spec.criterion import Criterion
from satisfice.spec.profile import Profile
from satisfice.spec.study_file.schema import json_schema

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,30}", fullmatch=True)
# Anything that TOML can hold: no surrogates; the words around it are stripped.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(lambda text: f"t{text}")
PRINTABLE = st.characters(categories=["L", "M", "N", "P", "S"], exclude_characters="<>=")
KEYS = st.lists(st.text(PRINTABLE, min_size=1, max_size=8), min_size=1, max_size=2).map(" ".join)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**53), 2**53)
SCALARS = st.one_of(TEXTS, FINITE, INTEGERS, st.booleans())
COUNTS = st.integers(1, 10**9)
LEVELS = st.floats(0.0, 1.0, exclude_min=True)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def ranges(draw: st.DrawFn) -> IntDistribution | FloatDistribution:
    """Ranges of both types, with or without log and step."""
    log, steps = draw(st.booleans()), draw(st.integers(0, 40))
    if draw(st.booleans()):
        low = draw(st.integers(1 if log else -(10**6), 10**6))
        step = 1 if log else draw(st.integers(1, 1000))
        return IntDistribution(low, low + steps * step, log=log, step=step)
    if not log and draw(st.booleans()):
        first, scale = draw(st.integers(-1000, 1000)), draw(st.sampled_from([10, 100, 1000]))
        return FloatDistribution(first / scale, (first + steps) / scale, step=1 / scale)
    low_f = draw(st.floats(1e-300, 1e100) if log else st.floats(-1e100, 1e100))
    return FloatDistribution(low_f, draw(st.floats(low_f, 1e101)), log=log)


@st.composite
def spaces(draw: st.DrawFn, names: st.SearchStrategy[str]) -> SearchSpace:
    """Up to six parameters; some depend on earlier ones that depend on nothing."""
    choices = st.lists(SCALARS, min_size=1, max_size=4, unique=True).map(
        lambda v: CategoricalDistribution(tuple(v))
    )
    parameters: list[Parameter] = []
    for name in draw(st.lists(names, min_size=1, max_size=6, unique=True)):
        roots = [p for p in parameters if not p.when and not isinstance(p.distribution, FloatDistribution)]
        when: dict[str, tuple[Any, ...]] = {}
        for parent in (
            draw(st.lists(st.sampled_from(roots), max_size=2, unique_by=lambda p: p.name)) if roots else []
        ):
            d = parent.distribution
            assert isinstance(d, CategoricalDistribution | IntDistribution)
            values = d.choices if isinstance(d, CategoricalDistribution) else (d.low, d.high)
            when[parent.name] = tuple(
                draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))
            )
        parameters.append(Parameter(name=name, distribution=draw(st.one_of(choices, ranges())), when=when))
    return draw(st.permutations(parameters).map(lambda ps: SearchSpace(parameters=tuple(ps))))


@st.composite
def data_specs(draw: st.DrawFn) -> DataSpec:
    valid = draw(st.floats(0.01, 0.49))
    common: dict[str, Any] = {
        "positive": draw(st.none() | SCALARS),
        "task": draw(st.sampled_from([None, "classification", "regression"])),
        "valid": valid,
        "test": draw(st.floats(0.01, 0.5)),
        "limit": draw(st.none() | COUNTS),
    }
    if draw(st.booleans()):
        return DataSpec(name=draw(TEXTS), **common)
    target = draw(TEXTS)
    drop = tuple(draw(st.lists(TEXTS.filter(lambda t: t != target), max_size=2)))
    return DataSpec(file=draw(TEXTS), target=target, drop=drop, time=draw(st.none() | TEXTS), **common)


@st.composite
def bounds(draw: st.DrawFn, metric: str) -> list[Constraint]:
    """One or two bounds, as tight as they may be."""
    low, high = sorted([draw(FINITE), draw(FINITE)])
    lower = Constraint(metric=metric, operator=draw(st.sampled_from([">=", ">"])), bound=low)
    upper = Constraint(metric=metric, operator=draw(st.sampled_from(["<=", "<"])), bound=high)
    both = [lower, upper] if low < high else [lower]
    return draw(st.sampled_from([[lower], [upper], both]))


@st.composite
def profiles(draw: st.DrawFn, metrics: list[str], constraints: list[Constraint]) -> tuple[Profile, ...]:
    """Up to three, each with bounds, an order, or both."""
    found = []
    bounded = {c.metric for c in constraints}
    for name in draw(st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,9}", fullmatch=True), max_size=3, unique=True)):
        named = draw(st.lists(st.sampled_from(metrics), max_size=3, unique=True))
        order = [
            Criterion(
                objective=Objective(metric=m, direction=draw(st.sampled_from(["maximize", "minimize"]))),
                tolerance=tolerance / 100 if relative else tolerance,  # as it is read
                relative=relative,
            )
            for m in named
            for tolerance in (draw(st.sampled_from([0.0, 0.005, 12.5, 1e-9, 1 / 3])),)
            for relative in (tolerance > 0 and draw(st.booleans()),)
        ]
        free = [m for m in metrics if m not in bounded]
        own = draw(bounds(draw(st.sampled_from(free)))) if free and (not order or draw(st.booleans())) else []
        if metrics[0] in ("accuracy", "f1", "size_mb"):
            own = [c for c in own if not c.is_upper and c.bound < 0]
        if order or own:
            found.append(Profile(name=name, constraints=tuple(own), order=tuple(order)))
    return tuple(found)


@st.composite
def studies(draw: st.DrawFn) -> StudySpec:
    """Study specs of all three kinds: a family, a task by entry, a task from Python."""
    kind = draw(st.sampled_from(["family", "entry", "python"]))
    if kind == "family":
        metrics = draw(
            st.lists(st.sampled_from(["accuracy", "f1", "size_mb"]), min_size=1, max_size=3, unique=True)
        )
        constraints = [Constraint(metric="latency_us", operator="<=", bound=draw(st.floats(1e-3, 1e9)))]
    else:
        metrics = draw(st.lists(KEYS.map(lambda key: f"m {key}"), min_size=2, max_size=4, unique=True))
        constraints = draw(bounds(metrics[-1]))
    parameters = KEYS.map(lambda key: f"p {key}")
    space = draw(spaces(parameters))
    epochs = draw(st.none() | st.integers(1, 100))
    start: tuple[dict[str, Any], ...] = ()
    if not any(p.when for p in space):
        start = tuple(
            draw(
                st.lists(
                    st.builds(lambda u: {p.name: p.from_quantile(u) for p in space}, st.floats(0, 0.99)),
                    max_size=2,
                )
            )
        )
    return StudySpec(
        name=draw(NAMES),
        seed=draw(st.integers(0, 2**63 - 1)),
        data=draw(data_specs()) if kind == "family" else None,
        model=ModelSpec(
            family=draw(TEXTS),
            fixed=draw(
                st.dictionaries(
                    KEYS.filter(lambda k: k != "family" and not k.startswith("p ")),
                    SCALARS | st.lists(SCALARS, max_size=3),
                    max_size=3,
                )
            ),
        )
        if kind == "family"
        else None,
        task=TaskSpec(
            entry="a.b:C",
            options=draw(st.dictionaries(st.sampled_from(["x", "y", "depth"]), PLAIN, max_size=3)),
        )
        if kind == "entry"
        else None,
        objectives=tuple(
            Objective(metric=m, direction=draw(st.sampled_from(["maximize", "minimize"]))) for m in metrics
        ),
        constraints=tuple(constraints),
        profiles=draw(profiles(metrics, constraints)),
        space=space,
        budget=Budget(
            trials=draw(COUNTS),
            epochs=epochs,
            total_epochs=draw(st.none() | st.integers(100, 10**6)),
            timeout_s=draw(st.none() | st.floats(0.001, 1e9)),
        ),
        search=SearchOptions(sampler=draw(TEXTS), pruner=draw(TEXTS), replicate=draw(COUNTS), start=start),
        measure=MeasureOptions(
            threads=draw(st.integers(1, 1024)),
            batch=draw(st.integers(1, 10**6)),
            throughput_batch=draw(st.integers(1, 10**6)),
            on=draw(st.none() | TEXTS),
            precision_level=draw(st.none() | LEVELS),
            recall_level=draw(st.none() | LEVELS),
        ),
    )


SCHEMA = jsonschema.Draft7Validator(json_schema())


def has_task(spec: StudySpec) -> bool:
    return spec.model is None and spec.task is None


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=studies())
def test_parse_is_the_inverse_of_render(spec: StudySpec) -> None:
    content = to_dict(spec)
    assert parse_dict(content, has_task=has_task(spec)) == spec
    assert parse_dict(json.loads(json.dumps(content, allow_nan=False)), has_task=has_task(spec)) == spec
    again = parse_dict(tomllib.loads(to_toml(spec)), has_task=has_task(spec))
    assert again == spec
    assert again.digest() == spec.digest()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=studies())
def test_schema_accepts_what_the_parser_accepts(spec: StudySpec) -> None:
    content = to_dict(spec)
    if has_task(spec):
        content["task"] = {"entry": "a:B"}
    SCHEMA.validate(content)
