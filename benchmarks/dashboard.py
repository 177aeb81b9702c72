"""What the dashboard's answers cost, beside plain optuna-dashboard over the same database in the same run.

    python benchmarks/dashboard.py [--sizes 1000 5000] [--times 20] [--json]

A study with three objectives, two constraints, eight parameters and thirty epochs of reports for each trial,
in SQLite. Both servers are processes of their own, asked by turns over HTTP:

- ``page``: the study's page, with all trials; nothing is new.
- ``poll``: what the open page asks again and again; nothing is new. ``browser`` is the same as a browser
  sends it, with the tag of the answer that it has: ours says 304.
- ``live``: the same poll after another trial has finished. Plain optuna-dashboard looks at the database once
  in ten seconds only, ours each time.
- ``first``: the first page after the start, once.

Milliseconds are medians; ``ratio`` is ours over plain.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import satisfice
from growth import SPEC, Task, configurations, fill, metrics_at, outcome

Row = dict[str, Any]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Nothing."""


def _serve_plain(url: str, port: Any) -> None:
    import optuna_dashboard

    with make_server("127.0.0.1", 0, optuna_dashboard.wsgi(url), handler_class=_Quiet) as server:
        port.send(server.server_port)
        server.serve_forever()


@contextmanager
def plain(url: str) -> Iterator[int]:
    """optuna-dashboard on a free port, as its own command serves it."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_serve_plain, args=(url, there), daemon=True
    )
    process.start()
    yield here.recv()
    process.terminate()
    process.join()


@contextmanager
def ours(url: str) -> Iterator[int]:
    """``satisfice dashboard`` on a free port."""
    command = [sys.executable, "-m", "satisfice.cli.main", "dashboard", "--storage", url, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stderr is not None
        yield int(process.stderr.readline().partition("127.0.0.1:")[2].split()[0])
        process.terminate()


def asked(port: int, path: str, tag: str | None = None) -> tuple[float, int, str | None]:
    """Milliseconds, bytes and tag of one answer."""
    begun = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", path, headers={} if tag is None else {"If-None-Match": tag})
    answer = connection.getresponse()
    body = answer.read()
    spent = 1e3 * (time.perf_counter() - begun)
    connection.close()
    assert answer.status in (200, 304), (path, answer.status, body[:200])
    return spent, len(body), answer.headers["ETag"]


def by_turns(
    ports: tuple[int, int], path: Callable[[], str], times: int, between: Callable[[], None]
) -> tuple[list[tuple[float, int]], list[tuple[float, int]]]:
    """Plain and ours, asked in turns."""
    found: tuple[list[tuple[float, int]], list[tuple[float, int]]] = ([], [])
    for i in range(times):
        between()
        order = (0, 1) if i % 2 else (1, 0)
        for which in order:
            spent, size, _ = asked(ports[which], path())
            found[which].append((spent, size))
    return found


def row(size: int, kind: str, theirs: list[tuple[float, int]], mine: list[tuple[float, int]]) -> Row:
    """Medians of both, and the ratio."""
    a, b = (statistics.median(ms for ms, _ in each) for each in (theirs, mine))
    kb = [round(statistics.median(n for _, n in each) / 1e3, 1) for each in (theirs, mine)]
    return {
        "trials": size,
        "answer": kind,
        "plain_ms": round(a, 1),
        "ours_ms": round(b, 1),
        "ratio": round(b / a, 3),
        "plain_kb": kb[0],
        "ours_kb": kb[1],
    }


def measured(size: int, times: int) -> Iterator[Row]:
    """All rows for a study with that many trials."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/s.db"
        spec = SPEC | {
            "budget": {"trials": 1_000_000, "epochs": 30},
            "search": {"sampler": "random"},
            "seed": 1,
        }
        study = satisfice.create_study(spec, storage=url, task=Task())
        fill(url, 0, size)
        with plain(url) as theirs, ours(url) as mine:
            yield from _rows(study, (theirs, mine), size, times)


def _rows(study: Any, ports: tuple[int, int], size: int, times: int) -> Iterator[Row]:
    page = "/api/studies/1"
    told = size

    def nothing() -> None:
        """Between two requests."""

    def one_more() -> None:
        nonlocal told
        _, x = next(configurations(told, told + 1))
        trial = study.ask()
        trial.report(1, metrics_at(x, 1))
        study.tell(trial, {k: v for k, v in outcome(x).items() if k != "size_mb"})
        told += 1

    first = [asked(port, page) for port in ports]
    yield row(size, "first", [first[0][:2]], [first[1][:2]])
    time.sleep(20)  # our figures are being drawn aside
    yield row(size, "page", *by_turns(ports, lambda: page, times, nothing))
    theirs, mine = by_turns(ports, lambda: f"{page}?after={size}", times, nothing)
    yield row(size, "poll", theirs, mine)
    tag = asked(ports[1], f"{page}?after={size}")[2]
    again = [asked(ports[1], f"{page}?after={size}", tag)[:2] for _ in range(times)]
    yield row(size, "browser", theirs, again)
    yield row(size, "live", *by_turns(ports, lambda: f"{page}?after={told - 1}", times, one_more))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = []
    for size in given.sizes:
        for one in measured(size, given.times):
            rows.append(one)
            if not given.json:
                print("  ".join(f"{key} {value:>8}" for key, value in one.items()), flush=True)
    if given.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
