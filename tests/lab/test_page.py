"""The lab's page in a real browser: every widget to its end, by keyboard, on a phone, in the dark."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, ConsoleMessage, Page, expect
from tests.lab.visitors import LabVisitor, wait_for

from satisfice.cli.main import cli
from satisfice.dashboard.server import make_dashboard_server
from satisfice.lab.app import make_lab
from satisfice.lab.bench import Bench
from satisfice.lab.subject import Subject

pytestmark = pytest.mark.slow
LIMIT_MS = 300_000
OVER = re.compile("^(Done|Diverged|Stopped|values|the|[A-Za-z]+Error)")


@pytest.fixture
def lab_page(chromium: Browser, lab_address: str) -> Iterator[Page]:
    """The page, open; it may neither complain nor ask anybody else."""
    context = chromium.new_context(viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if _is_fault(said) else None)
    away = ("data:", "blob:", lab_address)
    opened.on("request", lambda asked: None if asked.url.startswith(away) else wrong.append(asked.url))
    opened.goto(lab_address)
    expect(opened.locator("body[data-ready=yes]")).to_be_visible()
    yield opened
    context.close()
    assert wrong == []


def _is_fault(said: ConsoleMessage) -> bool:
    """An answer 400 is told on the page."""
    return said.type == "error" and "400" not in said.text


def end(page: Page, widget: str, said: str = "Done.") -> None:
    state = page.locator(f"#{widget}-state")
    expect(state).to_have_text(OVER, timeout=LIMIT_MS)
    expect(state).to_contain_text(said)


def slide(page: Page, control: str, value: float) -> None:
    page.locator(f"#{control}").fill(str(value))


def cells(page: Page, widget: str) -> list[list[str]]:
    rows = page.locator(f"#{widget} tbody tr").all()
    return [row.locator("td").all_inner_texts() for row in rows]


def test_l1_zeroes_weights_and_l2_does_not(lab_page: Page) -> None:
    lab_page.click("#penalties-train")
    end(lab_page, "penalties")
    zero = [row for row in cells(lab_page, "penalties") if row[2] == "zero"]
    assert 0 < len(zero) < len(cells(lab_page, "penalties"))
    assert all(row[1] == "0" for row in zero)
    said = lab_page.locator("#penalties-says").inner_text()
    slide(lab_page, "penalties-alpha", -0.2)  # the strongest: nothing is left, and nothing is trained anew
    expect(lab_page.locator("#penalties-says")).not_to_have_text(said)
    assert all(row[1] == "0" for row in cells(lab_page, "penalties"))
    lab_page.select_option("#penalties-penalty", "l2")
    expect(lab_page.locator("#penalties-says")).to_contain_text("0 of", timeout=LIMIT_MS)
    end(lab_page, "penalties")
    scaled = cells(lab_page, "penalties")
    lab_page.select_option("#penalties-scaling", "none")
    expect(lab_page.locator("#penalties-state")).not_to_have_text("Done.")
    end(lab_page, "penalties")
    assert cells(lab_page, "penalties") != scaled


def test_dropout_has_both_curves(lab_page: Page) -> None:
    slide(lab_page, "dropout-epochs", 10)
    end(lab_page, "dropout")
    assert lab_page.locator("#dropout h3").all_inner_texts() == ["No dropout", "Dropout 0.5"]
    assert lab_page.locator("#dropout .charts > div > svg path.line").count() == 4
    assert len(cells(lab_page, "dropout")) == 2


def test_patience_moves_its_mark_without_training(lab_page: Page) -> None:
    asked: list[str] = []
    lab_page.on("request", lambda request: asked.append(request.url))
    slide(lab_page, "stopping-epochs", 30)
    end(lab_page, "stopping")
    trained = len(asked)
    slide(lab_page, "stopping-patience", 1)
    expect(lab_page.locator("#stopping-says")).to_contain_text("With patience 1 it stops")
    slide(lab_page, "stopping-patience", 60)
    expect(lab_page.locator("#stopping-says")).to_contain_text("would not have stopped within 30 epochs")
    assert len(asked) == trained


def test_a_learning_rate_falls_and_explodes(lab_page: Page) -> None:
    slide(lab_page, "rates-epochs", 10)
    end(lab_page, "rates")
    assert lab_page.locator("#rates rect").count() == 17 * 17
    lab_page.select_option("#rates-schedule", "cosine")
    expect(lab_page.locator("#rates h3").first).to_contain_text("cosine")
    end(lab_page, "rates")
    assert lab_page.locator("#rates path.faint").count() > 0  # the one before
    slide(lab_page, "rates-learning_rate", 1)
    end(lab_page, "rates", "Diverged")


def test_depth_opens_the_gap(lab_page: Page) -> None:
    slide(lab_page, "trees-rounds", 30)
    end(lab_page, "trees")
    rows = cells(lab_page, "trees")
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "8", "16"]
    assert float(rows[-1][1]) > float(rows[0][1])  # training score
    assert float(rows[-1][3]) > float(rows[0][3].replace("−", "-"))  # and the gap


def test_files_shrink(lab_page: Page) -> None:
    slide(lab_page, "compression-epochs", 5)
    end(lab_page, "compression")
    rows = cells(lab_page, "compression")
    size = [int(row[3].replace(",", "")) for row in rows]
    assert size[1] < size[0]  # int8
    assert size[2] == size[4] < size[0]  # pruned, and small from the start
    assert size[3] < min(size[1], size[2])
    assert all(float(row[5]) > 0 for row in rows)


def test_two_settings_with_their_noise(lab_page: Page) -> None:
    lab_page.fill("#compare-b-width", "8")
    slide(lab_page, "compare-seeds", 2)
    end(lab_page, "compare")
    rows = {row[0]: row for row in cells(lab_page, "compare")}
    assert rows["bytes"][5] == "a difference"
    assert "to" in rows["accuracy"][4]
    lab_page.select_option("#compare-b-family", "boosting")
    expect(lab_page.locator("#compare-b-rounds")).to_be_visible()
    lab_page.fill("#compare-b-rounds", "-5")
    lab_page.click("#compare-train")
    expect(lab_page.locator("#compare-state")).to_contain_text("rounds")


@pytest.mark.parametrize("button", ["dropout-study", "penalties-study", "trees-study", "compare-study1"])
def test_make_this_a_study(button: str, lab_page: Page, tmp_path: Path) -> None:
    with lab_page.expect_download() as got:
        lab_page.click(f"#{button}")
    file = tmp_path / got.value.suggested_filename
    got.value.save_as(file)
    done = CliRunner().invoke(cli, ["check", str(file), "--no-train"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_a_change_cancels_and_so_does_closing_the_page(lab_page: Page, bench: Bench) -> None:
    slide(lab_page, "stopping-epochs", 300)
    expect(lab_page.locator("#stopping-state")).to_contain_text("Training", timeout=LIMIT_MS)
    first = next(reversed(bench._jobs.values()))
    slide(lab_page, "stopping-epochs", 295)
    wait_for(lambda: first.cancelled)
    expect(lab_page.locator("#stopping-state")).to_contain_text("Training", timeout=LIMIT_MS)
    second = next(reversed(bench._jobs.values()))
    assert second is not first
    assert not second.cancelled
    lab_page.close()
    wait_for(lambda: second.cancelled)


def test_by_keyboard_alone(lab_page: Page) -> None:
    for _ in range(40):
        lab_page.keyboard.press("Tab")
        if lab_page.locator("#dropout-dropout:focus").count():
            break
    lab_page.keyboard.press("End")  # the slider's end begins a training
    expect(lab_page.locator("#dropout-state")).to_contain_text("Training", timeout=LIMIT_MS)
    lab_page.keyboard.press("Tab")
    lab_page.keyboard.press("Home")  # a narrow network
    lab_page.keyboard.press("Tab")
    lab_page.keyboard.press("Home")  # few epochs
    end(lab_page, "dropout")
    assert lab_page.locator("#dropout h3").last.inner_text() == "Dropout 0.9"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(scheme: Any, lab_page: Page) -> None:
    lab_page.set_viewport_size({"width": 400, "height": 800})
    lab_page.emulate_media(color_scheme=scheme)
    lab_page.click("#penalties-train")
    end(lab_page, "penalties")
    assert lab_page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth") == 0
    colour = lab_page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", colour))) > 380
    assert light == (scheme == "light")


def test_names_from_the_data_are_text(chromium: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    name = "<img src=x onerror=document.title='gone'>"
    frame = pd.DataFrame({name: rng.normal(size=200), "b": rng.normal(size=200)})
    frame["y"] = np.where(frame[name] + 0.3 * rng.normal(size=200) > 0, "<b>yes</b>", "no")
    frame.to_csv(tmp_path / "d.csv", index=False)
    file = tmp_path / "study.toml"
    file.write_text(
        'name = "x"\n[data]\nfile = "d.csv"\ntarget = "y"\n[model]\nfamily = "linear"\n'
        '[objectives]\naccuracy = "maximize"\n[space]\nalpha = [1e-3, 1e-2]\n[budget]\ntrials = 2\n'
    )
    with Bench(file) as bench, make_dashboard_server(make_lab(bench, Subject.of(file)), port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert LabVisitor(address, "one").ask("/lab/data")[0] == 200
        page = chromium.new_page()
        page.goto(address)
        page.click("#penalties-train")
        end(page, "penalties")
        assert name in [row[0] for row in cells(page, "penalties")]
        assert page.locator("main img").count() == 0
        assert page.title() == "Optimization lab"
        page.close()
        server.shutdown()
        thread.join()
