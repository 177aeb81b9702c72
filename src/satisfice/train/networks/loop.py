"""The training loop of the torch families. Imports torch.

All data lie on the device from the start and an epoch is one permutation of row numbers: a DataLoader costs
several times a small network's step. Everything random comes from the trial's seed; a training taken up again
from a checkpoint goes on bit for bit (on the same GPU, or on a CPU with the same number of threads).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from satisfice.data import Splits
from satisfice.errors import Diverged
from satisfice.ship.torch_model import predict
from satisfice.spec.task import TrainingTrial
from satisfice.train.curves import CurveLosses, short
from satisfice.train.networks.augment import Augmentation
from satisfice.train.networks.averaging import Averaging, first_averaged_epoch
from satisfice.train.networks.device import choose_device, isolated
from satisfice.train.networks.distillation import loss_of
from satisfice.train.networks.full_batch import FullBatch
from satisfice.train.networks.network import build
from satisfice.train.networks.optimizer import (
    add_sign,
    make_optimizer,
    norm_of,
    set_learning_rate,
    weights_of,
)
from satisfice.train.networks.plan import Plan
from satisfice.train.networks.pruning import cut, cuttable, to_be_cut
from satisfice.train.networks.rounding import Int4Rounding, first_aware_epoch
from satisfice.train.networks.schedule import learning_rate_factor
from satisfice.train.scoring import main_metric
from satisfice.train.trainer import class_weights

_DIVERGED = 10.0  # times the loss of a guess that knows nothing
_LOOK = 32  # batches between two looks at the loss on a GPU
_NEAR_BEST = 0.01  # how near to the final score counts as the target of epochs_to_target


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What to train, and how."""

    values: Mapping[str, Any]  # of every hyperparameter
    plan: Plan
    epochs: int
    metric: str  # that chooses the best epoch
    sign: float  # that makes it one to maximise
    scores: Callable[[NDArray[Any], NDArray[Any]], dict[str, float]]  # of targets and outputs (n, ...)
    checkpoint_seconds: float
    teacher: NDArray[np.float32] | None = (
        None  # its outputs for the training rows, as `outputs_of` gives them
    )
    length: int | None = None  # train for exactly so many of the epochs, and take the last weights


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingResult:
    """A training's end."""

    module: nn.Sequential  # on the CPU, with the best weights, in evaluation mode
    metrics: dict[str, float]
    pruned: bool
    best_epoch: int  # that the weights are of; 0: of none


