"""A metric over two parameters, smoothed by the Gaussian process that the search uses too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from satisfice.threads import one_blas_thread

if TYPE_CHECKING:
    from satisfice.surrogate.encoding import Array

_NOISE_PRIOR = 0.1  # of standardised values: what the other parameters do is noise here
_MAX_FIT = 110  # trials that hyperparameters are fitted on


def smooth(x: Array, y: Array, grid: Array, ordered: NDArray[np.bool_]) -> Array:
    """Posterior mean of a Gaussian process with a noise term. Deterministic, and safe in a thread.

    Args:
        x: Two parameters of the trials, numbers from 0 to 1, shape [n, 2].
        y: Values of the trials, shape [n], not all equal.
        grid: Where to estimate, shape [q, 2].
        ordered: Which of the two have an order, shape [2]; of the others it counts whether they differ.

    Returns:
        Estimates, shape [q].
    """
    # Half a second to import; its BLAS must be there to be held to one thread.
    from satisfice.surrogate.encoding import Layout
    from satisfice.surrogate.fitting import fit
    from satisfice.surrogate.gaussian_process import GaussianProcess
    from satisfice.surrogate.metric_model import spread_out

    centre, scale = float(y.mean()), float(y.std())
    z, none = (y - centre) / scale, np.zeros(len(y))
    layout = Layout(ordered, (2.0, 2.0))
    rows = spread_out(len(y), _MAX_FIT)
    with one_blas_thread():
        hyperparameters = fit(x[rows], z[rows], none[rows], layout, noise_prior=_NOISE_PRIOR)
        mean, _ = GaussianProcess(x, z, none, layout, hyperparameters).predict(grid)
    return np.asarray(centre + scale * mean)
