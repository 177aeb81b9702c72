"""Learning-rate schedules as factors of the learning rate. No torch here."""

from __future__ import annotations

import math

SCHEDULES = ("constant", "step", "exponential", "cosine")


def learning_rate_factor(
    schedule: str, *, epoch: float, epochs: int, warmup_epochs: float, final: float
) -> float:
    """What the learning rate is multiplied by.

    Args:
        schedule: ``step`` falls twice, after one and two thirds of the epochs; ``exponential`` by the same
            share in each step; ``cosine`` along half a wave (Loshchilov and Hutter 2017, without restarts).
        epoch: Epochs done so far, as a fraction: 2.5 is the middle of the third.
        epochs: In all.
        warmup_epochs: Over these the factor rises in a straight line from nearly zero; the schedule runs over
            the rest.
        final: The factor at the end of all schedules but ``constant``.
    """
    if epoch < warmup_epochs:
        return max(epoch / warmup_epochs, 1e-3)
    progress = min((epoch - warmup_epochs) / max(epochs - warmup_epochs, 1e-9), 1.0)
    if schedule == "step":
        return math.pow(final, min(int(3 * progress + 1e-9), 2) / 2)
    if schedule == "exponential":
        return math.pow(final, progress)
    if schedule == "cosine":
        return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))
    return 1.0
