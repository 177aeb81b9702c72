"""Parameters that share their choices: which they are, and what counts of the choices teach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution
from tests.search.problems import flat_layout

from satisfice.spec.space import Parameter, SearchSpace
from satisfice.surrogate.choice_counts import ChoiceCountKernel, SharedChoices
from satisfice.surrogate.encoding import Encoder, Layout
from satisfice.surrogate.fitting import fit
from satisfice.surrogate.gaussian_process import GaussianProcess

OPERATIONS = ("none", "skip", "conv", "pool")
SHARED_CHOICES = SharedChoices(np.arange(6), len(OPERATIONS))


def choice(name: str, *values: object, **when: tuple[object, ...]) -> Parameter:
    return Parameter(name=name, distribution=CategoricalDistribution(values), when=when)  # type: ignore[arg-type]


def test_siblings_hold_the_same_unordered_choices_under_the_same_conditions():
    space = SearchSpace(
        parameters=(
            choice("model", "cell", "mlp", "tree"),
            choice("edge_0", *OPERATIONS, model=("cell",)),
            Parameter(name="depth", distribution=IntDistribution(1, 4)),
            choice("edge_1", *OPERATIONS, model=("cell",)),
            choice("edge_2", *OPERATIONS, model=("cell",)),
            choice("stem", *OPERATIONS),  # of another condition
            *(choice(f"flag_{i}", "on", "off") for i in range(4)),  # two choices: one says it all
            *(choice(f"width_{i}", 16, 32, 64) for i in range(4)),  # numbers
            *(choice(f"pair_{i}", "a", "b", "c") for i in range(2)),  # too few
        )
    )
    encoder = Encoder(space)
    [shared_choices] = encoder.layout.shared_choices
    free = [encoder.parameters[j].name for j in encoder.free]
    assert [free[j] for j in shared_choices.columns] == ["edge_0", "edge_1", "edge_2"]
    config = {"model": "cell", "edge_0": "conv", "edge_1": "none", "edge_2": "conv", "depth": 2}
    rows = encoder.scaled(np.array([encoder.raw(config), encoder.raw({"model": "mlp", "depth": 2})]))
    assert shared_choices.shares(rows)[0] == pytest.approx([1 / 3, 0, 2 / 3, 0])
    assert list(shared_choices.active(rows)) == [1, 0]


@given(st.integers(0, 1_000))
def test_counts_make_a_covariance_that_siblings_which_are_off_take_no_part_in(seed: int):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, len(OPERATIONS), (12, 6)).astype(float)
    x[-3:] = -1.0
    choice_counts = ChoiceCountKernel(rng.uniform(0.1, 2.0, len(OPERATIONS)), 1.3)
    covariance = choice_counts.covariance(SHARED_CHOICES, x, x)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9
    assert np.diag(covariance) == pytest.approx(choice_counts.variance(SHARED_CHOICES, x))
    assert not covariance[:, -3:].any()
    order = rng.permutation(6)  # where each operation stands does not matter
    assert choice_counts.covariance(SHARED_CHOICES, x[:, order], x) == pytest.approx(covariance)


@pytest.mark.parametrize("seed", range(3))
def test_what_counts_say_is_learnt_from_few_cells(seed: int):
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, len(OPERATIONS), (430, 6)).astype(float)

    def error(x: np.ndarray) -> np.ndarray:
        convolutions, nothing = (x == 2).sum(axis=1), (x == 0).sum(axis=1)
        return np.asarray(np.abs(convolutions - 2.0) + 0.5 * nothing + 0.3 * (x[:, 0] == 3))

    x, at = cells[:30], cells[30:]
    mean, sd = error(x).mean(), error(x).std()
    y, extra = (error(x) - mean) / sd, np.zeros(len(x))

    def correlation(layout: Layout) -> float:
        found = fit(x, y, extra, layout, noise_prior=0.01)
        told, _ = GaussianProcess(x, y, extra, layout, found).predict(at)
        return float(np.corrcoef(told, error(at))[0, 1])

    apart = flat_layout(np.zeros(6, dtype=bool))
    together = Layout(apart.ordered, apart.dimensions, (SHARED_CHOICES,))
    assert correlation(together) > correlation(apart) + 0.1
