"""What of a stored study may be changed: budget, bounds, profiles, the order of its objectives.

The rest may not: other data or another space would make trials that cannot be compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from satisfice.choose.bounds import metric_value
from satisfice.choose.questions.unseen import as_tight
from satisfice.errors import StudyChanged
from satisfice.spec import grammar
from satisfice.spec.constraint import Constraint
from satisfice.spec.profile import Profile
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import TrialRecord, TrialState

_FREE = ("budget", "constraints", "profiles", "choose")
_SETS = ("objectives", "constraints", "space", "profiles")  # what is left out of them is gone
_IDENTITY = {"data": ("name", "file", "folder"), "model": ("family",), "task": ("entry",)}
_NAMED = 5  # trials of which a sentence gives the number


def completed(given: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """A file's content with the stored values of the keys that it leaves out.

    Args:
        given: The file's content.
        stored: That of the stored study.
    """
    out = {name: dict(v) if isinstance(v, Mapping) else v for name, v in given.items()}
    searched = given.get("space", {})
    for name, was in stored.items():
        if name in _SETS:
            continue
        now = out.get(name)
        if now is None and name not in _IDENTITY:
            out[name] = dict(was) if isinstance(was, Mapping) else was
        elif isinstance(was, Mapping) and isinstance(now, Mapping) and _same_thing(name, now, was):
            out[name] = {**{k: v for k, v in was.items() if k not in searched}, **now}
    return out


def _same_thing(name: str, now: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    return all(now.get(key) == was.get(key) for key in _IDENTITY.get(name, ()))


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted keys of what differs and may not."""
    found = []
    for key in dict.fromkeys([*old, *new]):
        if prefix == "" and key in _FREE:
            continue
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{prefix}{key}.")
        elif json.dumps(a, sort_keys=True) != json.dumps(b, sort_keys=True):
            found.append(f"{prefix}{key}")
    return found


