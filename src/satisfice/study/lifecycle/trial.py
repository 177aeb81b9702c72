"""A trial as a task and as a person with ask and tell see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from satisfice.errors import InputError
from satisfice.spec.standard_error import split
from satisfice.study.optuna_api.trial import OptunaTrial, report_of

if TYPE_CHECKING:
    from pathlib import Path

    from satisfice.spec.influences import Influences
    from satisfice.study.lifecycle.running_trial import RunningTrial


class Trial(OptunaTrial):
    """A trial that this process holds the lease of.

    Training never waits for a database that is away: reports wait instead, and no decision is taken.

    Attributes:
        number: As in Optuna.
        params: Active parameters only.
        seed: Of the trial's own random stream.
        max_epochs: Epochs that the budget allows it; None: no limit.
        threads: CPU threads that this worker may use.
    """

    def __init__(self, running: RunningTrial) -> None:
        self._running = running
        self.number = running.number
        self.params: Mapping[str, Any] = running.params
        self.seed = running.claim.seed
        self.max_epochs = running.claim.max_epochs
        self.threads = running.session.threads

    def __repr__(self) -> str:
        """Number and parameters, and the metrics known so far."""
        return f"Trial(number={self.number}, params={dict(self.params)!r}, metrics={self.metrics!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """No copy of a trial can exist: this process holds its lease.

        Raises:
            InputError: Always; says what to hand on instead.
        """
        raise InputError(
            f"trial {self.number} cannot be pickled or copied, because this process holds its lease",
            hint="hand on trial.number and trial.params, and report and tell here; "
            "or pickle the study, and ask in the other process",
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Known so far: those from before training, then what was reported last."""
        return split(self._running.metrics, self._running.session.spec.metric_names)[0]

    @overload
    def report(self, step: int, metrics: Mapping[str, float]) -> None: ...

    @overload
    def report(self, value: float, step: int) -> None: ...

    def report(self, *args: Any, **given: Any) -> None:
        """Report metrics after ``step`` epochs (1-based); several objectives are welcome.

        As in Optuna, ``report(value, step)`` is understood where there is one objective.

        Raises:
            BadReport: A metric is no number, or the step is none.
            LeaseLost: Another worker has the trial.
            TrialFinished: It was told.
        """
        self._running.lease.check()
        step, metrics = report_of(args, given, self.objective_names)
        self._running.report(step, metrics)
        self._running.session.quiet.batch_end()

    def should_prune(self) -> bool:
        """Whether the trial cannot matter any more, by all objectives and constraints; decided at few steps.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        self._running.lease.check()
        return self._running.should_prune()

    def keep_alive(self) -> None:
        """Renew the lease, for long stretches without a report.

        Raises:
            LeaseLost: Another worker has the trial.
        """
        lease = self._running.lease
        lease.check()
        lease.attempt(lease.renew)

    def batch_end(self) -> None:
        """Call between batches: lets a latency measurement have the host's quiet for a short while."""
        self._running.lease.check()
        self._running.session.quiet.batch_end()

    def save_checkpoint(self, state: Any) -> None:
        """Keep a state to go on from: a path, bytes, JSON content, or tensors."""
        self._running.lease.check()
        self._running.save_checkpoint(state)

    def load_checkpoint(self) -> Any:
        """The state saved last, by whichever worker, or None."""
        return self._running.load_checkpoint()

    def save_model(self, model: Any, weights: Path | None = None) -> None:
        """Keep the model that scored: a torch module, a state dict, or the path of a file (copied).

        Args:
            model: What ships.
            weights: A file with the trained weights, kept beside where the model is of another format.

        Raises:
            InputError: It could not be loaded again: there is no such file, its tensors are not those of the
                task's ``build(params)``, or it holds something else than tensors.
        """
        self._running.lease.check()
        self._running.save_model(model, weights)

    def save_influences(self, influences: Influences) -> None:
        """Keep what each scored row did to the metrics; it is stored when the trial is told as complete."""
        self._running.influences = influences


def running_of(trial: Trial) -> RunningTrial:
    """What a session knows of a trial that a person holds."""
    return trial._running  # noqa: SLF001  # its other half
