"""The process that trains: it takes jobs as JSON lines from its input, and tells events as JSON lines.

It ends with its input, so that it never outlives the server. ``python -m satisfice.lab.child [STUDY.toml]``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from satisfice.errors import SatisficeError
from satisfice.lab.settings import LabTraining, training_of
from satisfice.lab.subject import Subject
from satisfice.lab.training import Cancelled, train
from satisfice.results.as_json import plain


class TrainingProcess:
    """Trains one job after the other.

    Args:
        subject: The data.
        told: Where events go.
    """

    def __init__(self, subject: Subject, told: TextIO) -> None:
        self.subject = subject
        self._told = told
        self._jobs: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._cancelled: set[str] = set()

    def read(self, lines: TextIO) -> None:
        """Take jobs and cancellations until the input ends, and then end the process."""
        for line in lines:
            message = json.loads(line)
            if "cancel" in message:
                self._cancelled.add(message["cancel"])
            else:
                self._jobs.put(message)
        os._exit(0)  # whatever is being trained: nobody is there

    def warm_up(self) -> None:
        """Load the data and the libraries, so that the first point of a training comes soon."""
        for part, family in self.subject.families.items():
            few = {"rounds": 2, "trees": 2}
            values = {name: few[name] for name in few if part == "trees" and name in _known(family)}
            # What does not go with the data is told to who asks for it.
            with contextlib.suppress(SatisficeError):
                train(self.subject, LabTraining(family=family, values=values, epochs=1), _nobody, _never)
        self.tell({"event": "ready"})

    def serve(self) -> None:
        """Train what comes."""
        while True:
            message = self._jobs.get()
            self._train(message["job"], [training_of(each) for each in message["trainings"]])

    def tell(self, content: Mapping[str, Any]) -> None:
        """Write one event."""
        self._told.write(json.dumps(plain(content), allow_nan=False) + "\n")
        self._told.flush()

    def _train(self, job: str, trainings: Sequence[LabTraining]) -> None:
        found: dict[str, list[Mapping[str, float]]] = {}
        try:
            for number, training in enumerate(trainings):

                def tell(kind: str, content: Mapping[str, Any], number: int = number) -> None:
                    self.tell({"job": job, "event": kind, "training": number, **content})
                    if kind == "result" and content["ended"] == "finished":
                        found.setdefault(trainings[number].group, []).append(content["metrics"])

                tell("begun", {})
                train(self.subject, training, tell, lambda: job in self._cancelled)
        except Cancelled:
            self.tell({"job": job, "event": "cancelled"})
        except SatisficeError as error:
            self.tell({"job": job, "event": "failed", "why": str(error)})
        except Exception as error:  # noqa: BLE001  # whatever a library raises is told, and the next job trains
            self.tell({"job": job, "event": "failed", "why": f"{type(error).__name__}: {error}"})
        else:
            self.tell({"job": job, "event": "done", "effects": _effects(found)})
        self._cancelled.discard(job)


def _effects(found: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Differences of the group ``b`` from the group ``a`` in each metric, with their 95% intervals."""
    from satisfice.study.after.ablation.effects import effect_of  # scipy

    a, b = found.get("a", ()), found.get("b", ())
    names = [name for name in a[0] if all(name in each for each in (*a, *b))] if a and b else []
    effects = {name: effect_of([m[name] for m in b], [m[name] for m in a]) for name in names}
    return {name: {"value": e.value, "low": e.low, "high": e.high} for name, e in effects.items()}


def _known(family: str) -> Mapping[str, Any]:
    from satisfice.train import TRAINERS

    return TRAINERS.get(family).hyperparameters


def _nobody(kind: str, content: Mapping[str, Any]) -> None:
    del kind, content


def _never() -> bool:
    return False


def main(arguments: Sequence[str]) -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's: the input ends then
    told = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no event
    warnings.simplefilter("ignore")
    process = TrainingProcess(Subject.of(Path(arguments[0]) if arguments else None), told)
    threading.Thread(target=process.read, args=(sys.stdin,), daemon=True).start()
    process.warm_up()
    process.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
