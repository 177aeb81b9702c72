"""A shipped model and the raw items it is given."""

import numpy as np
import pandas as pd
import pytest

from satisfice.data.image import fit_images
from satisfice.data.table import fit_table
from satisfice.errors import InputError
from satisfice.train.model import ShippedModel
from satisfice.train.shipping import Header


def halves(x: np.ndarray) -> np.ndarray:
    assert len(x)
    return np.full((len(x), 2), 0.5)


def shipped(preprocessor) -> ShippedModel:
    header = Header(
        family="mlp", task="classification", classes=("a", "b"), architecture={}, preprocessor=preprocessor
    )
    return ShippedModel(header=header, core=halves)


FRAME = pd.DataFrame({"age": np.arange(12.0), "sex": ["f", "m"] * 6})


def test_a_column_that_is_missing_is_named():
    with pytest.raises(InputError, match=r"the items lack 'age' \(give rows with the columns"):
        shipped(fit_table(FRAME)).predict(FRAME.drop(columns="age"))


def test_no_rows_give_no_predictions():
    model = shipped(fit_table(FRAME))
    assert model.predict(FRAME.iloc[:0]).shape == (0,)
    assert model.predict_proba(FRAME.iloc[:0]).shape == (0, 2)


@pytest.mark.parametrize("shape", [(3, 64), (64,), (2, 1, 8, 9), (2, 3, 8, 8)])
def test_images_of_another_shape_are_refused(shape):
    model = shipped(fit_images(np.random.default_rng(0).random((5, 1, 8, 8))))
    assert model.predict(np.zeros((2, 8, 8))).shape == (2,)
    with pytest.raises(InputError, match="the model takes n x 1 x 8 x 8"):
        model.predict(np.zeros(shape))
