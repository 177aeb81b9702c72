"""Our tables: what Optuna has no column for, keyed by our study UUID and the trial number or budget slot.

Times are seconds since 1970 by the database's clock. JSON is text, so that every back-end stores the same.
No foreign key points at Optuna's tables: one would make its `delete_study` fail.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

PREFIX = "satisfice_"
VERSION_TABLE = "satisfice_alembic_version"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# MySQL's TEXT ends at 64 KB.
LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
Uuid = sa.String(32)


class Words(sa.types.TypeDecorator[str]):
    """A sentence that a person's code may have said: `storable`, and cut at the column's length."""

    impl = sa.String
    cache_ok = True

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """As it can be stored."""
        return None if value is None else storable(value)[: self.most]


def storable(text: str) -> str:
    """The text without what some database refuses: PostgreSQL a NUL, every one a lone surrogate."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


Seconds: sa.Double[float] = sa.Double()

studies = sa.Table(
    PREFIX + "studies",
    metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("optuna_study_id", sa.Integer, nullable=False),
    sa.Column("spec", LongText, nullable=False),  # canonical JSON of the study file
    sa.Column("digest", sa.String(64), nullable=False),  # of everything but the budget
    sa.Column("spec_version", sa.Integer, nullable=False, default=1, server_default=sa.text("1")),
    sa.Column("file_budget", LongText),  # JSON: the file's own [budget] while options override it
    sa.Column("optuna_objectives", LongText),  # JSON: names in Optuna's order; NULL: the order of `spec`
    sa.Column("source_dir", sa.String(1000)),  # folder of the study file, for a task beside it
    sa.Column("data_fingerprint", sa.String(80)),
    sa.Column("created_at", Seconds, nullable=False),
    # the budget, and what of it is used
    sa.Column("trials_budget", sa.Integer, nullable=False),
    sa.Column("epochs_per_trial", sa.Integer),
    sa.Column("total_epochs_budget", sa.Integer),
    sa.Column("timeout_s", Seconds),
    sa.Column("slots", sa.Integer, nullable=False, default=0),  # slots ever claimed
    sa.Column(
        "epochs_reserved", sa.BigInteger, nullable=False, default=0
    ),  # done, or promised to running trials
    sa.Column("elapsed_s", Seconds, nullable=False, default=0.0),  # while any worker was active
    sa.Column("last_active_at", Seconds),
    # every change of a trial or a report takes the next revision, in one order that all readers agree on
    sa.Column("revision", sa.BigInteger, nullable=False, default=0),
    sa.Column("queued", sa.Integer, nullable=False, default=0),  # rows of the queue not yet taken
    sa.Column("turned_away", sa.BigInteger, nullable=False, default=0),  # proposals that did not fit
    sa.Column("chosen", LongText),  # JSON: the chosen trial's number and its test metrics, scored once
    # 1: architectures differ by every hyperparameter that they are declared by; 2: only by what they are
    sa.Column("architecture_form", sa.Integer, nullable=False, default=2, server_default=sa.text("1")),
    sa.Column("stopped", LongText),  # JSON: see satisfice.store.ledger.stops
)

slots = sa.Table(
    PREFIX + "slots",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("phase", sa.String(10), nullable=False),  # see satisfice.store.ledger.phase.Phase
    sa.Column("number", sa.Integer),  # of the Optuna trial; NULL until a proposal was accepted
    sa.Column("optuna_trial_id", sa.Integer),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("blamed_deaths", sa.Integer, nullable=False, default=0),
    sa.Column("lease_owner", Uuid),  # worker; NULL when nobody holds it
    sa.Column("lease_token", Uuid),  # changes with every claim: a worker that woke up late has an old one
    sa.Column("lease_until", Seconds),
    sa.Column("last_step", sa.BigInteger, nullable=False, default=0),
    sa.Column("epochs_reserved", sa.Integer, nullable=False, default=0),
    sa.Column("metrics", LongText),  # JSON by metric name, as told and as known before training
    sa.Column("feasible", sa.Boolean),
    sa.Column("reason", Words(500)),  # why it was pruned or failed
    sa.Column("traceback", LongText),
    sa.Column("proposal", LongText),  # JSON: why it was proposed
    sa.Column("replicate_of", sa.Integer),
    sa.Column("measured_on", sa.String(64)),  # host that measured latency
    # of the spec under which the trial was asked for
    sa.Column("spec_version", sa.Integer, nullable=False, default=1, server_default=sa.text("1")),
    sa.Index(None, "study_uuid", "revision"),
    sa.Index(None, "study_uuid", "phase"),
    sa.Index(None, "study_uuid", "number"),
)

