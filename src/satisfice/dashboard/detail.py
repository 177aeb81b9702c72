"""A study's page and its polls, answered from memory where nothing is new.

optuna-dashboard turns every trial into JSON for every answer, and knows neither constraints nor replicates
where it looks for the best. Here each trial is turned once; the dashboard answers the rest, without trials.
"""

from __future__ import annotations

import json
import math
import secrets
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from satisfice.dashboard.answers import reason
from satisfice.dashboard.checked import DETAIL, after_of
from satisfice.dashboard.insight import FIGURES
from satisfice.dashboard.storage import Detail, StorageView, asked_for
from satisfice.threads import one_blas_thread

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from optuna.trial import FrozenTrial

_BEYOND = "after=999999999999"  # more trials than there are: the dashboard answers without any
_KEPT = "private, no-cache"  # by the browser, which asks each time whether it is still so


@dataclass
class _Page:
    """What was answered last of one study."""

    version: int = 0
    key: object = None  # of what it was made from
    rest: bytes = b""  # of the JSON object, all but trials and figures
    attributes: Mapping[str, Any] = field(default_factory=dict)  # of the study, which trials' notes are in
    by_id: dict[int, tuple[FrozenTrial, bytes]] = field(default_factory=dict)
    trials: list[bytes] = field(default_factory=list)
    best: bytes = b""
    figures: bytes = b""
    extra: Mapping[str, str] | None = None  # that the figures were made from
    own: list[Any] = field(default_factory=list)  # figures that a person stored
    lock: threading.Lock = field(default_factory=threading.Lock)


class Details:
    """Answers a study's detail with our best trials and figures, and passes all else on.

    Args:
        inner: The dashboard.
        view: The storage as the dashboard sees it.
    """

    def __init__(self, inner: WSGIApplication, view: StorageView) -> None:
        self._inner = inner
        self._view = view
        self._pages: dict[int, _Page] = {}
        self._boot = secrets.token_hex(8)  # versions count from the start of this process

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with one_blas_thread():  # the dashboard's own importances factor small matrices as well
            match = DETAIL.match(environ.get("PATH_INFO", ""))
            if match is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                return self._inner(environ, start_response)
            return self._answer(environ, start_response, int(match[1]))

    def _answer(self, environ: WSGIEnvironment, start: StartResponse, study_id: int) -> Iterable[bytes]:
        after = after_of(environ)
        detail = self._view.detail(study_id)
        if detail is None:
            self._pages.pop(study_id, None)
            return reason(start, "404 Not Found", f"there is no study with the id {study_id}")
        page = self._pages.setdefault(study_id, _Page())
        with page.lock:
            self._renew(page, detail, environ)
            tag = f'"{self._boot}-{study_id}-{page.version}-{after}"'
            told = [("ETag", tag), ("Cache-Control", _KEPT)]
            if environ.get("HTTP_IF_NONE_MATCH") == tag:
                start("304 Not Modified", told)
                return []
            trials = b",".join(page.trials[after:])
            parts = [page.rest[:-1], b',"trials":[', trials, b'],"best_trials":[', page.best]
            body = b"".join([*parts, b'],"plotly_graph_objects":', page.figures, b"}"])
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *told])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _renew(self, page: _Page, detail: Detail, environ: WSGIEnvironment) -> None:
        """Bring the page up to what the study is now."""
        study, shown = detail.study, detail.shown
        attributes = {"name": study.study_name, "user": study.user_attrs, "system": study.system_attrs}
        note = {key: text for key, text in detail.extra.items() if not key.startswith(FIGURES)}
        key = (shown.generation, tuple(detail.best), attributes, note)
        if page.key != key:
            whole = self._without_trials(detail, environ)
            if page.attributes != study.system_attrs:  # trials' notes and artefacts stand there
                page.by_id.clear()
                page.attributes = study.system_attrs
            self._turn(page, detail)
            by_number = {t.number: page.by_id[_id(t)][1] for t in shown.trials}
            best = whole.pop("best_trials")
            if not whole["is_preferential"]:
                page.best = b",".join(by_number[n] for n in detail.best if n in by_number)
            else:
                page.best = b",".join(_dumped(trial) for trial in best)
            page.trials = [page.by_id[_id(t)][1] for t in shown.trials]
            page.own = whole.pop("plotly_graph_objects")
            del whole["trials"]
            whole["directions"] = [d.name.lower() for d in study.directions]
            whole["has_intermediate_values"] = any(t.intermediate_values for t in shown.trials)
            page.rest, page.key, page.extra = _dumped(whole), key, None
            page.version += 1
        if page.extra is not detail.extra:
            page.figures, page.extra = _dumped(_figures(page.own, detail.extra)), detail.extra
            page.version += 1

    def _without_trials(self, detail: Detail, environ: WSGIEnvironment) -> dict[str, Any]:
        """The dashboard's own answer, without trials."""
        status: list[str] = []

        def start(told: str, _headers: object, exc_info: object = None) -> object:
            status.append(told)
            return lambda _: None

        token = asked_for.set(detail)
        try:
            asked = {**environ, "QUERY_STRING": _BEYOND, "REQUEST_METHOD": "GET"}
            body = b"".join(self._inner(asked, start))  # type: ignore[arg-type]  # as above
        finally:
            asked_for.reset(token)
        if not status[-1].startswith("200"):
            raise RuntimeError(f"the dashboard answered {status[-1]} for a study that is there")
        found: dict[str, Any] = json.loads(body)
        return found

    def _turn(self, page: _Page, detail: Detail) -> None:
        """Turn the trials into JSON that are not yet."""
        from optuna_dashboard._serializer import serialize_frozen_trial

        study_id, attributes = detail.study._study_id, detail.study.system_attrs  # noqa: SLF001  # no public name
        turned: dict[int, tuple[FrozenTrial, bytes]] = {}
        for trial in detail.shown.trials:
            kept = page.by_id.get(_id(trial))
            if kept is None or kept[0] is not trial:
                kept = trial, _dumped(serialize_frozen_trial(study_id, trial, attributes))
            turned[_id(trial)] = kept
        page.by_id = turned


def _id(trial: FrozenTrial) -> int:
    found: int = trial._trial_id  # noqa: SLF001  # no public name
    return found


def _figures(own: list[Any], extra: Mapping[str, str]) -> list[dict[str, str]]:
    """A person's own figures and ours, by id; the dashboard gives them in any order."""
    ours = {k.removeprefix(FIGURES).rpartition(":")[0]: v for k, v in extra.items() if k.startswith(FIGURES)}
    found = {**ours, **{figure["id"]: figure["graph_object"] for figure in own}}
    return [{"id": name, "graph_object": found[name]} for name in sorted(found)]


def _dumped(content: Any) -> bytes:
    return json.dumps(_finite(content), allow_nan=False).encode()


def _finite(content: Any) -> Any:
    """JSON content without NaN and infinities, which no browser reads: null, and the greatest float."""
    if isinstance(content, float) and not math.isfinite(content):
        return None if math.isnan(content) else math.copysign(sys.float_info.max, content)
    if isinstance(content, dict):
        return {key: _finite(item) for key, item in content.items()}
    return [_finite(item) for item in content] if isinstance(content, list) else content
