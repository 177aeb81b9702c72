"""A lab on the Titanic: one bench for all tests, behind its own guard, on a free port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.lab.visitors import LabVisitor

from satisfice.dashboard.server import make_dashboard_server
from satisfice.lab.app import make_lab
from satisfice.lab.bench import Bench
from satisfice.lab.subject import Subject


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """The queue and its one process, warm."""
    with Bench() as bench:
        yield bench


@pytest.fixture(scope="session")
def lab_address(bench: Bench) -> Iterator[str]:
    """A served lab on a free port."""
    app = make_lab(bench, Subject.of(None))
    with make_dashboard_server(app, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def visitor(lab_address: str, request: pytest.FixtureRequest) -> LabVisitor:
    """One visitor."""
    return LabVisitor(lab_address, request.node.name[:60])


CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")  # two of them may not be open at once
def chromium() -> Iterator[Browser]:
    """A real browser."""
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()
