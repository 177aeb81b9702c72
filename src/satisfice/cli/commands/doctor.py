"""``satisfice doctor``: what works here, and what is missing."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import click

from satisfice.cli import options
from satisfice.cli.errors import EXIT_FAILED
from satisfice.cli.output import print_json
from satisfice.errors import InputError
from satisfice.launch.resources import accelerators, cores


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    required: bool  # nothing works without it
    detail: str


@click.command(epilog="Example: satisfice doctor --storage postgresql://me@db/studies")
@options.storage
@options.as_json
@click.pass_context
def doctor(context: click.Context, storage: str | None, as_json: bool) -> None:
    """Check the installation, the storage, and how well latency can be measured here. Nothing is written."""
    findings = [*_installation(), *_machine(), _storage(storage)]
    if as_json:
        print_json(
            [{"name": f.name, "ok": f.ok, "required": f.required, "detail": f.detail} for f in findings]
        )
    else:
        for f in findings:
            mark = "ok" if f.ok else ("FAILED" if f.required else "note")
            click.echo(f"{mark:7} {f.name:22} {f.detail}")
    if any(f.required and not f.ok for f in findings):
        context.exit(EXIT_FAILED)


def _installation() -> list[Check]:
    right = sys.version_info >= (3, 11)
    found = [Check(name="python", ok=right, required=True, detail=platform.python_version())]
    ours = _version("satisfice")
    detail = ours or "runs from its source folder, not installed"
    found.append(Check(name="satisfice", ok=True, required=True, detail=detail))
    for package in ("optuna", "sqlalchemy", "alembic", "scikit-learn"):
        installed = _version(package)
        detail = installed or f"not installed: pip install {package}"
        found.append(Check(name=package, ok=installed is not None, required=True, detail=detail))
    return found


def _machine() -> list[Check]:
    from satisfice.measure.doctor import doctor_host

    devices = accelerators()
    found = [
        Check(name="cores", ok=True, required=True, detail=f"{cores()} for workers and their threads"),
        Check(
            name="accelerators",
            ok=True,
            required=False,
            detail=f"CUDA devices {', '.join(devices)}"
            if devices
            else "no CUDA device: the processor trains",
        ),
    ]
    for each in doctor_host():
        detail = f"{each.text}: {each.advice}" if each.advice else each.text
        found.append(Check(name=each.name, ok=each.status == "ok", required=False, detail=detail))
    return found


def _storage(url: str | None) -> Check:
    from satisfice.store import migrate
    from satisfice.store.database.engine import Database
    from satisfice.store.database.url import masked, resolve

    options.quiet()
    try:
        database = Database(resolve(url))
        try:
            revision, newest = migrate.current(database), migrate.head()
        finally:
            database.close()
    except InputError as error:
        return Check(name="storage", ok=False, required=True, detail=str(error))
    state = {None: "no tables yet, made on first use", newest: "current"}.get(
        revision, f"at revision {revision}, the newest is {newest}: satisfice db upgrade"
    )
    return Check(name="storage", ok=True, required=True, detail=f"{masked(resolve(url))}: {state}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
