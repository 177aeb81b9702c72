"""The lab without a browser: queue, cancellation, one process, bad input, guard, equality with a trial."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab.visitors import LONG, LabVisitor, wait_for

import satisfice
from satisfice.dashboard.server import make_dashboard_server
from satisfice.dashboard.tokens import Tokens
from satisfice.errors import InputError
from satisfice.lab.app import make_lab
from satisfice.lab.bench import Bench
from satisfice.lab.page import page, policy
from satisfice.lab.settings import LabTraining, request_of, training_of
from satisfice.lab.subject import Subject
from satisfice.spec.trial import TrialState

SHORT = {"family": "mlp", "epochs": 2, "values": {"width": 8}}
LINEAR = {"family": "linear", "values": {"penalty": "l1", "alpha": 0.02}, "shows": ["coefficients"]}


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def trainers() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "satisfice.lab.child" in p.cmdline()]


def test_curves_come_point_by_point_and_end_with_a_result(visitor: LabVisitor) -> None:
    events = visitor.finish(SHORT | {"shows": ["surface", "latency"]}, LINEAR)
    assert kinds(events) == [
        "queued",
        "begun",
        "point",
        "point",
        "result",
        "begun",
        "point",
        "result",
        "done",
    ]
    network, linear = (event for event in events if event["event"] == "result")
    assert network["latency"] > 0
    losses = network["surface"]["loss"]
    middle = len(losses) // 2
    assert losses[middle][middle] < losses[0][0]  # the solution is lower than the corner
    weights = [each["value"] for each in linear["coefficients"]]
    assert 0 < sum(value == 0 for value in weights) == len(weights) - linear["metrics"]["nonzero_weights"]
    assert network["metrics"]["size_bytes"] > linear["metrics"]["size_bytes"]


def test_a_network_that_explodes_is_told_as_diverged(visitor: LabVisitor) -> None:
    values = {"optimizer": "sgd", "learning_rate": 10.0}
    result, done = visitor.finish(SHORT | {"values": values, "epochs": 20})[-2:]
    assert (result["ended"], done["event"]) == ("diverged", "done")
    assert "loss" in result["why"]


def test_two_settings_are_compared_with_their_noise(visitor: LabVisitor) -> None:
    groups = [("a", {"width": 4}), ("b", {"width": 32})]
    asked = [SHORT | {"values": v, "group": g, "seed": seed} for seed in (1, 2) for g, v in groups]
    events = visitor.finish(*asked)
    effects = events[-1]["effects"]
    found: dict[str, list[float]] = {"a": [], "b": []}
    for event in events:
        if event["event"] == "result":
            found[asked[event["training"]]["group"]].append(event["metrics"]["accuracy"])
    assert effects["accuracy"]["value"] == pytest.approx(sum(found["b"]) / 2 - sum(found["a"]) / 2)
    assert effects["accuracy"]["low"] <= effects["accuracy"]["value"] <= effects["accuracy"]["high"]
    assert effects["size_bytes"]["low"] > 0  # a wider network is larger, without noise


def test_a_change_cancels_the_training_before(visitor: LabVisitor, bench: Bench) -> None:
    before = visitor.listen(visitor.train(LONG))
    assert next(e for e in before if e["event"] == "point")
    process = bench.processes
    after = visitor.finish(SHORT)
    assert kinds(after)[-1] == "done"
    assert next(e for e in before if e["event"] in ("cancelled", "done"))["event"] == "cancelled"
    assert bench.processes == process  # the warm process went on


def test_another_visitor_waits_and_is_not_cancelled(visitor: LabVisitor, lab_address: str) -> None:
    other = LabVisitor(lab_address, "another")
    first = visitor.listen(visitor.train(SHORT | {"epochs": 30, "values": {"patience": 0}}))
    assert next(e for e in first if e["event"] == "begun")
    events = other.finish(SHORT)
    assert events[0]["before"] >= 1
    assert kinds(events)[-1] == "done"
    assert [e["event"] for e in first][-1] == "done"


def test_who_closes_the_page_cancels(visitor: LabVisitor, bench: Bench) -> None:
    path = visitor.train(LONG)
    events = visitor.listen(path)
    assert next(e for e in events if e["event"] == "begun")
    events.close()  # type: ignore[attr-defined]  # a generator's
    job = bench.job(path.rpartition("/")[2])
    assert job is not None
    wait_for(lambda: job.cancelled)
    assert kinds(visitor.finish(SHORT))[-1] == "done"


def test_ten_visitors_never_have_more_than_one_training_process(lab_address: str, bench: Bench) -> None:
    seen: set[int] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            now = [p.pid for p in trainers()]
            assert len(now) <= 1
            seen.update(now)

    watcher = threading.Thread(target=watch)
    watcher.start()
    ended: list[str] = []

    def visit(i: int) -> None:
        ended.append(kinds(LabVisitor(lab_address, f"visitor-{i}").finish(SHORT | {"seed": i}))[-1])

    visits = [threading.Thread(target=visit, args=(i,)) for i in range(10)]
    for each in visits:
        each.start()
    for each in visits:
        each.join()
    over.set()
    watcher.join()
    assert ended == ["done"] * 10
    assert seen == set(bench.processes)


@pytest.mark.slow
def test_a_killed_process_is_followed_by_a_new_one(visitor: LabVisitor) -> None:
    with Bench() as bench:
        app = make_lab(bench, Subject.of(None))
        with make_dashboard_server(app, port=0) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            guest = LabVisitor(f"http://127.0.0.1:{server.server_port}", "guest")
            events = guest.listen(guest.train(LONG))
            assert next(e for e in events if e["event"] == "begun")
            (first,) = bench.processes
            os.kill(first, signal.SIGKILL)
            assert [e["event"] for e in events][-1] == "failed"
            assert kinds(guest.finish(LINEAR))[-1] == "done"
            assert bench.processes != [first]
            server.shutdown()
            thread.join()


# -- to the bit ------------------------------------------------------------------------------------------
UNLIKE = ("latency", "memory", "seconds")  # what a clock or the process gives


@pytest.mark.parametrize(
    "training",
    [
        {"family": "mlp", "values": {"dropout": 0.25, "width": 16, "l2": 1e-4}, "epochs": 4},
        {"family": "linear", "values": {"penalty": "l1", "alpha": 0.01, "scaling": "none"}, "epochs": 1},
        {"family": "boosting", "values": {"rounds": 12, "max_depth": 3, "max_features": 0.5}, "epochs": 12},
    ],
    ids=lambda training: training["family"],
)
def test_the_lab_shows_what_a_trial_gives(
    training: dict[str, Any], visitor: LabVisitor, tmp_path: Path
) -> None:
    content = tomllib.loads(Subject.of(None).file_of(training_of(training)))
    content["budget"]["trials"], content["search"]["pruner"] = 2, "none"
    study = satisfice.create_study(content, storage=f"sqlite:///{tmp_path}/s.db")
    study.optimize()
    start = content["search"]["start"][0]
    (record,) = [r for r in study.records(with_reports=True) if dict(r.params) == start][:1]
    assert record.state is TrialState.COMPLETE
    events = visitor.finish(training | {"seed": record.seed})
    (result,) = [event for event in events if event["event"] == "result"]
    compared = {n: v for n, v in record.metrics.items() if not any(word in n for word in UNLIKE)}
    assert len(compared) > 5
    assert {n: result["metrics"].get(n) for n in compared} == compared
    shown = [event["metrics"] for event in events if event["event"] == "point"]
    assert shown == [metrics for _, metrics in sorted(record.reports.items())]


def test_make_this_a_study_gives_a_file_that_check_accepts(visitor: LabVisitor, tmp_path: Path) -> None:
    for training in (SHORT, LINEAR, {"family": "boosting", "values": {"max_depth": 0}}):
        status, text = visitor.ask("/lab/study", training)
        assert status == 200
        file = tmp_path / "made.toml"
        file.write_text(text)
        spec = Subject.of(file).spec
        assert spec.model is not None
        assert spec.model.family == training["family"]
        whole = {**spec.model.fixed, **spec.search.start[0]}
        values: Mapping[str, Any] = training.get("values", {})  # type: ignore[assignment]
        assert {name: whole[name] for name in values} == values


# -- what comes in ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "family"),
        ([], "JSON object"),
        ("no json", "JSON object"),
        ("[" * 5000, "JSON object"),
        ({"family": "zzz"}, "family"),
        ({"family": "mlp", "epochs": 10**9}, "epochs"),
        ({"family": "mlp", "epochs": True}, "epochs"),
        ({"family": "mlp", "seed": -1}, "seed"),
        ({"family": "mlp", "values": {"dropout": 2}}, "values.dropout"),
        ({"family": "mlp", "values": {"dropout": None}}, "values.dropout"),
        ({"family": "mlp", "values": {"width": 10**6}}, "values.width"),
        ({"family": "mlp", "values": {"teacher": "a/1"}}, "values.teacher"),
        ({"family": "mlp", "values": {"<b>": 1}}, "hyperparameter"),
        ({"family": "mlp", "values": []}, "values"),
        ({"family": "mlp", "shows": "all"}, "shows"),
        ({"family": "mlp", "shows": [["surface"]]}, "shows"),
        ({"family": "mlp", "zzz": 1}, "zzz"),
        ({"trainings": []}, "trainings"),
        ({"trainings": [1]}, "JSON object"),
        ({"trainings": [SHORT] * 61}, "trainings"),
        ({"visitor": "x" * 65, "trainings": [SHORT]}, "visitor"),
    ],
    ids=repr,
)
def test_bad_input_is_refused_in_a_sentence(content: Any, said: str, visitor: LabVisitor) -> None:
    for path in ("/lab/train", "/lab/study") if "visitor" not in content else ("/lab/train",):
        status, body = visitor.ask(path, content)
        if path == "/lab/study" and isinstance(content, dict) and "trainings" in content:
            said = "trainings"
        assert 400 <= status < 500
        assert said in json.loads(body)["reason"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["visitor", "trainings", "family", "values", "seed", "epochs", "shows", "group"])
VALUES = st.dictionaries(st.sampled_from(["dropout", "width", "optimizer", "l2", "zzz"]), JSON, max_size=3)


@given(content=st.dictionaries(KEYS, JSON | st.sampled_from(["mlp", "linear"]) | VALUES))
def test_any_content_is_a_request_or_is_refused(content: dict[str, Any]) -> None:
    with contextlib.suppress(InputError):  # and no other error
        for training in request_of(content).trainings:
            assert training_of(json.loads(json.dumps(training.as_dict()))) == training


def test_values_that_do_not_go_together_fail_with_a_sentence(visitor: LabVisitor) -> None:
    values = {"solver": "lbfgs", "penalty": "l1"}
    events = visitor.finish({"family": "linear", "values": values})
    assert events[-1]["event"] == "failed"
    assert "lbfgs" in events[-1]["why"]


def test_unknown_addresses_and_methods(visitor: LabVisitor) -> None:
    assert visitor.ask("/lab/events/zzz")[0] == 404
    assert visitor.ask("/nothing")[0] == 404
    assert visitor.ask("/lab/cancel", {"id": 5})[0] == 404
    assert visitor.ask("/lab/train")[0] == 405
    assert visitor.ask("/", method="DELETE")[0] == 405
    assert visitor.ask("/lab/train", json.dumps(SHORT), Content_Type="text/plain")[0] == 400
    assert visitor.ask("/lab/train", " " * 300_000)[0] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
    ids=repr,
)
def test_other_sites_may_not_train(headers: dict[str, str], visitor: LabVisitor) -> None:
    assert visitor.ask("/lab/train", SHORT, **headers)[0] == 403
    assert visitor.ask("/lab/data", **headers)[0] == 403


def test_beyond_this_machine_a_token_is_asked_for(bench: Bench) -> None:
    app = make_lab(
        bench, Subject.of(None), tokens=Tokens.checked("0.0.0.0", "secret", None, allow_writes=False)
    )
    with make_dashboard_server(app, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        guest = LabVisitor(f"http://127.0.0.1:{server.server_port}", "guest")
        for path, content in (("/", None), ("/lab/data", None), ("/lab/train", SHORT), ("/lab/study", SHORT)):
            assert guest.ask(path, content)[0] == 401
            assert guest.ask(path, content, Authorization="Bearer secret")[0] == 200
        server.shutdown()
        thread.join()
    with pytest.raises(InputError, match="token"):
        Tokens.checked("0.0.0.0", None, None, allow_writes=False)


def test_the_page_is_one_file_that_loads_nothing() -> None:
    text = page().decode()
    assert "/*STYLE*/" not in text
    assert "/*SCRIPT*/" not in text
    assert not any(f'{attribute}="http' in text for attribute in ("src", "href"))
    assert "default-src 'none'" in policy()
    assert "unsafe" not in policy()


def test_a_study_of_own_code_is_refused(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with pytest.raises(InputError, match="own"):
        Subject.of(root / "studies" / "own_task.toml")
    subject = Subject.of(root / "studies" / "titanic.toml")
    assert subject.fixed("boosting") == {"patience": 20}
    assert subject.fixed("mlp") == {}
    assert subject.spec_of(LabTraining(family="boosting")).model is not None


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_its_address_and_ends_with_ctrl_c(number: signal.Signals) -> None:
    command = [sys.executable, "-c", "from satisfice.cli.main import main; main()", "lab", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    (child,) = psutil.Process(process.pid).children()
    assert LabVisitor(address, "guest").ask("/lab/data")[0] == 200
    process.send_signal(number)
    assert "Traceback" not in process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    wait_for(lambda: not child.is_running())
