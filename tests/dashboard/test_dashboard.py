"""The dashboard shows feasibility right, writes nothing, and answers only to its own name."""

import http.client
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.trial import TrialState
from threadpoolctl import ThreadpoolController

from satisfice.dashboard import make_app
from satisfice.dashboard.insight import Insights, view_from_optuna
from satisfice.dashboard.server import make_dashboard_server
from satisfice.dashboard.storage import StorageView
from satisfice.dashboard.trials import _told
from satisfice.errors import InputError, MissingExtra


def request(app, path, *, method="GET", body=b"", **headers) -> tuple[int, dict[str, str], Any]:
    """One request to a WSGI application."""
    import io

    path, _, query = path.partition("?")
    environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method}
    environ |= {
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
    }
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    setup_testing_defaults(environ)
    seen: dict[str, Any] = {}

    def start(status: str, answered: list[tuple[str, str]], exc_info: object = None) -> None:
        seen.update(status=int(status.split()[0]), headers=dict(answered))

    chunks = app(environ, start)
    text = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()  # as a server does
    return seen["status"], seen["headers"], text


@pytest.fixture(scope="session")
def whole_app(storage):
    return make_app(storage)


@pytest.fixture
def app(whole_app, settled):
    yield whole_app
    settled(whole_app)


def study_id(storage, name: str) -> int:
    found: int = storage.get_study_id_from_name(name)
    return found


def detail(app, storage, name: str, query: str = "") -> dict[str, Any]:
    status, _, body = request(app, f"/api/studies/{study_id(storage, name)}{query}")
    assert status == 200
    answer: dict[str, Any] = json.loads(body)
    return answer


def test_infeasible_trials_look_infeasible(app, storage):
    study = optuna.load_study(study_name="binh-korn", storage=storage)
    shown = {t["number"]: t for t in detail(app, storage, "binh-korn")["trials"]}
    for trial in study.trials:
        assert shown[trial.number]["constraints"] == list(trial.constraints.values())
    assert any(c > 0 for c in shown[0]["constraints"])


def test_best_trials_are_the_feasible_front(app, storage):
    study = optuna.load_study(study_name="binh-korn", storage=storage)
    answer = detail(app, storage, "binh-korn")
    assert answer["directions"] == ["minimize", "minimize"]
    assert {t["number"] for t in answer["best_trials"]} == {t.number for t in study.best_trials}
    assert 0 not in {t["number"] for t in answer["best_trials"]}


def test_the_best_of_one_objective_fits(app, storage):
    (best,) = detail(app, storage, "abc")["best_trials"]
    assert best["params"][0]["param_external_value"] == "B"


def test_where_nothing_fits_nothing_is_best():
    study = optuna.create_study(directions=["minimize"])

    def objective(trial: optuna.Trial) -> float:
        trial.set_constraint("c", 1.0)
        return trial.suggest_float("x", 0, 1)

    study.optimize(objective, n_trials=2)
    answer = detail(make_app(study._storage), study._storage, study.study_name)
    assert answer["best_trials"] == []
    assert len(answer["trials"]) == 2


def test_after_gives_only_later_trials_but_all_best_ones(app, storage):
    whole, later = detail(app, storage, "binh-korn"), detail(app, storage, "binh-korn", "?after=30")
    assert [t["number"] for t in later["trials"]] == list(range(30, 40))
    assert later["best_trials"] == whole["best_trials"]
    assert request(app, f"/api/studies/{study_id(storage, 'binh-korn')}?after=-1")[0] == 400
    assert request(app, "/api/studies/999")[0] == 404


def test_the_value_behind_a_constraint_is_shown(app, storage):
    trial = next(t for t in detail(app, storage, "abc")["trials"] if t["number"] == 0)
    assert {"key": "size_mb", "value": "15.0"} in trial["user_attrs"]
    said = "no: size_mb = 15 misses size_mb <= 10 by 5 (50%)"
    assert {"key": "fits", "value": said} in trial["user_attrs"]


def test_only_complete_trials_are_told_to_fit():
    values = {TrialState.COMPLETE: [1.0]}
    said = {}
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL):
        trial = optuna.trial.create_trial(
            state=state, values=values.get(state), system_attrs={"constraints:size_mb <= 10": -0.5}
        )
        said[state.name] = _told(trial)["fits"]
    assert said == {
        "COMPLETE": "yes",
        "PRUNED": "not known (stopped early)",
        "FAIL": "not known (failed)",
    }
    large = {"constraints:size_mb <= 10": 0.5, "constraints:accuracy >= 0.9": 1e300}
    stopped = optuna.trial.create_trial(state=TrialState.PRUNED, system_attrs=large)
    assert _told(stopped)["fits"] == (
        "no: size_mb = 15 misses size_mb <= 10 by 5 (50%) and "
        "accuracy is NaN or infinite, which misses accuracy >= 0.9"
    )


