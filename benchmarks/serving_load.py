"""Whether `satisfice serve` answers rightly, and loses nothing, while models and workers come and go.

    python benchmarks/serving_load.py [--minutes 10] [--workers 2] [--clients 8] [--json]

Clients send rows and tensors, one and many, wrong requests and questions about the server, on kept and on new
connections. Meanwhile the folder is rewritten with another version every few seconds, and every twenty
seconds one worker gets SIGTERM. At last one worker gets SIGKILL, and then the server SIGTERM, under load too.

Each answer is compared with those of the versions that the folder held from a few seconds before the request
(`--lag`: a worker looks once a second, and needs time to open what it finds) to the answer. Counted apart for
each phase: wrong answers; requests that were sent and have no answer, or a status of 500 and more;
connections that were refused. Exit code 1 where an answer is wrong, or a request is lost but by SIGKILL.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SATISFICE_DEVICE", "cpu")

import psutil

from served_models import infer_body, rows_of, ship, trained

NAME = "titanic"
SEEDS = 5  # different models; version n is that of seed n modulo this
REWRITE_S = 4.0
TERM_S = 20.0
LAST_S = 15.0  # of the phase after SIGKILL
PHASES = ("load", "killed", "ended")
Answers = list[dict[str, Any]]


class Versions:
    """What the folder held, and when.

    Args:
        folder: That is served.
        kept: Model files of the seeds.
        rows: Raw rows of the data set.
    """

    def __init__(self, folder: Path, kept: list[Path], rows: list[dict[str, Any]]) -> None:
        self._folder, self._kept, self._rows = folder, kept, rows
        self._since: list[float] = []  # of each version: when it began to be written
        self._lock = threading.Lock()
        self.pipelines = [
            ship(path, folder.with_name(f"seed-{i}"), NAME, i, rows) for i, path in enumerate(kept)
        ]
        self.answers: list[Answers] = [pipeline.answer(rows)[0] for pipeline in self.pipelines]

    def write(self) -> None:
        """Write the next version over the last one."""
        number = len(self._since)
        with self._lock:
            self._since.append(time.monotonic())
        ship(self._kept[number % SEEDS], self._folder, NAME, number, self._rows)

    def possible(self, begin: float, end: float, lag: float) -> range:
        """The versions that may answer a request that was sent and answered at these times."""
        with self._lock:
            first = max((i for i, since in enumerate(self._since) if since <= begin - lag), default=0)
            last = max(i for i, since in enumerate(self._since) if since <= end)
        return range(first, last + 1)


@dataclass
class Found:
    """What one client met."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)  # (phase, what) -> how often
    examples: list[str] = field(default_factory=list)

    def add(self, phase: str, what: str, example: str = "") -> None:
        """Count it."""
        self.counts[phase, what] += 1
        if example and len(self.examples) < 5:
            self.examples.append(f"{phase}: {what}: {example[:300]}")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, and how its answer is judged."""

    method: str
    path: str
    body: bytes | None
    status: int
    right: Callable[[Any, range], bool]


def same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether an answer to a row is the one that is wanted, but for the last digits."""
    close = all(
        math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-6)
        for a, b in zip(found["probabilities"].values(), wanted["probabilities"].values(), strict=True)
    )
    return bool(found["label"] == wanted["label"]) and close


