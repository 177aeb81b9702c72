"""The report in a real browser: it answers as Python does, links its views, and is usable by everybody."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from tests.report.conftest import Reported, axe_violations, size_mb
from tests.report.random_studies import Asked, python_answer

from satisfice.report import write_report
from satisfice.report.context import StudyView
from satisfice.report.page import page_bytes
from satisfice.results.report_context import ReportContext
from satisfice.spec import parse_dict
from satisfice.spec.constraint import Constraint
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PATIENCE = 120_000  # milliseconds; on a busy machine 30 s are too few


class Watched:
    """A page, and what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        page.on("request", lambda r: self.requests.append(r.url))

    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.page.evaluate("document.documentElement.dataset.answer"))
        return found

    def copied_by(self, button: str) -> str:
        """What a button copies; it does so in its own time."""
        self.page.evaluate("delete document.documentElement.dataset.copied")
        self.page.click(button)
        self.page.locator("html[data-copied]").wait_for()  # the page's policy forbids to poll by eval
        text: str = self.page.evaluate("document.documentElement.dataset.copied")
        return text


@pytest.fixture(scope="module")
def report(digits: Reported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of the digits, one of its trials trained again with another seed, and another that ties."""
    again = max(r.number for r in digits.records) + 1
    best = next(r for r in digits.records if r.number == digits.context.chosen)
    seeds = replace(best, number=again, replicate_of=best.number, metrics={**best.metrics, "accuracy": 0.9})
    tie = replace(best, number=again + 1, params={**best.params, "l2": 1e-6})
    records = [*digits.records, seeds, tie]
    folder = tmp_path_factory.mktemp("page")
    return write_report(
        digits.spec, records, digits.context, folder, lambda p: {"size_mb": size_mb(p["width"])}
    )


def opened(chromium: Browser, path: Path, **options: Any) -> Watched:
    size = {"viewport": {"width": 1200, "height": 900}, "offline": True}
    context = chromium.new_context(**{**size, **options})
    watched = Watched(context.new_page())
    watched.page.goto(f"file://{path}")
    watched.page.locator("html[data-ready]").wait_for()
    return watched


@pytest.fixture
def page(chromium: Browser, report: Path) -> Iterator[Watched]:
    watched = opened(chromium, report)
    yield watched
    watched.page.context.close()
    assert watched.problems == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in watched.requests)


def view_of(digits: Reported, report: Path) -> StudyView:
    """The study that the page was made of, read back from what the page carries."""
    again = max(r.number for r in digits.records) + 1
    best = next(r for r in digits.records if r.number == digits.context.chosen)
    seeds = replace(best, number=again, replicate_of=best.number, metrics={**best.metrics, "accuracy": 0.9})
    tie = replace(best, number=again + 1, params={**best.params, "l2": 1e-6})
    return replace(digits.view, records=[*digits.records, seeds, tie])


def ask(watched: Watched, asked: Asked, view: StudyView) -> None:
    """Move the controls as a person does."""
    page = watched.page
    page.click("#reset")
    page.select_option("#goal", f"{asked.goal.direction} {asked.goal.metric}")
    if asked.then is not None:
        page.select_option("#by", "within")
        page.fill("#tolerance", str(asked.tolerance))
        page.select_option("#then", f"{asked.then.direction} {asked.then.metric}")
    page.select_option("#rule", asked.rule)
    page.select_option("#axis-x", asked.x)
    page.select_option("#axis-y", asked.y)
    for c in asked.where:
        row = page.locator("#bounds .bound", has_text=f"{c.metric} {c.operator}")
        if row.count():
            row.locator("input[type=number]").fill(str(c.bound))
        else:
            page.select_option("#new-metric", c.metric)
            page.click("#new-bound")
            page.locator("#bounds .bound").last.locator("input[type=number]").fill(str(c.bound))


def test_twenty_random_questions_are_answered_as_python_does(page, digits, report):
    view = view_of(digits, report)
    rng = np.random.default_rng(11)
    goals = [*view.objectives, Objective(metric="size_mb", direction="minimize")]
    winners = set()
    for _ in range(20):
        first, second = (goals[i] for i in rng.permutation(3)[:2])
        bound = round(float(rng.choice([r.metrics["size_mb"] for r in view.records])), 5)
        where = [Constraint(metric="size_mb", operator="<=", bound=bound)]
        if rng.random() < 0.5:
            value = float(np.round(rng.uniform(0.5, 0.97), 3))
            where.append(Constraint(metric="accuracy", operator=">=", bound=value))
        asked = Asked(
            first,
            second if rng.random() < 0.5 else None,
            0.01 if first.metric != "flops" else 1000.0,
            tuple(where),
            second.metric,
            first.metric,
        )
        ask(page, asked, view)
        found, wanted = page.answer(), python_answer(view, digits.context, asked)
        assert {k: found[k] for k in ("winner", "front", "pair", "nearest")} == {
            k: wanted[k] for k in ("winner", "front", "pair", "nearest")
        }
        assert found["counts"]["fitting"] == wanted["fitting"]
        winners.add(found["winner"])
    assert len(winners) >= 3


def test_sliders_move_the_winner_at_once(page):
    before = page.answer()["winner"]
    slider = page.page.locator("#bounds input[type=range]").first
    slider.focus()
    for _ in range(60):
        slider.press("ArrowLeft")
    assert page.answer()["winner"] != before
    assert "--where" in page.page.inner_text("#command")


def test_brushing_points_links_scatter_lines_and_table(page):
    box = page.page.locator("#scatter").bounding_box()
    assert box is not None
    page.page.locator("#scatter").scroll_into_view_if_needed()
    box = page.page.locator("#scatter").bounding_box()
    page.page.mouse.move(box["x"] + 80, box["y"] + 30)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 400, box["y"] + 300, steps=4)
    page.page.mouse.up()
    said = page.page.inner_text("#rows-says")
    assert "shown, 42 in all" in said
    rows = page.page.locator("#rows tr").count()
    assert 0 < rows < 42
    page.page.click("#clear-brush")
    assert page.page.locator("#rows tr").count() == 42
    page.page.select_option("#range-axis", "width")
    page.page.locator("#range-high").fill("30")
    assert 0 < page.page.locator("#rows tr").count() < 42


def test_the_table_sorts_filters_hides_and_copies(page, digits, report):
    view = view_of(digits, report)
    accuracy = page.page.locator("#head button", has_text="accuracy")
    accuracy.click()
    header = page.page.locator("#head th", has=page.page.locator("button", has_text="accuracy"))
    assert header.get_attribute("aria-sort") == "descending"
    column = page.page.locator("#head button").all_inner_texts().index("accuracy") + 1
    shown = page.page.locator(f"#rows tr > :nth-child({column})").all_inner_texts()
    values = [float(text) for text in shown if text != "–"]
    assert values == sorted(values, reverse=True)
    page.page.fill("#filter", "optimizer = adam; size_mb <= 0.05")
    wanted = [r for r in view.records if r.params["optimizer"] == "adam" and r.metrics["size_mb"] <= 0.05]
    assert page.page.locator("#rows tr").count() == len(wanted) > 0
    page.page.fill("#filter", "nothing of that name > 1")
    assert "No metric or parameter is called" in page.page.inner_text("#filter-says")
    page.page.fill("#filter", "state = PRUNED")
    assert page.page.locator("#rows tr").count() == sum(r.state == TrialState.PRUNED for r in view.records)
    page.page.fill("#filter", "")
    page.page.click("#trials summary")
    page.page.uncheck("#columns label:has-text('learning_rate') input")
    assert "learning_rate" not in page.page.locator("#head button").all_inner_texts()
    page.page.click(f"[aria-label='Open trial {view.records[3].number}']")
    assert tomllib.loads(page.copied_by("#copy-toml")) == dict(view.records[3].params)
    assert ast.literal_eval(page.copied_by("#copy-dict")) == dict(view.records[3].params)


def test_everything_is_reached_by_keyboard(page):
    tab = page.page
    tab.focus("#scatter")
    tab.keyboard.press("Home")
    first = tab.inner_text("#announce")
    tab.keyboard.press("ArrowRight")
    assert first.startswith("trial ")
    assert tab.inner_text("#announce") != first
    tab.keyboard.press("b")
    assert tab.inner_text("#announce") == "1 trial selected."
    assert tab.locator("#rows tr").count() == 1
    tab.keyboard.press("Escape")
    tab.keyboard.press("Enter")
    assert tab.locator("#trial").is_visible()
    tab.keyboard.press("Escape")
    assert not tab.locator("#trial").is_visible()
    # From the top every control has its turn.
    tab.focus(".skip")
    seen = set()
    for _ in range(90):
        tab.keyboard.press("Tab")
        seen.add(tab.evaluate("document.activeElement.id"))
    wanted = {
        "goal",
        "by",
        "rule",
        "reset",
        "new-bound",
        "copy-command",
        "axis-x",
        "axis-y",
        "scatter",
        "filter",
    }
    assert wanted <= seen


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_it_opens_at_any_width_in_light_and_dark(chromium, report, scheme, width):
    watched = opened(chromium, report, color_scheme=scheme, viewport={"width": width, "height": 900})
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert watched.problems == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in watched.requests)
    for canvas in page.locator("canvas:not(.one)").all():
        drawn = canvas.evaluate(
            "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            " return d.some((v, i) => i % 4 === 3 && v > 0); }"
        )
        assert drawn, canvas.get_attribute("id") or canvas.get_attribute("data-metric")
    page.context.close()


MARKS = """() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const light = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16) / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  const of = (hex) => { const [r, g, b] = light(hex); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ratio = (a, b) => (Math.max(of(a), of(b)) + 0.05) / (Math.min(of(a), of(b)) + 0.05);
  const bounds = [1, 2, 3, 4, 5, 6].map((k) => 'bound-' + k);
  const names = ['accent', 'soft', 'bad', 'grey', 'violet', 'chosen', 'edge', 'text', ...bounds];
  return Object.fromEntries(names.map((n) => [n, ratio(css(n), css('card'))]));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_stand_out_three_to_one(chromium, report, scheme):
    watched = opened(chromium, report, color_scheme=scheme)
    found = watched.page.evaluate(MARKS)
    watched.page.context.close()
    assert min(found.values()) >= 3, found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_axe_finds_nothing(chromium, report, axe, scheme, width):
    """Contrast of text of at least 4.5 to 1 among all its rules."""
    watched = opened(chromium, report, color_scheme=scheme, viewport={"width": width, "height": 900})
    page = watched.page
    found = axe_violations(page, axe)
    page.context.close()
    assert found == []


def test_names_are_text_whatever_they_are(chromium, tmp_path):
    nasty = "<script>document.title = 'run'</script><img src=x onerror=\"document.title='run'\">"
    space = {nasty: {"low": 0.0, "high": 1.0}, "kind": [nasty, "b"], "other": {"low": 0.0, "high": 1.0}}
    metric = 'it\'s "good" & so'
    content = {"name": "s", "objectives": {metric: "maximize"}, "space": space, "budget": {"trials": 9}}
    spec = parse_dict(content, has_task=True)
    rng = np.random.default_rng(0)
    records = [
        TrialRecord(
            number=n,
            state=TrialState.COMPLETE if n else TrialState.FAIL,
            params=spec.space.sample(rng),
            metrics={metric: float(rng.random())} if n else {},
            reason=None if n else nasty,
            worker=nasty,
            reports={1: {metric: 0.5}},
        )
        for n in range(20)
    ]
    view = StudyView.of(spec, records, ReportContext(status={}, chosen=1))
    path = tmp_path / "index.html"
    path.write_bytes(page_bytes(nasty, view, ReportContext(status={}, chosen=1, notes=[nasty])))
    watched = opened(chromium, path)
    watched.page.click("[aria-label='Open trial 0']")
    assert nasty in watched.page.inner_text("#trial-facts")
    assert watched.page.title() == nasty
    assert watched.page.locator("img").count() == 0
    assert watched.problems == []
    watched.page.context.close()


def test_a_study_without_trials_opens(chromium, digits, tmp_path):
    watched = opened(chromium, write_report(digits.spec, [], digits.context, tmp_path))
    assert watched.page.locator("#explorer-absent").is_visible()
    assert watched.problems == []
    watched.page.context.close()
