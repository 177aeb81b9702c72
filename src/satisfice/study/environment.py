"""Settings of one process that are no part of a study: read from the environment."""

from __future__ import annotations

import os

from satisfice.errors import InputError

LEASE_VARIABLE = "SATISFICE_LEASE_SECONDS"  # how long a trial stays with a silent worker
PATIENCE_VARIABLE = "SATISFICE_PATIENCE_SECONDS"  # how long a worker waits for a database that is away


def seconds_of(variable: str, default: float) -> float:
    """A positive number of seconds.

    Raises:
        InputError: It is none.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise InputError(
            f"{variable} = {text!r} is no number of seconds", hint="for instance 60, or unset it"
        )
    return found
