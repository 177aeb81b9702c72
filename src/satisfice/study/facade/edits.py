"""The part of `Study` that changes a stored study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from satisfice.store.spec_versions import history
from satisfice.study.creating import changed

if TYPE_CHECKING:
    from satisfice.spec.study import StudySpec
    from satisfice.study.opening import Opened

T = TypeVar("T")


class Edits:
    """Changes what a stored study may change, and tells what was changed."""

    if TYPE_CHECKING:
        spec: StudySpec
        _opened: Opened

        def _read(self, read: Callable[[], T]) -> T: ...
        def _reload(self) -> None: ...

    def change(
        self,
        *,
        budget: Mapping[str, Any] | None = None,
        constraints: Mapping[str, Any] | None = None,
        objectives: Sequence[str] | None = None,
        profiles: Mapping[str, Mapping[str, Any]] | None = None,
        choose: Mapping[str, Any] | None = None,
    ) -> tuple[str, ...]:
        """Change what a stored study may change; stored trials are judged anew, and workers take note.

        Args:
            budget: Keys of [budget]; ``None`` lifts a limit.
            constraints: All of [constraints], in place of what holds now.
            objectives: Their names in another order; the first is what `best` means.
            profiles: All of [profiles] by name, in place of those there are now.
            choose: Keys of [choose].

        Returns:
            What changed, in sentences.

        Raises:
            SpecError: A value is wrong.
            StudyChanged: A bound on a metric that finished trials lack, or other objectives.
        """
        wanted = {
            "budget": budget,
            "constraints": constraints,
            "objectives": objectives,
            "profiles": profiles,
            "choose": choose,
        }
        self._opened = changed(self._opened, {k: v for k, v in wanted.items() if v is not None})
        self._reload()
        return self._opened.changes

    @property
    def changes(self) -> tuple[str, ...]:
        """What opening the study by its file changed, or `change` did, in sentences."""
        return self._opened.changes

    def history(self) -> list[dict[str, Any]]:
        """Versions of the spec, oldest first: ``version``, ``since``, ``spec``, ``changes``.

        ``since`` is in seconds since 1970, ``spec`` a study file's content, ``changes`` a list of sentences.
        Empty for a study that was never changed.
        """
        o = self._opened
        return self._read(lambda: history(o.db, o.row["uuid"]))