def with_tables(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A stored study's content with other tables: see `satisfice.study.creating.changed`."""
    content = dict(stored)
    if "budget" in wanted:
        budget = {**stored["budget"], **wanted["budget"]}
        content["budget"] = {key: value for key, value in budget.items() if value is not None}
    if "constraints" in wanted:
        content["constraints"] = dict(wanted["constraints"])
    if "profiles" in wanted:
        content["profiles"] = dict(wanted["profiles"])
    if "choose" in wanted:
        content["choose"] = {**stored.get("choose", {}), **wanted["choose"]}
    if "objectives" in wanted:
        directions, names = stored["objectives"], list(wanted["objectives"])
        if sorted(names) != sorted(directions):
            raise StudyChanged(
                f"the objectives are {', '.join(directions)}: only their order may change",
                hint="name each of them once",
            )
        content["objectives"] = {name: directions[name] for name in names}
    return content


def any_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two contents differ; of orders, that of the objectives alone counts."""
    same = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    return not same or list(old["objectives"]) != list(new["objectives"])


def check_recorded(old: StudySpec, new: StudySpec, records: Iterable[TrialRecord], file: str | None) -> None:
    """See that a bound on another metric, or what a profile chooses by, is known of every finished trial.

    Raises:
        StudyChanged: Trials lack the metric.
    """
    complete = [r for r in records if r.state == TrialState.COMPLETE and not r.pending]
    named = [(f"constraints.{c.metric}", c.metric, "judged") for c in new.constraints]
    for p in new.profiles:
        named += [(f"profiles.{p.name}.constraints.{c.metric}", c.metric, "judged") for c in p.constraints]
        named += [(f"profiles.{p.name}", c.objective.metric, "chosen by") for c in p.order]
    for key, metric, use in named:
        lacking = [] if metric in old.metric_names else _lacking(complete, metric)
        if lacking:
            said = "by no finished trial" if len(lacking) == len(complete) else f"not by {_trials(lacking)}"
            raise StudyChanged(
                f"{file or 'study'}: {key}: it cannot be {use}, for {metric} was recorded {said}",
                hint="name a metric that every finished trial has, or start another study",
            )


def _lacking(complete: Iterable[TrialRecord], metric: str) -> list[int]:
    return [r.number for r in complete if metric_value(r, metric) is None]


def _trials(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"trial {shown}" if len(numbers) == 1 else f"trials {shown}{more}"


def sentences(old: StudySpec, new: StudySpec) -> list[str]:
    """What differs between two versions of a study, for people."""
    said = []
    for key in grammar.BUDGET:
        name = "timeout_s" if key == "timeout" else key
        was, now = getattr(old.budget, name), getattr(new.budget, name)
        if was != now:
            unit = " s" if key == "timeout" else ""
            said.append(f"budget: {key} = {_shown(now, unit)}, before {_shown(was, unit)}")
    said += _of_constraints(old.constraints, new.constraints)
    said += _of_profiles(old, new)
    before, after = ([o.metric for o in spec.objectives] for spec in (old, new))
    if before != after:
        said.append(f"the objectives are ordered {', '.join(after)}, before {', '.join(before)}")
    if old.choose.rule != new.choose.rule:
        said.append(f"the rule of choice is {new.choose.rule}, before {old.choose.rule}")
    return said


def _shown(value: float | None, unit: str) -> str:
    return "unlimited" if value is None else f"{value:g}{unit}" if unit else f"{value}"


def _of_constraints(old: Iterable[Constraint], new: Iterable[Constraint]) -> list[str]:
    said = []
    now = {(c.metric, c.is_upper): c for c in new}
    was = {(c.metric, c.is_upper): c for c in old}
    for side, c in now.items():
        if side not in was:
            said.append(f"{c.key} is a new constraint")
        elif was[side] != c:
            said.append(f"{c.key}, before {was[side].key}")
    said += [f"{c.key} no longer holds" for side, c in was.items() if side not in now]
    return said


def _of_profiles(old: StudySpec, new: StudySpec) -> list[str]:
    said = []
    was = {p.name: p for p in old.profiles}
    for profile in new.profiles:
        before = was.pop(profile.name, None)
        if before is None:
            said.append(f"profile {profile.name} is new: {described(profile)}")
            continue
        differs = _of_constraints(before.constraints, profile.constraints)
        if before.order != profile.order:
            differs.append(f"chosen by {_chosen_by(profile)}, before by {_chosen_by(before)}")
        said += [f"profile {profile.name}: {sentence}" for sentence in differs]
    return [*said, *(f"profile {name} was removed" for name in was)]


def described(profile: Profile) -> str:
    """What a profile asks for, in words: ``size_mb <= 1; chosen by maximize f1``."""
    bounds = " and ".join(c.key for c in profile.constraints)
    return "; ".join(filter(None, (bounds, f"chosen by {_chosen_by(profile)}")))


def _chosen_by(profile: Profile) -> str:
    return ", then ".join(c.text for c in profile.order) or "the study's objectives"


def loosened(old: StudySpec, new: StudySpec, versions: Iterable[StudySpec] = ()) -> list[Constraint]:
    """The old constraints that kept away what may fit now.

    Args:
        old: The spec until now.
        new: The spec to be.
        versions: Earlier ones: what a bound kept away that was looser than the last is unexplored too.
    """
    now = {(c.metric, c.is_upper): c for c in new.constraints}
    found = []
    for c in old.constraints:
        held = now.get((c.metric, c.is_upper))
        if held is not None and not _looser(held, c):
            continue
        sides = (
            e for v in versions for e in v.constraints if (e.metric, e.is_upper) == (c.metric, c.is_upper)
        )
        found.append(c)
        found += [e for e in sides if _looser(e, c) and (held is None or _looser(held, e))]
    if old.profiles and not all(_is_covered(p, old.profiles) for p in new.profiles or _EVERYTHING):
        found += [c for spec in (old, *versions) for p in spec.profiles for c in p.constraints]
    return list(dict.fromkeys(found))


_EVERYTHING = (Profile(name=""),)  # what a study without profiles can use


def _is_covered(new: Profile, old: Iterable[Profile]) -> bool:
    """Whether whatever meets the bounds of the one met those of one of the others."""
    return any(
        all(any(as_tight(own, other) for own in new.constraints) for other in p.constraints) for p in old
    )


def _looser(a: Constraint, b: Constraint) -> bool:
    """Whether ``a`` allows more than ``b``, a bound on the same side of the same metric."""
    if a.bound == b.bound:
        return a.satisfied(b.bound) and not b.satisfied(b.bound)
    return (a.bound > b.bound) == a.is_upper


def unexplored(lost: Mapping[str, tuple[int, int]]) -> list[str]:
    """What the old bounds kept away, by their keys: proposals turned away, trials stopped."""
    said = []
    for key, (away, stopped) in lost.items():
        parts = []
        if away:
            parts.append("1 proposal was turned away" if away == 1 else f"{away} proposals were turned away")
        if stopped:
            trials = "1 trial" if stopped == 1 else f"{stopped} trials"
            verb = "" if away else (" was" if stopped == 1 else " were")
            parts.append(f"{trials}{verb} stopped")
        if parts:
            said.append(f"{' and '.join(parts)} under {key}: what would fit between is not explored yet")
    return said
