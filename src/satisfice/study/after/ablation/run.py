"""An ablation is a study of its own: created or taken up again, trained by workers, then compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from satisfice.choose.bounds import metric_value
from satisfice.errors import InputError
from satisfice.results.importance import Ablation, AblationRow
from satisfice.spec.metric import METRICS, one_unit
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord, TrialState
from satisfice.store.database.url import address
from satisfice.store.reader import Reader
from satisfice.study.after.ablation.effects import Effect, effect_of
from satisfice.study.after.ablation.plan import Configuration, Plan, plan, spec_content
from satisfice.study.creating import create
from satisfice.study.given import parsed
from satisfice.study.opening import Opened, ledger_of

SEEDS = 3
_SOURCE = "start"
_MEASURED = frozenset(("latency", "latency_p95", "pipeline_latency", "throughput", "memory"))


@dataclass(frozen=True, kw_only=True)
class ReadyAblation:
    """The ablation's study, with all of its trainings enqueued."""

    opened: Opened
    plan: Plan
    parent: StudySpec
    trial: int
    seeds: int


def prepare(
    opened: Opened,
    record: TrialRecord,
    *,
    seeds: int,
    towards: bool,
    timeout_s: float | None,
) -> ReadyAblation:
    """Create the ablation of a trial in the parent's storage, or open it where it is there.

    Args:
        opened: The parent.
        record: The trial.
        seeds: Trainings of each configuration.
        towards: Whether each change is also tried alone on the default configuration.
        timeout_s: Begin no training after so long.

    Raises:
        InputError: There is nothing to take away, or ``seeds`` is no count.
    """
    if seeds < 1:
        raise InputError(f"seeds = {seeds} is no count", hint="at least 1; 3 show a spread")
    spec = opened.spec
    made = plan(spec, opened.task, record, towards=towards)
    wanted = [each.params for _ in range(seeds) for each in made.configurations]
    content = spec_content(
        spec, made, name=ablation_name(spec.name, record.number), trials=len(wanted), timeout_s=timeout_s
    )
    of_ablation = parsed(content, spec, has_task=opened.given is not None)
    storage = None if opened.db.in_memory else address(opened.db.url)
    own = opened.given if opened.given is not None or not opened.db.in_memory else None
    child = create(of_ablation, storage, own)
    _enqueue(child, wanted)
    return ReadyAblation(opened=child, plan=made, parent=spec, trial=record.number, seeds=seeds)


def ablation_name(study: str, trial: int) -> str:
    """Of the study that holds the trainings."""
    return f"{study}-ablation-{trial}"


def _enqueue(child: Opened, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Have the queue hold each configuration as often as it is wanted; what was enqueued before counts."""
    ledger = ledger_of(child)
    ledger.queue.enqueue_first([(params, _SOURCE, None) for params in wanted])
    reader = Reader(child.db, child.rows, child.row["uuid"], child.spec)
    known = [_key(row["params"]) for row in reader.queue()]
    lacking = []
    for params in wanted:
        key = _key(params)
        if key in known:
            known.remove(key)
        else:
            lacking.append((params, _SOURCE, None))
    if lacking:
        ledger.queue.enqueue(lacking)


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(dict(params), sort_keys=True)


def table_of(prepared: ReadyAblation, records: Sequence[TrialRecord]) -> Ablation:
    """The comparison of what has finished until now."""
    made = prepared.plan
    of = _grouped(records)
    complete = [r for r in records if r.state is TrialState.COMPLETE]
    lost = sum(r.state in (TrialState.PRUNED, TrialState.FAIL) for r in records)
    metrics = _metrics(prepared, complete)

    def values(each: Configuration, metric: str) -> list[float]:
        found = [metric_value(record, metric) for record in of.get(_key(each.params), ())]
        return [value for value in found if value is not None]

    rows = []
    pairs: list[tuple[str, str, str, Configuration, Configuration]] = []
    if made.default is not None:
        pairs.append(("all", "all", "the default configuration", made.winner, made.default))
    for name, (technique, each) in made.without.items():
        pairs.append((name, "without", technique.said, made.winner, each))
    if made.default is not None:
        for name, (_, each) in made.towards.items():
            pairs.append((name, "with", f"default with {name}", each, made.default))
    for name, kind, said, with_it, without in pairs:
        for metric in metrics:
            found = effect_of(values(with_it, metric), values(without, metric))
            if _is_measured(metric):  # once for each architecture: the seeds say nothing of its noise
                found = Effect(value=found.value, low=None, high=None)
            changed = with_it if kind == "with" else without
            rows.append(
                AblationRow(
                    technique=name,
                    metric=metric,
                    effect=found.value,
                    low=found.low,
                    high=found.high,
                    kind=kind,
                    change=said,
                    direction=_direction(prepared.opened.spec, metric),
                    trainings=len(values(changed, metric)),
                    verdict="measured once"
                    if _is_measured(metric) and found.value is not None
                    else _verdict(found, _direction(prepared.opened.spec, metric)),
                )
            )
    return Ablation(
        study=prepared.opened.spec.name,
        parent=prepared.parent.name,
        trial=prepared.trial,
        seeds=prepared.seeds,
        trainings=len(complete),
        lost=lost,
        table=rows,
    )


def _grouped(records: Sequence[TrialRecord]) -> Mapping[str, list[TrialRecord]]:
    of: dict[str, list[TrialRecord]] = {}
    for record in records:
        if record.state is TrialState.COMPLETE:
            of.setdefault(_key(record.params), []).append(record)
    return of


def _metrics(prepared: ReadyAblation, complete: Sequence[TrialRecord]) -> list[str]:
    """The study's own first, then all others that were recorded, each quantity in one unit."""
    recorded = dict.fromkeys(name for record in complete for name in record.metrics)
    named = [m for m in prepared.opened.spec.metric_names if m in recorded or not complete]
    return list(one_unit([*named, *(m for m in recorded if m in METRICS)], recorded or named))


def _direction(spec: StudySpec, metric: str) -> str | None:
    own = next((o.direction for o in spec.objectives if o.metric == metric), None)
    if own is not None or metric not in METRICS:
        return own
    return METRICS[metric].direction


def _is_measured(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].quantity in _MEASURED


def _verdict(found: Effect, direction: str | None) -> str:
    if found.value is None:
        return "unknown"
    if found.low is None or found.high is None:
        return "one seed"
    if found.low <= 0 <= found.high:
        return "no difference seen"
    if direction is None:
        return "higher" if found.value > 0 else "lower"
    return "better" if (found.value > 0) == (direction == "maximize") else "worse"
