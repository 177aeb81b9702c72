"""One worker's connection to one study: what it asks, decides and tells, by the spec as it is stored now."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import TrialState

from satisfice.launch.worker_process import WORKER_VARIABLE
from satisfice.measure import Quiet, host
from satisfice.measure.host import cores_allowed
from satisfice.search import Decision
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Task
from satisfice.spec.trial import TrialRecord
from satisfice.store.artefacts import Artefacts
from satisfice.store.database.engine import Database
from satisfice.store.ledger.ledger import Ledger
from satisfice.store.ledger.study_rows import DEFAULT_LEASE_S, StepReport, StudyRows
from satisfice.store.ledger.types import Claim, SpecMoved
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.reader import Reader
from satisfice.study.environment import LEASE_VARIABLE, seconds_of
from satisfice.study.lifecycle.asking import Asking
from satisfice.study.lifecycle.running_trial import RunningTrial
from satisfice.study.lifecycle.search_state import SearchState
from satisfice.study.lifecycle.telling import tell
from satisfice.study.measuring.evaluator import Evaluator
from satisfice.study.stored import optuna_order, spec_of
from satisfice.threads import granted_threads

logger = logging.getLogger(__name__)

_NO_LEASE_S = 1e9  # in memory nobody could take over


def lease_seconds(db: Database) -> float:
    """How long a trial stays with a worker that is silent."""
    return _NO_LEASE_S if db.in_memory else seconds_of(LEASE_VARIABLE, DEFAULT_LEASE_S)


class Session:
    """One worker on one study. Its threads, where a person's program has several, take turns.

    Args:
        db: The database.
        rows: Optuna's rows.
        row: Our row of the study.
        spec: The study.
        task: What trains.
        artefacts: The study's files.
        label: This worker's label.

    Attributes:
        host: Fingerprint of this machine.
        threads: CPU threads that this worker may use.
        quiet: Of this host, for who measures latencies.
        ledger: What this worker holds and writes.
        spec: The version of the study that this worker goes by; with it come the next three.
        reader: Reads the study.
        search: History, sampler and pruner.
        evaluator: What is known or measured of a configuration without training.
    """

    def __init__(
        self,
        db: Database,
        rows: OptunaRows,
        row: Mapping[str, Any],
        spec: StudySpec,
        task: Task,
        artefacts: Artefacts,
        *,
        label: str | None = None,
    ) -> None:
        self.db = db
        self.task = task
        self.artefacts = artefacts
        self.host = host().fingerprint
        self.threads = granted_threads() or max(1, int(cores_allowed()))
        self.quiet = Quiet(who=f"study {spec.name}")
        self.ledger = Ledger(
            StudyRows(
                db,
                rows,
                study_uuid=row["uuid"],
                optuna_study_id=row["optuna_study_id"],
                space=spec.space,
                worker=os.environ.get(WORKER_VARIABLE) or uuid.uuid4().hex,
                seed=spec.seed,
                trainings=spec.trainings,
                lease_s=lease_seconds(db),
            )
        )
        self._label = label
        self._rows = rows
        self._turn = threading.RLock()  # held by whoever reads or changes what is known of the study
        self._asking = Asking(self)
        self._go_by(spec, row)

    def _go_by(self, spec: StudySpec, row: Mapping[str, Any]) -> None:
        """Take a version of the study's spec; what was learnt and remembered by another one is dropped."""
        self.spec = spec
        self.reader = Reader(self.db, self._rows, row["uuid"], spec)
        self.search = SearchState(spec)
        measures = spec.measure.on is None or spec.measure.on == self._label
        self.evaluator = Evaluator(
            spec, self.task, self.db, self.quiet, study_uuid=row["uuid"], measures=measures
        )
        self.ledger.go_by(row["spec_version"])
        self._order = optuna_order(row)

    def reload(self, *, promptly: bool = False) -> None:
        """Go by the spec as it is stored now.

        Raises:
            StudyNotFound: The study was deleted.
        """
        with self._turn:
            row = (self.reader.promptly if promptly else self.reader).study_row()
            if row["spec_version"] != self.ledger.spec_version:
                logger.info("the study was changed: version %d of its spec holds", row["spec_version"])
                self._go_by(spec_of(row, self.spec.source), row)

    def sync(self, *, promptly: bool = False) -> None:
        """Read what changed since the last look into the history; see `Patience.promptly`."""
        more = True
        with self._turn:
            while more:
                reader = self.reader.promptly if promptly else self.reader
                changes = reader.changes(self.search.revision)
                if changes.spec_version not in (0, self.ledger.spec_version):
                    self.reload(promptly=promptly)
                    continue
                self.search.read(changes)
                more = changes.more

    def wrote(
        self,
        revision: int,
        record: TrialRecord | None = None,
        reports: Sequence[StepReport] = (),
        *,
        of: int = 0,
    ) -> None:
        """Take in what this worker wrote itself: see `SearchState.wrote`."""
        with self._turn:
            self.search.wrote(revision, record, reports, of=of)

    # -- a running trial ------------------------------------------------------------------------------------

    def decide(self, number: int) -> Decision:
        """Whether a running trial should stop, by all that was reported until now, by whichever worker.

        Raises:
            StorageLost: The database does not answer now.
        """
        with self._turn:
            self.sync(promptly=True)
            return self.search.decide(number)

    def flush(self, trial: RunningTrial) -> None:
        """Make a trial's reports visible to all workers; renews the lease.

        Raises:
            StorageLost: The database does not answer now.
        """
        # With the lock that `send` holds: what is stored late, unheard, is not sent again meanwhile.
        revision, body = self.db.promptly(trial.send)
        if body:
            self.wrote(revision, reports=body, of=trial.number)

    # -- ask and tell ---------------------------------------------------------------------------------------

    @property
    def proposing(self) -> Claim | None:
        """The claim while `ask` works, for whoever renews leases."""
        return self._asking.proposing

    def ask(self) -> RunningTrial:
        """A trial to train: one to go on with, an enqueued one, a replicate, or a new proposal.

        Raises:
            BudgetSpent: Nothing is left.
            NoFeasibleProposal: Nothing that fits was found.
        """
        with self._turn:
            while True:
                try:
                    return self._asking.ask()
                except SpecMoved:
                    self.reload()

    def tell(
        self,
        trial: RunningTrial,
        metrics: Mapping[str, float] | None = None,
        *,
        state: TrialState = TrialState.COMPLETE,
        reason: str | None = None,
        traceback: str | None = None,
    ) -> TrialState:
        """End a trial; returns the state it got.

        Raises:
            BadReport: A metric is no number.
            TrialFinished: It was told before.
            LeaseLost: Another worker has it.
        """
        return tell(self, trial, metrics, state, reason, traceback)

    @property
    def objective_order(self) -> tuple[str, ...]:
        """Names of the objectives, in the order of Optuna's values."""
        return self._order or tuple(o.metric for o in self.spec.objectives)
