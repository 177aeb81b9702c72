"""Optimizers from hyperparameters. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from satisfice.train.networks.full_batch import make_lbfgs


def weights_of(module: nn.Module) -> list[nn.Parameter]:
    """What penalties act on: matrices and filters, but neither biases nor batch norm."""
    return [p for p in module.parameters() if p.ndim >= 2]


def make_optimizer(module: nn.Module, values: Mapping[str, Any]) -> torch.optim.Optimizer:
    """The optimizer of a configuration.

    ``l2`` is added to the gradient (the derivative of half the squared weights), but with adamw it is the
    decoupled weight decay (Loshchilov and Hutter 2019). Fused and foreach forms are the fast ones for many
    small tensors.
    """
    groups = _groups(module, float(values["l2"]))
    rate = float(values["learning_rate"])
    match values["optimizer"]:
        case "sgd":
            momentum = float(values["momentum"])
            nesterov = bool(values["nesterov"]) and momentum > 0
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=nesterov, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(groups, lr=rate, foreach=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, fused=True)
        case "lbfgs":  # penalties are part of what it minimises
            return make_lbfgs(module)
        case _:
            return torch.optim.Adam(groups, lr=rate, fused=True)


def _groups(module: nn.Module, l2: float) -> list[dict[str, Any]]:
    """Parameters by how they are penalised; one group where nothing is, for each costs a call a step."""
    if l2 == 0:
        return [{"params": list(module.parameters()), "weight_decay": 0.0}]
    weights = weights_of(module)
    chosen = {id(p) for p in weights}
    others = [p for p in module.parameters() if id(p) not in chosen]
    return [{"params": weights, "weight_decay": l2}, {"params": others, "weight_decay": 0.0}]


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """For all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def add_sign(weights: Sequence[nn.Parameter], strength: float) -> None:
    """Add the subgradient of the sum of absolute weights to the gradients: two calls for all tensors."""
    values: list[Tensor] = list(weights)
    gradients = [p.grad for p in weights if p.grad is not None]
    torch._foreach_add_(gradients, torch._foreach_sign(values), alpha=strength)  # noqa: SLF001  # as torch.optim does


def norm_of(tensors: Sequence[Tensor]) -> float:
    """The Euclidean norm of all their numbers: two calls, however many tensors there are."""
    with torch.no_grad():
        norms = torch._foreach_norm(list(tensors))  # noqa: SLF001  # as torch.nn.utils.get_total_norm does
        return float(torch.stack(norms).norm())
