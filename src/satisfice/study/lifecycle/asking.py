"""From a claimed slot to a trial: one to go on with, an enqueued one, a replicate, or a new proposal."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa
from optuna.trial import TrialState

from satisfice.errors import LeaseLost, NoFeasibleProposal, StudyNotFound
from satisfice.search import Proposal
from satisfice.spec.metric import convert
from satisfice.spec.standard_error import joined
from satisfice.spec.trial import TrialRecord
from satisfice.store.ledger.types import Claim, Queued
from satisfice.study.lifecycle.replicate import is_for_replicates, least_trained, next_replicate
from satisfice.study.lifecycle.running_trial import RunningTrial
from satisfice.study.lifecycle.screening import StudyScreen
from satisfice.study.lifecycle.search_state import as_read

if TYPE_CHECKING:
    from satisfice.study.lifecycle.session import Session


class Asking:
    """Asks for one session.

    Attributes:
        proposing: The claim while `ask` works, for whoever renews leases.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.proposing: Claim | None = None

    def ask(self) -> RunningTrial:
        """A trial to train; see `Session.ask`.

        Raises:
            SpecMoved: The study's spec was changed: read it, then ask again.
        """
        session = self._session
        claim = session.ledger.slots.claim()
        self.proposing = claim
        screen = StudyScreen(session.evaluator)
        try:
            if claim.number is not None:
                return self._resume(claim, claim.number)
            session.search.wrote(claim.revision)
            if session.search.revision != claim.revision:
                session.sync()
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
        ledger = self._session.ledger
        if claim.number is None:
            ledger.slots.once.release(claim, screen.turned_away)
        else:
            ledger.leases.once.give_back(claim, [], "interrupted")

    def _begin(self, claim: Claim, screen: StudyScreen) -> RunningTrial:
        session = self._session
        names, evaluator = session.spec.metric_names, session.evaluator
        queued, proposal = self._enqueued(claim, screen)
        replicate_of = queued.replicate_of if queued is not None else None
        if proposal is None:
            proposal, replicate_of = self._new(claim, screen)
        granted = {} if claim.max_epochs is None else {"epochs": claim.max_epochs}
        proposal = replace(
            proposal, metrics=convert(proposal.metrics, names), why={**proposal.why, **granted}
        )
        timed = not evaluator.lacks_timing(proposal.metrics)
        measured_on = evaluator.measured_on(proposal.params) if timed else None
        begun = session.ledger.slots.begin(
            claim,
            proposal.params,
            metrics=proposal.metrics,
            proposal=proposal.why,
            replicate_of=replicate_of,
            away=screen.turned_away,
            system_attributes={},
            measured_on=measured_on,
        )
        record = TrialRecord(
            number=begun.number,
            state=TrialState.RUNNING,
            params=proposal.params,
            metrics=as_read(proposal.metrics, names),
            proposal=proposal.why,
        )
        session.search.wrote(begun.revision, record)
        return RunningTrial(
            session,
            replace(claim, number=begun.number, trial_id=begun.trial_id, attempt=1),
            params=proposal.params,
            known=proposal.metrics,
            replicate_of=replicate_of,
            measured_on=measured_on,
        )

    def _resume(self, claim: Claim, number: int) -> RunningTrial:
        record = self._session.reader.record(number)
        if record is None:
            raise StudyNotFound(f"trial {number} was deleted")
        return RunningTrial(
            self._session,
            claim,
            params=record.params,
            known=joined(record.metrics, record.standard_errors),
            replicate_of=record.replicate_of,
            measured_on=record.measured_on,
        )

    def _enqueued(self, claim: Claim, screen: StudyScreen) -> tuple[Queued | None, Proposal | None]:
        """The next enqueued configuration that fits; those that do not are noted."""
        queue, space = self._session.ledger.queue, self._session.spec.space
        while claim.in_queue:
            queued = queue.take(claim)
            if queued is None:
                break
            fill = space.sample(np.random.default_rng(claim.seed))
            params = space.complete(queued.params, fill)
            screened = screen(params)
            if screened.fits:
                why = {"method": "enqueued", "kind": "start", "origin": queued.source}
                return queued, Proposal(params=params, metrics=screened.metrics, why=why)
            missed = {k: v for k, v in screened.violations.items() if v > 0}
            queue.note_turned_away(queued, missed)
        return None, None

    def _new(self, claim: Claim, screen: StudyScreen) -> tuple[Proposal, int | None]:
        session = self._session
        if is_for_replicates(session.spec, claim.slot):  # else the records are not read for it
            record = next_replicate(session.spec, session.reader.records())
            if record is not None:
                return self._again(record)
        try:
            return session.search.propose(screen, claim.seed, claim.slot), None
        except NoFeasibleProposal:
            record = least_trained(session.spec, session.reader.records())
            if record is None:
                if screen.error is not None:  # the task's code is broken, whatever the configuration
                    raise screen.error from None
                raise
            return self._again(record)

    def _again(self, record: TrialRecord) -> tuple[Proposal, int]:
        known = self._session.evaluator.before(record.params)
        why = {"method": "replicate", "kind": "exploit", "origin": "replicate", "of": record.number}
        return Proposal(params=dict(record.params), metrics=known, why=why), record.number
