"""What the journal of a stored study says: each section from what the storage holds."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from satisfice.choose import Question, best, bound_costs, close_calls, endings, knee_of
from satisfice.choose.bounds import number_text
from satisfice.choose.endings import joined, trials_named
from satisfice.choose.questions import words
from satisfice.choose.questions.unseen import Refusals
from satisfice.data.facts import DataFacts
from satisfice.errors import InputError, NoFeasibleTrial
from satisfice.results.confirmation import Confirmation
from satisfice.results.status import Counts
from satisfice.ship.folder.parse import from_text
from satisfice.spec.study_file.render import to_toml
from satisfice.spec.trial import TrialRecord
from satisfice.store import data_notes
from satisfice.store import workers as presence
from satisfice.store.reader import Reader
from satisfice.store.spec_versions import history
from satisfice.study.status import counts
from satisfice.study.understanding import diagnoses, findings
from satisfice.understand.journal import JournalSection, as_markdown

_LIBRARIES = ("satisfice", "optuna", "numpy", "scikit-learn", "torch", "onnx", "onnxruntime", "pandas")
_NAMED = 3  # trainings of a label that are told one by one
_SHOWN = 12  # metrics of the chosen trial


def journal_of(
    reader: Reader,
    records: Sequence[TrialRecord],
    facts: DataFacts | None,
    shipped: Path | None = None,
    ablation: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The journal.

    Args:
        reader: Of the study.
        records: All its trials, with their reports.
        facts: What its data tell, where they are here.
        shipped: A folder that was shipped.
        ablation: What each technique is worth: a row for each technique and metric.

    Raises:
        InputError: ``shipped`` is no shipped folder.
    """
    spec, status = reader.spec, counts(reader)
    chosen = _chosen(reader, records)
    row = reader.study_row()
    made = datetime.fromtimestamp(float(row["created_at"]), UTC)
    intro = (
        f"Made on {made:%Y-%m-%d %H:%M} UTC, version {status.spec_version} of the study, seed {spec.seed}."
    )
    sections = [
        JournalSection(title="What was asked", code=_study_file(reader)),
        JournalSection(title="Changes since", lines=_changes(reader)),
        JournalSection(title="What was tried", lines=_tried(reader, records, status)),
        JournalSection(title="What was chosen", lines=_choice(reader, records, chosen), rows=_values(chosen)),
        JournalSection(title="Trade-offs accepted", lines=_tradeoffs(reader, records, chosen)),
        JournalSection(title="Data", lines=_data(reader, row, facts)),
        JournalSection(title="How the trainings went", lines=_trainings(reader, records)),
        JournalSection(
            title="Health of the study",
            lines=[f"{f.finding} ({f.subject}): {f.evidence}." for f in findings(reader, records, facts)],
        ),
        JournalSection(title="What each technique is worth", rows=ablation),
        JournalSection(title="Proof", lines=[*_confirmed(row["chosen"]), *_promises(spec.name, shipped)]),
        JournalSection(title="Versions and hosts", lines=_versions(reader, records)),
    ]
    return as_markdown(f"Journal of {spec.name}", intro, sections)


def _study_file(reader: Reader) -> str:
    try:
        return to_toml(reader.spec)
    except InputError:  # a choice is None: such a study is kept as a Python dict
        return f"# {reader.spec.name}: a study that TOML cannot say"


def _changes(reader: Reader) -> list[str]:
    found = history(reader.db, reader.uuid)
    return [
        f"version {v['version']}, {datetime.fromtimestamp(float(v['since']), UTC):%Y-%m-%d %H:%M} UTC: "
        f"{'; '.join(v['changes'])}"
        for v in found
        if v["changes"]
    ]


def _tried(reader: Reader, records: Sequence[TrialRecord], status: Counts) -> list[str]:
    budget = status.budget
    said = [f"{n} {state}" for state, n in status.states.items()]
    lines = [
        f"{budget.used} of {budget.trials} trials were used: {joined(said)}."
        if said
        else f"None of {budget.trials} trials was used."
    ]
    steps = sum(r.steps for r in records)
    spent = "" if status.elapsed_s is None else f", in {status.elapsed_s:.0f} s"
    lines += [f"They took {steps} steps of training in all{spent}."] if steps else []
    if status.turned_away:
        by = joined([f"{n} by {key}" for key, n in status.turned_away_by_constraint.items()])
        lines.append(f"{status.turned_away} proposals were turned away before training: {by}.")
    origins = Counter(str(r.proposal.get("origin", "sampler")) for r in records)
    if origins:
        lines.append(f"Proposed by: {joined([f'{name} {n}' for name, n in origins.most_common()])}.")
    return lines + [f"{e.sentence}." for e in endings(records)[:8]]


def _chosen(reader: Reader, records: Sequence[TrialRecord]) -> TrialRecord | None:
    stored = reader.study_row()["chosen"]
    number = json.loads(stored).get("number") if stored else None
    known = next((r for r in records if r.number == number), None)
    if known is not None:
        return known
    try:
        return best(records, reader.spec.objectives, reader.spec.constraints)
    except NoFeasibleTrial:
        return None