class Fit:
    """One training."""

    def __init__(self, setting: Setting, splits: Splits, trial: TrainingTrial) -> None:
        self.setting = setting
        self.values = setting.values
        self.splits = splits
        self.trial = trial
        self.classify = splits.task == "classification"
        self.device = choose_device()
        self.epoch = 0  # epochs done
        self.best_epoch = 0
        self.best_score = -math.inf
        self.best_weights: dict[str, Tensor] = {}
        self.mains: list[float] = []  # accuracy or r2 after each epoch
        self.seconds = 0.0  # of training, earlier attempts included

    def run(self) -> TrainingResult:
        """Train to the end, to a stop by patience, or to where the trial is pruned.

        Raises:
            Diverged: The loss is NaN or grows away from any solution.
        """
        with isolated(self.trial.seed, self.trial.threads, self.device):
            self._prepare()
            self._resume()
            saved = time.monotonic()
            while self._goes_on():
                metrics, curves = self._run_epoch()
                self.trial.report(self.epoch, metrics | curves)
                if time.monotonic() - saved >= self.setting.checkpoint_seconds:
                    self.trial.save_checkpoint(self._state())
                    saved = time.monotonic()
                if self.trial.should_prune():
                    return self._result(self.module, metrics | self._extras(), pruned=True)
            return self._result(self._best_module(), self._extras(), pruned=False)

    def _result(self, module: nn.Sequential, metrics: dict[str, float], *, pruned: bool) -> TrainingResult:
        return TrainingResult(module=module, metrics=metrics, pruned=pruned, best_epoch=self.best_epoch)

    def _prepare(self) -> None:
        train = self.splits.train
        self.x = torch.from_numpy(train.x).to(self.device)
        y = torch.from_numpy(train.z)
        if not self.classify:
            y = y.float().unsqueeze(1)
        self.y = y.to(self.device)
        plan, share = self.setting.plan, float(self.values["prune"])
        self.batch = min(int(self.values["batch_size"]), len(train))
        self.steps = (
            max(len(train) // self.batch, 1) if len(train) % self.batch == 1 else -(-len(train) // self.batch)
        )
        self.curves = CurveLosses(self.splits)
        self.gradient_norm = math.nan
        pruned = share > 0 and self._last > 1 and cuttable(plan)
        self._take(to_be_cut(plan, share) if pruned else plan)
        self.loss, size = loss_of(
            self._make_criterion(), self.y, self.setting.teacher, self.values, classify=self.classify
        )
        self.shuffle = torch.Generator().manual_seed(self.trial.seed % 2**63)
        altered = float(self.values.get("augment", 0.0)) > 0 and self.x.ndim == 4
        self.augment = Augmentation(self.values, self.trial.seed) if altered else None
        guess = math.log(self.splits.n_classes) if self.classify else 1.0
        self.limit = _DIVERGED * guess * size

    def _make_criterion(self) -> nn.Module:
        if not self.classify:
            return nn.MSELoss()
        weights = class_weights(self.splits, self.values["class_weight"])
        if weights is None:
            return nn.CrossEntropyLoss()
        return nn.CrossEntropyLoss(weight=torch.tensor(list(weights.values()), device=self.device))

    def _goes_on(self) -> bool:
        """Whether another epoch follows. The first part of a training that prunes ends with the cut."""
        patience = int(self.values["patience"])
        tired = 0 < patience <= self.epoch - self.best_epoch
        if self.whole is not None and (tired or self.epoch >= self._cut_at):
            self._cut(self.whole)
            tired = False
        return self.epoch < self._last and not tired

    @property
    def _last(self) -> int:
        """Epochs at most."""
        return self.setting.epochs if self.setting.length is None else self.setting.length

    @property
    def _cut_at(self) -> int:
        """The epoch of the cut: half of all, or of those of a training that ends by then."""
        half = self.setting.epochs // 2
        return half if self._last > half else self._last // 2

    def _cut(self, whole: Plan) -> None:
        """Go on with the network that ships: what weighs most in the best weights until here."""
        best = {name: tensor.cpu() for name, tensor in self.best_weights.items()}
        self._take(self.setting.plan)
        self.module.load_state_dict(cut(best, whole, self.setting.plan))
        self._forget_best()

    def _take(self, plan: Plan) -> None:
        """Train a new network of this plan from here on."""
        self.whole = None if plan == self.setting.plan else plan
        self.module = build(plan).to(self.device)
        self.optimizer = make_optimizer(self.module, self.values)
        self.weights = weights_of(self.module)
        self.averaging = None
        if (how := self.values["averaging"]) != "none":
            self.averaging = Averaging(how, self.module, self.setting.epochs, self.steps)
        self.rounding = self.rounding_of_average = None
        if self.values.get("compression") == "int4":
            self.rounding = Int4Rounding(self.weights)
            if self.averaging is not None:
                self.rounding_of_average = Int4Rounding(weights_of(self.averaging.module))

    def _run_epoch(self) -> tuple[dict[str, float], dict[str, float]]:
        """One epoch: its metrics, and what the training is judged by (`CURVES`)."""
        began = time.perf_counter()
        if any(self.best_epoch <= first <= self.epoch for first in self._other_weights_from()):
            self._forget_best()
        loss = self._train_epoch()
        candidate = self._candidate()
        with self._weights_of_file(self.rounding if candidate is self.module else self.rounding_of_average):
            if self.averaging is not None and candidate is not self.module:
                self.averaging.renew_statistics(self.x)
            metrics, curves = self._validate(candidate)
        self.epoch += 1
        self.mains.append(metrics[main_metric(self.splits.task)])
        score_now = self.setting.sign * metrics[self.setting.metric]
        if not self.best_weights or score_now > self.best_score or self.setting.length is not None:
            self.best_score, self.best_epoch = score_now, self.epoch
            self.best_weights = {name: tensor.clone() for name, tensor in candidate.state_dict().items()}
        self.seconds += time.perf_counter() - began
        curves |= {"batch_loss": short(loss), "gradient_norm": short(self.gradient_norm)}
        curves["weight_norm"] = short(norm_of(self.weights))
        return metrics, curves | (self.curves.guess if self.epoch == 1 else {})

    def _forget_best(self) -> None:
        """Choose the best weights among the epochs from here on; patience counts from here too."""
        self.best_epoch, self.best_score, self.best_weights = self.epoch, -math.inf, {}

    def _other_weights_from(self) -> Iterator[int]:
        """Epochs from which on the weights that ship come about in another way than before."""
        if self.rounding is not None:
            yield first_aware_epoch(self.setting.epochs)
        if self.values["averaging"] == "swa":
            yield first_averaged_epoch(self.setting.epochs)

    def _candidate(self) -> nn.Module:
        """After an epoch: the network whose weights would ship."""
        if self.averaging is None:
            return self.module
        self.averaging.after_epoch(self.epoch)
        return self.averaging.module if self.averaging.counts(self.epoch) else self.module

    def _weights_of_file(self, rounding: Int4Rounding | None) -> contextlib.AbstractContextManager[None]:
        """Inside, the weights are those of the file, where this part of the training goes by them."""
        if rounding is None or self.epoch < first_aware_epoch(self.setting.epochs):
            return contextlib.nullcontext()
        return rounding.applied()

    def _train_epoch(self) -> float:
        """One pass over the training fold; returns the mean loss in training mode, penalties not included."""
        if isinstance(self.optimizer, torch.optim.LBFGS):
            return self._full_batch_epoch()
        module, optimizer, trial = self.module, self.optimizer, self.trial
        l1 = float(self.values["l1"])
        changing = self.values["schedule"] != "constant" or self.values["warmup_epochs"] > 0
        # A look at the loss stops a GPU's queue, so there it is summed on the device and looked at now and
        # then.
        look = 1 if self.device.type == "cpu" else _LOOK
        total, unseen = 0.0, torch.zeros((), device=self.device)
        module.train()
        for step, rows in enumerate(self._batches()):
            if changing:
                set_learning_rate(optimizer, self._rate(self.epoch + step / self.steps))
            with self._weights_of_file(self.rounding):
                loss = self._loss(rows)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch's
                if step + 1 == self.steps:
                    self.gradient_norm = norm_of([p.grad for p in module.parameters() if p.grad is not None])
            if l1 > 0:
                add_sign(self.weights, l1)
            optimizer.step()
            if self.averaging is not None:
                self.averaging.after_step()
            if look == 1:
                total += loss.item() * len(rows)
            else:
                unseen += loss.detach() * len(rows)
                if (step + 1) % look == 0 or step + 1 == self.steps:
                    total = unseen.item()
            if not math.isfinite(total):
                self._diverge(total)
            trial.batch_end()
        mean = total / len(self.x)
        if not mean <= self.limit:
            self._diverge(mean)
        return mean

    def _full_batch_epoch(self) -> float:
        """Several iterations of L-BFGS; the same is returned.

        It trains plain weights also where the file will hold rounded ones: on steps no line search works.
        """
        rows = torch.arange(len(self.x), device=self.device)
        if float(self.values["dropout"]) > 0:
            self.optimizer = make_optimizer(self.module, self.values)
        part = FullBatch(
            module=self.module.train(),
            loss=lambda: self.loss(self.module(self.x), rows),
            weights=self.weights,
            l1=float(self.values["l1"]),
            l2=float(self.values["l2"]),
            evaluated=self.trial.batch_end,
        )
        mean = part.epoch(self.optimizer)
        if self.averaging is not None:
            self.averaging.after_step()
        self.gradient_norm = norm_of([p.grad for p in self.module.parameters() if p.grad is not None])
        if not mean <= self.limit:
            self._diverge(mean)
        return mean

    def _loss(self, rows: Tensor) -> Tensor:
        """Of one batch, whose images are altered first where that is wanted."""
        x = self.x[rows]
        if self.augment is None:
            return self.loss(self.module(x), rows)
        x = self.augment.images(x)
        pairs = self.augment.pairs(len(rows))
        if pairs is None:
            return self.loss(self.module(x), rows)
        order, share = pairs[0].to(self.device), pairs[1]
        out = self.module(share * x + (1 - share) * x[order])
        return share * self.loss(out, rows) + (1 - share) * self.loss(out, rows[order])

    def _batches(self) -> Iterator[Tensor]:
        """Row numbers in random order. A last batch of one joins the one before: batch norm needs two."""
        order = torch.randperm(len(self.x), generator=self.shuffle).to(self.device)
        last = (self.steps - 1) * self.batch
        for at in range(0, last, self.batch):
            yield order[at : at + self.batch]
        yield order[last:]

    def _rate(self, epoch: float) -> float:
        return float(self.values["learning_rate"]) * learning_rate_factor(
            self.values["schedule"],
            epoch=epoch,
            epochs=self.setting.epochs,
            warmup_epochs=int(self.values["warmup_epochs"]),
            final=float(self.values["final_learning_rate"]),
        )

    def _diverge(self, loss: float) -> None:
        found = "NaN" if math.isnan(loss) else "infinite" if math.isinf(loss) else f"{loss:g}"
        line_search = isinstance(self.optimizer, torch.optim.LBFGS)
        raise Diverged(
            f"the training loss is {found} in epoch {self.epoch + 1}",
            hint="raise l2" if line_search else "lower the learning rate",
        )

    def _validate(self, module: nn.Module) -> tuple[dict[str, float], dict[str, float]]:
        """Scores on the validation fold, and the losses of training and validation rows."""
        module.eval()
        valid = self.splits.valid
        prediction = predict(module, valid.x, classify=self.classify)
        if not np.isfinite(prediction).all():
            self._diverge(math.nan)
        curves = self.curves.of(predict(module, self.curves.train_x, classify=self.classify), prediction)
        if self.splits.target is not None:
            prediction = self.splits.target.restore(prediction)
        return self.setting.scores(valid.y, prediction), curves

    def _extras(self) -> dict[str, float]:
        """train_seconds, and the first epoch whose score came near to the best one."""
        target = max(self.mains) - _NEAR_BEST
        reached = next(i for i, value in enumerate(self.mains, start=1) if value >= target)
        return {"train_seconds": self.seconds, "epochs_to_target": float(reached)}

    def _best_module(self) -> nn.Sequential:
        """The module that ships."""
        if self.best_weights:  # none where a budget that was lowered left no epoch after the cut
            self.module.load_state_dict(self.best_weights)
        return self.module.to("cpu").eval()

    def _state(self) -> dict[str, Any]:
        """All that the rest of the training depends on."""
        state = {
            "epoch": self.epoch,
            "cut": self.whole is None,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "best_weights": self.best_weights,
            "mains": self.mains,
            "seconds": self.seconds,
            "shuffle": self.shuffle.get_state(),
            "random": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        if self.augment is not None:
            state["augment"] = self.augment.state()
        if self.averaging is not None:
            state["averaging"] = self.averaging.state()
        return state

    def _resume(self) -> None:
        state = self.trial.load_checkpoint()
        if state is None:
            return
        if self.whole is not None and state["cut"]:
            self._take(self.setting.plan)
        self.epoch, self.best_epoch, self.best_score = (
            state["epoch"],
            state["best_epoch"],
            state["best_score"],
        )
        self.mains, self.seconds = list(state["mains"]), state["seconds"]
        self.best_weights = {name: t.to(self.device) for name, t in state["best_weights"].items()}
        self.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.shuffle.set_state(state["shuffle"].cpu())
        torch.set_rng_state(state["random"].cpu())
        if self.device.type == "cuda" and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"].cpu(), self.device)
        if self.augment is not None:
            self.augment.restore(state["augment"])
        if self.averaging is not None:
            self.averaging.restore(state["averaging"])
