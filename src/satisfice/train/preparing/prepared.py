"""A study's data as a configuration prepares them: scaling, columns, the size of images."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from satisfice.data import Fold, ImageScaler, Preprocessor, RawData, Splits, TableEncoder
from satisfice.data.features.relevance import ColumnOrder
from satisfice.data.features.shape import STANDARD
from satisfice.data.features.variants import features_of, rescale, restrict
from satisfice.data.text.corpus import TextSetting
from satisfice.data.text.features import TextFeatures
from satisfice.errors import DataError, SpecError
from satisfice.spec.study import StudySpec
from satisfice.train.files.fold_feeds import FoldFeeds
from satisfice.train.hyperparameter import IMAGE_SIZE, SCALING, SELECT
from satisfice.train.preparing.sizes import sized
from satisfice.train.text_hyperparameters import TEXT, setting_of

_MOST_CACHED = 4  # prepared forms of the data kept in memory
_MOST_SIZES = 2  # of images, which take more


class PreparedData:
    """The splits as hyperparameters prepare them; the data are read and encoded once for each scaling.

    Args:
        splits: Prepared as the defaults say.
        seed: Of the choice of columns, where it looks at some of the rows only.
    """

    def __init__(self, splits: Splits, seed: int) -> None:
        self._splits = splits
        self._seed = seed
        self._encoders: dict[str, TableEncoder] = {}
        self._forms: OrderedDict[tuple[str, int], Splits] = OrderedDict()
        # With columns of text; one is kept, for they are large.
        self._latest: tuple[tuple[str, int], TextSetting, Splits] | None = None
        self._sizes: OrderedDict[int, tuple[Splits, FoldFeeds]] = OrderedDict()

    def preprocessor(self, values: Mapping[str, Any]) -> Preprocessor:
        """What a configuration's models prepare items with; no item is prepared for it."""
        encoder = self._splits.preprocessor
        if not isinstance(encoder, TableEncoder):
            return encoder.of_size(int(values.get(IMAGE_SIZE, 0)))
        scaling, k = self._asked(values)
        encoder = self._scaled(encoder, scaling)
        encoder = encoder if k == 0 else restrict(encoder, self._order.first(k))
        corpus = self._splits.corpus
        return encoder if corpus is None else replace(encoder, texts=corpus.fitted(setting_of(values)))

    def splits(self, values: Mapping[str, Any]) -> Splits:
        """The data that a configuration learns from."""
        found = self._of_another_size(values)
        if found is not None:
            return found[0]
        asked, corpus, setting = self._asked(values), self._splits.corpus, setting_of(values)
        if corpus is None:
            return self._without_texts(values)
        if self._latest is None or self._latest[:2] != (asked, setting):
            whole = self._without_texts(values).with_texts(corpus.values(setting), self.preprocessor(values))
            self._latest = asked, setting, whole
        return self._latest[2]

    def _without_texts(self, values: Mapping[str, Any]) -> Splits:
        asked = self._asked(values)
        if asked == (STANDARD, 0):
            return self._splits
        if asked not in self._forms:
            self._forms[asked] = self._formed(values, asked[1])
            while len(self._forms) > _MOST_CACHED:
                self._forms.popitem(last=False)
        self._forms.move_to_end(asked)
        return self._forms[asked]

    def feeds(self, values: Mapping[str, Any]) -> FoldFeeds | None:
        """Inputs of an ONNX file for images of another size than the data's; else None."""
        found = self._of_another_size(values)
        return None if found is None else found[1]

    def _of_another_size(self, values: Mapping[str, Any]) -> tuple[Splits, FoldFeeds] | None:
        scaler = self.preprocessor(values) if values.get(IMAGE_SIZE, 0) else None
        if not isinstance(scaler, ImageScaler) or scaler is self._splits.preprocessor:
            return None
        size = scaler.shape[1]
        if size not in self._sizes:
            splits = sized(self._splits, scaler)
            self._sizes[size] = splits, FoldFeeds(splits)
            while len(self._sizes) > _MOST_SIZES:
                self._sizes.popitem(last=False)
        self._sizes.move_to_end(size)
        return self._sizes[size]

    def selected(self, values: Mapping[str, Any]) -> int:
        """How many columns are kept; 0 where all are."""
        return self._asked(values)[1]

    def _asked(self, values: Mapping[str, Any]) -> tuple[str, int]:
        encoder = self._splits.preprocessor
        if not isinstance(encoder, TableEncoder):
            return STANDARD, 0
        k = int(values.get(SELECT, 0))
        return values.get(SCALING, STANDARD), 0 if k >= len(encoder.source_columns) else k

    @cached_property
    def _order(self) -> ColumnOrder:
        encoder, train = self._splits.preprocessor, self._splits.train
        assert isinstance(encoder, TableEncoder)
        return ColumnOrder(encoder, train.x, train.z, self._seed)

    def _scaled(self, encoder: TableEncoder, scaling: str) -> TableEncoder:
        if scaling not in self._encoders:
            train: Any = self._splits.raw_train.items
            self._encoders[scaling] = rescale(encoder, train, scaling)
        return self._encoders[scaling]

    def _formed(self, values: Mapping[str, Any], k: int) -> Splits:
        preprocessor = self.preprocessor(values)
        if isinstance(preprocessor, TableEncoder) and preprocessor.texts is not None:
            preprocessor = replace(preprocessor, texts=TextFeatures(columns=()))
        base = self._splits if k == 0 else self._without_texts({**values, SELECT: 0})
        places = None
        if k:
            assert isinstance(base.preprocessor, TableEncoder)
            places = features_of(base.preprocessor, self._order.first(k))

        def form(fold: Fold, raw: RawData) -> Fold:
            items: Any = raw.items
            return replace(
                fold, x=preprocessor.transform(items) if places is None else fold.x[:, places].copy()
            )

        return replace(
            base,
            preprocessor=preprocessor,
            train=form(base.train, base.raw_train),
            valid=form(base.valid, base.raw_valid),
            test=form(base.test, base.raw_test),
        )


def check_tables(spec: StudySpec, splits: Splits) -> None:
    """Refuse what only tables have, where the data are images.

    Raises:
        SpecError: It tells every key that is about columns.
    """
    if splits.kind == "table":
        return
    assert spec.model is not None
    file = str(spec.source) if spec.source is not None and spec.source.is_file() else None
    usual = {SCALING: STANDARD, SELECT: 0}
    keys = [f"model.{n}" for n, default in usual.items() if spec.model.fixed.get(n, default) != default]
    keys += [f"space.{n}" for n in usual if n in spec.space.by_name]
    errors = [
        SpecError(
            "is about the columns of a table, and the data are images", key=key, file=file, hint="remove it"
        )
        for key in keys
    ]
    if errors:
        raise SpecError.of(errors)


def check_texts(spec: StudySpec, splits: Splits) -> None:
    """Refuse hyperparameters of columns of text where there are none.

    Raises:
        DataError: The study names one.
    """
    assert spec.model is not None
    if splits.corpus is not None:
        return
    for table, names in (("space", spec.space.by_name), ("model", spec.model.fixed)):
        for name in names:
            if name in TEXT:
                raise DataError(
                    f"{table}.{name} is of columns of text, and the data have none",
                    hint=f"name them in [data] text, or remove {name}",
                )