def test_each_study_has_our_figures_and_a_note(app, storage):
    groups: set[str] = set()
    while len(groups) < 5:  # the slow ones are drawn in a thread
        answer = detail(app, storage, "binh-korn")
        groups = {figure["id"].split("-")[2] for figure in answer["plotly_graph_objects"]}
        assert {"pareto", "history"} <= groups
        time.sleep(0.1)
    assert groups == {"pareto", "history", "importances", "contours", "parallel"}
    ids = [figure["id"] for figure in answer["plotly_graph_objects"]]
    assert ids == sorted(ids)
    for figure in answer["plotly_graph_objects"]:
        assert json.loads(figure["graph_object"])["data"]
    assert answer["note"]["version"] == 0
    assert answer["note"]["body"].startswith("### Chosen: trial ")
    assert "`near <= 25`" in answer["note"]["body"]
    assert "No trial is complete yet" in detail(app, storage, "empty")["note"]["body"]


def test_a_persons_own_note_is_kept(tmp_path):
    from optuna_dashboard import save_note

    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/s.db")
    save_note(study, "mine")
    answer = detail(make_app(study._storage), study._storage, study.study_name)
    assert answer["note"]["body"] == "mine"


def test_figures_follow_when_trials_finish():
    study = optuna.create_study(directions=["minimize"])
    app = make_app(study._storage)
    assert detail(app, study._storage, study.study_name)["plotly_graph_objects"] == []
    insights = Insights()
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)

    def drawn() -> Mapping[str, str]:
        view = view_from_optuna(study.directions, None, study.trials)
        insights.attributes(0, study.study_name, view)
        while insights._drawn[0].busy:
            time.sleep(0.05)
        return insights.attributes(0, study.study_name, view)

    first = drawn()
    assert any(key.startswith("dashboard:plot_data:") for key in first)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert drawn() == first  # not drawn again within half a minute
    insights._drawn[0].at -= 60
    assert drawn() != first


def test_the_first_page_of_a_large_study_does_not_wait_for_figures():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=201)
    for count, empty in ((200, False), (201, True)):
        view = view_from_optuna(study.directions, None, study.trials[:count])
        insights = Insights()
        assert (insights.attributes(0, "large", view) == {}) is empty
        while insights._drawn[0].busy:
            time.sleep(0.05)
        assert "dashboard:note_str:0" in insights.attributes(0, "large", view)


def snapshot(storage) -> list[Any]:
    connection = storage.engine.raw_connection()
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_requests_are_answered_with_one_blas_thread(storage, settled):
    seen: set[int] = set()

    def source(_name):
        seen.update(lib.get_num_threads() for lib in blas.lib_controllers)

    app = make_app(storage, source=source)
    blas = ThreadpoolController().select(user_api="blas")
    with blas.limit(limits=2):
        detail(app, storage, "empty")
        assert seen == {1}
        settled(app)
        assert {lib.get_num_threads() for lib in blas.lib_controllers} == {2}


def test_looking_writes_nothing(app, storage):
    before = snapshot(storage)
    for name in ("binh-korn", "abc", "empty"):
        detail(app, storage, name)
        for kind in ("contour", "slice", "pareto_front", "timeline"):
            request(app, f"/api/studies/{study_id(storage, name)}/plot/{kind}")
        request(app, f"/api/studies/{study_id(storage, name)}/param_importances")
        request(app, f"/csv/{study_id(storage, name)}")
    assert snapshot(storage) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_writes_are_refused(app, storage, method):
    for path in ("/api/studies", f"/api/studies/{study_id(storage, 'abc')}", "/api/trials/1/tell"):
        status, headers, _ = request(app, path, method=method, body=b"{}")
        assert status == 405
        assert headers["Allow"] == "GET, HEAD"
    assert study_id(storage, "abc")


def test_the_view_itself_refuses_writes(storage):
    view = StorageView(storage, Insights())
    with pytest.raises(InputError, match="read-only"):
        view.delete_study(study_id(storage, "abc"))
    with pytest.raises(InputError, match="read-only"):
        optuna.create_study(storage=view)
    with pytest.raises(InputError, match="read-only"):
        optuna.load_study(study_name="abc", storage=view).ask()


