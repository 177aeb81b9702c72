"""Studies whose truth is known: is the truly best trial among the tied, and does the interval hold?

Each simulated study draws the true accuracies of its trials, and validation rows of which some are harder
than others, so that trials fail on the same rows as real ones do: row i is answered right by trial t where
``quality[t] + b * hard[i] + sqrt(1 - b^2) * own[t, i] > 0``. Then it is asked as a real study is.

    python benchmarks/choice_noise.py [--studies 500] [--seed 0]

Printed, over all studies and by how many trials are near the best:

- share: of studies whose truly best trial is the chosen one or among the tied (the goal is 90%), beside the
  share for a plain 95% interval of each pair, and for trials that only report standard errors;
- ties: the median number of tied trials, beside an oracle that knows the true noise of every difference and
  cuts where just 90% of such studies keep their best;
- coverage: of studies in which the 95% interval of the chosen trial's score holds its true accuracy, as it is
  observed and as it is corrected for the choice.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from satisfice.choose import BestTrial, chosen
from satisfice.choose.noise.difference import Noise
from satisfice.choose.trial_group import TrialGroup
from satisfice.spec.influences import Influences
from satisfice.spec.standard_error import NORMAL_95
from satisfice.spec.study import Objective
from satisfice.spec.trial import TrialRecord, TrialState

GOAL = Objective(metric="accuracy", direction="maximize")
SPREADS = {"many near the best": 0.002, "some near the best": 0.01, "few near the best": 0.05}
_AGAIN = 80  # validation sets that the oracle has seen

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A simulated study."""

    accuracy: Floats  # of each trial, the true one
    shared: float  # how much of a row's difficulty the trials share
    rows: int
    spread: str

    def answers(self, draw: np.random.Generator) -> Floats:
        """Whether each trial answers each row of a new validation set right, (trials, rows)."""
        quality = norm.ppf(self.accuracy)[:, None]
        hard = draw.standard_normal(self.rows)
        own = draw.standard_normal((len(self.accuracy), self.rows))
        right = quality + self.shared * hard + np.sqrt(1 - self.shared**2) * own > 0
        return np.asarray(right, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one study answered."""

    spread: str
    has_best: bool
    has_best_in_pairs: bool
    has_best_unpaired: bool
    ties: int
    ties_of_oracle: int
    holds: bool
    holds_corrected: bool
    holds_unpaired: bool
    bias: float
    bias_corrected: float


def drawn(draw: np.random.Generator) -> Truth:
    """A study as they come: 10 to 120 trials, 100 to 1,000 rows."""
    spread = list(SPREADS)[draw.integers(len(SPREADS))]
    trials, rows = int(draw.integers(10, 121)), int(10 ** draw.uniform(2, 3))
    top = draw.uniform(0.7, 0.97)
    accuracy = np.clip(top - draw.exponential(SPREADS[spread], trials), 0.3, 0.999)
    return Truth(accuracy=accuracy, shared=float(draw.uniform(0.5, 0.97)), rows=rows, spread=spread)


def asked(right: Floats, *, paired: bool) -> tuple[BestTrial, list[TrialRecord], dict[int, Influences]]:
    """The chosen trial of a study with these answers."""
    scores, rows = right.mean(axis=1), right.shape[1]
    records = [
        TrialRecord(
            number=t,
            state=TrialState.COMPLETE,
            params={},
            metrics={"accuracy": float(score)},
            standard_errors={"accuracy": float(np.sqrt(score * (1 - score) / rows))},
        )
        for t, score in enumerate(scores)
    ]
    influences = {
        t: Influences.decoded(Influences.of_rows({"accuracy": each - each.mean()}).encoded())
        for t, each in enumerate(right)
    }
    read = (lambda numbers: {n: influences[n] for n in numbers}) if paired else None
    return chosen(records, [GOAL], [], influences=read), records, influences


def oracle(truth: Truth, scores: Floats, draw: np.random.Generator) -> int:
    """How many ties suffice who knows the truth: cut where 90% of such studies keep their best."""
    again = np.array([truth.answers(draw).mean(axis=1) for _ in range(_AGAIN)])
    best = int(truth.accuracy.argmax())
    noise = (again[:, :, None] - again[:, None, :]).std(axis=0) + 1e-12
    first = again.argmax(axis=1)
    ahead = (again.max(axis=1) - again[:, best]) / noise[first, best]
    cut, top = float(np.quantile(ahead, 0.9)), int(scores.argmax())
    return int(((scores[top] - scores) / noise[top] <= cut).sum()) - 1


def one(truth: Truth, draw: np.random.Generator) -> Outcome:
    """Ask one study."""
    right = truth.answers(draw)
    best = int(truth.accuracy.argmax())
    found, records, influences = asked(right, paired=True)
    alone, _, _ = asked(right, paired=False)
    noise = Noise(influences=influences)
    mine, theirs = (TrialGroup(trial=r, members=(r,)) for r in (records[found.number], records[best]))
    true = float(truth.accuracy[found.number])
    score, error = found.metrics["accuracy"], found.standard_errors["accuracy"]
    corrected, unpaired = found.expected, alone.expected
    return Outcome(
        spread=truth.spread,
        has_best=best in (found.number, *found.tied),
        has_best_in_pairs=noise.difference(mine, theirs, "accuracy").is_noise(),
        has_best_unpaired=best in (alone.number, *alone.tied),
        ties=len(found.tied),
        ties_of_oracle=oracle(truth, right.mean(axis=1), draw),
        holds=abs(score - true) <= NORMAL_95 * error,
        holds_corrected=corrected is not None and corrected.low <= true <= corrected.high,
        holds_unpaired=unpaired is not None and unpaired.low <= true <= unpaired.high,
        bias=score - true,
        bias_corrected=np.nan if corrected is None else corrected.value - true,
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown."""

    def share(name: str, of: Sequence[Outcome]) -> str:
        return f"{100 * np.mean([getattr(o, name) for o in of]):.1f}%"

    head = (
        "| studies | n | best in tied | by pairs at 95% | from errors alone | ties | oracle's ties "
        "| coverage observed | corrected | from errors alone | bias observed | corrected |"
    )
    lines = [head, "|---" + "|---:" * 11 + "|"]
    for spread in ("all", *SPREADS):
        of = [o for o in outcomes if spread in ("all", o.spread)]
        cells = [
            spread,
            str(len(of)),
            share("has_best", of),
            share("has_best_in_pairs", of),
            share("has_best_unpaired", of),
            f"{np.median([o.ties for o in of]):.0f}",
            f"{np.median([o.ties_of_oracle for o in of]):.0f}",
            share("holds", of),
            share("holds_corrected", of),
            share("holds_unpaired", of),
            f"{np.mean([o.bias for o in of]):+.4f}",
            f"{np.nanmean([o.bias_corrected for o in of]):+.4f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = np.random.default_rng(given.seed)
    print(table([one(drawn(draw), draw) for _ in range(given.studies)]))


if __name__ == "__main__":
    main()
