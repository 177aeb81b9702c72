"""The ledger: who may train what, and what came of it.

Slots of the budget are claimed, each once, under a lease. Every public method of a part is one transaction
that locks the study's row first (on SQLite: takes the write lock), so that claims, reports and results have
one order, and so that a method may be repeated when the connection broke: what a worker may do is decided by
its lease token alone. Time is the database's clock. What a worker wrote itself is not read back: it holds the
lease, so nobody else changes it.
"""

from __future__ import annotations

from satisfice.store.ledger.deferred_timing import DeferredTimings
from satisfice.store.ledger.leases import Leases
from satisfice.store.ledger.queue import Queue
from satisfice.store.ledger.results import Results
from satisfice.store.ledger.slots import Slots
from satisfice.store.ledger.study_rows import StudyRows


class Ledger:
    """The ledger of one study, for one worker.

    Its parts wait for a database that is away, as by `Patience.retrying`; ``promptly`` of a part waits only
    briefly, and ``once`` does not repeat.

    Args:
        study: The study's rows, as this worker sees them.

    Attributes:
        uuid: Our key of the study.
        worker: UUID of this worker.
        slots: Places in the budget: claimed, begun, released.
        queue: Configurations that are tried before any proposal.
        leases: Renewed, given back, expired; the reports that come meanwhile.
        results: How trials ended.
        deferred_timings: Verdicts on trials that were told before they were timed.
    """

    def __init__(self, study: StudyRows) -> None:
        self._study = study
        self.uuid = study.uuid
        self.worker = study.worker
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
