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

        RUNNING ──tell, latency not known──> AWAITING_TIMING ──measured──> DONE

    PROPOSING and RUNNING carry a lease. One that ran out is claimed again by whoever comes first, with a new
    token. AWAITING_TIMING has none: whoever may measure, does, and the first one's verdict stands. Optuna's
    row is RUNNING until then, as there its values and constraints are written once.
    """

    FREE = "free"
    PROPOSING = "proposing"
    RUNNING = "running"
    RETURNED = "returned"
    AWAITING_TIMING = "pending"  # as it is stored
    DONE = "done"
