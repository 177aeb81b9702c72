"""The ledger: who may train what, and what came of it.

Slots of the budget are claimed, each once, under a lease. Every public method of a part is one transaction
that locks the study's row first (on SQLite: takes the write lock), so that claims, reports and results have
one order, and so that a method may be repeated when the connection broke: what a worker may do is decided by
its lease token alone. Time is the database's clock. What a worker wrote itself is not read back: it holds the
lease, so nobody else changes it.
"""

from __future__ import annotations

from satisfice.spec.space import SearchSpace
from satisfice.store.database.engine import Database
from satisfice.store.ledger.deferred_timing import DeferredTimings
from satisfice.store.ledger.leases import Leases
from satisfice.store.ledger.queue import Queue
from satisfice.store.ledger.results import Results
from satisfice.store.ledger.slots import Slots
from satisfice.store.ledger.study_rows import DEFAULT_LEASE_S, StudyRows
from satisfice.store.optuna_rows import OptunaRows


class Ledger:
    """The ledger of one study, for one worker.

    Its parts wait for a database that is away, as by `Patience.retrying`; ``promptly`` of a part waits only
    briefly, and ``once`` does not repeat.

    Args:
        db: The database; its tables exist.
        rows: Optuna's rows.
        study_uuid: Our key of the study.
        optuna_study_id: Optuna's key.
        space: The study's parameters.
        worker: UUID of this worker.
        seed: The study's seed.
        lease_s: How long a lease holds without being renewed.
        spec_version: Of the spec that this worker goes by; None: it needs none.

    Attributes:
        uuid: Our key of the study.
        worker: UUID of this worker.
        slots: Places in the budget: claimed, begun, released.
        queue: Configurations that are tried before any proposal.
        leases: Renewed, given back, expired; the reports that come meanwhile.
        results: How trials ended.
        deferred_timings: Verdicts on trials that were told before they were timed.
    """

    def __init__(
        self,
        db: Database,
        rows: OptunaRows,
        *,
        study_uuid: str,
        optuna_study_id: int,
        space: SearchSpace,
        worker: str,
        seed: int,
        lease_s: float = DEFAULT_LEASE_S,
        spec_version: int | None = None,
    ) -> None:
        self._study = study = StudyRows(
            db,
            rows,
            study_uuid=study_uuid,
            optuna_study_id=optuna_study_id,
            space=space,
            worker=worker,
            seed=seed,
            lease_s=lease_s,
            spec_version=spec_version,
        )
        self.uuid = study_uuid
        self.worker = worker
        self.slots = Slots(study)
        self.queue = Queue(study)
        self.leases = Leases(study)
        self.results = Results(study)
        self.deferred_timings = DeferredTimings(study)

    @property
    def spec_version(self) -> int | None:
        """Of the spec that this worker goes by: what was decided by another one is not written."""
        return self._study.spec_version

    def go_by(self, spec_version: int) -> None:
        """Go by another version of the spec from now on."""
        self._study.spec_version = spec_version
