"""``satisfice diagnose``, ``satisfice health``, ``satisfice journal``: why a study is as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from satisfice.cli import answer, options
from satisfice.cli.errors import EXIT_FAILED, say, without_secrets
from satisfice.cli.output import print_json

if TYPE_CHECKING:
    from satisfice.results.understanding import HealthNote, TrainingDiagnosis


@click.command(epilog="Example: satisfice diagnose digits-edge 12")
@click.argument("name")
@click.argument("number", type=int, required=False)
@options.storage
@options.as_json
def diagnose(name: str, number: int | None, storage: str | None, as_json: bool) -> None:
    """What each training shows by its curves: healthy, diverged, overfitting, stopped early, ...

    Each label has its evidence, and the parameters that most likely caused it by comparison with the other
    trials. With NUMBER: of that trial alone.
    """
    study = options.open_study(name, storage)
    found = study.diagnose(number)
    if as_json:
        print_json(found)
        return
    folded = study.spec.folds is not None
    unknown = "cross-validated, so that steps are folds and no curve" if folded else "nothing reported"
    _show_diagnoses(found, every=number is not None, unknown=unknown)


def _show_diagnoses(found: Sequence[TrainingDiagnosis], *, every: bool, unknown: str) -> None:
    counted = Counter(label.label for d in found for label in d.labels)
    if not every:
        told = ", ".join(f"{n} {_spoken(label)}" for label, n in counted.most_common())
        many = "1 training" if len(found) == 1 else f"{len(found)} trainings"
        click.echo(f"{many}: {told or unknown}")
    for d in found:
        for label in d.labels:
            if every or label.label != "healthy":
                click.echo(f"trial {d.number}: {_spoken(label.label)}: {label.evidence}")
        if every and not d.labels:
            click.echo(f"trial {d.number} has no label: {unknown}")


def _spoken(label: str) -> str:
    return label.replace("over_", "over-").replace("_", " ")


@click.command(epilog="Example: satisfice health digits-edge --strict")
@click.argument("name")
@options.storage
@click.option("--strict", is_flag=True, help="Exit with 1 where anything is found.")
@options.as_json
@click.pass_context
def health(context: click.Context, name: str, storage: str | None, strict: bool, as_json: bool) -> None:
    """What is wrong with a study: its space, bounds, budget and data, each with a remedy to paste.

    The keys of a remedy stand in place of those of the study file. Where a stored study cannot take it over,
    the remedy begins with the name of a new study.
    """
    study = options.open_study(name, storage)
    found = study.health()
    if as_json:
        print_json(found)
    else:
        _show_health(found)
    if strict and found:
        context.exit(EXIT_FAILED)


def _show_health(found: Sequence[HealthNote]) -> None:
    if not found:
        click.echo("nothing was found")
    for i, note in enumerate(found):
        if i:
            click.echo("")
        click.echo(f"{_spoken(note.finding)}: {note.subject}")
        click.echo(f"  {note.evidence}")
        for line in note.remedy.splitlines():
            click.echo(f"      {line}".rstrip())


@click.command(epilog="Example: satisfice journal digits-edge --output docs/digits.md")
@click.argument("name")
@options.storage
@click.option("--shipped", metavar="DIR", help="A folder that `satisfice ship` wrote: its promises are told.")
@click.option("--output", metavar="FILE", help="Write it there instead of printing it.")
def journal(name: str, storage: str | None, shipped: str | None, output: str | None) -> None:
    """The study as Markdown to commit beside the code: what was tried, chosen, spent and promised."""
    from satisfice.store.atomic_files import writing

    study = options.open_study(name, storage)
    text = without_secrets(study.journal(shipped))
    if output is None:
        answer.give(text)
        return
    path = Path(output)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    say(f"journal: {path}")
