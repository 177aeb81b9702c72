"""What the tree families share: they grow in stages, report after each, and know their size once grown."""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from satisfice.ship.onnx.precision import blank
from satisfice.spec.task import Params, TrainingTrial
from satisfice.train.curves import CurveLosses
from satisfice.train.family_task import FamilyTask
from satisfice.train.scoring import main_metric, monitored
from satisfice.train.trainer import Trained
from satisfice.train.trees.ensemble import TreeEnsemble, bare_leaves, shapes
from satisfice.train.trees.export import most_bytes

DEFAULT_STAGES = 10
_NEAR_BEST = 0.01  # how near to the best score counts as the target of epochs_to_target


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """An ensemble that has grown so far."""

    trees: int  # of a forest; rounds of boosting
    prediction: NDArray[Any]  # of the validation split: probabilities (n, k) or standardised values (n,)
    of_sample: NDArray[Any]  # of the training rows by which its loss is known, likewise
    pack: Callable[[], TreeEnsemble]  # the ensemble as it would ship; call it before the next stage


class TreeTask(FamilyTask):
    """A tree family on a study's data.

    A training taken up again starts afresh: it is a function of the seed, so it ends the same.
    """

    count: str  # the hyperparameter that says how many trees or rounds

    @abstractmethod
    def grow(
        self,
        values: Mapping[str, Any],
        trial: TrainingTrial,
        counts: list[int],
        sample: NDArray[np.float32],
    ) -> Iterator[Stage]:
        """Grow to each of these counts of trees or rounds; ``sample`` holds training rows, shape (s, d)."""

    @abstractmethod
    def patience(self, values: Mapping[str, Any]) -> int:
        """Trees or rounds without a better score after which it stops and the best stage ships; 0: never."""

    @abstractmethod
    def tree_counts(self, values: Mapping[str, Any]) -> tuple[int, int]:
        """Fewest and most trees that the shipped ensemble can have."""

    @property
    def leaf_numbers(self) -> int:
        """c: numbers in a leaf."""
        return 1

    @property
    def base_numbers(self) -> int:
        """k: numbers in the base."""
        return 1

    def canonical(self, architecture: Mapping[str, Any]) -> dict[str, Any]:
        """Nothing: a limit that never binds leaves the same trees, and the file holds the trees."""
        return {}

    def structure(self, params: Params, model: Any = None) -> Any:
        """The trees, where they have grown."""
        if model is None:
            return self.values(params)
        content = hashlib.sha256()
        for name, array in sorted(self.arrays(model).items()):
            content.update(f"{name} {array.dtype} {array.shape}".encode())
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()

    def untrained(self, params: Params) -> None:
        """Known only after fitting."""

    def arrays(self, core: TreeEnsemble) -> dict[str, NDArray[Any]]:
        """As they ship."""
        return core.arrays()

    def profile(self, params: Params) -> dict[str, float]:
        """What does not depend on how the trees grow."""
        return self.inputs(params)

    def bounds(self, params: Params) -> dict[str, tuple[float, float]]:
        """Size and counts: from single leaves to trees as large as limits and training fold allow."""
        values = self.values(params)
        fewest, most = self.tree_counts(values)
        least = self._size(params, fewest, fewest)
        largest = self._size(params, most, most * self._most_leaves(params), largest=True)
        low, high = self._convert(least), self._convert(largest)
        found = {name: (low[name], high[name]) for name in low}
        leaves = self._most_leaves(params)
        depth = min(leaves - 1, int(values["max_depth"]) or leaves)
        found["n_leaves"] = float(fewest), float(most * leaves)
        found["max_depth"] = 0.0, float(depth)
        return found

    def learn(self, params: Params, trial: TrainingTrial, length: int | None = None) -> Trained:
        """Grow stage by stage; ends early when told to prune or when patience runs out."""
        values = self.values(params)
        began = time.perf_counter()
        scoring = self.scoring(params)
        metric, sign = monitored(self.spec, self.splits.task, fitted=scoring.rule.fitted)
        patience = self.patience(values) if length is None else 0
        best: TreeEnsemble | None = None
        best_score, best_count, mains = -np.inf, 0, list[float]()
        counts = stages(length or int(values[self.count]), trial.max_epochs or DEFAULT_STAGES)
        losses = CurveLosses(self.splits_of(values))
        sample = losses.train_x.reshape(len(losses.rows), -1)
        with threadpool_limits(limits=max(trial.threads, 1)):
            for step, stage in enumerate(self.grow(values, trial, counts, sample), start=1):
                metrics = scoring.of_outputs(stage.prediction, self.splits.valid)
                mains.append(metrics[main_metric(self.splits.task)])
                now = sign * metrics[metric]
                if patience > 0 and (best is None or now > best_score):
                    best, best_score, best_count = stage.pack(), now, stage.trees
                extras = _extras(mains, time.perf_counter() - began)
                curves = losses.of(stage.of_sample, stage.prediction)
                trial.report(step, metrics | curves | (losses.guess if step == 1 else {}))
                trial.batch_end()
                if trial.should_prune():
                    return Trained(core=None, metrics=metrics | extras)
                if 0 < patience <= stage.trees - best_count:
                    break
            core = stage.pack() if best is None else best
        counts_of = {name: float(getattr(core, name)) for name in ("n_parameters", "n_leaves", "max_depth")}
        known = self.profile(params) | extras | counts_of
        return Trained(core=core, metrics=known, length=stage.trees if best is None else best_count)

    def _most_leaves(self, params: Params) -> int:
        """Of one tree."""
        values = self.values(params)
        limits = [len(self.splits.train) // int(values["min_samples_leaf"])]
        depth, leaves = at_most(values["max_depth"]), at_most(values["max_leaves"], least=2)
        limits += [2 ** min(depth, 62)] if depth is not None else []
        limits += [leaves] if leaves is not None else []
        return max(min(limits), 1)

    def _size(self, params: Params, trees: int, leaves: int, *, largest: bool = False) -> dict[str, float]:
        d, c, k = self.preprocessor(params).n_features, self.leaf_numbers, self.base_numbers
        of = shapes(trees=trees, leaves=leaves, d=d, c=c, k=k)
        if self.file.by_shapes:
            size = self.file.length(self, params, {name: blank(s, dtype) for name, (dtype, s) in of.items()})
        else:
            size = self.file.length(self, params, bare_leaves(trees=k if largest else trees, d=d, c=c, k=k))
            size += most_bytes(trees=trees, leaves=leaves, c=c) if largest else 0
        return {"size_bytes": float(size), "n_parameters": float(leaves - trees + leaves * c + k)}


def at_most(value: int, least: int = 1) -> int | None:
    """A limit as scikit-learn takes it: None for 0, which means none."""
    return max(int(value), least) if value > 0 else None


def stages(count: int, most: int) -> list[int]:
    """Counts to grow to: at most ``most`` of them, evenly spaced, the last one ``count``."""
    n = min(count, most)
    return [round(count * (i + 1) / n) for i in range(n)]


def _extras(mains: list[float], seconds: float) -> dict[str, float]:
    target = max(mains) - _NEAR_BEST
    reached = next(i for i, value in enumerate(mains, start=1) if value >= target)
    return {"train_seconds": seconds, "epochs_to_target": float(reached)}
