"""Launchers: start N copies of the same stateless worker, anywhere, and restart those that die.

The workers pull their trials from the database. A launcher knows nothing of trials, and the search nothing of
launchers: any engine that starts processes and restarts the dead will do.
"""

from satisfice.errors import WorkersFailed
from satisfice.launch.catalog import LAUNCHERS, make_launcher
from satisfice.launch.job import Cause, Death, Ended, Job, Launcher

__all__ = ["LAUNCHERS", "Cause", "Death", "Ended", "Job", "Launcher", "WorkersFailed", "make_launcher"]
