"""A study crosses process borders as a reference: its storage, its name and its task. No row travels."""

from __future__ import annotations

import os
import pickle

from satisfice.errors import InputError
from satisfice.store.database.url import ENVIRONMENT_VARIABLE, address, masked, resolve
from satisfice.study.opening import Opened

Reference = tuple[str, str | None, object | None]


def reference(opened: Opened) -> Reference:
    """Arguments of `load_study` that open the same study elsewhere.

    The URL is left out where the environment has it, so that its password is not written down.

    Raises:
        InputError: The study lives in memory, or its task cannot be pickled.
    """
    name = opened.spec.name
    if opened.db.in_memory:
        raise InputError(
            f"the study {name!r} lives in the memory of this process and cannot be pickled",
            hint='create it with a storage, for instance storage="sqlite:///satisfice.db"',
        )
    if opened.given is not None:
        try:
            pickle.dumps(opened.given)
        except Exception as error:  # whatever a stranger's object raises
            kind = opened.given if isinstance(opened.given, type) else type(opened.given)
            raise InputError(
                f"the study {name!r} cannot be pickled, because its task {kind.__qualname__} cannot",
                hint="define the task at the top level of a module; or open the study in the other process: "
                f"load_study({name!r}, storage={masked(opened.db.url)!r}, task=...)",
            ) from error
    return name, None if _is_in_environment(opened) else address(opened.db.url), opened.given


def _is_in_environment(opened: Opened) -> bool:
    """Whether other processes will find the URL there. That of a file may be relative, so it travels."""
    if opened.db.dialect == "sqlite" or not os.environ.get(ENVIRONMENT_VARIABLE, "").strip():
        return False
    return resolve(None) == opened.db.url
