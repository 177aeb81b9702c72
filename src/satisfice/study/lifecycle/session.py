"""One worker's connection to one study: ledger, history, sampler, pruner, evaluator; ask and tell."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import LeaseLost, NoFeasibleProposal, StudyNotFound, TrialFinished
from satisfice.launch.worker_process import WORKER_VARIABLE
from satisfice.measure import Quiet, host
from satisfice.measure.host import cores_allowed
from satisfice.search import PRUNERS, SAMPLERS, Decision, History, Proposal, SearchProblem
from satisfice.spec.metric import convert, updated
from satisfice.spec.study import StudySpec
from satisfice.spec.task import HasDefaults, Task
from satisfice.spec.trial import TrialRecord
from satisfice.store.artefacts import Artefacts
from satisfice.store.database.engine import Database
from satisfice.store.ledger.ledger import Ledger
from satisfice.store.ledger.study_rows import DEFAULT_LEASE_S, StepReport
from satisfice.store.ledger.types import Claim, Outcome, Queued, SpecMoved
from satisfice.store.optuna_rows import OptunaRows
from satisfice.store.reader import Reader
from satisfice.study.environment import LEASE_VARIABLE, seconds_of
from satisfice.study.lifecycle.evaluator import Evaluator
from satisfice.study.lifecycle.judge import judge
from satisfice.study.lifecycle.replicate import is_for_replicates, least_trained, next_replicate
from satisfice.study.lifecycle.screening import StudyScreen
from satisfice.study.lifecycle.trial import Trial, as_floats
from satisfice.study.stored import optuna_order, spec_of
from satisfice.threads import granted_threads, one_blas_thread

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
        self.worker = os.environ.get(WORKER_VARIABLE) or uuid.uuid4().hex
        self.host = host().fingerprint
        self.threads = granted_threads() or max(1, int(cores_allowed()))
        self.quiet = Quiet(who=f"study {spec.name}")
        self.lease_s = lease_seconds(db)
        self.ledger = Ledger(
            db,
            rows,
            study_uuid=row["uuid"],
            optuna_study_id=row["optuna_study_id"],
            space=spec.space,
            worker=self.worker,
            seed=spec.seed,
            lease_s=self.lease_s,
        )
        self._row = row
        self._label = label
        self._rows = rows
        self._turn = threading.RLock()  # held by whoever reads or changes the history, sampler and pruner
        self._go_by(spec, row)
        self.proposing: Claim | None = None  # while `ask` works, for whoever renews leases

    def _go_by(self, spec: StudySpec, row: Mapping[str, Any]) -> None:
        """Take a version of the study's spec; what was learnt and remembered by another one is dropped."""
        problem = SearchProblem(
            space=spec.space,
            objectives=spec.objectives,
            constraints=spec.constraints,
            max_steps=spec.budget.epochs,
            n_trials=spec.budget.trials,
            seed=spec.seed,
        )
        self.spec = spec
        self.reader = Reader(self.db, self._rows, row["uuid"], spec)
        self.max_steps = spec.budget.epochs
        self.history = History(problem)
        self.sampler = SAMPLERS.get(spec.search.sampler)(problem)
        self.pruner = PRUNERS.get(spec.search.pruner)(problem)
        measures = spec.measure.on is None or spec.measure.on == self._label
        self.evaluator = Evaluator(
            spec, self.task, self.db, self.quiet, study_uuid=row["uuid"], measures=measures
        )
        self.ledger.spec_version = row["spec_version"]
        self._order = optuna_order(row)
        self._revision = -1

    def reload(self, *, promptly: bool = False) -> None:
        """Go by the spec as it is stored now.

        Raises:
            StudyNotFound: The study was deleted.
        """
        wait = self.db.promptly if promptly else self.db.retrying
        with self._turn:
            row = wait(self.reader.study_row)
            if row["spec_version"] != self.ledger.spec_version:
                logger.info("the study was changed: version %d of its spec holds", row["spec_version"])
                self._go_by(spec_of(row, self.spec.source), row)

    def sync(self, *, promptly: bool = False) -> None:
        """Read what changed since the last look into the history; see `Database.promptly`."""
        wait = self.db.promptly if promptly else self.db.retrying
        more = True
        with self._turn:
            while more:
                changes = wait(lambda: self.reader.changes(self._revision))
                if changes.spec_version not in (0, self.ledger.spec_version):
                    self.reload(promptly=promptly)
                    continue
                self.history.update(changes.records)
                for number, step, metrics in changes.reports:
                    self.history.report(number, step, metrics)
                self._revision, more = changes.revision, changes.more

    def _wrote(
        self,
        revision: int,
        record: TrialRecord | None = None,
        reports: Sequence[StepReport] = (),
        *,
        of: int = 0,
    ) -> None:
        """Take in what this worker wrote itself, if nobody else wrote since the last look; else it is read.

        Args:
            revision: The study's, by that write.
            record: As it would be read.
            reports: Reports of a trial that were stored.
            of: The trial's number.
        """
        with self._turn:
            if revision != self._revision + 1:
                return
            self.history.update([record] if record is not None else [])
            for step, metrics in reports:
                self.history.report(of, step, metrics)
            self._revision = revision

    def decide(self, number: int) -> Decision:
        """Whether a running trial should stop, by all that was reported until now, by whichever worker.

        Raises:
            StorageLost: The database does not answer now.
        """
        with self._turn:
            self.sync(promptly=True)
            with one_blas_thread():
                return self.pruner.decide(self.history, number)

    def flush(self, trial: Trial) -> None:
        """Make a trial's reports visible to all workers; renews the lease.

        Raises:
            StorageLost: The database does not answer now.
        """
        revision, body = self.db.promptly(trial.send)
        if body:
            self._wrote(revision, reports=body, of=trial.number)

    # -- ask ------------------------------------------------------------------------------------------------

    def ask(self) -> Trial:
        """A trial to train: one to go on with, an enqueued one, a replicate, or a new proposal.

        Raises:
            BudgetSpent: Nothing is left.
            NoFeasibleProposal: Nothing that fits was found.
        """
        with self._turn:
            while True:
                try:
                    return self._ask()
                except SpecMoved:
                    self.reload()

    def _ask(self) -> Trial:
        claim = self.db.retrying(self.ledger.claim)
        self.proposing = claim
        screen = StudyScreen(self.evaluator)
        try:
            if claim.number is not None:
                return self._resume(claim)
            self._wrote(claim.revision)
            if self._revision != claim.revision:
                self.sync()
            return self._begin(claim, screen)
        except LeaseLost:
            raise
        except BaseException:
            # Not while the database is away: the lease runs out by itself.
            with contextlib.suppress(sa.exc.DBAPIError, LeaseLost):
                self._abandon(claim, screen)
            raise
        finally:
            self.proposing = None

    def _abandon(self, claim: Claim, screen: StudyScreen) -> None:
        """Leave no claimed slot behind, whatever interrupted the ask."""
        if claim.number is None:
            self.ledger.release(claim, screen.turned_away)
        else:
            self.ledger.give_back(claim, [], "interrupted")

    def _begin(self, claim: Claim, screen: StudyScreen) -> Trial:
        queued, proposal = self._enqueued(claim, screen)
        replicate_of = queued.replicate_of if queued is not None else None
        if proposal is None:
            proposal, replicate_of = self._new(claim, screen)
        granted = {} if claim.max_epochs is None else {"epochs": claim.max_epochs}
        proposal = replace(
            proposal,
            metrics=convert(proposal.metrics, self.spec.metric_names),
            why={**proposal.why, **granted},
        )
        chosen = proposal
        of = replicate_of
        timed = not self.evaluator.lacks_timing(proposal.metrics)
        measured_on = self.evaluator.measured_on(proposal.params) if timed else None
        begun = self.db.retrying(
            lambda: self.ledger.begin(
                claim,
                chosen.params,
                metrics=chosen.metrics,
                proposal=chosen.why,
                replicate_of=of,
                away=screen.turned_away,
                system_attributes={},
                measured_on=measured_on,
            )
        )
        record = TrialRecord(
            number=begun.number,
            state=TrialState.RUNNING,
            params=chosen.params,
            metrics=self._as_read(chosen.metrics),
            proposal=chosen.why,
        )
        self._wrote(begun.revision, record)
        return Trial(
            self,
            replace(claim, number=begun.number, trial_id=begun.trial_id, attempt=1),
            params=proposal.params,
            known=proposal.metrics,
            replicate_of=replicate_of,
            measured_on=measured_on,
        )

    def _resume(self, claim: Claim) -> Trial:
        assert claim.number is not None
        number = claim.number
        record = self.db.retrying(lambda: self.reader.record(number))
        if record is None:
            raise StudyNotFound(f"trial {number} was deleted")
        return Trial(
            self,
            claim,
            params=record.params,
            known=record.metrics,
            replicate_of=record.replicate_of,
            measured_on=record.measured_on,
        )

    def _enqueued(self, claim: Claim, screen: StudyScreen) -> tuple[Queued | None, Proposal | None]:
        """The next enqueued configuration that fits; those that do not are noted."""
        while claim.in_queue:
            queued = self.db.retrying(lambda: self.ledger.take_queued(claim))
            if queued is None:
                break
            fill = self.spec.space.sample(np.random.default_rng(claim.seed))
            params = self.spec.space.complete(queued.params, fill)
            screened = screen(params)
            if screened.fits:
                why = {"method": "enqueued", "kind": "start", "origin": queued.source}
                return queued, Proposal(params=params, metrics=screened.metrics, why=why)
            missed = {k: v for k, v in screened.violations.items() if v > 0}
            self.db.retrying(partial(self.ledger.note_turned_away, queued, missed))
        return None, None

    def _new(self, claim: Claim, screen: StudyScreen) -> tuple[Proposal, int | None]:
        if is_for_replicates(self.spec, claim.slot):  # else the history is not read for it
            record = next_replicate(self.spec, self._records())
            if record is not None:
                return self._again(record)
        try:
            # Surrogates factor small matrices: several threads only get in each other's way.
            with one_blas_thread():
                return self.sampler.propose(self.history, screen, np.random.default_rng(claim.seed)), None
        except NoFeasibleProposal:
            record = least_trained(self.spec, self._records())
            if record is None:
                if screen.error is not None:  # the task's code is broken, whatever the configuration
                    raise screen.error from None
                raise
            return self._again(record)

    def _again(self, record: TrialRecord) -> tuple[Proposal, int]:
        known = self.evaluator.before(record.params)
        why = {"method": "replicate", "kind": "exploit", "origin": "replicate", "of": record.number}
        return Proposal(params=dict(record.params), metrics=known, why=why), record.number

    def _records(self) -> list[TrialRecord]:
        return self.db.retrying(self.reader.records)

    # -- tell -----------------------------------------------------------------------------------------------

    def tell(
        self,
        trial: Trial,
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
        if trial.finished:
            raise TrialFinished(f"trial {trial.number} was told already")
        while True:
            outcome = self._judged(trial, metrics, state, reason, traceback)
            try:
                with trial.sending:
                    body = trial.pending
                    revision = self.db.retrying(partial(self.ledger.tell, trial.claim, body, outcome))
                    trial.pending = []
                    trial.finished = True
                break
            except SpecMoved:
                self.reload()
        record = TrialRecord(
            number=trial.number,
            state=outcome.state,
            params=trial.params,
            metrics=self._as_read(outcome.metrics),
            feasible=outcome.feasible,
        )
        self._wrote(revision, record, body, of=trial.number)
        trial.metrics = dict(outcome.metrics)
        trial.reason = outcome.reason
        trial.discard_checkpoints()
        return outcome.state

    def _judged(
        self,
        trial: Trial,
        metrics: Mapping[str, float] | None,
        state: TrialState,
        reason: str | None,
        traceback: str | None,
    ) -> Outcome:
        shipped = self.evaluator.shipped(trial.params, trial.model_path)
        found = updated(trial.metrics, shipped)
        found = updated(found, as_floats(metrics or {}), self.spec.metric_names)
        where = trial.measured_on
        if (
            state is not TrialState.FAIL
            and self.evaluator.lacks_timing(found)
            and not self.evaluator.measures
        ):
            told, where = self.evaluator.measured_elsewhere(trial.params)  # meanwhile, perhaps
            found = updated(found, told, self.spec.metric_names)
        return judge(
            self.spec,
            self.evaluator,
            found,
            state,
            reason=reason or trial.stop_reason,
            traceback=traceback,
            measured_on=where,
            order=self._order,
        )

    def _as_read(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """Metrics as the reader would give them after they were stored."""
        return convert({name: float(value) for name, value in metrics.items()}, self.spec.metric_names)

    def verdict(self, record: TrialRecord, timings: Mapping[str, float]) -> Outcome:
        """The outcome of a pending trial, now that this worker has timed it."""
        found = updated(record.metrics, timings, self.spec.metric_names)
        return judge(
            self.spec,
            self.evaluator,
            found,
            TrialState.COMPLETE,
            measured_on=self.host if timings else record.measured_on,
            order=self._order,
        )

    @property
    def objective_order(self) -> tuple[str, ...]:
        """Names of the objectives, in the order of Optuna's values."""
        return self._order or tuple(o.metric for o in self.spec.objectives)

    def defaults(self) -> Mapping[str, Any]:
        """The family's default configuration, clipped to the space; empty for a task without one."""
        if not isinstance(self.task, HasDefaults):
            return {}
        return self.spec.space.complete(self.task.defaults(), self.task.defaults())
