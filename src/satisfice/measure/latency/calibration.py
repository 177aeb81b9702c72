"""How fast the reference model runs on this host undisturbed: remembered, and put right when seen faster."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime

import numpy as np

from satisfice.measure.host import host
from satisfice.measure.latency.estimate import Array
from satisfice.measure.latency.reference import Reference
from satisfice.measure.latency.sampling import collect
from satisfice.measure.remembered import MeasurementStore
from satisfice.measure.result import Measurement

_CALIBRATION_S = 1.0
_FEW = 200  # samples; fewer say nothing about the host's best
_QUANTILE = 0.02  # of the samples: a shared host may be calm for so little of the time
_KEY = "reference model v2"  # a change of the reference model's work needs another key


class Calibration:
    """The reference model's undisturbed speed on this host, part by part.

    It is the fastest phase seen so far by any worker that uses the store. A first calibration during a slow
    phase is put right by later measurements, each of which sees the reference model as well.
    """

    def __init__(self, store: MeasurementStore, reference: Reference) -> None:
        self._store = store
        self._reference = reference
        self._best: Array | None = None

    def best(self) -> Array:
        """Seconds by part; measured now (about a second) if this host was never calibrated."""
        known = [self._store.get(_KEY, host().fingerprint, _metric(name)) for name in self._reference.names]
        found = [m.value for m in known if m is not None]
        if len(found) == len(known):
            self._best = np.array(found)
        elif self._best is None:
            self._store.put_host(host())
            self._calibrate()
        assert self._best is not None
        return self._best

    def best_with(self, references: Array) -> Array:
        """What `best` will be once these samples, of shape ``(samples, parts)``, are learnt."""
        best = self.best() if self._best is None else self._best
        return best if len(references) < _FEW else np.minimum(best, fastest(references))

    def learn(self, references: Array, seconds: float) -> None:
        """Take in reference samples of shape ``(samples, parts)``: the fastest phase ever seen counts."""
        if len(references) < _FEW:
            return
        seen = fastest(references)
        best = seen if self._best is None else np.minimum(seen, self._best)
        for i, name in enumerate(self._reference.names):
            if self._best is None or best[i] < self._best[i]:
                self._store.put(_KEY, _record(name, best[i], references[:, i], seconds))
        self._best = best

    def _calibrate(self) -> None:
        begin = time.perf_counter()
        with closing(collect(lambda: None, self._reference, alone=True)) as blocks:
            for samples in blocks:
                if time.perf_counter() - begin >= _CALIBRATION_S and len(samples.references) >= _FEW:
                    break
        self.learn(samples.references, samples.seconds)


def fastest(references: Array) -> Array:
    """The undisturbed host by samples of shape ``(samples, parts)``: seconds by part."""
    out: Array = np.quantile(references, _QUANTILE, axis=0)
    return out


def _metric(name: str) -> str:
    return f"reference_{name}_s"


def _record(name: str, best: float, seen: Array, seconds: float) -> Measurement:
    return Measurement(
        metric=_metric(name),
        value=float(best),
        low=min(float(best), float(seen.min())),
        high=max(float(best), float(np.median(seen))),
        samples=len(seen),
        seconds=seconds,
        p95=float(np.quantile(seen, 0.95)),
        host=host().fingerprint,
        threads=1,
        batch=1,
        quality="precise",
        measured_at=datetime.now(UTC),
    )
