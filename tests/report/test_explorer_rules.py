"""The page answers as Python does: random studies and questions are put to both. Needs node."""

import ast
import json
import math
import shlex
import shutil
import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report.random_studies import (
    NAMES,
    as_state,
    objective,
    python_answer,
    random_bounds,
    random_question,
    random_study,
)

import satisfice.report
from satisfice.choose import pareto_front
from satisfice.choose.bounds import number_text
from satisfice.choose.trial_group import candidates
from satisfice.report.columns import study_columns
from satisfice.report.context import Preference, ProfileView, StudyView
from satisfice.results.report_context import ReportContext
from satisfice.spec import parse_dict
from satisfice.spec.constraint import Constraint, parse_clause
from satisfice.spec.criterion import Criterion, parse_order
from satisfice.spec.trial import TrialRecord, TrialState

PAGE = Path(satisfice.report.__file__).parent / "web"
NODE = shutil.which("node")

ANSWER = """
const Question = require(process.argv[1] + "/question.js");
const number = (v) => (v === null || Number.isFinite(v) ? v : String(v));
const step = (study) => (s) => [study.trials.number[s.trial], s.cost, s.value, s.more, s.gain].map(number);
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
Promise.all(given.map(async ({ data, states }) => {
  const study = await Noise.unpack(Question.open(data)),
    n = (rows) => rows.map((r) => study.trials.number[r.trial]);
  return states.map((state) => {
    const found = Question.answer(study, state);
    return {
      winner: found.winner && study.trials.number[found.winner.trial],
      tied: n(found.choice.tied).sort((a, b) => a - b),
      cheapest: found.choice.cheapest && study.trials.number[found.choice.cheapest.trial],
      front: n(found.whole), pair: n(found.pair),
      finished: found.counts.finished, fitting: found.counts.fitting,
      bounds: found.asked.map((c, k) => [c.key, found.counts.missed[k], found.counts.alone[k]]).sort(),
      nearest: found.nearest && study.trials.number[found.nearest.trial],
      steps: found.price && found.price.steps.map(step(study)),
      unseen: found.unseen.map((u) => u.sentence), command: found.command,
    };
  });
})).then((out) => process.stdout.write(JSON.stringify(out)));
"""


