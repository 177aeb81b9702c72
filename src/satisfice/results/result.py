"""The base of all results: a frozen dataclass that is read as a dict too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, Self

_LEFT_OUT = "left out where None"


def left_out_where_none() -> Any:
    """A field of default None that is no key of the dict, and so none of the JSON, where it is None."""
    return field(default=None, metadata={_LEFT_OUT: True})


@dataclass(frozen=True, kw_only=True, eq=False)
class Result(dict[str, Any]):
    """A frozen dataclass; ``result.states`` and ``result["states"]`` are the same.

    It is a dict, so that ``json.dumps`` takes it, and equal to a dict of the same content. Neither its fields
    nor its keys can be set; ``dataclasses.replace`` makes a changed copy.
    """

    def __post_init__(self) -> None:
        """Fill the dict from the fields, in their order."""
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None or _LEFT_OUT not in each.metadata:
                super().__setitem__(each.name, value)

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[dict[str, Any]]]:
        """Pickled and copied by its fields."""
        return self._of, ({each.name: getattr(self, each.name) for each in fields(self)},)

    @classmethod
    def _of(cls, values: dict[str, Any]) -> Self:
        return cls(**values)

    def _frozen(self, *_args: object, **_named: object) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be changed; dict(result) is a copy that can be")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _frozen
