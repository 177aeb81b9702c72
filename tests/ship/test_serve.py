"""The server, from outside: a process of its own, asked over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("uvicorn")
pytest.importorskip("starlette")
pytest.importorskip("msgspec")

from tests.ship.shipped_models import ROWS, expected, write_bright, write_price, write_survival

from satisfice.deploy.server.counters import Counters
from satisfice.deploy.server.models import open_settled
from satisfice.deploy.server.queue import take_no_more, waiting
from satisfice.errors import InputError
from satisfice.ship.folder.standalone import open_pipeline

ROW = {"age": 30, "fare": "1.234,5", "sex": "female", "boarded": "1.2.1970"}


@dataclass
class Server:
    process: subprocess.Popen[str]
    host: str
    port: int
    first_lines: list[str]

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, sent, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json else content.decode()

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        return self.ask("POST", path, body, headers)

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return self.ask("GET", path, None, headers)


@contextlib.contextmanager
def serving(*arguments: str, lines: int = 1, log: IO[str] | None = None) -> Iterator[Server]:
    with contextlib.nullcontext(log) if log else tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "satisfice.cli.main", "serve", *arguments, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            assert process.stdout is not None
            said = [process.stdout.readline().strip() for _ in range(lines)]
            if not said[0]:
                process.wait(60)
                log.seek(0)
                pytest.fail(log.read())
            host, _, port = said[0].removeprefix("http://").rpartition(":")
            try:
                yield Server(process, "127.0.0.1" if host == "0.0.0.0" else host, int(port), said)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


@pytest.fixture(scope="module")
def survival(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("one")
    write_survival(folder)
    with serving(str(folder), "--max-rows", "50", "--max-bytes", "100000") as server:
        yield server


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("several")
    write_price(folder / "price")
    write_bright(folder / "bright")
    with serving(str(folder / "price"), str(folder / "bright")) as server:
        yield server


def test_plain_rows_are_answered_as_by_the_pipeline(survival: Server, tmp_path: Path) -> None:
    write_survival(tmp_path)
    status, answer = survival.post("/predict", {"rows": ROWS})
    assert status == 200
    assert answer["predictions"] == open_pipeline(tmp_path).answer(ROWS)[0]
    assert answer["predictions"][0]["probabilities"]["yes"] == pytest.approx(
        expected(30, 1234.5, True, 31), abs=1e-6
    )
    assert answer["warnings"] == ["values that training never saw: 1 of column 'sex' (such as 'elf')"]
    assert survival.post("/predict/survival-3", {"rows": [ROW]}) == (
        200,
        {"predictions": answer["predictions"][:1]},
    )


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "truncated"),
        (b"{", 400, "truncated"),
        (b"\xff", 400, "the body is no request"),
        (b"[" * 5000, 400, "the body is no request"),
        ({"row": [ROW]}, 400, "`rows`"),
        ({"rows": ROW}, 400, "$.rows"),
        ({"rows": [ROW, 5]}, 400, "$.rows["),
        ({"rows": []}, 400, "no rows"),
        ({"rows": [{**ROW, "age": "old"}]}, 400, "column 'age' holds 'old'"),
        ({"rows": [{**ROW, "age": [1]}]}, 400, "column 'age'"),
        ({"rows": [{**ROW, "age": 10**400}]}, 400, "'age'"),
        ({"rows": [{**ROW, "sex": {"a": 1}}]}, 400, "column 'sex'"),
        ({"rows": [{k: v for k, v in ROW.items() if k != "sex"}]}, 400, "row 0 lacks column 'sex'"),
        ({"rows": [ROW] * 51}, 413, "51 rows; at most 50"),
        (b" " * 100_001, 413, "longer than 100000 bytes"),
    ],
)
def test_bad_rows_are_one_sentence_that_names_the_field(
    survival: Server, body: Any, status: int, sentence: str
) -> None:
    found, answer = survival.post("/predict", body)
    assert found == status
    assert sentence in answer["error"]


def tensors(**changed: Any) -> list[dict[str, Any]]:
    data = {"age": [30.0], "fare": [1234.5], "boarded": [31 * 86400.0], "sex": ["female"], **changed}
    return [
        {
            "name": name,
            "shape": [len(values), 1],
            "datatype": "BYTES" if name == "sex" else "FP64",
            "data": values,
        }
        for name, values in data.items()
    ]


def test_the_open_inference_protocol(survival: Server) -> None:
    assert survival.get("/v2/health/live") == (200, {"live": True})
    assert survival.get("/v2/health/ready") == (200, {"ready": True})
    assert survival.get("/v2")[1]["name"] == "satisfice"
    assert survival.get("/v2/models/survival-3/ready") == (200, {"name": "survival-3", "ready": True})
    status, told = survival.get("/v2/models/survival-3/versions/3")
    assert status == 200
    assert {(t["name"], t["datatype"], *t["shape"]) for t in told["inputs"]} == {
        *(
            ("age", "FP64", -1, 1),
            ("fare", "FP64", -1, 1),
            ("boarded", "FP64", -1, 1),
            ("sex", "BYTES", -1, 1),
        )
    }
    status, answer = survival.post("/v2/models/survival-3/infer", {"id": "7", "inputs": tensors()})
    assert status == 200
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("7", "survival-3", "3")
    label, probabilities = answer["outputs"]
    assert label == {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["yes"]}
    assert probabilities["shape"] == [1, 2]
    assert probabilities["data"][1] == pytest.approx(expected(30, 1234.5, True, 31), abs=1e-6)
    asked = {"inputs": tensors(age=[None]), "outputs": [{"name": "probabilities"}]}
    (only,) = survival.post("/v2/models/survival-3/infer", asked)[1]["outputs"]
    assert only["data"][1] == pytest.approx(expected(None, 1234.5, True, 31), abs=1e-6)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (tensors()[1:], "input 'age' is absent"),
        ([*tensors(), tensors()[0]], "inputs[4].name: input 'age' is given twice"),
        ([*tensors(), {**tensors()[0], "name": "x"}], "inputs[4].name: the model has no input 'x'"),
        ([{**tensors()[0], "shape": [2, 1]}, *tensors()[1:]], "data holds 1 values, the shape says 2"),
        ([{**tensors()[0], "shape": [1]}, *tensors()[1:]], "'age': shape [1] is not [-1, 1]"),
        ([{**tensors()[0], "shape": [-1, 1]}, *tensors()[1:]], "'age': shape [-1, 1] is not"),
        ([{**tensors()[0], "datatype": "BYTES"}, *tensors()[1:]], "'age': datatype 'BYTES' is not FP64"),
        (tensors(age=["1"]), "'age': data holds something else than numbers"),
        (tensors(age=[[1], 2]), "'age': data mixes lists and values"),
        (tensors(age=[10**400]), "'age'"),
        (tensors(sex=[1]), "'sex': data holds something else than texts"),
        (tensors(age=[1.0, 2.0]), "input 'fare' has 1 rows, another one 2"),
        (tensors(age=[], fare=[], boarded=[], sex=[]), "there are no rows"),
        ([{"name": "age"}], "$.inputs["),
    ],
)
def test_bad_tensors_are_one_sentence_that_names_the_field(
    survival: Server, inputs: Any, sentence: str
) -> None:
    status, answer = survival.post("/v2/models/survival-3/infer", {"inputs": inputs})
    assert status == 400
    assert sentence in answer["error"]


def test_what_is_not_there_and_what_is_not_taken(survival: Server) -> None:
    assert survival.get("/nothing") == (404, {"error": "there is nothing at this address"})
    assert survival.get("/predict")[0] == 405
    assert survival.get("/v2/models/other")[0] == 404
    assert survival.get("/v2/models/survival-3/versions/4")[0] == 404
    asked = {"inputs": tensors(), "outputs": [{"name": "x"}]}
    assert "outputs[0].name" in survival.post("/v2/models/survival-3/infer", asked)[1]["error"]
    binary = {"Inference-Header-Content-Length": "10"}
    assert survival.ask("POST", "/v2/models/survival-3/infer", b"x", binary)[0] == 400
    assert survival.get("/v2", Host="evil.example")[0] == 403


def test_several_models_are_asked_by_name(several: Server) -> None:
    status, answer = several.post("/predict", {"rows": [{"size": 1}]})
    assert status == 400
    assert "price, bright" in answer["error"]
    assert several.post("/predict?model=price", {"rows": [{"size": 1}]})[1] == {
        "predictions": [{"value": 1002.0}]
    }
    status, answer = several.post("/predict/bright", {"rows": [{"image": [[255] * 3] * 2}]})
    assert answer["predictions"][0]["label"] == 1
    image = {"name": "images", "shape": [1, 1, 2, 3], "datatype": "UINT8", "data": [[[[0] * 3] * 2]]}
    status, answer = several.post("/v2/models/bright/infer", {"inputs": [image]})
    assert answer["outputs"][0] == {"name": "label", "datatype": "INT64", "shape": [1], "data": [0]}
    image["data"] = [256] * 6
    assert several.post("/v2/models/bright/infer", {"inputs": [image]})[0] == 400
    assert several.post("/predict/price", {"rows": [{"size": 1.7e308}]})[0] == 400


def test_the_documents_describe_what_is_served(survival: Server) -> None:
    status, document = survival.get("/openapi.json")
    assert status == 200
    row = document["components"]["schemas"]["Row0"]
    assert row["required"] == ["age", "fare", "sex", "boarded"]
    assert "0.2 to 80" in row["properties"]["age"]["description"]
    for path in ("/predict", "/v2/models/survival-3/infer"):
        example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert survival.post(path, example)[0] == 200
    status, page = survival.get("/docs")
    assert status == 200
    assert "openapi.json" in page
    assert "http://" not in page
    assert "https://" not in page


def test_each_request_has_a_line_in_the_log(tmp_path: Path) -> None:
    write_price(tmp_path / "price")
    with (tmp_path / "log").open("w") as log, serving(str(tmp_path / "price"), log=log) as server:
        server.post("/predict", {"rows": [{"size": 1}, {"size": 2}]})
        server.post("/predict", {"rows": []})
        server.get("/v2")
    lines = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    told = [(client, method, path, status, rows) for _, client, method, path, status, _, _, rows, _ in lines]
    assert told == [
        ("127.0.0.1", "POST", "/predict", "200", "2"),
        ("127.0.0.1", "POST", "/predict", "400", "0"),
        ("127.0.0.1", "GET", "/v2", "200", "0"),
    ]
    assert all(abs(datetime.fromisoformat(line[0]).timestamp() - time.time()) < 3600 for line in lines)


def test_metrics_count_what_was_answered(several: Server) -> None:
    def count(name: str) -> float:
        text = several.get("/metrics")[1]
        return float(next(line for line in text.splitlines() if line.startswith(name)).split()[-1])

    right = 'satisfice_requests_total{model="price",endpoint="predict",status="2xx"}'
    wrong = 'satisfice_requests_total{model="price",endpoint="predict",status="4xx"}'
    rows = 'satisfice_rows_total{model="price",endpoint="predict"}'
    before = [count(name) for name in (right, wrong, rows)]
    several.post("/predict/price", {"rows": [{"size": 1}, {"size": 2}]})
    several.post("/predict/price", {"rows": [{}]})
    assert [count(name) for name in (right, wrong, rows)] == [before[0] + 1, before[1] + 1, before[2] + 2]


def test_workers_counts_are_added_up(tmp_path: Path) -> None:
    counters = Counters(tmp_path, ["a"])
    counters.request("a", "infer", 200, 0.0004, 3)
    counters.request("a", "infer", 404, 99.0, 0)
    counters.reload("a", False)
    (own,) = tmp_path.iterdir()
    (tmp_path / "1.counts").write_bytes(own.read_bytes())
    lines = counters.text().splitlines()
    assert 'satisfice_requests_total{model="a",endpoint="infer",status="2xx"} 2' in lines
    assert 'satisfice_request_duration_seconds_bucket{model="a",endpoint="infer",le="0.0005"} 2' in lines
    assert 'satisfice_request_duration_seconds_bucket{model="a",endpoint="infer",le="10.0"} 2' in lines
    assert 'satisfice_request_duration_seconds_bucket{model="a",endpoint="infer",le="+Inf"} 4' in lines
    assert 'satisfice_rows_total{model="a",endpoint="infer"} 6' in lines
    assert 'satisfice_reloads_total{model="a",result="refused"} 2' in lines


def test_a_token_is_asked_for_where_one_is_given(tmp_path: Path) -> None:
    write_price(tmp_path)
    with serving(str(tmp_path), "--token", "secret") as server:
        for path in ("/v2", "/v2/models/price", "/openapi.json", "/metrics", "/nothing"):
            assert server.get(path)[0] == 401
            assert server.get(path, Authorization="Bearer wrong")[0] == 401
        assert server.get("/v2", Authorization="Bearer secret")[0] == 200
        assert server.get("/v2/health/ready")[0] == 200


def test_beyond_loopback_a_token_is_made_and_printed(tmp_path: Path) -> None:
    write_price(tmp_path)
    with serving(str(tmp_path), "--host", "0.0.0.0", lines=2) as server:
        token = server.first_lines[1].removeprefix("token: ")
        assert len(token) >= 24
        assert server.get("/v2")[0] == 401
        assert server.get("/v2", Authorization=f"Bearer {token}")[0] == 200


@pytest.mark.slow
def test_a_worker_that_is_killed_comes_again(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    write_price(tmp_path)
    with serving(str(tmp_path), "--workers", "2") as server:
        assert server.post("/predict", {"rows": [{"size": 1}]})[0] == 200
        parent = psutil.Process(server.process.pid)
        until = time.monotonic() + 60
        while len(workers := servers_of(parent)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        workers[0].kill()
        while len([w for w in servers_of(parent) if w.pid != workers[0].pid]) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert server.post("/predict", {"rows": [{"size": 1}]})[0] == 200
    assert server.process.returncode == 0
    assert not any(worker.is_running() for worker in workers)


def servers_of(parent: Any) -> list[Any]:
    import psutil

    found = []
    for child in parent.children():
        with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_new_version_is_taken_without_a_lost_request(tmp_path: Path, workers: int) -> None:
    write_survival(tmp_path, threshold=0.9)
    path = "/v2/models/survival-3/infer"
    wrong: list[Any] = []
    seen: set[str] = set()
    stop = threading.Event()
    with serving(str(tmp_path), "--workers", str(workers)) as server:

        def ask() -> None:
            while not stop.is_set():
                try:
                    status, answer = server.post(path, {"inputs": tensors(age=[0.5])})
                    label, probabilities = (output["data"] for output in answer["outputs"])
                    version = answer["model_version"]
                    wanted = "yes" if probabilities[1] >= {"3": 0.9, "4": 0.3}[version] else "no"
                    seen.add(version)
                    if status != 200 or label != [wanted]:
                        wrong.append(answer)
                except (OSError, KeyError) as error:
                    wrong.append(repr(error))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        write_survival(tmp_path, threshold=0.3, trial=4)
        until = time.monotonic() + 60
        while "4" not in seen and time.monotonic() < until:
            time.sleep(0.05)
        content = (tmp_path / "model.onnx").read_bytes()
        (tmp_path / "model.onnx").write_bytes(content[:100])  # a copy that goes on
        refused = 'satisfice_reloads_total{model="survival-3",result="refused"} 0'
        while refused in server.get("/metrics")[1] and time.monotonic() < until:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join()
        assert refused not in server.get("/metrics")[1]
    assert wrong == []
    assert seen == {"3", "4"}


def test_accepted_requests_are_answered_after_sigterm(tmp_path: Path) -> None:
    write_price(tmp_path)
    with serving(str(tmp_path)) as server, socket.create_connection((server.host, server.port)) as caller:
        body = json.dumps({"rows": [{"size": 1}]}).encode()
        head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        caller.sendall(head + body[:5])
        while 'endpoint="other",status="2xx"} 0' in server.get("/metrics")[1].split("price")[0]:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionRefusedError):  # noqa: PT012  # it stops listening soon
            for _ in range(1000):
                socket.create_connection((server.host, server.port)).close()
                time.sleep(0.01)
        assert server.process.poll() is None
        caller.sendall(body[5:])
        caller.settimeout(60)
        answer = b""
        while part := caller.recv(65536):
            answer += part
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b'{"predictions":[{"value":1002.0}]}')
        assert server.process.wait(60) == 0


def test_what_waits_to_be_accepted_is_answered_after_sigterm(tmp_path: Path) -> None:
    write_price(tmp_path)
    with serving(str(tmp_path)) as server:
        server.process.send_signal(signal.SIGSTOP)
        with contextlib.ExitStack() as stack:
            address = (server.host, server.port)
            callers = [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(3)]
            for caller in callers:
                caller.sendall(asked(b'{"rows": [{"size": 4}]}', path="/predict"))
            server.process.send_signal(signal.SIGTERM)
            server.process.send_signal(signal.SIGCONT)
            for caller in callers:
                assert caller.recv(65536).endswith(b'{"predictions":[{"value":1008.0}]}')
        assert server.process.wait(60) == 0


def test_a_request_on_an_idle_connection_is_answered_after_sigterm(tmp_path: Path) -> None:
    write_price(tmp_path)
    with serving(str(tmp_path)) as server:
        address = (server.host, server.port)
        with socket.create_connection(address, timeout=60) as caller, socket.create_connection(address):
            caller.sendall(asked(b'{"rows": [{"size": 4}]}', path="/predict"))
            assert b"connection: close" not in caller.recv(65536).lower()
            server.process.send_signal(signal.SIGSTOP)  # the request is on its way when the server ends
            server.process.send_signal(signal.SIGTERM)
            caller.sendall(asked(b'{"rows": [{"size": 5}]}', path="/predict"))
            server.process.send_signal(signal.SIGCONT)
            answer = caller.recv(65536)
            assert answer.endswith(b'{"predictions":[{"value":1010.0}]}')
            assert b"connection: close" in answer.lower() or caller.recv(1) == b""
            assert server.process.wait(60) == 0


def test_nobody_joins_the_queue_of_a_socket_that_is_to_be_closed() -> None:
    if not hasattr(socket, "TCP_INFO"):
        pytest.skip("only Linux tells of the queue")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        callers = [socket.create_connection(address) for _ in range(2)]
        assert waiting(listening) == 2
        take_no_more(listening)
        with pytest.raises(TimeoutError):
            socket.create_connection(address, timeout=0.2)
        for _ in callers:
            listening.accept()[0].close()
        assert waiting(listening) == 0
        for caller in callers:
            caller.close()


def test_a_folder_that_is_being_written_is_opened_when_it_is_whole(tmp_path: Path) -> None:
    write_price(tmp_path)
    whole = (tmp_path / "model.onnx").read_bytes()
    (tmp_path / "model.onnx").write_bytes(whole[:-1])
    with pytest.raises(InputError, match="model"):
        open_settled(tmp_path, 1)
    writer = threading.Timer(0.1, (tmp_path / "model.onnx").write_bytes, (whole,))
    writer.start()
    assert open_settled(tmp_path, 1).name == "price"
    writer.join()


def raw_answers(server: Server, sent: bytes, pause_at: int = 0) -> list[tuple[int, bytes, bytes]]:
    """Status, head and body of every answer to bytes on one connection, until the server closes it."""
    with socket.create_connection((server.host, server.port), timeout=60) as caller:
        if pause_at:
            caller.sendall(sent[:pause_at])
            time.sleep(0.1)
        caller.sendall(sent[pause_at:])
        got = b""
        while part := caller.recv(65536):
            got += part
    found = []
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        found.append((int(head.split()[1]), head, got[:length]))
        got = got[length:]
    return found


def asked(body: bytes, *further: str, path: str = "/predict/price", version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", *further, f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_requests_of_one_connection_are_answered_in_their_order(several: Server) -> None:
    # Short ones are answered at once; what goes the long way between them must not be overtaken.
    plain = [b'{"rows": [{"size": %d}]}' % size for size in range(6)]
    sent = b"".join(
        [
            asked(plain[0]),
            asked(plain[1], path="/predict/%70rice"),
            asked(plain[2]),
            b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
            asked(plain[3]),
            asked(b"{", path="/predict/price"),
            asked(plain[4], "X-Forwarded-For: 192.0.2.7"),
            asked(plain[5], "Connection: close"),
        ]
    )
    for pause_at in (0, 20, len(asked(plain[0])) - 3):
        found = raw_answers(several, sent, pause_at)
        assert [status for status, _, _ in found] == [200, 200, 200, 200, 200, 400, 200, 200]
        values = [b'{"predictions":[{"value":%d.0}]}' % (1000 + 2 * size) for size in range(6)]
        bodies = [body for _, _, body in found]
        assert bodies[:3] + bodies[4:5] + bodies[6:] == values
        assert bodies[3] == b'{"live":true}'
        assert b"connection: close" in found[-1][1].lower()


def test_every_way_of_sending_a_body_has_the_same_answer(several: Server) -> None:
    body = b'{"rows": [{"size": 4}]}'
    head = b"POST /predict/price HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    padded = body + b" " * 40_000  # computed in a thread
    for sent in (
        asked(body, "Connection: close"),
        asked(body, version="1.0"),
        asked(padded, "Connection: close"),
        asked(body, "Connection: close", path="/predict?model=price"),
        head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
    ):
        ((status, _, got),) = raw_answers(several, sent)
        assert (status, got) == (200, b'{"predictions":[{"value":1008.0}]}')
    for sent in (asked(b"", "Connection: close"), asked(body, "Host: evil.example", "Connection: close")):
        ((status, _, got),) = raw_answers(several, sent)
        assert status in (400, 403)
        assert b'"error"' in got


def test_what_cannot_be_served_is_one_sentence(tmp_path: Path) -> None:
    write_price(tmp_path / "a")
    write_price(tmp_path / "b")
    taken = socket.create_server(("127.0.0.1", 0))
    port = str(taken.getsockname()[1])
    for arguments, sentence in (
        ([str(tmp_path)], "model.json cannot be read"),
        ([str(tmp_path / "a"), str(tmp_path / "b")], "are both named 'price'"),
        ([str(tmp_path / "a"), "--port", port], "cannot be listened on"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "satisfice.cli.main", "serve", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert sentence in done.stderr
        assert len(done.stderr.splitlines()) == 1
    taken.close()


def test_a_server_holds_neither_torch_nor_pandas_nor_scikit_learn_nor_optuna(survival: Server) -> None:
    maps = Path(f"/proc/{survival.process.pid}/maps")
    if not maps.exists():
        pytest.skip("only Linux tells what a process has loaded")
    loaded = maps.read_text()
    assert "onnxruntime" in loaded
    assert not [name for name in ("/torch/", "/pandas/", "/sklearn/", "/scipy/") if name in loaded]
    code = (
        "import sys, satisfice.cli.commands.shipped, satisfice.deploy.server.app\n"
        "print([n for n in ('pandas', 'torch', 'sklearn', 'optuna', 'sqlalchemy') if n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_public_client_of_the_protocol_talks_to_it(survival: Server) -> None:
    client_module = pytest.importorskip("tritonclient.http")
    import numpy as np

    with client_module.InferenceServerClient(f"{survival.host}:{survival.port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("survival-3")
        assert client.get_model_metadata("survival-3")["platform"] == "onnx_onnxv1"
        inputs = []
        for told in tensors():
            kind = np.object_ if told["datatype"] == "BYTES" else np.float64
            each = client_module.InferInput(told["name"], told["shape"], told["datatype"])
            each.set_data_from_numpy(
                np.array(told["data"], dtype=kind).reshape(told["shape"]), binary_data=False
            )
            inputs.append(each)
        wanted = [client_module.InferRequestedOutput("probabilities", binary_data=False)]
        answer = client.infer("survival-3", inputs, outputs=wanted)
        assert answer.as_numpy("probabilities")[0, 1] == pytest.approx(
            expected(30, 1234.5, True, 31), abs=1e-6
        )


@pytest.mark.slow
def test_schemathesis_finds_no_failure_of_the_server(several: Server) -> None:
    pytest.importorskip("schemathesis")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"http://{several.host}:{several.port}/openapi.json",
            *("--checks", "not_a_server_error", "--max-examples", "40", "--seed", "1"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:]
