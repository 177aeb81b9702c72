"""The written report: what it says, and that it is one page which asks for nothing outside."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.report.conftest import size_mb

from satisfice.report import ReportContext, write_report
from satisfice.report.all_figures import all_figures, response_figures
from satisfice.report.headline import headline
from satisfice.report.sections import made_good
from satisfice.report.summary import comparison, epochs_saved, paragraphs
from satisfice.results.importance import Ablation, AblationRow
from satisfice.spec import parse_dict
from satisfice.spec.trial import TrialRecord, TrialState


@pytest.fixture(scope="session")
def report(digits, tmp_path_factory) -> Path:
    return write_report(
        digits.spec, digits.records, digits.context, tmp_path_factory.mktemp("report") / "deep"
    )


def text_of(page: Path) -> str:
    body = re.sub(r"<(script|style).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_the_index_says_what_was_chosen_and_why(report, digits):
    assert report.name == "index.html"
    text = text_of(report)
    chosen = digits.view.record(digits.context.chosen)
    accuracy = f"accuracy 0.9611 on the test split, {chosen.metrics['accuracy']:.4g} on validation"
    assert f"Chosen: trial {chosen.number}, {accuracy} (default configuration: not scored, " in text
    assert f"size_mb {chosen.metrics['size_mb']:.4g} ≤ 0.05" in text
    assert "On the test split, scored once: accuracy 0.9611." in text
    assert "3 proposals were turned away before training (3 by size_mb &lt;= 0.05 and 1 by flops" in text
    assert "The default configuration (trial 0) reaches accuracy" in text
    assert "stopped early (below the median at step 2), which saved about" in text


def test_it_is_one_file_that_points_to_nothing_outside(report):
    assert [p.name for p in report.parent.iterdir()] == ["index.html"]
    page = report.read_text(encoding="utf-8")
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert set(re.findall(r'(?:src|href)="([^"#]*)', outside)) == {
        "",
        "data:,",
    }  # within the page, and no icon
    assert "url(" not in outside
    # What is drawn as SVG names a namespace, which is no address that anything asks for.
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}


def test_contours_and_importances_exist_for_each_objective_and_constraint(digits):
    figures = response_figures(digits.view, lambda params: {"size_mb": size_mb(params["width"])})
    for group, count in (("importances", 4), ("contours", 3)):
        drawn = [f for f in figures if f.group == group]
        assert len(drawn) == count
        assert all(f.figure is not None for f in drawn)
        for metric, figure in zip(("accuracy", "flops", "size_mb"), drawn, strict=False):
            assert metric in figure.title
    contour = next(f for f in figures if f.title.startswith("size_mb over"))
    assert contour.figure is not None
    assert contour.caption.startswith("Computed for every point")


def test_the_pareto_figure_draws_the_bound_and_the_chosen(digits):
    figure = next(f for f in all_figures(digits.view) if f.title == "accuracy against size_mb").figure
    assert figure is not None
    names = [trace.name for trace in figure.data]
    assert f"chosen (trial {digits.context.chosen})" in names
    assert "does not fit" in names
    (line,) = [s for s in figure.layout.shapes if s.type == "line"]
    assert line.x0 == line.x1 == 0.05


def test_chosen_against_default_says_what_is_better(digits):
    rows = {row.name: row for row in comparison(digits.view)}
    chosen, default = digits.view.record(digits.context.chosen), digits.view.record(0)
    assert rows["accuracy"].better is (chosen.metrics["accuracy"] > default.metrics["accuracy"])
    assert rows["size_mb"].better is (chosen.metrics["size_mb"] < default.metrics["size_mb"])
    assert rows["width"].default == "100"
    assert rows["width"].better is None


def test_epochs_saved_counts_up_to_the_usual_length(digits):
    saved, seconds = epochs_saved(digits.records)
    assert saved == 6 * sum(r.state == TrialState.PRUNED for r in digits.records)
    assert seconds > 0


EMPTY = {"name": "s", "states": {}, "budget": {"trials": 9, "used": 0}, "workers": 0, "turned_away": 0}


def small(records, tmp_path, *, objectives=None, constraints=None, **context) -> str:
    content = {
        "name": "small <b>& co</b>",
        "objectives": objectives or {"gain": "maximize"},
        "constraints": constraints or {},
        "space": {"x": {"low": 0.0, "high": 1.0}, "kind": ["</script><script>alert(1)</script>", "b"]},
        "budget": {"trials": 9},
    }
    content["name"] = "small"
    spec = replace(parse_dict(content, has_task=True), name="small <b>& co</b>")
    index = write_report(spec, records, ReportContext(status=EMPTY, **{"chosen": None, **context}), tmp_path)
    return text_of(index)


def test_a_study_without_trials_says_so(tmp_path):
    assert "No trial is complete yet." in small([], tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for missing in (
        "No trial has finished yet.",
        "No trial has a value of gain",
        "No trial is complete yet.",
    ):
        assert missing in page


def test_nothing_fits_names_the_nearest_miss(tmp_path):
    records = [
        TrialRecord(
            number=n,
            state=TrialState.COMPLETE,
            params={"x": 0.1, "kind": "b"},
            metrics={"gain": 1.0, "cost": 6.0 + n},
        )
        for n in range(3)
    ]
    text = small(
        records, tmp_path, constraints={"cost": "<= 5"}, default_reason="its cost of 9 misses cost <= 5"
    )
    assert "Nothing fits. The nearest is trial 0: cost = 6 misses cost &lt;= 5 by 1 (20%)." in text
    assert "The default configuration was not trained: its cost of 9 misses cost &lt;= 5." in text


def test_where_no_trial_completed_the_headline_says_why(tmp_path):
    record = TrialRecord(number=0, state=TrialState.FAIL, params={}, reason="ValueError: boom")
    assert "No trial is complete; 1 trial failed (trial 0): ValueError: boom." in small([record], tmp_path)
    stopped = TrialRecord(number=1, state=TrialState.PRUNED, params={}, metrics={"cost": 6.0})
    text = small([stopped], tmp_path, constraints={"cost": "<= 5"})
    nearest = "The nearest is trial 1: cost = 6 misses cost &lt;= 5 by 1 (20%)."
    assert f"No trial is complete; 1 trial was stopped early: no reason was recorded. {nearest}" in text


def test_what_a_study_names_is_escaped(tmp_path):
    nasty = "</script><script>alert(1)</script>"
    records = [
        TrialRecord(
            number=n, state=TrialState.COMPLETE, params={"x": n / 9, "kind": nasty}, metrics={"gain": n * 1.0}
        )
        for n in range(9)
    ]
    small(records, tmp_path, chosen=8, notes=["<img src=x>"])
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert nasty not in page
    assert "<b>& co</b>" not in page
    assert "<img src=x>" not in page
    assert page.count("</script>") == 2
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    assert json.loads(data)["params"][1]["choices"][0]["text"] == nasty


def test_a_single_objective_without_constraints_reads_well(tmp_path):
    records = [
        TrialRecord(
            number=n, state=TrialState.COMPLETE, params={"x": n / 9, "kind": "b"}, metrics={"gain": n * 1.0}
        )
        for n in range(9)
    ]
    text = small(records, tmp_path, chosen=8, default=0)
    assert "Chosen: trial 8, gain 8 (default configuration: 0)." in text


def test_headline_and_paragraphs_survive_unknown_metrics(digits):
    bare = replace(digits.records[0], metrics={}, violations={})
    view = replace(digits.view, records=[bare], chosen=bare.number)
    bounds = "with size_mb unknown ≤ 0.05 and flops unknown ≤ 30,000"
    assert headline(view, replace(digits.context, test_metrics={})) == (
        f"Chosen: trial 0, the default configuration, accuracy unknown, {bounds}."
    )
    assert paragraphs(view, digits.context)


def test_it_needs_no_plotly_and_a_full_disk_leaves_the_earlier_page(monkeypatch, digits, tmp_path):
    for name in [m for m in sys.modules if m.split(".")[0] == "plotly"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "plotly", None)
    index = write_report(digits.spec, digits.records[:9], digits.context, tmp_path)
    earlier = index.read_bytes()

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_report(digits.spec, digits.records, digits.context, tmp_path)
    assert index.read_bytes() == earlier
    assert [p.name for p in tmp_path.iterdir()] == ["index.html"]


def test_reporting_imports_neither_torch_nor_plotly_nor_search():
    code = (
        "import sys, satisfice.report; "
        "print([m for m in ('torch', 'plotly', 'sklearn', 'satisfice.search') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_what_made_the_chosen_trial_good_is_told_where_its_ablation_is_known() -> None:
    row: dict[str, Any] = {"kind": "without", "direction": "maximize", "trainings": 3, "metric": "accuracy"}
    rows = [
        AblationRow(
            technique="dropout",
            change="dropout 0.3 -> 0",
            effect=0.02,
            low=0.01,
            high=0.03,
            verdict="better",
            **row,
        ),
        AblationRow(
            technique="l1", change="l1 <b> -> 0", effect=None, low=None, high=None, verdict="unknown", **row
        ),
    ]
    found = Ablation(study="s-ablation-4", parent="s", trial=4, seeds=3, trainings=6, lost=0, table=rows)
    text = made_good(ReportContext(status={}, chosen=4, ablation=found))
    assert "What made it good" in text
    cells = "<th>dropout 0.3 -&gt; 0</th><td>accuracy</td><td>+0.02</td><td>+0.01 to +0.03</td>"
    assert f'{cells}<td class="good">better</td>' in text
    assert "<th>l1 &lt;b&gt; -&gt; 0</th><td>accuracy</td><td>unknown</td><td></td><td>unknown</td>" in text
    assert made_good(ReportContext(status={}, chosen=4)) == ""
