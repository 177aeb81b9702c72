"""Real requests to a started dashboard: who is asked for a token, who is refused, and what bad input gets."""

import base64
import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact

from satisfice.dashboard import make_app, serve
from satisfice.dashboard.heavy import Heavy
from satisfice.dashboard.server import make_dashboard_server
from satisfice.dashboard.sessions import LASTS_S, Sessions
from satisfice.dashboard.tokens import Tokens
from satisfice.errors import InputError

TOKEN, WRITE = "reading-token-of-the-test", "writing-token-of-the-test"
# Every route of optuna-dashboard 0.21 that writes, and what stands beside it.
WRITES = [
    "/api/studies",
    "/api/studies/1",
    "/api/studies/1/rename",
    "/api/studies/1/note",
    "/api/studies/1/1/note",
    "/api/studies/1/1/skip",
    "/api/studies/1/preference",
    "/api/studies/1/preference/abc",
    "/api/studies/1/preference_feedback_component",
    "/api/trials/1/tell",
    "/api/trials/1/user-attrs",
    "/api/artifacts/1",
    "/api/artifacts/1/1",
    "/api/artifacts/1/1/abc-1",
    "/api/llm/trial_filter_query",
    "/api/llm/generate_plotly_graph_query",
    "/api/llm/re_generate_plotly_graph_query",
    "/incompatible-rdb-schema",
]
READS = ["/", "/dashboard", "/api/meta", "/api/studies", "/api/studies/1", "/csv/1", "/static/bundle.js"]
HTML = "<script>alert(1)</script>"


class Served:
    """A dashboard that is listening."""

    def __init__(self, port: int, app: Any) -> None:
        self.port = port
        self.app = app

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=sent)
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found


