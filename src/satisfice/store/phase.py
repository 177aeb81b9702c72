"""The life of a budget slot."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """Where a slot stands.

        FREE ──claim──> PROPOSING ──accepted──> RUNNING ──tell──> DONE
         ^                 │ released or expired   │  ^
         └─────────────────┘                given back│claimed again
                                                   v  │
                                                RETURNED

    PROPOSING and RUNNING carry a lease. One that ran out is claimed again by whoever comes first, with a new
    token.
    """

    FREE = "free"
    PROPOSING = "proposing"
    RUNNING = "running"
    RETURNED = "returned"
    DONE = "done"