# What held when. A study that was never changed has no row here.
spec_versions = sa.Table(
    PREFIX + "spec_versions",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("since", Seconds, nullable=False),
    sa.Column("spec", LongText, nullable=False),  # canonical JSON of the study file
    sa.Column("changes", LongText, nullable=False),  # JSON: sentences, what differs from the version before
)

reports = sa.Table(
    PREFIX + "reports",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", LongText, nullable=False),  # JSON: [[step, {metric: value}], ...], one flush
    sa.Index(None, "study_uuid", "revision"),
)

# By how much scored rows moved the metrics of a finished trial, so that two are compared on the same rows.
influences = sa.Table(
    PREFIX + "influences",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", LongText, nullable=False),  # see satisfice.spec.influences; at most some kilobytes
)

attempts = sa.Table(
    PREFIX + "attempts",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("worker", Uuid, nullable=False),
    sa.Column("started_at", Seconds, nullable=False),
    sa.Column("ended_at", Seconds),
    sa.Column("outcome", sa.String(12)),  # told, preempted, lost, died; NULL while it runs
    sa.Column("reason", Words(500)),
    sa.Column("first_step", sa.BigInteger, nullable=False),
    sa.Column("last_step", sa.BigInteger),
)

queue = sa.Table(
    PREFIX + "queue",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("params", LongText, nullable=False),  # JSON; may be partial: the sampler fills the rest
    sa.Column("source", sa.String(12), nullable=False),  # default, start, user, replicate
    sa.Column("replicate_of", sa.Integer),
    sa.Column("slot", sa.Integer),  # that took it; NULL while it waits
    sa.Column("turned_away", LongText),  # JSON: violations, if it did not fit
)

turned_away = sa.Table(
    PREFIX + "turned_away",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("ask", Uuid, primary_key=True),
    sa.Column("proposals", sa.Integer, nullable=False),
    sa.Column("by_constraint", LongText, nullable=False),  # JSON: count by constraint key
    sa.Column("examples", LongText, nullable=False),  # JSON: a few configurations with their metrics
)

workers = sa.Table(
    PREFIX + "workers",
    metadata,
    sa.Column("uuid", Uuid, primary_key=True),
    sa.Column("study_uuid", Uuid, nullable=False, index=True),
    sa.Column("host", sa.String(64), nullable=False),
    sa.Column("hostname", Words(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("label", sa.String(100)),
    sa.Column("started_at", Seconds, nullable=False),
    sa.Column("seen_at", Seconds, nullable=False),
    sa.Column("ended_at", Seconds),
    sa.Column("ended", Words(200)),  # why
)

hosts = sa.Table(
    PREFIX + "hosts",
    metadata,
    sa.Column("fingerprint", sa.String(64), primary_key=True),
    sa.Column("description", LongText, nullable=False),  # JSON
    sa.Column("seen_at", Seconds, nullable=False),
)

measurements = sa.Table(
    PREFIX + "measurements",
    metadata,
    sa.Column("architecture", sa.String(64), primary_key=True),
    sa.Column("host", sa.String(64), primary_key=True),
    sa.Column("metric", sa.String(40), primary_key=True),
    sa.Column("body", LongText, nullable=False),  # JSON of the Measurement
    sa.Column("measured_at", Seconds, nullable=False),
)

# What a study counts with for an architecture: the measurement that was there first, whatever comes later.
timings = sa.Table(
    PREFIX + "timings",
    metadata,
    sa.Column("study_uuid", Uuid, primary_key=True),
    sa.Column("architecture", sa.String(64), primary_key=True),
    sa.Column("place", sa.String(64), primary_key=True),  # host, or class of hosts
    sa.Column("metric", sa.String(40), primary_key=True),
    sa.Column("body", LongText, nullable=False),  # JSON of the Measurement
)