class Requests:
    """Makes the requests of one client.

    Args:
        versions: Whose answers are right.
        rows: Raw rows of the data set.
        seed: Of the client.
    """

    def __init__(self, versions: Versions, rows: list[dict[str, Any]], seed: int) -> None:
        self._versions, self._rows = versions, rows
        self._random = random.Random(seed)

    def next(self) -> Asked:
        """One request."""
        kinds = (self.infer, self.predict, self.wrong, self.about)
        return self._random.choices(kinds, (45, 40, 7, 8))[0]()

    def _slice(self) -> slice:
        count = self._random.choice((1, 1, 1, 1, 1, 1, 5, 300))  # the last is computed in a thread
        first = self._random.randrange(len(self._rows) - count)
        return slice(first, first + count)

    def predict(self) -> Asked:
        """Plain rows."""
        part = self._slice()

        def right(answer: Any, versions: range) -> bool:
            found = answer["predictions"]
            return (
                any(
                    all(map(same, found, self._versions.answers[version % SEEDS][part]))
                    for version in versions
                )
                and len(found) == part.stop - part.start
            )

        body = json.dumps({"rows": self._rows[part]}).encode()
        return Asked(method="POST", path="/predict", body=body, status=200, right=right)

    def infer(self) -> Asked:
        """Tensors; the answer tells its version."""
        part = self._slice()

        def right(answer: Any, versions: range) -> bool:
            version = int(answer["model_version"])
            outputs = {each["name"]: each["data"] for each in answer["outputs"]}
            wanted = self._versions.answers[version % SEEDS][part]
            numbers = [value for each in wanted for value in each["probabilities"].values()]
            return (
                version in versions
                and outputs["label"] == [each["label"] for each in wanted]
                and len(outputs["probabilities"]) == len(numbers)
                and all(
                    math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-6)
                    for a, b in zip(outputs["probabilities"], numbers, strict=True)
                )
            )

        body = json.dumps(infer_body(self._versions.pipelines[0], self._rows[part])).encode()
        return Asked(method="POST", path=f"/v2/models/{NAME}/infer", body=body, status=200, right=right)

    def wrong(self) -> Asked:
        """What is refused in one sentence."""
        body = self._random.choice((b"{", b'{"rows": []}', b'{"rows": [{}]}'))
        path = "/predict"
        return Asked(
            method="POST", path=path, body=body, status=400, right=lambda answer, _: "error" in answer
        )

    def about(self) -> Asked:
        """What is told of the server."""
        path = self._random.choice(("/v2/health/ready", f"/v2/models/{NAME}", "/metrics"))

        def right(answer: Any, versions: range) -> bool:
            told = answer.get("versions") if isinstance(answer, dict) else None
            return told is None or int(told[0]) in versions

        return Asked(method="GET", path=path, body=None, status=200, right=right)