def node(script: str, given: Any) -> Any:
    """What a script prints as JSON, the page's folder being its first argument."""
    if NODE is None:
        pytest.skip("node is not installed here")
    out = subprocess.run(
        [NODE, "-e", script, str(PAGE)], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    return json.loads(out.stdout)


def test_winner_front_counts_price_and_nearest_miss_are_those_of_python():
    given: list[Any] = []
    wanted: list[list[Any]] = []
    ruled = 0  # questions that the rule answers by another trial
    for seed in range(100):
        view, context = random_study(seed)
        data = study_columns(view, context, "s")
        rng = np.random.default_rng(1000 + seed)
        names = [m["name"] for m in data["metrics"]]
        asked = [random_question(rng, view, names) for _ in range(6)]
        given.append({"data": data, "states": [as_state(view, a) for a in asked]})
        wanted.append([python_answer(view, context, a) for a in asked])
        by_value = [python_answer(view, context, replace(a, rule="value")) for a in asked]
        ruled += sum(a["winner"] != b["winner"] for a, b in zip(wanted[-1], by_value, strict=True))
    found = node(ANSWER, given)
    kinds = {"winner": 0, "nearest": 0, "steps": 0, "unseen": 0, "tied": 0, "cheapest": 0}
    for seed, (answers, expected) in enumerate(zip(found, wanted, strict=True)):
        for k, (answer, want) in enumerate(zip(answers, expected, strict=True)):
            own = {key: answer[key] for key in want}
            assert own == want, (seed, k, given[seed]["states"][k])
            for kind in kinds:
                kinds[kind] += want[kind] is not None and want[kind] != []
    assert ruled > 10
    assert min(kinds.values()) > 10, kinds  # the studies are not all of one kind


def test_a_profile_is_asked_as_its_question_is():
    """Bounds beside the study's, and an order of preference that its command line need not say."""
    given: list[Any] = []
    wanted: list[list[Any]] = []
    for seed in range(60):
        view, context = random_study(seed)
        rng = np.random.default_rng(seed)
        wanted_order = [objective(view, str(n)) for n in rng.permutation(NAMES[:4])[:2]]
        order = tuple(
            Preference(objective=o, tolerance=t, relative=bool(rng.random() < 0.5))
            for o, t in zip(wanted_order, (0.1, 0.0), strict=True)
        )[: rng.integers(0, 3)]
        named = [p.objective for p in order]
        others = [o for o in view.objectives if o.metric not in {n.metric for n in named}]
        more = random_bounds(rng, 1)
        profile = ProfileView(
            name="a phone",
            objectives=(*named, *others),
            constraints=tuple(dict.fromkeys([*view.constraints, *more])),
            order=order,
        )
        data = study_columns(replace(view, profiles=(profile,)), context, "s")
        given.append({"data": data, "profile": "a phone"})
        fitting = [
            g
            for g in candidates(view.records, profile.constraints)
            if not math.isnan(g.mean(profile.objectives[0].metric))
        ]
        for p in (*order, *(Preference(objective=o) for o in others)):
            losses = [Criterion(objective=p.objective).loss(g) for g in fitting]
            least = min(losses, default=0.0)
            share = abs(least) if p.relative and math.isfinite(least) else 1.0
            rule = Criterion(objective=p.objective, tolerance=p.tolerance * share)
            fitting = [g for g, loss in zip(fitting, losses, strict=True) if rule.as_good(loss, least)]
        front = pareto_front(view.records, profile.objectives, profile.constraints)
        best_number = min((g.trial.number for g in fitting), default=None)
        wanted.append([best_number, [r.number for r in front]])
    found = node(PROFILED, given)
    assert [each[:2] for each in found] == wanted
    assert all(command.startswith("satisfice best s --profile 'a phone'") for _, _, command in found)
    assert sum(number is not None for number, _ in wanted) > 20


PROFILED = """
const Question = require(process.argv[1] + "/question.js");
const out = JSON.parse(require("fs").readFileSync(0, "utf8")).map(({ data, profile }) => {
  const study = Question.open(data), found = Question.answer(study, Question.first(study, profile));
  const number = (each) => study.trials.number[each.trial];
  return [found.winner && number(found.winner), found.whole.map(number), found.command];
});
process.stdout.write(JSON.stringify(out));
"""


def test_a_command_line_asks_the_same_question():
    studies = (random_study(seed) for seed in range(99))
    view, context = next(found for found in studies if found[0].constraints)
    data = study_columns(view, context, "it's a study")
    rng = np.random.default_rng(5)
    names = [m["name"] for m in data["metrics"]]
    asked = [random_question(rng, view, names) for _ in range(40)]
    (found,) = node(ANSWER, [{"data": data, "states": [as_state(view, a) for a in asked]}])
    for answer, question in zip(found, asked, strict=True):
        words = shlex.split(answer["command"])
        assert words[:3] == ["satisfice", "best", "it's a study"]
        options: list[tuple[str, str]] = list(zip(words[3::2], words[4::2], strict=True))
        where = [parse_clause(text) for name, text in options if name == "--where"]
        assert {c for c in question.where if c not in view.constraints} <= set(where)
        assert set(where) <= {*question.where, *view.constraints}
        order = [text for name, text in options if name == "--order"]
        rules = [text for name, text in options if name == "--rule"]
        assert rules == ([] if question.rule == "value" else [question.rule])
        if question.then is not None:
            criteria = parse_order(order, view.objectives, view.constraints)
            assert [c.objective for c in criteria] == [question.goal, question.then]
            assert criteria[0].tolerance == question.tolerance
        elif question.goal == view.objectives[0]:
            assert [name for name, _ in options if name not in ("--where", "--rule")] == []
        else:
            assert (f"--{question.goal.direction}", question.goal.metric) in options


TEXTS = """
const Text = require(process.argv[1] + "/text.js");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const all = given.numbers.map((v) => [Text.number(v), Choose.twelve(v)]);
const study = Choose.read(given.data);
const copied = [0, 1].map((i) => [Text.parameters(study, i, "toml"), Text.parameters(study, i, "python")]);
process.stdout.write(JSON.stringify({ all, copied }));
"""

NASTY = "</script><script>alert('1')</script>"


def test_numbers_and_parameters_read_back_as_they_were():
    rng = np.random.default_rng(3)
    numbers = [float(rng.normal() * 10.0 ** rng.integers(-9, 14)) for _ in range(300)]
    numbers += [0.0, 1.0, -1.0, 0.1, 123456.0, 1e12, 1e-5, 0.0001, 99999.5, 2.5]
    space = {
        "x": {"low": 0.0, "high": 4.0},
        "a b": {"low": 1, "high": 10**18},
        NASTY: [True, False],
        "kind": ["it's", NASTY, 'say "hi"'],
        "step": [1, 1.5, 2],
    }
    content = {"name": "s", "objectives": {"gain": "maximize"}, "space": space, "budget": {"trials": 9}}
    spec = parse_dict(content, has_task=True)
    params = [
        {"x": 2.0, "a b": 10**17 + 1, NASTY: True, "kind": NASTY, "step": 1},
        {"x": 1e-9, "a b": 7, NASTY: False, "kind": 'say "hi"', "step": 1.5},
    ]
    records = [
        TrialRecord(number=n, state=TrialState.COMPLETE, params=p, metrics={"gain": 1.0 * n})
        for n, p in enumerate(params)
    ]
    view = StudyView(records=records, objectives=spec.objectives, constraints=(), space=spec.space)
    data = study_columns(view, ReportContext(status={}, chosen=None), "s")
    found = node(TEXTS, {"numbers": numbers, "data": data})
    for value, (short, key) in zip(numbers, found["all"], strict=True):
        assert short == number_text(value)
        assert key == Constraint(metric="m", operator="<=", bound=value).key.removeprefix("m <= ")
    for wanted, (toml, python) in zip(params, found["copied"], strict=True):
        for back in (tomllib.loads(toml), ast.literal_eval(python)):
            assert back == wanted
            assert {k: type(v) for k, v in back.items()} == {k: type(v) for k, v in wanted.items()}


EDGES = """
const PlotData = require(process.argv[1] + "/plot_data.js");
const { over, columns, rows } = JSON.parse(require("fs").readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(PlotData.edge(over, columns, rows)));
"""


def test_an_edge_separates_what_fits_from_what_does_not():
    columns, rows = 21, 17
    over = [math.hypot(c - 10, r - 8) - 5.3 for r in range(rows) for c in range(columns)]
    segments = node(EDGES, {"over": over, "columns": columns, "rows": rows})
    assert len(segments) > 20
    for (x0, y0), (x1, y1) in segments:
        for x, y in ((x0, y0), (x1, y1)):
            assert math.hypot(x - 10, y - 8) == pytest.approx(5.3, abs=0.1)
