"""Three real studies in a real browser: the page chooses what `Study.best` chooses, whatever it is asked."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from tests.report.conftest import axe_violations

import satisfice
from satisfice.choose import BestTrial
from satisfice.errors import NoFeasibleTrial
from satisfice.report.context import StudyView
from satisfice.report.estimates import SurfaceEstimate, SurfaceEstimates
from satisfice.report.importance import importances
from satisfice.report.slices import points_of, slices_of
from satisfice.search.metric_models import MetricModels
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.study import Study
from satisfice.surrogate.encoding import Encoder

pytestmark = [pytest.mark.slow, pytest.mark.browser]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120_000  # milliseconds
QUESTIONS = 20
PROFILES: dict[str, dict[str, Any]] = {
    "titanic": {
        "small": {"constraints": {"size_kb": "<= 6"}, "order": ["accuracy within 1%", "size_kb"]},
        "fast": {"constraints": {"latency_ms": "<= 0.5"}, "order": ["f1", "latency_ms"]},
    },
    "diabetes_linear": {"careful": {"constraints": {"r2": ">= 0.4"}, "order": ["rmse within 2%", "mae"]}},
    "digits_edge": {
        "edge": {"constraints": {"size_mb": "<= 0.03"}, "order": ["accuracy within 0.01", "size_mb"]}
    },
}
BUDGETS = {"titanic": (14, None), "diabetes_linear": (16, None), "digits_edge": (14, 5)}


@dataclass(frozen=True)
class Explored:
    """A finished study and its page."""

    study: Study
    path: Path


@pytest.fixture(scope="session", params=list(BUDGETS))
def explored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Explored:
    """A study of the repository with a small budget, profiles, and a configuration trained with two seeds."""
    name: str = request.param
    content = tomllib.loads((ROOT / "studies" / f"{name}.toml").read_text(encoding="utf-8"))
    trials, epochs = BUDGETS[name]
    content["budget"] = {"trials": trials} | ({} if epochs is None else {"epochs": epochs})
    content["profiles"] = PROFILES[name]
    content["search"] = {**content.get("search", {}), "replicate": 2}
    folder = tmp_path_factory.mktemp(name)
    study = satisfice.create_study(content, f"sqlite:///{folder}/s.db")
    study.optimize()
    return Explored(study, study.report(folder / "report"))


@pytest.fixture
def page(chromium: Browser, explored: Explored) -> Iterator[Page]:
    """Its page, which asks nothing of the network and complains of nothing."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900}, offline=True)
    tab, problems, requests = context.new_page(), [], []
    tab.set_default_timeout(PATIENCE)
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None)
    tab.on("request", lambda r: requests.append(r.url))
    tab.goto(f"file://{explored.path}")
    tab.locator("html[data-ready=yes]").wait_for()
    yield tab
    context.close()
    assert problems == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in requests)


def answer(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.evaluate("document.documentElement.dataset.answer"))
    return found


def ask(page: Page, study: Study, rng: np.random.Generator) -> dict[str, Any]:
    """Put a random question by the controls; returns it as `Study.best` takes it."""
    asked: dict[str, Any] = {}
    names = [p.name for p in study.spec.profiles]
    profile = str(rng.choice(["", *names]))
    page.select_option("#profile", profile)
    page.click("#reset")
    if profile:
        asked["profile"] = profile
    if rng.random() < 0.6:
        values = [o for o in page.locator("#goal option").evaluate_all("all => all.map((o) => o.value)") if o]
        direction, metric = str(rng.choice(values)).split(" ", 1)
        page.select_option("#goal", f"{direction} {metric}")
        asked[direction] = metric
        if rng.random() < 0.5:
            then = str(
                rng.choice(page.locator("#then option").evaluate_all("all => all.map((o) => o.value)"))
            )
            page.select_option("#by", "within")
            page.fill("#tolerance", "0.02")
            page.select_option("#then", then)
            asked = {k: v for k, v in asked.items() if k == "profile"}
            asked["order"] = [f"{direction} {metric} within 0.02", then]
    asked["rule"] = str(rng.choice(["value", "one-standard-error"]))
    page.select_option("#rule", asked["rule"])
    if rng.random() < 0.7:
        row = page.locator("#bounds .bound").nth(int(rng.integers(page.locator("#bounds .bound").count())))
        metric, operator = row.locator("label").inner_text().split()
        recorded = [r.metrics[metric] for r in study.records() if r.state is TrialState.COMPLETE]
        bound = float(f"{rng.choice(recorded):.4g}")
        row.locator("input[type=number]").fill(repr(bound))
        asked["where"] = [f"{metric} {operator} {bound!r}"]
    return asked


def chosen_of(study: Study, asked: dict[str, Any]) -> BestTrial | None:
    try:
        return study.best(**asked)
    except NoFeasibleTrial:
        return None


def nearest_of(study: Study, asked: dict[str, Any]) -> int | None:
    with pytest.raises(NoFeasibleTrial) as nothing:
        study.best(**asked)
    return None if nothing.value.nearest is None else nothing.value.nearest.number