class Load:
    """Clients that ask until they are stopped.

    Args:
        port: Of the server.
        versions: Whose answers are right.
        rows: Raw rows of the data set.
        lag: Seconds after which a worker must have taken a new version.
    """

    def __init__(self, port: int, versions: Versions, rows: list[dict[str, Any]], lag: float) -> None:
        self._port, self._versions, self._rows, self._lag = port, versions, rows, lag
        self.phase = PHASES[0]
        self.stop = threading.Event()
        self.found: list[Found] = []

    @contextlib.contextmanager
    def running(self, clients: int) -> Iterator[None]:
        """Ask while the block runs; every other client makes a connection for each request."""
        self.found = [Found() for _ in range(clients)]
        threads = [threading.Thread(target=self._client, args=(i,)) for i in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def _client(self, number: int) -> None:
        requests, found = Requests(self._versions, self._rows, number), self.found[number]
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self.stop.is_set():
            if not self._connected(connection, found):
                continue
            if not self._ask(connection, requests.next(), found, close=number % 2 == 1):
                connection.close()
        connection.close()

    def _connected(self, connection: http.client.HTTPConnection, found: Found) -> bool:
        if connection.sock is not None:
            return True
        try:
            connection.connect()
        except OSError as error:
            found.add(self.phase, "not connected", repr(error))
            self.stop.wait(0.05)
            return False
        return True

    def _ask(
        self, connection: http.client.HTTPConnection, asked: Asked, found: Found, *, close: bool
    ) -> bool:
        begin, phase = time.monotonic(), self.phase
        headers = {"Connection": "close"} if close else {}
        found.add(phase, "requests")
        try:
            connection.request(asked.method, asked.path, asked.body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            # SIGKILL may have come while the answer was awaited.
            found.add(self.phase, "lost", f"{asked.method} {asked.path} {error!r}")
            return False
        end = time.monotonic()
        if answer.status >= 500:
            found.add(phase, "5xx", content.decode())
        is_json = answer.headers.get_content_type() == "application/json"
        told = json.loads(content) if is_json else content.decode()
        versions = self._versions.possible(begin, end, self._lag)
        if answer.status < 500 and not (answer.status == asked.status and asked.right(told, versions)):
            found.add(phase, "wrong", f"{versions}: {asked.path} {answer.status} {told}")
        return not answer.will_close


def workers_of(server: int) -> list[psutil.Process]:
    """The processes that answer."""
    found = []
    for child in psutil.Process(server).children():
        with contextlib.suppress(psutil.Error):
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


@contextlib.contextmanager
def serving(folder: Path, workers: int, log: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server, and its port, once all workers are there."""
    command = [sys.executable, "-m", "satisfice.cli.main", "serve", str(folder), "--port", "0"]
    with (
        log.open("w") as out,
        subprocess.Popen(
            [*command, "--workers", str(workers)], stdout=subprocess.PIPE, stderr=out, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            if not said:
                raise RuntimeError(log.read_text())
            yield process, int(said.rpartition(":")[2])
        finally:
            process.terminate()


def disturb(load: Load, versions: Versions, server: int, until: float) -> Counter[str]:
    """Rewrite the folder and end workers, until then."""
    done: Counter[str] = Counter()
    next_write, next_term = time.monotonic(), time.monotonic() + TERM_S / 2
    while (now := time.monotonic()) < until:
        if now >= next_write:
            versions.write()
            done["rewritten"] += 1
            next_write = now + REWRITE_S
        if now >= next_term and load.phase == PHASES[0]:
            random.choice(workers_of(server)).terminate()
            done["SIGTERM"] += 1
            next_term = now + TERM_S
        time.sleep(0.05)
    return done


def run(folder: Path, options: argparse.Namespace) -> tuple[Load, Counter[str], list[str]]:
    """The whole test: what was found, what was done, and what the server's log says beside requests."""
    rows = rows_of(NAME)
    kept = [trained("boosting", NAME, folder, seed) for seed in range(SEEDS)]
    versions = Versions(folder / NAME, kept, rows)
    versions.write()
    log = folder / "log"
    with serving(folder / NAME, options.workers, log) as (process, port):
        load = Load(port, versions, rows, options.lag)
        with load.running(options.clients):
            done = disturb(load, versions, process.pid, time.monotonic() + 60 * options.minutes)
            load.phase = "killed"
            workers_of(process.pid)[0].send_signal(signal.SIGKILL)
            done += disturb(load, versions, process.pid, time.monotonic() + LAST_S)
            load.phase = "ended"
            process.send_signal(signal.SIGTERM)
            done[f"exit code {process.wait(60)}"] = 1
    said = [line for line in log.read_text().splitlines() if " 127.0.0.1 " not in line]
    return load, done, said


def main() -> int:
    """Print what was counted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2, help="two or more")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--lag", type=float, default=6.0, help="seconds until a new version must be taken")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="satisfice-") as name:
        load, done, said = run(Path(name), options)
    counts = sum((found.counts for found in load.found), Counter[tuple[str, str]]())
    kinds = ("requests", "wrong", "lost", "5xx", "not connected")
    table = {phase: {kind: counts[phase, kind] for kind in kinds} for phase in PHASES}
    if options.json:
        print(json.dumps({"done": done, "phases": table}))
    else:
        print(", ".join(f"{what}: {count}" for what, count in done.items()))
        for phase, row in table.items():
            print(f"{phase:7} " + "  ".join(f"{kind} {count:,}" for kind, count in row.items()))
    for example in [example for found in load.found for example in found.examples][:20]:
        print(example, file=sys.stderr)
    for line in [line for line in said if "is now version" not in line][:40]:
        print(f"log: {line}", file=sys.stderr)
    bad = sum(row["wrong"] for row in table.values())
    bad += sum(table[phase][kind] for phase in ("load", "ended") for kind in ("lost", "5xx"))
    return int(bad > 0 or table["load"]["not connected"] > 0)


if __name__ == "__main__":
    sys.exit(main())
