"""Structured pruning: a network starts wider than it ships and loses units midway. Imports torch.

After Li et al. 2017 (arXiv:1608.08710): what a filter weighs is the sum of its absolute weights. Here those
that lead out of a unit count beside those that lead into it, and batch normalisation counts as folded into
the latter. The architecture that ships is the one that the configuration names, so that size and latency are
known before training as ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from satisfice.train.networks.plan import (
    BatchNorm,
    Conv,
    Depthwise,
    Layer,
    Linear,
    Plan,
    Residual,
    names,
    parameters,
)

_EPSILON = 1e-5  # torch's, of batch normalisation

State = Mapping[str, Tensor]


def to_be_cut(plan: Plan, share: float) -> Plan:
    """The network of which ``share`` of each hidden layer's units or channels is cut to get ``plan``."""
    last = _weighted(plan)[-1]
    out: list[Layer] = []
    before = wide = 0  # outputs of the layer before, as the plan has them and here
    for i, layer in enumerate(plan):
        if isinstance(layer, Linear | Conv):
            inputs = layer.inputs // before * wide if before else layer.inputs
            before = layer.outputs
            wide = before if i == last else round(before / (1 - share))
            out.append(replace(layer, inputs=inputs, outputs=wide))
        elif isinstance(layer, BatchNorm):
            out.append(replace(layer, features=wide))
        else:
            out.append(layer)
    return tuple(out)


def cuttable(plan: Plan) -> bool:
    """Whether the layers follow one another, each with outputs of its own: the only networks that are cut."""
    return not any(isinstance(layer, Residual | Depthwise) for layer in plan)


def cut(state: State, whole: Plan, plan: Plan) -> dict[str, Tensor]:
    """The state of ``plan`` from that of the ``whole`` network: the heaviest units of each hidden layer.

    Args:
        state: Of the module of ``whole``, on the CPU.
        whole: As `to_be_cut` gives it.
        plan: The layers that stay.
    """
    named, weighted, out = names(whole), _weighted(whole), dict(state)
    for i, following in pairwise(weighted):
        layer, narrow = whole[i], plan[i]
        assert isinstance(layer, Linear | Conv)
        assert isinstance(narrow, Linear | Conv)
        units = layer.outputs
        leading_in, leading_out = f"{named[i]}.weight", f"{named[following]}.weight"
        weighs = _sizes(state, named, whole, i) + _by_unit(state[leading_out], units).abs().sum(dim=(0, 2))
        kept = weighs.argsort(descending=True, stable=True)[: narrow.outputs].sort().values
        own = [leading_in, f"{named[i]}.bias"]
        if isinstance(whole[i + 1], BatchNorm):
            own += [f"{named[i + 1]}.{name}" for name in ("weight", "bias", "running_mean", "running_var")]
        out |= {name: out[name][kept].clone() for name in own if name in out}
        rows, shape = len(state[leading_out]), parameters(plan[following])["weight"][1:]
        out[leading_out] = _by_unit(state[leading_out], units)[:, kept].reshape(rows, *shape).clone()
    return out


def _sizes(state: State, named: Sequence[str], whole: Plan, i: int) -> Tensor:
    """Sum of the absolute weights that lead into each unit of a layer, batch normalisation folded in."""
    sizes = state[f"{named[i]}.weight"].abs().flatten(1).sum(dim=1)
    if not isinstance(whole[i + 1], BatchNorm):
        return sizes
    norm = named[i + 1]
    return sizes * state[f"{norm}.weight"].abs() / (state[f"{norm}.running_var"] + _EPSILON).sqrt()


def _by_unit(weight: Tensor, units: int) -> Tensor:
    """A weight (outputs, ...) as (outputs, units of the layer before, places of each)."""
    return weight.reshape(len(weight), units, -1)


def _weighted(plan: Plan) -> list[int]:
    """Where the layers with weights are."""
    return [i for i, layer in enumerate(plan) if isinstance(layer, Linear | Conv)]
