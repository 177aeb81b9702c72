"""What a report needs of a study."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from satisfice.choose import best
from satisfice.errors import NoFeasibleTrial
from satisfice.measure.host import Host
from satisfice.spec.trial import TrialRecord
from satisfice.store import presence
from satisfice.store.reader import Reader


def context(reader: Reader, records: Sequence[TrialRecord], status: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `satisfice.report.ReportContext`."""
    stored = reader.study_row()["chosen"]
    confirmed = json.loads(stored) if stored else None
    dropped = confirmed["dropped"] if confirmed is not None else []
    left = [r for r in records if r.number not in {d["number"] for d in dropped}]
    try:
        chosen = best(left, reader.spec.objectives, reader.spec.constraints).number
    except NoFeasibleTrial:
        chosen = None
    default = next((r.number for r in records if r.proposal.get("origin") == "default"), None)
    test = confirmed["test"] if confirmed is not None and confirmed["number"] == chosen else {}
    notes = [
        f"Trial {d['number']} was dropped: measured again, it misses {', '.join(d['violates'])}."
        for d in dropped
    ]
    if confirmed is not None and confirmed["number"] == chosen and "untested" in confirmed:
        notes.append(f"Trial {chosen} was not scored on the test split: {confirmed['untested']}.")
    notes += [f"{status['waiting']}."] if status["waiting"] else []
    judged = [said for said in status["changes"] if not said.startswith("budget: ")]
    notes += [f"Changed in version {status['spec_version']} of the study: {said}." for said in judged]
    return {
        "status": status,
        "chosen": chosen,
        "default": default,
        "default_reason": _default_reason(reader) if default is None else "",
        "test_metrics": test,
        "notes": notes,
        "host": _measured_on(reader, records),
    }


def _measured_on(reader: Reader, records: Sequence[TrialRecord]) -> str:
    """The hosts whose latencies the trials have, in words; empty where nothing was timed."""
    timed = dict.fromkeys(r.measured_on for r in records if r.measured_on is not None)
    known = presence.hosts_described(reader.db) if timed else {}
    words = [str(Host(fingerprint=f, description=known[f])) if f in known else f for f in timed]
    return " and ".join(words)


def _default_reason(reader: Reader) -> str:
    for row in reader.queue():
        if row["source"] == "default" and row["turned_away"]:
            missed = json.loads(row["turned_away"])
            raised = {key for key in missed if key.endswith(" before training")}
            if raised:
                return f"its code raised {' and '.join(sorted(raised))}"
            return "it misses " + ", ".join(f"{key} by {value:.0%}" for key, value in missed.items())
    return ""


def write(reader: Reader, records: Sequence[TrialRecord], status: Mapping[str, Any], directory: Path) -> Path:
    """Write the report. The report layer lies above this one, so it is looked up by name."""
    report = importlib.import_module("satisfice.report")
    arguments = reader.db.retrying(lambda: context(reader, records, status))
    index: Path = report.write_report(reader.spec, records, report.ReportContext(**arguments), directory)
    return index
