"""In which form the cells of a study's files were read, told by the fingerprint that is stored with it."""

from __future__ import annotations

from satisfice.errors import DataError
from satisfice.spec.study import FIRST_READING, READING, RULES_READING


def reading_of(fingerprint: str | None) -> int:
    """How cells were read for the study that stored this fingerprint.

    Raises:
        DataError: By a newer satisfice.
    """
    reading = int(fingerprint.split(":")[0]) if fingerprint and ":" in fingerprint else FIRST_READING
    if reading > READING:
        raise DataError(
            f"its data were read by a newer satisfice (reading {reading})", hint="upgrade satisfice"
        )
    return reading


def same_data(one: str | None, other: str | None) -> bool:
    """Whether two fingerprints are of the same data and split, read by rules of any version.

    Where the rules recognise text and earlier ones did not, the models tell.
    """
    if one is None or other is None:
        return one == other
    told = [(min(reading_of(each), RULES_READING), each.rpartition(":")[2]) for each in (one, other)]
    return told[0] == told[1]