def test_writes_pass_where_allowed_but_not_from_another_sites_page(tmp_path):
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/s.db")
    app = make_app(storage, allow_writes=True)
    body = json.dumps({"study_name": "new", "directions": ["minimize"]}).encode()
    foreign = {"host": "localhost:8080", "origin": "http://evil.example"}
    assert request(app, "/api/studies", method="POST", body=body, **foreign)[0] == 403
    own = {"host": "localhost:8080", "origin": "http://localhost:8080"}
    assert request(app, "/api/studies", method="POST", body=body, **own)[0] == 201
    assert [s.study_name for s in storage.get_all_studies()] == ["new"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8080", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("10.0.0.7", 200),
        ("evil.example", 403),
        ("localhost.evil.example:8080", 403),
        ("127.0.0.1.evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_only_known_hosts_are_answered(app, host, status):
    assert request(app, "/api/studies", host=host)[0] == status


def test_a_named_host_is_answered_where_allowed(storage):
    app = make_app(storage, allowed_hosts=["studies.example"])
    assert request(app, "/api/studies", host="studies.example:80")[0] == 200
    assert request(app, "/api/studies", host="localhost")[0] == 403


def test_served_over_a_socket_with_headers_that_forbid_framing(address):
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("GET", "/api/studies")
    answer = connection.getresponse()
    names = [s["study_name"] for s in json.loads(answer.read())["study_summaries"]]
    assert names == ["binh-korn", "abc", "empty"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    connection.request("HEAD", "/dashboard")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_taken_port_is_said_in_one_sentence(app):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}"):
            make_dashboard_server(app, port=port)


def test_an_address_of_ipv6_is_listened_on(app):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with make_dashboard_server(app, "::1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = http.client.HTTPConnection("::1", server.server_port, timeout=60)
        connection.request("GET", "/api/studies")
        assert connection.getresponse().status == 200
        connection.close()
        server.shutdown()


def test_a_host_that_is_not_this_machine_is_said_with_what_helps(app):
    with pytest.raises(InputError, match="cannot listen on") as caught:
        make_dashboard_server(app, "host.invalid", 0)
    assert "--host" in caught.value.hint


def test_pages_are_served_to_a_client_that_names_no_encoding(app):
    path = re.search(rb'src="(/static/[^"]+)"', request(app, "/dashboard")[2])
    assert path is not None
    assert request(app, path[1].decode())[0] == 200


def test_without_the_extra_its_name_is_said(monkeypatch, storage):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(MissingExtra, match=r"satisfice\[dashboard\]"):
        make_app(storage)


def test_the_dashboard_imports_neither_torch_nor_search():
    code = "import sys, satisfice.dashboard; print({'torch', 'satisfice.search'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


@pytest.mark.slow
def test_a_large_front_is_answered_without_quadratic_work(settled):
    study = optuna.create_study(directions=["minimize"] * 3)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study.sampler = sampler

    def objective(trial: optuna.Trial) -> tuple[float, float, float]:
        a, b = trial.suggest_float("a", 0, 1), trial.suggest_float("b", 0, 1)
        trial.set_constraint("size_mb <= 0.9", a - 0.9)
        return a, b, 2 - a - b

    study.optimize(objective, n_trials=1500)
    compared = 0
    before = optuna.trial.FrozenTrial.values.fget
    assert before is not None

    def counted(trial):
        nonlocal compared
        compared += 1
        return before(trial)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(optuna.trial.FrozenTrial, "values", property(counted))
        app = make_app(study._storage)
        answer = detail(app, study._storage, study.study_name)
        settled(app)
    feasible = {t.number for t in study.trials if t.state == TrialState.COMPLETE and t.params["a"] <= 0.9}
    assert {
        t["number"] for t in answer["best_trials"]
    } == feasible  # the plane a + b + c = 2: nothing is dominated
    assert compared < 100 * 1500


@pytest.mark.slow
@pytest.mark.browser
def test_in_a_browser_the_infeasible_trial_is_marked_and_ours_are_drawn(address, storage, chromium):
    page = chromium.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(240_000)  # milliseconds; on a busy machine 30 s are too few
    problems: list[str] = []
    foreign: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request", lambda r: foreign.extend([r.url] * (not r.url.startswith((address, "data:", "blob:"))))
    )
    base = f"{address}/dashboard/studies/{study_id(storage, 'binh-korn')}"
    page.goto(f"{base}/trials?numbers=0")
    page.get_by_text("misses near <= 25 by 0.25").first.wait_for()
    page.goto(f"{base}/note")
    page.get_by_text(re.compile("Chosen: trial")).first.wait_for()
    page.goto(base)
    ours = page.locator(".js-plotly-plot", has_text="cost against distance")
    ours.get_by_text("does not fit").wait_for()
    page.locator("#graph-timeline").get_by_text("Infeasible").wait_for()
    page.close()
    assert problems == []
    assert foreign == []


def test_each_study_has_the_reports_page(app):
    for name, chosen in (("binh-korn", "cost"), ("abc", "accuracy")):
        status, headers, body = request(app, f"/satisfice/studies/{name}")
        page = body.decode()
        assert status == 200
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert f'"name":"{name}"' in page
        assert f"{chosen} over the trials" in page
    assert request(app, "/satisfice/studies/empty")[0] == 200
    assert request(app, "/satisfice/studies/none%20of%20that%20name")[0] == 404
    again = request(app, "/satisfice/studies/abc")[2]
    assert again == body  # nothing finished: it is kept