def _choice(reader: Reader, records: Sequence[TrialRecord], chosen: TrialRecord | None) -> list[str]:
    spec = reader.spec
    if chosen is None:
        return ["No finished trial satisfies every bound."]
    goal = spec.objectives[0]
    bounds = joined([c.key for c in spec.constraints]) if spec.constraints else "no bound"
    value = chosen.metrics.get(goal.metric)
    shown = "" if value is None else f", {number_text(value)},"
    lines = [f"Trial {chosen.number}: the best {goal.metric}{shown} of those that satisfy {bounds}."]
    default = next((r for r in records if r.proposal.get("origin") == "default"), None)
    if default is not None and default.number != chosen.number and goal.metric in default.metrics:
        theirs = number_text(default.metrics[goal.metric])
        lines.append(f"The default configuration (trial {default.number}) has {theirs}.")
    params = ", ".join(f"{name} = {_shown(v)}" for name, v in chosen.params.items())
    return [*lines, f"Its parameters: {params}."] if params else lines


def _shown(value: Any) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def _values(chosen: TrialRecord | None) -> list[dict[str, Any]]:
    if chosen is None:
        return []
    return [{"metric": name, "value": value} for name, value in list(chosen.metrics.items())[:_SHOWN]]


def _tradeoffs(reader: Reader, records: Sequence[TrialRecord], chosen: TrialRecord | None) -> list[str]:
    if chosen is None:
        return []
    spec = reader.spec
    question = Question(
        records=records,
        objectives=spec.objectives,
        constraints=spec.constraints,
        refusals=[Refusals(proposals=n, by_constraint=by) for n, by in reader.turned_away_by_ask()],
    )
    lines = [_sentence(c.sentence) for c in close_calls(records, chosen, spec.objectives, spec.constraints)]
    costs = bound_costs(question, None, None)
    lines += [_sentence(words.bound_cost_words(b, costs)) for b in costs.bounds]
    if len(spec.objectives) > 1:
        lines.append(_sentence(words.knee_words(knee_of(question, None))))
    return [line for line in lines if line]


def _sentence(text: str) -> str:
    """With a capital, unless it begins with a name, and a full stop."""
    text = text.strip()
    if not text:
        return ""
    named = not text.split()[0].isalpha()
    return (text if named else text[0].upper() + text[1:]) + ("" if text.endswith(".") else ".")


def _data(reader: Reader, row: Mapping[str, Any], facts: DataFacts | None) -> list[str]:
    data = reader.spec.data
    lines = []
    if data is not None:
        lines.append(f"{data.name or data.file}, fingerprint {row['data_fingerprint']}.")
    if facts is not None:
        lines.append(f"{joined([f'{n} {fold} rows' for fold, n in facts.rows.items()])}.")
    with reader.db.look() as connection:
        found = data_notes.notes_of(connection, reader.rows, row["optuna_study_id"])
    from satisfice.data import ColumnNote  # reads pandas

    notes = [ColumnNote(**{**note, "examples": tuple(note["examples"])}) for note in found]
    return lines + [_sentence(str(note)) for note in notes]


def _trainings(reader: Reader, records: Sequence[TrialRecord]) -> list[str]:
    by_label: dict[str, list[tuple[int, str]]] = {}
    for d in diagnoses(reader.spec, records):
        for f in d.labels:
            by_label.setdefault(f.label, []).append((d.number, f.evidence))
    lines = []
    for label, found in sorted(by_label.items(), key=lambda item: -len(item[1])):
        named = trials_named([number for number, _ in found])
        lines.append(f"{label.replace('_', ' ')}: {named}.")
        if label != "healthy":
            lines += [f"trial {number}: {evidence}." for number, evidence in found[:_NAMED]]
    return lines


def _confirmed(stored: str | None) -> list[str]:
    if not stored:
        return []
    found = Confirmation.from_json(json.loads(stored))
    lines = [
        f"Trial {d.number} was dropped: measured again, it misses {joined(d.violates)}."
        for d in found.dropped
    ]
    if found.test:
        scores = joined([f"{name} {number_text(v)}" for name, v in found.test.items()])
        lines.append(f"Trial {found.number} on the test split, scored once: {scores}.")
    elif found.untested:
        lines.append(f"Trial {found.number} was not scored on the test split: {found.untested}.")
    if found.default is not None and found.default.test:
        scores = joined([f"{name} {number_text(v)}" for name, v in found.default.test.items()])
        lines.append(f"The default configuration on the test split: {scores}.")
    if found.measured_again:
        again = joined([f"{name} {number_text(v)}" for name, v in found.measured_again.items()])
        lines.append(f"Measured again when it was chosen: {again}.")
    return lines


def _promises(name: str, folder: Path | None) -> list[str]:
    """What a shipped folder promises."""
    if folder is None:
        return []
    described = folder / "model.json"
    try:
        text = described.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder} is no shipped folder: {described} cannot be read", hint="see `satisfice ship`"
        ) from error
    told = from_text(text, str(described))
    if told.study != name:
        raise InputError(f"{folder} ships study {told.study!r}, not {name!r}", hint="name another folder")
    lines = [f"Shipped: trial {told.trial}."]
    for p in told.promises:
        interval = (
            "" if p.low is None or p.high is None else f" ({number_text(p.low)} to {number_text(p.high)})"
        )
        bound = "" if p.bound is None else f", bound {p.bound}"
        lines.append(f"{p.metric} {number_text(p.value)}{interval}{bound}.")
    return lines


def _versions(reader: Reader, records: Sequence[TrialRecord]) -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    described = presence.hosts_described(reader.db)
    hosts = dict.fromkeys(r.measured_on for r in records if r.measured_on is not None)
    lines = [f"This journal was written with {joined(found)}."]
    if hosts:
        lines.append(f"Timed on {joined([_host(h, described) for h in hosts])}.")
    return lines


def _host(fingerprint: str, described: Mapping[str, Any]) -> str:
    from satisfice.measure.host import Host

    known = described.get(fingerprint)
    return fingerprint if known is None else str(Host(fingerprint=fingerprint, description=known))
