"""Optuna's own contract suites for the sampler that works in any Optuna study."""

from collections.abc import Callable

import pytest

pytest.register_assert_rewrite("optuna.testing.pytest_samplers")

from optuna.samplers import BaseSampler  # noqa: E402  # once registered
from optuna.testing.pytest_samplers import (  # noqa: E402  # once registered
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)

from satisfice.search import SatisficeSampler  # noqa: E402  # once registered


@pytest.mark.slow
class TestSatisficeSampler(BasicSamplerTestCase, RelativeSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: SatisficeSampler(seed=0)
