"""The registered launchers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from satisfice.errors import InputError
from satisfice.launch.job import Launcher
from satisfice.registry import Registry, did_you_mean

LAUNCHERS: Registry[Callable[..., Launcher]] = Registry(
    "engine",
    "satisfice.launchers",
    {
        "local": "satisfice.launch.local:LocalLauncher",
        "ray": "satisfice.launch.ray_tasks:RayLauncher",
        "slurm": "satisfice.launch.slurm:SlurmLauncher",
    },
)


def make_launcher(name: str, **options: Any) -> Launcher:
    """A launcher with its options.

    Args:
        name: "local", "ray", "slurm" or a registered name.
        options: What the launcher's constructor takes; None means its default.

    Raises:
        InputError: There is no such launcher, or it does not take an option.
        MissingExtra: Its engine is not installed.
    """
    make = LAUNCHERS.get(name)
    given = {key: value for key, value in options.items() if value is not None}
    known = [p.name for p in inspect.signature(make).parameters.values()]
    for key in given:
        if key not in known:
            hint = did_you_mean(key, known) if known else "it takes none"
            raise InputError(f"the engine {name!r} takes no option {key!r}", hint=hint)
    return make(**given)