def test_twenty_random_questions_are_answered_as_the_study_does(page: Page, explored: Explored) -> None:
    study, rng = explored.study, np.random.default_rng(3)
    winners, ties = set(), 0
    assert any(r.replicate_of is not None for r in study.records())
    for _ in range(QUESTIONS):
        asked = ask(page, study, rng)
        found = answer(page)
        front = {k: v for k, v in asked.items() if k in ("profile", "where")}
        assert found["front"] == [r.number for r in study.pareto_front(**front)], asked
        best = chosen_of(study, asked)
        if best is None:
            assert found["winner"] is None, asked
            assert found["nearest"] == nearest_of(study, asked), asked
            continue
        assert found["winner"] == best.number, asked
        assert found["tied"] == list(best.tied), asked
        assert found["cheapest"] == (None if best.cheapest_tied is None else best.cheapest_tied[0]), asked
        winners.add(best.number)
        ties += bool(best.tied)
    assert len(winners) >= 2
    assert ties >= 1


def test_the_command_asks_for_the_rule(page: Page) -> None:
    page.select_option("#rule", "one-standard-error")
    assert page.inner_text("#command").endswith("--rule one-standard-error")
    page.click("#reset")
    assert "--rule" not in page.inner_text("#command")


def test_card_and_table_have_intervals(page: Page) -> None:
    assert " to " in page.locator("#result .card table").first.inner_text()
    assert page.locator("#rows .ends").count() > 0
    page.uncheck("#intervals")
    assert page.locator("#rows .ends").count() == 0


def test_trials_are_filtered_by_what_their_training_shows(page: Page, explored: Explored) -> None:
    shown = {d.number: [f.label for f in d.labels] for d in explored.study.diagnose()}
    labels = {label for each in shown.values() for label in each}
    for label in labels:
        page.fill("#filter", f"diagnosis = {label}")
        wanted = sum(label in each for each in shown.values())
        assert page.locator("#rows tr").count() == wanted
        assert page.locator("#filter-says").inner_text() == ""
    page.fill("#filter", "")
    number = next((n for n, each in shown.items() if each), None)
    if number is not None:
        page.click(f"[aria-label='Open trial {number}']")
        assert "What the training shows" in page.inner_text("#trial-facts")


def test_what_to_change_next_is_what_health_says(page: Page, explored: Explored) -> None:
    notes = explored.study.health()
    shown = page.locator("#better li").all_inner_texts()
    assert len(shown) == min(len(notes), 6)
    for note, text in zip(notes, shown, strict=False):
        assert note.subject in text
        assert " ".join(note.evidence.split()) in " ".join(text.split())


def models_of(view: StudyView) -> MetricModels:
    return MetricModels(view.space, view.objectives, view.constraints, view.records)


def test_a_diverged_trial_moves_no_surface_by_more_than_its_uncertainty(explored: Explored) -> None:
    """A trial as satisfice records one whose loss exploded, beside complete ones."""
    study = explored.study
    view = StudyView.of(study.spec, study.records(with_reports=True), study.report_context())
    goal, encoder = view.objectives[0].metric, Encoder(view.space)
    ranked = {m: importances(view, m, None) for m in view.metric_names}
    slices = slices_of(view, None, ranked, models_of(view))
    points = [params for k in range(len(slices.pairs)) for _, _, params in points_of(slices, view, k)]
    x = encoder.scaled(np.array([encoder.raw(params) for params in points]))
    before = SurfaceEstimates(view, models_of(view)).of(goal)
    assert isinstance(before, SurfaceEstimate)
    mean, sd = before.model.predict(x)
    width = np.abs(before.model.values(mean + 2 * sd) - before.model.values(mean - 2 * sd)) / 2
    worst = [replace(r, number=len(view.records)) for r in diverged(view, goal)]
    for trial in worst:
        more = replace(view, records=[*view.records, trial])
        after = SurfaceEstimates(more, models_of(more)).of(goal)
        assert isinstance(after, SurfaceEstimate)
        apart = np.abs(after.at(x)[0] - before.at(x)[0])
        assert np.all(apart <= width), (trial.params, float((apart / width).max()))


def diverged(view: StudyView, goal: str) -> list[TrialRecord]:
    """Beside some complete trials: the training ended after one step, with a score that means nothing."""
    awful = -1e30 if view.objectives[0].direction == "maximize" else 1e30
    return [
        replace(
            r,
            state=TrialState.PRUNED,
            reason="diverged: the training loss is nan in epoch 1",
            metrics={},
            standard_errors={},
            reports={1: {goal: awful}},
            steps=1,
        )
        for r in view.complete[:3]
    ]


def test_a_report_for_a_profile_begins_with_its_question(chromium: Browser, explored: Explored) -> None:
    study = explored.study
    name = study.spec.profiles[0].name
    path = study.report(explored.path.parent / name, name, rule="one-standard-error")
    tab = chromium.new_page()
    tab.goto(f"file://{path}")
    tab.locator("html[data-ready=yes]").wait_for(timeout=PATIENCE)
    best = chosen_of(study, {"profile": name, "rule": "one-standard-error"})
    assert answer(tab)["winner"] == (None if best is None else best.number)
    command = tab.inner_text("#command")
    assert command == f"satisfice best {study.name} --profile {name} --rule one-standard-error"
    tab.select_option("#profile", "")
    tab.select_option("#rule", "value")
    own = chosen_of(study, {})
    assert answer(tab)["winner"] == (None if own is None else own.number)
    tab.close()


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (400, "dark"), (1200, "dark")])
def test_it_is_readable_at_any_width_in_light_and_dark(
    chromium: Browser, explored: Explored, axe: str, width: int, scheme: Any
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    tab = context.new_page()
    tab.goto(f"file://{explored.path}")
    tab.locator("html[data-ready=yes]").wait_for(timeout=PATIENCE)
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = axe_violations(tab, axe)
    context.close()
    assert found == []
