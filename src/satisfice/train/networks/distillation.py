"""Learning from a teacher's outputs beside the data (Hinton, Vinyals and Dean 2015, arXiv:1503.02531).

Imported without torch: it comes in when a loss is made.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from satisfice.data import ImageScaler, Splits
from satisfice.errors import InputError, SpecError
from satisfice.spec.study import StudySpec

if TYPE_CHECKING:
    from torch import Tensor

    from satisfice.spec.task import Teacher

    Loss = Callable[[Tensor, Tensor], Tensor]  # of outputs and row numbers

_LEAST = 1e-12  # of a teacher's probability, so that its logarithm is finite


def teachers_of(spec: StudySpec) -> tuple[str, ...]:
    """Names of all teachers that a trial of the study may learn from.

    Raises:
        SpecError: It distils without a teacher, or names one and never distils.
    """
    names = tuple(dict.fromkeys(name for name in _possible(spec, "teacher") if name))
    distils = any(share > 0 for share in _possible(spec, "distillation"))
    file = str(spec.source) if spec.source is not None else None
    if distils and not names:
        raise SpecError(
            "nothing to learn from is named",
            key=_where(spec, "distillation"),
            file=file,
            hint='name a finished trial under [model]: teacher = "STUDY/12"',
        )
    if names and not distils:
        raise SpecError(
            "is without effect, for distillation is 0",
            key=_where(spec, "teacher"),
            file=file,
            hint="set or search distillation too, or leave teacher out",
        )
    return names


def _where(spec: StudySpec, name: str) -> str:
    return f"space.{name}" if name in spec.space.by_name else f"model.{name}"


def _possible(spec: StudySpec, name: str) -> Iterator[Any]:
    """Values that a hyperparameter may take; of a range its ends."""
    assert spec.model is not None
    parameter = spec.space.by_name.get(name)
    if parameter is None:
        if name in spec.model.fixed:
            yield spec.model.fixed[name]
        return
    d = parameter.distribution
    if isinstance(d, CategoricalDistribution):
        yield from d.choices
        return
    assert isinstance(d, IntDistribution | FloatDistribution)
    yield from (d.low, d.high)


def outputs_of(teacher: Teacher, splits: Splits) -> NDArray[np.float32]:
    """What a teacher says of the training rows: probabilities (n, k), or values (n, 1).

    The values are in spreads from the target's centre, as networks learn them.

    Raises:
        InputError: It learnt another task or other classes, or takes items that were prepared otherwise.
    """
    header = teacher.header
    if header.task != splits.task:
        raise InputError(
            f"it learnt {header.task}, and this study is for {splits.task}", hint="name another trial"
        )
    if tuple(header.classes) != splits.classes:
        raise InputError(
            "it tells other classes apart than this study's data have", hint="name another trial"
        )
    found = teacher.outputs(_items_for(header.preprocessor, splits))
    if splits.target is not None:
        found = splits.target.standardise(found)[:, None]
    return found.astype(np.float32)


def _items_for(preprocessor: Any, splits: Splits) -> NDArray[np.float32]:
    """The training items as the teacher takes them: images may be of another size than the study's."""
    own = splits.preprocessor
    if _told(preprocessor) == _told(own):
        if splits.corpus is None:
            return splits.train.x
        return preprocessor.transform(splits.raw_train.items)  # type: ignore[no-any-return]  # own words
    if isinstance(preprocessor, ImageScaler) and isinstance(own, ImageScaler):
        same = preprocessor.shape[0] == own.shape[0]
        if same and (preprocessor.kept or preprocessor.shape[1:]) == (own.kept or own.shape[1:]):
            return preprocessor.transform(splits.raw_train.items)  # type: ignore[arg-type]  # they are images
    raise InputError(
        "its items were prepared otherwise than this study's", hint="train it anew on these data"
    )


def _told(preprocessor: Any) -> str:
    """All but which terms of texts are features."""
    told = preprocessor.describe()
    if "texts" in told:
        told["texts"] = told["texts"]["columns"]
    return json.dumps(told, sort_keys=True, default=str)


def loss_of(
    plain: Callable[[Tensor, Tensor], Tensor],
    y: Tensor,
    teacher: NDArray[np.float32] | None,
    values: Mapping[str, Any],
    *,
    classify: bool,
) -> tuple[Loss, float]:
    """The loss of a batch, and how many times the plain one it is for a guess that knows nothing.

    With ``distillation`` a, ``temperature`` T and the plain loss L it is (1 - a) L + a T² H, where H is the
    cross entropy between the teacher's probabilities and the network's, both softened by T: T² keeps the size
    of its gradient where T changes. For numbers T plays no part, and H is the squared error to the teacher's.

    Args:
        plain: Of outputs and targets.
        y: Targets of the training rows, on the device of the training.
        teacher: As `outputs_of` gives it; None for the plain loss.
        values: Of every hyperparameter.
        classify: Whether outputs are logits.
    """
    share = float(values["distillation"])
    if teacher is None or share == 0:
        return (lambda out, rows: plain(out, y[rows])), 1.0
    import torch  # optional and slow
    from torch.nn import functional

    told = torch.from_numpy(teacher).to(y.device)
    if not classify:
        return (
            lambda out, rows: (1 - share) * plain(out, y[rows]) + share * functional.mse_loss(out, told[rows])
        ), 1.0
    heat = float(values["temperature"])
    soft = torch.softmax(told.clamp_min(_LEAST).log() / heat, dim=1)
    taught = share * heat**2

    def loss(out: Tensor, rows: Tensor) -> Tensor:
        hard = (1 - share) * plain(out, y[rows])
        return hard + taught * functional.cross_entropy(out / heat, soft[rows])

    return loss, 1 - share + taught
