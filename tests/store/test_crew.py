"""Who trains which trial, on every kind of database."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import satisfice
from satisfice.store import workers as presence
from satisfice.store.worker_trials import crew, running
from satisfice.study.lifecycle.trial import running_of

SPEC: dict[str, Any] = {
    "name": "own",
    "objectives": {"score": "maximize"},
    "space": {"x": {"low": 0.0, "high": 1.0}},
    "budget": {"trials": 4},
}


def test_each_worker_has_its_trial_with_its_last_step(storage_url: str) -> None:
    study = satisfice.create_study(
        SPEC, storage=storage_url, task=SimpleNamespace(train=lambda *_: {"score": 1.0})
    )
    session = study._session
    db, uuid = session.db, session.ledger.uuid
    assert running(db, uuid) == []
    asked = study.ask()  # by a program that never joined
    asked.report(1, {"score": 0.1})
    asked.report(12, {"score": 0.2})
    running_of(asked).send()
    workers, others = crew(db, uuid, alive_s=60.0)
    assert workers == []
    assert [(t["number"], t["step"]) for t in others] == [(0, 12)]
    assert 0 <= others[0]["seconds"] < 600
    presence.join(db, session.ledger.worker, uuid, session.host, "edge")
    (worker,), others = crew(db, uuid, alive_s=60.0)
    assert others == []
    assert (worker["label"], worker["alive"], worker["trial"]["number"]) == ("edge", True, 0)
    study.tell(asked, {"score": 1.0})
    (worker,), others = crew(db, uuid, alive_s=60.0)
    assert (worker["trial"], others) == (None, [])
    presence.leave(db, session.ledger.worker, "done")
    assert crew(db, uuid, alive_s=60.0)[0][0]["alive"] is False
    db.close()


def test_in_memory_a_trial_that_runs_is_told_without_a_worker() -> None:
    study = satisfice.create_study(SPEC, task=SimpleNamespace(train=lambda *_: {}))
    study.ask()
    status = study.status()
    assert [t["number"] for t in status["running_elsewhere"]] == [0]