@contextmanager
def serving(storage: Any, settled: Any, **given: Any) -> Iterator[Served]:
    app = make_app(storage, **given)
    with make_dashboard_server(app, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Served(server.server_port, app)
        settled(app)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> optuna.storages.RDBStorage:
    """Studies with names that are no names; the second has an artefact."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path_factory.mktemp('secure')}/s.db")
    for name in ("plain", HTML, "one\r\nSet-Cookie: evil=1", 'a"; filename=evil.html', "größe"):
        study = optuna.create_study(study_name=name, storage=storage)
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    return storage


@pytest.fixture(scope="module")
def artefacts(stored: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[FileSystemArtifactStore, str]:
    folder = tmp_path_factory.mktemp("artefacts")
    (folder / "secret").write_text("not to be read")
    store = FileSystemArtifactStore(_made(folder / "store"))
    page = folder / "page.html"
    page.write_text(HTML)
    study = optuna.load_study(study_name="plain", storage=stored)
    trial = study.ask()
    identity = upload_artifact(artifact_store=store, file_path=str(page), study_or_trial=trial)
    study.tell(trial, 0.5)
    return store, f"/artifacts/{study._study_id}/{trial._trial_id}/{identity}"


def _made(folder: Any) -> Any:
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def guarded(stored: Any, settled: Any) -> Iterator[Served]:
    """Asks for a token; read-only."""
    with serving(stored, settled, tokens=Tokens(read=TOKEN)) as served:
        yield served


@pytest.fixture(scope="module")
def open_one(stored: Any, artefacts: Any, settled: Any) -> Iterator[Served]:
    """On loopback, read-only, with artefacts."""
    with serving(stored, settled, artifact_store=artefacts[0]) as served:
        yield served


@pytest.fixture(scope="module")
def writable(stored: Any, settled: Any) -> Iterator[Served]:
    """Lets those write who know the second token."""
    with serving(stored, settled, allow_writes=True, tokens=Tokens(read=TOKEN, write=WRITE)) as served:
        yield served


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}


def rows(storage: optuna.storages.RDBStorage) -> list[str]:
    connection = storage.engine.raw_connection()
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


# ---- the token


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong"),
        bearer(TOKEN + "x"),
        bearer(TOKEN[:-1]),
        bearer(""),
        {"Authorization": TOKEN},
        {"Authorization": "Basic " + TOKEN},
        {"Authorization": "Basic ????"},
        basic(TOKEN, "wrong"),
        basic(TOKEN, ""),
        {"Cookie": "satisfice_session=" + TOKEN},
        {"Cookie": "satisfice_session=\x22; $Version=1"},
        {"Cookie": "token=" + TOKEN},
        {"X-Token": TOKEN},
    ],
)
def test_without_the_token_401_and_nothing_else(guarded, headers):
    for path in [*READS, *WRITES, "/nothing/there", "/satisfice/"]:
        for query in ("", f"?token={TOKEN}", f"?access_token={TOKEN}"):
            status, answered, body = guarded.ask(path + query, **headers)
            assert status == 401, path
            assert body == b"a token is needed: Authorization: Bearer TOKEN\n"
            asked = answered.get_all("WWW-Authenticate")
            assert asked == ["Bearer", 'Basic realm="satisfice"']
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
        assert guarded.ask("/api/studies/1", method, **headers)[0] == 401


def test_the_token_opens_by_bearer_and_by_basic_with_any_user(guarded):
    for headers in (
        bearer(TOKEN),
        {"Authorization": f"bearer {TOKEN}"},
        basic("me", TOKEN),
        basic("", TOKEN),
    ):
        status, answered, body = guarded.ask("/api/studies", **headers)
        assert status == 200
        assert len(json.loads(body)["study_summaries"]) == 5
        assert answered["Set-Cookie"] is None
    assert guarded.ask("/api/studies/1", "DELETE", **bearer(TOKEN))[0] == 405


def test_a_browser_is_asked_by_a_page_that_tells_nothing(guarded):
    status, answered, body = guarded.ask("/dashboard/studies/1", Accept="text/html,*/*")
    assert status == 401
    assert answered.get_all("WWW-Authenticate") == ["Bearer"]  # Basic would open the browser's own window
    assert b'action="/satisfice/login"' in body
    assert b"plain" not in body
    assert "form-action 'self'" in answered["Content-Security-Policy"]
    assert guarded.ask("/satisfice/login")[2] == body


def sign_in(served: Served, token: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    form = f"token={quote(token)}".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return served.ask("/satisfice/login", "POST", form, **kind, **headers)


def test_the_login_page_gives_a_cookie_that_scripts_and_other_sites_do_not_get(guarded):
    status, answered, _ = sign_in(guarded, TOKEN)
    assert (status, answered["Location"]) == (303, "/")
    secret, *flags = answered["Set-Cookie"].split("; ")
    assert flags == ["HttpOnly", "SameSite=Strict", "Path=/", f"Max-Age={LASTS_S}"]
    assert TOKEN not in answered["Set-Cookie"]
    assert guarded.ask("/api/studies", Cookie=secret)[0] == 200
    assert guarded.ask("/satisfice/logout", "POST", Cookie=secret)[0] == 303
    assert guarded.ask("/api/studies", Cookie=secret)[0] == 401


@pytest.mark.parametrize(
    "body", [b"", b"token=wrong", b"token=", b"\xff\xfe", b"a=1&" * 40, b"token=" + b"x" * 9000]
)
def test_a_wrong_form_gives_no_cookie(guarded, body):
    status, answered, page = guarded.ask("/satisfice/login", "POST", body)
    assert status == 401
    assert answered["Set-Cookie"] is None
    assert b"not known here" in page


def test_another_sites_page_cannot_sign_a_visitor_in(guarded):
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert sign_in(guarded, TOKEN, **headers)[0] in (401, 403)


def test_a_session_ends_with_its_time():
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    cookie = sessions.begin(may_write=False).partition(";")[0]
    now[0] = LASTS_S - 1
    assert sessions.of(cookie) is not None
    now[0] = LASTS_S + 1
    assert sessions.of(cookie) is None
    assert sessions.of("satisfice_session=other") is None


# ---- writing


def test_read_only_no_route_writes_by_any_method(open_one, stored):
    before = rows(stored)
    for path in WRITES:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            status, answered, _ = open_one.ask(path, method, b"{}", Content_Type="application/json")
            assert (status, answered["Allow"]) == (405, "GET, HEAD"), (method, path)
        assert open_one.ask(path)[0] < 500
    assert rows(stored) == before


def test_writing_needs_the_second_token(writable, stored):
    before = rows(stored)
    for path in WRITES:
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert writable.ask(path, method, b"{}")[0] == 401
            told = writable.ask(path, method, b"{}", **bearer(TOKEN))
            assert told[0] == 403, (method, path)
            assert told[2] == b"the token for writing is needed\n"
    read_only = sign_in(writable, TOKEN)[1]["Set-Cookie"].partition(";")[0]
    assert writable.ask("/api/studies/1", "DELETE", Cookie=read_only)[0] == 403
    assert rows(stored) == before


def test_who_knows_the_second_token_reads_and_writes(writable, stored):
    body = json.dumps({"study_name": "made-here", "directions": ["minimize"]}).encode()
    kind = {"Content-Type": "application/json"}
    status, _, told = writable.ask("/api/studies", "POST", body, **kind, **basic("me", WRITE))
    assert status == 201
    made = json.loads(told)["study_summary"]["study_id"]
    cookie = sign_in(writable, WRITE)[1]["Set-Cookie"].partition(";")[0]
    assert writable.ask("/api/studies", Cookie=cookie)[0] == 200
    port = writable.port
    foreign = {"Cookie": cookie, "Origin": "http://evil.example"}
    assert writable.ask(f"/api/studies/{made}", "DELETE", **foreign)[0] == 403
    assert writable.ask(f"/api/studies/{made}", "DELETE", Cookie=cookie, Origin="null")[0] == 403
    own = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    assert writable.ask(f"/api/studies/{made}", "DELETE", **own)[0] == 204
    assert "made-here" not in [s.study_name for s in stored.get_all_studies()]


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"1", b"null", b"{}", b'{"state": 7, "study_name": []}', b"[" * 9000]
)
def test_no_body_of_a_write_ends_in_an_error_of_the_server(writable, path, body):
    if body == b"" and path == "/api/studies/1":
        return  # that deletes it
    for method in ("POST", "PUT"):
        status = writable.ask(path, method, body, Content_Type="application/json", **bearer(WRITE))[0]
        assert 300 <= status < 500 or status == 204, (method, path, body)


def test_a_body_too_large_or_of_no_length_is_not_read(writable):
    given = {"Content-Type": "application/json", **bearer(WRITE)}
    assert writable.ask("/api/studies", "POST", **{**given, "Content-Length": "9" * 11})[0] == 413
    assert writable.ask("/api/studies", "POST", **{**given, "Content-Length": "many"})[0] == 400
    assert writable.ask("/api/studies", "POST", **{**given, "Transfer-Encoding": "chunked"})[0] == 411


# ---- other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "ftp://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    ],
)
def test_other_sites_read_nothing(open_one, guarded, headers):
    for path in READS:
        assert open_one.ask(path, **headers)[0] == 403, path
        assert guarded.ask(path, **headers, **bearer(TOKEN))[0] == 403, path
        assert guarded.ask(path, **headers)[0] == 401, path


def test_a_link_leads_to_the_page_but_to_no_data(open_one):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert open_one.ask("/dashboard/studies/1", **link)[0] == 200
    for path in ("/api/studies", "/api/studies/1", "/csv/1"):
        assert open_one.ask(path, **link)[0] == 403


def test_our_own_pages_read(open_one):
    own = {"Origin": f"http://127.0.0.1:{open_one.port}", "Sec-Fetch-Site": "same-origin"}
    status, answered, _ = open_one.ask("/api/studies", **own)
    assert status == 200
    assert answered["X-Content-Type-Options"] == "nosniff"
    assert answered["Access-Control-Allow-Origin"] is None


# ---- bad input


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(
            (f"/api/studies/1?after={after}", 400)
            for after in ("x", "-1", "", "1.5", "9" * 5000, "%00", "1e3")
        ),
        ("/api/studies/999", 404),
        ("/api/studies/-1", 404),
        ("/api/studies/99999999999999999999", 404),
        ("/api/studies/999/plot/slice", 404),
        ("/api/studies/1/plot/nothing", 404),
        ("/api/studies/1/plot/pareto_front", 400),
        ("/api/studies/999/param_importances", 404),
        ("/csv/999", 404),
        ("/csv/1?trial_ids=x", 400),
        ("/csv/%00", 400),
        ("/static/%00", 400),
        ("/static/..%2f..%2fapp.py", 403),
        ("/static/" + "a" * 3000, 400),
        ("/dashboard/%0d%0aSet-Cookie:evil=1", 400),
        ("/api/artifacts/1", 405),
    ],
)
def test_bad_input_is_the_callers(open_one, path, status):
    found, answered, _ = open_one.ask(path)
    assert found == status
    assert answered["Set-Cookie"] is None


@pytest.mark.parametrize("kind", ["multipart/form-data", "application/x-www-form-urlencoded", "\xff"])
def test_a_body_of_a_get_is_not_read(open_one, kind):
    for path in ("/api/studies", "/api/studies/1", "/csv/1"):
        assert open_one.ask(path, body=b"after=x", Content_Type=kind)[0] == 200


def test_bad_input_is_said_in_a_sentence(open_one):
    _, answered, body = open_one.ask("/api/studies/1?after=x")
    assert answered["Content-Type"] == "application/json"
    assert json.loads(body) == {"reason": "after takes a whole number from 0, for instance after=10"}


def test_a_study_named_like_a_script_is_only_a_name(open_one, stored):
    identity = stored.get_study_id_from_name(HTML)
    for path in ("/api/studies", f"/api/studies/{identity}", f"/csv/{identity}"):
        status, answered, _ = open_one.ask(path)
        assert status == 200
        assert not answered["Content-Type"].startswith("text/html")
        assert answered["X-Content-Type-Options"] == "nosniff"
    assert HTML.encode() not in open_one.ask(f"/dashboard/studies/{identity}")[2]
    note = json.loads(open_one.ask(f"/api/studies/{identity}")[2])["note"]["body"]
    assert "<script" not in note


@pytest.mark.parametrize(
    "name", ["one\r\nSet-Cookie: evil=1", 'a"; filename=evil.html', HTML, "größe", "plain"]
)
def test_the_name_of_a_csv_breaks_no_header(open_one, stored, name):
    identity = stored.get_study_id_from_name(name)
    status, answered, body = open_one.ask(f"/csv/{identity}")
    assert status == 200
    assert body.startswith(b"Number,State")
    assert answered["Set-Cookie"] is None
    named = f"study-{identity}" if name != "plain" else "plain"
    assert answered["Content-Disposition"] == f"attachment; filename={named}.csv"


# ---- artefacts


def test_an_artefact_is_saved_and_never_opened(open_one, artefacts):
    status, answered, body = open_one.ask(artefacts[1])
    assert (status, body) == (200, HTML.encode())
    assert answered["Content-Disposition"] == "attachment"
    assert answered["Content-Type"] == "application/octet-stream"
    assert answered["X-Content-Type-Options"] == "nosniff"
    assert answered["Content-Security-Policy"].startswith("sandbox")
    assert answered["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize(
    "identity",
    [
        "..%2fsecret",
        "../secret",
        "..%2f..%2fsecret",
        "%2e%2e%2fsecret",
        "a/../../secret",
        "ab-1",
        "..",
        "%00",
    ],
)
def test_no_artefact_leads_out_of_the_store(open_one, artefacts, identity):
    start = artefacts[1].rpartition("/")[0]
    for folder in (start, start.rpartition("/")[0]):
        status, _, body = open_one.ask(f"{folder}/{identity}")
        assert 400 <= status < 500
        assert b"not to be read" not in body


# ---- load


def test_heavy_requests_take_turns_and_others_are_told_to_come_again():
    began, go = threading.Semaphore(0), threading.Event()

    def slow(_environ: Any, start: Any) -> list[bytes]:
        began.release()
        go.wait(60)
        start("200 OK", [])
        return [b""]

    heavy = Heavy(slow, at_once=1, patience_s=0.01)
    seen: list[tuple[str, dict[str, str]]] = []

    def ask(path: str) -> None:
        heavy({"PATH_INFO": path}, lambda status, headers: seen.append((status, dict(headers))))  # type: ignore[arg-type]

    first = threading.Thread(target=ask, args=("/api/studies/1/plot/slice",))
    first.start()
    began.acquire()
    ask("/csv/1")
    assert seen[0][0] == "429 Too Many Requests"
    assert "Retry-After" in seen[0][1]
    light = threading.Thread(target=ask, args=("/api/studies/1",))  # is not kept waiting
    light.start()
    began.acquire()
    go.set()
    first.join()
    light.join()
    assert sorted(status for status, _ in seen[1:]) == ["200 OK", "200 OK"]


# ---- starting


def test_beyond_loopback_a_token_is_needed_and_a_second_one_to_write(stored):
    with pytest.raises(InputError, match="a token is needed"):
        serve(stored, "0.0.0.0", 0)
    with pytest.raises(InputError, match="needs a token of its own"):
        serve(stored, "0.0.0.0", 0, token=TOKEN, allow_writes=True)
    with pytest.raises(InputError, match="is the one for reading"):
        serve(stored, "0.0.0.0", 0, token=TOKEN, write_token=TOKEN, allow_writes=True)
    assert TOKEN not in repr(Tokens(read=TOKEN))


def dashboard_command(stored: Any, *further: str) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "-m", "satisfice.cli.main", "dashboard", "--storage", str(stored.engine.url)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SATISFICE_")}
    return [*command, "--host", "0.0.0.0", "--port", "0", *further], environment


def test_the_command_asks_for_the_second_token(stored):
    command, environment = dashboard_command(stored, "--allow-writes")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "SATISFICE_WRITE_TOKEN" in done.stderr


@pytest.mark.parametrize("given", [None, "option", "variable"])
def test_the_command_makes_and_prints_a_token_where_none_is_given(stored, given):
    command, environment = dashboard_command(stored, *(["--token", TOKEN] if given == "option" else []))
    environment |= {"SATISFICE_TOKEN": TOKEN} if given == "variable" else {}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            address = process.stderr.readline()
            port = int(address.partition("0.0.0.0:")[2].split()[0])
            token = TOKEN if given else process.stderr.readline().partition("token: ")[2].strip()
            assert len(token) >= 20
            served = Served(port, None)
            assert served.ask("/api/studies")[0] == 401
            assert served.ask("/api/studies", Authorization=f"Bearer {token}")[0] == 200
        finally:
            process.terminate()
