"""What a model goes by and what each technique is worth: `Study.importance`, `Study.ablate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from satisfice.results.questions import Tabular
from satisfice.results.result import Result, left_out_where_none


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnImportance(Result):
    """One source column."""

    column: str
    importance: float  # by how much the metric gets worse where the column is permuted; mean over repeats
    deviation: float  # standard deviation over the repeats
    gain: float | None = left_out_where_none()  # of trees: its share of what all splits gain


@dataclass(frozen=True, kw_only=True, eq=False)
class Coefficient(Result):
    """One coefficient of a linear model."""

    column: str
    feature: str  # that the column became: the number itself, a category of it, whether it was missing
    label: str | None  # of more than two classes: whose log-odds it adds to
    value: float  # for one unit of the prepared feature: in log-odds, or in spreads of the target


@dataclass(frozen=True, kw_only=True, eq=False)
class Importance(Tabular):
    """What a trial's model goes by, by source column, on validation rows."""

    study: str
    trial: int
    metric: str  # that gets worse
    value: float  # of it, with nothing permuted
    rows_used: int  # validation rows
    repeats: int
    columns: Sequence[ColumnImportance]  # the most important first
    coefficients: Sequence[Coefficient] | None = left_out_where_none()  # of linear models

    def rows(self) -> list[dict[str, Any]]:
        """A row for each column."""
        return [dict(column) for column in self.columns]

    @property
    def sentence(self) -> str:
        """How it was found."""
        return (
            f"By how much {self.metric} of trial {self.trial} ({self.value:.4g} on {self.rows_used} "
            f"validation rows) gets worse where a column is permuted: mean and standard deviation of "
            f"{self.repeats} permutations."
        )


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
