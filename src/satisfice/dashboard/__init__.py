"""optuna-dashboard over the same storage, with feasibility shown right."""

from satisfice.dashboard.app import make_app, serve

__all__ = ["make_app", "serve"]
