"""A shipped model and the raw items it is given."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from satisfice.data.features.image import fit_images
from satisfice.data.features.table import TableEncoder, fit_table
from satisfice.data.reading.raw import RawData
from satisfice.data.reading.understand import understand
from satisfice.errors import InputError, UnreadCells
from satisfice.ship.model import ShippedModel
from satisfice.ship.safetensors_file import Header


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


N = 60
RNG = np.random.default_rng(4)
TABLE = pd.DataFrame(
    {
        "x": RNG.normal(size=N).round(3),
        "code": RNG.choice(["1", "2", "k"], N),
        "when": [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(N)],
        "paid": RNG.random(N) < 0.5,
    }
)


def weighed(frame: pd.DataFrame, labels=("a", "b")) -> ShippedModel:
    """A model whose probabilities tell prepared items from each other."""
    raw = understand(RawData(items=frame, target=pd.Series(["a", "b"] * (len(frame) // 2))), None, "data")
    assert isinstance(raw.items, pd.DataFrame)
    encoder = fit_table(raw.items, raw.rules)
    weight = np.linspace(-1, 1, encoder.n_features)

    def core(x: np.ndarray) -> np.ndarray:
        positive = 1 / (1 + np.exp(-x @ weight))
        return np.stack([1 - positive, positive], axis=1)

    header = Header(
        family="linear", task="classification", classes=labels, architecture={}, preprocessor=encoder
    )
    return ShippedModel(header=header, core=core)


MODEL = weighed(TABLE)
RIGHT = MODEL.predict_proba(TABLE)


@pytest.mark.parametrize(
    "new",
    [
        TABLE.assign(x=TABLE.x.astype(str)),
        TABLE.assign(x=TABLE.x.astype("Float64")),
        TABLE.assign(paid=TABLE.paid.astype(str)),
        TABLE.assign(paid=TABLE.paid.astype(str).str.lower()),
        TABLE.assign(paid=TABLE.paid.astype(int)),
        TABLE.assign(code=TABLE.code.map({"1": 1.0, "2": 2.0, "k": "k"})),
        TABLE.assign(code=TABLE.code.map({"1": "1.0", "2": "2.0", "k": "K"})),
        TABLE.assign(code=TABLE.code.astype("category")),
        TABLE.assign(when=pd.to_datetime(TABLE.when)),
        TABLE.assign(when=pd.to_datetime(TABLE.when).dt.tz_localize("UTC")),
        TABLE.assign(when=[day.date() for day in pd.to_datetime(TABLE.when)]),
        TABLE.rename(columns={"x": " x ", "code": "code "}),
        TABLE[TABLE.columns[::-1]],
        TABLE.to_dict("list"),
        TABLE.to_dict("series"),
        TABLE.to_dict("records"),
    ],
)
def test_what_means_the_same_is_predicted_the_same(new):
    assert MODEL.predict_proba(new) == pytest.approx(RIGHT, abs=1e-6)
    assert not MODEL.unread


@pytest.mark.parametrize("row", [TABLE.iloc[5], TABLE.iloc[5].to_dict()])
def test_one_row_may_be_a_series_or_a_dict(row):
    assert MODEL.predict_proba(row) == pytest.approx(RIGHT[5:6], abs=1e-6)
    assert MODEL.predict(row).shape == (1,)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("x", TABLE.x.astype(str).str.replace(".", ","), r"column 'x' holds '.*,.*', which is no number"),
        ("x", ["abc"] * N, r"column 'x' holds 'abc', which is no number .* \(write numbers as 1234\.5\)"),
        ("when", pd.to_datetime(TABLE.when).dt.strftime("%d.%m.%Y"), r"column 'when' holds '01\.01\.2024'"),
        ("when", np.arange(N), r"column 'when' holds '0', which is no date"),
        ("paid", ["yes", "no"] * (N // 2), r"column 'paid' holds 'yes', .* \(write true or false\)"),
        ("x", [1e300] * N, r"column 'x' holds a number too far from those"),
    ],
)
def test_a_column_that_cannot_be_read_is_refused(column, values, says):
    with pytest.raises(InputError, match=says):
        MODEL.predict(TABLE.assign(**{column: values}))


def test_single_cells_that_cannot_be_read_are_missing_and_counted():
    new = TABLE.astype({"x": object})
    new.loc[[3, 5], "x"] = "oops"
    with pytest.warns(UnreadCells, match=r"count as missing: 2 of column 'x' \(such as 'oops'\)"):
        found = MODEL.predict_proba(new)
    assert MODEL.unread == {"x": {"oops": 2}}
    assert found == pytest.approx(MODEL.predict_proba(TABLE.assign(x=TABLE.x.drop([3, 5]))), abs=1e-6)
    assert MODEL.unread == {}


def test_values_that_training_never_saw_are_told():
    new = TABLE.copy()
    new.loc[4, "code"] = "z"
    with pytest.warns(UnreadCells, match=r"training never saw: 1 of column 'code' \(such as 'z'\)"):
        MODEL.predict(new)
    assert MODEL.unseen == {"code": {"z": 1}}
    gathers = weighed(TABLE.assign(code=["a", "b"] * 28 + list("cdef")))
    gathers.predict(TABLE.assign(code=["a"] * 50 + ["z"] * 10))  # they go where rare ones went
    assert gathers.unseen == {}
    with pytest.warns(UnreadCells, match=r"training never saw: 60 of column 'code'"):
        gathers.predict(TABLE.assign(code="z"))


def test_a_series_may_be_the_only_column():
    model = weighed(TABLE[["x"]])
    assert model.predict_proba(TABLE.x) == pytest.approx(model.predict_proba(TABLE))


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(InputError, match="two columns named 'x'"):
        MODEL.predict(TABLE.assign(**{" x": 1.0}).rename(columns={" x": "x"}))


def test_an_array_of_rows_has_no_names():
    with pytest.raises(InputError, match="has no names of columns"):
        MODEL.predict(np.zeros((3, 4)))


@pytest.mark.parametrize(
    ("labels", "kind"),
    [((0, 1), "i"), ((False, True), "b"), ((0.5, 1.5), "f"), (("n", "y"), "O"), ((1, "n"), "O")],
)
def test_labels_have_the_type_of_the_data_and_feed_scikit_learn(labels, kind):
    truth = np.array([labels[i % 2] for i in range(N)], dtype=object if kind == "O" else None)
    predicted = weighed(TABLE, labels).predict(TABLE)
    assert predicted.dtype.kind == kind
    assert set(predicted.tolist()) <= set(labels)
    if kind in "ibO" and len({type(label) for label in labels}) == 1:
        assert 0 <= accuracy_score(truth, predicted) <= 1
        assert 0 <= f1_score(truth, predicted, pos_label=labels[1]) <= 1


def test_a_model_of_the_first_reading_predicts_as_before_and_refuses_what_it_cannot_read():
    frame = TABLE.drop(columns="code")
    encoder = fit_table(frame)
    assert "rules" not in encoder.describe()
    model = shipped(TableEncoder.restore(encoder.describe(), encoder.arrays()))
    assert np.array_equal(model.prepare(frame), encoder.transform(frame))
    with pytest.raises(InputError, match="column 'x' holds"):
        model.predict(frame.assign(x=frame.x.astype(str).str.replace(".", ",")))
    with pytest.raises(InputError, match="column 'when' holds"):
        model.predict(frame.assign(when=pd.to_datetime(frame.when).dt.strftime("%d.%m.%Y")))
