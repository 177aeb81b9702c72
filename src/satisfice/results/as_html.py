"""Results as a notebook shows them."""

from __future__ import annotations

from satisfice.results.status import Status
from satisfice.spec.study import StudySpec
from satisfice.spec.trial import html_table


def study_html(spec: StudySpec, status: Status) -> str:
    """A study: its question, its counts, the best so far and the answer of each profile.

    Args:
        spec: The study.
        status: As it is now.
    """
    states = ", ".join(f"{count} {state}" for state, count in status.states.items() if count)
    rows = [
        ("objectives", ", ".join(f"{o.direction} {o.metric}" for o in spec.objectives)),
        ("constraints", ", ".join(c.key for c in spec.constraints) or "none"),
        ("budget", f"{status.budget.used} of {status.budget.trials} trials used"),
        ("trials", states or "none yet"),
        ("turned away", f"{status.turned_away} before training"),
    ]
    if status.best is not None:
        metrics = {
            name: status.best.metrics[name] for name in spec.metric_names if name in status.best.metrics
        }
        told = ", ".join(f"{name} {value:.6g}" for name, value in metrics.items())
        rows.append(("best so far", f"trial {status.best.number}: {told}"))
    rows += [(f"profile {each.profile}", each.sentence) for each in status.profiles]
    return html_table(f"study {status.name}", rows)
