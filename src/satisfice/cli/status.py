"""The status of one study, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from satisfice.cli.output import number, seconds

if TYPE_CHECKING:
    from satisfice.spec.study import StudySpec

_STATES = ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")
_ENDINGS = 8  # groups of trials that are told how they ended


def show_status(found: Mapping[str, Any], spec: StudySpec, *, ended: bool = True) -> None:
    """The status of one study: budget, trials, the best so far, who works at what, what was turned away.

    Args:
        found: What `Study.status` told.
        spec: The study.
        ended: Whether to tell how trials ended early.
    """
    budget = found["budget"]
    counts = found["states"]
    order = [*(state for state in _STATES if state in counts), *(s for s in counts if s not in _STATES)]
    states = ", ".join(f"{counts[state]} {state}" for state in order if counts[state])
    _line("study", found["name"])
    _line("budget", f"{budget['used']} of {budget['trials']} trials used")
    if budget.get("total_epochs") is not None:
        _line("", f"{budget['epochs_used']} of {budget['total_epochs']} epochs used or promised")
    _line("trials", states or "none yet")
    if found["stopped"]:
        _line("stopped", f"its trials failed alike: {found['stopped']}")
    _line("best so far", best_so_far(found, spec.objectives[0].metric))
    for i, each in enumerate(found.get("profiles", ())):
        _line("profiles" if i == 0 else "", f"{each['profile']}: {each['sentence']}")
    if found["waiting"]:
        _line("waiting", found["waiting"])
    if ended:
        _endings(found)
        shown = [
            f"{count} {label.replace('over_', 'over-').replace('_', ' ')}"
            for label, count in found["diagnosis"].items()
        ]
        if shown:
            _line("trainings", ", ".join(shown))
    _workers(found)
    away = found["turned_away"]
    _line("turned away", f"{away} {'proposal' if away == 1 else 'proposals'} before training")
    for constraint, count in found["turned_away_by_constraint"].items():
        _line("", f"{count} by {constraint}")
    if found.get("elapsed_s") is not None:
        _line("worked", seconds(found["elapsed_s"]))
    for i, sentence in enumerate(found["changes"]):
        _line("changed" if i == 0 else "", sentence)


def best_so_far(found: Mapping[str, Any], objective: str) -> str:
    """The best trial of a status in a few words."""
    best = found["best"]
    if best is None:
        if not any(found["states"].values()):
            return "no trial yet"
        done = found["states"].get("COMPLETE", 0) - found["pending"]
        return "no complete trial fits" if done > 0 else "no trial has a verdict yet"
    return f"{objective} {number(best['metrics'].get(objective))} (trial {best['number']})"


def _line(head: str, text: str) -> None:
    click.echo(f"{head:12} {text}")


def _endings(found: Mapping[str, Any]) -> None:
    groups = found["endings"]
    for i, each in enumerate(groups[:_ENDINGS]):
        _line("ended early" if i == 0 else "", each["sentence"])
    rest = sum(len(each["trials"]) for each in groups[_ENDINGS:])
    if rest:
        _line("", f"{rest} more, for other reasons: the report lists every trial")


def _workers(found: Mapping[str, Any]) -> None:
    """Those alive and those who hold a trial; the others are counted."""
    workers = found["workers_detail"]
    shown = [w for w in workers if w["alive"] or w["trial"]]
    gone = len(workers) - len(shown)
    _line("workers", f"{found['workers']} alive" + (f", {gone} ended or silent" if gone else ""))
    for w in shown:
        label = f", label {w['label']}" if w["label"] else ""
        who = f"{w['worker']} on {w['hostname']} (process {w['pid']}{label})"
        silent = "" if w["alive"] else ", silent; its trial is taken over when its lease ends"
        _line("", f"{who}: {_trial(w['trial'])}{silent}")
    for trial in found["running_elsewhere"]:
        _line("", f"a program that asks by itself: {_trial(trial)}")


def _trial(trial: Mapping[str, Any] | None) -> str:
    if trial is None:
        return "no trial now"
    step = f"step {trial['step']}" if trial["step"] else "no report yet"
    span = "" if trial["seconds"] is None else f", for {seconds(trial['seconds'])}"
    return f"trial {trial['number']}, {step}{span}"
