"""The data of a study with images of another size than its own."""

from __future__ import annotations

from dataclasses import replace

from satisfice.data import Fold, ImageScaler, RawData, Splits


def sized(splits: Splits, scaler: ImageScaler) -> Splits:
    """The data for models whose items this scaler prepares, raw images included."""

    def raw(fold: RawData) -> RawData:
        return replace(fold, items=scaler.sized(fold.items))  # type: ignore[arg-type]  # they are images

    def prepared(fold: Fold, items: RawData) -> Fold:
        return replace(fold, x=scaler.transform(items.items))  # type: ignore[arg-type]  # they are images

    train, valid, test = raw(splits.raw_train), raw(splits.raw_valid), raw(splits.raw_test)
    return replace(
        splits,
        train=prepared(splits.train, train),
        valid=prepared(splits.valid, valid),
        test=prepared(splits.test, test),
        preprocessor=scaler,
        raw_item=raw(splits.raw_item),
        raw_train=train,
        raw_valid=valid,
        raw_test=test,
    )
