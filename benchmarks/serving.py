"""`satisfice serve` beside FastAPI: requests per second, latencies and memory of one worker.

    python benchmarks/serving.py [--seconds 10] [--rounds 5] [--peer-python PYTHON] [--json]

Two trained models: a perceptron on digits, asked by the Open Inference Protocol, and Titanic's whole pipeline
(ten raw columns), asked by plain rows and by the protocol; one row a request. `wrk` with eight connections
asks ours and the peers in turn, so that what else the machine does meets all alike; medians over rounds are
told. Ours runs as `satisfice serve` does: access log (into a file), metrics and limits on, no token on
loopback. The peer, `serving_peer.py`, holds the same session with the same number of threads, checks requests
and answers with pydantic, and neither logs nor counts. Before anything is timed the answers are compared.

wrk comes with `apt install wrk`. Without --peer-python the peer gets a virtual environment in a temporary
folder (needs the network): fastapi uvicorn uvloop httptools numpy onnxruntime.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SATISFICE_DEVICE", "cpu")

import psutil

from served_models import infer_body, rows_of, ship, trained

REQUIREMENTS = ("fastapi", "uvicorn", "uvloop", "httptools", "numpy", "onnxruntime")
KINDS = ("satisfice", "sync", "async")
GOAL = 1.7  # times the better FastAPI variant
START_S = 120.0
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
function done(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format('{"requests":%%d,"seconds":%%f,"p50_ms":%%f,"p99_ms":%%f,"errors":%%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.timeout + e.status))
end
"""
Body = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of request to one model."""

    name: str
    model: str
    path: str
    body: Body


@dataclass(frozen=True, kw_only=True)
class Server:
    """A process that answers."""

    address: str
    process: int  # id


def make_models(folder: Path) -> list[Case]:
    """Train and ship both models."""
    cases = []
    for family, data, fixed in (("mlp", "digits", {"width": 256}), ("boosting", "titanic", {})):
        rows = rows_of(data)
        pipeline = ship(trained(family, data, folder, **fixed), folder / data, data, 0, rows)
        protocol = f"/v2/models/{data}/infer"
        body = infer_body(pipeline, rows[:1])
        cases.append(Case(name=f"{data}, infer", model=data, path=protocol, body=body))
        if data == "titanic":
            plain = {"rows": rows[:1]}
            cases.append(Case(name=f"{data}, predict", model=data, path="/predict", body=plain))
    return cases


def environment(folder: Path) -> Path:
    """A virtual environment of the peer; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(kind: str, folder: Path, log: Path, peer: Path) -> Iterator[Server]:
    """One server of a shipped folder, asked once it listens."""
    port = free_port()
    ours = [sys.executable, "-m", "satisfice.cli.main", "serve", str(folder), "--port", str(port)]
    theirs = [str(peer), str(Path(__file__).with_name("serving_peer.py")), str(folder), kind, str(port)]
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (
        log.open("w") as out,
        subprocess.Popen(
            ours if kind == "satisfice" else theirs,
            stdout=out,
            stderr=out,
            env=dict(os.environ) if kind == "satisfice" else plain,
        ) as process,
    ):
        try:
            until = time.monotonic() + START_S
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(log.read_text())
                time.sleep(0.05)
            yield Server(address=f"http://127.0.0.1:{port}", process=process.pid)
        finally:
            process.terminate()


def answer(server: Server, case: Case) -> list[float]:
    """The probabilities that a server answers; only these are told alike by all."""
    content = json.dumps(case.body).encode()
    request = urllib.request.Request(
        server.address + case.path, content, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as got:
        found = json.loads(got.read())
    if "predictions" in found:
        return list(found["predictions"][0]["probabilities"].values())
    return next(list(each["data"]) for each in found["outputs"] if each["name"] == "probabilities")


def load(server: Server, case: Case, folder: Path, seconds: float, connections: int) -> dict[str, float]:
    """One run of wrk."""
    script = folder / "wrk.lua"
    script.write_text(SCRIPT % json.dumps(case.body))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script)]
    process = psutil.Process(server.process)
    before_s = sum(process.cpu_times()[:2])
    done = subprocess.run([*command, server.address + case.path], capture_output=True, text=True, check=True)
    busy_s = sum(process.cpu_times()[:2]) - before_s
    found = json.loads(done.stderr)
    if found["errors"]:
        raise RuntimeError(f"{case.name}: {found['errors']} requests failed\n{done.stdout}")
    return {
        "per_s": found["requests"] / found["seconds"],
        "p50_ms": found["p50_ms"],
        "p99_ms": found["p99_ms"],
        "cpu_us": busy_s / found["requests"] * 1e6,
        "rss_mb": process.memory_info().rss / 2**20,
    }


def measure(case: Case, servers: dict[str, Server], folder: Path, options: argparse.Namespace) -> Body:
    """One case: medians over the rounds, of each kind, and ours over the better peer."""
    answers = [answer(server, case) for server in servers.values()]
    if any(abs(a - b) > 1e-6 for each in answers for a, b in zip(each, answers[0], strict=True)):
        raise RuntimeError(f"{case.name}: the answers differ: {answers}")
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for server in servers.values():
        load(server, case, folder, 1, options.connections)  # warm
    for number in range(options.rounds):
        for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
            found[kind].append(load(servers[kind], case, folder, options.seconds, options.connections))
    ratios = [
        ours["per_s"] / max(a["per_s"], b["per_s"])
        for ours, a, b in zip(*(found[kind] for kind in KINDS), strict=True)
    ]
    medians = {
        kind: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        for kind, runs in found.items()
    }
    ratio = medians["satisfice"]["per_s"] / max(medians[kind]["per_s"] for kind in KINDS[1:])
    return {
        "case": case.name,
        **medians,
        "ratio": ratio,
        "ratio_least": min(ratios),
        "ratio_most": max(ratios),
    }


def show(found: Body, *, as_json: bool) -> None:
    """Print one case."""
    if as_json:
        print(json.dumps(found), flush=True)
        return
    print(found["case"])
    for kind in KINDS:
        told = found[kind]
        name = kind if kind == "satisfice" else f"FastAPI, {kind}"
        print(
            f"  {name:15} {told['per_s']:8,.0f}/s  p50 {told['p50_ms']:6.2f} ms  p99 {told['p99_ms']:6.2f} ms"
            f"  {told['cpu_us']:5.0f} us of processor  {told['rss_mb']:4.0f} MB"
        )
    told = f"{found['ratio']:.2f} ({found['ratio_least']:.2f} to {found['ratio_most']:.2f})"
    print(f"  ours over the better peer: {told}; goal {GOAL}", flush=True)


def main() -> int:
    """Print one block, or one line of JSON, for each case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of one run of wrk")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--peer-python", type=Path, help="a Python that has the peer's packages")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed (apt install wrk)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="satisfice-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        cases = make_models(folder)
        peer = options.peer_python or environment(folder / "venv")
        servers: dict[str, dict[str, Server]] = {case.model: {} for case in cases}
        for model, kinds in servers.items():
            for kind in KINDS:
                log = folder / f"{model}-{kind}.log"
                kinds[kind] = stack.enter_context(serving(kind, folder / model, log, peer))
        print(f"load before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores", flush=True)
        for case in cases:
            show(measure(case, servers[case.model], folder, options), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
