"""What `Study.ablate` returns: what each technique of a configuration is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from satisfice.results.questions import Tabular
from satisfice.results.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class AblationRow(Result):
    """One technique and one metric."""

    technique: str  # the parameter that it is about; "all": the chosen configuration against the default one
    metric: str
    effect: float | None  # mean with the technique minus mean without it; None: one of the two is not known
    low: float | None  # ends of the 95% interval; None: a single training tells no spread
    high: float | None
    kind: str  # "without": taken from the winner; "with": added to the default configuration; "all"
    change: str  # what was done, such as "dropout 0.3 -> 0"
    direction: str | None  # what is better: "maximize", "minimize"; None: not known
    trainings: int  # that finished without the technique (of "with": with it)
    # "better" or "worse" with it ("higher", "lower" where no direction is known), "no difference seen",
    # "one seed", "measured once" (latency, memory), "unknown"
    verdict: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Ablation(Tabular):
    """Each technique of a trial switched off alone, trained again with several seeds."""

    study: str  # the study that holds the trainings
    parent: str
    trial: int  # of the parent
    seeds: int
    trainings: int  # finished
    lost: int  # that diverged or failed
    table: Sequence[AblationRow]  # `rows` in the JSON of the command

    def rows(self) -> list[dict[str, Any]]:
        """One for each technique and metric."""
        return [dict(row) for row in self.table]
